/*
 * Magnet links: BEP 9, BEP 52 (btmh), BEP 53 (so), and `dht`, a node of the DHT to join by, which
 * is in no BEP, but libtorrent reads it. All strings owned by the struct.
 */
#ifndef P2P_FORMAT_MAGNET_H
#define P2P_FORMAT_MAGNET_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/format/digest.h>

#define MAGNET_MAX_LEN 65536u
#define MAGNET_MAX_ITEMS 200u /* of each kind: tr, ws, xs, as, x.pe, dht, so */

struct magnet_range {
    uint32_t first, last; /* file indices, both included */
};
struct magnet {
    bool has_v1, has_v2;
    uint8_t hash_v1[SHA1_LEN], hash_v2[SHA256_LEN];
    char *name; /* dn, NULL if absent; a hint, not a safe path */
    uint64_t size; /* xl, 0 if absent */
    char **trackers, **web_seeds, **exact_sources, **acceptable_sources, **peers, **nodes;
    size_t n_trackers, n_web_seeds, n_exact_sources, n_acceptable_sources, n_peers, n_nodes;
    struct magnet_range *select; /* so=, sorted, merged */
    size_t n_select;
};

/* ERR_INVALID: no hash, two different of one kind, wrong length, bad escape, not a magnet link. */
int magnet_parse(struct magnet *m, const char *link, struct err *e);
void magnet_fini(struct magnet *m);
/* Writes a link: xt (btih, then btmh), dn, xl is left out, tr, ws, x.pe, dht, so. */
void magnet_write(const struct magnet *m, struct buf *out);
/* Appends a copy to one of the lists above, e.g. magnet_list_add(&m.trackers, &m.n_trackers, s). */
void magnet_list_add(char ***list, size_t *n, const char *s);

struct manifest;
/* The link of a manifest, as p2p-add prints it. */
void magnet_from_manifest(struct magnet *m, const struct manifest *mf);

#endif

/*
 * What a SOURCE is as far as this machine knows, without asking peers: a link, a hash, a .torrent
 * here or at an address that the user typed, or what the catalogue calls it; and what the catalogue
 * knows of it. For programs that look and end; a session finds its items itself.
 *
 * A word is a .torrent if there is such a file, else what the catalogue calls it. A file of another
 * kind does not hide an item of its name: who has added film.mkv may list it where it lies.
 */
#ifndef P2P_ENGINE_KNOWN_H
#define P2P_ENGINE_KNOWN_H

#include <p2p/base/err.h>
#include <p2p/format/magnet.h>
#include <p2p/format/manifest.h>
#include <p2p/host/catalogue.h>

struct known {
    struct manifest *m;   /* NULL: nobody here knows it */
    struct magnet link;   /* valid if has_link: what the SOURCE or the catalogue says */
    bool has_link;
    struct catalogue_item item; /* item.id 0: not in the catalogue */
};

/*
 * `c` NULL: there is no catalogue. ERR_NOTFOUND: a word that means nothing here, or nothing at the
 * address; ERR_INVALID: a bad link or manifest; ERR_NET; ERR_USAGE: a prefix that fits several.
 */
int known_find(struct known *k, const char *source, struct catalogue *c, struct err *e);
/* Of an item of the catalogue; takes the item over. */
int known_item(struct known *k, struct catalogue_item *it, struct catalogue *c, struct err *e);
void known_fini(struct known *k); /* also after a failure */

/* A whole body from an address that the user typed: a .torrent. Moved out: bytes_free(). */
int known_fetch(const char *url, struct bytes *out, struct err *e);

/* The hash that is shown where there is room for one: v1 if there is one, which every client knows. */
struct bytes known_hash(const struct known *k);
const char *known_name(const struct known *k); /* NULL: nobody knows */

#endif

/*
 * The catalogue: what this home knows, in SQLite ($P2P_HOME/catalogue.db). Several programs use it
 * at once. Every call is a transaction of its own that is on the disk when it returns (WAL with
 * synchronous=FULL: readers never wait for a writer, and a power cut loses nothing that was
 * committed), so progress is recorded only after the data was synced.
 *
 * - One item, whatever it is known by: a hybrid put first by one hash and later by both is merged.
 * - Text is bytes: names and paths need not be UTF-8.
 * - Rows carry a checksum. A damaged row is never trusted; a damaged file is moved aside as
 *   catalogue.db.damaged-N, never deleted, and what can be proved sound is carried over into a new
 *   one. catalogue_notice says so.
 * - Times are Unix seconds and come from the caller.
 * One thread at a time, but any thread; not across fork. A call may wait for another program for up
 * to 10 s, and is ERR_LOCKED after that.
 */
#ifndef P2P_HOST_CATALOGUE_H
#define P2P_HOST_CATALOGUE_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>

struct catalogue;

#define CATALOGUE_FILE "catalogue.db"
#define CATALOGUE_PREFIX_MIN 6 /* hex digits that name an item */

enum catalogue_state {
    CATALOGUE_LINK = 0,     /* only a link or a manifest, no data */
    CATALOGUE_PARTIAL = 1,  /* some data, or some files on purpose */
    CATALOGUE_COMPLETE = 2, /* all of it, verified */
};

struct catalogue_item {
    int64_t id; /* stable; 0: not in the catalogue */
    bool has_v1, has_v2; /* at least one */
    bool is_private;
    bool has_manifest; /* filled by reading, ignored by catalogue_put */
    uint8_t v1[20], v2[32];
    struct bytes name, path; /* path: absolute, of the data; empty while there is none */
    struct bytes selection;  /* the caller's text: which files are wanted; empty: all */
    enum catalogue_state state;
    unsigned format; /* the caller's number */
    unsigned where;  /* the caller's flags */
    uint64_t size, piece_size, pieces;
    uint64_t have; /* bytes */
    uint64_t uploaded, downloaded; /* ever; changed only by catalogue_add_traffic */
    int64_t added, updated;
    uint8_t *mem; /* owns the slices when it came from catalogue_get or _find; else NULL */
};
void catalogue_item_fini(struct catalogue_item *it);

/* `home` must exist. A newer program's catalogue is ERR_FAIL and left alone. */
int catalogue_open(struct catalogue **out, const char *home, struct err *e);
/* For who writes nothing, or can do without: a home on a read-only file system will do, too. */
int catalogue_open_to_read(struct catalogue **out, const char *home, struct err *e);
void catalogue_free(struct catalogue *c); /* NULL is fine */
/* What the user should be told once (damage found and what was done), or NULL. Borrowed. */
const char *catalogue_notice(const struct catalogue *c);

/*
 * Inserts, or updates the item that has one of its hashes. Slices whose p is NULL keep what was
 * there (manifest: the .torrent's bytes; link: the magnet's text, for an item without manifest).
 * `added` and the traffic of an existing item stay, as does its progress record while its path
 * stays the same. CATALOGUE_LINK never takes away the data that an item has: of such an item only
 * manifest and link are filled in. it->id, ->mem are ignored. Returns the id through *id (may be
 * NULL). ERR_INVALID when the two hashes belong to items whose other hash differs.
 */
int catalogue_put(struct catalogue *c, const struct catalogue_item *it, struct bytes manifest,
                  struct bytes link, int64_t *id, struct err *e);

/* By a whole hash: 32 bytes are v2; 20 bytes v1, or else the first 20 of v2. ERR_NOTFOUND. */
int catalogue_get(struct catalogue *c, struct bytes hash, struct catalogue_item *out,
                  struct err *e);
int catalogue_get_id(struct catalogue *c, int64_t id, struct catalogue_item *out, struct err *e);
/*
 * What a user typed: an exact name, else a prefix of a hash in hex. ERR_NOTFOUND; ERR_USAGE with
 * the candidates in the message when several fit.
 */
int catalogue_find(struct catalogue *c, const char *text, struct catalogue_item *out,
                   struct err *e);

/*
 * Items whose data is recorded at this path, the latest first. Start with *before = INT64_MAX;
 * returns 1 with *out filled, 0 when there are no more. As cheap as catalogue_get.
 */
int catalogue_at(struct catalogue *c, struct bytes path, int64_t *before,
                 struct catalogue_item *out, struct err *e);

/*
 * All items in the order they were added, without manifests, links and records. Start with
 * *after = 0; returns 1 with *out filled, 0 at the end. Other calls between two are fine: rows are
 * fetched by the page, no transaction stays open. *out is the caller's (catalogue_item_fini).
 */
int catalogue_next(struct catalogue *c, int64_t *after, struct catalogue_item *out, struct err *e);
int64_t catalogue_count(struct catalogue *c, struct err *e);

/* ERR_NOTFOUND if there is none. Moved out: free((void *)out->p). */
int catalogue_manifest(struct catalogue *c, int64_t id, struct bytes *out, struct err *e);
int catalogue_link(struct catalogue *c, int64_t id, struct bytes *out, struct err *e);

/* Progress. The data it speaks of must have been synced before. One transaction. */
int catalogue_record_put(struct catalogue *c, int64_t id, enum catalogue_state state,
                         uint64_t have, struct bytes record, int64_t now, struct err *e);
/* ERR_NOTFOUND if there is none (or it was damaged): hash the data again. Moved out. */
int catalogue_record_get(struct catalogue *c, int64_t id, struct bytes *out, struct err *e);

int catalogue_add_traffic(struct catalogue *c, int64_t id, uint64_t uploaded, uint64_t downloaded,
                          struct err *e);
/* Forgets the item, its manifest, link and record. ERR_NOTFOUND. The data is not touched. */
int catalogue_remove(struct catalogue *c, int64_t id, struct err *e);

/*
 * Files of an item by numbers that the caller makes of their content, so that the same file is
 * found in other items: hints, to be checked. Those of an item go with it.
 */
struct catalogue_key {
    int64_t key;
    uint32_t file;
};
struct catalogue_holder {
    int64_t id;
    uint32_t file;
};
/* In place of those that the item had. */
int catalogue_keys_put(struct catalogue *c, int64_t id, const struct catalogue_key *v, size_t n,
                       struct err *e);
/* Who has it, the latest first. *n in: room, out: how many. */
int catalogue_holders(struct catalogue *c, int64_t key, struct catalogue_holder *out, size_t *n,
                      struct err *e);

/*
 * All that `fn` does to the catalogue becomes one transaction, and the disk is waited for once.
 * What fn returns is returned; if that is negative, nothing was done. It may be called twice, when
 * the file had to be repaired.
 */
int catalogue_together(struct catalogue *c,
                       int (*fn)(struct catalogue *c, void *arg, struct err *e), void *arg,
                       struct err *e);

/* True if another program changed something since the last call (the first call: true). Cheap. */
bool catalogue_changed(struct catalogue *c);

#endif

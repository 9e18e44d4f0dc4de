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
#include <p2p/engine/scan.h>
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
/* As known_find, of a .torrent that is `raw`; `what` is its name in errors. */
int known_torrent(struct known *k, struct bytes raw, const char *what, struct catalogue *c,
                  struct err *e);
/* Of an item of the catalogue; takes the item over. */
int known_item(struct known *k, struct catalogue_item *it, struct catalogue *c, struct err *e);
void known_fini(struct known *k); /* also after a failure */

/* A word that is neither a .torrent nor an item: ERR_NOTFOUND, and what it is. */
int known_no_name(const char *word, struct err *e);
/* Of a file that does not parse as one, and why: the code of that. */
int known_no_torrent(const char *word, struct bytes raw, const struct err *why, struct err *e);

/*
 * Where the data of an item lies and what is said to be there: for checking it, for deleting it.
 * The record is trusted if it reads back and is about this manifest; else has_record is false.
 */
struct known_place {
    struct scan_place place; /* borrows from this struct and from the known */
    char *path, *side;
    struct bits wanted; /* files */
    struct record record;
    bool has_record;
};
/* `home` is the folder of the catalogue. ERR_NOTFOUND: no data, or nobody knows where. */
int known_place(struct known_place *p, const struct known *k, struct catalogue *c, const char *home,
                struct err *e);
void known_place_fini(struct known_place *p); /* also after a failure */
/*
 * Unlinks the item's files, and the folders that this leaves empty. What only has the name of one
 * of them and is not known to be it stays.
 */
int known_delete(const struct known *k, const struct known_place *p, struct err *e);

/* A whole body from an address that the user typed: a .torrent. Moved out: bytes_free(). */
int known_fetch(const char *url, struct bytes *out, struct err *e);

/* The hash shown where there is room for one: v1's if there is one, which every client knows. */
struct bytes known_hash(const struct known *k);
const char *known_name(const struct known *k); /* NULL: nobody knows */

#endif

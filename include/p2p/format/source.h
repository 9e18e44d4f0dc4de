/* What kind of SOURCE an operand is (CLI.md): decided by its form alone, nothing is opened. */
#ifndef P2P_FORMAT_SOURCE_H
#define P2P_FORMAT_SOURCE_H

#include <p2p/format/magnet.h>

enum source_kind {
    SOURCE_MAGNET,
    SOURCE_URL,   /* http(s)://… of a .torrent */
    SOURCE_HASH,  /* bare info-hash: 40 hex or 32 base32 (v1), 64 hex (v2): in `magnet` */
    SOURCE_STDIN, /* "-" */
    SOURCE_WORD,  /* a .torrent file, or what the catalogue calls it: the file wins if it exists */
};
struct source {
    enum source_kind kind;
    struct magnet magnet; /* MAGNET and HASH */
    const char *word;     /* borrowed operand */
};
int source_parse(struct source *s, const char *operand,
                 struct err *e); /* ERR_INVALID for a bad link */
void source_fini(struct source *s);

#endif

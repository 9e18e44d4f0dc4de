/*
 * The extension protocol (BEP 10): the extended handshake, its dictionary `m` of message ids, and
 * the messages that travel in it: ut_metadata (BEP 9), upload_only (BEP 21), lt_donthave (BEP 54).
 * Ids are the receiver's: what we announce below is what peers send us; what they announce is in
 * ext_handshake.id and is what we send.
 */
#ifndef P2P_PROTO_EXT_H
#define P2P_PROTO_EXT_H

#include <p2p/base/addr.h>
#include <p2p/base/buf.h>
#include <p2p/base/err.h>

enum ext_kind {
    EXT_HANDSHAKE = 0,
    EXT_METADATA = 1,
    EXT_PEX = 2,
    EXT_DONTHAVE = 3,
    EXT_UPLOAD_ONLY = 4,
    EXT_KINDS = 5
};

#define EXT_MAX_REQQ 2048u
#define EXT_MAX_CLIENT 64u

struct ext_handshake {
    uint8_t id[EXT_KINDS];           /* peer's id for each kind; 0: not spoken */
    bool has_m[EXT_KINDS];           /* it was named, if only to switch it off by id 0 */
    uint32_t metadata_size;          /* 0: not told */
    uint32_t reqq;                   /* 0: not told */
    uint16_t port;                   /* p: listening port; 0: not told */
    bool upload_only;                /* BEP 21 */
    struct addr yourip;              /* family 0: not told; port is 0 */
    char client[EXT_MAX_CLIENT + 1]; /* v; safe UTF-8 or empty */
};

/* What we say. Zero fields are left out. `pex` off for private torrents or when not built. */
struct ext_hello {
    bool metadata, pex, donthave, upload_only_msg;
    uint32_t metadata_size, reqq;
    uint16_t port;
    bool upload_only;
    struct addr yourip;
    const char *client;
};

void ext_put_handshake(struct buf *out,
                       const struct ext_hello *h); /* the dictionary, no envelope */
/* Adds to what *h holds, zeros before the first: a later handshake tells changes only (BEP 10). */
int ext_parse_handshake(struct ext_handshake *h, struct bytes body, struct err *e);

/* ut_metadata (BEP 9), 16 KiB pieces of the info dictionary. */
enum ext_meta_type { EXT_META_REQUEST = 0, EXT_META_DATA = 1, EXT_META_REJECT = 2 };
#define EXT_META_BLOCK 16384u
struct ext_meta {
    enum ext_meta_type type; /* other values are skipped: parse returns 0 */
    uint32_t piece;
    uint32_t total_size; /* of DATA */
    struct bytes data;   /* of DATA, borrowed */
};
/* 1: parsed, 0: an unknown type to be ignored, ERR_INVALID. */
int ext_parse_meta(struct ext_meta *m, struct bytes body, struct err *e);
void ext_put_meta(struct buf *out, const struct ext_meta *m); /* DATA with its bytes behind */

/* BEP 54: a 4-byte index; BEP 21's message: one byte. */
int ext_parse_donthave(uint32_t *index, struct bytes body);
void ext_put_donthave(struct buf *out, uint32_t index);

#endif

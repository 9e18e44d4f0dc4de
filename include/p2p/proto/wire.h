/*
 * The peer wire: handshake and messages of BEP 3, 6, 10 (envelope), 52. A parser that is fed and
 * asked for the next message, and writers that append to a buf.
 *
 * Incoming bytes. Big data is not copied: when the header of a PIECE is in, wire_next yields
 * WIRE_PIECE and the owner says with wire_place() where the payload goes (or nowhere). From then
 * wire_want() names the rest of that place so that the host receives straight into it, and
 * wire_placed() tells how much came. All other bytes go through wire_feed(): a borrowed slice that
 * must stay valid until wire_next has returned 0 or an error; an incomplete message is kept inside.
 *
 *      n = recv(into wire_want(w), then into scratch)
 *      wire_placed(w, part that fell into the place); wire_feed(w, scratch part);
 *      while ((r = wire_next(w, &m)) > 0) handle(m);
 *
 * Every length is checked against the table of its type before a byte is kept (HOSTILE.md); what
 * breaks it is malformed and the connection is to be closed. Whether a message makes sense now is
 * the owner's to judge.
 */
#ifndef P2P_PROTO_WIRE_H
#define P2P_PROTO_WIRE_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/format/digest.h>

#define WIRE_MAX_BLOCK (128u << 10) /* longest block asked for or answered */
#define WIRE_MAX_EXTENDED (1u << 20)
#define WIRE_MAX_BITFIELD_EARLY (256u << 10) /* before the number of pieces is known */
#define WIRE_MAX_HASHES 8192u                /* hashes in one HASHES message, proof included */
#define WIRE_MAX_UNKNOWN (1u << 20)          /* a message of a type we do not know */
#define WIRE_HANDSHAKE_LEN 68
#define WIRE_PIECE_HEAD 13 /* of a PIECE, before its payload */

enum wire_type {
    WIRE_CHOKE = 0,
    WIRE_UNCHOKE = 1,
    WIRE_INTERESTED = 2,
    WIRE_NOT_INTERESTED = 3,
    WIRE_HAVE = 4,     /* index */
    WIRE_BITFIELD = 5, /* body */
    WIRE_REQUEST = 6,  /* index, begin, length */
    WIRE_PIECE = 7,    /* index, begin, length: its header; payload follows through wire_place */
    WIRE_CANCEL = 8,   /* index, begin, length */
    WIRE_PORT = 9,     /* port */
    WIRE_SUGGEST = 13, /* index */
    WIRE_HAVE_ALL = 14,
    WIRE_HAVE_NONE = 15,
    WIRE_REJECT = 16,       /* index, begin, length */
    WIRE_ALLOWED_FAST = 17, /* index */
    WIRE_EXTENDED = 20,     /* ext_id, body */
    WIRE_HASH_REQUEST = 21, /* hash */
    WIRE_HASHES = 22,       /* hash, body: the hashes */
    WIRE_HASH_REJECT = 23,  /* hash */
    WIRE_HANDSHAKE = 256,   /* handshake */
    WIRE_PIECE_DONE,        /* index, begin, length: the payload is in its place */
    WIRE_KEEPALIVE,
    WIRE_UNKNOWN, /* a type we do not know: skipped; index: the type, length: of its body */
};

struct wire_handshake {
    uint8_t reserved[8];
    uint8_t info_hash[20];
    uint8_t peer_id[20];
};
/* reserved bits */
#define WIRE_HAS_EXTENDED(h) (((h)->reserved[5] & 0x10) != 0) /* BEP 10 */
#define WIRE_HAS_DHT(h) (((h)->reserved[7] & 0x01) != 0)      /* BEP 5 */
#define WIRE_HAS_FAST(h) (((h)->reserved[7] & 0x04) != 0)     /* BEP 6 */
#define WIRE_HAS_V2(h) (((h)->reserved[7] & 0x10) != 0)       /* BEP 52 */
/* fast and extended always set; the others on demand */
void wire_reserved(uint8_t out[8], bool dht, bool v2);

struct wire_hash_req { /* BEP 52 */
    uint8_t root[SHA256_LEN];
    uint32_t base;   /* layer: 0 is the blocks' */
    uint32_t index;  /* of the first hash */
    uint32_t length; /* hashes: a power of two, 2 at least */
    uint32_t proof;  /* proof layers */
};

struct wire_msg {
    enum wire_type type;
    uint32_t index, begin, length;
    uint16_t port;
    uint8_t ext_id;
    struct bytes body; /* borrowed until the next call */
    struct wire_handshake handshake;
    struct wire_hash_req hash;
};

struct wire;

/* A new one expects a handshake first. */
struct wire *wire_new(void);
void wire_free(struct wire *w);
/* From when the number of pieces is known a BITFIELD must be exactly as long. */
void wire_set_pieces(struct wire *w, uint32_t n_pieces);

struct span wire_want(const struct wire *w); /* rest of the place; n = 0 if there is none */
void wire_placed(struct wire *w, size_t n);
/* If a PIECE follows what is in the place and what was fed: bytes that lack to its payload. 0: that
 * is not to be told now. */
size_t wire_to_payload(const struct wire *w);
size_t wire_unread(const struct wire *w); /* bytes that were fed and not looked at yet */
void wire_feed(struct wire *w, struct bytes b);
/* 1: *m is a message. 0: needs more. ERR_INVALID: malformed, with the reason; final. */
int wire_next(struct wire *w, struct wire_msg *m, struct err *e);
/* Answers WIRE_PIECE: `length` bytes at place, or NULL to discard the payload. WIRE_PIECE_DONE
 * follows in both cases. The place must live until then, or until wire_unplace. */
void wire_place(struct wire *w, uint8_t *place);
/* The place goes away: what is still to come is discarded. Not while a receive into wire_want is
 * under way: those bytes would be lost to wire_feed. */
void wire_unplace(struct wire *w);

/* Writers. */
void wire_put_handshake(struct buf *out, const struct wire_handshake *h);
void wire_put_simple(struct buf *out, enum wire_type t); /* choke … not interested, have all/none */
void wire_put_keepalive(struct buf *out);
void wire_put_index(struct buf *out, enum wire_type t,
                    uint32_t index); /* have, suggest, allowed fast */
void wire_put_block(struct buf *out, enum wire_type t, uint32_t index, uint32_t begin,
                    uint32_t length); /* request, cancel, reject */
void wire_put_piece(struct buf *out, uint32_t index, uint32_t begin,
                    uint32_t length); /* header only; `length` bytes must follow */
void wire_put_bitfield(struct buf *out, struct bytes bits);
void wire_put_port(struct buf *out, uint16_t port);
void wire_put_extended(struct buf *out, uint8_t ext_id, struct bytes body);
void wire_put_hash_req(struct buf *out, enum wire_type t,
                       const struct wire_hash_req *r); /* request, reject */
void wire_put_hashes(struct buf *out, const struct wire_hash_req *r, struct bytes hashes);

#endif

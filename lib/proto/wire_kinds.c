/*
 * The peer wire, kind by kind: the one table of lengths and readers (BEP 3, 5, 6, 10, 52), and the
 * writers. A writer adds a whole message or, where the buf is at its limit, nothing.
 */
#include "proto/wire_kinds.h"

enum { HASH_HEAD = SHA256_LEN + 16 };

static bool read_index(struct wire_msg *m, struct bytes b)
{
    m->index = get_be32(b.p);
    return true;
}

static bool read_block(struct wire_msg *m, struct bytes b)
{
    m->index = get_be32(b.p);
    m->begin = get_be32(b.p + 4);
    m->length = get_be32(b.p + 8);
    return true;
}

static bool read_port(struct wire_msg *m, struct bytes b)
{
    m->port = get_be16(b.p);
    return true;
}

static bool read_body(struct wire_msg *m, struct bytes b)
{
    m->body = b;
    return true;
}

static bool read_extended(struct wire_msg *m, struct bytes b)
{
    m->ext_id = b.p[0];
    m->body = BYTES(b.p + 1, b.n - 1);
    return true;
}

static bool read_hash_req(struct wire_msg *m, struct bytes b)
{
    memcpy(m->hash.root, b.p, SHA256_LEN);
    m->hash.base = get_be32(b.p + SHA256_LEN);
    m->hash.index = get_be32(b.p + SHA256_LEN + 4);
    m->hash.length = get_be32(b.p + SHA256_LEN + 8);
    m->hash.proof = get_be32(b.p + SHA256_LEN + 12);
    return true;
}

/* The hashes asked for, then an uncle of each proof layer at most: a layer that lies within what
 * was asked for is left out. */
static bool read_hashes(struct wire_msg *m, struct bytes b)
{
    read_hash_req(m, b);
    m->body = BYTES(b.p + HASH_HEAD, b.n - HASH_HEAD);
    uint64_t n = m->body.n / SHA256_LEN;
    return m->body.n % SHA256_LEN == 0 && n >= m->hash.length &&
           n <= (uint64_t)m->hash.length + m->hash.proof;
}

const struct wire_kind *wire_kind(uint8_t type)
{
    static const struct wire_kind kinds[] = {
        [WIRE_CHOKE] = {"choke", 1, 1, NULL},
        [WIRE_UNCHOKE] = {"unchoke", 1, 1, NULL},
        [WIRE_INTERESTED] = {"interested", 1, 1, NULL},
        [WIRE_NOT_INTERESTED] = {"not interested", 1, 1, NULL},
        [WIRE_HAVE] = {"have", 5, 5, read_index},
        [WIRE_BITFIELD] = {"bitfield", 1, 1 + WIRE_MAX_BITFIELD_EARLY, read_body},
        [WIRE_REQUEST] = {"request", 13, 13, read_block},
        [WIRE_PIECE] = {"piece", 9 + 1, 9 + WIRE_MAX_BLOCK, NULL},
        [WIRE_CANCEL] = {"cancel", 13, 13, read_block},
        [WIRE_PORT] = {"port", 3, 3, read_port},
        [WIRE_SUGGEST] = {"suggest", 5, 5, read_index},
        [WIRE_HAVE_ALL] = {"have all", 1, 1, NULL},
        [WIRE_HAVE_NONE] = {"have none", 1, 1, NULL},
        [WIRE_REJECT] = {"reject", 13, 13, read_block},
        [WIRE_ALLOWED_FAST] = {"allowed fast", 5, 5, read_index},
        [WIRE_EXTENDED] = {"extended", 2, 2 + WIRE_MAX_EXTENDED, read_extended},
        [WIRE_HASH_REQUEST] = {"hash request", 1 + HASH_HEAD, 1 + HASH_HEAD, read_hash_req},
        [WIRE_HASHES] = {"hashes", 1 + HASH_HEAD + SHA256_LEN,
                         1 + HASH_HEAD + WIRE_MAX_HASHES * SHA256_LEN, read_hashes},
        [WIRE_HASH_REJECT] = {"hash reject", 1 + HASH_HEAD, 1 + HASH_HEAD, read_hash_req},
    };
    return type < sizeof kinds / sizeof *kinds && kinds[type].name ? &kinds[type] : NULL;
}

void wire_reserved(uint8_t out[8], bool dht, bool v2)
{
    memset(out, 0, 8);
    out[5] = 0x10;
    out[7] = (uint8_t)(0x04 | (dht ? 0x01 : 0) | (v2 ? 0x10 : 0));
}

/* Room for a message: its head is written, the `n` bytes behind the type byte are the caller's. */
static uint8_t *begin(struct buf *out, enum wire_type t, size_t n)
{
    uint8_t *p = buf_room(out, 5 + n);
    if (!p)
        return NULL;
    put_be32(p, (uint32_t)(1 + n));
    p[4] = (uint8_t)t;
    buf_added(out, 5 + n);
    return p + 5;
}

static void put_body(uint8_t *p, struct bytes b)
{
    if (b.n)
        memcpy(p, b.p, b.n);
}

void wire_put_handshake(struct buf *out, const struct wire_handshake *h)
{
    uint8_t *p = buf_room(out, WIRE_HANDSHAKE_LEN);
    if (!p)
        return;
    memcpy(p, "\x13" "BitTorrent protocol", 20);
    memcpy(p + 20, h->reserved, 8);
    memcpy(p + 28, h->info_hash, 20);
    memcpy(p + 48, h->peer_id, 20);
    buf_added(out, WIRE_HANDSHAKE_LEN);
}

void wire_put_simple(struct buf *out, enum wire_type t)
{
    begin(out, t, 0);
}

void wire_put_keepalive(struct buf *out)
{
    buf_put_be32(out, 0);
}

void wire_put_index(struct buf *out, enum wire_type t, uint32_t index)
{
    uint8_t *p = begin(out, t, 4);
    if (p)
        put_be32(p, index);
}

void wire_put_block(struct buf *out, enum wire_type t, uint32_t index, uint32_t begin_at,
                    uint32_t length)
{
    uint8_t *p = begin(out, t, 12);
    if (!p)
        return;
    put_be32(p, index);
    put_be32(p + 4, begin_at);
    put_be32(p + 8, length);
}

void wire_put_piece(struct buf *out, uint32_t index, uint32_t begin_at, uint32_t length)
{
    uint8_t head[13];
    put_be32(head, 9 + length);
    head[4] = WIRE_PIECE;
    put_be32(head + 5, index);
    put_be32(head + 9, begin_at);
    buf_put(out, head, sizeof head);
}

void wire_put_bitfield(struct buf *out, struct bytes bits)
{
    uint8_t *p = begin(out, WIRE_BITFIELD, bits.n);
    if (p)
        put_body(p, bits);
}

void wire_put_port(struct buf *out, uint16_t port)
{
    uint8_t *p = begin(out, WIRE_PORT, 2);
    if (p)
        put_be16(p, port);
}

void wire_put_extended(struct buf *out, uint8_t ext_id, struct bytes body)
{
    uint8_t *p = begin(out, WIRE_EXTENDED, 1 + body.n);
    if (!p)
        return;
    p[0] = ext_id;
    put_body(p + 1, body);
}

static void put_hash_head(uint8_t *p, const struct wire_hash_req *r)
{
    memcpy(p, r->root, SHA256_LEN);
    put_be32(p + SHA256_LEN, r->base);
    put_be32(p + SHA256_LEN + 4, r->index);
    put_be32(p + SHA256_LEN + 8, r->length);
    put_be32(p + SHA256_LEN + 12, r->proof);
}

void wire_put_hash_req(struct buf *out, enum wire_type t, const struct wire_hash_req *r)
{
    uint8_t *p = begin(out, t, HASH_HEAD);
    if (p)
        put_hash_head(p, r);
}

void wire_put_hashes(struct buf *out, const struct wire_hash_req *r, struct bytes hashes)
{
    uint8_t *p = begin(out, WIRE_HASHES, HASH_HEAD + hashes.n);
    if (!p)
        return;
    put_hash_head(p, r);
    put_body(p + HASH_HEAD, hashes);
}

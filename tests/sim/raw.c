/* Raw peers; see raw.h. */
#include "raw.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/proto/mse.h>
#include <p2p/swarm/pool.h>
#include <stdlib.h>

struct raw *raw_new(struct rig *g, unsigned host)
{
    struct raw *r = mem_zero(sizeof *r);
    r->rig = g;
    r->addr = (struct addr){
        .family = 4, .port = 7000, .ip = {20, 0, (uint8_t)(host >> 8), (uint8_t)host}};
    r->payload = mem_zero(WIRE_MAX_BLOCK);
    rng_fill(&g->rng, r->peer_id, sizeof r->peer_id);
    g->raws = mem_grow(g->raws, g->n_raws + 1, sizeof *g->raws);
    g->raws[g->n_raws++] = r;
    return r;
}

bool raw_comes(struct raw *r)
{
    struct rig *g = r->rig;
    struct addr from = r->addr;
    from.port = (uint16_t)(20000 + rng_below(&g->rng, 40000));
    wire_free(r->wire);
    r->wire = wire_new();
    buf_fini(&r->unread);
    r->conn = node_accepted(g->n, &from, g->now);
    r->closed = r->conn == 0;
    r->begun = r->veiled = false;
    rig_pump(g);
    return r->conn != 0;
}

void raw_waits(struct raw *r)
{
    node_add_peer(r->rig->n, r->rig->task, &r->addr, POOL_TRACKER, r->rig->now);
    rig_pump(r->rig);
}

void raw_leaves(struct raw *r)
{
    if (r->conn)
        node_closed(r->rig->n, r->conn, r->rig->now);
    r->conn = 0;
    rig_pump(r->rig);
}

/* As much as the node reads now of what was said; the rest when it reads on. */
void raw_heard(struct raw *r)
{
    struct rig *g = r->rig;
    while (buf_len(&r->unread) > 0 && r->conn) {
        struct bytes b = buf_bytes(&r->unread);
        struct span v[NODE_RECV_SPANS];
        size_t k = node_recv_where(g->n, r->conn, v, g->now), got = 0;
        for (size_t i = 0; i < k && got < b.n; i++) {
            size_t len = v[i].n < b.n - got ? v[i].n : b.n - got;
            memcpy(v[i].p, b.p + got, len);
            got += len;
        }
        if (got == 0)
            return;
        if (!r->begun)
            r->veiled = !mse_is_plain(BYTES(b.p, got));
        r->begun = true;
        buf_eat(&r->unread, got);
        node_received(g->n, r->conn, got, g->now);
        rig_pump(g);
    }
}

void raw_bytes(struct raw *r, const void *p, size_t n)
{
    if (!r->conn)
        return;
    buf_put(&r->unread, p, n);
    raw_heard(r);
}

void raw_send(struct raw *r, struct buf *b)
{
    struct bytes all = buf_take(b);
    raw_bytes(r, all.p, all.n);
    bytes_free(all);
}

void raw_simple(struct raw *r, enum wire_type t)
{
    struct buf b = {0};
    wire_put_simple(&b, t);
    raw_send(r, &b);
}

void raw_index(struct raw *r, enum wire_type t, uint32_t index)
{
    struct buf b = {0};
    wire_put_index(&b, t, index);
    raw_send(r, &b);
}

void raw_block(struct raw *r, enum wire_type t, uint32_t index, uint32_t begin, uint32_t length)
{
    struct buf b = {0};
    wire_put_block(&b, t, index, begin, length);
    raw_send(r, &b);
}

void raw_piece(struct raw *r, uint32_t index, uint32_t begin, uint32_t length, bool wrong)
{
    struct rig *g = r->rig;
    struct buf b = {0};
    wire_put_piece(&b, index, begin, length);
    uint8_t *data = mem_zero(length + 1);
    uint64_t at = (uint64_t)index * g->m->piece_length + begin;
    if (at + length <= g->m->space)
        memcpy(data, g->content + at, length);
    if (wrong)
        data[length / 2] ^= 0x55;
    buf_put(&b, data, length);
    free(data);
    raw_send(r, &b);
}

void raw_bits(struct raw *r, bool all)
{
    struct bits v;
    struct buf b = {0};
    bits_init(&v, r->rig->m->n_pieces);
    bits_fill(&v, all);
    wire_put_bitfield(&b, bits_wire(&v));
    bits_fini(&v);
    raw_send(r, &b);
}

void raw_handshake(struct raw *r, bool fast, bool extended, bool v2)
{
    struct rig *g = r->rig;
    struct wire_handshake h = {0};
    struct buf b = {0};
    wire_reserved(h.reserved, false, v2);
    if (!fast)
        h.reserved[7] &= (uint8_t)~0x04;
    if (!extended)
        h.reserved[5] &= (uint8_t)~0x10;
    memcpy(h.info_hash, g->m->has_v1 ? g->m->hash_v1 : g->m->hash_v2, 20);
    memcpy(h.peer_id, r->peer_id, 20);
    wire_put_handshake(&b, &h);
    raw_send(r, &b);
}

void raw_hello(struct raw *r, uint32_t metadata_size)
{
    struct ext_hello h = {.metadata = true,
                          .donthave = true,
                          .upload_only_msg = true,
                          .metadata_size = metadata_size};
    struct buf body = {0}, b = {0};
    ext_put_handshake(&body, &h);
    wire_put_extended(&b, EXT_HANDSHAKE, buf_bytes(&body));
    buf_fini(&body);
    raw_send(r, &b);
}

void raw_meta(struct raw *r, enum ext_meta_type t, uint32_t piece, uint32_t total,
              struct bytes data)
{
    struct ext_meta m = {.type = t, .piece = piece, .total_size = total, .data = data};
    struct buf body = {0}, b = {0};
    ext_put_meta(&body, &m);
    wire_put_extended(&b, EXT_METADATA, buf_bytes(&body)); /* the node's id is the same */
    buf_fini(&body);
    raw_send(r, &b);
}

struct raw *raw_acting(struct rig *g, unsigned host, raw_behaviour *act)
{
    struct raw *r = raw_new(g, host);
    r->act = act;
    if (!raw_comes(r))
        return r;
    raw_handshake(r, true, true, g->m->has_v2);
    raw_hello(r, (uint32_t)g->m->info.n);
    return r;
}

struct raw *raw_friend(struct rig *g, unsigned host)
{
    return raw_acting(g, host, NULL);
}

/* ---- behaviour ---- */

static void serve_meta(struct raw *r, const struct wire_msg *m)
{
    struct ext_meta q;
    struct err e = {0};
    struct bytes info = r->rig->m->info;
    if (m->ext_id != EXT_METADATA || ext_parse_meta(&q, m->body, &e) <= 0 ||
        q.type != EXT_META_REQUEST || (size_t)q.piece * EXT_META_BLOCK >= info.n)
        return;
    size_t at = (size_t)q.piece * EXT_META_BLOCK;
    size_t n = info.n - at < EXT_META_BLOCK ? info.n - at : EXT_META_BLOCK;
    raw_meta(r, EXT_META_DATA, q.piece, (uint32_t)info.n, BYTES(info.p + at, n));
}

void raw_serves(struct raw *r, const struct wire_msg *m)
{
    struct buf b = {0};
    switch (m->type) {
    case WIRE_HANDSHAKE:
        if (r->dials) {
            raw_handshake(r, true, true, r->rig->m->has_v2);
            raw_hello(r, (uint32_t)r->rig->m->info.n);
        }
        raw_simple(r, WIRE_HAVE_ALL);
        raw_simple(r, WIRE_UNCHOKE);
        break;
    case WIRE_REQUEST:
        r->served++;
        raw_piece(r, m->index, m->begin, m->length, r->lie && r->served % r->lie == 0);
        break;
    case WIRE_HASH_REQUEST:
        wire_put_hash_req(&b, WIRE_HASH_REJECT, &m->hash);
        raw_send(r, &b);
        break;
    case WIRE_EXTENDED:
        serve_meta(r, m);
        break;
    default:
        break;
    }
}

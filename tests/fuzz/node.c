/*
 * A whole node and the strangers around it, as the input says: who comes, what each writes, when,
 * what the disk and a web seed answer, when the item is stopped, removed, added again.
 * floor: node
 * Nothing may break, and what the node says it has must be there.
 */
#include "../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define PEERS 6u
#define MOST_STEPS 400u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct play {
    struct rig *g;
    struct raw *peer[PEERS];
    struct bytes in;
};

static uint8_t byte(struct play *p)
{
    if (p->in.n == 0)
        return 0;
    p->in.n--;
    return *p->in.p++;
}

static uint32_t number(struct play *p)
{
    static const uint32_t odd[] = {0,     1,         2,          16383,      16384,     16385,
                                   32768, 131072,    131073,     0x7fffffff, 0xffffffff, 0x80000000,
                                   512,   0xffffc000, 1u << 21, 65536};
    uint8_t b = byte(p);
    return b < 0xc0 ? b : odd[b & 15];
}

static struct raw *someone(struct play *p)
{
    return p->peer[byte(p) % PEERS];
}

/* ---- what strangers do ---- */

static void comes(struct play *p)
{
    struct raw *r = someone(p);
    uint8_t how = byte(p);
    if (r->conn)
        return;
    r->act = how & 0x10 ? raw_serves : NULL;
    r->lie = how & 0x20 ? 1 + how % 5 : 0;
    if (how & 0x40) {
        raw_waits(r);
        return;
    }
    raw_comes(r);
    if (how & 0x80)
        return;
    raw_handshake(r, how & 1, how & 2, how & 4);
    if (how & 8)
        raw_hello(r, (uint32_t)p->g->m->info.n);
}

static void shakes(struct play *p)
{
    struct raw *r = someone(p);
    uint8_t how = byte(p);
    if (how & 8)
        memcpy(r->peer_id, p->peer[0]->peer_id, sizeof r->peer_id);
    raw_handshake(r, how & 1, how & 2, how & 4);
}

static void hello(struct play *p)
{
    struct raw *r = someone(p);
    uint32_t n = number(p);
    raw_hello(r, n == 1 ? (uint32_t)p->g->m->info.n : n);
}

static void simple(struct play *p)
{
    static const uint8_t t[] = {0, 1, 2, 3, 14, 15};
    struct raw *r = someone(p);
    raw_simple(r, t[byte(p) % sizeof t]);
}

static void indexed(struct play *p)
{
    static const uint8_t t[] = {WIRE_HAVE, WIRE_SUGGEST, WIRE_ALLOWED_FAST};
    struct raw *r = someone(p);
    uint8_t kind = t[byte(p) % sizeof t];
    raw_index(r, kind, number(p));
}

static void block(struct play *p)
{
    static const uint8_t t[] = {WIRE_REQUEST, WIRE_CANCEL, WIRE_REJECT};
    struct raw *r = someone(p);
    uint8_t kind = t[byte(p) % sizeof t];
    uint32_t index = number(p), begin = number(p), length = number(p);
    raw_block(r, kind, index, begin, length);
}

/* Of the last request, whole or in part, true or not; or one out of the air. */
static void piece(struct play *p)
{
    struct raw *r = someone(p);
    uint8_t how = byte(p);
    struct wire_msg m = r->last[WIRE_REQUEST];
    if (how & 2)
        m.begin = number(p);
    if (how & 4)
        m.length = number(p);
    if (m.length > 0 && m.length <= WIRE_MAX_BLOCK && m.index < p->g->m->n_pieces)
        raw_piece(r, m.index, m.begin, m.length, how & 1);
}

static void bitfield(struct play *p)
{
    struct raw *r = someone(p);
    uint8_t n = byte(p) % 4, body[4];
    struct buf b = {0};
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = byte(p);
    wire_put_bitfield(&b, BYTES(body, n));
    raw_send(r, &b);
}

static void noise(struct play *p)
{
    struct raw *r = someone(p);
    uint8_t v[64];
    size_t n = byte(p) % sizeof v;
    for (size_t i = 0; i < n; i++)
        v[i] = byte(p);
    raw_bytes(r, v, n);
}

static void metadata(struct play *p)
{
    struct raw *r = someone(p);
    struct bytes info = p->g->m->info;
    uint8_t how = byte(p);
    uint32_t at = how & 0x80 ? number(p) : 0, total = how & 0x40 ? number(p) : (uint32_t)info.n;
    size_t n = info.n < EXT_META_BLOCK ? info.n : EXT_META_BLOCK;
    uint8_t *copy = mem_dup(info.p, n);
    if (how & 4)
        copy[how % n] ^= 1;
    raw_meta(r, (enum ext_meta_type)(how % 3), at, total, BYTES(copy, how & 8 ? n / 2 : n));
    free(copy);
}

static void extended(struct play *p)
{
    struct raw *r = someone(p);
    uint8_t id = byte(p) % 8, v[32];
    size_t n = byte(p) % sizeof v;
    struct buf b = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = byte(p);
    wire_put_extended(&b, id, BYTES(v, n));
    raw_send(r, &b);
}

static void hashes(struct play *p)
{
    struct raw *r = someone(p);
    struct rig *g = p->g;
    uint8_t how = byte(p), v[32 * 32] = {0};
    struct wire_hash_req q = r->last[WIRE_HASH_REQUEST].hash;
    struct buf b = {0};
    if (how & 0x10) {
        memset(&q, 0, sizeof q);
        q.base = number(p);
        q.index = number(p);
        q.length = number(p);
        q.proof = number(p);
        const uint8_t *root = g->m->files[byte(p) % g->m->n_files].root;
        memcpy(q.root, root ? root : v, sizeof q.root);
    }
    if (how % 3 == 0)
        wire_put_hash_req(&b, WIRE_HASH_REQUEST, &q);
    else if (how % 3 == 1)
        wire_put_hash_req(&b, WIRE_HASH_REJECT, &q);
    else if (q.length + (uint64_t)q.proof <= 32 && q.length > 0)
        wire_put_hashes(&b, &q, BYTES(v, (size_t)(q.length + (how & 8 ? q.proof : 0)) * 32));
    raw_send(r, &b);
}

static void leaves(struct play *p)
{
    raw_leaves(someone(p));
}

static void deaf(struct play *p)
{
    struct raw *r = someone(p);
    if (r->deaf)
        raw_listens(r);
    else
        r->deaf = true;
}

/* ---- what the host does ---- */

static void time_passes(struct play *p)
{
    uint8_t b = byte(p);
    rig_run(p->g, b < 200 ? b * 10 * USEC_MS : (b - 199) * USEC_SEC);
}

static void disk(struct play *p)
{
    uint8_t b = byte(p);
    p->g->hold = b & 1;
    p->g->disk_error = b & 2 ? 1 + b / 16 : 0;
}

static void web(struct play *p)
{
    struct rig *g = p->g;
    uint8_t how = byte(p);
    if (g->n_web == 0)
        return;
    size_t i = (how >> 4) % g->n_web;
    struct node_op op = g->web[i];
    bool pause, on = true;
    if (how % 4 == 0) {
        on = node_web_head(g->n, op.job, how & 8 ? 200 : 206, how & 4 ? number(p) : op.offset,
                           how & 4 ? number(p) : UINT64_MAX, g->now);
    } else if (how % 4 == 1) {
        on = false;
        node_web_end(g->n, op.job, how & 4 ? ERR_NET : 0, NULL, how & 8 ? 404 : 206, g->now);
    } else {
        size_t left = g->m->space > op.offset ? (size_t)(g->m->space - op.offset) : 0;
        size_t n = how & 8 ? (size_t)op.length : number(p);
        n = n < left ? n : left;
        g->web[i].offset += n;
        on = node_web_data(g->n, op.job, BYTES(g->content + op.offset, n), &pause, g->now);
    }
    for (size_t k = 0; !on && k < g->n_web; k++)
        if (g->web[k].job == op.job)
            g->web[k--] = g->web[--g->n_web];
    rig_pump(g);
}

static void again(struct play *p, uint8_t how)
{
    struct rig *g = p->g;
    if (how % 3 == 0)
        rig_seed(g);
    else if (how % 3 == 1)
        rig_leech(g);
    else
        rig_link(g, how & 4, !(how & 4) || how & 8);
}

static void item(struct play *p)
{
    struct rig *g = p->g;
    uint8_t how = byte(p);
    switch (how % 4) {
    case 0:
        node_lost(g->n, g->task, how / 4, g->now);
        break;
    case 1:
        node_stop(g->n, g->task, USEC_SEC, g->now);
        break;
    case 2:
        if (g->task)
            rig_forget(g);
        break;
    default:
        if (!g->task)
            again(p, how / 4);
        else
            node_begin(g->n, g->task, NULL, NULL, NULL, g->now);
        break;
    }
    rig_pump(g);
}

static void limits(struct play *p)
{
    uint32_t down = number(p), up = number(p);
    node_set_limits(p->g->n, (uint64_t)down * 1000, (uint64_t)up * 1000, p->g->now);
    rig_pump(p->g);
}

/* ---- */

static void check(const struct rig *g)
{
    const struct bits *have = g->task ? node_have(g->n, g->task) : NULL;
    for (uint32_t i = 0; have && i < g->m->n_pieces; i++) {
        uint64_t at = (uint64_t)i * g->m->piece_length;
        if (bits_get(have, i) && memcmp(g->disk + at, g->content + at, layout_piece_len(g->m, i)))
            abort();
    }
}

static struct rig *stage(uint8_t how)
{
    static const struct tube_file one = {NULL, 3 * 32768 + 20000};
    static const struct tube_file folder[] = {
        {"a", 1}, {"b", 40000}, {"c/empty", 0}, {"d", 16384}, {"e", 70001}};
    struct node_config c = {.client = "fuzz", .port = 6881, .max_conns = how & 0x80 ? 3 : 0};
    struct rig *g = rig_new(7, &c);
    bool many = how & 1;
    rig_content(g, many ? folder : &one, many ? 5 : 1, 1 + (how >> 1) % 3, 32768);
    g->web_by_hand = how & 0x40;
    if (how & 0x40)
        manifest_add_web_seed(g->m, "http://web.test/x");
    g->auto_begin = !(how & 0x20);
    return g;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const step[])(struct play *) = {
        comes, comes,    shakes,   hello,  simple, simple, indexed,     block, block, piece, piece,
        noise, bitfield, metadata, hashes, hashes, leaves, time_passes, time_passes, disk,
        web,   item,     limits,   deaf,   extended};
    struct play p = {.in = BYTES(data, size)};
    uint8_t how = byte(&p);
    p.g = stage(how);
    for (unsigned i = 0; i < PEERS; i++)
        p.peer[i] = raw_new(p.g, 1 + i % (PEERS - 1)); /* the last shares an address */
    again(&p, (uint8_t)(how >> 3));
    for (unsigned i = 0; i < MOST_STEPS && p.in.n > 0; i++) {
        step[byte(&p) % (sizeof step / sizeof *step)](&p);
        check(p.g);
    }
    p.g->hold = false;
    rig_run(p.g, 30 * USEC_SEC);
    check(p.g);
    rig_free(p.g);
    return 0;
}

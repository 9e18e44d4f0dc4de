/*
 * A whole node and the strangers around it, as the input says: who comes, what each writes, when,
 * what the disk and a web seed answer, when the item is stopped, removed, added again.
 * floor: node
 * Nothing may break, what the node says it has must be there, and of datagrams none is answered
 * with more than three times its length unless the address has shown that it is there.
 */
#include "../sim/raw.h"
#include "proto/dht_guard.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/proto/dht_id.h>
#include <p2p/proto/krpc.h>

#include <stdlib.h>

#define PEERS 6u
#define MOST_STEPS 400u
#define STRANGERS 8u /* who send datagrams */
#define QUESTIONS 16u
#define FIRST_BY_UDP 248u /* steps below are of connections and the host */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the node has asked of some node of the DHT. */
struct question {
    struct addr to;
    uint8_t tid[KRPC_MAX_TID], target[KRPC_ID];
    size_t tid_n;
};

struct play {
    struct rig *g;
    struct raw *peer[PEERS];
    struct bytes in;
    struct question asked[QUESTIONS];
    unsigned n_asked;
    struct addr asker; /* of the datagram under way: its length, */
    size_t length;
    bool proved[STRANGERS];
    uint8_t token[KRPC_MAX_TOKEN]; /* the node's last */
    size_t token_n;
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
    static const uint32_t odd[] = {0,     1,          2,        16383,      16384,      16385,
                                   32768, 131072,     131073,   0x7fffffff, 0xffffffff, 0x80000000,
                                   512,   0xffffc000, 1u << 21, 65536};
    uint8_t b = byte(p);
    return b < 0xc0 ? b : odd[b & 15];
}

static struct raw *someone(struct play *p)
{
    return p->peer[byte(p) % PEERS];
}

static struct addr stranger(unsigned i)
{
    struct addr a = {.family = 4, .port = 7000, .ip = {25, (uint8_t)(i % STRANGERS), 1, 1}};
    if (i % STRANGERS >= STRANGERS - 2) {
        a = (struct addr){.family = 6, .port = 7000, .ip = {0x2a, 0, (uint8_t)i}};
        a.ip[15] = 1;
    }
    return a;
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

static void port(struct play *p)
{
    struct raw *r = someone(p);
    struct buf b = {0};
    wire_put_port(&b, (uint16_t)(7000 + number(p)));
    raw_send(r, &b);
}

static void yourip(struct play *p)
{
    struct raw *r = someone(p);
    struct ext_hello h = {.yourip = {.family = 4, .ip = {21, byte(p) & 1, 1, 1}}};
    struct buf body = {0}, b = {0};
    ext_put_handshake(&body, &h);
    wire_put_extended(&b, EXT_HANDSHAKE, buf_bytes(&body));
    buf_fini(&body);
    raw_send(r, &b);
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

/* ---- datagrams ---- */

/* Who has answered or shown a token may be sent more. */
static bool is_proved(const struct play *p, const struct addr *a)
{
    for (unsigned i = 0; i < STRANGERS; i++) {
        struct addr s = stranger(i);
        if (addr_same_ip(&s, a))
            return p->proved[i];
    }
    return true;
}

static void prove(struct play *p, const struct addr *a)
{
    for (unsigned i = 0; i < STRANGERS; i++) {
        struct addr s = stranger(i);
        p->proved[i] |= addr_same_ip(&s, a);
    }
}

static void heard(struct rig *g, const struct node_op *op)
{
    struct play *p = g->arg;
    struct krpc_msg m;
    if (op->kind != NODE_UDP)
        return;
    if (op->data.n > DHT_MAX_DATAGRAM || krpc_parse(&m, op->data) < 0)
        abort();
    if (m.kind == KRPC_QUERY) {
        struct question *q = &p->asked[p->n_asked++ % QUESTIONS];
        *q = (struct question){.to = op->addr, .tid_n = m.tid.n};
        memcpy(q->tid, m.tid.p, m.tid.n);
        if (m.target)
            memcpy(q->target, m.target, sizeof q->target);
        return;
    }
    if (!addr_eq(&op->addr, &p->asker))
        abort();
    if (op->data.n > DHT_AMPLIFY * p->length && !is_proved(p, &op->addr))
        abort();
    if (m.token.p) {
        p->token_n = m.token.n;
        memcpy(p->token, m.token.p, m.token.n);
    }
}

static void comes_in(struct play *p, const struct addr *from, struct bytes b)
{
    p->asker = *from;
    p->length = b.n;
    node_datagram(p->g->n, from, b, p->g->now);
    rig_pump(p->g);
    p->asker = (struct addr){0};
}

static void noise_by_udp(struct play *p)
{
    struct addr from = stranger(byte(p));
    uint8_t v[256];
    size_t n = byte(p);
    for (size_t i = 0; i < n; i++)
        v[i] = byte(p);
    if (n > 0 && v[0] & 1)
        v[0] = 'd';
    prove(p, &from); /* it may be an answer */
    comes_in(p, &from, BYTES(v, n));
}

/* An id that fits the address or not, near the hash of the item or not. */
static void some_id(struct play *p, uint8_t how, const struct addr *a, uint8_t id[KRPC_ID])
{
    memset(id, how, KRPC_ID);
    if (how & 1)
        memcpy(id, p->g->m->has_v1 ? p->g->m->hash_v1 : p->g->m->hash_v2, KRPC_ID);
    id[how % KRPC_ID] ^= (uint8_t)(how >> 1);
    if (how & 2)
        dht_id_fit(id, a);
}

static void asks(struct play *p)
{
    uint8_t how = byte(p), id[KRPC_ID], target[KRPC_ID];
    struct addr from = stranger(byte(p));
    struct krpc_msg m = {.kind = KRPC_QUERY,
                         .method = (enum krpc_method)(how % KRPC_UNKNOWN),
                         .tid = BYTES(target, byte(p) % (KRPC_MAX_TID / 2)),
                         .id = id,
                         .target = target,
                         .want = byte(p) & 3,
                         .pad = how & 0x80 ? (uint16_t)number(p) % 1200 : 0,
                         .scrape = how & 8,
                         .noseed = how & 16,
                         .implied_port = how & 32,
                         .has_port = true,
                         .port = (uint16_t)number(p),
                         .token = BYTES(p->token, p->token_n),
                         .value = bytes_str("5:thing")};
    struct buf b = {0};
    some_id(p, byte(p), &from, id);
    some_id(p, byte(p), &from, target);
    if (m.method == KRPC_ANNOUNCE_PEER || m.method == KRPC_PUT)
        prove(p, &from);
    krpc_write(&b, &m);
    comes_in(p, &from, buf_bytes(&b));
    buf_fini(&b);
}

static struct addr some_addr(struct play *p, uint8_t how)
{
    static const char *const odd[] = {"10.1.2.3", "127.0.0.1", "224.0.0.1", "169.254.1.1"};
    struct addr a = stranger(how);
    if (how & 0x40)
        a.ip[3] = how;
    if (how & 0x80)
        addr_parse_ip(&a, odd[how % 4], 7000);
    if (how == 0)
        a.port = (uint16_t)number(p);
    return a;
}

static struct bytes some_nodes(struct play *p, bool v6, uint8_t *out)
{
    size_t n = 0;
    for (unsigned i = byte(p) % 9; i > 0; i--) {
        uint8_t how = byte(p), id[KRPC_ID];
        struct addr a = some_addr(p, how);
        some_id(p, byte(p), &a, id);
        if (a.family == (v6 ? 6 : 4))
            n += krpc_put_node(out + n, id, &a);
    }
    return BYTES(out, n);
}

/* To one of the last questions; from elsewhere, to another or with an error, if it likes. */
static void answers(struct play *p)
{
    uint8_t which = byte(p), how = byte(p), id[KRPC_ID], nodes[9 * KRPC_NODE4],
            nodes6[9 * KRPC_NODE6];
    struct question q = p->asked[(p->n_asked - 1 - which % QUESTIONS) % QUESTIONS];
    struct addr from = how & 1 ? stranger(byte(p)) : q.to;
    struct krpc_msg m = {.kind = how & 2 ? KRPC_ERROR : KRPC_REPLY,
                         .tid = BYTES(q.tid, q.tid_n),
                         .id = id,
                         .code = KRPC_NO_METHOD,
                         .text = bytes_str("no")};
    struct buf b = {0};
    if (q.to.family == 0)
        return;
    q.tid[0] ^= how & 4 ? 1 : 0;
    some_id(p, byte(p), &from, id);
    if (how & 8)
        m.nodes = some_nodes(p, false, nodes);
    if (how & 16)
        m.nodes6 = some_nodes(p, true, nodes6);
    for (unsigned i = how & 32 ? byte(p) % KRPC_MAX_VALUES : 0; i > 0; i--)
        m.values[m.n_values++] = some_addr(p, byte(p));
    if (how & 64)
        m.token = bytes_str("token");
    if (how & 128)
        m.ip = some_addr(p, byte(p));
    krpc_write(&b, &m);
    prove(p, &from);
    comes_in(p, &from, buf_bytes(&b));
    buf_fini(&b);
}

static void multicast(struct play *p)
{
    struct addr from = some_addr(p, byte(p));
    struct buf b = {0};
    uint8_t how = byte(p);
    for (unsigned i = 0; how == 255 && i < 100; i++)
        buf_put_u8(&b, byte(p));
    buf_put_str(&b, how & 1 ? "BT-SEARCH * HTTP/1.1\r\n" : "");
    buf_put_str(&b, how & 2 ? "Host: 239.192.152.143:6771\r\n" : "");
    buf_putf(&b, "Port: %u\r\nInfohash: ", (unsigned)number(p));
    for (unsigned i = 0; i < 20; i++)
        buf_putf(&b, "%02x", how & 4 ? p->g->m->hash_v1[i] : byte(p));
    buf_put_str(&b, how & 8 ? "\r\n\r\n\r\n" : "\r\n");
    node_multicast(p->g->n, &from, buf_bytes(&b), p->g->now);
    rig_pump(p->g);
    buf_fini(&b);
}

static void user(struct play *p)
{
    struct rig *g = p->g;
    uint8_t how = byte(p), target[KRPC_ID];
    struct addr a = some_addr(p, byte(p));
    struct dht_item item = {.value = bytes_str("5:thing")};
    char at[ADDR_TEXT];
    addr_text(&a, at);
    memset(target, how, sizeof target);
    switch (how % 8) {
    case 0:
        node_add_bootstrap(g->n, how & 8 ? "name.test:7000" : at, g->now);
        break;
    case 1:
        node_add_dht_node(g->n, how & 8 ? "name.test:7000" : at, g->now);
        break;
    case 2:
        a.port = how & 8 ? 0 : a.port;
        node_mapped(g->n, &a, g->now);
        break;
    case 3:
        dht_put(node_dht(g->n), &item, g->now);
        break;
    case 4:
        dht_get(node_dht(g->n), target, BYTES(NULL, 0), g->now);
        break;
    case 5:
        dht_sample(node_dht(g->n), target, g->now);
        break;
    case 6:
        dht_ping(node_dht(g->n), &a, g->now);
        break;
    default:
        node_dht_full(g->n, g->now);
        break;
    }
    node_dht_turn(g->n, g->now);
    rig_pump(g);
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
    struct node_config c = {.client = "fuzz",
                            .port = 6881,
                            .max_conns = how & 0x80 ? 3 : 0,
                            .udp4 = true,
                            .udp6 = true,
                            .dht_read_only = (how & 0x60) == 0x60};
    struct rig *g = rig_new(7, &c);
    bool many = how & 1;
    g->named = stranger(1);
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
        comes,       comes, shakes, hello,    simple,   simple, indexed, block,  block,
        piece,       piece, noise,  bitfield, metadata, hashes, hashes,  leaves, time_passes,
        time_passes, disk,  web,    item,     limits,   deaf,   extended};
    static void (*const by_udp[])(struct play *) = {port,    yourip,  noise_by_udp, asks,
                                                    answers, answers, multicast,    user};
    struct play p = {.in = BYTES(data, size)};
    uint8_t how = byte(&p);
    p.g = stage(how);
    p.g->heard = heard;
    p.g->arg = &p;
    rig_pump(p.g);
    for (unsigned i = 0; i < PEERS; i++)
        p.peer[i] = raw_new(p.g, 1 + i % (PEERS - 1)); /* the last shares an address */
    again(&p, (uint8_t)(how >> 3));
    for (unsigned i = 0; i < MOST_STEPS && p.in.n > 0; i++) {
        uint8_t b = byte(&p);
        if (b < FIRST_BY_UDP)
            step[b % (sizeof step / sizeof *step)](&p);
        else
            by_udp[b - FIRST_BY_UDP](&p);
        check(p.g);
    }
    p.g->hold = false;
    rig_run(p.g, 30 * USEC_SEC);
    check(p.g);
    rig_free(p.g);
    return 0;
}

/* The rig's half of raw.h: the host's work in memory, and what the node sends to raw peers. */
#include "raw.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <stdio.h>
#include <stdlib.h>

struct rig_pending {
    struct node_op op;
    usec due;
    uint8_t *data; /* of a block, copied */
};

struct rig *rig_new(uint64_t seed, const struct node_config *c)
{
    struct rig *g = mem_zero(sizeof *g);
    struct node_config nc = {.client = "rig 1", .port = 6881};
    if (c)
        nc = *c;
    rng_seed(&g->rng, seed);
    rng_fill(&g->rng, nc.peer_id, sizeof nc.peer_id);
    g->now = 1000 * USEC_SEC;
    g->n = node_new(&nc, seed, g->now);
    g->hasher = piecehash_new();
    g->auto_begin = true;
    return g;
}

static void answer(struct rig *g, struct rig_pending *p);

static void take_out(struct rig *g, size_t i, struct rig_pending *out)
{
    *out = g->pending[i];
    memmove(g->pending + i, g->pending + i + 1, (--g->n_pending - i) * sizeof *g->pending);
}

void rig_free(struct rig *g)
{
    struct rig_pending p;
    for (size_t i = 0; i < g->n_pending;) /* blocks are always answered, also of removed tasks */
        if (g->pending[i].op.kind == NODE_STORE) {
            take_out(g, i, &p);
            answer(g, &p);
        } else {
            free(g->pending[i++].data);
        }
    node_free(g->n);
    for (size_t i = 0; i < g->n_raws; i++) {
        wire_free(g->raws[i]->wire);
        buf_fini(&g->raws[i]->unread);
        free(g->raws[i]->payload);
        free(g->raws[i]);
    }
    piecehash_free(g->hasher);
    manifest_free(g->m);
    free(g->pending);
    free(g->raws);
    free(g->content);
    free(g->disk);
    free(g);
}

/* ---- items ---- */

void rig_content(struct rig *g, const struct tube_file *v, size_t n, int format, uint32_t piece)
{
    g->m = tube_manifest(&g->rng, "thing", v, n, format, piece, &g->content);
    g->disk = mem_zero(g->m->space + 1);
}

static void add(struct rig *g, struct node_task_config *c)
{
    struct err e = {0};
    goals_init(&c->goals);
    c->goals.stay = true;
    g->task = node_add(g->n, c, g->now, &e);
    if (!g->task)
        abort();
    rig_pump(g);
}

void rig_leech_some(struct rig *g, const uint8_t *priority)
{
    struct node_task_config c = {.manifest = tube_copy(g->m), .priority = priority};
    add(g, &c);
}

void rig_resume(struct rig *g, const struct bits *have)
{
    struct node_task_config c = {.manifest = tube_copy(g->m), .have = have};
    for (size_t i = 0; i < g->m->n_web_seeds; i++)
        manifest_add_web_seed(c.manifest, g->m->web_seeds[i]);
    add(g, &c);
}

void rig_seed(struct rig *g)
{
    struct bits all;
    bits_init(&all, g->m->n_pieces);
    bits_fill(&all, true);
    memcpy(g->disk, g->content, g->m->space);
    rig_resume(g, &all);
    bits_fini(&all);
}

void rig_leech(struct rig *g)
{
    rig_resume(g, NULL);
}

void rig_link(struct rig *g, bool v1, bool v2)
{
    struct magnet k = {0};
    magnet_from_manifest(&k, g->m);
    k.has_v1 &= v1;
    k.has_v2 &= v2;
    struct node_task_config c = {.link = &k};
    add(g, &c);
    magnet_fini(&k);
}

/* Nothing but blocks is answered any more. */
void rig_forget(struct rig *g)
{
    struct rig_pending p;
    node_remove(g->n, g->task);
    g->task = 0;
    g->n_web = 0;
    for (size_t i = 0; i < g->n_pending;)
        if (g->pending[i].op.kind == NODE_STORE)
            i++;
        else
            take_out(g, i, &p);
    rig_pump(g);
}

/* ---- the host's work ---- */

static void later(struct rig *g, const struct node_op *op)
{
    struct rig_pending *p;
    g->pending = mem_grow(g->pending, g->n_pending + 1, sizeof *g->pending);
    p = &g->pending[g->n_pending++];
    *p = (struct rig_pending){.op = *op, .due = g->now + USEC_MS};
    if (op->kind != NODE_STORE)
        return;
    p->data = mem_dup(op->data.p, op->data.n);
    memcpy(g->disk + op->offset, op->data.p, op->data.n);
}

static void answer_leaves(struct rig *g, const struct node_op *op, int err)
{
    uint32_t n = layout_blocks(g->m, op->piece);
    uint8_t *v = mem_zero((size_t)n * SHA256_LEN + 1);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t at = (uint64_t)op->piece * g->m->piece_length + (uint64_t)i * LAYOUT_BLOCK;
        uint32_t len = layout_block_len(g->m, op->piece, i);
        if (len)
            digest_sha256(v + (size_t)i * SHA256_LEN, BYTES(g->disk + at, len));
    }
    node_leaves(g->n, op->job, err, err ? NULL : v, err ? 0 : n, g->now);
    free(v);
}

static void answer_check(struct rig *g, const struct node_op *op, int err, const struct err *why)
{
    struct piecehash_result r = {0};
    uint64_t at = (uint64_t)op->piece * g->m->piece_length;
    piecehash_begin(g->hasher, g->m, op->piece);
    piecehash_more(g->hasher, BYTES(g->disk + at, layout_piece_len(g->m, op->piece)));
    piecehash_end(g->hasher, &r);
    node_checked(g->n, op->job, err, why, err ? NULL : &r, g->now);
}

static void answer_store(struct rig *g, struct rig_pending *p, int err, const struct err *why)
{
    uint8_t leaf[SHA256_LEN];
    digest_sha256(leaf, BYTES(p->data, p->op.data.n));
    node_stored(g->n, p->op.job, err, why, p->op.leaf && !err ? leaf : NULL, g->now);
    free(p->data);
}

static void answer(struct rig *g, struct rig_pending *p)
{
    struct err why = {0};
    int err = 0;
    if (g->disk_error && rng_below(&g->rng, g->disk_error) == 0)
        err = err_set(&why, ERR_IO, "the simulated disk failed");
    switch (p->op.kind) {
    case NODE_STORE:
        answer_store(g, p, err, &why);
        break;
    case NODE_CHECK:
        answer_check(g, &p->op, err, &why);
        break;
    case NODE_LEAVES:
        answer_leaves(g, &p->op, err);
        break;
    case NODE_FILE_DONE:
    case NODE_CHECKPOINT:
        node_done(g->n, p->op.job, err, &why, g->now);
        break;
    case NODE_HTTP:
        err_set(&why, ERR_NET, "nothing answers here");
        node_http(g->n, p->op.job, ERR_NET, &why, 0, BYTES(NULL, 0), g->now);
        break;
    case NODE_RESOLVE:
        node_resolved(g->n, p->op.job, &g->named, g->named.family ? 1 : 0, g->now);
        break;
    default:
        node_web_end(g->n, p->op.job, ERR_NET, NULL, 404, g->now);
        break;
    }
}

static struct raw *raw_of(struct rig *g, node_id conn)
{
    for (size_t i = 0; i < g->n_raws; i++)
        if (g->raws[i]->conn == conn)
            return g->raws[i];
    return NULL;
}

static void dialled(struct rig *g, const struct node_op *op)
{
    for (size_t i = 0; i < g->n_raws; i++) {
        struct raw *r = g->raws[i];
        if (!addr_eq(&r->addr, &op->addr) || r->conn)
            continue;
        r->dials++;
        if (r->dial_fails)
            break;
        wire_free(r->wire);
        buf_fini(&r->unread);
        r->wire = wire_new();
        r->conn = op->conn;
        r->closed = false;
        node_connected(g->n, op->conn, 0, g->now);
        return;
    }
    node_connected(g->n, op->conn, ERR_NET, g->now);
}

static void happened(struct rig *g, const struct node_op *op)
{
    g->complete |= op->kind == NODE_COMPLETE;
    g->metadata |= op->kind == NODE_METADATA;
    g->ended |= op->kind == NODE_ENDED;
    g->stopped |= op->kind == NODE_STOPPED;
    if (op->kind == NODE_NOTICE)
        snprintf(g->notice, sizeof g->notice, "%s", op->text);
    if (op->kind == NODE_NOTICE && getenv("TUBE_VERBOSE"))
        fprintf(stderr, "%.3f %s\n", (double)g->now / 1e6, op->text);
    if (op->kind == NODE_FAILED) {
        g->failed = true;
        g->code = op->code;
        snprintf(g->why, sizeof g->why, "%s", op->text);
    }
    if (op->kind == NODE_METADATA && g->auto_begin)
        node_begin(g->n, op->task, NULL, NULL, NULL, g->now);
    if (g->heard)
        g->heard(g, op);
}

/* ---- what the node sends ---- */

static size_t pull(struct rig *g, struct raw *r, uint8_t *to, size_t max)
{
    struct node_out v[8];
    size_t n = node_send_what(g->n, r->conn, v, 8, g->now), got = 0;
    for (size_t i = 0; i < n && got < max; i++) {
        size_t len = v[i].length < max - got ? v[i].length : max - got;
        memcpy(to + got, v[i].b.p ? v[i].b.p : g->disk + v[i].offset, len);
        got += len;
    }
    if (got > 0)
        node_sent(g->n, r->conn, got, g->now);
    return got;
}

static unsigned slot(enum wire_type t)
{
    return t < 24                    ? (unsigned)t
           : t == WIRE_HANDSHAKE     ? RAW_HELLO
           : t == WIRE_KEEPALIVE     ? RAW_KEEPALIVE
           : t == WIRE_PIECE_DONE    ? RAW_PIECE_WHOLE
                                     : RAW_OTHER;
}

static void note(struct raw *r, const struct wire_msg *m)
{
    struct err e = {0};
    struct ext_meta x;
    r->got[slot(m->type)]++;
    r->last[slot(m->type)] = *m;
    r->last[slot(m->type)].body = BYTES(NULL, 0);
    if (m->type == WIRE_PIECE) {
        r->piece_bytes += m->length;
        wire_place(r->wire, r->payload);
    }
    if (m->type == WIRE_EXTENDED && m->ext_id == EXT_HANDSHAKE)
        ext_parse_handshake(&r->hello, m->body, &e);
    if (m->type == WIRE_EXTENDED && m->ext_id == EXT_METADATA &&
        ext_parse_meta(&x, m->body, &e) > 0) {
        r->meta_requests += x.type == EXT_META_REQUEST;
        r->meta_data += x.type == EXT_META_DATA;
        r->meta_rejects += x.type == EXT_META_REJECT;
    }
}

static void listen_to(struct rig *g, struct raw *r)
{
    static const size_t max = 64u << 10;
    uint8_t *b = mem_alloc(max);
    struct wire_msg m;
    struct err e = {0};
    size_t n;
    int k = 0;
    node_id conn = r->conn;
    while (r->conn == conn && conn && (n = pull(g, r, b, max)) > 0) {
        if (r->veiled) {
            r->bytes_in += n;
            continue;
        }
        size_t placed = wire_want(r->wire).n < n ? wire_want(r->wire).n : n;
        if (placed)
            memcpy(wire_want(r->wire).p, b, placed);
        wire_placed(r->wire, placed);
        wire_feed(r->wire, BYTES(b + placed, n - placed));
        r->bytes_in += n;
        while (r->conn == conn && (k = wire_next(r->wire, &m, &e)) > 0) {
            note(r, &m);
            if (r->act)
                r->act(r, &m);
        }
        if (k < 0) {
            fprintf(stderr, "the node sends nonsense: %s\n", e.msg);
            abort();
        }
    }
    free(b);
}

void raw_listens(struct raw *r)
{
    r->deaf = false;
    listen_to(r->rig, r);
    rig_pump(r->rig);
}

static void network(struct rig *g, const struct node_op *op)
{
    struct raw *r = op->conn ? raw_of(g, op->conn) : NULL;
    if (op->kind == NODE_DIAL)
        dialled(g, op);
    if (op->kind == NODE_CLOSE && r) {
        r->conn = 0;
        r->closed = true;
    }
    if (op->kind == NODE_SEND && r && !r->deaf)
        listen_to(g, r);
    if (op->kind == NODE_RECV && r)
        raw_heard(r);
}

static void perform(struct rig *g, const struct node_op *op)
{
    g->ops[op->kind]++;
    switch (op->kind) {
    case NODE_DIAL:
    case NODE_CLOSE:
    case NODE_SEND:
    case NODE_RECV:
        network(g, op);
        break;
    case NODE_WEB:
        if (!g->web_by_hand)
            later(g, op);
        else if (g->n_web < sizeof g->web / sizeof *g->web)
            g->web[g->n_web++] = *op;
        break;
    case NODE_CANCEL:
        for (size_t i = 0; i < g->n_web; i++)
            if (g->web[i].job == op->job)
                g->web[i--] = g->web[--g->n_web];
        for (size_t i = 0; i < g->n_pending; i++)
            if (g->pending[i].op.job == op->job) {
                struct rig_pending p;
                take_out(g, i, &p);
                free(p.data);
                break;
            }
        break;
    default:
        if (op->job)
            later(g, op);
        else
            happened(g, op);
        break;
    }
}

/* A behaviour that sends comes back here: the outermost goes on with what that brought. */
void rig_pump(struct rig *g)
{
    struct node_op op;
    if (g->pumping)
        return;
    g->pumping = true;
    while (node_next(g->n, &op))
        perform(g, &op);
    g->pumping = false;
}

static bool answer_due(struct rig *g)
{
    struct rig_pending p;
    if (g->hold || g->n_pending == 0 || g->pending[0].due > g->now)
        return false;
    take_out(g, 0, &p);
    answer(g, &p);
    rig_pump(g);
    return true;
}

bool rig_until(struct rig *g, const bool *flag, usec time)
{
    usec end = g->now + time;
    for (;;) {
        rig_pump(g);
        while (answer_due(g))
            ;
        if (flag && *flag)
            return true;
        usec next = node_deadline(g->n);
        if (!g->hold && g->n_pending)
            next = usec_min(next, g->pending[0].due);
        if (next > end)
            break;
        if (next > g->now)
            g->now = next;
        if (node_deadline(g->n) <= g->now) {
            g->ticks++;
            node_tick(g->n, g->now);
        }
    }
    g->now = end;
    return flag && *flag;
}

void rig_run(struct rig *g, usec time)
{
    rig_until(g, NULL, time);
}

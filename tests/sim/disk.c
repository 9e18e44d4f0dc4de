/* What lies on the hosts' disks, and hashing it: bytes, or for phantom content a bit a block. */
#include "tube_int.h"

#include <p2p/format/merkle.h>
#include <stdlib.h>

#define DISK_TIME (2 * USEC_MS)

/* ---- phantom content ---- */

static void hash_piece(struct phantom *p, struct piecehash *ph, uint32_t piece)
{
    const struct manifest *m = p->m;
    uint64_t at = (uint64_t)piece * m->piece_length;
    piecehash_begin(ph, m, piece);
    piecehash_more(ph, BYTES(p->content + at, layout_piece_len(m, piece)));
    piecehash_end(ph, &p->piece[piece]);
    uint8_t *leaf = p->leaves + (at / LAYOUT_BLOCK) * SHA256_LEN;
    for (uint32_t i = 0; i < layout_blocks(m, piece); i++) {
        uint32_t n = layout_block_len(m, piece, i);
        if (n)
            digest_sha256(leaf + (size_t)i * SHA256_LEN,
                          BYTES(p->content + at + (uint64_t)i * LAYOUT_BLOCK, n));
    }
    if (p->piece[piece].n_leaves)
        p->piece[piece].leaves = leaf;
}

void tube_phantom(struct tube *t, const struct manifest *m, const uint8_t *content)
{
    struct phantom *p = mem_zero(sizeof *p);
    struct piecehash *ph = piecehash_new();
    if (m->piece_length % LAYOUT_BLOCK)
        abort();
    p->m = m;
    p->content = content;
    p->piece = mem_array(m->n_pieces, sizeof *p->piece);
    p->leaves = mem_array((size_t)m->n_pieces * (m->piece_length / LAYOUT_BLOCK), SHA256_LEN);
    for (uint32_t i = 0; i < m->n_pieces; i++)
        hash_piece(p, ph, i);
    piecehash_free(ph);
    t->phantoms = mem_grow(t->phantoms, t->n_phantoms + 1, sizeof(struct phantom *));
    t->phantoms[t->n_phantoms++] = p;
}

void phantom_free(struct phantom *p)
{
    free(p->piece);
    free(p->leaves);
    free(p);
}

static const struct phantom *find_phantom(const struct tube *t, const struct manifest *m)
{
    for (size_t i = 0; i < t->n_phantoms; i++) {
        const struct manifest *k = t->phantoms[i]->m;
        if (bytes_eq(k->info, m->info))
            return t->phantoms[i];
    }
    return NULL;
}

/* ---- items ---- */

struct item_state *disk_item(struct host *h, node_id task)
{
    for (size_t i = 0; i < h->n_items; i++)
        if (h->items[i]->it.task == task)
            return h->items[i];
    return NULL;
}

static void fill_phantom(struct item_state *s, const struct manifest *m, const struct bits *have)
{
    for (uint32_t p = 0; p < m->n_pieces; p++)
        for (uint32_t i = 0; (!have || bits_get(have, p)) && i < layout_blocks(m, p); i++)
            bits_set(&s->good, p * (m->piece_length / LAYOUT_BLOCK) + i);
}

void disk_init(struct item_state *s, struct host *h, const struct manifest *m,
               const struct bits *have, const uint8_t *content)
{
    if (s->it.disk || s->good.n) /* it is there from an earlier life */
        return;
    s->it.disk_size = m->space;
    s->phantom = find_phantom(h->tube, m);
    if (s->phantom) {
        bits_init(&s->good, (size_t)m->n_pieces * (m->piece_length / LAYOUT_BLOCK));
        if (content)
            fill_phantom(s, m, have);
        return;
    }
    s->it.disk = mem_zero(m->space + 1);
    if (content)
        memcpy(s->it.disk, content, m->space);
}

void disk_fini(struct item_state *s)
{
    bits_fini(&s->good);
    bits_fini(&s->kept);
    magnet_fini(&s->link);
    manifest_free(s->m);
    free(s->it.disk);
    free(s);
}

static bool block_good(const struct item_state *s, uint32_t piece, uint32_t i)
{
    const struct manifest *m = s->phantom->m;
    return layout_block_len(m, piece, i) == 0 ||
           bits_get(&s->good, piece * (m->piece_length / LAYOUT_BLOCK) + i);
}

static bool piece_good(const struct item_state *s, uint32_t piece)
{
    for (uint32_t i = 0; i < layout_blocks(s->phantom->m, piece); i++)
        if (!block_good(s, piece, i))
            return false;
    return true;
}

bool item_matches(const struct item *it, const uint8_t *content)
{
    const struct item_state *s = (const void *)it;
    if (!s->phantom)
        return it->disk && memcmp(it->disk, content, it->disk_size) == 0;
    for (uint32_t p = 0; p < s->phantom->m->n_pieces; p++)
        if (!piece_good(s, p))
            return false;
    return content == s->phantom->content;
}

/* ---- what the node asks for ---- */

/* Writes wait for each other. */
static usec done_at(struct host *h, const struct node_op *op, enum event_kind kind)
{
    usec now = h->tube->now;
    if (kind != EV_STORED || h->cfg.disk == 0)
        return now + DISK_TIME;
    h->disk_until = (h->disk_until > now ? h->disk_until : now) +
                    (usec)((double)op->data.n * (double)USEC_SEC / (double)h->cfg.disk);
    return h->disk_until + DISK_TIME;
}

static struct event *answer_later(struct host *h, const struct node_op *op, enum event_kind kind)
{
    struct event *e = host_event(h, done_at(h, op, kind), kind);
    e->job = op->job;
    e->task = op->task;
    e->piece = op->piece;
    e->leaf = op->leaf;
    return e;
}

/* Blocks are known by their first bytes; e->n tells the event which one it is, e->side if bad. */
static void store_phantom(struct item_state *s, const struct node_op *op, struct event *e)
{
    size_t n = op->data.n < PHANTOM_MARK ? op->data.n : PHANTOM_MARK;
    bool good = memcmp(op->data.p, s->phantom->content + op->offset, n) == 0;
    e->n = (size_t)(op->offset / LAYOUT_BLOCK);
    e->side = !good;
    if (good)
        bits_set(&s->good, e->n);
    else
        bits_unset(&s->good, e->n);
}

void disk_store(struct host *h, const struct node_op *op)
{
    struct item_state *s = disk_item(h, op->task);
    struct event *e = answer_later(h, op, EV_STORED);
    h->written += op->data.n;
    if (h->cfg.disk_full_at && h->written > h->cfg.disk_full_at) {
        e->err = ERR_IO;
        return;
    }
    if (s->phantom) {
        store_phantom(s, op, e);
        return;
    }
    memcpy(s->it.disk + op->offset, op->data.p, op->data.n);
    e->data = mem_dup(op->data.p, op->data.n);
    e->n = op->data.n;
}

/* What is lent to be hashed in place of what is on the disk is the same. */
static void check_parts(struct host *h, struct item_state *s, const struct node_op *op)
{
    uint64_t at = (uint64_t)op->piece * node_manifest(h->node, op->task)->piece_length;
    s->it.lent += op->n_parts > 0;
    for (uint32_t i = 0; i < op->n_parts; at += op->parts[i++].n)
        if (!s->phantom && memcmp(s->it.disk + at, op->parts[i].p, op->parts[i].n) != 0)
            abort();
}

void disk_later(struct host *h, const struct node_op *op)
{
    static const enum event_kind kind[] = {[NODE_CHECK] = EV_CHECKED,
                                           [NODE_LEAVES] = EV_LEAVES,
                                           [NODE_FILE_DONE] = EV_DONE,
                                           [NODE_CHECKPOINT] = EV_DONE};
    struct item_state *s = disk_item(h, op->task);
    s->it.files_done += op->kind == NODE_FILE_DONE;
    s->it.checkpoints += op->kind == NODE_CHECKPOINT;
    check_parts(h, s, op);
    answer_later(h, op, kind[op->kind]);
}

/* ---- answers ---- */

static void leaf_of(const struct item_state *s, const struct event *e, uint8_t leaf[SHA256_LEN])
{
    if (!s->phantom) {
        digest_sha256(leaf, BYTES(e->data, e->n));
        return;
    }
    memcpy(leaf, s->phantom->leaves + e->n * SHA256_LEN, SHA256_LEN);
    leaf[0] ^= e->side;
}

static void stored(struct tube *t, struct event *e)
{
    uint8_t leaf[SHA256_LEN];
    struct err why = {0};
    struct item_state *s = disk_item(e->host, e->task);
    bool tell = e->leaf && !e->err && s;
    if (e->err)
        err_set(&why, ERR_IO, "no space left on the simulated disk");
    if (tell)
        leaf_of(s, e, leaf);
    node_stored(e->host->node, e->job, e->err, &why, tell ? leaf : NULL, t->now);
}

static void hash_disk(struct host *h, const struct item_state *s, const struct manifest *m,
                      uint32_t piece, struct piecehash_result *r)
{
    uint64_t at = (uint64_t)piece * m->piece_length;
    if (!h->hasher)
        h->hasher = piecehash_new();
    piecehash_begin(h->hasher, m, piece);
    piecehash_more(h->hasher, BYTES(s->it.disk + at, layout_piece_len(m, piece)));
    piecehash_end(h->hasher, r);
}

static void checked(struct tube *t, struct event *e)
{
    struct host *h = e->host;
    struct item_state *s = disk_item(h, e->task);
    const struct manifest *m = node_manifest(h->node, e->task);
    struct piecehash_result r;
    if (!s || !m)
        return;
    if (!s->phantom) {
        hash_disk(h, s, m, e->piece, &r);
    } else {
        r = s->phantom->piece[e->piece];
        r.v1[0] ^= !piece_good(s, e->piece);
        r.root[0] ^= !piece_good(s, e->piece);
    }
    node_checked(h->node, e->job, 0, NULL, &r, t->now);
}

static void leaves_of(const struct item_state *s, const struct manifest *m, uint32_t piece,
                      uint8_t *v)
{
    uint64_t at = (uint64_t)piece * m->piece_length;
    for (uint32_t i = 0; i < layout_blocks(m, piece); i++, at += LAYOUT_BLOCK) {
        uint32_t len = layout_block_len(m, piece, i);
        uint8_t *leaf = v + (size_t)i * SHA256_LEN;
        if (s->phantom) {
            memcpy(leaf, s->phantom->leaves + at / LAYOUT_BLOCK * SHA256_LEN, SHA256_LEN);
            leaf[0] ^= !block_good(s, piece, i);
        } else if (len) {
            digest_sha256(leaf, BYTES(s->it.disk + at, len));
        }
    }
}

static void leaves(struct tube *t, struct event *e)
{
    struct item_state *s = disk_item(e->host, e->task);
    const struct manifest *m = node_manifest(e->host->node, e->task);
    if (!s || !m)
        return;
    uint32_t n = layout_blocks(m, e->piece);
    uint8_t *v = mem_zero((size_t)n * SHA256_LEN + 1);
    leaves_of(s, m, e->piece, v);
    node_leaves(e->host->node, e->job, 0, v, n, t->now);
    free(v);
}

void disk_event(struct tube *t, struct event *e)
{
    switch (e->kind) {
    case EV_STORED:
        stored(t, e);
        break;
    case EV_CHECKED:
        checked(t, e);
        break;
    case EV_LEAVES:
        leaves(t, e);
        break;
    default:
        node_done(e->host->node, e->job, 0, NULL, t->now);
        break;
    }
}

/*
 * What others are asked: single blocks that show where the content has gone, and the leaf hashes of
 * pieces in which something has changed.
 */
#include "engine/reuse.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define LEAVES_AT_ONCE 32u
/* When nobody has told any for so long, nobody will. */
#define LEAVES_PATIENCE (10 * USEC_SEC)
#define PROBE_PATIENCE (6 * USEC_SEC) /* the same, of blocks that were to come */

static struct reuse *of_task(struct engine *g, node_id task)
{
    struct item *it = item_of(g, task);

    return it && it->reuse && it->reuse->running && it->phase == ITEM_RUNNING ? it->reuse : NULL;
}

/* ---- probes ---- */

/* A block of one file, if there is such: the middle one, or the nearest to it. */
uint32_t reuse_probe_block(const struct reuse *r, uint32_t piece)
{
    const struct manifest *m = r->it->m;
    uint32_t n = layout_blocks(m, piece), best = REUSE_NONE;
    uint64_t most = 0;

    for (uint32_t i = 0; i < n && most < LAYOUT_BLOCK; i++) {
        uint32_t b = (n / 2 + (i % 2 ? (i + 1) / 2 : n - i / 2)) % n;
        struct layout_iter it;
        struct layout_seg g;

        layout_iter_init(&it, m, (uint64_t)piece * m->piece_length + (uint64_t)b * LAYOUT_BLOCK,
                         layout_block_len(m, piece, b));
        while (layout_iter_next(&it, &g)) {
            if (!g.pad && g.length > most) {
                most = g.length;
                best = b;
            }
        }
    }
    return best;
}

void reuse_probe(struct reuse *r, uint32_t piece)
{
    uint32_t block = reuse_probe_block(r, piece);

    if (r->v[piece].state != REUSE_WAIT)
        return;
    if (block == REUSE_NONE || r->no_probes) {
        reuse_let_go(r, piece);
        return;
    }
    r->v[piece].state = REUSE_PROBED;
    node_probe(r->it->g->node, r->it->task, piece, block, r->it->g->now);
}

static void looked_up(void *arg)
{
    struct lookup *l = arg;
    struct reuse *r = l->r;
    struct reuse_piece *p = &r->v[l->piece];

    if (reuse_job_back(r) && p->state == REUSE_PROBED) {
        p->state = REUSE_WAIT;
        for (size_t i = 0; i < l->n_ways; i++) {
            uint16_t way = reuse_way(r, l->way[i]);

            reuse_walk(r, way, l->piece, 1);
            reuse_walk(r, way, l->piece - 1, -1);
            p->hint = p->hint ? p->hint : way;
        }
        if (l->n_ways > 0)
            r->missed = 0;
        else
            reuse_probe_missed(r, l->piece);
    }
    free(l);
    reuse_job_end(r);
}

static void look_up_all(struct reuse *r)
{
    struct list_node *l;

    while ((l = list_pop(&r->lookups)) != NULL) {
        struct lookup *k = LIST_OF(l, struct lookup, node);

        if (!reuse_begin_job(r, reuse_look_up, looked_up, k))
            free(k);
    }
}

static void indexed(void *arg)
{
    struct reuse *r = arg;

    if (reuse_job_back(r)) {
        r->indexed = true;
        look_up_all(r);
    }
    reuse_job_end(r);
}

void reuse_probed(struct engine *g, const struct node_op *op)
{
    struct reuse *r = of_task(g, op->task);

    if (r)
        r->heard_at = g->now;
    if (r && r->v[op->piece].state == REUSE_SPLIT)
        reuse_split_probed(r, op->piece,
                           (uint32_t)(op->offset % r->it->m->piece_length / LAYOUT_BLOCK));
    if (!r || r->v[op->piece].state != REUSE_PROBED)
        return;
    struct lookup *l = mem_zero(sizeof *l);
    *l = (struct lookup){.r = r, .piece = op->piece, .offset = op->offset, .length = op->length};
    list_push(&r->lookups, &l->node);
    if (r->indexed)
        look_up_all(r);
    else if (!r->indexing) {
        r->n_indexed = r->n_olds;
        r->indexing = reuse_begin_job(r, reuse_index, indexed, r);
    }
}

/* Of those who are there nobody may have just these pieces: others are tried, more each time. */
void reuse_ask_tick(struct reuse *r)
{
    usec now = r->it->g->now;

    if (r->heard_at == 0 || r->jobs > 0 || !node_is_served(r->it->g->node, r->it->task))
        r->heard_at = now;
    if (now - r->heard_at < PROBE_PATIENCE)
        return;
    r->heard_at = now;
    for (uint32_t p = 0; p < r->it->m->n_pieces; p++)
        if (r->v[p].state == REUSE_PROBED)
            reuse_probe_missed(r, p);
    reuse_splits_drop(r);
}

/* What a worker has at this moment is waited for; nothing else is. */
void reuse_no_probes(struct engine *g, const struct node_op *op)
{
    struct reuse *r = of_task(g, op->task);

    if (r)
        r->no_probes = true;
    for (uint32_t p = 0; r && p < r->it->m->n_pieces; p++) {
        if (r->v[p].state == REUSE_LEAVES)
            r->asked--;
        r->mixed -= r->v[p].state == REUSE_MIXED;
        if (r->v[p].state != REUSE_TRYING && r->v[p].state != REUSE_BLOCKS &&
            r->v[p].state != REUSE_SPLIT)
            reuse_let_go(r, p);
    }
    if (r)
        reuse_splits_drop(r);
}

/* ---- leaf hashes ---- */

/* Of the nearest on either side that were found. */
static uint16_t way_near(const struct reuse *r, uint32_t piece, int step)
{
    uint32_t at = piece + (uint32_t)step;
    uint16_t way = 0;

    for (unsigned i = 0; i < 64 && !way && at < r->it->m->n_pieces; i++, at += (uint32_t)step)
        way = reuse_way_at(r, at);
    return way;
}

static void fetch_some(struct reuse *r, uint32_t piece)
{
    if (!reuse_split(r, piece, way_near(r, piece, -1), way_near(r, piece, 1)))
        reuse_let_go(r, piece);
}

void reuse_mixed(struct reuse *r, uint32_t piece)
{
    if (!r->it->m->has_v2 || r->no_probes) {
        fetch_some(r, piece);
        return;
    }
    r->v[piece].state = REUSE_MIXED;
    r->mixed++;
    if (r->told_at == 0)
        r->told_at = r->it->g->now;
}

static void nobody_tells(struct reuse *r, uint32_t piece)
{
    r->mixed--;
    fetch_some(r, piece);
}

void reuse_ask_more(struct reuse *r)
{
    struct item *it = r->it;
    bool late = r->mixed > 0 && it->g->now - r->told_at > LEAVES_PATIENCE;

    for (uint32_t p = 0; r->mixed > 0 && p < it->m->n_pieces; p++) {
        if (r->v[p].state != REUSE_MIXED)
            continue;
        if (late) {
            nobody_tells(r, p);
            continue;
        }
        if (r->asked >= LEAVES_AT_ONCE)
            return;
        switch (node_want_leaves(it->g->node, it->task, p, it->g->now)) {
        case NODE_LEAVES_ASKED:
            r->v[p].state = REUSE_LEAVES;
            r->mixed--;
            r->asked++;
            break;
        case NODE_LEAVES_LATER:
            return;
        case NODE_LEAVES_NEVER:
            if (!node_has_peers(it->g->node, it->task))
                return; /* somebody may come who does */
            nobody_tells(r, p);
            break;
        }
    }
}

static void add_way(struct blocks_job *j, uint16_t way)
{
    for (size_t i = 0; i < j->n_ways; i++)
        if (j->id[i] == way)
            return;
    if (way == 0 || j->n_ways == REUSE_WAYS)
        return;
    j->id[j->n_ways] = way;
    j->way[j->n_ways++] = j->r->ways[way - 1];
}

static void blocks_done(void *arg)
{
    struct blocks_job *j = arg;
    struct reuse *r = j->r;
    const struct manifest *m = r->it->m;
    struct bits got = {0};

    bits_init(&got, j->n);
    if (reuse_job_back(r)) {
        reuse_failed(r, j->code, &j->e);
        for (uint32_t b = 0; b < j->n && j->code == 0; b++) {
            uint16_t way = j->along[b] ? j->id[j->along[b] - 1] : 0;

            if (way == 0)
                continue;
            bits_set(&got, b);
            r->v[j->piece].way = way;
            reuse_wrote(r, way, (uint64_t)j->piece * m->piece_length + (uint64_t)b * LAYOUT_BLOCK,
                        layout_block_len(m, j->piece, b));
        }
        if (j->along[0])
            reuse_walk(r, j->id[j->along[0] - 1], j->piece - 1, -1);
        if (j->along[j->n - 1])
            reuse_walk(r, j->id[j->along[j->n - 1] - 1], j->piece + 1, 1);
        reuse_got(r, j->piece, &got, j->leaves);
    }
    bits_fini(&got);
    free(j->leaves);
    free(j->along);
    free(j);
    reuse_job_end(r);
}

void reuse_told(struct engine *g, const struct node_op *op)
{
    struct reuse *r = of_task(g, op->task);
    struct reuse_piece *p = r ? &r->v[op->piece] : NULL;

    if (!r || p->state != REUSE_LEAVES)
        return;
    r->asked--;
    if (op->code < 0) { /* of another, or later */
        p->state = REUSE_MIXED;
        r->mixed++;
        return;
    }
    r->told_at = g->now;
    struct blocks_job *j = mem_zero(sizeof *j);
    j->r = r;
    j->piece = op->piece;
    j->n = layout_blocks(r->it->m, op->piece);
    j->leaves = mem_dup(op->data.p, op->data.n);
    add_way(j, way_near(r, op->piece, -1));
    add_way(j, way_near(r, op->piece, 1));
    add_way(j, p->hint);
    add_way(j, REUSE_FIRST);
    p->state = REUSE_BLOCKS;
    if (!reuse_begin_job(r, reuse_try_blocks, blocks_done, j)) {
        free(j->leaves);
        free(j);
    }
}

void reuse_ask_free(struct reuse *r)
{
    struct list_node *l;

    while ((l = list_pop(&r->lookups)) != NULL)
        free(LIST_OF(l, struct lookup, node));
}

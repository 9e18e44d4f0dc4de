/*
 * Content that the caller may have elsewhere already: an older version, another item. It holds the
 * pieces that it wants to look for, and says of each what it has found; the rest is asked for as
 * always. To find things out it may have single blocks fetched ("probes"), which tell it where the
 * content has moved to, and the leaf hashes of a piece, which tell what of it has changed.
 */
#include "node/reuse.h"

#include <p2p/format/merkle.h>

void node_hold(struct node *n, node_id task, const struct bits *pieces)
{
    struct task *t = task_get(n, task);
    bits_fini(&t->to_hold);
    bits_copy(&t->to_hold, pieces);
}

bool node_is_served(const struct node *n, node_id task)
{
    const struct task *t = task_get(n, task);
    for (struct list_node *l = t ? list_first(&t->conns) : NULL; l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase == CONN_OPEN && !c->peer_choking)
            return true;
    }
    return false;
}

void reuse_begin(struct task *t)
{
    const struct bits *v = &t->to_hold;
    for (size_t p = bits_next(v, 0, true); p < v->n; p = bits_next(v, p + 1, true))
        picker_hold(t->picker, (uint32_t)p, true);
    bits_fini(&t->to_hold);
}

void node_alive(struct node *n, node_id task, usec now)
{
    struct task *t = task_get(n, task);
    if (t)
        t->last_arrival = now;
}

bool node_has_peers(const struct node *n, node_id task)
{
    const struct task *t = task_get(n, task);
    return t && t->n_open > 0;
}

void node_probe(struct node *n, node_id task, uint32_t piece, uint32_t block, usec now)
{
    struct task *t = task_get(n, task);
    n->now = now;
    if (!t || !t->picker)
        return;
    picker_probe(t->picker, (struct block_ref){piece, block});
    fetch_all(t, now);
    web_run(t, now);
    conn_reap(n);
}

bool reuse_waits(struct task *t)
{
    if (!picker_holds(t->picker))
        return false;
    if (t->n_open == 0 && !t->told_no_probes) {
        node_op(t->node, NODE_NO_PROBES)->task = t->id;
        t->told_no_probes = true;
    }
    return true;
}

void reuse_stored(struct task *t, struct block_ref ref)
{
    if (!picker_is_held(t->picker, ref.piece))
        return;
    struct node_op *op = node_op(t->node, NODE_PROBED);
    op->task = t->id;
    op->piece = ref.piece;
    op->offset = (uint64_t)ref.piece * t->m->piece_length + (uint64_t)ref.block * LAYOUT_BLOCK;
    op->length = layout_block_len(t->m, ref.piece, ref.block);
}

/* ---- leaf hashes ---- */

enum node_leaves node_want_leaves(struct node *n, node_id task, uint32_t piece, usec now)
{
    struct task *t = task_get(n, task);
    enum node_leaves answer = NODE_LEAVES_NEVER;
    n->now = now;
    if (!t || !t->picker || !picker_is_held(t->picker, piece))
        return NODE_LEAVES_NEVER;
    const struct open_piece *o = verify_find(t, piece);
    if (o && o->want) { /* asked for beside a probe */
        reuse_leaves(t, piece, o->want);
        return NODE_LEAVES_ASKED;
    }
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (o && o->asked_want)
            return NODE_LEAVES_ASKED;
        if (c->phase != CONN_OPEN || !c->v2 || c->no_hashes || !fetch_peer_has_piece(c, piece))
            continue;
        hashes_want_leaves(c, piece, now);
        answer = NODE_LEAVES_LATER;
        o = verify_find(t, piece);
    }
    return o && o->asked_want ? NODE_LEAVES_ASKED : answer;
}

void reuse_leaves(struct task *t, uint32_t piece, const uint8_t *leaves)
{
    if (!picker_is_held(t->picker, piece))
        return;
    struct node_op *op = node_op(t->node, NODE_TOLD_LEAVES);
    op->task = t->id;
    op->piece = piece;
    op->code = leaves ? 0 : ERR_NOTFOUND;
    if (leaves) /* they stay while the piece is held */
        op->data = BYTES(leaves, (size_t)layout_blocks(t->m, piece) * SHA256_LEN);
}

/* ---- what was found ---- */

static void take_leaf(struct open_piece *o, uint32_t block, const uint8_t *leaves)
{
    if (o->leaf && leaves)
        memcpy(o->leaf + (size_t)block * SHA256_LEN, leaves + (size_t)block * SHA256_LEN,
               SHA256_LEN);
}

void node_found(struct node *n, node_id task, uint32_t piece, const struct bits *blocks,
                const uint8_t *leaves, usec now)
{
    struct task *t = task_get(n, task);
    n->now = now;
    if (!t || !t->picker || !picker_is_held(t->picker, piece))
        return;
    picker_hold(t->picker, piece, false);
    if (!picker_wanted(t->picker, piece))
        return;
    struct open_piece *o = blocks && blocks->ones == 0 ? NULL : verify_open(t, piece);
    bool all = false;
    for (uint32_t b = 0; o && b < o->n_blocks; b++) {
        struct block_ref ref = {piece, b};
        if ((blocks && !bits_get(blocks, b)) || picker_is_stored(t->picker, ref))
            continue;
        take_leaf(o, b, leaves);
        all |= picker_stored(t->picker, ref);
    }
    t->last_arrival = now; /* it goes on */
    if (o && !blocks)
        verify_good(t, o, now);
    else if (all)
        verify_judge(t, o, now);
    fetch_all(t, now);
    web_run(t, now);
    conn_reap(n);
}

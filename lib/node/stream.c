/*
 * An item that is read as it comes: only a window of it is kept, and nothing outside is asked for.
 *
 * Wanted pieces stand in the window in their order: those that the reader has, kept for others
 * while there is room (`gone` to `taken`), those that are verified (to `front`), and those that are
 * asked for (to `end`). Who reads slowly keeps `end` where it is, and so slows the requests. When
 * the reader has gone on, the oldest piece is let go: we have it no longer, say so, reject what is
 * asked of it, and only when the host has its place back does `end` move.
 *
 * A HAVE that could not be taken back would be a lie a moment later: only who understands that a
 * piece is gone (BEP 54), and a reject (BEP 6), is told what is here. All others hear of nothing.
 */
#include "node/passing.h"

#include <stdlib.h>

#define KEPT_PART 4u /* this part of the window is kept for others behind the reader */

struct stream {
    uint32_t gone, taken, front, end; /* wanted pieces, or n_pieces */
    uint32_t kept, keep;              /* pieces from `gone` to `taken`, and how many may be */
};

static uint32_t wanted_from(const struct task *t, uint32_t p)
{
    while (t->priority && p < t->m->n_pieces && t->priority[p] == 0)
        p++;
    return p;
}

static uint32_t after(const struct task *t, uint32_t p)
{
    return p < t->m->n_pieces ? wanted_from(t, p + 1) : p;
}

size_t node_window_pieces(const struct manifest *m, uint64_t window)
{
    uint64_t n = window / m->piece_length;

    n = n < NODE_WINDOW_LEAST ? NODE_WINDOW_LEAST : n;
    return n < m->n_pieces ? (size_t)n : m->n_pieces;
}

void stream_begin(struct task *t)
{
    if (t->window == 0 || t->on_demand)
        return;
    struct stream *s = mem_zero(sizeof *s);
    uint32_t n = (uint32_t)node_window_pieces(t->m, t->window);
    s->keep = n / KEPT_PART;
    s->gone = s->taken = s->front = s->end = wanted_from(t, 0);
    for (uint32_t i = 0; i < n; i++)
        s->end = after(t, s->end);
    t->stream = s;
    picker_set_sequential(t->picker, n);
    picker_set_limit(t->picker, s->end);
}

/* ---- what is verified ---- */

uint32_t stream_proved_blocks(const struct task *t, uint32_t piece)
{
    const struct open_piece *o = t->m->has_v1 ? NULL : verify_find(t, piece);
    uint32_t n = 0;

    while (o && o->want && n < o->n_blocks &&
           picker_is_stored(t->picker, (struct block_ref){piece, n}))
        n++;
    return n;
}

uint64_t node_verified(struct node *n, node_id task)
{
    struct task *t = task_get(n, task);
    struct stream *s = t ? t->stream : NULL;

    if (!s)
        return 0;
    while (s->front < s->end && bits_get(&t->have, s->front))
        s->front = after(t, s->front);
    if (s->front >= t->m->n_pieces)
        return UINT64_MAX;
    return (uint64_t)s->front * t->m->piece_length +
           (uint64_t)stream_proved_blocks(t, s->front) * LAYOUT_BLOCK;
}

/* All that may be asked for is here: what does not come now is the reader's doing. */
bool stream_is_full(const struct task *t)
{
    const struct stream *s = t->stream;

    if (t->demand)
        return demand_rests(t);
    if (!s)
        return false;
    for (uint32_t p = s->front; p < s->end; p = after(t, p))
        if (!bits_get(&t->have, p))
            return false;
    return true;
}

void stream_pulse(struct task *t, usec now)
{
    if (t->demand)
        demand_pulse(t, now);
    else if (stream_is_full(t))
        t->last_arrival = now;
}

/* ---- what goes ---- */

void stream_let_go(struct task *t, uint32_t piece)
{
    struct node_op *op;

    if (bits_unset(&t->have, piece)) {
        verify_let_go(t, piece);
        task_tell_lost(t, piece);
    }
    op = node_op(t->node, NODE_FORGET);
    op->task = t->id;
    op->piece = piece;
}

static void let_go(struct task *t, struct stream *s)
{
    uint32_t piece = s->gone;

    s->gone = after(t, piece);
    s->kept--;
    stream_let_go(t, piece);
}

void node_consumed(struct node *n, node_id task, uint64_t offset, usec now)
{
    struct task *t = task_get(n, task);
    struct stream *s = t ? t->stream : NULL;

    n->now = now;
    while (s && s->taken < s->front &&
           (uint64_t)s->taken * t->m->piece_length + layout_piece_len(t->m, s->taken) <= offset) {
        s->taken = after(t, s->taken);
        s->kept++;
    }
    while (s && s->kept > s->keep && s->end < t->m->n_pieces)
        let_go(t, s);
}

void node_forgotten(struct node *n, node_id task, uint32_t piece, struct bytes content, usec now)
{
    struct task *t = task_get(n, task);
    uint64_t at;

    n->now = now;
    if (!t || !task_passes(t))
        return;
    at = (uint64_t)piece * t->m->piece_length;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l))
        outq_keep(&LIST_OF(l, struct conn, in_task)->out, at, content);
    if (t->demand) {
        demand_gone(t, now);
        return;
    }
    t->stream->end = after(t, t->stream->end);
    picker_set_limit(t->picker, t->stream->end);
    fetch_all(t, now);
}

/* ---- who is told ---- */

bool stream_tells(const struct conn *c)
{
    return !task_passes(c->task) || (c->fast && c->ext.id[EXT_DONTHAVE] != 0);
}

void stream_greet(struct conn *c)
{
    const struct task *t = c->task;

    if (!task_passes(t) || !stream_tells(c))
        return;
    for (size_t i = bits_next(&t->have, 0, true); i < t->have.n;
         i = bits_next(&t->have, i + 1, true))
        wire_put_index(&c->out.bytes, WIRE_HAVE, (uint32_t)i);
    conn_flush(c);
}

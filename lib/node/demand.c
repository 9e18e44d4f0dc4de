/*
 * An item of which the reader asks for bytes as it comes to need them, in any order: what is inside
 * an archive is known from its directory, and one member of it is a small part.
 *
 * - Nothing is asked for but what the reader is at, what it is sure to come to, and, while it reads
 *   on in order, more ahead each time: who jumps about pays for no byte that he did not want.
 * - What is here at once is bounded. Where there is no room, that goes which came first and is not
 *   wanted now; a piece not begun, or that nobody is at work on, is simply not wanted any more.
 * - So a piece may be fetched again. Who leads the reader round and round for ever finds an end.
 *
 * As with a stream, what was told of a piece is taken back when it goes (stream.c).
 */
#include "node/passing.h"

#include <stdlib.h>

#define AHEAD_BYTES (4u << 20)
#define URGENT 7u
#define LATER 1u

struct demand {
    uint32_t room;       /* pieces that may be here, */
    uint32_t n, leaving; /* that are, or will be, and that go but are not gone */
    uint32_t *place;     /* those that are, the first that was wanted first */
    struct bits placed;
    uint32_t first, end; /* the reader is at the one, and comes to the other */
    uint32_t ahead;
    uint64_t asked; /* pieces, so far */
};

void demand_begin(struct task *t)
{
    if (!t->on_demand)
        return;
    struct demand *d = mem_zero(sizeof *d);
    d->room = (uint32_t)node_window_pieces(t->m, t->window);
    d->place = mem_array(d->room, sizeof *d->place);
    bits_init(&d->placed, t->m->n_pieces);
    t->demand = d;
    picker_set_sequential(t->picker, d->room);
}

void demand_free(struct task *t)
{
    if (!t->demand)
        return;
    free(t->demand->place);
    bits_fini(&t->demand->placed);
    free(t->demand);
    t->demand = NULL;
}

bool demand_rests(const struct task *t)
{
    const struct demand *d = t->demand;
    return d->first == d->end || bits_get(&t->have, d->first);
}

/* ---- room ---- */

static void set_priority(struct task *t, uint32_t piece, unsigned priority)
{
    t->priority[piece] = (uint8_t)priority;
    if (priority == 0 || hashes_fetchable(t, piece))
        picker_set_priority(t->picker, piece, priority);
}

/* What others are asked for last stands before the limit: until it moves, this is not the end. */
static void set_limit(struct task *t)
{
    const struct demand *d = t->demand;
    uint32_t limit = 0;
    for (uint32_t i = 0; i < d->n; i++)
        limit = d->place[i] >= limit ? d->place[i] + 1 : limit;
    picker_set_limit(t->picker, limit);
}

/* Not while blocks of it may be on their way to its place. */
static bool may_go(const struct task *t, uint32_t piece)
{
    const struct open_piece *o = verify_find(t, piece);
    if (piece >= t->demand->first && piece < t->demand->end)
        return false;
    return bits_get(&t->have, piece) || (t->store_jobs == 0 && !(o && o->judging));
}

static void let_go(struct task *t, uint32_t i)
{
    struct demand *d = t->demand;
    uint32_t piece = d->place[i];
    memmove(d->place + i, d->place + i + 1, (--d->n - i) * sizeof *d->place);
    bits_unset(&d->placed, piece);
    d->leaving++;
    blamed_judged(t, piece);
    set_priority(t, piece, 0);
    if (bits_get(&t->have, piece))
        picker_lost(t->picker, piece);
    else
        verify_open_free(t, verify_find(t, piece));
    stream_let_go(t, piece);
}

static bool make_room(struct task *t)
{
    const struct demand *d = t->demand;
    for (uint32_t i = 0; i < d->n; i++)
        if (may_go(t, d->place[i])) {
            let_go(t, i);
            return true;
        }
    return false;
}

/* What finds no room now does so when something is gone, or at the next pulse. */
static void fill(struct task *t)
{
    struct demand *d = t->demand;
    for (uint32_t p = d->first; p < d->end; p++) {
        if (!bits_get(&d->placed, p)) {
            if (d->n + d->leaving == d->room) {
                make_room(t);
                break;
            }
            d->place[d->n++] = p;
            bits_set(&d->placed, p);
            d->asked++;
        }
        if (!bits_get(&t->have, p))
            set_priority(t, p, p == d->first ? URGENT : LATER);
    }
    set_limit(t);
}

static void go_on(struct task *t, usec now)
{
    fill(t);
    fetch_all(t, now);
    web_run(t, now);
}

/* ---- the reader ---- */

static void look_ahead(struct task *t, uint32_t first)
{
    struct demand *d = t->demand;
    uint32_t here = d->first, most = AHEAD_BYTES / t->m->piece_length + 1;
    while (here < d->end && bits_get(&t->have, here))
        here++;
    if (first == d->first)
        return;
    d->ahead = first == here ? d->ahead * 2 + 1 : 0;
    d->ahead = d->ahead < most ? d->ahead : most;
}

void node_want(struct node *n, node_id task, uint64_t at, uint64_t sure, uint64_t end, usec now)
{
    struct task *t = task_get(n, task);
    struct demand *d = t ? t->demand : NULL;
    n->now = now;
    if (!d || at >= end || end > t->m->space)
        return;
    uint32_t length = t->m->piece_length, first = (uint32_t)(at / length);
    uint32_t last = (uint32_t)((end - 1) / length), room = d->room - d->room / 4;
    if (d->asked > (uint64_t)NODE_DEMAND_TIMES * t->m->n_pieces + d->room) {
        task_fail(t, ERR_LIMIT, "its directory leads round and round: no more of it is fetched");
        return;
    }
    look_ahead(t, first);
    uint64_t to = (uint64_t)first + 1 + d->ahead;
    uint64_t surely = sure > at ? (sure - 1) / length + 1 : 0;
    to = surely > to ? surely : to;
    to = to - first > room ? first + room : to;
    if (d->first < d->end && d->first != first && !bits_get(&t->have, d->first))
        set_priority(t, d->first, LATER);
    d->first = first;
    d->end = to < (uint64_t)last + 1 ? (uint32_t)to : last + 1;
    t->last_arrival = now;
    go_on(t, now);
}

uint64_t node_here(struct node *n, node_id task, uint64_t at)
{
    const struct task *t = task_get(n, task);
    const struct demand *d = t ? t->demand : NULL;
    if (!d)
        return at;
    uint32_t p = (uint32_t)(at / t->m->piece_length);
    while (p < d->end && bits_get(&t->have, p))
        p++;
    uint64_t here = (uint64_t)p * t->m->piece_length;
    if (p < d->end)
        here += (uint64_t)stream_proved_blocks(t, p) * LAYOUT_BLOCK;
    return here > at ? here : at;
}

void demand_gone(struct task *t, usec now)
{
    t->demand->leaving--;
    go_on(t, now);
}

void demand_pulse(struct task *t, usec now)
{
    const struct demand *d = t->demand;
    if (demand_rests(t))
        t->last_arrival = now;
    for (uint32_t p = d->first; p < d->end; p++)
        if (!bits_get(&d->placed, p)) {
            go_on(t, now);
            break;
        }
}

/*
 * What a peer has asked of us and has not had yet.
 *
 * It is given in the order of asking, but for a seed that cannot give to all at once: that gives
 * first what nobody else has. Many clients ask a seed for seconds ahead, all for much the same, and
 * take back nothing; by the time it is their turn others could give it to them, and a second copy
 * from the seed keeps everybody waiting for the first one of something else. So while somebody
 * waits for a first copy, second ones wait in the queue, a moment only, and are then rejected: who
 * is told so asks others, or again. But nobody is left without anything for long. Without a limit
 * nobody waits behind another, for the lines share what goes out; but where even a first copy is
 * late, second ones that have waited long are rejected, too.
 * Peers that know no rejects are served as they come.
 */
#include "node/node_int.h"

#include <stdlib.h>

#define HELD USEC_SEC          /* a second copy waits so long for the first ones of others, */
#define LATE (USEC_SEC / 4)    /* without a limit: so long waits a first copy for its line */
#define STARVED (2 * USEC_SEC) /* but who had nothing for so long comes first */

static struct asked *at(const struct conn *c, uint32_t i)
{
    return &c->asked[(c->asked_head + i) & (c->asked_cap - 1)];
}

void queue_push(struct conn *c, struct asked a)
{
    if (c->asked_n == c->asked_cap) {
        uint32_t cap = c->asked_cap ? c->asked_cap * 2 : 16;
        struct asked *v = mem_array(cap, sizeof *v);
        for (uint32_t i = 0; i < c->asked_n; i++)
            v[i] = *at(c, i);
        free(c->asked);
        c->asked = v;
        c->asked_cap = cap;
        c->asked_head = 0;
    }
    *at(c, c->asked_n++) = a;
}

/* Nearly always the first. */
static struct asked take(struct conn *c, uint32_t i)
{
    struct asked a = *at(c, i);
    for (; i > 0; i--)
        *at(c, i) = *at(c, i - 1);
    c->asked_head = (c->asked_head + 1) & (c->asked_cap - 1);
    c->asked_n--;
    return a;
}

bool queue_cancel(struct conn *c, const struct asked *a)
{
    for (uint32_t i = 0; i < c->asked_n; i++) {
        const struct asked *q = at(c, i);
        if (q->piece != a->piece || q->begin != a->begin || q->length != a->length)
            continue;
        take(c, i);
        return true;
    }
    return false;
}

static bool is_ordered(const struct conn *c)
{
    const struct task *t = c->task;
    return t && t->was_complete && !t->super_seed && c->fast;
}

/* The first one of a piece that nobody else has, or asked_n. */
static uint32_t find_first(struct conn *c)
{
    uint32_t last = UINT32_MAX;
    for (uint32_t i = 0; i < c->asked_n; i++) {
        uint32_t piece = at(c, i)->piece;
        if (piece != last && !hint_is_anothers(c, piece))
            return i;
        last = piece;
    }
    return c->asked_n;
}

struct asked queue_next(struct conn *c)
{
    uint32_t i = is_ordered(c) ? find_first(c) : 0;
    return take(c, i < c->asked_n ? i : 0);
}

bool queue_has_first(struct conn *c)
{
    return c->asked_n > 0 && is_ordered(c) && find_first(c) < c->asked_n;
}

bool queue_may_wait(const struct conn *c, usec now)
{
    return c->asked_n > 0 && is_ordered(c) && now - c->last_gave < STARVED;
}

void queue_sweep(struct conn *c, bool (*keep)(struct conn *c, const struct asked *a, usec now),
                 usec now)
{
    uint32_t kept = 0, n = c->asked_n;
    for (uint32_t i = 0; i < n; i++) {
        struct asked a = *at(c, i);
        if (keep(c, &a, now))
            *at(c, kept++) = a;
        else
            serve_reject(c, a.piece, a.begin, a.length);
    }
    c->asked_n = kept;
}

static bool stays(struct conn *c, const struct asked *a, usec now)
{
    return now - a->at < HELD || !hint_is_anothers(c, a->piece);
}

static bool first_waits(const struct task *t, usec now)
{
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        uint32_t i = queue_has_first(c) ? find_first(c) : c->asked_n;
        if (i < c->asked_n && (list_linked(&c->send_wait) || now - at(c, i)->at >= LATE))
            return true;
    }
    return false;
}

void queue_pulse(struct task *t, usec now)
{
    if (!t->was_complete || t->n_open < 2 || !first_waits(t, now))
        return;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->asked_n > 0 && is_ordered(c))
            queue_sweep(c, stays, now);
    }
}

/*
 * Near seeds, all asked or one alone: swarm/alone.h says when. Here is which one: the first that is
 * to be asked when it begins, and the next when that one cannot be any more. The others rest.
 */
#include "node/node_int.h"

#include <p2p/swarm/near.h>

static bool is_near_seed(const struct conn *c)
{
    return c->phase == CONN_OPEN && c->nearness > NEAR_FAR && fetch_peer_has_all(c);
}

static bool can_be_asked(const struct conn *c, usec now)
{
    return is_near_seed(c) && c->am_interested && !c->peer_choking && !c->pipe.snubbed &&
           c->hold_until <= now;
}

static bool is_one_asked(const struct task *t)
{
    return t->alone && t->alone->one;
}

static bool is_alone(const struct conn *c)
{
    return is_one_asked(c->task) && c->task->alone_with == c->id;
}

static void ask_the_others(struct conn *c, usec now)
{
    struct task *t = c->task;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *o = LIST_OF(l, struct conn, in_task);
        if (o != c && is_near_seed(o))
            fetch_more(o, now);
    }
}

bool alone_may_ask(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (!is_near_seed(c))
        return true;
    if (!t->alone)
        t->alone = mem_zero(sizeof *t->alone); /* most items never ask a near seed */
    if (alone_update(t->alone, t->from_peers, t->node->full_at, now) && !t->alone->one)
        ask_the_others(c, now);
    if (!t->alone->one || is_alone(c))
        return true;
    const struct conn *o = idtab_get(&t->node->conns, t->alone_with);
    if (o && o->task == t && can_be_asked(o, now))
        return false;
    t->alone_with = c->id;
    return true;
}

bool alone_rests(const struct conn *c)
{
    return is_one_asked(c->task) && !is_alone(c) && is_near_seed(c);
}

void alone_pass(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (!is_alone(c))
        return;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *o = LIST_OF(l, struct conn, in_task);
        if (o == c || !can_be_asked(o, now))
            continue;
        t->alone_with = o->id;
        fetch_more(o, now);
        return;
    }
}

void alone_dry(struct conn *c, usec now)
{
    if (!is_alone(c))
        return;
    alone_end(c->task->alone, now);
    ask_the_others(c, now);
}

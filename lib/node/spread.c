/*
 * A seed leaves to the crowd what has spread.
 *
 * The first copy of each piece is the seed's work: nobody else can give it. When all have come up
 * elsewhere, the crowd has most of what is still to be sent on its own lines, and second copies
 * from one seed hardly make its end come sooner. So a seed rests, which is to say that it chokes
 * whom others feed, while
 * - it was this seed that brought most pieces into the crowd: with other seeds about it would be
 *   one of many to rest at once, and who came late would be left to nobody;
 * - others have every piece, more than one of them when it begins to rest;
 * - it costs the crowd next to nothing: what is left to be sent, at the pace at which others send,
 *   would hardly come sooner with us. Of a small crowd that pace is soon another, as when some of
 *   it are done and go: there a seed goes on.
 * Who got nothing from others for a while is served as ever: it may be that nobody reaches him.
 * What others gave is what a peer tells to have, beyond what we sent it.
 *
 * Two seeds have nothing to say to each other, but as long as somebody lacks something it is well
 * to know whether those who came to have all are still there. So they part a few seconds later.
 */
#include "node/node_int.h"

#define OTHERS 4u             /* one piece in so many may have come up otherwise */
#define COPIES 3u             /* of each piece, with ours, to begin */
#define COST 100.0            /* one part in so many of the time that the first copies took */
#define SHARE 10.0            /* and we send less than one part in so many of what they do */
#define HUNGRY (2 * USEC_SEC) /* without anything from others, */
#define HUNGRY_PIECES 4u      /* and the time in which we send so many pieces */
#define HUNGRY_MOST (60 * USEC_SEC)
#define WATCHED (5 * USEC_SEC)
#define LOOK (USEC_SEC / 20) /* much goes out between two pulses */

static bool brought_most(const struct task *t)
{
    return t->firsts >= t->m->n_pieces - t->m->n_pieces / OTHERS;
}

void spread_peer_has(struct conn *c, uint32_t piece, usec now)
{
    struct task *t = c->task;
    if (!t->was_complete)
        return;
    if (picker_availability(t->picker, piece) == 1 && hint_is_out(c, piece)) {
        t->first_came = t->firsts++ == 0 ? now : t->first_came;
        t->last_came = now;
    }
    c->told += layout_piece_len(t->m, piece);
    if (c->told > c->fed.total + c->up.total) {
        rate_add(&c->fed, c->told - c->fed.total - c->up.total, now);
        c->fed_at = now;
    }
    if (brought_most(t) && now - t->looked_at >= LOOK)
        spread_pulse(t, now);
}

static usec hungry_after(const struct task *t)
{
    uint64_t n = HUNGRY_PIECES * (uint64_t)t->m->piece_length;
    usec more = t->pace ? (usec)((double)n * (double)USEC_SEC / (double)t->pace) : 0;
    return HUNGRY + usec_min(more, HUNGRY_MOST);
}

static bool is_fed(const struct conn *c, usec now)
{
    return c->fed.total > 0 && now - c->fed_at < hungry_after(c->task);
}

bool spread_feeds(const struct conn *c, usec now)
{
    return c->task->rests && is_fed(c, now);
}

/* The time by which they would be done later. */
static bool is_cheap(const struct task *t, usec now)
{
    double left = 0, others = 0, ours = (double)t->pace;
    double took = (double)(t->last_came - t->first_came) / (double)USEC_SEC;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase != CONN_OPEN || !c->peer_interested || !is_fed(c, now))
            continue;
        left += (double)(t->m->n_pieces - c->has.ones) * t->m->piece_length;
        others += (double)rate_now(&c->fed, now);
    }
    return others > SHARE * ours && left / others * ours / (others + ours) <= took / COST;
}

static bool may_rest(const struct task *t, usec now)
{
    return task_complete(t) && brought_most(t) && is_cheap(t, now) &&
           picker_copies(t->picker) >= (t->rests ? 2 : COPIES);
}

void spread_pulse(struct task *t, usec now)
{
    uint64_t rate = rate_now(t->up, now);
    t->pace = rate > t->pace ? rate : t->pace;
    t->looked_at = now;
    t->rests = may_rest(t, now);
    for (struct list_node *l = list_first(&t->conns); t->rests && l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase == CONN_OPEN && spread_feeds(c, now))
            serve_choke(c, true, now);
    }
}

bool spread_watches(const struct conn *c, usec now)
{
    const struct task *t = c->task;
    bool lately = t->completed_at != USEC_NEVER && now - t->completed_at < WATCHED;
    if (!lately && (c->whole_at == 0 || now - c->whole_at >= WATCHED))
        return false;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *o = LIST_OF(l, struct conn, in_task);
        if (o->phase == CONN_OPEN && o->peer_interested)
            return true;
    }
    return false;
}

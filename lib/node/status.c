/* Figures for people: what a task and its peers are doing. */
#include "node/inlet.h"
#include "node/passing.h"

#include <p2p/proto/peerid.h>
#include <stdio.h>

/* ---- what a download waits for ---- */

static bool is_asked_for(const struct task *t)
{
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l))
        if (LIST_OF(l, struct conn, in_task)->pipe.out > 0)
            return true;
    return web_busy(t);
}

static enum waits_for own_work(const struct task *t)
{
    return t->check_jobs > t->store_jobs ? WAITS_HASHING : WAITS_DISK;
}

static enum waits_for what(const struct task *t, usec now)
{
    struct node *n = t->node;
    if (n->paused_disk)
        return own_work(t);
    if (inlet_is_spent(n, now))
        return WAITS_LIMIT;
    if (is_asked_for(t))
        return WAITS_NETWORK;
    if (t->store_jobs + t->check_jobs > 0)
        return own_work(t);
    return stream_is_full(t) ? WAITS_READER : WAITS_PEERS;
}

void status_turn(struct task *t, usec now)
{
    if (t->state != NODE_SEEDING && t->state != NODE_HALTED)
        waits_turn(&t->waits, what(t, now), now);
}

/* ---- figures ---- */

bool node_status(struct node *n, node_id task, struct node_status *s, usec now)
{
    struct task *t = task_get(n, task);
    if (!t)
        return false;
    n->now = now;
    *s = (struct node_status){
        .state = t->state,
        .size = t->m      ? t->m->size
                : t->rest ? t->rest->size
                          : 0,
        .wanted = t->wanted_bytes,
        .done = t->done_bytes,
        .from_peers = t->from_peers,
        .from_web = t->from_web,
        .wasted = t->wasted,
        .uploaded = t->uploaded,
        .from_near = t->from_near,
        .to_near = t->to_near,
        .rate_down = t->rest ? 0 : rate_now(t->down, now),
        .rate_up = t->rest ? 0 : rate_now(t->up, now),
        .peers = t->n_open,
        .known = (uint32_t)pool_count(t->pool),
        .connecting = t->n_dialing,
        .tracker_seeds = t->tracker_seeds,
        .tracker_peers = t->tracker_peers,
        .pieces = t->m      ? t->m->n_pieces
                  : t->rest ? t->rest->pieces
                            : 0,
        .pieces_have = t->rest ? t->rest->pieces_have : (uint32_t)t->have.ones,
        .first_byte = t->first_byte,
        .started = t->started,
        .completed_at = t->completed_at,
        .sources_exhausted = task_sources_exhausted(t),
        .tracker_error = announce_error(t),
        .web_error = t->web_error ? t->web_error : "",
    };
    memcpy(s->waited, t->waits.time, sizeof s->waited);
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        s->near += c->phase == CONN_OPEN && c->nearness;
        s->seeds += c->phase == CONN_OPEN && (c->has_all || (c->has.n && bits_full(&c->has)));
    }
    return true;
}

struct node_totals node_totals(const struct node *n, usec now)
{
    return (struct node_totals){
        .uploaded = n->given.total, .rate_up = rate_now(&n->given, now), .peers = n->n_open};
}

size_t node_peers(struct node *n, node_id task, struct node_peer_info *out, size_t max, usec now)
{
    struct task *t = task_get(n, task);
    size_t count = 0;
    for (struct list_node *l = t ? list_first(&t->conns) : NULL; l && count < max;
         l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase != CONN_OPEN)
            continue;
        struct node_peer_info *i = &out[count++];
        *i = (struct node_peer_info){
            .addr = c->addr,
            .rate_down = rate_now(&c->down, now),
            .rate_up = rate_now(&c->up, now),
            .incoming = c->incoming,
            .seed = c->has_all || (c->has.n && bits_full(&c->has)),
            .choking_us = c->peer_choking,
            .choked = c->am_choking,
            .interested = c->peer_interested,
        };
        if (c->client[0])
            snprintf(i->client, sizeof i->client, "%.47s", c->client);
        else
            peerid_client(i->client, c->peer_id);
    }
    return count;
}

const struct manifest *node_manifest(const struct node *n, node_id task)
{
    const struct task *t = task_get(n, task);
    return t ? t->m : NULL;
}

const struct bits *node_have(const struct node *n, node_id task)
{
    const struct task *t = task_get(n, task);
    return t && t->picker ? &t->have : NULL;
}

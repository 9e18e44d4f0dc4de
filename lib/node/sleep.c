/*
 * Items that are complete and that nobody talks to. Of ten thousand of them hardly one is asked for
 * in a minute, so they may be put to sleep. What is kept is what they are found by: hashes, whose
 * turn it is among trackers and in the DHT, figures. Manifest, picker and all else come back when
 * - somebody connects: his handshake waits, and nothing more is read of him, until it is awake.
 *   He counts among those without a handshake, so NODE_MAX_NO_HANDSHAKE of them wait at most, and
 *   for no longer than NODE_HANDSHAKE_TIME;
 * - somebody is heard of who may be dialled.
 */
#include "node/node_int.h"

#include <stdlib.h>

static void call(struct task *t)
{
    if (t->rest->called)
        return;
    t->rest->called = true;
    node_op(t->node, NODE_WANTED)->task = t->id;
}

/* ---- to sleep ---- */

/* Look-ups and trackers' answers need nothing of what goes. */
static bool has_work(const struct task *t)
{
    uint32_t it = 0;
    const struct job *j;
    while ((j = idtab_walk(&t->node->jobs, &it)) != NULL)
        if (j->task == t->id && j->kind != NODE_HTTP && j->kind != NODE_RESOLVE)
            return true;
    return false;
}

static bool may_sleep(const struct task *t, usec now)
{
    return t->state == NODE_SEEDING && !t->rest && t->m && t->conns.count == 0 && !t->stopping &&
           !t->halted && !t->ended && !t->survey && !verify_busy(t) &&
           pool_deadline(t->pool, false) > now && task_goal(t, now) == USEC_NEVER && !has_work(t);
}

bool node_sleep(struct node *n, node_id task, usec now)
{
    n->now = now;
    struct task *t = task_get(n, task);
    if (!t || !may_sleep(t, now))
        return false;
    t->rest = mem_zero(sizeof *t->rest);
    *t->rest = (struct rest){.size = t->m->size,
                             .left = t->m->size > t->have_bytes ? t->m->size - t->have_bytes : 0,
                             .pieces = t->m->n_pieces,
                             .pieces_have = (uint32_t)t->have.ones,
                             .whole = bits_full(&t->have)};
    task_shed(t);
    pool_rest(t->pool);
    if (pool_is_blank(t->pool)) {
        pool_free(t->pool);
        t->pool = NULL;
    }
    task_wake(t, now); /* no goal is in its timer any more */
    return true;
}

/* ---- and awake ---- */

static bool is_of(const struct task *t, const struct manifest *m)
{
    for (uint32_t i = 0; i < t->n_swarms; i++) {
        const struct swarm *s = &t->swarm[i];
        if (!(s->v2 ? m->has_v2 : m->has_v1) ||
            memcmp(manifest_wire_hash(m, s->v2), s->hash, 20) != 0)
            return false;
    }
    return t->n_swarms == (uint32_t)m->has_v1 + m->has_v2;
}

bool node_wake(struct node *n, node_id task, struct manifest *m, const struct bits *have,
               const uint8_t *priority, const uint8_t *unstored, usec now)
{
    n->now = now;
    struct task *t = task_get(n, task);
    if (!t || !t->rest || t->stopping || !is_of(t, m)) {
        manifest_free(m);
        return false;
    }
    free(t->rest);
    t->rest = NULL;
    t->m = m;
    t->last_arrival = now;
    task_get_up(t, now);
    task_hashes(t);
    task_set_up(t, have, priority, unstored, now);
    t->was_complete = task_complete(t);
    if (t->was_complete)
        t->state = NODE_SEEDING;
    else
        t->completed_at = USEC_NEVER;
    web_init(t, now);
    task_wake(t, now);
    sleep_over(t, now);
    dial_more(n, now);
    conn_reap(n);
    return true;
}

static bool is_for(const struct conn *c, const struct task *t)
{
    for (uint32_t i = 0; c->held && i < t->n_swarms; i++)
        if (memcmp(t->swarm[i].hash, c->held->info_hash, 20) == 0)
            return true;
    return false;
}

static void let_in(struct conn *c, usec now)
{
    struct wire_msg m = {.type = WIRE_HANDSHAKE, .handshake = *c->held};
    free(c->held);
    c->held = NULL;
    message_handle(c, &m, now);
    conn_heard(c, now);
    if (c->phase != CONN_DEAD)
        node_op(c->node, NODE_RECV)->conn = c->id;
}

void sleep_over(struct task *t, usec now)
{
    uint32_t it = 0;
    struct conn *c;
    while ((c = idtab_walk(&t->node->conns, &it)) != NULL)
        if (is_for(c, t))
            let_in(c, now);
}

/* ---- asleep ---- */

bool sleep_holds(struct conn *c, const struct wire_handshake *h, usec now)
{
    struct task *t = map_get(c->node->by_hash, BYTES(h->info_hash, 20));
    (void)now;
    if (!t || !t->rest || t->stopping || t->halted)
        return false;
    c->held = mem_dup(h, sizeof *h);
    call(t);
    return true;
}

bool sleep_heard(struct task *t, const struct addr *a, unsigned source, bool seed, usec now)
{
    return !self_is(t->node, a) && pool_add(task_pool(t), a, source, seed, now);
}

void sleep_pulse(struct task *t, usec now)
{
    if (t->rest && !t->stopping && !t->node->cfg.no_tcp && pool_deadline(t->pool, false) <= now)
        call(t);
}

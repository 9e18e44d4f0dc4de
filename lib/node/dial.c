/* Whom to dial when: the pools say who, the limits say how many. */
#include "node/node_int.h"

#include <stdlib.h>

#define ENOUGH_DOWN 100u /* connections that a download looks for by itself */
#define ENOUGH_UP 40u    /* and a seed */

static bool may_dial(const struct task *t)
{
    return !t->rest && !t->stopping && !t->halted && !t->ended && !t->survey &&
           !t->node->cfg.no_tcp;
}

/* A crowd of strangers that came in does not count. */
static bool has_enough(const struct task *t)
{
    return t->n_dialled >= (t->state == NODE_SEEDING ? ENOUGH_UP : ENOUGH_DOWN);
}

static bool connected_to(const struct task *t, const struct addr *a)
{
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->listen_port == a->port && addr_same_ip(&c->addr, a))
            return true;
    }
    return false;
}

static bool dial_one(struct task *t, bool near, usec now)
{
    struct node *n = t->node;
    struct addr a;
    bool (*next)(struct pool *, bool, struct addr *, usec) = near ? pool_next_near : pool_next;
    if (!next(t->pool, t->state != NODE_SEEDING, &a, now))
        return false;
    if (connected_to(t, &a)) {
        pool_connected(t->pool, &a, now);
        return true;
    }
    unsigned from = pool_sources(t->pool, &a);
    bool exempt = (from & POOL_USER) || addr_scope(&a) == ADDR_LOOPBACK;
    if (!exempt && conn_count_from(n, &a) >= NODE_MAX_PER_ADDR) {
        pool_closed(t->pool, &a, false, now); /* one host under many ports */
        return true;
    }
    struct conn *c = conn_new(n, &a, false, now);
    c->dial_v2 = (from & POOL_V2) && !(from & POOL_V1);
    c->task = t;
    list_push(&t->conns, &c->in_task);
    t->n_dialing++;
    t->n_dialled++;
    struct node_op *op = node_op(n, NODE_DIAL);
    op->conn = c->id;
    op->task = t->id;
    op->addr = a;
    return true;
}

static bool is_full(const struct node *n)
{
    return n->n_conns >= n->cfg.max_conns;
}

/* Neighbours are so few, and spare so much, that for them there is always room. */
static bool dial_near(struct task *t, usec now)
{
    struct node *n = t->node;
    bool due = pool_has_near(t->pool, t->state != NODE_SEEDING, now);
    return due && (!is_full(n) || conn_make_room(n, true, now)) && dial_one(t, true, now);
}

/* One peer for each task in turn, so that a large pool starves nobody. */
void dial_more(struct node *n, usec now)
{
    bool progress = true, made_room = false;
    while (progress) {
        progress = false;
        for (struct list_node *l = list_first(&n->working); l; l = list_next(&n->working, l)) {
            struct task *t = LIST_OF(l, struct task, working);
            if (n->n_dialing >= NODE_MAX_HALF_OPEN)
                return;
            if (!may_dial(t))
                continue;
            if ((is_full(n) || has_enough(t)) && dial_near(t, now)) {
                progress = true;
                continue;
            }
            if (has_enough(t))
                continue;
            if (is_full(n)) {
                if (made_room || t->state == NODE_SEEDING || pool_deadline(t->pool, true) > now ||
                    !conn_make_room(n, false, now))
                    return;
                made_room = true;
            }
            progress |= dial_one(t, false, now);
        }
    }
}

void node_add_peer(struct node *n, node_id task, const struct addr *a, unsigned pool_source,
                   usec now)
{
    n->now = now;
    struct task *t = task_get(n, task);
    if (!t || !sleep_heard(t, a, pool_source, false, now))
        return;
    task_wake(t, now);
    dial_more(n, now);
}

static void drop_port(struct node *n, struct job *j)
{
    (void)n;
    free(j->arg);
}

static void peer_resolved(struct node *n, struct job *j, const struct addr *v, size_t count,
                          usec now)
{
    struct task *t = task_get(n, j->task);
    const uint16_t *port = j->arg;
    t->resolving--;
    for (size_t i = 0; i < count; i++) {
        struct addr a = v[i];
        a.port = *port;
        if (addr_scope(&a) == ADDR_PUBLIC || t->trusted)
            sleep_heard(t, &a, POOL_LINK, false, now);
    }
    free(j->arg);
    dial_more(n, now);
}

void node_add_peer_name(struct node *n, node_id task, const char *hostport, usec now)
{
    struct addr a;
    char host[256];
    uint16_t port;
    struct task *t = task_get(n, task);
    if (!t)
        return;
    if (addr_parse(&a, hostport)) {
        node_add_peer(n, task, &a, POOL_LINK, now);
        return;
    }
    if (!addr_split(hostport, host, sizeof host, &port) || port == 0)
        return;
    struct job *j = job_new(n, t, NODE_RESOLVE);
    node_op_text(n, mem_str(host));
    j->arg = mem_dup(&port, sizeof port);
    j->drop = drop_port;
    j->u.resolved = peer_resolved;
    t->resolving++;
}

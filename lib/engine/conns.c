/*
 * Connections: between the node, which counts in ids and spans, and TCP. Bytes are received where
 * the node says, and content leaves by way of the stage. A connection gets a bounded
 * share of each turn, so that one fast peer does not keep the others waiting.
 */
#include "engine/stage.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

#define RECV_TURN (512u << 10) /* bytes of one connection in one turn */
#define SEND_TURN (1u << 20)

struct conn {
    struct engine *g;
    node_id id;
    struct tcp *tcp;
    bool open;              /* connected */
    bool read, write;       /* what is wanted of the loop */
    struct list_node heard; /* in engine.heard: in this turn, and nothing was said since */
};

static struct conn *conn_of(const struct engine *g, node_id id)
{
    return map_get(g->conns, ID_KEY(id));
}

static void want(struct conn *c, bool read, bool write)
{
    if (c->open && (c->read != read || c->write != write))
        tcp_want(c->tcp, read, write);
    c->read = read;
    c->write = write;
}

/* At the limit callers wait in the kernel's backlog. */
static void mind_the_door(struct engine *g)
{
    bool full = g->stopping || map_count(g->conns) >= NODE_MAX_CONNS;

    if (full != g->door_shut)
        tcp_listener_pause(g->door, full);
    g->door_shut = full;
}

static void conn_free(struct conn *c)
{
    struct engine *g = c->g;

    list_remove(&g->heard, &c->heard);
    map_remove(g->conns, ID_KEY(c->id));
    tcp_close(c->tcp);
    free(c);
    mind_the_door(g);
}

/* They closed, or it broke. */
static void conn_lost(struct conn *c)
{
    struct engine *g = c->g;
    node_id id = c->id;

    conn_free(c);
    node_closed(g->node, id, g->now);
}

/* ---- in ---- */

/* One read. False when there is no more to be had now, or no more connection. */
static bool read_some(struct conn *c, size_t *budget)
{
    struct engine *g = c->g;
    struct span v[NODE_RECV_SPANS];
    size_t n = node_recv_where(g->node, c->id, v, g->now), room = 0;

    if (n == 0) {
        want(c, false, c->write);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        room += v[i].n;
    ssize_t got = tcp_recv(c->tcp, v, n);
    if (got == TCP_EOF || got < 0) {
        conn_lost(c);
        return false;
    }
    if (got == 0)
        return false;
    *budget -= (size_t)got < *budget ? (size_t)got : *budget;
    node_id id = c->id;
    node_received(g->node, id, (size_t)got, g->now);
    return (size_t)got == room && *budget > 0;
}

static void readable(void *owner)
{
    struct conn *c = owner;
    size_t budget = RECV_TURN;

    c->g->now = loop_now(c->g->loop);
    if (!list_linked(&c->heard))
        list_push(&c->g->heard, &c->heard);
    while (read_some(c, &budget))
        ;
}

void conns_recv(struct engine *g, const struct node_op *op)
{
    struct conn *c;

    if (op->job && net_resume(g, op->job))
        return;
    c = conn_of(g, op->conn);
    if (c)
        want(c, true, c->write);
}

/* What was answered in this turn is acknowledged by that; the rest would wait. Also with those that
 * wait to be writable: there may be nothing left to say when they are. */
void conns_turn(struct engine *g)
{
    struct list_node *l;

    while ((l = list_pop(&g->heard)) != NULL)
        tcp_acknowledge(LIST_OF(l, struct conn, heard)->tcp);
}

/* ---- out ---- */

static void send_failed(struct conn *c, const struct err *e)
{
    struct engine *g = c->g;
    struct item *it = item_of(g, g->stage->bad_task);
    uint64_t offset = g->stage->bad_offset;

    want(c, c->read, false);
    node_send_failed(g->node, c->id, e, g->now);
    if (it)
        item_unreadable(it, offset, e);
}

/* What the node has ready now, until the kernel takes no more or the turn is up. */
static void send_all(struct conn *c)
{
    struct engine *g = c->g;
    struct stage *s = g->stage ? g->stage : (g->stage = mem_alloc(sizeof *g->stage));
    struct node_out v[STAGE_SLICES];
    struct err e = {0};
    size_t n, budget = SEND_TURN;
    bool whole = true;

    while (whole && budget > 0 &&
           (n = node_send_what(g->node, c->id, v, STAGE_SLICES, g->now)) > 0) {
        bool good = stage_fill(s, g, v, n, &e);
        ssize_t sent = s->n ? tcp_send(c->tcp, s->v, s->n) : 0;

        if (sent < 0) {
            conn_lost(c);
            return;
        }
        node_sent(g->node, c->id, (size_t)sent, g->now);
        if (sent > 0)
            list_remove(&g->heard, &c->heard);
        budget -= (size_t)sent < budget ? (size_t)sent : budget;
        whole = (size_t)sent == s->total;
        if (whole && !good) {
            send_failed(c, &e);
            return;
        }
    }
    want(c, c->read, !whole || budget == 0);
}

static void writable(void *owner)
{
    struct conn *c = owner;

    c->g->now = loop_now(c->g->loop);
    send_all(c);
}

void conns_send(struct engine *g, const struct node_op *op)
{
    struct conn *c = conn_of(g, op->conn);

    if (c && c->open && !c->write)
        send_all(c);
}

/* ---- beginning and end ---- */

static void connected(void *owner, int err)
{
    struct conn *c = owner;
    struct engine *g = c->g;
    node_id id = c->id;

    g->now = loop_now(g->loop);
    if (err < 0) {
        conn_free(c);
    } else {
        c->open = true;
        want(c, true, false);
    }
    node_connected(g->node, id, err, g->now);
}

static const struct tcp_events events = {
    .connected = connected, .readable = readable, .writable = writable};

static struct conn *conn_new(struct engine *g, node_id id)
{
    struct conn *c = mem_zero(sizeof *c);

    c->g = g;
    c->id = id;
    map_put(g->conns, ID_KEY(c->id), c);
    mind_the_door(g);
    return c;
}

void conns_dial(struct engine *g, const struct node_op *op)
{
    struct conn *c = conn_new(g, op->conn);
    struct addr from = g->bind;
    struct err e = {0};

    from.port = 0;
    c->tcp = tcp_dial(g->loop, &op->addr, from.family ? &from : NULL, &events, c, &e);
    if (!c->tcp) {
        conn_free(c);
        node_connected(g->node, op->conn, ERR_NET, g->now);
    }
}

void conns_accepted(void *arg, struct tcp *tcp)
{
    struct engine *g = arg;

    g->now = loop_now(g->loop);
    node_id id = node_accepted(g->node, tcp_peer(tcp), g->now);
    if (id == 0) {
        tcp_close(tcp);
        return;
    }
    struct conn *c = conn_new(g, id);
    c->tcp = tcp;
    c->open = true;
    tcp_own(tcp, &events, c);
    want(c, true, false);
}

void conns_close(struct engine *g, const struct node_op *op)
{
    struct conn *c = conn_of(g, op->conn);

    if (c)
        conn_free(c);
}

void conns_free_all(struct engine *g)
{
    size_t at = 0;
    struct bytes key;
    void *v;

    while (map_walk(g->conns, &at, &key, &v)) {
        struct conn *c = v;

        conn_free(c);
        at = 0; /* the walk does not bear removals */
    }
    free(g->stage);
    g->stage = NULL;
}

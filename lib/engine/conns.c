/*
 * Connections: between the node, which counts in ids and spans, and TCP. Bytes are received where
 * the node says, and content leaves by sendfile from where it lies. A connection gets a bounded
 * share of each turn, so that one fast peer does not keep the others waiting.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define RECV_TURN (512u << 10) /* bytes of one connection in one turn */
#define SEND_TURN (1u << 20)
#define OUT_MAX 32
#define COPY_MAX (64u << 10) /* where sendfile cannot be used */

struct conn {
    struct engine *g;
    node_id id;
    struct tcp *tcp;
    bool open;           /* connected */
    bool read, write;    /* what is wanted of the loop */
    node_id bad_task;    /* whose content could not be read for sending, */
    uint64_t bad_offset; /* and from where on */
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
    struct span v[2];
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

/* ---- out ---- */

enum sent { SENT_ALL, SENT_SHORT, SENT_LOST, SENT_FAILED };

static enum sent sent_of(ssize_t r, size_t wanted, size_t *total)
{
    if (r < 0)
        return r == ERR_IO ? SENT_FAILED : SENT_LOST;
    *total += (size_t)r;
    return (size_t)r == wanted ? SENT_ALL : SENT_SHORT;
}

/* Through memory: where the kernel cannot send from this kind of file. */
static enum sent send_copy(struct conn *c, struct tree *t, const struct layout_seg *s,
                           size_t *total, struct err *e)
{
    uint8_t *mem = mem_alloc(COPY_MAX);
    enum sent r = SENT_ALL;

    for (uint64_t at = 0; at < s->length && r == SENT_ALL;) {
        size_t n = s->length - at < COPY_MAX ? (size_t)(s->length - at) : COPY_MAX;
        int64_t got = tree_pread(t, s->file, s->offset + at, (struct span){mem, n}, e);
        struct bytes b = BYTES(mem, n);

        if (got < (int64_t)n) {
            r = SENT_FAILED;
            break;
        }
        r = sent_of(tcp_send(c->tcp, &b, 1, false), n, total);
        at += n;
    }
    free(mem);
    return r;
}

static enum sent send_zeros(struct conn *c, uint64_t length, size_t *total)
{
    static const uint8_t zeros[16384];
    enum sent r = SENT_ALL;

    while (length > 0 && r == SENT_ALL) {
        size_t n = length < sizeof zeros ? (size_t)length : sizeof zeros;
        struct bytes b = BYTES(zeros, n);

        r = sent_of(tcp_send(c->tcp, &b, 1, false), n, total);
        length -= n;
    }
    return r;
}

static enum sent send_file(struct conn *c, struct item *it, struct tree *t,
                           const struct layout_seg *s, size_t *total, struct err *e)
{
    struct tree_pin pin;
    enum sent r;

    if (!watch_vouches(it, s->file)) {
        err_set(e, ERR_IO, "it was changed");
        return SENT_FAILED;
    }
    if (tree_pin(t, s->file, &pin, e) < 0)
        return SENT_FAILED;
    r = sent_of(tcp_send_file(c->tcp, pin.fd, pin.base + s->offset, (size_t)s->length),
                (size_t)s->length, total);
    tree_unpin(t, &pin);
    return r == SENT_FAILED ? send_copy(c, t, s, total, e) : r;
}

static enum sent send_content(struct conn *c, const struct node_out *o, size_t *total,
                              struct err *e)
{
    struct item *it = item_of(c->g, o->task);
    struct tree *t = it ? item_tree(it) : NULL;
    struct layout_iter iter;
    struct layout_seg s;
    enum sent r = SENT_ALL;

    if (!t)
        return SENT_FAILED;
    layout_iter_init(&iter, it->m, o->offset, o->length);
    while (r == SENT_ALL && layout_iter_next(&iter, &s))
        r = s.pad ? send_zeros(c, s.length, total) : send_file(c, it, t, &s, total, e);
    if (r == SENT_FAILED) {
        c->bad_task = o->task;
        c->bad_offset = s.pad ? o->offset : it->m->files[s.file].offset + s.offset;
    }
    return r;
}

static size_t gather(const struct node_out *v, size_t n, struct bytes *out)
{
    size_t i = 0;

    while (i < n && v[i].b.p) {
        out[i] = v[i].b;
        i++;
    }
    return i;
}

/* What the node has ready now, in order. */
static enum sent send_batch(struct conn *c, const struct node_out *v, size_t n, size_t *total,
                            struct err *e)
{
    enum sent r = SENT_ALL;

    for (size_t i = 0; i < n && r == SENT_ALL;) {
        struct bytes b[OUT_MAX];
        size_t k = gather(v + i, n - i, b), sum = 0;

        if (k == 0) {
            r = send_content(c, &v[i++], total, e);
            continue;
        }
        for (size_t j = 0; j < k; j++)
            sum += b[j].n;
        r = sent_of(tcp_send(c->tcp, b, k, i + k < n), sum, total);
        i += k;
    }
    return r;
}

static void send_failed(struct conn *c, const struct err *e)
{
    struct engine *g = c->g;
    node_id id = c->id;

    struct item *it = item_of(g, c->bad_task);
    uint64_t offset = c->bad_offset;

    want(c, c->read, false);
    node_send_failed(g->node, id, e, g->now);
    if (it)
        item_unreadable(it, offset, e);
}

static void send_all(struct conn *c)
{
    struct engine *g = c->g;
    struct node_out v[OUT_MAX];
    size_t n, budget = SEND_TURN, total = 0;
    enum sent r = SENT_ALL;
    struct err e = {0};

    while (r == SENT_ALL && budget > 0 &&
           (n = node_send_what(g->node, c->id, v, OUT_MAX, g->now)) > 0) {
        bool cork = n > 1;

        total = 0;
        if (cork)
            tcp_cork(c->tcp, true);
        r = send_batch(c, v, n, &total, &e);
        if (cork)
            tcp_cork(c->tcp, false);
        node_sent(g->node, c->id, total, g->now);
        budget -= total < budget ? total : budget;
    }
    if (r == SENT_LOST)
        conn_lost(c);
    else if (r == SENT_FAILED)
        send_failed(c, &e);
    else
        want(c, c->read, r == SENT_SHORT || budget == 0);
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
}

/* Streams between hosts: ordered bytes that share the hosts' rates and arrive late when lost. */
#include "tube_int.h"

#include <stdlib.h>

#define RTO (250 * USEC_MS)

static struct stream_end *find(struct host *h, node_id conn, struct stream **out, int *side)
{
    struct tube *t = h->tube;
    for (size_t i = t->n_streams; i-- > 0;) {
        struct stream *s = t->streams[i];
        for (int k = 0; k < 2; k++) {
            if (!s->open || s->end[k].host != h || s->end[k].conn != conn ||
                (!s->end[k].up && k == 1))
                continue;
            *out = s;
            *side = k;
            return &s->end[k];
        }
    }
    return NULL;
}

void stream_dial(struct host *h, const struct node_op *op)
{
    struct tube *t = h->tube;
    struct host *to = net_find(t, &op->addr);
    struct stream *s = mem_zero(sizeof *s);
    s->end[0] = (struct stream_end){.host = h, .conn = op->conn};
    s->end[1] = (struct stream_end){.host = to};
    s->open = true;
    t->streams = mem_grow(t->streams, t->n_streams + 1, sizeof *t->streams);
    t->streams[t->n_streams++] = s;
    bool refused = !to || to->dead || to->cfg.offline;
    struct event *e = tube_event(t, t->now + (to ? 2 * net_distance(h, to) : USEC_SEC), EV_CONNECTED);
    e->host = h;
    e->stream = s;
    e->err = refused ? ERR_NET : 0;
    if (refused)
        return;
    e = tube_event(t, t->now + net_distance(h, to), EV_ACCEPT);
    e->host = to;
    e->stream = s;
}

static void drop_late(struct stream_end *end)
{
    for (size_t i = 0; i < end->n_late; i++) {
        free(end->late[i]->data);
        free(end->late[i]);
    }
    free(end->late);
    end->late = NULL;
    end->n_late = 0;
}

void stream_close(struct stream *s, int side)
{
    struct stream_end *other = &s->end[!side];
    s->end[side].up = false;
    s->end[side].host = NULL;
    drop_late(&s->end[side]);
    if (!other->host || other->host->dead) {
        s->open = false;
        drop_late(other);
        return;
    }
    struct tube *t = other->host->tube;
    usec at = t->now + other->host->cfg.delay + 100;
    struct event *e = tube_event(t, at > other->last_arrival ? at : other->last_arrival, EV_CLOSED);
    e->host = other->host;
    e->stream = s;
    e->side = !side;
}

void stream_close_conn(struct host *h, node_id conn)
{
    struct stream *s;
    int side;
    if (find(h, conn, &s, &side))
        stream_close(s, side);
}

void stream_free(struct stream *s)
{
    drop_late(&s->end[0]);
    drop_late(&s->end[1]);
    free(s);
}

/* ---- sending ---- */

static size_t gather(struct host *h, node_id conn, uint8_t *to, size_t max)
{
    struct node_out v[8];
    size_t n = node_send_what(h->node, conn, v, 8, h->tube->now), got = 0;
    for (size_t i = 0; i < n && got < max; i++) {
        size_t len = v[i].length < max - got ? v[i].length : max - got;
        if (v[i].b.p) {
            memcpy(to + got, v[i].b.p, len);
        } else {
            const struct item *it = host_item(h, v[i].task);
            memcpy(to + got, it->disk + v[i].offset, len);
            if (h->cfg.liar && ++h->blocks_sent % h->cfg.liar == 0)
                to[got] ^= 1;
        }
        got += len;
    }
    return got;
}

/* One segment at a time goes onto the wire, so that the streams of a host share its rate. */
static bool send_one(struct stream *s, int side)
{
    struct stream_end *from = &s->end[side], *to = &s->end[!side];
    struct host *h = from->host;
    struct tube *t = h->tube;
    uint8_t *data = mem_alloc(SEGMENT);
    size_t n = to->host ? gather(h, from->conn, data, SEGMENT) : 0;
    if (n == 0) {
        free(data);
        return false;
    }
    node_sent(h->node, from->conn, n, t->now);
    h->sent += n;
    from->in_flight += n;
    usec at = net_through(&h->up_free, h->cfg.up, t->now, n);
    struct event *sent = tube_event(t, at, EV_ACK);
    sent->host = h;
    sent->stream = s;
    sent->side = side;
    sent->n = 0;
    at += net_distance(h, to->host);
    if (to->host->cfg.down)
        at = net_through(&to->host->down_free, to->host->cfg.down, at, n);
    double loss = h->cfg.loss + to->host->cfg.loss;
    if (loss > 0 && (double)rng_below(&t->rng, 1000000) < loss * 1e6)
        at += RTO;
    if (at < to->last_arrival)
        at = to->last_arrival;
    to->last_arrival = at;
    struct event *e = tube_event(t, at, EV_SEGMENT);
    e->host = to->host;
    e->stream = s;
    e->side = !side;
    e->data = data;
    e->n = n;
    return true;
}

static void push(struct stream *s, int side)
{
    struct stream_end *from = &s->end[side];
    struct tube *t = from->host->tube;
    uint64_t window = from->host->cfg.window ? from->host->cfg.window : WINDOW;
    while (from->want_send && from->up && s->open && from->host && !from->host->dead) {
        /* the uplink's queue is short: what is queued there cannot be reordered any more */
        if (from->in_flight >= window || from->host->up_free > t->now + 20 * USEC_MS)
            return;
        if (!send_one(s, side))
            from->want_send = false;
    }
}

/* The uplink has room again: every stream of the host may go on, from a different one each time. */
static void push_all(struct host *h)
{
    struct tube *t = h->tube;
    size_t n = t->n_streams, from = n ? h->turn++ % n : 0;
    for (size_t i = 0; i < n; i++) {
        struct stream *s = t->streams[(from + i) % n];
        for (int k = 0; k < 2; k++)
            if (s->open && s->end[k].host == h)
                push(s, k);
    }
}

void stream_push(struct host *h, node_id conn)
{
    struct stream *s;
    int side;
    struct stream_end *end = find(h, conn, &s, &side);
    if (!end)
        return;
    end->want_send = true;
    push(s, side);
}

/* ---- receiving ---- */

/* Gives a segment to the node as far as it reads. True when all of it went in. */
static bool deliver(struct stream *s, int side, struct event *e)
{
    struct host *h = s->end[side].host;
    while (e->off < e->n) {
        struct span v[2];
        node_id conn = s->end[side].conn;
        size_t k = node_recv_where(h->node, conn, v, h->tube->now), got = 0;
        for (size_t i = 0; i < k && e->off < e->n; i++) {
            size_t len = v[i].n < e->n - e->off ? v[i].n : e->n - e->off;
            memcpy(v[i].p, e->data + e->off, len);
            e->off += len;
            got += len;
        }
        if (got == 0)
            return false;
        node_received(h->node, conn, got, h->tube->now);
        tube_pump(h);
        if (!s->open || s->end[side].host != h)
            return true;
    }
    return true;
}

static void ack(struct stream *s, int side, size_t n)
{
    struct stream_end *from = &s->end[!side];
    struct host *h = s->end[side].host;
    if (!from->host || !h)
        return;
    struct event *e = tube_event(h->tube, h->tube->now + net_distance(h, from->host), EV_ACK);
    e->host = from->host;
    e->stream = s;
    e->side = !side;
    e->n = n;
}

static void segment(struct event *e)
{
    struct stream *s = e->stream;
    struct stream_end *end = &s->end[e->side];
    if (!s->open || !end->host || !end->up)
        return;
    if (end->n_late == 0 && deliver(s, e->side, e)) {
        ack(s, e->side, e->n);
        return;
    }
    if (!s->open || end->host != e->host)
        return;
    struct event *keep = mem_dup(e, sizeof *e);
    e->data = NULL;
    end->late = mem_grow(end->late, end->n_late + 1, sizeof(struct event *));
    end->late[end->n_late++] = keep;
}

void stream_read_on(struct host *h, node_id conn)
{
    struct stream *s;
    int side;
    struct stream_end *end = find(h, conn, &s, &side);
    while (end && end->n_late > 0) {
        struct event *e = end->late[0];
        bool whole = deliver(s, side, e);
        if (!s->open || end->host != h || end->n_late == 0 || end->late[0] != e)
            return;
        if (!whole)
            return;
        ack(s, side, e->n);
        memmove(end->late, end->late + 1, --end->n_late * sizeof *end->late);
        free(e->data);
        free(e);
    }
}

/* ---- events ---- */

static void connected(struct tube *t, struct event *e)
{
    struct stream_end *end = &e->stream->end[0];
    if (!end->host)
        return;
    if (e->err == 0 && !e->stream->end[1].up)
        e->err = ERR_NET; /* refused by the other node */
    end->up = e->err == 0;
    if (e->err)
        e->stream->open = false;
    node_connected(end->host->node, end->conn, e->err, t->now);
}

static void accepted(struct tube *t, struct event *e)
{
    struct stream_end *end = &e->stream->end[1];
    if (!e->stream->end[0].host)
        return;
    struct addr from = e->stream->end[0].host->addr;
    from.port = (uint16_t)(20000 + t->n_streams % 40000);
    end->conn = node_accepted(e->host->node, &from, t->now);
    end->up = end->conn != 0;
}

void stream_event(struct tube *t, struct event *e)
{
    struct stream *s = e->stream;
    struct stream_end *end = &s->end[e->side];
    if (!s->open)
        return;
    switch (e->kind) {
    case EV_CONNECTED:
        connected(t, e);
        break;
    case EV_ACCEPT:
        accepted(t, e);
        break;
    case EV_SEGMENT:
        segment(e);
        break;
    case EV_ACK:
        end->in_flight -= e->n < end->in_flight ? e->n : end->in_flight;
        if (end->host && e->n == 0)
            push_all(end->host);
        else if (end->host)
            push(s, e->side);
        break;
    case EV_CLOSED:
        if (end->host && end->up)
            node_closed(end->host->node, end->conn, t->now);
        s->open = false;
        drop_late(end);
        break;
    default:
        break;
    }
}

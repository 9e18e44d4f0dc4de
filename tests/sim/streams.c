/*
 * Streams between hosts: ordered bytes in segments. A segment waits for its sender's uplink, which
 * the streams of the host share in turn, passes the links, and is acknowledged when the receiving
 * node has read it. How much may be under way follows the queues it meets, as TCP would: doubled
 * each round trip until a queue of a tenth of a second or a loss, then less and slowly more.
 */
#include "tube_int.h"

#include <stdlib.h>

#define RTO (250 * USEC_MS) /* what a loss costs */
#define LONG_QUEUE (100 * USEC_MS)
#define UPLINK_QUEUE (20 * USEC_MS) /* what is queued there cannot be reordered any more */
#define SEGMENT_TIME (20 * USEC_MS) /* the slowest link's for one segment */
#define LEAST_SEGMENT 1460u
#define LEAST_ACK 512u /* bytes: less is not worth an event; far below any window */
#define FIRST_WINDOW 16384u
#define MOST_WINDOW (4u << 20)
#define NOBODY USEC_SEC         /* until a dial to an unused address fails */
#define SILENCE (60 * USEC_SEC) /* until one that nothing answers does */

/* ---- which stream is meant ---- */

static struct bytes conn_key(const node_id *conn)
{
    return BYTES((const uint8_t *)conn, sizeof *conn);
}

static struct stream_end *find(const struct host *h, node_id conn)
{
    return map_get(h->by_conn, conn_key(&conn));
}

static void attach(struct stream_end *end, struct host *h, node_id conn)
{
    end->host = h;
    end->conn = conn;
    map_put(h->by_conn, conn_key(&conn), end);
    h->ends = mem_grow(h->ends, h->n_ends + 1, sizeof(struct stream_end *));
    end->place = h->n_ends;
    h->ends[h->n_ends++] = end;
}

static void detach(struct stream_end *end)
{
    struct host *h = end->host;
    map_remove(h->by_conn, conn_key(&end->conn));
    h->ends[end->place] = h->ends[--h->n_ends];
    h->ends[end->place]->place = end->place;
    if (list_linked(&end->ready))
        list_remove(&h->ready, &end->ready);
    end->host = NULL;
    end->up = false;
}

static struct stream_end *other_end(const struct stream_end *end)
{
    return &end->stream->end[end == &end->stream->end[0]];
}

static uint8_t side_of(const struct stream_end *end)
{
    return end == &end->stream->end[1];
}

void stream_unref(struct tube *t, struct stream *s)
{
    (void)t;
    if (--s->refs == 0 && !s->end[0].host && !s->end[1].host)
        free(s);
}

/* An event for one end; the stream lives at least as long. */
static struct event *end_event(struct stream_end *end, struct host *h, enum event_kind kind)
{
    struct event *e = event_new(h->tube, kind, h);
    e->stream = end->stream;
    e->side = side_of(end);
    end->stream->refs++;
    return e;
}

/* ---- dialling ---- */

static void slower(uint64_t *least, uint64_t rate)
{
    if (rate && rate < *least)
        *least = rate;
}

static void init_end(struct stream *s, unsigned side, const struct host *from,
                     const struct host *to)
{
    struct stream_end *end = &s->end[side];
    uint64_t rate = UINT64_MAX / USEC_SEC;
    slower(&rate, from->up.rate);
    slower(&rate, to->down.rate);
    if (from->site != to->site) {
        slower(&rate, from->site->up.rate);
        slower(&rate, to->site->down.rate);
    }
    uint64_t n = rate * SEGMENT_TIME / USEC_SEC;
    end->stream = s;
    end->segment = n > SEGMENT ? SEGMENT : n < LEAST_SEGMENT ? LEAST_SEGMENT : (uint32_t)n;
    end->window = FIRST_WINDOW;
}

void stream_dial(struct host *h, const struct node_op *op)
{
    struct tube *t = h->tube;
    struct addr seen;
    struct host *to = net_route(h, &op->addr, false, &seen);
    struct stream *s = mem_zero(sizeof *s);
    usec there = to ? net_distance(h, to) : 0;
    bool refused = !to || to->dead || !to->node || to->cfg.offline;
    init_end(s, 0, h, to ? to : h);
    init_end(s, 1, to ? to : h, h);
    s->open = true;
    s->end[0].seen = seen;
    attach(&s->end[0], h, op->conn);
    struct event *e = end_event(&s->end[0], h, EV_CONNECTED);
    e->err = refused ? ERR_NET : 0;
    if (to && net_cut(h, to))
        event_again(t, e, t->now + SILENCE);
    else if (to)
        event_again(t, e, t->now + 2 * there);
    else
        event_again(t, e, t->now + (net_is_nat(t, &op->addr) ? SILENCE : NOBODY));
    if (refused || net_cut(h, to))
        return;
    event_again(t, end_event(&s->end[1], to, EV_ACCEPT), t->now + there);
}

static void accepted(struct tube *t, struct event *e)
{
    struct stream_end *end = &e->stream->end[1];
    if (!e->stream->end[0].host)
        return;
    node_id conn = node_accepted(e->host->node, &e->stream->end[0].seen, t->now);
    if (conn == 0)
        return;
    attach(end, e->host, conn);
    end->up = true;
}

static void end_close(struct stream_end *end);

static void connected(struct tube *t, struct event *e)
{
    struct stream_end *end = &e->stream->end[0];
    if (!end->host)
        return;
    end->up = e->err == 0 && e->stream->end[1].up; /* it may have refused */
    node_id conn = end->conn;
    if (!end->up)
        end_close(end);
    node_connected(e->host->node, conn, end->up ? 0 : ERR_NET, t->now);
}

/* ---- closing ---- */

static void drop_late(struct tube *t, struct stream_end *end)
{
    while (end->late) {
        struct event *e = end->late;
        end->late = e->next;
        event_free(t, e);
    }
}

/* This side is gone; the other hears of it when all that is under way to it has come. */
static void end_close(struct stream_end *end)
{
    struct stream_end *other = other_end(end);
    struct stream *s = end->stream;
    struct tube *t = end->host->tube;
    struct host *h = end->host;
    s->refs++;
    detach(end);
    s->open = false;
    drop_late(t, end);
    if (other->host) {
        usec at = t->now + net_distance(h, other->host);
        struct event *e = end_event(other, other->host, EV_CLOSED);
        e->from = h;
        event_again(t, e, at > other->last_arrival ? at : other->last_arrival);
    }
    stream_unref(t, s);
}

void stream_close_conn(struct host *h, node_id conn)
{
    struct stream_end *end = find(h, conn);
    if (end)
        end_close(end);
}

void stream_close_all(struct host *h)
{
    while (h->n_ends > 0)
        end_close(h->ends[h->n_ends - 1]);
}

static void closed(struct tube *t, struct event *e)
{
    struct stream_end *end = &e->stream->end[e->side];
    if (!end->host)
        return;
    if (end->coming > 0 || net_cut(e->from, end->host)) {
        event_again(t, e, t->now + (end->coming ? RTO : RETRY));
        return;
    }
    node_id conn = end->conn;
    bool up = end->up;
    end_close(end);
    if (up)
        node_closed(e->host->node, conn, t->now);
}

/* ---- sending ---- */

static void add_bytes(struct packet *p, uint8_t *room, const uint8_t *from, uint32_t n)
{
    memcpy(room + p->n_bytes, from, n);
    p->part[p->n_parts++] = (struct part){.n = n, .at = p->n_bytes};
    p->n_bytes += n;
    p->n += n;
}

/* A liar flips a bit of the first byte that it sends of a block's part. */
static void add_content(struct packet *p, uint8_t *room, struct host *h, const struct node_out *v,
                        uint32_t n)
{
    const struct item_state *s = disk_item(h, v->task);
    bool whole = !s->phantom || v->offset % LAYOUT_BLOCK == 0; /* else the lie would not be seen */
    bool wrong = h->cfg.liar && whole && ++h->blocks_sent % h->cfg.liar == 0;
    if (s->phantom) {
        p->part[p->n_parts++] = (struct part){
            .n = n, .ref = s->phantom->content + v->offset, .offset = v->offset, .wrong = wrong};
        p->n += n;
        return;
    }
    uint32_t at = p->n_bytes;
    add_bytes(p, room, s->it.disk + v->offset, n);
    room[at] ^= wrong;
}

static struct packet *gather(struct stream_end *end)
{
    struct host *h = end->host;
    struct node_out v[MAX_PARTS];
    uint8_t room[SEGMENT];
    struct packet p = {0};
    size_t n = node_send_what(h->node, end->conn, v, MAX_PARTS, h->tube->now);
    for (size_t i = 0; i < n && p.n < end->segment; i++) {
        uint32_t left = end->segment - p.n, len = v[i].length < left ? v[i].length : left;
        if (v[i].b.p)
            add_bytes(&p, room, v[i].b.p, len);
        else
            add_content(&p, room, h, &v[i], len);
    }
    if (p.n == 0)
        return NULL;
    struct packet *whole = mem_alloc(sizeof p + p.n_bytes);
    memcpy(whole, &p, sizeof p);
    memcpy(whole->bytes, room, p.n_bytes);
    return whole;
}

/* One segment at a time goes onto the wire, so that the streams of a host share its rate. */
static bool send_one(struct stream_end *end)
{
    struct stream_end *to = other_end(end);
    struct host *h = end->host;
    struct tube *t = h->tube;
    struct packet *p = to->host ? gather(end) : NULL;
    if (!p)
        return false;
    node_sent(h->node, end->conn, p->n, t->now);
    h->sent += p->n;
    end->in_flight += p->n;
    usec at = net_through(&h->up, t->now, p->n);
    struct event *e = end_event(to, to->host, EV_SEGMENT);
    to->coming++;
    e->number = to->numbers++;
    e->packet = p;
    e->n = p->n;
    e->from = h;
    if (h->site == to->host->site || h->site->up.rate == 0) { /* nothing to wait for there */
        at += net_distance(h, to->host);
        e->hop = 2;
    }
    event_again(t, e, at);
    return true;
}

static uint64_t window(const struct stream_end *end)
{
    return end->host->cfg.window ? end->host->cfg.window : end->window;
}

static bool may_send(const struct stream_end *end)
{
    return end->host && end->want_send && end->up && end->stream->open &&
           end->in_flight < window(end);
}

static void make_ready(struct stream_end *end)
{
    if (may_send(end) && !list_linked(&end->ready))
        list_push(&end->host->ready, &end->ready);
}

/* The streams that may send do so in turn, a segment each, while the uplink's queue is short. */
static void send_in_turn(struct host *h)
{
    struct tube *t = h->tube;
    while (h->ready.count > 0 && h->up.free_at <= t->now + UPLINK_QUEUE) {
        struct stream_end *end = LIST_OF(list_pop(&h->ready), struct stream_end, ready);
        if (may_send(end) && !send_one(end))
            end->want_send = false;
        make_ready(end);
    }
    if (h->ready.count > 0 && !h->uplink_awaited) {
        h->uplink_awaited = true;
        host_event(h, h->up.free_at - UPLINK_QUEUE, EV_UPLINK);
    }
}

void stream_uplink(struct tube *t, struct event *e)
{
    (void)t;
    e->host->uplink_awaited = false;
    send_in_turn(e->host);
}

static void push(struct stream_end *end)
{
    make_ready(end);
    send_in_turn(end->host);
}

void stream_push(struct host *h, node_id conn)
{
    struct stream_end *end = find(h, conn);
    if (!end)
        return;
    end->want_send = true;
    push(end);
}

/* ---- acknowledged ---- */

static void reduce(struct stream_end *end, usec now, usec rtt)
{
    end->avoiding = true;
    if (now - end->reduced_at < rtt)
        return;
    end->reduced_at = now;
    end->window = end->window * 7 / 10;
    if (end->window < end->segment)
        end->window = end->segment;
}

static void acked(struct tube *t, struct event *e)
{
    struct stream_end *end = &e->stream->end[e->side];
    if (!end->host)
        return;
    bool full = end->in_flight + end->segment > end->window;
    end->in_flight -= e->n < end->in_flight ? e->n : end->in_flight;
    if (e->lost || e->queued > LONG_QUEUE)
        reduce(end, t->now, 2 * net_distance(end->host, e->from) + e->queued);
    else if (full && end->window < MOST_WINDOW)
        end->window += end->avoiding ? (uint64_t)end->segment * e->n / end->window : e->n;
    push(end);
}

static void ack(struct stream_end *end, const struct event *of)
{
    struct stream_end *to = other_end(end);
    if (!to->host || !end->host)
        return;
    end->unacked += of->n;
    if (end->unacked < LEAST_ACK && !of->lost)
        return;
    struct event *e = end_event(to, to->host, EV_ACK);
    e->from = end->host;
    e->n = end->unacked;
    end->unacked = 0;
    e->queued = of->queued;
    e->lost = of->lost;
    event_again(e->from->tube, e, e->from->tube->now + net_distance(end->host, to->host));
}

/* ---- receiving ---- */

/* Of phantom content only the first bytes of blocks are carried; by them disk.c knows it. */
static void put_phantom(const struct part *p, uint32_t done, uint8_t *to, size_t n)
{
    uint64_t at = p->offset + done, end = at + n;
    for (uint64_t b = at / LAYOUT_BLOCK * LAYOUT_BLOCK; b < end; b += LAYOUT_BLOCK)
        for (uint64_t k = b; k < b + PHANTOM_MARK && k < end; k++)
            if (k >= at)
                to[k - at] = p->ref[k - p->offset];
    if (p->wrong && done == 0)
        to[0] ^= 1;
}

static void put_part(const struct packet *pk, const struct part *p, uint32_t done, uint8_t *to,
                     size_t n)
{
    if (p->ref)
        put_phantom(p, done, to, n);
    else
        memcpy(to, pk->bytes + p->at + done, n);
}

/* Which part is next, and how much of it is taken. */
static const struct part *part_at(const struct packet *pk, uint32_t *done)
{
    uint32_t at = 0, i = 0;
    for (; at + pk->part[i].n <= pk->off; i++)
        at += pk->part[i].n;
    *done = pk->off - at;
    return &pk->part[i];
}

/* Never two parts at once: payload then goes straight to its block's place. */
static size_t give(struct stream_end *end, struct packet *pk)
{
    struct host *h = end->host;
    struct span v[NODE_RECV_SPANS];
    uint32_t done;
    const struct part *p = part_at(pk, &done);
    size_t k = node_recv_where(h->node, end->conn, v, h->tube->now), got = 0;
    for (size_t i = 0; i < k && done < p->n; i++) {
        uint32_t n = v[i].n < p->n - done ? (uint32_t)v[i].n : p->n - done;
        put_part(pk, p, done, v[i].p, n);
        done += n;
        got += n;
    }
    return got;
}

/* Gives a segment to the node as far as it reads. True when all of it went in, or the end is gone:
 * then `end->host` is not h any more. */
static bool deliver(struct stream_end *end, struct event *e)
{
    struct host *h = end->host;
    struct packet *pk = e->packet;
    end->reading = true;
    while (pk->off < pk->n) {
        size_t got = give(end, pk);
        if (got == 0)
            break;
        pk->off += (uint32_t)got;
        h->received += got;
        node_received(h->node, end->conn, got, h->tube->now);
        tube_pump(h);
        if (end->host != h)
            return true;
    }
    end->reading = false;
    return pk->off == pk->n;
}

/* How long until it is really here: 0, unless it is lost now, cut off, or behind one that is. */
static usec held_up(struct tube *t, struct event *e, struct stream_end *end)
{
    if (net_cut(e->from, e->host))
        return RETRY;
    if (!e->judged && net_lost(e->from, e->host)) {
        e->judged = e->lost = true;
        return RTO;
    }
    e->judged = true;
    if (e->number == end->expected)
        return 0;
    return end->last_arrival > t->now ? end->last_arrival - t->now : USEC_MS;
}

static bool arrived(struct tube *t, struct event *e, struct stream_end *end)
{
    if (!net_hop(t, e, e->from, e->host, e->n, NULL))
        return false;
    usec wait = held_up(t, e, end);
    if (wait == 0)
        return true;
    if (end->last_arrival < t->now + wait)
        end->last_arrival = t->now + wait;
    event_again(t, e, t->now + wait);
    return false;
}

static void count_crossing(const struct event *e)
{
    if (e->from->site == e->host->site)
        return;
    e->from->site->out += e->n;
    e->host->site->in += e->n;
}

static void segment(struct tube *t, struct event *e)
{
    struct stream_end *end = &e->stream->end[e->side];
    if (!end->host || !arrived(t, e, end))
        return;
    end->last_arrival = t->now;
    end->coming--;
    end->expected++;
    count_crossing(e);
    if (!end->late && end->up && deliver(end, e)) {
        ack(end, e);
        return;
    }
    if (!end->host)
        return;
    e->held = true;
    e->next = NULL;
    if (end->late)
        end->late_last->next = e;
    else
        end->late = e;
    end->late_last = e;
}

static void read_on(struct stream_end *end)
{
    struct host *h = end->host;
    struct tube *t = h->tube;
    while (!end->reading && end->host == h && end->late && end->up) {
        struct event *e = end->late;
        end->stream->refs++;
        bool whole = deliver(end, e), here = end->host == h && end->late == e;
        stream_unref(t, end->stream);
        if (!here || !whole)
            return;
        end->late = e->next;
        ack(end, e);
        event_free(t, e);
    }
}

void stream_read_on(struct host *h, node_id conn)
{
    struct stream_end *end = find(h, conn);
    if (end)
        read_on(end);
}

/* ---- events ---- */

static void answered(struct tube *t, struct event *e)
{
    connected(t, e);
    if (e->stream->end[0].host)
        read_on(&e->stream->end[0]);
}

void stream_event(struct tube *t, struct event *e)
{
    switch (e->kind) {
    case EV_CONNECTED:
        answered(t, e);
        break;
    case EV_ACCEPT:
        accepted(t, e);
        break;
    case EV_SEGMENT:
        segment(t, e);
        break;
    case EV_ACK:
        acked(t, e);
        break;
    case EV_CLOSED:
        closed(t, e);
        break;
    default:
        break;
    }
}

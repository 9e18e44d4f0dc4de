/*
 * Datagrams, multicasts and names. A datagram passes the links like everything else, may be lost,
 * and is dropped when it does not fit the path's MTU: nothing is put together from fragments.
 */
#include "tube_int.h"

#include <stdio.h>
#include <stdlib.h>

#define UDP4_HEADERS 28u
#define UDP6_HEADERS 48u
#define MTU 1500u
#define DNS_TIME (30 * USEC_MS)
#define UPLINK_QUEUE USEC_SEC /* a host's own: what does not fit is dropped */

static uint32_t mtu(const struct host *h)
{
    return h->cfg.mtu ? h->cfg.mtu : MTU;
}

static size_t whole(const struct addr *seen, size_t n)
{
    return n + (seen->family == 4 ? UDP4_HEADERS : UDP6_HEADERS);
}

/* One copy on its way. */
static void carry(struct host *h, struct host *to, const struct addr *seen, struct bytes b,
                  enum event_kind kind)
{
    struct tube *t = h->tube;
    size_t n = whole(seen, b.n);
    if (n > mtu(h) || n > mtu(to)) {
        t->datagrams.too_long++;
        return;
    }
    if (net_lost(h, to) || net_cut(h, to) || h->up.free_at > t->now + UPLINK_QUEUE) {
        t->datagrams.lost++;
        return;
    }
    struct event *e = event_new(t, kind, to);
    e->from = h;
    e->addr = *seen;
    e->data = mem_dup(b.p, b.n);
    e->n = b.n;
    event_again(t, e, net_through(&h->up, t->now, n));
    h->sent += n;
}

void host_say(struct host *h, const struct addr *to, struct bytes b)
{
    struct tube *t = h->tube;
    struct addr seen;
    if (!h->cfg.udp || h->dead)
        return;
    t->datagrams.sent++;
    t->datagrams.bytes += b.n;
    struct host *there = net_route(h, to, true, &seen);
    if (tracker_is_at(to))
        tracker_datagram(h, &seen, b);
    else if (!there || !there->cfg.udp || there->dead)
        t->datagrams.nobody++;
    else
        carry(h, there, &seen, b, EV_DATAGRAM);
}

void datagram_op(struct host *h, const struct node_op *op)
{
    host_say(h, &op->addr, op->data);
}

/* To all others of the site, as a switch does. */
void multicast_send(struct host *h, const struct node_op *op)
{
    const struct addr *from = op->addr.family == 6 ? &h->addr6 : &h->addr;
    if (!h->cfg.site || from->family != op->addr.family)
        return;
    for (uint32_t i = 0; i < h->site->n_hosts; i++) {
        struct host *to = h->site->hosts[i];
        bool hears = op->addr.family == 6 ? to->cfg.v6 : !to->cfg.no_v4;
        if (to != h && hears && !to->dead)
            carry(h, to, from, op->data, EV_MULTICAST);
    }
}

void datagram_from_server(struct host *h, const struct addr *server, struct addr seen,
                          struct bytes b)
{
    struct tube *t = h->tube;
    struct host *to = net_route_in(t, &seen, server);
    if (!to || to != h)
        return;
    struct event *e = event_new(t, EV_DATAGRAM, h);
    e->hop = 2;
    e->addr = *server;
    e->data = mem_dup(b.p, b.n);
    e->n = b.n;
    event_again(t, e, t->now + 2 * (h->cfg.delay + h->site->cfg.delay) + 20 * USEC_MS);
}

static void count_crossing(const struct event *e, size_t n)
{
    struct site *to = e->host->site;
    e->host->received += n;
    if (e->from && e->from->site == to)
        return;
    to->in += n;
    if (e->from)
        e->from->site->out += n;
}

void datagram_event(struct tube *t, struct event *e)
{
    bool dropped = false;
    size_t n = whole(&e->addr, e->n);
    if (!net_hop(t, e, e->from, e->host, n, &dropped)) {
        t->datagrams.lost += dropped;
        return;
    }
    t->datagrams.arrived++;
    count_crossing(e, n);
    struct bytes b = BYTES(e->data, e->n);
    if (e->host->cfg.puppet)
        e->host->cfg.puppet(e->host, &e->addr, b, e->host->cfg.puppet_arg);
    else if (e->kind == EV_MULTICAST)
        node_multicast(e->host->node, &e->addr, b, t->now);
    else
        node_datagram(e->host->node, &e->addr, b, t->now);
}

/* ---- names ---- */

void resolve_ask(struct host *h, const struct node_op *op)
{
    struct event *e = host_event(h, h->tube->now + DNS_TIME, EV_RESOLVED);
    unsigned n;
    int end = 0;
    e->job = op->job;
    e->piece = UINT32_MAX;
    if (strcmp(op->text, "tracker.test") == 0)
        e->addr = tracker_addr();
    else if (sscanf(op->text, "h%u.test%n", &n, &end) == 1 && end && !op->text[end])
        e->piece = n;
}

void resolve_event(struct tube *t, struct event *e)
{
    struct addr v[2];
    size_t n = 0;
    struct host *named = e->piece < t->n_hosts ? t->hosts[e->piece] : NULL;
    if (e->addr.family)
        v[n++] = e->addr;
    if (named && !named->cfg.no_v4)
        v[n++] = host_public(named);
    if (named && named->cfg.v6)
        v[n++] = named->addr6;
    node_resolved(e->host->node, e->job, v, n, t->now);
}

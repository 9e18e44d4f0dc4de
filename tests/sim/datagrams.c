/*
 * Datagrams, multicasts and names. A datagram passes its sender's uplink and the receiver's
 * downlink like everything else, may be lost, and is dropped when it does not fit the path's MTU:
 * nothing here is put together from fragments.
 */
#include "tube_int.h"

#include <stdio.h>
#include <stdlib.h>

#define UDP4_HEADERS 28u
#define UDP6_HEADERS 48u
#define DNS_TIME (30 * USEC_MS)

static uint32_t mtu(const struct host *h)
{
    return h->cfg.mtu ? h->cfg.mtu : 1500;
}

static bool is_lost(const struct host *a, const struct host *b)
{
    double loss = a->cfg.loss + b->cfg.loss;
    return loss > 0 && (double)rng_below(&a->tube->rng, 1000000) < loss * 1e6;
}

/* One copy on its way from h to `to`. */
static void carry(struct host *h, struct host *to, const struct addr *from, struct bytes b,
                  enum event_kind kind)
{
    struct tube *t = h->tube;
    size_t whole = b.n + (from->family == 4 ? UDP4_HEADERS : UDP6_HEADERS);
    usec at = net_through(&h->up_free, h->cfg.up, t->now, whole) + net_distance(h, to);
    h->sent += whole;
    if (whole > mtu(h) || whole > mtu(to)) {
        t->datagrams.too_long++;
        return;
    }
    if (is_lost(h, to)) {
        t->datagrams.lost++;
        return;
    }
    if (to->cfg.down)
        at = net_through(&to->down_free, to->cfg.down, at, whole);
    struct event *e = tube_event(t, at, kind);
    e->host = to;
    e->from = *from;
    e->data = mem_dup(b.p, b.n);
    e->n = b.n;
}

void datagram_send(struct host *h, const struct node_op *op)
{
    struct tube *t = h->tube;
    const struct addr *from = op->addr.family == 6 ? &h->addr6 : &h->addr;
    struct host *to = net_find(t, &op->addr);
    if (!h->cfg.udp || from->family != op->addr.family)
        return;
    t->datagrams.sent++;
    t->datagrams.bytes += op->data.n;
    if (!to || !to->cfg.udp)
        t->datagrams.nobody++;
    else
        carry(h, to, from, op->data, EV_DATAGRAM);
}

/* To all others of the site, as a switch does; the hosts themselves say which groups they mean. */
void multicast_send(struct host *h, const struct node_op *op)
{
    const struct addr *from = op->addr.family == 6 ? &h->addr6 : &h->addr;
    if (!h->cfg.site || from->family != op->addr.family)
        return;
    for (uint32_t i = 0; i < h->site->n_hosts; i++) {
        struct host *to = h->site->hosts[i];
        bool hears = op->addr.family == 6 ? to->cfg.v6 : !to->cfg.no_v4;
        if (to != h && hears)
            carry(h, to, from, op->data, EV_MULTICAST);
    }
}

void datagram_event(struct tube *t, struct event *e)
{
    struct bytes b = BYTES(e->data, e->n);
    t->datagrams.arrived++;
    if (e->kind == EV_MULTICAST)
        node_multicast(e->host->node, &e->from, b, t->now);
    else
        node_datagram(e->host->node, &e->from, b, t->now);
}

/* ---- names ---- */

void resolve_ask(struct host *h, const struct node_op *op)
{
    struct event *e = tube_event(h->tube, h->tube->now + DNS_TIME, EV_RESOLVED);
    unsigned n;
    int end = 0;
    e->host = h;
    e->job = op->job;
    e->piece = UINT32_MAX;
    if (sscanf(op->text, "h%u.test%n", &n, &end) == 1 && end && !op->text[end])
        e->piece = n;
}

void resolve_event(struct tube *t, struct event *e)
{
    struct addr v[2];
    size_t n = 0;
    struct host *named = e->piece < t->n_hosts ? t->hosts[e->piece] : NULL;
    if (named && !named->cfg.no_v4)
        v[n++] = named->addr;
    if (named && named->cfg.v6)
        v[n++] = named->addr6;
    node_resolved(e->host->node, e->job, v, n, t->now);
}

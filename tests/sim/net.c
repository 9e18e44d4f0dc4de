/*
 * The ground of the tube: sites, addresses, distances, links and cuts. Every site has a network of
 * its own, a /16 of IPv4 and a /32 of IPv6, in public space; its hosts share the first three
 * octets, or, behind a NAT, one address, and have private ones inside. IPv6 is never translated.
 *
 * A packet's way: the sender's uplink, its site's uplink, the distance, the other site's downlink,
 * the receiver's downlink. Bytes pass a link one after the other in the order of their coming.
 */
#include "tube_int.h"

#include <stdlib.h>

#define FIRST_OCTET 11u /* 11/8 to 99/8: nothing in between is reserved */
#define OCTETS 89u
#define MAX_SITES (OCTETS * 256)
#define MAX_SITE_HOSTS 250u
#define HOP 100              /* microseconds between any two hosts at least */
#define TOO_SHORT 50         /* microseconds on a link that are not worth an event */
#define QUEUE (2 * USEC_SEC) /* a link holds so much; datagrams beyond it are dropped */

/* ---- sites ---- */

static struct bytes ip_key(const struct addr *a)
{
    return BYTES(a->ip, a->family == 4 ? 4 : 16);
}

/* Who has an address: one host, or all behind a NAT. */
struct place {
    struct host *host;
    struct site *site;
};

static void give_address(struct tube *t, const struct addr *a, struct host *h, struct site *s)
{
    struct place *p = mem_zero(sizeof *p);
    *p = (struct place){.host = h, .site = s};
    if (map_put(t->by_ip, ip_key(a), p))
        abort(); /* two with one address */
}

static struct addr address4(const struct site *s, unsigned k)
{
    unsigned n = s->number - 1;
    struct addr a = {.family = 4, .port = PORT};
    if (s->cfg.nat && k > 0) {
        a.ip[0] = 10;
        a.ip[1] = (uint8_t)(n >> 8);
        a.ip[2] = (uint8_t)n;
    } else {
        a.ip[0] = (uint8_t)(FIRST_OCTET + n % OCTETS);
        a.ip[1] = (uint8_t)(n / OCTETS);
        a.ip[2] = (uint8_t)(n * 7 + 3);
    }
    a.ip[3] = (uint8_t)(k + 1);
    return a;
}

static struct addr address6(const struct site *s, unsigned k)
{
    unsigned n = s->number - 1;
    struct addr a = {.family = 6, .port = PORT, .ip = {0x2a, 1}};
    a.ip[2] = (uint8_t)(n >> 8);
    a.ip[3] = (uint8_t)n;
    a.ip[15] = (uint8_t)(k + 1);
    return a;
}

struct site *site_new(struct tube *t, const struct site_config *c)
{
    struct site *s = mem_zero(sizeof *s);
    if (t->n_sites == MAX_SITES)
        abort();
    s->cfg = *c;
    s->up.rate = c->up;
    s->down.rate = c->down;
    t->sites = mem_grow(t->sites, t->n_sites + 1, sizeof(struct site *));
    t->sites[t->n_sites++] = s;
    s->number = t->n_sites;
    if (c->nat) {
        s->outside = address4(s, 0);
        s->nat = nat_new(c->nat, rng_u64(&t->rng));
        give_address(t, &s->outside, NULL, s);
    }
    return s;
}

void site_free(struct site *s)
{
    nat_free(s->nat);
    free(s->hosts);
    free(s);
}

unsigned tube_site(struct tube *t, const struct site_config *c)
{
    return site_new(t, c)->number;
}

static void map_port(struct site *s, struct host *h)
{
    h->outside = s->outside;
    h->outside.port = nat_map_port(s->nat, h, PORT);
}

void site_join(struct site *s, struct host *h)
{
    if (s->n_hosts == MAX_SITE_HOSTS)
        abort();
    s->hosts = mem_grow(s->hosts, s->n_hosts + 1, sizeof(struct host *));
    s->hosts[s->n_hosts++] = h;
    h->site = s;
    if (!h->cfg.no_v4) {
        h->addr = address4(s, s->n_hosts);
        give_address(h->tube, &h->addr, h, NULL);
    }
    if (h->cfg.v6) {
        h->addr6 = address6(s, s->n_hosts);
        give_address(h->tube, &h->addr6, h, NULL);
    }
    if (h->cfg.mapped && s->nat && !h->cfg.no_v4)
        map_port(s, h);
}

/* ---- who gets what ---- */

/* From inside to the address of the own NAT, where that is turned round. */
static struct host *into_nat(struct host *h, struct site *s, const struct addr *to, bool udp,
                             const struct addr *from)
{
    if (s == h->site && !s->cfg.hairpin)
        return NULL;
    return udp ? nat_in(s->nat, to->port, from, h->tube->now) : nat_mapped(s->nat, to->port);
}

static bool seen_as(struct host *h, const struct addr *to, bool udp, struct addr *from)
{
    struct tube *t = h->tube;
    *from = to->family == 6 ? h->addr6 : h->addr;
    if (from->family != to->family || from->family == 0)
        return false;
    uint16_t inside = from->port;
    if (!udp) /* dials leave by a port of their own */
        inside = from->port = (uint16_t)(20000 + t->ports++ % 40000);
    if (from->family == 4 && h->site->nat) {
        *from = h->site->outside;
        from->port = udp ? nat_out(h->site->nat, h, inside, to, t->now) : inside;
    }
    return from->port != 0;
}

static bool is_private(const struct addr *a)
{
    return a->family == 4 && a->ip[0] == 10;
}

struct host *net_route(struct host *h, const struct addr *to, bool udp, struct addr *from)
{
    const struct place *p = to->family ? map_get(h->tube->by_ip, ip_key(to)) : NULL;
    struct host *there = p ? p->host : NULL;
    if (there && there->site == h->site) { /* on one link: nothing is translated */
        *from = to->family == 6 ? h->addr6 : h->addr;
        if (!udp)
            from->port = (uint16_t)(20000 + h->tube->ports++ % 40000);
        return to->port == PORT && from->family ? there : NULL;
    }
    if (!seen_as(h, to, udp, from) || is_private(to))
        return NULL;
    if (p && p->site)
        return into_nat(h, p->site, to, udp, from);
    return there && to->port == PORT ? there : NULL;
}

struct host *net_route_in(struct tube *t, const struct addr *to, const struct addr *server)
{
    const struct place *p = map_get(t->by_ip, ip_key(to));
    if (p && p->site)
        return nat_in(p->site->nat, to->port, server, t->now);
    return p ? p->host : NULL;
}

bool net_is_nat(const struct tube *t, const struct addr *a)
{
    const struct place *p = map_get(t->by_ip, ip_key(a));
    return p && p->site;
}

struct addr host_public(const struct host *h)
{
    if (h->outside.family)
        return h->outside;
    if (h->site->nat && !h->cfg.no_v4)
        return h->site->outside;
    return host_addr(h);
}

/* ---- how far ---- */

usec net_distance(const struct host *a, const struct host *b)
{
    if (a->site == b->site)
        return a->cfg.delay + b->cfg.delay + HOP;
    return a->cfg.delay + a->site->cfg.delay + b->site->cfg.delay + b->cfg.delay + HOP;
}

bool net_cut(const struct host *a, const struct host *b)
{
    return a->island != b->island;
}

void host_island(struct host *h, unsigned island)
{
    h->island = island;
}

void tube_heal(struct tube *t)
{
    for (uint32_t i = 0; i < t->n_hosts; i++)
        t->hosts[i]->island = 0;
}

bool net_lost(struct host *a, struct host *b)
{
    double loss = (a ? a->cfg.loss : 0) + b->cfg.loss;
    return loss > 0 && (double)rng_below(&b->tube->rng, 1000000) < loss * 1e6;
}

/* ---- links ---- */

usec net_through(struct link *l, usec from, size_t n)
{
    usec start = from > l->free_at ? from : l->free_at;
    l->free_at = start + (l->rate ? (usec)(n * 1000000ull / l->rate) : 0);
    return l->free_at;
}

/* The shared links between two hosts, the sender's own excepted, which paces it. `from` NULL: a
 * server in the middle of the net. */
static struct link *link_at(unsigned hop, struct host *from, struct host *to, usec *delay)
{
    bool far = !from || from->site != to->site;
    *delay = 0;
    switch (hop) {
    case 0:
        return far && from ? &from->site->up : NULL;
    case 1:
        *delay = from ? net_distance(from, to) : to->cfg.delay + to->site->cfg.delay + HOP;
        return NULL;
    case 2:
        return far ? &to->site->down : NULL;
    default:
        return &to->down;
    }
}

bool net_hop(struct tube *t, struct event *e, struct host *from, struct host *to, size_t n,
             bool *dropped)
{
    usec at = t->now;
    while (e->hop < 4 && at == t->now) {
        usec delay;
        struct link *l = link_at(e->hop++, from, to, &delay);
        at += delay;
        if (!l || l->rate == 0)
            continue;
        usec wait = l->free_at > at ? l->free_at - at : 0;
        if (dropped && wait > QUEUE) {
            *dropped = true;
            return false;
        }
        e->queued += wait;
        usec out = net_through(l, at, n);
        at = out - at < TOO_SHORT ? at : out;
    }
    if (at == t->now)
        return true;
    event_again(t, e, at);
    return false;
}

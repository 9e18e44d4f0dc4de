/*
 * The ground of the tube: sites, addresses, distances and links. Every site has a network of its
 * own, a /16 of IPv4 and a /32 of IPv6, in public space; its hosts share the first three octets.
 */
#include "tube_int.h"

#include <stdlib.h>

#define FIRST_OCTET 11u /* 11/8 to 99/8: nothing in between is reserved */
#define OCTETS 89u
#define MAX_SITES (OCTETS * 256)
#define MAX_SITE_HOSTS 250u
#define HOP 100 /* microseconds between any two hosts at least */

struct site *site_new(struct tube *t, const struct site_config *c)
{
    struct site *s = mem_zero(sizeof *s);
    if (t->n_sites == MAX_SITES)
        abort();
    s->cfg = *c;
    t->sites = mem_grow(t->sites, t->n_sites + 1, sizeof(struct site *));
    t->sites[t->n_sites++] = s;
    s->number = t->n_sites;
    return s;
}

void site_free(struct site *s)
{
    free(s->hosts);
    free(s);
}

unsigned tube_site(struct tube *t, const struct site_config *c)
{
    return site_new(t, c)->number;
}

static struct bytes ip_key(const struct addr *a)
{
    return BYTES(a->ip, a->family == 4 ? 4 : 16);
}

static void give_address(struct host *h, struct addr *a)
{
    if (map_put(h->tube->by_ip, ip_key(a), h))
        abort(); /* two hosts with one address */
}

void site_join(struct site *s, struct host *h)
{
    unsigned n = s->number - 1, k = s->n_hosts;
    if (k == MAX_SITE_HOSTS)
        abort();
    s->hosts = mem_grow(s->hosts, k + 1, sizeof(struct host *));
    s->hosts[s->n_hosts++] = h;
    h->site = s;
    if (!h->cfg.no_v4) {
        h->addr = (struct addr){.family = 4, .port = 6881};
        h->addr.ip[0] = (uint8_t)(FIRST_OCTET + n % OCTETS);
        h->addr.ip[1] = (uint8_t)(n / OCTETS);
        h->addr.ip[2] = (uint8_t)(n * 7 + 3);
        h->addr.ip[3] = (uint8_t)(k + 2);
        give_address(h, &h->addr);
    }
    if (h->cfg.v6) {
        h->addr6 = (struct addr){.family = 6, .port = 6881, .ip = {0x2a, 1}};
        h->addr6.ip[2] = (uint8_t)(n >> 8);
        h->addr6.ip[3] = (uint8_t)n;
        h->addr6.ip[15] = (uint8_t)(k + 2);
        give_address(h, &h->addr6);
    }
}

usec net_distance(const struct host *a, const struct host *b)
{
    if (a->site == b->site)
        return a->cfg.delay + b->cfg.delay + HOP;
    return a->cfg.delay + a->site->cfg.delay + b->site->cfg.delay + b->cfg.delay + HOP;
}

struct host *net_find(const struct tube *t, const struct addr *a)
{
    struct host *h = a->family ? map_get(t->by_ip, ip_key(a)) : NULL;
    return h && a->port == (a->family == 4 ? h->addr : h->addr6).port ? h : NULL;
}

/* Bytes pass a link one after the other: when the last of these n is through. */
usec net_through(usec *free_at, uint64_t rate, usec from, size_t n)
{
    usec start = from > *free_at ? from : *free_at;
    *free_at = start + (rate ? (usec)(n * 1000000ull / rate) : 0);
    return *free_at;
}

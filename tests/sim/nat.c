/*
 * Address translation of the four classic kinds (RFC 3489, section 5), for datagrams: what goes
 * out makes a mapping, and the kind says who may answer by it. Mappings and permissions last two
 * minutes after the last datagram out (RFC 4787, REQ-5). Ports that are mapped by hand, as a router
 * does when asked, hold for ever and for everybody.
 *
 *   full cone        anybody may send to a mapped port
 *   restricted       only addresses that were sent to
 *   port-restricted  only addresses and ports that were sent to
 *   symmetric        that, and every destination sees another port
 */
#include "tube_int.h"

#include <stdlib.h>

#define LIFETIME (120 * USEC_SEC)
#define FIRST_PORT 20000u
#define LAST_PORT 65000u

struct mapping {
    uint16_t port; /* outside */
    struct host *host;
    usec until;
    struct mapping *next;
};
struct permit {
    usec until;
    struct permit *next;
};

struct nat {
    enum nat_kind kind;
    uint16_t next_port;
    struct map *out;     /* who (and to whom) → mapping */
    struct map *in;      /* port outside → mapping */
    struct map *permits; /* port outside and from whom → permit */
    struct mapping *mappings;
    struct permit *all_permits;
};

struct nat *nat_new(enum nat_kind kind, uint64_t seed)
{
    struct nat *n = mem_zero(sizeof *n);
    n->kind = kind;
    n->next_port = (uint16_t)(FIRST_PORT + seed % (LAST_PORT - FIRST_PORT));
    n->out = map_new(seed);
    n->in = map_new(seed + 1);
    n->permits = map_new(seed + 2);
    return n;
}

void nat_free(struct nat *n)
{
    if (!n)
        return;
    for (struct mapping *m = n->mappings, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    for (struct permit *p = n->all_permits, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    map_free(n->out);
    map_free(n->in);
    map_free(n->permits);
    free(n);
}

static struct bytes in_key(uint8_t key[2], uint16_t port)
{
    key[0] = (uint8_t)(port >> 8);
    key[1] = (uint8_t)port;
    return BYTES(key, 2);
}

static struct mapping *find_in(const struct nat *n, uint16_t port)
{
    uint8_t key[2];
    return map_get(n->in, in_key(key, port));
}

static struct mapping *add_mapping(struct nat *n, struct host *h, uint16_t port)
{
    struct mapping *m = mem_zero(sizeof *m);
    uint8_t key[2];
    m->port = port;
    m->host = h;
    m->next = n->mappings;
    n->mappings = m;
    map_put(n->in, in_key(key, port), m);
    return m;
}

/* One that nobody holds any more is taken over. */
static struct mapping *new_mapping(struct nat *n, struct host *h, usec now)
{
    for (unsigned tries = 0; tries < LAST_PORT - FIRST_PORT; tries++) {
        uint16_t port = n->next_port++;
        if (n->next_port >= LAST_PORT)
            n->next_port = FIRST_PORT;
        struct mapping *m = find_in(n, port);
        if (!m)
            return add_mapping(n, h, port);
        if (m->until > now)
            continue;
        m->host = h;
        return m;
    }
    return NULL;
}

static size_t out_key(const struct nat *n, const struct host *h, uint16_t port,
                      const struct addr *to, uint8_t key[32])
{
    size_t k = 6;
    memcpy(key, &h->index, 4);
    memcpy(key + 4, &port, 2);
    if (n->kind == NAT_SYMMETRIC)
        k += addr_put_compact(to, key + k);
    return k;
}

static size_t permit_key(const struct nat *n, uint16_t port, const struct addr *from,
                         uint8_t key[32])
{
    memcpy(key, &port, 2);
    size_t k = addr_put_compact(from, key + 2);
    return 2 + (n->kind == NAT_RESTRICTED ? k - 2 : k); /* without the port */
}

static void permit(struct nat *n, uint16_t port, const struct addr *to, usec now)
{
    uint8_t key[32];
    if (n->kind == NAT_FULL_CONE)
        return;
    struct bytes k = BYTES(key, permit_key(n, port, to, key));
    struct permit *p = map_get(n->permits, k);
    if (!p) {
        p = mem_zero(sizeof *p);
        p->next = n->all_permits;
        n->all_permits = p;
        map_put(n->permits, k, p);
    }
    p->until = now + LIFETIME;
}

/* A port mapped by hand is also the one by which its datagrams leave. */
static struct mapping *by_hand(struct nat *n, const struct host *h, uint16_t port)
{
    struct mapping *m = h->outside.family ? find_in(n, h->outside.port) : NULL;
    return m && port == PORT ? m : NULL;
}

uint16_t nat_out(struct nat *n, struct host *h, uint16_t port, const struct addr *to, usec now)
{
    uint8_t key[32];
    struct mapping *m = by_hand(n, h, port);
    if (m)
        return m->port;
    struct bytes k = BYTES(key, out_key(n, h, port, to, key));
    m = map_get(n->out, k);
    if (!m || m->until <= now || m->host != h) {
        m = new_mapping(n, h, now);
        if (!m)
            return 0;
        map_put(n->out, k, m);
    }
    m->until = now + LIFETIME;
    permit(n, m->port, to, now);
    return m->port;
}

struct host *nat_mapped(const struct nat *n, uint16_t port)
{
    struct mapping *m = find_in(n, port);
    return m && m->until == USEC_NEVER ? m->host : NULL;
}

struct host *nat_in(struct nat *n, uint16_t port, const struct addr *from, usec now)
{
    uint8_t key[32];
    struct mapping *m = find_in(n, port);
    if (!m || m->until <= now)
        return NULL;
    if (m->until == USEC_NEVER || n->kind == NAT_FULL_CONE)
        return m->host;
    struct permit *p = map_get(n->permits, BYTES(key, permit_key(n, port, from, key)));
    return p && p->until > now ? m->host : NULL;
}

uint16_t nat_map_port(struct nat *n, struct host *h, uint16_t port)
{
    while (find_in(n, port))
        port++;
    add_mapping(n, h, port)->until = USEC_NEVER;
    return port;
}

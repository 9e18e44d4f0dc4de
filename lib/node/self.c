/*
 * What our own address is, as others see it. Rules:
 * - One stranger is not believed: three of different networks must say the same, and more than half
 *   of those who spoke of late. Only public addresses count, told by public ones.
 * - What the nodes of the DHT agree upon goes before that, for they vote with more care, and what
 *   the router says of its own outside before all.
 */
#include "node/node_int.h"

#include <p2p/proto/dht_addr.h>

#include <stdlib.h>

#define VOTES 24u
#define VOTES_LEAST 3u
#define VOTE_TIME (60 * USEC_MIN)
#define MET_MAX 8u /* addresses by which we met ourselves: the latest */

struct vote {
    struct addr voter, says; /* voter's family 0: whoever has no address */
    usec at;
};

struct side {
    struct vote v[VOTES];
    unsigned n, next;
    struct addr voted, agreed, router; /* family 0: not known */
    struct addr told;                  /* what was last told of in NODE_EXTERNAL */
};

struct self {
    struct side side[2]; /* IPv4, IPv6 */
    struct addr met[MET_MAX];
    unsigned n_met; /* ever */
};

static struct side *side_of(const struct node *n, int family)
{
    return &n->self->side[family == 6];
}

void self_init(struct node *n)
{
    n->self = mem_zero(sizeof *n->self);
}

void self_fini(struct node *n)
{
    free(n->self);
}

/* ---- what is believed ---- */

static uint16_t port_of(const struct node *n, const struct side *s)
{
    return s->router.port && n->cfg.port ? s->router.port : n->cfg.port;
}

uint16_t self_port(const struct node *n, int family)
{
    return port_of(n, side_of(n, family));
}

/* Who is on our side of the router comes straight to us. */
uint16_t self_port_for(const struct node *n, const struct addr *peer)
{
    return addr_scope(peer) == ADDR_PUBLIC ? self_port(n, peer->family) : n->cfg.port;
}

bool self_address(const struct node *n, int family, struct addr *out)
{
    const struct side *s = side_of(n, family);
    bool router = s->router.family && addr_scope(&s->router) == ADDR_PUBLIC;
    *out = router ? s->router : s->agreed.family ? s->agreed : s->voted;
    out->port = port_of(n, s);
    return out->family != 0;
}

bool node_external(const struct node *n, int family, struct addr *out)
{
    return self_address(n, family, out);
}

void self_task(struct task *t)
{
    struct addr a;
    for (int family = 4; family <= 6; family += 2)
        if (self_address(t->node, family, &a))
            pool_set_self(t->pool, &a);
}

/* Trackers tell us of ourselves, for each item anew. */
bool self_is(const struct node *n, const struct addr *a)
{
    const struct self *s = n->self;
    for (unsigned i = 0; i < s->n_met && i < MET_MAX; i++)
        if (addr_eq(&s->met[i], a))
            return true;
    return false;
}

void self_met(struct node *n, const struct addr *a)
{
    if (!self_is(n, a))
        n->self->met[n->self->n_met++ % MET_MAX] = *a;
}

static void judge(struct node *n, int family)
{
    struct side *s = side_of(n, family);
    struct addr a;
    uint32_t it = 0;
    struct task *t;
    if (!self_address(n, family, &a) || addr_eq(&a, &s->told))
        return;
    s->told = a;
    node_op(n, NODE_EXTERNAL)->addr = a;
    while ((t = idtab_walk(&n->tasks, &it)) != NULL)
        pool_set_self(t->pool, &a);
}

/* ---- who says so ---- */

static bool same_voter(const struct addr *a, const struct addr *b)
{
    return addr_same_ip(a, b) || (a->family && dht_addr_near(a, b));
}

static void cast(struct side *s, const struct addr *voter, const struct addr *says, usec now)
{
    unsigned at = 0;
    while (at < s->n && !same_voter(&s->v[at].voter, voter))
        at++;
    if (at == s->n) {
        at = s->next;
        s->next = (s->next + 1) % VOTES;
        s->n += s->n < VOTES;
    }
    s->v[at] = (struct vote){*voter, *says, now};
}

static void tally(struct side *s, const struct addr *says, usec now)
{
    unsigned same = 0, all = 0;
    for (unsigned i = 0; i < s->n; i++) {
        bool counts = now - s->v[i].at < VOTE_TIME;
        all += counts;
        same += counts && addr_same_ip(&s->v[i].says, says);
    }
    if (same >= VOTES_LEAST && 2 * same > all)
        s->voted = *says;
}

void self_told(struct node *n, const struct addr *by, const struct addr *a, usec now)
{
    struct addr voter = by ? *by : (struct addr){0};
    struct side *s = side_of(n, a->family);
    if (addr_scope(a) != ADDR_PUBLIC ||
        (by && (addr_scope(by) != ADDR_PUBLIC || by->family != a->family)))
        return;
    cast(s, &voter, a, now);
    tally(s, a, now);
    judge(n, a->family);
}

void self_agreed(struct node *n, const struct addr *a, usec now)
{
    struct side *s = side_of(n, a->family);
    (void)now;
    if (addr_same_ip(&s->router, a))
        return; /* it has the router's word from us */
    s->agreed = *a;
    judge(n, a->family);
}

/* A router behind another router does not know the outside, but its port may still be ours. */
void node_mapped(struct node *n, const struct addr *external, usec now)
{
    struct side *s = side_of(n, external->family);
    uint16_t port = self_port(n, external->family);
    n->now = now;
    s->router = external->port ? *external : (struct addr){0};
    if (n->finder && s->router.family && addr_scope(external) == ADDR_PUBLIC) {
        dht_set_external(node_dht(n), external, now);
        node_dht_turn(n, now);
    }
    judge(n, external->family);
    if (self_port(n, external->family) == port)
        return;
    finder_moved(n, now);
    if (external->family == 4)
        announce_moved(n, now); /* trackers are told the port of IPv4 */
}

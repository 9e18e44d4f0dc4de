/*
 * Local service discovery (BEP 14). Rules:
 * - Every item that is not private is announced when it begins, again after a minute (a multicast
 *   is lost easily, and nobody repeats it) unless there are many, then every five minutes; as many
 *   as fit into one datagram together, a datagram a second at most. Who hears of a neighbour that
 *   is new to it answers with its own announcement soon, but no hash goes out twice in a minute.
 * - Only neighbours are heeded: whose address is private, or on loopback, or link-local (IPv4: of
 *   IPv6 we could not dial it without knowing the link), or in the network of our own public
 *   address. Each of them, and all together, are heard so often a second; one of them has a few
 *   ports, not all.
 */
#include "node/node_int.h"

#include <p2p/base/text.h>
#include <p2p/proto/lsd.h>

#include <stdlib.h>

#define BATCH (200 * USEC_MS)  /* items that begin together are told together */
#define SPREAD (15 * USEC_SEC) /* rounds are so much shorter at most: clients fall out of step */
#define EARLY (30 * USEC_SEC)  /* what is due so soon goes along */
#define ANSWER (2 * USEC_SEC)  /* to a new neighbour, at most */
#define NO_PORT_WAIT USEC_MIN  /* nobody could dial us: looked at again */
#define COOKIE_BYTES 8

struct lsd_item {
    struct task *task;
    struct heap_item due;
    bool told;
    usec told_at;
    unsigned rounds;
};

struct source {
    struct addr addr; /* family 0: a free place */
    struct bucket bucket;
    usec at; /* when it last spoke */
    struct {
        uint16_t port;
        usec at;
    } ports[LSD_MAX_PORTS];
};

struct lsd {
    struct timer timer;
    struct heap due; /* struct lsd_item */
    char cookie[2 * COOKIE_BYTES + 1];
    bool sent;
    usec sent_at;
    struct bucket heeded;
    struct source source[LSD_MAX_SOURCES];
    uint8_t out[2][LSD_MAX_DATAGRAM];
};

/* ---- announcing ---- */

static void arm(struct node *n)
{
    struct lsd *l = n->lsd;
    const struct heap_item *first = heap_peek(&l->due);
    usec at = first ? first->at : USEC_NEVER;
    if (first && l->sent && at < l->sent_at + LSD_GAP)
        at = l->sent_at + LSD_GAP;
    timer_set(n, &l->timer, at);
}

static bool may_go_along(const struct lsd_item *it, usec now)
{
    return it->due.at <= now ||
           (it->due.at - now <= EARLY && (!it->told || now - it->told_at >= LSD_LEAST));
}

/* The next for one datagram into v; returns how many. */
static size_t gather(struct lsd *l, struct lsd_msg *m, struct lsd_item *v[LSD_MAX_HASHES], usec now)
{
    struct heap_item *first;
    size_t n = 0;
    while ((first = heap_peek(&l->due)) != NULL) {
        struct lsd_item *it = LIST_OF(first, struct lsd_item, due);
        const struct task *t = it->task;
        uint32_t swarms = t->halted || t->ended ? 0 : t->n_swarms;
        if (n == LSD_MAX_HASHES || m->n_hashes + swarms > LSD_MAX_HASHES || !may_go_along(it, now))
            break;
        for (uint32_t i = 0; i < swarms; i++)
            memcpy(m->hash[m->n_hashes++], t->swarm[i].hash, 20);
        heap_remove(&l->due, first);
        v[n++] = it;
    }
    return n;
}

static void schedule(struct node *n, struct lsd_item *it, usec next, usec now)
{
    struct lsd *l = n->lsd;
    bool again = it->rounds++ == 0 && l->due.n <= LSD_MAX_HASHES;
    it->told = true;
    it->told_at = now;
    heap_set(&l->due, &it->due, again ? now + LSD_LEAST : next);
}

static void emit(struct node *n, const struct lsd_msg *m)
{
    for (int family = 4; family <= 6; family += 2) {
        uint8_t *out = n->lsd->out[family == 6];
        size_t len = lsd_put(out, family, m);
        struct node_op *op = node_op(n, NODE_MULTICAST);
        op->addr = lsd_group(family);
        op->data = BYTES(out, len);
    }
}

static void announce(struct node *n, struct timer *tm, usec now)
{
    struct lsd *l = n->lsd;
    struct lsd_item *v[LSD_MAX_HASHES];
    struct lsd_msg m = {.port = n->cfg.port};
    if (n->cfg.port == 0) {
        timer_set(n, tm, now + NO_PORT_WAIT);
        return;
    }
    size_t count = gather(l, &m, v, now);
    usec next = now + LSD_EVERY - (usec)rng_below(&n->rng, SPREAD);
    for (size_t i = 0; i < count; i++)
        schedule(n, v[i], next, now);
    if (m.n_hashes > 0) {
        memcpy(m.cookie, l->cookie, sizeof l->cookie);
        emit(n, &m);
        l->sent = true;
        l->sent_at = now;
    }
    arm(n);
}

static void answer(struct node *n, struct lsd_item *it, usec now)
{
    usec at = now + BATCH + (usec)rng_below(&n->rng, ANSWER - BATCH);
    if (it->told && at < it->told_at + LSD_LEAST)
        at = it->told_at + LSD_LEAST;
    if (at < it->due.at)
        heap_set(&n->lsd->due, &it->due, at);
}

void node_linked(struct node *n, usec now)
{
    uint32_t it = 0;
    struct task *t;
    n->now = now;
    while (n->lsd && (t = idtab_walk(&n->tasks, &it)) != NULL)
        if (t->lsd)
            answer(n, t->lsd, now);
    if (n->lsd)
        arm(n);
}

/* ---- life ---- */

void lsd_init(struct node *n, usec now)
{
    uint8_t cookie[COOKIE_BYTES];
    if (n->cfg.no_lsd)
        return;
    struct lsd *l = n->lsd = mem_zero(sizeof *l);
    rng_fill(&n->rng, cookie, sizeof cookie);
    text_hex(l->cookie, BYTES(cookie, sizeof cookie));
    l->timer.fire = announce;
    heap_init(&l->due);
    bucket_init(&l->heeded, LSD_RATE, LSD_BURST, now);
}

void lsd_fini(struct node *n)
{
    if (!n->lsd)
        return;
    timer_set(n, &n->lsd->timer, USEC_NEVER);
    heap_fini(&n->lsd->due);
    free(n->lsd);
    n->lsd = NULL;
}

void lsd_task(struct task *t, usec now)
{
    struct node *n = t->node;
    if (!n->lsd || t->survey || task_is_private(t))
        return;
    if (!t->lsd) {
        t->lsd = mem_zero(sizeof *t->lsd);
        t->lsd->task = t;
        heap_set(&n->lsd->due, &t->lsd->due, now + BATCH);
    }
    arm(n);
}

void lsd_task_gone(struct task *t)
{
    if (!t->lsd)
        return;
    heap_remove(&t->node->lsd->due, &t->lsd->due);
    free(t->lsd);
    t->lsd = NULL;
    arm(t->node);
}

/* ---- hearing ---- */

static bool is_neighbour(const struct node *n, const struct addr *a)
{
    struct addr own;
    switch (addr_scope(a)) {
    case ADDR_PRIVATE:
    case ADDR_LOOPBACK:
        return true;
    case ADDR_LINK_LOCAL:
        return a->family == 4;
    case ADDR_PUBLIC:
        return self_address(n, a->family, &own) &&
               memcmp(own.ip, a->ip, a->family == 4 ? 3 : 8) == 0;
    default:
        return false;
    }
}

static struct source *source_of(struct lsd *l, const struct addr *a, usec now)
{
    struct source *oldest = &l->source[0];
    for (size_t i = 0; i < LSD_MAX_SOURCES; i++) {
        struct source *s = &l->source[i];
        if (addr_same_ip(&s->addr, a))
            return s;
        if (s->at < oldest->at)
            oldest = s;
    }
    *oldest = (struct source){.addr = *a};
    bucket_init(&oldest->bucket, LSD_SOURCE_RATE, LSD_SOURCE_BURST, now);
    return oldest;
}

static bool believes_port(struct source *s, uint16_t port, usec now)
{
    size_t place = LSD_MAX_PORTS;
    for (size_t i = 0; i < LSD_MAX_PORTS; i++) {
        if (s->ports[i].port == port) {
            s->ports[i].at = now;
            return true;
        }
        if (s->ports[i].port == 0 || now - s->ports[i].at >= LSD_PORT_TIME)
            place = i;
    }
    if (place == LSD_MAX_PORTS)
        return false;
    s->ports[place].port = port;
    s->ports[place].at = now;
    return true;
}

static bool may_speak(struct node *n, struct source *s, usec now)
{
    s->at = now;
    if (bucket_avail(&s->bucket, now) == 0 || bucket_avail(&n->lsd->heeded, now) == 0)
        return false;
    bucket_take(&s->bucket, 1, now);
    bucket_take(&n->lsd->heeded, 1, now);
    return true;
}

static void met(struct task *t, const struct addr *a, const uint8_t hash[20], usec now)
{
    bool v2_only = t->n_swarms > 1 &&
                   memcmp(t->swarm[0].v2 ? t->swarm[0].hash : t->swarm[1].hash, hash, 20) == 0;
    bool fresh = (pool_sources(t->pool, a) & POOL_LSD) == 0;
    if (!sleep_heard(t, a, v2_only ? POOL_LSD | POOL_V2 : POOL_LSD, false, now))
        return;
    if (!t->rest)
        near_heard(t, a, now);
    if (fresh)
        answer(t->node, t->lsd, now);
    task_wake(t, now);
}

void node_multicast(struct node *n, const struct addr *from, struct bytes b, usec now)
{
    struct lsd_msg m;
    struct addr a = *from;
    n->now = now;
    if (!n->lsd || !is_neighbour(n, from))
        return;
    struct source *s = source_of(n->lsd, from, now);
    if (!may_speak(n, s, now) || !lsd_parse(&m, b) || strcmp(m.cookie, n->lsd->cookie) == 0 ||
        !believes_port(s, m.port, now))
        return;
    a.port = m.port;
    for (size_t i = 0; i < m.n_hashes; i++) {
        struct task *t = map_get(n->by_hash, BYTES(m.hash[i], 20));
        if (t && t->lsd && !t->halted && !t->ended)
            met(t, &a, m.hash[i], now);
    }
    finder_neighbour(n, &a, now);
    arm(n);
    dial_more(n, now);
}

/*
 * The routing table. Bucket i holds the ids that share exactly i leading bits with ours, and the
 * last one everything closer: it alone covers our own id, so it alone splits.
 */
#include "proto/dht_table.h"

#include <p2p/base/mem.h>
#include <p2p/proto/dht_addr.h>

#include <stdlib.h>

enum { MAX_BUCKETS = 160, MAX_BACKOFF = 6 };

#define REFRESH_TIME (15 * USEC_MIN)
#define RETRY_PING (10 * USEC_SEC) /* doubles with each failure */

struct side { /* nodes of one kind in a bucket */
    struct dht_node v[DHT_K];
    unsigned n;
};

struct bucket {
    struct side in, wait; /* in the table; waiting for a place, the oldest first */
    usec changed;
};

struct dht_table {
    uint8_t own[DHT_ID];
    struct bucket *v; /* owned */
    unsigned n;
};

enum dht_quality dht_node_quality(const struct dht_node *n, usec now)
{
    if (n->fails >= DHT_BAD_FAILS)
        return DHT_BAD;
    return n->proved && now - n->seen < DHT_GOOD_TIME ? DHT_GOOD : DHT_QUESTIONABLE;
}

static void add_bucket(struct dht_table *t, usec now)
{
    t->v = mem_grow(t->v, t->n + 1, sizeof *t->v);
    t->v[t->n++] = (struct bucket){.changed = now};
}

struct dht_table *dht_table_new(const uint8_t own[DHT_ID], usec now)
{
    struct dht_table *t = mem_zero(sizeof *t);
    memcpy(t->own, own, DHT_ID);
    add_bucket(t, now);
    return t;
}

void dht_table_free(struct dht_table *t)
{
    if (!t)
        return;
    free(t->v);
    free(t);
}

const uint8_t *dht_table_own(const struct dht_table *t)
{
    return t->own;
}

static struct bucket *bucket_of(const struct dht_table *t, const uint8_t *id)
{
    unsigned bits = dht_id_common(t->own, id);
    return &t->v[bits < t->n ? bits : t->n - 1];
}

static struct dht_node *find(struct side *s, const uint8_t *id)
{
    for (unsigned i = 0; i < s->n; i++)
        if (dht_id_eq(s->v[i].id, id))
            return &s->v[i];
    return NULL;
}

static void drop(struct side *s, struct dht_node *n)
{
    unsigned at = (unsigned)(n - s->v);
    s->n--;
    memmove(&s->v[at], &s->v[at + 1], (s->n - at) * sizeof *n);
}

static struct side *side_of(struct bucket *b, int which)
{
    return which ? &b->wait : &b->in;
}

/* Looks everywhere: an address tells nothing about the bucket. */
static struct dht_node *find_addr(struct dht_table *t, const struct addr *a, struct bucket **b,
                                  struct side **s)
{
    for (unsigned i = 0; i < t->n; i++)
        for (int which = 0; which < 2; which++) {
            *b = &t->v[i];
            *s = side_of(*b, which);
            for (unsigned k = 0; k < (*s)->n; k++)
                if (addr_eq(&(*s)->v[k].addr, a))
                    return &(*s)->v[k];
        }
    return NULL;
}

static bool has_twin(const struct dht_table *t, const struct addr *a, usec now)
{
    for (unsigned i = 0; i < t->n; i++)
        for (unsigned k = 0; k < t->v[i].in.n; k++) {
            const struct dht_node *n = &t->v[i].in.v[k];
            if (dht_addr_twin(&n->addr, a) && dht_node_quality(n, now) != DHT_BAD)
                return true;
        }
    return false;
}

static bool crowded(const struct bucket *b, const struct addr *a)
{
    unsigned same = 0;
    for (unsigned i = 0; i < b->in.n; i++)
        same += dht_addr_near(&b->in.v[i].addr, a);
    return same >= DHT_NETWORK_MOST;
}

/* The youngest that has answered us comes in from the waiting. */
static bool promote(const struct dht_table *t, struct bucket *b, struct dht_node *place, usec now)
{
    for (unsigned i = b->wait.n; i > 0; i--) {
        struct dht_node *w = &b->wait.v[i - 1];
        if (!w->proved || w->fails || crowded(b, &w->addr) || has_twin(t, &w->addr, now))
            continue;
        *place = *w;
        drop(&b->wait, w);
        return true;
    }
    return false;
}

/* Who has not answered yet never pushes out who has: else a flood of queries would. */
static void wait_for_place(struct bucket *b, const struct dht_node *n)
{
    struct side *s = &b->wait;
    struct dht_node *known = find(s, n->id), *gone = known;
    if (known && known->proved && !n->proved)
        return;
    for (unsigned i = 0; !gone && s->n == DHT_K && i < s->n; i++)
        if (!s->v[i].proved)
            gone = &s->v[i];
    if (!gone && s->n == DHT_K) {
        if (!n->proved)
            return;
        gone = &s->v[0];
    }
    if (gone)
        drop(s, gone);
    s->v[s->n++] = *n;
}

static void split(struct dht_table *t)
{
    unsigned bits = t->n - 1;
    add_bucket(t, t->v[bits].changed);
    struct bucket *upper = &t->v[bits], *lower = &t->v[bits + 1];
    for (int which = 0; which < 2; which++) {
        struct side *from = side_of(upper, which), *to = side_of(lower, which);
        for (unsigned i = 0; i < from->n;) {
            if (dht_id_common(t->own, from->v[i].id) > bits) {
                to->v[to->n++] = from->v[i];
                drop(from, &from->v[i]);
            } else {
                i++;
            }
        }
    }
}

static struct dht_node *worst(struct bucket *b, usec now)
{
    struct dht_node *bad = NULL;
    for (unsigned i = 0; i < b->in.n; i++) {
        struct dht_node *n = &b->in.v[i];
        if (dht_node_quality(n, now) == DHT_BAD && (!bad || n->fails > bad->fails))
            bad = n;
    }
    return bad;
}

static bool insert(struct dht_table *t, const struct dht_node *n, usec now)
{
    struct bucket *b = bucket_of(t, n->id);
    while (b->in.n == DHT_K && b == &t->v[t->n - 1] && t->n < MAX_BUCKETS && !worst(b, now)) {
        split(t);
        b = bucket_of(t, n->id);
    }
    struct dht_node *waits = find(&b->wait, n->id), *bad = worst(b, now);
    if (waits)
        drop(&b->wait, waits);
    if (has_twin(t, &n->addr, now) || crowded(b, &n->addr))
        return false;
    if (b->in.n < DHT_K)
        b->in.v[b->in.n++] = *n;
    else if (bad)
        *bad = *n;
    else
        wait_for_place(b, n);
    bool in = find(&b->in, n->id) != NULL;
    if (in)
        b->changed = now;
    return in;
}

void dht_table_move(struct dht_table *t, const uint8_t own[DHT_ID], usec now)
{
    struct dht_table old = *t;
    memcpy(t->own, own, DHT_ID);
    t->v = NULL;
    t->n = 0;
    add_bucket(t, now);
    for (unsigned i = 0; i < old.n; i++)
        for (int which = 0; which < 2; which++)
            for (unsigned k = 0; k < side_of(&old.v[i], which)->n; k++) {
                const struct dht_node *n = &side_of(&old.v[i], which)->v[k];
                if (n->proved && !dht_id_eq(n->id, own))
                    insert(t, n, now);
            }
    free(old.v);
}

static void renew(struct dht_node *n, usec now)
{
    n->seen = now;
    n->proved = true;
    n->tried = false;
    n->fails = 0;
}

bool dht_table_replied(struct dht_table *t, const uint8_t id[DHT_ID], const struct addr *a,
                       usec now)
{
    struct bucket *b = bucket_of(t, id), *other;
    struct side *s;
    struct dht_node *n = find(&b->in, id), *at;
    if (dht_id_eq(id, t->own) || !dht_id_fits(id, a))
        return false;
    if (n && addr_eq(&n->addr, a)) {
        renew(n, now);
        b->changed = now;
        return true;
    }
    /* A node that works is not moved because another claims its name. */
    if (n && dht_node_quality(n, now) == DHT_GOOD)
        return false;
    if (n)
        drop(&b->in, n);
    while ((at = find_addr(t, a, &other, &s)))
        drop(s, at);
    struct dht_node fresh = {.addr = *a};
    memcpy(fresh.id, id, DHT_ID);
    renew(&fresh, now);
    return insert(t, &fresh, now);
}

static bool room_for(const struct dht_table *t, struct bucket *b, usec now)
{
    if (b->in.n < DHT_K || (b == &t->v[t->n - 1] && t->n < MAX_BUCKETS))
        return true;
    for (unsigned i = 0; i < b->in.n; i++)
        if (dht_node_quality(&b->in.v[i], now) != DHT_GOOD)
            return true;
    return false;
}

bool dht_table_queried(struct dht_table *t, const uint8_t id[DHT_ID], const struct addr *a,
                       usec now)
{
    struct bucket *b = bucket_of(t, id);
    struct dht_node *n = find(&b->in, id);
    if (n) {
        /* A query proves nothing about the address it came from, so it mends no failure. */
        if (addr_eq(&n->addr, a) && !n->fails)
            n->seen = now;
        return false;
    }
    if (dht_id_eq(id, t->own) || !dht_id_fits(id, a) || !room_for(t, b, now) ||
        find(&b->wait, id) || has_twin(t, a, now) || crowded(b, a))
        return false;
    struct dht_node fresh = {.addr = *a, .seen = now, .pinged = now, .tried = true};
    memcpy(fresh.id, id, DHT_ID);
    wait_for_place(b, &fresh);
    return true;
}

void dht_table_failed(struct dht_table *t, const struct addr *a, bool alive, usec now)
{
    struct bucket *b;
    struct side *s;
    struct dht_node *n = find_addr(t, a, &b, &s);
    if (!n || (!alive && n->fails))
        return;
    n->fails += n->fails < UINT8_MAX;
    if (s == &b->wait) {
        drop(s, n);
        return;
    }
    if (n->fails >= DHT_BAD_FAILS && promote(t, b, n, now))
        b->changed = now;
    else if (n->fails >= DHT_FORGET_FAILS)
        drop(s, n);
}

void dht_table_evict(struct dht_table *t, const struct addr *a, usec now)
{
    struct bucket *b;
    struct side *s;
    struct dht_node *n;
    while ((n = find_addr(t, a, &b, &s)))
        if (s == &b->wait || !promote(t, b, n, now))
            drop(s, n);
}

struct closest {
    const uint8_t *target;
    const struct dht_node **out;
    size_t n, max;
};

static void offer(struct closest *c, const struct dht_node *n, size_t floor)
{
    size_t i = c->n;
    if (c->n == c->max && dht_id_cmp(c->target, n->id, c->out[c->n - 1]->id) >= 0)
        return;
    if (c->n < c->max)
        c->n++;
    else
        i--;
    for (; i > floor && dht_id_cmp(c->target, n->id, c->out[i - 1]->id) < 0; i--)
        c->out[i] = c->out[i - 1];
    c->out[i] = n;
}

static void offer_all(const struct dht_table *t, struct closest *c, enum dht_quality q,
                      const struct addr *to, usec now)
{
    size_t floor = c->n;
    for (unsigned i = 0; i < t->n; i++)
        for (unsigned k = 0; k < t->v[i].in.n; k++) {
            const struct dht_node *n = &t->v[i].in.v[k];
            if (dht_node_quality(n, now) != q)
                continue;
            if (!to || (dht_addr_peer_ok(&n->addr, to) && !addr_eq(&n->addr, to)))
                offer(c, n, floor);
        }
}

size_t dht_table_closest(const struct dht_table *t, const uint8_t target[DHT_ID],
                         const struct addr *to, const struct dht_node **out, size_t max, usec now)
{
    struct closest c = {target, out, 0, max};
    offer_all(t, &c, DHT_GOOD, to, now);
    if (c.n < max)
        offer_all(t, &c, DHT_QUESTIONABLE, to, now);
    return c.n;
}

static bool due(const struct dht_node *n, usec now)
{
    unsigned doublings = n->fails < MAX_BACKOFF ? n->fails : MAX_BACKOFF;
    return !n->tried || now - n->pinged >= RETRY_PING << doublings;
}

static unsigned proved_waiting(const struct bucket *b)
{
    unsigned n = 0;
    for (unsigned i = 0; i < b->wait.n; i++)
        n += b->wait.v[i].proved;
    return n;
}

/* The higher, the sooner; 0: leave it alone. */
static unsigned urgency(const struct bucket *b, const struct side *s, const struct dht_node *n,
                        usec now)
{
    enum dht_quality q = dht_node_quality(n, now);
    if (!due(n, now))
        return 0;
    if (s == &b->wait)
        return b->in.n < DHT_K ? 3 : 0;
    if (q == DHT_GOOD) /* asked in time, or a small network would seem lost every quarter hour */
        return now - n->seen >= DHT_GOOD_TIME / 4 * 3;
    return q == DHT_QUESTIONABLE && proved_waiting(b) ? 2 : 1;
}

const struct dht_node *dht_table_probe(struct dht_table *t, usec now)
{
    struct dht_node *best = NULL;
    unsigned most = 0;
    for (unsigned i = 0; i < t->n; i++)
        for (int which = 0; which < 2; which++) {
            struct side *s = side_of(&t->v[i], which);
            for (unsigned k = 0; k < s->n; k++) {
                unsigned u = urgency(&t->v[i], s, &s->v[k], now);
                if (u > most || (u && u == most && s->v[k].seen < best->seen)) {
                    best = &s->v[k];
                    most = u;
                }
            }
        }
    if (best) {
        best->pinged = now;
        best->tried = true;
    }
    return best;
}

bool dht_table_stale(struct dht_table *t, uint8_t id[DHT_ID], usec now)
{
    for (unsigned i = 0; i < t->n; i++) {
        struct bucket *b = &t->v[i];
        if (now - b->changed < REFRESH_TIME)
            continue;
        b->changed = now;
        dht_id_near(id, t->own, i);
        return true;
    }
    return false;
}

void dht_table_age(struct dht_table *t, usec now)
{
    for (unsigned i = 0; i < t->n; i++)
        t->v[i].changed = now - REFRESH_TIME;
}

void dht_table_count(const struct dht_table *t, struct dht_table_counts *c, usec now)
{
    *c = (struct dht_table_counts){.buckets = t->n};
    for (unsigned i = 0; i < t->n; i++) {
        c->waiting += t->v[i].wait.n;
        for (unsigned k = 0; k < t->v[i].in.n; k++) {
            enum dht_quality q = dht_node_quality(&t->v[i].in.v[k], now);
            *(q == DHT_GOOD ? &c->good : q == DHT_BAD ? &c->bad : &c->questionable) += 1;
        }
    }
}

bool dht_table_any_good(const struct dht_table *t, usec now)
{
    for (unsigned i = 0; i < t->n; i++)
        for (unsigned k = 0; k < t->v[i].in.n; k++)
            if (dht_node_quality(&t->v[i].in.v[k], now) == DHT_GOOD)
                return true;
    return false;
}

unsigned dht_table_depth(const struct dht_table *t)
{
    for (unsigned i = t->n - 1; i > 0; i--) /* the last holds more than one distance */
        if (t->v[i - 1].in.n >= DHT_K / 2)
            return i - 1 + 3; /* eight nodes behind i bits: three bits more tell them apart */
    return 3;
}

const struct dht_node *dht_table_each(const struct dht_table *t, size_t *it)
{
    while (*it < (size_t)t->n * DHT_K) {
        const struct side *s = &t->v[*it / DHT_K].in;
        size_t k = (*it)++ % DHT_K;
        if (k < s->n)
            return &s->v[k];
    }
    return NULL;
}

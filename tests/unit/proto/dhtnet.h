/*
 * A small internet of DHT nodes under virtual time, for unit tests: public addresses, delays, loss,
 * hosts that come and go, and liars. Same seed, same trace. Comes after cmocka.h.
 */
#ifndef P2P_TESTS_DHTNET_H
#define P2P_TESTS_DHTNET_H

#include "proto/dht_table.h"

#include <p2p/base/heap.h>
#include <p2p/base/list.h>
#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/proto/dht.h>
#include <p2p/proto/krpc.h>

#include <stdio.h>
#include <stdlib.h>

struct net;
struct host;

/* What a liar says to a query: appends a datagram, or stays silent. */
typedef void (*net_lie)(struct net *n, struct host *h, const struct addr *from,
                        const struct krpc_msg *m, struct buf *out);

struct host {
    struct heap_item due; /* first: the heap's items are hosts or packets */
    bool is_host;
    struct addr addr;
    struct dht *dht; /* NULL: down */
    net_lie lie;
    /* what its jobs have told */
    unsigned done, found, items, stored, replies, lost;
    int code;
    int64_t seq;
    struct addr want; /* the peer it looks for, */
    usec got;         /* and when that was told; 0: not yet */
    struct dht_event last_done;
    uint8_t value[DHT_ITEM_VALUE];
    size_t value_n;
};

struct packet {
    struct heap_item due;
    bool is_host; /* false */
    struct addr from, to;
    size_t n;
    uint8_t bytes[];
};

struct net {
    struct rng rng;
    usec now;
    struct heap heap;
    struct map *by_addr;
    struct host *h;
    size_t n;
    unsigned loss; /* of a thousand datagrams */
    bool v6, private_net;
    uint64_t sent, bytes;
    size_t longest;
    uint8_t watched[4]; /* datagrams to this IPv4 host, whatever the port, */
    unsigned hits;      /* are counted */
};

static inline void net_addr(struct net *n, struct addr *a)
{
    do {
        *a = (struct addr){.family = n->v6 ? 6 : 4};
        rng_fill(&n->rng, a->ip, n->v6 ? 16 : 4);
        if (n->private_net)
            a->ip[0] = 10;
        if (n->v6)
            a->ip[0] = 0x24;
        a->port = (uint16_t)(1024 + rng_below(&n->rng, 60000));
    } while (addr_scope(a) != (n->private_net ? ADDR_PRIVATE : ADDR_PUBLIC));
}

static inline struct bytes net_key(const struct addr *a, uint8_t buf[18])
{
    return BYTES(buf, addr_put_compact(a, buf));
}

static inline void net_init(struct net *n, size_t hosts, uint64_t seed, bool v6)
{
    uint8_t key[18];
    *n = (struct net){.v6 = v6, .n = hosts};
    rng_seed(&n->rng, seed);
    heap_init(&n->heap);
    n->by_addr = map_new(seed);
    n->h = mem_array(hosts, sizeof *n->h);
    for (size_t i = 0; i < hosts; i++) {
        n->h[i].is_host = true;
        net_addr(n, &n->h[i].addr);
        map_put(n->by_addr, net_key(&n->h[i].addr, key), &n->h[i]);
    }
}

static inline void net_fini(struct net *n)
{
    struct heap_item *it;
    for (size_t i = 0; i < n->n; i++) {
        heap_remove(&n->heap, &n->h[i].due);
        dht_free(n->h[i].dht);
    }
    while ((it = heap_peek(&n->heap))) {
        heap_remove(&n->heap, it);
        free((struct packet *)(void *)it);
    }
    heap_fini(&n->heap);
    map_free(n->by_addr);
    free(n->h);
}

static inline void net_post(struct net *n, const struct addr *from, const struct addr *to,
                            struct bytes b)
{
    n->sent++;
    n->hits += to->family == 4 && memcmp(to->ip, n->watched, sizeof n->watched) == 0;
    n->bytes += b.n;
    if (b.n > n->longest)
        n->longest = b.n;
    if (rng_below(&n->rng, 1000) < n->loss)
        return;
    struct packet *p = mem_alloc(sizeof *p + b.n);
    *p = (struct packet){.from = *from, .to = *to, .n = b.n};
    memcpy(p->bytes, b.p, b.n);
    usec delay = (usec)(10 + rng_below(&n->rng, 90)) * USEC_MS;
    heap_set(&n->heap, &p->due, n->now + delay);
}

static inline void net_event(struct host *h, const struct dht_event *e, usec now)
{
    if (e->type == DHT_PEERS) {
        h->found += (unsigned)e->n_peers;
        for (size_t i = 0; i < e->n_peers; i++)
            if (!h->got && addr_eq(&e->peers[i], &h->want))
                h->got = now;
    } else if (e->type == DHT_ITEM) {
        h->items++;
        h->seq = e->item.seq;
        h->value_n = e->item.value.n;
        memcpy(h->value, e->item.value.p, e->item.value.n);
    } else if (e->type == DHT_DONE) {
        h->done++;
        h->stored = e->stored;
        h->replies = e->replies;
        h->code = e->code;
        h->last_done = *e;
    } else if (e->type == DHT_LOST) {
        h->lost++;
    }
}

/* Everything that a host has to say, and when it wants to be woken. */
static inline void net_pump(struct net *n, struct host *h)
{
    uint8_t out[DHT_MAX_DATAGRAM];
    struct addr to;
    struct dht_event e;
    size_t len;
    if (!h->dht)
        return;
    while ((len = dht_pull(h->dht, &to, out)))
        net_post(n, &h->addr, &to, BYTES(out, len));
    while (dht_next(h->dht, &e))
        net_event(h, &e, n->now);
    heap_set(&n->heap, &h->due, dht_deadline(h->dht));
}

static inline void net_forget(struct host *h)
{
    h->done = h->found = h->items = h->stored = h->replies = 0;
    h->code = 0;
    h->got = 0;
}

static inline void net_deliver(struct net *n, struct packet *p)
{
    uint8_t key[18];
    struct host *h = map_get(n->by_addr, net_key(&p->to, key));
    struct krpc_msg m;
    struct buf lie = {0};
    if (h && h->lie && krpc_parse(&m, BYTES(p->bytes, p->n)) == 0 && m.kind == KRPC_QUERY) {
        h->lie(n, h, &p->from, &m, &lie);
        if (buf_len(&lie))
            net_post(n, &h->addr, &p->from, buf_bytes(&lie));
        buf_fini(&lie);
    } else if (h && h->dht) {
        dht_feed(h->dht, &p->from, BYTES(p->bytes, p->n), n->now);
        net_pump(n, h);
    }
    free(p);
}

static inline void net_run(struct net *n, usec until)
{
    struct heap_item *it;
    while ((it = heap_peek(&n->heap)) && it->at <= until) {
        struct host *h = (struct host *)(void *)it;
        n->now = it->at > n->now ? it->at : n->now;
        heap_remove(&n->heap, it);
        if (h->is_host) {
            dht_tick(h->dht, n->now);
            net_pump(n, h);
        } else {
            net_deliver(n, (struct packet *)(void *)it);
        }
    }
    n->now = until;
}

static inline void net_up(struct net *n, size_t i, bool read_only)
{
    struct host *h = &n->h[i];
    struct dht_config c = {.v4 = !n->v6, .v6 = n->v6, .read_only = read_only, .version = "PP01"};
    h->dht = dht_new(&c, &n->rng, n->now);
    dht_set_external(h->dht, &h->addr, n->now);
}

static inline void net_down(struct net *n, size_t i)
{
    heap_remove(&n->heap, &n->h[i].due);
    dht_free(n->h[i].dht);
    n->h[i].dht = NULL;
}

static inline void net_tell(struct net *n, size_t i, size_t about)
{
    dht_add_node(n->h[i].dht, &n->h[about].addr, n->now);
    net_pump(n, &n->h[i]);
}

/* All up within ten seconds, each knowing one of the first four. */
static inline void net_start(struct net *n)
{
    for (size_t i = 0; i < n->n; i++) {
        net_up(n, i, false);
        if (i)
            net_tell(n, i, (size_t)rng_below(&n->rng, i < 4 ? i : 4));
        net_run(n, n->now + 10 * USEC_SEC / (usec)n->n);
    }
}

static inline size_t net_live(struct net *n)
{
    size_t i;
    do
        i = (size_t)rng_below(&n->rng, n->n);
    while (!n->h[i].dht || n->h[i].lie);
    return i;
}

static inline void joined(struct net *n, size_t least)
{
    size_t ok = 0, good = 0;
    for (size_t i = 0; i < n->n; i++) {
        struct dht_status s;
        if (!n->h[i].dht)
            continue;
        dht_status(n->h[i].dht, &s, n->now);
        const struct dht_family_status *f = n->v6 ? &s.v6 : &s.v4;
        ok += f->joined;
        good += f->good;
    }
    printf("joined %zu of %zu, %zu good nodes each, %.1f bytes/s each\n", ok, n->n,
           good / (ok ? ok : 1), (double)n->bytes / ((double)n->now / 1e6) / (double)n->n);
    assert_true(ok >= least);
}

/* From one to the other: announced by a, found by b? */
static inline bool meet(struct net *n, struct host *a, struct host *b, usec patience)
{
    struct dht_search s = {.port = (uint16_t)(2000 + rng_below(&n->rng, 1000))};
    rng_fill(&n->rng, s.info_hash, DHT_ID);
    net_forget(a);
    dht_job job = dht_find_peers(a->dht, &s, n->now);
    assert_int_not_equal(job, 0);
    net_pump(n, a);
    for (int i = 0; i < 200 && a->last_done.job != job; i++)
        net_run(n, n->now + 100 * USEC_MS);
    net_forget(b);
    b->want = a->addr;
    b->want.port = s.port;
    s.port = 0;
    dht_find_peers(b->dht, &s, n->now);
    net_pump(n, b);
    for (usec until = n->now + patience; n->now < until && !b->got;)
        net_run(n, n->now + 10 * USEC_MS);
    return b->got != 0;
}

static inline unsigned rounds(struct net *n, unsigned count, usec patience)
{
    unsigned good = 0;
    usec first = 0;
    for (unsigned i = 0; i < count; i++) {
        struct host *a = &n->h[net_live(n)], *b = &n->h[net_live(n)];
        usec began = n->now;
        if (!meet(n, a, b, patience))
            continue;
        good++;
        first += b->got - began;
    }
    printf("%u of %u found, announced and found after %.1f s\n", good, count,
           (double)first / 1e6 / (good ? good : 1));
    return good;
}

#endif

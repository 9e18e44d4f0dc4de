/*
 * A map by neighbour (see dht_addr_key), and two lists with the one heard of last at the end: who
 * is proved is forgotten last, or a flood from made-up addresses would make strangers of friends.
 */
#include "proto/dht_guard.h"

#include <p2p/base/bucket.h>
#include <p2p/base/list.h>
#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/proto/dht_addr.h>

#include <stdlib.h>

struct known {
    struct list_node node;
    uint8_t key[DHT_ADDR_KEY];
    uint8_t key_n;
    bool proved;
    usec proved_at, heard;
    struct bucket queries;
};

struct dht_guard {
    struct map *map;
    struct list order[2]; /* [1]: the proved ones */
};

struct dht_guard *dht_guard_new(uint64_t seed)
{
    struct dht_guard *g = mem_zero(sizeof *g);
    g->map = map_new(seed);
    list_init(&g->order[0]);
    list_init(&g->order[1]);
    return g;
}

static void forget(struct dht_guard *g, struct known *k)
{
    map_remove(g->map, BYTES(k->key, k->key_n));
    list_remove(&g->order[k->proved], &k->node);
    free(k);
}

static struct known *oldest(const struct dht_guard *g)
{
    struct list_node *n = list_first(&g->order[0]);
    if (!n)
        n = list_first(&g->order[1]);
    return n ? LIST_OF(n, struct known, node) : NULL;
}

void dht_guard_free(struct dht_guard *g)
{
    if (!g)
        return;
    for (struct known *k; (k = oldest(g));)
        forget(g, k);
    map_free(g->map);
    free(g);
}

/* Its place in the order moves to the end. */
static struct known *know(struct dht_guard *g, const struct addr *a, bool proves, usec now)
{
    uint8_t buf[DHT_ADDR_KEY];
    struct bytes key = dht_addr_key(a, buf);
    struct known *k = map_get(g->map, key);
    if (k) {
        list_remove(&g->order[k->proved], &k->node);
    } else {
        if (dht_guard_count(g) >= DHT_GUARD_MOST)
            forget(g, oldest(g));
        k = mem_zero(sizeof *k);
        memcpy(k->key, key.p, key.n);
        k->key_n = (uint8_t)key.n;
        bucket_init(&k->queries, DHT_GUARD_RATE, DHT_GUARD_BURST, now);
        map_put(g->map, key, k);
    }
    k->proved |= proves;
    list_push(&g->order[k->proved], &k->node);
    k->heard = now;
    return k;
}

bool dht_guard_admit(struct dht_guard *g, const struct addr *a, usec now)
{
    struct known *k = know(g, a, false, now);
    if (bucket_avail(&k->queries, now) < 1)
        return false;
    bucket_take(&k->queries, 1, now);
    return true;
}

void dht_guard_prove(struct dht_guard *g, const struct addr *a, usec now)
{
    know(g, a, true, now)->proved_at = now;
}

bool dht_guard_proved(const struct dht_guard *g, const struct addr *a, usec now)
{
    uint8_t buf[DHT_ADDR_KEY];
    const struct known *k = map_get(g->map, dht_addr_key(a, buf));
    return k && k->proved && now - k->proved_at < DHT_GUARD_PROVED;
}

static void sweep(struct dht_guard *g, struct list *l, usec now)
{
    for (struct list_node *n = list_first(l), *next; n; n = next) {
        struct known *k = LIST_OF(n, struct known, node);
        next = list_next(l, n);
        if (now - k->heard < DHT_GUARD_BURST / DHT_GUARD_RATE * USEC_SEC)
            break; /* the rest was heard of later still */
        if (!k->proved || now - k->proved_at >= DHT_GUARD_PROVED)
            forget(g, k);
    }
}

void dht_guard_sweep(struct dht_guard *g, usec now)
{
    sweep(g, &g->order[0], now);
    sweep(g, &g->order[1], now);
}

size_t dht_guard_count(const struct dht_guard *g)
{
    return g->order[0].count + g->order[1].count;
}

/* A map of torrents, each with an unsorted array of peers. */
#include "proto/dht_store.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/proto/dht_addr.h>

#include <stdlib.h>

struct peer {
    struct addr addr;
    bool seed;
    usec until;
};

struct torrent {
    uint8_t hash[DHT_ID];
    struct peer *v; /* owned */
    uint32_t n, cap;
};

struct dht_store {
    struct map *torrents; /* owned values */
    struct map *hosts;    /* by dht_addr_key: under how many torrents it stands, as a number */
    size_t peers;
    uint8_t sample[DHT_STORE_SAMPLES * DHT_ID];
    size_t sample_n;
    bool sampled;
    usec sampled_at;
};

struct dht_store *dht_store_new(uint64_t seed)
{
    struct dht_store *s = mem_zero(sizeof *s);
    s->torrents = map_new(seed);
    s->hosts = map_new(seed ^ 1);
    return s;
}

static struct torrent *find(const struct dht_store *s, const uint8_t *hash)
{
    return map_get(s->torrents, BYTES(hash, DHT_ID));
}

static uintptr_t host_count(const struct dht_store *s, const struct addr *a)
{
    uint8_t key[DHT_ADDR_KEY];
    return (uintptr_t)map_get(s->hosts, dht_addr_key(a, key));
}

static void host_set(struct dht_store *s, const struct addr *a, uintptr_t n)
{
    uint8_t buf[DHT_ADDR_KEY];
    struct bytes key = dht_addr_key(a, buf);
    if (n)
        map_put(s->hosts, key, (void *)n);
    else
        map_remove(s->hosts, key);
}

static void drop_peer(struct dht_store *s, struct torrent *t, uint32_t i)
{
    host_set(s, &t->v[i].addr, host_count(s, &t->v[i].addr) - 1);
    t->v[i] = t->v[--t->n];
    s->peers--;
}

static void drop_torrent(struct dht_store *s, struct torrent *t)
{
    while (t->n)
        drop_peer(s, t, t->n - 1);
    map_remove(s->torrents, BYTES(t->hash, DHT_ID));
    free(t->v);
    free(t);
}

void dht_store_free(struct dht_store *s)
{
    void *t;
    if (!s)
        return;
    for (size_t it = 0; map_walk(s->torrents, &it, NULL, &t);) {
        free(((struct torrent *)t)->v);
        free(t);
    }
    map_free(s->torrents);
    map_free(s->hosts);
    free(s);
}

static bool same_peer(const struct addr *a, const struct addr *b)
{
    return addr_same_ip(a, b) && (a->port == b->port || addr_scope(a) != ADDR_LOOPBACK);
}

static struct peer *find_peer(const struct torrent *t, const struct addr *a)
{
    for (uint32_t i = 0; t && i < t->n; i++)
        if (same_peer(&t->v[i].addr, a))
            return &t->v[i];
    return NULL;
}

static struct torrent *farthest(const struct dht_store *s, const uint8_t *own)
{
    struct torrent *far = NULL;
    void *v;
    for (size_t it = 0; map_walk(s->torrents, &it, NULL, &v);) {
        struct torrent *t = v;
        if (!far || dht_id_cmp(own, t->hash, far->hash) > 0)
            far = t;
    }
    return far;
}

static struct torrent *make_torrent(struct dht_store *s, const uint8_t *hash, const uint8_t *own)
{
    if (map_count(s->torrents) >= DHT_STORE_TORRENTS) {
        struct torrent *far = farthest(s, own);
        if (dht_id_cmp(own, hash, far->hash) >= 0)
            return NULL;
        drop_torrent(s, far);
    }
    struct torrent *t = mem_zero(sizeof *t);
    memcpy(t->hash, hash, DHT_ID);
    map_put(s->torrents, BYTES(hash, DHT_ID), t);
    return t;
}

static void drop_expired(struct dht_store *s, struct torrent *t, usec now)
{
    for (uint32_t i = t->n; i > 0; i--)
        if (t->v[i - 1].until <= now)
            drop_peer(s, t, i - 1);
}

static void append(struct dht_store *s, struct torrent *t, const struct peer *p)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 4;
        t->v = mem_grow(t->v, t->cap, sizeof *t->v);
    }
    t->v[t->n++] = *p;
    s->peers++;
    host_set(s, &p->addr, host_count(s, &p->addr) + 1);
}

/* Has one network taken its share, though others may want to come? */
static bool crowded(const struct torrent *t, const struct addr *a)
{
    uint32_t near = 0;
    if (t->n < DHT_STORE_PEERS / 2)
        return false;
    for (uint32_t i = 0; i < t->n; i++)
        near += dht_addr_near(&t->v[i].addr, a);
    return near >= DHT_STORE_PER_NET;
}

bool dht_store_add(struct dht_store *s, const uint8_t hash[DHT_ID], const uint8_t own[DHT_ID],
                   const struct addr *peer, bool seed, usec now)
{
    struct peer fresh = {.addr = *peer, .seed = seed, .until = now + DHT_STORE_TIME};
    struct torrent *t = find(s, hash);
    struct peer *known = find_peer(t, peer);
    if (known) {
        *known = fresh;
        return true;
    }
    if (host_count(s, peer) >= DHT_STORE_PER_HOST)
        return false;
    if (t && (t->n >= DHT_STORE_PEERS || crowded(t, peer)))
        drop_expired(s, t, now);
    if (t && (t->n >= DHT_STORE_PEERS || crowded(t, peer)))
        return false;
    if (!t)
        t = make_torrent(s, hash, own);
    if (!t)
        return false;
    append(s, t, &fresh);
    return true;
}

bool dht_store_room(const struct dht_store *s, const uint8_t hash[DHT_ID], const struct addr *peer,
                    usec now)
{
    const struct torrent *t = find(s, hash);
    if (!t || find_peer(t, peer))
        return true;
    if (t->n < DHT_STORE_PEERS)
        return !crowded(t, peer);
    for (uint32_t i = 0; i < t->n; i++)
        if (t->v[i].until <= now)
            return true;
    return false;
}

size_t dht_store_pick(const struct dht_store *s, const uint8_t hash[DHT_ID], const struct addr *to,
                      bool noseed, struct dht_dice *dice, struct addr *out, size_t max, usec now)
{
    const struct torrent *t = find(s, hash);
    uint16_t fit[DHT_STORE_PEERS];
    uint32_t n = 0, chosen = 0;
    for (uint32_t i = 0; t && i < t->n; i++) {
        const struct peer *p = &t->v[i];
        bool fits = !to || (p->addr.family == to->family && dht_addr_peer_ok(&p->addr, to));
        if (p->until > now && fits && !(noseed && p->seed))
            fit[n++] = (uint16_t)i;
    }
    for (; chosen < n && chosen < max; chosen++) {
        uint32_t at = chosen + dht_dice_below(dice, n - chosen);
        uint16_t i = fit[at];
        fit[at] = fit[chosen];
        out[chosen] = t->v[i].addr;
    }
    return chosen;
}

bool dht_store_blooms(const struct dht_store *s, const uint8_t hash[DHT_ID],
                      struct dht_bloom *seeds, struct dht_bloom *peers, usec now)
{
    const struct torrent *t = find(s, hash);
    memset(seeds, 0, sizeof *seeds);
    memset(peers, 0, sizeof *peers);
    for (uint32_t i = 0; t && i < t->n; i++)
        if (t->v[i].until > now)
            dht_bloom_add(t->v[i].seed ? seeds : peers, &t->v[i].addr);
    return t != NULL;
}

/* Every torrent has the same chance: the choice is a reservoir over a walk. */
static void choose_sample(struct dht_store *s, struct dht_dice *dice)
{
    uint32_t seen = 0;
    void *v;
    s->sample_n = 0;
    for (size_t it = 0; map_walk(s->torrents, &it, NULL, &v); seen++) {
        size_t at = s->sample_n;
        if (at == DHT_STORE_SAMPLES)
            at = dht_dice_below(dice, seen + 1);
        if (at >= DHT_STORE_SAMPLES)
            continue;
        memcpy(s->sample + at * DHT_ID, ((const struct torrent *)v)->hash, DHT_ID);
        s->sample_n += s->sample_n < DHT_STORE_SAMPLES;
    }
}

struct bytes dht_store_sample(struct dht_store *s, struct dht_dice *dice, uint32_t *interval,
                              usec now)
{
    if (!s->sampled || now - s->sampled_at >= DHT_SAMPLE_TIME) {
        choose_sample(s, dice);
        s->sampled = true;
        s->sampled_at = now;
    }
    *interval = (uint32_t)((s->sampled_at + DHT_SAMPLE_TIME - now) / USEC_SEC);
    return BYTES(s->sample, s->sample_n * DHT_ID);
}

void dht_store_sweep(struct dht_store *s, usec now)
{
    struct torrent **empty = mem_array(map_count(s->torrents), sizeof *empty);
    size_t n = 0;
    void *v;
    for (size_t it = 0; map_walk(s->torrents, &it, NULL, &v);) {
        struct torrent *t = v;
        drop_expired(s, t, now);
        if (!t->n)
            empty[n++] = t;
    }
    while (n)
        drop_torrent(s, empty[--n]);
    free(empty);
}

size_t dht_store_torrents(const struct dht_store *s)
{
    return map_count(s->torrents);
}

size_t dht_store_peers(const struct dht_store *s)
{
    return s->peers;
}

/*
 * Open addressing with linear probing; a removal shifts the run behind it back, so there are no
 * tombstones. SipHash-1-3 under the seed of the map. Short keys lie in the table itself: nearly
 * all are hashes, addresses or transaction numbers. The table shrinks too, so a flood leaves no
 * trace; and there is none before the first key, because thousands of items have maps that stay
 * empty.
 */
#include <p2p/base/map.h>
#include <p2p/base/mem.h>

#include <stdlib.h>

enum { INLINE_KEY = 24, LEAST = 8 };

struct entry {
    uint64_t hash;
    void *value; /* borrowed; NULL: the place is free */
    size_t n;
    union {
        uint8_t in[INLINE_KEY];
        uint8_t *out; /* owned, of keys longer than that */
    } key;
};

struct map {
    struct entry *v;
    size_t cap, count; /* cap is a power of two, or 0 */
    uint64_t seed;
};

static struct bytes entry_key(const struct entry *e)
{
    return BYTES(e->n > INLINE_KEY ? e->key.out : e->key.in, e->n);
}

static void entry_free(struct entry *e)
{
    if (e->value && e->n > INLINE_KEY)
        free(e->key.out);
}

struct map *map_new(uint64_t seed)
{
    struct map *m = mem_zero(sizeof *m);
    m->seed = seed;
    return m;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->cap; i++)
        entry_free(&m->v[i]);
    free(m->v);
    free(m);
}

size_t map_count(const struct map *m)
{
    return m->count;
}

static void resize(struct map *m, size_t cap)
{
    struct entry *old = m->v;
    size_t old_cap = m->cap;
    m->v = mem_array(cap, sizeof *m->v);
    m->cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        if (!old[i].value)
            continue;
        size_t to = old[i].hash & (cap - 1);
        while (m->v[to].value)
            to = (to + 1) & (cap - 1);
        m->v[to] = old[i];
    }
    free(old);
}

/* Where the key is, or the free place where it belongs; there is a table. */
static struct entry *find(const struct map *m, uint64_t hash, struct bytes key)
{
    size_t i = hash & (m->cap - 1);
    while (m->v[i].value && !(m->v[i].hash == hash && bytes_eq(entry_key(&m->v[i]), key)))
        i = (i + 1) & (m->cap - 1);
    return &m->v[i];
}

void *map_get(const struct map *m, struct bytes key)
{
    return m->count ? find(m, hash_bytes(m->seed, key), key)->value : NULL;
}

void *map_put(struct map *m, struct bytes key, void *value)
{
    uint64_t hash = hash_bytes(m->seed, key);
    if (m->cap == 0)
        resize(m, LEAST);
    struct entry *e = find(m, hash, key);
    void *before = e->value;
    e->value = value;
    if (before)
        return before;
    e->hash = hash;
    e->n = key.n;
    if (key.n > INLINE_KEY)
        e->key.out = mem_dup(key.p, key.n);
    else if (key.n)
        memcpy(e->key.in, key.p, key.n);
    m->count++;
    /* After the copy: the key may be one that lies in this very table. */
    if (m->count > m->cap / 4 * 3)
        resize(m, 2 * m->cap);
    return NULL;
}

/* Moves back what a search would no longer find behind the gap at i. */
static void close_gap(struct map *m, size_t i)
{
    size_t mask = m->cap - 1;
    for (size_t j = (i + 1) & mask; m->v[j].value; j = (j + 1) & mask) {
        size_t home = m->v[j].hash & mask;
        if (((j - home) & mask) >= ((j - i) & mask)) {
            m->v[i] = m->v[j];
            i = j;
        }
    }
    m->v[i] = (struct entry){0};
}

void *map_remove(struct map *m, struct bytes key)
{
    struct entry *e = m->count ? find(m, hash_bytes(m->seed, key), key) : NULL;
    void *value = e ? e->value : NULL;
    if (!value)
        return NULL;
    entry_free(e);
    close_gap(m, (size_t)(e - m->v));
    m->count--;
    if (m->cap > LEAST && m->count < m->cap / 8)
        resize(m, m->cap / 2);
    return value;
}

bool map_walk(const struct map *m, size_t *it, struct bytes *key, void **value)
{
    while (*it < m->cap) {
        const struct entry *e = &m->v[(*it)++];
        if (!e->value)
            continue;
        if (key)
            *key = entry_key(e);
        if (value)
            *value = e->value;
        return true;
    }
    return false;
}

static uint64_t rotl(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

static uint64_t little_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint64_t hash_bytes(uint64_t seed, struct bytes b)
{
    /* SipHash wants 128 bits of key: the second half is the first one, scrambled. */
    uint64_t k0 = seed, k1 = rotl(seed * UINT64_C(0x9e3779b97f4a7c15), 32);
    uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                     k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t left = b.n;
    for (const uint8_t *p = b.p;; p += 8, left -= 8) {
        uint64_t w = little_endian(p, left < 8 ? left : 8);
        if (left < 8)
            w |= (uint64_t)b.n << 56;
        v[3] ^= w;
        sip_round(v);
        v[0] ^= w;
        if (left < 8)
            break;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Places chosen by content: a gear hash picks them, a hash of the bytes before names them. */
#include <p2p/base/anchors.h>

#include <p2p/base/mem.h>
#include <p2p/base/num.h>

#include <stdlib.h>

#define NAMED 48u      /* bytes by which an anchor is known; within its window */
#define LEAST_APART 9u /* bits: one in 512 bytes, where there is little content */
#define MATCHES (ANCHORS_FOUND * 2u)

struct anchor {
    uint32_t name;   /* 0: free */
    uint32_t source; /* its top bit: there are several */
    uint64_t off;
};
#define SEVERAL (1u << 31)

struct anchors {
    uint64_t gear[256];
    unsigned bits; /* that are zero in the hash at an anchor */
    struct anchor *v;
    size_t cap, n; /* cap: a power of two */
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct anchors *anchors_new(uint64_t bytes)
{
    struct anchors *a = mem_zero(sizeof *a);
    for (unsigned i = 0; i < 256; i++)
        a->gear[i] = mix(0x9e3779b97f4a7c15u * (i + 1));
    a->bits = LEAST_APART;
    while (bytes >> a->bits > ANCHORS_MOST / 2 && a->bits < 40)
        a->bits++;
    uint64_t expected = (bytes >> a->bits) + 64;
    a->cap = (size_t)num_pow2_ceil(expected * 3);
    a->v = mem_array(a->cap, sizeof *a->v);
    return a;
}

void anchors_free(struct anchors *a)
{
    if (!a)
        return;
    free(a->v);
    free(a);
}

static uint32_t name_of(const uint8_t *end)
{
    uint64_t h = 0, w;
    for (unsigned i = 0; i < NAMED; i += sizeof w) {
        memcpy(&w, end - NAMED + i, sizeof w);
        h = mix(h ^ w);
    }
    return (uint32_t)(h >> 32) | 1u;
}

static struct anchor *place(const struct anchors *a, uint32_t name)
{
    size_t i = (size_t)mix(name) & (a->cap - 1);
    while (a->v[i].name != 0 && a->v[i].name != name)
        i = (i + 1) & (a->cap - 1);
    return &a->v[i];
}

/* The next anchor ends before *at; false: there is none. Equal neighbours are one. */
static bool next_anchor(const struct anchors *a, struct bytes b, size_t *at, uint64_t *h)
{
    uint64_t hash = *h;
    size_t i = *at;
    while (i < b.n) {
        hash = (hash << 1) + a->gear[b.p[i++]];
        if (hash >> (64 - a->bits) == 0 && i >= ANCHORS_WINDOW) {
            *at = i;
            *h = hash;
            return true;
        }
    }
    return false;
}

void anchors_add(struct anchors *a, uint32_t source, uint64_t off, struct bytes b)
{
    uint64_t h = UINT64_MAX;
    uint32_t last = 0;
    for (size_t at = 0; next_anchor(a, b, &at, &h);) {
        uint32_t name = name_of(b.p + at);
        struct anchor *k = place(a, name);
        if (k->name == name && (k->source & ~SEVERAL) == source && k->off == off + at)
            continue; /* seen before, where two parts overlap */
        if (name == last)
            continue;
        last = name;
        if (k->name == name)
            k->source |= SEVERAL;
        else if (a->n < ANCHORS_MOST && a->n < a->cap / 2) {
            *k = (struct anchor){name, source & ~SEVERAL, off + at};
            a->n++;
        }
    }
}

struct tally {
    struct anchors_match v[MATCHES];
    size_t n;
};

static void vote(struct tally *t, const struct anchor *k, size_t at)
{
    uint32_t source = k->source & ~SEVERAL;
    int64_t shift = (int64_t)k->off - (int64_t)at;
    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].source == source && t->v[i].shift == shift) {
            t->v[i].votes++;
            return;
        }
    }
    if (t->n < MATCHES)
        t->v[t->n++] = (struct anchors_match){source, shift, 1};
}

static int by_votes(const void *a, const void *b)
{
    const struct anchors_match *x = a, *y = b;
    return (x->votes < y->votes) - (x->votes > y->votes);
}

size_t anchors_find(const struct anchors *a, struct bytes b,
                    struct anchors_match out[ANCHORS_FOUND])
{
    struct tally one = {.n = 0}, many = {.n = 0};
    uint64_t h = UINT64_MAX;
    for (size_t at = 0; next_anchor(a, b, &at, &h);) {
        uint32_t name = name_of(b.p + at);
        const struct anchor *k = place(a, name);
        if (k->name == name)
            vote(k->source & SEVERAL ? &many : &one, k, at);
    }
    struct tally *t = one.n ? &one : &many;
    qsort(t->v, t->n, sizeof *t->v, by_votes);
    size_t n = t->n < ANCHORS_FOUND ? t->n : ANCHORS_FOUND;
    memcpy(out, t->v, n * sizeof *out);
    return n;
}

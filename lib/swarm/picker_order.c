/*
 * Rarity order. Rules:
 * - Within a class of priority the rarest first, ties at random: the scan of a tie begins anywhere.
 * - Probing the sorted array finds a piece at once if the asker has much of what is rare. When a
 *   bounded number of probes found none, the asker's bits are met with the class's and the best of
 *   a bounded sample is taken: exact when the asker has few fresh pieces, nearly so otherwise.
 * - Large bit fields that come or go only count; the arrays are sorted again at the next search.
 */
#include "picker_order.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

#define PROBES 1024u /* entries of the sorted array looked at in one search */
#define SAMPLE 512u  /* candidates compared when probing failed */
#define RUN_LONG 32u /* pieces: a run that is good enough */
#define RUN_TRIES 4096u
#define BULK 4096u /* bits from which sorting again is cheaper than moving each */
#define FIRST_BUCKETS 4u

static void grow_buckets(struct order *o, uint32_t avail)
{
    if (avail < o->buckets)
        return;
    uint32_t n = o->buckets ? o->buckets : FIRST_BUCKETS;
    while (n <= avail)
        n *= 2;
    for (unsigned k = 1; k < ORDER_CLASSES; k++) {
        struct order_class *c = &o->c[k];
        c->start = mem_grow(c->start, (size_t)n + 1, sizeof *c->start);
        for (uint32_t a = o->buckets ? o->buckets + 1 : 0; a <= n; a++)
            c->start[a] = c->n;
    }
    o->buckets = n;
}

static void class_use(struct order *o, struct order_class *c)
{
    if (c->set.n == 0)
        bits_init(&c->set, o->n);
}

static void class_room(struct order_class *c, size_t n)
{
    if (n <= c->cap)
        return;
    size_t cap = c->cap + c->cap / 2u + 64;
    c->cap = (uint32_t)(cap < n ? n : cap);
    c->v = mem_grow(c->v, c->cap, sizeof *c->v);
}

void order_init(struct order *o, uint32_t n)
{
    *o = (struct order){
        .n = n,
        .avail = mem_array(n, sizeof *o->avail),
        .pos = mem_array(n, sizeof *o->pos),
        .cls = mem_alloc(n),
        .fresh = n,
        .fresh_unseen = n,
        .dirty = true,
    };
    if (n)
        memset(o->cls, 1, n);
    class_use(o, &o->c[1]);
    bits_fill(&o->c[1].set, true);
}

void order_fini(struct order *o)
{
    for (unsigned k = 0; k < ORDER_CLASSES; k++) {
        free(o->c[k].v);
        free(o->c[k].start);
        bits_fini(&o->c[k].set);
    }
    free(o->avail);
    free(o->pos);
    free(o->cls);
    *o = (struct order){0};
}

static void put(struct order *o, struct order_class *c, uint32_t at, uint32_t piece)
{
    c->v[at] = piece;
    o->pos[piece] = at;
}

/* Makes a hole at the end of bucket `a`, by moving one piece of each bucket behind it. */
static void array_insert(struct order *o, struct order_class *c, uint32_t piece, uint32_t a)
{
    class_room(c, (size_t)c->n + 1);
    uint32_t hole = c->n++;
    c->start[o->buckets] = c->n;
    for (uint32_t b = o->buckets - 1; b > a; b--) {
        uint32_t first = c->start[b]++;
        if (first != hole)
            put(o, c, hole, c->v[first]);
        hole = first;
    }
    put(o, c, hole, piece);
}

static void array_remove(struct order *o, struct order_class *c, uint32_t piece, uint32_t a)
{
    uint32_t hole = o->pos[piece];
    for (uint32_t b = a; b < o->buckets; b++) {
        uint32_t last = c->start[b + 1] - 1;
        if (last != hole)
            put(o, c, hole, c->v[last]);
        hole = last;
        c->start[b + 1] = last;
    }
    c->n--;
}

static void sort_class(struct order *o, struct order_class *c)
{
    if (c->set.n == 0)
        return;
    memset(c->start, 0, ((size_t)o->buckets + 1) * sizeof *c->start);
    c->n = (uint32_t)c->set.ones;
    class_room(c, c->n);
    for (size_t i = bits_next(&c->set, 0, true); i < c->set.n; i = bits_next(&c->set, i + 1, true))
        c->start[o->avail[i] + 1u]++;
    for (uint32_t a = 1; a <= o->buckets; a++)
        c->start[a] += c->start[a - 1];
    /* start[a] now begins bucket a; used as a cursor it ends where the next begins, */
    for (size_t i = bits_next(&c->set, 0, true); i < c->set.n; i = bits_next(&c->set, i + 1, true))
        put(o, c, c->start[o->avail[i]]++, (uint32_t)i);
    /* so all are one bucket too far. */
    memmove(c->start + 1, c->start, o->buckets * sizeof *c->start);
    c->start[0] = 0;
}

static void sort(struct order *o)
{
    if (!o->dirty)
        return;
    grow_buckets(o, 0); /* of a seed's nothing is ever sorted */
    for (unsigned k = 1; k < ORDER_CLASSES; k++)
        sort_class(o, &o->c[k]);
    o->dirty = false;
}

void order_insert(struct order *o, uint32_t piece, unsigned cls)
{
    struct order_class *c = &o->c[cls];
    class_use(o, c);
    bits_set(&c->set, piece);
    o->cls[piece] = (uint8_t)cls;
    o->fresh++;
    o->fresh_unseen += o->avail[piece] == 0;
    if (!o->dirty)
        array_insert(o, c, piece, o->avail[piece]);
}

void order_remove(struct order *o, uint32_t piece)
{
    struct order_class *c = &o->c[o->cls[piece]];
    bits_unset(&c->set, piece);
    o->cls[piece] = 0;
    o->fresh--;
    o->fresh_unseen -= o->avail[piece] == 0;
    if (!o->dirty)
        array_remove(o, c, piece, o->avail[piece]);
}

static void swap_to(struct order *o, struct order_class *c, uint32_t piece, uint32_t to)
{
    uint32_t from = o->pos[piece], other = c->v[to];
    put(o, c, from, other);
    put(o, c, to, piece);
}

static void count_up(struct order *o, uint32_t piece)
{
    uint32_t a = o->avail[piece];
    if (a == UINT16_MAX)
        return;
    grow_buckets(o, a + 1);
    o->avail[piece]++;
    struct order_class *c = &o->c[o->cls[piece]];
    if (o->cls[piece] == 0)
        return;
    o->fresh_unseen -= a == 0;
    if (!o->dirty)
        swap_to(o, c, piece, --c->start[a + 1]);
}

static void count_down(struct order *o, uint32_t piece)
{
    uint32_t a = o->avail[piece];
    if (a == 0)
        return;
    o->avail[piece]--;
    struct order_class *c = &o->c[o->cls[piece]];
    if (o->cls[piece] == 0)
        return;
    o->fresh_unseen += a == 1;
    if (!o->dirty)
        swap_to(o, c, piece, c->start[a]++);
}

void order_count(struct order *o, uint32_t piece, int delta)
{
    for (; delta > 0; delta--)
        count_up(o, piece);
    for (; delta < 0; delta++)
        count_down(o, piece);
}

void order_count_bits(struct order *o, const struct bits *has, int delta)
{
    if (has->ones >= BULK)
        o->dirty = true;
    size_t n = has->n < o->n ? has->n : o->n;
    for (size_t i = bits_next(has, 0, true); i < n; i = bits_next(has, i + 1, true))
        order_count(o, (uint32_t)i, delta);
}

bool order_match(const struct order_filter *f, uint32_t piece)
{
    return (!f->has || bits_get(f->has, piece)) && (!f->only || bits_get(f->only, piece)) &&
           !(f->avoid && bits_get(f->avoid, piece));
}

/* Eight bytes at byte i, in memory order; zero behind the end, ones if there is no filter. */
static uint64_t load(const struct bits *b, size_t i)
{
    if (!b)
        return UINT64_MAX;
    size_t n = bits_bytes(b->n);
    uint64_t w = 0;
    if (i + 8 <= n)
        memcpy(&w, b->v + i, 8);
    else if (i < n)
        memcpy(&w, b->v + i, n - i);
    return w;
}

uint32_t order_and_next(const struct bits *set, const struct order_filter *f, uint32_t from)
{
    size_t bytes = bits_bytes(set->n);
    uint64_t keep = UINT64_MAX >> (from & 63);
    for (size_t i = from / 64 * 8; i < bytes; i += 8, keep = UINT64_MAX) {
        uint64_t w = load(set, i) & load(f->has, i) & load(f->only, i);
        if (f->avoid)
            w &= ~load(f->avoid, i);
        if (w && (w = get_be64((const uint8_t *)&w) & keep))
            return (uint32_t)(i * 8) + (uint32_t)__builtin_clzll(w);
    }
    return ORDER_NONE;
}

static uint32_t random_below(struct rng *r, uint32_t n)
{
    return (uint32_t)rng_below(r, n);
}

/* Rarest bucket first, each begun anywhere. An asker with a bit field has nothing in bucket 0. */
static uint32_t probe(const struct order *o, const struct order_class *c,
                      const struct order_filter *f, struct rng *r)
{
    uint32_t left = PROBES;
    for (uint32_t b = f->has ? 1 : 0; b < o->buckets; b++) {
        uint32_t size = c->start[b + 1] - c->start[b];
        if (size == 0)
            continue;
        uint32_t at = random_below(r, size);
        for (uint32_t i = 0; i < size; i++, at = at + 1 == size ? 0 : at + 1) {
            if (order_match(f, c->v[c->start[b] + at]))
                return c->v[c->start[b] + at];
            if (--left == 0)
                return ORDER_NONE;
        }
    }
    return ORDER_NONE;
}

static uint32_t sample(const struct order *o, const struct order_class *c,
                       const struct order_filter *f, struct rng *r)
{
    uint32_t best = ORDER_NONE, ties = 0, seen = 0, begin = random_below(r, o->n), at = begin;
    bool wrapped = false;
    while (seen < SAMPLE) {
        uint32_t piece = order_and_next(&c->set, f, at);
        if (piece == ORDER_NONE || (wrapped && piece >= begin)) {
            if (wrapped)
                break;
            wrapped = true;
            at = 0;
            continue;
        }
        seen++;
        if (best == ORDER_NONE || o->avail[piece] < o->avail[best]) {
            best = piece;
            ties = 1;
        } else if (o->avail[piece] == o->avail[best] && random_below(r, ++ties) == 0) {
            best = piece;
        }
        at = piece + 1;
    }
    return best;
}

static uint32_t any(const struct order *o, const struct order_class *c,
                    const struct order_filter *f, struct rng *r)
{
    for (uint32_t i = 0; i < 32; i++) {
        uint32_t piece = c->v[random_below(r, c->n)];
        if (order_match(f, piece))
            return piece;
    }
    uint32_t piece = order_and_next(&c->set, f, random_below(r, o->n));
    return piece != ORDER_NONE ? piece : order_and_next(&c->set, f, 0);
}

static uint32_t rarest(const struct order *o, const struct order_class *c,
                       const struct order_filter *f, struct rng *r)
{
    bool few = f->only || (f->has && f->has->ones <= SAMPLE);
    uint32_t piece = few ? ORDER_NONE : probe(o, c, f, r);
    return piece != ORDER_NONE ? piece : sample(o, c, f, r);
}

uint32_t order_find(struct order *o, const struct order_filter *f, enum order_mode mode,
                    struct rng *r)
{
    sort(o);
    for (unsigned k = ORDER_CLASSES - 1; k > 0; k--) {
        const struct order_class *c = &o->c[k];
        if (c->set.ones == 0)
            continue;
        uint32_t piece = mode == ORDER_RANDOM ? any(o, c, f, r) : rarest(o, c, f, r);
        if (piece != ORDER_NONE)
            return piece;
    }
    return ORDER_NONE;
}

static uint32_t rarest_ahead(const struct order *o, const struct order_class *c,
                             const struct order_filter *f, uint32_t window, uint32_t limit,
                             struct rng *r)
{
    uint32_t best = order_and_next(&c->set, f, 0), ties = 0;
    uint64_t end = (uint64_t)bits_next(&c->set, 0, true) + window;
    if (best >= limit)
        return ORDER_NONE;
    end = end < limit ? end : limit;
    for (uint32_t at = best, seen = 0; at < end && seen < SAMPLE; seen++) {
        uint32_t a = o->avail[at];
        ties = a < o->avail[best] ? 1 : ties + (a == o->avail[best]);
        if (a < o->avail[best] || (a > 0 && a == o->avail[best] && random_below(r, ties) == 0))
            best = at;
        at = order_and_next(&c->set, f, at + 1);
    }
    return best;
}

uint32_t order_find_ahead(const struct order *o, const struct order_filter *f, uint32_t window,
                          uint32_t limit, struct rng *r)
{
    for (unsigned k = ORDER_CLASSES - 1; k > 0; k--) {
        uint32_t piece =
            o->c[k].set.ones ? rarest_ahead(o, &o->c[k], f, window, limit, r) : ORDER_NONE;
        if (piece != ORDER_NONE)
            return piece;
    }
    return ORDER_NONE;
}

bool order_any_before(const struct order *o, uint32_t limit)
{
    for (unsigned k = 1; k < ORDER_CLASSES; k++)
        if (o->c[k].set.ones && bits_next(&o->c[k].set, 0, true) < limit)
            return true;
    return false;
}

static uint32_t run_length(const struct bits *set, const struct order_filter *f, uint32_t from)
{
    uint32_t n = 0;
    while (n < RUN_LONG && bits_get(set, from + n) && order_match(f, from + n))
        n++;
    return n;
}

static uint32_t long_run(const struct bits *set, const struct order_filter *f, uint32_t from)
{
    uint32_t best = ORDER_NONE, best_n = 0, at = from;
    bool wrapped = false;
    for (uint32_t i = 0; i < RUN_TRIES && best_n < RUN_LONG; i++) {
        uint32_t piece = order_and_next(set, f, at);
        if (piece == ORDER_NONE && !wrapped && from > 0) {
            wrapped = true;
            at = 0;
            continue;
        }
        if (piece == ORDER_NONE || (wrapped && piece >= from))
            break;
        uint32_t n = run_length(set, f, piece);
        if (n > best_n) {
            best = piece;
            best_n = n;
        }
        at = piece + n;
    }
    return best;
}

uint32_t order_find_run(const struct order *o, const struct order_filter *f, uint32_t after,
                        uint32_t from)
{
    for (unsigned k = ORDER_CLASSES - 1; k > 0; k--) {
        const struct bits *set = &o->c[k].set;
        if (set->ones == 0)
            continue;
        if (after != ORDER_NONE && run_length(set, f, after + 1) > 0)
            return after + 1;
        uint32_t piece = long_run(set, f, from < o->n ? from : 0);
        if (piece != ORDER_NONE)
            return piece;
    }
    return ORDER_NONE;
}

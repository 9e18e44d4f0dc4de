/*
 * Candidates in one array, found by address through a map. Looking for the best is a walk over at
 * most 3,000 of them, and is not done before the remembered time when the next falls due.
 *
 * Who is dialled first: fewest failures, then those the user or the link named, then neighbours,
 * then by BEP 40 priority, high first. Who goes when all places are taken: most failures first,
 * then the least priority; never one that is connected or was named by the user or the link. A
 * newcomer that promises less than all others is not taken, so a flood of addresses drives nobody
 * out.
 */
#include <p2p/swarm/pool.h>

#include <p2p/swarm/near.h>

#include <p2p/base/list.h>
#include <p2p/base/map.h>
#include <p2p/base/mem.h>

#include <stdlib.h>

#define KEY_SIZE 19
#define LEAST 4 /* candidates that there is room for with the first */
#define SELVES_MAX 16u
#define BANS_MAX 3000u
#define GIVEN (POOL_USER | POOL_LINK)

enum state { IDLE, CONNECTING, CONNECTED };

struct cand {
    struct addr a;
    uint16_t source;
    uint8_t state, failures;
    bool seed, near;
    uint32_t prio;
    usec retry_at;
    size_t index; /* in pool.v */
};

struct ban {
    struct list_node node; /* in pool.ban_order */
    usec until;
    uint8_t key[KEY_SIZE];
};

struct pool {
    struct rng *rng;
    struct cand **v; /* owned */
    size_t n, cap, idle;
    struct map *by_addr, *bans; /* bans: by family and ip */
    struct list ban_order;      /* all last equally long, so the first ends first */
    struct addr self[2];
    struct addr *selves; /* SELVES_MAX, from the first on */
    size_t n_selves;     /* ever met; the last SELVES_MAX are kept */
    bool prefer_near;
    usec due[2];      /* by want_seeds: nobody is due before; kept while not stale */
    usec near_due[2]; /* likewise, of neighbours */
    bool stale;
};

/* CRC-32C (Castagnoli), reflected, as BEP 40 wants. */
static uint32_t crc32c(const uint8_t *p, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static uint32_t crc_sorted(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint8_t both[32];
    bool swap = memcmp(a, b, n) > 0;
    memcpy(both, swap ? b : a, n);
    memcpy(both + n, swap ? a : b, n);
    return crc32c(both, 2 * n);
}

/* Bytes up to and with the first that differs are kept whole, `least` of them at least; of those
 * behind every other bit: so a whole network is not one priority, nor does it have many. */
static uint32_t crc_masked(const uint8_t *a, const uint8_t *b, size_t n, size_t least)
{
    uint8_t ma[16], mb[16];
    size_t whole = 0;
    while (whole < n && a[whole] == b[whole])
        whole++;
    whole = whole < least ? least : whole + 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t mask = i < whole ? 0xff : 0x55;
        ma[i] = a[i] & mask;
        mb[i] = b[i] & mask;
    }
    return crc_sorted(ma, mb, n);
}

static void as_v6(const struct addr *a, uint8_t out[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(out, mapped, sizeof mapped);
    memcpy(out + (a->family == 4 ? 12 : 0), a->ip, a->family == 4 ? 4 : 16);
}

uint32_t pool_priority(const struct addr *a, const struct addr *b)
{
    uint8_t x[16], y[16];
    if (addr_same_ip(a, b)) {
        put_be16(x, a->port);
        put_be16(y, b->port);
        return crc_sorted(x, y, 2);
    }
    if (a->family == 4 && b->family == 4)
        return crc_masked(a->ip, b->ip, 4, 2);
    as_v6(a, x);
    as_v6(b, y);
    return crc_masked(x, y, 16, 6);
}

static struct bytes key(const struct addr *a, uint8_t out[KEY_SIZE], bool with_port)
{
    memset(out, 0, KEY_SIZE);
    out[0] = a->family;
    memcpy(out + 1, a->ip, a->family == 4 ? 4 : 16);
    if (with_port)
        put_be16(out + 17, a->port);
    return BYTES(out, KEY_SIZE);
}

/* All peers of one host share its loopback address: there a ban is of one of them. */
static struct bytes ban_key(const struct addr *a, uint8_t out[KEY_SIZE])
{
    return key(a, out, addr_scope(a) == ADDR_LOOPBACK);
}

static struct cand *find(const struct pool *p, const struct addr *a)
{
    uint8_t k[KEY_SIZE];
    return map_get(p->by_addr, key(a, k, true));
}

struct pool *pool_new(struct rng *r)
{
    struct pool *p = mem_zero(sizeof *p);
    p->rng = r;
    p->by_addr = map_new(rng_u64(r));
    p->bans = map_new(rng_u64(r));
    list_init(&p->ban_order);
    p->stale = true;
    return p;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n; i++)
        free(p->v[i]);
    free(p->v);
    for (struct list_node *n; (n = list_pop(&p->ban_order));)
        free(LIST_OF(n, struct ban, node));
    map_free(p->by_addr);
    map_free(p->bans);
    free(p->selves);
    free(p);
}

static void set_state(struct pool *p, struct cand *c, enum state to)
{
    p->idle += to == IDLE;
    p->idle -= c->state == IDLE;
    c->state = (uint8_t)to;
    p->stale = true;
}

static void forget(struct pool *p, struct cand *c)
{
    uint8_t k[KEY_SIZE];
    map_remove(p->by_addr, key(&c->a, k, true));
    p->idle -= c->state == IDLE;
    p->v[c->index] = p->v[--p->n];
    p->v[c->index]->index = c->index;
    p->stale = true;
    free(c);
}

static uint32_t rank(const struct pool *p, const struct addr *a)
{
    const struct addr *self = &p->self[a->family == 6];
    return self->family ? pool_priority(self, a) : (uint32_t)rng_u64(p->rng);
}

static bool is_near(const struct pool *p, const struct cand *c)
{
    struct near_clue clue = {p->self, 2, &c->a, c->source & POOL_LSD, USEC_NEVER};
    return p->prefer_near && near_class(&clue) > NEAR_FAR;
}

void pool_prefer_near(struct pool *p, bool on)
{
    p->prefer_near = on;
    p->stale = true;
    for (size_t i = 0; i < p->n; i++)
        p->v[i]->near = is_near(p, p->v[i]);
}

void pool_set_self(struct pool *p, const struct addr *self)
{
    if (!p)
        return;
    struct addr *mine = &p->self[self->family == 6];
    if (self->family == 0 || addr_eq(mine, self))
        return;
    *mine = *self;
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i]->a.family == self->family)
            p->v[i]->prio = rank(p, &p->v[i]->a);
    pool_prefer_near(p, p->prefer_near);
}

static bool is_self(const struct pool *p, const struct addr *a)
{
    for (size_t i = 0; i < p->n_selves && i < SELVES_MAX; i++)
        if (addr_eq(&p->selves[i], a))
            return true;
    return addr_eq(&p->self[a->family == 6], a);
}

static bool acceptable(const struct addr *a, unsigned source)
{
    if ((a->family != 4 && a->family != 6) || a->port == 0)
        return false;
    if (source & POOL_USER)
        return true;
    if (a->port < 1024 && a->port != 80 && a->port != 443)
        return false;
    enum addr_scope s = addr_scope(a);
    return s != ADDR_UNUSABLE && (s != ADDR_LINK_LOCAL || (source & POOL_LSD));
}

/* Does x promise more than y? */
static bool better(const struct cand *x, const struct cand *y)
{
    if (x->failures != y->failures)
        return x->failures < y->failures;
    bool xg = x->source & GIVEN, yg = y->source & GIVEN;
    if (xg != yg)
        return xg;
    return x->near != y->near ? x->near : x->prio > y->prio;
}

static bool make_room(struct pool *p, const struct cand *newcomer)
{
    struct cand *worst = NULL;
    if (p->n < POOL_MAX)
        return true;
    for (size_t i = 0; i < p->n; i++) {
        struct cand *c = p->v[i];
        if (c->state == IDLE && !(c->source & GIVEN) && (!worst || better(worst, c)))
            worst = c;
    }
    if (!worst || !better(newcomer, worst))
        return false;
    forget(p, worst);
    return true;
}

bool pool_add(struct pool *p, const struct addr *a, unsigned source, bool seed_hint, usec now)
{
    if (!acceptable(a, source) || is_self(p, a) || pool_banned(p, a, now))
        return false;
    struct cand *c = find(p, a);
    if (c) {
        c->source |= (uint16_t)source;
        c->near = is_near(p, c);
        c->seed = c->seed || seed_hint;
        p->stale = true;
        return true;
    }
    struct cand fresh = {.a = *a,
                         .source = (uint16_t)source,
                         .seed = seed_hint,
                         .prio = rank(p, a),
                         .retry_at = now};
    fresh.near = is_near(p, &fresh);
    if (!make_room(p, &fresh))
        return false;
    uint8_t k[KEY_SIZE];
    c = mem_dup(&fresh, sizeof fresh);
    c->index = p->n;
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : LEAST;
        p->v = mem_grow(p->v, p->cap, sizeof(struct cand *));
    }
    p->v[p->n++] = c;
    p->idle++;
    p->stale = true;
    map_put(p->by_addr, key(a, k, true), c);
    return true;
}

static bool eligible(const struct cand *c, bool want_seeds)
{
    return c->state == IDLE && (want_seeds || !c->seed);
}

static void refresh(struct pool *p)
{
    if (!p->stale)
        return;
    p->due[0] = p->due[1] = p->near_due[0] = p->near_due[1] = USEC_NEVER;
    for (size_t i = 0; i < p->n; i++) {
        const struct cand *c = p->v[i];
        for (int seeds = 0; seeds < 2; seeds++) {
            if (!eligible(c, seeds))
                continue;
            p->due[seeds] = usec_min(p->due[seeds], c->retry_at);
            if (c->near)
                p->near_due[seeds] = usec_min(p->near_due[seeds], c->retry_at);
        }
    }
    p->stale = false;
}

static bool next_of(struct pool *p, bool want_seeds, bool near, struct addr *out, usec now)
{
    struct cand *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct cand *c = p->v[i];
        if (eligible(c, want_seeds) && c->retry_at <= now && c->near >= near &&
            (!best || better(c, best)))
            best = c;
    }
    if (!best)
        return false;
    set_state(p, best, CONNECTING);
    *out = best->a;
    return true;
}

bool pool_next(struct pool *p, bool want_seeds, struct addr *out, usec now)
{
    refresh(p);
    return now >= p->due[want_seeds] && next_of(p, want_seeds, false, out, now);
}

bool pool_has_near(struct pool *p, bool want_seeds, usec now)
{
    refresh(p);
    return now >= p->near_due[want_seeds];
}

bool pool_next_near(struct pool *p, bool want_seeds, struct addr *out, usec now)
{
    return pool_has_near(p, want_seeds, now) && next_of(p, want_seeds, true, out, now);
}

usec pool_deadline(const struct pool *p, bool want_seeds)
{
    if (p && !p->stale)
        return p->due[want_seeds];
    usec at = USEC_NEVER;
    for (size_t i = 0; p && i < p->n; i++)
        if (eligible(p->v[i], want_seeds))
            at = usec_min(at, p->v[i]->retry_at);
    return at;
}

void pool_connected(struct pool *p, const struct addr *a, usec now)
{
    struct cand *c = find(p, a);
    if (!c)
        return;
    c->retry_at = now;
    set_state(p, c, CONNECTED);
}

/* Who was named on purpose may just be starting. */
static usec first_wait(const struct cand *c)
{
    return c->source & GIVEN ? POOL_RETRY_GIVEN : POOL_RETRY_FIRST;
}

void pool_closed(struct pool *p, const struct addr *a, bool useful, usec now)
{
    struct cand *c = find(p, a);
    if (!c)
        return;
    set_state(p, c, IDLE);
    if (useful) {
        c->failures = 0;
        c->retry_at = now + first_wait(c);
        return;
    }
    if (c->failures < POOL_TRIES)
        c->failures++;
    if (c->failures == POOL_TRIES && !(c->source & GIVEN)) {
        forget(p, c);
        return;
    }
    c->retry_at = now + usec_min(first_wait(c) << (c->failures - 1), POOL_RETRY_MAX);
}

void pool_is_seed(struct pool *p, const struct addr *a, bool seed)
{
    struct cand *c = find(p, a);
    if (!c)
        return;
    c->seed = seed;
    p->stale = true;
}

void pool_is_self(struct pool *p, const struct addr *a)
{
    struct cand *c = find(p, a);
    if (!p->selves)
        p->selves = mem_array(SELVES_MAX, sizeof *p->selves);
    if (!is_self(p, a))
        p->selves[p->n_selves++ % SELVES_MAX] = *a;
    if (c)
        forget(p, c);
}

static void unban(struct pool *p, struct ban *b)
{
    map_remove(p->bans, BYTES(b->key, KEY_SIZE));
    list_remove(&p->ban_order, &b->node);
    free(b);
}

static void prune_bans(struct pool *p, usec now)
{
    struct list_node *n;
    while ((n = list_first(&p->ban_order))) {
        struct ban *b = LIST_OF(n, struct ban, node);
        if (now < b->until && p->ban_order.count < BANS_MAX)
            break;
        unban(p, b);
    }
}

void pool_ban(struct pool *p, const struct addr *a, usec now)
{
    struct ban *b = mem_zero(sizeof *b);
    struct ban *old = map_get(p->bans, ban_key(a, b->key));
    if (old)
        unban(p, old);
    prune_bans(p, now);
    b->until = now + POOL_BAN;
    map_put(p->bans, BYTES(b->key, KEY_SIZE), b);
    list_push(&p->ban_order, &b->node);
    for (size_t i = p->n; i-- > 0;)
        if (pool_banned(p, &p->v[i]->a, now))
            forget(p, p->v[i]);
}

bool pool_banned(const struct pool *p, const struct addr *a, usec now)
{
    uint8_t k[KEY_SIZE];
    const struct ban *b = map_get(p->bans, ban_key(a, k));
    return b && now < b->until;
}

void pool_forget(struct pool *p, unsigned sources)
{
    sources |= POOL_V1 | POOL_V2;
    for (size_t i = p ? p->n : 0; i-- > 0;)
        if (!(p->v[i]->source & ~sources))
            forget(p, p->v[i]);
}

void pool_rest(struct pool *p)
{
    for (size_t i = p ? p->n : 0; i-- > 0;) {
        const struct cand *c = p->v[i];
        bool told = c->source & ~(unsigned)(POOL_INCOMING | POOL_V1 | POOL_V2);
        if (c->state == IDLE && !(c->source & GIVEN) && !(c->seed && told))
            forget(p, p->v[i]);
    }
}

unsigned pool_sources(const struct pool *p, const struct addr *a)
{
    const struct cand *c = p ? find(p, a) : NULL;
    return c ? c->source : 0;
}

size_t pool_count(const struct pool *p)
{
    return p ? p->n : 0;
}

size_t pool_waiting(const struct pool *p)
{
    return p ? p->idle : 0;
}

bool pool_is_blank(const struct pool *p)
{
    return !p || (p->n == 0 && p->ban_order.count == 0);
}

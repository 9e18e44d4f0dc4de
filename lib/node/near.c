/*
 * Neighbours first, and peers before web seeds: the two circles of an item (swarm/near.h), what of
 * them is known, and which pieces are left alone by whom.
 *
 * The circle of neighbours spares the way to far peers, that of all peers spares the web seeds.
 * What is held back is reckoned anew a few times a second, and at once for a piece that a peer of
 * the circle tells of.
 */
#include "node/node_int.h"
#include "node/passing.h"

#include <p2p/swarm/near.h>
#include <stdlib.h>

#define EVERY (USEC_SEC / 4) /* twice that for each million pieces */
#define HEARD_MAX 64u
#define PASSED_OVER USEC_MIN
#define MEASURED USEC_SEC
#define MEASURED_FIRST (USEC_SEC / 8)
#define LOW_WEB 6 /* times as long must peers be slow, before they are passed by */

enum circle_kind { NEIGHBOURS, EVERYBODY, CIRCLES };

struct mate {
    struct near_mate in[CIRCLES];
    bool counted; /* since it has told what it has */
    usec rtt;     /* the least seen */
};

struct circle {
    struct near_parts parts;
    struct near_mate us;
    struct bits seen; /* had by us or somebody of it */
    struct bits hold; /* to be left alone by the dear source */
    size_t n;         /* peers in it; */
    size_t lacking;   /* of them lack something themselves */
    uint64_t taken;   /* of the dear source, since it was measured last */
    uint64_t speed;   /* of the dear source, while it was in use */
    usec used;        /* until it was measured last; */
    usec in_use;      /* until `looked` */
    usec looked;
    bool idle;                  /* the dear source has nothing to do for us */
    usec idle_since, low_since; /* 0: it is not so */
};

struct near {
    struct circle circle[CIRCLES];
    bool ready;
    usec next;
    struct addr heard[HEARD_MAX];
    uint32_t n_heard;
};

static unsigned prefer_of(const struct node *n)
{
    return n->cfg.prefer_local < NEAR_MAX_PREFER ? n->cfg.prefer_local : NEAR_MAX_PREFER;
}

static unsigned prefer(const struct task *t)
{
    return prefer_of(t->node);
}

unsigned near_strength(const struct conn *c)
{
    return c->nearness > NEAR_FAR ? prefer_of(c->node) : 0;
}

static struct near *near_of(struct task *t)
{
    if (!t->near)
        t->near = mem_zero(sizeof *t->near);
    return t->near;
}

static bool belongs(const struct conn *c, enum circle_kind k)
{
    return c->phase == CONN_OPEN && c->mate && (k == EVERYBODY || c->nearness > NEAR_FAR);
}

/* ---- classes ---- */

static bool was_heard(const struct near *v, const struct addr *a)
{
    for (uint32_t i = 0; v && i < v->n_heard && i < HEARD_MAX; i++)
        if (addr_same_ip(&v->heard[i], a))
            return true;
    return false;
}

/* Nobody becomes far again: what made him near was true once, and is not had by words. */
static void classify(struct conn *c, usec rtt)
{
    struct addr self[2];
    size_t n = 0;
    c->mate->rtt = usec_min(c->mate->rtt, rtt);
    n += self_address(c->node, 4, &self[n]);
    n += self_address(c->node, 6, &self[n]);
    struct near_clue clue = {self, n, &c->addr, was_heard(c->task->near, &c->addr), c->mate->rtt};
    unsigned k = near_class(&clue);
    if (k > c->nearness)
        c->nearness = k;
}

bool near_by_address(const struct node *n, const struct addr *a)
{
    struct addr self[2];
    size_t k = self_address(n, 4, &self[0]);
    k += self_address(n, 6, &self[k]);
    struct near_clue clue = {self, k, a, false, USEC_NEVER};
    return prefer_of(n) > 0 && near_class(&clue) > NEAR_FAR;
}

void near_heard(struct task *t, const struct addr *a, usec now)
{
    struct near *v = near_of(t);
    (void)now;
    if (was_heard(v, a))
        return;
    v->heard[v->n_heard++ % HEARD_MAX] = *a;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase == CONN_OPEN && addr_same_ip(&c->addr, a))
            classify(c, USEC_NEVER);
    }
}

void near_opened(struct conn *c, usec now)
{
    c->mate = mem_zero(sizeof *c->mate);
    c->mate->rtt = USEC_NEVER;
    for (int k = 0; k < CIRCLES; k++)
        near_mate_init(&c->mate->in[k], near_key(c->peer_id), now);
    /* Who was dialled has answered; who dialled us answers with his extended handshake. */
    classify(c, c->incoming ? USEC_NEVER : now - c->connected_at);
    near_of(c->task)->next = now;
}

void near_greeted(struct conn *c, usec now)
{
    if (c->incoming && !c->said_ext)
        classify(c, now - c->mate->in[NEIGHBOURS].joined);
}

void near_gone(struct conn *c, usec now)
{
    free(c->mate);
    c->mate = NULL;
    if (c->task->near)
        c->task->near->next = now;
}

static void circle_init(struct task *t, struct circle *r, usec now)
{
    uint32_t n = t->m->n_pieces;
    uint64_t key = near_key(t->node->cfg.peer_id);
    near_parts_init(&r->parts, n, t->m->piece_length, key);
    near_mate_init(&r->us, key, now);
    r->looked = now;
    bits_init(&r->seen, n);
    bits_init(&r->hold, n);
}

void near_fini(struct task *t)
{
    struct near *v = t->near;
    for (int k = 0; v && v->ready && k < CIRCLES; k++) {
        near_parts_fini(&v->circle[k].parts);
        bits_fini(&v->circle[k].seen);
        bits_fini(&v->circle[k].hold);
    }
    free(v);
    t->near = NULL;
}

/* ---- what peers tell and give ---- */

void near_has(struct conn *c, uint32_t piece, usec now)
{
    struct near *v = c->task->near;
    if (!v || !v->ready)
        return;
    for (int k = 0; k < CIRCLES; k++) {
        struct circle *r = &v->circle[k];
        if (!belongs(c, k) || r->n == 0)
            continue;
        if (!bits_get(&c->task->have, piece) && bits_set(&r->seen, piece))
            near_mate_brought(&c->mate->in[k], now);
        if (!c->mate->in[k].let_down)
            bits_set(&r->hold, piece);
    }
}

void near_brought(struct task *t, uint32_t piece, usec now)
{
    struct near *v = t->near;
    for (int k = 0; v && v->ready && k < CIRCLES; k++)
        if (v->circle[k].n > 0 && bits_set(&v->circle[k].seen, piece))
            near_mate_brought(&v->circle[k].us, now);
}

void near_got(struct conn *c, uint32_t bytes)
{
    struct task *t = c->task;
    if (c->nearness > NEAR_FAR)
        t->from_near += bytes;
    else if (t->near)
        t->near->circle[NEIGHBOURS].taken += bytes;
}

void near_got_web(struct task *t, uint64_t bytes)
{
    if (t->near)
        t->near->circle[EVERYBODY].taken += bytes;
}

/* ---- what is held back ---- */

static void add_has(struct bits *to, const struct conn *c)
{
    if (c->has_all)
        bits_fill(to, true);
    else if (c->has.n == to->n)
        bits_or(to, &c->has);
}

static bool works(const struct task *t, const struct conn *c, enum circle_kind k, usec now)
{
    const struct near_mate *us = &t->near->circle[k].us;
    return near_mate_works(&c->mate->in[k], us, prefer(t), now);
}

static bool has_everything(const struct conn *c)
{
    return c->has_all || c->upload_only || (c->has.n && bits_full(&c->has));
}

/* Those whose parts are left to them, in the order of the connections. */
static size_t at_work(struct task *t, enum circle_kind k, struct conn **who, uint64_t *keys,
                      usec now)
{
    size_t n = 0;
    for (struct list_node *l = list_first(&t->conns); l && n < NEAR_MAX_MATES;
         l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (!belongs(c, k) || has_everything(c) || !works(t, c, k, now))
            continue;
        who[n] = c;
        keys[n++] = c->mate->in[k].key;
    }
    return n;
}

static void gather(struct task *t, enum circle_kind k)
{
    struct circle *r = &t->near->circle[k];
    r->n = r->lacking = 0;
    bits_fill(&r->hold, false);
    bits_fill(&r->seen, false);
    bits_or(&r->seen, &t->have);
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (!belongs(c, k))
            continue;
        r->n++;
        r->lacking += c->told_have && !has_everything(c);
        c->mate->counted = c->told_have;
        add_has(&r->seen, c);
        if (!c->mate->in[k].let_down)
            add_has(&r->hold, c);
    }
}

static void hold_parts(struct circle *r)
{
    const struct near_parts *p = &r->parts;
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t first = i * p->size, end = near_part_end(p, first);
        for (uint32_t piece = first; p->owner[i] && piece < end; piece++)
            bits_set(&r->hold, piece);
    }
}

/* ---- waiting for others, and no longer ---- */

static uint32_t pieces_left(const struct task *t, const struct circle *r, uint16_t owner)
{
    const struct near_parts *p = &r->parts;
    uint32_t left = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        uint32_t first = i * p->size, end = near_part_end(p, first);
        for (uint32_t piece = first; p->owner[i] == owner && piece < end; piece++)
            left += picker_wanted(t->picker, piece) && !bits_get(&r->seen, piece);
    }
    return left;
}

static uint64_t rate_from(const struct task *t, enum circle_kind k, usec now)
{
    uint64_t sum = 0;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (belongs(c, k))
            sum += rate_now(&c->down, now);
    }
    return sum;
}

/* Rule 4. True if somebody was passed over: one at a time, for who was here first is done with his
 * parts when all others have hardly begun. While they bring more than we could ourselves, there is
 * nothing to gain: they may well share one slow line with us. */
static bool take_over(struct task *t, enum circle_kind k, struct conn **who, size_t n, usec now)
{
    struct circle *r = &t->near->circle[k];
    if (!r->idle || n == 0 || rate_from(t, k, now) > r->speed) {
        r->idle_since = 0;
        return false;
    }
    if (!r->idle_since)
        r->idle_since = now;
    if (now - r->idle_since < near_patience(prefer(t)) / 5)
        return false;
    struct near_mate *slowest = NULL;
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        struct near_mate *m = &who[i]->mate->in[k];
        uint32_t left = pieces_left(t, r, (uint16_t)(i + 1));
        if (left <= most || !near_mate_is_slow(m, &r->us, left, prefer(t), now))
            continue;
        slowest = m;
        most = left;
    }
    if (slowest)
        slowest->passed_over = now + PASSED_OVER;
    r->idle_since = now;
    return slowest != NULL;
}

/* A web seed is spared for the sake of a crowd. Seeds alone are no crowd. */
static bool is_spared(const struct task *t, enum circle_kind k)
{
    return k == EVERYBODY && t->near->circle[k].lacking > 0;
}

static uint64_t least(const struct task *t, enum circle_kind k)
{
    unsigned part = k == NEIGHBOURS   ? NEAR_LEAST_FAR
                    : is_spared(t, k) ? NEAR_LEAST_CROWD
                                      : NEAR_LEAST_SEEDS;
    return near_least(t->near->circle[k].speed, part, prefer(t));
}

static usec low_patience(const struct task *t, enum circle_kind k)
{
    usec half = near_patience(prefer(t)) / 2;
    return is_spared(t, k) ? half * LOW_WEB : half;
}

/* Rule 5. Who gives his share of what must arrive has made up for it. */
static void let_down(struct task *t, enum circle_kind k, usec now)
{
    struct circle *r = &t->near->circle[k];
    usec patience = low_patience(t, k);
    uint64_t want = least(t, k), share = want / (2 * r->n + 1) + 1;
    if (r->n == 0 || rate_from(t, k, now) >= want)
        r->low_since = 0;
    else if (r->idle && !r->low_since)
        r->low_since = now; /* that a web seed helps out then does not end it */
    bool blame = r->idle && r->low_since && now - r->low_since >= patience;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        bool gives = rate_now(&c->down, now) >= share;
        if (belongs(c, k) && (gives || blame))
            c->mate->in[k].let_down = !gives;
    }
}

/* ---- reckoning ---- */

/* Somebody far would serve us, and nobody there is asked for anything. */
static bool far_is_idle(const struct task *t, usec now)
{
    bool idle = false;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase != CONN_OPEN || c->nearness > NEAR_FAR)
            continue;
        if (c->pipe.out > 0)
            return false;
        idle |= c->am_interested && !c->peer_choking && c->hold_until <= now;
    }
    return idle;
}

/* How long the dear source was asked for anything: of far peers by what was seen at each look. */
static usec time_in_use(struct task *t, enum circle_kind k, usec now)
{
    const struct circle *r = &t->near->circle[k];
    if (k == EVERYBODY)
        return web_time(t, now);
    return r->idle ? r->in_use : r->in_use + now - r->looked;
}

/* The speed of the dear source is what it gave in the time that it was asked. */
static void measure(struct task *t, enum circle_kind k, usec now)
{
    struct circle *r = &t->near->circle[k];
    r->in_use = time_in_use(t, k, now);
    r->looked = now;
    r->idle = k == EVERYBODY ? !web_busy(t) : far_is_idle(t, now);
    usec took = r->in_use - r->used;
    if (took < (r->speed ? MEASURED : MEASURED_FIRST) || r->taken == 0)
        return;
    uint64_t rate = (uint64_t)((double)r->taken * 1e6 / (double)took);
    r->speed = r->speed ? (3 * r->speed + rate) / 4 : rate;
    r->taken = 0;
    r->used = r->in_use;
}

static void reckon(struct task *t, enum circle_kind k, usec now)
{
    struct circle *r = &t->near->circle[k];
    struct conn *who[NEAR_MAX_MATES];
    uint64_t keys[NEAR_MAX_MATES];
    measure(t, k, now);
    let_down(t, k, now);
    gather(t, k);
    size_t n = at_work(t, k, who, keys, now);
    near_parts_divide(&r->parts, keys, n);
    if (take_over(t, k, who, n, now)) {
        n = at_work(t, k, who, keys, now);
        near_parts_divide(&r->parts, keys, n);
    }
    hold_parts(r);
    if (r->idle && r->speed == 0)
        bits_fill(&r->hold, false); /* what it can do must be known first */
}

static void set_up(struct task *t, usec now)
{
    struct near *v = near_of(t);
    for (int k = 0; k < CIRCLES && !v->ready; k++) {
        circle_init(t, &v->circle[k], now);
    }
    v->ready = true;
}

static bool somebody_new(const struct task *t)
{
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase == CONN_OPEN && c->told_have && c->mate && !c->mate->counted)
            return true;
    }
    return false;
}

void near_pulse(struct task *t, usec now)
{
    if (prefer(t) == 0 || t->state != NODE_DOWNLOADING)
        return;
    set_up(t, now);
    struct near *v = t->near;
    if (now < v->next && !somebody_new(t))
        return;
    v->next = now + EVERY * (1 + 2 * (usec)(t->m->n_pieces >> 20));
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase == CONN_OPEN)
            classify(c, c->pipe.least_delay);
    }
    for (int k = 0; k < CIRCLES; k++)
        reckon(t, k, now);
    if (v->circle[NEIGHBOURS].idle)
        fetch_all(t, now); /* what was let go goes on at once */
}

static const struct bits *held(const struct task *t, enum circle_kind k)
{
    if (task_passes(t)) /* the reader waits for each of its pieces */
        return NULL;
    const struct near *v = t->near;
    return v && v->ready && v->circle[k].n ? &v->circle[k].hold : NULL;
}

const struct bits *near_hold(const struct conn *c)
{
    return c->nearness > NEAR_FAR ? NULL : held(c->task, NEIGHBOURS);
}

/* So little arrives that the web seeds must help out: soon, if we have not had our share of one
 * copy from them yet. */
bool near_starves(const struct task *t, usec now)
{
    const struct near *v = t->near;
    const struct circle *r = v ? &v->circle[EVERYBODY] : NULL;
    if (!r || !r->low_since)
        return false;
    if (!is_spared(t, EVERYBODY))
        return now - r->low_since >= near_patience(prefer(t)) / 5;
    bool had_its_share = t->from_web > t->wanted_bytes / (r->lacking + 1);
    return now - r->low_since >= near_patience(prefer(t)) / 2 * (had_its_share ? LOW_WEB : 1) &&
           rate_now(t->down, now) < least(t, EVERYBODY);
}

const struct bits *near_hold_web(const struct task *t, usec now)
{
    return near_starves(t, now) && !is_spared(t, EVERYBODY) ? NULL : held(t, EVERYBODY);
}

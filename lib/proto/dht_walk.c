/*
 * One look-up: ask the closest that are known, learn of closer ones, until the eight closest have
 * answered. Rules:
 * - Few questions are under way; one that is slow gives up its turn, not its right to answer.
 * - What counts among the closest has answered itself, with an id that fits its address. Others
 *   may be asked, a few, and what they know is used.
 * - Who tells of nodes that do not exist is believed less: few of his tips are asked at a time,
 *   and when most were dead or slow the others come last, unless somebody else knows them too. So a
 *   liar delays, and no more.
 * - Of one host one answer may tell one node: else it would aim many questions at who never asked.
 * - Two tales of one address are settled by asking it: who is told of wrongly is not hidden by
 *   that. Few of one network are asked, but a tip alone takes nobody's place.
 * - Where more nodes stand around a hash than the size of the network explains, somebody may have
 *   moved there on purpose. They are asked and stored at, but only as many as chance would have put
 *   there count among the eight; so the search, and an announcement, go on to those who were pushed
 *   away. Ids closer still, where chance would have put nobody, are not believed at all.
 * - Where fewer stand than it explains, all we spoke with may be of one gang, who name each other
 *   and nobody else. Then everybody whom we began with has one of his tips followed.
 */
#include "proto/dht_int.h"

#include <p2p/base/mem.h>
#include <p2p/proto/dht_addr.h>

#include <stdlib.h>

enum {
    CANDS_MOST = 100,
    FROM_TABLE = 16,
    HINTS_BESIDE = 4,
    FIRST_ALPHA = 8,           /* before anybody has answered */
    UNDER_WAY = 8 * DHT_ALPHA, /* with those that are slow, most of which are dead */
    MISFITS_MOST = 12,
    NEAR_MOST = 3, /* of one network */
    LOST_LEAST = 2,
    TRUST = 2,        /* tips of one teller under way before any has lived */
    SPARSE = 6,       /* fewer where eight are expected */
    TOO_CLOSE = 20,   /* bits beyond what the size of the network explains */
    PAD_SCRAPE = 240, /* enough for two filters, see dht.h */
    PAD_ITEM = 370,   /* and for an item */
};

struct walk *dht_walk_find(struct dht *d, uint32_t id)
{
    for (struct list_node *n = list_first(&d->walks); n; n = list_next(&d->walks, n))
        if (LIST_OF(n, struct walk, node)->id == id)
            return LIST_OF(n, struct walk, node);
    return NULL;
}

struct cand *dht_walk_cand(struct walk *w, uint16_t uid)
{
    for (unsigned i = 0; uid && i < w->n; i++)
        if (w->v[i].uid == uid)
            return &w->v[i];
    return NULL;
}

/* ---- the list of candidates ---- */

static bool before(const struct walk *w, const struct cand *a, const struct cand *b)
{
    if (!a->has_id || !b->has_id)
        return !a->has_id && b->has_id;
    return dht_id_cmp(w->target, a->id, b->id) < 0;
}

static void insert(struct walk *w, const struct cand *c)
{
    unsigned at = w->n;
    if (w->n == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 32;
        w->v = mem_grow(w->v, w->cap, sizeof *w->v);
    }
    for (; at > 0 && before(w, c, &w->v[at - 1]); at--)
        w->v[at] = w->v[at - 1];
    w->v[at] = *c;
    w->n++;
}

static void take_out(struct walk *w, struct cand *c)
{
    unsigned at = (unsigned)(c - w->v);
    w->n--;
    memmove(c, c + 1, (w->n - at) * sizeof *c);
}

static bool silent(const struct cand *c)
{
    return c->state == CAND_SLOW || c->state == CAND_FAILED;
}

/* Most of the tips of its teller were dead, and nobody else has told of it. */
static bool doubtful(struct walk *w, const struct cand *c)
{
    unsigned lost = 0;
    const struct cand *p = c->vouched ? NULL : dht_walk_cand(w, c->parent);
    if (!p)
        return false;
    for (unsigned i = 0; i < w->n; i++)
        lost += w->v[i].parent == p->uid && w->v[i].state == CAND_SLOW;
    lost += p->lost;
    return lost >= LOST_LEAST && lost > 2u * p->lived;
}

/* What could be given up for a closer one: misfits, then who is doubtful, then the farthest. */
static unsigned worth(struct walk *w, const struct cand *c)
{
    return !c->fits ? 0 : doubtful(w, c) ? 1 : 2;
}

/* False if all that are there are worth more than the new one. */
static bool make_room(struct walk *w, const struct cand *c)
{
    struct cand *worst = NULL;
    unsigned least = 3;
    if (w->n < CANDS_MOST)
        return true;
    for (unsigned i = w->n; i > 0; i--) {
        unsigned is = w->v[i - 1].state == CAND_NEW ? worth(w, &w->v[i - 1]) : 3;
        if (is >= least)
            continue;
        least = is;
        worst = &w->v[i - 1];
    }
    if (!worst || least > c->fits * 2u || (least == 2 && !before(w, c, worst)))
        return false;
    take_out(w, worst);
    return true;
}

/* Is it known already? What is told of one address in two ways: the better tale stays. */
static bool redundant(struct walk *w, const struct cand *c)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct cand *o = &w->v[i];
        if (!addr_eq(&o->addr, &c->addr))
            continue;
        if (!o->has_id || !c->has_id)
            return true;
        if (dht_id_eq(o->id, c->id))
            o->vouched |= o->parent != c->parent;
        if (o->state != CAND_NEW || dht_id_eq(o->id, c->id))
            return true;
        if (c->fits == o->fits ? !before(w, c, o) : o->fits)
            return true;
        take_out(w, o);
        return false;
    }
    return false;
}

/* Are others of its network asked already, or its own twin? */
static bool crowded(const struct walk *w, const struct cand *c)
{
    unsigned near = 0;
    for (unsigned i = 0; i < w->n; i++) {
        const struct cand *o = &w->v[i];
        if (o->state == CAND_NEW || silent(o))
            continue;
        if (dht_addr_twin(&o->addr, &c->addr))
            return true;
        near += dht_addr_near(&o->addr, &c->addr);
    }
    return near >= NEAR_MOST;
}

/* Has its teller named another port of the same host? */
static bool told_twice(const struct walk *w, const struct cand *c)
{
    for (unsigned i = 0; c->parent && i < w->n; i++)
        if (w->v[i].parent == c->parent && dht_addr_twin(&w->v[i].addr, &c->addr))
            return true;
    return false;
}

static bool looks_for_hash(const struct walk *w)
{
    return w->method == KRPC_GET_PEERS || w->method == KRPC_GET;
}

static bool too_close(const struct walk *w, const uint8_t *id)
{
    return looks_for_hash(w) &&
           dht_id_common(id, w->target) > dht_table_depth(w->side->table) + TOO_CLOSE;
}

static void add(struct walk *w, const uint8_t *id, const struct addr *a, uint16_t parent)
{
    struct cand c = {.addr = *a, .parent = parent, .fits = true};
    if (id) {
        memcpy(c.id, id, DHT_ID);
        c.has_id = true;
        c.fits = dht_id_fits(id, a);
        if (dht_id_eq(id, dht_table_own(w->side->table)) || too_close(w, id))
            return;
    }
    if (w->last_uid == UINT16_MAX || told_twice(w, &c) || redundant(w, &c) || !make_room(w, &c))
        return;
    c.uid = ++w->last_uid;
    insert(w, &c);
}

void dht_walk_hint(struct walk *w, const struct addr *a)
{
    add(w, NULL, a, 0);
}

/* The closest of those that may be alive, and some bare addresses. */
static void add_hints(struct dht *d, struct walk *w, unsigned most)
{
    const struct dht_side *s = w->side;
    const struct hint *close[FROM_TABLE];
    unsigned n = 0;
    for (unsigned i = 0; i < s->n_hints; i++) {
        const struct hint *h = &s->hints[i];
        unsigned at = n;
        if (!h->has_id)
            continue;
        while (at > 0 && dht_id_cmp(w->target, h->id, close[at - 1]->id) < 0)
            at--;
        if (at == most)
            continue;
        n += n < most;
        memmove(&close[at + 1], &close[at], (n - at - 1) * sizeof *close);
        close[at] = h;
    }
    for (unsigned i = 0; i < n; i++)
        add(w, close[i]->id, &close[i]->addr, 0);
    for (unsigned i = 0; s->n_hints && i < most; i++) {
        const struct hint *h = &s->hints[dht_dice_below(&d->dice, s->n_hints)];
        if (!h->has_id)
            add(w, NULL, &h->addr, 0);
    }
}

struct walk *dht_walk_new(struct dht *d, struct dht_side *s, enum krpc_method method,
                          const uint8_t target[DHT_ID], dht_job job, usec now)
{
    const struct dht_node *close[FROM_TABLE];
    struct walk *w = mem_zero(sizeof *w);
    w->id = dht_new_id(d);
    w->side = s;
    w->method = method;
    w->job = job;
    memcpy(w->target, target, DHT_ID);
    size_t n = dht_table_closest(s->table, target, NULL, close, FROM_TABLE, now);
    for (size_t i = 0; i < n; i++)
        add(w, close[i]->id, &close[i]->addr, 0);
    if (n < DHT_K || !job)
        add_hints(d, w, n < DHT_K ? FROM_TABLE : HINTS_BESIDE);
    list_push(&d->walks, &w->node);
    return w;
}

void dht_walk_free(struct dht *d, struct walk *w)
{
    if (!w)
        return;
    if (w->side->joining == w->id)
        w->side->joining = 0;
    list_remove(&d->walks, &w->node);
    free(w->v);
    free(w);
}

/* ---- asking ---- */

/* Tips of one teller are tried few at a time, until they live. */
static bool untried(struct walk *w, const struct cand *c)
{
    unsigned asked = 0;
    const struct cand *p = c->vouched ? NULL : dht_walk_cand(w, c->parent);
    if (!p || p->lived >= TRUST)
        return false;
    for (unsigned i = 0; i < w->n; i++)
        asked += w->v[i].parent == p->uid && w->v[i].state == CAND_ASKED;
    return asked >= TRUST + 2u * p->lived;
}

/* Chance puts half as many nodes into each ring around a hash as into the one outside it. */
bool dht_walk_full(const struct walk *w, const struct cand *c, struct crowd *k)
{
    static const uint8_t most[RINGS + 1] = {DHT_K, 3, 2, 2};
    unsigned bits = dht_id_common(c->id, w->target), depth = dht_table_depth(w->side->table), ring;
    if (!looks_for_hash(w) || bits + RINGS <= depth)
        ring = 0;
    else
        ring = bits >= depth ? RINGS : bits + RINGS - depth;
    k->near += bits + RINGS >= depth;
    if (k->in[ring] < most[ring]) {
        k->in[ring]++;
        k->closest++;
    }
    return k->closest >= DHT_K;
}

/* The closest tip of somebody out of our own table that nobody has followed. */
static struct cand *unheard(struct walk *w, bool *waiting)
{
    for (unsigned i = 0; i < w->n; i++) {
        const struct cand *p = &w->v[i];
        if (p->parent || p->state != CAND_REPLIED)
            continue;
        for (unsigned k = 0; k < w->n; k++) {
            struct cand *c = &w->v[k];
            if (c->parent != p->uid || !c->fits || crowded(w, c) || doubtful(w, c))
                continue;
            if (c->state == CAND_NEW)
                return c;
            *waiting |= c->state == CAND_ASKED;
            break;
        }
    }
    return NULL;
}

/* The next to ask, NULL if there is none; *waiting: somebody who matters may still answer. */
static struct cand *choose(struct walk *w, bool *waiting)
{
    struct crowd k = {0};
    struct cand *last = NULL;
    *waiting = false;
    for (unsigned i = 0; i < w->n; i++) {
        struct cand *c = &w->v[i];
        if (c->state == CAND_REPLIED) {
            if (c->fits && dht_walk_full(w, c, &k))
                return looks_for_hash(w) && k.near < SPARSE ? unheard(w, waiting) : NULL;
        } else if (c->state == CAND_ASKED) {
            *waiting = true;
        } else if (c->state == CAND_SLOW) {
            *waiting |= !doubtful(w, c);
        } else if (c->state == CAND_NEW && !crowded(w, c) &&
                   (c->fits || w->misfits < MISFITS_MOST)) {
            bool wait = untried(w, c);
            *waiting |= wait;
            if (!wait && !doubtful(w, c))
                return c;
            last = last || wait ? last : c;
        }
    }
    return *waiting ? NULL : last;
}

/* Only who is still joining asks for the other family too (BEP 32). */
static unsigned want_of(struct dht *d, const struct walk *w)
{
    const struct dht_side *other = &d->side[w->side == &d->side[0]];
    return w->joins && other->on && !other->joined ? KRPC_WANT4 | KRPC_WANT6 : 0;
}

bool dht_walk_ask(struct dht *d, struct walk *w, enum ask_kind kind, const struct cand *c,
                  struct krpc_msg *m, usec now)
{
    uint64_t least = w->patient ? DHT_OWN_BURST / 2 : 0;
    bool ok = dht_may_ask(d, least, now) && dht_ask(d, kind, w->id, c->uid, &c->addr, m, now);
    if (!ok)
        dht_starve(d, least, now);
    w->asked += ok;
    return ok;
}

static bool ask(struct dht *d, struct walk *w, struct cand *c, usec now)
{
    struct krpc_msg m = {.method = c->plain ? KRPC_FIND_NODE : w->method, .target = w->target};
    m.want = want_of(d, w);
    if (m.method == KRPC_GET_PEERS) {
        m.scrape = w->scrape;
        m.noseed = w->noseed;
        m.pad = w->scrape ? PAD_SCRAPE : 0;
    } else if (m.method == KRPC_GET) {
        m.pad = PAD_ITEM;
    }
    return dht_walk_ask(d, w, ASK_WALK, c, &m, now);
}

static bool ask_first(struct dht *d, struct walk *w, struct cand *c, usec now)
{
    if (!ask(d, w, c, now))
        return false;
    c->state = CAND_ASKED;
    w->fast++;
    w->misfits += !c->fits;
    return true;
}

static void finish(struct dht *d, struct walk *w, usec now)
{
    if (w->joins)
        dht_keep_joined(d, w, now);
    if (w->job)
        dht_job_walked(d, w, now);
    dht_walk_free(d, w);
}

void dht_walk_go(struct dht *d, struct walk *w, usec now)
{
    bool waiting = true;
    struct cand *c = NULL;
    while (!w->places && !w->enough) {
        unsigned alpha = w->replies ? DHT_ALPHA : FIRST_ALPHA;
        c = choose(w, &waiting);
        if (!c || w->fast >= alpha || w->fast + w->slow >= UNDER_WAY)
            break;
        if (!ask_first(d, w, c, now))
            break;
    }
    if (!w->enough && !w->places && (c || waiting))
        return;
    if (!w->places && w->job && !w->enough)
        w->places = dht_place_begin(d, w);
    if (!w->places || !dht_place_go(d, w, now))
        finish(d, w, now);
}

void dht_walks_go(struct dht *d, usec now)
{
    d->starved = false;
    for (struct list_node *n = list_first(&d->walks), *next; n; n = next) {
        next = list_next(&d->walks, n);
        dht_walk_go(d, LIST_OF(n, struct walk, node), now);
    }
}

/* ---- answers ---- */

/* Whose answer or silence it is; NULL if it does not matter any more. */
static struct cand *settle(struct dht *d, const struct ask *a, bool silent, struct walk **w)
{
    *w = dht_walk_find(d, a->owner);
    struct cand *c = *w ? dht_walk_cand(*w, a->cand) : NULL;
    if (!c || (c->state != CAND_ASKED && c->state != CAND_SLOW))
        return NULL;
    if (dht_ask_pending(d, ASK_WALK, a->owner, a->cand, !silent) && silent)
        return NULL; /* it was asked again */
    *(c->state == CAND_ASKED ? &(*w)->fast : &(*w)->slow) -= 1;
    return c;
}

static void judge_tip(struct walk *w, const struct cand *c, bool lives)
{
    struct cand *p = dht_walk_cand(w, c->parent);
    if (p && lives)
        p->lived += p->lived < UINT8_MAX;
    else if (p)
        p->lost += p->lost < UINT8_MAX;
}

static bool id_taken(const struct walk *w, const struct cand *c)
{
    for (unsigned i = 0; i < w->n; i++)
        if (&w->v[i] != c && w->v[i].state == CAND_REPLIED && dht_id_eq(w->v[i].id, c->id))
            return true;
    return false;
}

/* The id it tells itself is the one that counts, and gives it another place in the list. */
static struct cand *identify(struct walk *w, struct cand *c, const uint8_t *id)
{
    bool told_wrong = c->has_id && !dht_id_eq(c->id, id);
    uint16_t uid = c->uid;
    judge_tip(w, c, !told_wrong);
    if (!c->has_id || told_wrong) {
        struct cand moved = *c;
        memcpy(moved.id, id, DHT_ID);
        moved.has_id = true;
        take_out(w, c);
        insert(w, &moved);
        c = dht_walk_cand(w, uid);
    }
    c->fits = !c->plain && dht_id_fits(id, &c->addr) && !too_close(w, id) && !id_taken(w, c);
    return c;
}

static void add_nodes(struct dht *d, struct walk *w, const struct cand *from, struct bytes nodes,
                      bool v6)
{
    size_t each = v6 ? KRPC_NODE6 : KRPC_NODE4, most = nodes.n / each;
    uint16_t parent = from->uid;
    struct addr teller = from->addr;
    for (size_t i = 0; i < most && i < DHT_K; i++) {
        const uint8_t *id;
        struct addr a;
        krpc_get_node(nodes.p + i * each, v6, &id, &a);
        struct dht_side *s = dht_side_of(d, &a);
        if (!s || !dht_addr_node_ok(&a, &teller))
            continue;
        if (s == w->side)
            add(w, id, &a, parent);
        else if (!s->joined)
            dht_keep_hint(d, &a, id);
    }
}

void dht_walk_reply(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now)
{
    struct walk *w;
    struct cand *c = settle(d, a, false, &w);
    if (!c)
        return;
    if (dht_id_eq(m->id, dht_table_own(w->side->table))) {
        c->state = CAND_FAILED;
        dht_walk_go(d, w, now);
        return;
    }
    c = identify(w, c, m->id);
    c->state = CAND_REPLIED;
    if (m->token.p) {
        c->token_n = (uint8_t)m->token.n;
        memcpy(c->token, m->token.p, m->token.n);
    }
    w->replies++;
    uint16_t uid = c->uid;
    if (w->job && !dht_job_result(d, w, c, m)) {
        c->state = CAND_FAILED;
    } else {
        add_nodes(d, w, c, m->nodes, false);
        c = dht_walk_cand(w, uid);
        add_nodes(d, w, c, m->nodes6, true);
    }
    dht_walk_go(d, w, now);
}

/* A node that does not know the method may know closer nodes: it is asked for those. */
void dht_walk_error(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now)
{
    struct walk *w;
    struct cand *c = settle(d, a, false, &w);
    if (!c)
        return;
    c->state = CAND_FAILED;
    if (m->code == KRPC_NO_METHOD && !c->plain && w->method != KRPC_FIND_NODE) {
        c->state = CAND_NEW;
        c->plain = true;
        c->fits = false;
    }
    dht_walk_go(d, w, now);
}

/* Would it be among the closest if it answered? Then a lost datagram is worth another. */
static bool matters(const struct walk *w, const struct cand *c)
{
    unsigned closer = 0;
    for (const struct cand *o = w->v; o < c; o++)
        closer += o->fits && o->state != CAND_FAILED;
    return c->fits && closer < DHT_K;
}

void dht_walk_slow(struct dht *d, const struct ask *a, usec now)
{
    struct walk *w = dht_walk_find(d, a->owner);
    struct cand *c = w ? dht_walk_cand(w, a->cand) : NULL;
    if (!c || c->state != CAND_ASKED)
        return;
    c->state = CAND_SLOW;
    w->fast--;
    w->slow++;
    if (!c->again && matters(w, c))
        c->again = ask(d, w, c, now);
    dht_walk_go(d, w, now);
}

void dht_walk_silent(struct dht *d, const struct ask *a, usec now)
{
    struct walk *w;
    struct cand *c = settle(d, a, true, &w);
    if (!c)
        return;
    c->state = CAND_FAILED;
    judge_tip(w, c, false);
    dht_walk_go(d, w, now);
}

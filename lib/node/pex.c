/*
 * Peer exchange (BEP 11). Rules:
 * - Told are peers that we are connected to and that others can dial: by us dialled, or they said
 *   where they listen. As changes since the last message to that peer, one a minute at most, the
 *   first a moment after there is something to say. Nothing of an item that is private, or may be:
 *   before its manifest is here.
 * - A swarm of seeds has no connections to tell of, for seeds part from each other. So while there
 *   are few of a family, those we parted from in peace of late are told too, and dropped with the
 *   next message (BEP 11, underpopulated lists).
 * - An address passes between two hosts only if it means the same to both: private ones are told
 *   to private peers, those of loopback on loopback, link-local ones to nobody; and what a peer
 *   says is heeded by the same rule, so that a stranger cannot send us into our own network.
 * - One peer's word is worth PEX_MAX_HEARD addresses until they prove good: an address of the same
 *   host under another port is not taken, an address has only a few listeners' minutes however
 *   often it connects anew, and whether somebody seeds is believed only of one we did not know.
 * - What a peer says to have lost is nothing to us: it may be there for others.
 */
#include "node/node_int.h"

#include <p2p/proto/pex.h>

#include <stdlib.h>

#define BATCH (2 * USEC_SEC) /* several that come together are told together */
#define PARTED_TIME (10 * USEC_MIN)
#define UNKNOWN_WAIT (10 * USEC_SEC) /* until it is looked again whether the manifest came */

struct pex {
    struct conn *conn;
    struct timer timer; /* the next message; not set: nothing has changed */
    bool wrote, heard_any;
    usec wrote_at, heard_at;
    unsigned early;    /* messages too soon, less those in time */
    struct addr *told; /* whom it believes us connected to, in order */
    size_t n_told;
    struct addr *heard; /* on its word alone */
    size_t n_heard;
};

/* The latest of each family. */
struct parted {
    struct parted_peer {
        struct pex_peer peer; /* family 0: a free place */
        usec at;
    } v[2][PEX_FEW];
    unsigned next[2];
};

bool pex_on(const struct task *t)
{
    return !t->node->cfg.no_pex && !t->survey && !t->stopping && !task_is_private(t);
}

/* May who is at `to` be told of `about`, or may we believe it of whom it tells? */
static bool means_the_same(const struct addr *to, const struct addr *about)
{
    enum addr_scope there, scope = addr_scope(about);
    if (scope == ADDR_PUBLIC)
        return true;
    there = addr_scope(to);
    if (scope == ADDR_PRIVATE)
        return there != ADDR_PUBLIC && there != ADDR_UNUSABLE;
    return scope == ADDR_LOOPBACK && there == ADDR_LOOPBACK;
}

/* ---- telling ---- */

static struct addr listens(const struct conn *c)
{
    struct addr a = c->addr;
    a.port = c->listen_port;
    return a;
}

/* Ports that nobody would dial on hearsay are not told either. */
static bool is_dialable(uint16_t port)
{
    return port >= 1024 || port == 80 || port == 443;
}

static bool is_tellable(const struct conn *about, const struct conn *to)
{
    struct addr a = listens(about), b = listens(to);
    return about != to && about->phase == CONN_OPEN && is_dialable(about->listen_port) &&
           !addr_eq(&a, &b) && means_the_same(&to->addr, &a);
}

static uint8_t flags_of(const struct conn *c)
{
    bool seed = c->upload_only || fetch_peer_has_all(c);
    return (uint8_t)((seed ? PEX_SEED : 0) | (c->incoming ? 0 : PEX_OUTGOING));
}

static bool is_connected(const struct conn *to, const struct addr *a)
{
    const struct list *conns = &to->task->conns;
    for (struct list_node *l = list_first(conns); l; l = list_next(conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        struct addr b = listens(c);
        if (addr_eq(&b, a) && is_tellable(c, to))
            return true;
    }
    return false;
}

/* Whom a peer may be told of now, in order of addresses. */
struct roll {
    struct pex_peer v[PEX_MAX_TOLD];
    size_t n, of_family[2];
    bool parted; /* some of those are among them */
};

static void enrol(struct roll *r, const struct pex_peer *peer)
{
    if (r->n == PEX_MAX_TOLD)
        return;
    r->v[r->n++] = *peer;
    r->of_family[peer->addr.family == 6]++;
}

static int by_addr(const void *a, const void *b)
{
    return addr_cmp(a, b); /* a pex_peer begins with its address */
}

/* One that is connected again may stand there twice. */
static void order(struct roll *r)
{
    size_t kept = 0;
    qsort(r->v, r->n, sizeof *r->v, by_addr);
    for (size_t i = 0; i < r->n; i++)
        if (kept == 0 || !addr_eq(&r->v[kept - 1].addr, &r->v[i].addr))
            r->v[kept++] = r->v[i];
    r->n = kept;
}

static void collect_parted(const struct pex *p, struct roll *r, int family, usec now)
{
    const struct parted *all = p->conn->task->parted;
    for (size_t i = 0; all && i < PEX_FEW; i++) {
        const struct parted_peer *v = &all->v[family == 6][i];
        if (v->peer.addr.family == 0 || now - v->at >= PARTED_TIME ||
            (p->wrote && v->at < p->wrote_at) || !means_the_same(&p->conn->addr, &v->peer.addr))
            continue;
        enrol(r, &v->peer);
        r->parted = true;
    }
}

static void collect(const struct pex *p, struct roll *r, usec now)
{
    const struct list *conns = &p->conn->task->conns;
    for (struct list_node *l = list_first(conns); l; l = list_next(conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (is_tellable(c, p->conn))
            enrol(r, &(struct pex_peer){.addr = listens(c), .flags = flags_of(c)});
    }
    for (int family = 4; family <= 6; family += 2)
        if (r->of_family[family == 6] < PEX_FEW)
            collect_parted(p, r, family, now);
    order(r);
}

/* Adds what there is room for, beginning anywhere: else all would be told of the same few. True if
 * some are left. */
static bool add(struct pex *p, const struct roll *r, const size_t *fresh, size_t n,
                struct pex_msg *m)
{
    size_t start = n > 0 ? (size_t)rng_below(&p->conn->node->rng, n) : 0;
    if (n == 0)
        return false;
    p->told = mem_grow(p->told, p->n_told + PEX_MAX_PEERS, sizeof *p->told);
    for (size_t i = 0; i < n; i++) {
        if (m->n_added == PEX_MAX_PEERS || p->n_told == PEX_MAX_TOLD)
            return true;
        m->added[m->n_added] = r->v[fresh[(start + i) % n]];
        p->told[p->n_told++] = m->added[m->n_added++].addr;
    }
    return false;
}

/* From what it was told to what is: both in order. True if more has changed than fits a message. */
static bool changes(struct pex *p, const struct roll *r, struct pex_msg *m)
{
    size_t fresh[PEX_MAX_TOLD], n = 0, kept = 0, k = 0;
    bool more = false;
    for (size_t i = 0; i < p->n_told; i++) {
        struct addr a = p->told[i];
        while (k < r->n && addr_cmp(&r->v[k].addr, &a) < 0)
            fresh[n++] = k++;
        bool is_there = k < r->n && addr_eq(&r->v[k].addr, &a);
        k += is_there;
        if (!is_there && m->n_dropped < PEX_MAX_PEERS) {
            m->dropped[m->n_dropped++] = a;
            continue;
        }
        more |= !is_there;
        p->told[kept++] = a;
    }
    while (k < r->n)
        fresh[n++] = k++;
    p->n_told = kept;
    more |= add(p, r, fresh, n, m);
    if (m->n_added > 0)
        qsort(p->told, p->n_told, sizeof *p->told, by_addr);
    return more;
}

/* The moment is drawn, so that a swarm does not talk in step. */
static void arm(struct pex *p, usec now)
{
    struct node *n = p->conn->node;
    if (p->timer.at.index != 0)
        return;
    usec at = now + BATCH / 2 + (usec)rng_below(&n->rng, BATCH);
    if (p->wrote && at < p->wrote_at + PEX_EVERY)
        at = p->wrote_at + PEX_EVERY;
    timer_set(n, &p->timer, at);
}

static void tell(struct node *n, struct timer *tm, usec now)
{
    struct pex *p = TIMER_OF(tm, struct pex, timer);
    struct conn *c = p->conn;
    struct pex_msg m = {0};
    if (!pex_on(c->task) || c->ext.id[EXT_PEX] == 0)
        return;
    if (!c->task->m) {
        timer_set(n, &p->timer, now + UNKNOWN_WAIT);
        return;
    }
    struct roll r = {.n = 0};
    collect(p, &r, now);
    bool more = changes(p, &r, &m);
    if (m.n_added + m.n_dropped == 0)
        return;
    struct buf body = {0};
    pex_put(&body, &m);
    wire_put_extended(&c->out.bytes, c->ext.id[EXT_PEX], buf_bytes(&body));
    buf_fini(&body);
    conn_flush(c);
    p->wrote = true;
    p->wrote_at = now;
    if (more || r.parted) /* who has gone already is dropped with the next */
        arm(p, now);
}

/* Somebody has come or gone: the others are to hear of it. */
static void changed(struct task *t, usec now)
{
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->pex && c->phase == CONN_OPEN && c->ext.id[EXT_PEX] != 0)
            arm(c->pex, now);
    }
}

static struct pex *pex_of(struct conn *c)
{
    if (!c->pex) {
        c->pex = mem_zero(sizeof *c->pex);
        c->pex->conn = c;
        c->pex->timer.fire = tell;
    }
    return c->pex;
}

void pex_opened(struct conn *c, usec now)
{
    if (!pex_on(c->task))
        return;
    if (c->ext.id[EXT_PEX] != 0)
        pex_of(c);
    changed(c->task, now);
}

void pex_parted(struct conn *c, usec now)
{
    struct task *t = c->task;
    bool six = c->addr.family == 6;
    if (!pex_on(t) || c->phase != CONN_OPEN || !is_dialable(c->listen_port))
        return;
    if (!t->parted)
        t->parted = mem_zero(sizeof *t->parted);
    t->parted->v[six][t->parted->next[six]++ % PEX_FEW] =
        (struct parted_peer){.peer = {.addr = listens(c), .flags = flags_of(c)}, .at = now};
}

void pex_fini(struct task *t)
{
    free(t->parted);
    t->parted = NULL;
}

void pex_gone(struct conn *c)
{
    struct pex *p = c->pex;
    if (p) {
        timer_set(c->node, &p->timer, USEC_NEVER);
        free(p->told);
        free(p->heard);
        free(p);
        c->pex = NULL;
    }
    changed(c->task, c->node->now);
}

/* ---- hearing ---- */

static bool same_teller(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return false;
    return memcmp(a->ip, b->ip, a->family == 4 ? 4 : 8) == 0; /* a /64 is one host's to use up */
}

/* Connecting anew gives no new minute. On loopback all share one address. */
static bool may_speak(struct conn *c, usec now)
{
    struct node *n = c->node;
    struct teller *oldest = &n->tellers[0];
    if (addr_scope(&c->addr) == ADDR_LOOPBACK)
        return true;
    for (size_t i = 0; i < MAX_TELLERS; i++) {
        struct teller *v = &n->tellers[i];
        if (v->since < oldest->since)
            oldest = v;
        if (v->task != c->task->id || !same_teller(&v->addr, &c->addr) ||
            now - v->since >= PEX_TOLERATED)
            continue;
        return v->messages++ < NODE_MAX_PER_ADDR;
    }
    *oldest = (struct teller){.addr = c->addr, .task = c->task->id, .since = now, .messages = 1};
    return true;
}

/* Those that others vouch for now, that we met, or that were given up, are off its account. */
static void settle(struct conn *c, struct pex *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n_heard; i++) {
        unsigned by = pool_sources(c->task->pool, &p->heard[i]);
        if (by != 0 && (by & ~(unsigned)(POOL_PEX | POOL_V2)) == 0 &&
            !is_connected(c, &p->heard[i]))
            p->heard[kept++] = p->heard[i];
    }
    p->n_heard = kept;
}

static bool heard_of_host(const struct pex *p, const struct addr *a)
{
    bool one_host = addr_scope(a) == ADDR_LOOPBACK;
    for (size_t i = 0; i < p->n_heard; i++)
        if (one_host ? addr_eq(&p->heard[i], a) : addr_same_ip(&p->heard[i], a))
            return true;
    return false;
}

static void hear(struct conn *c, struct pex *p, const struct pex_peer *v, usec now)
{
    struct task *t = c->task;
    bool seed = v->flags & PEX_SEED;
    if (!means_the_same(&c->addr, &v->addr) || (seed && t->state == NODE_SEEDING))
        return;
    if (pool_sources(t->pool, &v->addr) != 0) {
        pool_add(t->pool, &v->addr, POOL_PEX, false, now);
        return;
    }
    if (p->n_heard == PEX_MAX_HEARD || heard_of_host(p, &v->addr) ||
        !pool_add(t->pool, &v->addr, c->dial_v2 ? POOL_PEX | POOL_V2 : POOL_PEX, seed, now))
        return;
    if (!p->heard)
        p->heard = mem_array(PEX_MAX_HEARD, sizeof *p->heard);
    p->heard[p->n_heard++] = v->addr;
}

/* Is it time for another? Closes the connection of one that floods us. */
static bool in_time(struct conn *c, struct pex *p, usec now)
{
    if (p->heard_any && now - p->heard_at < PEX_TOLERATED) {
        if (++p->early > PEX_MAX_EARLY)
            conn_close(c, true, "floods us with peers", now);
        return false;
    }
    p->early -= p->early > 0;
    p->heard_any = true;
    p->heard_at = now;
    return may_speak(c, now);
}

void pex_message(struct conn *c, struct bytes body, usec now)
{
    struct pex_msg m;
    struct err e = {0};
    if (!pex_on(c->task) || !in_time(c, pex_of(c), now))
        return;
    if (pex_parse(&m, body, &e) < 0) {
        conn_close(c, true, e.msg, now);
        return;
    }
    settle(c, c->pex);
    for (size_t i = 0; i < m.n_added; i++)
        hear(c, c->pex, &m.added[i], now);
    task_wake(c->task, now); /* its pulse dials */
}

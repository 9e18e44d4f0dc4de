/*
 * Finding peers by the DHT. Rules:
 * - An item is looked for under each of its hashes as soon as there is anybody to ask, and what is
 *   found is dialled while the look-up goes on. Private items are not looked for (BEP 27).
 * - Every quarter of an hour again, for that is how long others remember us; sooner, and ever less
 *   so, while a download has nobody at all.
 * - Downloads go first. Seeds take turns with a pause between, and give way in the DHT: so ten
 *   thousand of them neither drown the others nor take more than the DHT's share of the line. Where
 *   there are more than go into a quarter of an hour, the turns get longer.
 * - Between look-ups nothing happens: an idle seed sleeps.
 */
#include "node/finder_int.h"
#include "node/passing.h"

#include <stdlib.h>

#define PERIOD (13 * USEC_MIN)  /* between look-ups, and up to */
#define JITTER (4 * USEC_MIN)   /* more */
#define STARVING (5 * USEC_SEC) /* grows by half: who comes is found before as long again */
#define STARVING_MOST (5 * USEC_MIN)
#define IN_VAIN (60 * USEC_SEC)  /* nobody answered */
#define BUSY USEC_SEC            /* the DHT takes no more */
#define IDLE_GAP (150 * USEC_MS) /* ten thousand in half an hour */
#define IDLE_RUNNING DHT_MAX_PATIENT
#define HASTE_RUNNING (DHT_MAX_RUNNING - DHT_MAX_PATIENT)
#define EMPTY_ENOUGH 2u
#define SEED_KNOWS 100u

uint8_t finder_families(const struct finder *f)
{
    return (uint8_t)(f->node->cfg.udp4 | f->node->cfg.udp6 << 1);
}

static bool is_wanted(const struct task *t)
{
    return !task_is_private(t) && !t->stopping && !t->halted;
}

/* ---- when ---- */

static void unqueue(struct finder *f, struct seek *k)
{
    heap_remove(&f->due, &k->due);
    if (k->waits_in_line)
        list_remove(&f->line[k->line], &k->link);
    k->waits_in_line = false;
}

static void due_at(struct finder *f, struct seek *k, usec at)
{
    unqueue(f, k);
    heap_set(&f->due, &k->due, at);
}

static usec starving_wait(const struct seek *k)
{
    usec wait = STARVING;
    for (unsigned i = 0; i < k->waits && wait < STARVING_MOST; i++)
        wait += wait / 2;
    return usec_min(wait, STARVING_MOST);
}

/* A download that has nobody, and knows nobody to dial now. */
static bool is_starving(const struct task *t, usec now)
{
    return t->state != NODE_SEEDING && t->conns.count == 0 && pool_deadline(t->pool, true) > now;
}

static void schedule(struct finder *f, struct seek *k, unsigned replies, usec now)
{
    struct task *t = k->swarm->task;
    usec at = now + PERIOD + (usec)rng_below(&f->node->rng, JITTER);
    if (t->survey)
        return;
    if (k->fresh || !is_starving(t, now))
        k->waits = 0;
    if (k->again) {
        at = now;
    } else if (is_starving(t, now)) {
        at = now + starving_wait(k);
        k->waits++;
    } else if (replies == 0) {
        at = now + IN_VAIN;
    }
    k->again = false;
    due_at(f, k, at);
}

void finder_hurry(struct task *t, usec now)
{
    struct finder *f = t->node->finder;
    for (uint32_t i = 0; f && i < t->n_swarms; i++) {
        struct seek *k = t->swarm[i].seek;
        usec at = k ? k->ended + starving_wait(k) : 0;
        if (!k || k->due.index == 0 || k->whole == 0 || k->due.at <= at)
            continue;
        at = at > now ? at : now;
        due_at(f, k, at);
        if (f->timer.at.at > at)
            timer_set(f->node, &f->timer, at);
    }
}

static void now_due(struct finder *f, struct seek *k, usec now)
{
    if (k->job)
        k->again = true;
    else
        due_at(f, k, now);
}

/* ---- look-ups ---- */

static bool announces(const struct node *n)
{
    return n->cfg.port != 0 && !n->cfg.dht_read_only;
}

/* Families in which there is anybody to ask: the others may be joined later. */
static uint8_t reachable(const struct finder *f, usec now)
{
    struct dht_status s;
    dht_status(f->dht, &s, now);
    return (uint8_t)((s.v4.on && (s.v4.joined || s.v4.hints)) |
                     (s.v6.on && (s.v6.joined || s.v6.hints)) << 1);
}

static void begin(struct finder *f, struct seek *k, usec now)
{
    struct task *t = k->swarm->task;
    bool seeds = t->state == NODE_SEEDING;
    bool tells = announces(f->node) && !t->survey;
    struct dht_search s = {.port = tells ? self_port(f->node, 4) : 0,
                           .port6 = tells ? self_port(f->node, 6) : 0,
                           .seed = seeds && !task_passes(t) &&
                                   (t->rest ? t->rest->whole : bits_full(&t->have)),
                           .noseed = seeds,
                           .scrape = t->survey,
                           .patient = k->line != SEEK_HASTE};
    memcpy(s.info_hash, k->swarm->hash, sizeof s.info_hash);
    if (!is_wanted(t)) {
        due_at(f, k, now + PERIOD);
        return;
    }
    k->families = reachable(f, now);
    k->fresh = false;
    k->found = 0;
    k->job = dht_find_peers(f->dht, &s, now);
    if (!k->job) {
        due_at(f, k, now + BUSY);
        return;
    }
    f->idle_running += k->line != SEEK_HASTE;
    list_push(&f->running, &k->link);
}

static enum seek_line line_of(const struct seek *k)
{
    if (k->swarm->task->state != NODE_SEEDING)
        return SEEK_HASTE;
    return k->whole ? SEEK_AGAIN : SEEK_NEW;
}

static struct seek *next_in(struct finder *f, enum seek_line line)
{
    struct list_node *l = list_pop(&f->line[line]);
    struct seek *k = l ? LIST_OF(l, struct seek, link) : NULL;
    if (k)
        k->waits_in_line = false;
    return k;
}

static bool seed_may_go(const struct finder *f)
{
    return f->joined && f->idle_running < IDLE_RUNNING &&
           f->line[SEEK_NEW].count + f->line[SEEK_AGAIN].count > 0;
}

static void run_due(struct finder *f, usec now)
{
    struct heap_item *it;
    struct seek *k;
    while ((it = heap_peek(&f->due)) != NULL && it->at <= now) {
        k = LIST_OF(it, struct seek, due);
        heap_remove(&f->due, it);
        k->line = line_of(k);
        k->waits_in_line = true;
        list_push(&f->line[k->line], &k->link);
    }
    while (f->running.count - f->idle_running < HASTE_RUNNING &&
           (k = next_in(f, SEEK_HASTE)) != NULL)
        begin(f, k, now);
    while (seed_may_go(f) && now >= f->idle_at) {
        k = next_in(f, SEEK_NEW);
        begin(f, k ? k : next_in(f, SEEK_AGAIN), now);
        f->idle_at = now + IDLE_GAP;
    }
}

/* ---- what comes of them ---- */

static struct seek *seek_of(const struct finder *f, dht_job job)
{
    for (struct list_node *l = job ? list_first(&f->running) : NULL; l;
         l = list_next(&f->running, l))
        if (LIST_OF(l, struct seek, link)->job == job)
            return LIST_OF(l, struct seek, link);
    return NULL;
}

/* A seed waits to be found; ten thousand of them have no room for everybody. */
static bool wants_more(const struct task *t)
{
    return !t->survey && !t->stopping &&
           (t->state != NODE_SEEDING || pool_count(t->pool) < SEED_KNOWS);
}

static unsigned source_of(const struct swarm *s)
{
    return POOL_DHT | (s->task->n_swarms < 2 ? 0u : s->v2 ? POOL_V2 : POOL_V1);
}

static void found(struct seek *k, const struct dht_event *e, usec now)
{
    struct task *t = k->swarm->task;
    bool fresh = false;
    k->found += (unsigned)e->n_peers;
    for (size_t i = 0; i < e->n_peers && wants_more(t); i++) {
        bool known = pool_sources(t->pool, &e->peers[i]) != 0;
        fresh |= sleep_heard(t, &e->peers[i], source_of(k->swarm), false, now) && !known;
    }
    if (!fresh)
        return;
    k->fresh = true;
    task_wake(t, now);
    dial_more(t->node, now);
}

/* An estimate where nodes told filters (BEP 33), else how many were named. */
static void count(struct task *t, const struct seek *k, const struct dht_event *e)
{
    int64_t seeds = e->seeds < 0 ? 0 : (int64_t)(e->seeds + 0.5);
    int64_t peers = e->downloaders < 0 ? 0 : (int64_t)(e->downloaders + 0.5);
    if (e->replies == 0)
        return;
    if (seeds + peers == 0)
        peers = k->found;
    t->tracker_seeds = seeds > t->tracker_seeds ? seeds : t->tracker_seeds;
    t->tracker_peers = peers > t->tracker_peers ? peers : t->tracker_peers;
}

static void over(struct finder *f, struct seek *k, const struct dht_event *e, usec now)
{
    struct task *t = k->swarm->task;
    list_remove(&f->running, &k->link);
    f->idle_running -= k->line != SEEK_HASTE;
    k->job = 0;
    k->whole++;
    k->empty = k->fresh ? 0 : k->empty + 1;
    k->ended = now;
    if (e->replies == 0)
        k->families = 0;
    if (t->survey) {
        count(t, k, e);
        task_wake(t, now);
    }
    schedule(f, k, e->replies, now);
}

/* ---- events for the caller ---- */

/* Where a copy of what an event borrows goes, behind the event itself. */
struct copying {
    uint8_t *at; /* NULL: only counted */
    size_t n;
};

static void copy(struct copying *c, const void *p, size_t n, const uint8_t **out)
{
    if (c->at && n) {
        memcpy(c->at + c->n, p, n);
        *out = c->at + c->n;
    }
    c->n += n;
}

static void copy_borrowed(struct copying *c, struct dht_event *e)
{
    const uint8_t *peers = NULL;
    copy(c, e->peers, e->n_peers * sizeof *e->peers, &peers);
    if (peers)
        e->peers = (const struct addr *)(const void *)peers;
    copy(c, e->item.key, e->item.key ? SIGN_PUBLIC : 0, &e->item.key);
    copy(c, e->item.sig, e->item.key ? SIGN_LEN : 0, &e->item.sig);
    copy(c, e->item.salt.p, e->item.salt.n, &e->item.salt.p);
    copy(c, e->item.value.p, e->item.value.n, &e->item.value.p);
    copy(c, e->samples.p, e->samples.n, &e->samples.p);
}

static void tell(struct node *n, const struct dht_event *e)
{
    struct dht_event sized = *e;
    struct copying c = {0};
    copy_borrowed(&c, &sized);
    struct dht_event *own = mem_alloc(sizeof *own + c.n);
    *own = *e;
    c = (struct copying){.at = (uint8_t *)(own + 1)};
    copy_borrowed(&c, own);
    node_op(n, NODE_DHT)->dht = own;
    node_op_text(n, (char *)own); /* lives as long as the operation */
}

/* ---- the machine ---- */

/* Look-ups that did not go through a family that is there now go again. */
static void look_there_too(struct finder *f, uint8_t family, usec now)
{
    uint32_t it = 0;
    struct task *t;
    while ((t = idtab_walk(&f->node->tasks, &it)) != NULL)
        for (uint32_t i = 0; i < t->n_swarms; i++) {
            struct seek *k = t->swarm[i].seek;
            if (!k || k->families & family || (!k->job && (k->whole == 0 || t->survey)))
                continue;
            if (k->job && k->families == 0)
                k->families = family; /* it began with whoever came first */
            else
                now_due(f, k, now);
        }
}

static void joined(struct finder *f, const struct dht_event *e, usec now)
{
    uint8_t family = e->family == 6 ? 2 : 1;
    if (e->type == DHT_JOINED) {
        f->joined |= family;
        look_there_too(f, family, now);
    } else {
        f->joined &= (uint8_t)~family;
        f->alone_since = now;
    }
    finder_join_changed(f, now);
}

/* Who tells us, of all nodes, that it is a peer of what we share need not be looked for. */
static void announced(struct finder *f, const struct dht_event *e, usec now)
{
    struct task *t = map_get(f->node->by_hash, BYTES(e->id, DHT_ID));
    if (!t || !is_wanted(t) || !wants_more(t) || pool_sources(t->pool, &e->from) != 0)
        return;
    const struct swarm *s = &t->swarm[memcmp(t->swarm[0].hash, e->id, DHT_ID) != 0];
    if (!sleep_heard(t, &e->from, source_of(s), e->seed, now))
        return;
    task_wake(t, now);
    dial_more(f->node, now);
}

static void happened(struct finder *f, const struct dht_event *e, usec now)
{
    struct seek *k = seek_of(f, e->job);
    if (k && e->type == DHT_PEERS)
        found(k, e, now);
    else if (k && e->type == DHT_DONE)
        over(f, k, e, now);
    if (k)
        return;
    if (e->type == DHT_ANNOUNCED) {
        announced(f, e, now);
        return;
    }
    if (e->type == DHT_JOINED || e->type == DHT_LOST)
        joined(f, e, now);
    else if (e->type == DHT_EXTERNAL)
        self_agreed(f->node, &e->from, now);
    tell(f->node, e);
}

static void send_all(struct finder *f)
{
    uint8_t out[DHT_MAX_DATAGRAM];
    struct addr to;
    size_t n;
    while ((n = dht_pull(f->dht, &to, out)) > 0) {
        struct node_op *op = node_op(f->node, NODE_UDP);
        char *own = mem_dup(out, n);
        op->addr = to;
        op->data = BYTES(own, n);
        node_op_text(f->node, own); /* lives as long as the operation */
    }
}

static usec deadline(const struct finder *f)
{
    usec at = usec_min(dht_deadline(f->dht), f->bootstrap_at);
    const struct heap_item *first = heap_peek(&f->due);
    if (first)
        at = usec_min(at, first->at);
    return seed_may_go(f) ? usec_min(at, f->idle_at) : at;
}

void finder_turn(struct finder *f, usec now)
{
    struct dht_event e;
    bool more;
    do {
        finder_join_run(f, now);
        run_due(f, now);
        more = false;
        while (dht_next(f->dht, &e)) {
            happened(f, &e, now);
            more = true;
        }
    } while (more);
    send_all(f);
    timer_set(f->node, &f->timer, deadline(f));
}

static void ticked(struct node *n, struct timer *t, usec now)
{
    struct finder *f = TIMER_OF(t, struct finder, timer);
    (void)n;
    dht_tick(f->dht, now);
    finder_turn(f, now);
}

bool finder_datagram(struct node *n, const struct addr *from, struct bytes b, usec now)
{
    if (!n->finder || !dht_feed(n->finder->dht, from, b, now))
        return false;
    finder_turn(n->finder, now);
    return true;
}

struct dht *node_dht(struct node *n)
{
    return n->finder ? n->finder->dht : NULL;
}

void node_dht_turn(struct node *n, usec now)
{
    n->now = now;
    if (n->finder)
        finder_turn(n->finder, now);
}

/* ---- life ---- */

void finder_init(struct node *n, usec now)
{
    const struct node_config *cfg = &n->cfg;
    struct dht_config c = {.v4 = cfg->udp4, .v6 = cfg->udp6, .read_only = cfg->dht_read_only};
    if (cfg->no_dht || (!c.v4 && !c.v6))
        return;
    struct finder *f = mem_zero(sizeof *f);
    memcpy(c.version, cfg->peer_id + 1, sizeof c.version); /* of "-PP0100-" */
    f->node = n;
    f->dht = dht_new(&c, &n->rng, now);
    f->timer.fire = ticked;
    f->bootstrap_at = USEC_NEVER;
    f->alone_since = f->idle_at = now;
    heap_init(&f->due);
    list_init(&f->running);
    for (int i = 0; i < SEEK_LINES; i++)
        list_init(&f->line[i]);
    bucket_init(&f->told, NODE_TOLD_NODES_RATE, NODE_TOLD_NODES_BURST, now);
    n->finder = f;
    timer_set(n, &f->timer, now);
}

void finder_fini(struct node *n)
{
    struct finder *f = n->finder;
    if (!f)
        return;
    timer_set(n, &f->timer, USEC_NEVER);
    finder_join_fini(f);
    dht_free(f->dht);
    heap_fini(&f->due);
    free(f);
    n->finder = NULL;
}

/* ---- the task's side ---- */

void finder_task(struct task *t, usec now)
{
    struct finder *f = t->node->finder;
    if (!f || !is_wanted(t))
        return;
    for (uint32_t i = 0; i < t->n_swarms; i++) {
        struct swarm *s = &t->swarm[i];
        if (s->seek)
            continue;
        s->seek = mem_zero(sizeof *s->seek);
        s->seek->swarm = s;
        s->seek->began = now;
        due_at(f, s->seek, now);
    }
    finder_join_named(f, t->link->nodes, t->link->n_nodes, now);
    if (t->m)
        finder_join_named(f, t->m->nodes, t->m->n_nodes, now);
    timer_set(f->node, &f->timer, now);
}

void finder_task_gone(struct task *t, usec now)
{
    struct finder *f = t->node->finder;
    (void)now;
    for (uint32_t i = 0; f && i < t->n_swarms; i++) {
        struct seek *k = t->swarm[i].seek;
        if (!k)
            continue;
        unqueue(f, k);
        if (k->job) {
            dht_cancel(f->dht, k->job);
            list_remove(&f->running, &k->link);
            f->idle_running -= k->line != SEEK_HASTE;
        }
        free(k);
        t->swarm[i].seek = NULL;
    }
}

/* Those who look for seeds are to hear of one more. */
void finder_completed(struct task *t, usec now)
{
    struct finder *f = t->node->finder;
    for (uint32_t i = 0; f && i < t->n_swarms && announces(t->node); i++)
        if (t->swarm[i].seek)
            now_due(f, t->swarm[i].seek, now);
    if (f)
        timer_set(f->node, &f->timer, now);
}

void finder_moved(struct node *n, usec now)
{
    uint32_t it = 0;
    struct task *t;
    while ((t = idtab_walk(&n->tasks, &it)) != NULL)
        finder_completed(t, now);
}

void node_dht_full(struct node *n, usec now)
{
    n->now = now;
    n->cfg.dht_read_only = false;
    if (n->finder)
        dht_set_read_only(n->finder->dht, false);
    finder_moved(n, now);
}

/* BEP 27. Whom we met in other ways than by its trackers need not be of the private swarm. */
void finder_forget_strangers(struct task *t)
{
    pool_forget(t->pool, POOL_DHT | POOL_PEX | POOL_LSD);
}

static struct conn *stranger_of(const struct task *t)
{
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (!c->incoming && pool_sources(t->pool, &c->addr) == 0)
            return c;
    }
    return NULL;
}

void finder_close_strangers(struct task *t, usec now)
{
    struct conn *c;
    while ((c = stranger_of(t)) != NULL)
        conn_close(c, true, NULL, now);
}

bool finder_exhausted(const struct task *t)
{
    const struct finder *f = t->node->finder;
    if (!f || finder_join_hopeless(f, t->node->now))
        return true;
    for (uint32_t i = 0; i < t->n_swarms; i++) {
        const struct seek *k = t->swarm[i].seek;
        if (k && (t->survey ? k->whole == 0 : k->empty < EMPTY_ENOUGH))
            return false;
    }
    return true;
}

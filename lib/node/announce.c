/*
 * Trackers: what the tiers say is due is announced by HTTP through the host or by UDP through a
 * machine of ours, and what comes back goes to the pool. A hybrid announces both its hashes.
 *
 * Seeds that nobody talks to take turns, so that ten thousand of them that begin together do not
 * all announce at once: not now, and not half an hour later. As many as there are, all have had a
 * turn within ROUND.
 */
#include "node/node_int.h"
#include "node/passing.h"

#include <stdlib.h>

#define UDP_FIRST (3 * USEC_SEC) /* wait before the first repetition */
#define UDP_TRIES 4u
#define MAX_UDP_ADDRS 4u
#define NUMWANT 100u
#define TURN_GAP (100 * USEC_MS) /* between two turns; */
#define TOGETHER USEC_SEC        /* but waking up costs more than they do */
#define TURNS_AT_ONCE 100        /* a few items need not wait */
#define ROUND (20 * USEC_MIN)

struct announce {
    struct list_node in_swarm, in_udp;
    struct swarm *s;
    struct node *node;
    int tracker;
    enum tiers_event event;
    struct job *job;    /* HTTP or look-up under way */
    struct timer timer; /* `stopped` may go beside it */
    struct tracker_udp *udp;
    struct addr addr[MAX_UDP_ADDRS];
    size_t n_addrs, next_addr;
    char *path;
    bool local;
    bool told; /* it was sent, and not only what comes before it */
};

static void announce_free(struct announce *a)
{
    if (a->udp) {
        list_remove(&a->node->udp, &a->in_udp);
        tracker_udp_free(a->udp);
    }
    timer_set(a->node, &a->timer, USEC_NEVER);
    list_remove(&a->s->announces, &a->in_swarm);
    free(a->path);
    free(a);
}

/* By its host alone, as the rest of the address may hold a passkey; HTTP names it by itself. */
static void say(struct announce *a, const char *what)
{
    struct tracker_url u;
    const char *url = tiers_url(a->s->tiers, a->tracker);
    bool known = tracker_url_parse(&u, url, NULL) == 0 && !strstr(what, u.host);
    node_notice(a->node, a->s->task, "tracker%s%s: %s", known ? " " : "", known ? u.host : "",
                what);
}

/* One that stops waits for nothing else: the next announce, or its end, comes at once. */
static void go_on(struct task *t, usec now)
{
    task_wake(t, now);
    if (t->stopping)
        timer_set(t->node, &t->node->pulse, now);
}

static void failed(struct announce *a, usec retry_in, const char *why, usec now)
{
    struct task *t = a->s->task;
    if (a->event == TIERS_STOPPED)
        tiers_left(a->s->tiers, a->tracker, why);
    else
        tiers_failed(a->s->tiers, a->tracker, retry_in, why, now);
    say(a, why);
    announce_free(a);
    go_on(t, now);
}

static void moment_over(struct node *n, struct timer *tm, usec now)
{
    struct announce *a = TIMER_OF(tm, struct announce, timer);
    (void)n;
    if (a->s->task->stopping)
        go_on(a->s->task, now);
}

/* `stopped` would not go by this one's way, or would go behind it on the same. */
static void aside(struct announce *a, usec now)
{
    if (a->event != TIERS_STOPPED && !a->s->task->survey)
        timer_set(a->node, &a->timer, tiers_aside(a->s->tiers, a->tracker, now));
}

static void answered(struct announce *a, const struct tracker_answer *r, usec now)
{
    struct task *t = a->s->task;
    unsigned source = POOL_TRACKER | (t->n_swarms < 2 ? 0u : a->s->v2 ? POOL_V2 : POOL_V1);
    for (size_t i = 0; i < r->n_peers && !t->stopping && !t->survey; i++)
        sleep_heard(t, &r->peers[i], source, false, now);
    if (r->seeds > t->tracker_seeds)
        t->tracker_seeds = r->seeds;
    if (r->leechers > t->tracker_peers)
        t->tracker_peers = r->leechers;
    if (r->external.family) {
        self_told(a->node, a->udp ? tracker_udp_addr(a->udp) : NULL, &r->external, now);
    }
    if (r->warning[0])
        say(a, r->warning);
    if (r->trackerid)
        tiers_set_trackerid(a->s->tiers, a->tracker, r->trackerid);
    if (a->event == TIERS_STOPPED)
        tiers_left(a->s->tiers, a->tracker, NULL);
    else
        tiers_answered(a->s->tiers, a->tracker, r->interval, r->min_interval, now);
    struct node *n = a->node;
    announce_free(a);
    go_on(t, now);
    dial_more(n, now);
}

static void fill_request(const struct announce *a, struct tracker_request *r)
{
    static const enum tracker_event event[] = {
        [TIERS_PERIODIC] = TRACKER_NONE,
        [TIERS_STARTED] = TRACKER_STARTED,
        [TIERS_COMPLETED] = TRACKER_COMPLETED,
        [TIERS_STOPPED] = TRACKER_STOPPED,
    };
    const struct task *t = a->s->task;
    const struct node *n = a->node;
    bool leaving = a->event == TIERS_STOPPED;
    uint16_t port = self_port(n, 4); /* by which family it is asked, nobody knows yet */
    *r = (struct tracker_request){
        .uploaded = t->uploaded,
        .downloaded = t->from_peers + t->from_web,
        .left = t->rest                      ? t->rest->left
                : !t->picker                 ? EXT_META_BLOCK
                : t->m->size > t->have_bytes ? t->m->size - t->have_bytes
                : task_passes(t)             ? 1 /* it is here for a moment and no seed */
                                             : 0,
        .event = event[a->event],
        .port = port ? port : 1, /* unreachable: a port is demanded all the same */
        .numwant = leaving || t->state == NODE_SEEDING ? 0 : NUMWANT,
        .key = n->key,
        .trackerid = tiers_trackerid(a->s->tiers, a->tracker),
    };
    if (t->state == NODE_SEEDING && !leaving)
        r->numwant = NUMWANT / 2;
    /* BEP 21 wants it in every announce, but an event there is must be told, too: as libtorrent. */
    r->paused = r->left > 0 && t->state == NODE_SEEDING && !task_passes(t);
    memcpy(r->info_hash, a->s->hash, 20);
    memcpy(r->peer_id, n->cfg.peer_id, 20);
}

/* ---- HTTP ---- */

static void http_done(struct node *n, struct job *j, int err, const struct err *why, int status,
                      struct bytes body, usec now)
{
    struct announce *a = j->arg;
    struct tracker_answer *r = mem_zero(sizeof *r);
    struct err e = {0};
    bool survey = a->s->task->survey;
    (void)n;
    a->job = NULL;
    if (err < 0) {
        failed(a, 0, why && why->msg[0] ? why->msg : "no answer", now);
    } else if ((survey ? tracker_http_parse_scrape(r, a->s->hash, body, &e)
                       : tracker_http_parse(r, body, &e)) < 0) {
        bool reason = body.n > 0 && *body.p == 'd'; /* rather than a page for people */
        char *answer = mem_fmt("answered %d", status);
        failed(a, r->retry_in, status >= 400 && !reason ? answer : e.msg, now);
        free(answer);
    } else {
        answered(a, r, now);
        free(r->trackerid);
    }
    free(r);
}

static struct announce *announce_of(struct node *n, node_id job)
{
    struct job *j = idtab_get(&n->jobs, job);
    return j && j->kind == NODE_HTTP && j->u.http == http_done ? j->arg : NULL;
}

void node_http_opens(struct node *n, node_id job, usec now)
{
    struct announce *a = announce_of(n, job);
    n->now = now;
    if (a)
        aside(a, now);
}

void node_http_sent(struct node *n, node_id job, usec now)
{
    struct announce *a = announce_of(n, job);
    n->now = now;
    if (a)
        a->told = true;
}

/* Local addresses written out are fine for what can only be a tracker (HOSTILE.md). */
static bool looks_like_tracker(const char *url)
{
    size_t n = strcspn(url, "?#");
    return (n >= 9 && memcmp(url + n - 9, "/announce", 9) == 0) ||
           (n >= 7 && memcmp(url + n - 7, "/scrape", 7) == 0);
}

static void start_http(struct announce *a, const char *url, usec now)
{
    struct tracker_request r;
    struct buf full = {0};
    struct err e = {0};
    fill_request(a, &r);
    bool survey = a->s->task->survey;
    int bad = survey ? tracker_http_scrape(&full, url, a->s->hash, &e)
                     : tracker_http_announce(&full, url, &r, &e);
    if (bad < 0) {
        buf_fini(&full);
        failed(a, USEC_NEVER, e.msg, now);
        return;
    }
    a->job = job_new(a->node, a->s->task, NODE_HTTP);
    struct node_op *op = node_last_op(a->node);
    op->length = TRACKER_MAX_BODY;
    op->trusted = a->s->task->trusted;
    op->local = looks_like_tracker(url);
    node_op_text(a->node, buf_take_str(&full));
    a->job->arg = a;
    a->job->u.http = http_done;
}

/* ---- UDP ---- */

static void send_udp(struct announce *a, usec now)
{
    struct node *n = a->node;
    uint8_t out[TRACKER_UDP_MAX_DATAGRAM];
    size_t len;
    while ((len = tracker_udp_pull(a->udp, out, now)) > 0) {
        struct node_op *op = node_op(n, NODE_UDP);
        op->addr = *tracker_udp_addr(a->udp);
        char *copy = mem_dup(out, len);
        op->data = BYTES(copy, len);
        node_op_text(n, copy); /* lives as long as the operation */
    }
    if (tracker_udp_asked(a->udp)) {
        a->told = true;
        aside(a, now);
    }
}

static void next_address(struct announce *a, usec now)
{
    struct tracker_request r;
    if (a->udp) {
        list_remove(&a->node->udp, &a->in_udp);
        tracker_udp_free(a->udp);
        a->udp = NULL;
    }
    fill_request(a, &r);
    a->udp = tracker_udp_new(a->node->udp_cache, &a->addr[a->next_addr++], a->path, &r,
                             a->s->task->survey, UDP_FIRST, UDP_TRIES, &a->node->rng, now);
    list_push(&a->node->udp, &a->in_udp);
    node_beat(a->node, now); /* the item may have come to rest while the name was looked up */
    send_udp(a, now);
}

static void udp_resolved(struct node *n, struct job *j, const struct addr *v, size_t count,
                         usec now)
{
    struct announce *a = j->arg;
    (void)n;
    a->job = NULL;
    uint16_t port = (uint16_t)j->piece;
    for (size_t i = 0; i < count && a->n_addrs < MAX_UDP_ADDRS; i++) {
        struct addr to = v[i];
        to.port = port;
        enum addr_scope scope = addr_scope(&to);
        bool fine = scope == ADDR_PUBLIC ||
                    (a->local && scope != ADDR_LINK_LOCAL && scope != ADDR_UNUSABLE);
        if (fine || a->s->task->trusted)
            a->addr[a->n_addrs++] = to;
    }
    if (a->n_addrs == 0)
        failed(a, 0, count ? "its name leads to an address that is not public" : "name not found",
               now);
    else
        next_address(a, now);
}

/* Another of the same tracker that has an address already. */
static const struct announce *beside(const struct announce *a)
{
    for (struct list_node *l = list_first(&a->s->announces); l;
         l = list_next(&a->s->announces, l)) {
        const struct announce *b = LIST_OF(l, struct announce, in_swarm);
        if (b->tracker == a->tracker && b->udp)
            return b;
    }
    return NULL;
}

static void start_udp(struct announce *a, const struct tracker_url *u, usec now)
{
    struct addr numeric;
    const struct announce *other = beside(a);
    a->path = mem_str(u->path);
    a->local = addr_parse_ip(&numeric, u->host, u->port);
    if (other) {
        a->addr[a->n_addrs++] = *tracker_udp_addr(other->udp);
        next_address(a, now);
        return;
    }
    a->job = job_new(a->node, a->s->task, NODE_RESOLVE);
    node_op_text(a->node, mem_str(u->host));
    a->job->arg = a;
    a->job->piece = u->port;
    a->job->u.resolved = udp_resolved;
}

/* Looks at a machine after it was fed or ticked. */
static void udp_progress(struct announce *a, usec now)
{
    struct tracker_answer *r = mem_zero(sizeof *r);
    struct err e = {0};
    int result = tracker_udp_result(a->udp, r, &e);
    if (result > 0) {
        answered(a, r, now);
        free(r->trackerid);
    } else if (result == 0) {
        send_udp(a, now);
    } else if (a->next_addr < a->n_addrs) {
        next_address(a, now);
    } else {
        failed(a, 0, e.msg, now);
    }
    free(r);
}

/* One has connected: those who waited for that need not wait for the pulse. */
static void others_go_on(struct node *n, const struct addr *tracker, usec now)
{
    for (struct list_node *l = list_first(&n->udp); l; l = list_next(&n->udp, l)) {
        struct announce *a = LIST_OF(l, struct announce, in_udp);
        if (addr_eq(tracker_udp_addr(a->udp), tracker))
            send_udp(a, now);
    }
}

void node_datagram(struct node *n, const struct addr *from, struct bytes b, usec now)
{
    n->now = now;
    if (finder_datagram(n, from, b, now))
        return;
    for (struct list_node *l = list_first(&n->udp); l; l = list_next(&n->udp, l)) {
        struct announce *a = LIST_OF(l, struct announce, in_udp);
        bool connected = tracker_udp_asked(a->udp);
        if (!addr_eq(tracker_udp_addr(a->udp), from) || !tracker_udp_feed(a->udp, b, now))
            continue;
        udp_progress(a, now);
        if (!connected)
            others_go_on(n, from, now);
        return;
    }
}

void announce_tick_udp(struct node *n, usec now)
{
    struct list_node *next;
    for (struct list_node *l = list_first(&n->udp); l; l = next) {
        struct announce *a = LIST_OF(l, struct announce, in_udp);
        next = list_next(&n->udp, l);
        if (tracker_udp_deadline(a->udp) <= now)
            udp_progress(a, now);
    }
}

/* ---- the task's side ---- */

static void start(struct swarm *s, int tracker, enum tiers_event event, usec now)
{
    struct tracker_url u;
    struct err e = {0};
    const char *url = tiers_url(s->tiers, tracker);
    struct announce *a = mem_zero(sizeof *a);
    a->s = s;
    a->node = s->task->node;
    a->tracker = tracker;
    a->event = event;
    a->timer.fire = moment_over;
    list_push(&s->announces, &a->in_swarm);
    if (tracker_url_parse(&u, url, &e) < 0)
        failed(a, USEC_NEVER, e.msg, now);
    else if (u.kind == 'u')
        start_udp(a, &u, now);
    else
        start_http(a, url, now);
}

static usec due(const struct task *t)
{
    usec at = USEC_NEVER;
    for (uint32_t i = 0; i < t->n_swarms && !t->node->cfg.no_trackers; i++)
        at = usec_min(at, tiers_deadline(t->swarm[i].tiers));
    return at;
}

/* While items are still being added, more come than the gaps so far have room for in a round. */
static usec take_turn(struct node *n, usec now)
{
    usec gap = usec_min(TURN_GAP, ROUND / (usec)n->tasks.used);
    if (n->turn_at < now - TURNS_AT_ONCE * gap)
        n->turn_at = now - TURNS_AT_ONCE * gap;
    n->turn_at += gap;
    usec at = n->turn_at;
    if (at > now + ROUND) {
        n->turn_at = now + ROUND;
        at = now + (usec)rng_below(&n->rng, (uint64_t)ROUND);
    }
    return at <= now ? now : (at + TOGETHER - 1) / TOGETHER * TOGETHER;
}

static bool waits_for_turn(struct task *t, usec now)
{
    bool quiet = t->state == NODE_SEEDING && t->conns.count == 0 && !t->stopping;
    if (!quiet || due(t) > now) {
        t->turn = 0;
        return false;
    }
    if (t->turn == 0)
        t->turn = take_turn(t->node, now);
    if (t->turn > now)
        return true;
    t->turn = 0;
    return false;
}

void announce_run(struct task *t, usec now)
{
    bool starving =
        t->state != NODE_SEEDING && t->conns.count == 0 && pool_deadline(t->pool, true) > now;
    if (starving && !t->stopping)
        finder_hurry(t, now);
    if (t->node->cfg.no_trackers || waits_for_turn(t, now))
        return;
    for (uint32_t i = 0; i < t->n_swarms; i++) {
        struct swarm *s = &t->swarm[i];
        enum tiers_event event;
        int tracker;
        if (starving && !t->stopping)
            tiers_hurry(s->tiers, now);
        while ((tracker = tiers_next(s->tiers, &event, now)) >= 0)
            start(s, tracker, event, now);
    }
}

void announce_init(struct task *t, usec now)
{
    for (uint32_t i = 0; i < t->n_swarms; i++) {
        struct tiers *v = t->swarm[i].tiers;
        if (task_is_private(t))
            tiers_one_at_a_time(v);
        for (size_t k = 0; k < t->link->n_trackers; k++)
            tiers_add(v, (unsigned)k, t->link->trackers[k]);
        for (size_t k = 0; t->m && k < t->m->n_tiers; k++)
            for (size_t j = 0; j < t->m->tiers[k].n; j++)
                tiers_add(v, (unsigned)k, t->m->tiers[k].urls[j]);
    }
    (void)now;
}

static void cancel(struct announce *a)
{
    if (a->job)
        job_cancel(a->node, a->job);
    announce_free(a);
}

void announce_fini(struct task *t)
{
    for (uint32_t i = 0; i < t->n_swarms; i++) {
        struct list_node *l;
        while ((l = list_first(&t->swarm[i].announces)) != NULL)
            cancel(LIST_OF(l, struct announce, in_swarm));
    }
}

usec announce_deadline(const struct task *t)
{
    usec at = due(t);
    return at > t->turn ? at : t->turn;
}

bool announce_idle(const struct task *t)
{
    for (uint32_t i = 0; i < t->n_swarms && !t->node->cfg.no_trackers; i++)
        if (!tiers_stopped(t->swarm[i].tiers) || t->swarm[i].announces.count > 0)
            return false;
    return true;
}

bool announce_exhausted(const struct task *t)
{
    for (uint32_t i = 0; i < t->n_swarms && !t->node->cfg.no_trackers; i++)
        if (!tiers_exhausted(t->swarm[i].tiers))
            return false;
    return true;
}

/* What is under way now brings nothing any more; who heard `started` will hear `stopped`. */
void announce_stop(struct task *t, usec now)
{
    for (uint32_t i = 0; i < t->n_swarms; i++) {
        struct swarm *s = &t->swarm[i];
        struct list_node *next;
        for (struct list_node *l = list_first(&s->announces); l; l = next) {
            struct announce *a = LIST_OF(l, struct announce, in_swarm);
            next = list_next(&s->announces, l);
            if (!a->told && tiers_dropped(s->tiers, a->tracker, now))
                cancel(a);
        }
        tiers_stop(s->tiers, now);
    }
}

void announce_completed(struct task *t, usec now)
{
    for (uint32_t i = 0; i < t->n_swarms; i++)
        tiers_completed(t->swarm[i].tiers, now);
}

void announce_moved(struct node *n, usec now)
{
    uint32_t it = 0;
    struct task *t;
    while ((t = idtab_walk(&n->tasks, &it)) != NULL) {
        for (uint32_t i = 0; i < t->n_swarms; i++)
            tiers_moved(t->swarm[i].tiers, now);
        task_wake(t, now);
    }
}

const char *announce_error(const struct task *t)
{
    for (uint32_t i = 0; i < t->n_swarms; i++)
        for (int k = 0; k < (int)tiers_count(t->swarm[i].tiers); k++)
            if (tiers_last_error(t->swarm[i].tiers, k)[0])
                return tiers_last_error(t->swarm[i].tiers, k);
    return "";
}

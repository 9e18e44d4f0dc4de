/* The node: construction, the queue of operations, jobs, timers, blocks. */
#include "node/inlet.h"
#include "node/kept.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PULSE (250 * USEC_MS) /* dialing, trackers, goals, web seeds are looked at so often */

static void pulse(struct node *n, struct timer *t, usec now)
{
    struct list_node *next;
    for (struct list_node *l = list_first(&n->working); l; l = next) {
        next = list_next(&n->working, l);
        task_pulse(LIST_OF(l, struct task, working), now);
    }
    announce_tick_udp(n, now);
    dial_more(n, now);
    /* Only items with something to do beat: ten thousand idle ones cost nothing. */
    timer_set(n, t, n->working.count || n->udp.count ? now + PULSE : USEC_NEVER);
}

void node_beat(struct node *n, usec now)
{
    if (n->pulse.at.index == 0)
        timer_set(n, &n->pulse, now);
}

static void bucket_filled(struct node *n, struct timer *t, usec now)
{
    inlet_late(n, now - t->at.at, now);
    flow_late(n, now - t->at.at, now);
    inlet_turn(n, now);
    flow_wake_senders(n, now);
}

struct node *node_new(const struct node_config *c, uint64_t seed, usec now)
{
    struct node *n = mem_zero(sizeof *n);
    n->cfg = *c;
    if (n->cfg.max_conns == 0)
        n->cfg.max_conns = NODE_MAX_CONNS;
    n->now = now;
    n->turn_at = now - USEC_MIN; /* none was taken of late */
    rng_seed(&n->rng, seed);
    heap_init(&n->timers);
    idtab_init(&n->tasks);
    idtab_init(&n->conns);
    idtab_init(&n->jobs);
    n->by_hash = map_new(rng_u64(&n->rng));
    list_init(&n->dead);
    list_init(&n->recv_wait);
    list_init(&n->ask_wait);
    list_init(&n->web_wait);
    list_init(&n->send_wait);
    list_init(&n->free_blocks);
    list_init(&n->udp);
    list_init(&n->working);
    rate_init(&n->given, now);
    inlet_begin(n, c->limit_down, now);
    bucket_init(&n->up, c->limit_up, 0, now);
    bucket_init(&n->words, (c->limit_up + 1) / 2, 0, now);
    bucket_init(&n->hash_bucket, 4 * HASH_RATE, 4 * HASH_BURST, now);
    n->key = (uint32_t)rng_u64(&n->rng);
    n->udp_cache = tracker_udp_cache_new();
    n->pulse.fire = pulse;
    n->bucket_timer.fire = bucket_filled;
    self_init(n);
    finder_init(n, now);
    lsd_init(n, now);
    return n;
}

static void free_ops(struct node *n)
{
    for (uint32_t i = 0; i < n->ops_n; i++)
        free(n->ops[(n->ops_head + i) & (n->ops_cap - 1)].text);
    free(n->ops);
    free(n->op_text);
}

void node_free(struct node *n)
{
    if (!n)
        return;
    uint32_t it = 0;
    struct task *t;
    while ((t = idtab_walk(&n->tasks, &it)) != NULL)
        task_free(t);
    it = 0;
    struct conn *c;
    while ((c = idtab_walk(&n->conns, &it)) != NULL)
        conn_close(c, false, NULL, n->now);
    conn_reap(n);
    it = 0;
    struct job *j;
    while ((j = idtab_walk(&n->jobs, &it)) != NULL)
        job_free(n, j);
    struct list_node *b;
    intake_fini(n);
    while ((b = list_pop(&n->free_blocks)) != NULL)
        free(LIST_OF(b, struct block, link));
    lsd_fini(n);
    finder_fini(n);
    self_fini(n);
    free_ops(n);
    map_free(n->by_hash);
    idtab_fini(&n->tasks);
    idtab_fini(&n->conns);
    idtab_fini(&n->jobs);
    heap_fini(&n->timers);
    tracker_udp_cache_free(n->udp_cache);
    buf_fini(&n->udp_out);
    free(n);
}

void node_set_limits(struct node *n, uint64_t down, uint64_t up, usec now)
{
    n->cfg.limit_down = down;
    n->cfg.limit_up = up;
    bucket_set_rate(&n->down, down, now);
    bucket_set_rate(&n->up, up, now);
    bucket_set_rate(&n->words, (up + 1) / 2, now);
    n->now = now;
    inlet_turn(n, now);
    flow_wake_senders(n, now);
}

/* ---- operations ---- */

struct node_op *node_op(struct node *n, enum node_op_kind kind)
{
    if (n->ops_n == n->ops_cap) {
        uint32_t cap = n->ops_cap ? n->ops_cap * 2 : 64;
        struct op_entry *v = mem_array(cap, sizeof *v);
        for (uint32_t i = 0; i < n->ops_n; i++)
            v[i] = n->ops[(n->ops_head + i) & (n->ops_cap - 1)];
        free(n->ops);
        n->ops = v;
        n->ops_cap = cap;
        n->ops_head = 0;
    }
    struct op_entry *e = &n->ops[(n->ops_head + n->ops_n++) & (n->ops_cap - 1)];
    *e = (struct op_entry){.op.kind = kind};
    return &e->op;
}

static struct op_entry *last_entry(struct node *n)
{
    return &n->ops[(n->ops_head + n->ops_n - 1) & (n->ops_cap - 1)];
}

struct node_op *node_last_op(struct node *n)
{
    return &last_entry(n)->op;
}

void node_op_text(struct node *n, char *text)
{
    struct op_entry *e = last_entry(n);
    free(e->text);
    e->text = text;
}

void node_notice(struct node *n, struct task *t, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    node_op(n, NODE_NOTICE)->task = t ? t->id : 0;
    node_op_text(n, mem_str(text));
}

/* A block that will never be stored, because its task went before the host heard of it. */
static void forget_store(struct node *n, node_id id)
{
    struct job *j = idtab_get(&n->jobs, id);
    if (j)
        job_free(n, j);
}

/* An operation whose object went away meanwhile is passed over. */
static bool op_is_stale(const struct node *n, const struct node_op *op)
{
    if (op->task && !idtab_get(&n->tasks, op->task))
        return true;
    if (op->job && op->kind != NODE_CANCEL && op->kind != NODE_RECV &&
        !idtab_get(&n->jobs, op->job))
        return true;
    return op->conn && op->kind != NODE_CLOSE && !idtab_get(&n->conns, op->conn);
}

bool node_next(struct node *n, struct node_op *op)
{
    conn_reap(n);
    while (n->ops_n > 0) {
        struct op_entry *e = &n->ops[n->ops_head];
        n->ops_head = (n->ops_head + 1) & (n->ops_cap - 1);
        n->ops_n--;
        free(n->op_text);
        n->op_text = e->text;
        e->op.text = e->text;
        *op = e->op;
        if (!op_is_stale(n, op))
            return true;
        if (op->kind == NODE_STORE)
            forget_store(n, op->job);
    }
    return false;
}

/* ---- jobs ---- */

struct job *job_new(struct node *n, struct task *t, enum node_op_kind kind)
{
    struct job *j = mem_zero(sizeof *j);
    j->kind = kind;
    j->task = t ? t->id : 0;
    j->id = idtab_put(&n->jobs, j);
    struct node_op *op = node_op(n, kind);
    op->job = j->id;
    op->task = j->task;
    return j;
}

void job_free(struct node *n, struct job *j)
{
    idtab_remove(&n->jobs, j->id);
    if (j->drop)
        j->drop(n, j);
    free(j);
}

void job_cancel(struct node *n, struct job *j)
{
    node_op(n, NODE_CANCEL)->job = j->id;
    job_free(n, j);
}

/* Takes an answer's job out of the table; NULL when it is nobody's any more. Numbers come again
 * one day: an answer as late as that must at least not meet a job of another kind. */
static struct job *job_answered(struct node *n, node_id id, enum node_op_kind kind, usec now)
{
    n->now = now;
    struct job *j = idtab_get(&n->jobs, id);
    if (j && j->kind != kind && !(kind == NODE_CHECKPOINT && j->kind == NODE_FILE_DONE))
        return NULL;
    if (j)
        idtab_remove(&n->jobs, id);
    return j;
}

void node_stored(struct node *n, node_id job, int err, const struct err *why,
                 const uint8_t leaf[SHA256_LEN], usec now)
{
    struct job *j = job_answered(n, job, NODE_STORE, now);
    if (j && idtab_get(&n->tasks, j->task))
        j->u.stored(n, j, err, why, leaf, now);
    else if (j)
        j->drop(n, j);
    free(j);
}

void node_checked(struct node *n, node_id job, int err, const struct err *why,
                  const struct piecehash_result *r, usec now)
{
    struct job *j = job_answered(n, job, NODE_CHECK, now);
    if (j)
        kept_returned(n, j);
    if (j && idtab_get(&n->tasks, j->task))
        j->u.checked(n, j, err, why, r, now);
    free(j);
}

void node_leaves(struct node *n, node_id job, int err, const uint8_t *leaves, uint32_t n_leaves,
                 usec now)
{
    struct job *j = job_answered(n, job, NODE_LEAVES, now);
    if (j)
        j->u.leaves(n, j, err, leaves, n_leaves, now);
    free(j);
}

void node_done(struct node *n, node_id job, int err, const struct err *why, usec now)
{
    struct job *j = job_answered(n, job, NODE_CHECKPOINT, now);
    if (j)
        j->u.done(n, j, err, why, now);
    free(j);
}

void node_http(struct node *n, node_id job, int err, const struct err *why, int status,
               struct bytes body, usec now)
{
    struct job *j = job_answered(n, job, NODE_HTTP, now);
    if (j)
        j->u.http(n, j, err, why, status, body, now);
    free(j);
}

void node_resolved(struct node *n, node_id job, const struct addr *v, size_t count, usec now)
{
    struct job *j = job_answered(n, job, NODE_RESOLVE, now);
    if (j)
        j->u.resolved(n, j, v, count, now);
    free(j);
}

/* ---- timers ---- */

void timer_set(struct node *n, struct timer *t, usec at)
{
    heap_set(&n->timers, &t->at, at);
}

usec node_deadline(const struct node *n)
{
    const struct heap_item *first = heap_peek(&n->timers);
    return first ? first->at : USEC_NEVER;
}

void node_tick(struct node *n, usec now)
{
    n->now = now;
    struct heap_item *it;
    while ((it = heap_peek(&n->timers)) != NULL && it->at <= now) {
        struct timer *t = LIST_OF(it, struct timer, at);
        heap_remove(&n->timers, it);
        t->fire(n, t, now);
    }
    conn_reap(n);
}

/* ---- blocks ---- */

#define FREE_BLOCKS_KEPT 256u

struct block *block_new(struct node *n)
{
    struct list_node *l = list_pop(&n->free_blocks);
    struct block *b = l ? LIST_OF(l, struct block, link) : mem_alloc(sizeof *b);
    b->link = (struct list_node){0};
    b->sender = NO_SENDER;
    b->task = 0;
    return b;
}

void block_free(struct node *n, struct block *b)
{
    if (!b)
        return;
    if (n->free_blocks.count < FREE_BLOCKS_KEPT)
        list_unshift(&n->free_blocks, &b->link);
    else
        free(b);
}

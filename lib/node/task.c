/*
 * One item's life: with a link only, its manifest is fetched; then the caller says what is here and
 * what is wanted; then it downloads, seeds, and ends when its goals say so (task_pulse.c).
 */
#include "node/kept.h"
#include "node/node_int.h"
#include "node/part.h"
#include "node/passing.h"
#include "node/reuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A player's window, in which some rare pieces are fetched ahead of their time. */
#define WINDOW_BYTES (32u << 20)
#define WINDOW_LEAST 16u /* pieces */

struct task *task_get(const struct node *n, node_id id)
{
    return idtab_get(&n->tasks, id);
}

/* While piece layers are missing nothing is asked for of a v2 item's large files, yet it is not
 * done. */
bool task_complete(const struct task *t)
{
    return t->picker && !t->demand && picker_missing(t->picker) == 0 &&
           (t->m->has_v1 || t->layers_missing == 0);
}

bool task_is_private(const struct task *t)
{
    return t->is_private;
}

/* ---- swarms: the hashes it is known by ---- */

static bool join(struct task *t, const uint8_t *hash, bool v2, struct err *e)
{
    struct node *n = t->node;
    struct task *other = map_get(n->by_hash, BYTES(hash, 20));
    if (other && other != t) {
        err_set(e, ERR_FAIL, "this item is being shared already");
        return false;
    }
    for (uint32_t i = 0; i < t->n_swarms; i++)
        if (memcmp(t->swarm[i].hash, hash, 20) == 0)
            return true;
    struct swarm *s = &t->swarm[t->n_swarms++];
    *s = (struct swarm){.task = t, .v2 = v2};
    memcpy(s->hash, hash, 20);
    map_put(n->by_hash, BYTES(s->hash, 20), t);
    s->tiers = tiers_new(&n->rng);
    list_init(&s->announces);
    return true;
}

static bool join_all(struct task *t, struct err *e)
{
    if (t->link->has_v1 && !join(t, t->link->hash_v1, false, e))
        return false;
    return !t->link->has_v2 || join(t, t->link->hash_v2, true, e);
}

/* ---- set up, once its manifest is here ---- */

static uint32_t shape_blocks(const void *ctx, uint32_t piece)
{
    const struct task *t = ctx;
    return layout_blocks(t->m, piece);
}

static bool shape_skip(const void *ctx, uint32_t piece, uint32_t block)
{
    const struct task *t = ctx;
    return layout_block_len(t->m, piece, block) == 0 || part_skips(t, piece, block);
}

static bool all_padding(const struct manifest *m, uint32_t piece)
{
    for (uint32_t b = 0; b < layout_blocks(m, piece); b++)
        if (layout_block_len(m, piece, b) != 0)
            return false;
    return true;
}

/* Of pieces that cannot be verified yet (piece layers are missing) nothing is asked for. */
static unsigned piece_priority(const struct task *t, uint32_t piece)
{
    return !hashes_fetchable(t, piece) ? 0 : t->priority ? t->priority[piece] : 1;
}

static void set_priorities(struct task *t)
{
    for (uint32_t p = 0; p < t->m->n_pieces; p++) {
        unsigned prio = piece_priority(t, p);
        if (prio != 1)
            picker_set_priority(t->picker, p, prio);
    }
}

static void set_up_picker(struct task *t, const struct bits *have)
{
    struct picker_shape shape = {
        .n_pieces = t->m->n_pieces, .blocks = shape_blocks, .skip = shape_skip, .ctx = t};
    t->picker = picker_new(&shape, &t->node->rng);
    if (t->sequential)
        picker_set_sequential(t->picker, WINDOW_BYTES / t->m->piece_length + WINDOW_LEAST);
    for (uint32_t p = 0; p < t->m->n_pieces; p++) {
        if (have && bits_get(have, p)) {
            bits_set(&t->have, p);
            picker_have(t->picker, p);
        }
    }
    set_priorities(t);
    reuse_begin(t);
    stream_begin(t);
    demand_begin(t);
}

static void judge_padding(struct task *t, usec now)
{
    bool pads = false;
    for (uint32_t i = 0; i < t->m->n_files && !pads; i++)
        pads = t->m->files[i].attr & FILE_PAD;
    for (uint32_t p = 0; pads && p < t->m->n_pieces; p++)
        if (picker_wanted(t->picker, p) && all_padding(t->m, p))
            verify_judge(t, verify_open(t, p), now);
}

void task_set_up(struct task *t, const struct bits *have, const uint8_t *priority,
                 const uint8_t *unstored, usec now)
{
    uint32_t n = t->m->n_pieces;
    if (t->on_demand)
        t->priority = mem_zero(n ? n : 1);
    else if (priority)
        t->priority = mem_dup(priority, n);
    if (unstored)
        t->unstored = mem_dup(unstored, n);
    part_begin(t, have);
    bits_init(&t->have, n);
    t->open = map_new(rng_u64(&t->node->rng));
    t->blame = blame_new();
    hashes_layers_init(t);
    set_up_picker(t, have);
    verify_begin(t);
    judge_padding(t, now);
    t->state = NODE_DOWNLOADING;
}

static void activate(struct task *t, const struct bits *have, const uint8_t *priority,
                     const uint8_t *unstored, usec now)
{
    task_set_up(t, have, priority, unstored, now);
    if (task_complete(t))
        task_completed(t, now);
    web_init(t, now);
}

/* ---- beginning ---- */

static void copy_link(struct task *t, const struct magnet *k)
{
    t->link->has_v1 = k->has_v1;
    t->link->has_v2 = k->has_v2;
    memcpy(t->link->hash_v1, k->hash_v1, SHA1_LEN);
    memcpy(t->link->hash_v2, k->hash_v2, SHA256_LEN);
    t->link->name = mem_str(k->name);
    for (size_t i = 0; i < k->n_trackers; i++)
        magnet_list_add(&t->link->trackers, &t->link->n_trackers, k->trackers[i]);
    for (size_t i = 0; i < k->n_web_seeds; i++)
        magnet_list_add(&t->link->web_seeds, &t->link->n_web_seeds, k->web_seeds[i]);
    for (size_t i = 0; i < k->n_nodes; i++)
        magnet_list_add(&t->link->nodes, &t->link->n_nodes, k->nodes[i]);
}

void task_hashes(struct task *t)
{
    t->is_private = t->m->private_flag;
    t->link->has_v1 = t->m->has_v1;
    t->link->has_v2 = t->m->has_v2;
    memcpy(t->link->hash_v1, t->m->hash_v1, SHA1_LEN);
    memcpy(t->link->hash_v2, t->m->hash_v2, SHA256_LEN);
}

void task_get_up(struct task *t, usec now)
{
    t->link = mem_zero(sizeof *t->link);
    t->down = mem_alloc(2 * sizeof *t->down);
    t->up = t->down + 1;
    rate_init(t->down, now);
    rate_init(t->up, now);
    task_pool(t);
}

struct pool *task_pool(struct task *t)
{
    if (t->pool)
        return t->pool;
    t->pool = pool_new(&t->node->rng);
    pool_prefer_near(t->pool, t->node->cfg.prefer_local > 0);
    self_task(t);
    return t->pool;
}

static struct task *task_new(struct node *n, const struct node_task_config *c, usec now)
{
    struct task *t = mem_zero(sizeof *t);
    t->node = n;
    t->timer.fire = task_woken;
    t->goals = c->goals;
    t->trusted = c->trusted;
    t->super_seed = c->super_seed;
    t->sequential = c->sequential;
    t->window = c->window;
    t->on_demand = c->on_demand;
    t->survey = c->survey;
    t->manifest_only = c->manifest_only;
    t->uploaded0 = c->uploaded;
    t->downloaded0 = c->downloaded;
    t->started = t->last_checkpoint = now;
    waits_begin(&t->waits, now);
    t->last_arrival = t->last_upload = now;
    t->first_byte = t->completed_at = USEC_NEVER;
    t->tracker_seeds = t->tracker_peers = -1;
    t->m = c->manifest;
    list_init(&t->conns);
    choker_init(&t->choker, now);
    task_get_up(t, now);
    t->id = idtab_put(&n->tasks, t);
    return t;
}

node_id node_add(struct node *n, const struct node_task_config *c, usec now, struct err *e)
{
    n->now = now;
    struct task *t = task_new(n, c, now);
    if (c->link)
        copy_link(t, c->link);
    if (t->m)
        task_hashes(t);
    if (!join_all(t, e)) {
        task_free(t);
        return 0;
    }
    announce_init(t, now);
    finder_task(t, now);
    lsd_task(t, now);
    for (size_t i = 0; c->link && i < c->link->n_peers; i++)
        node_add_peer_name(n, t->id, c->link->peers[i], now);
    if (t->m && !t->survey) {
        if (c->hold)
            node_hold(n, t->id, c->hold);
        node_set_parts(n, t->id, c->parts, c->n_parts);
        activate(t, c->have, c->priority, c->unstored, now);
    } else if (!t->survey) {
        t->state = NODE_FETCHING_METADATA;
        metadata_begin(t, now);
        webmeta_begin(t);
    }
    task_wake(t, now);
    return t->id;
}

void task_manifest_here(struct task *t, usec now)
{
    struct err e = {0};
    task_hashes(t);
    if (!join_all(t, &e)) {
        task_fail(t, ERR_FAIL, "%s", e.msg);
        return;
    }
    for (size_t i = 0; i < t->link->n_trackers; i++)
        manifest_add_tracker(t->m, i, t->link->trackers[i]);
    for (size_t i = 0; i < t->link->n_web_seeds; i++)
        manifest_add_web_seed(t->m, t->link->web_seeds[i]);
    for (size_t i = 0; i < t->link->n_nodes && !task_is_private(t); i++)
        manifest_add_node(t->m, t->link->nodes[i]);
    announce_init(t, now);
    if (task_is_private(t)) {
        finder_task_gone(t, now);
        lsd_task_gone(t);
        finder_forget_strangers(t);
    } else {
        finder_task(t, now);
        lsd_task(t, now);
    }
    t->state = NODE_WAITING_BEGIN;
    t->last_arrival = now;
    node_op(t->node, NODE_METADATA)->task = t->id;
}

void node_begin(struct node *n, node_id task, const struct bits *have, const uint8_t *priority,
                const uint8_t *unstored, usec now)
{
    n->now = now;
    struct task *t = task_get(n, task);
    if (!t || t->state != NODE_WAITING_BEGIN)
        return;
    t->last_arrival = now; /* what the caller took to look at its disk is nobody's silence */
    if (task_is_private(t))
        finder_close_strangers(t, now);
    activate(t, have, priority, unstored, now);
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l; l = next) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        if (c->phase == CONN_OPEN)
            greet_pieces_known(c, now);
    }
    fetch_all(t, now);
    task_wake(t, now);
    conn_reap(n);
}

void task_layers_known(struct task *t, uint32_t file, usec now)
{
    uint32_t first, end;
    layout_file_pieces(t->m, file, &first, &end);
    for (uint32_t p = first; p < end; p++)
        if (!picker_has(t->picker, p))
            picker_set_priority(t->picker, p, piece_priority(t, p));
    if (t->layers_missing == 0)
        hashes_layers_fini(t);
    fetch_all(t, now);
    verify_complete(t, now);
}

/* An extension message of a few bytes, to a peer that knows it. */
static void tell(struct conn *c, unsigned kind, const struct buf *body)
{
    uint8_t id = c->ext.id[kind];
    if (c->phase != CONN_OPEN || id == 0)
        return;
    wire_put_extended(&c->out.bytes, id, buf_bytes(body));
    conn_flush(c);
}

/* BEP 21, when it changed after the greeting. Whoever was told of all pieces knows it already. */
static void tell_upload_only(struct task *t, bool so)
{
    struct buf body = {0};
    buf_put_u8(&body, so);
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l))
        tell(LIST_OF(l, struct conn, in_task), EXT_UPLOAD_ONLY, &body);
    buf_fini(&body);
}

void task_completed(struct task *t, usec now)
{
    bool fetched = t->from_peers + t->from_web > 0 && !task_passes(t); /* that one keeps nothing */
    status_turn(t, now);
    t->was_complete = true;
    t->state = NODE_SEEDING;
    t->completed_at = now;
    t->last_upload = now;
    node_op(t->node, NODE_COMPLETE)->task = t->id;
    if (fetched)
        announce_completed(t, now);
    if (fetched)
        finder_completed(t, now);
    if (!bits_full(&t->have) && !t->super_seed)
        tell_upload_only(t, true);
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l; l = next) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        if (c->phase != CONN_OPEN)
            continue;
        serve_completed(c);
        fetch_interest(c);
        if (c->phase == CONN_OPEN)
            fetch_check_seed(c, now);
    }
    task_judge_goals(t, now);
}

void task_tell_lost(struct task *t, uint32_t piece)
{
    struct buf body = {0};
    ext_put_donthave(&body, piece);
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l))
        tell(LIST_OF(l, struct conn, in_task), EXT_DONTHAVE, &body);
    buf_fini(&body);
}

void node_lost(struct node *n, node_id task, uint32_t piece, usec now)
{
    n->now = now;
    struct task *t = task_get(n, task);
    if (!t || !t->picker || !bits_unset(&t->have, piece))
        return;
    picker_lost(t->picker, piece);
    task_tell_lost(t, piece);
    if (t->was_complete) {
        tell_upload_only(t, false);
        t->was_complete = false;
        t->state = NODE_DOWNLOADING;
        t->completed_at = USEC_NEVER;
    }
    verify_recount(t);
    fetch_all(t, now);
    task_wake(t, now);
}

/* ---- end ---- */

void task_fail(struct task *t, int code, const char *fmt, ...)
{
    char text[500];
    if (t->halted)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    t->halted = true;
    t->state = NODE_HALTED;
    struct node_op *op = node_op(t->node, NODE_FAILED);
    op->task = t->id;
    op->code = code;
    node_op_text(t->node, mem_str(text));
    task_wake(t, t->node->now);
}

/* One that goes may convict others, which go with it: the first is looked at anew each time. */
static void close_all(struct task *t, usec now)
{
    struct list_node *l;
    while ((l = list_first(&t->conns)) != NULL)
        conn_close(LIST_OF(l, struct conn, in_task), true, NULL, now);
}

void node_stop(struct node *n, node_id task, usec patience, usec now)
{
    n->now = now;
    struct task *t = task_get(n, task);
    if (!t || t->stopping)
        return;
    t->stopping = true;
    t->stop_by = now + patience;
    web_fini(t);
    finder_task_gone(t, now);
    lsd_task_gone(t);
    close_all(t, now);
    sleep_over(t, now);
    announce_stop(t, now);
    task_wake(t, now);
    task_pulse(t, now);
    conn_reap(n);
}

static void drop_jobs(struct task *t)
{
    struct node *n = t->node;
    uint32_t it = 0;
    struct job *j;
    while ((j = idtab_walk(&n->jobs, &it)) != NULL)
        if (j->task == t->id && j->kind != NODE_STORE && !kept_is_lent(j))
            job_free(n, j);
}

static void free_open(struct task *t)
{
    size_t it = 0;
    void *v;
    while (t->open && map_walk(t->open, &it, NULL, &v)) {
        struct open_piece *o = v;
        kept_drop(t->node, o);
        free(o->leaf);
        free(o->want);
        free(o);
    }
    map_free(t->open);
    t->open = NULL;
}

void task_shed(struct task *t)
{
    uint8_t **bytes[] = {&t->priority, &t->unstored, &t->on_way};
    web_fini(t);
    pex_fini(t);
    near_fini(t);
    free_open(t);
    blame_free(t->blame);
    picker_free(t->picker);
    hashes_layers_fini(t);
    hashes_uppers_free(t);
    part_fini(t);
    bits_fini(&t->have);
    bits_fini(&t->to_hold);
    bits_fini(&t->begun);
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        free(*bytes[i]);
        *bytes[i] = NULL;
    }
    free(t->file_left);
    free(t->culprits);
    free(t->alone);
    free(t->senders);
    free(t->stream);
    demand_free(t);
    free(t->down);
    if (t->link)
        magnet_fini(t->link);
    free(t->link);
    manifest_free(t->m);
    t->blame = NULL;
    t->picker = NULL;
    t->file_left = NULL;
    t->culprits = NULL;
    t->alone = NULL;
    t->senders = NULL;
    t->n_senders = t->n_culprits = 0;
    t->down = t->up = NULL;
    t->stream = NULL;
    t->link = NULL;
    t->m = NULL;
}

void task_free(struct task *t)
{
    struct node *n = t->node;
    metadata_end(t);
    web_fini(t);
    close_all(t, n->now);
    conn_reap(n);
    announce_fini(t);
    finder_task_gone(t, n->now);
    lsd_task_gone(t);
    drop_jobs(t);
    for (uint32_t i = 0; i < t->n_swarms; i++) {
        map_remove(n->by_hash, BYTES(t->swarm[i].hash, 20));
        tiers_free(t->swarm[i].tiers);
    }
    t->stopping = true; /* who waited for it to wake finds it gone */
    sleep_over(t, n->now);
    task_shed(t);
    free(t->rest);
    timer_set(n, &t->timer, USEC_NEVER);
    list_remove(&n->working, &t->working);
    idtab_remove(&n->tasks, t->id);
    pool_free(t->pool);
    free(t);
}

void node_remove(struct node *n, node_id task)
{
    struct task *t = task_get(n, task);
    if (t)
        task_free(t);
}

/*
 * Asking one peer for blocks, and taking them.
 *
 * A request stays in the ring until its block, its reject or the end of the connection comes. What
 * we cancelled, or a choke swept away, stays as "dead": it may still arrive and is then thrown away
 * without blame. A block that is not in the ring was never asked for: the connection is closed.
 */
#include "node/node_int.h"

#include <stdlib.h>

#define PICK_BATCH 64u
#define MAX_RING 4096u
#define DEAD_KEPT (120 * USEC_SEC)
#define REJECTS_IN_A_ROW 16u
#define HOLD_AFTER_REJECT (500 * USEC_MS)

/* ---- the ring of requests ---- */

static struct request *req_at(const struct conn *c, uint32_t i)
{
    return &c->req[(c->req_head + i) & (c->req_cap - 1)];
}

static void req_push(struct conn *c, struct request r)
{
    if (c->req_n == c->req_cap) {
        uint32_t cap = c->req_cap ? c->req_cap * 2 : 16;
        struct request *v = mem_array(cap, sizeof *v);
        for (uint32_t i = 0; i < c->req_n; i++)
            v[i] = *req_at(c, i);
        free(c->req);
        c->req = v;
        c->req_cap = cap;
        c->req_head = 0;
    }
    *req_at(c, c->req_n++) = r;
}

static void req_remove(struct conn *c, uint32_t i)
{
    for (; i > 0; i--) /* peers answer in order: i is nearly always 0 */
        *req_at(c, i) = *req_at(c, i - 1);
    c->req_head = (c->req_head + 1) & (c->req_cap - 1);
    c->req_n--;
}

/* One given up and asked again stands here twice: the live one is meant. */
static struct request *req_find(const struct conn *c, struct block_ref ref, uint32_t *index)
{
    struct request *dead = NULL;
    for (uint32_t i = 0; i < c->req_n; i++) {
        struct request *r = req_at(c, i);
        if (r->ref.piece != ref.piece || r->ref.block != ref.block || (dead && r->dead))
            continue;
        *index = i;
        if (!r->dead)
            return r;
        dead = r;
    }
    return dead;
}

/* The one whose payload is under way: the block may have been asked for again meanwhile. */
static struct request *req_coming(const struct conn *c, uint32_t *index)
{
    for (uint32_t i = 0; i < c->req_n; i++) {
        *index = i;
        if (req_at(c, i)->coming)
            return req_at(c, i);
    }
    return NULL;
}

static void req_drop_old_dead(struct conn *c, usec now)
{
    while (c->req_n > 0 && req_at(c, 0)->dead && !req_at(c, 0)->coming &&
           (c->req_n > MAX_RING || now - req_at(c, 0)->asked > DEAD_KEPT))
        req_remove(c, 0);
}

/* Others are answered but not these: they were lost, and may be asked for again. */
static void req_kill_lost(struct conn *c, usec now)
{
    usec limit = pipeline_timeout(&c->pipe);
    for (uint32_t i = c->req_n; i-- > 0;) {
        struct request *r = req_at(c, i);
        if (r->dead || now - r->asked < limit || c->last_block < r->asked + limit / 2)
            continue;
        r->dead = true;
        picker_drop(c->task->picker, r->ref, c->sender);
        pipeline_dropped(&c->pipe, 1, now);
    }
}

/* The peer will not deliver what is outstanding now. */
static void req_kill_all(struct conn *c, usec now)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < c->req_n; i++) {
        struct request *r = req_at(c, i);
        if (r->dead)
            continue;
        r->dead = true;
        picker_drop(c->task->picker, r->ref, c->sender);
        n++;
    }
    if (n)
        pipeline_dropped(&c->pipe, n, now);
}

/* ---- what the peer has ---- */

bool fetch_peer_has_piece(const struct conn *c, uint32_t piece)
{
    return c->has_all || bits_get(&c->has, piece);
}

void fetch_check_seed(struct conn *c, usec now)
{
    struct task *t = c->task;
    bool seed = c->has_all || (c->has.n > 0 && bits_full(&c->has));
    if (!seed)
        return;
    struct addr a = c->addr;
    a.port = c->listen_port;
    if (a.port)
        pool_is_seed(t->pool, &a, true);
    if (t->picker && task_complete(t) && t->was_complete) {
        pex_parted(c, now);
        conn_close(c, true, NULL, now); /* two seeds have nothing to say to each other */
    }
}

void fetch_peer_has(struct conn *c, uint32_t piece, usec now)
{
    struct task *t = c->task;
    if (c->has_all || !bits_set(&c->has, piece))
        return;
    picker_peer_have(t->picker, piece, 1);
    hint_peer_has(c, piece, now);
    near_has(c, piece, now);
    if (!c->am_interested && picker_wanted(t->picker, piece))
        fetch_interest(c, now);
    if (bits_full(&c->has))
        fetch_check_seed(c, now);
}

/* Before the manifest is here: it has some of what will be wanted. Said now, it lets us in while
 * the manifest comes, and a round trip is saved. */
static bool promises(const struct conn *c)
{
    struct bytes early = buf_bytes(&c->early_bits);
    bool some = c->early_all || c->n_early_haves > 0;
    for (size_t i = 0; i < early.n && !some; i++)
        some = early.p[i] != 0;
    return some;
}

/* What a reader will ask for next nobody knows: he stays where he was let in. */
static bool is_interesting(const struct conn *c)
{
    const struct task *t = c->task;
    if (t->demand)
        return c->has_all || c->has.ones > 0;
    return picker_missing(t->picker) > 0 && (c->has_all || picker_interesting(t->picker, &c->has));
}

void fetch_interest(struct conn *c, usec now)
{
    struct task *t = c->task;
    bool want = t->picker ? t->state == NODE_DOWNLOADING && is_interesting(c)
                          : c->am_interested ||
                                (t->meta && !t->manifest_only && !t->stopping && promises(c));
    if (want == c->am_interested)
        return;
    c->am_interested = want;
    c->bored_since = now;
    wire_put_simple(&c->out.bytes, want ? WIRE_INTERESTED : WIRE_NOT_INTERESTED);
    conn_flush(c);
}

/* ---- asking ---- */

static void ask_for(struct conn *c, const struct block_ref *v, size_t n, usec now)
{
    struct task *t = c->task;
    uint32_t last = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = layout_block_len(t->m, v[i].piece, v[i].block);
        req_push(c, (struct request){.ref = v[i], .len = len, .asked = now});
        wire_put_block(&c->out.bytes, WIRE_REQUEST, v[i].piece, v[i].block * LAYOUT_BLOCK, len);
        if (v[i].piece != last)
            hashes_want_leaves(c, v[i].piece, now);
        last = v[i].piece;
    }
    pipeline_asked(&c->pipe, (unsigned)n, now);
    conn_flush(c);
}

static bool may_ask(struct conn *c, usec now)
{
    const struct task *t = c->task;
    if (t->state != NODE_DOWNLOADING || t->stopping || !c->am_interested || c->hold_until > now)
        return false;
    if (c->node->paused_disk)
        return false;
    return !c->peer_choking || c->fast_in.ones > 0;
}

void fetch_more(struct conn *c, usec now)
{
    if (!may_ask(c, now))
        return;
    req_drop_old_dead(c, now);
    struct task *t = c->task;
    unsigned room = pipeline_room(&c->pipe), may = flow_may_ask(c, now);
    room = room < may ? room : may;
    while (room > 0 && c->phase == CONN_OPEN) {
        struct block_ref v[PICK_BATCH];
        struct picker_ask ask = {
            .peer = c->sender,
            .has = c->has_all ? NULL : &c->has,
            .only = c->peer_choking ? &c->fast_in : NULL,
            .avoid = near_hold(c),
            .hint = c->hint_in,
            .n_hint = c->n_hint_in,
            .speed = pipeline_speed(&c->pipe, t->fastest),
            .unproved = !c->pipe.proved,
            .busy = pipeline_is_busy(&c->pipe, now),
            .snubbed = c->pipe.snubbed,
            .now = now,
        };
        size_t n = picker_pick(t->picker, &ask, v, room < PICK_BATCH ? room : PICK_BATCH);
        if (n == 0) {
            if (c->pipe.out == 0)
                fetch_interest(c, now);
            return;
        }
        ask_for(c, v, n, now);
        room -= (unsigned)n;
    }
}

void fetch_all(struct task *t, usec now)
{
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l; l = next) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        if (c->phase != CONN_OPEN)
            continue;
        fetch_interest(c, now);
        if (c->phase == CONN_OPEN)
            fetch_more(c, now);
    }
}

void fetch_cancel(struct conn *c, struct block_ref ref, usec now)
{
    uint32_t i;
    struct request *r = req_find(c, ref, &i);
    if (!r || r->dead)
        return;
    r->dead = true;
    wire_put_block(&c->out.bytes, WIRE_CANCEL, ref.piece, ref.block * LAYOUT_BLOCK, r->len);
    pipeline_dropped(&c->pipe, 1, now);
    conn_flush(c);
}

/* ---- answers ---- */

void fetch_choked(struct conn *c, usec now)
{
    /* With the fast extension each request is rejected one by one. */
    if (c->task->picker && !c->fast)
        req_kill_all(c, now);
    c->hold_until = now + HOLD_AFTER_REJECT; /* who turns about at once gets no burst each time */
}

void fetch_reject(struct conn *c, const struct wire_msg *m, usec now)
{
    struct task *t = c->task;
    struct block_ref ref = {m->index, m->begin / LAYOUT_BLOCK};
    uint32_t i;
    struct request *r = t->picker ? req_find(c, ref, &i) : NULL;
    if (!r)
        return; /* a reject of something answered already does no harm */
    if (!r->dead) {
        picker_drop(t->picker, ref, c->sender);
        pipeline_dropped(&c->pipe, 1, now);
    }
    req_remove(c, i);
    if (c->peer_choking && c->fast_in.n)
        bits_unset(&c->fast_in, ref.piece);
    if (++c->rejects >= REJECTS_IN_A_ROW)
        c->hold_until = now + HOLD_AFTER_REJECT; /* it would go on so as fast as the line is */
}

static void count_waste(struct task *t, uint32_t len)
{
    t->wasted += len;
}

void fetch_piece(struct conn *c, const struct wire_msg *m, usec now)
{
    struct task *t = c->task;
    struct block_ref ref = {m->index, m->begin / LAYOUT_BLOCK};
    uint32_t i;
    struct request *r = t->picker && m->begin % LAYOUT_BLOCK == 0 ? req_find(c, ref, &i) : NULL;
    if (!r || r->len != m->length) {
        conn_close(c, true, "sends a block that was not asked for", now);
        return;
    }
    r->coming = true;
    bool want = picker_is_wanted(t->picker, ref) && t->state == NODE_DOWNLOADING;
    if (!want) {
        count_waste(t, m->length);
        wire_place(c->wire, NULL);
        return;
    }
    struct block *b = intake_block(c, m->length);
    b->ref = ref;
    b->len = m->length;
    b->sender = c->sender;
    b->task = t->id;
    c->rx = b;
    wire_place(c->wire, b->data);
}

void fetch_piece_done(struct conn *c, const struct wire_msg *m, usec now)
{
    struct task *t = c->task;
    struct block *b = c->rx;
    uint32_t i;
    c->rx = NULL;
    c->rejects = 0;
    c->last_block = now;
    struct request *r = req_coming(c, &i);
    if (r) {
        if (r->dead)
            pipeline_alive(&c->pipe, now);
        else
            pipeline_got(&c->pipe, m->length, r->asked, now);
        if (!r->dead && !b)
            picker_drop(t->picker, r->ref, c->sender);
        req_remove(c, i);
    }
    req_drop_old_dead(c, now);
    rate_add(&c->down, m->length, now);
    rate_add(t->down, m->length, now);
    t->from_peers += m->length;
    near_got(c, m->length);
    t->last_arrival = now;
    if (c->pipe.rate > t->fastest)
        t->fastest = c->pipe.rate;
    if (b)
        fetch_take(t, b, now);
}

void fetch_take(struct task *t, struct block *b, usec now)
{
    uint32_t others[PICKER_ENDGAME_COPIES + 1];
    size_t n = sizeof others / sizeof *others;
    if (picker_received(t->picker, b->ref, b->sender, others, &n) != PICKER_NEW) {
        count_waste(t, b->len);
        block_free(t->node, b);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct conn *c = t->senders[others[i]].conn;
        if (c) /* a web seed's range is not cut short for one block */
            fetch_cancel(c, b->ref, now);
    }
    t->senders[b->sender].blocks++;
    verify_store(t, b, now);
}

/* ---- time, end ---- */

void fetch_tick(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (!t->picker)
        return;
    bool was = c->pipe.snubbed;
    pipeline_tick(&c->pipe, now);
    if (c->pipe.snubbed && !was)
        req_kill_all(c, now); /* others may have these; they may still come from here */
    req_kill_lost(c, now);
    if (t->fastest > 0 && c->pipe.rate == t->fastest)
        t->fastest -= t->fastest / 8; /* forget a rate that nobody reaches any more */
    fetch_interest(c, now);
    if (c->phase == CONN_OPEN)
        fetch_more(c, now);
}

void fetch_gone(struct conn *c, usec now)
{
    struct task *t = c->task;
    (void)now;
    if (!t->picker)
        return;
    picker_drop_peer(t->picker, c->sender);
    if (c->has_all)
        picker_peer_all(t->picker, -1);
    else if (c->has.n)
        picker_peer_bits(t->picker, &c->has, -1);
}

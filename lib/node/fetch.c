/*
 * Asking one peer for blocks, and taking them.
 *
 * A request stays in the ring until its block, its reject or the end of the connection comes. What
 * we cancelled, or a choke swept away, stays as "dead": it may still arrive and is then thrown away
 * without blame. A block that is not in the ring was never asked for: the connection is closed.
 * Under a low limit a request is for a part of a block (slices.h); if one of them is given up, the
 * others of its block are, too.
 */
#include "node/inlet.h"
#include "node/part.h"

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

static bool is_of(const struct request *r, struct block_ref ref)
{
    return r->ref.piece == ref.piece && r->ref.block == ref.block;
}

/* One given up and asked again stands here twice: the live one is meant. */
static struct request *req_find(const struct conn *c, const struct wire_msg *m, uint32_t *index)
{
    struct block_ref ref = {m->index, m->begin / LAYOUT_BLOCK};
    struct request *dead = NULL;
    for (uint32_t i = 0; i < c->req_n; i++) {
        struct request *r = req_at(c, i);
        bool same = is_of(r, ref) && r->from == m->begin % LAYOUT_BLOCK && r->len == m->length;
        if (!same || (dead && r->dead))
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

static void req_die(struct conn *c, struct request *r, usec now)
{
    r->dead = true;
    r->of = NULL;
    pipeline_dropped(&c->pipe, 1, now);
    if (!r->coming)
        inlet_unasked(c, r->len, now);
}

/* The other parts of the block that were asked for are of no use any more. */
static void drop_slices(struct conn *c, struct slices *s, usec now)
{
    for (uint32_t i = 0; i < c->req_n; i++) {
        struct request *r = req_at(c, i);
        if (r->of != s)
            continue;
        if (r->coming)
            wire_unplace(c->wire);
        req_die(c, r, now);
    }
    slices_drop(c, s);
}

/* It will not come from here: somebody else may have the block. */
static void req_lose(struct conn *c, struct request *r, usec now)
{
    picker_drop(c->task->picker, r->ref, c->sender);
    if (r->of)
        drop_slices(c, r->of, now);
    else
        req_die(c, r, now);
}

/* Others are answered but not these: they were lost, and may be asked for again. */
static void req_kill_lost(struct conn *c, usec now)
{
    usec limit = pipeline_timeout(&c->pipe);
    for (uint32_t i = c->req_n; i-- > 0;) {
        struct request *r = req_at(c, i);
        if (r->dead || now - r->asked < limit || c->last_block < r->asked + limit / 2)
            continue;
        req_lose(c, r, now);
    }
}

/* The peer will not deliver what is outstanding now. */
static void req_kill_all(struct conn *c, usec now)
{
    for (uint32_t i = 0; i < c->req_n; i++)
        if (!req_at(c, i)->dead)
            req_lose(c, req_at(c, i), now);
}

void fetch_not_had(struct conn *c, uint32_t piece, usec now)
{
    for (uint32_t i = 0; i < c->req_n; i++)
        if (!req_at(c, i)->dead && req_at(c, i)->ref.piece == piece)
            req_lose(c, req_at(c, i), now);
}

/* Blocks of which parts are still to be asked for, and no request is out that could be rejected. */
static void drop_unasked(struct conn *c, usec now)
{
    struct list_node *next;
    for (struct list_node *l = list_first(&c->slices); l; l = next) {
        struct slices *s = LIST_OF(l, struct slices, link);
        uint32_t i = 0;
        next = list_next(&c->slices, l);
        while (i < c->req_n && req_at(c, i)->of != s)
            i++;
        if (i < c->req_n)
            continue;
        picker_drop(c->task->picker, s->ref, c->sender);
        drop_slices(c, s, now);
    }
}

/* ---- what the peer has ---- */

bool fetch_peer_has_piece(const struct conn *c, uint32_t piece)
{
    return c->has_all || bits_get(&c->has, piece);
}

bool fetch_peer_has_all(const struct conn *c)
{
    return c->has_all || (c->has.n > 0 && bits_full(&c->has));
}

void fetch_check_seed(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (!fetch_peer_has_all(c))
        return;
    struct addr a = c->addr;
    a.port = c->listen_port;
    if (a.port)
        pool_is_seed(t->pool, &a, true);
    if (t->picker && task_complete(t) && t->was_complete && !spread_watches(c, now)) {
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
    spread_peer_has(c, piece, now);
    hint_peer_has(c, piece, now);
    near_has(c, piece, now);
    if (!c->am_interested && picker_wanted(t->picker, piece))
        fetch_interest(c);
    if (bits_full(&c->has)) {
        c->whole_at = now;
        fetch_check_seed(c, now);
    }
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

void fetch_interest(struct conn *c)
{
    struct task *t = c->task;
    bool want = t->picker ? t->state == NODE_DOWNLOADING && is_interesting(c)
                          : c->am_interested ||
                                (t->meta && !t->manifest_only && !t->stopping && promises(c));
    if (want == c->am_interested)
        return;
    c->am_interested = want;
    wire_put_simple(&c->out.bytes, want ? WIRE_INTERESTED : WIRE_NOT_INTERESTED);
    conn_flush(c);
}

/* ---- asking ---- */

static void send_request(struct conn *c, struct request r, usec now)
{
    uint32_t begin = r.ref.block * LAYOUT_BLOCK + r.from;
    req_push(c, r);
    wire_put_block(&c->out.bytes, WIRE_REQUEST, r.ref.piece, begin, r.len);
    inlet_asked(c, r.len, now);
}

/*
 * Leaves tell at once which block is bad. To a seed they are a piece read and hashed once more, so
 * they are asked for where that is worth it: of a piece that somebody else has begun, when there
 * was waste before, and by a reader who is not to wait for whole pieces. A piece all from one peer
 * is judged by its root, and if that is wrong there is nobody else to blame.
 */
static void want_leaves(struct conn *c, struct block_ref b, usec now)
{
    const struct task *t = c->task;
    bool begun_elsewhere = b.piece != c->asked_piece && b.block > 0;
    c->asked_piece = b.piece;
    if (begun_elsewhere || t->wasted > 0 || t->stream || t->demand || part_cut(t, b.piece))
        hashes_want_leaves(c, b.piece, now);
}

/* Asks for these blocks, or takes note that they are to be asked for in parts. */
static void ask_for(struct conn *c, const struct block_ref *v, size_t n, usec now)
{
    struct task *t = c->task;
    uint32_t last = UINT32_MAX, whole = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = layout_block_len(t->m, v[i].piece, v[i].block);
        if (len > c->pipe.unit)
            slices_begin(c, v[i], len);
        else
            send_request(c, (struct request){.ref = v[i], .len = len, .asked = now}, now);
        whole += len <= c->pipe.unit;
        if (v[i].piece != last)
            want_leaves(c, v[i], now);
        last = v[i].piece;
    }
    pipeline_asked(&c->pipe, whole, now);
    conn_flush(c);
}

/* Asks for so many parts of blocks that are begun, or for all of them. Returns how many. */
static unsigned ask_slices(struct conn *c, unsigned most, usec now)
{
    struct request r;
    unsigned n = 0;
    while (n < most && slices_next(c, c->pipe.unit, &r, now)) {
        send_request(c, r, now);
        n++;
    }
    if (n > 0) {
        pipeline_asked(&c->pipe, n, now);
        conn_flush(c);
    }
    return n;
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

static size_t pick(struct conn *c, struct block_ref *v, size_t most, usec now)
{
    struct task *t = c->task;
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
    return picker_pick(t->picker, &ask, v, most);
}

void fetch_more(struct conn *c, usec now)
{
    if (!may_ask(c, now) || !alone_may_ask(c, now))
        return;
    req_drop_old_dead(c, now);
    c->pipe.unit = inlet_unit(c->node);
    unsigned room = pipeline_room(&c->pipe), may = room > 0 ? inlet_may_ask(c, now) : 0;
    bool more = room > may;
    room = more ? may : room;
    while (room > 0 && c->phase == CONN_OPEN) {
        struct block_ref v[PICK_BATCH];
        bool in_parts = c->pipe.unit < LAYOUT_BLOCK;
        unsigned asked = ask_slices(c, room, now), most = in_parts ? 1 : PICK_BATCH;
        room -= asked;
        size_t n = room > 0 ? pick(c, v, room < most ? room : most, now) : 0;
        if (room > 0 && n == 0) {
            if (c->pipe.out == 0) {
                fetch_interest(c);
                alone_dry(c, now);
            }
            return;
        }
        ask_for(c, v, n, now);
        room -= in_parts ? 0 : (unsigned)n;
    }
    if (more && c->phase == CONN_OPEN)
        inlet_wait(c, now);
}

void fetch_all(struct task *t, usec now)
{
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l; l = next) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        if (c->phase != CONN_OPEN)
            continue;
        fetch_interest(c);
        if (c->phase == CONN_OPEN)
            fetch_more(c, now);
    }
}

static void cancel(struct conn *c, struct block_ref ref, usec now)
{
    struct slices *of = NULL;
    for (uint32_t i = 0; i < c->req_n; i++) {
        struct request *r = req_at(c, i);
        if (r->dead || !is_of(r, ref))
            continue;
        of = r->of;
        wire_put_block(&c->out.bytes, WIRE_CANCEL, ref.piece, ref.block * LAYOUT_BLOCK + r->from,
                       r->len);
        if (!of)
            req_die(c, r, now);
    }
    if (of)
        drop_slices(c, of, now);
    conn_flush(c);
}

/* ---- answers ---- */

void fetch_choked(struct conn *c, usec now)
{
    /* With the fast extension each request is rejected one by one. */
    if (c->task->picker && !c->fast)
        req_kill_all(c, now);
    drop_unasked(c, now);
    c->hold_until = now + HOLD_AFTER_REJECT; /* who turns about at once gets no burst each time */
    alone_pass(c, now);
}

void fetch_reject(struct conn *c, const struct wire_msg *m, usec now)
{
    struct task *t = c->task;
    uint32_t i;
    struct request *r = t->picker ? req_find(c, m, &i) : NULL;
    if (!r)
        return; /* a reject of something answered already does no harm */
    if (!r->dead)
        req_lose(c, r, now);
    req_remove(c, i);
    if (c->peer_choking && c->fast_in.n)
        bits_unset(&c->fast_in, m->index);
    if (++c->rejects >= REJECTS_IN_A_ROW)
        c->hold_until = now + HOLD_AFTER_REJECT; /* it would go on so as fast as the line is */
}

static void count_waste(struct task *t, uint32_t len)
{
    t->wasted += len;
}

/* Where its payload goes: NULL if nobody needs it. */
static uint8_t *place_of(struct conn *c, const struct request *r)
{
    struct block **b = r->of ? &r->of->b : &c->rx;
    if (!*b) {
        *b = r->of ? block_new(c->node) : intake_block(c, r->len);
        (*b)->ref = r->ref;
        (*b)->len = r->of ? r->of->len : r->len;
        (*b)->sender = c->sender;
        (*b)->task = c->task->id;
    }
    return (*b)->data + r->from;
}

void fetch_piece(struct conn *c, const struct wire_msg *m, usec now)
{
    struct task *t = c->task;
    uint32_t i;
    struct request *r = t->picker ? req_find(c, m, &i) : NULL;
    if (!r) {
        conn_close(c, true, "sends a block that was not asked for", now);
        return;
    }
    r->coming = true;
    if (!r->dead)
        inlet_comes(c, r->len);
    bool want = picker_is_wanted(t->picker, r->ref) && t->state == NODE_DOWNLOADING;
    if (!want && r->of)
        req_lose(c, r, now);
    bool whole = r->len == layout_block_len(t->m, r->ref.piece, r->ref.block);
    if (want && (r->of || whole)) {
        wire_place(c->wire, place_of(c, r));
        return;
    }
    count_waste(t, m->length);
    wire_place(c->wire, NULL);
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
        struct slices *of = r->of;
        if (r->dead)
            pipeline_alive(&c->pipe, now);
        else
            pipeline_got(&c->pipe, m->length, r->asked, now);
        if (!r->dead && !b && !of)
            picker_drop(t->picker, r->ref, c->sender);
        req_remove(c, i);
        if (of)
            b = slices_got(c, of, m->length);
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
            cancel(c, b->ref, now);
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
    fetch_interest(c);
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
    alone_pass(c, now);
}

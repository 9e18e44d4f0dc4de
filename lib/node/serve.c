/*
 * Answering requests and deciding, with the choker, whom to serve.
 *
 * A request is served or rejected, never dropped in silence where the peer can understand a reject
 * (BEP 6). What is answered goes out as a range of content, a few blocks ahead of the socket and no
 * more, so that a cancel or a choke still finds most of the queue.
 */
#include "node/node_int.h"
#include "node/passing.h"

#include <p2p/swarm/fastset.h>
#include <stdlib.h>

/* Content queued on the socket's side: so much time's worth, since whatever we say next waits
 * behind it, but never less than a block or two, nor more than a fast line needs. */
#define AHEAD_TIME (USEC_SEC / 8)
#define AHEAD_LEAST (32u << 10)
#define AHEAD_MOST (256u << 10)
#define IDLE_AFTER (USEC_SEC / 2)
#define CREDIT_BYTES (256u << 10) /* had before anything must be given back, */
#define CREDIT_PIECES 1u          /* and as many pieces, */
#define CREDIT_RATIO 16u          /* and so many times what it gave: a slow uplink is no crime */
#define BATCH_WORDS 4096u /* bytes of messages that wait for more, at most */
#define STAND_MOST 2u /* pieces of ours may stand at one peer, and it is to have more */
#define FAST_STEPS 10u
#define FAST_BYTES (2u << 20)
#define FAST_SPREAD 4u /* peers that have it */

void serve_reject(struct conn *c, uint32_t piece, uint32_t begin, uint32_t length)
{
    if (!c->fast)
        return;
    wire_put_block(&c->out.bytes, WIRE_REJECT, piece, begin, length);
    conn_flush(c);
}

/* Offered for its first steps only (BEP 6): who has this much can trade for the rest. */
static bool allowed_fast(const struct conn *c, uint32_t piece)
{
    if (piece == c->grace_piece)
        return true;
    if (c->has_all || c->has.ones > FAST_STEPS)
        return false;
    for (uint32_t i = 0; i < c->n_fast_out; i++)
        if (c->fast_out[i] == piece)
            return true;
    return false;
}

static bool can_serve(const struct conn *c, const struct wire_msg *m)
{
    const struct task *t = c->task;
    if (m->length == 0 || m->length > WIRE_MAX_BLOCK)
        return false;
    uint32_t data = layout_piece_len(t->m, m->index);
    if ((uint64_t)m->begin + m->length > (t->m->has_v2 ? t->m->piece_length : data) ||
        m->begin >= data)
        return false;
    if (!bits_get(&t->have, m->index) || (t->unstored && t->unstored[m->index]))
        return false;
    if (!stream_tells(c))
        return false;
    return !t->super_seed || super_may_have(c, m->index);
}

void serve_request(struct conn *c, const struct wire_msg *m, usec now)
{
    if (c->am_choking && !allowed_fast(c, m->index)) {
        serve_reject(c, m->index, m->begin, m->length);
        return;
    }
    if (!can_serve(c, m)) {
        if (c->fast)
            serve_reject(c, m->index, m->begin, m->length);
        else
            conn_close(c, true, "asks for what we never offered", now);
        return;
    }
    if (c->asked_n >= NODE_MAX_QUEUED) {
        if (c->fast)
            serve_reject(c, m->index, m->begin, m->length);
        else
            conn_close(c, true, "queues too many requests", now);
        return;
    }
    queue_push(c, (struct asked){m->index, m->begin, m->length, now});
    hint_asked(c, m->index, now);
    if (c->idle_out) {
        c->idle_out = false;
        node_op(c->node, NODE_SEND)->conn = c->id;
    }
}

void serve_cancel(struct conn *c, const struct wire_msg *m, usec now)
{
    struct asked a = {m->index, m->begin, m->length, now};
    if (queue_cancel(c, &a))
        serve_reject(c, a.piece, a.begin, a.length);
}

/*
 * libtorrent asks for whole blocks at the end of a v2 file, as if padding were data, when it has
 * the item by a link; it gets the zeros.
 */
static void put_block(struct conn *c, const struct asked *a)
{
    const struct manifest *m = c->task->m;
    uint32_t data = layout_piece_len(m, a->piece) - a->begin;
    if (data > a->length)
        data = a->length;
    outq_note(&c->out);
    wire_put_piece(&c->out.bytes, a->piece, a->begin, a->length);
    outq_block(&c->out, (uint64_t)a->piece * m->piece_length + a->begin, data);
    size_t zeros = a->length - data;
    if (zeros > 0) {
        memset(buf_room(&c->out.bytes, zeros), 0, zeros);
        buf_added(&c->out.bytes, zeros);
        outq_note(&c->out);
    }
}

static uint64_t ahead(const struct conn *c, usec now)
{
    uint64_t n = rate_now(&c->up, now) / (USEC_SEC / AHEAD_TIME);
    return n < AHEAD_LEAST ? AHEAD_LEAST : n > AHEAD_MOST ? AHEAD_MOST : n;
}

/* Moves requests from the queue to the socket's side. */
void serve_fill(struct conn *c, size_t may, usec now)
{
    uint64_t most = ahead(c, now);
    if (may < most)
        most = may;
    while (c->asked_n > 0 && c->out.content_left < most) {
        struct asked a = queue_next(c);
        if (!bits_get(&c->task->have, a.piece)) { /* lost since */
            serve_reject(c, a.piece, a.begin, a.length);
            continue;
        }
        put_block(c, &a);
        if (c->gave_piece != a.piece)
            hint_begun(c, a.piece);
        c->gave_bytes = c->gave_piece == a.piece ? c->gave_bytes + a.length : a.length;
        c->gave_piece = a.piece;
        super_gave(c, a.piece, a.length, now);
    }
}

static bool may_keep(struct conn *c, const struct asked *a, usec now)
{
    (void)now;
    return allowed_fast(c, a->piece);
}

/*
 * Half of a piece that nobody else has is of use to no one: what a choked peer has begun of such a
 * one it may finish. That is at most one piece a choke.
 */
static void grant_rest(struct conn *c)
{
    uint32_t p = c->gave_piece;
    const struct task *t = c->task;
    c->grace_piece = UINT32_MAX;
    if (!c->fast || p == UINT32_MAX || fetch_peer_has_piece(c, p) ||
        c->gave_bytes >= layout_piece_len(t->m, p) || picker_availability(t->picker, p) > 0)
        return;
    c->grace_piece = p;
    wire_put_index(&c->out.bytes, WIRE_ALLOWED_FAST, p);
}

void serve_choke(struct conn *c, bool choke, usec now)
{
    if (c->am_choking == choke)
        return;
    if (choke)
        grant_rest(c);
    else
        c->grace_piece = UINT32_MAX;
    c->am_choking = choke;
    c->choke_since = now;
    if (choke)
        hint_choked(c, c->grace_piece);
    else
        hint_more(c, now); /* before it is let in, so that its first request is a good one */
    wire_put_simple(&c->out.bytes, choke ? WIRE_CHOKE : WIRE_UNCHOKE);
    if (choke)
        queue_sweep(c, may_keep, now);
    conn_flush(c);
}

/* It has been unchoked for a moment and yet has nothing to ask for. */
static bool is_idle(const struct conn *c, usec now)
{
    return !c->am_choking && c->asked_n == 0 && c->out.content_left == 0 &&
           now - c->choke_since > IDLE_AFTER && now - c->last_gave > IDLE_AFTER;
}

/* Near ones and others sit apart. */
static size_t being_served(const struct task *t, bool near, usec now)
{
    size_t n = 0;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        n += c->phase == CONN_OPEN && c->peer_interested && !c->am_choking && !is_idle(c, now) &&
             (near_strength(c) > 0) == near;
    }
    return n;
}

/*
 * When a leech has its first piece, all that lack it say so, and first those that are nearest, to
 * all leeches the same: let in as they come, they would have all and the rest nothing. So a free
 * slot is drawn among those that will ask for it. What stays free the next pulse fills.
 */
static bool is_drawn(struct task *t, size_t served)
{
    size_t want = 0, left = t->choker.slots - served;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        want += c->phase == CONN_OPEN && c->am_choking && !c->has_all &&
                c->has.ones < t->have.ones;
    }
    return task_complete(t) || want <= left || rng_below(&t->node->rng, want) < left;
}

static bool has_room_for(const struct conn *c, usec now)
{
    struct task *t = c->task;
    unsigned near = near_strength(c);
    if (near && being_served(t, true, now) < choker_near_seats(near))
        return true;
    size_t served = being_served(t, false, now);
    return choker_admit(&t->choker, served) && is_drawn(t, served);
}

void serve_interest(struct conn *c, bool interested, usec now)
{
    struct task *t = c->task;
    if (c->peer_interested == interested)
        return;
    c->peer_interested = interested;
    c->was_interested |= interested;
    task_wake(t, now);
    if (!interested)
        super_show(c, now);
    if (interested && c->am_choking && t->picker && !spread_feeds(c, now) &&
        has_room_for(c, now)) /* near ones first */
        serve_choke(c, false, now);
}

/* It has had more than a newcomer's share and gave little of that back. */
static bool gave_little(const struct conn *c)
{
    return c->up.total > CREDIT_BYTES + CREDIT_PIECES * (uint64_t)c->task->m->piece_length +
                             CREDIT_RATIO * c->down.total;
}

/* Of a seed: what it had did not come up elsewhere, or it gave little while there was need. */
static bool is_debtor(const struct conn *c, usec now)
{
    if (!task_complete(c->task))
        return gave_little(c);
    return c->owed || hint_stuck(c, now) > c->hints_spread;
}

/*
 * Of a seed: several of our pieces wait at it to be given on. What more it had would wait behind
 * them, while others could give it on at once. Where that is so of many, we are faster than the
 * crowd, and it says nothing of anyone.
 */
static bool is_behind(const struct conn *c, usec now)
{
    return task_complete(c->task) && hint_stuck(c, now) > c->hints_lost + STAND_MOST;
}

static bool are_many_behind(const struct task *t, usec now)
{
    size_t n = 0, behind = 0;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        bool wants = c->phase == CONN_OPEN && c->peer_interested;
        n += wants;
        behind += wants && is_behind(c, now);
    }
    return 2 * behind > n;
}

void serve_completed(struct conn *c)
{
    c->owed = c->task->from_peers > 0 && gave_little(c);
}

static bool is_line_idle(const struct task *t)
{
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        const struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase == CONN_OPEN && (c->asked_n > 0 || c->out.content_left > 0))
            return false;
    }
    return true;
}

static size_t seats(struct task *t, struct choker_peer *v, usec now)
{
    size_t n = 0;
    bool many = are_many_behind(t, now);
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase != CONN_OPEN)
            continue;
        v[n++] = (struct choker_peer){
            .id = c->id,
            .interested = c->peer_interested && !spread_feeds(c, now),
            .unchoked = !c->am_choking,
            .snubbed = c->pipe.snubbed,
            .upload_only = c->upload_only || c->has_all,
            .idle = is_idle(c, now),
            .given = c->down.total > 0,
            .debtor = is_debtor(c, now) || (!many && is_behind(c, now)),
            .near = (uint8_t)near_strength(c),
            .has = c->has_all ? t->m->n_pieces : (uint32_t)c->has.ones,
            .gave = rate_now(&c->down, now),
            .took = rate_now(&c->up, now),
            .since = c->choke_since,
            .connected = c->connected_at,
        };
    }
    return n;
}

static void serve_hints(struct task *t, usec now)
{
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase != CONN_OPEN)
            continue;
        hint_expire(c, now); /* what a choked one has and gives nobody, too */
        if (!c->am_choking)
            hint_more(c, now);
        else if (t->super_seed)
            super_show(c, now); /* who has all that it was shown would never ask to come in again */
    }
}

void serve_pulse(struct task *t, usec now)
{
    serve_hints(t, now);
    queue_pulse(t, now);
    spread_pulse(t, now);
    struct choker *k = &t->choker;
    bool due = choker_deadline(k) <= now, done = task_complete(t);
    if (!due && !done && !choker_admit(k, being_served(t, false, now)))
        return;
    struct choker_peer *v = mem_array(t->conns.count ? t->conns.count : 1, sizeof *v);
    size_t n = seats(t, v, now);
    if (due)
        choker_run(k, v, n, done, t->node->cfg.limit_up, &t->node->rng, now);
    else
        choker_fill(k, v, n, done, is_line_idle(t), &t->node->rng, now);
    for (size_t i = 0; i < n; i++) {
        struct conn *c = idtab_get(&t->node->conns, v[i].id);
        if (c && c->phase == CONN_OPEN)
            serve_choke(c, !v[i].unchoked, now);
    }
    free(v);
}

/*
 * ---- allowed fast (BEP 6) ----
 *
 * What a choked newcomer may have: a few pieces, together of a bounded size, and only those that
 * several have. Otherwise a crowd that comes at once would have its first pieces of the one seed,
 * each of them two hundred times over, before anything else goes out.
 */
void serve_allow_fast(struct conn *c)
{
    struct task *t = c->task;
    if (c->addr.family != 4 || !t->picker || t->super_seed || task_passes(t))
        return;
    uint32_t set[FAST_STEPS], k = FAST_STEPS;
    if (k > t->m->n_pieces)
        k = t->m->n_pieces;
    if (k == 0 || t->have.ones == 0)
        return;
    fastset(set, k, &c->addr, t->swarm[0].hash, t->m->n_pieces);
    uint64_t left = FAST_BYTES;
    for (uint32_t i = 0; i < k && left >= t->m->piece_length; i++) {
        if (!bits_get(&t->have, set[i]) || picker_availability(t->picker, set[i]) < FAST_SPREAD)
            continue;
        left -= t->m->piece_length;
        c->fast_out[c->n_fast_out++] = set[i];
        wire_put_index(&c->out.bytes, WIRE_ALLOWED_FAST, set[i]);
    }
    conn_flush(c);
}

/* Some, libtorrent for one, ask when they are let in and when a block comes, not when a piece comes
 * up: who has run dry would ask for nothing more for seconds. To be let in once more wakes them; to
 * all others it is nothing new. */
static void wake(struct conn *c)
{
    bool dry = c->asked_n == 0 && c->out.content_left == 0;
    if (dry && c->peer_interested && !c->am_choking)
        wire_put_simple(&c->out.bytes, WIRE_UNCHOKE);
}

/*
 * libtorrent hangs up on who becomes a seed by a HAVE of the only piece that it lacks: whether it
 * wants anything of a seed it asks itself before it takes note of the piece. So a piece that it has
 * is taken back (BEP 54) and told again, and it sees a seed a moment later.
 */
static bool would_hang_up(const struct conn *c, uint32_t piece)
{
    return bits_full(&c->task->have) && c->ext.id[EXT_DONTHAVE] != 0 && !c->peer_interested &&
           !bits_get(&c->has, piece) && bits_next(&c->has, 0, true) < c->has.n;
}

static void tell_last(struct conn *c, uint32_t piece)
{
    struct buf body = {0};
    uint32_t had = (uint32_t)bits_next(&c->has, 0, true);
    ext_put_donthave(&body, had);
    wire_put_extended(&c->out.bytes, c->ext.id[EXT_DONTHAVE], buf_bytes(&body));
    buf_fini(&body);
    wire_put_index(&c->out.bytes, WIRE_HAVE, piece);
    wire_put_index(&c->out.bytes, WIRE_HAVE, had);
}

/*
 * All hear of every piece, for by that a leech knows who has least, and a seed what has spread. But
 * who has the piece already, or is a seed that rests as another is asked, is not woken for each: it
 * hears of many at once, or with the next tick of its connection. One that shows its pieces one by
 * one, and so has them all while it seems not to, has never wanted anything, and hears at once.
 */
void serve_have(struct task *t, uint32_t piece, usec now)
{
    struct list_node *next;
    near_brought(t, piece, now);
    if (t->unstored && t->unstored[piece])
        return;
    for (struct list_node *l = list_first(&t->conns); l; l = next) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        bool knows = bits_get(&c->has, piece) && c->was_interested;
        if (c->phase != CONN_OPEN || !stream_tells(c))
            continue;
        if (would_hang_up(c, piece))
            tell_last(c, piece);
        else
            wire_put_index(&c->out.bytes, WIRE_HAVE, piece);
        if (!knows)
            wake(c);
        if ((!knows && !alone_rests(c)) || outq_words(&c->out) > BATCH_WORDS)
            conn_flush(c);
    }
}

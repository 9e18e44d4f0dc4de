/*
 * Super-seeding (BEP 16): a seed that says it has nothing, and shows each peer pieces one by one,
 * each time one that nobody has and nobody else was shown. The next is shown when somebody else is
 * seen to have the last: so every byte that it sends is passed on, and who passes nothing on gets
 * no more.
 *
 * Such a piece is shown to a peer when it is unchoked, and taken back, for another, if it is choked
 * before it has it: what waits for a slot of two hundred is not given to one of them. A choked peer
 * is shown a piece that many have, so that it is interested and comes to have a slot.
 *
 * A peer begins with one piece. For each that it passes on it may have one more at a time, up to a
 * few, so that it need not wait while the last one spreads; for each that was lost with it, one
 * less, but one always: it may be that the others want nothing of it; and so, when hardly anything
 * leaves us, what it has and nobody took for some time is not waited for. When all is spread, what
 * it is shown is what is rarest, and the next when it has that.
 */
#include "node/node_int.h"

#define LOOK_AT 512u
#define CREDIT_MOST 8u
#define QUIET (2 * USEC_SEC)
#define PASSING 4 /* times as long as it took itself may it take to pass a piece on */

/*
 * The rarest piece that it lacks and that is on its way to nobody, among so many from a place of
 * its own on: an exact answer is not worth a walk over a million pieces for every HAVE.
 */
static uint32_t rarest(const struct task *t, const struct conn *c)
{
    uint32_t best = UINT32_MAX, best_score = UINT32_MAX;
    uint32_t n = t->m->n_pieces, from = n ? (uint32_t)(c->id % n) : 0;
    uint32_t looked = 0;
    for (uint32_t i = 0; i < n && looked < LOOK_AT; i++) {
        uint32_t p = (from + i) % n;
        if (!bits_get(&t->have, p) || fetch_peer_has_piece(c, p) || bits_get(&c->shown, p) ||
            (t->on_way && t->on_way[p]))
            continue;
        looked++;
        uint32_t score = picker_availability(t->picker, p);
        if (score >= best_score)
            continue;
        best = p;
        best_score = score;
        if (score == 0)
            break;
    }
    return best;
}

static void show(struct conn *c, uint32_t piece)
{
    bits_set(&c->shown, piece);
    wire_put_index(&c->out.bytes, WIRE_HAVE, piece);
    conn_flush(c);
}

/* Hardly anything leaves us. */
static bool is_quiet(const struct task *t, usec now)
{
    return rate_now(t->up, now) < t->m->piece_length / (QUIET / USEC_SEC);
}

/* It has all that it was shown, for longer than it takes to pass that on. */
static bool waits(const struct conn *c, usec now)
{
    for (uint32_t i = 0; i < c->n_hint_out; i++) {
        const struct hint *h = &c->hint_out[i];
        if (!h->had || now - h->at < QUIET + PASSING * h->took)
            return false;
    }
    return c->n_hint_out > 0;
}

static void show_more(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (is_quiet(t, now) && waits(c, now)) {
        hint_gone(c);
        c->super_credit += c->super_credit < CREDIT_MOST;
    }
    while (c->n_hint_out == 0 || c->n_hint_out + c->hints_lost < c->super_credit) {
        uint32_t p = hint_unspread(c);
        if (p == UINT32_MAX)
            p = rarest(t, c);
        if (p == UINT32_MAX || !hint_note(c, p, false, now))
            return;
        show(c, p);
    }
}

/* The commonest that it lacks, among so many: the one that it will hardly ask us for. */
static uint32_t common(const struct task *t, const struct conn *c)
{
    uint32_t best = UINT32_MAX, best_score = 0;
    uint32_t n = t->m->n_pieces, from = n ? (uint32_t)(c->id % n) : 0;
    uint32_t looked = 0;
    for (uint32_t i = 0; i < n && looked < LOOK_AT; i++) {
        uint32_t p = (from + i) % n;
        if (!bits_get(&t->have, p) || fetch_peer_has_piece(c, p))
            continue;
        if (bits_get(&c->shown, p))
            return UINT32_MAX; /* it has a reason to be interested */
        looked++;
        uint32_t score = 1 + picker_availability(t->picker, p);
        if (score <= best_score)
            continue;
        best = p;
        best_score = score;
    }
    return best;
}

void super_show(struct conn *c, usec now)
{
    uint32_t p;
    if (c->shown.n == 0)
        return;
    if (!c->am_choking)
        show_more(c, now);
    else if (!c->peer_interested && (p = common(c->task, c)) != UINT32_MAX)
        show(c, p);
}

void super_greet(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (!t->picker || !t->was_complete)
        return;
    bits_fini(&c->shown);
    bits_init(&c->shown, t->m->n_pieces);
    c->super_credit = 2;
    super_show(c, now);
}

bool super_may_have(const struct conn *c, uint32_t piece)
{
    return c->shown.n == 0 || bits_get(&c->shown, piece) || fetch_peer_has_piece(c, piece);
}

/* `c` has what `o` was shown. */
static void settle(struct conn *o, const struct conn *c, uint32_t piece, usec now)
{
    const struct task *t = o->task;
    bool passed_on = o != c, spread = picker_availability(t->picker, piece) > 1;
    bool alone = t->conns.count == 1, sole = t->on_way[piece] == 1;
    for (uint32_t i = o->n_hint_out; i-- > 0;) {
        if (o->hint_out[i].piece != piece)
            continue;
        if (!passed_on && !o->hint_out[i].had) {
            struct hint *h = &o->hint_out[i];
            h->took = now - h->at;
            h->at = now;
            h->had = true;
        }
        if (!passed_on && !spread && !alone)
            continue;
        hint_forget(o, i);
        if (alone ? o->super_credit < MAX_HINTS
                  : passed_on && sole && o->super_credit < CREDIT_MOST)
            o->super_credit++; /* who is alone cannot pass anything on */
        super_show(o, now);
    }
}

void super_peer_has(struct task *t, struct conn *c, uint32_t piece, usec now)
{
    if (!t->on_way || t->on_way[piece] == 0)
        return;
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l; l = next) {
        struct conn *o = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        if (o->phase == CONN_OPEN)
            settle(o, c, piece, now);
    }
}

void super_gave(struct conn *c, uint32_t piece, uint32_t bytes, usec now)
{
    uint32_t len = layout_piece_len(c->task->m, piece);
    for (uint32_t i = 0; c->task->super_seed && i < c->n_hint_out; i++) {
        struct hint *h = &c->hint_out[i];
        if (h->piece != piece || h->gave >= len)
            continue;
        h->gave += bytes;
        if (h->gave >= len)
            settle(c, c, piece, now);
        return;
    }
}

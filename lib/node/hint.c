/*
 * Suggested pieces (BEP 6), both ways.
 *
 * A seed alone knows which pieces are on their way from it to whom; the crowd sees them only when
 * they have arrived. So it suggests to each peer that it serves pieces which nobody has and nobody
 * is being given, some time's worth ahead; who follows that never fetches from it what another
 * fetches too. Each is suggested pieces in a row, from a place of its own on: many clients ask for
 * what lies beside a piece as well, and would all ask for the same. When all is spread there is
 * nothing to suggest. A peer that does not follow is left alone after a few.
 *
 * What a peer was given should come up elsewhere soon. Where it does not, the piece may be lost to
 * all but that peer and is given to another; and who keeps several so is a debtor to the choker.
 *
 * Of what others suggest to us the latest few are kept; the picker follows them among equals.
 */
#include "node/node_int.h"
#include "node/passing.h"

#include <stdlib.h>

#define LOOK_AT 512u              /* pieces looked at for the next suggestion */
#define AHEAD_TIME (2 * USEC_SEC) /* suggested and not yet asked for, by the peer's rate, */
#define AHEAD_LEAST 2u            /* pieces, at least */
#define UNASKED (15 * USEC_SEC)   /* then it is another's */
#define UNFINISHED (60 * USEC_SEC)
#define SPREADS (2 * USEC_SEC) /* after this others should begin to have a piece, */
#define SPREADS_PIECES 4u      /* and the time in which we send so many; */
#define UNSPREAD 6u            /* after so many times that it counts as lost there */
#define IGNORED_MOST 6u

void hint_suggested(struct conn *c, uint32_t piece)
{
    if (c->n_hint_in == NODE_MAX_FAST) {
        memmove(c->hint_in, c->hint_in + 1, (NODE_MAX_FAST - 1) * sizeof *c->hint_in);
        c->n_hint_in--;
    }
    c->hint_in[c->n_hint_in++] = piece;
}

static bool suggests(const struct conn *c)
{
    const struct task *t = c->task;
    return c->fast && t->picker && t->was_complete && !t->super_seed && t->n_open > 1 &&
           c->hints_ignored < IGNORED_MOST;
}

void hint_forget(struct conn *c, uint32_t i)
{
    if (c->hint_out[i].begun)
        bits_unset(&c->task->begun, c->hint_out[i].piece);
    c->task->on_way[c->hint_out[i].piece]--;
    c->hint_out[i] = c->hint_out[--c->n_hint_out];
}

/* Large pieces and slow lines take their time. */
static usec spreads_in(const struct task *t, usec now)
{
    uint64_t rate = rate_now(t->up, now), n = SPREADS_PIECES * (uint64_t)t->m->piece_length;
    usec more = rate ? (usec)((double)n * (double)USEC_SEC / (double)rate) : 0;
    return SPREADS + usec_min(more, UNFINISHED);
}

void hint_expire(struct conn *c, usec now)
{
    usec lost = c->n_hint_out ? UNSPREAD * spreads_in(c->task, now) : 0;
    for (uint32_t i = c->n_hint_out; i-- > 0;) {
        const struct hint *h = &c->hint_out[i];
        if (now - h->at < (h->had ? lost : h->asked ? UNFINISHED : UNASKED))
            continue;
        c->hints_ignored += !h->asked;
        c->hints_lost += h->had;
        hint_forget(c, i);
    }
}

bool hint_note(struct conn *c, uint32_t piece, bool asked, usec now)
{
    struct task *t = c->task;
    if (!t->on_way)
        t->on_way = mem_zero(t->m->n_pieces);
    if (c->n_hint_out == MAX_HINTS || t->on_way[piece] == UINT8_MAX)
        return false;
    t->on_way[piece]++;
    c->hint_out[c->n_hint_out++] = (struct hint){.piece = piece, .asked = asked, .at = now};
    return true;
}

static bool is_due(const struct conn *c, uint32_t p, uint32_t copies)
{
    const struct task *t = c->task;
    return bits_get(&t->have, p) && !fetch_peer_has_piece(c, p) &&
           !(t->unstored && t->unstored[p]) && picker_availability(t->picker, p) == copies &&
           !(t->on_way && t->on_way[p]);
}

static uint32_t look_from(struct conn *c, uint32_t from, uint32_t copies)
{
    uint32_t n = c->task->m->n_pieces, most = n < LOOK_AT ? n : LOOK_AT;
    for (uint32_t i = 0; i < most; i++) {
        uint32_t p = from + i < n ? from + i : from + i - n;
        if (!is_due(c, p, copies))
            continue;
        c->hint_at = p + 1 < n ? p + 1 : 0;
        return p;
    }
    return UINT32_MAX;
}

static uint32_t look(struct conn *c, uint32_t copies)
{
    uint32_t n = c->task->m->n_pieces, from = c->hint_at;
    if (from < n && is_due(c, from, copies))
        return look_from(c, from, copies);
    from = (uint32_t)rng_below(&c->node->rng, n);
    return look_from(c, from, copies);
}

/* What one peer alone has and did not give on may be lost there. */
uint32_t hint_unspread(struct conn *c)
{
    uint32_t p = look(c, 0);
    return p == UINT32_MAX ? look(c, 1) : p;
}

static uint32_t enough(const struct conn *c, usec now)
{
    uint64_t n = rate_now(&c->up, now) * (AHEAD_TIME / USEC_SEC) / c->task->m->piece_length;
    return n < AHEAD_LEAST ? AHEAD_LEAST : n > NODE_MAX_FAST / 2 ? NODE_MAX_FAST / 2 : (uint32_t)n;
}

static struct hint *find(struct conn *c, uint32_t piece)
{
    for (uint32_t i = 0; i < c->n_hint_out; i++)
        if (c->hint_out[i].piece == piece)
            return &c->hint_out[i];
    return NULL;
}

bool hint_is_out(struct conn *c, uint32_t piece)
{
    return find(c, piece) != NULL;
}

void hint_begun(struct conn *c, uint32_t piece)
{
    struct task *t = c->task;
    struct hint *h = find(c, piece);
    if (!h || h->begun)
        return;
    if (t->begun.n == 0)
        bits_init(&t->begun, t->m->n_pieces);
    bits_set(&t->begun, piece);
    h->begun = true;
}

bool hint_is_anothers(struct conn *c, uint32_t piece)
{
    const struct task *t = c->task;
    uint32_t copies = picker_availability(t->picker, piece);
    if (copies > 1)
        return true;
    if (copies == 0 ? !bits_get(&t->begun, piece) : !t->on_way || t->on_way[piece] == 0)
        return false;
    const struct hint *h = find(c, piece);
    return !h || (copies == 0 ? !h->begun : t->on_way[piece] > 1);
}

void hint_more(struct conn *c, usec now)
{
    uint32_t waiting = 0, piece;
    if (c->task->super_seed)
        super_show(c, now);
    if (task_passes(c->task) || !suggests(c) || c->am_choking || !c->peer_interested)
        return;
    for (uint32_t i = 0; i < c->n_hint_out; i++)
        waiting += !c->hint_out[i].asked;
    for (uint32_t most = enough(c, now); waiting < most && c->n_hint_out < MAX_HINTS; waiting++) {
        if ((piece = hint_unspread(c)) == UINT32_MAX)
            return;
        hint_note(c, piece, false, now);
        wire_put_index(&c->out.bytes, WIRE_SUGGEST, piece);
        conn_flush(c);
    }
}

void hint_asked(struct conn *c, uint32_t piece, usec now)
{
    if (!c->task->was_complete)
        return;
    for (uint32_t i = 0; i < c->n_hint_out; i++) {
        struct hint *h = &c->hint_out[i];
        if (h->piece != piece)
            continue;
        if (h->asked)
            return;
        h->asked = true;
        h->at = now;
        c->hints_ignored = 0;
        hint_more(c, now);
        return;
    }
    if (!c->task->super_seed)
        hint_note(c, piece, true, now);
}

/* Somebody has what `o` was given, it or another. */
static void had(struct conn *o, const struct conn *by, uint32_t piece, usec now)
{
    bool spread = picker_availability(o->task->picker, piece) > 1;
    for (uint32_t i = o->n_hint_out; i-- > 0;) {
        struct hint *h = &o->hint_out[i];
        if (h->piece != piece)
            continue;
        o->hints_spread += o != by && h->had;
        h->at = now;
        h->had = true;
        if (o != by || spread)
            hint_forget(o, i);
    }
}

void hint_peer_has(struct conn *c, uint32_t piece, usec now)
{
    struct task *t = c->task;
    if (t->super_seed || !t->on_way || t->on_way[piece] == 0)
        return;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l))
        had(LIST_OF(l, struct conn, in_task), c, piece, now);
}

uint32_t hint_stuck(const struct conn *c, usec now)
{
    uint32_t n = c->hints_lost;
    usec time = c->n_hint_out ? spreads_in(c->task, now) : 0;
    for (uint32_t i = 0; i < c->n_hint_out; i++)
        n += c->hint_out[i].had && now - c->hint_out[i].at > time;
    return n;
}

void hint_choked(struct conn *c, uint32_t but)
{
    for (uint32_t i = c->n_hint_out; i-- > 0;)
        if (c->hint_out[i].piece != but && !c->hint_out[i].had)
            hint_forget(c, i);
}

void hint_gone(struct conn *c)
{
    while (c->n_hint_out > 0)
        hint_forget(c, c->n_hint_out - 1);
}

/*
 * The policy over the two halves: picker_order (fresh pieces by rarity) and picker_open (blocks of
 * pieces begun).
 *
 * For each asker the open pieces with free blocks fall into kinds: its own; orphans (nobody works
 * on them); nearly ready ones of a slower peer; shared ones (several work on them, or the worker is
 * not fast); and the rest, which belong to a fast peer. What failed before is its worker's alone.
 * A plan is the order in which kinds, and fresh pieces among them, are tried:
 * - Peers that are not slow take a fresh piece rather than join another's: then a piece has one
 *   sender, and a bad one names it. But only while what is begun is little, and not before we have
 *   a first piece to trade with, nor in sequential mode, where the reader waits for the lowest.
 * - A slow peer joins others that are not fast, and would hold up a fast one's piece at the very
 *   end of its list.
 * - A snubbed one gets a piece of its own, where it holds up nobody.
 * - A web seed likes runs of fresh pieces: one request for many.
 */
#include <p2p/swarm/picker.h>

#include "picker_hold.h"
#include "picker_open.h"
#include "picker_order.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

#define FLAG_PRIORITY 7u
#define FLAG_HAVE 8u
#define FLAG_OPEN 16u
#define FLAG_FAILED 32u

/* "What is begun is little": so many pieces, or so many blocks, wait for somebody to ask. */
#define BEGUN_PIECES 8u
#define BEGUN_BLOCKS 2048u

/* In the endgame a block asked for this moment may well be on its way: few of those in a round. */
#define ENDGAME_YOUNG (USEC_SEC / 2)
#define ENDGAME_YOUNG_MOST 2u
#define ENDGAME_ROUND 64u
/* Askers that gave nothing for so long do not keep another from it: he takes the first's place. */
#define ENDGAME_STALE (5 * USEC_SEC)

#define RARE_TURN 4u /* each so many fresh pieces of a player one that is rare */

enum kind { OWN, ORPHAN, NEARLY, SHARED, OTHERS, FRESH, KINDS, END = KINDS };

struct picker {
    struct picker_shape shape;
    struct rng *rng;
    struct order order;
    struct open_set open;
    struct hold hold;
    struct bits want; /* wanted and lacking */
    uint8_t *flags;
    uint32_t have, seeds;
    uint32_t window, turn; /* of sequential mode; 0: it is off */
    uint32_t limit;        /* nothing is asked for from this piece on */
};

struct picker *picker_new(const struct picker_shape *s, struct rng *r)
{
    struct picker *p = mem_zero(sizeof *p);
    p->shape = *s;
    p->rng = r;
    p->limit = UINT32_MAX;
    order_init(&p->order, s->n_pieces);
    open_init(&p->open, p->order.pos);
    bits_init(&p->want, s->n_pieces);
    bits_fill(&p->want, true);
    p->flags = mem_alloc(s->n_pieces);
    if (s->n_pieces)
        memset(p->flags, 1, s->n_pieces);
    return p;
}

void picker_free(struct picker *p)
{
    if (!p)
        return;
    order_fini(&p->order);
    open_fini(&p->open);
    hold_fini(&p->hold);
    bits_fini(&p->want);
    free(p->flags);
    free(p);
}

static bool known(const struct picker *p, uint32_t piece)
{
    return piece < p->shape.n_pieces;
}

static unsigned priority(const struct picker *p, uint32_t piece)
{
    return p->flags[piece] & FLAG_PRIORITY;
}

static void flag(struct picker *p, uint32_t piece, unsigned f, bool on)
{
    p->flags[piece] = (uint8_t)(on ? p->flags[piece] | f : p->flags[piece] & ~f);
}

static struct open_piece *find_open(const struct picker *p, uint32_t piece)
{
    if (!known(p, piece) || !(p->flags[piece] & FLAG_OPEN))
        return NULL;
    return p->open.v[p->order.pos[piece]];
}

/* The open piece of a block, NULL unless both exist. */
static struct open_piece *find_block(const struct picker *p, struct block_ref b)
{
    struct open_piece *o = find_open(p, b.piece);
    return o && b.block < o->n ? o : NULL;
}

static struct open_piece *open_piece(struct picker *p, uint32_t piece)
{
    if (p->order.cls[piece]) /* what is held is not in it */
        order_remove(&p->order, piece);
    flag(p, piece, FLAG_OPEN, true);
    return open_add(&p->open, &p->shape, piece);
}

/* Puts the piece where it now belongs: nowhere, or back among the fresh ones. */
static void settle(struct picker *p, uint32_t piece)
{
    bool want = priority(p, piece) && !(p->flags[piece] & FLAG_HAVE);
    bool fresh = want && !(p->flags[piece] & FLAG_OPEN) && !hold_has(&p->hold, piece);
    unsigned cls = fresh ? priority(p, piece) : 0;
    if (want)
        bits_set(&p->want, piece);
    else
        bits_unset(&p->want, piece);
    if (p->order.cls[piece] == cls)
        return;
    if (p->order.cls[piece])
        order_remove(&p->order, piece);
    if (cls)
        order_insert(&p->order, piece, cls);
}

static void close_piece(struct picker *p, uint32_t piece)
{
    struct open_piece *o = find_open(p, piece);
    if (!o)
        return;
    open_remove(&p->open, o);
    flag(p, piece, FLAG_OPEN, false);
}

static void close_if_idle(struct picker *p, struct open_piece *o)
{
    uint32_t piece = o->piece;
    if (!open_is_idle(o))
        return;
    close_piece(p, piece);
    settle(p, piece);
}

void picker_set_sequential(struct picker *p, uint32_t window)
{
    p->window = window;
}

void picker_set_limit(struct picker *p, uint32_t limit)
{
    p->limit = limit;
}

void picker_set_priority(struct picker *p, uint32_t piece, unsigned prio)
{
    if (!known(p, piece))
        return;
    flag(p, piece, FLAG_PRIORITY, false);
    flag(p, piece, prio < ORDER_CLASSES ? prio : ORDER_CLASSES - 1, true);
    if (prio == 0)
        close_piece(p, piece);
    settle(p, piece);
}

void picker_have(struct picker *p, uint32_t piece)
{
    if (!known(p, piece) || picker_has(p, piece))
        return;
    close_piece(p, piece);
    flag(p, piece, FLAG_HAVE, true);
    flag(p, piece, FLAG_FAILED, false);
    p->have++;
    picker_hold(p, piece, false);
    settle(p, piece);
}

bool picker_has(const struct picker *p, uint32_t piece)
{
    return known(p, piece) && (p->flags[piece] & FLAG_HAVE);
}

void picker_lost(struct picker *p, uint32_t piece)
{
    if (!picker_has(p, piece))
        return;
    flag(p, piece, FLAG_HAVE, false);
    p->have--;
    settle(p, piece);
}

void picker_hold(struct picker *p, uint32_t piece, bool hold)
{
    if (!known(p, piece) || hold_has(&p->hold, piece) == hold)
        return;
    hold_set(&p->hold, p->shape.n_pieces, piece, hold);
    settle(p, piece);
}

bool picker_holds(const struct picker *p)
{
    return p->hold.held.ones > 0;
}

bool picker_is_held(const struct picker *p, uint32_t piece)
{
    return hold_has(&p->hold, piece);
}

void picker_probe(struct picker *p, struct block_ref b)
{
    if (picker_wanted(p, b.piece) && hold_has(&p->hold, b.piece))
        hold_probe(&p->hold, b);
}

uint32_t picker_missing(const struct picker *p)
{
    return (uint32_t)p->want.ones;
}

bool picker_wanted(const struct picker *p, uint32_t piece)
{
    return bits_get(&p->want, piece);
}

bool picker_interesting(const struct picker *p, const struct bits *peer_has)
{
    struct order_filter f = {.has = peer_has};
    return order_and_next(&p->want, &f, 0) != ORDER_NONE;
}

void picker_peer_have(struct picker *p, uint32_t piece, int delta)
{
    if (known(p, piece))
        order_count(&p->order, piece, delta);
}

void picker_peer_bits(struct picker *p, const struct bits *has, int delta)
{
    order_count_bits(&p->order, has, delta);
}

void picker_peer_all(struct picker *p, int delta)
{
    if (delta < 0 && p->seeds < (uint32_t)-delta)
        p->seeds = 0;
    else
        p->seeds += (uint32_t)delta;
}

uint32_t picker_availability(const struct picker *p, uint32_t piece)
{
    return known(p, piece) ? p->order.avail[piece] + p->seeds : 0;
}

uint32_t picker_copies(const struct picker *p)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < p->shape.n_pieces; i++) {
        uint32_t n = p->order.avail[i] + (p->flags[i] & FLAG_HAVE ? 1u : 0);
        least = n < least ? n : least;
    }
    return p->shape.n_pieces ? least + p->seeds : 0;
}

static struct order_filter filter_of(const struct picker_ask *ask)
{
    return (struct order_filter){.has = ask->has, .only = ask->only, .avoid = ask->avoid};
}

/* What it has begun it may finish, although others are to bring such pieces now. */
static bool asker_may(const struct picker_ask *ask, const struct open_piece *o)
{
    struct order_filter f = filter_of(ask);
    if (o->owner == ask->peer)
        f.avoid = NULL;
    return order_match(&f, o->piece);
}

static enum kind kind_of(const struct open_piece *o, const struct picker_ask *ask)
{
    if (o->owner == ask->peer)
        return OWN;
    if (o->owner == PICKER_NO_PEER)
        return ORPHAN;
    if (o->speed < ask->speed && o->count[BLOCK_NONE] + o->count[BLOCK_ASKED] <= o->n / 4)
        return NEARLY;
    return o->shared || o->speed < 2 ? SHARED : OTHERS;
}

/* Lower is better: priority, then rarity, then what is nearest to its end. */
static uint64_t merit(const struct picker *p, const struct open_piece *o)
{
    uint64_t first = p->window ? o->piece : p->order.avail[o->piece];
    uint64_t left = o->count[BLOCK_NONE];
    return (uint64_t)(7 - priority(p, o->piece)) << 60 | first << 28 |
           (left < 1u << 28 ? left : (1u << 28) - 1);
}

/* A piece that failed is one peer's alone while he is at work on it, in the endgame too: where
 * several had a hand in it each time, one liar among them would spoil it for ever and none would
 * stand convicted. */
static bool is_anothers(const struct picker *p, const struct open_piece *o, uint32_t peer)
{
    return (p->flags[o->piece] & FLAG_FAILED) && o->owner != peer && o->owner != PICKER_NO_PEER &&
           o->count[BLOCK_ASKED] > 0;
}

static void survey(const struct picker *p, const struct picker_ask *ask,
                   struct open_piece *best[KINDS])
{
    uint64_t best_merit[KINDS] = {0};
    for (uint32_t i = 0; i < p->open.n_free; i++) {
        struct open_piece *o = p->open.v[i];
        if (!asker_may(ask, o) || is_anothers(p, o, ask->peer) || hold_has(&p->hold, o->piece))
            continue;
        enum kind k = kind_of(o, ask);
        uint64_t m = merit(p, o);
        if (!best[k] || m < best_merit[k]) {
            best[k] = o;
            best_merit[k] = m;
        }
    }
}

static const uint8_t *plan_for(const struct picker *p, const struct picker_ask *ask)
{
    static const uint8_t apart[] = {OWN, ORPHAN, NEARLY, FRESH, SHARED, OTHERS, END};
    static const uint8_t together[] = {OWN, ORPHAN, NEARLY, SHARED, OTHERS, FRESH, END};
    static const uint8_t slow[] = {OWN, ORPHAN, SHARED, NEARLY, FRESH, OTHERS, END};
    static const uint8_t snubbed[] = {OWN, FRESH, ORPHAN, END};
    static const uint8_t runs[] = {OWN, FRESH, ORPHAN, NEARLY, SHARED, OTHERS, END};
    if (ask->snubbed)
        return snubbed;
    if (ask->whole_runs)
        return runs;
    if (ask->speed == 0)
        return slow;
    bool little = p->open.n_free < BEGUN_PIECES || p->open.free_blocks < BEGUN_BLOCKS;
    return little && p->have > 0 && !p->window ? apart : together;
}

/* A piece of those suggested that is as good as this one, or this one. */
static uint32_t hinted(const struct picker *p, const struct picker_ask *ask,
                       const struct order_filter *f, uint32_t piece)
{
    const struct order *o = &p->order;
    for (uint32_t i = 0; i < ask->n_hint; i++) {
        uint32_t h = ask->hint[i];
        if (known(p, h) && o->cls[h] == o->cls[piece] && order_match(f, h) &&
            (p->have == 0 || o->avail[h] <= o->avail[piece]))
            return h;
    }
    return piece;
}

static uint32_t find_fresh(struct picker *p, const struct picker_ask *ask, uint32_t after)
{
    struct order_filter f = filter_of(ask);
    if (p->window)
        return order_find_ahead(&p->order, &f, ++p->turn % RARE_TURN ? 1 : p->window, p->limit,
                                p->rng);
    if (ask->whole_runs)
        return order_find_run(&p->order, &f, after, ask->from);
    uint32_t piece = order_find(&p->order, &f, p->have ? ORDER_RAREST : ORDER_RANDOM, p->rng);
    return piece == ORDER_NONE ? piece : hinted(p, ask, &f, piece);
}

static struct open_piece *open_fresh(struct picker *p, const struct picker_ask *ask, uint32_t after)
{
    uint32_t piece;
    while ((piece = find_fresh(p, ask, after)) != ORDER_NONE) {
        struct open_piece *o = open_piece(p, piece);
        if (o->count[BLOCK_NONE] > 0)
            return o;
        after = piece; /* all padding: it waits for its verdict */
    }
    return NULL;
}

static struct open_piece *choose(struct picker *p, const struct picker_ask *ask, uint32_t after)
{
    struct open_piece *best[KINDS] = {0};
    survey(p, ask, best);
    for (const uint8_t *k = plan_for(p, ask); *k != END; k++) {
        struct open_piece *o = *k == FRESH ? open_fresh(p, ask, after) : best[*k];
        if (o)
            return o;
    }
    return NULL;
}

struct copy {
    struct open_piece *o;
    uint32_t block;
    usec asked_at;
};

/* Keeps the n oldest, sorted. */
static size_t keep_oldest(struct copy *v, size_t n, size_t max, struct copy c)
{
    if (n == max && v[n - 1].asked_at <= c.asked_at)
        return n;
    size_t at = n < max ? n++ : n - 1;
    for (; at > 0 && v[at - 1].asked_at > c.asked_at; at--)
        v[at] = v[at - 1];
    v[at] = c;
    return n;
}

static bool may_copy(const struct open_block *b, const struct picker_ask *ask)
{
    if (b->state != BLOCK_ASKED || open_asked_of(b, ask->peer))
        return false;
    if (ask->unproved) /* leaves a place to one that will give */
        return b->copies + 1u < PICKER_ENDGAME_COPIES;
    return b->copies < PICKER_ENDGAME_COPIES || ask->now - b->asked_at >= ENDGAME_STALE;
}

static size_t collect_copies(const struct picker *p, const struct picker_ask *ask, struct copy *v,
                             size_t max)
{
    size_t n = 0;
    for (uint32_t i = 0; i < p->open.n; i++) {
        struct open_piece *o = p->open.v[i];
        if (o->count[BLOCK_ASKED] == 0 || !asker_may(ask, o) || is_anothers(p, o, ask->peer))
            continue;
        if (o->owner == ask->peer && !o->shared)
            continue;
        for (uint32_t b = 0; b < o->n; b++)
            if (may_copy(&o->b[b], ask))
                n = keep_oldest(v, n, max, (struct copy){o, b, o->b[b].asked_at});
    }
    return n;
}

static size_t endgame(struct picker *p, const struct picker_ask *ask, struct block_ref *out,
                      size_t n)
{
    struct copy v[ENDGAME_ROUND];
    size_t found = collect_copies(p, ask, v, n < ENDGAME_ROUND ? n : ENDGAME_ROUND);
    size_t got = 0;
    for (uint32_t young = 0; got < found; got++) {
        bool fresh = ask->now - v[got].asked_at < ENDGAME_YOUNG;
        /* At a limit there is no end yet, and whoever waits for it to move would ask for all. */
        if (fresh && (p->limit < p->shape.n_pieces || young++ == ENDGAME_YOUNG_MOST))
            break;
        open_copy(v[got].o, v[got].block, ask);
        out[got] = (struct block_ref){v[got].o->piece, v[got].block};
    }
    return got;
}

static size_t take_probes(struct picker *p, const struct picker_ask *ask, struct block_ref *out,
                          size_t n)
{
    struct order_filter f = {.has = ask->has, .only = ask->only};
    size_t got = 0;
    for (size_t i = 0; i < p->hold.n && got < n; i++) {
        struct block_ref b = p->hold.probe[i];
        if (!order_match(&f, b.piece) || !picker_is_wanted(p, b))
            continue;
        struct open_piece *o = find_open(p, b.piece);
        if (!o)
            o = open_piece(p, b.piece);
        if (o->b[b.block].state != BLOCK_NONE)
            continue;
        open_take_one(&p->open, o, b.block, ask);
        out[got++] = b;
        if (ask->whole_runs)
            break; /* a run of its own */
    }
    return got;
}

size_t picker_pick(struct picker *p, const struct picker_ask *ask, struct block_ref *out, size_t n)
{
    uint32_t after = ORDER_NONE;
    if (ask->snubbed && n > 1)
        n = 1;
    size_t got = take_probes(p, ask, out, n);
    if (got > 0 && ask->whole_runs)
        return got;
    while (got < n) {
        struct open_piece *o = choose(p, ask, after);
        if (!o)
            break;
        after = o->piece;
        got += open_take(&p->open, o, ask, out + got, n - got);
        if (ask->snubbed && (p->flags[o->piece] & FLAG_FAILED) && o->owner == ask->peer) {
            o->owner = PICKER_NO_PEER; /* whoever lives may take over */
            o->shared = true;
        }
    }
    if (got < n && !ask->snubbed && !ask->busy && picker_endgame(p))
        got += endgame(p, ask, out + got, n - got);
    return got;
}

void picker_drop(struct picker *p, struct block_ref b, uint32_t peer)
{
    struct open_piece *o = find_block(p, b);
    if (!o)
        return;
    open_drop(&p->open, o, b.block, peer);
    close_if_idle(p, o);
}

void picker_drop_peer(struct picker *p, uint32_t peer)
{
    /* Closing moves others about, so first note the pieces by number. */
    uint32_t n = p->open.n, *piece = mem_array(n, sizeof *piece);
    for (uint32_t i = 0; i < n; i++)
        piece[i] = p->open.v[i]->piece;
    for (uint32_t i = 0; i < n; i++) {
        struct open_piece *o = find_open(p, piece[i]);
        open_drop_peer(&p->open, o, peer);
        close_if_idle(p, o);
    }
    free(piece);
}

static bool is_padding(const struct picker *p, struct block_ref b)
{
    return p->shape.skip && p->shape.skip(p->shape.ctx, b.piece, b.block);
}

bool picker_is_wanted(const struct picker *p, struct block_ref b)
{
    if (!picker_wanted(p, b.piece) || b.piece >= p->limit || hold_bars(&p->hold, b))
        return false;
    if (!find_open(p, b.piece))
        return b.block < p->shape.blocks(p->shape.ctx, b.piece) && !is_padding(p, b);
    const struct open_piece *o = find_block(p, b);
    return o && o->b[b.block].state <= BLOCK_ASKED;
}

bool picker_is_open_to(const struct picker *p, struct block_ref b, uint32_t peer)
{
    const struct open_piece *o = find_open(p, b.piece);
    return picker_is_wanted(p, b) && !(o && is_anothers(p, o, peer));
}

/* For data that comes when its piece is not open (asked for long ago, or found on disk). */
static struct open_piece *open_for(struct picker *p, struct block_ref b)
{
    struct open_piece *o = find_block(p, b);
    if (!o && !find_open(p, b.piece) && picker_is_wanted(p, b))
        o = open_piece(p, b.piece);
    return o;
}

enum picker_got picker_received(struct picker *p, struct block_ref b, uint32_t peer,
                                uint32_t *others, size_t *n_others)
{
    size_t room = n_others ? *n_others : 0;
    if (n_others)
        *n_others = 0;
    if (picker_has(p, b.piece))
        return PICKER_DUP;
    struct open_piece *o = hold_bars(&p->hold, b) ? NULL : open_for(p, b);
    if (!o)
        return PICKER_NOT_WANTED;
    struct open_block *k = &o->b[b.block];
    if (k->state > BLOCK_ASKED)
        return PICKER_DUP;
    for (uint32_t i = 0; k->state == BLOCK_ASKED && i < k->copies; i++)
        if (k->peers[i] != peer && n_others && *n_others < room)
            others[(*n_others)++] = k->peers[i];
    open_set_state(&p->open, o, b.block, BLOCK_RECEIVED);
    k->peers[0] = peer;
    k->copies = 0;
    return PICKER_NEW;
}

bool picker_stored(struct picker *p, struct block_ref b)
{
    struct open_piece *o = open_for(p, b);
    if (!o || o->b[b.block].state == BLOCK_STORED)
        return false;
    if (o->b[b.block].state != BLOCK_RECEIVED)
        o->b[b.block].peers[0] = PICKER_NO_PEER;
    open_set_state(&p->open, o, b.block, BLOCK_STORED);
    o->b[b.block].copies = 0;
    hold_probed(&p->hold, b);
    return o->count[BLOCK_STORED] == o->n;
}

void picker_unstore(struct picker *p, struct block_ref b)
{
    struct open_piece *o = find_block(p, b);
    if (!o || o->b[b.block].state < BLOCK_RECEIVED || is_padding(p, b))
        return;
    open_set_state(&p->open, o, b.block, BLOCK_NONE);
    close_if_idle(p, o);
}

void picker_failed(struct picker *p, uint32_t piece)
{
    if (!find_open(p, piece))
        return;
    close_piece(p, piece);
    flag(p, piece, FLAG_FAILED, true);
    settle(p, piece);
}

uint32_t picker_sender(const struct picker *p, struct block_ref b)
{
    const struct open_piece *o = find_block(p, b);
    return o && o->b[b.block].state >= BLOCK_RECEIVED ? o->b[b.block].peers[0] : PICKER_NO_PEER;
}

bool picker_is_stored(const struct picker *p, struct block_ref b)
{
    const struct open_piece *o = find_block(p, b);
    return o ? o->b[b.block].state == BLOCK_STORED : picker_has(p, b.piece);
}

void picker_forget_sender(struct picker *p, uint32_t peer)
{
    for (uint32_t i = 0; i < p->open.n; i++) {
        struct open_piece *o = p->open.v[i];
        if (o->owner == peer)
            o->owner = PICKER_NO_PEER;
        for (uint32_t b = 0; b < o->n; b++)
            if (o->b[b].state >= BLOCK_RECEIVED && o->b[b].peers[0] == peer)
                o->b[b].peers[0] = PICKER_NO_PEER;
    }
}

bool picker_endgame(const struct picker *p)
{
    if (p->open.asked_blocks == 0 || picker_holds(p)) /* there may be more to ask for */
        return false;
    /* Where pieces behind a limit wait for those before it, these are the last ones. */
    if (p->limit < p->shape.n_pieces ? order_any_before(&p->order, p->limit)
        /* What nobody has cannot be asked for and holds up no endgame. */
        : p->seeds ? p->order.fresh : p->order.fresh - p->order.fresh_unseen)
        return false;
    for (uint32_t i = 0; i < p->open.n_free; i++)
        if (picker_availability(p, p->open.v[i]->piece))
            return false;
    return true;
}

bool picker_is_open(const struct picker *p, uint32_t piece)
{
    return find_open(p, piece) != NULL;
}

uint32_t picker_open_pieces(const struct picker *p)
{
    return p->open.n;
}

uint32_t picker_next_open(const struct picker *p, uint32_t piece)
{
    uint32_t next = 0;
    if (piece != UINT32_MAX) {
        if (!find_open(p, piece))
            return UINT32_MAX;
        next = p->order.pos[piece] + 1;
    }
    return next < p->open.n ? p->open.v[next]->piece : UINT32_MAX;
}

/*
 * The picker against a naive model: thousands of random operations, and after each all that can be
 * asked of the picker is compared with what the model holds. Every pick is judged by the rules of
 * the header: nothing unwanted, nothing twice, nothing overlooked, the best fresh piece first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/swarm/picker.h>

#include <stdlib.h>

#define PIECES 48
#define BLOCKS 24
#define PEERS 10
#define WINDOW 9 /* of sequential mode */
#define NOBODY PICKER_NO_PEER

enum state { NONE, ASKED, RECEIVED, STORED, PADDING };

struct block {
    enum state state;
    bool by[PEERS];
    uint32_t turn[PEERS]; /* in which they were asked */
    usec asked_at;
    uint32_t sender;
};

struct model {
    struct rng rng;
    struct picker *p;
    uint32_t pieces, blocks[PIECES];
    struct block b[PIECES][BLOCKS];
    unsigned prio[PIECES];
    bool have[PIECES], failed[PIECES], sequential;
    struct bits has[PEERS];
    bool seed[PEERS], here[PEERS];
    bool worked[PEERS][PIECES]; /* was ever asked for some of it */
    usec now;
    uint32_t turn;
};

static uint32_t below(struct model *m, uint32_t n)
{
    return (uint32_t)rng_below(&m->rng, n);
}

static bool chance(struct model *m, uint32_t percent)
{
    return below(m, 100) < percent;
}

static uint32_t shape_blocks(const void *ctx, uint32_t piece)
{
    return ((const struct model *)ctx)->blocks[piece];
}

static bool shape_skip(const void *ctx, uint32_t piece, uint32_t block)
{
    return ((const struct model *)ctx)->b[piece][block].state == PADDING;
}

static bool wanted(const struct model *m, uint32_t i)
{
    return m->prio[i] && !m->have[i];
}

static bool peer_has(const struct model *m, uint32_t peer, uint32_t i)
{
    return m->seed[peer] || bits_get(&m->has[peer], i);
}

static uint32_t available(const struct model *m, uint32_t i)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < PEERS; k++)
        n += m->here[k] && peer_has(m, k, i);
    return n;
}

static bool is_open(const struct model *m, uint32_t i)
{
    for (uint32_t b = 0; b < m->blocks[i]; b++)
        if (m->b[i][b].state >= ASKED && m->b[i][b].state <= STORED)
            return true;
    return false;
}

static uint32_t in_state(const struct model *m, uint32_t i, enum state s)
{
    uint32_t n = 0;
    for (uint32_t b = 0; b < m->blocks[i]; b++)
        n += m->b[i][b].state == s;
    return n;
}

static uint32_t askers(const struct block *b)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < PEERS; k++)
        n += b->by[k];
    return n;
}

static void wipe_block(struct block *b)
{
    if (b->state != PADDING)
        *b = (struct block){.sender = NOBODY};
}

static void wipe(struct model *m, uint32_t i)
{
    for (uint32_t b = 0; b < BLOCKS; b++)
        wipe_block(&m->b[i][b]);
    for (uint32_t k = 0; k < PEERS; k++)
        m->worked[k][i] = false;
}

static bool naive_endgame(const struct model *m)
{
    uint32_t asked = 0;
    for (uint32_t i = 0; i < m->pieces; i++) {
        if (!wanted(m, i))
            continue;
        asked += in_state(m, i, ASKED);
        if (in_state(m, i, NONE) && available(m, i))
            return false;
    }
    return asked > 0;
}

static void check_piece(const struct model *m, uint32_t i)
{
    assert_int_equal(picker_has(m->p, i), m->have[i]);
    assert_int_equal(picker_wanted(m->p, i), wanted(m, i));
    assert_int_equal(picker_availability(m->p, i), available(m, i));
    for (uint32_t b = 0; b < m->blocks[i]; b++) {
        const struct block *x = &m->b[i][b];
        struct block_ref ref = {i, b};
        assert_int_equal(picker_sender(m->p, ref), x->state == PADDING ? NOBODY : x->sender);
        if (x->state != PADDING) {
            assert_int_equal(picker_is_stored(m->p, ref), m->have[i] || x->state == STORED);
            assert_int_equal(picker_is_wanted(m->p, ref), wanted(m, i) && x->state <= ASKED);
        }
    }
}

static void check(const struct model *m)
{
    uint32_t missing = 0, open = 0, copies = UINT32_MAX, walked = 0;
    for (uint32_t i = 0; i < m->pieces; i++) {
        uint32_t n = available(m, i) + m->have[i];
        copies = n < copies ? n : copies;
        missing += wanted(m, i);
        open += is_open(m, i);
        check_piece(m, i);
    }
    assert_int_equal(picker_missing(m->p), missing);
    assert_int_equal(picker_copies(m->p), copies);
    assert_int_equal(picker_open_pieces(m->p), open);
    assert_int_equal(picker_endgame(m->p), naive_endgame(m));
    for (uint32_t i = picker_next_open(m->p, NOBODY); i != NOBODY; i = picker_next_open(m->p, i)) {
        assert_true(is_open(m, i));
        walked++;
    }
    assert_int_equal(walked, open);
}

/* The first fresh piece of a priority, whoever has it. */
static uint32_t front(const struct model *m, unsigned prio)
{
    uint32_t i = 0;
    while (i < m->pieces && (m->prio[i] != prio || !wanted(m, i) || is_open(m, i)))
        i++;
    return i;
}

/* Nobody is asked for a fresh piece while the asker has a better one. */
static void check_fresh(const struct model *m, const struct picker_ask *ask, uint32_t chosen)
{
    bool first = true;
    for (uint32_t i = 0; i < m->pieces; i++)
        first = first && !m->have[i];
    for (uint32_t i = 0; i < m->pieces; i++) {
        if (!wanted(m, i) || is_open(m, i) || !peer_has(m, ask->peer, i))
            continue;
        if (ask->only && !bits_get(ask->only, i))
            continue;
        if (ask->avoid && bits_get(ask->avoid, i))
            continue;
        assert_true(m->prio[i] <= m->prio[chosen]);
        if (m->prio[i] < m->prio[chosen])
            continue;
        if (m->sequential)
            assert_true(chosen <= i || (chosen < front(m, m->prio[chosen]) + WINDOW &&
                                        available(m, chosen) <= available(m, i)));
        else if (!first && !ask->whole_runs)
            assert_true(available(m, chosen) <= available(m, i));
    }
}

/* Only askers that were silent for long make room for one more. */
static void forget_first(const struct model *m, struct block *b)
{
    uint32_t first = NOBODY;
    assert_true(m->now - b->asked_at >= 5 * USEC_SEC);
    for (uint32_t k = 0; k < PEERS; k++)
        if (b->by[k] && (first == NOBODY || b->turn[k] < b->turn[first]))
            first = k;
    b->by[first] = false;
}

/* It has been asked for some of the piece before: only then it may go on with one to be avoided. */
static bool had_part(const struct model *m, uint32_t peer, uint32_t i)
{
    return m->worked[peer][i];
}

static void check_choice(struct model *m, const struct picker_ask *ask, struct block_ref ref)
{
    assert_true(ref.piece < m->pieces && ref.block < m->blocks[ref.piece]);
    struct block *b = &m->b[ref.piece][ref.block];
    assert_true(wanted(m, ref.piece));
    assert_true(peer_has(m, ask->peer, ref.piece));
    assert_true(!ask->only || bits_get(ask->only, ref.piece));
    assert_true(!ask->avoid || !bits_get(ask->avoid, ref.piece) ||
                had_part(m, ask->peer, ref.piece));
    if (b->state == ASKED) {
        assert_true(naive_endgame(m));
        assert_false(b->by[ask->peer]);
        if (askers(b) == PICKER_ENDGAME_COPIES)
            forget_first(m, b);
        assert_false(ask->snubbed);
    } else {
        assert_int_equal(b->state, NONE);
        if (!is_open(m, ref.piece))
            check_fresh(m, ask, ref.piece);
    }
    b->state = ASKED;
    b->by[ask->peer] = true;
    m->worked[ask->peer][ref.piece] = true;
    b->turn[ask->peer] = m->turn++;
    b->asked_at = ask->now;
}

/* What failed is one peer's alone while somebody who is not snubbed is asked for some of it. */
static bool is_anothers(const struct model *m, uint32_t i)
{
    return m->failed[i] && in_state(m, i, ASKED) > 0;
}

/* Fewer than asked for: then nothing that nobody was asked for may be left for this peer. */
static void check_nothing_left(const struct model *m, const struct picker_ask *ask)
{
    for (uint32_t i = 0; i < m->pieces; i++)
        if (wanted(m, i) && peer_has(m, ask->peer, i) && (!ask->only || bits_get(ask->only, i)) &&
            !(ask->avoid && bits_get(ask->avoid, i)) && (!ask->snubbed || !is_open(m, i)) &&
            !is_anothers(m, i))
            assert_int_equal(in_state(m, i, NONE), 0);
}

static void op_pick(struct model *m)
{
    struct block_ref out[64];
    struct bits only, avoid;
    uint32_t peer = below(m, PEERS), n = below(m, chance(m, 20) ? 64 : 6);
    if (!m->here[peer])
        return;
    bits_init(&only, m->pieces);
    for (int i = 0; i < 4; i++)
        bits_set(&only, below(m, m->pieces));
    bits_init(&avoid, m->pieces);
    for (uint32_t i = below(m, m->pieces + 1); i > 0; i--)
        bits_set(&avoid, below(m, m->pieces));
    struct picker_ask ask = {
        .peer = peer,
        .has = m->seed[peer] ? NULL : &m->has[peer],
        .only = chance(m, 10) ? &only : NULL,
        .speed = below(m, 3),
        .avoid = chance(m, 30) ? &avoid : NULL,
        .snubbed = chance(m, 10),
        .whole_runs = chance(m, 10),
        .from = below(m, m->pieces),
        .now = m->now,
    };
    size_t got = picker_pick(m->p, &ask, out, n);
    assert_true(got <= n);
    for (size_t i = 0; i < got; i++)
        check_choice(m, &ask, out[i]);
    if (got < n && !(ask.snubbed && got == 1))
        check_nothing_left(m, &ask);
    bits_fini(&only);
    bits_fini(&avoid);
}

static struct block_ref any_block(struct model *m)
{
    struct block_ref ref = {.piece = below(m, m->pieces)};
    ref.block = below(m, m->blocks[ref.piece]);
    return ref;
}

/* A block in this state, if some draws find one. */
static bool block_in(struct model *m, enum state s, struct block_ref *ref)
{
    for (int i = 0; i < 60; i++) {
        *ref = any_block(m);
        if (m->b[ref->piece][ref->block].state == s)
            return true;
    }
    return false;
}

static void op_receive(struct model *m)
{
    struct block_ref ref;
    if (chance(m, 90) ? !block_in(m, ASKED, &ref) : (ref = any_block(m), false))
        return;
    struct block *b = &m->b[ref.piece][ref.block];
    uint32_t peer = below(m, PEERS), others[PEERS];
    for (uint32_t i = 0; i < PEERS && !b->by[peer]; i++)
        peer = (peer + 1) % PEERS;
    size_t n = PEERS, expect = askers(b) - b->by[peer];
    enum picker_got got = picker_received(m->p, ref, peer, others, &n);
    if (m->have[ref.piece] || (wanted(m, ref.piece) && b->state > ASKED)) {
        /* Padding of a piece that is not begun is not told from other needless data. */
        assert_true(got == PICKER_DUP || (b->state == PADDING && got == PICKER_NOT_WANTED));
        assert_int_equal(n, 0);
    } else if (!wanted(m, ref.piece)) {
        assert_int_equal(got, PICKER_NOT_WANTED);
        assert_int_equal(n, 0);
    } else {
        assert_int_equal(got, PICKER_NEW);
        assert_int_equal(n, expect);
        for (size_t i = 0; i < n; i++)
            assert_true(others[i] != peer && b->by[others[i]]);
        *b = (struct block){.state = RECEIVED, .sender = peer};
    }
}

static void verdict(struct model *m, uint32_t piece)
{
    bool good = chance(m, 70);
    (good ? picker_have : picker_failed)(m->p, piece);
    wipe(m, piece);
    m->have[piece] = good;
    m->failed[piece] = !good;
}

static void op_store(struct model *m)
{
    struct block_ref ref;
    if (!block_in(m, chance(m, 97) ? RECEIVED : NONE, &ref) || !wanted(m, ref.piece))
        return;
    struct block *b = &m->b[ref.piece][ref.block];
    bool last = picker_stored(m->p, ref);
    b->state = STORED;
    assert_int_equal(last, in_state(m, ref.piece, STORED) + in_state(m, ref.piece, PADDING) ==
                               m->blocks[ref.piece]);
    if (last) {
        check(m);
        verdict(m, ref.piece);
    }
}

static void op_unstore(struct model *m)
{
    struct block_ref ref = any_block(m);
    struct block *b = &m->b[ref.piece][ref.block];
    picker_unstore(m->p, ref);
    if (b->state == RECEIVED || b->state == STORED)
        wipe_block(b);
}

static void op_drop(struct model *m)
{
    struct block_ref ref;
    uint32_t peer = below(m, PEERS);
    if (!block_in(m, ASKED, &ref))
        return;
    struct block *b = &m->b[ref.piece][ref.block];
    picker_drop(m->p, ref, peer);
    b->by[peer] = false;
    if (askers(b) == 0)
        wipe_block(b);
}

static void drop_all(struct model *m, uint32_t peer)
{
    picker_drop_peer(m->p, peer);
    for (uint32_t i = 0; i < m->pieces; i++)
        for (uint32_t k = 0; k < m->blocks[i]; k++) {
            struct block *b = &m->b[i][k];
            if (b->state != ASKED)
                continue;
            b->by[peer] = false;
            if (askers(b) == 0)
                wipe_block(b);
        }
}

static void forget_sender(struct model *m, uint32_t peer)
{
    picker_forget_sender(m->p, peer);
    for (uint32_t i = 0; i < m->pieces; i++)
        for (uint32_t k = 0; k < m->blocks[i]; k++)
            if (m->b[i][k].sender == peer)
                m->b[i][k].sender = NOBODY;
}

static void join(struct model *m, uint32_t k)
{
    uint32_t density = below(m, 101);
    m->here[k] = true;
    m->seed[k] = chance(m, 10);
    bits_fill(&m->has[k], false);
    if (m->seed[k]) {
        picker_peer_all(m->p, 1);
        return;
    }
    for (uint32_t i = 0; i < m->pieces; i++)
        if (chance(m, density))
            bits_set(&m->has[k], i);
    picker_peer_bits(m->p, &m->has[k], 1);
}

static void leave(struct model *m, uint32_t k)
{
    if (m->seed[k])
        picker_peer_all(m->p, -1);
    else
        picker_peer_bits(m->p, &m->has[k], -1);
    m->here[k] = false;
    drop_all(m, k);
    forget_sender(m, k);
}

static void op_peer(struct model *m)
{
    uint32_t k = below(m, PEERS);
    if (!m->here[k])
        join(m, k);
    else if (chance(m, 30))
        leave(m, k);
    else
        drop_all(m, k);
}

static void op_have(struct model *m)
{
    uint32_t k = below(m, PEERS), i = below(m, m->pieces);
    if (!m->here[k] || m->seed[k] || !bits_set(&m->has[k], i))
        return;
    picker_peer_have(m->p, i, 1);
}

static void op_priority(struct model *m)
{
    uint32_t i = below(m, m->pieces);
    m->prio[i] = chance(m, 20) ? 0 : chance(m, 60) ? 1 : 1 + below(m, 7);
    picker_set_priority(m->p, i, m->prio[i]);
    if (m->prio[i] == 0 && !m->have[i])
        wipe(m, i);
}

static void op_own(struct model *m)
{
    uint32_t i = below(m, m->pieces);
    if (chance(m, 10)) {
        m->sequential = !m->sequential;
        picker_set_sequential(m->p, m->sequential ? WINDOW : 0);
    } else if (m->have[i]) {
        picker_lost(m->p, i);
        m->have[i] = false;
    } else if (chance(m, 20)) {
        picker_have(m->p, i);
        wipe(m, i);
        m->have[i] = true;
        m->failed[i] = false;
    }
}

static void op_interesting(struct model *m)
{
    uint32_t k = below(m, PEERS);
    bool any = false;
    for (uint32_t i = 0; i < m->pieces; i++)
        any = any || (wanted(m, i) && bits_get(&m->has[k], i));
    assert_int_equal(picker_interesting(m->p, &m->has[k]), any);
}

static const struct {
    unsigned weight;
    void (*run)(struct model *m);
} ops[] = {
    {30, op_pick}, {30, op_receive}, {25, op_store},   {2, op_unstore}, {4, op_drop},
    {3, op_peer},  {6, op_have},     {3, op_priority}, {3, op_own},     {2, op_interesting},
};

static void step(struct model *m)
{
    unsigned total = 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        total += ops[i].weight;
    uint32_t at = below(m, total);
    size_t i = 0;
    while (at >= ops[i].weight)
        at -= ops[i++].weight;
    ops[i].run(m);
    m->now += below(m, 300) * USEC_MS;
}

static void setup(struct model *m, uint64_t seed)
{
    *m = (struct model){0};
    rng_seed(&m->rng, seed);
    m->pieces = 1 + below(m, PIECES);
    uint32_t most = 1 + below(m, BLOCKS);
    for (uint32_t i = 0; i < m->pieces; i++) {
        m->prio[i] = 1;
        m->blocks[i] = i + 1 == m->pieces ? 1 + below(m, most) : most;
        wipe(m, i);
        for (uint32_t b = 1; b < m->blocks[i]; b++) /* the first never: not all padding here */
            if (chance(m, 5))
                m->b[i][b].state = PADDING;
    }
    for (uint32_t k = 0; k < PEERS; k++)
        bits_init(&m->has[k], m->pieces);
    struct picker_shape shape = {m->pieces, shape_blocks, shape_skip, m};
    m->p = picker_new(&shape, &m->rng);
}

static void teardown(struct model *m)
{
    picker_free(m->p);
    for (uint32_t k = 0; k < PEERS; k++)
        bits_fini(&m->has[k]);
    free(m);
}

static void random_operations(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct model *m = mem_zero(sizeof *m);
        setup(m, seed);
        for (int i = 0; i < 1500; i++) {
            step(m);
            check(m);
        }
        teardown(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The picker's rules one by one, odd shapes, and the largest torrent there may be. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/swarm/picker.h>

#include <stdlib.h>

struct fixture {
    struct rng rng;
    struct picker *p;
    uint32_t blocks;
    struct block_ref out[4096];
};

static uint32_t same_blocks(const void *ctx, uint32_t piece)
{
    (void)piece;
    return ((const struct fixture *)ctx)->blocks;
}

static struct fixture *setup(uint32_t pieces, uint32_t blocks)
{
    struct fixture *f = mem_zero(sizeof *f);
    rng_seed(&f->rng, pieces + blocks);
    f->blocks = blocks;
    f->p = picker_new(&(struct picker_shape){pieces, same_blocks, NULL, f}, &f->rng);
    return f;
}

static void teardown(struct fixture *f)
{
    picker_free(f->p);
    free(f);
}

static size_t pick(struct fixture *f, uint32_t peer, const struct bits *has, unsigned speed,
                   size_t n)
{
    struct picker_ask ask = {.peer = peer, .has = has, .speed = speed};
    return picker_pick(f->p, &ask, f->out, n);
}

static void deliver(struct fixture *f, struct block_ref b, uint32_t peer)
{
    assert_int_equal(picker_received(f->p, b, peer, NULL, NULL), PICKER_NEW);
    if (picker_stored(f->p, b))
        picker_have(f->p, b.piece);
}

static enum picker_got come(struct fixture *f, uint32_t piece, uint32_t block, uint32_t peer)
{
    return picker_received(f->p, (struct block_ref){piece, block}, peer, NULL, NULL);
}

static void nothing_to_do(void **state)
{
    (void)state;
    struct fixture *f = setup(0, 1);
    assert_int_equal(pick(f, 1, NULL, 2, 10), 0);
    assert_int_equal(picker_missing(f->p), 0);
    assert_int_equal(picker_copies(f->p), 0);
    assert_false(picker_endgame(f->p));
    assert_false(picker_interesting(f->p, NULL));
    assert_false(picker_is_wanted(f->p, (struct block_ref){0, 0}));
    assert_int_equal(picker_next_open(f->p, UINT32_MAX), UINT32_MAX);
    picker_have(f->p, 0);
    picker_failed(f->p, 0);
    picker_peer_have(f->p, 7, 1);
    picker_set_priority(f->p, 7, 3);
    picker_drop(f->p, (struct block_ref){3, 3}, 1);
    picker_unstore(f->p, (struct block_ref){3, 3});
    assert_false(picker_stored(f->p, (struct block_ref){3, 3}));
    teardown(f);

    f = setup(5, 3);
    for (uint32_t i = 0; i < 5; i++)
        picker_set_priority(f->p, i, 0);
    assert_int_equal(pick(f, 1, NULL, 2, 10), 0);
    assert_int_equal(picker_missing(f->p), 0);
    assert_int_equal(come(f, 1, 0, 1), PICKER_NOT_WANTED);
    teardown(f);
    picker_free(NULL);
}

static void one_piece(void **state)
{
    (void)state;
    struct fixture *f = setup(1, 1);
    picker_peer_all(f->p, 1);
    assert_int_equal(pick(f, 4, NULL, 1, 10), 1);
    assert_true(picker_endgame(f->p));
    assert_int_equal(pick(f, 4, NULL, 1, 10), 0); /* not twice of the same peer */
    assert_int_equal(pick(f, 5, NULL, 1, 10), 1);
    assert_int_equal(pick(f, 6, NULL, 1, 10), 1);
    assert_int_equal(pick(f, 7, NULL, 1, 10), 0); /* three copies are the most */
    uint32_t others[4];
    size_t n = 4;
    assert_int_equal(picker_received(f->p, f->out[0], 5, others, &n), PICKER_NEW);
    assert_int_equal(n, 2);
    assert_int_equal(others[0] + others[1], 4 + 6);
    n = 4;
    assert_int_equal(picker_received(f->p, f->out[0], 4, others, &n), PICKER_DUP);
    assert_int_equal(n, 0);
    assert_true(picker_stored(f->p, f->out[0]));
    assert_false(picker_stored(f->p, f->out[0]));
    assert_int_equal(picker_sender(f->p, f->out[0]), 5);
    picker_have(f->p, 0);
    assert_int_equal(picker_missing(f->p), 0);
    assert_int_equal(picker_copies(f->p), 2);
    assert_int_equal(picker_open_pieces(f->p), 0);
    teardown(f);
}

static void blocks_of_a_piece_in_order(void **state)
{
    (void)state;
    struct fixture *f = setup(100, 16);
    picker_peer_all(f->p, 1);
    picker_have(f->p, 0);
    for (uint32_t i = 0; i < 64; i += 4) {
        assert_int_equal(pick(f, 1, NULL, 2, 4), 4);
        for (uint32_t k = 0; k < 4; k++)
            assert_int_equal(f->out[k].block, i % 16 + k);
    }
    assert_int_equal(picker_open_pieces(f->p), 4);
    teardown(f);
}

static void fast_peers_stay_apart(void **state)
{
    (void)state;
    struct fixture *f = setup(100, 32);
    uint32_t mine[8];
    picker_peer_all(f->p, 8);
    picker_have(f->p, 0);
    for (uint32_t peer = 0; peer < 8; peer++) {
        assert_int_equal(pick(f, peer, NULL, 2, 8), 8);
        mine[peer] = f->out[0].piece;
        for (uint32_t k = 0; k < peer; k++)
            assert_int_not_equal(mine[k], mine[peer]);
    }
    for (uint32_t peer = 0; peer < 8; peer++) {
        assert_int_equal(pick(f, peer, NULL, 2, 24), 24);
        for (int k = 0; k < 24; k++)
            assert_int_equal(f->out[k].piece, mine[peer]);
    }
    teardown(f);
}

static void before_the_first_piece_all_help(void **state)
{
    (void)state;
    struct fixture *f = setup(100, 32);
    picker_peer_all(f->p, 2);
    assert_int_equal(pick(f, 1, NULL, 2, 8), 8);
    uint32_t piece = f->out[0].piece;
    assert_int_equal(pick(f, 2, NULL, 2, 8), 8);
    assert_int_equal(f->out[0].piece, piece);
    assert_int_equal(f->out[0].block, 8);
    teardown(f);
}

static void the_last_fresh_piece_is_shared(void **state)
{
    (void)state;
    struct fixture *f = setup(3, 32);
    picker_peer_all(f->p, 3);
    picker_have(f->p, 0);
    assert_int_equal(pick(f, 1, NULL, 2, 8), 8);
    assert_int_equal(pick(f, 2, NULL, 2, 8), 8);
    assert_int_equal(pick(f, 3, NULL, 2, 8), 8);
    assert_int_equal(f->out[0].block, 8);
    assert_int_equal(picker_open_pieces(f->p), 2);
    teardown(f);
}

static void slow_ones_join_slow_ones(void **state)
{
    (void)state;
    struct fixture *f = setup(100, 32);
    picker_peer_all(f->p, 3);
    picker_have(f->p, 0);
    pick(f, 1, NULL, 2, 4);
    uint32_t fast = f->out[0].piece;
    pick(f, 2, NULL, 0, 4);
    uint32_t slow = f->out[0].piece;
    assert_int_not_equal(fast, slow);
    pick(f, 3, NULL, 0, 4);
    assert_int_equal(f->out[0].piece, slow);
    /* Only when nothing else is left does it meddle with the fast one's. */
    for (uint32_t i = 1; i < 100; i++)
        if (i != fast)
            picker_have(f->p, i);
    assert_int_equal(pick(f, 3, NULL, 0, 1), 1);
    assert_int_equal(f->out[0].piece, fast);
    teardown(f);
}

static void a_nearly_ready_piece_is_helped(void **state)
{
    (void)state;
    struct fixture *f = setup(100, 32);
    picker_peer_all(f->p, 2);
    picker_have(f->p, 0);
    assert_int_equal(pick(f, 1, NULL, 0, 26), 26);
    uint32_t piece = f->out[0].piece;
    for (int i = 0; i < 26; i++)
        deliver(f, f->out[i], 1);
    assert_int_equal(pick(f, 2, NULL, 2, 8), 8);
    assert_int_equal(f->out[0].piece, piece);
    assert_int_equal(f->out[5].piece, piece);
    assert_int_not_equal(f->out[6].piece, piece);
    teardown(f);
}

static void orphans_are_adopted(void **state)
{
    (void)state;
    struct fixture *f = setup(100, 32);
    picker_peer_all(f->p, 2);
    picker_have(f->p, 0);
    assert_int_equal(pick(f, 1, NULL, 2, 8), 8);
    uint32_t piece = f->out[0].piece;
    deliver(f, f->out[0], 1);
    picker_drop_peer(f->p, 1);
    assert_int_equal(picker_open_pieces(f->p), 1);
    assert_int_equal(pick(f, 2, NULL, 2, 31), 31);
    assert_int_equal(f->out[0].piece, piece);
    assert_int_equal(f->out[30].piece, piece);
    picker_drop_peer(f->p, 2);
    picker_unstore(f->p, (struct block_ref){piece, 0});
    assert_int_equal(picker_open_pieces(f->p), 0); /* nothing of it is left: fresh again */
    teardown(f);
}

static void snubbed_peers(void **state)
{
    (void)state;
    struct fixture *f = setup(3, 8);
    picker_peer_all(f->p, 2);
    picker_have(f->p, 0);
    struct picker_ask snubbed = {.peer = 1, .speed = 2, .snubbed = true};
    assert_int_equal(pick(f, 2, NULL, 2, 4), 4);
    uint32_t theirs = f->out[0].piece;
    assert_int_equal(picker_pick(f->p, &snubbed, f->out, 4), 1);
    assert_int_not_equal(f->out[0].piece, theirs);
    for (int i = 0; i < 7; i++)
        assert_int_equal(picker_pick(f->p, &snubbed, f->out, 4), 1);
    assert_int_equal(picker_pick(f->p, &snubbed, f->out, 4), 0);
    teardown(f);
}

static void rarest_first(void **state)
{
    (void)state;
    enum { N = 6000 };
    struct fixture *f = setup(N, 1);
    struct bits has;
    uint16_t count[N] = {0};
    bits_init(&has, N);
    bits_fill(&has, true);
    picker_peer_bits(f->p, &has, 1);
    for (int i = 0; i < 40000; i++) {
        uint32_t piece = (uint32_t)rng_below(&f->rng, N);
        picker_peer_have(f->p, piece, 1);
        count[piece]++;
    }
    picker_have(f->p, 0);
    uint32_t last = 0;
    for (int i = 0; i < N - 1; i++) {
        assert_int_equal(pick(f, 1, &has, 2, 1), 1);
        assert_true(count[f->out[0].piece] >= last);
        last = count[f->out[0].piece];
        picker_have(f->p, f->out[0].piece);
    }
    bits_fini(&has);
    teardown(f);
}

static void first_piece_at_random_ties_too(void **state)
{
    (void)state;
    unsigned seen_first[8] = {0}, seen_tie[8] = {0};
    for (uint32_t i = 0; i < 400; i++) {
        struct fixture *f = setup(8, 1);
        rng_seed(&f->rng, i);
        picker_peer_all(f->p, 1);
        for (uint32_t k = 0; k < 4; k++)
            picker_peer_have(f->p, k, 1); /* rarity does not count yet */
        pick(f, 1, NULL, 2, 1);
        seen_first[f->out[0].piece]++;
        picker_have(f->p, f->out[0].piece);
        pick(f, 1, NULL, 2, 1);
        seen_tie[f->out[0].piece]++;
        teardown(f);
    }
    for (uint32_t i = 0; i < 8; i++) {
        assert_true(seen_first[i] > 20);
        assert_true(i < 4 ? seen_tie[i] == 0 : seen_tie[i] > 50);
    }
}

static void priority_before_rarity(void **state)
{
    (void)state;
    struct fixture *f = setup(10, 1);
    struct bits has;
    bits_init(&has, 10);
    bits_fill(&has, true);
    picker_peer_bits(f->p, &has, 1);
    picker_have(f->p, 0);
    for (uint32_t i = 1; i < 10; i++)
        picker_set_priority(f->p, i, i % 3 ? i % 3 : 7);
    picker_set_priority(f->p, 9, 200); /* as 7 */
    picker_peer_have(f->p, 3, 5);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pick(f, 1, &has, 2, 1), 1);
        assert_int_equal(f->out[0].piece % 3, 0);
    }
    assert_int_equal(f->out[0].piece, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pick(f, 1, &has, 2, 1), 1);
        assert_int_equal(f->out[0].piece % 3, 2);
    }
    bits_fini(&has);
    teardown(f);
}

static void sequential(void **state)
{
    (void)state;
    struct fixture *f = setup(50, 4);
    picker_set_sequential(f->p, 20);
    picker_peer_all(f->p, 2);
    for (uint32_t i = 0; i < 200; i += 2) {
        assert_int_equal(pick(f, i % 4 / 2, NULL, 2, 2), 2);
        assert_int_equal(f->out[0].piece, i / 4);
        assert_int_equal(f->out[0].block, i % 4);
    }
    teardown(f);
}

/* In order, but each fourth fresh piece is the rarest of the window. */
static void sequential_in_a_crowd(void **state)
{
    (void)state;
    struct fixture *f = setup(50, 1);
    picker_set_sequential(f->p, 20);
    for (uint32_t i = 0; i < 50; i++) {
        picker_peer_have(f->p, i, i == 12 ? 1 : i == 15 || i == 30 ? 2 : i == 9 ? 3 : 4);
    }
    static const uint32_t expect[] = {0, 1, 2, 12, 3, 4, 5, 15, 6, 7, 8, 9, 10, 11, 13, 30};
    for (size_t i = 0; i < sizeof expect / sizeof *expect; i++) {
        assert_int_equal(pick(f, 1, NULL, 2, 1), 1);
        assert_int_equal(f->out[0].piece, expect[i]);
    }
    teardown(f);
}

/* Nothing from the limit on; and who waits there does not ask for all that is on its way. */
static void sequential_up_to_a_limit(void **state)
{
    (void)state;
    struct fixture *f = setup(50, 1);
    picker_set_sequential(f->p, 20);
    picker_set_limit(f->p, 10);
    picker_peer_all(f->p, 2);
    assert_int_equal(pick(f, 1, NULL, 2, 20), 10);
    for (size_t i = 0; i < 10; i++)
        assert_in_range(f->out[i].piece, 0, 9);
    assert_false(picker_is_wanted(f->p, (struct block_ref){10, 0}));
    assert_true(picker_endgame(f->p));
    assert_int_equal(pick(f, 2, NULL, 2, 20), 0);
    picker_set_limit(f->p, 11);
    assert_int_equal(pick(f, 2, NULL, 2, 20), 1);
    assert_int_equal(f->out[0].piece, 10);
    struct picker_ask later = {.peer = 2, .speed = 2, .now = USEC_SEC};
    assert_in_range(picker_pick(f->p, &later, f->out, 20), 1, 10); /* these do not come */
    teardown(f);
}

static void unwanted_while_open(void **state)
{
    (void)state;
    struct fixture *f = setup(2, 4);
    picker_peer_all(f->p, 1);
    pick(f, 1, NULL, 2, 4);
    struct block_ref b = f->out[0];
    deliver(f, b, 1);
    picker_set_priority(f->p, b.piece, 0);
    assert_int_equal(picker_open_pieces(f->p), 0);
    assert_int_equal(picker_missing(f->p), 1);
    assert_int_equal(picker_received(f->p, f->out[1], 1, NULL, NULL), PICKER_NOT_WANTED);
    assert_false(picker_is_wanted(f->p, f->out[1]));
    picker_set_priority(f->p, b.piece, 1);
    assert_int_equal(pick(f, 1, NULL, 2, 8), 8);
    teardown(f);
}

static void late_answers_count(void **state)
{
    (void)state;
    struct fixture *f = setup(3, 4);
    picker_peer_all(f->p, 1);
    pick(f, 1, NULL, 2, 1);
    struct block_ref b = f->out[0];
    picker_drop(f->p, b, 2); /* was never asked */
    assert_int_equal(picker_open_pieces(f->p), 1);
    picker_drop(f->p, b, 1);
    assert_int_equal(picker_open_pieces(f->p), 0);
    assert_true(picker_is_wanted(f->p, b));
    assert_int_equal(picker_received(f->p, b, 1, NULL, NULL), PICKER_NEW);
    assert_int_equal(picker_open_pieces(f->p), 1);
    assert_int_equal(picker_received(f->p, b, 2, NULL, NULL), PICKER_DUP);
    assert_int_equal(come(f, 0, 4, 1), PICKER_NOT_WANTED);
    assert_int_equal(come(f, 3, 0, 1), PICKER_NOT_WANTED);
    teardown(f);
}

static void resumed_blocks(void **state)
{
    (void)state;
    struct fixture *f = setup(3, 4);
    picker_peer_all(f->p, 1);
    for (uint32_t i = 0; i < 3; i++)
        assert_false(picker_stored(f->p, (struct block_ref){1, i}));
    assert_int_equal(picker_sender(f->p, (struct block_ref){1, 0}), PICKER_NO_PEER);
    assert_int_equal(pick(f, 1, NULL, 1, 1), 1);
    assert_int_equal(f->out[0].piece, 1);
    assert_int_equal(f->out[0].block, 3);
    assert_int_equal(picker_received(f->p, f->out[0], 1, NULL, NULL), PICKER_NEW);
    assert_true(picker_stored(f->p, f->out[0]));
    picker_failed(f->p, 1);
    assert_false(picker_is_stored(f->p, f->out[0]));
    assert_int_equal(picker_missing(f->p), 3);
    teardown(f);
}

static void a_failed_piece_is_fetched_of_one(void **state)
{
    (void)state;
    struct fixture *f = setup(3, 8);
    picker_peer_all(f->p, 2);
    picker_have(f->p, 0);
    pick(f, 1, NULL, 0, 8);
    uint32_t piece = f->out[0].piece;
    for (int i = 0; i < 8; i++) {
        picker_received(f->p, f->out[i], 1, NULL, NULL);
        picker_stored(f->p, f->out[i]);
    }
    picker_failed(f->p, piece);
    picker_set_priority(f->p, piece, 2);
    assert_int_equal(pick(f, 1, NULL, 0, 2), 2);
    assert_int_equal(f->out[0].piece, piece);
    assert_int_equal(pick(f, 2, NULL, 0, 2), 2); /* slow ones would join otherwise */
    assert_int_not_equal(f->out[0].piece, piece);
    teardown(f);
}

static void web_seeds_like_runs(void **state)
{
    (void)state;
    struct fixture *f = setup(200, 4);
    picker_peer_all(f->p, 1);
    for (uint32_t i = 0; i < 100; i += 2)
        picker_have(f->p, i);
    struct picker_ask ask = {.peer = 9, .speed = 2, .whole_runs = true};
    assert_int_equal(picker_pick(f->p, &ask, f->out, 64), 64);
    assert_int_equal(f->out[0].piece, 99);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(f->out[i].piece, 99 + i / 4);
    for (uint32_t i = 0; i < 64; i++)
        deliver(f, f->out[i], 9);
    assert_int_equal(picker_pick(f->p, &ask, f->out, 8), 8);
    assert_int_equal(f->out[0].piece, 115);
    teardown(f);
}

static void endgame_spares_young_blocks(void **state)
{
    (void)state;
    struct fixture *f = setup(4, 16);
    picker_peer_all(f->p, 2);
    struct picker_ask a = {.peer = 1, .speed = 0}, b = {.peer = 2, .speed = 2};
    assert_int_equal(picker_pick(f->p, &a, f->out, 32), 32);
    struct block_ref oldest = f->out[0];
    a.now = USEC_SEC;
    assert_int_equal(picker_pick(f->p, &a, f->out, 32), 32);
    b.now = USEC_SEC + USEC_MS;
    assert_int_equal(picker_pick(f->p, &b, f->out, 64), 34);
    for (int i = 0; i < 32; i++)
        assert_true(f->out[i].piece != f->out[32].piece);
    assert_int_equal(f->out[0].piece, oldest.piece);
    /* One whose peers left is asked for again before any copy is. */
    picker_drop_peer(f->p, 1);
    assert_false(picker_endgame(f->p));
    b.now += USEC_SEC;
    assert_int_equal(picker_pick(f->p, &b, f->out, 64), 30);
    assert_true(picker_endgame(f->p));
    picker_drop_peer(f->p, 2);
    assert_int_equal(picker_open_pieces(f->p), 0);
    teardown(f);
}

static void the_busy_take_no_copies(void **state)
{
    (void)state;
    struct fixture *f = setup(2, 4);
    picker_peer_all(f->p, 2);
    struct picker_ask a = {.peer = 1, .speed = 1}, b = {.peer = 2, .speed = 1, .busy = true};
    assert_int_equal(picker_pick(f->p, &a, f->out, 4), 4);
    assert_int_equal(picker_pick(f->p, &b, f->out, 16), 4); /* what nobody was asked for */
    b.now = 10 * USEC_SEC;
    assert_int_equal(picker_pick(f->p, &b, f->out, 16), 0);
    b.busy = false;
    assert_int_equal(picker_pick(f->p, &b, f->out, 16), 4);
    teardown(f);
}

static bool only_first(const void *ctx, uint32_t piece, uint32_t block)
{
    (void)ctx;
    return piece == 1 || block > 0;
}

static void padding(void **state)
{
    (void)state;
    struct fixture *f = setup(3, 4);
    picker_free(f->p);
    f->p = picker_new(&(struct picker_shape){3, same_blocks, only_first, f}, &f->rng);
    picker_peer_all(f->p, 1);
    assert_int_equal(pick(f, 1, NULL, 2, 12), 2); /* piece 1 is padding alone */
    assert_int_equal(f->out[0].block, 0);
    assert_int_equal(f->out[1].block, 0);
    assert_int_equal(f->out[0].piece + f->out[1].piece, 2);
    assert_false(picker_is_wanted(f->p, (struct block_ref){0, 1}));
    picker_received(f->p, f->out[0], 1, NULL, NULL);
    assert_true(picker_stored(f->p, f->out[0]));
    picker_unstore(f->p, (struct block_ref){f->out[0].piece, 2});
    assert_true(picker_is_stored(f->p, (struct block_ref){f->out[0].piece, 2}));
    picker_have(f->p, 1);
    assert_int_equal(picker_missing(f->p), 2);
    teardown(f);
}

/* Peers of all speeds, that come, go, stall and leave holes, until all is here. */
static void a_swarm_completes(void **state)
{
    (void)state;
    enum { N = 120, PEERS = 16, BLOCKS = 8 };
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture *f = setup(N, BLOCKS);
        struct bits has[PEERS];
        uint32_t waste = 0, open = 0;
        rng_seed(&f->rng, seed);
        for (uint32_t k = 0; k < PEERS; k++) {
            bits_init(&has[k], N);
            for (uint32_t i = 0; i < N; i++)
                if (i % PEERS == k || rng_below(&f->rng, 3) == 0)
                    bits_set(&has[k], i);
            picker_peer_bits(f->p, &has[k], 1);
        }
        for (usec now = 0; picker_missing(f->p); now += USEC_SEC / 10) {
            assert_true(now < 1000 * USEC_SEC);
            uint32_t k = (uint32_t)rng_below(&f->rng, PEERS);
            struct picker_ask ask = {.peer = k, .has = &has[k], .speed = k % 3, .now = now};
            size_t n = picker_pick(f->p, &ask, f->out, 1 + 4 * (k % 3));
            for (size_t i = 0; i < n; i++) {
                if (rng_below(&f->rng, 20) == 0)
                    continue; /* lost: only the drop below frees it */
                if (picker_received(f->p, f->out[i], k, NULL, NULL) != PICKER_NEW)
                    waste++;
                else if (picker_stored(f->p, f->out[i]))
                    picker_have(f->p, f->out[i].piece);
            }
            if (rng_below(&f->rng, 10) == 0)
                picker_drop_peer(f->p, k);
            open = picker_open_pieces(f->p) > open ? picker_open_pieces(f->p) : open;
        }
        assert_int_equal(waste, 0);
        assert_true(open <= 3 * PEERS);
        for (uint32_t k = 0; k < PEERS; k++)
            bits_fini(&has[k]);
        teardown(f);
    }
}

/* The limit of the manifest reader: must neither take long nor much. */
static void two_million_pieces(void **state)
{
    (void)state;
    enum { N = 1 << 21 };
    struct fixture *f = setup(N, 16);
    struct bits has, few;
    bits_init(&has, N);
    bits_init(&few, N);
    for (uint32_t i = 0; i < N; i++)
        if (rng_below(&f->rng, 2))
            bits_set(&has, i);
    bits_set(&few, N - 1);
    for (int i = 0; i < 4; i++)
        picker_peer_bits(f->p, &has, 1);
    picker_peer_bits(f->p, &few, 1);
    picker_have(f->p, 5);
    for (int i = 0; i < 20000; i++) {
        picker_peer_have(f->p, (uint32_t)rng_below(&f->rng, N), 1);
        assert_int_equal(pick(f, 1, &has, 2, 100), 100);
        for (int k = 0; k < 100; k++)
            deliver(f, f->out[k], 1);
    }
    assert_true(picker_open_pieces(f->p) <= 1);
    assert_int_equal(pick(f, 2, &few, 2, 100), 16);
    assert_int_equal(f->out[15].piece, N - 1);
    assert_int_equal(pick(f, 2, &few, 2, 100), 0);
    bits_fini(&has);
    bits_fini(&few);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(one_piece),
        cmocka_unit_test(blocks_of_a_piece_in_order),
        cmocka_unit_test(fast_peers_stay_apart),
        cmocka_unit_test(before_the_first_piece_all_help),
        cmocka_unit_test(the_last_fresh_piece_is_shared),
        cmocka_unit_test(slow_ones_join_slow_ones),
        cmocka_unit_test(a_nearly_ready_piece_is_helped),
        cmocka_unit_test(orphans_are_adopted),
        cmocka_unit_test(snubbed_peers),
        cmocka_unit_test(rarest_first),
        cmocka_unit_test(first_piece_at_random_ties_too),
        cmocka_unit_test(priority_before_rarity),
        cmocka_unit_test(sequential),
        cmocka_unit_test(sequential_in_a_crowd),
        cmocka_unit_test(sequential_up_to_a_limit),
        cmocka_unit_test(unwanted_while_open),
        cmocka_unit_test(late_answers_count),
        cmocka_unit_test(resumed_blocks),
        cmocka_unit_test(a_failed_piece_is_fetched_of_one),
        cmocka_unit_test(web_seeds_like_runs),
        cmocka_unit_test(endgame_spares_young_blocks),
        cmocka_unit_test(the_busy_take_no_copies),
        cmocka_unit_test(padding),
        cmocka_unit_test(a_swarm_completes),
        cmocka_unit_test(two_million_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

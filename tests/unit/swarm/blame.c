/* Blame falls on who lied and on nobody else. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/rng.h>
#include <p2p/swarm/blame.h>

#define N 16u

static struct blame_block block(uint64_t sender, uint8_t what)
{
    struct blame_block b = {.sender = sender};
    b.digest[19] = what;
    return b;
}

static void sole_sender(void **state)
{
    (void)state;
    struct blame *b = blame_new();
    struct blame_block v[N];
    for (uint32_t i = 0; i < N; i++)
        v[i] = block(7, (uint8_t)i);
    assert_int_equal(blame_failed(b, 3, v, N), 7);
    assert_int_equal(blame_failed(b, 3, v, 1), 7);
    assert_int_equal(blame_failed(b, 3, v, 0), 0);
    assert_false(blame_knows(b, 3)); /* the case is closed */
    for (uint32_t i = 0; i < N; i++)
        v[i].sender = 0;
    assert_int_equal(blame_failed(b, 4, v, N), 0); /* from the disk: nobody's fault */
    uint64_t guilty[4];
    assert_int_equal(blame_good(b, 4, v, N, guilty, 4), 0);
    blame_free(b);
    blame_free(NULL);
}

static void liar_among_many(void **state)
{
    (void)state;
    struct blame *b = blame_new();
    struct blame_block bad[N], good[N];
    uint64_t guilty[N];
    for (uint32_t i = 0; i < N; i++) {
        good[i] = block(1, (uint8_t)i);
        bad[i] = block(100 + i % 4, (uint8_t)(i % 4 == 2 ? 99 : i));
    }
    bad[5] = block(0, 200); /* unknown sender, bad data */
    assert_int_equal(blame_failed(b, 8, bad, N), 0);
    assert_true(blame_knows(b, 8));
    assert_false(blame_knows(b, 9));
    assert_int_equal(blame_good(b, 9, good, N, guilty, N), 0);
    assert_int_equal(blame_good(b, 8, good, N, guilty, N), 1);
    assert_int_equal(guilty[0], 102);
    assert_false(blame_knows(b, 8));
    assert_int_equal(blame_good(b, 8, good, N, guilty, N), 0);
    blame_free(b);
}

static void several_rounds(void **state)
{
    (void)state;
    struct blame *b = blame_new();
    struct blame_block bad[N], good[N];
    uint64_t guilty[N];
    for (uint32_t i = 0; i < N; i++)
        good[i] = bad[i] = block(1, (uint8_t)i);
    for (uint64_t liar = 2; liar < 6; liar++) {
        struct blame_block keep = bad[liar];
        bad[liar] = block(liar, 77);
        assert_int_equal(blame_failed(b, 1, bad, N), 0);
        bad[liar] = keep;
    }
    assert_int_equal(blame_good(b, 1, good, N, guilty, 2), 2); /* no room for more */
    assert_false(blame_knows(b, 1));
    blame_free(b);
}

static void bounded(void **state)
{
    (void)state;
    struct blame *b = blame_new();
    struct blame_block bad[2] = {block(1, 1), block(2, 2)}, good[2] = {block(3, 1), block(3, 9)};
    uint64_t guilty[4];
    for (uint32_t i = 0; i < 2 * BLAME_MAX_PIECES; i++)
        blame_failed(b, i, bad, 2);
    for (uint32_t i = 0; i < 2 * BLAME_MAX_PIECES; i++)
        assert_int_equal(blame_knows(b, i), i >= BLAME_MAX_PIECES);
    for (uint32_t i = BLAME_MAX_PIECES; i < 2 * BLAME_MAX_PIECES; i += 2) { /* holes in the list */
        assert_int_equal(blame_good(b, i, good, 2, guilty, 4), 1);
        assert_int_equal(guilty[0], 2);
    }
    static struct blame_block large[BLAME_MAX_BLOCKS + 1];
    large[0] = block(1, 1);
    assert_int_equal(blame_failed(b, 1, large, BLAME_MAX_BLOCKS + 1), 0);
    assert_false(blame_knows(b, 1));
    assert_true(blame_knows(b, BLAME_MAX_PIECES + 1));
    assert_int_equal(blame_failed(b, 1, large, BLAME_MAX_BLOCKS), 0);
    assert_true(blame_knows(b, 1));
    assert_false(blame_knows(b, BLAME_MAX_PIECES + 1));
    blame_free(b);
}

/* Honest peers are never named, and a liar that lied in a piece that became good always is. */
static void never_the_innocent(void **state)
{
    (void)state;
    enum { PEERS = 12, LIARS = 3 };
    struct rng r;
    rng_seed(&r, 1);
    struct blame *b = blame_new();
    for (int round = 0; round < 2000; round++) {
        struct blame_block good[N], got[N];
        uint64_t guilty[PEERS], lied = 0, named = 0;
        uint32_t piece = (uint32_t)rng_below(&r, 1000);
        for (uint32_t i = 0; i < N; i++)
            good[i] = block(0, (uint8_t)rng_below(&r, 256));
        for (uint64_t tries = 1 + rng_below(&r, 3); tries; tries--) {
            for (uint32_t i = 0; i < N; i++) {
                uint64_t sender = rng_below(&r, PEERS);
                bool lie = sender && sender <= LIARS && rng_below(&r, 2);
                got[i] = block(sender, (uint8_t)(good[i].digest[19] + lie));
                lied |= lie ? 1u << sender : 0;
            }
            assert_int_equal(blame_failed(b, piece, got, N), 0);
        }
        size_t n = blame_good(b, piece, good, N, guilty, PEERS);
        for (size_t i = 0; i < n; i++)
            named |= 1u << guilty[i];
        assert_int_equal(named, lied);
    }
    blame_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sole_sender), cmocka_unit_test(liar_among_many),
        cmocka_unit_test(several_rounds), cmocka_unit_test(bounded),
        cmocka_unit_test(never_the_innocent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

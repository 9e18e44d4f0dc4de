/* Pieces that are held: nothing of them is asked for or taken but their probes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/swarm/picker.h>

#include <stdlib.h>

#define PIECES 4u
#define BLOCKS 8u

static uint32_t same_blocks(const void *ctx, uint32_t piece)
{
    (void)ctx;
    (void)piece;
    return BLOCKS;
}

static struct picker *all_held(struct rng *r)
{
    rng_seed(r, 1);
    struct picker *p = picker_new(&(struct picker_shape){PIECES, same_blocks, NULL, NULL}, r);
    picker_peer_all(p, 1);
    for (uint32_t i = 0; i < PIECES; i++)
        picker_hold(p, i, true);
    return p;
}

static size_t pick(struct picker *p, uint32_t peer, struct block_ref *out, size_t n)
{
    return picker_pick(p, &(struct picker_ask){.peer = peer, .speed = 2}, out, n);
}

static void nothing_is_asked_for_or_taken(void **state)
{
    (void)state;
    struct rng r;
    struct picker *p = all_held(&r);
    struct block_ref out[64], b = {1, 2};
    assert_int_equal(pick(p, 1, out, 64), 0);
    assert_int_equal(picker_missing(p), PIECES); /* it is wanted all the same */
    assert_true(picker_interesting(p, &(struct bits){.n = 0}) == false);
    assert_false(picker_is_wanted(p, b));
    assert_int_equal(picker_received(p, b, 1, NULL, NULL), PICKER_NOT_WANTED);
    assert_false(picker_is_open(p, 1));
    picker_hold(p, 1, false);
    assert_true(picker_is_wanted(p, b));
    assert_int_equal(pick(p, 1, out, 64), BLOCKS);
    assert_int_equal(out[0].piece, 1);
    picker_free(p);
}

static void probes_come_first_and_alone(void **state)
{
    (void)state;
    struct rng r;
    struct picker *p = all_held(&r);
    struct block_ref out[64], b = {2, 5}, beside = {2, 6};
    picker_hold(p, 0, false);
    picker_probe(p, b);
    picker_probe(p, b);
    assert_int_equal(pick(p, 1, out, 64), 1 + BLOCKS);
    assert_int_equal(out[0].piece, 2);
    assert_int_equal(out[0].block, 5);
    assert_int_equal(out[1].piece, 0);
    assert_int_equal(pick(p, 2, out, 64), 0); /* no second time while there is more to do */
    assert_int_equal(picker_received(p, beside, 1, NULL, NULL), PICKER_NOT_WANTED);
    picker_drop(p, b, 1); /* it will not give: another is asked */
    assert_int_equal(pick(p, 2, out, 64), 1);
    assert_int_equal(out[0].block, 5);
    assert_int_equal(picker_received(p, b, 2, NULL, NULL), PICKER_NEW);
    assert_false(picker_stored(p, b));
    assert_int_equal(pick(p, 3, out, 64), 0);
    picker_hold(p, 2, false); /* nothing else was found of it: the rest comes, and that block not */
    assert_int_equal(pick(p, 3, out, 64), BLOCKS - 1);
    picker_free(p);
}

static void of_who_does_not_have_it_no_probe_is_asked(void **state)
{
    (void)state;
    struct rng r;
    struct picker *p = all_held(&r);
    struct bits has = {0};
    struct block_ref out[4];
    bits_init(&has, PIECES);
    bits_set(&has, 1);
    picker_probe(p, (struct block_ref){2, 0});
    picker_probe(p, (struct block_ref){1, 3});
    assert_int_equal(picker_pick(p, &(struct picker_ask){.peer = 1, .has = &has}, out, 4), 1);
    assert_int_equal(out[0].piece, 1);
    bits_fini(&has);
    picker_free(p);
}

static void to_have_it_ends_the_hold(void **state)
{
    (void)state;
    struct rng r;
    struct picker *p = all_held(&r);
    struct block_ref out[64];
    picker_probe(p, (struct block_ref){3, 0});
    picker_have(p, 3);
    assert_false(picker_is_held(p, 3));
    assert_int_equal(pick(p, 1, out, 64), 0);
    picker_lost(p, 3);
    assert_int_equal(pick(p, 1, out, 64), BLOCKS);
    assert_true(picker_holds(p));
    for (uint32_t i = 0; i < 3; i++)
        picker_have(p, i);
    assert_false(picker_holds(p));
    picker_free(p);
}

static void blocks_that_were_found_are_not_asked_for(void **state)
{
    (void)state;
    struct rng r;
    struct picker *p = all_held(&r);
    struct block_ref out[64];
    picker_hold(p, 1, false);
    for (uint32_t b = 0; b < BLOCKS; b++)
        if (b != 4)
            assert_false(picker_stored(p, (struct block_ref){1, b}));
    assert_int_equal(pick(p, 1, out, 64), 1);
    assert_int_equal(out[0].block, 4);
    assert_int_equal(picker_received(p, out[0], 1, NULL, NULL), PICKER_NEW);
    assert_true(picker_stored(p, out[0]));
    picker_free(p);
}

static void a_web_seed_gets_a_probe_by_itself(void **state)
{
    (void)state;
    struct rng r;
    struct picker *p = all_held(&r);
    struct block_ref out[64];
    struct picker_ask ask = {.peer = 1, .whole_runs = true};
    picker_hold(p, 0, false);
    picker_probe(p, (struct block_ref){2, 5});
    assert_int_equal(picker_pick(p, &ask, out, 64), 1);
    assert_int_equal(out[0].piece, 2);
    assert_int_equal(picker_pick(p, &ask, out, 64), BLOCKS);
    assert_int_equal(out[0].piece, 0);
    picker_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_asked_for_or_taken),
        cmocka_unit_test(probes_come_first_and_alone),
        cmocka_unit_test(of_who_does_not_have_it_no_probe_is_asked),
        cmocka_unit_test(to_have_it_ends_the_hold),
        cmocka_unit_test(blocks_that_were_found_are_not_asked_for),
        cmocka_unit_test(a_web_seed_gets_a_probe_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One near seed alone, or all: which is tried when, and what comes of it. */
#include <p2p/swarm/alone.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

struct world {
    struct alone a;
    uint64_t came, switches;
    usec full, now;
};

static struct world world(void)
{
    return (struct world){.now = 1000 * USEC_SEC};
}

/* Comes at so many bytes a second while all are asked, and while one is. */
static void come(struct world *w, uint64_t bytes, uint64_t all, uint64_t one)
{
    for (uint64_t i = 0; i < bytes / MIB; i++) {
        w->now += (usec)(MIB * (uint64_t)USEC_SEC / (w->a.one ? one : all));
        w->came += MIB;
        w->switches += alone_update(&w->a, w->came, w->full, w->now);
    }
}

static void until_one(struct world *w, uint64_t all)
{
    for (unsigned i = 0; i < 20000 && !w->a.one; i++) {
        w->full = w->now;
        come(w, MIB, all, all);
    }
    assert_true(w->a.one);
}

static void all_are_asked_while_they_are_the_slower_end(void **state)
{
    (void)state;
    struct world w = world();
    come(&w, 4096 * MIB, 500 * MIB, 500 * MIB);
    assert_false(w.a.one);
    assert_int_equal(w.switches, 0);
}

static void one_is_when_it_brings_as_much(void **state)
{
    (void)state;
    struct world w = world();
    until_one(&w, 500 * MIB);
    assert_true(w.came <= 64 * MIB);
    come(&w, 512 * MIB, 500 * MIB, 450 * MIB);
    assert_true(w.a.one);
    assert_int_equal(w.switches, 1);
}

/* They may have become quicker. */
static void now_and_then_all_are_asked_again(void **state)
{
    (void)state;
    struct world w = world();
    uint64_t apart = 0;
    until_one(&w, 500 * MIB);
    for (unsigned i = 0; i < 4096; i++) {
        w.full = w.now;
        come(&w, MIB, 500 * MIB, 500 * MIB);
        apart += !w.a.one;
    }
    assert_true(w.switches >= 5);
    assert_in_range(apart, 32, 4096 / 10);
}

static void one_that_brings_less_is_given_up(void **state)
{
    (void)state;
    struct world w = world();
    until_one(&w, 500 * MIB);
    uint64_t from = w.came;
    while (w.a.one && w.came < from + 1024 * MIB)
        come(&w, MIB, 500 * MIB, 350 * MIB);
    assert_false(w.a.one);
    assert_in_range(w.came - from, 64 * MIB, 192 * MIB);
}

static void one_that_brings_half_soon(void **state)
{
    (void)state;
    struct world w = world();
    until_one(&w, 500 * MIB);
    uint64_t from = w.came;
    while (w.a.one && w.came < from + 1024 * MIB)
        come(&w, MIB, 500 * MIB, 200 * MIB);
    assert_false(w.a.one);
    assert_true(w.came - from <= 64 * MIB);
}

/* Each pause is twice the last, until one proves itself. */
static void trials_that_fail_become_rare(void **state)
{
    (void)state;
    struct world w = world();
    usec last = 0;
    for (unsigned i = 0; i < 3; i++) {
        while (w.a.one)
            come(&w, MIB, 500 * MIB, 200 * MIB);
        usec from = w.now;
        until_one(&w, 500 * MIB);
        if (i > 0)
            assert_true(w.now - from >= 3 * USEC_SEC);
        if (i > 1)
            assert_true(w.now - from > last + last / 2);
        last = w.now - from;
    }
}

static void one_that_gives_nothing_is_given_up(void **state)
{
    (void)state;
    struct world w = world();
    until_one(&w, 500 * MIB);
    assert_false(alone_update(&w.a, w.came, w.full, w.now + ALONE_STALL - 1));
    assert_true(alone_update(&w.a, w.came, w.full, w.now + ALONE_STALL));
    assert_false(w.a.one);
}

static void who_has_nothing_more_ends_it(void **state)
{
    (void)state;
    struct world w = world();
    until_one(&w, 500 * MIB);
    alone_end(&w.a, w.now);
    assert_false(w.a.one);
    w.full = w.now;
    come(&w, 128 * MIB, 500 * MIB, 500 * MIB);
    assert_false(w.a.one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_asked_while_they_are_the_slower_end),
        cmocka_unit_test(one_is_when_it_brings_as_much),
        cmocka_unit_test(now_and_then_all_are_asked_again),
        cmocka_unit_test(one_that_brings_less_is_given_up),
        cmocka_unit_test(one_that_brings_half_soon),
        cmocka_unit_test(trials_that_fail_become_rare),
        cmocka_unit_test(one_that_gives_nothing_is_given_up),
        cmocka_unit_test(who_has_nothing_more_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

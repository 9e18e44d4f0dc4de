/* In which order a seed with a narrow line gives what it is asked for, and what it sends away. */
#include "../../sim/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BLOCK 16384u
#define PIECE (4 * BLOCK)
#define PIECES 12u
static const struct tube_file ONE = {NULL, PIECES *PIECE};

static struct { /* what a peer got, one after the other */
    uint32_t piece[64];
    unsigned n, rejected;
} of[4];

static void note(struct raw *r, const struct wire_msg *m)
{
    size_t i = (size_t)(uintptr_t)r->arg;
    if (m->type == WIRE_PIECE && of[i].n < 64)
        of[i].piece[of[i].n++] = m->index;
    of[i].rejected += m->type == WIRE_REJECT;
}

static unsigned got(size_t i, uint32_t piece)
{
    unsigned n = 0;
    for (unsigned k = 0; k < of[i].n; k++)
        n += of[i].piece[k] == piece;
    return n;
}

static void ask(struct raw *r, uint32_t piece)
{
    for (uint32_t b = 0; b < PIECE / BLOCK; b++)
        raw_block(r, WIRE_REQUEST, piece, b * BLOCK, BLOCK);
}

static struct raw *peer(struct rig *g, unsigned i)
{
    struct raw *r = raw_acting(g, i + 1, note);
    r->arg = (void *)(uintptr_t)i;
    raw_simple(r, WIRE_INTERESTED);
    return r;
}

static struct raw *one_without_rejects(struct rig *g, unsigned i)
{
    struct raw *r = raw_new(g, 9);
    r->act = note;
    r->arg = (void *)(uintptr_t)i;
    assert_true(raw_comes(r));
    raw_handshake(r, false, false, false);
    raw_simple(r, WIRE_INTERESTED);
    return r;
}

/* One block of `a`, for which the line was free, then `b` and then the rest. */
static void assert_first_of(size_t i, uint32_t b, uint32_t a)
{
    assert_int_equal(of[i].n, 2 * PIECE / BLOCK);
    for (unsigned k = 0; k < of[i].n; k++)
        assert_int_equal(of[i].piece[k], k > 0 && k <= PIECE / BLOCK ? b : a);
}

/* Two have these pieces and want nothing. */
static void others_have(struct rig *g, uint32_t a, uint32_t b)
{
    for (unsigned i = 20; i < 22; i++) {
        struct raw *r = raw_friend(g, i);
        raw_index(r, WIRE_HAVE, a);
        raw_index(r, WIRE_HAVE, b);
    }
}

/* A seed of four blocks a second, whose bucket is empty, and peers that may ask. */
static struct rig *narrow(uint64_t seed, struct raw **v, unsigned n)
{
    struct node_config c = {.limit_up = 4 * BLOCK};
    struct rig *g = rig_new(seed, &c);
    rig_content(g, &ONE, 1, 1, PIECE);
    rig_seed(g);
    for (unsigned i = 0; i < n; i++)
        v[i] = peer(g, i);
    rig_run(g, USEC_SEC);
    for (unsigned i = 0; i < n; i++)
        ask(v[i], PIECES - 1 - i);
    rig_run(g, USEC_SEC * (usec)(n + 1));
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(got(i, PIECES - 1 - i), PIECE / BLOCK);
    memset(of, 0, sizeof of);
    return g;
}

static void what_nobody_has_goes_first(void **state)
{
    (void)state;
    struct raw *v[1];
    struct rig *g = narrow(1, v, 1);
    others_have(g, 0, 1);
    ask(v[0], 0);
    ask(v[0], 2);
    rig_run(g, 10 * USEC_SEC);
    assert_first_of(0, 2, 0); /* nobody else waits: it has it all */
    assert_int_equal(of[0].rejected, 0);
    rig_free(g);
}

static void a_second_copy_waits_for_first_ones(void **state)
{
    (void)state;
    struct raw *v[2];
    struct rig *g = narrow(2, v, 2);
    others_have(g, 0, 1);
    ask(v[1], 4);
    ask(v[1], 5);
    ask(v[1], 6);
    ask(v[0], 0);
    ask(v[0], 1);
    rig_run(g, 1500 * USEC_MS);
    print_message("%u %u %u\n", of[1].n, of[0].n, of[0].rejected);
    assert_true(of[1].n >= 4 && of[0].n <= 1);
    assert_true(of[0].rejected >= 4); /* who has waited for a second is told */
    rig_run(g, 1500 * USEC_MS);
    ask(v[0], 3); /* a first copy again: not behind the others */
    rig_run(g, 3 * USEC_SEC);
    assert_int_equal(got(1, 4) + got(1, 5) + got(1, 6), 12);
    assert_int_equal(got(0, 3), 4);
    assert_int_equal(of[1].rejected, 0);
    rig_free(g);
}

/* Two who read nothing, so that what they ask for waits for their lines, and no limit. */
static struct rig *wide(uint64_t seed, struct raw **v)
{
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &ONE, 1, 1, PIECE);
    rig_seed(g);
    memset(of, 0, sizeof of);
    for (unsigned i = 0; i < 2; i++)
        v[i] = peer(g, i);
    others_have(g, 0, 1);
    rig_run(g, USEC_SEC);
    for (unsigned i = 0; i < 2; i++)
        v[i]->deaf = true;
    ask(v[0], 0);
    ask(v[0], 1);
    return g;
}

/* The lines share what goes out: one that waits long for a second copy keeps first ones waiting. */
static void without_a_limit_too(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct raw *v[2];
        struct rig *g = wide(7, v);
        ask(v[1], first ? 4 : 0);
        ask(v[1], first ? 5 : 1);
        rig_run(g, 1500 * USEC_MS);
        raw_listens(v[0]);
        rig_run(g, 500 * USEC_MS);
        assert_int_equal(of[0].rejected, first ? 8 : 0);
        assert_int_equal(of[0].n, first ? 0 : 8);
        raw_listens(v[1]);
        rig_run(g, 500 * USEC_MS);
        assert_int_equal(of[1].n, 8);
        rig_free(g);
    }
}

/* It may be that others let it have nothing. */
static void nobody_starves(void **state)
{
    (void)state;
    struct raw *v[2];
    struct rig *g = narrow(3, v, 2);
    others_have(g, 0, 1);
    for (uint32_t p = 2; p < 9; p++)
        ask(v[1], p);
    for (unsigned s = 0; s < 16; s++) {
        ask(v[0], s % 2);
        rig_run(g, 500 * USEC_MS);
    }
    print_message("%u %u\n", of[0].n, of[1].n);
    assert_in_range(of[0].n, 2, 8);
    assert_true(of[1].n >= 22);
    rig_free(g);
}

static void what_is_begun_is_anothers_until_he_goes(void **state)
{
    (void)state;
    struct raw *v[2];
    struct rig *g = narrow(4, v, 2);
    ask(v[0], 0);
    ask(v[1], 0);
    ask(v[1], 3);
    rig_run(g, 1600 * USEC_MS);
    assert_true(got(0, 0) >= 2);
    assert_true(got(1, 3) >= 1 && got(1, 0) == 0);
    raw_leaves(v[0]);
    ask(v[1], 0);
    rig_run(g, 3 * USEC_SEC);
    assert_int_equal(got(1, 0), 4);
    rig_free(g);
}

/* Nor is it his any more when he had all of it and went. */
static void who_has_a_piece_and_goes_takes_it_along(void **state)
{
    (void)state;
    struct raw *v[2];
    struct rig *g = narrow(6, v, 2);
    ask(v[0], 0);
    rig_run(g, 2 * USEC_SEC);
    assert_int_equal(got(0, 0), 4);
    raw_index(v[0], WIRE_HAVE, 0);
    raw_leaves(v[0]);
    others_have(g, 1, 2);
    ask(v[1], 1);
    ask(v[1], 0);
    rig_run(g, 3 * USEC_SEC);
    assert_first_of(1, 0, 1);
    rig_free(g);
}

/* Who knows no rejects would wait for what does not come. */
static void others_are_served_as_they_come(void **state)
{
    (void)state;
    struct raw *v[2];
    struct rig *g = narrow(5, v, 2);
    struct raw *old = one_without_rejects(g, 2);
    others_have(g, 0, 1);
    ask(v[1], 3);
    ask(v[1], 4);
    rig_run(g, 100 * USEC_MS);
    ask(old, 0);
    ask(old, 2);
    rig_run(g, 5 * USEC_SEC);
    assert_int_equal(of[2].n, 8);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(of[2].piece[i], 0);
    assert_false(old->closed);
    rig_free(g);
}

/* Nor does anybody wait behind them. */
static void others_keep_nobody_waiting(void **state)
{
    (void)state;
    struct raw *v[1];
    struct rig *g = narrow(6, v, 1);
    struct raw *old = one_without_rejects(g, 2);
    others_have(g, 0, 1);
    for (uint32_t p = 2; p < 7; p++)
        ask(old, p);
    ask(v[0], 0);
    ask(v[0], 1);
    rig_run(g, 4 * USEC_SEC);
    assert_int_equal(of[0].n, 8);
    assert_in_range(of[2].n, 8, 9);
    assert_int_equal(of[0].rejected, 0);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_has_goes_first),
        cmocka_unit_test(a_second_copy_waits_for_first_ones),
        cmocka_unit_test(without_a_limit_too),
        cmocka_unit_test(nobody_starves),
        cmocka_unit_test(what_is_begun_is_anothers_until_he_goes),
        cmocka_unit_test(who_has_a_piece_and_goes_takes_it_along),
        cmocka_unit_test(others_are_served_as_they_come),
        cmocka_unit_test(others_keep_nobody_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

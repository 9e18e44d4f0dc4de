/* When a seed leaves a crowd to itself, and to whom it gives all the same. */
#include "../../sim/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BLOCK 16384u
#define PEERS 4u /* none waits for a slot */
#define EACH 32u
#define PIECES (PEERS * EACH)
static const struct tube_file ONE = {NULL, PIECES *BLOCK};

static unsigned blocks[PEERS]; /* that each was given */

static size_t number(const struct raw *r)
{
    return (size_t)(uintptr_t)r->arg;
}

static void note(struct raw *r, const struct wire_msg *m)
{
    blocks[number(r)] += m->type == WIRE_PIECE;
}

static bool is_let_in(const struct raw *r)
{
    return r->got[WIRE_UNCHOKE] > r->got[WIRE_CHOKE];
}

/* A crowd whose pieces came of the seed, or else of somebody who is not seen. */
static struct rig *crowd(uint64_t seed, struct raw **v, bool by_us)
{
    struct node_config c = {.limit_up = 2 * BLOCK};
    struct rig *g = rig_new(seed, &c);
    rig_content(g, &ONE, 1, 1, BLOCK);
    rig_seed(g);
    memset(blocks, 0, sizeof blocks);
    for (unsigned i = 0; i < PEERS; i++) {
        v[i] = raw_acting(g, i + 1, note);
        v[i]->arg = (void *)(uintptr_t)i;
        raw_simple(v[i], WIRE_INTERESTED);
    }
    rig_run(g, USEC_SEC);
    for (uint32_t p = 0; p < PIECES; p++) {
        struct raw *r = v[p % PEERS];
        unsigned before = blocks[p % PEERS];
        if (by_us)
            raw_block(r, WIRE_REQUEST, p, 0, BLOCK);
        rig_run(g, USEC_SEC);
        assert_int_equal(blocks[p % PEERS], before + by_us);
        raw_index(r, WIRE_HAVE, p);
        if (p > 0) /* none keeps what it has to itself */
            raw_index(r, WIRE_HAVE, p - 1);
    }
    return g;
}

static uint32_t lacks(size_t i)
{
    return (uint32_t)(i + 1) % PEERS;
}

/* They give each other all but one piece each, one in `each`. */
static void spread_in(struct rig *g, struct raw **v, size_t but, usec each)
{
    for (uint32_t p = 0; p < PIECES; p++) {
        for (size_t i = 0; i < PEERS; i++)
            if (i != but && p != lacks(i))
                raw_index(v[i], WIRE_HAVE, p);
        rig_run(g, each);
    }
    rig_run(g, 500 * USEC_MS);
}

static void spread(struct rig *g, struct raw **v, size_t but)
{
    spread_in(g, v, but, 50 * USEC_MS);
}

static void who_is_fed_by_others_is_left_to_them(void **state)
{
    (void)state;
    struct raw *v[PEERS];
    struct rig *g = crowd(1, v, true);
    spread(g, v, PEERS);
    for (size_t i = 0; i < PEERS; i++)
        assert_false(is_let_in(v[i]));
    /* nothing comes to them any more: it may be that nobody is there to give */
    rig_run(g, 60 * USEC_SEC);
    for (size_t i = 0; i < PEERS; i++)
        assert_true(is_let_in(v[i]));
    rig_free(g);
}

static void who_has_nothing_of_others_is_served(void **state)
{
    (void)state;
    struct raw *v[PEERS];
    struct rig *g = crowd(2, v, true);
    rig_run(g, 8 * USEC_SEC);
    spread(g, v, 2);
    for (size_t i = 0; i < PEERS; i++)
        assert_int_equal(is_let_in(v[i]), i == 2);
    unsigned before = blocks[2];
    raw_block(v[2], WIRE_REQUEST, 0, 0, BLOCK);
    rig_run(g, USEC_SEC);
    assert_int_equal(blocks[2], before + 1);
    rig_free(g);
}

/* What went with them nobody else can give. */
static void when_the_others_go_it_serves_again(void **state)
{
    (void)state;
    struct raw *v[PEERS];
    struct rig *g = crowd(3, v, true);
    spread(g, v, PEERS);
    for (size_t i = 1; i < PEERS; i++)
        raw_leaves(v[i]);
    assert_false(is_let_in(v[0]));
    rig_run(g, USEC_SEC);
    assert_true(is_let_in(v[0]));
    rig_free(g);
}

/* Together they give each other little more than the seed does. */
static void who_is_fed_slowly_is_served(void **state)
{
    (void)state;
    struct raw *v[PEERS];
    struct rig *g = crowd(5, v, true);
    spread_in(g, v, PEERS, 500 * USEC_MS);
    for (size_t i = 0; i < PEERS; i++)
        assert_true(is_let_in(v[i]));
    rig_free(g);
}

/* One of many seeds does not leave it to the others: all would. */
static void who_did_not_bring_it_all_goes_on(void **state)
{
    (void)state;
    struct raw *v[PEERS];
    struct rig *g = crowd(4, v, false);
    spread(g, v, PEERS);
    for (size_t i = 0; i < PEERS; i++)
        assert_true(is_let_in(v[i]));
    rig_free(g);
}

/* Whether he goes is to be seen while others lack what he has. */
static void who_came_to_have_all_is_parted_from_later(void **state)
{
    (void)state;
    struct raw *v[PEERS];
    struct rig *g = crowd(5, v, true);
    for (uint32_t p = 0; p < PIECES; p++)
        raw_index(v[0], WIRE_HAVE, p);
    rig_run(g, 2 * USEC_SEC);
    assert_false(v[0]->closed);
    rig_run(g, 5 * USEC_SEC);
    assert_true(v[0]->closed);
    for (size_t i = 1; i < PEERS; i++)
        raw_simple(v[i], WIRE_NOT_INTERESTED);
    for (uint32_t p = 0; p < PIECES; p++)
        raw_index(v[1], WIRE_HAVE, p);
    assert_true(v[1]->closed); /* nobody lacks anything */
    rig_free(g);
}

static void a_leech_that_is_done_stays_a_moment_longer(void **state)
{
    (void)state;
    struct rig *g = rig_new(6, NULL);
    rig_content(g, &ONE, 1, 1, BLOCK);
    rig_leech(g);
    raw_simple(raw_friend(g, 2), WIRE_INTERESTED);
    struct raw *seed = raw_acting(g, 1, raw_serves);
    raw_bits(seed, true);
    raw_simple(seed, WIRE_UNCHOKE);
    assert_true(rig_until(g, &g->complete, 20 * USEC_SEC));
    assert_false(seed->closed);
    rig_run(g, 7 * USEC_SEC);
    assert_true(seed->closed);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_fed_by_others_is_left_to_them),
        cmocka_unit_test(who_has_nothing_of_others_is_served),
        cmocka_unit_test(when_the_others_go_it_serves_again),
        cmocka_unit_test(who_is_fed_slowly_is_served),
        cmocka_unit_test(who_did_not_bring_it_all_goes_on),
        cmocka_unit_test(who_came_to_have_all_is_parted_from_later),
        cmocka_unit_test(a_leech_that_is_done_stays_a_moment_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

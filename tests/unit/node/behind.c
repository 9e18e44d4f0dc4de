/* Who gives on more slowly than it is given makes room at the seed; where many do, nobody. */
#include "../../sim/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BLOCK 16384u
#define SLOTS 4u
#define PEERS (SLOTS + 1)
#define EACH 8u
#define SPREAD 3u
#define PIECES (PEERS * EACH)
static const struct tube_file ONE = {NULL, PIECES *BLOCK};

static bool is_let_in(const struct raw *r)
{
    return r->got[WIRE_UNCHOKE] > r->got[WIRE_CHOKE];
}

static uint32_t piece(size_t i, uint32_t k)
{
    return (uint32_t)i * EACH + k;
}

/* The first `m` ask for pieces of their own from `k` on and have them, all at a time; and so has
 * the last of all, if they spread. */
static void get(struct rig *g, struct raw **v, size_t m, uint32_t k, uint32_t n, bool spread)
{
    for (size_t i = 0; i < m; i++)
        for (uint32_t p = k; p < k + n; p++)
            raw_block(v[i], WIRE_REQUEST, piece(i, p), 0, BLOCK);
    rig_run(g, (usec)(m * n) * 360 * USEC_MS);
    for (int last = 0; last <= spread; last++) {
        for (size_t i = 0; i < m; i++)
            for (uint32_t p = k; p < k + n; p++)
                raw_index(last ? v[PEERS - 1] : v[i], WIRE_HAVE, piece(i, p));
        rig_run(g, 100 * USEC_MS);
    }
}

/* As many as there are slots, each of whom gave three pieces on; and one who waits for a slot. */
static struct rig *served(uint64_t seed, struct raw **v)
{
    struct node_config c = {.limit_up = 48000}; /* too narrow for more slots */
    struct rig *g = rig_new(seed, &c);
    rig_content(g, &ONE, 1, 1, BLOCK);
    rig_seed(g);
    for (unsigned i = 0; i < PEERS; i++) {
        v[i] = raw_acting(g, i + 1, NULL);
        raw_simple(v[i], i < SLOTS ? WIRE_INTERESTED : WIRE_NOT_INTERESTED);
    }
    rig_run(g, USEC_SEC);
    get(g, v, SLOTS, 0, SPREAD, true);
    return g;
}

/* These have pieces that stand at them; all lines are full, and one waits for a slot. */
static struct rig *stand(uint64_t seed, struct raw **v, size_t at, uint32_t pieces)
{
    struct rig *g = served(seed, v);
    get(g, v, at, SPREAD, pieces, false);
    for (size_t i = 0; i < SLOTS; i++) {
        v[i]->deaf = true;
        raw_block(v[i], WIRE_REQUEST, piece(i, EACH - 1), 0, BLOCK);
    }
    raw_simple(v[PEERS - 1], WIRE_INTERESTED);
    rig_run(g, 100 * USEC_MS);
    assert_false(is_let_in(v[PEERS - 1]));
    rig_run(g, 10500 * USEC_MS); /* as long as our rate remembers how little we gave */
    for (size_t i = 0; i < SLOTS; i++)
        raw_listens(v[i]);
    return g;
}

static void who_is_behind_makes_room(void **state)
{
    (void)state;
    for (uint32_t n = 2; n < 4; n++) { /* two pieces may stand at it */
        struct raw *v[PEERS];
        struct rig *g = stand(n, v, 1, n);
        assert_int_equal(is_let_in(v[0]), n == 2);
        assert_int_equal(is_let_in(v[PEERS - 1]), n == 3);
        for (size_t i = 1; i < SLOTS; i++)
            assert_true(is_let_in(v[i]));
        rig_free(g);
    }
}

static void where_many_are_behind_nobody_is(void **state)
{
    (void)state;
    struct raw *v[PEERS];
    struct rig *g = stand(4, v, SLOTS - 1, 3);
    for (size_t i = 0; i < SLOTS; i++)
        assert_int_equal(v[i]->got[WIRE_CHOKE], 0);
    assert_int_equal(v[PEERS - 1]->got[WIRE_UNCHOKE], 0);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_behind_makes_room),
        cmocka_unit_test(where_many_are_behind_nobody_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

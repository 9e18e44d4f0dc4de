/* Room for neighbours where there is none for anybody else: they come in, and they are dialled. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#define FULL 6u

struct world {
    struct rig *g;
    struct raw *far[FULL];
};

/* Its answer takes as long as from afar. */
static struct raw *far_friend(struct rig *g, unsigned i)
{
    struct raw *r = raw_new(g, i);
    assert_true(raw_comes(r));
    raw_handshake(r, true, true, false);
    rig_run(g, USEC_SEC / 10);
    raw_hello(r, 0);
    return r;
}

/* As many from afar as may be connected; a leech here, which hopes for something of each. */
static struct world full(unsigned prefer)
{
    struct tube_file one = {NULL, 300000};
    struct node_config c = {
        .client = "room", .port = 6881, .max_conns = FULL, .prefer_local = prefer};
    struct world w = {.g = rig_new(1, &c)};
    rig_content(w.g, &one, 1, 1, 16384);
    rig_leech(w.g);
    for (unsigned i = 0; i < FULL; i++)
        w.far[i] = far_friend(w.g, i);
    return w;
}

static unsigned closed(const struct world *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < FULL; i++)
        n += w->far[i]->closed;
    return n;
}

static struct raw *neighbour(struct world *w, const char *where)
{
    struct raw *r = raw_new(w->g, FULL);
    assert_true(addr_parse(&r->addr, where));
    return r;
}

static void a_neighbour_comes_in(void **state)
{
    (void)state;
    struct world w = full(50);
    assert_false(raw_comes(neighbour(&w, "192.168.1.9:7000"))); /* all may be at work */
    rig_run(w.g, 6 * USEC_SEC);
    assert_false(raw_comes(neighbour(&w, "77.1.2.3:7000")));
    assert_int_equal(closed(&w), 0);
    assert_true(raw_comes(neighbour(&w, "192.168.1.9:7000")));
    assert_int_equal(closed(&w), 1);
    rig_free(w.g);
}

static void near_and_far_are_one(void **state)
{
    (void)state;
    struct world w = full(0);
    rig_run(w.g, 6 * USEC_SEC);
    assert_false(raw_comes(neighbour(&w, "192.168.1.9:7000")));
    assert_int_equal(closed(&w), 0);
    rig_free(w.g);
}

static void a_neighbour_is_dialled(void **state)
{
    (void)state;
    struct world w = full(50);
    struct raw *near = neighbour(&w, "192.168.1.9:7000"), *far = neighbour(&w, "77.1.2.3:7000");
    raw_waits(near);
    raw_waits(far);
    rig_run(w.g, 10 * USEC_SEC);
    assert_int_equal(near->dials, 1);
    assert_int_equal(far->dials, 0);
    assert_int_equal(closed(&w), 1);
    rig_free(w.g);
}

/* Neighbours are not driven out for neighbours. */
static void not_for_each_other(void **state)
{
    (void)state;
    struct world w = full(50);
    char where[32];
    rig_run(w.g, 6 * USEC_SEC);
    for (unsigned i = 0; i < FULL; i++) {
        snprintf(where, sizeof where, "192.168.1.%u:7000", 10 + i);
        struct raw *r = neighbour(&w, where);
        assert_true(raw_comes(r));
        raw_handshake(r, true, true, false);
        rig_run(w.g, USEC_SEC);
    }
    assert_int_equal(closed(&w), FULL);
    rig_run(w.g, 6 * USEC_SEC);
    assert_false(raw_comes(neighbour(&w, "192.168.1.99:7000")));
    rig_free(w.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_neighbour_comes_in),
        cmocka_unit_test(near_and_far_are_one),
        cmocka_unit_test(a_neighbour_is_dialled),
        cmocka_unit_test(not_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

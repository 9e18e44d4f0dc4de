/*
 * Neighbours in whole nodes: a copy crosses once, a crowd costs an origin one copy, and no liar,
 * dead neighbour or foreign client keeps anybody from completing.
 */
#include "../../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define MAX 8
#define SIZE 8000000u

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *host[MAX];
    struct item *item[MAX];
    uint32_t n;
    unsigned site;
};

static const struct host_config FAR = {.up = 500000, .delay = 30 * USEC_MS};
static const struct host_config NEAR = {
    .up = 10000000, .down = 10000000, .delay = USEC_MS / 5, .prefer_local = 50};

static struct world world(uint64_t seed, bool web)
{
    struct tube_file one = {NULL, SIZE};
    struct world w = {.t = tube_new(seed)};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 3, 65536, &w.content);
    if (web) {
        manifest_add_web_seed(w.m, "http://origin.test/thing");
        tube_origin(w.t, "http://origin.test/thing", w.m, w.content, 2000000, false, 0);
    }
    w.site = tube_site(w.t, &(struct site_config){.delay = 20 * USEC_MS});
    return w;
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

/* One that has `percent` of it, and knows all that are here already. */
static uint32_t add(struct world *w, const struct host_config *c, uint32_t percent)
{
    struct bits have;
    bits_init(&have, w->m->n_pieces);
    for (uint32_t p = 0; p < w->m->n_pieces * percent / 100; p++)
        bits_set(&have, p);
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = &have};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    struct host *h = tube_host(w->t, c);
    struct item *it = host_add(h, &tc, percent ? w->content : NULL);
    for (uint32_t i = 0; i < w->n; i++) {
        struct addr a = host_addr(w->host[i]);
        node_add_peer(host_node(h), it->task, &a, POOL_USER, tube_now(w->t));
    }
    w->host[w->n] = h;
    w->item[w->n] = it;
    bits_fini(&have);
    return w->n++;
}

static uint32_t add_near(struct world *w, unsigned prefer, uint32_t percent)
{
    struct host_config c = NEAR;
    c.site = w->site;
    c.prefer_local = prefer;
    return add(w, &c, percent);
}

static bool all_complete(void *arg)
{
    const struct world *w = arg;
    for (uint32_t i = 0; i < w->n; i++)
        if (!w->item[i]->complete)
            return false;
    return true;
}

static double finish(struct world *w, usec limit)
{
    usec begun = tube_now(w->t);
    assert_true(tube_run(w->t, limit, all_complete, w));
    for (uint32_t i = 0; i < w->n; i++)
        assert_memory_equal(w->item[i]->disk, w->content, w->m->space);
    return (double)(tube_now(w->t) - begun) / 1e6;
}

static struct node_status status(struct world *w, uint32_t i)
{
    struct node_status s;
    assert_true(node_status(host_node(w->host[i]), w->item[i]->task, &s, tube_now(w->t)));
    return s;
}

static double far_copies(unsigned prefer)
{
    struct world w = world(prefer + 1, false);
    add(&w, &FAR, 100);
    for (int i = 0; i < 5; i++)
        add_near(&w, prefer, 0);
    finish(&w, 600 * USEC_SEC);
    double far = 0, near = 0, to_near = 0;
    for (uint32_t i = 1; i < w.n; i++) {
        struct node_status s = status(&w, i);
        far += (double)(s.from_peers - s.from_near) / SIZE;
        near += (double)s.from_near / SIZE;
        to_near += (double)s.to_near / SIZE;
    }
    print_message("prefer %u: %.2f copies from afar, %.2f from neighbours\n", prefer, far, near);
    if (prefer)
        assert_true(near > 3.5 && to_near > 3.5);
    end(&w);
    return far;
}

static void one_copy_crosses(void **state)
{
    (void)state;
    assert_true(far_copies(50) < 1.2);
    assert_true(far_copies(100) < 1.2);
}

static void neighbours_are_counted(void **state)
{
    (void)state;
    struct world w = world(7, false);
    add(&w, &FAR, 100);
    for (int i = 0; i < 3; i++)
        add_near(&w, 50, 0);
    tube_run(w.t, 3 * USEC_SEC, NULL, NULL);
    struct node_status s = status(&w, 1);
    assert_int_equal(s.peers, 3);
    assert_int_equal(s.near, 2);
    assert_int_equal(status(&w, 0).near, 0);
    end(&w);
}

static void one_copy_of_the_origin(void **state)
{
    (void)state;
    struct world w = world(3, true);
    for (int i = 0; i < 5; i++)
        add_near(&w, 50, 0);
    finish(&w, 600 * USEC_SEC);
    double copies = (double)tube_origin_sent(w.t) / SIZE;
    print_message("five neighbours cost the origin %.2f copies\n", copies);
    assert_true(copies < 1.2);
    end(&w);
}

/* Alone with the origin nothing is slower than with the preference off. */
static void alone(void **state)
{
    double took[2];
    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        struct world w = world(4, true);
        add_near(&w, k * 50, 0);
        took[k] = finish(&w, 600 * USEC_SEC);
        end(&w);
    }
    print_message("alone: %.2f s, %.2f s without\n", took[1], took[0]);
    assert_true(took[1] < 1.15 * took[0]);
}

/* A neighbour dies in the middle: what was left to it is fetched by the others. */
static void a_neighbour_dies(void **state)
{
    (void)state;
    struct world w = world(5, false);
    add(&w, &FAR, 100);
    for (int i = 0; i < 4; i++)
        add_near(&w, 50, 0);
    tube_run(w.t, 6 * USEC_SEC, NULL, NULL);
    host_kill(w.host[4]);
    w.n--;
    assert_true(finish(&w, 300 * USEC_SEC) < 60);
    end(&w);
}

/* A neighbour that wants only the beginning stays, and brings nothing more. */
static void a_neighbour_sleeps(void **state)
{
    (void)state;
    struct world w = world(6, false);
    add(&w, &FAR, 100);
    struct host_config c = NEAR;
    c.site = w.site;
    c.limit_down = 10; /* it downloads, so it says, for ever */
    add(&w, &c, 0);
    add_near(&w, 50, 0);
    w.item[1]->complete = true; /* not waited for */
    assert_true(tube_run(w.t, 300 * USEC_SEC, all_complete, &w));
    double took = (double)(w.item[2]->complete_at) / 1e6 - 1000;
    print_message("beside a neighbour that sleeps: %.1f s, alone 16\n", took);
    assert_true(took < 45);
    end(&w);
}

/* One near has all and gives it at a trickle: far peers are not kept waiting for it. */
static void a_neighbour_trickles(void **state)
{
    (void)state;
    struct world w = world(8, false);
    add(&w, &FAR, 100);
    struct host_config c = NEAR;
    c.site = w.site;
    c.limit_up = 2000;
    add(&w, &c, 100);
    add_near(&w, 50, 0);
    double took = finish(&w, 300 * USEC_SEC);
    print_message("beside a neighbour that trickles: %.1f s, alone 16\n", took);
    assert_true(took < 45);
    end(&w);
}

/* A peer has all and gives it at a trickle: the origin is asked before long. */
static void a_peer_trickles(void **state)
{
    (void)state;
    struct world w = world(9, true);
    struct host_config c = FAR;
    c.limit_up = 2000;
    add(&w, &c, 100);
    add_near(&w, 50, 0);
    double took = finish(&w, 300 * USEC_SEC);
    print_message("an origin and a peer that trickles: %.1f s, the origin alone 4\n", took);
    assert_true(took < 12);
    end(&w);
}

/* A seed at an eighth of what the origin gives: nobody else is there to be spared it. */
static void a_seed_is_slow(void **state)
{
    (void)state;
    struct world w = world(11, true);
    struct host_config c = FAR;
    c.up = 250000;
    add(&w, &c, 100);
    add_near(&w, 50, 0);
    double took = finish(&w, 300 * USEC_SEC);
    print_message("an origin and a slow seed: %.1f s, the origin alone 4, the seed 32\n", took);
    assert_true(took < 8);
    end(&w);
}

static void off(void **state)
{
    (void)state;
    struct world w = world(10, true);
    for (int i = 0; i < 3; i++)
        add_near(&w, 0, 0);
    finish(&w, 100 * USEC_SEC);
    assert_true((double)tube_origin_sent(w.t) / SIZE > 1.5); /* each helps himself */
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_copy_crosses),
        cmocka_unit_test(neighbours_are_counted),
        cmocka_unit_test(one_copy_of_the_origin),
        cmocka_unit_test(alone),
        cmocka_unit_test(a_neighbour_dies),
        cmocka_unit_test(a_neighbour_sleeps),
        cmocka_unit_test(a_neighbour_trickles),
        cmocka_unit_test(a_peer_trickles),
        cmocka_unit_test(a_seed_is_slow),
        cmocka_unit_test(off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

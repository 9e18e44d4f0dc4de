/*
 * Near seeds and a leech whose disk is the slower end: one is asked while the others rest,
 * another goes on when it is gone, and all are asked where one alone brings less. Figures in bytes
 * a second, in virtual time.
 */
#include "../../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define SEEDS 4u
#define LEECH SEEDS
#define SIZE (512u << 20)
#define LINE 1000000000u

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *host[SEEDS + 1];
    struct item *item[SEEDS + 1];
};

static void add(struct world *w, uint32_t i, unsigned site, const struct host_config *like)
{
    struct host_config c = *like;
    struct bits have;
    bits_init(&have, w->m->n_pieces);
    if (i != LEECH)
        bits_fill(&have, true);
    c.site = site;
    c.delay = USEC_MS / 5;
    c.prefer_local = 50;
    c.down = LINE;
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = &have};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    w->host[i] = tube_host(w->t, &c);
    w->item[i] = host_add(w->host[i], &tc, i == LEECH ? NULL : w->content);
    bits_fini(&have);
}

/* Seeds with lines of that rate, and a leech that writes so much. */
static struct world world(uint64_t seed, uint64_t line, uint64_t disk, bool near)
{
    struct tube_file one = {NULL, SIZE};
    struct world w = {.t = tube_new(seed)};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 1, 1u << 20, &w.content);
    tube_phantom(w.t, w.m, w.content);
    unsigned here = tube_site(w.t, &(struct site_config){.delay = 60 * USEC_MS});
    unsigned there = tube_site(w.t, &(struct site_config){.delay = 60 * USEC_MS});
    for (uint32_t i = 0; i < SEEDS; i++)
        add(&w, i, near ? here : there, &(struct host_config){.up = line});
    add(&w, LEECH, here, &(struct host_config){.up = LINE, .disk = disk});
    for (uint32_t i = 0; i < SEEDS; i++) {
        struct addr a = host_addr(w.host[i]);
        node_add_peer(host_node(w.host[LEECH]), w.item[LEECH]->task, &a, POOL_USER, tube_now(w.t));
    }
    return w;
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static bool is_complete(void *arg)
{
    const struct world *w = arg;
    return w->item[LEECH]->complete;
}

static uint64_t gave(const struct world *w, uint32_t i)
{
    struct node_status s;
    node_status(host_node(w->host[i]), w->item[i]->task, &s, tube_now(w->t));
    return s.uploaded;
}

static uint32_t busiest(const struct world *w)
{
    uint32_t most = 0;
    for (uint32_t i = 1; i < SEEDS; i++)
        if (gave(w, i) > gave(w, most))
            most = i;
    return most;
}

static uint64_t come(const struct world *w)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < SEEDS; i++)
        sum += gave(w, i);
    return sum;
}

static void run_until(struct world *w, uint64_t bytes)
{
    for (unsigned i = 0; i < 10000 && come(w) < bytes; i++)
        tube_run(w->t, 10 * USEC_MS, NULL, NULL);
    assert_true(come(w) >= bytes);
    assert_false(w->item[LEECH]->complete);
}

/* Seconds until it is complete. */
static double finish(struct world *w)
{
    usec from = tube_now(w->t);
    assert_true(tube_run(w->t, 600 * USEC_SEC, is_complete, w));
    assert_true(come(w) <= SIZE + SIZE / 50);
    return (double)(tube_now(w->t) - from) / 1e6;
}

static void one_does_for_a_slow_disk(void **state)
{
    (void)state;
    struct world w = world(1, LINE / 4, 100000000, true);
    double took = finish(&w);
    print_message("of %u near seeds one gave %.0f %%, in %.2f s\n", SEEDS,
                  100.0 * (double)gave(&w, busiest(&w)) / SIZE, took);
    assert_true(gave(&w, busiest(&w)) > SIZE / 4 * 3);
    assert_true(took < 1.05 * SIZE / 1e8);
    end(&w);
}

static void all_are_asked_by_a_quick_disk(void **state)
{
    (void)state;
    struct world w = world(2, LINE / 10, 0, true);
    double took = finish(&w);
    assert_true(gave(&w, busiest(&w)) < SIZE / 3);
    assert_true(took < 1.2 * SIZE / (SEEDS * LINE / 10.0));
    end(&w);
}

/* Alone it brings a third of what the disk takes. */
static void all_are_asked_if_one_is_too_slow(void **state)
{
    (void)state;
    struct world w = world(3, 34000000, 100000000, true);
    double took = finish(&w);
    print_message("seeds with a third of the disk's rate: %.2f of the least time\n",
                  took / (SIZE / 1e8));
    assert_true(gave(&w, busiest(&w)) < SIZE / 2);
    assert_true(took < 1.3 * SIZE / 1e8);
    end(&w);
}

static void far_ones_are_all_asked(void **state)
{
    (void)state;
    struct world w = world(4, LINE / 4, 100000000, false);
    finish(&w);
    assert_true(gave(&w, busiest(&w)) < SIZE / 2);
    end(&w);
}

static void another_goes_on_when_it_is_gone(void **state)
{
    (void)state;
    struct world w = world(5, LINE / 4, 100000000, true);
    run_until(&w, SIZE / 2);
    uint32_t one = busiest(&w);
    uint64_t before = gave(&w, one);
    host_stop(w.host[one]);
    usec from = tube_now(w.t);
    assert_true(tube_run(w.t, 600 * USEC_SEC, is_complete, &w));
    double took = (double)(tube_now(w.t) - from) / 1e6;
    print_message("half of it came after the one had gone, in %.2f s\n", took);
    assert_true(before > SIZE / 4);
    assert_true(took < SIZE / 2 / 1e8 + 0.3); /* no wait for a tick of a second */
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_does_for_a_slow_disk),
        cmocka_unit_test(all_are_asked_by_a_quick_disk),
        cmocka_unit_test(all_are_asked_if_one_is_too_slow),
        cmocka_unit_test(far_ones_are_all_asked),
        cmocka_unit_test(another_goes_on_when_it_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

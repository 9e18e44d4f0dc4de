/* Under a limit no more is asked for than it takes in: the rest would come all the same. */
#include "../../sim/tube.h"

#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define BLOCK 16384u
#define PIECE (16 * BLOCK)
#define MOST 10

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *leech, *seed[MOST];
    struct item *it;
    size_t n;
};

static struct node_task_config config(const struct world *w, const struct bits *have)
{
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = have};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    return tc;
}

static struct world world(uint64_t size, uint64_t limit)
{
    struct tube_file one = {NULL, size};
    struct host_config h = {
        .up = 10000000, .down = 100000000, .delay = USEC_MS, .limit_down = limit};
    struct world w = {.t = tube_new(7)};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 1, PIECE, &w.content);
    struct node_task_config tc = config(&w, NULL);
    w.leech = tube_host(w.t, &h);
    w.it = host_add(w.leech, &tc, NULL);
    return w;
}

static void add_seed(struct world *w, uint64_t up, usec delay)
{
    struct host_config h = {.up = up, .down = 10000000, .delay = delay};
    struct bits all;
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config tc = config(w, &all);
    struct host *s = w->seed[w->n++] = tube_host(w->t, &h);
    host_add(s, &tc, w->content);
    struct addr a = host_addr(s);
    node_add_peer(host_node(w->leech), w->it->task, &a, POOL_USER, tube_now(w->t));
    bits_fini(&all);
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static double sent(const struct world *w)
{
    double n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += (double)host_sent(w->seed[i]);
    return n;
}

static void ahead_of_the_limit(uint64_t rate, size_t peers)
{
    struct world w = world(rate * 12, rate);
    for (size_t i = 0; i < peers; i++)
        add_seed(&w, 50000000, 5 * USEC_MS);
    double ahead = 0.3 * (double)rate + (double)((2 + 2 * peers) * BLOCK);
    double most = 0;
    for (unsigned tenth = 1; tenth <= 100; tenth++) {
        tube_run(w.t, USEC_SEC / 10, NULL, NULL);
        double lead = sent(&w) - (double)rate * tenth / 10;
        most = lead > most ? lead : most;
    }
    assert_true(most <= ahead);
    assert_true((double)host_received(w.leech) >= 0.97 * 10 * (double)rate);
    end(&w);
}

static void no_more_than_it_takes_in(void **state)
{
    static const uint64_t rates[] = {20000, 50000, 100000, 1000000, 20000000};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        ahead_of_the_limit(rates[i], 1);
        ahead_of_the_limit(rates[i], 5);
    }
}

/* Seconds until all is here from one that is fast and far away, and some that are slow. */
static double takes(uint64_t limit)
{
    struct world w = world(40000000, limit);
    add_seed(&w, 3000000, 80 * USEC_MS);
    for (size_t i = 1; i < 9; i++)
        add_seed(&w, 50000, 80 * USEC_MS);
    usec begun = tube_now(w.t);
    while (!w.it->complete && tube_now(w.t) < begun + 100 * USEC_SEC)
        tube_run(w.t, USEC_SEC / 10, NULL, NULL);
    assert_true(w.it->complete);
    double seconds = (double)(w.it->complete_at - begun) / 1e6;
    end(&w);
    return seconds;
}

static void a_limit_out_of_reach_slows_nobody(void **state)
{
    (void)state;
    double without = takes(0), with = takes(4000000);
    print_message("%.1f s, with a limit %.1f s\n", without, with);
    assert_true(with < 1.03 * without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_it_takes_in),
        cmocka_unit_test(a_limit_out_of_reach_slows_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

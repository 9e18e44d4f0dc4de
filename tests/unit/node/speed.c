/* How fast: line rate at a distance, both ways at once, and idleness. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define MAX 8
struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *host[MAX];
    struct item *item[MAX];
    size_t n;
};

static struct world world(uint64_t seed, uint64_t size, int format, uint32_t piece)
{
    struct tube_file one = {NULL, size};
    struct world w = {.t = tube_new(seed)};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, format, piece, &w.content);
    return w;
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

/* Has pieces first, first + step … */
static void add(struct world *w, const struct host_config *c, uint32_t first, uint32_t step)
{
    struct bits have;
    bits_init(&have, w->m->n_pieces);
    for (uint32_t p = first; p < w->m->n_pieces; p += step)
        bits_set(&have, p);
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = &have};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    w->host[w->n] = tube_host(w->t, c);
    w->item[w->n] = host_add(w->host[w->n], &tc, have.ones ? w->content : NULL);
    for (size_t i = 0; i < w->n; i++) {
        struct addr a = host_addr(w->host[i]);
        node_add_peer(host_node(w->host[w->n]), w->item[w->n]->task, &a, POOL_USER, tube_now(w->t));
    }
    w->n++;
    bits_fini(&have);
}

static void add_seed(struct world *w, const struct host_config *c)
{
    add(w, c, 0, 1);
}

static void add_leech(struct world *w, const struct host_config *c)
{
    add(w, c, UINT32_MAX, 1);
}

static bool all_complete(void *arg)
{
    const struct world *w = arg;
    for (size_t i = 0; i < w->n; i++)
        if (!w->item[i]->complete)
            return false;
    return true;
}

static double seconds_until_complete(struct world *w, usec limit)
{
    usec begun = tube_now(w->t);
    assert_true(tube_run(w->t, limit, all_complete, w));
    return (double)(tube_now(w->t) - begun) / 1e6;
}

/* One seed, one leech, 100 ms there and back. */
static void line_rate(uint64_t rate, uint64_t size, int format, double least)
{
    struct host_config c = {.up = rate, .down = rate, .delay = 25 * USEC_MS, .window = 64u << 20};
    struct world w = world(rate, size, format, 1u << 20);
    add_seed(&w, &c);
    add_leech(&w, &c);
    double t = seconds_until_complete(&w, 200 * USEC_SEC);
    double share = (double)size / (double)rate / t;
    print_message("v%d, %3u MB/s, 100 ms: %.0f %% of the line\n", format,
                  (unsigned)(rate / 1000000), share * 100);
    assert_true(share >= least);
    end(&w);
}

static void line_rates(void **state)
{
    (void)state;
    line_rate(1000000, 10000000, 1, 0.9);
    line_rate(10000000, 60000000, 1, 0.85);
    line_rate(10000000, 60000000, 3, 0.85);
    line_rate(50000000, 100000000, 1, 0.65);
}

/* 1 Gbit/s, 100 ms there and back: 763 blocks are on the way at any moment. Once it knows that, a
 * leech has all of the line from one seed. */
static void long_road(void **state)
{
    (void)state;
    for (int format = 1; format <= 2; format++) {
        const uint64_t rate = 125000000;
        struct host_config c = {
            .up = rate, .down = rate, .delay = 25 * USEC_MS, .window = 64u << 20};
        struct world w = world(rate, 160000000, format, 1u << 20);
        struct node_status s;
        tube_phantom(w.t, w.m, w.content);
        add_seed(&w, &c);
        add_leech(&w, &c);
        tube_run(w.t, 3 * USEC_SEC / 2, NULL, NULL);
        node_status(host_node(w.host[1]), w.item[1]->task, &s, tube_now(w.t));
        uint64_t before = s.from_peers;
        tube_run(w.t, USEC_SEC / 2, NULL, NULL);
        node_status(host_node(w.host[1]), w.item[1]->task, &s, tube_now(w.t));
        double share = (double)(s.from_peers - before) * 2 / (double)rate;
        print_message("v%d, 125 MB/s, 100 ms: %.0f %% of it, once warm\n", format, share * 100);
        assert_true(share >= 0.9);
        assert_int_equal(s.wasted, 0);
        end(&w);
    }
}

/* Two that have one half each give while they take. */
static void both_ways(void **state)
{
    (void)state;
    const struct host_config c = {.up = 2000000, .down = 2000000, .delay = 20 * USEC_MS};
    struct world w = world(2, 20000000, 3, 262144);
    add(&w, &c, 0, 2);
    add(&w, &c, 1, 2);
    double t = seconds_until_complete(&w, 60 * USEC_SEC);
    print_message("both ways: %.1f s, at best 5.0\n", t);
    assert_true(t < 7.5);
    end(&w);
}

/* An idle seed sleeps; with idle company it looks at each once a second and no more. */
static void idle_ticks(void **state)
{
    static const struct tube_file one = {NULL, 1000000};
    (void)state;
    struct rig *g = rig_new(30, NULL);
    rig_content(g, &one, 1, 3, 65536);
    rig_seed(g);
    rig_run(g, 5 * USEC_SEC);
    g->ticks = 0;
    rig_run(g, USEC_MIN);
    print_message("an idle seed: %u ticks a minute\n", (unsigned)g->ticks);
    assert_true(g->ticks <= 2);
    for (unsigned i = 0; i < 20; i++)
        raw_friend(g, 1 + i);
    rig_run(g, 5 * USEC_SEC);
    g->ticks = 0;
    unsigned sends = g->ops[NODE_SEND];
    rig_run(g, USEC_MIN);
    print_message("with 20 idle peers: %u ticks, %u sends a minute\n", (unsigned)g->ticks,
                  g->ops[NODE_SEND] - sends);
    assert_true(g->ticks <= 60 * 25);
    assert_true(g->ops[NODE_SEND] - sends <= 20);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_rates),
        cmocka_unit_test(long_road),
        cmocka_unit_test(both_ways),
        cmocka_unit_test(idle_ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

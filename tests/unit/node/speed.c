/* How fast: line rate at a distance, both ways at once, limits, fairness, and idleness. */
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

/* Bytes per second that reached `to`, from the second second on. */
static double rate_of(struct world *w, size_t to, double seconds)
{
    struct node_status s;
    tube_run(w->t, 2 * USEC_SEC, NULL, NULL);
    node_status(host_node(w->host[to]), w->item[to]->task, &s, tube_now(w->t));
    uint64_t before = s.from_peers;
    tube_run(w->t, (usec)(seconds * 1e6), NULL, NULL);
    node_status(host_node(w->host[to]), w->item[to]->task, &s, tube_now(w->t));
    return (double)(s.from_peers - before) / seconds;
}

static void limits_hold(void **state)
{
    static const uint64_t rate[] = {30000, 200000, 2000000, 20000000};
    (void)state;
    for (int up = 0; up < 2; up++)
        for (size_t i = 0; i < sizeof rate / sizeof *rate; i++) {
            double seconds = rate[i] > 1000000 ? 5 : 40;
            struct host_config free_ = {.delay = 5 * USEC_MS}, held = free_;
            *(up ? &held.limit_up : &held.limit_down) = rate[i];
            struct world w = world(10 + i, (uint64_t)((double)rate[i] * (seconds + 5)), 1, 65536);
            add_seed(&w, up ? &held : &free_);
            add_leech(&w, up ? &free_ : &held);
            double off = rate_of(&w, 1, seconds) / (double)rate[i] - 1;
            print_message("limit %s %8u B/s: %+.2f %%\n", up ? "up" : "down", (unsigned)rate[i],
                          off * 100);
            /* downwards the limit counts every byte of the connection, not only payload */
            assert_true(off < 0.02 && off > -0.02);
            end(&w);
        }
}

static uint64_t taken_from(struct world *w, size_t i)
{
    return host_sent(w->host[i]);
}

/* A limited leech takes from four seeds in turn; a limited seed gives four leeches alike. */
static void fair_shares(void **state)
{
    (void)state;
    for (int up = 0; up < 2; up++) {
        struct host_config free_ = {.delay = 5 * USEC_MS}, held = free_;
        *(up ? &held.limit_up : &held.limit_down) = 400000;
        struct world w = world(20, 30000000, 1, 65536);
        uint64_t least = UINT64_MAX, most = 0;
        if (up)
            add_seed(&w, &held);
        for (int i = 0; i < 4; i++)
            up ? add_leech(&w, &free_) : add_seed(&w, &free_);
        if (!up)
            add_leech(&w, &held);
        tube_run(w.t, 40 * USEC_SEC, NULL, NULL);
        for (size_t i = up; i < 4u + (size_t)up; i++) {
            struct node_status s;
            node_status(host_node(w.host[i]), w.item[i]->task, &s, tube_now(w.t));
            uint64_t n = up ? s.from_peers : taken_from(&w, i);
            least = n < least ? n : least;
            most = n > most ? n : most;
        }
        print_message("four share a limit %s: %u to %u kB each\n", up ? "up" : "down",
                      (unsigned)(least / 1000), (unsigned)(most / 1000));
        assert_true(least > 0 && most < least + least / 2);
        end(&w);
    }
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
        cmocka_unit_test(line_rates),  cmocka_unit_test(long_road),   cmocka_unit_test(both_ways),
        cmocka_unit_test(limits_hold), cmocka_unit_test(fair_shares), cmocka_unit_test(idle_ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

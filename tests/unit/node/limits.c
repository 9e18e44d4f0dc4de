/* Rate limits: the mean over seconds, no bursts within a tenth of one, and fair shares. */
#include "../../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define MAX 9
#define LOOK (10 * USEC_MS)
#define ORIGIN "http://origin.test/"
#define TENTH 10u /* looks in 100 ms */

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *host[MAX], *held;
    size_t n;
    bool up;
    uint64_t *seen; /* bytes that passed the limit, at each look; down: that were sent to it */
    size_t looks;
};

static void look(struct tube *t, void *arg)
{
    struct world *w = arg;
    w->seen = mem_grow(w->seen, w->looks + 1, sizeof *w->seen);
    uint64_t bytes = w->up ? host_sent(w->held) : tube_origin_sent(t);
    for (size_t i = 0; i < w->n && !w->up; i++)
        bytes += w->host[i] == w->held ? 0 : host_sent(w->host[i]);
    w->seen[w->looks++] = bytes;
}

/* Leeches know the seeds, and nobody of their own kind. */
static void add(struct world *w, const struct host_config *c, bool seed, size_t n_seeds)
{
    struct bits have;
    bits_init(&have, w->m->n_pieces);
    bits_fill(&have, seed);
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = &have};
    if (n_seeds == 0)
        manifest_add_web_seed(tc.manifest, ORIGIN);
    goals_init(&tc.goals);
    tc.goals.stay = true;
    w->host[w->n] = tube_host(w->t, c);
    node_id task = host_add(w->host[w->n], &tc, seed ? w->content : NULL)->task;
    for (size_t i = 0; i < n_seeds && !seed; i++) {
        struct addr a = host_addr(w->host[i]);
        node_add_peer(host_node(w->host[w->n]), task, &a, POOL_USER, tube_now(w->t));
    }
    w->n++;
    bits_fini(&have);
}

/* One with the limit and `n` without, on the other side of it; of none, an origin. */
static struct world world_of(const struct host_config *c, bool up, uint64_t rate, size_t n,
                             double seconds)
{
    double each = (double)rate * (seconds + 4) / (up ? (double)n : 1.0);
    uint32_t piece = rate > 1000000 ? 1u << 20 : 1u << 16;
    struct tube_file one = {NULL, (uint64_t)each + piece};
    struct world w = {.t = tube_new(rate + n), .up = up};
    struct host_config open = {.delay = c->delay, .no_pex = true}, held = open;
    held.busy = c->busy;
    *(up ? &held.limit_up : &held.limit_down) = rate;
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 1, piece, &w.content);
    tube_phantom(w.t, w.m, w.content);
    if (n == 0)
        tube_origin(w.t, ORIGIN, w.m, w.content, 0, false, 0);
    size_t seeds = up ? 1 : n;
    for (size_t i = 0; i < n + 1; i++)
        add(&w, (up ? i == 0 : i == n) ? &held : &open, i < seeds, seeds);
    w.held = w.host[up ? 0 : n];
    return w;
}

static struct world world(bool up, uint64_t rate, size_t n, double seconds)
{
    return world_of(&(struct host_config){.delay = USEC_MS}, up, rate, n, seconds);
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
    free(w->seen);
}

/* The most that passed in `span` looks, of those from `from` on; *least: and the least. */
static uint64_t most_in(const struct world *w, size_t from, size_t span, uint64_t *least)
{
    uint64_t most = 0;
    *least = UINT64_MAX;
    for (size_t i = from; i + span < w->looks; i++) {
        uint64_t n = w->seen[i + span] - w->seen[i];
        most = n > most ? n : most;
        *least = n < *least ? n : *least;
    }
    return most;
}

/* From the first block on: its beginning is the one burst that there is. And in any span of time
 * after the first second. */
static void limit_holds(struct world w, uint64_t rate, double seconds)
{
    tube_observe(w.t, LOOK, look, &w);
    tube_run(w.t, (usec)((seconds + 3) * 1e6), NULL, NULL);
    size_t first = 0, span = (size_t)(seconds * USEC_SEC / LOOK);
    while (first < w.looks && w.seen[first] < 900)
        first++;
    assert_true(first > 0 && first-- + span + 10 * TENTH < w.looks);
    uint64_t least, all = (uint64_t)((double)rate * seconds);
    uint64_t burst = most_in(&w, first, TENTH, &least);
    uint64_t begin = w.seen[first + span] - w.seen[first];
    uint64_t most = most_in(&w, first + 10 * TENTH, span, &least);
    print_message("%s %9u B/s, %u: %+.2f %%, later %+.2f to %+.2f %%, at most %u B in 100 ms\n",
                  w.up      ? "up  "
                  : w.n > 1 ? "down"
                            : "web ",
                  (unsigned)rate, (unsigned)w.n - 1, (double)begin * 100 / (double)all - 100,
                  (double)least * 100 / (double)all - 100, (double)most * 100 / (double)all - 100,
                  (unsigned)burst);
    assert_in_range(begin, all - all / 50, all + all / 50);
    assert_true(least >= all - all / 50 && most <= all + all / 50);
    /* A quarter of a block beyond its share; an answer of an origin fills the room that it has. */
    assert_true(burst <= rate / 10 * (w.n == 1 ? 4 : 3) / 2 + 4096);
    end(&w);
}

static const uint64_t RATE[] = {20000, 50000, 100000, 1000000, 20000000, 100000000};
static const double SECONDS[] = {10, 10, 10, 10, 4, 2.5};
#define RATES (sizeof RATE / sizeof *RATE)

static void limits_hold(void **state)
{
    (void)state;
    for (int up = 0; up < 2; up++)
        for (size_t i = 0; i < RATES; i++)
            for (size_t n = 1; n < MAX; n += MAX - 2)
                limit_holds(world(up, RATE[i], n, SECONDS[i]), RATE[i], SECONDS[i]);
}

static void of_web_seeds_too(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < RATES; i++) /* a range of the last is much of so short a time */
        limit_holds(world(false, RATE[i], 0, SECONDS[i]), RATE[i], SECONDS[i]);
}

/* What Linux counts for a packet of 1,500 bytes is 2,304, and it doubles what it is told. */
static void room_is_for_whole_packets(void **state)
{
    (void)state;
    struct world w = world(false, 1000, 0, 1);
    assert_true(2 * node_web_room(host_node(w.held)) >= 2 * 2304);
    end(&w);
}

static void mean_holds(const char *what, struct world w, uint64_t rate, unsigned percent)
{
    tube_observe(w.t, LOOK, look, &w);
    tube_run(w.t, 12 * USEC_SEC, NULL, NULL);
    uint64_t n = w.seen[1190] - w.seen[190], all = rate * 10;
    print_message("%s %s %9u B/s: %+.2f %%\n", what, w.up ? "up" : "down", (unsigned)rate,
                  (double)n * 100 / (double)all - 100);
    assert_in_range(n, all / 100 * (100 - percent), all / 100 * (100 + percent));
    end(&w);
}

/* Whose answers are a fifth of a second in coming: then there are as many as it takes. */
static void of_far_web_seeds(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < RATES; i++) {
        struct host_config far = {.delay = 80 * USEC_MS};
        mean_holds("far", world_of(&far, false, RATE[i], 0, 12), RATE[i], 2);
    }
}

/* Of each second so long passes in which it does not look: more than gathers meanwhile. */
static void of_busy_machines(void **state)
{
    (void)state;
    for (int up = 0; up < 2; up++)
        for (size_t i = 0; i < 4; i++) {
            struct host_config busy = {.delay = USEC_MS, .busy = 60 * USEC_MS};
            mean_holds("busy", world_of(&busy, up, RATE[i], 4, 12), RATE[i], 1);
        }
}

/* Of so little that a block takes four seconds, each leaves whole. */
static void very_low_limit(void **state)
{
    (void)state;
    struct world w = world(true, 4000, 1, 60);
    tube_observe(w.t, LOOK, look, &w);
    tube_run(w.t, 60 * USEC_SEC, NULL, NULL);
    uint64_t most = 0;
    for (size_t i = 0; i + TENTH < w.looks; i++)
        if (w.seen[i + TENTH] - w.seen[i] > most)
            most = w.seen[i + TENTH] - w.seen[i];
    assert_in_range(most, 16384, 20000);
    assert_in_range(w.seen[w.looks - 1], 4000 * 54, 4000 * 66);
    end(&w);
}

static uint64_t taken(const struct world *w, size_t i)
{
    return w->up ? host_received(w->host[i + 1]) : host_sent(w->host[i]);
}

/* A limited leech takes from four seeds in turn; a limited seed gives four leeches alike. */
static void fair_shares(bool up, uint64_t rate, double seconds)
{
    struct world w = world(up, rate, 4, seconds);
    uint64_t least = UINT64_MAX, most = 0;
    tube_run(w.t, (usec)(seconds * 1e6), NULL, NULL);
    for (size_t i = 0; i < 4; i++) {
        uint64_t k = taken(&w, i);
        least = k < least ? k : least;
        most = k > most ? k : most;
    }
    print_message("four share a limit %s: %u to %u kB each\n", up ? "up" : "down",
                  (unsigned)(least / 1000), (unsigned)(most / 1000));
    assert_true(least > 0 && most < least + least / 2);
    end(&w);
}

static void shares_are_fair(void **state)
{
    (void)state;
    for (int up = 0; up < 2; up++) {
        fair_shares(up, 400000, 20);
        fair_shares(up, 50000000, 2);
    }
}

/* One block at a time goes out, so that somebody has the first one soon. */
static void blocks_in_turn(void **state)
{
    (void)state;
    struct world w = world(true, 20000, 7, 10);
    tube_run(w.t, 3 * USEC_SEC, NULL, NULL);
    unsigned whole = 0, begun = 0;
    for (size_t i = 0; i < 7; i++) {
        whole += taken(&w, i) >= 16384;
        begun += taken(&w, i) >= 4096;
    }
    assert_true(whole >= 2 && begun <= whole + 1);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold),      cmocka_unit_test(of_web_seeds_too),
        cmocka_unit_test(of_far_web_seeds), cmocka_unit_test(of_busy_machines),
        cmocka_unit_test(very_low_limit),   cmocka_unit_test(shares_are_fair),
        cmocka_unit_test(blocks_in_turn),   cmocka_unit_test(room_is_for_whole_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Rough worlds: hosts with any rates, delays and losses, liars, free riders, hosts that die, web
 * origins that lie; items of every format and shape. Whoever is honest and can complete does, in
 * good time, with the same bytes, and bans nobody honest. ROUGH_SEED=n runs one world.
 */
#include "../../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define WORLDS 60
#define MAX_HOSTS 24
#define MAX_FILES 60

enum role { SEED, LEECH, LIAR, RIDER, DOOMED };

struct world {
    uint64_t seed;
    struct tube *t;
    struct rng rng;
    struct manifest *m;
    uint8_t *content;
    struct host *host[MAX_HOSTS];
    struct item *item[MAX_HOSTS];
    enum role role[MAX_HOSTS];
    size_t n;
    bool done;
};

static uint32_t below(struct world *w, uint32_t n)
{
    return (uint32_t)rng_below(&w->rng, n);
}

static bool chance(struct world *w, uint32_t percent)
{
    return below(w, 100) < percent;
}

/* ---- the item ---- */

static void make_item(struct world *w)
{
    static char name[MAX_FILES][32];
    struct tube_file v[MAX_FILES];
    size_t n = 1;
    uint32_t piece = 16384u << below(w, 7);
    int format = 1 + (int)below(w, 3);
    v[0] = (struct tube_file){NULL, 200000 + below(w, 3000000)};
    if (chance(w, 50)) {
        n = 2 + below(w, MAX_FILES - 2);
        for (size_t i = 0; i < n; i++) {
            uint32_t most = chance(w, 10) ? 600000 : chance(w, 50) ? 40000 : 50;
            snprintf(name[i], sizeof name[i], "d%u/%u", (unsigned)(i % 3), (unsigned)i);
            v[i] = (struct tube_file){name[i], below(w, most)};
        }
        v[0].length += 70000;
    }
    w->m = tube_manifest(&w->rng, "thing", v, n, format, piece, &w->content);
}

static void publish(struct world *w, bool web, bool tracker)
{
    struct buf raw = {0};
    struct err e = {0};
    if (web) {
        manifest_add_web_seed(w->m, "http://a.test/x/");
        manifest_add_web_seed(w->m, "http://b.test/y/");
    }
    if (tracker)
        manifest_add_tracker(w->m, 0, "http://tracker.test/announce");
    manifest_write(w->m, &raw);
    manifest_free(w->m);
    w->m = manifest_parse(buf_bytes(&raw), &e);
    buf_fini(&raw);
    if (!web)
        return;
    uint64_t rate = 20000 + below(w, 2000000);
    bool whole = chance(w, 30);
    uint32_t lies = chance(w, 40) ? 1 + below(w, 4) : 0;
    tube_origin(w->t, "http://a.test/x/", w->m, w->content, rate, whole, lies);
    rate = 20000 + below(w, 2000000);
    whole = chance(w, 30);
    tube_origin(w->t, "http://b.test/y/", w->m, w->content, rate, whole, 0);
}

/* ---- the hosts ---- */

/* One draw a statement: compilers differ in the order within one. */
static struct host_config any_host(struct world *w, enum role role)
{
    struct host_config c = {.limit_up = role == RIDER ? 1 : 0};
    c.up = 30000u << below(w, 8);
    c.down = 100000u << below(w, 8);
    c.delay = (usec)below(w, 200) * USEC_MS;
    if (chance(w, 30))
        c.loss = (double)below(w, 30) / 1000;
    if (role == LIAR)
        c.liar = 1 + below(w, 8);
    if (role != RIDER && chance(w, 20))
        c.limit_up = 50000;
    if (chance(w, 10))
        c.limit_down = 200000;
    return c;
}

static void add(struct world *w, enum role role)
{
    struct magnet k = {0};
    struct bits all;
    bool has = role == SEED || role == LIAR || role == DOOMED, link = !has && chance(w, 50);
    struct host_config c = any_host(w, role);
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    magnet_from_manifest(&k, w->m);
    if (w->m->has_v1 && w->m->has_v2 && chance(w, 20))
        k.has_v1 = false;
    struct node_task_config tc = {.link = link ? &k : NULL,
                                  .manifest = link ? NULL : tube_copy(w->m),
                                  .have = has ? &all : NULL,
                                  .sequential = chance(w, 10)};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    w->role[w->n] = role;
    w->host[w->n] = tube_host(w->t, &c);
    w->item[w->n] = host_add(w->host[w->n], &tc, has ? w->content : NULL);
    w->n++;
    bits_fini(&all);
    magnet_fini(&k);
}

static void introduce(struct world *w, size_t i, size_t k)
{
    struct addr a = host_addr(w->host[k]);
    node_add_peer(host_node(w->host[i]), w->item[i]->task, &a, POOL_TRACKER, tube_now(w->t));
}

static void make_hosts(struct world *w)
{
    static const struct {
        enum role role;
        uint32_t least, more;
    } v[] = {{SEED, 1, 3}, {LEECH, 1, 9}, {LIAR, 0, 3}, {RIDER, 0, 3}, {DOOMED, 0, 3}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        for (uint32_t n = v[i].least + below(w, v[i].more); n > 0; n--)
            add(w, v[i].role);
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < w->n; k++)
            if (i != k && chance(w, 60))
                introduce(w, i, k);
    for (size_t i = 0; i < w->n; i++) /* there is a way to every honest seed */
        introduce(w, i, 0);
}

/* ---- what must hold ---- */

static bool must_complete(const struct world *w, size_t i)
{
    return w->role[i] == LEECH || w->role[i] == RIDER;
}

static bool all_done(void *arg)
{
    const struct world *w = arg;
    for (size_t i = 0; i < w->n; i++)
        if (must_complete(w, i) && !w->item[i]->complete && !w->item[i]->failed)
            return false;
    return true;
}

static void nobody_honest_is_banned(const struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < w->n; k++)
            if (w->role[k] != LIAR && host_banned(w->host[i], w->host[k]))
                fail_msg("world %u: host %u banned the honest %u", (unsigned)w->seed, (unsigned)i,
                         (unsigned)k);
}

static void judge(const struct world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        const struct item *it = w->item[i];
        if (!must_complete(w, i))
            continue;
        if (!it->complete || memcmp(it->disk, w->content, w->m->space) != 0)
            fail_msg("world %u: host %u (role %u) has %u of %u pieces: %s", (unsigned)w->seed,
                     (unsigned)i, w->role[i], (unsigned)it->pieces, (unsigned)w->m->n_pieces,
                     it->why);
    }
    nobody_honest_is_banned(w);
}

static void run_world(uint64_t seed)
{
    struct world w = {.seed = seed, .t = tube_new(seed)};
    rng_seed(&w.rng, seed * 7919);
    make_item(&w);
    bool web = chance(&w, 40), tracker = chance(&w, 40);
    publish(&w, web, tracker);
    make_hosts(&w);
    usec begun = tube_now(w.t);
    tube_run(w.t, (usec)(1 + below(&w, 20)) * USEC_SEC, all_done, &w);
    for (size_t i = 0; i < w.n; i++)
        if (w.role[i] == DOOMED)
            host_kill(w.host[i]);
    tube_run(w.t, 60 * USEC_MIN, all_done, &w);
    if (getenv("ROUGH_SEED"))
        print_message("world %u: %u hosts, v%u%s, %u pieces of %u, %.0f s\n", (unsigned)seed,
                      (unsigned)w.n, w.m->has_v2 ? 2 : 1, w.m->has_v1 && w.m->has_v2 ? "+1" : "",
                      (unsigned)w.m->n_pieces, (unsigned)w.m->piece_length,
                      (double)(tube_now(w.t) - begun) / 1e6);
    judge(&w);
    tube_free(w.t);
    manifest_free(w.m);
    free(w.content);
}

static void worlds(void **state)
{
    (void)state;
    const char *one = getenv("ROUGH_SEED");
    if (one) {
        run_world(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= WORLDS; seed++)
        run_world(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(worlds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

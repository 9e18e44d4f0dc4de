/* Nodes in company: swarms, liars, trackers, web seeds, stopping. */
#include "../../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define MAX_LEECHES 40

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct item *seed[4], *leech[MAX_LEECHES];
    struct host *seed_host[4], *leech_host[MAX_LEECHES];
    size_t n_seeds, n_leeches;
};

static void setup(struct world *w, uint64_t seed, uint64_t size, int format, uint32_t piece_length)
{
    struct tube_file one = {NULL, size};
    *w = (struct world){.t = tube_new(seed)};
    w->m = tube_manifest(tube_rng(w->t), "thing", &one, 1, format, piece_length, &w->content);
}

static void teardown(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static struct item *add_seed(struct world *w, const struct host_config *c, bool super)
{
    struct bits all;
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = &all, .super_seed = super};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    struct host *h = tube_host(w->t, c);
    w->seed_host[w->n_seeds] = h;
    struct item *it = w->seed[w->n_seeds++] = host_add(h, &tc, w->content);
    bits_fini(&all);
    return it;
}

static struct item *add_leech(struct world *w, const struct host_config *c, bool by_link)
{
    struct magnet k = {0};
    magnet_from_manifest(&k, w->m);
    struct node_task_config tc = {.link = by_link ? &k : NULL,
                                  .manifest = by_link ? NULL : tube_copy(w->m)};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    struct host *h = tube_host(w->t, c);
    w->leech_host[w->n_leeches] = h;
    struct item *it = w->leech[w->n_leeches++] = host_add(h, &tc, NULL);
    magnet_fini(&k);
    return it;
}

static void meet(struct world *w, struct host *who, struct item *it, struct host *whom)
{
    struct addr a = host_addr(whom);
    node_add_peer(host_node(who), it->task, &a, POOL_USER, tube_now(w->t));
}

static void leeches_meet_all(struct world *w)
{
    for (size_t i = 0; i < w->n_leeches; i++) {
        for (size_t k = 0; k < w->n_seeds; k++)
            meet(w, w->leech_host[i], w->leech[i], w->seed_host[k]);
        for (size_t k = 0; k < i; k++)
            meet(w, w->leech_host[i], w->leech[i], w->leech_host[k]);
    }
}

static bool all_done(void *arg)
{
    const struct world *w = arg;
    for (size_t i = 0; i < w->n_leeches; i++)
        if (!w->leech[i]->complete && !w->leech[i]->failed)
            return false;
    return true;
}

static void finish(struct world *w, usec limit)
{
    assert_true(tube_run(w->t, limit, all_done, w));
    for (size_t i = 0; i < w->n_leeches; i++) {
        assert_string_equal(w->leech[i]->why, "");
        assert_memory_equal(w->leech[i]->disk, w->content, w->m->space);
    }
}

static const struct host_config HOME = {.up = 1000000, .down = 5000000, .delay = 15 * USEC_MS};

static void swarm_shares(void **state)
{
    struct world w;
    (void)state;
    setup(&w, 1, 4000000, 3, 65536);
    add_seed(&w, &HOME, false);
    for (int i = 0; i < 12; i++)
        add_leech(&w, &HOME, true);
    leeches_meet_all(&w);
    finish(&w, 120 * USEC_SEC);
    /* twelve copies arrived; the seed alone could not have sent them in that time */
    double copies = (double)host_sent(w.seed_host[0]) / (double)w.m->size;
    print_message("seed sent %.2f copies to 12 leechers\n", copies);
    assert_true(copies < 6.0);
    teardown(&w);
}

static void super_seeding(void **state)
{
    struct world w;
    (void)state;
    setup(&w, 2, 2000000, 1, 32768);
    add_seed(&w, &HOME, true);
    for (int i = 0; i < 6; i++)
        add_leech(&w, &HOME, false);
    leeches_meet_all(&w);
    finish(&w, 300 * USEC_SEC);
    double copies = (double)host_sent(w.seed_host[0]) / (double)w.m->size;
    print_message("super-seed sent %.2f copies to 6 leechers\n", copies);
    assert_true(copies < 1.25);
    teardown(&w);
}

/* Who is alone has nobody to pass anything on to, and yet must get it all. */
static bool first_done(void *arg)
{
    const struct world *w = arg;
    return w->leech[0]->complete;
}

/* The other one takes next to nothing, and so never shows what it was given. */
static void super_seeding_beside_a_rider(void **state)
{
    struct world w;
    (void)state;
    struct host_config rider = HOME;
    rider.limit_up = rider.limit_down = 1;
    setup(&w, 4, 500000, 1, 32768);
    add_seed(&w, &HOME, true);
    add_leech(&w, &HOME, false);
    add_leech(&w, &rider, false);
    leeches_meet_all(&w);
    assert_true(tube_run(w.t, 60 * USEC_SEC, first_done, &w));
    teardown(&w);
}

static void super_seeding_one(void **state)
{
    struct world w;
    (void)state;
    setup(&w, 3, 2000000, 1, 32768);
    add_seed(&w, &HOME, true);
    add_leech(&w, &HOME, false);
    leeches_meet_all(&w);
    finish(&w, 30 * USEC_SEC);
    teardown(&w);
}

static bool is_banned(struct world *w, size_t leech, const struct host *who)
{
    struct node_peer_info v[20];
    size_t n =
        node_peers(host_node(w->leech_host[leech]), w->leech[leech]->task, v, 20, tube_now(w->t));
    struct addr a = host_addr(who);
    for (size_t i = 0; i < n; i++)
        if (addr_same_ip(&v[i].addr, &a))
            return false;
    return true;
}

/* One of three seeds flips a bit now and then. The data arrives whole, and only the liar goes. */
static void liar(uint64_t seed, int format, bool by_link)
{
    struct world w;
    struct host_config lies = HOME;
    lies.liar = 5;
    setup(&w, seed, 3000000, format, 65536);
    add_seed(&w, &HOME, false);
    add_seed(&w, &lies, false);
    add_seed(&w, &HOME, false);
    add_leech(&w, &HOME, by_link);
    leeches_meet_all(&w);
    /* the seeds stay connected until the end, so look a moment before it */
    struct node_status s = {0};
    while (!w.leech[0]->complete && !w.leech[0]->failed) {
        assert_false(is_banned(&w, 0, w.seed_host[0]) && s.pieces_have > 2 && s.peers == 0);
        tube_run(w.t, 100 * USEC_MS, all_done, &w);
        node_status(host_node(w.leech_host[0]), w.leech[0]->task, &s, tube_now(w.t));
        assert_true(tube_now(w.t) < 2000 * USEC_SEC);
    }
    assert_true(w.leech[0]->complete);
    assert_memory_equal(w.leech[0]->disk, w.content, w.m->space);
    assert_true(s.wasted > 0);
    assert_true(is_banned(&w, 0, w.seed_host[1]));
    teardown(&w);
}

static void liars_go(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        liar(100 + (uint64_t)format, format, false);
        liar(110 + (uint64_t)format, format, true);
    }
}

static void only_liars(void **state)
{
    struct world w;
    struct host_config lies = HOME;
    (void)state;
    lies.liar = 1;
    setup(&w, 3, 500000, 3, 32768);
    add_seed(&w, &lies, false);
    add_leech(&w, &HOME, true);
    leeches_meet_all(&w);
    assert_false(tube_run(w.t, 60 * USEC_SEC, all_done, &w));
    assert_false(w.leech[0]->complete);
    assert_int_equal(w.leech[0]->pieces, 0);
    teardown(&w);
}

static void by_tracker(void **state)
{
    struct world w;
    (void)state;
    setup(&w, 4, 1000000, 1, 32768);
    manifest_add_tracker(w.m, 0, "http://dead.test/announce");
    manifest_add_tracker(w.m, 1, "http://tracker.test/announce");
    struct buf raw = {0};
    struct err e = {0};
    manifest_write(w.m, &raw);
    manifest_free(w.m);
    w.m = manifest_parse(buf_bytes(&raw), &e);
    buf_fini(&raw);
    add_seed(&w, &HOME, false);
    tube_run(w.t, 2 * USEC_SEC, NULL, NULL);
    usec begun = tube_now(w.t);
    for (int i = 0; i < 3; i++)
        add_leech(&w, &HOME, i == 1);
    finish(&w, 60 * USEC_SEC);
    assert_true(w.leech[0]->complete_at - begun <
                12 * USEC_SEC); /* the dead tracker delayed nobody */
    node_stop(host_node(w.seed_host[0]), w.seed[0]->task, 3 * USEC_SEC, tube_now(w.t));
    tube_run(w.t, 5 * USEC_SEC, NULL, NULL);
    assert_true(w.seed[0]->stopped);
    assert_int_equal(tube_stopped_announces(w.t), 1);
    teardown(&w);
}

static void web(uint64_t seed, int format, bool no_ranges, uint32_t lies, bool peers)
{
    static const struct tube_file folder[] = {
        {"a", 100}, {"b/c", 400000}, {"b/empty", 0}, {"d", 16384}, {"e", 900001}};
    struct world w = {.t = tube_new(seed)};
    w.m = tube_manifest(tube_rng(w.t), "thing", folder, 5, format, 32768, &w.content);
    manifest_add_web_seed(w.m, "http://origin.test/x");
    if (lies)
        manifest_add_web_seed(w.m, "http://mirror.test/y/");
    struct buf raw = {0};
    struct err e = {0};
    manifest_write(w.m, &raw);
    manifest_free(w.m);
    w.m = manifest_parse(buf_bytes(&raw), &e);
    buf_fini(&raw);
    tube_origin(w.t, "http://origin.test/x", w.m, w.content, 500000, no_ranges, lies);
    if (lies)
        tube_origin(w.t, "http://mirror.test/y/", w.m, w.content, 500000, no_ranges, 0);
    if (peers)
        add_seed(&w, &HOME, false);
    add_leech(&w, &HOME, false);
    leeches_meet_all(&w);
    finish(&w, 120 * USEC_SEC);
    struct node_status s;
    node_status(host_node(w.leech_host[0]), w.leech[0]->task, &s, tube_now(w.t));
    assert_true(s.from_web > 0);
    if (!peers)
        assert_int_equal(s.from_peers, 0);
    else
        assert_true(s.from_peers > 0);
    teardown(&w);
}

static void web_seeds(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        web(200 + (uint64_t)format, format, false, 0, false);
        web(210 + (uint64_t)format, format, false, 0, true);
        web(220 + (uint64_t)format, format, true, 0, false);
        web(230 + (uint64_t)format, format, false, 2, false);
    }
}

/* The seed dies when one copy is spread over the others: everyone completes. */
static bool spread(void *arg)
{
    const struct world *w = arg;
    struct bits sum;
    bits_init(&sum, w->m->n_pieces);
    for (size_t i = 0; i < w->n_leeches; i++) {
        const struct bits *have = node_have(host_node(w->leech_host[i]), w->leech[i]->task);
        for (size_t k = 0; have && k < have->n; k++)
            if (bits_get(have, k))
                bits_set(&sum, k);
    }
    bool full = bits_full(&sum);
    bits_fini(&sum);
    return full;
}

static void seed_dies(void **state)
{
    struct world w;
    (void)state;
    setup(&w, 5, 3000000, 3, 65536);
    add_seed(&w, &HOME, false);
    for (int i = 0; i < 5; i++)
        add_leech(&w, &HOME, false);
    leeches_meet_all(&w);
    assert_true(tube_run(w.t, 60 * USEC_SEC, spread, &w));
    host_kill(w.seed_host[0]);
    finish(&w, 120 * USEC_SEC);
    teardown(&w);
}

static void wanted_pieces_only(void **state)
{
    struct world w;
    (void)state;
    setup(&w, 6, 1000000, 2, 32768);
    add_seed(&w, &HOME, false);
    uint8_t *prio = mem_zero(w.m->n_pieces);
    prio[3] = prio[7] = 1;
    struct node_task_config tc = {.manifest = tube_copy(w.m), .priority = prio};
    goals_init(&tc.goals);
    struct host *h = tube_host(w.t, &HOME);
    w.leech_host[0] = h;
    w.leech[0] = host_add(h, &tc, NULL);
    w.n_leeches = 1;
    free(prio);
    leeches_meet_all(&w);
    assert_true(tube_run(w.t, 60 * USEC_SEC, all_done, &w));
    assert_true(w.leech[0]->complete);
    const struct bits *have = node_have(host_node(h), w.leech[0]->task);
    assert_int_equal(have->ones, 2);
    assert_true(bits_get(have, 3) && bits_get(have, 7));
    assert_true(w.leech[0]->ended);
    teardown(&w);
}

/* Same seed, same trace. */
static uint64_t fingerprint(uint64_t seed)
{
    struct world w;
    setup(&w, seed, 1500000, 3, 32768);
    add_seed(&w, &HOME, false);
    for (int i = 0; i < 4; i++)
        add_leech(&w, &HOME, true);
    leeches_meet_all(&w);
    finish(&w, 120 * USEC_SEC);
    uint64_t f = host_sent(w.seed_host[0]);
    for (size_t i = 0; i < w.n_leeches; i++)
        f = f * 31 + (uint64_t)w.leech[i]->complete_at;
    teardown(&w);
    return f;
}

static void same_seed_same_trace(void **state)
{
    (void)state;
    assert_true(fingerprint(42) == fingerprint(42));
    assert_true(fingerprint(42) != fingerprint(43));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swarm_shares),
        cmocka_unit_test(super_seeding),
        cmocka_unit_test(super_seeding_one),
        cmocka_unit_test(super_seeding_beside_a_rider),
        cmocka_unit_test(liars_go),
        cmocka_unit_test(only_liars),
        cmocka_unit_test(by_tracker),
        cmocka_unit_test(web_seeds),
        cmocka_unit_test(seed_dies),
        cmocka_unit_test(wanted_pieces_only),
        cmocka_unit_test(same_seed_same_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

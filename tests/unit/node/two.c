/* Two nodes face each other: no socket, no clock, no disk. */
#include "../../sim/tube.h"

#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static bool is_complete(void *arg)
{
    const struct item *it = arg;
    return it->complete || it->failed;
}

struct world {
    struct tube *t;
    struct host *seed, *leech;
    struct manifest *m;
    uint8_t *content;
    struct item *from, *to;
};

static void seeds(struct world *w, const struct host_config *c)
{
    struct bits all;
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    w->seed = tube_host(w->t, c);
    struct node_task_config tc = {
        .manifest = tube_copy(w->m), .have = &all, .goals = {.stay = true}};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    w->from = host_add(w->seed, &tc, w->content);
    bits_fini(&all);
}

static void leeches(struct world *w, const struct host_config *c, bool by_link, bool drop_v1)
{
    struct magnet k = {0};
    magnet_from_manifest(&k, w->m);
    if (drop_v1)
        k.has_v1 = false;
    w->leech = tube_host(w->t, c);
    struct node_task_config tc = {.link = by_link ? &k : NULL,
                                  .manifest = by_link ? NULL : tube_copy(w->m)};
    goals_init(&tc.goals);
    w->to = host_add(w->leech, &tc, NULL);
    magnet_fini(&k);
    struct addr a = host_addr(w->seed);
    node_add_peer(host_node(w->leech), w->to->task, &a, POOL_USER, tube_now(w->t));
}

static void finish(struct world *w)
{
    assert_true(tube_run(w->t, 600 * USEC_SEC, is_complete, w->to));
    assert_string_equal(w->to->why, "");
    assert_true(w->to->complete);
    assert_memory_equal(w->to->disk, w->content, w->m->space);
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static const struct tube_file FOLDER[] = {{"a", 1},     {"b/c", 40000}, {"b/empty", 0},
                                          {"d", 16384}, {"e", 300001},  {"f", 70000}};

static void transfer(uint64_t seed, int format, bool folder, bool by_link, bool drop_v1)
{
    struct host_config fast = {.up = 10000000, .down = 10000000, .delay = 10 * USEC_MS};
    struct world w = {.t = tube_new(seed)};
    static const struct tube_file one = {NULL, 1234567};
    w.m = tube_manifest(tube_rng(w.t), "thing", folder ? FOLDER : &one, folder ? 6 : 1, format,
                        65536, &w.content);
    seeds(&w, &fast);
    leeches(&w, &fast, by_link, drop_v1);
    finish(&w);
    struct node_status s;
    assert_true(node_status(host_node(w.leech), w.to->task, &s, tube_now(w.t)));
    assert_int_equal(s.done, w.m->size);
    assert_int_equal(s.wasted, 0);
    assert_int_equal(w.to->pieces, w.m->n_pieces);
    /* v1 is hashed from memory, but for pads, which nobody sends */
    assert_true(format == 2 ? w.to->lent == 0 : w.to->lent == w.m->n_pieces || folder);
    assert_int_equal(w.to->checkpoints, 0); /* too short for any: completion tells it all */
    assert_int_equal(w.to->files_done, folder ? 5 : 1);
    end(&w);
}

static void by_manifest(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        transfer(10 + (uint64_t)format, format, false, false, false);
        transfer(20 + (uint64_t)format, format, true, false, false);
    }
}

/* What takes long is recorded on the way. */
static void checkpoints(void **state)
{
    (void)state;
    struct host_config slow = {.up = 100000, .down = 100000, .delay = 10 * USEC_MS};
    static const struct tube_file one = {NULL, 1234567};
    struct world w = {.t = tube_new(61)};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 3, 65536, &w.content);
    seeds(&w, &slow);
    leeches(&w, &slow, false, false);
    finish(&w);
    assert_int_equal(w.to->checkpoints, 2); /* one each five seconds of twelve */
    end(&w);
}

static void by_magnet(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        transfer(30 + (uint64_t)format, format, false, true, false);
        transfer(40 + (uint64_t)format, format, true, true, false);
    }
}

static void by_btmh_only(void **state)
{
    (void)state;
    transfer(51, 3, true, true, true);
    transfer(52, 3, false, true, true);
}

static void slow_and_lossy(void **state)
{
    (void)state;
    struct host_config slow = {.up = 100000, .down = 200000, .delay = 150 * USEC_MS, .loss = 0.05};
    struct world w = {.t = tube_new(7)};
    static const struct tube_file one = {NULL, 800000};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 3, 32768, &w.content);
    seeds(&w, &slow);
    leeches(&w, &slow, true, false);
    finish(&w);
    end(&w);
}

static void disk_full(void **state)
{
    (void)state;
    struct host_config fast = {.up = 10000000, .delay = USEC_MS}, full = {.disk_full_at = 500000};
    struct world w = {.t = tube_new(8)};
    static const struct tube_file one = {NULL, 1000000};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 1, 32768, &w.content);
    seeds(&w, &fast);
    leeches(&w, &full, false, false);
    assert_true(tube_run(w.t, 60 * USEC_SEC, is_complete, w.to));
    assert_true(w.to->failed);
    assert_int_equal(w.to->code, ERR_IO);
    assert_non_null(strstr(w.to->why, "no space"));
    end(&w);
}

static void limits(void **state)
{
    (void)state;
    struct host_config fast = {.delay = USEC_MS},
                       limited = {.delay = USEC_MS, .limit_down = 100000};
    struct world w = {.t = tube_new(9)};
    static const struct tube_file one = {NULL, 1000000};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 1, 32768, &w.content);
    seeds(&w, &fast);
    leeches(&w, &limited, false, false);
    usec begun = tube_now(w.t);
    finish(&w);
    usec took = w.to->complete_at - begun;
    assert_in_range(took, 9300 * USEC_MS, 11000 * USEC_MS);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_manifest),    cmocka_unit_test(checkpoints),
        cmocka_unit_test(by_magnet),      cmocka_unit_test(by_btmh_only),
        cmocka_unit_test(slow_and_lossy), cmocka_unit_test(disk_full),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

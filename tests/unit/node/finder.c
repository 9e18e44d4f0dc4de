/* Nodes find each other by the DHT alone. */
#include "../../sim/tube.h"

#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define FAST .up = 10000000, .down = 10000000, .delay = 20 * USEC_MS
#define ON FAST, .udp = true, .dht = true

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *first; /* everybody's bootstrap host */
};

static void begin(struct world *w, uint64_t seed, int format)
{
    static const struct tube_file one = {NULL, 300001};
    *w = (struct world){.t = tube_new(seed)};
    w->m = tube_manifest(tube_rng(w->t), "thing", &one, 1, format, 32768, &w->content);
    w->first = tube_host(w->t, &(struct host_config){ON});
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static void point_at(struct world *w, struct host *h, const struct host *to)
{
    char a[ADDR_TEXT];
    struct addr at = host_addr(to);
    addr_text(&at, a);
    node_add_bootstrap(host_node(h), a, tube_now(w->t));
}

static struct item *seeds(struct world *w, struct host *h)
{
    struct bits all;
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config c = {.manifest = tube_copy(w->m), .have = &all};
    goals_init(&c.goals);
    c.goals.stay = true;
    struct item *it = host_add(h, &c, w->content);
    bits_fini(&all);
    return it;
}

static struct item *leeches(struct world *w, struct host *h, bool drop_v1)
{
    struct magnet k = {0};
    magnet_from_manifest(&k, w->m);
    k.has_v1 &= !drop_v1;
    struct node_task_config c = {.link = &k};
    goals_init(&c.goals);
    struct item *it = host_add(h, &c, NULL);
    magnet_fini(&k);
    return it;
}

static bool is_over(void *arg)
{
    const struct item *it = arg;
    return it->complete || it->failed || it->ended;
}

static void by_hash(uint64_t seed, int format, bool drop_v1)
{
    struct world w;
    begin(&w, seed, format);
    struct host *a = tube_host(w.t, &(struct host_config){ON});
    struct host *b = tube_host(w.t, &(struct host_config){ON, .dht_read_only = true});
    point_at(&w, a, w.first);
    point_at(&w, b, w.first);
    seeds(&w, a);
    tube_run(w.t, 10 * USEC_SEC, NULL, NULL);
    struct item *it = leeches(&w, b, drop_v1);
    assert_true(tube_run(w.t, 10 * USEC_SEC, is_over, it));
    assert_true(it->complete);
    assert_memory_equal(it->disk, w.content, w.m->space);
    end(&w);
}

static void finds_by_hash_alone(void **state)
{
    (void)state;
    by_hash(1, 1, false);
    by_hash(2, 2, false);
    by_hash(3, 3, false);
    by_hash(4, 3, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_hash_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * N hosts with nothing but a link and one bootstrap host: a DHT and a swarm at once, half of them
 * behind NATs of all kinds, one seed. What the tube itself is measured by: a thousand of them in
 * less than two minutes.
 */
#include "scenario.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

#define SIZE (4u << 20)
#define UP 1000000u
#define ARRIVAL (60 * USEC_SEC)
#define TIME (30 * USEC_MIN)

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct item **v;
    uint32_t n, arrived;
};

static bool all_complete(void *arg)
{
    const struct world *w = arg;
    for (uint32_t i = 0; i < w->arrived; i++)
        if (!w->v[i]->complete)
            return false;
    return w->arrived == w->n;
}

static void boot(struct host *h, void *arg)
{
    struct world *w = arg;
    node_add_bootstrap(host_node(h), "h0.test:6881", tube_now(w->t));
}

static void add_seed(struct world *w, const struct host_config *c)
{
    struct bits all;
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = &all};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    struct host *h = tube_host(w->t, c);
    boot(h, w);
    host_add(h, &tc, w->content);
    bits_fini(&all);
}

static struct host_config any_home(struct world *w)
{
    struct rng *r = tube_rng(w->t);
    struct host_config c = {.up = UP, .down = 4 * UP, .udp = true, .dht = true};
    c.delay = (usec)(5 + rng_below(r, 80)) * USEC_MS;
    c.v6 = rng_below(r, 4) == 0;
    if (rng_below(r, 2))
        c.nat = (enum nat_kind)(1 + rng_below(r, 4));
    return c;
}

static void arrive(struct tube *t, void *arg)
{
    struct world *w = arg;
    struct magnet k = {0};
    struct host_config c = any_home(w);
    struct host *h = tube_host(t, &c);
    magnet_from_manifest(&k, w->m);
    struct node_task_config tc = {.link = &k};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    boot(h, w);
    w->v[w->arrived++] = host_add(h, &tc, NULL);
    magnet_fini(&k);
}

static void figures(struct scenario_run *r, struct world *w, usec begun)
{
    double *v = mem_array(w->n, sizeof *v);
    uint32_t same = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        v[i] = (double)(w->v[i]->complete_at - begun) / 1e6;
        same += item_matches(w->v[i], w->content);
    }
    struct tube_datagrams d = tube_datagrams(w->t);
    scenario_figure(r, "half are complete after", scenario_percentile(v, w->n, 50), "s",
                    SCENARIO_FREE);
    scenario_figure(r, "the last is complete after", scenario_percentile(v, w->n, 100), "s", 600);
    scenario_figure_least(r, "whose content is right", same, "hosts", w->n);
    scenario_figure(r, "datagrams a host", (double)d.sent / (w->n + 2), "", SCENARIO_FREE);
    scenario_figure(r, "of them to nobody", (double)d.nobody / (double)(d.sent + 1), "share",
                    SCENARIO_FREE);
    scenario_figure(r, "things that happened", (double)tube_events(w->t) / 1e6, "millions",
                    SCENARIO_FREE);
    free(v);
}

static int run(struct scenario_run *r)
{
    static const struct tube_file one = {NULL, SIZE};
    const struct host_config dependable = {.udp = true, .dht = true, .delay = 10 * USEC_MS},
                             source = {
                                 .up = 4 * UP, .udp = true, .dht = true, .delay = 20 * USEC_MS};
    struct world w = {.t = tube_new(r->seed), .n = r->size};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 2, 131072, &w.content);
    w.v = mem_array(w.n, sizeof(struct item *));
    tube_phantom(w.t, w.m, w.content);
    scenario_film(r, w.t);
    tube_host(w.t, &dependable);
    add_seed(&w, &source);
    tube_run(w.t, 10 * USEC_SEC, NULL, NULL);
    usec begun = tube_now(w.t);
    for (uint32_t i = 0; i < w.n; i++)
        tube_at(w.t, begun + (usec)rng_below(tube_rng(w.t), ARRIVAL), arrive, &w);
    scenario_must(r, "all complete", tube_run_each(w.t, TIME, 100 * USEC_MS, all_complete, &w));
    figures(r, &w, begun);
    tube_free(w.t);
    manifest_free(w.m);
    free(w.content);
    free(w.v);
    return 0;
}

const struct scenario scenario_thousand = {
    .name = "thousand",
    .summary = "N hosts by a link and the DHT alone, half of them behind NATs",
    .size = 60,
    .long_size = 1000,
    .run = run};

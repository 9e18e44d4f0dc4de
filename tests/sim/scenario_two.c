/* A seed and some who want its file, met by the tracker: the smallest swarm. N is the leechers. */
#include "scenario.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

#define SIZE 4000000u
#define UP 1000000u /* the seed's; the others have plenty */
#define TIME (600 * USEC_SEC)

struct world {
    struct tube *t;
    struct item **v;
    uint32_t n;
};

static bool all_complete(void *arg)
{
    const struct world *w = arg;
    for (uint32_t i = 0; i < w->n; i++)
        if (!w->v[i]->complete)
            return false;
    return true;
}

static struct item *add(struct world *w, const struct manifest *m, const struct host_config *c,
                        const uint8_t *content)
{
    struct bits all;
    bits_init(&all, m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config tc = {.manifest = tube_copy(m), .have = content ? &all : NULL};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    struct item *it = host_add(tube_host(w->t, c), &tc, content);
    bits_fini(&all);
    return it;
}

static int run(struct scenario_run *r)
{
    static const struct tube_file one = {NULL, SIZE};
    const struct host_config source = {.up = UP, .delay = 20 * USEC_MS},
                             reader = {.up = 2 * UP, .down = 8 * UP, .delay = 20 * USEC_MS};
    struct world w = {.t = tube_new(r->seed), .n = r->size};
    uint8_t *content;
    struct manifest *m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 3, 65536, &content);
    manifest_add_tracker(m, 0, "http://tracker.test/announce");
    w.v = mem_array(w.n, sizeof(struct item *));
    scenario_film(r, w.t);
    add(&w, m, &source, content);
    tube_run(w.t, USEC_SEC, NULL, NULL);
    usec begun = tube_now(w.t);
    for (uint32_t i = 0; i < w.n; i++)
        w.v[i] = add(&w, m, &reader, NULL);
    scenario_must(r, "all complete", tube_run(w.t, TIME, all_complete, &w));
    double bound = (double)SIZE / UP, took = (double)(tube_now(w.t) - begun) / 1e6;
    scenario_figure(r, "time until the last is complete", took, "s", SCENARIO_FREE);
    scenario_figure(r, "of the fluid bound", took / bound, "times", 2);
    tube_free(w.t);
    manifest_free(m);
    free(content);
    free(w.v);
    return 0;
}

const struct scenario scenario_two = {
    .name = "two", .summary = "a seed and N leechers by a tracker", .size = 1, .run = run};

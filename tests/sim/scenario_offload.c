/*
 * Viewers of one file behind an HTTP origin, which is its web seed: the more they are, the smaller
 * is the share of all bytes that the origin serves. N is the viewers of the largest crowd. They
 * come all at once, within a minute, or one after the other; they want it rarest first, or in order
 * as a player does; the origin has plenty, or a line of its own.
 */
#include "scenario.h"

#include <p2p/base/mem.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE (128u << 20)
#define PIECE 131072u
#define DOWN 5000000u
#define UP 1250000u
#define MINUTE (60 * USEC_SEC)
#define TIME (3600 * USEC_SEC)

struct story {
    const char *name;
    usec within; /* they come, evenly; 0: one when the one before him has it */
    bool sequential;
    uint64_t origin; /* bytes a second; 0: plenty */
};

static const struct story STORIES[] = {
    {"at once", USEC_SEC, false, 0},
    {"at once, in order", USEC_SEC, true, 0},
    {"at once, slow origin", USEC_SEC, false, 2 * DOWN},
    {"within a minute", MINUTE, false, 0},
    {"within a minute, in order", MINUTE, true, 0},
    {"one after the other", 0, false, 0},
};

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct item **v;
    double *took; /* seconds, of each */
    uint32_t n, arrived;
    bool sequential;
};

static void arrive(struct world *w, unsigned prefer)
{
    const struct host_config viewer = {
        .up = UP, .down = DOWN, .delay = 15 * USEC_MS, .prefer_local = prefer};
    struct node_task_config tc = {.manifest = tube_copy(w->m), .sequential = w->sequential};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    w->took[w->arrived] = -(double)tube_now(w->t) / 1e6;
    w->v[w->arrived++] = host_add(tube_host(w->t, &viewer), &tc, NULL);
}

static bool all_complete(void *arg)
{
    const struct world *w = arg;
    for (uint32_t i = 0; i < w->arrived; i++)
        if (!w->v[i]->complete)
            return false;
    return true;
}

static bool watch(struct world *w, const struct story *s, unsigned prefer)
{
    for (uint32_t i = 0; i < w->n; i++) {
        arrive(w, prefer);
        if (s->within)
            tube_run(w->t, s->within / w->n, NULL, NULL);
        else
            tube_run(w->t, TIME, all_complete, w);
    }
    bool all = tube_run_each(w->t, TIME, USEC_SEC / 10, all_complete, w);
    for (uint32_t i = 0; i < w->n; i++)
        w->took[i] += (double)w->v[i]->complete_at / 1e6;
    return all;
}

struct result {
    bool complete;
    double copies, median, last;
};

static struct result tell(uint64_t seed, const struct story *s, uint32_t n, unsigned prefer)
{
    static const struct tube_file one = {NULL, SIZE};
    struct world w = {.t = tube_new(seed), .n = n, .sequential = s->sequential};
    w.m = tube_manifest(tube_rng(w.t), "film", &one, 1, 3, PIECE, &w.content);
    tube_phantom(w.t, w.m, w.content);
    manifest_add_tracker(w.m, 0, "http://tracker.test/announce");
    manifest_add_web_seed(w.m, "http://origin.test/film");
    tube_origin(w.t, "http://origin.test/film", w.m, w.content, s->origin, false, 0);
    w.v = mem_array(n, sizeof(struct item *));
    w.took = mem_array(n, sizeof *w.took);
    struct result r = {.complete = watch(&w, s, prefer)};
    r.copies = (double)tube_origin_sent(w.t) / SIZE;
    r.median = scenario_percentile(w.took, n, 50);
    r.last = scenario_percentile(w.took, n, 100);
    tube_free(w.t);
    manifest_free(w.m);
    free(w.content);
    free(w.v);
    free(w.took);
    return r;
}

static void figure(struct scenario_run *r, const struct story *s, uint32_t n, const char *what,
                   double value, const char *unit, double at_most)
{
    char name[100];
    snprintf(name, sizeof name, "%u %s: %s", (unsigned)n, s->name, what);
    scenario_figure(r, name, value, unit, at_most);
}

static void crowd(struct scenario_run *r, const struct story *s, uint32_t n)
{
    struct result with = tell(r->seed, s, n, 50), without = tell(r->seed, s, n, 0);
    scenario_must(r, "all complete", with.complete && without.complete);
    figure(r, s, n, "copies of the origin", with.copies, "", SCENARIO_FREE);
    figure(r, s, n, "its share", 100 * with.copies / n, "%", 100.0 / n + 2);
    figure(r, s, n, "median time", with.median, "s", SCENARIO_FREE);
    figure(r, s, n, "last", with.last, "s", SCENARIO_FREE);
    figure(r, s, n, "copies with --prefer-local=0", without.copies, "", SCENARIO_FREE);
    figure(r, s, n, "median time with that", without.median, "s", SCENARIO_FREE);
}

static int run(struct scenario_run *r)
{
    static const uint32_t sizes[] = {1, 5, 50, 200};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (size_t i = 0; i < sizeof STORIES / sizeof *STORIES; i++)
            if (sizes[k] <= r->size && (sizes[k] > 1 || i == 0)) /* alone, all are one */
                crowd(r, &STORIES[i], sizes[k]);
    return 0;
}

const struct scenario scenario_offload = {
    .name = "offload",
    .summary = "the share of an HTTP origin in what crowds of up to N viewers fetch",
    .size = 5,
    .long_size = 200,
    .run = run,
};

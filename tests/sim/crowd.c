/* A crowd around one source; see crowd.h. */
#include "crowd.h"

#include <p2p/base/mem.h>
#include <stdio.h>
#include <stdlib.h>

#define SOURCE_DOWN 5u /* times its uplink, as of everybody */
#define HOME 1000000u  /* uplink of a leecher, bytes a second */

static struct node_task_config task_config(const struct crowd *w, const struct bits *have)
{
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = have};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    return tc;
}

static void add_source(struct crowd *w)
{
    const struct host_config h = {
        .up = w->c.source_up, .down = SOURCE_DOWN * w->c.source_up, .delay = 20 * USEC_MS};
    struct bits all;
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config tc = task_config(w, &all);
    tc.super_seed = w->c.super;
    w->source = tube_host(w->t, &h);
    w->source_item = host_add(w->source, &tc, w->content);
    bits_fini(&all);
}

struct crowd *crowd_new(struct scenario_run *r, const struct crowd_config *c)
{
    struct crowd *w = mem_zero(sizeof *w);
    struct tube_file one = {NULL, c->size};
    w->c = *c;
    w->t = tube_new(r->seed);
    w->m = tube_manifest(tube_rng(w->t), "thing", &one, 1, 1, c->piece, &w->content);
    tube_phantom(w->t, w->m, w->content);
    manifest_add_tracker(w->m, 0, "http://tracker.test/announce");
    scenario_film(r, w->t);
    add_source(w);
    tube_run(w->t, USEC_SEC, NULL, NULL);
    w->begun = tube_now(w->t);
    w->host = mem_array(c->n, sizeof(struct host *));
    w->item = mem_array(c->n, sizeof(struct item *));
    w->rider = mem_array(c->n, sizeof *w->rider);
    w->came = mem_array(c->n, sizeof *w->came);
    w->least_down = INFINITY;
    return w;
}

void crowd_free(struct crowd *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
    free(w->host);
    free(w->item);
    free(w->rider);
    free(w->came);
    free(w);
}

/* A quarter has twice the uplink, a quarter two fifths of it. */
static uint64_t uplink(struct crowd *w)
{
    static const uint64_t mixed[] = {2 * HOME, HOME, HOME, 2 * HOME / 5};
    return w->c.mixed ? mixed[rng_below(tube_rng(w->t), 4)] : HOME;
}

static void arrive(struct crowd *w, uint32_t i)
{
    struct host_config h = {.up = uplink(w)};
    h.down = SOURCE_DOWN * h.up;
    h.delay = (usec)(5 + rng_below(tube_rng(w->t), 40)) * USEC_MS;
    w->rider[i] = (double)(i * 7 % 10) < w->c.riders * 10; /* evenly among those that come */
    if (w->rider[i])
        h.limit_up = 1;
    else
        w->up += (double)h.up;
    w->least_down = fmin(w->least_down, (double)h.down);
    struct node_task_config tc = task_config(w, NULL);
    w->came[i] = tube_now(w->t);
    w->host[i] = tube_host(w->t, &h);
    w->item[i] = host_add(w->host[i], &tc, NULL);
}

void crowd_arrive(struct crowd *w)
{
    for (uint32_t i = 0; i < w->c.n; i++) {
        arrive(w, i);
        usec gap = 2 * w->c.within / w->c.n + 1; /* on the average half of it */
        tube_run(w->t, (usec)rng_below(tube_rng(w->t), (uint64_t)gap), NULL, NULL);
    }
}

bool crowd_is_complete(const struct crowd *w, bool riders_too)
{
    for (uint32_t i = 0; i < w->c.n; i++)
        if (!w->item[i]->complete && (riders_too || !w->rider[i]))
            return false;
    return true;
}

static bool honest_done(void *arg)
{
    return crowd_is_complete(arg, false);
}

bool crowd_finish(struct crowd *w, usec limit)
{
    return tube_run_each(w->t, limit, USEC_SEC / 10, honest_done, w);
}

double crowd_bound(const struct crowd *w)
{
    double f = (double)w->m->size, us = (double)w->c.source_up;
    return fmax(fmax(f / us, f / w->least_down), w->c.n * f / (us + w->up));
}

double crowd_last(const struct crowd *w)
{
    usec last = 0;
    for (uint32_t i = 0; i < w->c.n; i++)
        if (!w->rider[i] && w->item[i]->complete_at > last)
            last = w->item[i]->complete_at;
    return (double)(last - w->begun) / 1e6;
}

/* Who does not have it yet counts as if it had it now. */
double crowd_mean(const struct crowd *w, bool riders)
{
    double sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->c.n; i++) {
        if (w->rider[i] != riders)
            continue;
        usec end = w->item[i]->complete ? w->item[i]->complete_at : tube_now(w->t);
        sum += (double)(end - w->came[i]) / 1e6;
        n++;
    }
    return n ? sum / n : 0;
}

double crowd_copies(struct crowd *w)
{
    struct node_status s;
    node_status(host_node(w->source), w->source_item->task, &s, tube_now(w->t));
    return (double)s.uploaded / (double)w->m->size;
}

double crowd_waste(struct crowd *w)
{
    double wasted = 0, got = 0;
    for (uint32_t i = 0; i < w->c.n; i++) {
        struct node_status s;
        node_status(host_node(w->host[i]), w->item[i]->task, &s, tube_now(w->t));
        wasted += (double)s.wasted;
        got += (double)s.from_peers;
    }
    return got > 0 ? 100 * wasted / got : 0;
}

bool crowd_is_spread(struct crowd *w)
{
    struct bits sum;
    bits_init(&sum, w->m->n_pieces);
    for (uint32_t i = 0; i < w->c.n; i++) {
        const struct bits *have = node_have(host_node(w->host[i]), w->item[i]->task);
        for (size_t k = 0; have && k < have->n; k++)
            if (bits_get(have, k))
                bits_set(&sum, k);
    }
    bool full = bits_full(&sum);
    bits_fini(&sum);
    return full;
}

static void figure(const struct crowd *w, struct scenario_run *r, const char *what, double value,
                   const char *unit, double at_most)
{
    char name[100];
    snprintf(name, sizeof name, "%s, %s seed: %s", w->c.mixed ? "mixed" : "equals",
             w->c.super ? "super" : "plain", what);
    scenario_figure(r, name, value, unit, at_most);
}

void crowd_tell(struct crowd *w, struct scenario_run *r, double of_bound, double copies)
{
    double bound = crowd_bound(w), at_bound = bound * w->c.source_up / (double)w->m->size;
    scenario_must(r, "all complete", crowd_finish(w, (usec)(bound * 10e6)));
    figure(w, r, "the last has it after", crowd_last(w), "s", SCENARIO_FREE);
    figure(w, r, "of the fluid bound", crowd_last(w) / bound, "times", of_bound);
    figure(w, r, "copies uploaded by the source", crowd_copies(w), "", SCENARIO_FREE);
    /* at the bound it uploads all the time: where the crowd's uplinks are few, more than one */
    figure(w, r, "of the copies at the bound", crowd_copies(w) / at_bound, "times", copies);
    figure(w, r, "received in vain", crowd_waste(w), "%", SCENARIO_FREE);
}

/*
 * Free riders: three of ten leechers never upload. The honest are not held up by it, and those who
 * give nothing have it last. N is the leechers.
 *
 * What is compared is the same crowd without them: the same honest leechers at the same source.
 */
#include "crowd.h"

#include <stdio.h>

#define HOME 1000000u
#define SIZE (128u << 20)
#define PIECE (128u << 10)
#define WITHIN (10 * USEC_SEC)
#define SHARE 0.3
#define TIME (3600 * USEC_SEC)
#define SLOWER 1.15

static struct crowd *crowd(struct scenario_run *r, uint32_t n, double riders, bool super)
{
    const struct crowd_config c = {.n = n,
                                   .size = SIZE,
                                   .piece = PIECE,
                                   .source_up = HOME,
                                   .riders = riders,
                                   .super = super,
                                   .within = WITHIN};
    struct crowd *w = crowd_new(r, &c);
    crowd_arrive(w);
    scenario_must(r, "all complete", crowd_finish(w, TIME));
    return w;
}

static void figure(struct scenario_run *r, bool super, const char *what, double value,
                   const char *unit, double at_most)
{
    char name[100];
    snprintf(name, sizeof name, "%s seed: %s", super ? "super" : "plain", what);
    scenario_figure(r, name, value, unit, at_most);
}

static bool all_done(void *arg)
{
    return crowd_is_complete(arg, true);
}

static double riders_share(struct crowd *w)
{
    double to_riders = 0, to_all = 0;
    for (uint32_t i = 0; i < w->c.n; i++) {
        struct node_status s;
        node_status(host_node(w->host[i]), w->item[i]->task, &s, tube_now(w->t));
        to_all += (double)s.from_peers;
        to_riders += w->rider[i] ? (double)s.from_peers : 0;
    }
    return 100 * to_riders / to_all;
}

static void tell(struct scenario_run *r, bool super)
{
    uint32_t honest = r->size - (uint32_t)(r->size * SHARE);
    struct crowd *w = crowd(r, honest, 0, super);
    double without = crowd_last(w), mean_without = crowd_mean(w, false);
    crowd_free(w);
    w = crowd(r, r->size, SHARE, super);
    double last = crowd_last(w), mean = crowd_mean(w, false);
    uint32_t late = 0, riders = 0;
    for (uint32_t i = 0; i < w->c.n; i++) {
        riders += w->rider[i];
        late += w->rider[i] && !w->item[i]->complete;
    }
    double share = riders_share(w);
    bool all = tube_run_each(w->t, TIME, USEC_SEC / 10, all_done, w);
    figure(r, super, "without riders, the last after", without, "s", SCENARIO_FREE);
    figure(r, super, "with riders, the last honest one after", last / without, "times", SLOWER);
    figure(r, super, "with riders, the honest on average after", mean / mean_without, "times",
           SLOWER);
    figure(r, super, "of all bytes then, to riders", share, "%", SCENARIO_FREE);
    figure(r, super, "riders still without when all honest have it", 100.0 * late / riders, "%",
           SCENARIO_FREE);
    figure(r, super, "the honest on average, of the riders' time", mean / crowd_mean(w, true),
           "times", 1);
    scenario_must(r, "riders complete in the end", all || super);
    crowd_free(w);
}

static int run(struct scenario_run *r)
{
    tell(r, false);
    tell(r, true);
    return 0;
}

const struct scenario scenario_riders = {
    .name = "riders",
    .summary = "three of ten of N leechers never upload",
    .size = 30,
    .long_size = 200,
    .run = run,
};

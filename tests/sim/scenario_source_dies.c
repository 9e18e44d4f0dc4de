/*
 * The source dies as soon as one full copy is spread over the others, and the tracker with it: the
 * others know each other, no piece is lost, and everyone completes. N is the leechers.
 *
 * The bound is that of a crowd which has one copy among it and needs the rest of all the others.
 */
#include "crowd.h"

#include <stdio.h>

#define HOME 1000000u
#define SIZE (64u << 20)
#define PIECE (256u << 10)
#define WITHIN (10 * USEC_SEC)
#define TIME (3600 * USEC_SEC)
#define STUCK (60 * USEC_SEC) /* nobody gets a piece for so long */

static bool spread(void *arg)
{
    return crowd_is_spread(arg);
}

struct progress {
    struct crowd *w;
    uint64_t pieces;
    usec since;
    bool stuck;
};

static void look(struct tube *t, void *arg)
{
    struct progress *p = arg;
    uint64_t pieces = 0;
    for (uint32_t i = 0; i < p->w->c.n; i++)
        pieces += p->w->item[i]->pieces;
    if (pieces != p->pieces) {
        p->pieces = pieces;
        p->since = tube_now(t);
    }
    p->stuck |= !crowd_is_complete(p->w, true) && tube_now(t) - p->since > STUCK;
}

static void tell(struct scenario_run *r, bool mixed, bool super)
{
    const struct crowd_config c = {.n = r->size,
                                   .size = SIZE,
                                   .piece = PIECE,
                                   .source_up = HOME,
                                   .mixed = mixed,
                                   .super = super,
                                   .within = WITHIN};
    struct crowd *w = crowd_new(r, &c);
    crowd_arrive(w);
    scenario_must(r, "one copy is spread", tube_run_each(w->t, TIME, USEC_SEC / 2, spread, w));
    double copies = crowd_copies(w), died = (double)(tube_now(w->t) - w->begun) / 1e6;
    uint32_t before = 0, after = 0;
    for (uint32_t i = 0; i < w->c.n; i++)
        before += w->item[i]->complete;
    host_kill(w->source);
    tube_tracker_dead(w->t, true);
    struct progress p = {.w = w, .since = tube_now(w->t)};
    tube_observe(w->t, USEC_SEC, look, &p);
    crowd_finish(w, TIME);
    for (uint32_t i = 0; i < w->c.n; i++)
        after += item_matches(w->item[i], w->content);
    char name[100];
    snprintf(name, sizeof name, "%s, %s seed: copies when it died", mixed ? "mixed" : "equals",
             super ? "super" : "plain");
    scenario_figure(r, name, copies, "", SCENARIO_FREE);
    scenario_figure(r, "  it died after", died, "s", SCENARIO_FREE);
    scenario_figure(r, "  complete by then", before, "", SCENARIO_FREE);
    scenario_figure_least(r, "  complete in the end", after, "", c.n);
    scenario_figure(r, "  the last after", crowd_last(w), "s", SCENARIO_FREE);
    scenario_must(r, "never stuck for a minute", !p.stuck);
    crowd_free(w);
}

static int run(struct scenario_run *r)
{
    for (int i = 0; i < 4; i++)
        tell(r, i & 1, i & 2);
    return 0;
}

const struct scenario scenario_source_dies = {
    .name = "source_dies",
    .summary = "source and tracker die when the N leechers have one copy among them",
    .size = 20,
    .long_size = 200,
    .run = run,
};

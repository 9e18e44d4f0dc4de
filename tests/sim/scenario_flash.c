/*
 * A flash crowd: one source, and N leechers that all arrive within ten seconds. How long until the
 * last of them has it, against the fluid bound, and how many copies the source uploaded; with and
 * without super-seeding, among equals and among three classes of uplinks.
 *
 * What is fixed of such a story (ten seconds of arriving, choking rounds of ten seconds, the time
 * of a first piece) weighs the less the longer it is: the file is one of minutes.
 */
#include "crowd.h"

#include <stdio.h>

#define HOME 1000000u
#define SIZE (128u << 20)
#define PIECE (128u << 10)
#define WITHIN (10 * USEC_SEC)
#define OF_BOUND 1.2
#define COPIES 1.1

static void figure(struct scenario_run *r, const struct crowd_config *c, const char *what,
                   double value, const char *unit, double at_most)
{
    char name[100];
    snprintf(name, sizeof name, "%s, %s seed: %s", c->mixed ? "mixed" : "equals",
             c->super ? "super" : "plain", what);
    scenario_figure(r, name, value, unit, at_most);
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
    double bound = crowd_bound(w);
    scenario_must(r, "all complete", crowd_finish(w, (usec)(bound * 10e6)));
    figure(r, &c, "the last has it after", crowd_last(w), "s", SCENARIO_FREE);
    figure(r, &c, "of the fluid bound", crowd_last(w) / bound, "times", OF_BOUND);
    figure(r, &c, "copies uploaded by the source", crowd_copies(w), "", SCENARIO_FREE);
    /* at the bound it uploads all the time: where the crowd's uplinks are few, more than one */
    figure(r, &c, "of the copies at the bound", crowd_copies(w) * (double)SIZE / (bound * HOME),
           "times", super ? COPIES : OF_BOUND);
    figure(r, &c, "received in vain", crowd_waste(w), "%", SCENARIO_FREE);
    crowd_free(w);
}

static int run(struct scenario_run *r)
{
    for (int i = 0; i < 4; i++)
        tell(r, i & 1, i & 2);
    return 0;
}

const struct scenario scenario_flash = {
    .name = "flash",
    .summary = "N leechers within ten seconds at one source, against the fluid bound",
    .size = 20,
    .long_size = 200,
    .run = run,
};

/*
 * A flash crowd: one source, and N leechers that all arrive within ten seconds. How long until the
 * last of them has it, against the fluid bound, and how many copies the source uploaded; with and
 * without super-seeding, among equals and among three classes of uplinks.
 *
 * What is fixed of such a story (ten seconds of arriving, choking rounds of ten seconds, the time
 * of a first piece) weighs the less the longer it is: the file is one of minutes.
 */
#include "crowd.h"

#define HOME 1000000u
#define SIZE (128u << 20)
#define PIECE (128u << 10)
#define WITHIN (10 * USEC_SEC)
#define OF_BOUND 1.2
#define COPIES 1.1

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
    crowd_tell(w, r, OF_BOUND, super ? COPIES : OF_BOUND);
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

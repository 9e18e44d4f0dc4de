/*
 * The crowd of `make bench` without a machine's noise: N leechers at once at one source, which
 * seeds as it does if nobody says otherwise, among equals and among three classes of uplinks. The
 * last of them has it soon after the fluid bound, and the source sends little more than it must.
 */
#include "crowd.h"

#define UP 1000000u
#define SIZE (128u << 20)
#define PIECE (128u << 10)
#define OF_BOUND 1.10
#define COPIES 1.05

static int run(struct scenario_run *r)
{
    for (int mixed = 0; mixed < 2; mixed++) {
        const struct crowd_config c = {
            .n = r->size, .size = SIZE, .piece = PIECE, .source_up = UP, .mixed = mixed};
        struct crowd *w = crowd_new(r, &c);
        crowd_arrive(w);
        crowd_tell(w, r, OF_BOUND, COPIES);
        crowd_free(w);
    }
    return 0;
}

const struct scenario scenario_rush = {
    .name = "rush",
    .summary = "N leechers at once at one source, against the fluid bound",
    .size = 8,
    .long_size = 200,
    .run = run,
};

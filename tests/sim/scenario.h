/*
 * Scenarios: stories that must hold, told in the test tube. Each is a `const struct scenario
 * scenario_NAME` in some tests/sim/scenario_*.c and has a line in scenario_list.h. It makes a tube
 * from the run's seed, lets it run, and says figures; a figure may have a bound. The run holds when
 * all bounds did and the function returned 0. Nothing but the run may be read: no clock, no
 * environment, so that the same seed and size give the same figures.
 *
 *      make sim SCENARIO=two SEED=7 N=20 SVG=two.svg
 */
#ifndef P2P_SIM_SCENARIO_H
#define P2P_SIM_SCENARIO_H

#include "tube.h"

#include <math.h>

#define SCENARIO_FREE ((double)NAN) /* no bound */

struct scenario_run {
    uint64_t seed;
    uint32_t size; /* what N means is the scenario's business; never 0 */
    bool big;      /* of `make sim-long`: what takes too long for make check may be added */
    struct scenario_figures *figures;
    struct film *film; /* NULL: no picture was asked for */
};

struct scenario {
    const char *name;
    const char *summary; /* one line; says what N is */
    uint32_t size;       /* N of make check: seconds, not minutes */
    uint32_t long_size;  /* N of make sim-long; 0: as above */
    int (*run)(struct scenario_run *r); /* 0: told to the end */
    bool no_check; /* too long for make check at any size */
};

/* A figure and the most that it may be. */
void scenario_figure(struct scenario_run *r, const char *name, double value, const char *unit,
                     double at_most);
/* A figure and the least that it must be. */
void scenario_figure_least(struct scenario_run *r, const char *name, double value,
                           const char *unit, double at_least);
/* Something that must be true. */
void scenario_must(struct scenario_run *r, const char *name, bool holds);
/* The p-th percentile (0 to 100) of n values, which are sorted. */
double scenario_percentile(double *v, size_t n, double p);
/* Draws what the items of all hosts of the tube hold over time, if a picture was asked for. Call
 * it once, before the tube runs. */
void scenario_film(struct scenario_run *r, struct tube *t);

#endif

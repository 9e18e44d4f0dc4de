/*
 * A crowd around one source: leechers with rates of their own arrive within a span of time, meet by
 * tracker and peer exchange, and want the whole of one file. Beside it what theory says of the time
 * until the last has it: no scheme is faster than the fluid bound
 *
 *      max(F / us, F / dmin, N F / (us + sum of ui))
 *
 * of file size F, the source's rate us, the slowest downlink dmin and the leechers' uplinks ui.
 */
#ifndef P2P_SIM_CROWD_H
#define P2P_SIM_CROWD_H

#include "scenario.h"

struct crowd_config {
    uint32_t n;
    uint64_t size; /* of the file, bytes */
    uint32_t piece;
    uint64_t source_up; /* bytes a second */
    bool mixed;         /* three classes of leechers; else all are like the source */
    bool super;         /* the source super-seeds (BEP 16) */
    double riders;      /* the share of leechers that never upload */
    usec within;        /* in which they arrive */
};

struct crowd {
    struct crowd_config c;
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *source;
    struct item *source_item;
    struct host **host; /* the leechers, */
    struct item **item;
    bool *rider;
    usec *came; /* when */
    usec begun;
    double up, least_down; /* of the leechers, bytes a second: all together; the least */
};

/* The source is there. `r` may bring a film. */
struct crowd *crowd_new(struct scenario_run *r, const struct crowd_config *c);
void crowd_free(struct crowd *w);
void crowd_arrive(struct crowd *w); /* time passes until all have come */
/* Until all have it; those that never upload are not waited for. False: not within `limit`. */
bool crowd_finish(struct crowd *w, usec limit);
bool crowd_is_complete(const struct crowd *w, bool riders_too);
double crowd_bound(const struct crowd *w);             /* seconds */
double crowd_last(const struct crowd *w);              /* seconds until the last has it */
double crowd_mean(const struct crowd *w, bool riders); /* seconds from arrival to the end */
double crowd_copies(struct crowd *w);                  /* that the source uploaded */
double crowd_waste(struct crowd *w);                   /* percent of what was received */
bool crowd_is_spread(struct crowd *w); /* do the leechers have one copy among them? */
/* Lets it run until the last has it, and says how far that and the copies that the source sent are
 * from the bound: figures that may be `of_bound` and `copies` at most. */
void crowd_tell(struct crowd *w, struct scenario_run *r, double of_bound, double copies);

#endif

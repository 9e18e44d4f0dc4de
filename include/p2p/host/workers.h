/*
 * Threads for programs without an event loop (p2p-add, p2p-ls --verify): jobs that need nothing
 * but themselves run on all cores, and the thread that submitted them gets them back in the order
 * in which they end. Worker threads take no signals.
 */
#ifndef P2P_HOST_WORKERS_H
#define P2P_HOST_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

struct workers;

struct workers_job { /* embedded in the job of the caller, who owns it */
    void (*run)(struct workers_job *job); /* called in a worker thread */
    struct workers_job *next;             /* private */
};

/* threads 0: one a core. `max` jobs may be out at a time (0: four a thread). */
struct workers *workers_new(size_t threads, size_t max);
/* Jobs that have not begun are dropped, those that run are waited for. */
void workers_free(struct workers *w);
size_t workers_threads(const struct workers *w);
/* False when `max` jobs are out: fetch one with workers_next first. */
bool workers_submit(struct workers *w, struct workers_job *job);
/*
 * A job that has ended. Waits up to `ms` milliseconds (-1: as long as it takes); NULL if none
 * ended in that time or none is out.
 */
struct workers_job *workers_next(struct workers *w, int ms);
size_t workers_out(const struct workers *w); /* submitted and not fetched */
size_t workers_cores(void);                  /* that this process may use */

#endif

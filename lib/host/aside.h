/*
 * A function run aside, in a child process: for libraries that block, trust what strangers on the
 * network send, allocate as those announce, or print. The child has none of our descriptors, takes
 * no signals, is killed when its time is over or this process ends, and can allocate only so much.
 * What it reports is a struct of a size fixed by the caller; it is copied, so it holds no pointers.
 *
 * The function runs in the copy of a process that has threads: it may allocate, open sockets and
 * compute, and must not touch the loop.
 */
#ifndef LIB_HOST_ASIDE_H
#define LIB_HOST_ASIDE_H

#include <p2p/host/loop.h>
#include <stddef.h>

#define ASIDE_MEMORY (32u << 20) /* bytes that the function may take */
#define ASIDE_REPORT_MAX 4096    /* a pipe takes it in one piece */

struct aside;

struct aside_task {
    void (*run)(void *task, void *report); /* in the child; `report` is zeroed */
    void *task;                            /* borrowed during aside_start; copied by the fork */
    size_t report_size;
    usec patience; /* then it is killed */
    /* On the loop, once, later. `report` is NULL if it could not be begun, died, was killed or said
     * nothing whole. The handle is gone when this is called. */
    void (*done)(void *arg, const void *report);
    void *arg;
};
struct aside *aside_start(struct loop *l, const struct aside_task *t);
/* Kills it; done is not called. NULL is fine. */
void aside_cancel(struct aside *a);

#endif

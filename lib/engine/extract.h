/*
 * An item that is an archive, and is unpacked while it comes: a stream (outflow.h) whose reader is
 * a process of ours, and says which bytes it wants next. What was unpacked gets its name when the
 * process has read all that it needed; nothing reaches it that was not verified.
 */
#ifndef LIB_ENGINE_EXTRACT_H
#define LIB_ENGINE_EXTRACT_H

#include "engine/engine_int.h"

struct extract;

/* The one file that is wanted, it->stretches[0]. It is counted in it->jobs by the caller, and calls
 * item_job_back when it has ended. */
struct extract *extract_new(struct item *it,
                            void (*wants)(struct item *it, uint64_t at, uint64_t n), struct err *e);
int extract_fd(const struct extract *x); /* to write to */
/* The item is to end, and no other descriptor of it is open: what was made goes. */
void extract_stop(struct extract *x);
void extract_end(struct extract *x);  /* the loop is to end: nothing is told any more */
void extract_free(struct extract *x); /* NULL is fine */

#endif

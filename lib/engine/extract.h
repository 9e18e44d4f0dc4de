/*
 * An item that is an archive, and is unpacked while it comes: a stream (outflow.h) whose reader is
 * a process of ours. What was unpacked gets its name when the process has read all of it, and all
 * of it was verified.
 */
#ifndef LIB_ENGINE_EXTRACT_H
#define LIB_ENGINE_EXTRACT_H

#include "engine/engine_int.h"

struct extract;

/* The one file that is wanted, it->stretches[0]. It is counted in it->jobs by the caller, and calls
 * item_job_back when it has ended. */
struct extract *extract_new(struct item *it, struct err *e);
int extract_fd(const struct extract *x); /* to write to */
/* All was written, and no other descriptor of it is open: then comes ENGINE_COMPLETE, or the item
 * fails. */
void extract_whole(struct extract *x);
void extract_stop(struct extract *x); /* the item is to end: what was made goes */
void extract_end(struct extract *x);  /* the loop is to end: nothing is told any more */
void extract_free(struct extract *x); /* NULL is fine */

#endif

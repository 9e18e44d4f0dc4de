/*
 * Items whose pieces come and go: what is here now is gone soon. One that is read in its order is a
 * stream (stream.c); one whose reader jumps about is on demand (demand.c).
 */
#ifndef LIB_NODE_PASSING_H
#define LIB_NODE_PASSING_H

#include "node/node_int.h"

static inline bool task_passes(const struct task *t)
{
    return t->stream || t->demand;
}

/* demand.c */
void demand_begin(struct task *t); /* there is a picker */
void demand_free(struct task *t);
bool demand_rests(const struct task *t);    /* the reader has what it wanted */
void demand_gone(struct task *t, usec now); /* a place is free */
void demand_pulse(struct task *t, usec now);

/* stream.c */
void stream_begin(struct task *t); /* there is a picker */
bool stream_is_full(const struct task *t);
void stream_pulse(struct task *t, usec now);
void stream_let_go(struct task *t, uint32_t piece); /* others are told; NODE_FORGET */
/* Blocks at the beginning of a piece that their leaves have proved (v2). A hybrid waits for its
 * other half. */
uint32_t stream_proved_blocks(const struct task *t, uint32_t piece);
bool stream_tells(const struct conn *c); /* may it hear of pieces that will go again? */
void stream_greet(struct conn *c);       /* its extended handshake came */

#endif

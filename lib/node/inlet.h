/*
 * The limit on what comes in; see inlet.c. Without a limit nothing is counted.
 */
#ifndef P2P_NODE_INLET_H
#define P2P_NODE_INLET_H

#include "node/node_int.h"

/* No more than half of what may gather is there at the start, or a request. */
void inlet_begin(struct node *n, uint64_t rate, usec now);
/* Bytes of a request: a block, of low limits a part of one. */
uint32_t inlet_unit(const struct node *n);
/* How many requests may be sent now; UINT_MAX: no limit. */
unsigned inlet_may_ask(const struct conn *c, usec now);
/* It would ask for more, and has its turn later (fetch_more). */
void inlet_wait(struct conn *c, usec now);
/* A block's part was asked for; is coming; will not come. */
void inlet_asked(struct conn *c, uint32_t length, usec now);
void inlet_comes(struct conn *c, uint32_t length);
void inlet_unasked(struct conn *c, uint32_t length, usec now);

size_t inlet_may_receive(struct conn *c, usec now); /* bytes; 0: it waits and will be woken */
void inlet_received(struct conn *c, size_t bytes, usec now); /* and looked at */
/* One of a web seed's lanes; zero at first. */
struct inlet_web {
    struct list_node wait; /* in web_wait: its lane has to wait, for reading or for a next answer */
    uint64_t ahead;        /* bytes that are paid for and have not been read */
    uint64_t turn;         /* bytes read since others had theirs */
};

/* False: the lane has to wait (web_wake). */
bool inlet_web_may_begin(struct node *n, struct inlet_web *w, usec now);
/* An answer of so many bytes is asked for; the lane asks for no other. */
void inlet_web_begins(struct node *n, struct inlet_web *w, uint64_t length, usec now);
void inlet_web_rests(struct node *n, struct inlet_web *w, usec now);
/* Of a web seed came so much; true: its lane has to wait (web_wake). */
bool inlet_web_got(struct node *n, struct inlet_web *w, size_t bytes, usec now);
void inlet_web_woken(struct node *n, struct inlet_web *w);
/* How many lanes a web seed may use, whose last answer was so long in coming. */
unsigned inlet_web_lanes(const struct node *n, unsigned most, usec answer);
uint32_t inlet_web_run(const struct node *n, uint32_t blocks); /* to ask for, of so many */
/* So much later than it was meant to; before. */
void inlet_late(struct node *n, usec by, usec now);
void inlet_turn(struct node *n, usec now); /* for all who wait, if there is something to share */
void inlet_gone(struct conn *c, usec now);
bool inlet_is_spent(struct node *n, usec now); /* somebody waits for the limit */

#endif

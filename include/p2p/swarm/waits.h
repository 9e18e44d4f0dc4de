/*
 * What a download waited for, all the while: what bounds it is what it waited for most.
 */
#ifndef P2P_SWARM_WAITS_H
#define P2P_SWARM_WAITS_H

#include <p2p/base/usec.h>

enum waits_for {
    WAITS_PEERS,   /* there was nobody whom anything could be asked for */
    WAITS_NETWORK, /* what was asked for was on its way */
    WAITS_LIMIT,   /* our own ceiling for what comes */
    WAITS_HASHING,
    WAITS_DISK,
    WAITS_READER, /* of a stream whose window was full */
    WAITS
};

struct waits {
    enum waits_for now;
    usec since;
    usec time[WAITS];
};

void waits_begin(struct waits *w, usec now); /* for peers */
/* From now on it is this; the time until now goes to what it was. */
void waits_turn(struct waits *w, enum waits_for now_for, usec now);
enum waits_for waits_most(const usec time[WAITS]);
const char *waits_name(enum waits_for w); /* a word */

#endif

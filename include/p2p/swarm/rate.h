/* Bytes a second, smoothed over a few seconds, from what was counted when. */
#ifndef P2P_SWARM_RATE_H
#define P2P_SWARM_RATE_H

#include <p2p/base/usec.h>

#define RATE_SLOTS 20 /* of half a second: the mean of the last ten seconds */

struct rate {
    uint64_t total;
    uint64_t slot[RATE_SLOTS];
    int64_t slot_no; /* number of the current slot */
    usec begun;
};
void rate_init(struct rate *r, usec now);
void rate_add(struct rate *r, uint64_t bytes, usec now);
/* Over at most ten seconds, and not before `begun`. */
uint64_t rate_now(const struct rate *r, usec now);

#endif

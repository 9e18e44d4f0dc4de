/*
 * A token bucket over virtual time. It may be overdrawn by the last taker (a message is not cut to
 * fit), and what was overdrawn is paid before the next; over time the rate is exact.
 */
#ifndef P2P_BASE_BUCKET_H
#define P2P_BASE_BUCKET_H

#include <p2p/base/usec.h>
#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint64_t rate;          /* tokens a second; 0: unlimited */
    uint64_t burst;         /* most that gather */
    int64_t micro;          /* tokens in hand, in millionths */
    uint64_t spilled, late; /* what did not fit; of that what is kept beside it; millionths */
    usec last;
    bool own_burst; /* the caller's, so it does not follow the rate */
};

/* A burst of 0 means what the rate gives in 50 ms, 1500 at least. Starts full. */
void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, usec now);
void bucket_set_rate(struct bucket *b, uint64_t rate, usec now);
/* Tokens in hand: at least 0; INT64_MAX when unlimited. */
int64_t bucket_avail(struct bucket *b, usec now);
/* Tokens overdrawn. */
uint64_t bucket_debt(struct bucket *b, usec now);
void bucket_take(struct bucket *b, uint64_t n, usec now);
/* What was taken and turned out not to be needed; no more than the burst is ever in hand. */
void bucket_give(struct bucket *b, uint64_t n, usec now);
/* Somebody waited for it, and looks so much later than was meant, for the machine is busy. Of what
 * did not fit meanwhile up to a tenth of a second's worth is kept, and comes back little by little:
 * any 10 s still see no more than 1.5 % beyond the rate. Not with a burst of the caller's. */
void bucket_late(struct bucket *b, usec by, usec now);
/* When at least n (or the burst, if less) will be there; `now` if they are. */
usec bucket_when(struct bucket *b, uint64_t n, usec now);

#endif

/*
 * Who paces what we send. BBR learns the width of the road from how fast acknowledgements come; on
 * a road of no length it takes each pause of a busy reader for a narrow place, and lets single
 * packets wait for tens of milliseconds. So where it is the system's choice, near peers are sent
 * to without it, and far ones with it. Other choices of the system are left alone.
 */
#ifndef P2P_HOST_PACE_H
#define P2P_HOST_PACE_H

#include <p2p/base/usec.h>

#define PACE_NEAR USEC_MS /* of round trip: loopback and the same wire, but no road beyond */
#define PACE_NAME 16      /* TCP_CA_NAME_MAX, which the C library does not tell */

struct pace {
    char name[PACE_NAME]; /* what the system chose, and we put aside; empty: nothing */
};

/* Before a socket connects or listens: once BBR has begun, its pacing stays with the socket. What
 * a listener accepts begins as the listener does. */
void pace_aside(int fd, struct pace *p);
/* The socket is connected, and a round trip took so long: a far peer gets back what was chosen. */
void pace_settle(int fd, const struct pace *p, usec round_trip);
/* The kernel's measure of a connected socket; USEC_NEVER: it does not tell. */
usec pace_round_trip(int fd);

#endif

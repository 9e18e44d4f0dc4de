/*
 * Whether near seeds are all asked, or one of them alone.
 *
 * While we are the slower end one brings as much as all, and all cost more: each sends a little at
 * a time and is woken for it; those on our own machine take its cores from us and from each other.
 * Of seeds that are the slower end one alone brings less than all. Which it is is found out: when
 * what came waited for the disk, so that we were the slower end, one is asked alone. If that brings
 * clearly less than all together brought, all are asked again, and the next trial is later. Now and
 * then all are asked for a while, in case they became quicker.
 *
 * Who is asked alone is for the caller to say. Bytes and times are those of the whole item.
 */
#ifndef P2P_SWARM_ALONE_H
#define P2P_SWARM_ALONE_H

#include <p2p/base/usec.h>
#include <stdbool.h>
#include <stdint.h>

#define ALONE_WINDOW (UINT64_C(16) << 20) /* bytes, over which it is measured */
#define ALONE_STALL (USEC_SEC / 2)        /* with nothing coming: all are asked */

struct alone { /* all zero: it begins with all */
    bool one;         /* is asked, */
    usec begun;       /* or all are, since then; */
    unsigned windows; /* in which so many windows went by, */
    usec counted;     /* the first of them up to then */
    usec mean_of_all; /* how long a window took while all were asked, before */
    uint64_t bytes;   /* that had come when this window began */
    uint64_t last;    /* bytes that have come, */
    usec came;        /* and when the last of them did */
    usec again, pause; /* no trial before; and so long was the wait for it */
};

/* So many bytes have come so far, and reading waited for the disk last at `full` (0: never). True:
 * `one` is not what it was. */
bool alone_update(struct alone *a, uint64_t came, usec full, usec now);
/* Who is asked alone has nothing to give: all are asked. */
void alone_end(struct alone *a, usec now);

#endif

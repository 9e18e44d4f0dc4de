/* The inside of giving: queue.c (asked of us), hint.c (suggested), super.c (shown one by one),
 * spread.c (left to others). */
#ifndef P2P_NODE_GIVE_INT_H
#define P2P_NODE_GIVE_INT_H

#include <p2p/base/usec.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_HINTS 32u /* pieces on their way to one peer that are counted */

struct conn;
struct task;

struct asked { /* by a peer, of us */
    uint32_t piece, begin, length;
    usec at;
};

struct hint { /* a piece on its way to a peer and, as far as we see, to nobody else */
    uint32_t piece;
    uint32_t gave; /* bytes of it, in super-seeding */
    bool asked;    /* the peer has begun to ask for it, */
    bool begun;    /* and to have it, */
    bool had;      /* and it has it now */
    usec at;       /* when the last of these happened */
    usec took;     /* from the first to the last of them */
};

/* queue.c */
void queue_push(struct conn *c, struct asked a);
struct asked queue_next(struct conn *c); /* which is not empty */
bool queue_cancel(struct conn *c, const struct asked *a);
bool queue_has_first(struct conn *c); /* something that nobody else has */
/* While others of its item that have such a thing wait for the limit. */
bool queue_may_wait(const struct conn *c, usec now);
/* Rejects what is not to be kept. */
void queue_sweep(struct conn *c, bool (*keep)(struct conn *c, const struct asked *a, usec now),
                 usec now);
void queue_pulse(struct task *t, usec now);

/* hint.c */
void hint_begun(struct conn *c, uint32_t piece); /* its first block goes out */
/* Others have the piece, or are about to: `c` can have it of them. */
bool hint_is_anothers(struct conn *c, uint32_t piece);
void hint_suggested(struct conn *c, uint32_t piece);       /* by the peer, to us */
void hint_more(struct conn *c, usec now);                  /* by us, if that helps */
void hint_asked(struct conn *c, uint32_t piece, usec now); /* it asks for a block of this piece */
void hint_peer_has(struct conn *c, uint32_t piece, usec now);
bool hint_is_out(struct conn *c, uint32_t piece); /* it is on its way to c, or was given */
/* It is choked: others may have what was meant for it, but not this piece. */
void hint_choked(struct conn *c, uint32_t but);
void hint_gone(struct conn *c);
/* How many pieces it was given that nobody else has now, and should have. */
uint32_t hint_stuck(const struct conn *c, usec now);
/* For super-seeding: a piece that it lacks, that at most one has beside us and that is on its way
 * to nobody, UINT32_MAX: none; counted as on its way to c; not any more. */
uint32_t hint_unspread(struct conn *c);
bool hint_note(struct conn *c, uint32_t piece, bool asked, usec now);
void hint_forget(struct conn *c, uint32_t i);
void hint_expire(struct conn *c, usec now); /* what was not asked for or not given on for long */

/* spread.c */
void spread_peer_has(struct conn *c, uint32_t piece, usec now);
void spread_pulse(struct task *t, usec now);
bool spread_watches(const struct conn *c, usec now); /* a seed that is parted from later */
bool spread_feeds(const struct conn *c, usec now); /* others do, and we leave it to them */

/* super.c */
void super_greet(struct conn *c, usec now);
void super_show(struct conn *c, usec now); /* more, if it may have more; else it does nothing */
void super_peer_has(struct task *t, struct conn *c, uint32_t piece, usec now);
bool super_may_have(const struct conn *c, uint32_t piece);
/* So much of a piece went to it. Of a whole one it is taken to have it, for some clients tell
 * nobody who has a piece that they have it too. */
void super_gave(struct conn *c, uint32_t piece, uint32_t bytes, usec now);

#endif

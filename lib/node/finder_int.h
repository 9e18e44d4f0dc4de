/* The inside of finding peers by the DHT: finder.c (look-ups), finder_join.c (who to ask). */
#ifndef P2P_NODE_FINDER_INT_H
#define P2P_NODE_FINDER_INT_H

#include "node/node_int.h"

/* Look-ups that are due wait in lines: downloads first, then what was never announced. */
enum seek_line { SEEK_HASTE, SEEK_NEW, SEEK_AGAIN, SEEK_LINES };

/* Looking for the peers of one hash, over and over. */
struct seek {
    struct heap_item due;  /* in finder.due, */
    struct list_node link; /* or in a line of finder.line, or in finder.running */
    struct swarm *swarm;
    enum seek_line line; /* that it came from */
    dht_job job;         /* 0: none under way */
    usec began, ended;   /* it; the last look-up. Ended is meaningful if whole > 0 */
    bool waits_in_line;
    bool fresh;       /* this look-up told of somebody new */
    bool again;       /* to begin anew when this one ends */
    uint8_t families; /* that the last look-up went through: 1 IPv4, 2 IPv6 */
    unsigned found;   /* peers told by this look-up */
    unsigned whole;   /* look-ups that ended, */
    unsigned empty;   /* and those in a row that brought nobody new */
    unsigned waits;   /* look-ups in a row that left us without a peer */
};

struct finder {
    struct node *node;
    struct dht *dht;
    struct timer timer;
    struct heap due;
    struct list line[SEEK_LINES], running;
    unsigned idle_running; /* of seeds */
    usec idle_at;          /* no look-up of a seed begins before */
    uint8_t joined;        /* families: 1 IPv4, 2 IPv6 */
    usec alone_since;      /* nobody has answered; meaningful if joined is 0 */

    char *bootstrap[NODE_MAX_BOOTSTRAP]; /* "HOST:PORT", owned */
    unsigned n_bootstrap, bootstrap_tries;
    usec bootstrap_at; /* when they are asked next */
    bool bootstrap_waited;
    unsigned resolving; /* names looked up */
    struct bucket told; /* nodes that peers and neighbours may name */
};

/* After everything that the DHT was told: what it has to say and to send, and what is due. */
void finder_turn(struct finder *f, usec now);
uint8_t finder_families(const struct finder *f); /* that it runs on, as in `joined` */

/* finder_join.c */
void finder_join_fini(struct finder *f);
void finder_join_run(struct finder *f, usec now);
void finder_join_changed(struct finder *f, usec now); /* `joined` has changed */
/* Those that a manifest or a link names. */
void finder_join_named(struct finder *f, char *const *nodes, size_t n, usec now);
/* Is there nobody to ask, and has there been nobody for long enough to say so? */
bool finder_join_hopeless(const struct finder *f, usec now);

#endif

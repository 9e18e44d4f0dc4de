/*
 * The insides of the DHT machine, shared by its files:
 *
 *      dht.c        life, datagrams in and out, events, status
 *      dht_ask.c    our questions: transaction ids, who may answer, time
 *      dht_walk.c   one look-up in one family: whom to ask next, when it is done
 *      dht_place.c  what follows a look-up that stores: announce_peer and put
 *      dht_job.c    what the caller wants: one job is a walk in each family
 *      dht_serve.c  answers to others
 *      dht_keep.c   joining, pinging, refreshing, our id
 *      dht_save.c   memory between runs
 */
#ifndef P2P_DHT_INT_H
#define P2P_DHT_INT_H

#include "proto/dht_bloom.h"
#include "proto/dht_dice.h"
#include "proto/dht_guard.h"
#include "proto/dht_store.h"
#include "proto/dht_table.h"
#include "proto/dht_token.h"
#include "proto/dht_vote.h"

#include <p2p/base/bucket.h>
#include <p2p/base/list.h>
#include <p2p/proto/dht.h>
#include <p2p/proto/krpc.h>

struct map;

/* ---- questions ---- */

enum ask_kind {
    ASK_PROBE, /* is it alive? for the table */
    ASK_PING,  /* the caller's */
    ASK_WALK,  /* a step of a look-up */
    ASK_PLACE, /* announce_peer or put */
};

struct ask {
    uint32_t tid;
    enum ask_kind kind;
    uint32_t owner; /* walk or job */
    uint16_t cand;  /* of the walk */
    bool slow;      /* past its soft deadline: another may take its turn */
    struct addr to;
    usec sent, dead;
};

/* ---- look-ups ---- */

enum place_state { PLACE_NOT, PLACE_TODO, PLACE_ASKED, PLACE_OVER };
enum cand_state { CAND_NEW, CAND_ASKED, CAND_SLOW, CAND_REPLIED, CAND_FAILED };

struct cand {
    uint8_t id[DHT_ID];
    struct addr addr;
    uint16_t uid, parent; /* parent: who told of it; 0: our own table */
    uint8_t state;
    bool has_id;         /* not of a bare address */
    bool fits;           /* counts among the closest: BEP 42, and it knows the method */
    bool plain;          /* asked with find_node, because it does not know the method */
    bool vouched;        /* two have told of it */
    bool holds;          /* it has the item */
    bool again;          /* asked a second time */
    uint8_t place;       /* an enum place_state */
    uint8_t lost, lived; /* its tips that did not answer, and those that did */
    uint8_t tries;       /* to store there */
    uint8_t token_n;
    uint8_t token[KRPC_MAX_TOKEN];
};

enum { RINGS = 3 };
struct crowd { /* the closest that were counted, by ring around the hash */
    uint8_t in[RINGS + 1];
    unsigned closest;
    unsigned near; /* where eight are expected */
};

struct walk {
    struct list_node node;
    uint32_t id;
    dht_job job; /* 0: our own, for the table */
    struct dht_side *side;
    enum krpc_method method;
    uint8_t target[DHT_ID];
    struct cand *v; /* owned; bare addresses, then by distance */
    unsigned n, cap;
    uint16_t last_uid;
    unsigned fast, slow; /* under way */
    unsigned asked, replies, stored, misfits;
    bool joins;  /* looks for our own id */
    bool enough; /* it has what it was sent for */
    bool places; /* storing has begun */
    bool scrape, noseed, patient;
    int code;
};

/* ---- jobs ---- */

enum job_state { JOB_WAITING, JOB_RUNNING };

struct job {
    struct list_node node;
    dht_job id;
    enum krpc_method method; /* of its walks; KRPC_PING: a single question */
    enum job_state state;
    uint8_t target[DHT_ID];
    struct dht_search search;
    struct addr to;       /* KRPC_PING */
    struct dht_item item; /* to put: borrows from `memory` */
    uint8_t *memory;      /* owned */
    bool puts;
    bool tried;    /* its patience has begun to run */
    bool told_seq; /* seq is the newest seen */
    uint8_t salt[DHT_ITEM_SALT];
    size_t salt_n;
    int64_t seq;
    usec began, again; /* again: when to begin anew after nobody answered */
    unsigned walks, asked, replies, stored;
    int code;
    struct map *seen;                /* addresses told already; owned, made on demand */
    struct dht_bloom *seeds, *peers; /* owned, made on demand */
};

/* ---- one address family ---- */

struct hint { /* somebody who may be alive */
    struct addr addr;
    bool has_id; /* remembered or told of; bare addresses come from the caller, and stay */
    uint8_t id[DHT_ID];
    uint8_t fails;
};

struct dht_side {
    bool on;
    uint8_t family;
    struct dht_table *table;
    struct dht_vote vote;
    struct addr external; /* family 0: not known */
    bool joined;
    struct hint *hints; /* owned */
    unsigned n_hints;
    uint32_t joining;    /* the walk that looks for our own id; 0: none */
    usec join_at;        /* when to look next */
    unsigned join_tries; /* in vain, in a row */
    unsigned joins;      /* that worked */
    usec heard;          /* the last answer; meaningful if `ever` */
    bool ever;
    usec id_at; /* when the id changed; meaningful if `id_changed` */
    bool id_changed, id_guessed;
};

struct event {
    struct list_node node;
    struct dht_event e;
    uint8_t *memory; /* owned: what e borrows */
};

struct out {
    struct list_node node;
    struct addr to;
    size_t n;
    uint8_t bytes[];
};

struct dht {
    struct dht_config config;
    struct dht_dice dice;
    struct dht_side side[2]; /* IPv4, IPv6 */
    struct dht_guard *guard;
    struct dht_tokens tokens;
    struct dht_store *store;
    struct dht_items *items;
    struct bucket answers; /* bytes */
    struct bucket own;     /* bytes of our questions */
    struct bucket probes;  /* pings of the table's */
    struct ask *asks;      /* owned */
    unsigned n_asks, cap_asks;
    usec rtt, rtt_var; /* smoothed (RFC 6298); 0: nobody has answered */
    struct list walks, jobs, events, outs;
    unsigned running, patient; /* jobs with walks; of them those that may wait */
    bool starved;              /* somebody had to wait with a question, */
    usec feed_at;              /* until then */
    bool jobs_due;             /* a job may begin */
    bool walks_due;            /* a walk may end */
    uint32_t last_id;
    struct event *told; /* the event the caller looks at */
    usec keep_at, sweep_at;
    uint64_t bytes_in, bytes_out, bytes_asked, datagrams_in, datagrams_out, queries, refused,
        strays;
};

/* dht.c */
struct dht_side *dht_side_of(struct dht *d, const struct addr *a); /* NULL if there is none */
uint32_t dht_new_id(struct dht *d);
struct bytes dht_version(const struct dht *d);
/* Queues a datagram, paid from a bucket. False if there are too many. */
bool dht_send(struct dht *d, struct bucket *from, const struct addr *to, struct bytes datagram,
              usec now);
/* `memory` is moved in. */
void dht_tell(struct dht *d, const struct dht_event *e, uint8_t *memory);

/* dht_ask.c */
/* `least`: what must be left of our own share of the line. */
bool dht_may_ask(struct dht *d, uint64_t least, usec now);
/* Somebody may not: he is asked again when he may. */
void dht_starve(struct dht *d, uint64_t least, usec now);
/* Completes the message (id, tid, version, ro) and sends it. False if it may not. */
bool dht_ask(struct dht *d, enum ask_kind kind, uint32_t owner, uint16_t cand,
             const struct addr *to, struct krpc_msg *m, usec now);
/* Are there questions of this walk to this candidate under way? Forgets them, if so wished. */
bool dht_ask_pending(struct dht *d, enum ask_kind kind, uint32_t owner, uint16_t cand, bool forget);
void dht_answered(struct dht *d, const struct addr *from, const struct krpc_msg *m, usec now);
void dht_ask_expire(struct dht *d, usec now);
usec dht_ask_deadline(const struct dht *d);

/* dht_walk.c */
struct walk *dht_walk_new(struct dht *d, struct dht_side *s, enum krpc_method method,
                          const uint8_t target[DHT_ID], dht_job job, usec now);
void dht_walk_free(struct dht *d, struct walk *w);
struct walk *dht_walk_find(struct dht *d, uint32_t id);
/* A bare address to begin with. */
void dht_walk_hint(struct walk *w, const struct addr *a);
struct cand *dht_walk_cand(struct walk *w, uint16_t uid);
/* Counts one that answered, of the closest to the farthest; true once there are enough. */
bool dht_walk_full(const struct walk *w, const struct cand *c, struct crowd *k);
/* dht_ask for a walk; if it may not now, the walk goes on later. */
bool dht_walk_ask(struct dht *d, struct walk *w, enum ask_kind kind, const struct cand *c,
                  struct krpc_msg *m, usec now);
/* Asks whom it may, ends when there is nobody left. The walk may be gone afterwards. */
void dht_walk_go(struct dht *d, struct walk *w, usec now);
void dht_walks_go(struct dht *d, usec now); /* all that had to wait */
void dht_walk_reply(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now);
void dht_walk_error(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now);
void dht_walk_slow(struct dht *d, const struct ask *a, usec now);
void dht_walk_silent(struct dht *d, const struct ask *a, usec now);

/* dht_place.c */
/* Chooses the closest to store at. False if there is nothing to store, or nobody to store at. */
bool dht_place_begin(struct dht *d, struct walk *w);
/* Asks whom it may. True while it is not over. */
bool dht_place_go(struct dht *d, struct walk *w, usec now);
void dht_place_slow(struct dht *d, const struct ask *a, usec now);
/* m: the answer, NULL: silence. The walk may be gone afterwards. */
void dht_place_end(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now);

/* dht_job.c */
struct job *dht_job_find(struct dht *d, dht_job id);
void dht_job_free(struct dht *d, struct job *j);
void dht_jobs_go(struct dht *d, usec now); /* begins those that may */
/* An answer on the way. False: it lies, and does not count. */
bool dht_job_result(struct dht *d, struct walk *w, struct cand *c, const struct krpc_msg *m);
void dht_job_walked(struct dht *d, struct walk *w, usec now);
void dht_job_pong(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now);

/* dht_serve.c */
void dht_serve(struct dht *d, const struct addr *from, const struct krpc_msg *m, size_t asked,
               usec now);

/* dht_keep.c */
void dht_keep(struct dht *d, usec now);
/* id: NULL if it is not known */
void dht_keep_hint(struct dht *d, const struct addr *a, const uint8_t *id);
void dht_keep_hint_failed(struct dht_side *s, const struct addr *a);
void dht_keep_join(struct dht *d, struct dht_side *s, usec now); /* now, not in a while */
void dht_keep_probe(struct dht *d, const struct addr *a, usec now);
void dht_keep_joined(struct dht *d, struct walk *w, usec now);
/* It answered: what it says of our address counts as a vote. */
void dht_keep_vote(struct dht *d, const struct addr *from, const struct addr *says, usec now);
void dht_keep_changed(struct dht *d, struct dht_side *s, usec now); /* joined, or lost? */

#endif

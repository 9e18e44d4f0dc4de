/*
 * What the scenarios of the DHT have in common: many whole nodes with nothing but their DHT, and
 * probes. A probe is the story that matters: somebody announces himself under a new hash, after a
 * pause somebody else looks it up, and is told of him or not (where many share a hash: of any).
 */
#ifndef P2P_SIM_DHT_WORLD_H
#define P2P_SIM_DHT_WORLD_H

#include "scenario.h"

#define WORLD_BOOT 4u /* the first members, by whom the others join */
#define WORLD_PATIENCE (20 * USEC_SEC)

enum probe_state { PROBE_WAITS, PROBE_ANNOUNCES, PROBE_REST, PROBE_SEEKS, PROBE_OVER, PROBE_VOID };

struct dht_world;
struct probe {
    struct dht_world *w;
    enum probe_state state; /* void: somebody went away in the middle */
    struct host *a, *b;     /* who announces, who looks */
    dht_job job;
    struct dht_search search;
    struct addr want; /* a, as b is to find it */
    usec pause, began, got, ended;
    unsigned stored; /* nodes that took the announce */
    unsigned asked;  /* questions that the look-up took */
};

struct dht_world {
    struct scenario_run *r;
    struct tube *t;
    struct host **v; /* honest members, up or down; owned array */
    uint32_t n;
    struct probe **probes; /* owned */
    uint32_t n_probes;
    struct host *(*seeker)(struct dht_world *w); /* who looks; NULL: any member */
    size_t memory;                               /* in use before there was anybody */
};

void world_init(struct dht_world *w, struct scenario_run *r);
void world_fini(struct dht_world *w);
void world_run(struct dht_world *w, usec time);
/* A host as many have: its own network, a fair line, now and then a lost datagram. */
struct host_config world_config(struct dht_world *w);
/* One more member; it joins by one of the first. */
struct host *world_join(struct dht_world *w, const struct host_config *c);
/* Members, evenly within that time. */
void world_grow(struct dht_world *w, uint32_t n, usec within);
struct host *world_live(struct dht_world *w); /* any that is up */
void world_meet(struct dht_world *w, struct host *h, const struct addr *node);

/*
 * Probes, evenly within that time, until all are over; the look-up comes `pause` (at most) after
 * the announce. key: NULL: each has a hash of its own.
 */
void world_probe(struct dht_world *w, uint32_t n, usec within, usec pause, const uint8_t *key);
struct probe *world_probe_one(struct dht_world *w, usec at, usec pause, const uint8_t *key);
void world_finish(struct dht_world *w);
/* Figures of the probes since the last time: share found and its bound, times, questions. */
void world_tell(struct dht_world *w, const char *what, double least_share);
void world_tell_share(struct dht_world *w, const char *what, double least_share); /* that alone */
/* What each member costs: memory and line; and that stores are in bounds. */
void world_tell_cost(struct dht_world *w, double most_memory);

#endif

/*
 * Inside of the look-ups. lookups.c: their life, from operand to status, and those that find
 * addresses and hashes. lookups_item.c: values, and keys.
 */
#ifndef P2P_CMD_LOOKUPS_INT_H
#define P2P_CMD_LOOKUPS_INT_H

#include "lookups.h"

#include <p2p/base/map.h>
#include <p2p/engine/known.h>
#include <p2p/engine/lookup.h>
#include <p2p/host/resolve.h>

struct look {
    struct program *p;
    const struct node_options *o;
    const struct look_kind *kind;
    const char *operand;
    struct engine *engine;
    usec give_up;
    size_t left;  /* jobs that have not ended */
    size_t found; /* results told */
    struct err e; /* why it failed, if it did */

    /* get-peers, sample, ping */
    struct known known;
    uint8_t hash[2][DHT_ID]; /* or the target, first */
    dht_job job[2];
    size_t n_hashes;
    struct map *seen; /* what was told already */
    char *host;       /* of ping */
    uint16_t port;
    struct resolve *name;
    struct addr addr;
    unsigned pings; /* sent */

    /* put, get */
    struct bytes salt;
    bool is_mutable;
    uint8_t key[SIGN_PUBLIC], secret[SIGN_SEED];
    struct buf value; /* bencoded: to be put, or the newest that came */
    bool has_seq, has_cas, putting;
    int64_t seq, cas;
};

/* A kind of look-up: read() what was asked, begin() when there is a session, take events of the
 * jobs as they come, and say what it comes to when the last has ended. */
struct look_kind {
    const char *name;
    int (*read)(struct look *l, struct err *e);
    int (*begin)(struct look *l, struct err *e);
    void (*took)(struct look *l, const struct dht_event *d);
    void (*done)(struct look *l, const struct dht_event *d); /* one job */
    const char *nothing; /* what to say when there was no result */
    bool alone;          /* needs no other node than the one it names */
};

int look_item_read_put(struct look *l, struct err *e);
int look_item_read_get(struct look *l, struct err *e);
int look_item_begin(struct look *l, struct err *e);
void look_item_took(struct look *l, const struct dht_event *d);
void look_item_done_put(struct look *l, const struct dht_event *d);
void look_item_done_get(struct look *l, const struct dht_event *d);

/* A job was asked for: 0 is an error. */
int look_asked(struct look *l, dht_job job, struct err *e);
void look_finish(struct look *l); /* there is no more to come */

#endif

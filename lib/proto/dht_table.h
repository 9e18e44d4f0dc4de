/*
 * The routing table (BEP 5) of one address family. Rules:
 * - Only nodes that answered us are in it; who merely asked us waits beside it until he answers.
 * - A bucket holds eight. The one that covers our own id splits, the others prefer who is there and
 *   works; a node that fails twice in a row is bad and gives way to the youngest that waits.
 * - Good is who answered in the last 15 minutes, or answered once and asked us in that time.
 * - When nobody answers at all it is our own line: then nobody is thrown out.
 * - On the public net an id must fit its address (BEP 42), a host stands once in the table, and two
 *   of one network at most in a bucket.
 */
#ifndef LIB_PROTO_DHT_TABLE_H
#define LIB_PROTO_DHT_TABLE_H

#include <p2p/base/usec.h>
#include <p2p/proto/dht_id.h>

#define DHT_K 8
#define DHT_GOOD_TIME (15 * USEC_MIN)
#define DHT_BAD_FAILS 2
#define DHT_FORGET_FAILS 5
#define DHT_NETWORK_MOST 2 /* of one network in a bucket */

struct dht_node {
    uint8_t id[DHT_ID];
    struct addr addr;
    usec seen;    /* the last sign of life */
    usec pinged;  /* meaningful if `tried` */
    bool proved;  /* has answered us */
    bool tried;   /* since it was last heard of */
    uint8_t fails;
};

enum dht_quality { DHT_GOOD, DHT_QUESTIONABLE, DHT_BAD };
enum dht_quality dht_node_quality(const struct dht_node *n, usec now);

struct dht_table;
struct dht_table *dht_table_new(const uint8_t own[DHT_ID], usec now);
void dht_table_free(struct dht_table *t);
const uint8_t *dht_table_own(const struct dht_table *t);
/* Our id has changed: the nodes find their new buckets. */
void dht_table_move(struct dht_table *t, const uint8_t own[DHT_ID], usec now);

/* It answered us. True if it is in the table now. */
bool dht_table_replied(struct dht_table *t, const uint8_t id[DHT_ID], const struct addr *a,
                       usec now);
/* It asked us. True if it is worth a ping: unknown, and there would be a place for it. */
bool dht_table_queried(struct dht_table *t, const uint8_t id[DHT_ID], const struct addr *a,
                       usec now);
/* It did not answer. `alive`: others did lately. */
void dht_table_failed(struct dht_table *t, const struct addr *a, bool alive, usec now);
/* Whoever is at this address is not who it said it was. */
void dht_table_evict(struct dht_table *t, const struct addr *a, usec now);

/* The closest to the target, good ones before questionable ones; with `to` only those whom it may
 * be told of. Returns how many. The nodes are borrowed until the table changes. */
size_t dht_table_closest(const struct dht_table *t, const uint8_t target[DHT_ID],
                         const struct addr *to, const struct dht_node **out, size_t max, usec now);

/* Whom to ping next: who waits for a free place, questionable ones that somebody could replace,
 * the others when they have been silent for long. NULL if nobody needs it now. Counts as pinged
 * from then on. */
const struct dht_node *dht_table_probe(struct dht_table *t, usec now);
/* A bucket that has not changed for 15 minutes: true, `id` (random bytes) becomes an id in it, and
 * it counts as changed. */
bool dht_table_stale(struct dht_table *t, uint8_t id[DHT_ID], usec now);

/* All buckets count as stale: to be filled, once there is somebody to ask. */
void dht_table_age(struct dht_table *t, usec now);

struct dht_table_counts {
    unsigned good, questionable, bad, waiting, buckets;
};
void dht_table_count(const struct dht_table *t, struct dht_table_counts *c, usec now);
bool dht_table_any_good(const struct dht_table *t, usec now);
/* Shared prefix (bits) from which on an id is closer to us than all but about one of all nodes. */
unsigned dht_table_depth(const struct dht_table *t);
/* All in the table: start with *it = 0; NULL at the end. */
const struct dht_node *dht_table_each(const struct dht_table *t, size_t *it);

#endif

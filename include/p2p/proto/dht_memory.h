/*
 * What the programs of one home remember of the DHT together: a record of nodes, to which each adds
 * those that it has met. dht_load reads it. Rules:
 * - Who was good last stands first, whichever program found that; who was merely met never takes
 *   the place of one that was good.
 * - A node is dropped only when there are DHT_MEMORY_NODES better ones: a home that was switched
 *   off for a year still has somebody to try.
 * - Ids of our own are not in it: no two programs may have the same one.
 */
#ifndef P2P_PROTO_DHT_MEMORY_H
#define P2P_PROTO_DHT_MEMORY_H

#include <p2p/base/buf.h>

#define DHT_MEMORY_NODES 400u      /* of each family */
#define DHT_MEMORY_HINTS 64u       /* addresses whose ids are not known, of each family */
#define DHT_MEMORY_MAX (64u << 10) /* bytes of a record; longer ones are not read */

/*
 * Appends the record made of `old`, which may be damaged and then counts as empty, and `fresh`,
 * from dht_save. `now` in seconds of the calendar.
 */
void dht_memory_merge(struct buf *out, struct bytes old, struct bytes fresh, int64_t now);

#endif

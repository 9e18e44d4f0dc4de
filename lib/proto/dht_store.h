/*
 * The peers that announced themselves to us (BEP 5, 33, 51). Bounded everywhere: when there are too
 * many torrents, the one farthest from our id goes, for the network looks for the near ones here;
 * one host cannot fill it alone. A host stands once under a torrent (BEP 33), whatever its port; on
 * loopback, where one host is many, once for each port.
 */
#ifndef LIB_PROTO_DHT_STORE_H
#define LIB_PROTO_DHT_STORE_H

#include "proto/dht_bloom.h"
#include "proto/dht_dice.h"

#include <p2p/base/usec.h>
#include <p2p/proto/dht_id.h>

#define DHT_STORE_TORRENTS 2000u
#define DHT_STORE_PEERS 500u  /* of a torrent */
#define DHT_STORE_PER_NET 50u /* of them of one network (IPv4 /24, IPv6 /48), when half are taken */
#define DHT_STORE_PER_HOST 500u /* torrents that one host may stand under */
#define DHT_STORE_TIME (30 * USEC_MIN)
#define DHT_STORE_SAMPLES 50u          /* info-hashes told at once (BEP 51) */
#define DHT_SAMPLE_TIME (5 * USEC_MIN) /* the same ones for so long */

struct dht_store;
struct dht_store *dht_store_new(uint64_t seed);
void dht_store_free(struct dht_store *s);

/* False if there is no room. */
bool dht_store_add(struct dht_store *s, const uint8_t hash[DHT_ID], const uint8_t own[DHT_ID],
                   const struct addr *peer, bool seed, usec now);
/* Would there be room? Without, no token is given (BEP 33). */
bool dht_store_room(const struct dht_store *s, const uint8_t hash[DHT_ID], const struct addr *peer,
                    usec now);
/* A random choice of at most `max` peers of the family of `to`, and that `to` may be told of; of
 * all, if it is NULL. In random order too, for the asker may get the first of them only. */
size_t dht_store_pick(const struct dht_store *s, const uint8_t hash[DHT_ID], const struct addr *to,
                      bool noseed, struct dht_dice *dice, struct addr *out, size_t max, usec now);
/* False if nothing is known of it. */
bool dht_store_blooms(const struct dht_store *s, const uint8_t hash[DHT_ID],
                      struct dht_bloom *seeds, struct dht_bloom *peers, usec now);
/* BEP 51: borrowed until the next call; *interval: seconds until there is another choice. */
struct bytes dht_store_sample(struct dht_store *s, struct dht_dice *dice, uint32_t *interval,
                              usec now);
void dht_store_sweep(struct dht_store *s, usec now); /* forgets what has expired */
size_t dht_store_torrents(const struct dht_store *s);
size_t dht_store_peers(const struct dht_store *s);

#endif

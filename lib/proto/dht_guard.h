/*
 * What neighbours may cost us: how many queries of one address are answered, and whether an address
 * is proved, that is, has shown that it receives what we send to it. An answer to an address that
 * is not proved is at most three times as long as the question, so that nobody can aim us at a
 * third party. Memory is bounded: the one not heard of for longest is forgotten.
 */
#ifndef LIB_PROTO_DHT_GUARD_H
#define LIB_PROTO_DHT_GUARD_H

#include <p2p/base/addr.h>
#include <p2p/base/usec.h>

#define DHT_GUARD_RATE 5u   /* queries a second of one address, */
#define DHT_GUARD_BURST 20u /* and this many at once after silence */
#define DHT_GUARD_MOST 1024u
#define DHT_GUARD_PROVED (15 * USEC_MIN)
#define DHT_AMPLIFY 3u

struct dht_guard;
struct dht_guard *dht_guard_new(uint64_t seed);
void dht_guard_free(struct dht_guard *g);
/* A query came: false if it is one too many. */
bool dht_guard_admit(struct dht_guard *g, const struct addr *a, usec now);
/* It answered with our transaction id, or showed our token. */
void dht_guard_prove(struct dht_guard *g, const struct addr *a, usec now);
bool dht_guard_proved(const struct dht_guard *g, const struct addr *a, usec now);
/* Forgets whom there is nothing to know about. */
void dht_guard_sweep(struct dht_guard *g, usec now);
size_t dht_guard_count(const struct dht_guard *g);

#endif

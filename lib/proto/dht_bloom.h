/* Counting peers over many nodes (BEP 33): a bloom filter of their addresses, without ports. */
#ifndef LIB_PROTO_DHT_BLOOM_H
#define LIB_PROTO_DHT_BLOOM_H

#include <p2p/base/addr.h>

#define DHT_BLOOM 256

struct dht_bloom {
    uint8_t v[DHT_BLOOM];
};

void dht_bloom_add(struct dht_bloom *b, const struct addr *a);
bool dht_bloom_has(const struct dht_bloom *b, const struct addr *a);
void dht_bloom_join(struct dht_bloom *b, const uint8_t other[DHT_BLOOM]);
/* How many addresses are in it, estimated; breaks down above some 6,000. */
double dht_bloom_size(const struct dht_bloom *b);

#endif

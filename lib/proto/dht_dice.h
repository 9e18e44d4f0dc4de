/*
 * Random bytes that strangers see and must not foretell: transaction ids, secrets of tokens, node
 * ids. SHA-256 over a key and a counter; the key is drawn once from the caller's rng, whose own
 * numbers are not shown to anybody. Same rng state, same bytes.
 */
#ifndef LIB_PROTO_DHT_DICE_H
#define LIB_PROTO_DHT_DICE_H

#include <p2p/base/rng.h>
#include <p2p/format/digest.h>

struct dht_dice {
    uint8_t key[32];
    uint64_t turn;
    uint8_t pool[SHA256_LEN];
    uint8_t left; /* bytes of the pool not given out yet */
};

void dht_dice_init(struct dht_dice *d, struct rng *seed);
void dht_dice_fill(struct dht_dice *d, void *p, size_t n);
uint32_t dht_dice_u32(struct dht_dice *d);
uint32_t dht_dice_below(struct dht_dice *d, uint32_t n); /* in [0, n); n > 0, small */

#endif

/*
 * Write tokens (BEP 5): who shows one has received our answer at his address, so the address is not
 * borrowed. Nothing is kept for strangers: a token is a keyed digest of address and key, valid for
 * five to ten minutes.
 */
#ifndef LIB_PROTO_DHT_TOKEN_H
#define LIB_PROTO_DHT_TOKEN_H

#include "proto/dht_dice.h"

#include <p2p/base/usec.h>
#include <p2p/proto/dht_id.h>

#define DHT_TOKEN 8
#define DHT_TOKEN_TURN (5 * USEC_MIN)

struct dht_tokens {
    uint8_t secret[2][20]; /* the present and the one before */
    usec turned;
};

void dht_tokens_init(struct dht_tokens *t, struct dht_dice *dice, usec now);
/* Changes the secret when it is time. */
void dht_tokens_turn(struct dht_tokens *t, struct dht_dice *dice, usec now);
void dht_token_make(const struct dht_tokens *t, uint8_t out[DHT_TOKEN], const struct addr *a,
                    const uint8_t target[DHT_ID]);
bool dht_token_ok(const struct dht_tokens *t, struct bytes token, const struct addr *a,
                  const uint8_t target[DHT_ID]);

#endif

/*
 * Items of the DHT (BEP 44). Immutable ones lie under the SHA-1 of their value; mutable ones under
 * that of a public key and a salt, signed together with a sequence number. What does not check is
 * never kept and never handed on.
 */
#ifndef P2P_PROTO_DHT_ITEM_H
#define P2P_PROTO_DHT_ITEM_H

#include <p2p/base/usec.h>
#include <p2p/format/sign.h>
#include <p2p/proto/dht_id.h>

#define DHT_ITEM_VALUE 1000u /* bytes, bencoded */
#define DHT_ITEM_SALT 64u
#define DHT_ITEMS 700u
#define DHT_ITEMS_PER_HOST 175u
#define DHT_ITEM_TIME (30 * USEC_MIN)

struct dht_item {       /* borrows everything */
    struct bytes value; /* bencoded */
    const uint8_t *key; /* public; NULL: immutable. What follows is for mutable items only */
    const uint8_t *sig;
    struct bytes salt; /* n = 0: none */
    int64_t seq;
    bool has_cas; /* put only over this sequence number */
    int64_t cas;
};

void dht_item_target(const struct dht_item *i, uint8_t out[DHT_ID]);
/* Signs value, salt and seq; `key` is set or not, it does not matter. */
void dht_item_sign(const struct dht_item *i, const uint8_t seed[SIGN_SEED], uint8_t sig[SIGN_LEN]);
/* 0, or the krpc_code of what is wrong: sizes, bencoding of the value, seq, signature. */
int dht_item_check(const struct dht_item *i);

/* Those that others put here. Bounded like dht_store. */
struct dht_items;
struct dht_items *dht_items_new(uint64_t seed);
void dht_items_free(struct dht_items *s);
/* Checks and keeps it. 0, or the krpc_code of the refusal. */
int dht_items_put(struct dht_items *s, const struct dht_item *i, const uint8_t own[DHT_ID],
                  const struct addr *from, usec now);
/* Borrowed until the next change; NULL if it is not here. */
const struct dht_item *dht_items_get(const struct dht_items *s, const uint8_t target[DHT_ID],
                                     usec now);
void dht_items_sweep(struct dht_items *s, usec now);
size_t dht_items_count(const struct dht_items *s);

#endif

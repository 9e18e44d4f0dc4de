/*
 * Look-ups in the DHT for people. A session asks (engine_options.dht_only makes one that does
 * nothing else), and its events ENGINE_DHT tell what comes of a job, DHT_DONE at the end. Each of
 * these returns 0 if there is no DHT, or if too much is under way. Nodes that are remembered or
 * named take a moment to answer; a job waits for the first of them.
 */
#ifndef P2P_ENGINE_LOOKUP_H
#define P2P_ENGINE_LOOKUP_H

#include <p2p/engine/engine.h>

#define LOOKUP_VALUE DHT_ITEM_VALUE /* bytes of an item, bencoded */
#define LOOKUP_SALT DHT_ITEM_SALT

/* Of a v2 hash the first 20 bytes count. With `scrape` numbers are asked for as well. */
dht_job lookup_peers(struct engine *g, const uint8_t hash[DHT_ID], bool scrape);
dht_job lookup_get(struct engine *g, const uint8_t target[DHT_ID], struct bytes salt);
dht_job lookup_sample(struct engine *g, const uint8_t target[DHT_ID]);
dht_job lookup_ping(struct engine *g, const struct addr *a);

struct lookup_item {
    struct bytes value;    /* bencoded */
    const uint8_t *secret; /* SIGN_SEED bytes: it is mutable, and signed; NULL: immutable */
    struct bytes salt;     /* this and what follows: of mutable ones */
    int64_t seq;
    bool has_cas;
    int64_t cas;
};
dht_job lookup_put(struct engine *g, const struct lookup_item *i);
/* Where an item lies: by its public key and salt, or (key NULL) by its value. */
void lookup_target(uint8_t out[DHT_ID], const uint8_t *key, struct bytes salt, struct bytes value);
/* In words, why nodes refused to store (dht_event.code); NULL: they did not. */
const char *lookup_refusal(int code);
/* "HOST:PORT" of a node, from a manifest: tried at once. */
void lookup_add_node(struct engine *g, const char *hostport);
/* Does the session know any node that may be asked now? */
bool lookup_knows_somebody(struct engine *g);

#endif

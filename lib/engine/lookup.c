/* Look-ups for people: handed to the DHT of the session's node. */
#include "engine/engine_int.h"

#include <p2p/engine/lookup.h>
#include <p2p/proto/krpc.h>

/* The node is due at once: what the DHT has to send leaves in the next turn. */
static dht_job asked(struct engine *g, dht_job job)
{
    node_dht_turn(g->node, g->now);
    loop_timer_set(g->loop, &g->node_timer, g->now);
    return job;
}

static struct dht *dht_of(struct engine *g)
{
    g->now = loop_now(g->loop);
    return node_dht(g->node);
}

dht_job lookup_peers(struct engine *g, const uint8_t hash[DHT_ID], bool scrape)
{
    struct dht_search s = {.scrape = scrape};
    struct dht *d = dht_of(g);

    memcpy(s.info_hash, hash, DHT_ID);
    return d ? asked(g, dht_find_peers(d, &s, g->now)) : 0;
}

dht_job lookup_get(struct engine *g, const uint8_t target[DHT_ID], struct bytes salt)
{
    struct dht *d = dht_of(g);

    return d ? asked(g, dht_get(d, target, salt, g->now)) : 0;
}

dht_job lookup_sample(struct engine *g, const uint8_t target[DHT_ID])
{
    struct dht *d = dht_of(g);

    return d ? asked(g, dht_sample(d, target, g->now)) : 0;
}

dht_job lookup_ping(struct engine *g, const struct addr *a)
{
    struct dht *d = dht_of(g);

    return d ? asked(g, dht_ping(d, a, g->now)) : 0;
}

dht_job lookup_put(struct engine *g, const struct lookup_item *l)
{
    uint8_t key[SIGN_PUBLIC], sig[SIGN_LEN];
    struct dht_item i = {.value = l->value};
    struct dht *d = dht_of(g);

    if (l->secret) {
        sign_public(key, l->secret);
        i = (struct dht_item){.value = l->value,
                              .key = key,
                              .sig = sig,
                              .salt = l->salt,
                              .seq = l->seq,
                              .has_cas = l->has_cas,
                              .cas = l->cas};
        dht_item_sign(&i, l->secret, sig);
    }
    return d ? asked(g, dht_put(d, &i, g->now)) : 0;
}

void lookup_target(uint8_t out[DHT_ID], const uint8_t *key, struct bytes salt, struct bytes value)
{
    dht_item_target(&(struct dht_item){.key = key, .salt = salt, .value = value}, out);
}

const char *lookup_refusal(int code)
{
    static const struct {
        int code;
        const char *why;
    } table[] = {
        {KRPC_SERVER, "they have no room"},
        {KRPC_PROTOCOL, "they do not take it"},
        {KRPC_NO_METHOD, "they do not store items"},
        {KRPC_TOO_BIG, "it is too long"},
        {KRPC_BAD_SIGNATURE, "the signature is wrong"},
        {KRPC_SALT_TOO_BIG, "the salt is too long"},
        {KRPC_CAS_MISMATCH, "it was changed meanwhile"},
        {KRPC_SEQ_OLD, "a newer one is there"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code)
            return table[i].why;
    return code ? "they refused" : NULL;
}

void lookup_add_node(struct engine *g, const char *hostport)
{
    g->now = loop_now(g->loop);
    node_add_dht_node(g->node, hostport, g->now);
    loop_timer_set(g->loop, &g->node_timer, g->now);
}

bool lookup_knows_somebody(struct engine *g)
{
    struct dht_status s;

    return engine_dht_status(g, &s) && (s.v4.hints || s.v4.good || s.v4.questionable ||
                                        s.v6.hints || s.v6.good || s.v6.questionable);
}

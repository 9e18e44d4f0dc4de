/*
 * Who calls and does not begin with the protocol's name is taken for one who encrypts his
 * handshake, if the number with which that begins comes in one go, as it does from all clients: so
 * most who speak something else are sent away at once. He is answered as far as his address has
 * tokens for it: it is the most that a stranger can make us do before he has named an item. He
 * counts among those without a handshake, with their limits in number and time. We do not call so
 * ourselves: whoever is called can tell us plainly.
 */
#include "node/veil.h"

#include <p2p/proto/mse.h>

/* In leaf hashes (see HASH_RATE): agreeing on a number; and how many items are tried for one. */
#define VEIL_COST 32u
#define ITEMS_A_LEAF 32u

static const uint8_t *item_meant(const struct node *n, const struct mse *m)
{
    size_t at = 0;
    struct bytes key;
    void *t;
    while (map_walk(n->by_hash, &at, &key, &t))
        if (mse_means(m, key.p))
            return key.p;
    return NULL;
}

/* The keys of the stream, if he may ask for them and the item is here. */
static bool answer(struct conn *c, usec now)
{
    struct node *n = c->node;
    bool may = hashes_may(c, map_count(n->by_hash) / ITEMS_A_LEAF, now);
    const uint8_t *hash = may ? item_meant(n, c->mse) : NULL;
    if (hash)
        mse_take(c->mse, hash);
    return hash != NULL;
}

static int unveil(struct conn *c, struct bytes b, usec now)
{
    int r;
    mse_feed(c->mse, b);
    while ((r = mse_next(c->mse, &c->out.bytes, NULL)) == MSE_ITEM && answer(c, now))
        ;
    conn_flush(c);
    return r;
}

bool veil_lift(struct conn *c, struct bytes *b, usec now)
{
    if (!c->mse && mse_is_plain(*b)) {
        c->plain = true;
        return true;
    }
    if (!c->mse && b->n >= MSE_NUMBER && hashes_may(c, VEIL_COST, now))
        c->mse = mse_new(&c->node->rng);
    int r = c->mse ? unveil(c, *b, now) : ERR_INVALID;
    if (r != MSE_MORE && r != MSE_CLEAR) {
        conn_close(c, true, NULL, now);
        return false;
    }
    c->plain = r == MSE_CLEAR;
    if (c->plain)
        *b = mse_clear(c->mse);
    return c->plain;
}

void veil_fini(struct conn *c)
{
    mse_free(c->mse);
    c->mse = NULL;
}

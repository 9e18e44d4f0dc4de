/* A counter hashed under a key: cheap enough for a datagram, and nothing to be solved from it. */
#include "proto/dht_dice.h"

void dht_dice_init(struct dht_dice *d, struct rng *seed)
{
    *d = (struct dht_dice){0};
    rng_fill(seed, d->key, sizeof d->key);
}

static void refill(struct dht_dice *d)
{
    uint8_t in[sizeof d->key + 8];
    memcpy(in, d->key, sizeof d->key);
    put_be64(in + sizeof d->key, d->turn++);
    digest_sha256(d->pool, BYTES(in, sizeof in));
    d->left = SHA256_LEN;
}

void dht_dice_fill(struct dht_dice *d, void *p, size_t n)
{
    for (uint8_t *to = p; n; n--, to++) {
        if (!d->left)
            refill(d);
        *to = d->pool[--d->left];
    }
}

uint32_t dht_dice_u32(struct dht_dice *d)
{
    uint8_t b[4];
    dht_dice_fill(d, b, sizeof b);
    return get_be32(b);
}

uint32_t dht_dice_below(struct dht_dice *d, uint32_t n)
{
    return (uint32_t)((uint64_t)dht_dice_u32(d) * n >> 32);
}

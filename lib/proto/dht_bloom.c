/* Two bits an address, from the first four bytes of its SHA-1. */
#include "proto/dht_bloom.h"

#include <p2p/format/digest.h>

#include <math.h>

enum { BITS = 8 * DHT_BLOOM, PER_ADDRESS = 2 };

static void places(const struct addr *a, unsigned at[PER_ADDRESS])
{
    uint8_t h[SHA1_LEN];
    digest_sha1(h, BYTES(a->ip, a->family == 4 ? 4 : 16));
    for (int i = 0; i < PER_ADDRESS; i++)
        at[i] = (h[2 * i] | (unsigned)h[2 * i + 1] << 8) % BITS;
}

void dht_bloom_add(struct dht_bloom *b, const struct addr *a)
{
    unsigned at[PER_ADDRESS];
    places(a, at);
    for (int i = 0; i < PER_ADDRESS; i++)
        b->v[at[i] / 8] |= (uint8_t)(1u << at[i] % 8);
}

bool dht_bloom_has(const struct dht_bloom *b, const struct addr *a)
{
    unsigned at[PER_ADDRESS];
    places(a, at);
    for (int i = 0; i < PER_ADDRESS; i++)
        if (!(b->v[at[i] / 8] >> at[i] % 8 & 1))
            return false;
    return true;
}

void dht_bloom_join(struct dht_bloom *b, const uint8_t other[DHT_BLOOM])
{
    for (int i = 0; i < DHT_BLOOM; i++)
        b->v[i] |= other[i];
}

double dht_bloom_size(const struct dht_bloom *b)
{
    int zeros = 0;
    for (int i = 0; i < BITS; i++)
        zeros += !(b->v[i / 8] >> i % 8 & 1);
    if (zeros >= BITS)
        return 0; /* the formula's cap at m - 1 would see half a peer in an empty filter */
    double c = zeros ? zeros : 1;
    return log(c / BITS) / (PER_ADDRESS * log(1 - 1.0 / BITS));
}

/* xoshiro256** of Blackman and Vigna, seeded through splitmix64 as they advise. */
#include <p2p/base/rng.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void rng_seed(struct rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&seed);
}

void rng_seed_bytes(struct rng *r, const uint8_t seed[32])
{
    uint64_t any = 0;
    for (int i = 0; i < 4; i++)
        any |= r->s[i] = get_be64(seed + 8 * i);
    if (!any)
        rng_seed(r, 0); /* a state of zeros would yield zeros for ever */
}

static uint64_t rotl(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s, t = s[1] << 17;
    uint64_t out = rotl(s[1] * 5, 7) * 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    /* 2^64 mod n values at the bottom would make small results likelier: draw again. */
    uint64_t unfair = (UINT64_MAX - n + 1) % n, v;
    do
        v = rng_u64(r);
    while (v < unfair);
    return v % n;
}

void rng_fill(struct rng *r, void *p, size_t n)
{
    uint8_t *to = p, word[8];
    for (size_t i = 0; i < n; i++) {
        if (i % 8 == 0)
            put_be64(word, rng_u64(r));
        to[i] = word[i % 8];
    }
}

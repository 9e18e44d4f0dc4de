/*
 * Random numbers as an interface: the host seeds one from the system, tests from a number, so the
 * same seed gives the same trace. Good for choices and identifiers, not for keys.
 */
#ifndef P2P_BASE_RNG_H
#define P2P_BASE_RNG_H

#include <p2p/base/bytes.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
void rng_seed_bytes(struct rng *r, const uint8_t seed[32]);
uint64_t rng_u64(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* uniform in [0, n); n > 0 */
void rng_fill(struct rng *r, void *p, size_t n);

#endif

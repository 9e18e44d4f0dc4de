/* Randomness from the system. */
#include <p2p/host/entropy.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void entropy_fill(void *p, size_t n)
{
    uint8_t *to = p;
    while (n) {
        ssize_t r = getrandom(to, n, 0);
        if (r < 0 && errno != EINTR)
            abort(); /* only a kernel older than 3.17 can do this */
        if (r > 0) {
            to += r;
            n -= (size_t)r;
        }
    }
}

void entropy_seed(struct rng *r)
{
    uint8_t seed[32];
    entropy_fill(seed, sizeof seed);
    rng_seed_bytes(r, seed);
}

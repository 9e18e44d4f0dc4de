/* Randomness from the system. */
#ifndef P2P_HOST_ENTROPY_H
#define P2P_HOST_ENTROPY_H

#include <p2p/base/rng.h>

void entropy_fill(void *p, size_t n);    /* good for keys; aborts if the system has none */
void entropy_seed(struct rng *r);        /* a fresh seed */

#endif

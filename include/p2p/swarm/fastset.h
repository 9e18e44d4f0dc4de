/*
 * The allowed-fast set of BEP 6: the pieces that a choked newcomer may have, which are the same
 * whoever computes them.
 */
#ifndef P2P_SWARM_FASTSET_H
#define P2P_SWARM_FASTSET_H

#include <p2p/base/addr.h>
#include <p2p/format/digest.h>

/* The first `k` pieces of the set of whoever has this IPv4 address; k at most n_pieces. */
void fastset(uint32_t *out, uint32_t k, const struct addr *a, const uint8_t hash[SHA1_LEN],
             uint32_t n_pieces);

#endif

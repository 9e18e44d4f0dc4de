/* Peer ids (BEP 20): ours, and what others' say about their client. */
#ifndef P2P_PROTO_PEERID_H
#define P2P_PROTO_PEERID_H

#include <p2p/base/rng.h>

/* "-PP0100-" and twelve random characters; version as "MAJOR.MINOR.PATCH". */
void peerid_make(uint8_t out[20], const char *version, struct rng *r);
/* "aria2 1.36.0", "libtorrent 2.0.8.0", or the safe start of the id if unknown. Always ASCII,
 * short. */
void peerid_client(char out[48], const uint8_t id[20]);

#endif

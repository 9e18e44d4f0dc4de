/*
 * Who sent the bad block? Only by evidence. When a piece fails (v1) the owner notes for each block
 * its sender and a digest of what it sent; when the piece later is good, blocks that differ name
 * their senders. Somebody who sent every block of a failed piece is guilty at once. Senders are
 * opaque 64-bit ids to this module: the owner knows what peer or web seed each stands for.
 */
#ifndef P2P_SWARM_BLAME_H
#define P2P_SWARM_BLAME_H

#include <p2p/base/bytes.h>

#define BLAME_MAX_PIECES 64u /* failed pieces remembered; the oldest is forgotten */
#define BLAME_MAX_BLOCKS 262144u /* blocks noted in all of them */

struct blame;
struct blame *blame_new(void);
void blame_free(struct blame *b);

struct blame_block {
    uint64_t sender; /* 0: unknown (resumed from disk): never guilty */
    uint8_t digest[20];
};
/* A piece failed. Returns the sender if it is one for all blocks (guilty), else 0. Padding blocks,
 * which nobody sent, are left out or given the sender of their neighbour. */
uint64_t blame_failed(struct blame *b, uint32_t piece, const struct blame_block *blocks,
                      uint32_t n);
/* Is there anything noted about the piece (so that the owner need not digest blocks in vain)? */
bool blame_knows(const struct blame *b, uint32_t piece);
/* The piece is good: digests of its true blocks. Guilty senders are written to `guilty`. */
size_t blame_good(struct blame *b, uint32_t piece, const struct blame_block *truth, uint32_t n,
                  uint64_t *guilty, size_t max);

#endif

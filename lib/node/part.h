/*
 * Pieces of which only some bytes are wanted. In v2 a block is proved by itself, by a few hashes up
 * to the root of its file: of such a "cut" piece only the blocks with those bytes are asked for.
 * When they are here and proved the piece counts as had, and is given to nobody. Where nobody who
 * is there tells the hashes, it is fetched whole.
 */
#ifndef LIB_NODE_PART_H
#define LIB_NODE_PART_H

#include "node/node_int.h"

/* There are priorities, and no picker yet. `have`: pieces, or NULL. */
void part_begin(struct task *t, const struct bits *have);
void part_fini(struct task *t);
bool part_cut(const struct task *t, uint32_t piece);
bool part_skips(const struct task *t, uint32_t piece, uint32_t block); /* of a cut piece */
/* Content of a cut piece that is asked for. */
uint64_t part_bytes(const struct task *t, uint32_t piece);
/* The leaves that prove the blocks of a cut piece, with all their uncles. */
struct wire_hash_req part_req(const struct task *t, uint32_t piece);
bool part_is_req(const struct wire_hash_req *r); /* an answer is to such a request */
void part_got_leaves(struct conn *c, const struct wire_hash_req *r, uint32_t piece,
                     struct bytes hashes, usec now);
/* The last block that was asked for is stored, or the hashes are not coming. */
void part_judge(struct task *t, struct open_piece *o, usec now);
/* Time passes, or a peer may be asked for more: pieces that wait for their hashes. */
void part_pulse(struct task *t, usec now);

#endif

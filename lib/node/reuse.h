/* Content that may be here already (reuse.c), for the files that meet it. */
#ifndef LIB_NODE_REUSE_H
#define LIB_NODE_REUSE_H

#include "node/node_int.h"

void reuse_begin(struct task *t); /* there is a picker */
/* Pieces are held, and what has only all of the content to give is to wait for them. */
bool reuse_waits(struct task *t);
/* Both do nothing about pieces that are not held. */
void reuse_stored(struct task *t, struct block_ref ref); /* tells that a block is there */
void reuse_leaves(struct task *t, uint32_t piece, const uint8_t *leaves); /* NULL: nobody tells */

#endif

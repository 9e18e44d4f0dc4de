/*
 * Blocks that are asked for in parts, of one peer: under a low limit a block at once would be a
 * burst (inlet.c). The parts are asked for in order, may come in any, and the block is handed on
 * when all are here. If one of them will not come, the block is given up.
 */
#ifndef P2P_NODE_SLICES_H
#define P2P_NODE_SLICES_H

#include <p2p/base/list.h>
#include <p2p/base/usec.h>
#include <p2p/swarm/picker.h>

struct block;
struct conn;
struct request;

struct slices { /* one such block */
    struct list_node link;
    struct block_ref ref;
    uint32_t len, asked, got;
    struct block *b; /* NULL: nothing has come */
};

void slices_begin(struct conn *c, struct block_ref ref, uint32_t len);
/* The next part to ask for, of at most so many bytes; false: none of a block that was begun. */
bool slices_next(struct conn *c, uint32_t unit, struct request *r, usec now);
/* A part has come; the block, moved out, if it was the last one. The request is out of the ring. */
struct block *slices_got(struct conn *c, struct slices *s, uint32_t len);
void slices_drop(struct conn *c, struct slices *s); /* no request is of it any more */
void slices_free(struct conn *c);

#endif

/*
 * Where the bytes of a connection go as they come.
 *
 * What is still to come of a block goes to its place. What follows is not known, but from a peer
 * that owes us blocks it is nearly always the header of a PIECE and then a whole block, over and
 * over: so blocks with room for a header before each are laid out for the next bytes, and where it
 * comes so no payload is copied. Where it does not, the bytes are read where they lie like any
 * others.
 */
#ifndef P2P_NODE_INTAKE_H
#define P2P_NODE_INTAKE_H

#include <p2p/node/node.h>

#define INTAKE_BLOCKS ((NODE_RECV_SPANS - 2) / 2) /* laid out at most */

struct block;
struct conn;

struct intake {
    struct span v[NODE_RECV_SPANS]; /* laid out for the bytes that come next */
    size_t n, at;                   /* v[at] is looked at */
    struct block *of[NODE_RECV_SPANS]; /* the block that it is the whole of, or NULL */
    struct block *idle[INTAKE_BLOCKS]; /* owned: not used last time */
    size_t n_idle;
};

void intake_fini(struct node *n);
/* The block for a payload of such a length whose header was read last: the one in which it lies
 * already, or a new one. */
struct block *intake_block(struct conn *c, uint32_t length);

#endif

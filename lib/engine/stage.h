/*
 * What leaves on a connection, gathered for one call: the node's own bytes where they lie, and
 * content read into a buffer that all connections share. sendfile would spare the copy, but takes
 * two calls a block, and leaves it to the receiver's side to fetch the data from far memory: with
 * blocks of 16 KiB over loopback both ends together take more time with it, not less.
 */
#ifndef LIB_ENGINE_STAGE_H
#define LIB_ENGINE_STAGE_H

#include "engine/engine_int.h"

#define STAGE_SLICES 32
#define STAGE_BYTES (128u << 10) /* of content; a small part of the second-level cache */

struct stage {
    struct bytes v[STAGE_SLICES]; /* borrowed from the node and from `mem` */
    size_t n, total;              /* slices, bytes in them */
    size_t filled;                /* of `mem` */
    node_id bad_task;             /* whose content could not be read, */
    uint64_t bad_offset;          /* and from where on */
    uint8_t mem[STAGE_BYTES];
};

/* As much of v, in order, as there is room for. False: after what is staged comes content that
 * cannot be read; s->bad_task and s->bad_offset say which. */
bool stage_fill(struct stage *s, struct engine *g, const struct node_out *v, size_t n,
                struct err *e);

#endif

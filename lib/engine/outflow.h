/*
 * An item that goes to a descriptor as it comes. Its tree is a window in memory, the node asks for
 * no more than fits there, and what the reader took makes room.
 */
#ifndef LIB_ENGINE_OUTFLOW_H
#define LIB_ENGINE_OUTFLOW_H

#include "engine/engine_int.h"

/* The manifest is known: what is wanted, where it is kept. Then the item can run. */
int outflow_begin(struct item *it, struct err *e);
void outflow_free(struct outflow *s); /* NULL is fine */
struct tree *outflow_tree(const struct item *it, struct window *w); /* of content in memory */
bool outflow_turns(
    struct engine *g); /* writes what there is; true if the node may have been told */
/* With --extract: what was wanted so far and has been written; the reader has all that it wants. */
uint64_t outflow_given(const struct outflow *s);
bool outflow_rests(const struct outflow *s);
void outflow_end(struct engine *g); /* nothing more is waited for */
void outflow_forget(struct engine *g, const struct node_op *op);

#endif

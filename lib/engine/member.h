/*
 * What is inside the archives of an item, instead of the item: members are taken, or entries told.
 * A thread of its own goes through the archives (dig.h) and waits for what it has not; what the
 * catalogue has complete is read where it lies, the rest is fetched as the thread asks for it, into
 * a window in memory. Nothing of it is for the catalogue, and no lock is held.
 */
#ifndef LIB_ENGINE_MEMBER_H
#define LIB_ENGINE_MEMBER_H

#include "engine/engine_int.h"

/* The manifest is known: then the item can run. With it->complete nothing is to be fetched. */
int member_begin(struct item *it, struct err *e);
void member_run(struct item *it); /* it runs, and the manifest stays: the thread begins */
void member_free(struct member *m);  /* NULL is fine */
bool member_turns(struct engine *g); /* answers what can be answered; true if the node was told */
void member_end(struct engine *g);   /* the loop is to end: no thread is left */
void member_forget(struct item *it, const struct node_op *op);
/* How far it is, in bytes of what is taken. */
void member_status(const struct member *m, struct item_status *s);

#endif

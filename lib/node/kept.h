/*
 * Blocks that stay in memory, once they are on the disk, until their piece is judged: what v1
 * hashes by the piece need not be read back. Of a piece it is all blocks or none, and of all pieces
 * no more than NODE_MAX_KEPT.
 */
#ifndef P2P_NODE_KEPT_H
#define P2P_NODE_KEPT_H

#include "node/node_int.h"

void kept_take(struct task *t, struct open_piece *o, struct block *b); /* b is given away */
void kept_drop(struct node *n, struct open_piece *o);
/* For a check: the operation shows what is kept, if it is all, and the job holds it until it is
 * answered, whatever becomes of the task. */
void kept_lend(struct node *n, struct open_piece *o, struct job *j, struct node_op *op);
bool kept_is_lent(const struct job *j);
void kept_returned(struct node *n, struct job *j);

#endif

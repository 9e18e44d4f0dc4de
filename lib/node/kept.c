/* Blocks in memory until their piece is judged. */
#include "node/kept.h"

#include <stdlib.h>

void kept_drop(struct node *n, struct open_piece *o)
{
    for (uint32_t i = 0; o->kept && i < o->n_blocks; i++) {
        if (!o->kept[i])
            continue;
        block_free(n, o->kept[i]);
        n->kept -= LAYOUT_BLOCK;
    }
    free(o->kept);
    o->kept = NULL;
    o->n_kept = 0;
}

void kept_take(struct task *t, struct open_piece *o, struct block *b)
{
    struct node *n = t->node;
    uint32_t at = b->ref.block;
    bool room = n->kept + LAYOUT_BLOCK <= NODE_MAX_KEPT;
    if (!t->m->has_v1 || o->unkept || !room || o->n_blocks > NODE_MAX_KEPT / LAYOUT_BLOCK / 2) {
        o->unkept = true;
        kept_drop(n, o);
        block_free(n, b);
        return;
    }
    if (!o->kept)
        o->kept = mem_array(o->n_blocks, sizeof(struct block *));
    if (o->kept[at]) {
        block_free(n, o->kept[at]); /* that one was bad */
    } else {
        n->kept += LAYOUT_BLOCK;
        o->n_kept++;
    }
    o->kept[at] = b;
}

struct kept {
    struct open_piece o; /* just what kept_drop looks at */
    struct bytes part[];
};

static void drop(struct node *n, struct job *j)
{
    struct kept *k = j->arg;
    kept_drop(n, &k->o);
    free(k);
}

void kept_lend(struct node *n, struct open_piece *o, struct job *j, struct node_op *op)
{
    if (o->n_kept < o->n_blocks) {
        kept_drop(n, o);
        return;
    }
    struct kept *k = mem_alloc(sizeof *k + o->n_blocks * sizeof *k->part);
    k->o = (struct open_piece){.n_blocks = o->n_blocks, .kept = o->kept, .n_kept = o->n_kept};
    for (uint32_t i = 0; i < o->n_blocks; i++)
        k->part[i] = BYTES(o->kept[i]->data, o->kept[i]->len);
    o->kept = NULL;
    o->n_kept = 0;
    o->unkept = true; /* should it not be right, what comes anew is little */
    j->arg = k;
    j->drop = drop;
    op->parts = k->part;
    op->n_parts = o->n_blocks;
}

bool kept_is_lent(const struct job *j)
{
    return j->drop == drop;
}

void kept_returned(struct node *n, struct job *j)
{
    if (kept_is_lent(j))
        drop(n, j);
}

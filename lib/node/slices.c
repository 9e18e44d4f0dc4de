/* Blocks in parts; see slices.h. Few are under way at a time: only under a low limit. */
#include "node/node_int.h"

#include <stdlib.h>

void slices_begin(struct conn *c, struct block_ref ref, uint32_t len)
{
    struct slices *s = mem_zero(sizeof *s);
    s->ref = ref;
    s->len = len;
    list_push(&c->slices, &s->link);
}

bool slices_next(struct conn *c, uint32_t unit, struct request *r, usec now)
{
    struct list_node *l = list_last(&c->slices);
    struct slices *s = l ? LIST_OF(l, struct slices, link) : NULL;
    if (!s || s->asked == s->len)
        return false;
    uint32_t left = s->len - s->asked;
    *r = (struct request){
        .ref = s->ref, .of = s, .from = s->asked, .len = left < unit ? left : unit, .asked = now};
    s->asked += r->len;
    return true;
}

struct block *slices_got(struct conn *c, struct slices *s, uint32_t len)
{
    s->got += len;
    if (s->got < s->len)
        return NULL;
    struct block *b = s->b;
    s->b = NULL;
    slices_drop(c, s);
    return b;
}

void slices_drop(struct conn *c, struct slices *s)
{
    list_remove(&c->slices, &s->link);
    block_free(c->node, s->b);
    free(s);
}

void slices_free(struct conn *c)
{
    struct list_node *l;
    while ((l = list_first(&c->slices)) != NULL)
        slices_drop(c, LIST_OF(l, struct slices, link));
}

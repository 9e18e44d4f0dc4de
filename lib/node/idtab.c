/* Small numbers for pointers; see idtab.h. */
#include "node/idtab.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

#define INDEX_BITS 20u
#define INDEX_MASK ((1u << INDEX_BITS) - 1)
#define GEN_MASK ((1u << (32 - INDEX_BITS)) - 1)

void idtab_init(struct idtab *t)
{
    *t = (struct idtab){.n = 1};
}

void idtab_fini(struct idtab *t)
{
    free(t->v);
    *t = (struct idtab){0};
}

uint32_t idtab_put(struct idtab *t, void *p)
{
    uint32_t i = t->free_head;
    if (i != 0) {
        t->free_head = t->v[i].next_free;
    } else {
        if (t->n > INDEX_MASK)
            abort(); /* a million live objects: a limit elsewhere has failed */
        if (t->n >= t->cap) {
            t->cap = t->cap ? t->cap * 2 : 16;
            t->v = mem_grow(t->v, t->cap, sizeof *t->v);
        }
        i = t->n++;
        t->v[i] = (struct idtab_slot){0};
    }
    t->v[i].p = p;
    t->used++;
    return (t->v[i].gen & GEN_MASK) << INDEX_BITS | i;
}

void *idtab_get(const struct idtab *t, uint32_t id)
{
    uint32_t i = id & INDEX_MASK;
    if (i == 0 || i >= t->n || (t->v[i].gen & GEN_MASK) != id >> INDEX_BITS)
        return NULL;
    return t->v[i].p;
}

void idtab_remove(struct idtab *t, uint32_t id)
{
    if (!idtab_get(t, id))
        return;
    uint32_t i = id & INDEX_MASK;
    t->v[i].p = NULL;
    t->v[i].gen++;
    t->v[i].next_free = t->free_head;
    t->free_head = i;
    t->used--;
}

void *idtab_walk(const struct idtab *t, uint32_t *it)
{
    while (++*it < t->n)
        if (t->v[*it].p)
            return t->v[*it].p;
    return NULL;
}

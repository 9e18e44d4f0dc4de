/*
 * Small numbers for pointers: O(1) both ways, and a number that was given back is not given again
 * soon (its upper bits count generations), so that a late answer meets nobody instead of a
 * stranger.
 */
#ifndef P2P_NODE_IDTAB_H
#define P2P_NODE_IDTAB_H

#include <stddef.h>
#include <stdint.h>

struct idtab_slot {
    void *p;
    uint32_t gen, next_free;
};
struct idtab {
    struct idtab_slot *v;
    uint32_t n, cap, free_head, used; /* slot 0 is never used */
};

void idtab_init(struct idtab *t);
void idtab_fini(struct idtab *t);
uint32_t idtab_put(struct idtab *t, void *p); /* p is borrowed and not NULL; never returns 0 */
void *idtab_get(const struct idtab *t, uint32_t id); /* NULL if it is not (or no longer) in use */
void idtab_remove(struct idtab *t, uint32_t id);
/* Walks all: start with *it = 0; NULL at the end. Removing the one just seen is fine. */
void *idtab_walk(const struct idtab *t, uint32_t *it);

#endif

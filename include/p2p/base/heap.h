/*
 * An intrusive binary min-heap of deadlines. The owner embeds a heap_item; the heap keeps pointers.
 */
#ifndef P2P_BASE_HEAP_H
#define P2P_BASE_HEAP_H

#include <p2p/base/usec.h>
#include <stddef.h>

struct heap_item {
    usec at;
    size_t index; /* place in the heap plus one; 0: in no heap */
};
struct heap {
    struct heap_item **v; /* owned array, borrowed items */
    size_t n, cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
/* Inserts or moves; USEC_NEVER removes. */
void heap_set(struct heap *h, struct heap_item *it, usec at);
void heap_remove(struct heap *h, struct heap_item *it); /* nothing if it is not in */
struct heap_item *heap_peek(const struct heap *h);      /* earliest; NULL when empty */

#endif

/* A binary heap; items know their place, so moving and removing need no search. */
#include <p2p/base/heap.h>
#include <p2p/base/mem.h>

#include <stdlib.h>

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
    free(h->v);
    heap_init(h);
}

static void place(struct heap *h, size_t i, struct heap_item *it)
{
    h->v[i] = it;
    it->index = i + 1;
}

static void sift_up(struct heap *h, size_t i, struct heap_item *it)
{
    while (i && h->v[(i - 1) / 2]->at > it->at) {
        place(h, i, h->v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(h, i, it);
}

static void sift_down(struct heap *h, size_t i, struct heap_item *it)
{
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->v[child + 1]->at < h->v[child]->at)
            child++;
        if (h->v[child]->at >= it->at)
            break;
        place(h, i, h->v[child]);
    }
    place(h, i, it);
}

static void settle(struct heap *h, size_t i, struct heap_item *it)
{
    if (i && h->v[(i - 1) / 2]->at > it->at)
        sift_up(h, i, it);
    else
        sift_down(h, i, it);
}

void heap_set(struct heap *h, struct heap_item *it, usec at)
{
    if (at == USEC_NEVER) {
        heap_remove(h, it);
        it->at = at;
        return;
    }
    it->at = at;
    if (it->index) {
        settle(h, it->index - 1, it);
        return;
    }
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->v = mem_grow(h->v, h->cap, sizeof(struct heap_item *));
    }
    sift_up(h, h->n++, it);
}

void heap_remove(struct heap *h, struct heap_item *it)
{
    if (!it->index)
        return;
    size_t i = it->index - 1;
    struct heap_item *last = h->v[--h->n];
    it->index = 0;
    if (last != it)
        settle(h, i, last);
}

struct heap_item *heap_peek(const struct heap *h)
{
    return h->n ? h->v[0] : NULL;
}

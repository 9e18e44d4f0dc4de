/* Held pieces and their probes: a bit each, and a short list. */
#include "picker_hold.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

void hold_fini(struct hold *h)
{
    bits_fini(&h->held);
    free(h->probe);
}

static bool same(struct block_ref a, struct block_ref b)
{
    return a.piece == b.piece && a.block == b.block;
}

void hold_set(struct hold *h, uint32_t n_pieces, uint32_t piece, bool held)
{
    size_t kept = 0;
    if (h->held.n == 0)
        bits_init(&h->held, n_pieces);
    if (held) {
        bits_set(&h->held, piece);
        return;
    }
    bits_unset(&h->held, piece);
    for (size_t i = 0; i < h->n; i++)
        if (h->probe[i].piece != piece)
            h->probe[kept++] = h->probe[i];
    h->n = kept;
}

void hold_probe(struct hold *h, struct block_ref b)
{
    for (size_t i = 0; i < h->n; i++)
        if (same(h->probe[i], b))
            return;
    if (h->n == h->cap) {
        h->cap = h->cap * 2 + 8;
        h->probe = mem_grow(h->probe, h->cap, sizeof *h->probe);
    }
    h->probe[h->n++] = b;
}

void hold_probed(struct hold *h, struct block_ref b)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->n; i++)
        if (!same(h->probe[i], b))
            h->probe[kept++] = h->probe[i];
    h->n = kept;
}

bool hold_bars(const struct hold *h, struct block_ref b)
{
    if (!hold_has(h, b.piece))
        return false;
    for (size_t i = 0; i < h->n; i++)
        if (same(h->probe[i], b))
            return false;
    return true;
}

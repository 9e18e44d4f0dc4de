/*
 * Pieces of which nothing is asked for, because their bytes may be had otherwise, and the few
 * blocks of them that are to come all the same ("probes").
 */
#ifndef SWARM_PICKER_HOLD_H
#define SWARM_PICKER_HOLD_H

#include <p2p/swarm/picker.h>

struct hold {
    struct bits held;        /* n = 0: none ever was */
    struct block_ref *probe; /* in the order they were wanted */
    size_t n, cap;
};

void hold_fini(struct hold *h);
void hold_set(struct hold *h, uint32_t n_pieces, uint32_t piece, bool held);
static inline bool hold_has(const struct hold *h, uint32_t piece)
{
    return bits_get(&h->held, piece);
}
void hold_probe(struct hold *h, struct block_ref b);
void hold_probed(struct hold *h, struct block_ref b);     /* it is here: wanted no more */
bool hold_bars(const struct hold *h, struct block_ref b); /* held, and no probe */

#endif

/*
 * A bit field in the order of the BITFIELD message (BEP 3): bit 0 is the high bit of byte 0, spare
 * bits at the end are zero and stay zero. Keeps the number of ones.
 */
#ifndef P2P_BASE_BITS_H
#define P2P_BASE_BITS_H

#include <p2p/base/bytes.h>

struct bits {
    uint8_t *v; /* owned */
    size_t n;    /* bits */
    size_t ones;
};

void bits_init(struct bits *b, size_t n); /* all zero */
void bits_fini(struct bits *b);
static inline size_t bits_bytes(size_t n) { return n / 8 + (n % 8 != 0); }
static inline bool bits_get(const struct bits *b, size_t i)
{
    return i < b->n && (b->v[i >> 3] >> (7 - (i & 7)) & 1);
}
bool bits_set(struct bits *b, size_t i);   /* false if it was set already or is out of range */
bool bits_unset(struct bits *b, size_t i); /* false if it was not set */
void bits_fill(struct bits *b, bool one);
static inline bool bits_full(const struct bits *b) { return b->ones == b->n; }
/* Copies wire bytes: false if the length is wrong or a spare bit is set, b is untouched then. */
bool bits_load(struct bits *b, struct bytes wire);
struct bytes bits_wire(const struct bits *b); /* borrowed */
void bits_copy(struct bits *to, const struct bits *from); /* `to` is initialised by this */
void bits_or(struct bits *to, const struct bits *more); /* both have the same n */
/* The first such bit >= from; n if there is none. */
size_t bits_next(const struct bits *b, size_t from, bool one);

#endif

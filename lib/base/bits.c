/* The bit field, eight bytes at a time where it counts: real ones have millions of bits. */
#include <p2p/base/bits.h>
#include <p2p/base/mem.h>

#include <stdlib.h>

void bits_init(struct bits *b, size_t n)
{
    *b = (struct bits){.v = mem_zero(bits_bytes(n)), .n = n};
}

void bits_fini(struct bits *b)
{
    free(b->v);
    *b = (struct bits){0};
}

bool bits_set(struct bits *b, size_t i)
{
    if (i >= b->n || bits_get(b, i))
        return false;
    b->v[i >> 3] = (uint8_t)(b->v[i >> 3] | 0x80u >> (i & 7));
    b->ones++;
    return true;
}

bool bits_unset(struct bits *b, size_t i)
{
    if (!bits_get(b, i))
        return false;
    b->v[i >> 3] = (uint8_t)(b->v[i >> 3] & ~(0x80u >> (i & 7)));
    b->ones--;
    return true;
}

/* The bits of the last byte that stand for nothing. */
static uint8_t spare_mask(size_t n)
{
    return (uint8_t)(n % 8 ? 0xffu >> (n % 8) : 0);
}

void bits_fill(struct bits *b, bool one)
{
    size_t bytes = bits_bytes(b->n);
    if (bytes) {
        memset(b->v, one ? 0xff : 0, bytes);
        b->v[bytes - 1] = (uint8_t)(b->v[bytes - 1] & ~spare_mask(b->n));
    }
    b->ones = one ? b->n : 0;
}

/* The eight bytes at i as one number, bit 0 highest; zero behind the end. */
static uint64_t word(const struct bits *b, size_t i)
{
    size_t bytes = bits_bytes(b->n);
    if (bytes - i >= 8)
        return get_be64(b->v + i);
    uint8_t last[8] = {0};
    memcpy(last, b->v + i, bytes - i);
    return get_be64(last);
}

static size_t count(const struct bits *b)
{
    size_t ones = 0;
    for (size_t i = 0; i < bits_bytes(b->n); i += 8)
        ones += (size_t)__builtin_popcountll(word(b, i));
    return ones;
}

bool bits_load(struct bits *b, struct bytes wire)
{
    if (wire.n != bits_bytes(b->n))
        return false;
    if (wire.n && (wire.p[wire.n - 1] & spare_mask(b->n)))
        return false;
    if (wire.n)
        memcpy(b->v, wire.p, wire.n);
    b->ones = count(b);
    return true;
}

struct bytes bits_wire(const struct bits *b)
{
    return BYTES(b->v, bits_bytes(b->n));
}

void bits_copy(struct bits *to, const struct bits *from)
{
    *to =
        (struct bits){.v = mem_dup(from->v, bits_bytes(from->n)), .n = from->n, .ones = from->ones};
}

size_t bits_next(const struct bits *b, size_t from, bool one)
{
    if (from >= b->n)
        return b->n;
    uint64_t skip = UINT64_MAX >> (from & 63);
    for (size_t i = from / 64 * 8; i < bits_bytes(b->n); i += 8, skip = UINT64_MAX) {
        uint64_t w = (one ? word(b, i) : ~word(b, i)) & skip;
        if (w) {
            size_t at = i * 8 + (size_t)__builtin_clzll(w);
            return at < b->n ? at : b->n; /* zeros looked for may lie behind the end */
        }
    }
    return b->n;
}

void bits_or(struct bits *to, const struct bits *more)
{
    size_t n = bits_bytes(to->n), ones = 0, i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t a, b;
        memcpy(&a, to->v + i, 8);
        memcpy(&b, more->v + i, 8);
        a |= b;
        memcpy(to->v + i, &a, 8);
        ones += (size_t)__builtin_popcountll(a);
    }
    for (; i < n; i++) {
        to->v[i] |= more->v[i];
        ones += (size_t)__builtin_popcount(to->v[i]);
    }
    to->ones = ones;
}

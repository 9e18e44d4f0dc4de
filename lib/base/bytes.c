/* Byte slices and the reading cursor. An empty slice may be NULL: libc must not see that. */
#include <p2p/base/bytes.h>

#include <stdlib.h>

bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool bytes_is(struct bytes a, const char *literal)
{
    return bytes_eq(a, bytes_str(literal));
}

int bytes_cmp(struct bytes a, struct bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int r = n ? memcmp(a.p, b.p, n) : 0;
    return r ? r : (a.n > b.n) - (a.n < b.n);
}

bool bytes_eq_const(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return false;
    /* volatile: else the compiler may see that one difference settles it, and stop early. */
    volatile uint8_t diff = 0;
    for (size_t i = 0; i < a.n; i++)
        diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
    return diff == 0;
}

void bytes_free(struct bytes owned)
{
    free((void *)(uintptr_t)owned.p);
}

void cursor_init(struct cursor *c, struct bytes b)
{
    static const uint8_t nothing[1];
    c->p = b.p ? b.p : nothing;
    c->end = c->p + b.n;
    c->bad = false;
}

size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->p);
}

struct bytes cursor_take(struct cursor *c, size_t n)
{
    if (n > cursor_left(c)) {
        c->bad = true;
        c->p = c->end;
        return BYTES(c->end, 0);
    }
    struct bytes taken = BYTES(c->p, n);
    c->p += n;
    return taken;
}

uint8_t cursor_u8(struct cursor *c)
{
    struct bytes b = cursor_take(c, 1);
    return b.n ? b.p[0] : 0;
}

uint16_t cursor_be16(struct cursor *c)
{
    struct bytes b = cursor_take(c, 2);
    return b.n ? get_be16(b.p) : 0;
}

uint32_t cursor_be32(struct cursor *c)
{
    struct bytes b = cursor_take(c, 4);
    return b.n ? get_be32(b.p) : 0;
}

uint64_t cursor_be64(struct cursor *c)
{
    struct bytes b = cursor_take(c, 8);
    return b.n ? get_be64(b.p) : 0;
}

uint16_t get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t get_be64(const uint8_t *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

void put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void put_be32(uint8_t *p, uint32_t v)
{
    put_be16(p, (uint16_t)(v >> 16));
    put_be16(p + 2, (uint16_t)v);
}

void put_be64(uint8_t *p, uint64_t v)
{
    put_be32(p, (uint32_t)(v >> 32));
    put_be32(p + 4, (uint32_t)v);
}

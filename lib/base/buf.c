/*
 * The growable buffer. Moving what is left to the front happens only when at least as much was
 * eaten, and growing doubles, so that a byte is copied a constant number of times on average.
 */
#include <p2p/base/buf.h>
#include <p2p/base/mem.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEAST = 64 };

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->mem);
    buf_init(b, 0);
}

struct bytes buf_bytes(const struct buf *b)
{
    static const uint8_t nothing[1];
    return b->mem ? BYTES(b->mem + b->head, buf_len(b)) : BYTES(nothing, 0);
}

static void regrow(struct buf *b, size_t len, size_t need)
{
    if (need > (size_t)PTRDIFF_MAX)
        abort();
    size_t cap = len ? 2 * need : need;
    if (cap < LEAST)
        cap = LEAST;
    uint8_t *mem = mem_alloc(cap);
    if (len)
        memcpy(mem, b->mem + b->head, len);
    free(b->mem);
    b->mem = mem;
    b->cap = cap;
}

/* Room for n at the tail, whatever the limit. */
static uint8_t *reserve(struct buf *b, size_t n)
{
    if (b->mem && n <= b->cap - b->tail)
        return b->mem + b->tail;
    size_t len = buf_len(b);
    if (n > SIZE_MAX - len)
        abort();
    if (b->mem && len + n <= b->cap && b->head >= len)
        memcpy(b->mem, b->mem + b->head, len);
    else
        regrow(b, len, len + n);
    b->head = 0;
    b->tail = len;
    return b->mem + len;
}

static bool fits(const struct buf *b, size_t n)
{
    return !b->max || (buf_len(b) <= b->max && n <= b->max - buf_len(b));
}

uint8_t *buf_room(struct buf *b, size_t n)
{
    return fits(b, n) ? reserve(b, n) : NULL;
}

void buf_added(struct buf *b, size_t n)
{
    if (n > b->cap - b->tail)
        abort(); /* the caller has written past its room already */
    b->tail += n;
}

bool buf_put(struct buf *b, const void *p, size_t n)
{
    uint8_t *to = buf_room(b, n);
    if (!to)
        return false;
    if (n)
        memcpy(to, p, n);
    b->tail += n;
    return true;
}

bool buf_put_bytes(struct buf *b, struct bytes s)
{
    return buf_put(b, s.p, s.n);
}

bool buf_put_str(struct buf *b, const char *s)
{
    return buf_put(b, s, strlen(s));
}

bool buf_put_u8(struct buf *b, uint8_t v)
{
    return buf_put(b, &v, 1);
}

bool buf_put_be16(struct buf *b, uint16_t v)
{
    uint8_t wire[2];
    put_be16(wire, v);
    return buf_put(b, wire, sizeof wire);
}

bool buf_put_be32(struct buf *b, uint32_t v)
{
    uint8_t wire[4];
    put_be32(wire, v);
    return buf_put(b, wire, sizeof wire);
}

bool buf_put_be64(struct buf *b, uint64_t v)
{
    uint8_t wire[8];
    put_be64(wire, v);
    return buf_put(b, wire, sizeof wire);
}

bool buf_putf(struct buf *b, const char *fmt, ...)
{
    bool ok = false;
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && fits(b, (size_t)n)) {
        uint8_t *to = reserve(b, (size_t)n + 1); /* vsnprintf insists on its NUL */
        vsnprintf((char *)to, (size_t)n + 1, fmt, again);
        b->tail += (size_t)n;
        ok = true;
    }
    va_end(again);
    return ok;
}

void buf_eat(struct buf *b, size_t n)
{
    if (n >= buf_len(b))
        buf_clear(b);
    else
        b->head += n;
}

void buf_clear(struct buf *b)
{
    b->head = b->tail = 0;
}

static uint8_t *release(struct buf *b)
{
    uint8_t *mem = b->mem;
    if (b->head)
        memmove(mem, mem + b->head, buf_len(b));
    buf_init(b, b->max);
    return mem;
}

char *buf_take_str(struct buf *b)
{
    *reserve(b, 1) = '\0';
    b->tail++;
    return (char *)release(b);
}

struct bytes buf_take(struct buf *b)
{
    size_t n = buf_len(b);
    reserve(b, 0);
    return BYTES(release(b), n);
}

/* Memory that is there or the process is not; see the header for why. */
#include <p2p/base/mem.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

/* An object past PTRDIFF_MAX breaks pointer arithmetic, so it counts as overflow too. */
static size_t product(size_t count, size_t size)
{
    if (size && count > (size_t)PTRDIFF_MAX / size)
        abort();
    return count * size;
}

void *mem_alloc(size_t n)
{
    return must(malloc(product(n ? n : 1, 1)));
}

void *mem_zero(size_t n)
{
    return must(calloc(1, product(n ? n : 1, 1)));
}

void *mem_array(size_t count, size_t size)
{
    return mem_zero(product(count, size));
}

void *mem_grow(void *p, size_t count, size_t size)
{
    size_t n = product(count, size);
    return must(realloc(p, n ? n : 1));
}

void *mem_dup(const void *p, size_t n)
{
    void *copy = mem_alloc(n);
    if (n)
        memcpy(copy, p, n);
    return copy;
}

char *mem_str(const char *s)
{
    return s ? mem_dup(s, strlen(s) + 1) : NULL;
}

char *mem_strn(const char *s, size_t n)
{
    if (n == SIZE_MAX)
        abort();
    char *copy = mem_alloc(n + 1);
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

char *mem_fmt(const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    char *s = mem_alloc((size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

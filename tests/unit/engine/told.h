/* What the caller of a module under test was told, in order, as one string to compare with. */
#ifndef TESTS_UNIT_ENGINE_TOLD_H
#define TESTS_UNIT_ENGINE_TOLD_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char told_text[2000];

static void told_put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void told_put(const char *fmt, ...)
{
    size_t n = strlen(told_text);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(told_text + n, sizeof told_text - n, fmt, ap);
    va_end(ap);
}

static inline void told_clear(void)
{
    told_text[0] = '\0';
}

#endif

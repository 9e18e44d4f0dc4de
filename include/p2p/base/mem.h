/*
 * Memory. These never return NULL: when there is none left they call abort(). That is a choice: a
 * size that a stranger controls is capped by a named limit before it gets here, a process may be
 * killed at any instant without losing what is recorded, and code without a thousand untested
 * failure paths is the safer code. Free with free().
 */
#ifndef P2P_BASE_MEM_H
#define P2P_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);                  /* n bytes, uninitialised; n = 0 is fine */
void *mem_zero(size_t n);                   /* n bytes of zero */
void *mem_array(size_t count, size_t size); /* zeroed array; the product is checked */
/* realloc to an array; the product is checked. */
void *mem_grow(void *p, size_t count, size_t size);
void *mem_dup(const void *p, size_t n);
char *mem_str(const char *s);              /* NULL gives NULL */
char *mem_strn(const char *s, size_t n);   /* n bytes and a NUL behind */
char *mem_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

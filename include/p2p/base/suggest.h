/* The word somebody meant. */
#ifndef P2P_BASE_SUGGEST_H
#define P2P_BASE_SUGGEST_H

#include <stddef.h>

/* How unlike two words are: changes, insertions, deletions and swaps of neighbours. */
unsigned suggest_distance(const char *a, const char *b);
/* The nearest of `words`, if it is near enough to be what was meant; else NULL. */
const char *suggest_nearest(const char *word, const char *const *words, size_t n);

#endif

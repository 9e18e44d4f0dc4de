/* The word somebody meant. */
#ifndef P2P_BASE_SUGGEST_H
#define P2P_BASE_SUGGEST_H

#include <stddef.h>

/* How unlike two words are: changes, insertions, deletions and swaps of neighbours. */
unsigned suggest_distance(const char *a, const char *b);
/* The nearest of `words`, if it is near enough to be what was meant; else NULL. */
const char *suggest_nearest(const char *word, const char *const *words, size_t n);

/*
 * The names that are nearest to one that is not there, out of any number of paths that come one by
 * one. Last parts are compared, whatever their case; of a pattern that is open at one end, the
 * other end.
 */
#define SUGGEST_NEAR 3
struct suggest_near {
    const char *asked; /* borrowed; the rest zero */
    size_t n;
    struct suggest_name {
        char *path;
        unsigned unlike;
    } v[SUGGEST_NEAR];
};
void suggest_near_add(struct suggest_near *s, const char *path);
/* "; it has 'A', 'B'", or "" if there was none; owned. */
char *suggest_near_text(const struct suggest_near *s);
void suggest_near_fini(struct suggest_near *s);

#endif

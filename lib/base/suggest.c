/* The word somebody meant: the distance of Damerau and Levenshtein, neighbours swapped once. */
#include <p2p/base/suggest.h>

#include <string.h>

#define MAX_WORD 64u /* longer words were not mistyped, they are something else */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned suggest_distance(const char *a, const char *b)
{
    unsigned row[3][MAX_WORD + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > MAX_WORD || lb > MAX_WORD)
        return MAX_WORD;
    for (size_t j = 0; j <= lb; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *now = row[i % 3], *before = row[(i - 1) % 3];

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            now[j] =
                least(least(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = least(now[j], row[(i - 2) % 3][j - 2] + 1);
        }
    }
    return row[la % 3][lb];
}

/* "no-help" is about "help", however near some other "no-" lies. */
static const char *undone(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n && strncmp(word, "no-", 3) == 0; i++)
        if (strcmp(word + 3, words[i]) == 0)
            return words[i];
    return NULL;
}

const char *suggest_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = undone(word, words, n);
    if (best)
        return best;
    unsigned best_distance = least((unsigned)strlen(word) / 3 + 1, 3) + 1;

    for (size_t i = 0; i < n; i++) {
        unsigned d = suggest_distance(word, words[i]);

        if (d < best_distance && d < strlen(words[i])) {
            best = words[i];
            best_distance = d;
        }
    }
    return best;
}

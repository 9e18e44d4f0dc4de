/* The word somebody meant: the distance of Damerau and Levenshtein, neighbours swapped once. */
#include <p2p/base/suggest.h>

#include <p2p/base/buf.h>
#include <p2p/base/mem.h>

#include <stdlib.h>
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

/* ---- near names ---- */

#define SHOWN 100 /* bytes of a name */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

static char *lower(const char *s, size_t n)
{
    char *out = mem_strn(s, n);

    for (char *c = out; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    return out;
}

static unsigned unlike(const char *asked, const char *path)
{
    const char *name = last_part(path), *want = last_part(asked);
    size_t n = strlen(name), k = strlen(want);
    bool head = k > 0 && *want == '*', tail = k > 1 && want[k - 1] == '*';

    want += head;
    k -= (size_t)head + tail;
    if (head && !tail && n > k) {
        name += n - k;
        n = k;
    } else if (tail && !head && n > k) {
        n = k;
    }
    char *a = lower(want, k), *b = lower(name, n);
    unsigned d = suggest_distance(a, b);
    free(a);
    free(b);
    return d;
}

void suggest_near_add(struct suggest_near *s, const char *path)
{
    unsigned d = unlike(s->asked, path);
    size_t at = s->n;

    while (at > 0 && s->v[at - 1].unlike > d)
        at--;
    if (at == SUGGEST_NEAR)
        return;
    if (s->n == SUGGEST_NEAR)
        free(s->v[--s->n].path);
    memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof *s->v);
    s->v[at] = (struct suggest_name){mem_strn(path, strnlen(path, SHOWN)), d};
    s->n++;
}

char *suggest_near_text(const struct suggest_near *s)
{
    struct buf out = {0};

    for (size_t i = 0; i < s->n; i++)
        buf_putf(&out, "%s'%s'", i ? ", " : "; it has ", s->v[i].path);
    return buf_take_str(&out);
}

void suggest_near_fini(struct suggest_near *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i].path);
    s->n = 0;
}

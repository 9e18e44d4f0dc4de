/* Files asked for by name; see named.h. */
#include "engine/named.h"

#include <p2p/base/mem.h>
#include <p2p/base/suggest.h>
#include <p2p/base/text.h>

#include <stdlib.h>

int named_not_there(const struct named_files *f, const char *asked, struct err *e)
{
    struct suggest_near near = {.asked = asked};

    for (size_t i = 0; i < f->n; i++) {
        const char *path = f->path(f->ctx, i);

        if (path)
            suggest_near_add(&near, path);
    }
    char *told = suggest_near_text(&near);
    int rc =
        err_set(e, ERR_NOTFOUND, "%.100s: no file is called '%.100s'%s", f->label, asked, told);
    free(told);
    suggest_near_fini(&near);
    return rc;
}

/* ---- names of a list ---- */

struct listed {
    const char *name;
    bool found;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static bool is_listed(struct listed *v, size_t n, const char *name)
{
    struct listed key = {.name = name}, *hit = n ? bsearch(&key, v, n, sizeof *v, by_text) : NULL;

    if (!hit)
        return false;
    /* The same name twice: all of them are found. */
    for (struct listed *l = hit; l >= v && strcmp(l->name, name) == 0; l--)
        l->found = true;
    for (struct listed *l = hit; l < v + n && strcmp(l->name, name) == 0; l++)
        l->found = true;
    return true;
}

/* As it is, or as it is printed in a line, where it may hold neither tab nor newline. */
static bool is_listed_so(struct listed *v, size_t n, const char *name)
{
    if (is_listed(v, n, name))
        return true;
    if (!strpbrk(name, "\t\n"))
        return false;
    struct buf out = {0};
    text_plain(&out, bytes_str(name));
    char *printed = buf_take_str(&out);
    bool yes = is_listed(v, n, printed);
    free(printed);
    return yes;
}

char *named_whole(const char *top, const char *path)
{
    return top ? mem_fmt("%s/%s", top, path) : NULL;
}

int named_find(const struct named_files *f, char *const *asked, size_t n, struct bits *found,
               struct err *e)
{
    struct listed *v = mem_array(n ? n : 1, sizeof *v);
    int rc = 0;

    for (size_t k = 0; k < n; k++)
        v[k].name = asked[k];
    qsort(v, n, sizeof *v, by_text);
    for (size_t i = 0; i < f->n && n > 0; i++) {
        const char *path = f->path(f->ctx, i);
        char *whole = path ? named_whole(f->top, path) : NULL;

        if (path && (is_listed_so(v, n, path) || (whole && is_listed_so(v, n, whole))))
            bits_set(found, i);
        free(whole);
    }
    for (size_t k = 0; k < n && rc == 0; k++)
        if (!v[k].found)
            rc = named_not_there(f, v[k].name, e);
    free(v);
    return rc;
}

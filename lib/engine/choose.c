/* Which files are wanted, by name or by what the link says, and which pieces follow from that. */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/suggest.h>
#include <p2p/base/text.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

static bool is_content(const struct manifest_file *f)
{
    return !(f->attr & FILE_PAD);
}

/* ---- near names ---- */

#define NEAR 3         /* names that are told */
#define NEAR_SHOWN 100 /* bytes of each */

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

/* How unlike a name is to what was asked for. Of a pattern that is open at one end, the other end
 * is compared. */
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

static int not_there(const struct item *it, const char *asked, struct err *e)
{
    const struct manifest *m = it->m;
    struct {
        uint32_t file;
        unsigned unlike;
    } near[NEAR + 1];
    struct buf text = {0};
    size_t n = 0;

    for (uint32_t i = 0; i < m->n_files; i++) {
        if (!is_content(&m->files[i]))
            continue;
        unsigned d = unlike(asked, m->files[i].path);
        size_t at = n;

        for (; at > 0 && near[at - 1].unlike > d; at--)
            near[at] = near[at - 1];
        near[at].file = i;
        near[at].unlike = d;
        n = n < NEAR ? n + 1 : NEAR;
    }
    for (size_t i = 0; i < n; i++)
        buf_putf(&text, "%s'%.*s'", i ? ", " : "; it has ", NEAR_SHOWN,
                 m->files[near[i].file].path);
    char *told = buf_take_str(&text);
    int rc =
        err_set(e, ERR_NOTFOUND, "%.100s: no file is called '%.100s'%s", it->label, asked, told);
    free(told);
    return rc;
}

/* ---- patterns ---- */

/* The path with the item's name before it, as p2p-get prints it; NULL of a single file. */
static char *whole_path(const struct manifest *m, const char *path)
{
    return m->multi ? mem_fmt("%s/%s", m->name, path) : NULL;
}

static bool matches(const struct manifest *m, const char *path, char *const *v, size_t n)
{
    char *whole = n ? whole_path(m, path) : NULL;
    bool yes = false;

    for (size_t i = 0; i < n && !yes; i++)
        yes = text_glob(v[i], path) || (whole && text_glob(v[i], whole));
    free(whole);
    return yes;
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

/* Sets in `files` what is named. A name that is in no way in the item is a mistake to be told. */
static int choose_listed(const struct item *it, struct bits *files, struct err *e)
{
    const struct manifest *m = it->m;
    size_t n = it->spec.n_files;
    struct listed *v = mem_array(n ? n : 1, sizeof *v);
    int rc = 0;

    for (size_t k = 0; k < n; k++)
        v[k].name = it->spec.files[k];
    qsort(v, n, sizeof *v, by_text);
    for (uint32_t i = 0; i < m->n_files && n > 0; i++) {
        char *whole = whole_path(m, m->files[i].path);

        if (is_content(&m->files[i]) &&
            (is_listed_so(v, n, m->files[i].path) || (whole && is_listed_so(v, n, whole))))
            bits_set(files, i);
        free(whole);
    }
    for (size_t k = 0; k < n && rc == 0; k++)
        if (!v[k].found)
            rc = not_there(it, v[k].name, e);
    free(v);
    return rc;
}

static bool in_link(const struct magnet *k, uint32_t file)
{
    for (size_t i = 0; i < k->n_select; i++)
        if (file >= k->select[i].first && file <= k->select[i].last)
            return true;
    return false;
}

/* What is selected by name or pattern, or else by the link, and not left out. */
static bool wanted(const struct item *it, const struct bits *listed, uint32_t i)
{
    const struct item_spec *s = &it->spec;
    const char *path = it->m->files[i].path;

    if (matches(it->m, path, s->exclude, s->n_exclude))
        return false;
    if (s->n_select || s->n_files)
        return bits_get(listed, i) || matches(it->m, path, s->select, s->n_select);
    return !it->has_link || it->link.n_select == 0 || in_link(&it->link, i);
}

/* Whoever asks for a pattern expects something of it. */
static int all_match(const struct item *it, struct err *e)
{
    for (size_t k = 0; k < it->spec.n_select; k++) {
        bool found = false;

        for (uint32_t i = 0; i < it->m->n_files && !found; i++)
            found = is_content(&it->m->files[i]) &&
                    matches(it->m, it->m->files[i].path, &it->spec.select[k], 1);
        if (!found)
            return not_there(it, it->spec.select[k], e);
    }
    return 0;
}

int choose_files(struct item *it, struct err *e)
{
    const struct manifest *m = it->m;
    struct bits listed = {0};
    uint32_t content = 0;

    bits_init(&listed, m->n_files);
    int rc = choose_listed(it, &listed, e);
    if (rc == 0)
        rc = all_match(it, e);
    if (rc < 0) {
        bits_fini(&listed);
        return rc;
    }
    bits_init(&it->wanted, m->n_files);
    for (uint32_t i = 0; i < m->n_files; i++) {
        if (!is_content(&m->files[i]))
            continue;
        content++;
        if (wanted(it, &listed, i))
            bits_set(&it->wanted, i);
    }
    bits_fini(&listed);
    it->all_wanted = it->wanted.ones == content;
    if (it->wanted.ones == 0)
        return err_set(e, ERR_NOTFOUND, "%s: no file of it matches what was selected", it->label);
    return 0;
}

char *choose_text(const struct item *it)
{
    struct buf out = {0};

    if (it->all_wanted)
        return NULL;
    for (size_t i = bits_next(&it->wanted, 0, true); i < it->wanted.n;) {
        size_t end = bits_next(&it->wanted, i, false);

        buf_putf(&out, "%s%zu", buf_len(&out) ? "," : "", i);
        if (end - i > 1)
            buf_putf(&out, "-%zu", end - 1);
        i = bits_next(&it->wanted, end, true);
    }
    return buf_take_str(&out);
}

void choose_read(struct bits *files, const char *text)
{
    while (*text) {
        char *end;
        unsigned long long first = strtoull(text, &end, 10), last = first;

        if (*end == '-')
            last = strtoull(end + 1, &end, 10);
        for (unsigned long long i = first; i <= last && i < files->n; i++)
            bits_set(files, (size_t)i);
        if (*end != ',')
            return;
        text = end + 1;
    }
}

/*
 * A piece is wanted if it has bytes of a wanted file. One that also has bytes of a file that is not
 * is had as "unstored": those bytes are kept aside only until the item is complete.
 */
void choose_pieces(struct item *it)
{
    const struct manifest *m = it->m;

    it->priority = mem_zero(m->n_pieces ? m->n_pieces : 1);
    it->unstored = mem_zero(m->n_pieces ? m->n_pieces : 1);
    for (uint32_t i = 0; i < m->n_files; i++) {
        bool want = bits_get(&it->wanted, i);
        uint32_t first, end;

        if (!is_content(&m->files[i]) || m->files[i].length == 0)
            continue;
        layout_file_pieces(m, i, &first, &end);
        for (uint32_t p = first; p < end; p++) {
            if (want)
                it->priority[p] = 1;
            else
                it->unstored[p] = 1;
        }
    }
    if (it->spec.serve)
        memset(it->priority, 0, m->n_pieces);
    if (it->ranged)
        ranges_priority(it);
}

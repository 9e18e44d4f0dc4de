/*
 * Which old files to look at. A file that the user names is one; of a folder, those that are like a
 * file of the item: by name and size, then by either, then by a name that differs a little, as
 * versions and dates in names do.
 */
#include "engine/content.h"
#include "engine/reuse.h"

#include <p2p/base/mem.h>
#include <p2p/base/suggest.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define MOST_NAMES 200000u        /* of all folders together */
#define SIMILAR_LEAST (64u << 10) /* files below it are not worth a search by similar names, */
#define SIMILAR_FILES 256u        /* nor is it done for more of them, */
#define SIMILAR_NAMES 4096u       /* or among more names */
#define LIKELY 3u                 /* old files of one new one */

struct entry {
    char *path;       /* owned */
    const char *name; /* its last part */
    uint64_t size;
    bool typed;   /* the user named this very file */
    uint32_t old; /* as which it was taken; REUSE_NONE */
};

struct find {
    struct reuse *r;
    struct entry *v;
    size_t n, cap;
    struct entry **by_name, **by_size;
    struct map *own; /* inodes of the item's own files */
    uint32_t rank;   /* of what may be likely, if something is likelier */
};

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* ---- what there is ---- */

static void add(struct find *f, const char *path, uint64_t size, bool typed)
{
    if (size == 0)
        return;
    if (f->n == f->cap) {
        f->cap = f->cap * 2 + 64;
        f->v = mem_grow(f->v, f->cap, sizeof *f->v);
    }
    struct entry *e = &f->v[f->n++];
    *e = (struct entry){.path = mem_str(path), .size = size, .typed = typed, .old = REUSE_NONE};
    e->name = last_part(e->path);
}

static bool see(void *arg, const char *path, uint64_t size)
{
    struct find *f = arg;

    add(f, path, size, false);
    return !f->r->it->dropped;
}

/* That it is not there is no reason to fetch nothing: last night's may never have come. */
static void look_at(struct find *f, const char *path)
{
    struct oldfile *o = NULL;
    struct err e = {0};

    if (oldfile_is_folder(path)) {
        oldfile_walk(path, MOST_NAMES, see, f);
    } else if (oldfile_open(&o, path, &e) == 0) {
        add(f, path, oldfile_size(o), true);
        oldfile_free(o);
    } else {
        buf_putf(&f->r->warnings, "%s%s", buf_len(&f->r->warnings) ? "; " : "", e.msg);
    }
}

/* ---- which are like it ---- */

static int compare_names(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static int compare_sizes(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;

    return ((*x)->size > (*y)->size) - ((*x)->size < (*y)->size);
}

static void sort(struct find *f)
{
    f->by_name = mem_array(f->n ? f->n : 1, sizeof(struct entry *));
    f->by_size = mem_array(f->n ? f->n : 1, sizeof(struct entry *));
    for (size_t i = 0; i < f->n; i++)
        f->by_name[i] = f->by_size[i] = &f->v[i];
    qsort(f->by_name, f->n, sizeof *f->by_name, compare_names);
    qsort(f->by_size, f->n, sizeof *f->by_size, compare_sizes);
}

/* The first that is not before `key`. */
static size_t lower(struct entry *const *v, size_t n, const struct entry *key,
                    int (*compare)(const void *, const void *))
{
    size_t from = 0;

    while (n > 0) {
        size_t half = n / 2;

        if (compare(&v[from + half], &key) < 0) {
            from += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return from;
}

/* Names of folders above it that are the same, from the file upwards. */
static unsigned same_tail(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned parts = 0;

    while (n > 0 && m > 0 && a[n - 1] == b[m - 1]) {
        n--;
        m--;
        parts += a[n] == '/' || n == 0 || m == 0;
    }
    return parts < 16 ? parts : 16;
}

struct best {
    struct entry *v[LIKELY];
    unsigned score[LIKELY];
};

static void offer(struct best *b, struct entry *e, unsigned score)
{
    for (size_t i = 0; i < LIKELY; i++) {
        if (b->v[i] == e)
            return;
        if (b->v[i] && score <= b->score[i])
            continue;
        for (size_t k = LIKELY - 1; k > i; k--) {
            b->v[k] = b->v[k - 1];
            b->score[k] = b->score[k - 1];
        }
        b->v[i] = e;
        b->score[i] = score;
        return;
    }
}

static unsigned score(const struct entry *e, const struct manifest_file *m, bool same_name)
{
    return 10 + (e->size == m->length ? 40 : 0) +
           (same_name ? 30 + same_tail(e->path, m->path) : 0) + (e->typed ? 5 : 0);
}

static bool similar(const struct find *f, const struct manifest_file *m, const struct entry *e,
                    unsigned *out)
{
    const char *name = last_part(m->path);
    unsigned d = suggest_distance(name, e->name);
    size_t n = strlen(name);

    (void)f;
    *out = e->typed ? 9 : 1 + (unsigned)(n > d ? 7 * (n - d) / n : 0);
    return e->typed || (e->size >= SIMILAR_LEAST && d <= n / 3);
}

static void find_for(struct find *f, const struct manifest_file *m, uint32_t *searched,
                     struct best *b)
{
    struct entry key = {.name = last_part(m->path), .size = m->length};

    for (size_t i = lower(f->by_name, f->n, &key, compare_names);
         i < f->n && strcmp(f->by_name[i]->name, key.name) == 0; i++)
        offer(b, f->by_name[i], score(f->by_name[i], m, true));
    for (size_t i = lower(f->by_size, f->n, &key, compare_sizes), n = 0;
         i < f->n && f->by_size[i]->size == key.size && n < 64; i++, n++)
        offer(b, f->by_size[i],
              score(f->by_size[i], m, strcmp(f->by_size[i]->name, key.name) == 0));
    if (b->v[0] || m->length < SIMILAR_LEAST || f->n > SIMILAR_NAMES ||
        (*searched)++ >= SIMILAR_FILES)
        return;
    for (size_t i = 0; i < f->n; i++) {
        unsigned s;

        if (similar(f, m, &f->v[i], &s))
            offer(b, &f->v[i], s);
    }
}

/* ---- taking them ---- */

static bool is_own(const struct find *f, const struct entry *e)
{
    struct oldfile *o = NULL;
    bool own = true;

    if (oldfile_open(&o, e->path, NULL) < 0)
        return true; /* it is no use at all */
    uint64_t inode = oldfile_inode(o);
    own = map_get(f->own, BYTES(&inode, sizeof inode)) != NULL;
    oldfile_free(o);
    return own;
}

static uint32_t take(struct find *f, struct entry *e)
{
    struct reuse *r = f->r;

    if (e->old != REUSE_NONE || r->n_olds == REUSE_MOST_OLD || is_own(f, e))
        return e->old;
    if ((r->n_olds & (r->n_olds - 1)) == 0)
        r->olds = mem_grow(r->olds, r->n_olds ? (size_t)r->n_olds * 2 : 1, sizeof *r->olds);
    r->olds[r->n_olds] = (struct old){.path = mem_str(e->path), .size = e->size};
    return e->old = r->n_olds++;
}

static void may_be(struct find *f, uint32_t file, uint32_t old)
{
    struct reuse *r = f->r;
    uint32_t rank = f->rank;

    if (old == REUSE_NONE)
        return;
    if (r->first[file] == REUSE_NONE) {
        r->first[file] = old;
        return;
    }
    for (uint32_t i = r->n_more; i > 0 && r->more[i - 1].file == file; i--)
        rank = r->more[i - 1].rank + 1;
    if ((r->n_more & (r->n_more - 1)) == 0)
        r->more = mem_grow(r->more, r->n_more ? (size_t)r->n_more * 2 : 1, sizeof *r->more);
    r->more[r->n_more++] = (struct likely){file, old, rank};
    r->ranks = rank > r->ranks ? rank : r->ranks;
}

static void note_own(struct find *f)
{
    const struct item *it = f->r->it;

    f->own = map_new(0);
    for (uint32_t i = 0; i < it->m->n_files; i++)
        if (it->files[i].present)
            map_put(f->own, BYTES(&it->files[i].inode, sizeof it->files[i].inode), f->own);
}

static void match_all(struct find *f)
{
    const struct item *it = f->r->it;
    uint32_t searched = 0;

    for (uint32_t i = 0; i < it->m->n_files && !it->dropped; i++) {
        const struct manifest_file *m = &it->m->files[i];
        struct best b = {0};

        if ((m->attr & (FILE_PAD | FILE_SYMLINK)) || m->length == 0 || f->n == 0)
            continue;
        find_for(f, m, &searched, &b);
        for (size_t k = 0; k < LIKELY && b.v[k]; k++)
            may_be(f, i, take(f, b.v[k]));
    }
}

static bool lacks(const struct item *it, uint32_t file)
{
    uint32_t first, end;

    layout_file_pieces(it->m, file, &first, &end);
    return bits_get(&it->wanted, file) && bits_next(&it->have, first, false) < end;
}

/* The same files in other items: without the user's saying so, for they are most likely the very
 * same. */
static void ask_catalogue(struct find *f, struct catalogue *c)
{
    const struct item *it = f->r->it;
    uint64_t least = content_least(it->m);
    struct content_known *known = NULL;

    for (uint32_t i = 0; i < it->m->n_files && !it->dropped; i++) {
        struct content_holder v[CONTENT_HOLDERS];

        if (it->m->files[i].length < least || !(it->ranged || lacks(it, i)))
            continue;
        size_t n = content_find(c, it->m, i, &known, v);
        for (size_t k = 0; k < n; k++) {
            struct entry e = {.path = v[k].path, .size = v[k].size, .old = REUSE_NONE};

            may_be(f, i, take(f, &e));
            free(v[k].path);
        }
    }
    content_known_free(known);
}

void reuse_find(struct reuse *r, struct catalogue *c)
{
    struct find f = {.r = r, .rank = 1};
    const struct item *it = r->it;

    for (uint32_t i = 0; i < it->m->n_files; i++)
        r->first[i] = REUSE_NONE;
    note_own(&f);
    if (c)
        ask_catalogue(&f, c);
    for (size_t i = 0; i < it->spec.n_reuse; i++)
        look_at(&f, it->spec.reuse[i]);
    f.rank = r->ranks + 1;
    sort(&f);
    match_all(&f);
    for (size_t i = 0; i < f.n; i++) /* what was named may be like anything */
        if (f.v[i].typed)
            take(&f, &f.v[i]);
    for (size_t i = 0; i < f.n; i++)
        free(f.v[i].path);
    free(f.v);
    free(f.by_name);
    free(f.by_size);
    map_free(f.own);
}

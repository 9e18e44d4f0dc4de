/*
 * Only these bytes: the pieces that hold them are fetched into a sparse file aside, and when all
 * are verified the bytes are put one range behind the other, in the order asked for, as curl does.
 * What the catalogue has complete is read from where it lies.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <p2p/format/layout.h>
#include <p2p/format/names.h>
#include <p2p/host/fileio.h>

#include <stdlib.h>

#define COPY (256u << 10)

/* ---- which bytes ---- */

void ranges_add(struct item *it, uint32_t file, uint64_t from, uint64_t end)
{
    it->stretches = mem_grow(it->stretches, it->n_stretches + 1, sizeof *it->stretches);
    it->stretches[it->n_stretches++] = (struct stretch){file, from, end};
}

/* The bytes [first, *end) of something `length` long; false if nothing of it is meant. */
static bool bounds(const struct engine_range *r, uint64_t length, uint64_t *first, uint64_t *end)
{
    if (r->from_end) {
        *first = r->first < length ? length - r->first : 0;
        *end = length;
        return r->first > 0 && length > 0;
    }
    *first = r->first;
    *end = r->last < length ? r->last + 1 : length;
    return r->first < length && r->last >= r->first;
}

static void add_content(struct item *it, uint64_t first, uint64_t end)
{
    uint64_t at = 0;

    for (uint32_t i = 0; i < it->m->n_files && at < end; i++) {
        const struct manifest_file *f = &it->m->files[i];

        if (f->attr & (FILE_PAD | FILE_SYMLINK))
            continue;
        uint64_t from = first > at ? first - at : 0;
        uint64_t to = end - at < f->length ? end - at : f->length;
        if (from < to)
            ranges_add(it, i, from, to);
        at += f->length;
    }
}

static uint32_t file_called(const struct manifest *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_files; i++)
        if (!(m->files[i].attr & (FILE_PAD | FILE_SYMLINK)) && strcmp(m->files[i].path, name) == 0)
            return i;
    return UINT32_MAX;
}

static int resolve_one(struct item *it, const struct engine_range *r, struct err *e)
{
    uint32_t file = r->file ? file_called(it->m, r->file) : UINT32_MAX;
    uint64_t first, end;

    if (r->file && file == UINT32_MAX)
        return err_set(e, ERR_NOTFOUND, "%s: no file is called '%s'", it->label, r->file);
    if (!bounds(r, r->file ? it->m->files[file].length : it->m->size, &first, &end))
        return err_set(e, ERR_NOTFOUND, "%s: the range lies behind its end", it->label);
    if (r->file)
        ranges_add(it, file, first, end);
    else
        add_content(it, first, end);
    return 0;
}

/* ---- where ---- */

/* Named like the one file that the bytes are of, else like the item. */
static char *result_path(struct item *it, bool is_folder)
{
    const char *o = it->spec.output;
    size_t n = o ? strlen(o) : 0;
    bool one = true;

    if (o && !is_folder && n > 0 && o[n - 1] != '/')
        return fileio_absolute(o);
    for (size_t i = 1; i < it->n_stretches; i++)
        one &= it->stretches[i].file == it->stretches[0].file;
    const char *path = one ? it->m->files[it->stretches[0].file].path : it->m->name;
    const char *slash = strrchr(path, '/');
    char *name = names_on_disk(bytes_str(slash ? slash + 1 : path));
    char *joined = mem_fmt("%s/%s", n ? o : ".", name);
    char *whole = fileio_absolute(joined);

    free(name);
    free(joined);
    return whole;
}

int ranges_find(struct item *it, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < it->spec.n_ranges && rc == 0; i++)
        rc = resolve_one(it, &it->spec.ranges[i], e);
    return rc;
}

int ranges_place(struct item *it, struct err *e)
{
    const char *o = it->spec.output;
    int rc = ranges_find(it, e);

    if (rc < 0)
        return rc;
    it->result = result_path(it, !o || survey_is_folder(o));
    if (survey_is_there(it->result))
        return err_set(e, ERR_IO, "%s: exists already", it->result);
    if (it->row_path && it->row_state == CATALOGUE_COMPLETE &&
        survey_finds(it, it->row_path, it->row_where)) {
        it->path = mem_str(it->row_path);
        it->where = it->row_where & PLACES_FOUND;
        it->known = true;
        bits_fill(&it->wanted, true);
        return 0;
    }
    bits_fill(&it->wanted, false);
    it->unrecorded = true;
    rc = survey_side(it, ".range", e);
    if (rc == 0)
        it->path = mem_fmt("%s.none", it->side); /* nothing is ever made there */
    return rc;
}

void ranges_priority(struct item *it)
{
    const struct manifest *m = it->m;

    memset(it->priority, 0, m->n_pieces);
    memset(it->unstored, 0, m->n_pieces);
    for (size_t i = 0; i < it->n_stretches; i++) {
        const struct stretch *s = &it->stretches[i];
        uint64_t at = m->files[s->file].offset;

        for (uint64_t p = (at + s->from) / m->piece_length;
             p <= (at + s->end - 1) / m->piece_length; p++)
            it->priority[p] = 1;
    }
}

static int by_from(const void *a, const void *b)
{
    const struct node_part *x = a, *y = b;

    return x->from < y->from ? -1 : x->from > y->from;
}

struct node_part *ranges_parts(const struct item *it, size_t *n)
{
    size_t k = it->ranged ? it->n_stretches : 0;
    struct node_part *v = k ? mem_array(k, sizeof *v) : NULL;

    *n = 0;
    for (size_t i = 0; i < k; i++) {
        uint64_t base = it->m->files[it->stretches[i].file].offset;

        v[i] = (struct node_part){base + it->stretches[i].from, base + it->stretches[i].end};
    }
    if (k > 0)
        qsort(v, k, sizeof *v, by_from);
    for (size_t i = 0; i < k; i++) {
        if (*n > 0 && v[i].from <= v[*n - 1].end)
            v[*n - 1].end = v[i].end > v[*n - 1].end ? v[i].end : v[*n - 1].end;
        else
            v[(*n)++] = v[i];
    }
    return v;
}

/* ---- the result ---- */

static int copy_stretch(struct item *it, const struct stretch *s, struct tree *out, uint64_t *to,
                        uint8_t *mem, struct err *e)
{
    for (uint64_t at = s->from; at < s->end;) {
        size_t n = s->end - at < COPY ? (size_t)(s->end - at) : COPY;
        struct bytes b = BYTES(mem, n);
        int64_t got = tree_pread(it->tree, s->file, at, (struct span){mem, n}, e);
        int rc;

        if (got < (int64_t)n)
            return got < 0 ? (int)got
                           : err_set(e, ERR_IO, "%s: verified bytes are gone again", it->label);
        rc = tree_pwrite(out, 0, *to, &b, 1, e);
        if (rc < 0)
            return rc;
        at += n;
        *to += n;
    }
    return 0;
}

/* Under a name of its own until it is whole: X.part may be X on its way. */
int ranges_write(struct item *it, struct err *e)
{
    char *slash = strrchr(it->result, '/');
    char *root =
        slash == it->result ? mem_str("/") : mem_strn(it->result, (size_t)(slash - it->result));
    struct tree_file f = {.path = slash + 1};
    uint8_t *mem = mem_alloc(COPY);
    uint64_t to = 0;

    for (size_t i = 0; i < it->n_stretches; i++)
        f.length += it->stretches[i].end - it->stretches[i].from;
    struct tree *out = tree_new(it->g->files, root, &f, 1, ".range", NULL);
    int rc = fileio_mkdirs(root, 0777, e);
    for (size_t i = 0; i < it->n_stretches && rc == 0; i++)
        rc = copy_stretch(it, &it->stretches[i], out, &to, mem, e);
    if (rc == 0)
        rc = tree_finish_file(out, 0, e);
    tree_free(out);
    free(mem);
    free(root);
    return rc;
}

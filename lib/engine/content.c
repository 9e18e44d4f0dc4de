/* The same file in other items: how it is noted in the catalogue, and found. */
#include "engine/content.h"
#include "engine/places.h"

#include <p2p/base/mem.h>
#include <p2p/host/oldfile.h>

#include <stdlib.h>

#define KNOWN_MOST 64u /* manifests that are read for one item */

struct known_item {
    int64_t id;
    struct manifest *m; /* NULL: nothing is to be had of it */
    char *path;
    unsigned where;
};

struct content_known {
    struct known_item v[KNOWN_MOST];
    size_t n;
};

/* ---- the numbers ---- */

static int64_t number_of(const char *what, struct bytes b)
{
    struct digest *d = digest_new(DIGEST_SHA256);
    uint8_t sum[SHA256_LEN];
    int64_t n;

    digest_begin(d);
    digest_more(d, bytes_str(what));
    digest_more(d, b);
    digest_end(d, sum);
    digest_free(d);
    memcpy(&n, sum, sizeof n);
    return n;
}

static size_t keys_of(const struct manifest_file *f, int64_t out[2])
{
    const char *slash = strrchr(f->path, '/');
    char *name = mem_fmt("%llu/%s", (unsigned long long)f->length, slash ? slash + 1 : f->path);
    size_t n = 0;

    if (f->root)
        out[n++] = number_of("root", BYTES(f->root, SHA256_LEN));
    out[n++] = number_of("name", bytes_str(name));
    free(name);
    return n;
}

static bool is_content(const struct manifest_file *f)
{
    return !(f->attr & (FILE_PAD | FILE_SYMLINK)) && f->length >= CONTENT_LEAST;
}

static int longer_first(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

uint64_t content_least(const struct manifest *m)
{
    uint64_t *v, least = CONTENT_LEAST;
    size_t n = 0;

    if (m->n_files <= CONTENT_MOST)
        return least;
    v = mem_array(m->n_files, sizeof *v);
    for (uint32_t i = 0; i < m->n_files; i++)
        if (is_content(&m->files[i]))
            v[n++] = m->files[i].length;
    if (n > CONTENT_MOST) {
        qsort(v, n, sizeof *v, longer_first);
        least = v[CONTENT_MOST - 1];
    }
    free(v);
    return least;
}

int content_note(struct catalogue *c, int64_t id, const struct manifest *m, struct err *e)
{
    uint64_t least = content_least(m);
    size_t most = 2 * (m->n_files < CONTENT_MOST ? m->n_files : CONTENT_MOST), n = 0;
    struct catalogue_key *v = mem_array(most ? most : 1, sizeof *v);

    for (uint32_t i = 0; i < m->n_files && n + 2 <= most; i++) {
        int64_t key[2];

        if (!is_content(&m->files[i]) || m->files[i].length < least)
            continue;
        size_t k = keys_of(&m->files[i], key);
        for (size_t j = 0; j < k; j++)
            v[n++] = (struct catalogue_key){.key = key[j], .file = i};
    }
    int rc = catalogue_keys_put(c, id, v, n, e);
    free(v);
    return rc;
}

/* ---- finding ---- */

static const struct known_item *know(struct catalogue *c, struct content_known **known, int64_t id)
{
    struct content_known *k = *known;
    struct catalogue_item row = {0};
    struct bytes raw = {0};

    if (!k)
        k = *known = mem_zero(sizeof *k);
    for (size_t i = 0; i < k->n; i++)
        if (k->v[i].id == id)
            return &k->v[i];
    if (k->n == KNOWN_MOST)
        return NULL;
    struct known_item *it = &k->v[k->n++];
    it->id = id;
    if (catalogue_get_id(c, id, &row, NULL) == 0 && row.path.n > 0 &&
        catalogue_manifest(c, id, &raw, NULL) == 0) {
        it->m = manifest_parse(raw, NULL);
        it->path = mem_strn((const char *)row.path.p, row.path.n);
        it->where = row.where & PLACES_FOUND;
    }
    bytes_free(raw);
    catalogue_item_fini(&row);
    return it;
}

/* As it is called when it is complete, or while it is not. */
static bool take(const struct known_item *k, uint32_t file, struct content_holder *out)
{
    char *name = k->m->multi ? places_name(k->m->files[file].path, k->where) : NULL;
    char *path = name ? mem_fmt("%s/%s", k->path, name) : mem_str(k->path);
    struct oldfile *o = NULL;

    free(name);
    if (oldfile_open(&o, path, NULL) < 0) {
        char *part = mem_fmt("%s%s", path, PLACES_SUFFIX);

        free(path);
        path = part;
        oldfile_open(&o, path, NULL);
    }
    if (!o) {
        free(path);
        return false;
    }
    *out = (struct content_holder){.path = path, .size = oldfile_size(o)};
    oldfile_free(o);
    return true;
}

static bool is_held(const struct content_holder *v, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].path, path) == 0)
            return true;
    return false;
}

size_t content_find(struct catalogue *c, const struct manifest *m, uint32_t i,
                    struct content_known **known, struct content_holder out[CONTENT_HOLDERS])
{
    int64_t key[2];
    size_t n = 0, keys = is_content(&m->files[i]) ? keys_of(&m->files[i], key) : 0;

    for (size_t k = 0; k < keys && n < CONTENT_HOLDERS; k++) {
        struct catalogue_holder v[CONTENT_HOLDERS];
        size_t found = CONTENT_HOLDERS;

        catalogue_holders(c, key[k], v, &found, NULL); /* no index: nothing is found */
        for (size_t j = 0; j < found && n < CONTENT_HOLDERS; j++) {
            const struct known_item *it = know(c, known, v[j].id);
            struct content_holder h;

            if (!it || !it->m || v[j].file >= it->m->n_files ||
                it->m->files[v[j].file].length != m->files[i].length || !take(it, v[j].file, &h))
                continue;
            if (is_held(out, n, h.path))
                free(h.path);
            else
                out[n++] = h;
        }
    }
    return n;
}

void content_known_free(struct content_known *k)
{
    for (size_t i = 0; k && i < k->n; i++) {
        manifest_free(k->v[i].m);
        free(k->v[i].path);
    }
    free(k);
}

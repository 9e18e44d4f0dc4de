/*
 * Paths held against one another: no two entries on one path, no file where another entry needs a
 * folder, no link to what is not an entry. Sorted so that '/' comes before every other byte, what
 * lies below a path follows it directly, and neighbours tell all.
 */
#include "manifest_int.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

static unsigned rank(char c)
{
    return c == 0 ? 0 : c == '/' ? 1 : (unsigned)(unsigned char)c + 2;
}

int manifest_path_cmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (int)rank(*a) - (int)rank(*b);
}

static int cmp_strings(const void *x, const void *y)
{
    return manifest_path_cmp(*(const char *const *)x, *(const char *const *)y);
}

/* `path` is `folder` itself or lies below it. */
static bool within(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == 0 || path[n] == '/');
}

struct sorted {
    const char **v;
    size_t n;
};

/* All paths but padding's, which are never stored. */
static struct sorted sort_paths(const struct manifest *m)
{
    struct sorted s = {mem_array(m->n_files, sizeof *s.v), 0};
    bool in_order = true;
    for (uint32_t i = 0; i < m->n_files; i++) {
        if (m->files[i].attr & FILE_PAD)
            continue;
        s.v[s.n++] = m->files[i].path;
        in_order = in_order && (s.n < 2 || manifest_path_cmp(s.v[s.n - 2], s.v[s.n - 1]) < 0);
    }
    if (!in_order)
        qsort(s.v, s.n, sizeof *s.v, cmp_strings);
    return s;
}

/* An entry or a folder above one. */
static bool exists(const struct sorted *s, const char *path)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (manifest_path_cmp(s->v[mid], path) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < s->n && within(s->v[low], path);
}

static bool next_part(const char **path, struct bytes *part)
{
    if (**path == 0)
        return false;
    size_t n = strcspn(*path, "/");
    *part = BYTES(*path, n);
    *path += n + ((*path)[n] == '/');
    return true;
}

/* Lexically, from the folder that the link stands in; false if that leads out of the content. */
static bool resolve_from(struct manifest_reader *r, const char *link, const char *target)
{
    const char *slash = strrchr(link, '/');
    struct bytes part;
    r->path_len = slash ? (size_t)(slash - link) : 0;
    memcpy(r->path, link, r->path_len);
    r->path[r->path_len] = 0;
    while (next_part(&target, &part)) {
        if (bytes_is(part, "."))
            continue;
        if (!bytes_is(part, "..")) {
            if (manifest_path_add(r, part, false) < 0)
                return false;
            continue;
        }
        if (r->path_len == 0)
            return false;
        while (r->path_len > 0 && r->path[--r->path_len] != '/')
            ;
        r->path[r->path_len] = 0;
    }
    return r->path_len > 0;
}

/*
 * BEP 47 counts targets from the root of the content. libtorrent 2.0 wrote them as the link itself
 * has them, from its own folder and with "..": such a one is taken where the first reading finds
 * nothing and the second does.
 */
static int check_link(struct manifest_reader *r, const struct sorted *s, struct manifest_file *f)
{
    if (!exists(s, f->target)) {
        if (r->strict_links || !resolve_from(r, f->path, f->target) || !exists(s, r->path))
            return manifest_bad_path(r, "a symlink to what is not an entry", f->path);
        int rc = manifest_path_keep(r, &f->target);
        if (rc < 0)
            return rc;
    }
    return strcmp(f->target, f->path) == 0 ? manifest_bad_path(r, "a symlink to itself", f->path)
                                           : 0;
}

int manifest_check_paths(struct manifest_reader *r)
{
    struct manifest *m = r->m;
    int rc = 0;
    /* The keys of a v2 tree differ within a folder, and a leaf has no siblings: nothing to check.
     */
    if (m->has_v2 && r->links == 0)
        return 0;
    struct sorted s = sort_paths(m);
    for (size_t i = 1; rc == 0 && i < s.n; i++)
        if (within(s.v[i], s.v[i - 1]))
            rc = manifest_bad_path(r, "two entries on one path", s.v[i]);
    for (uint32_t i = 0; rc == 0 && r->links > 0 && i < m->n_files; i++)
        if (m->files[i].attr & FILE_SYMLINK)
            rc = check_link(r, &s, &m->files[i]);
    free(s.v);
    return rc;
}

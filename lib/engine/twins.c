/*
 * Names that differ only in case, on a file system that takes them for one: two files would be
 * written into each other. Asked of the file system itself, and only about such names.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>

#include <stdlib.h>
#include <strings.h>

struct name {
    char *path;
    uint32_t file;
};

static int by_folded(const void *a, const void *b)
{
    const struct name *x = a, *y = b;

    return strcasecmp(x->path, y->path);
}

static int inode_of(struct item *it, uint32_t file, uint64_t *inode, struct err *e)
{
    struct tree_stat final = {0}, part = {0};
    int rc = tree_preallocate(it->tree, file, e);

    if (rc == 0)
        rc = tree_stat(it->tree, file, &final, &part, e);
    *inode = final.there ? final.inode : part.inode;
    return rc;
}

static int compare(struct item *it, const struct name *a, const struct name *b, struct err *e)
{
    uint64_t x = 0, y = 0;
    int rc = inode_of(it, a->file, &x, e);

    if (rc == 0)
        rc = inode_of(it, b->file, &y, e);
    if (rc == 0 && x == y && x != 0)
        rc = err_set(e, ERR_IO, "%s: this file system takes '%s' and '%s' for one name",
                     tree_root(it->tree), a->path, b->path);
    return rc;
}

int twins_check(struct item *it, struct err *e)
{
    struct name *v = mem_array(it->m->n_files ? it->m->n_files : 1, sizeof *v);
    size_t n = 0;
    int rc = 0;

    for (uint32_t i = 0; i < it->m->n_files; i++)
        if (bits_get(&it->wanted, i) && it->m->files[i].length > 0)
            v[n++] = (struct name){places_name(it->m->files[i].path, it->where), i};
    if (n > 1)
        qsort(v, n, sizeof *v, by_folded);
    for (size_t i = 1; i < n && rc == 0; i++)
        if (by_folded(&v[i - 1], &v[i]) == 0)
            rc = compare(it, &v[i - 1], &v[i], e);
    for (size_t i = 0; i < n; i++)
        free(v[i].path);
    free(v);
    return rc;
}

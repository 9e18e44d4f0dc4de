/* From the names of a manifest to a tree of files on disk. */
#include "engine/places.h"

#include <p2p/base/mem.h>
#include <p2p/format/names.h>
#include <p2p/host/fileio.h>

#include <stdlib.h>

char *places_name(const char *path, unsigned where)
{
    return where & PLACES_RAW ? mem_str(path) : names_path_on_disk(path);
}

static unsigned flags_of(const struct places *p, uint32_t i)
{
    const struct manifest_file *f = &p->m->files[i];
    unsigned flags = p->where & PLACES_FOLLOW ? TREE_FOLLOW : 0;

    if (f->attr & FILE_PAD)
        return TREE_PAD;
    if (f->attr & FILE_SYMLINK)
        return TREE_LINK;
    if ((f->attr & FILE_EXEC) && p->attributes)
        flags |= TREE_EXEC;
    if (p->wanted && !bits_get(p->wanted, i))
        flags |= TREE_UNSELECTED;
    return flags;
}

/* The folder above, and the last component; "/" itself has none and is its own folder. */
static char *split(const char *path, const char **top)
{
    const char *slash = strrchr(path, '/');

    *top = slash ? slash + 1 : path;
    if (!slash)
        return mem_str(".");
    return slash == path ? mem_str("/") : mem_strn(path, (size_t)(slash - path));
}

struct tree *places_tree(struct fdcache *c, const struct places *p)
{
    uint32_t n = p->m->n_files;
    struct tree_file *v = mem_array(n ? n : 1, sizeof *v);
    char **names = mem_array(n ? n : 1, sizeof *names);
    const char *top;
    char *root = split(p->path, &top);

    for (uint32_t i = 0; i < n; i++) {
        const struct manifest_file *f = &p->m->files[i];
        char *name = p->m->multi ? places_name(f->path, p->where) : NULL;

        names[i] = name ? mem_fmt("%s/%s", top, name) : mem_str(top);
        free(name);
        v[i] = (struct tree_file){.path = names[i], .length = f->length, .flags = flags_of(p, i)};
    }
    struct tree *t = tree_new(c, root, v, n, PLACES_SUFFIX, p->side);
    for (uint32_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(v);
    free(root);
    return t;
}

char *places_path(const struct manifest *m, const char *output, bool is_folder)
{
    size_t n = output ? strlen(output) : 0;
    char *name, *joined, *path;

    if (output && !is_folder && !m->multi && n > 0 && output[n - 1] != '/')
        return fileio_absolute(output);
    name = places_name(m->name, 0);
    joined = mem_fmt("%s/%s", n ? output : ".", name);
    path = fileio_absolute(joined);
    free(joined);
    free(name);
    return path;
}

static size_t depth(const char *path)
{
    size_t n = 0;

    for (; *path; path++)
        n += *path == '/';
    return n;
}

char *places_link_text(const struct manifest *m, uint32_t file, unsigned where)
{
    const struct manifest_file *f = &m->files[file];
    struct buf out = {0};
    char *target;

    if (!f->target || !*f->target || !m->multi)
        return NULL;
    /* Components were checked when the manifest was read: nothing here is ".." but our own. */
    for (size_t i = depth(f->path); i > 0; i--)
        buf_put_str(&out, "../");
    target = places_name(f->target, where);
    buf_put_str(&out, target);
    free(target);
    return buf_take_str(&out);
}

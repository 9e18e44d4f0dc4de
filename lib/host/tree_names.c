/* File trees: names on disk, what stands under them, and taking everything away again. */
#include "host/tree_in.h"

#include <p2p/base/buf.h>
#include <p2p/base/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *tree_name_of(const struct tree *t, size_t file, bool final)
{
    const struct tree_entry *f = &t->v[file];
    struct buf b;
    buf_init(&b, 0);
    buf_put_str(&b, f->path);
    for (unsigned i = 0; !final && i < f->suffixes; i++)
        buf_put_str(&b, t->suffix);
    return buf_take_str(&b);
}

char *tree_path(struct tree *t, size_t file)
{
    unsigned flags = tree_flags(t, file);
    char *name = tree_name_of(t, file, flags & (TREE_FINAL | TREE_LINK | TREE_PAD));
    char *path = mem_fmt("%s/%s", t->root, name);
    free(name);
    return path;
}

/* Something on the way that is no folder leaves nothing there either. */
static bool means_absent(int os)
{
    return os == ENOENT || os == ENOTDIR || os == ELOOP;
}

/* Opening a FIFO or a device could wait or do things to it: it is looked at first. */
int tree_open_followed(struct tree *t, const char *name, struct err *e)
{
    char *path = mem_fmt("%s/%s", t->root, name);
    struct stat st;
    int fd = -1;
    if (stat(path, &st) == 0) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        if (S_ISREG(st.st_mode))
            fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    }
    if (fd < 0)
        fd = err_os(e, errno, "%s", path);
    free(path);
    return fd;
}

static int stat_followed(struct tree *t, const char *name, struct stat *st, struct err *e)
{
    char *path = mem_fmt("%s/%s", t->root, name);
    int rc = stat(path, st) == 0 ? 0 : err_os(e, errno, "%s", path);
    free(path);
    return rc;
}

static int stat_name(struct tree *t, const struct beneath *b, size_t file, bool final,
                     struct tree_stat *out, struct err *e)
{
    struct err here = {0};
    struct stat st;
    char *name = tree_name_of(t, file, final);
    int rc = tree_flags(t, file) & TREE_FOLLOW ? stat_followed(t, name, &st, &here)
                                               : beneath_stat(b, name, &st, &here);
    free(name);
    *out = (struct tree_stat){0};
    if (rc != 0 && means_absent(here.os))
        return 0;
    if (rc != 0) {
        if (e && !e->code)
            *e = here;
        return rc;
    }
    *out = (struct tree_stat){
        .there = true,
        .regular = S_ISREG(st.st_mode),
        .size = (uint64_t)st.st_size,
        .inode = (uint64_t)st.st_ino,
        .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
    };
    return 0;
}

int tree_stat(struct tree *t, size_t file, struct tree_stat *final, struct tree_stat *part,
              struct err *e)
{
    struct beneath *b = NULL;
    int rc = tree_beneath(t, &b, e);
    if (rc == 0)
        rc = stat_name(t, b, file, true, final, e);
    if (rc == 0)
        rc = stat_name(t, b, file, false, part, e);
    beneath_free(b);
    return rc;
}

int tree_link(struct tree *t, size_t file, const char *target, struct err *e)
{
    if (!(tree_flags(t, file) & TREE_LINK))
        return err_set(e, ERR_USAGE, "%s/%s: not a link", t->root, t->v[file].path);
    struct beneath *b = NULL;
    int rc = tree_beneath(t, &b, e);
    if (rc == 0)
        rc = beneath_symlink(b, target, t->v[file].path, e);
    if (rc == 0)
        rc = beneath_sync_parent(b, t->v[file].path, e);
    beneath_free(b);
    return rc;
}

/* The first failure is the one that is told; one that leaves nothing to do is none. */
static void keep_first(int *rc, int next, const struct err *here, struct err *e)
{
    if (next == 0 || (next == ERR_IO && means_absent(here->os)))
        return;
    if (*rc == 0) {
        *rc = next;
        if (e && !e->code)
            *e = *here;
    }
}

static bool is_listed(unsigned flags)
{
    return !(flags & TREE_PAD) && (flags & (TREE_UNSELECTED | TREE_FINAL)) != TREE_UNSELECTED;
}

static int unlink_listed(struct tree *t, const struct beneath *b, size_t file, struct err *e)
{
    unsigned flags = tree_flags(t, file);
    struct stat st;
    if (!is_listed(flags))
        return 0;
    char *name = tree_name_of(t, file, flags & (TREE_FINAL | TREE_LINK));
    int rc = beneath_stat(b, name, &st, e);
    if (rc == 0 && (flags & TREE_LINK ? S_ISLNK(st.st_mode) : S_ISREG(st.st_mode)))
        rc = beneath_unlink(b, name, e);
    free(name);
    return rc;
}

/* Upwards until one is not empty. */
static void remove_folders(const struct beneath *b, char *path, int *rc, struct err *e)
{
    for (char *slash; (slash = strrchr(path, '/'));) {
        struct err here = {0};
        *slash = '\0';
        int next = beneath_rmdir(b, path, &here);
        if (next != 0 && (here.os == ENOTEMPTY || here.os == EEXIST))
            return;
        keep_first(rc, next, &here, e);
    }
}

static bool same_folder(const char *a, const char *b)
{
    const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
    return x && y && x - a == y - b && memcmp(a, b, (size_t)(x - a)) == 0;
}

int tree_delete(struct tree *t, struct err *e)
{
    struct beneath *b = NULL;
    int rc = tree_beneath(t, &b, e);
    if (rc != 0)
        return rc;
    fdcache_drop_all(t->cache, &t->owner);
    for (size_t i = 0; i < t->n; i++) {
        struct err here = {0};
        keep_first(&rc, unlink_listed(t, b, i, &here), &here, e);
    }
    for (size_t i = 0; i < t->n; i++) {
        if (!is_listed(t->v[i].flags) || (i > 0 && is_listed(t->v[i - 1].flags) &&
                                          same_folder(t->v[i].path, t->v[i - 1].path)))
            continue;
        char *path = mem_str(t->v[i].path);
        remove_folders(b, path, &rc, e);
        free(path);
    }
    beneath_free(b);
    struct err here = {0};
    keep_first(&rc, tree_drop_side(t, &here), &here, e);
    return rc;
}

int tree_drop_side(struct tree *t, struct err *e)
{
    if (!t->side)
        return 0;
    fdcache_drop(t->cache, &t->owner, (uint32_t)t->n);
    if (unlink(t->side) != 0 && errno != ENOENT)
        return err_os(e, errno, "%s", t->side);
    return 0;
}

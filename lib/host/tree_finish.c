/*
 * File trees: what changes a file's standing. Room taken beforehand, the final name when it is
 * complete, and selection later on.
 */
#include "host/tree_in.h"

#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK ((size_t)256 * 1024)

static void change_flags(struct tree *t, size_t file, unsigned set, unsigned clear)
{
    fdcache_lock(t->cache);
    t->v[file].flags = (t->v[file].flags & ~clear) | set;
    fdcache_unlock(t->cache);
}

int tree_preallocate(struct tree *t, size_t file, struct err *e)
{
    unsigned flags = tree_flags(t, file);
    int rc = 0, got;
    if (flags & (TREE_PAD | TREE_UNSELECTED | TREE_LINK | TREE_FINAL) || t->v[file].length == 0)
        return 0;
    if (t->v[file].length > INT64_MAX)
        return err_os(e, EFBIG, "%s", t->v[file].path);
    rc = tree_open_sync_fd(t, e);
    if (rc != 0)
        return rc;
    struct fdcache_entry *en = tree_pin_store(t, (uint32_t)file, true, &rc, e);
    if (!en)
        return rc;
    do
        got = fallocate(fdcache_fd(en), 0, 0, (off_t)t->v[file].length);
    while (got != 0 && errno == EINTR);
    if (got != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        rc = err_os(e, errno, "%s", t->v[file].path);
    tree_mark(t, (uint32_t)file, FILE_DIRTY | FILE_NAMED);
    fdcache_unpin(t->cache, en);
    return rc;
}

static bool can_finish(unsigned flags)
{
    return !(flags & (TREE_PAD | TREE_UNSELECTED | TREE_LINK | TREE_FINAL));
}

/* A file that was never written has no content to finish: only an empty one is made here. */
static int must_exist(struct tree *t, size_t file, struct err *e)
{
    struct tree_stat final, part;
    if (t->v[file].length == 0)
        return 0;
    int rc = tree_stat(t, file, &final, &part, e);
    if (rc == 0 && !part.there) {
        char *path = tree_path(t, file);
        rc = err_os(e, ENOENT, "%s", path);
        free(path);
    }
    return rc;
}

/* What is behind the end is no content and goes. */
static int set_length(struct tree *t, size_t file, int fd, const struct stat *st, struct err *e)
{
    uint64_t want = t->v[file].length, size = (uint64_t)st->st_size;
    if (size < want)
        return err_set(e, ERR_INVALID, "%s/%s: has %llu of %llu bytes: it was cut", t->root,
                       t->v[file].path, (unsigned long long)size, (unsigned long long)want);
    if (size > want && ftruncate(fd, (off_t)want) != 0)
        return err_os(e, errno, "%s/%s", t->root, t->v[file].path);
    return 0;
}

static int make_exact(struct tree *t, size_t file, struct err *e)
{
    struct stat st;
    int rc = must_exist(t, file, e);
    if (rc == 0)
        rc = tree_open_sync_fd(t, e);
    if (rc != 0)
        return rc;
    struct fdcache_entry *en = tree_pin_store(t, (uint32_t)file, true, &rc, e);
    if (!en)
        return rc;
    int fd = fdcache_fd(en);
    if (fstat(fd, &st) != 0)
        rc = err_os(e, errno, "%s", t->v[file].path);
    else
        rc = set_length(t, file, fd, &st, e);
    /* Whoever may read it may execute it, as chmod +x does under the umask it was made with. */
    if (rc == 0 && (tree_flags(t, file) & TREE_EXEC) &&
        fchmod(fd, (st.st_mode & 07777) | (st.st_mode & 0444) >> 2) != 0)
        rc = err_os(e, errno, "%s", t->v[file].path);
    tree_mark(t, (uint32_t)file, FILE_DIRTY | FILE_NAMED);
    fdcache_unpin(t->cache, en);
    return rc;
}

static int to_final_name(struct tree *t, const struct beneath *b, size_t file, struct err *e)
{
    char *part = tree_name_of(t, file, false);
    change_flags(t, file, FILE_MOVING, 0);
    int rc = beneath_rename(b, part, t->v[file].path, e);
    change_flags(t, file, rc == 0 ? TREE_FINAL | TREE_OURS : 0, FILE_MOVING);
    free(part);
    if (rc == 0)
        tree_mark(t, (uint32_t)file, FILE_NAMED);
    return rc;
}

int tree_finish_files(struct tree *t, const size_t *files, size_t n, struct err *e)
{
    size_t *todo = mem_array(n + 1, sizeof *todo), count = 0;
    struct beneath *b = NULL;
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        if (can_finish(tree_flags(t, files[i])))
            todo[count++] = files[i];
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = make_exact(t, todo[i], e);
    if (rc == 0 && count > 0)
        rc = tree_sync_data(t, todo, count, e);
    if (rc == 0 && count > 0)
        rc = tree_beneath(t, &b, e);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = to_final_name(t, b, todo[i], e);
    beneath_free(b);
    if (rc == 0 && count > 0)
        rc = tree_sync_these(t, todo, count, e);
    free(todo);
    return rc;
}

int tree_finish_file(struct tree *t, size_t file, struct err *e)
{
    return tree_finish_files(t, &file, 1, e);
}

static int copy_stretch(struct tree *t, size_t file, int side, uint64_t off, uint64_t end,
                        struct err *e)
{
    uint8_t *mem = mem_alloc(COPY_CHUNK);
    int rc = 0;
    while (off < end && rc == 0) {
        uint64_t left = end - off;
        struct span to = {mem, left < COPY_CHUNK ? (size_t)left : COPY_CHUNK};
        int64_t got = fileio_pread(side, t->side, t->v[file].base + off, to, e);
        if (got <= 0) {
            rc = (int)got;
            break;
        }
        struct bytes v = BYTES(mem, (size_t)got);
        rc = tree_pwrite(t, file, off, &v, 1, e);
        off += (uint64_t)got;
    }
    free(mem);
    return rc;
}

/* Only what was written: the side file is sparse, and copying its holes would fill the disk. */
static int copy_from_side(struct tree *t, size_t file, int side, struct err *e)
{
    const struct tree_entry *f = &t->v[file];
    off_t at = (off_t)f->base, end = (off_t)(f->base + f->length);
    int rc = 0;
    while (rc == 0) {
        off_t data = lseek(side, at, SEEK_DATA);
        if (data < 0 && errno == EINVAL)
            data = at; /* a file system that does not tell holes apart */
        if (data < 0 || data >= end)
            return data < 0 && errno != ENXIO ? err_os(e, errno, "%s", t->side) : 0;
        at = lseek(side, data, SEEK_HOLE);
        if (at < 0 || at > end)
            at = end;
        rc = copy_stretch(t, file, side, (uint64_t)data - f->base, (uint64_t)at - f->base, e);
    }
    return rc;
}

static int remove_part(struct tree *t, size_t file, struct err *e)
{
    struct beneath *b = NULL;
    char *part = tree_name_of(t, file, false);
    int rc = tree_beneath(t, &b, e);
    fdcache_drop(t->cache, &t->owner, (uint32_t)file);
    if (rc == 0)
        rc = beneath_unlink(b, part, e);
    beneath_free(b);
    free(part);
    return rc;
}

static int select_wanted(struct tree *t, size_t file, struct err *e)
{
    struct fdcache_entry *en = NULL;
    struct err none = {0};
    int rc = 0;
    if (t->side && t->v[file].length > 0 && t->v[file].length <= INT64_MAX &&
        t->v[file].base <= INT64_MAX - t->v[file].length)
        en = tree_pin_store(t, (uint32_t)t->n, false, &rc, &none);
    if (t->side && rc != 0 && none.os != ENOENT) {
        if (e && !e->code)
            *e = none;
        return rc;
    }
    change_flags(t, file, 0, TREE_UNSELECTED);
    if (!en)
        return 0;
    rc = copy_from_side(t, file, fdcache_fd(en), e);
    fdcache_unpin(t->cache, en);
    if (rc == 0)
        rc = tree_sync_these(t, &file, 1, e);
    if (rc != 0) {
        remove_part(t, file, NULL); /* it was not there before: pieces stay in the side file */
        change_flags(t, file, TREE_UNSELECTED, 0);
    }
    return rc;
}

int tree_select(struct tree *t, size_t file, bool wanted, struct err *e)
{
    struct tree_stat final, part;
    unsigned flags = tree_flags(t, file);
    if (flags & (TREE_PAD | TREE_LINK) || wanted == !(flags & TREE_UNSELECTED))
        return 0;
    if (flags & TREE_FINAL) {
        change_flags(t, file, wanted ? 0 : TREE_UNSELECTED, wanted ? TREE_UNSELECTED : 0);
        return 0;
    }
    int rc = tree_stat(t, file, &final, &part, e);
    if (rc != 0)
        return rc;
    if (wanted && !part.there)
        return select_wanted(t, file, e);
    if (wanted || !part.there)
        change_flags(t, file, wanted ? 0 : TREE_UNSELECTED, wanted ? TREE_UNSELECTED : 0);
    return 0;
}

/*
 * File trees: what has to happen before anything may be said to be on the disk.
 *
 * A few dirty files are synced one by one and after them the folders whose names changed; many are
 * synced by one syncfs, which is what makes a hundred thousand small files bearable. A kernel tells
 * of a write that failed later only to descriptors that were open at that time. A file's descriptor
 * may have been closed to make room, so a descriptor of the root is held from before the first
 * write until the sync: syncfs on it tells of any failure in between (Linux 5.8).
 */
#include "host/tree_in.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_ONE_BY_ONE 16 /* more files than this: syncfs */

int tree_open_sync_fd(struct tree *t, struct err *e)
{
    fdcache_lock(t->cache);
    bool have = t->sync_fd >= 0;
    fdcache_unlock(t->cache);
    if (have)
        return 0;
    struct beneath *b = NULL;
    int rc = tree_beneath(t, &b, e);
    if (rc != 0)
        return rc;
    int fd = fcntl(beneath_fd(b), F_DUPFD_CLOEXEC, 0);
    beneath_free(b);
    if (fd < 0)
        return err_os(e, errno, "%s", t->root);
    fdcache_lock(t->cache);
    if (t->sync_fd < 0) {
        t->sync_fd = fd;
        fd = -1;
    }
    fdcache_unlock(t->cache);
    if (fd >= 0)
        close(fd);
    return 0;
}

void tree_close_sync_fd(struct tree *t)
{
    fdcache_lock(t->cache);
    int fd = t->sync_fd;
    t->sync_fd = -1;
    fdcache_unlock(t->cache);
    if (fd >= 0)
        close(fd);
}

void tree_mark(struct tree *t, uint32_t index, unsigned flags)
{
    fdcache_lock(t->cache);
    struct tree_entry *f = &t->v[index];
    f->flags |= flags;
    if (!(f->flags & FILE_LISTED)) {
        f->flags |= FILE_LISTED;
        if (t->dirty_count == t->dirty_cap) {
            t->dirty_cap = t->dirty_cap ? t->dirty_cap * 2 : 16;
            t->dirty = mem_grow(t->dirty, t->dirty_cap, sizeof *t->dirty);
        }
        t->dirty[t->dirty_count++] = index;
    }
    fdcache_unlock(t->cache);
}

bool tree_dirty(struct tree *t)
{
    bool dirty = false;
    fdcache_lock(t->cache);
    for (size_t i = 0; i < t->dirty_count && !dirty; i++)
        dirty = t->v[t->dirty[i]].flags & (FILE_DIRTY | FILE_NAMED);
    fdcache_unlock(t->cache);
    return dirty;
}

/* What is to be synced, with the marks it had; they are put back if it fails. */
struct batch {
    struct item {
        uint32_t index;
        unsigned marks;
    } *v;
    size_t n;
    bool lost; /* a descriptor of one that was written may have been closed */
};

static void batch_take(struct tree *t, struct batch *b, uint32_t index)
{
    struct tree_entry *f = &t->v[index];
    unsigned marks = f->flags & (FILE_DIRTY | FILE_NAMED);
    f->flags &= ~(FILE_DIRTY | FILE_NAMED);
    if (marks)
        b->v[b->n++] = (struct item){index, marks | (f->flags & FILE_FOREIGN)};
}

static struct batch batch_of_all(struct tree *t)
{
    fdcache_lock(t->cache);
    struct batch b = {.v = mem_array(t->dirty_count + 1, sizeof *b.v)};
    for (size_t i = 0; i < t->dirty_count; i++) {
        t->v[t->dirty[i]].flags &= ~FILE_LISTED;
        batch_take(t, &b, t->dirty[i]);
    }
    t->dirty_count = 0;
    b.lost = t->owner.evicted > 0;
    t->owner.evicted = 0;
    fdcache_unlock(t->cache);
    return b;
}

static struct batch batch_of(struct tree *t, const size_t *files, size_t n)
{
    fdcache_lock(t->cache);
    struct batch b = {.v = mem_array(n + 1, sizeof *b.v)};
    for (size_t i = 0; i < n; i++)
        batch_take(t, &b, (uint32_t)files[i]);
    b.lost = t->owner.evicted > 0; /* not zeroed: others may be meant */
    fdcache_unlock(t->cache);
    return b;
}

static int sync_one(struct tree *t, uint32_t index, struct err *e)
{
    int rc = 0;
    /* For reading: fsync does not care, and a file that somebody removed is not made anew. */
    struct fdcache_entry *en = tree_pin_store(t, index, false, &rc, e);
    if (!en)
        return rc;
    int got;
    do
        got = fsync(fdcache_fd(en));
    while (got != 0 && errno == EINTR);
    if (got != 0) {
        const char *path = entry_is_side(t, index) ? t->side : t->v[index].path;
        rc = err_os(e, errno, "%s", path);
    }
    fdcache_unpin(t->cache, en);
    return rc;
}

/* The folder that holds a new name, and those above, each of which may be new: each once. */
static int sync_folders(struct tree *t, const struct batch *b, struct err *e)
{
    struct map *seen = map_new(0);
    struct beneath *root = NULL;
    int rc = tree_beneath(t, &root, e);
    for (size_t i = 0; i < b->n && rc == 0; i++) {
        if (!(b->v[i].marks & FILE_NAMED) || entry_is_side(t, b->v[i].index))
            continue;
        char *path = mem_str(t->v[b->v[i].index].path);
        for (char *slash = path; slash && rc == 0;) {
            slash = strrchr(path, '/');
            struct bytes folder = BYTES(path, slash ? (size_t)(slash - path) : 0);
            if (map_get(seen, folder))
                break;
            rc = beneath_sync_parent(root, path, e);
            map_put(seen, folder, t);
            if (slash)
                *slash = '\0';
        }
        free(path);
    }
    beneath_free(root);
    map_free(seen);
    return rc;
}

/* True if it has to be reached by its own descriptor even when the whole file system is synced. */
static bool is_apart(const struct tree *t, const struct item *it)
{
    return entry_is_side(t, it->index) || (it->marks & FILE_FOREIGN);
}

static int sync_whole(struct tree *t, struct err *e)
{
    int rc = tree_open_sync_fd(t, e);
    if (rc != 0)
        return rc;
    fdcache_lock(t->cache);
    int fd = fcntl(t->sync_fd, F_DUPFD_CLOEXEC, 0); /* the error mark is of the description */
    fdcache_unlock(t->cache);
    if (fd < 0 || syncfs(fd) != 0)
        rc = err_os(e, errno, "%s", t->root);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int sync_side_name(struct tree *t, struct err *e)
{
    char *slash = strrchr(t->side, '/');
    char *folder = slash ? mem_strn(t->side, (size_t)(slash - t->side) + 1) : mem_str(".");
    int rc = fileio_sync_folder(folder, e);
    free(folder);
    return rc;
}

/* names: where they lie too, and not only what is in them. */
static int sync_batch(struct tree *t, const struct batch *b, bool names, struct err *e)
{
    bool whole = b->n > SYNC_ONE_BY_ONE || b->lost;
    int rc = whole ? sync_whole(t, e) : 0;
    for (size_t i = 0; i < b->n && rc == 0; i++) {
        const struct item *it = &b->v[i];
        if ((it->marks & FILE_DIRTY) && (!whole || is_apart(t, it)))
            rc = sync_one(t, it->index, e);
        if (rc == 0 && names && (it->marks & FILE_NAMED) && entry_is_side(t, it->index))
            rc = sync_side_name(t, e);
    }
    bool foreign = false;
    for (size_t i = 0; i < b->n; i++)
        foreign |= (b->v[i].marks & FILE_FOREIGN) != 0;
    if (rc == 0 && names && (!whole || foreign))
        rc = sync_folders(t, b, e);
    return rc;
}

/* Ends a batch: on failure everything in it is dirty again. */
static int batch_end(struct tree *t, struct batch *b, int rc)
{
    for (size_t i = 0; rc != 0 && i < b->n; i++)
        tree_mark(t, b->v[i].index, b->v[i].marks);
    if (rc != 0 && b->lost) {
        fdcache_lock(t->cache);
        t->owner.evicted++;
        fdcache_unlock(t->cache);
    }
    free(b->v);
    return rc;
}

int tree_sync(struct tree *t, struct err *e)
{
    struct batch b = batch_of_all(t);
    if (b.n == 0)
        return batch_end(t, &b, 0);
    return batch_end(t, &b, sync_batch(t, &b, true, e));
}

int tree_sync_these(struct tree *t, const size_t *files, size_t n, struct err *e)
{
    struct batch b = batch_of(t, files, n);
    return batch_end(t, &b, b.n ? sync_batch(t, &b, true, e) : 0);
}

int tree_sync_data(struct tree *t, const size_t *files, size_t n, struct err *e)
{
    struct batch b = batch_of(t, files, n);
    int rc = b.n ? sync_batch(t, &b, false, e) : 0;
    for (size_t i = 0; rc == 0 && i < b.n; i++)
        if (b.v[i].marks & FILE_NAMED)
            tree_mark(t, b.v[i].index, FILE_NAMED);
    return batch_end(t, &b, rc);
}

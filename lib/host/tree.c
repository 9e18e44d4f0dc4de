/*
 * A tree of files whose content is being written or served: its list, its descriptors, reading and
 * writing. Names and removal are in tree_names.c, syncing in tree_sync.c, and what changes a file's
 * standing in tree_finish.c.
 */
#include "host/tree_in.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIDE_ALIGN 4096u

/*
 * Files lie in the side file one behind the other, each on a block of its own, so that its holes
 * can be told from its neighbours' data.
 */
static uint64_t side_after(uint64_t base, uint64_t length)
{
    uint64_t end;
    if (!num_add(base, length, &end) || end > INT64_MAX - SIDE_ALIGN)
        return UINT64_MAX;
    return (end + SIDE_ALIGN - 1) / SIDE_ALIGN * SIDE_ALIGN;
}

static void copy_files(struct tree *t, const struct tree_file *v)
{
    size_t room = 0, used = 0;
    uint64_t base = 0;
    for (size_t i = 0; i < t->n; i++)
        room += strlen(v[i].path) + 1;
    t->names = mem_alloc(room);
    t->v = mem_array(t->n + 1, sizeof *t->v);
    for (size_t i = 0; i < t->n; i++) {
        size_t len = strlen(v[i].path) + 1;
        memcpy(t->names + used, v[i].path, len);
        t->v[i] = (struct tree_entry){
            .path = t->names + used,
            .length = v[i].length,
            .base = base,
            .flags = v[i].flags & FILE_PUBLIC,
            .suffixes = 1,
        };
        used += len;
        base = side_after(base, v[i].length);
    }
    t->v[t->n].length = base;
}

static bool ends_with(struct bytes s, struct bytes tail)
{
    return s.n > tail.n && memcmp(s.p + s.n - tail.n, tail.p, tail.n) == 0;
}

/* Files and folders of the list that are called like somebody's unfinished file might be. */
static size_t note_suffixed(struct tree *t, struct map *taken)
{
    struct bytes suffix = bytes_str(t->suffix);
    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].flags & TREE_PAD)
            continue;
        const char *path = t->v[i].path;
        for (size_t n = strcspn(path, "/");; n += 1 + strcspn(path + n + 1, "/")) {
            if (ends_with(BYTES(path, n), suffix))
                map_put(taken, BYTES(path, n), t);
            if (path[n] == '\0')
                break;
        }
    }
    return map_count(taken);
}

/*
 * A list with both "x" and "x.part" would have two contents in one file: the suffix is repeated for
 * "x" until nothing is called so. Depends on nothing but the list, so the next run finds it again.
 */
static void avoid_clashes(struct tree *t)
{
    struct map *taken = map_new(0);
    struct bytes suffix = bytes_str(t->suffix);
    if (suffix.n > 0 && note_suffixed(t, taken) > 0) {
        for (size_t i = 0; i < t->n; i++) {
            struct tree_entry *f = &t->v[i];
            if (f->flags & TREE_PAD)
                continue;
            char *name = tree_name_of(t, i, false);
            while (map_get(taken, bytes_str(name))) {
                f->suffixes++;
                free(name);
                name = tree_name_of(t, i, false);
            }
            if (f->suffixes > 1 || ends_with(bytes_str(f->path), suffix))
                map_put(taken, bytes_str(name), t);
            free(name);
        }
    }
    map_free(taken);
}

struct tree *tree_new(struct fdcache *c, const char *root, const struct tree_file *v, size_t n,
                      const char *suffix, const char *side)
{
    struct tree *t = mem_zero(sizeof *t);
    t->cache = c;
    t->root = mem_str(root);
    t->suffix = mem_str(suffix);
    t->side = mem_str(side);
    t->n = n;
    t->sync_fd = -1;
    pthread_mutex_init(&t->pen, NULL);
    copy_files(t, v);
    avoid_clashes(t);
    return t;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    fdcache_drop_all(t->cache, &t->owner);
    tree_close_sync_fd(t);
    free(t->root);
    free(t->suffix);
    free(t->side);
    free(t->names);
    free(t->v);
    free(t->dirty);
    pthread_mutex_destroy(&t->pen);
    free(t);
}

const char *tree_root(const struct tree *t)
{
    return t->root;
}

size_t tree_count(const struct tree *t)
{
    return t->n;
}

uint64_t tree_length(const struct tree *t, size_t file)
{
    return t->v[file].length;
}

static unsigned all_flags(struct tree *t, size_t i)
{
    fdcache_lock(t->cache);
    unsigned flags = t->v[i].flags;
    fdcache_unlock(t->cache);
    return flags;
}

unsigned tree_flags(struct tree *t, size_t file)
{
    return all_flags(t, file) & FILE_PUBLIC;
}

void tree_set_flags(struct tree *t, size_t file, unsigned set, unsigned clear)
{
    unsigned may = TREE_FINAL | TREE_OURS | TREE_EXEC;
    fdcache_lock(t->cache);
    unsigned before = t->v[file].flags;
    t->v[file].flags = (before & ~(clear & may)) | (set & may);
    bool moved = (t->v[file].flags ^ before) & (TREE_FINAL | TREE_OURS);
    fdcache_unlock(t->cache);
    if (moved)
        fdcache_drop(t->cache, &t->owner, (uint32_t)file);
}

int tree_beneath(struct tree *t, struct beneath **out, struct err *e)
{
    return beneath_open(out, t->root, 0, e);
}

int tree_check_root(struct tree *t, struct err *e)
{
    struct beneath *b = NULL;
    int rc = tree_beneath(t, &b, e);
    beneath_free(b);
    return rc;
}

static int open_side(struct tree *t, uint32_t index, bool write, struct err *e)
{
    const char *slash = strrchr(t->side, '/');
    char *folder = slash ? mem_strn(t->side, (size_t)(slash - t->side)) : mem_str(".");
    struct beneath *b = NULL;
    int rc = beneath_open(&b, slash == t->side ? "/" : folder, 0, e);
    if (rc == 0)
        rc = beneath_file(b, slash ? slash + 1 : t->side, write ? BENEATH_MAKE : BENEATH_READ, e);
    beneath_free(b);
    free(folder);
    if (rc >= 0 && write)
        tree_mark(t, index, FILE_NAMED);
    return rc;
}

static enum beneath_how how_to_open(unsigned flags, bool write)
{
    if (!write)
        return BENEATH_READ;
    return flags & TREE_FINAL ? BENEATH_WRITE : BENEATH_MAKE;
}

/*
 * What the next sync must know: that the name may be new, and whether the file is on a file system
 * mounted below the root.
 */
static void note_opened(struct tree *t, uint32_t index, const struct beneath *b, int fd)
{
    struct stat root, file;
    tree_mark(t, index, FILE_NAMED);
    if (fstat(beneath_fd(b), &root) == 0 && fstat(fd, &file) == 0 && root.st_dev != file.st_dev) {
        fdcache_lock(t->cache);
        t->v[index].flags |= FILE_FOREIGN;
        fdcache_unlock(t->cache);
    }
}

/* It may be renamed between the look at its flags and the opening. */
static bool has_moved(struct tree *t, uint32_t index, unsigned flags)
{
    unsigned now = all_flags(t, index);
    if (now & FILE_MOVING)
        sched_yield();
    return now & FILE_MOVING || (now ^ flags) & TREE_FINAL;
}

static int open_store(void *ctx, uint32_t index, bool write, struct err *e)
{
    struct tree *t = ctx;
    if (entry_is_side(t, index))
        return open_side(t, index, write, e);
    struct beneath *b = NULL;
    int fd = tree_beneath(t, &b, e);
    if (fd < 0)
        return fd;
    for (;;) {
        struct err here = {0};
        unsigned flags = all_flags(t, index);
        char *name = tree_name_of(t, index, flags & TREE_FINAL);
        if (!write && (flags & TREE_FOLLOW))
            fd = tree_open_followed(t, name, &here);
        else
            fd = beneath_file(b, name, how_to_open(flags, write), &here);
        free(name);
        if (fd < 0 && here.os == ENOENT && has_moved(t, index, flags))
            continue;
        if (fd < 0 && e && !e->code)
            *e = here;
        break;
    }
    if (fd >= 0 && write)
        note_opened(t, index, b, fd);
    beneath_free(b);
    return fd;
}

struct fdcache_entry *tree_pin_store(struct tree *t, uint32_t index, bool write, int *rc,
                                     struct err *e)
{
    return fdcache_pin(t->cache, &t->owner, index, write, open_store, t, rc, e);
}

uint32_t tree_store_of(struct tree *t, size_t file)
{
    unsigned flags = all_flags(t, file);
    return (uint32_t)((flags & (TREE_UNSELECTED | TREE_FINAL)) == TREE_UNSELECTED ? t->n : file);
}

void tree_set_window(struct tree *t, struct window *w, const uint64_t *starts)
{
    t->window = w;
    for (size_t i = 0; i < t->n; i++)
        t->v[i].base = starts[i];
}

/* May these bytes be touched at all? Also gives where they are. */
static int locate(struct tree *t, size_t file, uint64_t off, uint64_t n, uint32_t *store,
                  uint64_t *at, struct err *e)
{
    const struct tree_entry *f = &t->v[file];
    uint64_t end;
    if (all_flags(t, file) & TREE_LINK)
        return err_set(e, ERR_USAGE, "%s/%s: a link has no content", t->root, f->path);
    if (!num_add(off, n, &end) || end > f->length)
        return err_set(e, ERR_USAGE, "%s/%s: %llu is past its end", t->root, f->path,
                       (unsigned long long)end);
    *store = tree_store_of(t, file);
    *at = off;
    if (!entry_is_side(t, *store))
        return end > INT64_MAX ? err_os(e, EFBIG, "%s/%s", t->root, f->path) : 0;
    if (!t->side)
        return err_set(e, ERR_USAGE, "%s/%s: not among the files that are wanted", t->root,
                       f->path);
    if (end > INT64_MAX || f->base > INT64_MAX - end)
        return err_os(e, EFBIG, "%s", t->side);
    *at = f->base + off;
    return 0;
}

static bool is_pad(struct tree *t, size_t file)
{
    return all_flags(t, file) & TREE_PAD;
}

int64_t tree_pread(struct tree *t, size_t file, uint64_t off, struct span to, struct err *e)
{
    uint32_t store;
    uint64_t at;
    int rc = locate(t, file, off, to.n, &store, &at, e);
    if (rc != 0)
        return rc;
    if (is_pad(t, file)) {
        memset(to.p, 0, to.n);
        return (int64_t)to.n;
    }
    if (t->window) {
        rc = window_read(t->window, t->v[file].base + off, to, e);
        return rc < 0 ? rc : (int64_t)to.n;
    }
    struct fdcache_entry *en = tree_pin_store(t, store, false, &rc, e);
    if (!en)
        return rc;
    int64_t got = fileio_pread(fdcache_fd(en), t->v[file].path, at, to, e);
    fdcache_unpin(t->cache, en);
    return got;
}

static int may_write(struct tree *t, size_t file, struct err *e)
{
    if ((all_flags(t, file) & (TREE_FINAL | TREE_OURS)) == TREE_FINAL)
        return err_set(e, ERR_USAGE, "%s/%s: it was there before and is only read", t->root,
                       t->v[file].path);
    return 0;
}

int tree_place_for(struct tree *t, size_t file, uint64_t off, uint64_t n, uint32_t *store,
                   uint64_t *at, struct err *e)
{
    int rc = locate(t, file, off, n, store, at, e);
    return rc == 0 ? may_write(t, file, e) : rc;
}

int tree_pwrite(struct tree *t, size_t file, uint64_t off, const struct bytes *v, size_t n,
                struct err *e)
{
    uint32_t store;
    uint64_t at, sum = 0;
    for (size_t i = 0; i < n; i++)
        if (!num_add(sum, v[i].n, &sum))
            sum = UINT64_MAX;
    if (is_pad(t, file))
        return 0;
    int rc = tree_place_for(t, file, off, sum, &store, &at, e);
    if (rc == 0 && t->window)
        return window_write(t->window, t->v[file].base + off, v, n, e);
    if (rc == 0)
        rc = tree_open_sync_fd(t, e);
    if (rc != 0 || sum == 0)
        return rc;
    struct fdcache_entry *en = tree_pin_store(t, store, true, &rc, e);
    if (!en)
        return rc;
    pthread_mutex_lock(&t->pen);
    rc = fileio_pwritev(fdcache_fd(en), t->v[file].path, at, v, n, e);
    pthread_mutex_unlock(&t->pen);
    /* Marked when the bytes are out: a sync that began before must not take the mark with it. */
    tree_mark(t, store, FILE_DIRTY);
    fdcache_unpin(t->cache, en);
    return rc;
}

int tree_pin(struct tree *t, size_t file, struct tree_pin *out, struct err *e)
{
    uint32_t store;
    uint64_t at;
    if (is_pad(t, file))
        return err_set(e, ERR_USAGE, "%s/%s: padding is not on the disk", t->root, t->v[file].path);
    int rc = locate(t, file, 0, 0, &store, &at, e);
    if (rc != 0)
        return rc;
    struct fdcache_entry *en = tree_pin_store(t, store, false, &rc, e);
    if (!en)
        return rc;
    *out = (struct tree_pin){.fd = fdcache_fd(en), .base = at, .entry = en};
    return 0;
}

void tree_unpin(struct tree *t, struct tree_pin *pin)
{
    if (!pin->entry)
        return;
    fdcache_unpin(t->cache, pin->entry);
    *pin = (struct tree_pin){.fd = -1};
}

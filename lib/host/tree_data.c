/* File trees: what an earlier run left behind without recording it, and blocks that are shared with
 * another file. */
#include "host/tree_in.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* 1 with where the next data begins and ends in the descriptor, 0 if there is none. */
static int next_stretch(struct tree *t, size_t file, int fd, uint64_t off, off_t *from, off_t *to,
                        struct err *e)
{
    *from = lseek(fd, (off_t)off, SEEK_DATA);
    if (*from < 0 && errno == EINVAL) { /* a file system that does not tell holes apart */
        *from = (off_t)off;
        *to = lseek(fd, 0, SEEK_END);
        return *to > *from;
    }
    if (*from < 0)
        return errno == ENXIO ? 0 : err_os(e, errno, "%s", t->v[file].path);
    *to = lseek(fd, *from, SEEK_HOLE);
    return *to > *from;
}

int tree_data(struct tree *t, size_t file, uint64_t off, uint64_t *from, uint64_t *to,
              struct err *e)
{
    struct tree_pin pin;
    struct err here = {0};
    off_t a = 0, b = 0;
    int rc = tree_pin(t, file, &pin, &here);
    if (rc < 0) {
        if (here.os == ENOENT)
            return 0;
        if (e && !e->code)
            *e = here;
        return rc;
    }
    rc = next_stretch(t, file, pin.fd, pin.base + off, &a, &b, e);
    tree_unpin(t, &pin);
    if (rc <= 0)
        return rc;
    uint64_t length = tree_length(t, file);
    *from = (uint64_t)a - pin.base;
    *to = (uint64_t)b - pin.base < length ? (uint64_t)b - pin.base : length;
    return *from < *to;
}

void tree_touched(struct tree *t, size_t file)
{
    tree_mark(t, tree_store_of(t, file), FILE_DIRTY | FILE_NAMED);
}

int tree_clone(struct tree *t, size_t file, const struct file_clone_range *r)
{
    struct file_clone_range at = *r;
    uint32_t store;
    uint64_t place;
    int rc = 0;
    if (t->window || (tree_flags(t, file) & TREE_PAD) ||
        tree_place_for(t, file, r->dest_offset, r->src_length, &store, &place, NULL) < 0 ||
        tree_open_sync_fd(t, NULL) < 0)
        return -EOPNOTSUPP;
    at.dest_offset = place;
    struct fdcache_entry *en = tree_pin_store(t, store, true, &rc, NULL);
    if (!en)
        return -EOPNOTSUPP;
    rc = ioctl(fdcache_fd(en), FICLONERANGE, &at) == 0 ? 0 : -errno;
    if (rc == 0)
        tree_mark(t, store, FILE_DIRTY);
    fdcache_unpin(t->cache, en);
    return rc;
}

/* Files that were here before. */
#include "host/tree_in.h"

#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>
#include <p2p/host/oldfile.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHARE_UNIT 4096u /* blocks of every file system that shares them are no larger, or refuse */

struct oldfile {
    char *path;
    int fd;
    uint64_t size;
    uint64_t ino;
    atomic_bool apart; /* its blocks cannot be shared with where they are to go */
};

int oldfile_open(struct oldfile **out, const char *path, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return err_os(e, errno, "%s", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(e, ERR_IO, "%s: is neither a file nor a folder", path);
    }
    struct oldfile *f = mem_zero(sizeof *f);
    *f = (struct oldfile){
        .path = mem_str(path), .fd = fd, .size = (uint64_t)st.st_size, .ino = st.st_ino};
    *out = f;
    return 0;
}

void oldfile_free(struct oldfile *f)
{
    if (!f)
        return;
    close(f->fd);
    free(f->path);
    free(f);
}

uint64_t oldfile_size(const struct oldfile *f)
{
    return f->size;
}

uint64_t oldfile_inode(const struct oldfile *f)
{
    return f->ino;
}

int64_t oldfile_pread(const struct oldfile *f, uint64_t off, struct span to, struct err *e)
{
    return fileio_pread(f->fd, f->path, off, to, e);
}

bool oldfile_data(const struct oldfile *f, uint64_t off, uint64_t *from, uint64_t *to)
{
    off_t a = off < f->size ? lseek(f->fd, (off_t)off, SEEK_DATA) : -1;

    if (off >= f->size || (a < 0 && errno == ENXIO))
        return false;
    off_t b = a < 0 ? -1 : lseek(f->fd, a, SEEK_HOLE);
    *from = a < 0 ? off : (uint64_t)a; /* a file system that does not tell holes apart */
    *to = b < 0 ? f->size : (uint64_t)b;
    return *from < *to;
}

/* ---- sharing blocks ---- */

/* Does the tree hold these bytes? */
static bool reads_back(struct tree *t, size_t file, uint64_t at, struct bytes b)
{
    uint8_t mem[16384];

    while (b.n > 0) {
        size_t n = b.n < sizeof mem ? b.n : sizeof mem;

        if (tree_pread(t, file, at, (struct span){mem, n}, NULL) != (int64_t)n ||
            memcmp(mem, b.p, n) != 0)
            return false;
        at += n;
        b = BYTES(b.p + n, b.n - n);
    }
    return true;
}

static bool passes(int os)
{
    return os == EAGAIN || os == EINTR || os == ETXTBSY;
}

/* Whole blocks of [off, off + n), as far as both sides begin at one; 0: none, write them. */
static uint64_t share(struct oldfile *f, uint64_t off, uint64_t n, struct tree *t, size_t file,
                      uint64_t to)
{
    uint64_t skip = (SHARE_UNIT - off % SHARE_UNIT) % SHARE_UNIT;
    struct file_clone_range r = {.src_fd = f->fd, .src_offset = off + skip};

    if (atomic_load(&f->apart) || off % SHARE_UNIT != to % SHARE_UNIT || n < skip + SHARE_UNIT)
        return 0;
    r.src_length = (n - skip) / SHARE_UNIT * SHARE_UNIT;
    r.dest_offset = to + skip;
    int rc = tree_clone(t, file, &r);
    if (rc < 0 && !passes(-rc))
        atomic_store(&f->apart, true);
    return rc == 0 ? r.src_length : 0;
}

int oldfile_place(struct oldfile *f, uint64_t off, struct bytes b, struct tree *t, size_t file,
                  uint64_t to, uint64_t *shared, struct err *e)
{
    uint64_t n = share(f, off, b.n, t, file, to);
    uint64_t skip = (SHARE_UNIT - off % SHARE_UNIT) % SHARE_UNIT;

    if (n == 0 || !reads_back(t, file, to + skip, BYTES(b.p + skip, n)))
        return tree_pwrite(t, file, to, &b, 1, e);
    struct bytes head = BYTES(b.p, skip), tail = BYTES(b.p + skip + n, b.n - skip - n);
    int rc = head.n ? tree_pwrite(t, file, to, &head, 1, e) : 0;
    if (rc == 0 && tail.n)
        rc = tree_pwrite(t, file, to + skip + n, &tail, 1, e);
    if (rc == 0 && shared)
        *shared += n;
    return rc;
}

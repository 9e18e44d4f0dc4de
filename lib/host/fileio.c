/*
 * Whole files and plain descriptors. Short and interrupted calls are taken up again here, so that
 * nobody else has to remember them.
 */
#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FIRST_READ 65536u
#define IOV_BATCH 64

/* EINTR leaves it open whether the descriptor is closed; on Linux it is. */
static void close_quietly(int fd)
{
    int keep = errno;
    if (fd >= 0)
        close(fd);
    errno = keep;
}

/* A regular file tells how long it is, which saves growing; it need not be the truth. */
static size_t expected_size(int fd, size_t cap)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return cap < FIRST_READ ? cap : FIRST_READ;
    return (uint64_t)st.st_size > cap ? cap : (size_t)st.st_size;
}

int fileio_read_fd(int fd, const char *what, size_t cap, struct bytes *out, struct err *e)
{
    size_t room = expected_size(fd, cap) + 2; /* one to see the end, one for the NUL */
    size_t n = 0;
    uint8_t *mem = mem_alloc(room);
    for (;;) {
        ssize_t got = read(fd, mem + n, room - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            poll(&p, 1, -1);
            continue;
        }
        if (got < 0) {
            int rc = err_os(e, errno, "%s", what);
            free(mem);
            return rc;
        }
        if (got == 0)
            break;
        n += (size_t)got;
        if (n > cap) {
            free(mem);
            return err_set(e, ERR_LIMIT, "%s: longer than %zu bytes", what, cap);
        }
        if (n == room - 1) {
            size_t more = room * 2 < cap + 2 ? room * 2 : cap + 2;
            room = more > room ? more : room + 1;
            mem = mem_grow(mem, room, 1);
        }
    }
    mem[n] = '\0';
    *out = BYTES(mem, n);
    return 0;
}

int fileio_read(const char *path, size_t cap, struct bytes *out, struct err *e)
{
    int fd;
    do /* a FIFO that nobody writes to is empty; waiting for somebody could not be stopped */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_os(e, errno, "%s", path);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    int rc = fileio_read_fd(fd, path, cap, out, e);
    close_quietly(fd);
    return rc;
}

int fileio_write_all(int fd, const char *what, struct bytes b, struct err *e)
{
    while (b.n > 0) {
        ssize_t put = write(fd, b.p, b.n);
        if (put >= 0) {
            b.p += put;
            b.n -= (size_t)put;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, -1);
        } else if (errno != EINTR) {
            return err_os(e, errno, "%s", what);
        }
    }
    return 0;
}

int64_t fileio_pread(int fd, const char *what, uint64_t off, struct span to, struct err *e)
{
    size_t n = 0;
    while (n < to.n) {
        ssize_t got = pread(fd, to.p + n, to.n - n, (off_t)(off + n));
        if (got == 0)
            break;
        if (got > 0)
            n += (size_t)got;
        else if (errno != EINTR)
            return err_os(e, errno, "%s", what);
    }
    return (int64_t)n;
}

/* Fills v with what is left of the slices from (*i, *skip) on. */
static int fill_iov(struct iovec *v, const struct bytes *s, size_t n, size_t i, size_t skip)
{
    int count = 0;
    for (; i < n && count < IOV_BATCH; i++, skip = 0) {
        if (s[i].n == skip)
            continue;
        /* writev does not write to what it is given; its type says otherwise. */
        v[count].iov_base = (void *)((uintptr_t)s[i].p + skip);
        v[count].iov_len = s[i].n - skip;
        count++;
    }
    return count;
}

int fileio_pwritev(int fd, const char *what, uint64_t off, const struct bytes *v, size_t n,
                   struct err *e)
{
    size_t i = 0, skip = 0;
    for (;;) {
        struct iovec iov[IOV_BATCH];
        int count = fill_iov(iov, v, n, i, skip);
        if (count == 0)
            return 0;
        ssize_t put = pwritev(fd, iov, count, (off_t)off);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return err_os(e, put < 0 ? errno : EIO, "%s", what);
        off += (uint64_t)put;
        for (skip += (size_t)put; i < n && skip >= v[i].n; i++)
            skip -= v[i].n;
    }
}

static int sync_fd(int fd)
{
    int rc;
    do
        rc = fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc != 0 && errno == EINVAL ? 0 : rc; /* EINVAL: there is nothing to sync here */
}

int fileio_sync_folder(const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = 0;
    if (fd < 0 || sync_fd(fd) != 0)
        rc = err_os(e, errno, "%s", path);
    close_quietly(fd);
    return rc;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_str(".");
    return slash == path ? mem_str("/") : mem_strn(path, (size_t)(slash - path));
}

/* A device or pipe that the user named as output: there is nothing to rename over. */
static int write_through(const char *path, struct bytes b, struct err *e)
{
    int fd;
    do
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_os(e, errno, "%s", path);
    int rc = fileio_write_all(fd, path, b, e);
    close_quietly(fd);
    return rc;
}

/* The kernel applies the umask to `mode`, which mkstemp would not let it do. */
static int open_temporary(const char *folder, unsigned mode, char **name)
{
    static atomic_uint counter;
    for (int tries = 0; tries < 1000; tries++) {
        unsigned k = atomic_fetch_add(&counter, 1);
        *name = mem_fmt("%s/.p2p-%ld-%u.tmp", folder, (long)getpid(), k);
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
        free(*name);
        *name = NULL;
    }
    errno = EEXIST;
    return -1;
}

static int write_and_rename(const char *path, struct bytes b, unsigned mode, bool keep_mode,
                            struct err *e)
{
    char *folder = folder_of(path), *temp = NULL;
    bool made = false;
    int rc = 0;
    int fd = open_temporary(folder, mode, &temp);
    if (fd < 0) {
        rc = err_os(e, errno, "%s", path);
        goto out;
    }
    made = true;
    if (keep_mode && fchmod(fd, mode) != 0) {
        rc = err_os(e, errno, "%s", path);
        goto out;
    }
    rc = fileio_write_all(fd, path, b, e);
    if (rc != 0)
        goto out;
    if (sync_fd(fd) != 0 || rename(temp, path) != 0) {
        rc = err_os(e, errno, "%s", path);
        goto out;
    }
    made = false;
    rc = fileio_sync_folder(folder, e);
out:
    close_quietly(fd);
    if (made)
        unlink(temp);
    free(temp);
    free(folder);
    return rc;
}

int fileio_replace(const char *path, struct bytes b, unsigned mode, struct err *e)
{
    return write_and_rename(path, b, mode, false, e);
}

int fileio_write(const char *path, struct bytes b, unsigned mode, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        if (errno != ENOENT)
            return err_os(e, errno, "%s", path);
        return write_and_rename(path, b, mode, false, e);
    }
    if (S_ISDIR(st.st_mode))
        return err_os(e, EISDIR, "%s", path);
    if (!S_ISREG(st.st_mode))
        return write_through(path, b, e);
    char *real = realpath(path, NULL); /* a link to a file stays a link */
    if (!real)
        return err_os(e, errno, "%s", path);
    int rc = write_and_rename(real, b, st.st_mode & 07777, true, e);
    free(real);
    return rc;
}

/* Another program may make it at the same moment, and what is above may be unwritable. */
static int make_folder(const char *path, unsigned mode, struct err *e)
{
    struct stat st;
    if (mkdir(path, mode) != 0) {
        int why = errno;
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            return 0;
        return err_os(e, why == EEXIST ? ENOTDIR : why, "%s", path);
    }
    /* Else a power cut takes the folder, and it looks like a drive that is not mounted. One that
     * may be written but not read cannot be synced: no reason to fail. */
    char *above = folder_of(path);
    fileio_sync_folder(above, NULL);
    free(above);
    return 0;
}

int fileio_mkdirs(const char *path, unsigned mode, struct err *e)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : err_os(e, ENOTDIR, "%s", path);
    char *p = mem_str(path);
    size_t n = strlen(p);
    int rc = 0;
    while (n > 1 && p[n - 1] == '/')
        p[--n] = '\0';
    for (size_t i = 1; i <= n && rc == 0; i++) {
        if (p[i] != '/' && p[i] != '\0')
            continue;
        p[i] = '\0';
        rc = make_folder(p, mode, e);
        if (i < n)
            p[i] = '/';
    }
    free(p);
    return rc;
}

char *fileio_absolute(const char *path)
{
    char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
    char *all = mem_fmt("%s/%s", cwd ? cwd : "", path);
    size_t out = 0, n = strlen(all);
    for (size_t i = 0; i < n;) {
        size_t start = i;
        while (i < n && all[i] == '/')
            start = ++i;
        while (i < n && all[i] != '/')
            i++;
        size_t len = i - start;
        if (len == 0 || (len == 1 && all[start] == '.'))
            continue;
        all[out++] = '/';
        memmove(all + out, all + start, len);
        out += len;
    }
    if (out == 0)
        all[out++] = '/';
    all[out] = '\0';
    free(cwd);
    return all;
}

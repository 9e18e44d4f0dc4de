/*
 * Locks between programs. Locks of the open file description (fcntl F_OFD_*): they live through
 * fork, die with the last descriptor, can be asked about without being taken, and work on NFS.
 *
 * The file is removed when the lock is released, or ten thousand downloads would leave ten thousand
 * files. So whoever locked a file must look whether it is still the one with that name.
 */
#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/host/fileio.h>
#include <p2p/host/lock.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS 20u

struct lock {
    char *path;
    int fd;
};

static char *lock_path(const char *dir, const char *name)
{
    return mem_fmt("%s/locks/%s.lock", dir, name);
}

static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static long read_pid(int fd)
{
    char text[24];
    uint64_t pid;
    ssize_t n = pread(fd, text, sizeof text, 0);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    if (n <= 0 || !num_parse_u64(BYTES(text, (size_t)n), &pid) || pid == 0 || pid > INT32_MAX)
        return -1;
    return (long)pid;
}

void lock_renew(struct lock *l)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* The number is a courtesy to whoever is refused: on a full disk the lock holds without it. */
    if (ftruncate(l->fd, 0) == 0 && pwrite(l->fd, text, (size_t)n, 0) != n)
        (void)!ftruncate(l->fd, 0);
}

static bool still_named(int fd, const char *path)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

static int held(const char *name, long pid, struct err *e)
{
    if (pid > 0)
        return err_set(e, ERR_LOCKED, "%s: in use by process %ld", name, pid);
    return err_set(e, ERR_LOCKED, "%s: in use by another process", name);
}

/* 0 with *fd locked, 1 if the file was removed meanwhile (try again), or an error. */
static int try_once(const char *path, const char *name, int *fd, struct err *e)
{
    struct flock fl = whole_file();
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (*fd < 0)
        return err_os(e, errno, "%s", path);
    if (fcntl(*fd, F_OFD_SETLK, &fl) != 0) {
        int rc = errno == EAGAIN || errno == EACCES ? held(name, read_pid(*fd), e)
                                                    : err_os(e, errno, "%s", path);
        close(*fd);
        return rc;
    }
    if (still_named(*fd, path))
        return 0;
    close(*fd);
    return 1;
}

int lock_take(struct lock **out, const char *dir, const char *name, struct err *e)
{
    if (!*name || name[0] == '.' || strchr(name, '/'))
        return err_set(e, ERR_USAGE, "'%s' is no name of a lock", name);
    char *folder = mem_fmt("%s/locks", dir);
    int rc = 0, fd = -1;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) /* it need not outlast a power cut */
        rc = fileio_mkdirs(folder, 0700, e);
    free(folder);
    if (rc != 0)
        return rc;
    char *path = lock_path(dir, name);
    do
        rc = try_once(path, name, &fd, e);
    while (rc > 0);
    if (rc != 0) {
        free(path);
        return rc;
    }
    struct lock *l = mem_zero(sizeof *l);
    l->path = path;
    l->fd = fd;
    lock_renew(l);
    *out = l;
    return 0;
}

int lock_wait(struct lock **out, const char *dir, const char *name, unsigned ms, struct err *e)
{
    for (unsigned waited = 0;; waited += RETRY_MS) {
        struct err here = {0};
        int rc = lock_take(out, dir, name, &here);
        if (rc == ERR_LOCKED && waited < ms) {
            struct timespec ts = {.tv_nsec = RETRY_MS * 1000000};
            nanosleep(&ts, NULL);
            continue;
        }
        if (rc != 0 && e && !e->code)
            *e = here;
        return rc;
    }
}

void lock_free(struct lock *l)
{
    if (!l)
        return;
    /* After fork two processes share the lock: only the one named in it removes the file. */
    if (read_pid(l->fd) == (long)getpid() && still_named(l->fd, l->path))
        unlink(l->path);
    close(l->fd);
    free(l->path);
    free(l);
}

long lock_holder(const char *dir, const char *name)
{
    char *path = lock_path(dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(path);
    if (fd < 0)
        return 0;
    struct flock fl = whole_file();
    long pid = 0;
    if (fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK)
        pid = read_pid(fd);
    close(fd);
    return pid;
}

bool lock_is_ours(const char *dir, const char *name)
{
    return lock_holder(dir, name) == (long)getpid();
}

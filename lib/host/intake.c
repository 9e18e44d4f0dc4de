/* Reading what the user shares, and noticing what changes meanwhile. */
#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>
#include <p2p/host/intake.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG (256u << 10)  /* from here on it pays to tell the kernel how we read */
#define RECENT 60         /* seconds; the kernel writes out what is older than half of that */
#define SYNC_EACH_MAX 64  /* more files than that: the whole file system at once */

struct intake {
    char *root;
    const struct walk *w;
    bool follow;
    int dir; /* the root, if it is a folder; else -1 */
    char *const *names; /* in it, of each file; NULL: as in the walk */
};

int intake_open(struct intake **out, const char *root, const struct walk *w, bool follow,
                struct err *e)
{
    struct intake *t = mem_zero(sizeof *t);
    t->root = mem_str(root);
    t->w = w;
    t->follow = follow;
    t->dir = -1;
    if (!w->is_file) {
        t->dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
        if (t->dir < 0) {
            int rc = err_os(e, errno, "%s", root);
            intake_free(t);
            return rc;
        }
    }
    *out = t;
    return 0;
}

void intake_open_named(struct intake **out, int dir, char *const *names, const char *label,
                       const struct walk *w)
{
    struct intake *t = mem_zero(sizeof *t);

    t->root = mem_str(label);
    t->w = w;
    t->dir = dir;
    t->names = names;
    *out = t;
}

void intake_free(struct intake *t)
{
    if (!t)
        return;
    if (t->dir >= 0 && !t->names)
        close(t->dir);
    free(t->root);
    free(t);
}

static int failed(const struct intake *t, size_t file, int errnum, struct err *e)
{
    const char *path = t->w->v[file].path;
    return err_os(e, errnum, "%s%s%s", t->root, *path ? "/" : "", path);
}

int intake_changed(struct intake *t, size_t file, struct err *e)
{
    const char *path = t->w->v[file].path;
    return err_set(e, ERR_IO, "%s%s%s: it changed while it was being read; nothing was recorded",
                   t->root, *path ? "/" : "", path);
}

static bool is_as_walked(const struct walk_file *f, const struct stat *st)
{
    return S_ISREG(st->st_mode) && (uint64_t)st->st_size == f->size &&
           (uint64_t)st->st_ino == f->inode &&
           (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec == f->mtime_ns;
}

static const char *name_of(const struct intake *t, const struct walk_file *f)
{
    return t->names ? t->names[f - t->w->v] : f->path;
}

static int open_file(const struct intake *t, const struct walk_file *f)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, fd;
    do
        fd = t->dir < 0 ? open(t->root, flags)
                        : openat(t->dir, name_of(t, f), flags | (t->follow ? 0 : O_NOFOLLOW));
    while (fd < 0 && errno == EINTR);
    return fd;
}

int intake_begin(struct intake *t, size_t file, struct err *e)
{
    const struct walk_file *f = &t->w->v[file];
    struct stat st;
    int fd = open_file(t, f);
    if (fd < 0)
        return failed(t, file, errno, e);
    if (fstat(fd, &st) != 0 || !is_as_walked(f, &st)) {
        close(fd);
        return intake_changed(t, file, e);
    }
    if (f->size >= BIG)
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return fd;
}

static int64_t read_all(int fd, struct span to)
{
    size_t n = 0;
    while (n < to.n) {
        ssize_t got = read(fd, to.p + n, to.n - n);
        if (got < 0 && errno != EINTR)
            return -1;
        if (got == 0)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    return (int64_t)n;
}

int intake_whole(struct intake *t, size_t file, struct span to, struct err *e)
{
    const struct walk_file *f = &t->w->v[file];
    struct stat st;
    int fd = open_file(t, f), rc = 0;
    if (fd < 0)
        return failed(t, file, errno, e);
    int64_t got = read_all(fd, to);
    int why = errno;
    if (fstat(fd, &st) != 0 || !is_as_walked(f, &st) || (got >= 0 && (uint64_t)got < f->size))
        rc = intake_changed(t, file, e);
    else if (got < 0)
        rc = failed(t, file, why, e);
    close(fd);
    return rc;
}

int intake_end(struct intake *t, size_t file, int fd, struct err *e)
{
    const struct walk_file *f = &t->w->v[file];
    struct stat st;
    int rc = t->dir < 0 ? stat(t->root, &st)
                        : fstatat(t->dir, name_of(t, f), &st, t->follow ? 0 : AT_SYMLINK_NOFOLLOW);
    close(fd);
    return rc == 0 && is_as_walked(f, &st) ? 0 : intake_changed(t, file, e);
}

void intake_ahead(int fd, uint64_t off, uint64_t n)
{
    posix_fadvise(fd, (off_t)off, (off_t)n, POSIX_FADV_WILLNEED);
}

/* ---- what is not on the disk yet ---- */

static bool is_recent(const struct walk_file *f, int64_t now)
{
    return !f->target && f->mtime_ns / 1000000000 >= now - RECENT;
}

static int sync_file(const struct intake *t, size_t file, bool all, struct err *e)
{
    int fd = open_file(t, &t->w->v[file]), rc;
    if (fd < 0)
        return failed(t, file, errno, e);
    do
        rc = all ? syncfs(fd) : fsync(fd);
    while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno != EINVAL && errno != EROFS)
        rc = failed(t, file, errno, e);
    else
        rc = 0;
    close(fd);
    return rc;
}

int intake_sync(struct intake *t, int64_t now, struct err *e)
{
    size_t recent = 0, some = 0;
    int rc = 0;
    for (size_t i = 0; i < t->w->n; i++)
        if (is_recent(&t->w->v[i], now)) {
            recent++;
            some = i;
        }
    if (recent > SYNC_EACH_MAX)
        return sync_file(t, some, true, e);
    for (size_t i = 0; i < t->w->n && recent > 0 && rc == 0; i++)
        if (is_recent(&t->w->v[i], now)) {
            rc = sync_file(t, i, false, e);
            recent--;
        }
    return rc;
}

/* ---- names ---- */

static char *real(const char *path, struct err *e)
{
    char *p = realpath(path, NULL), *mine = mem_str(p);
    if (!p)
        err_os(e, errno, "%s", path);
    free(p);
    return mine;
}

char *intake_resolve(const char *path, struct err *e)
{
    char *all = fileio_absolute(path), *found;
    const char *slash = strrchr(all, '/');
    struct stat st;
    bool up = strcmp(slash, "/..") == 0;
    if (!up && lstat(all, &st) != 0) {
        err_os(e, errno, "%s", path);
        free(all);
        return NULL;
    }
    if (!up && !S_ISLNK(st.st_mode))
        return all;
    found = real(all, e);
    free(all);
    return found;
}

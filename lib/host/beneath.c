/*
 * Opening, making, renaming and removing strictly beneath a folder. All that changes a name does so
 * with a descriptor of the folder that holds it and the last component alone, so that the one
 * function which descends (descend_to) is the one that must be right.
 */
#include <p2p/base/mem.h>
#include <p2p/host/beneath.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct beneath {
    char *root; /* for messages */
    int fd;
    unsigned flags;
};

static void close_quietly(int fd)
{
    int keep = errno;
    if (fd >= 0)
        close(fd);
    errno = keep;
}

int beneath_open(struct beneath **out, const char *root, unsigned flags, struct err *e)
{
    int fd;
    do
        fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0 && errno == ENOENT)
        return err_os(e, ENOENT, "%s: the folder is not there (is its drive mounted?)", root);
    if (fd < 0)
        return err_os(e, errno, "%s", root);
    struct beneath *b = mem_zero(sizeof *b);
    b->root = mem_str(root);
    b->fd = fd;
    b->flags = flags;
    *out = b;
    return 0;
}

void beneath_free(struct beneath *b)
{
    if (!b)
        return;
    close_quietly(b->fd);
    free(b->root);
    free(b);
}

int beneath_fd(const struct beneath *b)
{
    return b->fd;
}

static bool component_ok(const char *c, size_t n)
{
    return n > 0 && !(n == 1 && c[0] == '.') && !(n == 2 && c[0] == '.' && c[1] == '.');
}

static bool rel_ok(const char *rel)
{
    for (;;) {
        size_t n = strcspn(rel, "/");
        if (!component_ok(rel, n))
            return false;
        if (rel[n] == '\0')
            return true;
        rel += n + 1;
    }
}

static int refuse(const struct beneath *b, const char *rel, struct err *e)
{
    return err_set(e, ERR_INVALID, "%s: '%s' is no path beneath it", b->root, rel);
}

static int failed(const struct beneath *b, const char *rel, struct err *e)
{
    return err_os(e, errno, "%s/%s", b->root, rel);
}

/* -1 with ENOSYS where the kernel (or a filter of system calls: EPERM) does not let us ask it. */
static int by_kernel(const struct beneath *b, const char *rel)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    if ((b->flags & BENEATH_BY_COMPONENT) || strlen(rel) >= PATH_MAX) {
        errno = ENOSYS;
        return -1;
    }
    long fd;
    do
        fd = syscall(SYS_openat2, b->fd, rel, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: a rename went on meanwhile */
    if (fd < 0 && (errno == EPERM || errno == E2BIG))
        errno = ENOSYS;
    return (int)fd;
}

/* O_DIRECTORY and O_NOFOLLOW together say ENOTDIR for a link; callers are promised ELOOP. */
static void tell_link(int at, const char *name)
{
    struct stat st;
    if (errno == ENOTDIR && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(st.st_mode))
        errno = ELOOP;
    else
        errno = ENOTDIR;
}

/* One step down, making the folder if asked and absent. Another program may make it meanwhile. */
static int step(int at, const char *name, bool make)
{
    int how = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(at, name, how);
    if (fd < 0 && errno == ENOENT && make) {
        if (mkdirat(at, name, 0777) != 0 && errno != EEXIST)
            return -1;
        fd = openat(at, name, how);
    }
    if (fd < 0 && errno == ENOTDIR)
        tell_link(at, name);
    return fd;
}

static int by_component(const struct beneath *b, const char *rel, bool make)
{
    int at = fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
    while (at >= 0 && *rel) {
        char name[NAME_MAX + 1];
        size_t n = strcspn(rel, "/");
        int next = -1;
        if (n > NAME_MAX) {
            errno = ENAMETOOLONG;
        } else {
            memcpy(name, rel, n);
            name[n] = '\0';
            next = step(at, name, make);
        }
        close_quietly(at);
        at = next;
        rel += n + (rel[n] == '/');
    }
    return at;
}

/* A descriptor of the folder at `rel`; "" is the root itself. Sets errno. */
static int descend_to(const struct beneath *b, const char *rel, bool make)
{
    if (*rel == '\0')
        return fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
    int fd = by_kernel(b, rel);
    if (fd >= 0 || (errno != ENOSYS && !(errno == ENOENT && make)))
        return fd;
    return by_component(b, rel, make);
}

/* The folder that holds `rel`, and its last component. */
static int parent_of(const struct beneath *b, const char *rel, bool make, const char **name)
{
    const char *slash = strrchr(rel, '/');
    *name = slash ? slash + 1 : rel;
    if (strlen(*name) > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    char *folder = mem_strn(rel, slash ? (size_t)(slash - rel) : 0);
    int fd = descend_to(b, folder, make);
    free(folder);
    return fd;
}

/* Never waits: O_NONBLOCK is for the FIFO in a file's place, and does nothing to files. */
static int open_flags(enum beneath_how how)
{
    static const int flags[] = {
        [BENEATH_READ] = O_RDONLY,
        [BENEATH_WRITE] = O_RDWR,
        [BENEATH_MAKE] = O_RDWR | O_CREAT,
        [BENEATH_NEW] = O_RDWR | O_CREAT | O_EXCL,
    };
    return flags[how] | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
}

/* Sets errno. Looks before it opens: opening alone may do things to a device. */
static int open_regular(int at, const char *name, enum beneath_how how)
{
    struct stat st;
    int fd;
    if (how != BENEATH_NEW && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : S_ISLNK(st.st_mode) ? ELOOP : EINVAL;
        return -1;
    }
    do
        fd = openat(at, name, open_flags(how), 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close_quietly(fd);
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    return fd;
}

int beneath_file(const struct beneath *b, const char *rel, enum beneath_how how, struct err *e)
{
    const char *name;
    if (!rel_ok(rel))
        return refuse(b, rel, e);
    int at = parent_of(b, rel, how == BENEATH_MAKE || how == BENEATH_NEW, &name);
    if (at < 0)
        return failed(b, rel, e);
    int fd = open_regular(at, name, how);
    close_quietly(at);
    return fd < 0 ? failed(b, rel, e) : fd;
}

int beneath_folder(const struct beneath *b, const char *rel, bool make, struct err *e)
{
    if (!rel_ok(rel))
        return refuse(b, rel, e);
    int fd = descend_to(b, rel, make);
    return fd < 0 ? failed(b, rel, e) : fd;
}

int beneath_enter(struct beneath **out, const struct beneath *b, const char *rel, struct err *e)
{
    int fd = beneath_folder(b, rel, false, e);
    if (fd < 0)
        return fd;
    struct beneath *in = mem_zero(sizeof *in);
    in->root = mem_fmt("%s/%s", b->root, rel);
    in->fd = fd;
    in->flags = b->flags;
    *out = in;
    return 0;
}

int beneath_stat(const struct beneath *b, const char *rel, struct stat *st, struct err *e)
{
    const char *name;
    if (!rel_ok(rel))
        return refuse(b, rel, e);
    int at = parent_of(b, rel, false, &name);
    int rc = at < 0 || fstatat(at, name, st, AT_SYMLINK_NOFOLLOW) != 0 ? failed(b, rel, e) : 0;
    close_quietly(at);
    return rc;
}

/*
 * Where the file system knows no RENAME_NOREPLACE, a second name is made and the first taken away:
 * link never replaces. Where there are no hard links either (FAT), looking first is what is left.
 */
static int rename_new(int from_at, const char *from, int to_at, const char *to)
{
    struct stat st;
    if (renameat2(from_at, from, to_at, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (linkat(from_at, from, to_at, to, 0) == 0)
        return unlinkat(from_at, from, 0);
    if (errno == EEXIST)
        return -1;
    if (fstatat(to_at, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from_at, from, to_at, to);
}

int beneath_rename(const struct beneath *b, const char *from, const char *to, struct err *e)
{
    const char *from_name, *to_name;
    if (!rel_ok(from) || !rel_ok(to))
        return refuse(b, rel_ok(from) ? to : from, e);
    int to_at = -1, rc = 0;
    int from_at = parent_of(b, from, false, &from_name);
    if (from_at < 0) {
        rc = failed(b, from, e);
        goto out;
    }
    to_at = parent_of(b, to, false, &to_name);
    if (to_at < 0 || rename_new(from_at, from_name, to_at, to_name) != 0)
        rc = failed(b, to, e);
out:
    close_quietly(from_at);
    close_quietly(to_at);
    return rc;
}

int beneath_symlink(const struct beneath *b, const char *target, const char *rel, struct err *e)
{
    const char *name;
    if (!rel_ok(rel))
        return refuse(b, rel, e);
    int at = parent_of(b, rel, true, &name);
    int rc = at < 0 || symlinkat(target, at, name) != 0 ? failed(b, rel, e) : 0;
    close_quietly(at);
    return rc;
}

int beneath_link(const struct beneath *b, const char *from, const char *to, struct err *e)
{
    const char *from_name, *to_name;
    struct stat st;
    if (!rel_ok(from) || !rel_ok(to))
        return refuse(b, rel_ok(from) ? to : from, e);
    int to_at = -1, rc = 0;
    int from_at = parent_of(b, from, false, &from_name);
    if (from_at < 0 || fstatat(from_at, from_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        rc = failed(b, from, e);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = err_os(e, EINVAL, "%s/%s", b->root, from);
        goto out;
    }
    to_at = parent_of(b, to, true, &to_name);
    if (to_at < 0 || linkat(from_at, from_name, to_at, to_name, 0) != 0)
        rc = failed(b, to, e);
out:
    close_quietly(from_at);
    close_quietly(to_at);
    return rc;
}

int beneath_leads(const struct beneath *b, const char *rel, struct err *e)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd;
    if (!rel_ok(rel))
        return refuse(b, rel, e);
    do
        fd = syscall(SYS_openat2, b->fd, rel, &how, sizeof how);
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd >= 0) {
        close((int)fd);
        return 0;
    }
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG)
        return err_set(e, ERR_NOTFOUND, "%s/%s: leads nowhere", b->root, rel);
    return err_set(e, ERR_INVALID, "%s/%s: leads out of the folder", b->root, rel);
}

static int take_away(const struct beneath *b, const char *rel, int flags, struct err *e)
{
    const char *name;
    if (!rel_ok(rel))
        return refuse(b, rel, e);
    int at = parent_of(b, rel, false, &name);
    int rc = at < 0 || unlinkat(at, name, flags) != 0 ? failed(b, rel, e) : 0;
    close_quietly(at);
    return rc;
}

int beneath_unlink(const struct beneath *b, const char *rel, struct err *e)
{
    return take_away(b, rel, 0, e);
}

int beneath_rmdir(const struct beneath *b, const char *rel, struct err *e)
{
    return take_away(b, rel, AT_REMOVEDIR, e);
}

int beneath_sync_parent(const struct beneath *b, const char *rel, struct err *e)
{
    const char *name;
    if (!rel_ok(rel))
        return refuse(b, rel, e);
    int at = parent_of(b, rel, false, &name);
    /* EINVAL: a file system that has nothing to sync in a folder. */
    int rc = at < 0 || (fsync(at) != 0 && errno != EINVAL) ? failed(b, rel, e) : 0;
    close_quietly(at);
    return rc;
}

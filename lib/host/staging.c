/*
 * Files that wait under numbers; see staging.h. The folder is locked while somebody stages in it:
 * one that nobody holds was left behind. Only numbers are ever removed from it, never a tree.
 */
#include <p2p/host/staging.h>

#include <p2p/base/mem.h>
#include <p2p/host/beneath.h>
#include <p2p/host/fileio.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PREFIX ".p2p-add-in-"
#define NUMBER 12 /* bytes of a number as a name */

struct staging {
    struct beneath *folder;
    char *path; /* of the folder that is staged in */
    int dir;
    uint32_t n;
    char **placed;
    size_t n_placed, cap;
};

static void name_of(char out[NUMBER], uint32_t n)
{
    snprintf(out, NUMBER, "%u", (unsigned)n);
}

static int failed(const struct staging *s, struct err *e)
{
    return err_os(e, errno, "%s", s->path);
}

/* ---- what others left ---- */

static bool is_number(const char *name)
{
    return *name && strspn(name, "0123456789") == strlen(name) && strlen(name) < NUMBER;
}

static void remove_numbers(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *n;

    while (d && (n = readdir(d)) != NULL)
        if (is_number(n->d_name))
            unlinkat(dir, n->d_name, 0);
    if (d)
        closedir(d);
}

/* A folder of ours that nobody has locked. */
static void remove_stale(int at, const char *name)
{
    struct stat st;
    int dir = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (dir < 0)
        return;
    if (fstat(dir, &st) == 0 && st.st_uid == geteuid() && flock(dir, LOCK_EX | LOCK_NB) == 0) {
        remove_numbers(dir);
        unlinkat(at, name, AT_REMOVEDIR);
    }
    close(dir);
}

static void remove_left(const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *n;

    while (d && (n = readdir(d)) != NULL)
        if (strncmp(n->d_name, PREFIX, sizeof PREFIX - 1) == 0)
            remove_stale(dirfd(d), n->d_name);
    if (d)
        closedir(d);
}

/* ---- beginning and end ---- */

static bool is_still_there(const struct staging *s)
{
    struct stat mine, named;

    return fstat(s->dir, &mine) == 0 && lstat(s->path, &named) == 0 && mine.st_ino == named.st_ino;
}

/* Between making and locking it, another one may have taken it for left behind. */
static int make(struct staging *s, const char *folder, struct err *e)
{
    for (;;) {
        free(s->path);
        s->path = mem_fmt("%s/" PREFIX "XXXXXX", folder);
        if (!mkdtemp(s->path))
            return err_os(e, errno, "%s", folder);
        s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (s->dir >= 0 && flock(s->dir, LOCK_EX | LOCK_NB) == 0 && is_still_there(s))
            return 0;
        if (s->dir < 0 && errno != ENOENT)
            return failed(s, e);
        if (s->dir >= 0)
            close(s->dir);
        s->dir = -1;
    }
}

int staging_new(struct staging **out, const char *folder, struct err *e)
{
    struct staging *s = mem_zero(sizeof *s);
    int rc;

    s->dir = -1;
    remove_left(folder);
    rc = beneath_open(&s->folder, folder, 0, e);
    if (rc == 0)
        rc = make(s, folder, e);
    if (rc < 0) {
        staging_free(s);
        s = NULL;
    }
    *out = s;
    return rc;
}

void staging_free(struct staging *s)
{
    if (!s)
        return;
    if (s->dir >= 0) {
        remove_numbers(s->dir);
        rmdir(s->path);
        close(s->dir);
    }
    for (size_t i = 0; i < s->n_placed; i++)
        free(s->placed[i]);
    free(s->placed);
    beneath_free(s->folder);
    free(s->path);
    free(s);
}

int staging_dir(const struct staging *s)
{
    return s->dir;
}

/* ---- files ---- */

static int open_number(struct staging *s, uint32_t n, int flags, struct err *e)
{
    char name[NUMBER];
    int fd;

    name_of(name, n);
    fd = openat(s->dir, name, flags | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0666);
    return fd < 0 ? failed(s, e) : fd;
}

int staging_file(struct staging *s, uint32_t *n, struct err *e)
{
    *n = s->n;
    int fd = open_number(s, s->n, O_CREAT | O_EXCL, e);
    s->n += fd >= 0;
    return fd;
}

int staging_again(struct staging *s, uint32_t n, struct err *e)
{
    return open_number(s, n, O_TRUNC, e);
}

int staging_close(struct staging *s, int fd, uint64_t size, struct stat *st, struct err *e)
{
    int rc = ftruncate(fd, (off_t)size) == 0 && fstat(fd, st) == 0 ? 0 : failed(s, e);

    if (close(fd) != 0 && rc == 0)
        rc = failed(s, e);
    return rc;
}

/* ---- their names ---- */

static int folder_of(const struct staging *s, const char *rel, struct err *e)
{
    char *above = mem_strn(rel, (size_t)(strrchr(rel, '/') - rel));
    int fd = beneath_folder(s->folder, above, true, e);

    free(above);
    return fd;
}

static void remember(struct staging *s, const char *rel)
{
    if (s->n_placed == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->placed = mem_grow(s->placed, s->cap, sizeof *s->placed);
    }
    s->placed[s->n_placed++] = mem_str(rel);
}

/* What it replaces was there before, and is not to be missed if this comes to nothing. */
static int rename_to(struct staging *s, const char *from, int to, const char *rel, struct err *e)
{
    const char *name = strrchr(rel, '/') + 1;

    if (renameat2(s->dir, from, to, name, RENAME_NOREPLACE) == 0) {
        remember(s, rel);
        return 0;
    }
    return renameat(s->dir, from, to, name) == 0 ? 0 : err_os(e, errno, "%s", rel);
}

int staging_place(struct staging *s, uint32_t n, const char *rel, bool stays, struct err *e)
{
    char from[NUMBER], copy[NUMBER];
    int to = folder_of(s, rel, e), rc = 0;

    if (to < 0)
        return to;
    name_of(from, n);
    if (stays) {
        name_of(copy, s->n++);
        if (linkat(s->dir, from, s->dir, copy, 0) != 0)
            rc = failed(s, e);
        memcpy(from, copy, sizeof from);
    }
    if (rc == 0)
        rc = rename_to(s, from, to, rel, e);
    close(to);
    return rc;
}

int staging_link(struct staging *s, const char *text, const char *rel, struct err *e)
{
    struct stat st;

    if (beneath_stat(s->folder, rel, &st, NULL) == 0 && S_ISLNK(st.st_mode))
        beneath_unlink(s->folder, rel, NULL);
    int rc = beneath_symlink(s->folder, text, rel, e);
    if (rc == 0)
        remember(s, rel);
    return rc;
}

/* With many folders, one sync of all takes less. */
int staging_sync(struct staging *s, struct err *e)
{
    int rc;

    do
        rc = syncfs(s->dir);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : failed(s, e);
}

static void remove_above(struct staging *s, char *rel)
{
    for (char *slash; (slash = strrchr(rel, '/')) != NULL;) {
        *slash = 0;
        if (beneath_rmdir(s->folder, rel, NULL) < 0)
            return;
    }
}

void staging_undo(struct staging *s)
{
    for (size_t i = s->n_placed; i-- > 0;) {
        beneath_unlink(s->folder, s->placed[i], NULL);
        remove_above(s, s->placed[i]);
    }
}

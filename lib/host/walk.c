/*
 * Walking what the user wants to share. Depth first, the names of each folder sorted by their
 * bytes, which is the order of whole paths compared component by component.
 */
#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/host/walk.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_SIZE ((size_t)64 * 1024)

struct walk_chunk {
    struct walk_chunk *next;
    size_t used, room;
    char mem[];
};

struct names {
    char **v; /* into mem, once all are there */
    size_t *at;
    char *mem;
    size_t n, cap, used, room;
};

/* A folder that we are in: for loops of links. */
struct level {
    const struct level *up;
    dev_t dev;
    ino_t ino;
    unsigned depth;
};

struct job {
    struct walk *w;
    const struct walk_options *o;
    const char *root;
    size_t cap, notice_cap;
    struct err *e;
};

static char *keep(struct walk *w, size_t n)
{
    struct walk_chunk *c = w->chunks;
    if (!c || c->room - c->used < n) {
        size_t room = n > CHUNK_SIZE ? n : CHUNK_SIZE;
        c = mem_alloc(sizeof *c + room);
        c->next = w->chunks;
        c->used = 0;
        c->room = room;
        w->chunks = c;
    }
    char *p = c->mem + c->used;
    c->used += n;
    return p;
}

static char *join(struct walk *w, const char *folder, const char *name)
{
    size_t a = strlen(folder), b = strlen(name);
    char *p = keep(w, a + b + 2);
    if (a > 0) {
        memcpy(p, folder, a);
        p[a++] = '/';
    }
    memcpy(p + a, name, b + 1);
    return p;
}

static int failed(struct job *j, const char *path)
{
    return err_os(j->e, errno, "%s%s%s", j->root, *path ? "/" : "", path);
}

static void notice(struct job *j, const char *path, const char *why)
{
    struct walk *w = j->w;
    if (w->notice_count == j->notice_cap) {
        j->notice_cap = j->notice_cap ? j->notice_cap * 2 : 8;
        w->notices = mem_grow(w->notices, j->notice_cap, sizeof *w->notices);
    }
    w->notices[w->notice_count++] = mem_fmt("%s/%s: left out: %s", j->root, path, why);
}

static int add(struct job *j, const char *path, const struct stat *st, const char *target)
{
    struct walk *w = j->w;
    if (w->n == WALK_MAX_FILES)
        return err_set(j->e, ERR_LIMIT, "%s: more than %u files", j->root, WALK_MAX_FILES);
    if (w->n == j->cap) {
        j->cap = j->cap ? j->cap * 2 : 64;
        w->v = mem_grow(w->v, j->cap, sizeof *w->v);
    }
    uint64_t size = target ? 0 : (uint64_t)st->st_size;
    w->v[w->n++] = (struct walk_file){
        .path = path,
        .target = target,
        .size = size,
        .inode = (uint64_t)st->st_ino,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .exec = !target && (st->st_mode & S_IXUSR),
    };
    w->total += size;
    return 0;
}

static void names_fini(struct names *l)
{
    free(l->v);
    free(l->at);
    free(l->mem);
}

static void names_add(struct names *l, const char *name)
{
    size_t len = strlen(name) + 1;
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 32;
        l->at = mem_grow(l->at, l->cap, sizeof *l->at);
    }
    if (l->room - l->used < len) {
        l->room = l->room * 2 + len + 256;
        l->mem = mem_grow(l->mem, l->room, 1);
    }
    memcpy(l->mem + l->used, name, len);
    l->at[l->n++] = l->used;
    l->used += len;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names of the folder, sorted. */
static int names_read(struct names *l, DIR *dir)
{
    for (;;) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (!d)
            break;
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            names_add(l, d->d_name);
    }
    if (errno != 0)
        return -1;
    l->v = mem_array(l->n, sizeof *l->v);
    for (size_t i = 0; i < l->n; i++)
        l->v[i] = l->mem + l->at[i];
    if (l->n > 1)
        qsort(l->v, l->n, sizeof *l->v, by_bytes);
    return 0;
}

static bool excluded(const struct walk_options *o, const char *path)
{
    for (size_t i = 0; o && i < o->exclude_count; i++)
        if (text_glob(o->exclude[i], path))
            return true;
    return false;
}

bool walk_leaves_out(const struct walk_options *o, const char *path)
{
    bool yes = excluded(o, path);

    for (const char *at = path; !yes && (at = strchr(at, '/')) != NULL; at++) {
        char *folder = mem_strn(path, (size_t)(at - path));

        yes = excluded(o, folder);
        free(folder);
    }
    return yes;
}

static int keep_link(struct job *j, int at, const char *name, const char *path,
                     const struct stat *st)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(at, name, target, sizeof target);
    if (n >= (ssize_t)sizeof target) {
        errno = ENAMETOOLONG;
        n = -1;
    }
    if (n < 0)
        return failed(j, path);
    char *p = keep(j->w, (size_t)n + 1);
    memcpy(p, target, (size_t)n);
    p[n] = '\0';
    return add(j, path, st, p);
}

static int folder(struct job *j, int fd, const char *path, const struct level *up);

static int enter(struct job *j, int at, const char *name, const char *path, const struct level *up)
{
    int nofollow = j->o && j->o->follow ? 0 : O_NOFOLLOW;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | nofollow);
    return fd < 0 ? failed(j, path) : folder(j, fd, path, up);
}

static const char *strange_kind(mode_t mode)
{
    return S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static int entry(struct job *j, int at, const char *name, const char *path, const struct level *in)
{
    struct stat st;
    bool follow = j->o && j->o->follow;
    if (excluded(j->o, path))
        return 0;
    if (in->depth > WALK_MAX_DEPTH)
        return err_set(j->e, ERR_LIMIT, "%s/%s: more than %d folders deep", j->root, path,
                       WALK_MAX_DEPTH);
    if (fstatat(at, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
        return failed(j, path);
    if (S_ISDIR(st.st_mode))
        return enter(j, at, name, path, in);
    if (S_ISREG(st.st_mode))
        return add(j, path, &st, NULL);
    if (S_ISLNK(st.st_mode))
        return keep_link(j, at, name, path, &st);
    notice(j, path, strange_kind(st.st_mode));
    return 0;
}

/* Takes fd over. */
static int folder(struct job *j, int fd, const char *path, const struct level *up)
{
    struct names l = {0};
    struct stat st;
    int rc = 0;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        rc = failed(j, path);
        close(fd);
        return rc;
    }
    if (fstat(fd, &st) != 0 || names_read(&l, dir) != 0) {
        rc = failed(j, path);
        goto out;
    }
    for (const struct level *i = up; i; i = i->up)
        if (i->dev == st.st_dev && i->ino == st.st_ino) {
            errno = ELOOP;
            rc = failed(j, path);
            goto out;
        }
    struct level in = {.up = up, .dev = st.st_dev, .ino = st.st_ino,
                       .depth = up ? up->depth + 1 : 1};
    for (size_t i = 0; i < l.n && rc == 0; i++)
        rc = entry(j, fd, l.v[i], join(j->w, path, l.v[i]), &in);
out:
    names_fini(&l);
    closedir(dir);
    return rc;
}

int walk_run(struct walk *w, const char *root, const struct walk_options *o, struct err *e)
{
    struct job j = {.w = w, .o = o, .root = root, .e = e};
    struct stat st;
    memset(w, 0, sizeof *w);
    if (stat(root, &st) != 0)
        return failed(&j, "");
    if (S_ISREG(st.st_mode)) {
        w->is_file = true;
        return add(&j, join(w, "", ""), &st, NULL);
    }
    if (!S_ISDIR(st.st_mode))
        return err_set(e, ERR_IO, "%s: %s, neither file nor folder", root,
                       strange_kind(st.st_mode));
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? failed(&j, "") : folder(&j, fd, join(w, "", ""), NULL);
}

void walk_fini(struct walk *w)
{
    for (size_t i = 0; i < w->notice_count; i++)
        free(w->notices[i]);
    for (struct walk_chunk *c = w->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(w->notices);
    free(w->v);
    memset(w, 0, sizeof *w);
}

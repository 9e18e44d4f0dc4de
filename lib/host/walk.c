/*
 * Walking what the user wants to share. Depth first, the names of each folder sorted by their
 * bytes, which is the order of whole paths compared component by component. A folder of many
 * folders has them walked on all cores, each by a job of its own, and puts together what they
 * found as if one had walked: asking after a file takes half as long as reading a small one.
 */
#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/host/walk.h>
#include <p2p/host/workers.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPREAD_MIN 8  /* folders that are worth threads */
#define SPREAD_OUT 64 /* of them open at a time */
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
    size_t folders; /* among them, where the file system tells */
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
    _Atomic size_t *seen;  /* files, of all jobs */
    struct spread *spread; /* the folder whose folders are jobs; NULL: they are walked at once */
    bool alone;            /* a job itself */
};

/* A folder that is a job, and where in its parent's lists that belongs which it finds. */
struct part {
    struct workers_job job;
    struct job j;
    struct walk w;
    struct err e;
    int fd, rc;
    const char *path;
    const struct level *up;
    size_t files_at, notices_at;
};
struct spread {
    struct workers *pool;
    struct part **v;
    size_t n;
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
    if (atomic_fetch_add(j->seen, 1) >= WALK_MAX_FILES)
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
        l->folders += d->d_type == DT_DIR;
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

/* ---- many folders at once ---- */

static void run_part(struct workers_job *job)
{
    struct part *p = (struct part *)(void *)job;
    p->rc = folder(&p->j, p->fd, p->path, p->up);
}

static void put_off(struct job *j, int fd, const char *path, const struct level *up)
{
    struct spread *s = j->spread;
    struct part *p = mem_zero(sizeof *p);
    p->job.run = run_part;
    p->j = (struct job){
        .w = &p->w, .o = j->o, .root = j->root, .e = &p->e, .seen = j->seen, .alone = true};
    p->fd = fd;
    p->path = path;
    p->up = up;
    p->files_at = j->w->n;
    p->notices_at = j->w->notice_count;
    s->v = mem_grow(s->v, s->n + 1, sizeof *s->v);
    s->v[s->n++] = p;
    while (!workers_submit(s->pool, &p->job))
        workers_next(s->pool, -1);
}

/* What the parts found goes between what the folder has itself; the chunks of memory are kept. */
static void put_together(struct job *j, const struct spread *s)
{
    struct walk *w = j->w, all = {.is_file = w->is_file, .total = w->total, .chunks = w->chunks};
    size_t files = 0, notices = 0, n = w->n, m = w->notice_count;
    for (size_t i = 0; i < s->n; i++) {
        n += s->v[i]->w.n;
        m += s->v[i]->w.notice_count;
    }
    all.v = mem_array(n ? n : 1, sizeof *all.v);
    all.notices = mem_array(m ? m : 1, sizeof *all.notices);
    for (size_t i = 0; i <= s->n; i++) {
        struct part *p = i < s->n ? s->v[i] : NULL;
        for (; files < (p ? p->files_at : w->n); files++)
            all.v[all.n++] = w->v[files];
        for (; notices < (p ? p->notices_at : w->notice_count); notices++)
            all.notices[all.notice_count++] = w->notices[notices];
        for (size_t k = 0; p && k < p->w.n; k++)
            all.v[all.n++] = p->w.v[k];
        for (size_t k = 0; p && k < p->w.notice_count; k++)
            all.notices[all.notice_count++] = p->w.notices[k];
        all.total += p ? p->w.total : 0;
        while (p && p->w.chunks) {
            struct walk_chunk *c = p->w.chunks;
            p->w.chunks = c->next;
            c->next = all.chunks;
            all.chunks = c;
        }
    }
    free(w->v);
    free(w->notices);
    *w = all;
    j->cap = n;
    j->notice_cap = m;
}

/* The first failure in the order of the walk is the one that counts. */
static int spread_end(struct job *j, struct spread *s, int rc, const struct err *own)
{
    const struct err *why = own;
    while (workers_next(s->pool, -1))
        continue;
    put_together(j, s);
    for (size_t i = s->n; i-- > 0;)
        if (s->v[i]->rc < 0) {
            rc = s->v[i]->rc;
            why = &s->v[i]->e;
        }
    if (rc < 0 && j->e && !j->e->code)
        *j->e = *why;
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i]->w.v);
        free(s->v[i]->w.notices);
        free(s->v[i]);
    }
    free(s->v);
    workers_free(s->pool);
    return rc;
}

static int enter(struct job *j, int at, const char *name, const char *path, const struct level *up)
{
    int nofollow = j->o && j->o->follow ? 0 : O_NOFOLLOW;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | nofollow);
    if (fd < 0)
        return failed(j, path);
    if (!j->spread)
        return folder(j, fd, path, up);
    put_off(j, fd, path, up);
    return 0;
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

static int entries(struct job *j, int fd, const char *path, const struct names *l,
                   const struct level *in)
{
    int rc = 0;
    for (size_t i = 0; i < l->n && rc == 0; i++)
        rc = entry(j, fd, l->v[i], join(j->w, path, l->v[i]), in);
    return rc;
}

static int entries_spread(struct job *j, int fd, const char *path, const struct names *l,
                          const struct level *in)
{
    struct spread s = {.pool = workers_new(0, SPREAD_OUT)};
    struct err *e = j->e, own = {0};
    j->spread = &s;
    j->e = &own;
    int rc = entries(j, fd, path, l, in);
    j->spread = NULL;
    j->e = e;
    return spread_end(j, &s, rc, &own);
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
    rc = !j->alone && !j->spread && l.folders >= SPREAD_MIN ? entries_spread(j, fd, path, &l, &in)
                                                            : entries(j, fd, path, &l, &in);
out:
    names_fini(&l);
    closedir(dir);
    return rc;
}

int walk_run(struct walk *w, const char *root, const struct walk_options *o, struct err *e)
{
    _Atomic size_t seen = 0;
    struct job j = {.w = w, .o = o, .root = root, .e = e, .seen = &seen};
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

/*
 * What is inside an archive, to the store. Its members wait there under numbers (host/staging.h)
 * until it has ended as an archive should and all of them are hashed; then they get their names. So
 * what is wrong with it costs nothing but time, and its bytes are written once.
 */
#include "engine/places.h"
#include "engine/scan_int.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/host/archive_in.h>
#include <p2p/host/entropy.h>
#include <p2p/host/fileio.h>
#include <p2p/host/staging.h>

#include <stdio.h>
#include <stdlib.h>

#define HEAD 6 /* bytes that tell whether it must be had whole */

struct member {
    char *path;   /* from the archive's top; owned */
    char *target; /* of a symbolic link; owned; NULL: a file */
    uint32_t content;
};

struct content { /* of one or, by hard links, several members */
    struct stat st;
    bool exec;
    uint32_t names; /* still to be given */
};

struct reading {
    struct scan_result *r;
    const struct scan_options *o;
    struct intake_stream kept; /* what must be had whole and came from a pipe */
    int in;
    uint64_t bytes; /* read */
    struct bytes head;
    uint8_t head_mem[HEAD];
    char *what; /* name for errors */
    char *store;
    struct staging *staging;
    struct member *v;
    size_t n, cap;
    struct content *contents;
    size_t n_contents, cap_contents;
    struct map *at; /* path → 1 + index of its member */
    char *top;      /* first component of all so far; NULL: none yet */
    bool several;   /* there are others */
    bool top_file;  /* it is no folder */
};

/* ---- its bytes ---- */

static int64_t read_bytes(void *arg, struct span to, struct err *e)
{
    struct reading *d = arg;
    struct scan_watch w = d->o->watch;
    int64_t n = (int64_t)d->head.n;

    if (n > 0) {
        memcpy(to.p, d->head.p, d->head.n);
        d->head.n = 0;
    } else {
        n = intake_read(d->in, d->what, to, scan_tick, &w, d->bytes, e);
        d->bytes += n > 0 ? (uint64_t)n : 0;
    }
    return n;
}

static int64_t seek_bytes(void *arg, int64_t off, int whence)
{
    const struct reading *d = arg;

    return intake_seek(d->in, off, whence);
}

/* The first bytes of what cannot be read twice. */
static int look(struct reading *d, struct err *e)
{
    struct scan_watch w = d->o->watch;
    int64_t n = 1;

    d->head = BYTES(d->head_mem, 0);
    while (n > 0 && d->head.n < HEAD) {
        n = intake_read(d->in, d->what, (struct span){d->head_mem + d->head.n, HEAD - d->head.n},
                        scan_tick, &w, 0, e);
        d->head.n += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? (int)n : 0;
}

/* A pipe brings the list of what is in a zip last: it is kept meanwhile, in a nameless file. */
static int open_source(struct reading *d, struct archive_source *s, struct err *e)
{
    struct scan_watch w = d->o->watch;
    int rc = 0;

    *s = (struct archive_source){d, read_bytes, seek_bytes};
    if (intake_seek(d->in, 0, SEEK_CUR) >= 0)
        return 0;
    s->seek = NULL;
    rc = look(d, e);
    if (rc < 0 || !archive_in_at_end(d->head))
        return rc;
    rc = intake_stream(&d->kept, d->in, d->head, d->store, scan_tick, &w, e);
    d->in = d->kept.fd;
    d->head.n = 0;
    s->seek = seek_bytes;
    return rc == 0 && intake_seek(d->in, 0, SEEK_SET) < 0 ? err_set(e, ERR_IO, "%s", d->store) : rc;
}

/* ---- members ---- */

static struct member *member_at(const struct reading *d, const char *path)
{
    uintptr_t i = (uintptr_t)map_get(d->at, bytes_str(path));

    return i ? &d->v[i - 1] : NULL;
}

static void see_top(struct reading *d, const char *path, bool folder)
{
    size_t n = strcspn(path, "/");

    if (!d->top)
        d->top = mem_strn(path, n);
    else if (strlen(d->top) != n || memcmp(d->top, path, n) != 0)
        d->several = true;
    if (!path[n] && !folder)
        d->top_file = true;
}

/* A name that comes again means the later one, as it does to tar. */
static void put(struct reading *d, char *path, char *target, uint32_t content)
{
    struct member *m = member_at(d, path);

    if (!m) {
        if (d->n == d->cap) {
            d->cap = d->cap ? d->cap * 2 : 64;
            d->v = mem_grow(d->v, d->cap, sizeof *d->v);
        }
        m = &d->v[d->n++];
        map_put(d->at, bytes_str(path),
                (void *)(uintptr_t)d->n); /* an index in a pointer's place */
        m->path = path;
    } else {
        if (!m->target)
            d->contents[m->content].names--;
        free(m->target);
        free(path);
    }
    m->target = target;
    m->content = content;
    if (!target)
        d->contents[content].names++;
}

static int copy_bytes(struct archive_in *a, int fd, const char *what, struct bytes b, uint64_t at,
                      uint64_t *end, struct err *e)
{
    int rc;

    do {
        rc = b.n ? fileio_pwritev(fd, what, at, &b, 1, e) : 0;
        *end = at + b.n > *end ? at + b.n : *end;
    } while (rc == 0 && (rc = archive_in_data(a, &b, &at, e)) == 1);
    *end = at > *end ? at : *end;
    return rc;
}

/* The bytes from the first of them on, to a new number, or to an old one again. */
static int stage(struct reading *d, struct archive_in *a, const struct archive_entry_in *n,
                 struct bytes first, uint64_t at, uint32_t *number, bool again, struct err *e)
{
    int fd = again ? staging_again(d->staging, *number, e) : staging_file(d->staging, number, e);
    uint64_t end = 0;
    struct stat st;

    if (fd < 0)
        return fd;
    int rc = copy_bytes(a, fd, d->store, first, at, &end, e);
    if (staging_close(d->staging, fd, n->size > end ? n->size : end, &st, rc ? NULL : e) < 0)
        rc = rc < 0 ? rc : ERR_IO;
    if (rc < 0)
        return rc;
    if (*number == d->cap_contents) {
        d->cap_contents = d->cap_contents ? d->cap_contents * 2 : 64;
        d->contents = mem_grow(d->contents, d->cap_contents, sizeof *d->contents);
    }
    if (!again)
        d->contents[d->n_contents++] = (struct content){.exec = n->executable};
    d->contents[*number].st = st;
    return 0;
}

static int take_file(struct reading *d, struct archive_in *a, const struct archive_entry_in *n,
                     char *path, struct err *e)
{
    uint32_t number = 0;
    int rc = stage(d, a, n, BYTES(NULL, 0), 0, &number, false, e);

    if (rc < 0)
        free(path);
    else
        put(d, path, NULL, number);
    return rc;
}

/* Of a cpio's links the last one has the bytes. */
static int take_hard(struct reading *d, struct archive_in *a, const struct archive_entry_in *n,
                     char *path, struct err *e)
{
    char *of = archive_in_path(n->link, d->what, e);
    const struct member *m = of ? member_at(d, of) : NULL;
    uint32_t number = m ? m->content : 0;
    struct bytes b = {0};
    uint64_t at = 0;
    int rc = of ? 0 : e->code;

    if (of && (!m || m->target))
        rc = err_set(e, ERR_INVALID, "%s: '%s' is a hard link to '%s', which is no file before it",
                     d->what, path, of);
    if (rc == 0)
        rc = archive_in_data(a, &b, &at, e);
    if (rc == 1)
        rc = stage(d, a, n, b, at, &number, true, e);
    free(of);
    if (rc < 0)
        free(path);
    else
        put(d, path, NULL, number);
    return rc;
}

static int take_member(struct reading *d, struct archive_in *a, const struct archive_entry_in *n,
                       struct err *e)
{
    char *path = archive_in_path(n->path, d->what, e);
    int rc = 0;

    if (!path)
        return e->code;
    if (*path)
        see_top(d, path, n->kind == ARCHIVE_IS_FOLDER);
    if (n->kind == ARCHIVE_IS_FILE && *path)
        return take_file(d, a, n, path, e);
    if (n->kind == ARCHIVE_IS_HARD && *path)
        return take_hard(d, a, n, path, e);
    if (n->kind == ARCHIVE_IS_LINK && *path) {
        put(d, path, mem_str(n->link), 0);
        return 0;
    }
    if (n->kind != ARCHIVE_IS_FOLDER)
        rc = err_set(e, ERR_INVALID, "%s: '%s' is %s", d->what, n->path,
                     *path ? "a device, FIFO or socket" : "no name for a file");
    free(path);
    return rc;
}

static int read_members(struct reading *d, struct err *e)
{
    struct archive_source s;
    struct archive_entry_in n;
    struct archive_in *a;
    int rc = open_source(d, &s, e);

    if (rc < 0)
        return rc;
    a = archive_in_new(&s, d->what, e);
    if (!a)
        return ERR_FAIL;
    while ((rc = archive_in_next(a, &n, e)) == 1 && (rc = take_member(d, a, &n, e)) == 0)
        ;
    archive_in_free(a);
    return rc;
}

/* ---- the plan ---- */

static bool ends_with(const char *s, size_t n, const char *end)
{
    size_t k = strlen(end);

    return n > k && strncasecmp(s + n - k, end, k) == 0;
}

/* "x" of "x.tar.zst"; all of it where no suffix is known. */
static char *without_suffix(const char *path)
{
    static const char *const filters[] = {".gz",  ".bz2", ".xz", ".lzma", ".zst",
                                          ".lz4", ".lz",  ".Z",  NULL};
    static const char *const formats[] = {".tar",  ".tgz", ".tbz", ".tbz2", ".txz", ".tlz",
                                          ".tzst", ".zip", ".7z",  ".cpio", ".iso", NULL};
    char *all = fileio_absolute(path), *name;
    const char *base = strrchr(all, '/') + 1;
    size_t n = strlen(base), cut = n;

    for (const char *const *f = filters; *f && cut == n; f++)
        if (ends_with(base, n, *f))
            cut = n - strlen(*f);
    for (const char *const *f = formats; *f; f++)
        if (ends_with(base, cut, *f)) {
            cut -= strlen(*f);
            break;
        }
    name = mem_strn(base, cut);
    free(all);
    return name;
}

static struct walk_file walk_file_of(const struct reading *d, const struct member *m, size_t skip)
{
    const struct content *c = m->target ? NULL : &d->contents[m->content];

    return (struct walk_file){
        .path = m->path + skip,
        .target = m->target,
        .size = c ? (uint64_t)c->st.st_size : 0,
        .inode = c ? (uint64_t)c->st.st_ino : 0,
        .mtime_ns = c ? (int64_t)c->st.st_mtim.tv_sec * 1000000000 + c->st.st_mtim.tv_nsec : 0,
        .exec = c && c->exec,
    };
}

/* What unpacking it would leave: one thing, which is the item, or several. */
static int plan(struct reading *d, struct scan_plan *p, const char *path, struct err *e)
{
    const struct walk_options w = {.exclude = (const char *const *)d->o->exclude.v,
                                   .exclude_count = d->o->exclude.n};
    bool one = d->top && !d->several;
    size_t skip = one ? strlen(d->top) + !d->top_file : 0;

    if (one && d->top_file && d->n > 1)
        return err_set(e, ERR_INVALID, "%s: '%s' is a file in it and a folder", d->what, d->top);
    p->root = mem_str(d->what);
    p->name = d->o->author.name ? mem_str(d->o->author.name)
              : one             ? mem_str(d->top)
              : path            ? without_suffix(path)
                                : NULL;
    if (!p->name)
        return err_set(e, ERR_USAGE, "-: what is in the archive has no name: give one with --name");
    p->walk.is_file = one && d->top_file;
    p->walk.v = mem_array(d->n ? d->n : 1, sizeof *p->walk.v);
    for (size_t i = 0; i < d->n; i++) {
        struct walk_file f = walk_file_of(d, &d->v[i], skip);

        if (p->walk.is_file ? !f.target : !walk_leaves_out(&w, f.path))
            p->walk.v[p->walk.n++] = f;
    }
    return scan_plan_entries(p, d->r, d->what, d->o, e);
}

static const struct member *member_of(const struct reading *d, const struct walk_file *f)
{
    size_t skip = d->several ? 0 : strlen(d->top) + !d->top_file;

    return member_at(d, f->path - skip);
}

/* ---- names ---- */

/* Where they are until then: a number each. */
static char **numbers(const struct reading *d, const struct walk *w)
{
    char **v = mem_array(w->n ? w->n : 1, sizeof *v);

    for (size_t i = 0; i < w->n; i++)
        if (!w->v[i].target)
            v[i] = mem_fmt("%u", (unsigned)member_of(d, &w->v[i])->content);
    return v;
}

static int place_file(struct reading *d, const struct scan_author *a, uint32_t file,
                      const char *place, struct err *e)
{
    const struct manifest *m = d->r->m;
    uint32_t entry = author_entry_of(a->author, file);
    char *name, *rel;
    int rc;

    if (entry == UINT32_MAX)
        return 0;
    name = m->multi ? places_name(m->files[file].path, 0) : NULL;
    rel = name ? mem_fmt("%s/%s", place, name) : mem_str(place);
    if (m->files[file].attr & FILE_SYMLINK) {
        char *text = places_link_text(m, file, 0);

        rc = staging_link(d->staging, text, rel, e);
        free(text);
    } else {
        uint32_t number = member_of(d, &a->plan.walk.v[a->plan.walked[entry]])->content;

        rc = staging_place(d->staging, number, rel, --d->contents[number].names > 0, e);
    }
    free(rel);
    free(name);
    return rc;
}

/* Links last. */
static int place_all(struct reading *d, const struct scan_author *a, struct err *e)
{
    const struct manifest *m = d->r->m;
    char *place = scan_store_place(m), *whole = mem_fmt("%s/%s", d->store, place);
    int rc = 0;

    for (int links = 0; links < 2; links++)
        for (uint32_t i = 0; i < m->n_files && rc == 0; i++)
            if (!(m->files[i].attr & FILE_SYMLINK) == !links)
                rc = place_file(d, a, i, place, e);
    if (rc == 0)
        rc = staging_sync(d->staging, e);
    if (rc < 0)
        staging_undo(d->staging);
    if (rc == 0)
        d->r->path = mem_str(whole);
    free(whole);
    free(place);
    return rc;
}

/* ---- all of it ---- */

static int share(struct reading *d, const char *path, struct err *e)
{
    struct scan_author a = {0};
    char **names = NULL;
    int rc = plan(d, &a.plan, path, e);

    if (rc == 0) {
        names = numbers(d, &a.plan.walk);
        intake_open_named(&a.intake, staging_dir(d->staging), names, d->what, &a.plan.walk);
        rc = scan_planned(d->r, &a, d->what, d->o, e);
    }
    if (rc == 0 && d->o->catalogue)
        rc = place_all(d, &a, e);
    for (size_t i = 0; names && i < a.plan.walk.n; i++)
        free(names[i]);
    free(names);
    scan_author_fini(&a);
    return rc;
}

static void reading_fini(struct reading *d)
{
    intake_stream_fini(&d->kept);
    staging_free(d->staging);
    for (size_t i = 0; i < d->n; i++) {
        free(d->v[i].path);
        free(d->v[i].target);
    }
    free(d->v);
    free(d->contents);
    map_free(d->at);
    free(d->top);
    free(d->store);
    free(d->what);
}

int scan_archive(struct scan_result *r, int in, const char *path, const struct scan_options *o,
                 struct err *e)
{
    struct reading d = {
        .r = r,
        .o = o,
        .in = in,
        .kept = {.fd = -1},
        .what = mem_str(path ? path : "standard input"),
    };
    struct err here = {0};
    uint64_t seed;

    *r = (struct scan_result){0};
    entropy_fill(&seed, sizeof seed);
    d.at = map_new(seed);
    int rc = scan_store(o, &d.store, &here);
    if (rc == 0)
        rc = staging_new(&d.staging, d.store, &here);
    if (rc == 0)
        rc = read_members(&d, &here);
    if (rc == 0)
        rc = share(&d, path, &here);
    reading_fini(&d);
    return rc < 0 ? (e && !e->code ? (*e = here, rc) : rc) : 0;
}

/*
 * What there is to share, what it is called, and where its links lead. A link is kept if it leads
 * to something that is shared with it. One that leads elsewhere would mean something else on every
 * machine, and is left out and told.
 */
#include "engine/named.h"
#include "engine/scan_int.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>

#include <stdlib.h>

#define LINKS_DEEP 40 /* as the kernel counts */

static void notice(struct scan_result *r, char *owned)
{
    r->notices = mem_grow(r->notices, r->n_notices + 1, sizeof *r->notices);
    r->notices[r->n_notices++] = owned;
}

/* ---- links ---- */

/* What stands on which path of the walk. Folders are there as well. */
struct places_seen {
    struct map *files;   /* path → walk_file */
    struct map *folders; /* path → anything */
    struct buf at;       /* path being resolved */
};

static void see_folders(struct places_seen *s, const char *path)
{
    for (size_t n = strlen(path); n > 0; n--)
        if (path[n] == '/' && map_put(s->folders, BYTES(path, n), s))
            return; /* it was there, and so is what is above it */
}

static void pop(struct buf *at)
{
    size_t n = buf_len(at);
    const uint8_t *p = buf_bytes(at).p;

    while (n > 0 && p[n - 1] != '/')
        n--;
    at->tail = at->head + (n > 0 ? n - 1 : 0);
}

static const struct walk_file *link_at(const struct places_seen *s)
{
    const struct walk_file *f = map_get(s->files, buf_bytes(&s->at));

    return f && f->target ? f : NULL;
}

/*
 * One step of the text of a link: 1 with more to go in *rest, 0 at its end, -1 if it leads out.
 * A link on the way (not at the end) is gone through.
 */
static int step(struct places_seen *s, char **rest, unsigned *deep)
{
    char *text = *rest, *part = text + strspn(text, "/");
    size_t n = strcspn(part, "/");
    char *more = part + n + strspn(part + n, "/");

    if (*text == '/')
        return -1;
    if (n == 0)
        return 0;
    if (n == 2 && memcmp(part, "..", 2) == 0) {
        if (buf_len(&s->at) == 0)
            return -1;
        pop(&s->at);
    } else if (!(n == 1 && *part == '.')) {
        if (buf_len(&s->at) > 0)
            buf_put_u8(&s->at, '/');
        buf_put(&s->at, part, n);
    }
    const struct walk_file *f = *more ? link_at(s) : NULL;
    char *next = f ? mem_fmt("%s/%s", f->target, more) : mem_str(more);
    if (f)
        pop(&s->at);
    free(text);
    *rest = next;
    return f && ++*deep > LINKS_DEEP ? -1 : 1;
}

/* Where a link leads, below the root; NULL if that is not inside. Moved string. */
static char *resolve(struct places_seen *s, const struct walk_file *f)
{
    char *rest = mem_str(f->target), *path = NULL;
    unsigned deep = 0;
    int more = 1;

    buf_clear(&s->at);
    buf_put_str(&s->at, f->path);
    pop(&s->at);
    while (more > 0)
        more = step(s, &rest, &deep);
    free(rest);
    if (more == 0 && buf_len(&s->at) > 0)
        path = mem_strn((const char *)buf_bytes(&s->at).p, buf_len(&s->at));
    return path;
}

static bool is_there(const struct places_seen *s, const char *path)
{
    struct bytes key = bytes_str(path);

    return map_get(s->files, key) || map_get(s->folders, key);
}

static void see_all(struct places_seen *s, const struct walk *w)
{
    s->files = map_new(0);
    s->folders = map_new(0);
    for (size_t i = 0; i < w->n; i++) {
        map_put(s->files, bytes_str(w->v[i].path), &w->v[i]);
        see_folders(s, w->v[i].path);
    }
}

/* A link whose target is left out is left out as well, and so on along a chain of them. */
static void drop_dangling(struct places_seen *s, const struct walk *w, char **targets)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < w->n; i++) {
            if (!w->v[i].target || !targets[i] ||
                (is_there(s, targets[i]) && strcmp(targets[i], w->v[i].path) != 0))
                continue;
            free(targets[i]);
            targets[i] = NULL;
            map_remove(s->files, bytes_str(w->v[i].path));
            again = true;
        }
    }
}

/* The targets of all links, NULL for those that cannot be kept. */
static char **resolve_all(const struct walk *w)
{
    char **targets = mem_array(w->n ? w->n : 1, sizeof *targets);
    struct places_seen s = {0};
    bool any = false;

    for (size_t i = 0; i < w->n && !any; i++)
        any = w->v[i].target;
    if (!any)
        return targets;
    see_all(&s, w);
    for (size_t i = 0; i < w->n; i++)
        if (w->v[i].target)
            targets[i] = resolve(&s, &w->v[i]);
    for (size_t i = 0; i < w->n; i++)
        if (w->v[i].target && !targets[i])
            map_remove(s.files, bytes_str(w->v[i].path));
    drop_dangling(&s, w, targets);
    map_free(s.files);
    map_free(s.folders);
    buf_fini(&s.at);
    return targets;
}

/* ---- names that were asked for ---- */

static const char *walked_path(const void *ctx, size_t file)
{
    const struct scan_plan *p = ctx;

    return p->walk.is_file ? p->name : p->walk.v[file].path;
}

/* As p2p-get has it: who names a file and excludes it does not want it, and is no mistake. */
static char **not_excluded(const struct scan_plan *p, const struct scan_options *o, size_t *n)
{
    const struct walk_options w = {.exclude = (const char *const *)o->exclude.v,
                                   .exclude_count = o->exclude.n};
    char **v = mem_array(o->files.n, sizeof *v);
    size_t top = strlen(p->name);

    *n = 0;
    for (size_t i = 0; i < o->files.n; i++) {
        const char *name = o->files.v[i];
        bool whole = strncmp(name, p->name, top) == 0 && name[top] == '/';

        if (!walk_leaves_out(&w, name) && !(whole && walk_leaves_out(&w, name + top + 1)))
            v[(*n)++] = o->files.v[i];
    }
    return v;
}

/* Leaves in the walk only what is named. */
static int keep_named(struct scan_plan *p, const char *path, const struct scan_options *o,
                      struct err *e)
{
    const struct named_files f = {
        .label = path,
        .top = p->walk.is_file ? NULL : p->name,
        .n = p->walk.n,
        .path = walked_path,
        .ctx = p,
    };
    struct bits found = {0};
    size_t n, kept = 0;
    char **asked = not_excluded(p, o, &n);

    bits_init(&found, p->walk.n);
    int rc = named_find(&f, asked, n, &found, e);
    for (size_t i = 0; i < p->walk.n; i++)
        if (bits_get(&found, i))
            p->walk.v[kept++] = p->walk.v[i];
    p->walk.n = kept;
    bits_fini(&found);
    free(asked);
    return rc;
}

/* ---- entries ---- */

static void make_entries(struct scan_plan *p, struct scan_result *r)
{
    p->targets = resolve_all(&p->walk);
    p->n_targets = p->walk.n;
    p->entries = mem_array(p->walk.n ? p->walk.n : 1, sizeof *p->entries);
    p->walked = mem_array(p->walk.n ? p->walk.n : 1, sizeof *p->walked);
    for (size_t i = 0; i < p->walk.n; i++) {
        const struct walk_file *f = &p->walk.v[i];

        if (f->target && !p->targets[i]) {
            notice(r, mem_fmt("%s/%s: left out: a link to '%s', which is not shared with it "
                              "(--follow takes what it leads to)",
                              p->root, f->path, f->target));
            continue;
        }
        p->walked[p->n] = i;
        p->entries[p->n++] = (struct author_entry){
            .path = f->path,
            .target = p->targets[i],
            .length = f->size,
            .attr = f->target ? FILE_SYMLINK
                    : f->exec ? FILE_EXEC
                              : 0,
        };
    }
}

/* The last part of the path as it was typed: a link's own name, not that of what it leads to. */
static char *name_of(const char *path, const char *root)
{
    char *all = fileio_absolute(path);
    const char *name = strrchr(all, '/') + 1;

    if (strcmp(name, "..") == 0)
        name = strrchr(root, '/') + 1;
    char *mine = mem_str(name);
    free(all);
    return mine;
}

int scan_plan(struct scan_plan *p, struct scan_result *r, const char *path, bool stream,
              const struct scan_options *o, struct err *e)
{
    struct walk_options w = {
        .exclude = (const char *const *)o->exclude.v,
        .exclude_count = o->exclude.n,
        .follow = o->follow,
    };
    int rc = 0;

    if (!*path)
        return err_set(e, ERR_IO, "PATH: is empty");
    p->root = stream ? mem_str(path) : intake_resolve(path, e);
    if (!p->root)
        return ERR_IO;
    p->name = o->author.name ? mem_str(o->author.name) : name_of(path, p->root);
    if (!*p->name)
        return err_set(e, ERR_USAGE, "%s: has no name of its own: give one with --name", path);
    rc = walk_run(&p->walk, p->root, &w, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < p->walk.notice_count; i++)
        notice(r, mem_str(p->walk.notices[i]));
    return scan_plan_entries(p, r, path, o, e);
}

int scan_plan_entries(struct scan_plan *p, struct scan_result *r, const char *path,
                      const struct scan_options *o, struct err *e)
{
    int rc = o->files.n ? keep_named(p, path, o, e) : 0;

    if (rc < 0)
        return rc;
    make_entries(p, r);
    if (p->n == 0)
        return err_set(e, ERR_INVALID, "%s: there is no file in it to share", path);
    return 0;
}

void scan_plan_fini(struct scan_plan *p)
{
    for (size_t i = 0; i < p->n_targets; i++)
        free(p->targets[i]);
    free(p->targets);
    free(p->entries);
    free(p->walked);
    free(p->name);
    free(p->root);
    walk_fini(&p->walk);
    *p = (struct scan_plan){0};
}

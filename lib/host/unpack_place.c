/*
 * Entries of an archive into a folder; see unpack.h. Links come last, when nothing is opened by its
 * name any more: until then no component of a path can be one, and beneath.h refuses those that an
 * earlier run may have left.
 */
#include "host/unpack_in.h"

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/base/units.h>
#include <p2p/format/names.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SHOWN 200                /* bytes of a name in a message */
#define ROOM_UNASKED (64u << 10) /* the disk is not asked for less */
#define MADE_MAX ((size_t)128 << 20)
#define LINKS_MAX ((size_t)32 << 20)

void place_init(struct place *p, const struct unpack_spec *s)
{
    uint64_t by_size = 0;

    *p = (struct place){.what = s->what, .to = s->to, .l = s->limits};
    buf_init(&p->made, MADE_MAX);
    buf_init(&p->links, LINKS_MAX);
    if (!num_mul(s->size, s->limits.times, &by_size))
        by_size = UINT64_MAX;
    p->allowed = by_size > s->limits.always ? by_size : s->limits.always;
    if (p->allowed > s->limits.most)
        p->allowed = s->limits.most;
}

void place_fini(struct place *p)
{
    buf_fini(&p->made);
    buf_fini(&p->links);
    free(p->before);
    free(p->top);
}

/* ---- names ---- */

int place_refuse(const struct place *p, const char *path, const char *why, struct err *e)
{
    return err_set(e, ERR_INVALID, "%s: has '%.*s', %s", p->what, SHOWN, path, why);
}

/* NULL: it is not to be used. */
static char *clean(const struct place *p, const char *raw, struct err *e)
{
    char *path = archive_in_path(raw, p->what, e);
    bool fits = path && strlen(path) < PATH_MAX;

    for (const char *c = path; fits && *c; c += strspn(c, "/")) {
        size_t n = strcspn(c, "/");

        fits = n <= NAMES_MAX_COMPONENT;
        c += n;
    }
    if (fits || !path)
        return path;
    place_refuse(p, path, "a name that is too long", e);
    free(path);
    return NULL;
}

/* Components that the entry before did not have: as many names are made, at most. */
static uint64_t fresh_names(const char *before, const char *path)
{
    size_t same = 0;
    uint64_t n = 1;

    while (before && before[same] && before[same] == path[same])
        same++;
    for (const char *c = path + same; *c; c++)
        n += *c == '/';
    return n;
}

static int count(struct place *p, const char *path, struct err *e)
{
    size_t n = strcspn(path, "/");

    p->names += fresh_names(p->before, path);
    if (p->names > p->l.names)
        return err_set(e, ERR_LIMIT, "%s: has more than %llu names", p->what,
                       (unsigned long long)p->l.names);
    free(p->before);
    p->before = mem_str(path);
    if (!p->top)
        p->top = mem_strn(path, n);
    else if (strlen(p->top) != n || memcmp(p->top, path, n) != 0)
        p->many = true;
    return 0;
}

int place_name(struct place *p, const char *raw, char **path, struct err *e)
{
    char *name = clean(p, raw, e);
    int rc = name ? 0 : e->code;

    *path = NULL;
    if (++p->entries > p->l.entries && rc == 0)
        rc = err_set(e, ERR_LIMIT, "%s: has more than %llu entries", p->what,
                     (unsigned long long)p->l.entries);
    if (rc == 0 && *name)
        rc = count(p, name, e);
    if (rc == 0 && *name)
        *path = name;
    else
        free(name);
    return rc;
}

/* ---- entries ---- */

static int note_made(struct place *p, const char *path, struct err *e)
{
    return buf_put(&p->made, path, strlen(path) + 1)
               ? 0
               : err_set(e, ERR_LIMIT, "%s: has too many long names", p->what);
}

/* Whose fault it is. */
static int not_placed(const struct place *p, const char *path, const struct err *here,
                      struct err *e)
{
    static const int clashes[] = {ENOTDIR, EISDIR, EEXIST, ELOOP};

    for (size_t i = 0; i < sizeof clashes / sizeof *clashes; i++)
        if (here->os == clashes[i])
            return place_refuse(p, path, "which is a file and a folder", e);
    if (e)
        *e = *here;
    return here->code;
}

int place_folder(struct place *p, const char *path, struct err *e)
{
    struct err here = {0};
    int fd = note_made(p, path, e);

    if (fd == 0)
        fd = beneath_folder(p->to, path, true, &here);
    if (fd < 0)
        return here.code ? not_placed(p, path, &here, e) : fd;
    close(fd);
    return 0;
}

int place_link(struct place *p, const char *path, const char *text, struct err *e)
{
    if (*text == '\0' || strlen(text) >= PATH_MAX)
        return place_refuse(p, path, "a symbolic link without a sensible target", e);
    if (!buf_put(&p->links, path, strlen(path) + 1) || !buf_put(&p->links, text, strlen(text) + 1))
        return err_set(e, ERR_LIMIT, "%s: has too many symbolic links", p->what);
    return 0;
}

/* What stands there is of this archive: of an entry before, or of an earlier run. */
static int make_way(struct place *p, const char *path, struct err *e)
{
    int rc = note_made(p, path, e);

    if (rc == 0)
        beneath_unlink(p->to, path, NULL);
    return rc;
}

static bool is_no_file(const struct err *e)
{
    return e->code == ERR_INVALID || e->os == ENOENT || e->os == EINVAL || e->os == ENOTDIR ||
           e->os == ELOOP;
}

int place_hardlink(struct place *p, const char *path, const char *target, struct err *e)
{
    struct err here = {0};
    char *from = clean(p, target, e);
    int rc = from ? 0 : e->code;

    if (rc == 0 && strcmp(from, path) == 0) {
        rc = place_refuse(p, path, "a hard link to itself", e);
    } else if (rc == 0) {
        rc = make_way(p, path, e);
        if (rc == 0 && beneath_link(p->to, from, path, &here) < 0)
            rc = is_no_file(&here)
                     ? place_refuse(p, path, "a hard link to what is no file of the archive", e)
                     : not_placed(p, path, &here, e);
    }
    free(from);
    return rc;
}

int place_file(struct place *p, const char *path, bool again, struct err *e)
{
    struct err here = {0};
    int fd = again ? 0 : make_way(p, path, e);

    if (fd == 0)
        fd = beneath_file(p->to, path, again ? BENEATH_WRITE : BENEATH_NEW, &here);
    return fd < 0 && here.code ? not_placed(p, path, &here, e) : fd;
}

static int too_much(const struct place *p, struct err *e)
{
    char text[16];

    units_format_size(text, p->allowed);
    return err_set(e, ERR_LIMIT, "%s: a bomb: unpacks to more than %s", p->what, text);
}

int place_room(struct place *p, uint64_t bytes, bool holes, struct err *e)
{
    struct statvfs v;

    if (bytes > p->allowed || p->bytes > p->allowed - bytes)
        return too_much(p, e);
    if (bytes >= ROOM_UNASKED && !holes && fstatvfs(beneath_fd(p->to), &v) == 0 && v.f_frsize &&
        bytes / v.f_frsize > v.f_bavail)
        return err_os(e, ENOSPC, "unpacking");
    return 0;
}

/* Holes count: who reads the file reads them. */
int place_write(struct place *p, int fd, uint64_t at, uint64_t end, struct bytes b, struct err *e)
{
    uint64_t after;

    if (at < end)
        return err_set(e, ERR_INVALID, "%s: the archive is damaged", p->what);
    if (!num_add(at, b.n, &after) || after - end > p->allowed ||
        p->bytes > p->allowed - (after - end))
        return too_much(p, e);
    p->bytes += after - end;
    return b.n ? fileio_pwritev(fd, "unpacking", at, &b, 1, e) : 0;
}

/* ---- the end ---- */

/* Only up at first, then only down: that leads nowhere else when names come or go. */
static bool stays_inside(const char *path, const char *text)
{
    size_t depth = 0, up = 0;
    bool down = false;

    for (const char *c = path; *c; c++)
        depth += *c == '/';
    while (*text) {
        size_t n = strcspn(text, "/");

        if (n == 2 && memcmp(text, "..", 2) == 0) {
            if (down || ++up > depth)
                return false;
        } else {
            down |= n > 0 && !(n == 1 && *text == '.');
        }
        text += n + (text[n] == '/');
    }
    return true;
}

static int make_link(struct place *p, const char *path, const char *text, struct err *e)
{
    struct err here = {0};
    struct stat st;
    int rc;

    if (*text == '/')
        return place_refuse(p, path, "a symbolic link that leads out of the folder", e);
    if (beneath_stat(p->to, path, &st, NULL) == 0 && !S_ISLNK(st.st_mode))
        return place_refuse(p, path, "a symbolic link and something else", e);
    rc = make_way(p, path, e);
    if (rc == 0 && beneath_symlink(p->to, text, path, &here) < 0)
        rc = not_placed(p, path, &here, e);
    return rc;
}

/* `root`: what will be the folder; a link may not lead out of that. */
static int check_link(const struct place *p, const struct beneath *root, const char *path,
                      const char *text, struct err *e)
{
    int rc = beneath_leads(root, path, NULL);

    if (rc == 0 || (rc == ERR_NOTFOUND && stays_inside(path, text)))
        return 0;
    return place_refuse(p, path, "a symbolic link that leads out of the folder", e);
}

static const char *next_text(const char *c)
{
    return c + strlen(c) + 1;
}

static int make_links(struct place *p, const struct beneath *root, size_t skip, struct err *e)
{
    struct bytes all = buf_bytes(&p->links);
    const char *c = (const char *)all.p, *end = c + all.n;
    int rc = 0;

    for (const char *l = c; l < end && rc == 0; l = next_text(next_text(l)))
        rc = make_link(p, l, next_text(l), e);
    for (const char *l = c; l < end && rc == 0; l = next_text(next_text(l)))
        rc = check_link(p, root, l + skip, next_text(l), e);
    return rc;
}

static bool is_inner(const struct place *p, const char *top)
{
    struct stat st;

    return top && p->top && !p->many && strcmp(p->top, top) == 0 &&
           beneath_stat(p->to, p->top, &st, NULL) == 0 && S_ISDIR(st.st_mode);
}

int place_finish(struct place *p, const char *top, bool *inner, struct err *e)
{
    struct beneath *root = NULL;
    int rc = 0;

    *inner = is_inner(p, top);
    if (*inner)
        rc = beneath_enter(&root, p->to, top, e);
    if (rc == 0)
        rc = make_links(p, root ? root : p->to, root ? strlen(top) + 1 : 0, e);
    beneath_free(root);
    if (rc == 0 && syncfs(beneath_fd(p->to)) != 0)
        rc = err_os(e, errno, "unpacking");
    return rc;
}

/* The folders of a path, the innermost first, as far as they are empty. */
static void remove_folders(const struct place *p, char *path)
{
    char *slash;

    while ((slash = strrchr(path, '/')) != NULL) {
        struct err here = {0};

        *slash = '\0';
        if (beneath_rmdir(p->to, path, &here) < 0 && here.os != ENOENT)
            return;
    }
}

void place_undo(struct place *p)
{
    struct bytes all = buf_bytes(&p->made);
    size_t end = all.n;

    while (end > 0) {
        size_t from = end - 1;

        while (from > 0 && all.p[from - 1] != '\0')
            from--;
        char *path = mem_str((const char *)all.p + from);
        if (beneath_unlink(p->to, path, NULL) < 0)
            beneath_rmdir(p->to, path, NULL);
        remove_folders(p, path);
        free(path);
        end = from;
    }
    buf_clear(&p->made);
}

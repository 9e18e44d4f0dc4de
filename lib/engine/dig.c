/* Going through archives; see dig.h. */
#include "engine/dig.h"

#include <p2p/base/mem.h>
#include <p2p/base/suggest.h>
#include <p2p/base/text.h>
#include <p2p/format/names.h>

#include <stdlib.h>

#define COPY (256u << 10)

/* Before the rest of a message. */
#define LABEL(d) (d)->label ? (d)->label : "", (d)->label ? ": " : ""

struct wish {
    const char *name;  /* as it was asked for */
    const char *inner; /* what it is called in its archive */
    char *target;      /* it is another name of this one, which is to be found; or NULL */
    uint32_t file;     /* its archive */
    bool found;
    struct suggest_near near;
};

struct digging {
    const struct dig *d;
    struct bits archives;
    struct wish *wishes;
    uint32_t file; /* that is read */
    bool said;     /* whose fault it was says which file is meant */
    uint8_t *mem;
};

/* ---- which archives ---- */

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name), k = strlen(tail);

    if (n <= k)
        return false;
    for (size_t i = 0; i < k; i++) {
        char c = name[n - k + i];

        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != tail[i])
            return false;
    }
    return true;
}

static bool is_archive(const char *name)
{
    static const char *const tails[] = {
        ".zip",      ".tar",   ".iso",     ".7z",      ".cpio",   ".tgz",     ".tbz",    ".tbz2",
        ".txz",      ".tzst",  ".tar.gz",  ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz", ".tar.lz4",
        ".tar.lzma", ".tar.z", ".cpio.gz", ".jar",     ".apk",    ".epub",    ".cbz",    ".whl",
        ".odt",      ".ods",   ".docx",    ".xlsx",    ".deb",    ".ar"};

    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
        if (ends_with(name, tails[i]))
            return true;
    return false;
}

void dig_archives(const struct manifest *m, const struct bits *wanted, struct bits *out)
{
    bits_init(out, m->n_files);
    for (uint32_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];

        if (f->attr & (FILE_PAD | FILE_SYMLINK) || f->length == 0 ||
            (wanted && !bits_get(wanted, i)))
            continue;
        if (!m->multi || is_archive(f->path))
            bits_set(out, i);
    }
}

/* Where in `name` the path of the archive ends; NULL: it begins otherwise. */
static const char *behind(const char *name, const char *archive)
{
    size_t n = strlen(archive);

    return strncmp(name, archive, n) == 0 && name[n] == '/' ? name + n + 1 : NULL;
}

static int which_archive(const struct digging *g, struct wish *w, struct err *e)
{
    const struct manifest *m = g->d->m;
    struct suggest_near near = {.asked = w->name};
    size_t n = 0;

    w->inner = NULL;
    for (size_t i = bits_next(&g->archives, 0, true); i < g->archives.n;
         i = bits_next(&g->archives, i + 1, true)) {
        const char *inner = m->multi ? behind(w->name, m->files[i].path) : NULL;

        if (inner && (!w->inner || inner > w->inner)) { /* the longest path is meant */
            w->inner = inner;
            w->file = (uint32_t)i;
        }
        suggest_near_add(&near, m->files[i].path);
        n++;
    }
    if (!w->inner && n == 1) {
        w->inner = w->name;
        w->file = (uint32_t)bits_next(&g->archives, 0, true);
    }
    char *text = suggest_near_text(&near);
    suggest_near_fini(&near);
    int rc = w->inner ? 0
                      : err_set(e, ERR_NOTFOUND,
                                "%s%swhich archive is '%.100s' in? name it ARCHIVE/NAME%s",
                                LABEL(g->d), w->name, text);
    free(text);
    return rc;
}

/* ---- one archive ---- */

static int64_t read_file(void *arg, uint64_t at, struct span to, uint64_t sure, struct err *e)
{
    struct digging *g = arg;

    int64_t n = g->d->read(g->d->arg, g->file, at, to, sure, e);

    g->said |= n < 0;
    return n;
}

/* What the caller said of it. */
static int told(struct digging *g, int rc)
{
    g->said |= rc < 0;
    return rc;
}

/* "./a", "/a" and "a" are one. */
static const char *bare(const char *name)
{
    while (*name == '/' || (name[0] == '.' && name[1] == '/'))
        name += *name == '/' ? 1 : 2;
    return name;
}

static const char *base_of(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

static int copy_out(struct digging *g, struct inside *a, struct err *e)
{
    const struct dig *d = g->d;
    int64_t n;
    int rc = 0;

    while (rc == 0 && (n = inside_read(a, (struct span){g->mem, COPY}, e)) != 0)
        rc = n < 0 ? (int)n : told(g, d->data(d->arg, BYTES(g->mem, (size_t)n), e));
    return rc == 0 ? told(g, d->end(d->arg, e)) : rc;
}

static int take(struct digging *g, struct inside *a, const struct inside_entry *n, struct wish *w,
                struct err *e)
{
    const struct dig *d = g->d;
    char *base = names_on_disk(bytes_str(base_of(w->inner)));
    int rc;

    w->found = true;
    if (n->encrypted)
        rc = err_set(e, ERR_FAIL, "'%.100s' is encrypted", w->name);
    else
        rc = told(g, d->begin(d->arg, w->name, base, n->size, e));
    if (rc == 0) {
        rc = copy_out(g, a, e);
        if (rc < 0)
            d->drop(d->arg);
    }
    free(base);
    return rc;
}

static int no_file(const struct inside_entry *n, const struct wish *w, struct err *e)
{
    if (n->kind == INSIDE_FOLDER)
        return err_set(e, ERR_NOTFOUND, "'%.100s' is a folder: name one of its files", w->name);
    if (n->kind == INSIDE_SYMLINK || n->kind == INSIDE_HARDLINK)
        return err_set(e, ERR_NOTFOUND, "'%.100s' is a link%s%.100s: name the file itself", w->name,
                       n->target ? " to " : "", n->target ? n->target : "");
    return err_set(e, ERR_NOTFOUND, "'%.100s' is no file", w->name);
}

static bool is_name(const char *path, const char *want, bool folder)
{
    size_t k = strlen(want);

    return strncmp(path, want, k) == 0 && (path[k] == 0 || (folder && strcmp(path + k, "/") == 0));
}

/* As it is, or as it is printed in a line, where it may hold neither tab nor newline. */
static bool is_meant(const struct wish *w, const struct inside_entry *n)
{
    const char *path = bare(n->path), *want = bare(w->target ? w->target : w->inner);
    bool folder = n->kind == INSIDE_FOLDER;

    if (is_name(path, want, folder) || !strpbrk(path, "\t\n"))
        return is_name(path, want, folder);
    struct buf out = {0};
    text_plain(&out, bytes_str(path));
    char *printed = buf_take_str(&out);
    bool yes = is_name(printed, want, folder);
    free(printed);
    return yes;
}

/* Other names of a file are found under its first, when the archive is gone through once more. */
static int match(struct digging *g, struct inside *a, const struct inside_entry *n, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; i < g->d->n_names && rc == 0; i++) {
        struct wish *w = &g->wishes[i];

        if (w->file != g->file || w->found)
            continue;
        if (!is_meant(w, n)) {
            if (n->kind == INSIDE_FILE)
                suggest_near_add(&w->near, n->path);
        } else if (n->kind == INSIDE_FILE) {
            return take(g, a, n, w, e); /* it is read, and no second time for another wish */
        } else if (n->kind == INSIDE_HARDLINK && !w->target) {
            w->target = mem_str(n->target);
        } else {
            rc = no_file(n, w, e);
        }
    }
    return rc;
}

static bool all_found(const struct digging *g, bool linked)
{
    bool all = true;

    for (size_t i = 0; i < g->d->n_names; i++)
        all &=
            g->wishes[i].file != g->file || g->wishes[i].found || (linked && g->wishes[i].target);
    return all;
}

static int whole_is_needed(const struct inside *a, struct err *e)
{
    return err_set(e, ERR_NOTFOUND,
                   "a %s has no directory: all of it would have to be fetched; get it with "
                   "p2p-get, and list it then",
                   inside_format(a));
}

static int go_through(struct digging *g, struct err *e)
{
    const struct dig *d = g->d;
    const struct inside_source s = {
        .size = d->m->files[g->file].length, .read = read_file, .arg = g};
    struct inside *a = NULL;
    struct inside_entry n;
    int rc = inside_open(&a, &s, e);

    if (rc == 0 && d->n_names == 0 && d->far && !inside_has_directory(a))
        rc = whole_is_needed(a, e);
    while (rc == 0 && !(d->n_names && all_found(g, false)) && (rc = inside_next(a, &n, e)) == 1)
        rc = d->n_names ? match(g, a, &n, e) : told(g, d->tell(d->arg, g->file, &n, e));
    inside_close(a);
    return rc;
}

static int not_found(const struct wish *w, struct err *e)
{
    char *near = suggest_near_text(&w->near);
    int rc = err_set(e, ERR_NOTFOUND, "nothing in it is called '%.100s'%s", w->name, near);

    free(near);
    return rc;
}

static int dig_file(struct digging *g, struct err *e)
{
    struct err here = {0};
    int rc = go_through(g, &here);

    if (rc == 0 && g->d->n_names && !all_found(g, false) && all_found(g, true))
        rc = go_through(g, &here); /* what is a link is found now under its target */
    for (size_t i = 0; i < g->d->n_names && rc == 0; i++)
        if (g->wishes[i].file == g->file && !g->wishes[i].found)
            rc = not_found(&g->wishes[i], &here);
    if (rc < 0 && g->said && e)
        *e = here;
    else if (rc < 0)
        err_set(e, rc, "%s%s%.200s%s%s", LABEL(g->d),
                g->d->m->multi ? g->d->m->files[g->file].path : "", g->d->m->multi ? ": " : "",
                here.msg);
    return rc;
}

/* ---- all ---- */

int dig_run(const struct dig *d, struct err *e)
{
    struct digging g = {.d = d, .mem = mem_alloc(COPY)};
    int rc = 0;

    g.wishes = mem_array(d->n_names ? d->n_names : 1, sizeof *g.wishes);
    dig_archives(d->m, d->wanted, &g.archives);
    if (g.archives.ones == 0)
        rc = err_set(e, ERR_NOTFOUND, "%s%s%s", LABEL(d), DIG_NONE);
    for (size_t i = 0; i < d->n_names && rc == 0; i++) {
        g.wishes[i] = (struct wish){.name = d->names[i]};
        rc = which_archive(&g, &g.wishes[i], e);
        g.wishes[i].near.asked = g.wishes[i].inner;
    }
    for (g.file = 0; g.file < d->m->n_files && rc == 0; g.file++)
        if (bits_get(&g.archives, g.file) && !(d->n_names && all_found(&g, false)))
            rc = dig_file(&g, e);
    for (size_t i = 0; i < d->n_names; i++) {
        suggest_near_fini(&g.wishes[i].near);
        free(g.wishes[i].target);
    }
    free(g.wishes);
    bits_fini(&g.archives);
    free(g.mem);
    return rc;
}

/*
 * Archives, read; see archive_in.h. libarchive is loaded when the first one is opened (archive.c
 * says why), and takes names to be in the character set of the locale: ours is UTF-8 for the time
 * of a call. Of formats and filters only those named here are known to it: there is one (mtree)
 * that reads other files, one (raw) that takes anything for an archive, and filters that start a
 * program.
 */
#include <p2p/host/archive_in.h>

#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/format/names.h>

#include <stdlib.h>
#include <string.h>

#define BLOCK ((size_t)256 * 1024)
#define RECORD 512 /* of tar */

/* What of libarchive is used. */
#define CALLS(X) \
    X(entry_filetype) \
    X(entry_hardlink) \
    X(entry_is_encrypted) \
    X(entry_mtime) \
    X(entry_mtime_is_set) \
    X(entry_mtime_nsec) \
    X(entry_pathname) \
    X(entry_perm) \
    X(entry_size) \
    X(entry_sparse_count) \
    X(entry_symlink) \
    X(error_string) \
    X(filter_count) \
    X(format) \
    X(read_data_block) \
    X(read_free) \
    X(read_new) \
    X(read_next_header) \
    X(read_open1) \
    X(read_set_callback_data) \
    X(read_set_format_option) \
    X(read_set_read_callback) \
    X(read_set_seek_callback) \
    X(read_support_filter_bzip2) \
    X(read_support_filter_compress) \
    X(read_support_filter_gzip) \
    X(read_support_filter_lz4) \
    X(read_support_filter_lzip) \
    X(read_support_filter_lzma) \
    X(read_support_filter_xz) \
    X(read_support_filter_zstd) \
    X(read_support_format_7zip) \
    X(read_support_format_cpio) \
    X(read_support_format_iso9660) \
    X(read_support_format_tar) \
    X(read_support_format_zip_seekable) \
    X(set_error)

#include "host/late_archive.h"
#include "host/utf8.h"

struct archive_in {
    struct archive *a;
    struct archive_source source;
    char *what;
    locale_t names; /* utf8.h */
    uint8_t *mem;
    uint64_t in, out; /* bytes; holes count */
    uint64_t pos;     /* in the entry */
    size_t entries;
    bool open;
    bool ended, blank; /* the source has; its last record is zeros */
    struct err e;      /* of the source */
};

/* ---- where the bytes come from ---- */

static bool is_zero(const uint8_t *p, size_t n)
{
    return n > 0 && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static la_ssize_t read_more(struct archive *from, void *arg, const void **p)
{
    struct archive_in *a = arg;
    int64_t n = a->source.read(a->source.arg, (struct span){a->mem, BLOCK}, &a->e);

    if (n < 0) {
        la.set_error(from, a->e.os ? a->e.os : -1, "%s", a->e.msg);
        return -1;
    }
    *p = a->mem;
    a->in += (uint64_t)n;
    a->ended = n == 0;
    if (n > 0)
        a->blank = n >= RECORD && is_zero(a->mem + n - RECORD, RECORD);
    return n;
}

static la_int64_t seek_to(struct archive *from, void *arg, la_int64_t off, int whence)
{
    struct archive_in *a = arg;
    int64_t at = a->source.seek(a->source.arg, off, whence);

    if (at < 0)
        la.set_error(from, -1, "it cannot be read at any place");
    return at < 0 ? ARCHIVE_FATAL : at;
}

/* ---- beginning ---- */

/* A filter that libarchive was built without is one that starts a program: ARCHIVE_WARN tells. */
static bool is_built_in(int (*filter)(struct archive *))
{
    struct archive *probe = la.read_new();
    bool yes = probe && filter(probe) == ARCHIVE_OK;

    la.read_free(probe);
    return yes;
}

static void support(const struct archive_in *a)
{
    int (*const filters[])(struct archive *) = {
        la.read_support_filter_gzip, la.read_support_filter_bzip2,    la.read_support_filter_xz,
        la.read_support_filter_lzma, la.read_support_filter_zstd,     la.read_support_filter_lz4,
        la.read_support_filter_lzip, la.read_support_filter_compress,
    };

    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (is_built_in(filters[i]))
            filters[i](a->a);
    la.read_support_format_tar(a->a);
    la.read_support_format_cpio(a->a);
    la.read_support_format_iso9660(a->a);
    if (a->source.seek) {
        la.read_support_format_zip_seekable(a->a);
        la.read_support_format_7zip(a->a);
    }
}

struct archive_in *archive_in_new(const struct archive_source *s, const char *what, struct err *e)
{
    struct archive_in *a;

    if (late_load(&late, e) < 0)
        return NULL;
    a = mem_zero(sizeof *a);
    a->source = *s;
    a->what = mem_str(what);
    a->names = utf8_new();
    a->mem = mem_alloc(BLOCK);
    a->a = la.read_new();
    support(a);
    la.read_set_callback_data(a->a, a);
    la.read_set_read_callback(a->a, read_more);
    if (s->seek)
        la.read_set_seek_callback(a->a, seek_to);
    return a;
}

void archive_in_free(struct archive_in *a)
{
    if (!a)
        return;
    la.read_free(a->a);
    utf8_free(a->names);
    free(a->mem);
    free(a->what);
    free(a);
}

void archive_in_to_end(struct archive_in *a)
{
    la.read_set_format_option(a->a, "tar", "read_concatenated_archives", "1");
}

bool archive_in_at_end(struct bytes head)
{
    return (head.n >= 4 && memcmp(head.p, "PK", 2) == 0 && head.p[2] < 9 && head.p[3] < 9) ||
           (head.n >= 6 && memcmp(head.p, "7z\xbc\xaf\x27\x1c", 6) == 0);
}

/* ---- entries ---- */

/* The source's own words, where it was the source. */
static int broken(const struct archive_in *a, struct err *e)
{
    const char *why = la.error_string(a->a);

    if (a->e.code) {
        if (e && !e->code)
            *e = a->e;
        return a->e.code;
    }
    if (a->entries == 0 && a->out == 0)
        return err_set(e, ERR_INVALID, "%s: no archive that can be read (%s)", a->what,
                       why ? why : "unknown");
    return err_set(e, ERR_INVALID, "%s: the archive is damaged or cut off: %s", a->what,
                   why ? why : "unknown");
}

static enum archive_kind kind_of(struct archive_entry *n)
{
    if (la.entry_hardlink(n))
        return ARCHIVE_IS_HARD;
    switch (la.entry_filetype(n)) {
    case AE_IFREG:
        return ARCHIVE_IS_FILE;
    case AE_IFDIR:
        return ARCHIVE_IS_FOLDER;
    case AE_IFLNK:
        return ARCHIVE_IS_LINK;
    default:
        return ARCHIVE_IS_OTHER;
    }
}

static int take_entry(const struct archive_in *a, struct archive_entry *n,
                      struct archive_entry_in *out, struct err *e)
{
    *out = (struct archive_entry_in){
        .kind = kind_of(n),
        .path = la.entry_pathname(n),
        .size = (uint64_t)(la.entry_size(n) > 0 ? la.entry_size(n) : 0),
    };
    out->executable = out->kind != ARCHIVE_IS_LINK && (la.entry_perm(n) & 0100);
    out->sparse = la.entry_sparse_count(n) > 0;
    out->dated = la.entry_mtime_is_set(n);
    if (out->dated)
        out->mtime = (struct timespec){la.entry_mtime(n), la.entry_mtime_nsec(n)};
    if (!out->path)
        return err_set(e, ERR_INVALID, "%s: there is an entry without a name", a->what);
    if (la.entry_is_encrypted(n))
        return err_set(e, ERR_INVALID, "%s: %s: is encrypted", a->what, out->path);
    if (out->kind == ARCHIVE_IS_HARD)
        out->link = la.entry_hardlink(n);
    if (out->kind == ARCHIVE_IS_LINK)
        out->link = la.entry_symlink(n);
    if (out->kind == ARCHIVE_IS_LINK && !out->link)
        return err_set(e, ERR_INVALID, "%s: %s: a link to nowhere", a->what, out->path);
    return 1;
}

/* A plain tar that ends without its mark was cut between two entries: libarchive asks no mark. */
static int at_end(const struct archive_in *a, struct err *e)
{
    bool tar = (la.format(a->a) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;

    if (tar && la.filter_count(a->a) == 1 && a->ended && !a->blank)
        return err_set(e, ERR_INVALID, "%s: the archive is cut off: it has no end", a->what);
    return 0;
}

static int next(struct archive_in *a, struct archive_entry_in *out, struct err *e)
{
    struct archive_entry *n = NULL;

    if (!a->open && la.read_open1(a->a) < ARCHIVE_WARN)
        return broken(a, e);
    a->open = true;
    int rc = la.read_next_header(a->a, &n);
    if (rc == ARCHIVE_EOF)
        return at_end(a, e);
    /* A name in another character set is no more than a warning, and is there as it stands. */
    if (rc < ARCHIVE_WARN)
        return broken(a, e);
    a->pos = 0;
    if (++a->entries > ARCHIVE_MAX_ENTRIES)
        return err_set(e, ERR_LIMIT, "%s: more than %u entries", a->what, ARCHIVE_MAX_ENTRIES);
    return take_entry(a, n, out, e);
}

int archive_in_next(struct archive_in *a, struct archive_entry_in *out, struct err *e)
{
    locale_t before = utf8_enter(a->names);
    int rc = next(a, out, e);

    utf8_leave(before);
    return rc;
}

int archive_in_data(struct archive_in *a, struct bytes *b, uint64_t *offset, struct err *e)
{
    const void *p = NULL;
    size_t n = 0;
    la_int64_t at = 0;
    int rc = la.read_data_block(a->a, &p, &n, &at);

    if (rc != ARCHIVE_OK && rc != ARCHIVE_EOF)
        return broken(a, e);
    *b = BYTES(p, n);
    *offset = at > 0 ? (uint64_t)at : a->pos;
    if (*offset + n > a->pos) {
        a->out += *offset + n - a->pos;
        a->pos = *offset + n;
    }
    if (a->out > ARCHIVE_BOMB_BYTES && a->out / ARCHIVE_BOMB_RATIO > a->in)
        return err_set(e, ERR_LIMIT, "%s: a bomb: more than %u times of what it has comes out",
                       a->what, ARCHIVE_BOMB_RATIO);
    return rc == ARCHIVE_OK;
}

/* ---- names ---- */

static int check_part(struct bytes part, const char *path, const char *what, unsigned depth,
                      struct err *e)
{
    if (!names_component_ok(part))
        return err_set(e, ERR_INVALID, "%s: '%s' leads out of it", what, path);
    if (depth > ARCHIVE_MAX_DEPTH)
        return err_set(e, ERR_LIMIT, "%s: '%.100s' is more than %d folders deep", what, path,
                       ARCHIVE_MAX_DEPTH);
    return 0;
}

char *archive_in_path(const char *path, const char *what, struct err *e)
{
    struct buf out = {0};
    unsigned depth = 0;

    if (*path == '/') {
        err_set(e, ERR_INVALID, "%s: '%s' is an absolute path", what, path);
        return NULL;
    }
    for (const char *at = path; *at;) {
        size_t n = strcspn(at, "/");
        struct bytes part = BYTES(at, n);

        at += n + (at[n] == '/');
        if (n == 0 || bytes_is(part, "."))
            continue;
        if (check_part(part, path, what, ++depth, e) < 0) {
            buf_fini(&out);
            return NULL;
        }
        if (buf_len(&out) > 0)
            buf_put_u8(&out, '/');
        buf_put(&out, part.p, part.n);
    }
    return buf_take_str(&out);
}

/*
 * Archives that libarchive reads, one format at a time: what it is was found out before, so that
 * none of its readers goes looking for itself. Only what it does by itself is used: a filter for
 * which it would run another program is refused.
 */
#include "host/inside_in.h"
#include "host/utf8.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

#define CHUNK (64u << 10)
#define FILTERS_MOST 2 /* and the one that is none: no archive is packed in others without end */

#define CALLS(X) \
    X(entry_filetype) \
    X(entry_hardlink) \
    X(entry_is_data_encrypted) \
    X(entry_mtime) \
    X(entry_mtime_is_set) \
    X(entry_pathname) \
    X(entry_perm) \
    X(entry_size) \
    X(entry_symlink) \
    X(error_string) \
    X(filter_bytes) \
    X(filter_count) \
    X(read_data) \
    X(read_free) \
    X(read_new) \
    X(read_next_header) \
    X(read_open1) \
    X(read_set_callback_data) \
    X(read_set_read_callback) \
    X(read_set_seek_callback) \
    X(read_set_skip_callback) \
    X(read_support_filter_bzip2) \
    X(read_support_filter_compress) \
    X(read_support_filter_gzip) \
    X(read_support_filter_lz4) \
    X(read_support_filter_lzip) \
    X(read_support_filter_lzma) \
    X(read_support_filter_none) \
    X(read_support_filter_xz) \
    X(read_support_filter_zstd) \
    X(read_support_format_7zip) \
    X(read_support_format_ar) \
    X(read_support_format_cpio) \
    X(read_support_format_iso9660) \
    X(read_support_format_tar) \
    X(read_support_format_zip_streamable)

#include "host/late_archive.h"

struct inside_la {
    struct archive *a;
    struct inside_bytes *bytes;
    enum inside_la_format format;
    enum inside_la_filter filter;
    uint64_t at, sure; /* where it reads; how far it will for sure */
    uint64_t size;     /* of the entry */
    bool begun;        /* it is being read */
    uint8_t mem[CHUNK];
    struct err e;   /* why reading failed, if it did */
    locale_t names; /* utf8.h */
};

/* ---- what it asks for ---- */

static la_ssize_t on_read(struct archive *a, void *arg, const void **p)
{
    struct inside_la *r = arg;
    int64_t n = inside_some(r->bytes, r->at, (struct span){r->mem, sizeof r->mem}, r->sure, &r->e);

    (void)a;
    *p = r->mem;
    r->at += n > 0 ? (uint64_t)n : 0;
    return n < 0 ? ARCHIVE_FATAL : (la_ssize_t)n;
}

static la_int64_t on_skip(struct archive *a, void *arg, la_int64_t n)
{
    struct inside_la *r = arg;
    uint64_t left = r->bytes->source.size - r->at;

    (void)a;
    if (n < 0)
        return 0;
    n = (uint64_t)n < left ? n : (la_int64_t)left;
    r->at += (uint64_t)n;
    return n;
}

static la_int64_t on_seek(struct archive *a, void *arg, la_int64_t off, int whence)
{
    struct inside_la *r = arg;
    int64_t size = (int64_t)r->bytes->source.size;
    int64_t from = whence == SEEK_CUR ? (int64_t)r->at : whence == SEEK_END ? size : 0;

    (void)a;
    if (off < -from || off > size - from)
        return ARCHIVE_FATAL;
    r->at = (uint64_t)(from + off);
    return (la_int64_t)r->at;
}

/* ---- opening ---- */

static int failed(const struct inside_la *r, struct err *e)
{
    const char *why = la.error_string(r->a);

    if (r->e.code) {
        if (e && !e->code)
            *e = r->e;
        return r->e.code;
    }
    return err_set(e, ERR_INVALID, "the archive is broken: %s", why ? why : "it cannot be read");
}

static int set_format(const struct inside_la *r)
{
    switch (r->format) {
    case LA_TAR:
        return la.read_support_format_tar(r->a);
    case LA_CPIO:
        return la.read_support_format_cpio(r->a);
    case LA_AR:
        return la.read_support_format_ar(r->a);
    case LA_7ZIP:
        return la.read_support_format_7zip(r->a);
    case LA_ISO:
        return la.read_support_format_iso9660(r->a);
    case LA_ZIP_ENTRY:
        return la.read_support_format_zip_streamable(r->a);
    case LA_FORMATS:
        break;
    }
    return ARCHIVE_FATAL;
}

static int set_filter(const struct inside_la *r)
{
    switch (r->filter) {
    case LA_NONE:
        return la.read_support_filter_none(r->a);
    case LA_GZIP:
        return la.read_support_filter_gzip(r->a);
    case LA_BZIP2:
        return la.read_support_filter_bzip2(r->a);
    case LA_XZ:
        return la.read_support_filter_xz(r->a);
    case LA_LZMA:
        return la.read_support_filter_lzma(r->a);
    case LA_ZSTD:
        return la.read_support_filter_zstd(r->a);
    case LA_LZ4:
        return la.read_support_filter_lz4(r->a);
    case LA_LZIP:
        return la.read_support_filter_lzip(r->a);
    case LA_COMPRESS:
        return la.read_support_filter_compress(r->a);
    case LA_FILTERS:
        break;
    }
    return ARCHIVE_FATAL;
}

static int open_it(struct inside_la *r, struct err *e)
{
    if (set_format(r) != ARCHIVE_OK || set_filter(r) != ARCHIVE_OK) /* a warning: by a program */
        return err_set(e, ERR_FAIL, "libarchive cannot read such archives here");
    if (r->filter != LA_NONE && (la.read_support_format_cpio(r->a) != ARCHIVE_OK ||
                                 la.read_support_format_ar(r->a) != ARCHIVE_OK))
        return failed(r, e);
    la.read_set_callback_data(r->a, r);
    la.read_set_read_callback(r->a, on_read);
    la.read_set_skip_callback(r->a, on_skip);
    la.read_set_seek_callback(r->a, on_seek);
    if (la.read_open1(r->a) < ARCHIVE_WARN)
        return failed(r, e);
    if (la.filter_count(r->a) > FILTERS_MOST)
        return err_set(e, ERR_INVALID, "it is packed again and again");
    return 0;
}

int inside_la_open(struct inside_la **out, struct inside_bytes *b, enum inside_la_format format,
                   enum inside_la_filter filter, struct err *e)
{
    struct inside_la *r;
    int rc = late_load(&late, e);

    if (rc < 0)
        return rc;
    r = mem_zero(sizeof *r);
    r->a = la.read_new();
    r->bytes = b;
    r->format = format;
    r->filter = filter;
    r->names = utf8_new();
    locale_t before = utf8_enter(r->names);
    rc = open_it(r, e);
    utf8_leave(before);
    *out = rc < 0 ? NULL : r;
    if (rc < 0)
        inside_la_close(r);
    return rc;
}

void inside_la_close(struct inside_la *r)
{
    if (!r)
        return;
    la.read_free(r->a);
    utf8_free(r->names);
    free(r);
}

/* ---- entries ---- */

static enum inside_kind kind_of(struct archive_entry *n)
{
    if (la.entry_hardlink(n))
        return INSIDE_HARDLINK;
    switch (la.entry_filetype(n)) {
    case AE_IFREG:
        return INSIDE_FILE;
    case AE_IFDIR:
        return INSIDE_FOLDER;
    case AE_IFLNK:
        return INSIDE_SYMLINK;
    default:
        return INSIDE_OTHER;
    }
}

static void tell(struct inside_la *r, struct archive_entry *n, struct inside_entry *out)
{
    const char *path = la.entry_pathname(n);
    la_int64_t size = la.entry_size(n);

    *out = (struct inside_entry){
        .path = path ? path : "",
        .size = size > 0 ? (uint64_t)size : 0,
        .kind = kind_of(n),
        .executable = la.entry_perm(n) & 0111,
        .encrypted = la.entry_is_data_encrypted(n) == 1,
        .dated = la.entry_mtime_is_set(n) != 0,
        .mtime = la.entry_mtime(n),
    };
    if (out->kind == INSIDE_HARDLINK)
        out->target = la.entry_hardlink(n);
    else if (out->kind == INSIDE_SYMLINK)
        out->target = la.entry_symlink(n);
    r->size = out->size;
}

int inside_la_next(struct inside_la *r, struct inside_entry *out, struct err *e)
{
    struct archive_entry *n = NULL;
    locale_t before = utf8_enter(r->names);
    int rc, tries = 0;

    r->sure = 0;
    r->begun = false;
    do
        rc = la.read_next_header(r->a, &n);
    while (rc == ARCHIVE_RETRY && ++tries < 100); /* of what it cannot use it takes the next */
    if (rc == ARCHIVE_EOF)
        rc = r->e.code ? failed(r, e) : 0;
    else if (rc < ARCHIVE_WARN)
        rc = failed(r, e);
    else
        rc = 1;
    if (rc == 1)
        tell(r, n, out);
    utf8_leave(before);
    return rc;
}

/* The bytes of an entry lie together where nothing is packed and a header is in front of it. */
static void look_ahead(struct inside_la *r)
{
    bool together =
        r->filter == LA_NONE && (r->format == LA_TAR || r->format == LA_CPIO || r->format == LA_AR);

    r->begun = true;
    if (r->format == LA_ZIP_ENTRY)
        r->sure = r->bytes->source.size;
    else if (together)
        r->sure = (uint64_t)la.filter_bytes(r->a, -1) + r->size;
}

int64_t inside_la_read(struct inside_la *r, struct span to, struct err *e)
{
    la_ssize_t n;

    if (!r->begun)
        look_ahead(r);
    n = la.read_data(r->a, to.p, to.n);
    return n < 0 ? failed(r, e) : n;
}

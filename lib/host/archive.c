/*
 * Archives, written as a stream; see archive.h. libarchive takes names to be in the character set
 * of the locale: ours is UTF-8, whatever the program's is, for the time of a call. It is loaded
 * when the first archive begins: what it needs itself maps 40 MB.
 */
#include <p2p/host/archive.h>

#include <p2p/base/buf.h>
#include <p2p/base/mem.h>

#include <stdlib.h>

#define NO_DATE 315532800 /* 1980-01-01, the first day that zip knows */

/* What of libarchive is used. */
#define CALLS(X) \
    X(entry_clear) \
    X(entry_copy_pathname) \
    X(entry_copy_symlink) \
    X(entry_free) \
    X(entry_new) \
    X(entry_set_filetype) \
    X(entry_set_mtime) \
    X(entry_set_nlink) \
    X(entry_set_perm) \
    X(entry_set_size) \
    X(error_string) \
    X(write_close) \
    X(write_data) \
    X(write_free) \
    X(write_header) \
    X(write_new) \
    X(write_open) \
    X(write_set_bytes_per_block) \
    X(write_set_format_cpio_newc) \
    X(write_set_format_pax_restricted) \
    X(write_set_format_zip) \
    X(write_zip_set_compression_store)

#include "host/late_archive.h"
#include "host/utf8.h"

struct archive_out {
    struct archive *a;
    struct archive_entry *entry;
    struct buf ready;
    bool over; /* it is only freed now: what an unfinished entry lacks is not to be filled up */
    locale_t names; /* utf8.h */
};

static la_ssize_t append(struct archive *to, void *arg, const void *p, size_t n)
{
    struct archive_out *a = arg;

    (void)to;
    return !a->over && buf_put(&a->ready, p, n) ? (la_ssize_t)n : -1;
}

static int failed(const struct archive_out *a, struct err *e)
{
    const char *why = la.error_string(a->a);

    return err_set(e, ERR_FAIL, "archive: %s", why ? why : "cannot be written");
}

/* What it can only say with a loss (a name in an unknown character set) it has written all the
 * same. */
static int result(const struct archive_out *a, la_ssize_t rc, struct err *e)
{
    return rc >= ARCHIVE_WARN ? 0 : failed(a, e);
}

static la_ssize_t set_format(struct archive *a, enum archive_format f)
{
    switch (f) {
    case ARCHIVE_CPIO:
        return la.write_set_format_cpio_newc(a);
    case ARCHIVE_ZIP:
        la.write_set_format_zip(a);
        return la.write_zip_set_compression_store(a);
    case ARCHIVE_TAR:
        break;
    }
    return la.write_set_format_pax_restricted(a);
}

struct archive_out *archive_out_new(enum archive_format f, struct err *e)
{
    struct archive_out *a;

    if (late_load(&late, e) < 0)
        return NULL;
    a = mem_zero(sizeof *a);
    a->a = la.write_new();
    a->entry = la.entry_new();
    a->names = utf8_new();
    if (result(a, set_format(a->a, f), e) == 0) {
        la.write_set_bytes_per_block(a->a, 0); /* as it comes */
        if (result(a, la.write_open(a->a, a, NULL, append, NULL), e) == 0)
            return a;
    }
    archive_out_free(a);
    return NULL;
}

void archive_out_free(struct archive_out *a)
{
    if (!a)
        return;
    a->over = true;
    la.write_free(a->a);
    la.entry_free(a->entry);
    utf8_free(a->names);
    buf_fini(&a->ready);
    free(a);
}

int archive_out_begin(struct archive_out *a, const struct archive_file *f, struct err *e)
{
    struct archive_entry *n = la.entry_clear(a->entry);
    locale_t before = utf8_enter(a->names);
    la_ssize_t rc;

    la.entry_copy_pathname(n, f->path);
    la.entry_set_filetype(n, f->link ? AE_IFLNK : AE_IFREG);
    la.entry_set_perm(n, f->link ? 0777 : f->executable ? 0755 : 0644);
    la.entry_set_mtime(n, NO_DATE, 0);
    la.entry_set_nlink(n, 1);
    la.entry_set_size(n, f->link ? 0 : (la_int64_t)f->size);
    if (f->link)
        la.entry_copy_symlink(n, f->link);
    rc = la.write_header(a->a, n);
    utf8_leave(before);
    return result(a, rc, e);
}

int archive_out_data(struct archive_out *a, struct bytes b, struct err *e)
{
    la_ssize_t n = la.write_data(a->a, b.p, b.n);

    if (n >= 0 && (size_t)n != b.n)
        return err_set(e, ERR_FAIL, "archive: an entry has more bytes than were announced");
    return result(a, n, e);
}

int archive_out_end(struct archive_out *a, struct err *e)
{
    return result(a, la.write_close(a->a), e);
}

struct bytes archive_out_ready(const struct archive_out *a)
{
    return buf_bytes(&a->ready);
}

void archive_out_taken(struct archive_out *a, size_t n)
{
    buf_eat(&a->ready, n);
}

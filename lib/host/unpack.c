/*
 * Archives, read; see unpack.h. libarchive takes names to be in the character set of the locale:
 * ours is UTF-8, whatever the program's is, while it is at work.
 */
#include "host/late.h"
#include "host/unpack_in.h"

#include <p2p/base/mem.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* What of libarchive is used. */
#define CALLS(X) \
    X(entry_filetype) \
    X(entry_hardlink) \
    X(entry_hardlink_utf8) \
    X(entry_is_data_encrypted) \
    X(entry_mtime) \
    X(entry_mtime_is_set) \
    X(entry_mtime_nsec) \
    X(entry_pathname) \
    X(entry_pathname_utf8) \
    X(entry_perm) \
    X(entry_size) \
    X(entry_size_is_set) \
    X(entry_sparse_count) \
    X(entry_symlink) \
    X(entry_symlink_utf8) \
    X(error_string) \
    X(format) \
    X(read_data_block) \
    X(read_free) \
    X(read_new) \
    X(read_next_header) \
    X(read_open1) \
    X(read_set_callback_data) \
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
    X(read_support_format_zip_seekable)

static struct {
#define CALL(name) __typeof__(archive_##name) *name;
    CALLS(CALL)
#undef CALL
} la;

static const struct late_place places[] = {
#define PLACE(name) {"archive_" #name, &la.name},
    CALLS(PLACE)
#undef PLACE
};

static struct late late = {
    .library = "libarchive.so.13",
    .what = "libarchive, which --extract needs",
    .places = places,
    .n = sizeof places / sizeof *places,
};

struct unpack {
    struct unpack_spec spec;
    struct archive *a;
    struct source source;
    struct place place;
    locale_t names; /* 0: there is none of UTF-8 here */
    bool inner;
};

struct unpack *unpack_new(const struct unpack_spec *s, struct err *e)
{
    struct unpack *u;

    if (late_load(&late, e) < 0)
        return NULL;
    u = mem_zero(sizeof *u);
    u->spec = *s;
    u->names = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    u->source.fd = -1;
    place_init(&u->place, s);
    tzset(); /* zip has times of the place */
    return u;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    if (u->a)
        la.read_free(u->a);
    source_close(&u->source);
    place_fini(&u->place);
    if (u->names)
        freelocale(u->names);
    free(u);
}

bool unpack_inner(const struct unpack *u)
{
    return u->inner;
}

void unpack_undo(struct unpack *u)
{
    place_undo(&u->place);
}

/* ---- libarchive and its source ---- */

static la_ssize_t give(struct archive *a, void *arg, const void **p)
{
    struct unpack *u = arg;

    (void)a;
    return (la_ssize_t)source_read(&u->source, p);
}

static la_int64_t seek(struct archive *a, void *arg, la_int64_t offset, int whence)
{
    struct unpack *u = arg;

    (void)a;
    return (la_int64_t)source_seek(&u->source, offset, whence);
}

/* ARCHIVE_WARN: it would run a program for it. There is no taking that back, so it is tried on
 * another reader first. */
static void allow_filter(struct archive *a, int (*allow)(struct archive *))
{
    struct archive *trial = la.read_new();

    if (allow(trial) == ARCHIVE_OK)
        allow(a);
    la.read_free(trial);
}

static void allow_formats(struct unpack *u)
{
    int (*const filters[])(struct archive *) = {
        la.read_support_filter_gzip, la.read_support_filter_bzip2,    la.read_support_filter_xz,
        la.read_support_filter_lzma, la.read_support_filter_lzip,     la.read_support_filter_zstd,
        la.read_support_filter_lz4,  la.read_support_filter_compress,
    };

    la.read_support_format_iso9660(u->a);
    if (u->source.whole) {
        la.read_support_format_zip_seekable(u->a);
        la.read_support_format_7zip(u->a);
        return;
    }
    la.read_support_format_tar(u->a);
    la.read_support_format_cpio(u->a);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        allow_filter(u->a, filters[i]);
}

/* Why it does not go on: the source, or what came out of it. */
static int damaged(const struct unpack *u, struct err *e)
{
    const char *why = la.error_string(u->a);

    if (u->source.e.code) {
        if (e)
            *e = u->source.e;
        return u->source.e.code;
    }
    return err_set(e, ERR_FAIL, "the archive is damaged%s%s", why ? ": " : "", why ? why : "");
}

/* Or what it begins with is in no form that is known. */
static int not_read(const struct unpack *u, struct err *e)
{
    const char *why = la.error_string(u->a);

    if (u->source.e.code || la.format(u->a) != 0)
        return damaged(u, e);
    return err_set(e, ERR_FAIL, "is no archive that can be unpacked%s%s", why ? ": " : "",
                   why ? why : "");
}

static int open_archive(struct unpack *u, struct err *e)
{
    int rc = source_open(&u->source, &u->spec, e);

    if (rc < 0)
        return rc;
    u->a = la.read_new();
    allow_formats(u);
    la.read_set_callback_data(u->a, u);
    la.read_set_read_callback(u->a, give);
    if (u->source.whole)
        la.read_set_seek_callback(u->a, seek);
    return la.read_open1(u->a) == ARCHIVE_OK ? 0 : not_read(u, e);
}

/* ---- one entry ---- */

static int write_blocks(struct unpack *u, int fd, uint64_t *end, struct err *e)
{
    const void *p;
    size_t n;
    la_int64_t at;
    int rc, got;

    while ((got = la.read_data_block(u->a, &p, &n, &at)) == ARCHIVE_OK) {
        rc =
            at < 0 ? damaged(u, e) : place_write(&u->place, fd, (uint64_t)at, *end, BYTES(p, n), e);
        if (rc < 0)
            return rc;
        *end = (uint64_t)at + n;
    }
    return got == ARCHIVE_EOF ? 0 : damaged(u, e);
}

/* A hole at the end, if it is longer than what was written. */
static int write_data(struct unpack *u, struct archive_entry *n, int fd, struct err *e)
{
    uint64_t end = 0, size = la.entry_size_is_set(n) ? (uint64_t)la.entry_size(n) : 0;
    int rc = 0;

    if (la.entry_size_is_set(n) && la.entry_size(n) < 0)
        return damaged(u, e);
    if (la.entry_sparse_count(n) == 0)
        rc = place_room(&u->place, size, e);
    if (rc == 0)
        rc = write_blocks(u, fd, &end, e);
    if (rc == 0 && end < size)
        rc = place_write(&u->place, fd, size, end, BYTES(NULL, 0), e);
    if (rc == 0 && end < size && ftruncate(fd, (off_t)size) != 0)
        rc = err_os(e, errno, "unpacking");
    return rc;
}

/* A file system that keeps neither is no error. */
static void dress(struct archive_entry *n, int fd)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    struct stat st;

    if ((la.entry_perm(n) & S_IXUSR) && fstat(fd, &st) == 0)
        (void)fchmod(fd, (st.st_mode | (st.st_mode & 0444) >> 2) & 0777);
    if (!la.entry_mtime_is_set(n))
        return;
    times[1] = (struct timespec){la.entry_mtime(n), la.entry_mtime_nsec(n)};
    (void)futimens(fd, times);
}

static int regular(struct unpack *u, struct archive_entry *n, const char *path, bool again,
                   struct err *e)
{
    int rc, fd = place_file(&u->place, path, again, e);

    if (fd < 0)
        return fd;
    rc = write_data(u, n, fd, e);
    if (rc == 0)
        dress(n, fd);
    if (close(fd) != 0 && rc == 0)
        rc = err_os(e, errno, "unpacking");
    return rc;
}

static const char *either(const char *native, const char *utf8)
{
    return native ? native : utf8;
}

/* Of some formats, one of the names of a file has its data, of others each has. */
static int hardlink(struct unpack *u, struct archive_entry *n, const char *path, const char *target,
                    struct err *e)
{
    int rc = place_hardlink(&u->place, path, target, e);

    return rc == 0 && la.entry_size_is_set(n) && la.entry_size(n) > 0 ? regular(u, n, path, true, e)
                                                                      : rc;
}

static int special(const char *path, struct err *e)
{
    return err_set(e, ERR_FAIL, "the archive has '%.200s', which is a device, FIFO or socket",
                   path);
}

static int entry_at(struct unpack *u, struct archive_entry *n, const char *path, struct err *e)
{
    const char *target = either(la.entry_hardlink(n), la.entry_hardlink_utf8(n));
    const char *text;

    if (target)
        return hardlink(u, n, path, target, e);
    switch (la.entry_filetype(n)) {
    case AE_IFDIR:
        return place_folder(&u->place, path, e);
    case AE_IFLNK:
        text = either(la.entry_symlink(n), la.entry_symlink_utf8(n));
        return place_link(&u->place, path, text ? text : "", e);
    case AE_IFREG:
        if (la.entry_is_data_encrypted(n) > 0)
            return err_set(e, ERR_FAIL, "the archive is encrypted");
        return regular(u, n, path, false, e);
    default:
        return special(path, e);
    }
}

static int entry(struct unpack *u, struct archive_entry *n, struct err *e)
{
    const char *raw = either(la.entry_pathname(n), la.entry_pathname_utf8(n));
    char *path = NULL;
    int rc = raw ? place_name(&u->place, raw, &path, e)
                 : err_set(e, ERR_FAIL, "the archive has an entry without a name");

    if (rc == 0 && path)
        rc = entry_at(u, n, path, e);
    else if (rc == 0 && la.entry_filetype(n) != AE_IFDIR)
        rc = err_set(e, ERR_FAIL, "the archive has an entry without a name");
    free(path);
    return rc;
}

/* ---- all of them ---- */

static int all_entries(struct unpack *u, struct err *e)
{
    struct archive_entry *n = NULL;
    int got, rc = 0;

    while (rc == 0 && (got = la.read_next_header(u->a, &n)) != ARCHIVE_EOF) {
        if (got < ARCHIVE_WARN)
            return not_read(u, e);
        rc = entry(u, n, e);
    }
    return rc;
}

int unpack_run(struct unpack *u, struct err *e)
{
    locale_t before = u->names ? uselocale(u->names) : (locale_t)0;
    int rc = open_archive(u, e);

    if (rc == 0)
        rc = all_entries(u, e);
    if (rc == 0)
        rc = place_finish(&u->place, u->spec.top, &u->inner, e);
    if (rc == 0 && !u->source.whole)
        source_drain(&u->source);
    if (before)
        uselocale(before);
    return rc;
}

/* What is inside an archive: told as it was put in, and read where it must be and nowhere else. */
#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/base/rng.h>
#include <p2p/host/inside.h>

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 16384u
#define N_FILES 40u
#define LONG \
    "a folder with a long name/another folder with a long name/a third one of that kind/" \
    "and what lies in it at last, which has a long name too and goes on and on"

/* ---- an archive in memory, and which of its pages were read ---- */

struct store {
    struct buf all;
    uint8_t touched[4096];
    uint64_t sure; /* what was announced last */
    size_t step;   /* most bytes at a time; 0: as asked for */
    bool refuse; /* to read, to write */
};

static int64_t read_store(void *arg, uint64_t at, struct span to, uint64_t sure, struct err *e)
{
    struct store *s = arg;
    struct bytes b = buf_bytes(&s->all);

    assert_true(at < b.n && to.n > 0 && to.n <= b.n - at);
    assert_true(sure <= b.n);
    if (s->refuse)
        return err_set(e, ERR_CANCELED, "enough");
    if (s->step && to.n > s->step)
        to.n = s->step;
    for (uint64_t p = at / PAGE; p <= (at + to.n - 1) / PAGE; p++)
        s->touched[p] = 1;
    memcpy(to.p, b.p + at, to.n);
    s->sure = sure;
    return (int64_t)to.n;
}

static struct inside_source source_of(struct store *s)
{
    memset(s->touched, 0, sizeof s->touched);
    return (struct inside_source){.size = buf_len(&s->all), .read = read_store, .arg = s};
}

static uint64_t pages(const struct store *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < sizeof s->touched; i++)
        n += s->touched[i];
    return n;
}

static la_ssize_t append(struct archive *a, void *arg, const void *p, size_t n)
{
    struct store *s = arg;

    (void)a;
    return !s->refuse && buf_put(&s->all, p, n) ? (la_ssize_t)n : -1;
}

static uint64_t size_of(unsigned i)
{
    return i == 3 ? 0 : 100000u + i * 77u;
}

static char *name_of(unsigned i)
{
    return i == 7 ? mem_str(LONG) : mem_fmt("d/file-%02u.bin", i);
}

static uint8_t *content_of(unsigned i)
{
    uint8_t *p = mem_alloc(size_of(i) + 1);
    struct rng r;

    rng_seed(&r, i + 1);
    for (uint64_t k = 0; k < size_of(i); k++)
        p[k] = (uint8_t)rng_u64(&r);
    return p;
}

static void put(struct archive *w, const char *name, unsigned type, const uint8_t *p, uint64_t size,
                const char *link)
{
    struct archive_entry *n = archive_entry_new();

    archive_entry_set_pathname(n, name);
    archive_entry_set_filetype(n, type);
    archive_entry_set_perm(n, 0644);
    archive_entry_set_mtime(n, 1000000000, 0);
    archive_entry_set_size(n, (la_int64_t)size);
    if (link)
        archive_entry_set_symlink(n, link);
    if (archive_write_header(w, n) != ARCHIVE_OK)
        fail_msg("%s: %s", name, archive_error_string(w));
    if (size)
        assert_int_equal(archive_write_data(w, p, size), size);
    archive_entry_free(n);
}

static void make(struct store *s, int format, const char *options, int filter)
{
    struct archive *w = archive_write_new();

    *s = (struct store){0};
    assert_int_equal(format == ARCHIVE_FORMAT_TAR_GNUTAR ? archive_write_set_format_gnutar(w)
                     : format == ARCHIVE_FORMAT_AR_BSD   ? archive_write_set_format_ar_bsd(w)
                                                         : archive_write_set_format(w, format),
                     ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter(w, filter), ARCHIVE_OK);
    assert_true(archive_write_set_options(w, options) >= ARCHIVE_WARN);
    archive_write_set_bytes_per_block(w, 0);
    assert_int_equal(archive_write_open(w, s, NULL, append, NULL), ARCHIVE_OK);
    if (format != ARCHIVE_FORMAT_AR_BSD) {
        put(w, "d", AE_IFDIR, NULL, 0, NULL);
        if (format != ARCHIVE_FORMAT_7ZIP) /* libarchive unpacks all that stands before one */
            put(w, "d/link", AE_IFLNK, NULL, 0, "file-01.bin");
    }
    for (unsigned i = 0; i < N_FILES; i++) {
        char *name = name_of(i);
        uint8_t *p = content_of(i);

        put(w, format == ARCHIVE_FORMAT_AR_BSD ? strrchr(name, '/') + 1 : name, AE_IFREG, p,
            size_of(i), NULL);
        free(p);
        free(name);
    }
    assert_int_equal(archive_write_close(w), ARCHIVE_OK);
    archive_write_free(w);
}

static const struct kind {
    const char *name; /* as it is told */
    int format;
    const char *options;
    int filter;
    unsigned list, take; /* pages: at most for listing, and for one file */
} kinds[] = {
    {"zip", ARCHIVE_FORMAT_ZIP, "", 0, 3, 12},
    {"zip", ARCHIVE_FORMAT_ZIP, "zip:compression=store", 0, 3, 12},
    {"zip", ARCHIVE_FORMAT_ZIP, "zip:zip64", 0, 3, 12},
    {"tar", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, "", 0, 6 * N_FILES, 0},
    {"tar", ARCHIVE_FORMAT_TAR_GNUTAR, "", 0, 6 * N_FILES, 0},
    {"cpio", ARCHIVE_FORMAT_CPIO_SVR4_NOCRC, "", 0, 6 * N_FILES, 0},
    {"ar", ARCHIVE_FORMAT_AR_BSD, "", 0, 6 * N_FILES, 0},
    {"iso", ARCHIVE_FORMAT_ISO9660, "", 0, 14, 28},
    {"7z", ARCHIVE_FORMAT_7ZIP, "7zip:compression=store", 0, 6, 0},
    {"7z", ARCHIVE_FORMAT_7ZIP, "7zip:compression=lzma1", 0, 6, 0},
    {"tar in gzip", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, "gzip:!timestamp", ARCHIVE_FILTER_GZIP, 0,
     0},
    {"tar in xz", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, "xz:compression-level=0", ARCHIVE_FILTER_XZ, 0,
     0},
    {"tar in zstd", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, "", ARCHIVE_FILTER_ZSTD, 0, 0},
    {"tar in bzip2", ARCHIVE_FORMAT_CPIO_SVR4_NOCRC, "", ARCHIVE_FILTER_BZIP2, 0, 0},
};

static bool has_name(const struct kind *k, unsigned i, const char *path)
{
    char *name = name_of(i);
    bool yes =
        strcmp(k->format == ARCHIVE_FORMAT_AR_BSD ? strrchr(name, '/') + 1 : name, path) == 0;

    free(name);
    return yes;
}

static struct inside *open_store(struct store *s)
{
    struct inside_source source = source_of(s);
    struct inside *a = NULL;
    struct err e = {0};

    if (inside_open(&a, &source, &e) < 0)
        fail_msg("%s", e.msg);
    return a;
}

static void lists(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        bool seen[N_FILES] = {0};
        struct inside_entry n;
        struct err e = {0};
        struct store s;
        unsigned files = 0;
        int rc;

        make(&s, kinds[k].format, kinds[k].options, kinds[k].filter);
        struct inside *a = open_store(&s);
        assert_string_equal(inside_format(a), kinds[k].name);
        assert_int_equal(inside_has_directory(a), kinds[k].filter == 0);
        while ((rc = inside_next(a, &n, &e)) == 1) {
            if (n.kind == INSIDE_SYMLINK && n.target)
                assert_string_equal(n.target, "file-01.bin");
            for (unsigned i = 0; i < N_FILES && n.kind == INSIDE_FILE; i++) {
                if (!has_name(&kinds[k], i, n.path))
                    continue;
                assert_int_equal(n.size, size_of(i));
                assert_false(seen[i] || n.executable || n.encrypted);
                seen[i] = true;
                files++;
            }
        }
        assert_int_equal(rc, 0);
        assert_int_equal(files, N_FILES);
        if (kinds[k].list)
            assert_in_range(pages(&s), 1, kinds[k].list);
        inside_close(a);
        buf_fini(&s.all);
    }
}

static void take(const struct kind *k, struct store *s, unsigned i)
{
    uint8_t *p = content_of(i), *got = mem_alloc(size_of(i) + 100);
    struct inside *a = open_store(s);
    struct inside_entry n;
    struct err e = {0};
    uint64_t at = 0;
    int64_t part;

    do
        assert_int_equal(inside_next(a, &n, &e), 1);
    while (!has_name(k, i, n.path));
    while ((part = inside_read(a, (struct span){got + at, 30000}, &e)) > 0)
        at += (uint64_t)part;
    if (part < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(at, size_of(i));
    assert_memory_equal(got, p, at);
    inside_close(a);
    free(got);
    free(p);
}

static void takes(void **state)
{
    static const unsigned which[] = {0, 3, 7, 20, N_FILES - 1};
    (void)state;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct store s;

        make(&s, kinds[k].format, kinds[k].options, kinds[k].filter);
        for (size_t i = 0; i < sizeof which / sizeof *which; i++) {
            take(&kinds[k], &s, which[i]);
            if (kinds[k].take)
                assert_in_range(pages(&s), 1, kinds[k].take);
        }
        s.step = 1000; /* in small bits, as they come */
        take(&kinds[k], &s, 20);
        buf_fini(&s.all);
    }
}

/* What will be read for sure is said, so that it can be fetched at once. */
static void announces(void **state)
{
    struct store s;
    (void)state;

    make(&s, ARCHIVE_FORMAT_ZIP, "zip:compression=store", 0);
    take(&kinds[1], &s, 0);
    assert_in_range(s.sure, size_of(0), size_of(0) + 300);
    buf_fini(&s.all);
    make(&s, ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, "", 0);
    take(&kinds[3], &s, 0);
    assert_in_range(s.sure, size_of(0), size_of(0) + 8192);
    buf_fini(&s.all);
}

/* ---- bad ones ---- */

/* Whatever comes out: it ends, and nothing is read past its end. */
static void walk(struct store *s)
{
    struct inside_source source = source_of(s);
    struct inside *a = NULL;
    struct inside_entry n;
    struct err e = {0};
    uint8_t mem[5000];
    int rc = inside_open(&a, &source, &e);

    while (rc == 0 && (rc = inside_next(a, &n, &e)) == 1) {
        int64_t got = n.kind == INSIDE_FILE && !n.encrypted ? 1 : 0;

        while (got > 0)
            got = inside_read(a, (struct span){mem, sizeof mem}, &e);
        rc = got < 0 ? (int)got : 0;
    }
    assert_true(rc <= 0);
    assert_true(rc == 0 || e.code == rc);
    inside_close(a);
}

static void survives(void **state)
{
    struct rng r;
    (void)state;

    rng_seed(&r, 5);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct store s;

        make(&s, kinds[k].format, kinds[k].options, kinds[k].filter);
        size_t whole = buf_len(&s.all);
        for (int round = 0; round < 12; round++) { /* cut off */
            s.all.tail = s.all.head + (size_t)rng_below(&r, whole);
            if (buf_len(&s.all))
                walk(&s);
        }
        s.all.tail = s.all.head + whole;
        for (int round = 0; round < 12; round++) { /* near its ends, where directories are */
            size_t at = (size_t)rng_below(&r, 5000);
            uint8_t *p = s.all.mem + s.all.head + (round % 2 ? at : whole - 1 - at), was = *p;

            *p = (uint8_t)(was ^ (1u << rng_below(&r, 8)));
            walk(&s);
            *p = was;
        }
        buf_fini(&s.all);
    }
}

static int open_bytes(const char *p, size_t n, struct err *e)
{
    struct store s = {0};
    struct inside *a = NULL;

    buf_put(&s.all, p, n);
    struct inside_source source = source_of(&s);
    int rc = inside_open(&a, &source, e);
    inside_close(a);
    buf_fini(&s.all);
    return rc;
}

static void refuses(void **state)
{
    static const char lrzip[300] = "LRZI", lzop[300] = "\x89LZO\0\r\n\x1a\n",
                      script[] = "#!/bin/sh";
    struct err e = {0};
    (void)state;

    /* For those libarchive would run other programs. */
    assert_int_equal(open_bytes(lrzip, sizeof lrzip, &e), ERR_INVALID);
    assert_int_equal(open_bytes(lzop, sizeof lzop, NULL), ERR_INVALID);
    assert_int_equal(open_bytes(script, sizeof script, NULL), ERR_INVALID);
    assert_int_equal(open_bytes("", 0, NULL), ERR_INVALID);
    assert_string_equal(e.msg, "it is no archive that is known here");
}

/* Who gives the bytes says why there are none, and that is what the caller hears. */
static void hears_why(void **state)
{
    struct inside_entry n;
    struct err e = {0};
    struct store s;
    (void)state;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        make(&s, kinds[k].format, kinds[k].options, kinds[k].filter);
        struct inside *a = open_store(&s);
        s.refuse = true;
        int rc;
        while ((rc = inside_next(a, &n, &e)) == 1)
            ;
        if (rc < 0) {
            assert_int_equal(rc, ERR_CANCELED);
            assert_string_equal(e.msg, "enough");
        }
        err_clear(&e);
        inside_close(a);
        buf_fini(&s.all);
    }
}

/* A gzip in a gzip in a gzip. */
static void again_and_again(void **state)
{
    struct err e = {0};
    struct store s;
    (void)state;

    struct archive *w = archive_write_new();
    s = (struct store){0};
    archive_write_set_format_ustar(w);
    archive_write_add_filter_gzip(w);
    archive_write_add_filter_gzip(w);
    archive_write_open(w, &s, NULL, append, NULL);
    put(w, "a", AE_IFREG, (const uint8_t *)"abc", 3, NULL);
    archive_write_close(w);
    archive_write_free(w);
    struct inside_source source = source_of(&s);
    struct inside *a = NULL;
    assert_int_equal(inside_open(&a, &source, &e), ERR_INVALID);
    assert_string_equal(e.msg, "it is packed again and again");
    buf_fini(&s.all);
}

static void pack(struct store *s)
{
    struct archive *w = archive_write_new();
    struct bytes b = buf_take(&s->all);

    archive_write_set_format_raw(w);
    archive_write_add_filter_gzip(w);
    archive_write_open(w, s, NULL, append, NULL);
    put(w, "x", AE_IFREG, b.p, b.n, NULL);
    archive_write_close(w);
    archive_write_free(w);
    bytes_free(b);
}

/* Little that says it is much: it is not unpacked, nor is what stands behind it come to. */
static void bombs(void **state)
{
    static uint8_t zeros[1 << 20];
    struct inside_entry n;
    struct err e = {0};
    uint8_t mem[100];
    (void)state;

    for (int filter = 0; filter < 2; filter++) {
        struct store s = {0};
        struct archive *w = archive_write_new();
        struct archive_entry *big = archive_entry_new();

        archive_write_set_format_pax_restricted(w);
        archive_write_set_bytes_per_block(w, 0);
        archive_write_open(w, &s, NULL, append, NULL);
        archive_entry_set_pathname(big, "big");
        archive_entry_set_filetype(big, AE_IFREG);
        archive_entry_set_size(big, (la_int64_t)1 << 40);
        archive_write_header(w, big);
        archive_write_data(w, zeros, sizeof zeros); /* and no more */
        archive_entry_free(big);
        s.refuse = true; /* the zeros that should follow */
        archive_write_free(w);
        s.refuse = false;
        if (filter)
            pack(&s);
        struct inside_source source = source_of(&s);
        struct inside *a = NULL;
        err_clear(&e);
        assert_int_equal(inside_open(&a, &source, &e), 0);
        int64_t rc = inside_next(a, &n, &e);
        if (!filter) {
            assert_int_equal(rc, 1);
            rc = inside_read(a, (struct span){mem, sizeof mem}, &e);
        }
        assert_int_equal(rc, ERR_LIMIT);
        inside_close(a);
        buf_fini(&s.all);
    }
}

/* One entry told once and once again, as often as the end says. */
static void endless(void **state)
{
    static const uint8_t record[46] = {'P', 'K', 1, 2};
    struct inside_entry n;
    struct err e = {0};
    struct store s = {0};
    uint8_t end[22] = {'P', 'K', 5, 6};
    (void)state;

    buf_put_str(&s.all, "PK\3\4");
    for (unsigned i = 0; i < 70000; i++)
        buf_put(&s.all, record, sizeof record);
    end[10] = 0xff; /* 65535 of them */
    end[11] = 0xff;
    end[16] = 4;
    end[12] = (uint8_t)(70000u * 46);
    end[13] = (uint8_t)(70000u * 46 >> 8);
    end[14] = (uint8_t)(70000u * 46 >> 16);
    buf_put(&s.all, end, sizeof end);
    struct inside *a = open_store(&s);
    unsigned told = 0;
    while (inside_next(a, &n, &e) == 1)
        told++;
    assert_int_equal(told, 65535);
    inside_close(a);
    s.all.mem[s.all.tail - 7] = 1; /* its directory would end behind itself */
    struct inside_source source = source_of(&s);
    assert_int_equal(inside_open(&a, &source, &e), ERR_INVALID);
    buf_fini(&s.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),     cmocka_unit_test(takes),   cmocka_unit_test(announces),
        cmocka_unit_test(survives),  cmocka_unit_test(refuses), cmocka_unit_test(again_and_again),
        cmocka_unit_test(hears_why), cmocka_unit_test(endless), cmocka_unit_test(bombs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

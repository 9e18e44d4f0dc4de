/* Archives read as they come: what archive_out writes, cut anywhere, and names of strangers. */
#include <p2p/base/mem.h>
#include <p2p/host/archive.h>
#include <p2p/host/archive_in.h>

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    uint8_t *p;
    size_t n, at;
    size_t most; /* bytes a read */
};

static int64_t read_some(void *arg, struct span to, struct err *e)
{
    struct memory *m = arg;
    size_t n = m->n - m->at;

    (void)e;
    n = n < to.n ? n : to.n;
    n = n < m->most ? n : m->most;
    memcpy(to.p, m->p + m->at, n);
    m->at += n;
    return (int64_t)n;
}

static int64_t seek(void *arg, int64_t off, int whence)
{
    struct memory *m = arg;
    int64_t base = whence == SEEK_END ? (int64_t)m->n : whence == SEEK_CUR ? (int64_t)m->at : 0;

    m->at = (size_t)(base + off);
    return base + off;
}

static struct memory made(enum archive_format f)
{
    static const struct archive_file files[] = {
        {.path = "d/\xc3\xa4", .size = 5000, .executable = true},
        {.path = "d/link", .link = "\xc3\xa4"},
        {.path = "d/last", .size = 512},
    };
    struct memory m = {.most = 700};
    uint8_t bytes[5000];
    struct archive_out *a = archive_out_new(f, NULL);

    assert_non_null(a);
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(archive_out_begin(a, &files[i], NULL), 0);
        assert_int_equal(archive_out_data(a, BYTES(bytes, files[i].size), NULL), 0);
    }
    assert_int_equal(archive_out_end(a, NULL), 0);
    m.n = archive_out_ready(a).n;
    m.p = mem_dup(archive_out_ready(a).p, m.n);
    archive_out_free(a);
    return m;
}

/* Reads all of it: 0 and what was there, or the code. */
static int read_all(struct memory *m, bool seeks, char *told, struct err *e)
{
    const struct archive_source s = {m, read_some, seeks ? seek : NULL};
    struct archive_in *a = archive_in_new(&s, "x.tar", e);
    struct archive_entry_in n;
    int rc;

    m->at = 0;
    *told = 0;
    while ((rc = archive_in_next(a, &n, e)) == 1) {
        struct bytes b;
        uint64_t at, sum = 0;

        while ((rc = archive_in_data(a, &b, &at, e)) == 1) {
            assert_int_equal(at, sum);
            sum += b.n;
            assert_true(b.n == 0 || (b.p[0] == 'x' && b.p[b.n - 1] == 'x'));
        }
        if (rc < 0)
            break;
        char *line = mem_fmt("%d %s %s %d %d\n", n.kind, n.path, n.link ? n.link : "-", (int)sum,
                             n.executable);
        strcat(told, line);
        free(line);
    }
    archive_in_free(a);
    return rc;
}

static void test_formats(void **state)
{
    static const enum archive_format all[] = {ARCHIVE_TAR, ARCHIVE_CPIO, ARCHIVE_ZIP};
    char told[1000];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct memory m = made(all[i]);

        assert_int_equal(archive_in_at_end(BYTES(m.p, m.n)), all[i] == ARCHIVE_ZIP);
        assert_int_equal(read_all(&m, true, told, NULL), 0);
        assert_string_equal(told,
                            "0 d/\xc3\xa4 - 5000 1\n2 d/link \xc3\xa4 0 0\n0 d/last - 512 0\n");
        /* What tells at its end what it holds cannot be read from a pipe. */
        assert_int_equal(read_all(&m, false, told, NULL), all[i] == ARCHIVE_ZIP ? ERR_INVALID : 0);
        free(m.p);
    }
}

static la_ssize_t append(struct archive *a, void *arg, const void *p, size_t n)
{
    struct memory *m = arg;

    (void)a;
    m->p = mem_grow(m->p, m->n + n, 1);
    memcpy(m->p + m->n, p, n);
    m->n += n;
    return (la_ssize_t)n;
}

static void write_entry(struct archive *a, const char *path, const char *hard)
{
    struct archive_entry *n = archive_entry_new();

    archive_entry_set_pathname(n, path);
    archive_entry_set_filetype(n, AE_IFREG);
    archive_entry_set_perm(n, 0755);
    if (hard)
        archive_entry_set_hardlink(n, hard);
    else
        archive_entry_set_size(n, 3);
    assert_int_equal(archive_write_header(a, n), ARCHIVE_OK);
    if (!hard)
        assert_int_equal(archive_write_data(a, "xxx", 3), 3);
    archive_entry_free(n);
}

/* What p2p-get does not write, with a filter or without. */
static void test_others(void **state)
{
    static const struct {
        int (*format)(struct archive *), (*filter)(struct archive *);
        bool seeks, hard;
    } t[] = {
        {archive_write_set_format_7zip, archive_write_add_filter_none, true, false},
        {archive_write_set_format_iso9660, archive_write_add_filter_none, false, false},
        {archive_write_set_format_gnutar, archive_write_add_filter_zstd, false, true},
        {archive_write_set_format_ustar, archive_write_add_filter_lz4, false, true},
        {archive_write_set_format_ustar, archive_write_add_filter_lzip, false, true},
        {archive_write_set_format_ustar, archive_write_add_filter_lzma, false, true},
        {archive_write_set_format_ustar, archive_write_add_filter_compress, false, true},
    };
    char told[1000];

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct archive *a = archive_write_new();
        struct memory m = {.most = 5000};

        assert_int_equal(t[i].format(a), ARCHIVE_OK);
        assert_int_equal(t[i].filter(a), ARCHIVE_OK);
        archive_write_set_bytes_in_last_block(a, 1);
        assert_int_equal(archive_write_open(a, &m, NULL, append, NULL), ARCHIVE_OK);
        write_entry(a, "a", NULL);
        if (t[i].hard)
            write_entry(a, "b", "a");
        assert_int_equal(archive_write_close(a), ARCHIVE_OK);
        archive_write_free(a);
        assert_int_equal(read_all(&m, t[i].seeks, told, NULL), 0);
        assert_non_null(strstr(told, "0 a - 3 1\n"));
        if (t[i].hard)
            assert_string_equal(strchr(told, '\n') + 1, "3 b a 0 1\n");
        free(m.p);
    }
}

/* Wherever it is cut, also between two entries. */
static void test_cut(void **state)
{
    static const enum archive_format all[] = {ARCHIVE_TAR, ARCHIVE_CPIO, ARCHIVE_ZIP};
    char told[1000];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct memory m = made(all[i]);
        /* The marks at the end of a tar are two records, of which one is enough. */
        size_t whole = m.n - (all[i] == ARCHIVE_TAR ? 512 : all[i] == ARCHIVE_CPIO ? 512 : 0);

        for (m.n = 0; m.n < whole; m.n += m.n < 100 ? 1 : 128) {
            struct err e = {0};

            assert_int_equal(read_all(&m, true, told, &e), ERR_INVALID);
            assert_memory_equal(e.msg, "x.tar: ", 7);
        }
        free(m.p);
    }
}

static void test_noise(void **state)
{
    struct memory m = {.p = mem_zero(3000), .n = 3000, .most = 3000};
    char told[1000];
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < m.n; i++)
        m.p[i] = (uint8_t)(i * 31 + 5);
    assert_int_equal(read_all(&m, true, told, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "no archive that can be read"));
    free(m.p);
}

static int64_t fails(void *arg, struct span to, struct err *e)
{
    (void)arg;
    (void)to;
    return err_set(e, ERR_CANCELED, "stopped");
}

static void test_source_fails(void **state)
{
    const struct archive_source s = {NULL, fails, NULL};
    struct archive_in *a = archive_in_new(&s, "x", NULL);
    struct archive_entry_in n;
    struct err e = {0};

    (void)state;
    assert_int_equal(archive_in_next(a, &n, &e), ERR_CANCELED);
    assert_string_equal(e.msg, "stopped");
    archive_in_free(a);
}

static void test_paths(void **state)
{
    static const struct {
        const char *in, *out;
    } t[] = {
        {"a/b", "a/b"}, {"./a//b/./c", "a/b/c"}, {"./", ""},   {"a/", "a"}, {"..a/b..", "..a/b.."},
        {"/a", NULL},   {"a/../b", NULL},        {"..", NULL},
    };
    char deep[2 * ARCHIVE_MAX_DEPTH + 4] = "";
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct err here = {0};
        char *got = archive_in_path(t[i].in, "x", &here);

        if (t[i].out)
            assert_string_equal(got, t[i].out);
        else
            assert_null(got);
        assert_int_equal(here.code, t[i].out ? 0 : ERR_INVALID);
        free(got);
    }
    for (int i = 0; i < ARCHIVE_MAX_DEPTH; i++)
        strcat(deep, "a/");
    char *got = archive_in_path(deep, "x", NULL);
    assert_non_null(got);
    free(got);
    strcat(deep, "b");
    assert_null(archive_in_path(deep, "x", &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),      cmocka_unit_test(test_others),
        cmocka_unit_test(test_cut),          cmocka_unit_test(test_noise),
        cmocka_unit_test(test_source_fails), cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

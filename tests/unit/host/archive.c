/* Archives written as a stream, and read back by libarchive. */
#include <p2p/base/mem.h>
#include <p2p/host/archive.h>

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define BIG 300000u

static uint8_t *content(void)
{
    uint8_t *p = mem_alloc(BIG);

    for (size_t i = 0; i < BIG; i++)
        p[i] = (uint8_t)(i * 7 + i / 251);
    return p;
}

static void take(struct archive_out *a, uint8_t **all, size_t *n)
{
    struct bytes b = archive_out_ready(a);

    *all = mem_grow(*all, *n + b.n + 1, 1);
    if (b.n)
        memcpy(*all + *n, b.p, b.n);
    *n += b.n;
    archive_out_taken(a, b.n);
    assert_int_equal(archive_out_ready(a).n, 0);
}

static uint8_t *make(enum archive_format f, size_t *n)
{
    static const struct archive_file files[] = {
        {.path = "d/\xc3\xa4", .size = BIG, .executable = true},
        {.path = "d/empty"},
        {.path = "d/link", .link = "\xc3\xa4"},
        {.path = "d/a very long name that goes on and on and on and on and on and on and on and on "
                 "and on and on and on and on",
         .size = 5},
    };
    uint8_t *all = NULL, *p = content();
    struct err e = {0};
    struct archive_out *a = archive_out_new(f, &e);

    *n = 0;
    assert_non_null(a);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(archive_out_begin(a, &files[i], &e), 0);
        for (size_t at = 0; at < files[i].size; at += 1000) {
            size_t left = (size_t)files[i].size - at;

            assert_int_equal(archive_out_data(a, BYTES(p + at, left < 1000 ? left : 1000), &e), 0);
            assert_in_range(archive_out_ready(a).n, 0, 8000); /* it comes at once */
            take(a, &all, n);
        }
    }
    assert_int_equal(archive_out_end(a, &e), 0);
    take(a, &all, n);
    archive_out_free(a);
    free(p);
    return all;
}

static void check_file(struct archive *r, struct archive_entry *n, uint64_t size, unsigned perm)
{
    uint8_t *p = content(), *got = mem_alloc(BIG + 1);

    assert_int_equal(archive_entry_size(n), size);
    assert_int_equal(archive_entry_perm(n), perm);
    assert_int_equal(archive_read_data(r, got, BIG + 1), size);
    assert_memory_equal(got, p, size);
    free(got);
    free(p);
}

static void read_back(void **state)
{
    (void)state;
    for (int f = ARCHIVE_TAR; f <= ARCHIVE_ZIP; f++) {
        size_t len, again;
        uint8_t *all = make((enum archive_format)f, &len), *twice;
        struct archive *r = archive_read_new();
        struct archive_entry *n;

        setlocale(LC_CTYPE, "C.UTF-8"); /* to read names; they are written without */
        archive_read_support_format_all(r);
        assert_int_equal(archive_read_open_memory(r, all, len), ARCHIVE_OK);
        assert_true(archive_read_next_header(r, &n) >= ARCHIVE_WARN);
        assert_string_equal(archive_entry_pathname(n), "d/\xc3\xa4");
        check_file(r, n, BIG, 0755);
        assert_true(archive_read_next_header(r, &n) >= ARCHIVE_WARN);
        check_file(r, n, 0, 0644);
        assert_true(archive_read_next_header(r, &n) >= ARCHIVE_WARN);
        assert_string_equal(archive_entry_symlink(n), "\xc3\xa4");
        assert_true(archive_read_next_header(r, &n) >= ARCHIVE_WARN);
        assert_int_equal(strlen(archive_entry_pathname(n)), 108);
        check_file(r, n, 5, 0644);
        assert_int_equal(archive_read_next_header(r, &n), ARCHIVE_EOF);
        archive_read_free(r);
        setlocale(LC_CTYPE, "C");
        twice = make((enum archive_format)f, &again);
        assert_int_equal(again, len);
        assert_memory_equal(twice, all, len);
        free(twice);
        free(all);
    }
}

static void more_than_announced(void **state)
{
    (void)state;
    struct err e = {0};
    struct archive_out *a = archive_out_new(ARCHIVE_TAR, &e);
    struct archive_file f = {.path = "f", .size = 3};

    assert_int_equal(archive_out_begin(a, &f, &e), 0);
    assert_true(archive_out_data(a, BYTES("1234", 4), &e) < 0);
    archive_out_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_back),
        cmocka_unit_test(more_than_announced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

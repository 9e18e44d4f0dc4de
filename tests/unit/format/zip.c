/* The directory of a zip archive. */
#include <p2p/format/zip.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void put(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static size_t end_of(uint8_t *p, uint64_t entries, uint64_t length, uint64_t at, unsigned comment)
{
    memset(p, 0, ZIP_END + comment);
    memcpy(p, "PK\5\6", 4);
    put(p + 8, entries, 2);
    put(p + 10, entries, 2);
    put(p + 12, length, 4);
    put(p + 16, at, 4);
    put(p + 20, comment, 2);
    return ZIP_END + comment;
}

static void its_end(void **state)
{
    uint8_t b[400];
    struct zip_end z;
    struct err e = {0};
    (void)state;

    size_t n = end_of(b, 3, 150, 1000, 0);
    assert_int_equal(zip_end(&z, BYTES(b, n), 1150 + n, &e), 0);
    assert_int_equal(z.entries, 3);
    assert_int_equal(z.at, 1000);
    assert_int_equal(z.length, 150);
    assert_int_equal(z.base, 0);
    /* With something in front of it all. */
    assert_int_equal(zip_end(&z, BYTES(b, n), 5000 + 1150 + n, &e), 0);
    assert_int_equal(z.base, 5000);
    assert_int_equal(z.at, 6000);
    /* One byte less than it says. */
    assert_int_equal(zip_end(&z, BYTES(b, n), 1149 + n, &e), ERR_INVALID);
    err_clear(&e);
    /* A comment, in which another end stands that does not fit there. */
    n = end_of(b, 3, 150, 1000, 100);
    end_of(b + ZIP_END + 90 - ZIP_END, 9, 9, 9, 0);
    put(b + ZIP_END + 90 - 2, 1000, 2);
    assert_int_equal(zip_end(&z, BYTES(b, n), 1150 + n, &e), 0);
    assert_int_equal(z.entries, 3);
    assert_int_equal(zip_end(&z, BYTES(b, 20), 20, &e), ERR_NOTFOUND);
    assert_int_equal(zip_end(&z, BYTES(b, 0), 0, NULL), ERR_NOTFOUND);
    n = end_of(b, 3, 150, 1000, 0);
    b[4] = 1; /* of several volumes */
    assert_int_equal(zip_end(&z, BYTES(b, n), 1150 + n, NULL), ERR_INVALID);
}

static void its_big_end(void **state)
{
    uint8_t b[200] = {0}, *l = b + ZIP_END64;
    struct zip_end z;
    uint64_t size = (uint64_t)10 << 32;
    (void)state;

    memcpy(b, "PK\6\6", 4);
    put(b + 32, 100000, 8);
    put(b + 40, 5000000, 8);
    put(b + 48, (uint64_t)9 << 32, 8);
    memcpy(l, "PK\6\7", 4);
    put(l + 8, size - ZIP_END - ZIP_LOCATOR - ZIP_END64, 8);
    end_of(l + ZIP_LOCATOR, 0xffff, UINT32_MAX, UINT32_MAX, 0);
    size_t n = ZIP_END64 + ZIP_LOCATOR + ZIP_END;
    assert_int_equal(zip_end(&z, BYTES(b, n), size, NULL), 0);
    assert_int_equal(z.end64_at, size - n);
    assert_int_equal(zip_end64(&z, BYTES(b, ZIP_END64 - 1), size, NULL), ERR_INVALID);
    assert_int_equal(zip_end(&z, BYTES(b, n), size, NULL), 0);
    assert_int_equal(zip_end64(&z, BYTES(b, ZIP_END64), size, NULL), 0);
    assert_int_equal(z.entries, 100000);
    assert_int_equal(z.length, 5000000);
    assert_int_equal(z.at, (uint64_t)9 << 32);
    assert_int_equal(z.end64_at, 0);
    put(b + 48, UINT64_MAX - 10, 8); /* a sum that would be small again */
    assert_int_equal(zip_end(&z, BYTES(b, n), size, NULL), 0);
    assert_int_equal(zip_end64(&z, BYTES(b, ZIP_END64), size, NULL), ERR_INVALID);
    put(l + 8, UINT64_MAX, 8);
    assert_int_equal(zip_end(&z, BYTES(b, n), size, NULL), ERR_INVALID);
}

static size_t record(uint8_t *p)
{
    static const uint8_t extra[] = {
        0x55, 0x54, 5,    0,    1, 0x00, 0xca, 0x9a, 0x3b,          /* 1000000000 */
        1,    0,    16,   0,    0, 0,    0,    0,    2,    0, 0, 0, /* size: 2 << 32 */
        7,    0,    0,    0,    1, 0,    0,    0,                   /* offset */
        9,    9,    0xff, 0xff,                                     /* nonsense */
    };

    memset(p, 0, 46);
    memcpy(p, "PK\1\2", 4);
    p[5] = 3;
    put(p + 8, 1, 2);
    put(p + 10, 8, 2);
    put(p + 16, 0x12345678, 4);
    put(p + 20, 77, 4);
    put(p + 24, UINT32_MAX, 4);
    put(p + 28, 4, 2);
    put(p + 30, sizeof extra, 2);
    put(p + 32, 3, 2);
    put(p + 40, 0100755, 2);
    put(p + 42, UINT32_MAX, 4);
    memcpy(p + 46, "a/bc", 4);
    memcpy(p + 50, extra, sizeof extra);
    memcpy(p + 50 + sizeof extra, "hey", 3);
    return 50 + sizeof extra + 3;
}

static void entries(void **state)
{
    uint8_t b[200];
    struct zip_entry e;
    size_t used = 0, n = record(b);
    (void)state;

    for (size_t i = 0; i < n; i++)
        assert_int_equal(zip_entry(&e, BYTES(b, i), &used, NULL), 0);
    assert_int_equal(zip_entry(&e, BYTES(b, n), &used, NULL), 1);
    assert_int_equal(used, n);
    assert_true(bytes_is(e.name, "a/bc"));
    assert_int_equal(e.size, (uint64_t)2 << 32);
    assert_int_equal(e.packed, 77);
    assert_int_equal(e.at, ((uint64_t)1 << 32) + 7);
    assert_int_equal(e.crc, 0x12345678);
    assert_int_equal(e.method, 8);
    assert_int_equal(e.mode, 0100755);
    assert_true(e.dated && e.mtime == 1000000000);
    assert_true(e.flags & ZIP_ENCRYPTED);
    put(b + 20, UINT32_MAX, 4); /* a third number that is not there */
    assert_int_equal(zip_entry(&e, BYTES(b, n), &used, NULL), ERR_INVALID);
    b[3] = 3;
    assert_int_equal(zip_entry(&e, BYTES(b, n), &used, NULL), ERR_INVALID);
}

static void headers(void **state)
{
    static const uint64_t sizes[] = {0, 5, UINT32_MAX - 1, UINT32_MAX, (uint64_t)1 << 40};
    (void)state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct zip_entry n = {.size = sizes[i], .packed = sizes[i], .method = 8, .flags = 9};
        struct buf out = {0};
        uint32_t skip = 0;

        zip_put_local(&n, &out);
        assert_int_equal(zip_local(buf_bytes(&out), &skip, NULL), 0);
        assert_int_equal(skip, buf_len(&out));
        assert_int_equal(buf_bytes(&out).p[6], 0); /* sizes are in it, and nothing is encrypted */
        buf_fini(&out);
    }
    assert_int_equal(zip_local(BYTES("PK\3\4", 4), &(uint32_t){0}, NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_end),
        cmocka_unit_test(its_big_end),
        cmocka_unit_test(entries),
        cmocka_unit_test(headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

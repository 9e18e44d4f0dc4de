/* Resume records: there and back, and nothing that was cut, turned or forged is trusted. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/format/manifest.h>
#include <p2p/format/record.h>

#include <stdlib.h>

static void make(struct record *r, size_t pieces, uint32_t files)
{
    record_init(r);
    memset(r->content, 0xc5, sizeof r->content);
    bits_init(&r->have, pieces);
    for (size_t i = 0; i < pieces; i += 3)
        bits_set(&r->have, i);
    r->files = mem_array(files, sizeof *r->files);
    r->n_files = files;
    for (uint32_t i = 0; i < files; i++)
        r->files[i] =
            (struct record_file){i % 2 == 0, UINT64_MAX - i, -1000000007LL * i, 77 + i, i % 4 == 0};
}

static struct bytes written(size_t pieces, uint32_t files)
{
    struct record r;
    struct buf out = {0};

    make(&r, pieces, files);
    record_write(&r, &out);
    record_fini(&r);
    return buf_take(&out);
}

/* The same bytes with a right checksum. */
static struct bytes forged(struct bytes b, size_t at, uint8_t v)
{
    uint8_t *p = mem_dup(b.p, b.n);

    p[at] = v;
    digest_sha256(p + b.n - SHA256_LEN, BYTES(p, b.n - SHA256_LEN));
    return BYTES(p, b.n);
}

static void refused(struct bytes b)
{
    struct record r;
    struct err e = {0};

    assert_int_equal(record_parse(&r, b, &e), ERR_INVALID);
    assert_int_equal(r.n_files, 0);
    assert_null(r.files);
}

static void there_and_back(void **state)
{
    static const size_t pieces[] = {0, 1, 8, 9, 1000};
    (void)state;

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct record want, got;
        struct bytes b = written(pieces[i], 5);
        make(&want, pieces[i], 5);
        assert_int_equal(record_parse(&got, b, NULL), 0);
        assert_memory_equal(got.content, want.content, sizeof got.content);
        assert_int_equal(got.have.n, pieces[i]);
        assert_int_equal(got.have.ones, want.have.ones);
        assert_true(bytes_eq(bits_wire(&got.have), bits_wire(&want.have)));
        assert_int_equal(got.n_files, 5);
        for (uint32_t f = 0; f < 5; f++) {
            assert_int_equal(got.files[f].present, want.files[f].present);
            assert_true(got.files[f].size == want.files[f].size);
            assert_true(got.files[f].mtime_ns == want.files[f].mtime_ns);
            assert_true(got.files[f].inode == want.files[f].inode);
        }
        record_fini(&want);
        record_fini(&got);
        bytes_free(b);
    }
}

static void cut_anywhere(void **state)
{
    struct bytes b = written(100, 3);
    (void)state;

    for (size_t n = 0; n < b.n; n++)
        refused(BYTES(b.p, n));
    bytes_free(b);
}

static void any_bit_turned(void **state)
{
    struct bytes b = written(100, 3);
    uint8_t *p = mem_dup(b.p, b.n);
    (void)state;

    for (size_t bit = 0; bit < 8 * b.n; bit++) {
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused(BYTES(p, b.n));
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(p);
    bytes_free(b);
}

static void forged_with_right_sum(void **state)
{
    static const struct {
        size_t at;
        uint8_t v;
    } cases[] = {
        {0, 'x'},                     /* magic */
        {40, 0xff}, {43, 4}, {43, 2}, /* files: past the limit, too many, too few */
        {44, 0xff}, {47, 200},        /* pieces */
        {48 + 12, 0xff},              /* spare bits */
        {48 + 13, 2},                 /* present */
    };
    struct bytes b = written(100, 3);
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes f = forged(b, cases[i].at, cases[i].v);
        refused(f);
        bytes_free(f);
    }
    bytes_free(b);
}

static void limits(void **state)
{
    struct record r;
    struct bytes at = written(MANIFEST_MAX_PIECES, 0), past = written(MANIFEST_MAX_PIECES + 1, 0);
    (void)state;

    assert_int_equal(record_parse(&r, at, NULL), 0);
    record_fini(&r);
    refused(past);
    bytes_free(at);
    bytes_free(past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(any_bit_turned),        cmocka_unit_test(forged_with_right_sum),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

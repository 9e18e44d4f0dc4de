/* Slices, the cursor and big-endian numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/bytes.h>
#include <p2p/base/mem.h>

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void compares(void **state)
{
    (void)state;
    const struct {
        struct bytes a, b;
        int order;
    } t[] = {
        {{NULL, 0}, {NULL, 0}, 0},
        {{NULL, 0}, BYTES_LIT(""), 0},
        {{NULL, 0}, BYTES_LIT("a"), -1},
        {BYTES_LIT("a"), BYTES_LIT("a"), 0},
        {BYTES_LIT("a"), BYTES_LIT("ab"), -1},
        {BYTES_LIT("b"), BYTES_LIT("ab"), 1},
        {BYTES_LIT("a\0b"), BYTES_LIT("a\0c"), -1},
        {BYTES_LIT("\xff"), BYTES_LIT("\x01"), 1},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        assert_int_equal(sign(bytes_cmp(t[i].a, t[i].b)), t[i].order);
        assert_int_equal(sign(bytes_cmp(t[i].b, t[i].a)), -t[i].order);
        assert_int_equal(bytes_eq(t[i].a, t[i].b), t[i].order == 0);
        assert_int_equal(bytes_eq_const(t[i].a, t[i].b), t[i].order == 0);
    }
    assert_true(bytes_is(BYTES_LIT("info"), "info"));
    assert_false(bytes_is(BYTES_LIT("info\0"), "info"));
    assert_true(bytes_is((struct bytes){NULL, 0}, ""));
}

static void const_time_sees_every_bit(void **state)
{
    (void)state;
    uint8_t a[20] = {0}, b[20] = {0};
    for (size_t bit = 0; bit < 160; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(bytes_eq_const(BYTES(a, 20), BYTES(b, 20)));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(bytes_eq_const(BYTES(a, 20), BYTES(b, 20)));
}

static void reads_all_widths(void **state)
{
    (void)state;
    static const uint8_t wire[] = {1, 0xff, 2, 0xff, 3,  4,  5,   0xff, 6,
                                   7, 8,    9, 10,   11, 12, 'a', 'b'};
    struct cursor c;
    cursor_init(&c, BYTES(wire, sizeof wire));
    assert_int_equal(cursor_u8(&c), 1);
    assert_int_equal(cursor_be16(&c), 0xff02);
    assert_int_equal(cursor_be32(&c), 0xff030405);
    assert_true(cursor_be64(&c) == UINT64_C(0xff060708090a0b0c));
    assert_int_equal(cursor_left(&c), 2);
    assert_true(bytes_is(cursor_take(&c, 2), "ab"));
    assert_int_equal(cursor_take(&c, 0).n, 0);
    assert_false(c.bad);
    assert_int_equal(cursor_left(&c), 0);
}

static void one_short(void **state)
{
    (void)state;
    uint8_t wire[8];
    memset(wire, 0xee, sizeof wire);
    struct cursor c;
    for (size_t n = 0; n < 8; n++) {
        cursor_init(&c, BYTES(wire, n));
        assert_true(cursor_be64(&c) == 0 && c.bad);
        assert_int_equal(cursor_left(&c), 0);
        assert_int_equal(cursor_u8(&c), 0); /* stays at the end, even if less would have fitted */
        assert_true(c.bad);
    }
    cursor_init(&c, BYTES(wire, 3));
    assert_true(cursor_be32(&c) == 0 && c.bad);
    cursor_init(&c, BYTES(wire, 1));
    assert_true(cursor_be16(&c) == 0 && c.bad);
    cursor_init(&c, BYTES(wire, 8));
    assert_int_equal(cursor_take(&c, SIZE_MAX).n, 0);
    assert_true(c.bad);
}

static void empty_cursor(void **state)
{
    (void)state;
    struct cursor c;
    cursor_init(&c, (struct bytes){NULL, 0});
    assert_int_equal(cursor_left(&c), 0);
    assert_non_null(cursor_take(&c, 0).p);
    assert_false(c.bad);
    assert_int_equal(cursor_u8(&c), 0);
    assert_true(c.bad);
}

static void numbers_round_trip(void **state)
{
    (void)state;
    static const uint64_t v[] = {0, 1, 0x80, 0x8000, 0x80000000, UINT64_C(0x8000000000000000),
                                 UINT64_C(0x0123456789abcdef), UINT64_MAX};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        uint8_t b[8];
        put_be64(b, v[i]);
        assert_true(get_be64(b) == v[i]);
        assert_int_equal(b[0], v[i] >> 56);
        put_be32(b, (uint32_t)v[i]);
        assert_int_equal(get_be32(b), (uint32_t)v[i]);
        put_be16(b, (uint16_t)v[i]);
        assert_int_equal(get_be16(b), (uint16_t)v[i]);
    }
}

static void frees_what_was_moved(void **state)
{
    (void)state;
    bytes_free(BYTES(mem_dup("x", 1), 1));
    bytes_free((struct bytes){NULL, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),           cmocka_unit_test(const_time_sees_every_bit),
        cmocka_unit_test(reads_all_widths),   cmocka_unit_test(one_short),
        cmocka_unit_test(empty_cursor),       cmocka_unit_test(numbers_round_trip),
        cmocka_unit_test(frees_what_was_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

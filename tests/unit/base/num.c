/* Checked arithmetic at the edges of 64 bits. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/num.h>

static void adds(void **state)
{
    (void)state;
    uint64_t v = 5;
    assert_true(num_add(UINT64_MAX - 1, 1, &v) && v == UINT64_MAX);
    assert_false(num_add(UINT64_MAX, 1, &v));
    assert_false(num_add(UINT64_MAX, UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    assert_true(num_add(0, 0, &v) && v == 0);
}

static void multiplies(void **state)
{
    (void)state;
    uint64_t v = 5;
    assert_true(num_mul(UINT64_MAX, 1, &v) && v == UINT64_MAX);
    assert_true(num_mul(UINT64_MAX / 3, 3, &v) && v == UINT64_MAX);
    assert_true(num_mul(UINT32_MAX, UINT32_MAX, &v) && v == UINT64_C(0xfffffffe00000001));
    assert_false(num_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
    assert_false(num_mul(UINT64_MAX / 3 + 1, 3, &v));
    assert_true(v == UINT64_C(0xfffffffe00000001));
    assert_true(num_mul(UINT64_MAX, 0, &v) && v == 0);
    assert_true(num_mul(0, UINT64_MAX, &v) && v == 0);
}

static void divides(void **state)
{
    (void)state;
    assert_true(num_ceil_div(0, 7) == 0);
    assert_true(num_ceil_div(1, 7) == 1);
    assert_true(num_ceil_div(7, 7) == 1);
    assert_true(num_ceil_div(8, 7) == 2);
    assert_true(num_ceil_div(UINT64_MAX, 1) == UINT64_MAX);
    assert_true(num_ceil_div(UINT64_MAX, 2) == UINT64_C(1) << 63);
    assert_true(num_ceil_div(UINT64_MAX, UINT64_MAX) == 1);
}

static void powers(void **state)
{
    (void)state;
    assert_false(num_is_pow2(0));
    assert_true(num_pow2_ceil(0) == 1);
    assert_int_equal(num_log2(0), 0);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t v = UINT64_C(1) << i;
        assert_true(num_is_pow2(v));
        assert_true(num_pow2_ceil(v) == v);
        assert_int_equal(num_log2(v), i);
        if (i < 2)
            continue;
        assert_false(num_is_pow2(v - 1));
        assert_false(num_is_pow2(v + 1));
        assert_true(num_pow2_ceil(v - 1) == v);
        assert_int_equal(num_log2(v - 1), i - 1);
        assert_true(num_pow2_ceil(v + 1) == (i == 63 ? 0 : 2 * v));
    }
    assert_true(num_pow2_ceil(UINT64_MAX) == 0);
    assert_int_equal(num_log2(UINT64_MAX), 63);
}

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        bool ok;
        uint64_t v;
    } t[] = {
        {"0", true, 0},
        {"000", true, 0},
        {"0042", true, 42},
        {"18446744073709551615", true, UINT64_MAX},
        {"0018446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999999999", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1a", false, 0},
        {"0x1", false, 0},
        {"/", false, 0},
        {":", false, 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint64_t v = 77;
        assert_int_equal(num_parse_u64(bytes_str(t[i].s), &v), t[i].ok);
        assert_true(v == (t[i].ok ? t[i].v : 77));
    }
    uint64_t v = 77;
    assert_false(num_parse_u64((struct bytes){NULL, 0}, &v));
    assert_false(num_parse_u64(BYTES_LIT("1\0"), &v));
}

static void writes(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        const char *s;
    } t[] = {{0, "0"},
             {9, "9"},
             {10, "10"},
             {99, "99"},
             {100, "100"},
             {1234567890, "1234567890"},
             {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char out[NUM_TEXT + 1];
        memset(out, '!', sizeof out);
        assert_int_equal(num_text(out, t[i].v), strlen(t[i].s));
        assert_memory_equal(out, t[i].s, strlen(t[i].s));
        assert_int_equal(out[strlen(t[i].s)], '!');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds),   cmocka_unit_test(multiplies), cmocka_unit_test(divides),
        cmocka_unit_test(powers), cmocka_unit_test(parses),     cmocka_unit_test(writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

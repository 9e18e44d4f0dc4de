/* Bit fields of every length about a byte and a word, against a plain array. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/bits.h>
#include <p2p/base/rng.h>

static const size_t lengths[] = {0, 1, 7, 8, 9, 15, 63, 64, 65, 127, 128, 129, 1000};
#define LENGTHS (sizeof lengths / sizeof *lengths)

static void wire_order(void **state)
{
    (void)state;
    struct bits b;
    bits_init(&b, 10);
    assert_true(bits_set(&b, 0));
    assert_true(bits_set(&b, 9));
    assert_int_equal(bits_wire(&b).n, 2);
    assert_memory_equal(bits_wire(&b).p, "\x80\x40", 2);
    bits_fini(&b);
}

static void set_and_unset(void **state)
{
    (void)state;
    struct bits b;
    bits_init(&b, 9);
    assert_true(bits_set(&b, 8));
    assert_false(bits_set(&b, 8));
    assert_false(bits_set(&b, 9));
    assert_false(bits_set(&b, SIZE_MAX));
    assert_false(bits_get(&b, 9));
    assert_false(bits_get(&b, SIZE_MAX));
    assert_int_equal(b.ones, 1);
    assert_false(bits_unset(&b, 0));
    assert_false(bits_unset(&b, 9));
    assert_true(bits_unset(&b, 8));
    assert_false(bits_unset(&b, 8));
    assert_int_equal(b.ones, 0);
    bits_fini(&b);
    assert_int_equal(b.n, 0);
}

static void fills(void **state)
{
    (void)state;
    for (size_t k = 0; k < LENGTHS; k++) {
        struct bits b;
        bits_init(&b, lengths[k]);
        assert_int_equal(bits_full(&b), lengths[k] == 0);
        bits_fill(&b, true);
        assert_true(bits_full(&b));
        struct bits again;
        bits_init(&again, lengths[k]);
        assert_true(bits_load(&again, bits_wire(&b))); /* no spare bit was set */
        assert_int_equal(again.ones, lengths[k]);
        bits_fill(&b, false);
        assert_int_equal(b.ones, 0);
        assert_int_equal(bits_next(&b, 0, true), lengths[k]);
        bits_fini(&b);
        bits_fini(&again);
    }
}

static void loads(void **state)
{
    (void)state;
    struct bits b;
    bits_init(&b, 12);
    bits_set(&b, 3);
    assert_false(bits_load(&b, BYTES_LIT("\xff")));
    assert_false(bits_load(&b, BYTES_LIT("\xff\xf0\x00")));
    assert_false(bits_load(&b, BYTES_LIT("\xff\xf8")));
    assert_false(bits_load(&b, BYTES_LIT("\x00\x01")));
    assert_false(bits_load(&b, (struct bytes){NULL, 0}));
    assert_int_equal(b.ones, 1);
    assert_true(bits_get(&b, 3));
    assert_true(bits_load(&b, BYTES_LIT("\x00\xf0")));
    assert_int_equal(b.ones, 4);
    assert_false(bits_get(&b, 3));
    bits_fini(&b);
    bits_init(&b, 0);
    assert_true(bits_load(&b, (struct bytes){NULL, 0}));
    assert_false(bits_load(&b, BYTES_LIT("\x00")));
    bits_fini(&b);
}

static size_t slow_next(const bool *v, size_t n, size_t from, bool one)
{
    while (from < n && v[from] != one)
        from++;
    return from < n ? from : n;
}

static void agrees_with_an_array(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    for (size_t k = 0; k < LENGTHS; k++) {
        size_t n = lengths[k], ones = 0;
        bool v[1000] = {0};
        struct bits b;
        bits_init(&b, n);
        for (size_t i = 0; i < n / 3; i++) {
            size_t at = rng_below(&r, n);
            assert_int_equal(bits_set(&b, at), !v[at]);
            v[at] = true;
        }
        for (size_t i = 0; i < n; i++) {
            ones += v[i];
            assert_int_equal(bits_get(&b, i), v[i]);
            assert_int_equal(bits_next(&b, i, true), slow_next(v, n, i, true));
            assert_int_equal(bits_next(&b, i, false), slow_next(v, n, i, false));
        }
        assert_int_equal(b.ones, ones);
        assert_int_equal(bits_next(&b, n, false), n);
        assert_int_equal(bits_next(&b, SIZE_MAX, true), n);
        bits_fini(&b);
    }
}

static void one_or_the_other(void **state)
{
    (void)state;
    for (size_t k = 0; k < LENGTHS; k++) {
        size_t n = lengths[k], want = 0;
        struct bits a, b, c;
        bits_init(&a, n);
        bits_init(&b, n);
        for (size_t i = 0; i < n; i++) {
            if (i % 2)
                bits_set(&a, i);
            if (i % 3)
                bits_set(&b, i);
            want += i % 2 && i % 3 == 0;
        }
        bits_copy(&c, &a);
        assert_int_equal(c.ones, a.ones);
        assert_true(bytes_eq(bits_wire(&c), bits_wire(&a)));
        bits_or(&c, &b);
        assert_int_equal(c.ones, b.ones + want);
        for (size_t i = 0; i < c.n; i++)
            assert_int_equal(bits_get(&c, i), bits_get(&a, i) || bits_get(&b, i));
        bits_fini(&a);
        bits_fini(&b);
        bits_fini(&c);
    }
}

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(bits_bytes(0), 0);
    assert_int_equal(bits_bytes(1), 1);
    assert_int_equal(bits_bytes(8), 1);
    assert_int_equal(bits_bytes(9), 2);
    assert_true(bits_bytes(SIZE_MAX) == SIZE_MAX / 8 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wire_order), cmocka_unit_test(set_and_unset),
        cmocka_unit_test(fills),      cmocka_unit_test(loads),
        cmocka_unit_test(agrees_with_an_array), cmocka_unit_test(one_or_the_other),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

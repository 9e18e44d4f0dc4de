/* Random numbers: the published sequence, repeatable, and fair below a bound. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/rng.h>

static void published_sequence(void **state)
{
    (void)state;
    uint8_t seed[32] = {[7] = 1, [15] = 2, [23] = 3, [31] = 4};
    struct rng r;
    rng_seed_bytes(&r, seed);
    assert_true(rng_u64(&r) == 11520);
    assert_true(rng_u64(&r) == 0);
    assert_true(rng_u64(&r) == 1509978240);
    assert_true(rng_u64(&r) == UINT64_C(1215971899390074240));
}

static void seed_of_zero(void **state)
{
    (void)state;
    struct rng r, s;
    uint8_t zero[32] = {0};
    rng_seed(&r, 0);
    assert_true(r.s[0] == UINT64_C(0xe220a8397b1dcdaf)); /* splitmix64's first from zero */
    rng_seed_bytes(&s, zero);
    assert_memory_equal(&r, &s, sizeof r);
    assert_true(rng_u64(&r) | rng_u64(&r));
}

static void repeats(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&c, 43);
    int differ = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_u64(&a);
        assert_true(v == rng_u64(&b));
        differ += v != rng_u64(&c);
    }
    assert_int_equal(differ, 1000);
}

static void below(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    int hits[7] = {0};
    for (int i = 0; i < 70000; i++)
        hits[rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(hits[i], 9500, 10500);
    for (int i = 0; i < 1000; i++) {
        assert_true(rng_below(&r, 1) == 0);
        assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
        assert_true(rng_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}

/* With a bound of three quarters of the range a plain remainder would favour the lowest third. */
static void fair_near_the_top(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    uint64_t n = UINT64_C(3) << 62;
    int low = 0;
    for (int i = 0; i < 30000; i++)
        low += rng_below(&r, n) < n / 3;
    assert_in_range(low, 9500, 10500);
}

static void fills(void **state)
{
    (void)state;
    struct rng r;
    for (size_t n = 0; n <= 40; n++) {
        uint8_t b[48];
        memset(b, 0xaa, sizeof b);
        rng_seed(&r, n);
        rng_fill(&r, b, n);
        for (size_t i = n; i < sizeof b; i++)
            assert_int_equal(b[i], 0xaa);
        rng_seed(&r, n);
        if (n >= 16) {
            assert_true(get_be64(b) == rng_u64(&r));
            assert_true(get_be64(b + 8) == rng_u64(&r));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_sequence), cmocka_unit_test(seed_of_zero),
        cmocka_unit_test(repeats),            cmocka_unit_test(below),
        cmocka_unit_test(fair_near_the_top),  cmocka_unit_test(fills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

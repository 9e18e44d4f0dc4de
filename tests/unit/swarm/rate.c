/* Rates: the mean of ten seconds, an honest beginning, and clocks that behave badly. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/swarm/rate.h>

/* Half a second in ten is the grain. */
static void near(uint64_t got, uint64_t want)
{
    assert_in_range(got, want - want / 18, want + want / 18);
}

static void steady(void **state)
{
    (void)state;
    const usec origins[] = {0, 12345, 77 * 24 * 3600 * USEC_SEC};
    for (int k = 0; k < 3; k++) {
        struct rate r;
        usec at = origins[k];
        rate_init(&r, at);
        assert_int_equal(rate_now(&r, at), 0);
        for (int i = 1; i <= 600; i++) {
            at += 50 * USEC_MS;
            rate_add(&r, 5000, at);
            if (i >= 40)
                near(rate_now(&r, at), 100000);
        }
        assert_int_equal(r.total, 3000000);
    }
}

static void beginning(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, 0);
    rate_add(&r, 1000000, 1);
    assert_int_equal(rate_now(&r, 2), 1000000); /* not a thousand times that */
    near(rate_now(&r, 2 * USEC_SEC), 500000);
    near(rate_now(&r, 5 * USEC_SEC), 200000);
}

static void fades(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, 0);
    for (usec at = 0; at < 20 * USEC_SEC; at += 100 * USEC_MS)
        rate_add(&r, 10000, at);
    near(rate_now(&r, 20 * USEC_SEC), 100000);
    near(rate_now(&r, 25 * USEC_SEC), 50000);
    assert_int_equal(rate_now(&r, 31 * USEC_SEC), 0);
    assert_int_equal(rate_now(&r, 31000000 * USEC_SEC), 0);
    rate_add(&r, 10, 31000000 * USEC_SEC); /* after a year of silence at once */
    assert_in_range(rate_now(&r, 31000000 * USEC_SEC), 1, 2);
    rate_add(&r, 0, INT64_MAX / 2);
    assert_int_equal(rate_now(&r, INT64_MAX / 2), 0);
}

static void clock_back(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, 100 * USEC_SEC);
    rate_add(&r, 100000, 110 * USEC_SEC);
    rate_add(&r, 100000, 90 * USEC_SEC);
    assert_int_equal(r.total, 200000);
    assert_true(rate_now(&r, 50 * USEC_SEC) <= 200000);
    near(rate_now(&r, 110 * USEC_SEC), 20000);
}

static void huge(void **state)
{
    (void)state;
    struct rate r;
    rate_init(&r, 0);
    for (int i = 0; i < 20; i++)
        rate_add(&r, UINT64_C(1) << 50, i * USEC_SEC / 2);
    assert_true(rate_now(&r, 10 * USEC_SEC) > UINT64_C(1) << 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady),     cmocka_unit_test(beginning), cmocka_unit_test(fades),
        cmocka_unit_test(clock_back), cmocka_unit_test(huge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

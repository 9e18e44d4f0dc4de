/* The token bucket under virtual time: exact rates, debts, huge numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/bucket.h>

static void starts_full(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 1000, 0, 0);
    assert_int_equal(bucket_avail(&b, 0), 1500);
    bucket_init(&b, 1500 * 20, 0, 0);
    assert_int_equal(bucket_avail(&b, 0), 1500);
    bucket_init(&b, 1501 * 20, 0, 0);
    assert_int_equal(bucket_avail(&b, 0), 1501);
    bucket_init(&b, 1000, 5, 0);
    assert_int_equal(bucket_avail(&b, 100 * USEC_SEC), 5);
}

static void unlimited(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 0, 0, 77);
    bucket_take(&b, UINT64_MAX, 77);
    assert_true(bucket_avail(&b, 77) == INT64_MAX);
    assert_true(bucket_when(&b, UINT64_MAX, 77) == 77);
}

static void debt_is_paid_first(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 1000, 100, 0);
    bucket_take(&b, 1100, 0);
    assert_int_equal(bucket_avail(&b, 0), 0);
    assert_int_equal(bucket_avail(&b, USEC_SEC), 0);
    assert_int_equal(bucket_avail(&b, USEC_SEC + 999), 0);
    assert_int_equal(bucket_avail(&b, USEC_SEC + 1000), 1);
    assert_int_equal(bucket_avail(&b, USEC_SEC + 100 * USEC_MS), 100);
    assert_int_equal(bucket_avail(&b, 9 * USEC_SEC), 100);
}

/* What came while nobody could look comes back, a sixteenth beside what is due. */
static void late_comes_back(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 100000, 0, 0);
    bucket_take(&b, 5000, 0);
    assert_int_equal(bucket_avail(&b, 100 * USEC_MS), 5000); /* and 5000 did not fit */
    bucket_late(&b, 40 * USEC_MS, 100 * USEC_MS);
    bucket_take(&b, 5000, 100 * USEC_MS);
    assert_int_equal(bucket_avail(&b, 132 * USEC_MS), 3400);
    bucket_take(&b, 3400, 132 * USEC_MS);
    uint64_t all = 0;
    for (usec now = 132 * USEC_MS; now <= 2132 * USEC_MS; now += 10 * USEC_MS) {
        uint64_t n = (uint64_t)bucket_avail(&b, now);
        assert_true(n <= 1063);
        bucket_take(&b, n, now);
        all += n;
    }
    assert_int_equal(all, 200000 + 4000 - 200);
    /* Of a long time a tenth of a second's worth; and nothing of a new rate, or of idle times. */
    bucket_late(&b, USEC_MIN, USEC_MIN);
    assert_int_equal(b.late, 10000 * 1000000ull);
    bucket_set_rate(&b, 200000, USEC_MIN);
    assert_int_equal(b.late, 0);
    assert_int_equal(bucket_avail(&b, 2 * USEC_MIN), 10000);
    bucket_late(&b, 0, 2 * USEC_MIN);
    assert_int_equal(b.late, 0);
    bucket_init(&b, 100000, 5000, 0);
    bucket_late(&b, USEC_SEC, USEC_SEC);
    assert_int_equal(b.late, 0);
}

static void given_back(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 1000, 100, 0);
    bucket_take(&b, 350, 0);
    assert_int_equal(bucket_debt(&b, 0), 250);
    assert_int_equal(bucket_debt(&b, 1500), 249); /* tokens owed are whole */
    bucket_give(&b, 240, 1500);
    assert_int_equal(bucket_debt(&b, 1500), 9);
    bucket_give(&b, 50, 1500);
    assert_int_equal(bucket_debt(&b, 1500), 0);
    assert_int_equal(bucket_avail(&b, 1500), 41);
    bucket_give(&b, UINT64_MAX, 1500);
    assert_int_equal(bucket_avail(&b, 1500), 100);
    bucket_init(&b, 0, 0, 0);
    bucket_give(&b, 5, 0);
    assert_true(bucket_debt(&b, 0) == 0 && bucket_avail(&b, 0) == INT64_MAX);
}

static void when(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 3, 10, 0);
    assert_true(bucket_when(&b, 10, 0) == 0);
    bucket_take(&b, 10, 0);
    assert_true(bucket_when(&b, 1, 0) == 333334);
    assert_int_equal(bucket_avail(&b, 333333), 0);
    assert_int_equal(bucket_avail(&b, 333334), 1);
    /* More than it can ever hold: when it is full. */
    usec at = bucket_when(&b, UINT64_MAX, 333334);
    assert_int_equal(bucket_avail(&b, at - 1), 9);
    assert_int_equal(bucket_avail(&b, at), 10);
}

/* Whatever the times of asking, over an hour comes what the rate says and not a token more. */
static void exact_over_time(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 3, 7, 999, 12345, 1000003, UINT64_C(10000000000)};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct bucket b;
        usec now = 0, hour = 3600 * USEC_SEC;
        uint64_t taken = 0, burst = rates[i] + 1;
        bucket_init(&b, rates[i], burst, 0);
        while (now < hour) {
            int64_t n = bucket_avail(&b, now);
            bucket_take(&b, (uint64_t)n, now);
            taken += (uint64_t)n;
            now += 700001;
        }
        bucket_take(&b, 0, hour);
        taken += (uint64_t)bucket_avail(&b, hour);
        assert_true(taken == burst + rates[i] * 3600);
    }
}

static void large_messages_keep_the_rate(void **state)
{
    (void)state;
    struct bucket b;
    usec now = 0;
    uint64_t taken = 0;
    bucket_init(&b, 10000, 100, 0);
    while (now < 1000 * USEC_SEC) {
        bucket_take(&b, 16384, now);
        taken += 16384;
        now = bucket_when(&b, 1, now);
    }
    assert_in_range(taken, 10000000 - 20000, 10000000 + 20000);
}

static void huge(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
    int64_t most = bucket_avail(&b, 0);
    assert_true(most > INT64_C(1000000000000));
    for (int i = 0; i < 10; i++)
        bucket_take(&b, UINT64_MAX, 0);
    assert_int_equal(bucket_avail(&b, 0), 0);
    assert_true(bucket_avail(&b, USEC_NEVER - 1) == most);
    bucket_init(&b, UINT64_MAX, 0, INT64_MIN);
    bucket_take(&b, 1, INT64_MIN);
    assert_true(bucket_avail(&b, INT64_MAX) > 0);
    bucket_init(&b, 1, 1, 0);
    for (int i = 0; i < 10; i++)
        bucket_take(&b, UINT64_MAX, 0);
    assert_true(bucket_when(&b, 1, 0) > 1000 * USEC_SEC);
    assert_true(bucket_when(&b, 1, USEC_NEVER - 5) <= USEC_NEVER);
}

static void clock_that_goes_back(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 1000, 100, USEC_SEC);
    bucket_take(&b, 100, USEC_SEC);
    assert_int_equal(bucket_avail(&b, 0), 0);
    assert_int_equal(bucket_avail(&b, USEC_SEC), 0);
    assert_int_equal(bucket_avail(&b, USEC_SEC + 10 * USEC_MS), 10);
}

static void rate_changes(void **state)
{
    (void)state;
    struct bucket b;
    bucket_init(&b, 1000, 0, 0);
    bucket_take(&b, 1500, 0);
    bucket_set_rate(&b, 20 * 3000, USEC_SEC); /* the second that went by is paid at the old rate */
    assert_int_equal(bucket_avail(&b, USEC_SEC), 1000);
    assert_int_equal(bucket_avail(&b, USEC_SEC + 20 * USEC_MS), 2200);
    bucket_set_rate(&b, 20 * 100000, 2 * USEC_SEC);
    assert_int_equal(bucket_avail(&b, 100 * USEC_SEC), 100000);
    bucket_set_rate(&b, 1, 100 * USEC_SEC); /* what had gathered is cut to the new burst */
    assert_int_equal(bucket_avail(&b, 100 * USEC_SEC), 1500);
    bucket_set_rate(&b, 0, 100 * USEC_SEC);
    assert_true(bucket_avail(&b, 100 * USEC_SEC) == INT64_MAX);
    bucket_set_rate(&b, 10, 200 * USEC_SEC);
    assert_int_equal(bucket_avail(&b, 200 * USEC_SEC), 1500);
    bucket_init(&b, 1000, 7, 0);
    bucket_set_rate(&b, 1000000, 0); /* a burst of the caller's own stays */
    assert_int_equal(bucket_avail(&b, USEC_SEC), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_full),
        cmocka_unit_test(unlimited),
        cmocka_unit_test(debt_is_paid_first),
        cmocka_unit_test(when),
        cmocka_unit_test(exact_over_time),
        cmocka_unit_test(large_messages_keep_the_rate),
        cmocka_unit_test(huge),
        cmocka_unit_test(clock_that_goes_back),
        cmocka_unit_test(rate_changes),
        cmocka_unit_test(late_comes_back),
        cmocka_unit_test(given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

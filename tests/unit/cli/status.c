/* Exit statuses: the table of the contract, and an order of badness that is an order. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/err.h>
#include <p2p/cli/status.h>

static void codes(void **state)
{
    static const int table[][2] = {
        {0, 0},
        {17, 0},
        {ERR_FAIL, 1},
        {ERR_USAGE, 2},
        {ERR_NOTFOUND, 3},
        {ERR_NET, 3},
        {ERR_INVALID, 4},
        {ERR_LIMIT, 4},
        {ERR_IO, 5},
        {ERR_LOCKED, 6},
        {ERR_CANCELED, 130},
        {-999, 1},
    };
    (void)state;

    for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(status_of(table[i][0]), table[i][1]);
}

static void worst(void **state)
{
    static const int order[] = {0, 3, 6, 1, 5, 4, 2, 141, 130, 143};
    const int n = sizeof order / sizeof *order;
    (void)state;

    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            assert_int_equal(status_worst(order[i], order[j]), order[i > j ? i : j]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes),
        cmocka_unit_test(worst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

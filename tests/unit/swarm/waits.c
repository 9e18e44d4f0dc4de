/* What a download waited for. */
#include <p2p/swarm/waits.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void time_goes_to_what_was_waited_for(void **state)
{
    struct waits w;
    (void)state;
    waits_begin(&w, 100);
    waits_turn(&w, WAITS_NETWORK, 130);
    waits_turn(&w, WAITS_NETWORK, 150);
    waits_turn(&w, WAITS_DISK, 190);
    waits_turn(&w, WAITS_PEERS, 200);
    assert_int_equal(w.time[WAITS_PEERS], 30);
    assert_int_equal(w.time[WAITS_NETWORK], 60);
    assert_int_equal(w.time[WAITS_DISK], 10);
    assert_int_equal(waits_most(w.time), WAITS_NETWORK);
    waits_turn(&w, WAITS_PEERS, 300);
    assert_int_equal(w.time[WAITS_PEERS], 130);
    assert_int_equal(waits_most(w.time), WAITS_PEERS);
}

static void each_has_a_name(void **state)
{
    (void)state;
    for (enum waits_for i = 0; i < WAITS; i++) {
        assert_non_null(waits_name(i));
        for (enum waits_for k = 0; k < i; k++)
            assert_string_not_equal(waits_name(i), waits_name(k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_goes_to_what_was_waited_for),
        cmocka_unit_test(each_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

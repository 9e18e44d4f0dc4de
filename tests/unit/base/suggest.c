/* The word somebody meant. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/suggest.h>

static void distances(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("", ""), 0);
    assert_int_equal(suggest_distance("seed", "seed"), 0);
    assert_int_equal(suggest_distance("", "get"), 3);
    assert_int_equal(suggest_distance("get", ""), 3);
    assert_int_equal(suggest_distance("gte", "get"), 1);
    assert_int_equal(suggest_distance("sed", "seed"), 1);
    assert_int_equal(suggest_distance("lss", "ls"), 1);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
}

static void nearest(void **state)
{
    static const char *const words[] = {"add", "get", "seed", "ls", "rm"};
    static const char long_word[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789";
    (void)state;

    assert_string_equal(suggest_nearest("gte", words, 5), "get");
    assert_string_equal(suggest_nearest("sed", words, 5), "seed");
    assert_string_equal(suggest_nearest("l", words, 5), "ls");
    assert_null(suggest_nearest("download", words, 5));
    assert_null(suggest_nearest("", words, 5));
    assert_null(suggest_nearest("x", words, 5));
    assert_null(suggest_nearest(long_word, words, 5));
    assert_null(suggest_nearest("get", words, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

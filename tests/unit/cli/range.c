/* The text of --range, and what it means in something of a given length. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/cli/range.h>

#include <stddef.h>

static void good(void **state)
{
    static const struct {
        const char *text, *file;
        uint64_t first, last;
        bool from_end;
    } cases[] = {
        {"0-999", NULL, 0, 999, false},
        {"5-5", NULL, 5, 5, false},
        {"1Mi-", NULL, 1 << 20, UINT64_MAX, false},
        {"-500", NULL, 500, UINT64_MAX, true},
        {"a/film.mkv:0-9", "a/film.mkv", 0, 9, false},
        {"with:colon:7-", "with:colon", 7, UINT64_MAX, false},
        {"a-b:-3", "a-b", 3, UINT64_MAX, true},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct range r;
        assert_int_equal(range_parse(&r, cases[i].text, NULL), 0);
        if (cases[i].file)
            assert_string_equal(r.file, cases[i].file);
        else
            assert_null(r.file);
        assert_true(r.first == cases[i].first);
        assert_true(r.last == cases[i].last);
        assert_true(r.from_end == cases[i].from_end);
        range_fini(&r);
    }
}

static void bad(void **state)
{
    static const char *const cases[] = {
        "",   "-",    "5",  "9-3", "x-",   "1-y",  "-0",
        "-x", ":1-2", "f:", "f:7", "1--2", "-1-2", "99999999999999999999-",
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct range r;
        struct err e = {0};
        assert_int_equal(range_parse(&r, cases[i], &e), ERR_USAGE);
        assert_null(r.file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

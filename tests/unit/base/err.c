/* Errors: the first one wins, one line, whole characters. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/err.h>
#include <p2p/base/text.h>

#include <errno.h>

static void fills_once(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_set(&e, ERR_INVALID, "%s: %d", "piece", 7), ERR_INVALID);
    assert_int_equal(err_set(&e, ERR_NET, "later"), ERR_NET);
    assert_int_equal(e.code, ERR_INVALID);
    assert_string_equal(e.msg, "piece: 7");
    assert_int_equal(err_os(&e, ENOSPC, "later still"), ERR_IO);
    assert_int_equal(e.os, 0);
    assert_string_equal(e.msg, "piece: 7");
    err_clear(&e);
    assert_int_equal(e.code, ERR_OK);
    assert_string_equal(e.msg, "");
}

static void may_be_absent(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_FAIL, "x"), ERR_FAIL);
    assert_int_equal(err_os(NULL, EACCES, "x"), ERR_IO);
}

static void remembers_errno(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_os(&e, ENOSPC, "%s", "disk"), ERR_IO);
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(e.os, ENOSPC);
    assert_string_equal(e.msg, "disk: No space left on device");
}

static void stays_on_one_line(void **state)
{
    (void)state;
    struct err e = {0};
    err_set(&e, ERR_NET, "tracker: %s", "a\nb\r\tc\x1b[2J\x7f");
    assert_string_equal(e.msg, "tracker: a b  c [2J ");
}

/* n letters and then "€€": how much of it survives. */
static size_t kept(size_t n)
{
    char text[600];
    memset(text, 'a', n);
    memcpy(text + n, "€€", sizeof "€€");
    struct err e = {0};
    err_set(&e, ERR_FAIL, "%s", text);
    assert_true(text_utf8_valid(bytes_str(e.msg)));
    return strlen(e.msg);
}

static void cuts_between_characters(void **state)
{
    (void)state;
    assert_int_equal(kept(493), 499); /* just fits */
    assert_int_equal(kept(494), 497);
    assert_int_equal(kept(495), 498);
    assert_int_equal(kept(496), 499);
    assert_int_equal(kept(497), 497);
    assert_int_equal(kept(498), 498);
    assert_int_equal(kept(499), 499);
    assert_int_equal(kept(500), 499);
    assert_int_equal(kept(590), 499);
}

static void reason_is_cut_too(void **state)
{
    (void)state;
    char text[600];
    for (size_t n = 474; n < sizeof text; n++) {
        memset(text, 'a', n);
        text[n] = '\0';
        struct err e = {0};
        err_os(&e, ENOSPC, "%s", text);
        assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_once),        cmocka_unit_test(may_be_absent),
        cmocka_unit_test(remembers_errno),   cmocka_unit_test(stays_on_one_line),
        cmocka_unit_test(cuts_between_characters), cmocka_unit_test(reason_is_cut_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* JSON lines: order, escapes, bytes that are not text, dates. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/format/json.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void prints(struct json *j, const char *want)
{
    char *got = json_line(j);

    assert_string_equal(got, want);
    free(got);
    json_free(j);
}

static void all_kinds(void **state)
{
    struct json *o = json_new_object(), *list = json_new_array(), *inner = json_new_object();
    (void)state;

    json_set_str(o, "z", "last letter first");
    json_set_str(o, "absent", NULL);
    json_set_str(o, "empty", "");
    json_set_int(o, "big", INT64_MAX);
    json_set_int(o, "small", INT64_MIN);
    json_set_real(o, "half", 0.5);
    json_set_real(o, "nan", NAN);
    json_set_real(o, "inf", INFINITY);
    json_set_bool(o, "yes", true);
    json_set_bool(o, "no", false);
    json_set_hex(o, "hash", BYTES_LIT("\xAB\x00\xff"));
    json_add_str(list, "one");
    json_set_int(inner, "two", 2);
    json_add(list, inner);
    json_set(o, "list", list);
    prints(o, "{\"z\":\"last letter first\",\"empty\":\"\",\"big\":9223372036854775807,"
              "\"small\":-9223372036854775808,\"half\":0.5,\"yes\":true,\"no\":false,"
              "\"hash\":\"ab00ff\",\"list\":[\"one\",{\"two\":2}]}");
}

static void strings(void **state)
{
    static const struct {
        struct bytes in;
        const char *out;
    } cases[] = {
        {{(const uint8_t *)"", 0}, ""},
        {{NULL, 0}, ""},
        {{(const uint8_t *)"a\"b\\c/\n\t\x1b", 9}, "a\\\"b\\\\c/\\n\\t\\u001B"},
        {{(const uint8_t *)"a\0b", 3}, "a\\u0000b"},
        {{(const uint8_t *)"\xc3\xa9\xf0\x9f\x8e\xac", 6}, "\xc3\xa9\xf0\x9f\x8e\xac"},
        {{(const uint8_t *)"x\xff\xc3y", 4}, "x\xef\xbf\xbd\xef\xbf\xbdy"},
        {{(const uint8_t *)"\xed\xa0\x80", 3}, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {{(const uint8_t *)"\x7f\xc2\x9b\xe2\x80\xae\xe2\x81\xa6", 9},
         "\\u007F\\u009B\\u202E\\u2066"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *o = json_new_object();
        char want[100];
        json_set_bytes(o, "s", cases[i].in);
        assert_true(snprintf(want, sizeof want, "{\"s\":\"%s\"}", cases[i].out) < (int)sizeof want);
        prints(o, want);
    }
}

static void times(void **state)
{
    static const struct {
        int64_t t;
        const char *text;
    } cases[] = {
        {0, "{\"t\":\"1970-01-01T00:00:00Z\"}"},
        {-1, "{\"t\":\"1969-12-31T23:59:59Z\"}"},
        {951782400, "{\"t\":\"2000-02-29T00:00:00Z\"}"},
        {4107542399, "{\"t\":\"2100-02-28T23:59:59Z\"}"},
        {4107542400, "{\"t\":\"2100-03-01T00:00:00Z\"}"},
        {1700000000, "{\"t\":\"2023-11-14T22:13:20Z\"}"},
        {253402300799, "{\"t\":\"9999-12-31T23:59:59Z\"}"},
        {-62135596800, "{\"t\":\"0001-01-01T00:00:00Z\"}"},
        {253402300800, "{}"},
        {-62135596801, "{}"},
        {INT64_MAX, "{}"},
        {INT64_MIN, "{}"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json *o = json_new_object();
        json_set_time(o, "t", cases[i].t);
        prints(o, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds),
        cmocka_unit_test(strings),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Text: every function for good, bad and hostile bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/rng.h>
#include <p2p/base/text.h>

#include <stdlib.h>

static void hex(void **state)
{
    (void)state;
    char out[9];
    uint8_t b[4] = {9, 9, 9, 9};
    text_hex(out, BYTES_LIT("\x00\x7f\x80\xff"));
    assert_string_equal(out, "007f80ff");
    text_hex(out, (struct bytes){NULL, 0});
    assert_string_equal(out, "");
    assert_true(text_unhex(b, 4, BYTES_LIT("00aAFf9b")));
    assert_memory_equal(b, "\x00\xaa\xff\x9b", 4);
    static const char *const bad[] = {"", "0", "00aaff9", "00aaff9b0", "00aaff9b00", "00aaff9g",
                                      "00aaff9 ", "00aaff9/", "00aaff9:", "00aaff9@", "00aaff9`",
                                      "0x112233", "\x10\x10\x10\x10\x10\x10\x10\x10"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_unhex(b, 4, bytes_str(bad[i])));
    assert_memory_equal(b, "\x00\xaa\xff\x9b", 4);
    assert_true(text_unhex(b, 0, (struct bytes){NULL, 0}));
    assert_false(text_unhex(b, SIZE_MAX, BYTES_LIT("")));
    assert_false(text_unhex(b, SIZE_MAX / 2 + 1, BYTES_LIT("")));
}

static void base32(void **state)
{
    (void)state;
    static const struct { /* the examples of RFC 4648, without their padding */
        const char *s, *b;
    } t[] = {{"", ""},           {"MY", "f"},         {"MZXQ", "fo"},        {"MZXW6", "foo"},
             {"MZXW6YQ", "foob"}, {"MZXW6YTB", "fooba"}, {"mzxw6ytboi", "foobar"}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t b[8];
        size_t n = strlen(t[i].b), chars = strlen(t[i].s);
        assert_true(text_unbase32(b, n, bytes_str(t[i].s)));
        assert_memory_equal(b, t[i].b, n);
        assert_false(text_unbase32(b, n + 1, bytes_str(t[i].s)));
        if (n) {
            assert_false(text_unbase32(b, n - 1, bytes_str(t[i].s)));
            assert_false(text_unbase32(b, n, BYTES(t[i].s, chars - 1)));
        }
    }
    uint8_t b[20];
    assert_true(text_unbase32(b, 20, BYTES_LIT("77777777777777777777777777777777")));
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(b[i], 0xff);
    assert_false(text_unbase32(b, 1, BYTES_LIT("MZ"))); /* spare bits set */
    static const char *const bad[] = {"M1", "M8", "M0", "M=", "M ",
                                      "M[", "M@", "M`", "M{", "M\x12"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_unbase32(b, 1, bytes_str(bad[i])));
    assert_false(text_unbase32(b, SIZE_MAX, BYTES_LIT("")));
}

static const struct {
    const char *s;
    bool ok;
} utf8[] = {
    {"", true},
    {"plain", true},
    {"\x7f", true},
    {"\xc2\x80", true},
    {"\xdf\xbf", true},
    {"\xe0\xa0\x80", true},
    {"\xed\x9f\xbf", true},
    {"\xee\x80\x80", true},
    {"\xef\xbf\xbf", true},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"a\xe2\x82\xac" "b", true},
    {"\x80", false},
    {"\xbf", false},
    {"\xc0\x80", false}, /* overlong */
    {"\xc1\xbf", false},
    {"\xe0\x9f\xbf", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xed\xa0\x80", false}, /* surrogates */
    {"\xed\xbf\xbf", false},
    {"\xf4\x90\x80\x80", false}, /* past U+10FFFF */
    {"\xf5\x80\x80\x80", false},
    {"\xff", false},
    {"\xfe", false},
    {"\xc2", false}, /* cut off */
    {"\xe2\x82", false},
    {"\xf0\x90\x80", false},
    {"\xc2" "a", false},
    {"\xe2\x82" "a", false},
    {"\xe2\x82\xac\x82", false},
};

static void utf8_validity(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof utf8 / sizeof *utf8; i++)
        if (text_utf8_valid(bytes_str(utf8[i].s)) != utf8[i].ok)
            fail_msg("row %zu", i);
    assert_true(text_utf8_valid(BYTES_LIT("a\0b")));
    assert_true(text_utf8_valid((struct bytes){NULL, 0}));
}

static void utf8_cut(void **state)
{
    (void)state;
    struct bytes s = BYTES_LIT("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};
    for (size_t max = 0; max < sizeof want / sizeof *want; max++)
        assert_int_equal(text_utf8_cut(s, max), want[max]);
    assert_int_equal(text_utf8_cut(s, SIZE_MAX), 11);
    assert_int_equal(text_utf8_cut((struct bytes){NULL, 0}, 5), 0);
    assert_int_equal(text_utf8_cut((struct bytes){NULL, 0}, 0), 0);
    /* What is no sequence cannot be cut in two. */
    assert_int_equal(text_utf8_cut(BYTES_LIT("\x80\x80\x80\x80\x80\x80"), 4), 4);
    assert_int_equal(text_utf8_cut(BYTES_LIT("ab\xe2\x82zz"), 3), 3);
}

static void globs(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool match;
    } t[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a", "A", false},
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"*", "abc", true},
        {"?", "", false},
        {"?", "a", true},
        {"??", "a", false},
        {"a*", "a", true},
        {"*.c", "x.c", true},
        {"*.c", "x.cc", false},
        {"*.c", ".c", true},
        {"a*b*c", "aXbXbXc", true},
        {"a*b*c", "aXbXbX", false},
        {"*ab", "aab", true},
        {"*aab*", "aaaab", true},
        /* the last component, or a folder above */
        {"*.c", "dir/x.c", true},
        {"docs", "docs", true},
        {"docs", "docs/a/b", true},
        {"docs", "x/docs/a", true},
        {"docs", "x/docs", true},
        {"docs", "x/docsy", false},
        {"d*s", "x/do/cs", false},
        {"**", "a/b", true},
        {"a**c", "a/b/c", false}, /* one component at a time: no slash in the pattern */
        /* the whole path */
        {"a/b", "a/b", true},
        {"a/b", "x/a/b", false},
        {"a/b", "a/b/c", false},
        {"a/*", "a/b", true},
        {"a/*", "a/b/c", false},
        {"*/b", "a/b", true},
        {"a/?/c", "a/b/c", true},
        {"a?b/", "a/b/c", false},
        {"a[/]b/c", "a/b/c", false},
        {"a[!x]b/c", "a/b/c", false},
        {"*/*/c", "a/b/c", true},
        {"*/c", "a/b/c", false},
        {"a/**", "a/b/c", true},
        {"a/**", "a", false},
        {"a/**", "ab/c", false},
        {"**/c", "c", true},
        {"**/c", "a/c", true},
        {"**/c", "a/b/c", true},
        {"**/c", "a/bc", false},
        {"a/**/c", "a/c", true},
        {"a/**/c", "a/b/c", true},
        {"a/**/c", "a/b/b/b/c", true},
        {"a/**/c", "a/bc", false},
        {"a/**/b/**/c", "a/x/b/b/y/c", true},
        {"a/**/b/**/c", "a/x/c", false},
        {"a**/c", "ab/x/c", true},
        {"a/**c", "a/x/yc", true},
        {"a/***/c", "a/b/d/c", true},
        {"**/*.c", "a/b.d/x.c", true},
        {"**/a*b", "ax/ab", true},
        {"**/a*b/c", "axx/ayb/c", true},
        {"x/**/*a*/z", "x/p/ab/q/ba/z", true},
        {"x/**/*a*/z", "x/p/ab/q/bb/z", false},
        {"docs/", "docs/a", true},
        {"docs/", "docs/a/b", true},
        {"docs/", "docs", false},
        {"docs/", "x/docs/a", false},
        {"**/docs/", "x/docs/a", true},
        {"d*/", "x/docs/a", false},
        /* sets */
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[a-c]x", "cx", true},
        {"[!a-c]", "b", false},
        {"[!a-c]", "z", true},
        {"[!a-c]", "", false},
        {"[]]", "]", true},
        {"[!]]", "]", false},
        {"[!]]", "a", true},
        {"[]a]", "a", true},
        {"[a-]", "-", true},
        {"[-a]", "-", true},
        {"[a-]", "b", false},
        {"[c-a]", "b", false},
        {"[\\]]", "]", true},
        {"[\\]a]", "a", true},
        {"[a\\-c]", "b", false},
        {"[a\\-c]", "-", true},
        {"[*]", "*", true},
        {"[*]", "a", false},
        {"[?]", "a", false},
        {"[!!]", "!", false},
        {"[^a]", "^", true},
        {"[a", "[a", true}, /* not closed: itself */
        {"[a", "a", false},
        {"[", "[", true},
        {"[!", "[!", true},
        {"[a-", "[a-", true},
        {"[]", "[]", true},
        {"*[a", "xx[a", true},
        /* quoting */
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"\\?", "?", true},
        {"\\[a]", "[a]", true},
        {"\\\\", "\\", true},
        {"a\\", "a\\", true},
        {"\\a", "a", true},
        /* characters, not bytes */
        {"?", "\xc3\xa9", true},
        {"??", "\xc3\xa9", false},
        {"*??", "\xc3\xa9", false},
        {"*?\xa9", "\xc3\xa9", false},
        {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
        {"[!a]", "\xe2\x82\xac", true},
        {"*[!a]?", "\xe2\x82\xac", false},
        {"?", "\xff", true},
        {"\xff", "\xff", true},
        {"\xfe", "\xff", false},
        {"[a\xff]", "\xff", true},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        if (text_glob(t[i].pattern, t[i].path) != t[i].match)
            fail_msg("%s over %s", t[i].pattern, t[i].path);
}

/* The meaning of `*`, `**`, `?` and letters by the plain definition, at exponential cost. */
static bool slow_glob(const char *p, const char *s, bool at_start)
{
    if (!*p)
        return !*s;
    if (*p != '*')
        return *s && (*p == *s || (*p == '?' && *s != '/')) && slow_glob(p + 1, s + 1, *p == '/');
    size_t stars = strspn(p, "*");
    p += stars;
    if (stars > 1 && at_start && *p == '/') {
        if (slow_glob(p + 1, s, true))
            return true;
        for (; *s; s++)
            if (*s == '/' && slow_glob(p + 1, s + 1, true))
                return true;
        return false;
    }
    for (;; s++) {
        if (slow_glob(p, s, false))
            return true;
        if (!*s || (stars == 1 && *s == '/'))
            return false;
    }
}

static void globs_mean_what_they_say(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 9);
    int matched = 0;
    for (int turn = 0; turn < 200000; turn++) {
        char p[12], s[12];
        size_t pn = 1 + rng_below(&r, 10), sn = rng_below(&r, 11);
        for (size_t i = 0; i < pn; i++)
            p[i] = "ab/**?*/"[rng_below(&r, 8)];
        for (size_t i = 0; i < sn; i++)
            s[i] = "aab/"[rng_below(&r, 4)];
        p[pn] = s[sn] = '\0';
        if (!strchr(p, '/') || p[pn - 1] == '/')
            continue;
        bool want = slow_glob(p, s, true);
        matched += want;
        if (text_glob(p, s) != want)
            fail_msg("%s over %s", p, s);
    }
    assert_true(matched > 3000);
}

static void hostile_glob_is_quick(void **state)
{
    (void)state;
    char pattern[400], path[4001];
    memset(path, 'a', 4000);
    path[4000] = '\0';
    for (size_t i = 0; i < 300; i += 2)
        memcpy(pattern + i, "a*", 2);
    strcpy(pattern + 300, "b");
    assert_false(text_glob(pattern, path));
    for (size_t i = 0; i < 300; i += 3)
        memcpy(pattern + i, "**a", 3);
    strcpy(pattern + 300, "/b");
    assert_false(text_glob(pattern, path));
    for (size_t i = 1; i < 4000; i += 2)
        path[i] = '/';
    for (size_t i = 0; i < 300; i += 5)
        memcpy(pattern + i, "**/*/", 5);
    strcpy(pattern + 300, "b");
    assert_false(text_glob(pattern, path));
}

static void percent(void **state)
{
    (void)state;
    struct buf b = {0};
    text_percent(&b, BYTES_LIT("aZ09-._~ /%+\x00\xff&=" "@[`{"), NULL);
    assert_true(bytes_is(buf_bytes(&b), "aZ09-._~%20%2F%25%2B%00%FF%26%3D%40%5B%60%7B"));
    buf_clear(&b);
    text_percent(&b, BYTES_LIT("a/b\x00:c d"), "/:");
    assert_true(bytes_is(buf_bytes(&b), "a/b%00:c%20d"));
    buf_clear(&b);
    assert_true(text_unpercent(&b, BYTES_LIT("a%2fb%2Fc+d%00%25"), false));
    assert_true(bytes_eq(buf_bytes(&b), BYTES_LIT("a/b/c+d\0%")));
    buf_clear(&b);
    assert_true(text_unpercent(&b, BYTES_LIT("a+b%2B"), true));
    assert_true(bytes_is(buf_bytes(&b), "a b+"));
    static const char *const bad[] = {"%", "%1", "a%", "a%f", "%g0", "%0g", "%%20", "% 1", "%-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_unpercent(&b, bytes_str(bad[i]), false));
    buf_fini(&b);
}

static void percent_round_trip(void **state)
{
    (void)state;
    uint8_t all[256];
    struct buf there = {0}, back = {0};
    for (size_t i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    text_percent(&there, BYTES(all, 256), NULL);
    assert_true(text_unpercent(&back, buf_bytes(&there), true));
    assert_true(bytes_eq(buf_bytes(&back), BYTES(all, 256)));
    buf_fini(&back);
    buf_init(&back, 255);
    assert_false(text_unpercent(&back, buf_bytes(&there), true));
    buf_fini(&there);
    buf_fini(&back);
}

static void shows(void **state)
{
    (void)state;
    static const struct {
        const char *s, *shown;
    } t[] = {
        {"", ""},
        {"plain name.txt", "plain name.txt"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd"},
        {"\x1b[31m", "\\x1b[31m"},
        {"\x7f", "\\x7f"},
        {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0"},
        {"a\xe2\x80\xae" "fdp.exe", "a\\xe2\\x80\\xaefdp.exe"},
        {"\xd8\x9c", "\\xd8\\x9c"},
        {"\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90",
         "\xe2\x80\x8d\\xe2\\x80\\x8e\\xe2\\x80\\x8f\xe2\x80\x90"},
        {"\xe2\x80\xa8\xe2\x80\xaf", "\\xe2\\x80\\xa8\xe2\x80\xaf"},
        {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
         "\xe2\x81\xa5\\xe2\\x81\\xa6\\xe2\\x81\\xa9\xe2\x81\xaa"},
        {"\xff\x80" "a\xe2\x82", "\\xff\\x80a\\xe2\\x82"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xc0\x9b", "\\xc0\\x9b"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = {0};
        text_show(&b, bytes_str(t[i].s));
        if (!bytes_is(buf_bytes(&b), t[i].shown))
            fail_msg("row %zu", i);
        buf_fini(&b);
    }
    struct buf b = {0};
    text_show(&b, BYTES_LIT("a\0b"));
    assert_true(bytes_is(buf_bytes(&b), "a\\x00b"));
    buf_fini(&b);
}

static void shown_is_always_safe(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 4);
    for (int turn = 0; turn < 20000; turn++) {
        uint8_t s[12];
        rng_fill(&r, s, sizeof s);
        struct buf b = {0};
        text_show(&b, BYTES(s, sizeof s));
        struct bytes out = buf_bytes(&b);
        assert_true(text_utf8_valid(out));
        for (size_t i = 0; i < out.n; i++)
            assert_true(out.p[i] >= 0x20 && out.p[i] != 0x7f);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex),
        cmocka_unit_test(base32),
        cmocka_unit_test(utf8_validity),
        cmocka_unit_test(utf8_cut),
        cmocka_unit_test(globs),
        cmocka_unit_test(globs_mean_what_they_say),
        cmocka_unit_test(hostile_glob_is_quick),
        cmocka_unit_test(percent),
        cmocka_unit_test(percent_round_trip),
        cmocka_unit_test(shows),
        cmocka_unit_test(shown_is_always_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

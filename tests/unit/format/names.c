/* Names on disk: what is refused, what is shortened, and that shortening keeps names apart. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/names.h>

#include <stdlib.h>

static char *repeat(const char *unit, size_t times, const char *end)
{
    size_t n = strlen(unit);
    char *s = mem_alloc(n * times + strlen(end) + 1);

    for (size_t i = 0; i < times; i++)
        memcpy(s + i * n, unit, n);
    strcpy(s + n * times, end);
    return s;
}

static void components(void **state)
{
    static const char *const fine[] = {"a", "...", "foo... bar", "..a",     "a..",
                                       " ", "\\",  "C:",         "\xff\x01"};
    (void)state;

    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_true(names_component_ok(bytes_str(fine[i])));
    assert_false(names_component_ok(BYTES("", 0)));
    assert_false(names_component_ok(BYTES(NULL, 0)));
    assert_false(names_component_ok(bytes_str(".")));
    assert_false(names_component_ok(bytes_str("..")));
    assert_false(names_component_ok(bytes_str("/")));
    assert_false(names_component_ok(bytes_str("a/b")));
    assert_false(names_component_ok(BYTES_LIT("a\0b")));
}

static void same(const char *name)
{
    char *s = names_on_disk(bytes_str(name));
    assert_string_equal(s, name);
    free(s);
}

static void short_names_stay(void **state)
{
    (void)state;
    char *at = repeat("a", 250, "");

    same("a");
    same("film.mkv");
    same("\xff\xfe");
    same("~0123456789abcdef");
    same(at);
    free(at);
}

static void becomes(const char *name, size_t units, const char *unit, const char *end)
{
    char *want = repeat(unit, units, end), *got = names_on_disk(bytes_str(name));

    assert_string_equal(got, want);
    assert_true(strlen(got) <= 250);
    free(want);
    free(got);
}

static void long_names_are_shortened(void **state)
{
    (void)state;
    char *film = repeat("a", 300, ".mkv"), *accents = repeat("\xc3\xa9", 200, "");
    char *huge = repeat("x", 100000, ".a-long-extension");

    becomes(film, 250 - 17 - 4, "a", "~2de2dc2b16e94c6a.mkv");
    becomes(accents, (250 - 17) / 2, "\xc3\xa9", "~df20b2aa6262e99e");
    char *got = names_on_disk(bytes_str(huge));
    assert_int_equal(strlen(got), 250);
    assert_int_equal(got[249 - 16], '~');
    free(got);
    free(film);
    free(accents);
    free(huge);
}

static void one_past_the_limit(void **state)
{
    (void)state;
    char *past = repeat("a", 251, ""), *got = names_on_disk(bytes_str(past));

    assert_int_equal(strlen(got), 250);
    assert_string_not_equal(got, past);
    free(got);
    free(past);
}

/* A name that was made to look like the shortened form of another gets a form of its own. */
static void no_collision_by_design(void **state)
{
    (void)state;
    char *film = repeat("a", 300, ".mkv"), *shortened = names_on_disk(bytes_str(film));
    char *again = names_on_disk(bytes_str(shortened));

    assert_string_not_equal(again, shortened);
    assert_int_equal(strlen(again), 250);
    free(film);
    free(shortened);
    free(again);
}

static void names_that_share_a_head(void **state)
{
    (void)state;
    char *one = repeat("a", 300, "1"), *two = repeat("a", 300, "2");
    char *a = names_on_disk(bytes_str(one)), *b = names_on_disk(bytes_str(two));

    assert_string_not_equal(a, b);
    free(one);
    free(two);
    free(a);
    free(b);
}

static void paths(void **state)
{
    (void)state;
    char *dir = repeat("d", 251, "/"), *path = mem_fmt("a/%sb.txt", dir);
    char *got = names_path_on_disk(path), *plain = names_path_on_disk("x/y/z");

    assert_string_equal(plain, "x/y/z");
    assert_memory_equal(got, "a/ddd", 5);
    assert_int_equal(strlen(got), 2 + 250 + 1 + 5);
    assert_string_equal(got + strlen(got) - 6, "/b.txt");
    free(dir);
    free(path);
    free(got);
    free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(components),
        cmocka_unit_test(short_names_stay),
        cmocka_unit_test(long_names_are_shortened),
        cmocka_unit_test(one_past_the_limit),
        cmocka_unit_test(no_collision_by_design),
        cmocka_unit_test(names_that_share_a_head),
        cmocka_unit_test(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

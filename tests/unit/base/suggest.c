/* The word somebody meant. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

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

static void check_near(const char *asked, const char *want)
{
    static const char *const paths[] = {"a/Readme.txt", "b/photo1.jpg", "b/photo2.JPG",
                                        "c/notes.md", "b/photo3.jpg"};
    struct suggest_near s = {.asked = asked};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        suggest_near_add(&s, paths[i]);
    char *text = suggest_near_text(&s);
    assert_string_equal(text, want);
    free(text);
    suggest_near_fini(&s);
}

static void near_names(void **state)
{
    struct suggest_near s = {.asked = "x"};
    char name[300];
    (void)state;

    check_near("x/README.TXT", "; it has 'a/Readme.txt', 'b/photo1.jpg', 'b/photo2.JPG'");
    check_near("photo3.jpg", "; it has 'b/photo3.jpg', 'b/photo1.jpg', 'b/photo2.JPG'");
    check_near("*.md", "; it has 'c/notes.md', 'a/Readme.txt', 'b/photo1.jpg'");
    check_near("not*", "; it has 'c/notes.md', 'a/Readme.txt', 'b/photo1.jpg'");
    char *text = suggest_near_text(&s);
    assert_string_equal(text, "");
    free(text);
    memset(name, 'n', sizeof name - 1); /* much is not told of one */
    name[sizeof name - 1] = 0;
    suggest_near_add(&s, name);
    text = suggest_near_text(&s);
    assert_int_equal(strlen(text), strlen("; it has ''") + 100);
    free(text);
    suggest_near_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(nearest),
        cmocka_unit_test(near_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

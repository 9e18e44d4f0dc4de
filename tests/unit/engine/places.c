/* Where files of a manifest lie, and what links are made with. */
#include "engine/places.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/format/author.h>

#include <stdlib.h>
#include <unistd.h>

/* A plan is a manifest without hashes: all that places need. */
static struct author *author_of(const struct author_entry *v, size_t n, const char *name)
{
    struct author_options o = {.format = AUTHOR_HYBRID, .name = name, .creation_date = -1};
    struct err e = {0};
    struct author *a = author_new(&o, v, n, &e);

    if (!a)
        fail_msg("%s", e.msg);
    return a;
}

static uint32_t file_called(const struct manifest *m, const char *path)
{
    for (uint32_t i = 0; i < m->n_files; i++)
        if (strcmp(m->files[i].path, path) == 0)
            return i;
    fail_msg("no %s", path);
    return 0;
}

static void assert_path(struct tree *t, uint32_t file, const char *want)
{
    char *path = tree_path(t, file);

    assert_string_equal(path, want);
    free(path);
}

static void a_single_file_is_called_as_the_path_says(void **state)
{
    struct author_entry v = {.length = 5};
    struct author *a = author_of(&v, 1, "film");
    struct fdcache *c = fdcache_new(4);
    struct places p = {.m = author_plan(a), .path = "/x/y/other name"};
    struct tree *t = places_tree(c, &p);

    (void)state;
    assert_string_equal(tree_root(t), "/x/y");
    assert_path(t, 0, "/x/y/other name.part");
    tree_set_flags(t, 0, TREE_FINAL, 0);
    assert_path(t, 0, "/x/y/other name");
    tree_free(t);
    p.path = "/film";
    t = places_tree(c, &p);
    assert_string_equal(tree_root(t), "/");
    tree_free(t);
    fdcache_free(c);
    author_free(a);
}

static void a_folder_with_all_kinds(void **state)
{
    static const struct author_entry v[] = {
        {.path = "a", .length = 70000},
        {.path = "b/run", .length = 10, .attr = FILE_EXEC},
        {.path = "b/to", .attr = FILE_SYMLINK, .target = "a"},
    };
    struct author *a = author_of(v, 3, "dir");
    const struct manifest *m = author_plan(a);
    struct fdcache *c = fdcache_new(4);
    struct bits wanted;
    bits_init(&wanted, m->n_files);
    bits_set(&wanted, file_called(m, "b/run"));
    struct places p = {.m = m, .path = "/x/dir", .attributes = true, .wanted = &wanted};
    struct tree *t = places_tree(c, &p);

    (void)state;
    assert_int_equal(tree_count(t), m->n_files);
    assert_int_equal(tree_flags(t, file_called(m, "a")), TREE_UNSELECTED);
    assert_int_equal(tree_flags(t, file_called(m, "b/run")), TREE_EXEC);
    assert_int_equal(tree_flags(t, file_called(m, "b/to")), TREE_LINK);
    assert_path(t, file_called(m, "b/run"), "/x/dir/b/run.part");
    size_t pads = 0;
    for (uint32_t i = 0; i < m->n_files; i++)
        pads += m->files[i].attr & FILE_PAD && tree_flags(t, i) == TREE_PAD;
    assert_true(pads > 0);
    tree_free(t);
    p.attributes = false;
    p.wanted = NULL;
    t = places_tree(c, &p);
    assert_int_equal(tree_flags(t, file_called(m, "b/run")), 0);
    tree_free(t);
    bits_fini(&wanted);
    fdcache_free(c);
    author_free(a);
}

static void long_names_are_shortened_unless_found_so(void **state)
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    struct author_entry v = {.path = name, .length = 5};
    struct author *a = author_of(&v, 1, "dir");
    struct fdcache *c = fdcache_new(4);
    struct places p = {.m = author_plan(a), .path = "/dir"};
    struct tree *t = places_tree(c, &p);
    char *path = tree_path(t, 0);

    (void)state;
    assert_true(strlen(strrchr(path, '/') + 1) <= 255);
    free(path);
    tree_free(t);
    p.where = PLACES_RAW;
    t = places_tree(c, &p);
    tree_set_flags(t, 0, TREE_FINAL, 0);
    path = tree_path(t, 0);
    assert_string_equal(strrchr(path, '/') + 1, name);
    free(path);
    tree_free(t);
    fdcache_free(c);
    author_free(a);
}

static void where_new_things_go(void **state)
{
    static const struct {
        const char *output;
        bool is_folder, multi;
        const char *want; /* below the working folder unless absolute */
    } cases[] = {
        {NULL, true, false, "name"},
        {NULL, true, true, "name"},
        {"x", false, false, "x"},
        {"x", true, false, "x/name"},
        {"x/", false, false, "x/name"},
        {"x", false, true, "x/name"},
        {"/a//b/.", true, false, "/a/b/name"},
        {"/", true, true, "/name"},
    };
    struct author_entry one = {.length = 5}, in = {.path = "f", .length = 5};
    struct author *single = author_of(&one, 1, "name"), *multi = author_of(&in, 1, "name");
    char *cwd = getcwd(NULL, 0);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct manifest *m = author_plan(cases[i].multi ? multi : single);
        char *got = places_path(m, cases[i].output, cases[i].is_folder);
        char *want =
            cases[i].want[0] == '/' ? mem_str(cases[i].want) : mem_fmt("%s/%s", cwd, cases[i].want);

        assert_string_equal(got, want);
        free(got);
        free(want);
    }
    free(cwd);
    author_free(single);
    author_free(multi);
}

static void links_lead_inside(void **state)
{
    static const struct author_entry v[] = {
        {.path = "a", .length = 7},
        {.path = "b/c/to", .attr = FILE_SYMLINK, .target = "a"},
        {.path = "to", .attr = FILE_SYMLINK, .target = "b/c/to"},
    };
    struct author *a = author_of(v, 3, "dir");
    const struct manifest *m = author_plan(a);
    char *text = places_link_text(m, file_called(m, "b/c/to"), 0);

    (void)state;
    assert_string_equal(text, "../../a");
    free(text);
    text = places_link_text(m, file_called(m, "to"), 0);
    assert_string_equal(text, "b/c/to");
    free(text);
    assert_null(places_link_text(m, file_called(m, "a"), 0));
    author_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_file_is_called_as_the_path_says),
        cmocka_unit_test(a_folder_with_all_kinds),
        cmocka_unit_test(long_names_are_shortened_unless_found_so),
        cmocka_unit_test(where_new_things_go),
        cmocka_unit_test(links_lead_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

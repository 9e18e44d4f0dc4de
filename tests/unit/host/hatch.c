/* A folder that is filled under a hidden name: one at a time, one rename, nothing replaced. */
#include "scratch.h"

#include <p2p/base/err.h>
#include <p2p/host/hatch.h>

static char *inside(const struct hatch *h, const char *name)
{
    static char path[8192];

    snprintf(path, sizeof path, "%s/%s", hatch_folder(h), name);
    return path;
}

static void opens(void **state)
{
    (void)state;
    struct hatch *h = NULL;
    struct err e = {0};

    assert_int_equal(hatch_new(&h, at("new/dir/final"), "k", &e), 0);
    put_text(inside(h, "f"), "x");
    assert_false(exists(at("new/dir/final")));
    assert_int_equal(hatch_open(h, NULL, &e), 0);
    hatch_free(h);
    assert_text(at("new/dir/final/f"), "x");
    assert_int_equal(entries_in(at("new/dir")), 1);

    assert_int_equal(hatch_new(&h, at("two"), "k", &e), 0);
    assert_int_equal(mkdir(inside(h, "in"), 0755), 0);
    put_text(inside(h, "in/f"), "y");
    assert_int_equal(hatch_open(h, "in", &e), 0);
    hatch_free(h);
    assert_text(at("two/f"), "y");
    assert_int_equal(entries_in(scratch_dir), 2);
}

static void replaces_nothing(void **state)
{
    (void)state;
    struct hatch *h = NULL;
    struct err e = {0};

    assert_int_equal(symlink("nowhere", at("link")), 0);
    assert_int_equal(hatch_new(&h, at("link"), "k", &e), ERR_IO);
    err_clear(&e);
    assert_int_equal(hatch_new(&h, at("late"), "k", &e), 0);
    put_text(at("late"), "mine"); /* meanwhile */
    put_text(inside(h, "f"), "x");
    assert_int_equal(hatch_open(h, NULL, &e), ERR_IO);
    assert_non_null(strstr(e.msg, hatch_folder(h)));
    assert_text(inside(h, "f"), "x");
    hatch_free(h);
    assert_text(at("late"), "mine");
}

static void one_at_a_time(void **state)
{
    (void)state;
    struct hatch *h = NULL, *other = NULL;
    struct err e = {0};

    assert_int_equal(hatch_new(&h, at("a"), "k", &e), 0);
    assert_int_equal(hatch_new(&other, at("a"), "k", &e), ERR_LOCKED);
    assert_true(exists(hatch_folder(h)));
    assert_int_equal(hatch_new(&other, at("a"), "l", NULL), ERR_LOCKED);
    put_text(inside(h, "left"), "x"); /* as by a kill -9 */
    hatch_free(h);
    assert_int_equal(hatch_new(&h, at("a"), "l", NULL), 0); /* something else */
    assert_int_equal(entries_in(hatch_folder(h)), 0);
    hatch_free(h);
    assert_int_equal(hatch_new(&h, at("a"), "k", NULL), 0);
    assert_true(exists(inside(h, "left")));
    unlink(inside(h, "left"));
    hatch_free(h);
    assert_int_equal(entries_in(scratch_dir), 0);
}

static void traps(void **state)
{
    (void)state;
    struct hatch *h = NULL;
    struct err e = {0};

    assert_int_equal(hatch_new(&h, at("nowhere/.."), "k", &e), ERR_USAGE);
    err_clear(&e);
    if (getuid() != 0)
        skip();
    assert_int_equal(mkdir(at(".a.part"), 0777), 0);
    assert_int_equal(chown(at(".a.part"), 65534, 65534), 0);
    assert_int_equal(hatch_new(&h, at("a"), "k", &e), 0); /* nobody else can have made it */
    hatch_free(h);
    assert_int_equal(mkdir(at(".a.part"), 0777), 0);
    assert_int_equal(chown(at(".a.part"), 65534, 65534), 0);
    assert_int_equal(chmod(scratch_dir, 01777), 0);
    assert_int_equal(hatch_new(&h, at("a"), "k", &e), ERR_IO);
    assert_int_equal(e.os, EACCES);
}

static void long_names(void **state)
{
    (void)state;
    struct hatch *h = NULL;
    struct err e = {0};
    char name[252];

    memset(name, 'n', 250);
    name[250] = '\0';
    assert_int_equal(hatch_new(&h, at(name), "0123456789abcdef", &e), 0);
    assert_int_equal(hatch_open(h, NULL, &e), 0);
    hatch_free(h);
    assert_true(exists(at(name)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(opens),
        SCRATCH_TEST(replaces_nothing),
        SCRATCH_TEST(one_at_a_time),
        SCRATCH_TEST(traps),
        SCRATCH_TEST(long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* home: which variable wins, what counts as unset, what is made and with which rights. */
#include "scratch.h"

#include <p2p/host/home.h>

static void clean_environment(void)
{
    unsetenv("P2P_HOME");
    unsetenv("XDG_DATA_HOME");
    setenv("HOME", "/people/ann", 1);
}

static void expect_home(const char *override, const char *dir)
{
    struct home h;
    struct err e = {0};
    assert_int_equal(home_find(&h, override, &e), 0);
    assert_string_equal(h.dir, dir);
    home_fini(&h);
}

static void expect_variable(const char *override, const char *name)
{
    struct home h;
    assert_int_equal(home_find(&h, override, NULL), 0);
    assert_int_equal(h.variable != NULL, name != NULL);
    if (name)
        assert_string_equal(h.variable, name);
    home_fini(&h);
}

static void order_of_places(void **state)
{
    (void)state;
    clean_environment();
    expect_home(NULL, "/people/ann/.local/share/p2p");
    expect_variable(NULL, NULL);
    setenv("XDG_DATA_HOME", "relative/is/ignored", 1);
    setenv("P2P_HOME", "", 1);
    expect_home(NULL, "/people/ann/.local/share/p2p");
    setenv("XDG_DATA_HOME", "/xdg/data", 1);
    expect_home(NULL, "/xdg/data/p2p");
    expect_variable(NULL, "XDG_DATA_HOME");
    setenv("P2P_HOME", "/own/place/", 1);
    expect_variable(NULL, "P2P_HOME");
    expect_variable("/by/option", NULL);
    expect_home(NULL, "/own/place");
    expect_home("/by/option", "/by/option");
    assert_int_equal(chdir("/"), 0);
    expect_home("option", "/option");
    struct home h;
    struct err e = {0};
    assert_int_equal(home_find(&h, "", &e), ERR_USAGE);
    home_fini(&h);
}

static void without_HOME_the_user_table_tells(void **state)
{
    (void)state;
    clean_environment();
    unsetenv("HOME");
    struct home h;
    struct err e = {0};
    assert_int_equal(home_find(&h, NULL, &e), 0);
    assert_non_null(strstr(h.dir, "/.local/share/p2p"));
    home_fini(&h);
}

static void makes_what_is_asked_for(void **state)
{
    (void)state;
    struct home h;
    struct err e = {0};
    struct stat st;
    char *run = NULL;
    assert_int_equal(home_find(&h, at("deep/er/home"), &e), 0);
    assert_false(exists(at("deep")));
    assert_int_equal(home_make(&h, &e), 0);
    assert_int_equal(stat(h.dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(entries_in(h.dir), 0);
    assert_int_equal(home_folder(&h, HOME_RUN, &run, &e), 0);
    assert_string_equal(run, at("deep/er/home/run"));
    assert_int_equal(chmod(run, 0777), 0);
    assert_int_equal(home_folder(&h, HOME_RUN, NULL, &e), 0);
    assert_int_equal(stat(run, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    free(run);
    home_fini(&h);
}

static void what_is_in_the_way_is_told(void **state)
{
    (void)state;
    struct home h;
    struct err e = {0};
    assert_int_equal(mkdir(at("target"), 0777), 0);
    assert_int_equal(home_find(&h, scratch_dir, &e), 0);
    assert_int_equal(symlink("target", at("run")), 0);
    assert_int_equal(home_folder(&h, HOME_RUN, NULL, &e), ERR_IO);
    assert_int_equal(e.os, ENOTDIR);
    err_clear(&e);
    if (geteuid() == 0) {
        assert_int_equal(mkdir(at("locks"), 0777), 0);
        assert_int_equal(chown(at("locks"), 12345, 12345), 0);
        assert_int_equal(home_folder(&h, HOME_LOCKS, NULL, &e), ERR_IO);
        assert_non_null(strstr(e.msg, "another user"));
        err_clear(&e);
    }
    home_fini(&h);
    put_text(at("plain"), "x");
    assert_int_equal(home_find(&h, at("plain/home"), &e), 0);
    assert_int_equal(home_make(&h, &e), ERR_IO);
    assert_int_equal(e.os, ENOTDIR);
    home_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(order_of_places),
        SCRATCH_TEST(without_HOME_the_user_table_tells),
        SCRATCH_TEST(makes_what_is_asked_for),
        SCRATCH_TEST(what_is_in_the_way_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

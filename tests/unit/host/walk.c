/* walk: order, links, exclusion, strange files, limits; speed only as a guard against the absurd.
 */
#include "scratch.h"

#include <p2p/host/walk.h>
#include <time.h>

static void make(const char *rel, const char *text)
{
    char path[8300];
    snprintf(path, sizeof path, "%s/%s", scratch_dir, rel);
    for (char *p = path + strlen(scratch_dir) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0777);
        *p = '/';
    }
    if (text)
        put_text(path, text);
}

static void expect_paths(const struct walk *w, const char *const *want, size_t n)
{
    for (size_t i = 0; i < n && i < w->n; i++)
        assert_string_equal(w->v[i].path, want[i]);
    assert_int_equal(w->n, n);
}

static void sorted_by_component(void **state)
{
    (void)state;
    static const char *const want[] = {"\x01", "Z", "a/b", "a/b.c", "a b", "a.b", "a0", "z/a/z",
                                       "\xc3\xa4", "\xff\xfe/x"};
    static const size_t shuffled[] = {7, 3, 9, 1, 5, 0, 8, 2, 6, 4};
    char rel[64];
    for (size_t i = 0; i < 10; i++) {
        snprintf(rel, sizeof rel, "r/%s", want[shuffled[i]]);
        make(rel, "12345");
    }
    struct walk w;
    struct err e = {0};
    assert_int_equal(mkdir(at("r/empty"), 0777), 0);
    assert_int_equal(walk_run(&w, at("r"), NULL, &e), 0);
    expect_paths(&w, want, 10);
    assert_int_equal(w.total, 50);
    assert_false(w.is_file);
    walk_fini(&w);
}

static void what_is_told_of_a_file(void **state)
{
    (void)state;
    struct walk w;
    struct err e = {0};
    struct stat st;
    make("r/run", "#!");
    make("r/text", "abc");
    chmod(at("r/run"), 0755);
    struct timespec when[2] = {{1000000000, 5}, {1234567890, 123456789}};
    assert_int_equal(utimensat(AT_FDCWD, at("r/text"), when, 0), 0);
    assert_int_equal(stat(at("r/text"), &st), 0);
    assert_int_equal(symlink("r", at("link")), 0);
    assert_int_equal(walk_run(&w, at("link"), NULL, &e), 0); /* what the user typed is followed */
    assert_int_equal(w.n, 2);
    assert_true(w.v[0].exec);
    assert_false(w.v[1].exec);
    assert_int_equal(w.v[1].size, 3);
    assert_int_equal(w.v[1].inode, st.st_ino);
    assert_true(w.v[1].mtime_ns == 1234567890123456789LL);
    walk_fini(&w);
    assert_int_equal(walk_run(&w, at("r/text"), NULL, &e), 0);
    assert_true(w.is_file);
    assert_int_equal(w.n, 1);
    assert_string_equal(w.v[0].path, "");
    assert_int_equal(w.total, 3);
    walk_fini(&w);
}

static void links_are_kept_or_followed(void **state)
{
    (void)state;
    struct walk w;
    struct err e = {0};
    make("r/real/f", "abc");
    make("outside/g", "defg");
    assert_int_equal(symlink("real/f", at("r/a")), 0);
    assert_int_equal(symlink("../outside", at("r/b")), 0);
    assert_int_equal(walk_run(&w, at("r"), NULL, &e), 0);
    static const char *const kept[] = {"a", "b", "real/f"};
    expect_paths(&w, kept, 3);
    assert_string_equal(w.v[0].target, "real/f");
    assert_string_equal(w.v[1].target, "../outside");
    assert_null(w.v[2].target);
    assert_int_equal(w.total, 3);
    walk_fini(&w);

    struct walk_options follow = {.follow = true};
    assert_int_equal(walk_run(&w, at("r"), &follow, &e), 0);
    static const char *const followed[] = {"a", "b/g", "real/f"};
    expect_paths(&w, followed, 3);
    assert_null(w.v[0].target);
    assert_int_equal(w.total, 10);
    walk_fini(&w);

    assert_int_equal(symlink("..", at("r/real/up")), 0);
    assert_int_equal(walk_run(&w, at("r"), &follow, &e), ERR_IO);
    assert_int_equal(e.os, ELOOP);
    assert_non_null(strstr(e.msg, "real/up"));
    walk_fini(&w);
    err_clear(&e);
    unlink(at("r/real/up"));
    assert_int_equal(symlink("nowhere", at("r/real/dangling")), 0);
    assert_int_equal(walk_run(&w, at("r"), &follow, &e), ERR_IO);
    assert_int_equal(e.os, ENOENT);
    assert_non_null(strstr(e.msg, "real/dangling"));
    walk_fini(&w);
    err_clear(&e);
    assert_int_equal(walk_run(&w, at("r"), NULL, &e), 0);
    assert_int_equal(w.n, 4);
    walk_fini(&w);
}

static void globs_leave_out(void **state)
{
    (void)state;
    struct walk w;
    struct err e = {0};
    make("r/a.txt", "a");
    make("r/a.log", "a");
    make("r/sub/b.log", "b");
    make("r/sub/b.txt", "b");
    make("r/cache/deep/c.txt", "c");
    assert_int_equal(chmod(at("r/cache"), 0), 0); /* not even looked into */
    static const char *const globs[] = {"*.log", "cache"};
    struct walk_options o = {.exclude = globs, .exclude_count = 2};
    assert_int_equal(walk_run(&w, at("r"), &o, &e), 0);
    static const char *const want[] = {"a.txt", "sub/b.txt"};
    expect_paths(&w, want, 2);
    walk_fini(&w);
    chmod(at("r/cache"), 0755);
}

static void strange_files_are_noticed(void **state)
{
    (void)state;
    struct walk w;
    struct err e = {0};
    make("r/f", "abc");
    mkfifo(at("r/pipe"), 0666);
    alarm(10);
    assert_int_equal(walk_run(&w, at("r"), NULL, &e), 0);
    assert_int_equal(w.n, 1);
    assert_int_equal(w.notice_count, 1);
    assert_non_null(strstr(w.notices[0], "r/pipe"));
    assert_non_null(strstr(w.notices[0], "FIFO"));
    walk_fini(&w);
    assert_int_equal(walk_run(&w, at("r/pipe"), NULL, &e), ERR_IO);
    walk_fini(&w);
    err_clear(&e);
    assert_int_equal(walk_run(&w, at("none"), NULL, &e), ERR_IO);
    assert_int_equal(e.os, ENOENT);
    walk_fini(&w);
    alarm(0);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    make("r/ok", "abc");
    make("r/sub/closed/f", "abc");
    pid_t pid = fork();
    if (pid == 0) {
        struct walk w;
        struct err e = {0};
        chmod(scratch_dir, 0755);
        chmod(at("r/sub/closed"), 0);
        if (geteuid() == 0 && seteuid(65534) != 0)
            _exit(0);
        int rc = walk_run(&w, at("r"), NULL, &e);
        _exit(rc == ERR_IO && e.os == EACCES && strstr(e.msg, "sub/closed") ? 0 : 1);
    }
    assert_int_equal(reap(pid), 0);
    chmod(at("r/sub/closed"), 0755);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    char rel[400] = "r";
    struct walk w;
    struct err e = {0};
    for (int i = 0; i < WALK_MAX_DEPTH - 1; i++)
        strcat(rel, "/d");
    strcat(rel, "/f");
    make(rel, "abc");
    assert_int_equal(walk_run(&w, at("r"), NULL, &e), 0);
    assert_int_equal(w.n, 1);
    walk_fini(&w);
    strcpy(rel + strlen(rel) - 1, "d/f");
    unlink(at(rel));
    make(rel, "abc");
    assert_int_equal(walk_run(&w, at("r"), NULL, &e), ERR_LIMIT);
    walk_fini(&w);
}

static void many_files(void **state)
{
    (void)state;
    enum { FOLDERS = 50, EACH = 400 };
    char rel[64];
    for (int d = 0; d < FOLDERS; d++)
        for (int f = 0; f < EACH; f++) {
            snprintf(rel, sizeof rel, "r/folder-%d/file-%d", d, f);
            if (f == 0)
                make(rel, "x");
            else
                put_text(at(rel), "x");
        }
    struct walk w;
    struct err e = {0};
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    assert_int_equal(walk_run(&w, at("r"), NULL, &e), 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    assert_int_equal(w.n, FOLDERS * EACH);
    assert_int_equal(w.total, FOLDERS * EACH);
    for (size_t i = 1; i < w.n; i++)
        assert_true(strcmp(w.v[i - 1].path, w.v[i].path) != 0);
    print_message("%d files in %ld ms\n", FOLDERS * EACH,
                  (long)(b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
    walk_fini(&w);
}

/* Twenty folders with a file before each, some of them empty, deep, or with something strange. */
static void make_many_folders(void)
{
    char rel[64];
    for (int i = 0; i < 20; i++) {
        snprintf(rel, sizeof rel, "r/%02d", i);
        make(rel, "1");
        snprintf(rel, sizeof rel, "r/%02dd/", i);
        make(rel, NULL);
        for (int k = 0; k < i % 4; k++) {
            snprintf(rel, sizeof rel, "r/%02dd/%d/x", i, k);
            make(rel, "12");
        }
        if (i % 4 == 1) {
            snprintf(rel, sizeof rel, "r/%02dd/fifo", i);
            assert_int_equal(mkfifo(at(rel), 0600), 0);
        }
    }
}

/* They are walked by several threads, and come out as if by one. */
static void many_folders(void **state)
{
    (void)state;
    struct walk w;
    struct err e = {0};
    size_t n = 0, strange = 0;
    char want[64];
    make_many_folders();
    assert_int_equal(walk_run(&w, at("r"), NULL, &e), 0);
    assert_int_equal(w.n, 20 + 30);
    assert_int_equal(w.total, 20 + 2 * 30);
    assert_int_equal(w.notice_count, 5);
    for (int i = 0; i < 20; i++) {
        snprintf(want, sizeof want, "%02d", i);
        assert_string_equal(w.v[n++].path, want);
        for (int k = 0; k < i % 4; k++) {
            snprintf(want, sizeof want, "%02dd/%d/x", i, k);
            assert_string_equal(w.v[n++].path, want);
        }
        snprintf(want, sizeof want, "r/%02dd/fifo:", i);
        if (i % 4 == 1)
            assert_non_null(strstr(w.notices[strange++], want));
    }
    walk_fini(&w);
}

/* Of several failures the first in the order of names is told, whichever thread was faster. */
static void many_folders_fail(void **state)
{
    (void)state;
    const struct walk_options o = {.follow = true};
    char rel[64], deep[] = "r/09d/0/1/2/3/4/5/loop";
    make_many_folders();
    make("r/09d/0/1/2/3/4/5/6", "1");
    assert_int_equal(symlink("..", at(deep)), 0);
    for (int i = 10; i < 20; i++) {
        snprintf(rel, sizeof rel, "r/%02dd/0", i);
        assert_true(symlink("gone", at(rel)) == 0 || errno == EEXIST);
    }
    assert_int_equal(symlink("gone", at("r/19z")), 0);
    for (int i = 0; i < 20; i++) {
        struct walk w;
        struct err e = {0};
        assert_int_equal(walk_run(&w, at("r"), &o, &e), ERR_IO);
        assert_non_null(strstr(e.msg, deep));
        walk_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(sorted_by_component),
        SCRATCH_TEST(what_is_told_of_a_file),
        SCRATCH_TEST(links_are_kept_or_followed),
        SCRATCH_TEST(globs_leave_out),
        SCRATCH_TEST(strange_files_are_noticed),
        SCRATCH_TEST(what_cannot_be_read_is_named),
        SCRATCH_TEST(depth_has_a_limit),
        SCRATCH_TEST(many_files),
        SCRATCH_TEST(many_folders),
        SCRATCH_TEST(many_folders_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

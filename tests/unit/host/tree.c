/*
 * tree: what is created when, and under which name; sparse, padded, unselected and clashing files;
 * things that change under us.
 */
#include "tree_make.h"

#include <signal.h>

static void nothing_is_made_before_it_is_written(void **state)
{
    (void)state;
    struct tree *t = three_files();
    struct err e = {0};
    struct tree_stat final, part;
    uint8_t buf[10];
    assert_int_equal(tree_count(t), 4);
    assert_int_equal(tree_length(t, 2), 20);
    assert_false(tree_dirty(t));
    assert_int_equal(tree_sync(t, &e), 0);
    assert_int_equal(tree_stat(t, 0, &final, &part, &e), 0);
    assert_false(final.there || part.there);
    expect_os((int)tree_pread(t, 0, 0, (struct span){buf, 10}, &e), &e, ENOENT);
    assert_int_equal(tree_pread(t, 1, 1, (struct span){buf, 4}, &e), 4);
    assert_int_equal(buf[0] | buf[3], 0);
    assert_int_equal(write_text(t, 1, 0, "xxxxx", &e), 0); /* padding is dropped */
    assert_int_equal(entries_in(at("root")), 0);
    assert_int_equal(write_text(t, 2, 15, "12345", &e), 0);
    assert_true(tree_dirty(t));
    assert_true(exists(at("root/name/sub/two.part")));
    assert_false(exists(at("root/name/one.part")));
    assert_int_equal(entries_in(at("root")), 1);
    tree_free(t);
    tree_free(NULL);
}

static void finishes_under_the_final_name(void **state)
{
    (void)state;
    struct tree *t = three_files();
    struct err e = {0};
    struct tree_stat final, part;
    struct stat st;
    char *path;
    assert_int_equal(write_text(t, 2, 17, "two", &e), 0); /* the rest stays a hole */
    assert_int_equal(write_text(t, 0, 0, "0123456789", &e), 0);
    path = tree_path(t, 2);
    assert_string_equal(path, at("root/name/sub/two.part"));
    free(path);
    assert_int_equal(tree_stat(t, 2, &final, &part, &e), 0);
    assert_int_equal(part.size, 20);
    uint64_t inode = part.inode;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tree_finish_file(t, i, &e), 0);
        assert_int_equal(tree_finish_file(t, i, &e), 0);
    }
    assert_false(tree_dirty(t));
    assert_int_equal(tree_stat(t, 2, &final, &part, &e), 0);
    assert_true(final.there && final.regular && !part.there);
    assert_int_equal(final.size, 20);
    assert_int_equal(final.inode, inode);
    assert_true(final.mtime_ns > 1000000000LL * 1000000000);
    assert_int_equal(stat(at("root/name/sub/two"), &st), 0);
    assert_true(st.st_mode & S_IXUSR);
    assert_int_equal(stat(at("root/name/one"), &st), 0);
    assert_false(st.st_mode & S_IXUSR);
    assert_int_equal(stat(at("root/name/empty"), &st), 0);
    assert_int_equal(st.st_size, 0);
    assert_false(exists(at("root/.pad")));
    assert_int_equal(tree_flags(t, 2), TREE_EXEC | TREE_FINAL | TREE_OURS);
    expect_read(t, 0, 2, "234");
    assert_int_equal(write_text(t, 0, 2, "xyz", &e), 0); /* ours: a repair may write it */
    expect_read(t, 0, 0, "01xyz56789");
    path = tree_path(t, 0);
    assert_string_equal(path, at("root/name/one"));
    free(path);
    tree_free(t);
}

static void what_is_longer_is_cut_and_never_written_is_told(void **state)
{
    (void)state;
    struct tree *t = three_files();
    struct err e = {0};
    assert_int_equal(mkdir(at("root/name"), 0777), 0);
    put_text(at("root/name/one.part"), "0123");
    assert_int_equal(tree_finish_file(t, 0, &e), ERR_INVALID);
    err_clear(&e);
    assert_text(at("root/name/one.part"), "0123");
    assert_false(exists(at("root/name/one")));
    put_text(at("root/name/one.part"), "0123456789 and more");
    assert_int_equal(tree_finish_file(t, 0, &e), 0);
    assert_text(at("root/name/one"), "0123456789");
    expect_os(tree_finish_file(t, 2, &e), &e, ENOENT);
    assert_false(exists(at("root/name/sub")));
    tree_free(t);
}

static void a_final_name_is_never_replaced(void **state)
{
    (void)state;
    struct tree *t = three_files();
    struct err e = {0};
    assert_int_equal(write_text(t, 0, 0, "0123456789", &e), 0);
    put_text(at("root/name/one"), "precious");
    put_text(at("root/name/empty"), "");
    expect_os(tree_finish_file(t, 0, &e), &e, EEXIST);
    assert_text(at("root/name/one"), "precious");
    assert_text(at("root/name/one.part"), "0123456789");
    assert_int_equal(tree_flags(t, 0), 0);
    expect_os(tree_finish_file(t, 3, &e), &e, EEXIST);
    unlink(at("root/name/one"));
    assert_int_equal(tree_finish_file(t, 0, &e), 0); /* once it is out of the way */
    tree_free(t);
}

static void what_was_there_before_is_only_read(void **state)
{
    (void)state;
    struct tree_file f[] = {{"served", 10, TREE_FINAL}, {"mine", 4, TREE_FINAL | TREE_OURS}};
    struct tree *t = tree_new(cache, at("root"), f, 2, ".part", NULL);
    struct err e = {0};
    put_text(at("root/served"), "0123456789");
    put_text(at("root/mine"), "mine");
    chmod(at("root/served"), 0444);
    expect_read(t, 0, 3, "345");
    assert_int_equal(write_text(t, 0, 0, "x", &e), ERR_USAGE);
    err_clear(&e);
    assert_text(at("root/served"), "0123456789");
    assert_int_equal(write_text(t, 1, 0, "ours", &e), 0);
    assert_text(at("root/mine"), "ours");
    tree_set_flags(t, 0, TREE_OURS, 0);
    assert_int_equal(write_text(t, 0, 0, "x", &e), geteuid() == 0 ? 0 : ERR_IO);
    err_clear(&e);
    tree_set_flags(t, 0, TREE_PAD | TREE_UNSELECTED, TREE_FINAL); /* only what it may change */
    assert_int_equal(tree_flags(t, 0), TREE_OURS);
    /* A final file that is gone is not made anew. */
    unlink(at("root/mine"));
    tree_set_flags(t, 1, 0, TREE_FINAL);
    tree_set_flags(t, 1, TREE_FINAL, 0);
    expect_os(write_text(t, 1, 0, "x", &e), &e, ENOENT);
    assert_false(exists(at("root/mine")));
    tree_free(t);
}

static void bounds(void **state)
{
    (void)state;
    struct tree_file f[] = {{"f", 10, 0}, {"huge", UINT64_MAX, 0}, {"l", 3, TREE_LINK}};
    struct tree *t = tree_new(cache, at("root"), f, 3, ".part", at("side"));
    struct err e = {0};
    uint8_t buf[16];
    assert_int_equal(write_text(t, 0, 6, "12345", &e), ERR_USAGE);
    assert_int_equal(write_text(t, 0, UINT64_MAX, "12345", NULL), ERR_USAGE);
    assert_int_equal(tree_pread(t, 0, 6, (struct span){buf, 5}, NULL), ERR_USAGE);
    assert_int_equal(tree_pread(t, 0, 11, (struct span){buf, 0}, NULL), ERR_USAGE);
    assert_int_equal(write_text(t, 2, 0, "x", NULL), ERR_USAGE);
    err_clear(&e);
    expect_os(write_text(t, 1, (uint64_t)INT64_MAX, "x", &e), &e, EFBIG);
    assert_int_equal(entries_in(at("root")), 0);
    assert_int_equal(write_text(t, 0, 0, "", &e), 0);
    assert_int_equal(entries_in(at("root")), 0);
    assert_int_equal(write_text(t, 0, 0, "abc", &e), 0);
    assert_int_equal(tree_pread(t, 0, 1, (struct span){buf, 9}, &e), 2); /* short at its end */
    tree_free(t);
}

static void a_missing_root_creates_nothing(void **state)
{
    (void)state;
    struct tree_file f[] = {{"a/b", 3, 0}, {"final", 3, TREE_FINAL}, {"e", 0, 0}};
    struct tree *t = tree_new(cache, at("mnt/drive"), f, 3, ".part", NULL);
    struct err e = {0};
    struct tree_stat s1, s2;
    uint8_t buf[3];
    expect_os(write_text(t, 0, 0, "abc", &e), &e, ENOENT);
    expect_os((int)tree_pread(t, 1, 0, (struct span){buf, 3}, &e), &e, ENOENT);
    expect_os(tree_finish_file(t, 2, &e), &e, ENOENT);
    expect_os(tree_preallocate(t, 0, &e), &e, ENOENT);
    expect_os(tree_check_root(t, &e), &e, ENOENT);
    expect_os(tree_delete(t, &e), &e, ENOENT);
    assert_int_equal(tree_stat(t, 0, &s1, &s2, &e), ERR_IO);
    assert_non_null(strstr(e.msg, "mounted"));
    assert_false(exists(at("mnt")));
    tree_free(t);
}

static void unselected_bytes_go_aside(void **state)
{
    (void)state;
    struct tree_file f[] = {{"n/a", 100, 0},
                            {"n/no", 1000000, TREE_UNSELECTED},
                            {"n/c", 100, 0},
                            {"n/nor", 50, TREE_UNSELECTED}};
    struct tree *t = tree_new(cache, at("root"), f, 4, ".part", NULL);
    struct err e = {0};
    struct tree_pin pin;
    struct stat st;
    char buf[8];
    assert_int_equal(write_text(t, 1, 0, "edge", &e), ERR_USAGE);
    err_clear(&e);
    tree_free(t);

    t = tree_new(cache, at("root"), f, 4, ".part", at("side"));
    expect_os(tree_pin(t, 1, &pin, &e), &e, ENOENT);
    assert_int_equal(write_text(t, 1, 0, "head", &e), 0);
    assert_int_equal(write_text(t, 1, 999996, "tail", &e), 0);
    assert_int_equal(write_text(t, 3, 0, "nor", &e), 0);
    assert_int_equal(entries_in(at("root")), 0);
    expect_read(t, 1, 0, "head");
    expect_read(t, 1, 999996, "tail");
    expect_read(t, 3, 0, "nor");
    assert_int_equal(tree_pin(t, 1, &pin, &e), 0);
    assert_int_equal(pread(pin.fd, buf, 4, (off_t)pin.base), 4);
    assert_memory_equal(buf, "head", 4);
    tree_unpin(t, &pin);
    tree_unpin(t, &pin);
    assert_int_equal(stat(at("side"), &st), 0);
    assert_int_equal(st.st_size, 4096 + 245 * 4096 + 4096 + 3);
    assert_true(st.st_blocks * 512 < 100000); /* sparse */
    assert_int_equal(tree_finish_file(t, 1, &e), 0);
    assert_int_equal(tree_preallocate(t, 1, &e), 0);
    assert_int_equal(tree_sync(t, &e), 0);
    assert_int_equal(entries_in(at("root")), 0);

    /* Wanted later: its bytes move, the neighbours' stay. */
    assert_int_equal(tree_select(t, 1, true, &e), 0);
    assert_int_equal(tree_flags(t, 1), 0);
    assert_false(tree_dirty(t));
    expect_read(t, 1, 0, "head");
    expect_read(t, 1, 999996, "tail");
    assert_int_equal(stat(at("root/n/no.part"), &st), 0);
    assert_int_equal(st.st_size, 1000000);
    assert_true(st.st_blocks * 512 < 100000);
    assert_int_equal(tree_select(t, 1, false, &e), 0);
    assert_int_equal(tree_flags(t, 1), 0); /* it has data of its own now */
    assert_int_equal(tree_select(t, 0, false, &e), 0);
    assert_int_equal(tree_flags(t, 0), TREE_UNSELECTED);
    assert_int_equal(tree_select(t, 0, true, &e), 0);
    assert_false(exists(at("root/n/a.part"))); /* nothing was aside: nothing is made */
    assert_int_equal(tree_drop_side(t, &e), 0);
    assert_int_equal(tree_drop_side(t, &e), 0);
    assert_false(exists(at("side")));
    tree_free(t);
}

static void unfinished_names_that_would_clash(void **state)
{
    (void)state;
    struct tree_file f[] = {{"x", 1, 0},
                            {"x.part", 1, 0},
                            {"x.part.part", 1, 0},
                            {"y", 1, 0},
                            {"y.part/z", 1, 0},
                            {"plain", 1, 0}};
    static const char *const want[] = {"x.part.part.part",        "x.part.part.part.part",
                                       "x.part.part.part.part.part", "y.part.part",
                                       "y.part/z.part",           "plain.part"};
    for (int round = 0; round < 2; round++) {
        struct tree *t = tree_new(cache, at("root"), f, 6, ".part", NULL);
        struct err e = {0};
        for (size_t i = 0; i < 6; i++) {
            char text[2] = {(char)('a' + (int)i), 0};
            char *path = tree_path(t, i);
            assert_string_equal(path + strlen(at("root/")), want[i]);
            free(path);
            if (round == 0)
                assert_int_equal(write_text(t, i, 0, text, &e), 0);
            else
                expect_read(t, i, 0, text);
        }
        for (size_t i = 0; round == 1 && i < 6; i++) {
            assert_int_equal(tree_finish_file(t, i, &e), 0);
            char text[2] = {(char)('a' + (int)i), 0}, name[40];
            expect_read(t, i, 0, text);
            snprintf(name, sizeof name, "root/%s", f[i].path);
            assert_text(at(name), text);
        }
        tree_free(t);
    }
}

static void links(void **state)
{
    (void)state;
    struct tree_file f[] = {{"d/target", 4, TREE_FINAL | TREE_OURS}, {"d/link", 0, TREE_LINK}};
    struct tree *t = tree_new(cache, at("root"), f, 2, ".part", NULL);
    struct err e = {0};
    char buf[64];
    assert_int_equal(tree_link(t, 1, "target", &e), 0);
    ssize_t n = readlink(at("root/d/link"), buf, sizeof buf);
    assert_int_equal(n, 6);
    expect_os(tree_link(t, 1, "other", &e), &e, EEXIST);
    assert_int_equal(tree_link(t, 0, "x", &e), ERR_USAGE);
    err_clear(&e);
    assert_int_equal(tree_finish_file(t, 1, &e), 0);
    put_text(at("root/d/target"), "data");
    assert_int_equal(tree_delete(t, &e), 0);
    assert_int_equal(entries_in(at("root")), 0);
    tree_free(t);
}

static void deletes_exactly_what_is_listed(void **state)
{
    (void)state;
    struct tree_file f[] = {{"n/a", 3, TREE_FINAL},       {"n/d/e/f", 3, 0},
                            {"n/d/e/g", 3, TREE_FINAL},   {"n/k/now-a-folder", 3, TREE_FINAL},
                            {"n/l/now-a-link", 3, TREE_FINAL}, {"n/u", 3, TREE_UNSELECTED},
                            {".pad/3", 3, TREE_PAD},      {"n/gone/x", 3, TREE_FINAL}};
    struct tree *t = tree_new(cache, at("root"), f, 8, ".part", at("side"));
    struct err e = {0};
    assert_int_equal(write_text(t, 1, 0, "abc", &e), 0);
    assert_int_equal(write_text(t, 5, 0, "abc", &e), 0);
    put_text(at("root/n/a"), "abc");
    put_text(at("root/n/d/e/f"), "not ours: we only have f.part");
    put_text(at("root/n/d/e/g"), "abc");
    put_text(at("root/n/u"), "was here before");
    put_text(at("outside"), "outside");
    assert_int_equal(mkdir(at("root/n/k"), 0777), 0);
    assert_int_equal(mkdir(at("root/n/k/now-a-folder"), 0777), 0);
    assert_int_equal(mkdir(at("root/n/l"), 0777), 0);
    assert_int_equal(symlink("../../../outside", at("root/n/l/now-a-link")), 0);
    assert_int_equal(tree_delete(t, &e), 0);
    assert_false(exists(at("root/n/a")));
    assert_false(exists(at("root/n/d/e/g")));
    assert_false(exists(at("root/n/d/e/f.part")));
    assert_false(exists(at("side")));
    assert_true(exists(at("root/n/d/e/f")));
    assert_true(exists(at("root/n/u")));
    assert_true(exists(at("root/n/k/now-a-folder")));
    assert_true(exists(at("root/n/l/now-a-link")));
    assert_text(at("outside"), "outside");
    unlink(at("root/n/d/e/f"));
    unlink(at("root/n/u"));
    unlink(at("root/n/l/now-a-link"));
    rmdir(at("root/n/k/now-a-folder"));
    assert_int_equal(tree_delete(t, &e), 0); /* again: only empty folders are left */
    assert_int_equal(entries_in(at("root")), 0);
    tree_free(t);
}

static void things_in_the_way(void **state)
{
    (void)state;
    struct tree_file f[] = {{"fifo", 3, 0}, {"folder", 3, 0}, {"link", 3, 0}, {"up/f", 3, 0},
                            {"served", 3, TREE_FINAL}};
    struct tree *t = tree_new(cache, at("root"), f, 5, ".part", NULL);
    struct err e = {0};
    struct tree_stat final, part;
    uint8_t buf[3];
    alarm(10);
    mkfifo(at("root/fifo.part"), 0666);
    mkfifo(at("root/served"), 0666);
    mkdir(at("root/folder.part"), 0777);
    assert_int_equal(symlink("/etc/passwd", at("root/link.part")), 0);
    assert_int_equal(symlink("..", at("root/up")), 0);
    expect_os(write_text(t, 0, 0, "abc", &e), &e, EINVAL);
    expect_os(write_text(t, 1, 0, "abc", &e), &e, EISDIR);
    expect_os(write_text(t, 2, 0, "abc", &e), &e, ELOOP);
    expect_os(write_text(t, 3, 0, "abc", &e), &e, ELOOP);
    expect_os((int)tree_pread(t, 4, 0, (struct span){buf, 3}, &e), &e, EINVAL);
    assert_int_equal(tree_stat(t, 0, &final, &part, &e), 0);
    assert_true(part.there && !part.regular && !final.there);
    assert_int_equal(tree_stat(t, 3, &final, &part, &e), 0);
    assert_false(part.there || final.there);
    assert_false(exists(at("f.part")));
    alarm(0);
    tree_free(t);
}

static void reading_what_shrank(void **state)
{
    (void)state;
    struct tree_file f[] = {{"f", 1000, TREE_FINAL}};
    struct tree *t = tree_new(cache, at("root"), f, 1, ".part", NULL);
    struct err e = {0};
    uint8_t buf[1000];
    static const uint8_t data[1000];
    put_file(at("root/f"), data, sizeof data);
    assert_int_equal(tree_pread(t, 0, 0, (struct span){buf, 1000}, &e), 1000);
    assert_int_equal(truncate(at("root/f"), 700), 0);
    assert_int_equal(tree_pread(t, 0, 0, (struct span){buf, 1000}, &e), 700);
    assert_int_equal(tree_pread(t, 0, 800, (struct span){buf, 100}, &e), 0);
    tree_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_made_before_it_is_written),
        TEST(finishes_under_the_final_name),
        TEST(what_is_longer_is_cut_and_never_written_is_told),
        TEST(a_final_name_is_never_replaced),
        TEST(what_was_there_before_is_only_read),
        TEST(bounds),
        TEST(a_missing_root_creates_nothing),
        TEST(unselected_bytes_go_aside),
        TEST(unfinished_names_that_would_clash),
        TEST(links),
        TEST(deletes_exactly_what_is_listed),
        TEST(things_in_the_way),
        TEST(reading_what_shrank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

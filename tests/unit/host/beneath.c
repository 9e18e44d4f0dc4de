/* beneath: nothing leaves the folder, nothing is followed, nothing blocks; both ways of descending.
 */
#include "scratch.h"

#include <limits.h>
#include <p2p/host/beneath.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

static const unsigned ways[] = {0, BENEATH_BY_COMPONENT};
#define EACH_WAY(w) for (size_t w = 0; w < 2; w++)

static int begin(void **state)
{
    if (scratch_begin(state) != 0)
        return -1;
    return mkdir(at("root"), 0777) || mkdir(at("outside"), 0777);
}

static struct beneath *root_of(unsigned flags)
{
    struct beneath *b = NULL;
    struct err e = {0};
    assert_int_equal(beneath_open(&b, at("root"), flags, &e), 0);
    return b;
}

static void expect_os(int rc, struct err *e, int os)
{
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(e->os, os);
    err_clear(e);
}

static void missing_root_is_told(void **state)
{
    (void)state;
    struct beneath *b = NULL;
    struct err e = {0};
    expect_os(beneath_open(&b, at("nowhere"), 0, &e), &e, ENOENT);
    assert_null(b);
    put_text(at("plain"), "x");
    expect_os(beneath_open(&b, at("plain"), 0, &e), &e, ENOTDIR);
    beneath_free(NULL);
}

static void paths_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "/",  "/etc/passwd", "..",  "../outside/f",
                                      "a/../b", ".",  "./a",         "a/.", "a/..",
                                      "a//b",   "a/", "a/b/",        "//"};
    EACH_WAY(w)
    {
        struct beneath *b = root_of(ways[w]);
        struct stat st;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            struct err e = {0};
            assert_int_equal(beneath_file(b, bad[i], BENEATH_MAKE, &e), ERR_INVALID);
            assert_int_equal(beneath_folder(b, bad[i], true, NULL), ERR_INVALID);
            assert_int_equal(beneath_stat(b, bad[i], &st, NULL), ERR_INVALID);
            assert_int_equal(beneath_unlink(b, bad[i], NULL), ERR_INVALID);
            assert_int_equal(beneath_rmdir(b, bad[i], NULL), ERR_INVALID);
            assert_int_equal(beneath_rename(b, "a", bad[i], NULL), ERR_INVALID);
            assert_int_equal(beneath_rename(b, bad[i], "a", NULL), ERR_INVALID);
            assert_int_equal(beneath_symlink(b, "x", bad[i], NULL), ERR_INVALID);
            assert_int_equal(beneath_sync_parent(b, bad[i], NULL), ERR_INVALID);
        }
        beneath_free(b);
    }
    assert_int_equal(entries_in(at("root")), 0);
    assert_int_equal(entries_in(at("outside")), 0);
}

static void makes_and_opens(void **state)
{
    (void)state;
    EACH_WAY(w)
    {
        struct beneath *b = root_of(ways[w]);
        struct err e = {0};
        struct stat st;
        const char *rel = w ? "x/foo... bar/..c" : "y/...z/\xff\xfe";
        expect_os(beneath_file(b, rel, BENEATH_READ, &e), &e, ENOENT);
        expect_os(beneath_file(b, rel, BENEATH_WRITE, &e), &e, ENOENT);
        int fd = beneath_file(b, rel, BENEATH_NEW, &e);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(pwrite(fd, "hello", 5, 0), 5);
        close(fd);
        expect_os(beneath_file(b, rel, BENEATH_NEW, &e), &e, EEXIST);
        fd = beneath_file(b, rel, BENEATH_MAKE, &e);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(beneath_stat(b, rel, &st, &e), 0);
        assert_int_equal(st.st_size, 5);
        fd = beneath_file(b, rel, BENEATH_READ, &e);
        assert_int_equal(write(fd, "x", 1), -1);
        close(fd);
        assert_int_equal(beneath_sync_parent(b, rel, &e), 0);
        assert_int_equal(beneath_unlink(b, rel, &e), 0);
        expect_os(beneath_stat(b, rel, &st, &e), &e, ENOENT);
        expect_os(beneath_rmdir(b, w ? "x" : "y", &e), &e, ENOTEMPTY);
        assert_int_equal(beneath_rmdir(b, w ? "x/foo... bar" : "y/...z", &e), 0);
        assert_int_equal(beneath_rmdir(b, w ? "x" : "y", &e), 0);
        beneath_free(b);
    }
    assert_int_equal(entries_in(at("root")), 0);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    put_text(at("outside/secret"), "secret");
    assert_int_equal(mkdir(at("root/real"), 0777), 0);
    assert_int_equal(symlink("../outside", at("root/dir")), 0);
    assert_int_equal(symlink("real", at("root/in")), 0); /* even one that stays inside */
    assert_int_equal(symlink("../outside/secret", at("root/file")), 0);
    assert_int_equal(symlink("../outside/new", at("root/dangling")), 0);
    EACH_WAY(w)
    {
        struct beneath *b = root_of(ways[w]);
        struct err e = {0};
        struct stat st;
        expect_os(beneath_file(b, "file", BENEATH_READ, &e), &e, ELOOP);
        expect_os(beneath_file(b, "file", BENEATH_MAKE, &e), &e, ELOOP);
        expect_os(beneath_file(b, "dangling", BENEATH_MAKE, &e), &e, ELOOP);
        expect_os(beneath_file(b, "dangling", BENEATH_NEW, &e), &e, EEXIST);
        expect_os(beneath_file(b, "dir/secret", BENEATH_READ, &e), &e, ELOOP);
        expect_os(beneath_file(b, "dir/new", BENEATH_MAKE, &e), &e, ELOOP);
        expect_os(beneath_file(b, "in/new", BENEATH_MAKE, &e), &e, ELOOP);
        expect_os(beneath_file(b, "dir/sub/new", BENEATH_MAKE, &e), &e, ELOOP);
        expect_os(beneath_folder(b, "dir", true, &e), &e, ELOOP);
        expect_os(beneath_folder(b, "dir/sub", true, &e), &e, ELOOP);
        expect_os(beneath_unlink(b, "dir/secret", &e), &e, ELOOP);
        expect_os(beneath_rename(b, "dir/secret", "mine", &e), &e, ELOOP);
        expect_os(beneath_symlink(b, "x", "dir/link", &e), &e, ELOOP);
        assert_int_equal(beneath_stat(b, "file", &st, &e), 0);
        assert_true(S_ISLNK(st.st_mode));
        beneath_free(b);
    }
    assert_int_equal(entries_in(at("outside")), 1);
    assert_text(at("outside/secret"), "secret");
}

static void what_is_no_file_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(at("root/fifo"), 0666), 0);
    assert_int_equal(mkdir(at("root/folder"), 0777), 0);
    put_text(at("root/plain"), "x");
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof sa.sun_path, "%.90s/root/sock", scratch_dir);
    assert_int_equal(bind(s, (struct sockaddr *)&sa, sizeof sa), 0);
    alarm(10); /* blocking on the FIFO ends the test */
    EACH_WAY(w)
    {
        struct beneath *b = root_of(ways[w]);
        struct err e = {0};
        for (int how = BENEATH_READ; how <= BENEATH_MAKE; how++) {
            expect_os(beneath_file(b, "fifo", (enum beneath_how)how, &e), &e, EINVAL);
            expect_os(beneath_file(b, "sock", (enum beneath_how)how, &e), &e, EINVAL);
            expect_os(beneath_file(b, "folder", (enum beneath_how)how, &e), &e, EISDIR);
            expect_os(beneath_file(b, "plain/x", (enum beneath_how)how, &e), &e, ENOTDIR);
            expect_os(beneath_file(b, "fifo/x", (enum beneath_how)how, &e), &e, ENOTDIR);
        }
        expect_os(beneath_folder(b, "plain", true, &e), &e, ENOTDIR);
        expect_os(beneath_folder(b, "fifo", true, &e), &e, ENOTDIR);
        beneath_free(b);
    }
    alarm(0);
    close(s);
}

static void devices_are_refused(void **state)
{
    (void)state;
    if (mknod(at("root/null"), S_IFCHR | 0666, 1 << 8 | 3) != 0)
        skip(); /* needs root */
    struct beneath *b = root_of(0);
    struct err e = {0};
    expect_os(beneath_file(b, "null", BENEATH_WRITE, &e), &e, EINVAL);
    beneath_free(b);
}

static void rename_never_replaces(void **state)
{
    (void)state;
    EACH_WAY(w)
    {
        struct beneath *b = root_of(ways[w]);
        struct err e = {0};
        put_text(at("root/a.part"), "new");
        put_text(at("root/a"), "old");
        expect_os(beneath_rename(b, "a.part", "a", &e), &e, EEXIST);
        assert_text(at("root/a"), "old");
        assert_text(at("root/a.part"), "new");
        assert_int_equal(beneath_rename(b, "a.part", "b", &e), 0);
        assert_text(at("root/b"), "new");
        expect_os(beneath_rename(b, "a.part", "c", &e), &e, ENOENT);
        expect_os(beneath_rename(b, "b", "no/c", &e), &e, ENOENT);
        assert_int_equal(beneath_unlink(b, "a", &e), 0);
        assert_int_equal(beneath_unlink(b, "b", &e), 0);
        assert_int_equal(mkdir(at("root/d"), 0777), 0);
        expect_os(beneath_unlink(b, "d", &e), &e, EISDIR);
        assert_int_equal(beneath_symlink(b, "../anything", "d/s/link", &e), 0);
        expect_os(beneath_symlink(b, "other", "d/s/link", &e), &e, EEXIST);
        assert_int_equal(beneath_unlink(b, "d/s/link", &e), 0);
        assert_int_equal(beneath_rmdir(b, "d/s", &e), 0);
        assert_int_equal(beneath_rmdir(b, "d", &e), 0);
        beneath_free(b);
    }
}

static void long_and_deep_names(void **state)
{
    (void)state;
    char rel[100 * 201], name[300];
    size_t n = 0;
    memset(name, 'n', sizeof name);
    EACH_WAY(w)
    {
        struct beneath *b = root_of(ways[w]);
        struct err e = {0};
        name[255] = '\0';
        int fd = beneath_file(b, name, BENEATH_MAKE, &e);
        assert_true(fd >= 0);
        close(fd);
        name[255] = 'n';
        name[256] = '\0';
        expect_os(beneath_file(b, name, BENEATH_MAKE, &e), &e, ENAMETOOLONG);
        name[256] = 'n';
        n = 0;
        for (int i = 0; i < 100; i++) { /* 100 components, far past PATH_MAX */
            memset(rel + n, 'd', 200);
            n += 200;
            rel[n++] = i == 99 ? '\0' : '/';
        }
        fd = beneath_file(b, rel, BENEATH_MAKE, &e);
        assert_true(fd >= 0);
        close(fd);
        struct stat st;
        assert_int_equal(beneath_stat(b, rel, &st, &e), 0);
        assert_int_equal(beneath_unlink(b, rel, &e), 0);
        for (char *slash; (slash = strrchr(rel, '/'));) {
            *slash = '\0';
            assert_int_equal(beneath_rmdir(b, rel, &e), 0);
        }
        beneath_free(b);
    }
}

static atomic_bool swapping;

static void *swap_for_link(void *arg)
{
    (void)arg;
    char folder[8300], link[8300];
    snprintf(folder, sizeof folder, "%s", at("root/swap"));
    snprintf(link, sizeof link, "%s", at("root/swap-link"));
    if (symlink("../outside", link) != 0)
        return NULL;
    while (atomic_load(&swapping))
        renameat2(AT_FDCWD, folder, AT_FDCWD, link, RENAME_EXCHANGE);
    return NULL;
}

static void a_race_with_a_link_is_lost_by_the_link(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("root/swap"), 0777), 0);
    atomic_store(&swapping, true);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, swap_for_link, NULL), 0);
    int made = 0;
    EACH_WAY(w)
    {
        struct beneath *b = root_of(ways[w]);
        for (int i = 0; i < 3000; i++) {
            char rel[64];
            snprintf(rel, sizeof rel, "swap/f%zu-%d", w, i);
            int fd = beneath_file(b, rel, BENEATH_MAKE, NULL);
            if (fd >= 0) {
                made++;
                close(fd);
            }
        }
        beneath_free(b);
    }
    atomic_store(&swapping, false);
    pthread_join(thread, NULL);
    assert_true(made > 0);
    assert_int_equal(entries_in(at("outside")), 0);
}

static void second_names_and_where_links_lead(void **state)
{
    (void)state;
    struct err e = {0};
    struct beneath *b = root_of(0), *in = NULL;
    struct stat st;

    put_text(at("outside/f"), "x");
    close(beneath_file(b, "d/f", BENEATH_MAKE, &e));
    assert_int_equal(beneath_link(b, "d/f", "n/g", &e), 0);
    assert_int_equal(beneath_stat(b, "n/g", &st, &e), 0);
    assert_int_equal(st.st_nlink, 2);
    expect_os(beneath_link(b, "d/f", "n/g", &e), &e, EEXIST);
    expect_os(beneath_link(b, "d", "n/h", &e), &e, EINVAL);
    assert_int_equal(symlink("../../outside/f", at("root/d/out")), 0);
    assert_int_equal(symlink("../n/g", at("root/d/in")), 0);
    assert_int_equal(symlink("none", at("root/d/none")), 0);
    expect_os(beneath_link(b, "d/out", "n/h", &e), &e, EINVAL);
    assert_int_equal(beneath_link(b, "../outside/f", "n/h", NULL), ERR_INVALID);
    assert_int_equal(beneath_leads(b, "d/in", NULL), 0);
    assert_int_equal(beneath_leads(b, "d/out", NULL), ERR_INVALID);
    assert_int_equal(beneath_leads(b, "d/none", NULL), ERR_NOTFOUND);
    assert_int_equal(beneath_enter(&in, b, "d", &e), 0);
    assert_int_equal(beneath_leads(in, "in", NULL), ERR_INVALID); /* it is smaller */
    assert_int_equal(beneath_stat(in, "f", &st, &e), 0);
    beneath_free(in);
    assert_int_equal(symlink("d", at("root/s")), 0);
    expect_os(beneath_enter(&in, b, "s", &e), &e, ELOOP);
    beneath_free(b);
}

static void read_only_folder(void **state)
{
    (void)state;
    if (geteuid() == 0 && seteuid(65534) != 0)
        skip();
    /* As somebody else the folder of root may not be written; as a user, take the right away. */
    if (getuid() != 0)
        chmod(at("root"), 0555);
    struct beneath *b = root_of(0);
    struct err e = {0};
    int rc = beneath_file(b, "a/b", BENEATH_MAKE, &e);
    int os = e.os;
    err_clear(&e);
    int rc2 = beneath_file(b, "b", BENEATH_NEW, &e);
    beneath_free(b);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    else
        chmod(at("root"), 0755);
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(os, EACCES);
    expect_os(rc2, &e, EACCES);
}

static int begin_open(void **state)
{
    int rc = begin(state);
    return rc ? rc : chmod(scratch_dir, 0755);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, scratch_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(missing_root_is_told),
        TEST(paths_that_are_none),
        TEST(makes_and_opens),
        TEST(links_are_not_followed),
        TEST(what_is_no_file_is_refused_at_once),
        TEST(devices_are_refused),
        TEST(rename_never_replaces),
        TEST(long_and_deep_names),
        TEST(second_names_and_where_links_lead),
        TEST(a_race_with_a_link_is_lost_by_the_link),
        cmocka_unit_test_setup_teardown(read_only_folder, begin_open, scratch_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

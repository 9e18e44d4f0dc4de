/* fileio: caps, all-or-nothing writes, pipes, full disks, interrupted and short calls. */
#include "scratch.h"

#include <p2p/host/fileio.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/time.h>

static void reads_up_to_the_cap(void **state)
{
    (void)state;
    struct bytes b;
    struct err e = {0};
    put_text(at("f"), "0123456789");
    assert_int_equal(fileio_read(at("f"), 10, &b, &e), 0);
    assert_int_equal(b.n, 10);
    assert_string_equal((const char *)b.p, "0123456789");
    free((void *)(uintptr_t)b.p);
    assert_int_equal(fileio_read(at("f"), 9, &b, &e), ERR_LIMIT);
    err_clear(&e);
    assert_int_equal(fileio_read(at("f"), 1 << 30, &b, &e), 0);
    free((void *)(uintptr_t)b.p);
    put_text(at("empty"), "");
    assert_int_equal(fileio_read(at("empty"), 0, &b, &e), 0);
    assert_int_equal(b.n, 0);
    free((void *)(uintptr_t)b.p);
    assert_int_equal(fileio_read(at("none"), 10, &b, &e), ERR_IO);
    assert_int_equal(e.os, ENOENT);
    err_clear(&e);
    assert_int_equal(fileio_read(scratch_dir, 10, &b, &e), ERR_IO);
    assert_int_equal(e.os, EISDIR);
    err_clear(&e);
    assert_int_equal(fileio_read("/dev/zero", 100000, &b, &e), ERR_LIMIT);
}

static void reads_a_pipe_that_dribbles(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char block[1000];
        memset(block, 'x', sizeof block);
        for (int i = 0; i < 300; i++)
            if (write(p[1], block, sizeof block) < 0)
                _exit(1);
        usleep(20000);
        _exit(write(p[1], "end", 3) == 3 ? 0 : 1);
    }
    close(p[1]);
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    struct bytes b;
    struct err e = {0};
    assert_int_equal(fileio_read_fd(p[0], "stdin", 1 << 20, &b, &e), 0);
    assert_int_equal(b.n, 300003);
    assert_memory_equal(b.p + 300000, "end", 3);
    free((void *)(uintptr_t)b.p);
    close(p[0]);
    assert_int_equal(reap(pid), 0);
}

static void replaces_at_once(void **state)
{
    (void)state;
    struct err e = {0};
    struct stat st;
    mode_t mask = umask(027);
    assert_int_equal(fileio_write(at("f"), bytes_str("one"), 0666, &e), 0);
    umask(mask);
    assert_int_equal(stat(at("f"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    chmod(at("f"), 0600);
    assert_int_equal(symlink("f", at("link")), 0);
    assert_int_equal(fileio_write(at("link"), bytes_str("two"), 0666, &e), 0);
    assert_text(at("f"), "two");
    assert_int_equal(lstat(at("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(at("f"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(entries_in(scratch_dir), 2);
    assert_int_equal(fileio_write(scratch_dir, bytes_str("x"), 0666, &e), ERR_IO);
    assert_int_equal(e.os, EISDIR);
    err_clear(&e);
    assert_int_equal(fileio_write(at("no/f"), bytes_str("x"), 0666, &e), ERR_IO);
    assert_int_equal(e.os, ENOENT);
    err_clear(&e);
    assert_int_equal(fileio_write("/dev/null", bytes_str("x"), 0666, &e), 0);
    assert_int_equal(fileio_write("/dev/full", bytes_str("x"), 0666, &e), ERR_IO);
    assert_int_equal(e.os, ENOSPC);
}

static void replaces_whatever_is_there(void **state)
{
    (void)state;
    struct err e = {0};
    struct stat st;
    put_text(at("other"), "other");
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            assert_int_equal(mkfifo(at("f"), 0600), 0);
        if (i == 2)
            assert_int_equal(symlink("other", at("f")), 0);
        assert_int_equal(fileio_replace(at("f"), bytes_str("ours"), 0600, &e), 0);
        assert_int_equal(lstat(at("f"), &st), 0);
        assert_true(S_ISREG(st.st_mode));
        assert_text(at("f"), "ours");
        assert_int_equal(unlink(at("f")), 0);
    }
    assert_text(at("other"), "other");
    assert_int_equal(mkdir(at("f"), 0700), 0);
    assert_int_equal(fileio_replace(at("f"), bytes_str("ours"), 0600, &e), ERR_IO);
    assert_int_equal(entries_in(scratch_dir), 2);
}

static void a_failed_write_leaves_the_old(void **state)
{
    (void)state;
    put_text(at("f"), "old");
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit lim = {1000, 1000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &lim);
        static uint8_t big[5000];
        struct err e = {0};
        int rc = fileio_write(at("f"), BYTES(big, sizeof big), 0666, &e);
        _exit(rc == ERR_IO && e.os == EFBIG ? 0 : 1);
    }
    assert_int_equal(reap(pid), 0);
    assert_text(at("f"), "old");
    assert_int_equal(entries_in(scratch_dir), 1);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("disk"), 0777), 0);
    if (mount("tmpfs", at("disk"), "tmpfs", 0, "size=64k") != 0)
        skip(); /* needs root */
    static uint8_t big[100000];
    struct err e = {0};
    assert_int_equal(fileio_write(at("disk/f"), bytes_str("old"), 0666, &e), 0);
    int rc = fileio_write(at("disk/f"), BYTES(big, sizeof big), 0666, &e);
    size_t left = entries_in(at("disk"));
    umount(at("disk"));
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(e.os, ENOSPC);
    assert_int_equal(left, 1);
}

static void a_closed_pipe_is_an_error(void **state)
{
    (void)state;
    int p[2];
    struct err e = {0};
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(p), 0);
    close(p[0]);
    assert_int_equal(fileio_write_all(p[1], "stdout", bytes_str("x"), &e), ERR_IO);
    assert_int_equal(e.os, EPIPE);
    close(p[1]);
}

static void on_alarm(int sig)
{
    (void)sig;
}

/* Signals without SA_RESTART every millisecond, a slow reader, a non-blocking pipe. */
static void write_all_is_not_disturbed(void **state)
{
    (void)state;
    int p[2];
    assert_int_equal(pipe(p), 0);
    pid_t pid = fork();
    if (pid == 0) {
        static char buf[50000];
        size_t sum = 0;
        close(p[1]);
        for (ssize_t n; (n = read(p[0], buf, sizeof buf)) > 0; usleep(500))
            sum += (size_t)n;
        _exit(sum == 3000000 ? 0 : 1);
    }
    close(p[0]);
    struct sigaction sa = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &sa, NULL);
    struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &every, NULL);
    static uint8_t big[1500000];
    struct err e = {0};
    assert_int_equal(fileio_write_all(p[1], "pipe", BYTES(big, sizeof big), &e), 0);
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    assert_int_equal(fileio_write_all(p[1], "pipe", BYTES(big, sizeof big), &e), 0);
    close(p[1]);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_int_equal(reap(pid), 0);
}

static void gathers_many_slices(void **state)
{
    (void)state;
    uint8_t data[1000], back[1100];
    struct bytes v[300];
    struct err e = {0};
    size_t n = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < 300; i++) { /* lengths 0, 1, 2, … 6, in turn: more than one batch */
        size_t len = i % 7 < sizeof data - n ? i % 7 : 0;
        v[i] = BYTES(data + n, len);
        n += len;
    }
    int fd = open(at("f"), O_RDWR | O_CREAT, 0666);
    assert_int_equal(fileio_pwritev(fd, "f", 50, v, 300, &e), 0);
    assert_int_equal(fileio_pwritev(fd, "f", 50, v, 0, &e), 0);
    assert_int_equal(fileio_pread(fd, "f", 50, (struct span){back, sizeof back}, &e), (int64_t)n);
    assert_memory_equal(back, data, n);
    assert_int_equal(fileio_pread(fd, "f", 5000, (struct span){back, 10}, &e), 0);
    close(fd);
    fd = open(at("f"), O_RDONLY);
    assert_int_equal(fileio_pwritev(fd, "f", 0, v, 300, &e), ERR_IO);
    assert_int_equal(e.os, EBADF);
    close(fd);
}

/* A file-size limit in the middle makes the kernel write short first and fail after. */
static void short_writes_end_in_the_reason(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit lim = {1500, 1500};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &lim);
        static uint8_t big[1000];
        struct bytes v[2] = {BYTES(big, 1000), BYTES(big, 1000)};
        struct err e = {0};
        int fd = open(at("f"), O_RDWR | O_CREAT, 0666);
        int rc = fileio_pwritev(fd, "f", 0, v, 2, &e);
        _exit(rc == ERR_IO && e.os == EFBIG ? 0 : 1);
    }
    assert_int_equal(reap(pid), 0);
}

static void makes_folders(void **state)
{
    (void)state;
    struct err e = {0};
    struct stat st;
    assert_int_equal(fileio_mkdirs(at("a/b//c/"), 0700, &e), 0);
    assert_int_equal(stat(at("a/b/c"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(fileio_mkdirs(at("a/b/c"), 0700, &e), 0);
    assert_int_equal(fileio_sync_folder(at("a"), &e), 0);
    assert_int_equal(symlink("a", at("link")), 0);
    assert_int_equal(fileio_mkdirs(at("link/d"), 0700, &e), 0);
    assert_true(exists(at("a/d")));
    put_text(at("plain"), "x");
    assert_int_equal(fileio_mkdirs(at("plain"), 0700, &e), ERR_IO);
    assert_int_equal(e.os, ENOTDIR);
    err_clear(&e);
    assert_int_equal(fileio_mkdirs(at("plain/x"), 0700, &e), ERR_IO);
    assert_int_equal(e.os, ENOTDIR);
    err_clear(&e);
    assert_int_equal(fileio_sync_folder(at("none"), &e), ERR_IO);
    assert_int_equal(e.os, ENOENT);
    assert_int_equal(chdir(at("a")), 0);
    err_clear(&e);
    assert_int_equal(fileio_mkdirs("rel/sub", 0700, &e), 0);
    assert_true(exists(at("a/rel/sub")));
}

static void absolute_paths(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/", "/"}, {"//", "/"}, {"/a//b/", "/a/b"}, {"/./a/./b/.", "/a/b"}, {"/a/../b", "/a/../b"},
        {"/a/.b/..c/...", "/a/.b/..c/..."}, {"/.", "/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *p = fileio_absolute(cases[i][0]);
        assert_string_equal(p, cases[i][1]);
        free(p);
    }
    char here[4096];
    assert_int_equal(chdir(scratch_dir), 0);
    assert_non_null(getcwd(here, sizeof here));
    char *p = fileio_absolute("./x/");
    assert_memory_equal(p, here, strlen(here));
    assert_string_equal(p + strlen(here), "/x");
    free(p);
    assert_int_equal(chdir("/"), 0);
    p = fileio_absolute("x");
    assert_string_equal(p, "/x");
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(reads_up_to_the_cap),
        SCRATCH_TEST(reads_a_pipe_that_dribbles),
        SCRATCH_TEST(replaces_at_once),
        SCRATCH_TEST(replaces_whatever_is_there),
        SCRATCH_TEST(a_failed_write_leaves_the_old),
        SCRATCH_TEST(a_full_disk_is_told),
        SCRATCH_TEST(a_closed_pipe_is_an_error),
        SCRATCH_TEST(write_all_is_not_disturbed),
        SCRATCH_TEST(gathers_many_slices),
        SCRATCH_TEST(short_writes_end_in_the_reason),
        SCRATCH_TEST(makes_folders),
        SCRATCH_TEST(absolute_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Unpacking in a process of its own: its end, and the walls around it. */
#include "host/unpacker_in.h"
#include "looptest.h"
#include "scratch.h"

#include <p2p/base/mem.h>
#include <p2p/host/archive.h>
#include <p2p/host/unpacker.h>

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>

struct outcome {
    struct looptest t;
    struct unpacker *u;
    struct bytes archive;
    uint64_t written;
    bool over, inner;
    int code;
    struct err e;
};

/* Of what is wanted, as much as there is. */
static void wants(void *arg, uint64_t at, uint64_t n)
{
    struct outcome *o = arg;
    size_t part = at > o->archive.n ? 0 : o->archive.n - (size_t)at;

    part = part > n ? (size_t)n : part;
    if (part)
        assert_int_equal(write(unpacker_fd(o->u), o->archive.p + at, part), part);
    o->written += part;
    if (part < n)
        loop_stop(o->t.l);
}

static void ended(void *arg, int code, bool inner, const struct err *e)
{
    struct outcome *o = arg;

    o->over = true;
    o->code = code;
    o->inner = inner;
    o->e = *e;
    loop_stop(o->t.l);
}

/* A tar of "d/f" with so many bytes; as much of it as is ready. */
static struct archive_out *tar_of(uint64_t size)
{
    struct err e = {0};
    struct archive_out *a = archive_out_new(ARCHIVE_TAR, &e);
    struct archive_file f = {.path = "d/f", .size = size};

    assert_non_null(a);
    assert_int_equal(archive_out_begin(a, &f, &e), 0);
    assert_int_equal(archive_out_data(a, BYTES("text", 4), &e), 0);
    if (size == 4)
        assert_int_equal(archive_out_end(a, &e), 0);
    return a;
}

static struct unpacker *begin(struct outcome *o, uint64_t size, bool cut)
{
    struct unpacker_spec s = {.what = "A", .folder = at("to"), .top = "d"};
    struct archive_out *a = tar_of(size);
    struct bytes b = archive_out_ready(a);
    struct err e = {0};

    *o = (struct outcome){.archive = BYTES(mem_dup(b.p, b.n), b.n)};
    archive_out_free(a);
    s.size = cut ? b.n : b.n + size;
    looptest_open(&o->t);
    (void)mkdir(at("to"), 0755);
    o->u = unpacker_new(o->t.l, &s, &(struct unpacker_calls){wants, ended, o}, &e);
    if (!o->u)
        fail_msg("%s", e.msg);
    return o->u;
}

static void end(struct outcome *o, struct unpacker *u)
{
    unpacker_free(u);
    bytes_free(o->archive);
    looptest_close(&o->t);
}

static void whole(void **state)
{
    (void)state;
    struct outcome o;
    struct unpacker *u = begin(&o, 4, true);

    looptest_run(&o.t);
    assert_int_equal(o.code, 0);
    assert_int_equal(o.written, o.archive.n);
    assert_true(o.inner);
    assert_text(at("to/d/f"), "text");
    end(&o, u);
}

/* It waits for more, and then that does not come. */
static void stopped(void **state)
{
    (void)state;
    struct outcome o;
    struct unpacker *u = begin(&o, 1000, false);

    looptest_run(&o.t);
    assert_false(o.over);
    unpacker_stop(u);
    looptest_run(&o.t);
    assert_true(o.over);
    assert_int_equal(o.code, ERR_CANCELED);
    assert_int_equal(entries_in(at("to")), 0);
    end(&o, u);
    u = begin(&o, 1000, false);
    looptest_run(&o.t);
    end(&o, u); /* which waits */
    assert_false(o.over);
    assert_int_equal(entries_in(at("to")), 0);
}

static void damaged(void **state)
{
    (void)state;
    struct outcome o;
    struct unpacker *u = begin(&o, 1000, true);

    looptest_run(&o.t);
    assert_int_equal(o.code, ERR_INVALID);
    assert_non_null(strstr(o.e.msg, "A: the archive is damaged or cut off"));
    assert_int_equal(entries_in(at("to")), 0);
    end(&o, u);
}

static void gone(void **state)
{
    (void)state;
    struct outcome o = {0};
    struct unpacker_spec s = {.what = "A", .folder = at("nowhere"), .size = 1};
    struct err e = {0};
    struct unpacker *u;

    looptest_open(&o.t);
    u = unpacker_new(o.t.l, &s, &(struct unpacker_calls){wants, ended, &o}, &e);
    assert_non_null(u);
    looptest_run(&o.t);
    assert_int_equal(o.code, ERR_IO);
    end(&o, u);
}

/* 0 if within the jail all is as it should be, else which line it is not. */
static int try_walls(void)
{
    int folder = open(at("to"), O_RDONLY | O_DIRECTORY);
    int inside;
    pid_t pid;
    char *words[] = {(char[]){"true"}, NULL};

    unpacker_jail(folder);
    inside = openat(folder, "inside", O_WRONLY | O_CREAT, 0644);
    if (inside < 0 || write(inside, "x", 1) != 1 || fchmod(inside, 0755) != 0)
        return __LINE__;
    if (linkat(folder, "inside", folder, "second", 0) != 0 || mkdirat(folder, "d", 0777) != 0 ||
        symlinkat("x", folder, "l") != 0 || unlinkat(folder, "second", 0) != 0)
        return __LINE__;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
        return __LINE__;
    if (fork() >= 0 || posix_spawn(&pid, "/bin/true", NULL, NULL, words, NULL) == 0)
        return __LINE__;
    if (execv("/bin/true", words) == 0 || kill(getppid(), 0) == 0)
        return __LINE__;
    if (mkfifoat(folder, "fifo", 0644) == 0 || syscall(SYS_ptrace, 0, 0, 0, 0) == 0)
        return __LINE__;
    return 0;
}

static int try_outside(void)
{
    int folder = open(at("to"), O_RDONLY | O_DIRECTORY);

    unpacker_jail(folder);
    if (open("/etc/passwd", O_RDONLY) >= 0 || open(at("secret"), O_RDONLY) >= 0)
        return __LINE__;
    if (open(at("new"), O_WRONLY | O_CREAT, 0644) >= 0 || mkdir(at("new"), 0755) == 0)
        return __LINE__;
    if (unlinkat(AT_FDCWD, at("secret"), 0) == 0 || openat(folder, "../secret", O_RDONLY) >= 0)
        return __LINE__;
    return 0;
}

static int in_child(int (*try)(void))
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(try() & 0xff);
    return reap(pid);
}

static void walls(void **state)
{
    (void)state;
    assert_int_equal(mkdir(at("to"), 0755), 0);
    put_text(at("secret"), "x");
    assert_int_equal(in_child(try_walls), 0);
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 2)
        skip();
    assert_int_equal(in_child(try_outside), 0);
    assert_true(exists(at("secret")));
}

int main(int argc, char **argv)
{
    int status;

    if (unpacker_main(argc, argv, &status))
        return status;
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(whole),
        SCRATCH_TEST(stopped),
        SCRATCH_TEST(damaged),
        SCRATCH_TEST(gone),
        SCRATCH_TEST(walls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

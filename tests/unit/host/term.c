/* term: signals become a flag and a readable descriptor; the second one ends the program. */
#include "scratch.h"

#include <p2p/host/term.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>

static int first_signal(int sig)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(sig, SIG_DFL); /* whatever started the tests may have it ignored */
        term_signals();
        struct pollfd p = {.fd = term_stop_fd(), .events = POLLIN};
        if (term_stopped() != 0 || poll(&p, 1, 0) != 0)
            _exit(1);
        raise(sig);
        _exit(term_stopped() == sig && poll(&p, 1, 0) == 1 ? 0 : 2);
    }
    return reap(pid);
}

static void a_signal_asks_to_stop(void **state)
{
    (void)state;
    assert_int_equal(first_signal(SIGINT), 0);
    assert_int_equal(first_signal(SIGTERM), 0);
    assert_int_equal(first_signal(SIGHUP), 0);
}

static void the_second_ends_it(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        term_signals();
        raise(SIGINT);
        raise(SIGINT);
        _exit(0);
    }
    assert_int_equal(reap(pid), -SIGINT);
}

static void what_was_ignored_stays_ignored(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGHUP, SIG_IGN);
        term_signals();
        raise(SIGHUP);
        raise(SIGHUP);
        _exit(term_stopped());
    }
    assert_int_equal(reap(pid), 0);
}

static void a_closed_pipe_does_not_kill(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        int p[2];
        struct rlimit lim = {10, 10};
        term_signals();
        if (pipe(p) != 0 || close(p[0]) != 0 || write(p[1], "x", 1) != -1 || errno != EPIPE)
            _exit(1);
        int fd = open(at("f"), O_RDWR | O_CREAT, 0666);
        setrlimit(RLIMIT_FSIZE, &lim);
        _exit(pwrite(fd, "x", 1, 100) == -1 && errno == EFBIG ? 0 : 2);
    }
    assert_int_equal(reap(pid), 0);
}

static void terminals(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDWR);
    assert_false(term_is_tty(fd));
    assert_false(term_is_tty(-1));
    close(fd);
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        skip();
    fd = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(term_is_tty(fd));
    close(fd);
    close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(a_signal_asks_to_stop),
        SCRATCH_TEST(the_second_ends_it),
        SCRATCH_TEST(what_was_ignored_stays_ignored),
        SCRATCH_TEST(a_closed_pipe_does_not_kill),
        SCRATCH_TEST(terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

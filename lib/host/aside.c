/* A function in a child process, with a pipe for what it has to say. */
#include "host/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <p2p/base/mem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPORT_FD 3

struct aside {
    struct loop *l;
    pid_t pid;
    int fd;
    struct loop_watch *watch;
    struct loop_timer timer;
    void (*done)(void *arg, const void *report);
    void *arg;
    size_t want, got;
    uint8_t report[ASIDE_REPORT_MAX + 1]; /* one more, to see that there is more */
};

/* ---- the child ---- */

/* Counted as the kernel counts RLIMIT_DATA, so that what the parent holds already is not ours. */
static void bound_memory(void)
{
    unsigned long long pages[6] = {0};
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return;
    int n = fscanf(f, "%llu %llu %llu %llu %llu %llu", &pages[0], &pages[1], &pages[2], &pages[3],
                   &pages[4], &pages[5]);
    fclose(f);
    if (n != 6)
        return;
    rlim_t most = pages[5] * (rlim_t)sysconf(_SC_PAGESIZE) + ASIDE_MEMORY;
    setrlimit(RLIMIT_DATA, &(struct rlimit){.rlim_cur = most, .rlim_max = most});
}

static void keep_only(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (fd != REPORT_FD && dup2(fd, REPORT_FD) < 0)
        _exit(1);
    for (int i = 0; i < REPORT_FD; i++)
        dup2(null, i); /* libraries print; nobody is to hear it */
    close_range(REPORT_FD + 1, ~0u, 0);
}

static _Noreturn void be_child(const struct aside_task *t, int fd, pid_t parent)
{
    void *report = mem_zero(t->report_size);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    keep_only(fd);
    bound_memory();
    t->run(t->task, report);
    ssize_t n = write(REPORT_FD, report, t->report_size);
    _exit(n == (ssize_t)t->report_size ? 0 : 1);
}

/* ---- the parent ---- */

static void end_child(struct aside *a)
{
    loop_timer_cancel(a->l, &a->timer);
    loop_watch_free(a->watch);
    if (a->fd >= 0)
        close(a->fd);
    if (a->pid > 0) {
        kill(a->pid, SIGKILL); /* it may have ended: then this is to a zombie of ours */
        while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
}

static void finish(struct aside *a, bool whole)
{
    void (*done)(void *, const void *) = a->done;

    end_child(a);
    done(a->arg, whole ? a->report : NULL);
    free(a);
}

static void readable(void *arg, bool in, bool out)
{
    struct aside *a = arg;
    ssize_t n;

    (void)in, (void)out;
    do
        n = read(a->fd, a->report + a->got, a->want + 1 - a->got);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0)
        a->got += (size_t)n;
    if (n <= 0 || a->got > a->want)
        finish(a, n == 0 && a->got == a->want);
}

static void too_late(void *arg)
{
    finish(arg, false);
}

/* Above the standard descriptors, which the child replaces. */
static int pipe_above(int fd[2])
{
    int raw[2];

    if (pipe2(raw, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    for (int i = 0; i < 2; i++)
        fd[i] = fcntl(raw[i], F_DUPFD_CLOEXEC, REPORT_FD);
    int os = fd[0] < 0 || fd[1] < 0 ? errno : 0;
    for (int i = 0; i < 2; i++) {
        close(raw[i]);
        if (os && fd[i] >= 0)
            close(fd[i]);
    }
    return -os;
}

/* No signal may reach a handler of ours in the child, not even before it has set itself up. */
static pid_t fork_quiet(const struct aside_task *t, int fd)
{
    sigset_t all, was;
    pid_t parent = getpid();

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    pid_t pid = fork();
    if (pid == 0)
        be_child(t, fd, parent);
    int os = errno;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    errno = os;
    return pid;
}

/* False, with nothing left open: there is no process. */
static bool begin(struct aside *a, const struct aside_task *t)
{
    int fd[2] = {-1, -1};

    if (pipe_above(fd) < 0)
        return false;
    a->fd = fd[0];
    a->pid = fork_quiet(t, fd[1]);
    close(fd[1]);
    if (a->pid > 0)
        a->watch = loop_watch(a->l, a->fd, readable, a, NULL);
    if (a->watch)
        loop_watch_want(a->watch, true, false);
    return a->watch;
}

struct aside *aside_start(struct loop *l, const struct aside_task *t)
{
    struct aside *a = mem_zero(sizeof *a);

    *a = (struct aside){.l = l, .fd = -1, .done = t->done, .arg = t->arg, .want = t->report_size};
    a->timer = (struct loop_timer){.fn = too_late, .arg = a};
    loop_timer_set(l, &a->timer, loop_now(l) + (begin(a, t) ? t->patience : 0));
    return a;
}

void aside_cancel(struct aside *a)
{
    if (!a)
        return;
    end_child(a);
    free(a);
}

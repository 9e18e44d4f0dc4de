/*
 * An archive unpacked by a process of its own; see unpacker.h. The child tells over a
 * socket what it wants of the archive, the parent writes that into a pipe, and at last it tells how
 * it ended. Whoever of the two goes away, the other sees the end of pipe or socket.
 */
#include "host/unpack.h"
#include "host/unpacker_in.h"

#include <p2p/base/mem.h>
#include <p2p/base/num.h>

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct unpacker {
    struct unpacker_calls calls;
    char *what;
    pid_t pid; /* 0: it is gone */
    int data, talk;
    struct loop_watch *watch;
};

extern char **environ;

/* ---- the parent ---- */

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int spawn(struct unpacker *u, const struct unpacker_spec *s, int data, int talk,
                 struct err *e)
{
    char *size = mem_fmt("%llu", (unsigned long long)s->size);
    char *words[UNPACKER_WORDS + 1] = {mem_str(UNPACKER_NAME), mem_str(s->what), mem_str(s->folder),
                                       mem_str(s->top ? s->top : ""), size};
    posix_spawn_file_actions_t files;
    int rc;

    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, data, UNPACKER_DATA);
    posix_spawn_file_actions_adddup2(&files, talk, UNPACKER_TALK);
    rc = posix_spawn(&u->pid, "/proc/self/exe", &files, NULL, words, environ);
    posix_spawn_file_actions_destroy(&files);
    for (size_t i = 0; i < UNPACKER_WORDS; i++)
        free(words[i]);
    if (rc == 0)
        return 0;
    u->pid = 0;
    return err_set(e, ERR_FAIL, "a process to unpack with cannot be started: %s", strerror(rc));
}

union said {
    struct unpacker_want want;
    struct unpacker_report report;
};

/* How many bytes it said. */
static size_t hear(const struct unpacker *u, union said *what, int flags)
{
    ssize_t n;

    do
        n = recv(u->talk, what, sizeof *what, flags);
    while (n < 0 && errno == EINTR);
    return n < 0 ? 0 : (size_t)n;
}

/* What it says may be a stranger's by now: only what can be is believed. */
static int read_report(const struct unpacker *u, struct unpacker_report *r, struct err *e)
{
    static const int codes[] = {0, ERR_INVALID, ERR_LIMIT, ERR_IO, ERR_CANCELED};

    r->msg[sizeof r->msg - 1] = '\0';
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (r->code == codes[i])
            return r->code == 0 ? 0 : err_set(e, r->code, "%s", r->msg);
    return err_set(e, ERR_FAIL, "%s: the process that unpacked it broke down", u->what);
}

/* After its report it has nothing more to do; else it is broken. */
static void reap(struct unpacker *u)
{
    int status;

    kill(u->pid, SIGKILL);
    while (waitpid(u->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    u->pid = 0;
}

static void has_said(void *arg, bool in, bool out)
{
    struct unpacker *u = arg;
    union said what = {.report = {.code = ERR_FAIL}};
    struct err e = {0};
    size_t n = hear(u, &what, MSG_DONTWAIT);
    int code;

    (void)in;
    (void)out;
    if (n == sizeof what.want) {
        u->calls.wants(u->calls.arg, what.want.at, what.want.n);
        return;
    }
    if (n != sizeof what.report)
        what.report.code = ERR_FAIL;
    code = read_report(u, &what.report, &e);
    loop_watch_free(u->watch);
    u->watch = NULL;
    reap(u);
    u->calls.ended(u->calls.arg, code, what.report.inner, &e);
}

static int open_ends(struct unpacker *u, int ends[2], struct err *e)
{
    int data[2], talk[2];

    if (pipe2(data, O_CLOEXEC) != 0)
        return err_os(e, errno, "a pipe to unpack by");
    u->data = data[1];
    ends[UNPACKER_DATA] = data[0];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, talk) != 0)
        return err_os(e, errno, "a socket to unpack by");
    u->talk = talk[0];
    ends[UNPACKER_TALK] = talk[1];
    return 0;
}

struct unpacker *unpacker_new(struct loop *l, const struct unpacker_spec *s,
                              const struct unpacker_calls *c, struct err *e)
{
    struct unpacker *u = mem_zero(sizeof *u);
    int ends[2] = {-1, -1}, rc;

    *u = (struct unpacker){.calls = *c, .what = mem_str(s->what), .data = -1, .talk = -1};
    rc = open_ends(u, ends, e);
    if (rc == 0)
        rc = spawn(u, s, ends[UNPACKER_DATA], ends[UNPACKER_TALK], e);
    close_one(&ends[UNPACKER_DATA]);
    close_one(&ends[UNPACKER_TALK]);
    if (rc == 0)
        u->watch = loop_watch(l, u->talk, has_said, u, e);
    if (!u->watch) {
        unpacker_free(u);
        return NULL;
    }
    loop_watch_want(u->watch, true, false);
    return u;
}

int unpacker_fd(const struct unpacker *u)
{
    return u->data;
}

void unpacker_stop(struct unpacker *u)
{
    if (u->pid > 0)
        kill(u->pid, SIGTERM);
    close_one(&u->data);
}

/* When it has said the last, it has taken everything away, or is gone. */
void unpacker_free(struct unpacker *u)
{
    union said what;

    if (!u)
        return;
    loop_watch_free(u->watch);
    unpacker_stop(u);
    if (u->pid > 0) {
        while (hear(u, &what, 0) == sizeof what.want)
            continue;
        reap(u);
    }
    close_one(&u->talk);
    free(u->what);
    free(u);
}

/* ---- the child ---- */

static volatile sig_atomic_t stopped;

/* A read that waits, or is about to, ends too. */
static void stop(int sig)
{
    (void)sig;
    stopped = 1;
    close(UNPACKER_DATA);
}

/* What ends the parent is its to tell: the terminal says it to both. */
static void take_signals(void)
{
    struct sigaction sa = {.sa_handler = stop};

    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigaction(SIGTERM, &sa, NULL);
}

static void tell(int code, bool inner, const struct err *e)
{
    struct unpacker_report r = {.code = code, .inner = inner};

    memcpy(r.msg, e->msg, sizeof r.msg);
    (void)!write(UNPACKER_TALK, &r, sizeof r);
}

static bool want(void *arg, uint64_t at, uint64_t n)
{
    struct unpacker_want w = {at, n};

    (void)arg;
    return !stopped && write(UNPACKER_TALK, &w, sizeof w) == (ssize_t)sizeof w;
}

static int work(struct unpack *u, struct err *e)
{
    int rc = unpack_run(u, e);

    if (rc < 0)
        unpack_undo(u);
    return rc;
}

static int child(char **argv)
{
    struct unpack_spec s = {.what = argv[1],
                            .in = UNPACKER_DATA,
                            .want = want,
                            .top = argv[3],
                            .limits = UNPACK_LIMITS,
                            .stop = &stopped};
    struct beneath *to = NULL;
    struct unpack *u = NULL;
    struct err e = {0};
    int rc;

    setlocale(LC_CTYPE, "C.UTF-8"); /* it is read from the disk */
    take_signals();
    (void)close_range(STDERR_FILENO + 1, ~0u, 0);
    if (!num_parse_u64(bytes_str(argv[4]), &s.size))
        return EXIT_FAILURE;
    rc = beneath_open(&to, argv[2], 0, &e);
    if (rc == 0) {
        s.to = to;
        u = unpack_new(&s, &e);
        rc = u ? 0 : e.code;
    }
    if (rc == 0) {
        unpacker_jail(beneath_fd(to));
        rc = work(u, &e);
    }
    tell(rc, u && unpack_inner(u), &e);
    _exit(EXIT_SUCCESS); /* nothing else is to be done with what the archive may have left */
}

bool unpacker_main(int argc, char **argv, int *status)
{
    if (argc != UNPACKER_WORDS || strcmp(argv[0], UNPACKER_NAME) != 0)
        return false;
    *status = child(argv);
    return true;
}

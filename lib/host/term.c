/* The terminal and the signals of one-shot programs. */
#include <p2p/host/term.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t stopped_by;
static int stop_pipe[2] = {-1, -1};

bool term_is_tty(int fd)
{
    return isatty(fd) == 1;
}

static void on_stop(int sig)
{
    int keep = errno;
    stopped_by = sig;
    (void)!write(stop_pipe[1], "", 1); /* full: it is readable already */
    errno = keep;
}

/* The second signal finds the default action in place (SA_RESETHAND) and ends a stuck program. */
static void catch_stop(int sig)
{
    struct sigaction old, sa = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND};
    if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
        return;
    sigemptyset(&sa.sa_mask);
    sigaction(sig, &sa, NULL);
}

void term_signals(void)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    if (stop_pipe[0] < 0 && pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        stop_pipe[0] = stop_pipe[1] = -1; /* term_stopped still tells */
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        catch_stop(stops[i]);
    /* A reader that left and a limit on file sizes are errors of one write, not of the program. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int term_stopped(void)
{
    return stopped_by;
}

int term_stop_fd(void)
{
    return stop_pipe[0];
}

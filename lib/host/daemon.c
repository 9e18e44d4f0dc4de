/* Going to the background. */
#include <p2p/host/daemon.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A byte when it is ready; the end when it is gone, and then it has a status. */
static int await(pid_t child, int fd)
{
    char c;
    ssize_t n;
    int status = 0;

    do
        n = read(fd, &c, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1)
        return 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int daemon_fork(int *ready, int *status, struct err *e)
{
    int fd[2];
    pid_t child;

    if (pipe2(fd, O_CLOEXEC) != 0)
        return err_os(e, errno, "cannot make a pipe");
    child = fork();
    if (child < 0) {
        int os = errno;

        close(fd[0]);
        close(fd[1]);
        return err_os(e, os, "cannot go to the background");
    }
    if (child > 0) {
        close(fd[1]);
        *status = await(child, fd[0]);
        close(fd[0]);
        return 1;
    }
    close(fd[0]);
    setsid();
    *ready = fd[1];
    return 0;
}

void daemon_ready(int ready)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    (void)!chdir("/");
    (void)!write(ready, "", 1);
    close(ready);
}

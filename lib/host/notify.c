/* sd_notify(3) without its library: one datagram to the socket named in the environment. */
#include <p2p/host/notify.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The value of a variable that is a number, or -1. */
static long long number(const char *name)
{
    const char *v = getenv(name);
    char *end;

    if (!v || *v < '0' || *v > '9')
        return -1;
    errno = 0;
    long long n = strtoll(v, &end, 10);
    return errno || *end ? -1 : n;
}

usec notify_watchdog(void)
{
    long long pid = number("WATCHDOG_PID"), time = number("WATCHDOG_USEC");

    if (time <= 0 || (getenv("WATCHDOG_PID") && pid != (long long)getpid()))
        return 0;
    return (usec)time;
}

int notify_send(const char *state, struct err *e)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (!path || !*path)
        return 0;
    size_t len = strlen(path);
    if ((*path != '/' && *path != '@') || len >= sizeof un.sun_path)
        return err_set(e, ERR_IO, "NOTIFY_SOCKET: not a path that a socket can have");
    memcpy(un.sun_path, path, len);
    if (*path == '@')
        un.sun_path[0] = 0; /* the abstract namespace, where the length ends the name */
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*path == '/'));

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_os(e, errno, "cannot notify %s", path);
    ssize_t r = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&un, size);
    int os = errno;
    close(fd);
    return r < 0 ? err_os(e, os, "cannot notify %s", path) : 1;
}

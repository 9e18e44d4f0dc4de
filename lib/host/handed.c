/* Sockets from the service manager: taken by what the kernel says of them, not by their names. */
#include <p2p/host/handed.h>

#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST 3 /* SD_LISTEN_FDS_START */
#define BACKLOG 128

static long number(const char *name)
{
    const char *v = getenv(name);
    char *end;

    if (!v || *v < '0' || *v > '9')
        return -1;
    errno = 0;
    long n = strtol(v, &end, 10);
    return errno || *end ? -1 : n;
}

static int option(int fd, int level, int name)
{
    int v = -1;
    socklen_t len = sizeof v;

    return getsockopt(fd, level, name, &v, &len) ? -1 : v;
}

/* 0 for IPv4, 1 for IPv6; -1: neither. */
static int family_of(int fd)
{
    int domain = option(fd, SOL_SOCKET, SO_DOMAIN);

    return domain == AF_INET ? 0 : domain == AF_INET6 ? 1 : -1;
}

/* Such a socket of IPv6 carries IPv4 as well, which the manager's ListenStream=PORT asks for. */
static bool is_dual(int fd)
{
    struct addr a;
    static const uint8_t zero[16];

    return family_of(fd) == 1 && option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0 && sock_name(fd, &a) &&
           !memcmp(a.ip, zero, sizeof zero);
}

static int *place_of(struct handed *h, int fd)
{
    int type = option(fd, SOL_SOCKET, SO_TYPE), family = family_of(fd);

    if (family < 0)
        return NULL;
    if (type == SOCK_STREAM && option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1)
        return &h->tcp[family];
    return type == SOCK_DGRAM ? &h->udp[family] : NULL;
}

static int take_one(struct handed *h, int fd, struct err *e)
{
    int *place = place_of(h, fd), flags = fcntl(fd, F_GETFL);
    struct addr at;

    if (!place || flags < 0 || !sock_name(fd, &at) || (at.family == 6) != family_of(fd))
        return err_set(e, ERR_USAGE,
                       "LISTEN_FDS: descriptor %d is neither a listening TCP socket nor a UDP "
                       "socket",
                       fd);
    if (*place >= 0)
        return err_set(e, ERR_USAGE,
                       "LISTEN_FDS: descriptors %d and %d are for the same; one of each kind and "
                       "family has a use",
                       *place, fd);
    if (at.port == 0)
        return err_set(e, ERR_USAGE, "LISTEN_FDS: descriptor %d has no port", fd);
    if (h->at.family && h->at.port != at.port)
        return err_set(e, ERR_USAGE,
                       "LISTEN_FDS: ports %u and %u; others are told of one, for TCP and UDP alike",
                       h->at.port, at.port);
    if (!h->at.family)
        h->at = at;
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    *place = fd;
    return 0;
}

int handed_take(struct handed *h, struct err *e)
{
    long pid = number("LISTEN_PID"), n = number("LISTEN_FDS");
    int rc = 0;

    *h = HANDED_NONE;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (pid != (long)getpid() || n <= 0)
        return 0;
    if (n > HANDED_MAX)
        return err_set(e, ERR_USAGE, "LISTEN_FDS: %ld sockets are more than have a use", n);
    for (int fd = FIRST; fd < FIRST + (int)n && rc == 0; fd++) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        rc = take_one(h, fd, e);
    }
    return rc < 0 ? rc : 1;
}

static int open_one(int fd[2], const struct addr *at, int type, struct err *e)
{
    char text[ADDR_TEXT];
    int *place = &fd[at->family == 6];

    if (*place >= 0)
        return 0;
    int r = sock_bound(at, type, BACKLOG);
    if (r >= 0) {
        *place = r;
        return 0;
    }
    addr_text(at, text);
    return err_os(e, -r, "cannot listen at %s beside what was handed over", text);
}

/* Sockets of that type where `model` is. */
static int open_beside(int fd[2], int model, int type, struct err *e)
{
    struct addr at;

    sock_name(model, &at);
    int rc = open_one(fd, &at, type, e);
    if (rc == 0 && is_dual(model))
        rc = open_one(fd, &(struct addr){.family = 4, .port = at.port}, type, e);
    return rc;
}

int handed_complete(struct handed *h, bool tcp, struct err *e)
{
    int given[2][2] = {{h->tcp[0], h->tcp[1]}, {h->udp[0], h->udp[1]}}, rc = 0;

    if (!tcp && (h->tcp[0] >= 0 || h->tcp[1] >= 0))
        return err_set(e, ERR_USAGE, "LISTEN_FDS: a node of the DHT has no use for a TCP socket");
    /* One number to send by for each family: such a socket of IPv6 sends to IPv4 too. */
    if (h->udp[0] < 0 && h->udp[1] >= 0 && is_dual(h->udp[1])) {
        h->udp[0] = fcntl(h->udp[1], F_DUPFD_CLOEXEC, FIRST);
        if (h->udp[0] < 0)
            return err_os(e, errno, "cannot use what was handed over");
    }
    for (int i = 0; i < 2 && tcp && rc == 0; i++) {
        if (given[0][i] >= 0)
            rc = open_beside(h->udp, given[0][i], SOCK_DGRAM, e);
        if (given[1][i] >= 0 && rc == 0 && !(h->tcp[1] >= 0 && is_dual(h->tcp[1])))
            rc = open_beside(h->tcp, given[1][i], SOCK_STREAM, e);
    }
    return rc;
}

bool handed_only_at(const struct handed *h, struct addr *out)
{
    const int all[] = {h->tcp[0], h->tcp[1], h->udp[0], h->udp[1]};
    static const uint8_t zero[16];
    struct addr at;

    *out = h->at;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] >= 0 && (!sock_name(all[i], &at) || !addr_same_ip(&at, out)))
            return false;
    return memcmp(out->ip, zero, out->family == 6 ? 16 : 4) != 0;
}

void handed_close(struct handed *h)
{
    int *all[] = {&h->tcp[0], &h->tcp[1], &h->udp[0], &h->udp[1]};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (*all[i] >= 0)
            close(*all[i]);
        *all[i] = -1;
    }
}

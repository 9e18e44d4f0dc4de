/* Sockets and their addresses. */
#include "sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

socklen_t sock_from_addr(struct sockaddr_storage *ss, const struct addr *a)
{
    memset(ss, 0, sizeof *ss);
    if (a->family == 6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(a->port);
        memcpy(&in6->sin6_addr, a->ip, 16);
        return sizeof *in6;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)ss;
    in->sin_family = AF_INET;
    in->sin_port = htons(a->port);
    memcpy(&in->sin_addr, a->ip, 4);
    return sizeof *in;
}

bool sock_to_addr(struct addr *a, const struct sockaddr *sa, socklen_t len)
{
    *a = (struct addr){0};
    if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        a->family = 4;
        a->port = ntohs(in.sin_port);
        memcpy(a->ip, &in.sin_addr, 4);
        return true;
    }
    if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        a->port = ntohs(in6.sin6_port);
        /* A socket of both families, which only others open, spells IPv4 so. */
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
        a->family = mapped ? 4 : 6;
        memcpy(a->ip, in6.sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        return true;
    }
    return false;
}

bool sock_name(int fd, struct addr *out)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    *out = (struct addr){0};
    return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
           sock_to_addr(out, (struct sockaddr *)&ss, len);
}

int sock_new(int family, int type)
{
    int on = 1;
    int fd = socket(family == 6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (family == 6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return fd;
}

int sock_bound(const struct addr *a, int type, int backlog)
{
    struct sockaddr_storage ss;
    socklen_t len = sock_from_addr(&ss, a);
    int on = 1;
    int fd = sock_new(a->family, type);
    if (fd < 0)
        return fd;
    /* For TCP it lets a port be taken again whose old connections still linger. For UDP it would
     * let a second program take the first one's datagrams. */
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&ss, len) || (type == SOCK_STREAM && listen(fd, backlog))) {
        int os = errno;
        close(fd);
        return -os;
    }
    return fd;
}

static bool no_such_family(int code)
{
    return code == -EAFNOSUPPORT || code == -EADDRNOTAVAIL || code == -EPROTONOSUPPORT;
}

/* One attempt at both families. 0 or -errno. */
static int try_pair(int fd[2], uint16_t port, int type, int backlog)
{
    struct addr any4 = {.family = 4, .port = port}, any6 = {.family = 6, .port = port}, got;
    fd[1] = -1;
    fd[0] = sock_bound(&any4, type, backlog);
    if (fd[0] < 0 && !no_such_family(fd[0]))
        return fd[0];
    if (fd[0] >= 0 && sock_name(fd[0], &got))
        any6.port = got.port;
    int six = sock_bound(&any6, type, backlog);
    if (six >= 0 || (fd[0] >= 0 && no_such_family(six))) {
        fd[1] = six >= 0 ? six : -1;
        fd[0] = fd[0] >= 0 ? fd[0] : -1;
        return 0;
    }
    if (fd[0] >= 0)
        close(fd[0]);
    fd[0] = -1;
    return six;
}

static bool is_any(const struct addr *at)
{
    static const uint8_t zero[16];
    return !at || !at->family || !memcmp(at->ip, zero, at->family == 6 ? 16 : 4);
}

int sock_pair(int fd[2], const struct addr *at, uint16_t port, int type, int backlog,
              const char *what, struct err *e)
{
    char text[ADDR_TEXT];
    int r = 0;
    fd[0] = fd[1] = -1;
    if (!is_any(at)) {
        struct addr a = *at;
        a.port = port;
        r = sock_bound(&a, type, backlog);
        if (r >= 0) {
            fd[a.family == 6] = r;
            return 0;
        }
        addr_text(&a, text);
        return err_os(e, -r, "cannot %s %s", what, text);
    }
    for (int i = 0; i < SOCK_PAIR_TRIES; i++) {
        r = try_pair(fd, port, type, backlog);
        if (r != -EADDRINUSE || port)
            break;
    }
    return r < 0 ? err_os(e, -r, "cannot %s port %u", what, port) : 0;
}

void sock_set_room(int fd, size_t bytes)
{
    int room = (int)bytes;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
}

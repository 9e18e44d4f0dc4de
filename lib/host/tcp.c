/* TCP over plain sockets and the loop's readiness. */
#include <p2p/host/tcp.h>

#include "pace.h"
#include "sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <p2p/base/mem.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

struct tcp {
    struct loop *l;
    struct loop_watch *watch;
    const struct tcp_events *ev;
    void *owner;
    int fd, os;
    bool connecting;
    bool busy, closed; /* closed while in a callback: freed when that returns */
    struct addr peer;
    struct pace pace;
};

struct door { /* one listening socket */
    struct tcp_listener *of;
    struct loop_watch *watch;
    int fd;
    struct pace pace;
};

struct tcp_listener {
    struct loop *l;
    struct door door[2];
    void (*accepted)(void *arg, struct tcp *c);
    void *arg;
    struct loop_timer resume;
    bool paused;
    bool busy, closed; /* as in struct tcp */
};

/* ---- connections ---- */

static void on_connected(struct tcp *c)
{
    int os = 0;
    socklen_t len = sizeof os;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &os, &len))
        os = errno;
    c->connecting = false;
    pace_settle(c->fd, &c->pace, pace_round_trip(c->fd));
    loop_watch_want(c->watch, false, false);
    c->os = os;
    c->ev->connected(c->owner, os ? ERR_NET : 0);
}

static void on_ready(void *arg, bool in, bool out)
{
    struct tcp *c = arg;
    c->busy = true;
    if (c->connecting) {
        on_connected(c);
    } else {
        if (out)
            c->ev->writable(c->owner);
        if (in && !c->closed)
            c->ev->readable(c->owner);
    }
    c->busy = false;
    if (c->closed)
        free(c);
}

static void tune(int fd)
{
    int on = 1, unsent = (int)TCP_UNSENT_MAX;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

/* Takes over fd, also when it fails. */
static struct tcp *make(struct loop *l, int fd, const struct addr *peer, struct err *e)
{
    struct tcp *c = mem_zero(sizeof *c);
    c->watch = loop_watch(l, fd, on_ready, c, e);
    if (!c->watch) {
        close(fd);
        free(c);
        return NULL;
    }
    c->l = l;
    c->fd = fd;
    c->peer = *peer;
    tune(fd);
    return c;
}

static bool is_local_fault(int os)
{
    return os == EMFILE || os == ENFILE || os == ENOBUFS || os == ENOMEM || os == EACCES ||
           os == EPERM;
}

struct tcp *tcp_dial(struct loop *l, const struct addr *to, const struct addr *from,
                     const struct tcp_events *ev, void *owner, struct err *e)
{
    struct sockaddr_storage ss;
    socklen_t len;
    struct tcp *c = NULL;
    struct pace pace;
    int os = 0;
    int fd = sock_new(to->family, SOCK_STREAM);
    if (fd < 0) {
        os = -fd;
        goto out;
    }
    pace_aside(fd, &pace);
    if (from && from->family == to->family) {
        len = sock_from_addr(&ss, from);
        if (bind(fd, (struct sockaddr *)&ss, len))
            goto failed;
    }
    len = sock_from_addr(&ss, to);
    if (connect(fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS)
        goto failed;
    c = make(l, fd, to, e);
    if (!c)
        return NULL;
    tcp_own(c, ev, owner);
    c->pace = pace;
    c->connecting = true;
    loop_watch_want(c->watch, false, true);
    return c;
failed:
    os = errno;
    close(fd);
out:;
    char text[ADDR_TEXT];
    addr_text(to, text);
    err_os(e, os, "cannot connect to %s", text);
    if (e && !is_local_fault(os))
        e->code = ERR_NET;
    return c;
}

void tcp_own(struct tcp *c, const struct tcp_events *ev, void *owner)
{
    c->ev = ev;
    c->owner = owner;
}

void tcp_close(struct tcp *c)
{
    if (!c)
        return;
    loop_watch_free(c->watch);
    close(c->fd);
    c->closed = true;
    if (!c->busy)
        free(c);
}

void tcp_want(struct tcp *c, bool read, bool write)
{
    if (!c->connecting)
        loop_watch_want(c->watch, read, write);
}

static bool is_later(int os)
{
    return os == EAGAIN || os == EWOULDBLOCK || os == EINTR;
}

static ssize_t failed_net(struct tcp *c, int os)
{
    if (is_later(os))
        return 0;
    c->os = os;
    return ERR_NET;
}

ssize_t tcp_recv(struct tcp *c, const struct span *v, size_t n)
{
    struct iovec iov[TCP_VEC_MAX];
    size_t room = 0;
    n = n < TCP_VEC_MAX ? n : TCP_VEC_MAX;
    for (size_t i = 0; i < n; i++) {
        iov[i] = (struct iovec){.iov_base = v[i].p, .iov_len = v[i].n};
        room += v[i].n;
    }
    if (!room)
        return 0; /* the kernel would say 0, which would pass for the end */
    ssize_t r = n == 1 ? recv(c->fd, v->p, v->n, 0) : readv(c->fd, iov, (int)n);
    if (r > 0)
        return r;
    return r == 0 ? TCP_EOF : failed_net(c, errno);
}

ssize_t tcp_send(struct tcp *c, const struct bytes *v, size_t n)
{
    struct iovec iov[TCP_VEC_MAX];
    struct msghdr m = {.msg_iov = iov};
    n = n < TCP_VEC_MAX ? n : TCP_VEC_MAX;
    for (size_t i = 0; i < n; i++) /* the kernel only reads there */
        iov[i] = (struct iovec){.iov_base = (void *)(uintptr_t)v[i].p, .iov_len = v[i].n};
    m.msg_iovlen = n;
    ssize_t r = sendmsg(c->fd, &m, MSG_NOSIGNAL);
    return r >= 0 ? r : failed_net(c, errno);
}

void tcp_acknowledge(struct tcp *c)
{
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

const struct addr *tcp_peer(const struct tcp *c)
{
    return &c->peer;
}

bool tcp_local(const struct tcp *c, struct addr *out)
{
    return sock_name(c->fd, out);
}

int tcp_errno(const struct tcp *c)
{
    return c->os;
}

/* ---- listeners ---- */

static void set_doors(struct tcp_listener *s)
{
    bool open = !s->paused && !loop_timer_is_set(&s->resume);
    for (int i = 0; i < 2; i++)
        if (s->door[i].watch)
            loop_watch_want(s->door[i].watch, open, false);
}

static void on_resume(void *arg)
{
    set_doors(arg);
}

/* Out of descriptors or memory: the caller stays in the backlog, and a door that is watched on
 * would wake us for it without end. */
static void rest(struct tcp_listener *s)
{
    loop_timer_set(s->l, &s->resume, loop_now(s->l) + TCP_ACCEPT_PAUSE);
    set_doors(s);
}

/* False when no more can be had in this turn. */
static bool accept_one(struct door *d)
{
    struct tcp_listener *s = d->of;
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct addr peer;
    int fd = accept4(d->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (is_local_fault(errno))
            rest(s);
        /* Other errors are those of a caller that has given up. */
        return !is_later(errno) && !loop_timer_is_set(&s->resume);
    }
    if (!sock_to_addr(&peer, (struct sockaddr *)&ss, len)) {
        close(fd);
        return true;
    }
    pace_settle(fd, &d->pace, pace_round_trip(fd));
    struct tcp *c = make(s->l, fd, &peer, NULL);
    if (c)
        s->accepted(s->arg, c);
    return true;
}

static void on_caller(void *arg, bool in, bool out)
{
    struct door *d = arg;
    struct tcp_listener *s = d->of;
    (void)in, (void)out;
    s->busy = true;
    for (int i = 0; i < TCP_ACCEPT_BATCH && !s->closed && !s->paused; i++)
        if (!accept_one(d))
            break;
    s->busy = false;
    if (s->closed)
        free(s);
}

struct tcp_listener *tcp_listen(struct loop *l, const struct addr *at, uint16_t port,
                                void (*accepted)(void *arg, struct tcp *c), void *arg,
                                struct err *e)
{
    int fd[2];
    if (sock_pair(fd, at, port, SOCK_STREAM, TCP_BACKLOG, "listen at", e))
        return NULL;
    return tcp_listen_on(l, fd, accepted, arg, e);
}

struct tcp_listener *tcp_listen_on(struct loop *l, const int fd[2],
                                   void (*accepted)(void *arg, struct tcp *c), void *arg,
                                   struct err *e)
{
    struct tcp_listener *s = mem_zero(sizeof *s);
    s->l = l;
    s->accepted = accepted;
    s->arg = arg;
    s->resume.fn = on_resume;
    s->resume.arg = s;
    bool ok = true;
    for (int i = 0; i < 2; i++) {
        s->door[i] = (struct door){.of = s, .fd = fd[i]};
        if (fd[i] >= 0)
            pace_aside(fd[i], &s->door[i].pace);
        if (fd[i] >= 0 && ok) {
            s->door[i].watch = loop_watch(l, fd[i], on_caller, &s->door[i], e);
            ok = s->door[i].watch;
        }
    }
    if (!ok) {
        tcp_listener_free(s);
        return NULL;
    }
    set_doors(s);
    return s;
}

void tcp_listener_pause(struct tcp_listener *s, bool paused)
{
    s->paused = paused;
    set_doors(s);
}

uint16_t tcp_listener_port(const struct tcp_listener *s)
{
    struct addr a;
    return tcp_listener_addr(s, 0, &a) ? a.port : 0;
}

bool tcp_listener_addr(const struct tcp_listener *s, size_t i, struct addr *out)
{
    *out = (struct addr){0};
    for (int k = 0; k < 2; k++)
        if (s->door[k].fd >= 0 && i-- == 0)
            return sock_name(s->door[k].fd, out);
    return false;
}

void tcp_listener_free(struct tcp_listener *s)
{
    if (!s)
        return;
    loop_timer_cancel(s->l, &s->resume);
    for (int i = 0; i < 2; i++) {
        loop_watch_free(s->door[i].watch);
        if (s->door[i].fd >= 0)
            close(s->door[i].fd);
    }
    s->closed = true;
    if (!s->busy)
        free(s);
}

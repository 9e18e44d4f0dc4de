/* UDP in batches. */
#include <p2p/host/udp.h>

#include "sock.h"

#include <errno.h>
#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <stdlib.h>
#include <unistd.h>

#define READS_A_TURN 8          /* batches, so that a flood leaves room for others */
#define KERNEL_BUFFER (2 << 20) /* asked for; the system's limit decides */

struct door { /* the socket of one family */
    struct udp *of;
    struct loop_watch *watch;
    int fd; /* -1: none */
    struct buf queue; /* records: struct record, then its bytes */
    bool blocked;
};

struct record {
    struct addr to;
    uint16_t len;
};

struct udp {
    struct loop *l;
    struct door door[2];
    struct loop_hook flush;
    void (*got)(void *arg, const struct addr *from, struct bytes data);
    void *arg;
    bool busy, closed; /* closed while in a callback: freed when that returns */
    struct mmsghdr msg[UDP_BATCH];
    struct iovec iov[UDP_BATCH];
    struct sockaddr_storage peer[UDP_BATCH];
    uint8_t in[UDP_BATCH][UDP_DATAGRAM_MAX];
};

/* ---- sending ---- */

/* Lays out what the queue begins with; returns how many datagrams. `end` gets where each ends. */
static unsigned gather(struct udp *u, const struct door *d, size_t end[UDP_BATCH])
{
    struct bytes q = buf_bytes(&d->queue);
    size_t at = 0;
    unsigned n = 0;
    for (; n < UDP_BATCH && at < q.n; n++) {
        struct record r;
        memcpy(&r, q.p + at, sizeof r);
        at += sizeof r;
        u->iov[n] = (struct iovec){.iov_base = d->queue.mem + d->queue.head + at, .iov_len = r.len};
        u->msg[n] = (struct mmsghdr){.msg_hdr = {.msg_name = &u->peer[n],
                                                 .msg_namelen = sock_from_addr(&u->peer[n], &r.to),
                                                 .msg_iov = &u->iov[n],
                                                 .msg_iovlen = 1}};
        at += r.len;
        end[n] = at;
    }
    return n;
}

static void flush(struct udp *u, struct door *d)
{
    while (buf_len(&d->queue)) {
        size_t end[UDP_BATCH];
        unsigned n = gather(u, d, end);
        int sent = sendmmsg(d->fd, u->msg, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)) {
            d->blocked = true;
            loop_watch_want(d->watch, true, true);
            return;
        }
        /* Any other failure is that of the first one's address (no route, forbidden): drop it. */
        buf_eat(&d->queue, end[sent > 0 ? sent - 1 : 0]);
    }
}

static void on_turn_end(void *arg)
{
    struct udp *u = arg;
    for (int i = 0; i < 2; i++)
        if (!u->door[i].blocked && buf_len(&u->door[i].queue))
            flush(u, &u->door[i]);
}

int udp_send(struct udp *u, const struct addr *to, struct bytes data)
{
    struct door *d = &u->door[to->family == 6];
    if (d->fd < 0 || (to->family != 4 && to->family != 6))
        return ERR_NET;
    struct record r = {.to = *to, .len = (uint16_t)data.n};
    if (data.n > UDP_DATAGRAM_MAX || buf_len(&d->queue) + sizeof r + data.n > UDP_QUEUE_MAX)
        return ERR_LIMIT;
    buf_put(&d->queue, &r, sizeof r);
    buf_put_bytes(&d->queue, data);
    return 0;
}

size_t udp_queued(const struct udp *u)
{
    return buf_len(&u->door[0].queue) + buf_len(&u->door[1].queue);
}

/* ---- receiving ---- */

static void deliver(struct udp *u, unsigned i)
{
    const struct msghdr *m = &u->msg[i].msg_hdr;
    struct addr from;
    if (m->msg_flags & MSG_TRUNC)
        return;
    if (sock_to_addr(&from, (const struct sockaddr *)&u->peer[i], m->msg_namelen))
        u->got(u->arg, &from, BYTES(u->in[i], u->msg[i].msg_len));
}

/* False when there is no more, or no more to be had. */
static bool receive(struct udp *u, struct door *d)
{
    for (int i = 0; i < UDP_BATCH; i++) {
        u->iov[i] = (struct iovec){.iov_base = u->in[i], .iov_len = UDP_DATAGRAM_MAX};
        u->msg[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &u->peer[i],
                                                 .msg_namelen = sizeof u->peer[i],
                                                 .msg_iov = &u->iov[i],
                                                 .msg_iovlen = 1}};
    }
    int n = recvmmsg(d->fd, u->msg, UDP_BATCH, 0, NULL);
    for (int i = 0; i < n && !u->closed; i++)
        deliver(u, (unsigned)i);
    return n == UDP_BATCH && !u->closed;
}

static void on_ready(void *arg, bool in, bool out)
{
    struct door *d = arg;
    struct udp *u = d->of;
    if (out) {
        d->blocked = false;
        loop_watch_want(d->watch, true, false);
    }
    u->busy = true;
    for (int i = 0; in && i < READS_A_TURN; i++)
        if (!receive(u, d))
            break;
    u->busy = false;
    if (u->closed)
        free(u);
}

/* ---- life ---- */

static bool open_door(struct udp *u, struct door *d, int fd, struct err *e)
{
    int size = KERNEL_BUFFER;
    d->of = u;
    d->fd = fd;
    buf_init(&d->queue, 0);
    if (fd < 0)
        return true;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    d->watch = loop_watch(u->l, fd, on_ready, d, e);
    if (d->watch)
        loop_watch_want(d->watch, true, false);
    return d->watch;
}

struct udp *udp_open(struct loop *l, const struct addr *at, uint16_t port,
                     void (*got)(void *arg, const struct addr *from, struct bytes data), void *arg,
                     struct err *e)
{
    int fd[2];
    if (sock_pair(fd, at, port, SOCK_DGRAM, 0, "open UDP", e))
        return NULL;
    return udp_open_on(l, fd, got, arg, e);
}

struct udp *udp_open_on(struct loop *l, const int fd[2],
                        void (*got)(void *arg, const struct addr *from, struct bytes data),
                        void *arg, struct err *e)
{
    struct udp *u = mem_zero(sizeof *u);
    u->l = l;
    u->got = got;
    u->arg = arg;
    u->flush = (struct loop_hook){.fn = on_turn_end, .arg = u};
    loop_hook_add(l, &u->flush, true);
    bool ok = open_door(u, &u->door[0], fd[0], e);
    ok = open_door(u, &u->door[1], fd[1], e) && ok;
    if (!ok) {
        udp_free(u);
        return NULL;
    }
    return u;
}

void udp_free(struct udp *u)
{
    if (!u)
        return;
    loop_hook_remove(u->l, &u->flush);
    for (int i = 0; i < 2; i++) {
        struct door *d = &u->door[i];
        if (d->watch)
            flush(u, d);
        loop_watch_free(d->watch);
        if (d->fd >= 0)
            close(d->fd);
        buf_fini(&d->queue);
    }
    u->closed = true;
    if (!u->busy)
        free(u);
}

uint16_t udp_port(const struct udp *u)
{
    struct addr a;
    return sock_name(u->door[u->door[0].fd < 0].fd, &a) ? a.port : 0;
}

bool udp_has(const struct udp *u, int family)
{
    return (family == 4 || family == 6) && u->door[family == 6].fd >= 0;
}

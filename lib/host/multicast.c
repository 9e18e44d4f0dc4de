/*
 * Multicast. The socket is bound to the group's address, so the kernel keeps unicast to the same
 * port away from us; SO_REUSEADDR and SO_REUSEPORT both, for other programs use either.
 */
#include <p2p/host/multicast.h>

#include "sock.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <p2p/base/mem.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29 /* Linux 4.20 */
#endif

struct link {
    unsigned index; /* of the interface */
    struct addr from;
    bool seen; /* in the look under way */
};

struct multicast {
    struct loop *l;
    struct addr group, at; /* at.family 0: every link */
    struct loop_watch *watch;
    struct loop_timer look;
    int fd;
    struct link link[MULTICAST_MAX_LINKS];
    unsigned n, joined; /* now; ever */
    struct multicast_events events;
    void *arg;
    bool busy, closed; /* closed while in a callback: freed when that returns */
    uint8_t in[MULTICAST_MAX];
};

/* ---- links ---- */

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

static struct ip_mreqn request4(const struct multicast *m, const struct link *k)
{
    struct ip_mreqn r = {.imr_ifindex = (int)k->index};
    memcpy(&r.imr_multiaddr, m->group.ip, 4);
    memcpy(&r.imr_address, k->from.ip, 4);
    return r;
}

/* EADDRINUSE: joined already. A link that vanishes leaves by itself. */
static bool join(struct multicast *m, const struct link *k)
{
    int rc;
    if (m->group.family == 4) {
        struct ip_mreqn r = request4(m, k);
        rc = setsockopt(m->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof r);
    } else {
        struct ipv6_mreq r = {.ipv6mr_interface = k->index};
        memcpy(&r.ipv6mr_multiaddr, m->group.ip, 16);
        rc = setsockopt(m->fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &r, sizeof r);
    }
    return rc == 0 || errno == EADDRINUSE;
}

/* It may be there still, without an address that will do. */
static void leave(struct multicast *m, const struct link *k)
{
    if (m->group.family == 4) {
        struct ip_mreqn r = request4(m, k);
        setsockopt(m->fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof r);
    } else {
        struct ipv6_mreq r = {.ipv6mr_interface = k->index};
        memcpy(&r.ipv6mr_multiaddr, m->group.ip, 16);
        setsockopt(m->fd, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &r, sizeof r);
    }
}

/* Link-local addresses of IPv6 mean nothing to who does not know the link: nobody could answer. */
static bool will_do(const struct multicast *m, const struct ifaddrs *i, const struct addr *a)
{
    bool lo = i->ifa_flags & IFF_LOOPBACK, four = a->family == 4;
    if (a->family != m->group.family || !(i->ifa_flags & IFF_UP) ||
        (m->at.family && !addr_same_ip(a, &m->at)))
        return false;
    switch (addr_scope(a)) {
    case ADDR_PRIVATE:
        return !lo && (i->ifa_flags & IFF_MULTICAST);
    case ADDR_LINK_LOCAL:
        return four && !lo && (i->ifa_flags & IFF_MULTICAST);
    case ADDR_LOOPBACK:
        return four && lo && m->at.family;
    default:
        return false;
    }
}

static struct link *find(struct multicast *m, unsigned index)
{
    for (unsigned i = 0; i < m->n; i++)
        if (m->link[i].index == index)
            return &m->link[i];
    return NULL;
}

static void found(struct multicast *m, unsigned index, const struct addr *a)
{
    struct link *old = find(m, index), k = {.index = index, .from = *a, .seen = true};
    if (old && old->seen)
        return; /* the first address of an interface is its own */
    if (old)
        *old = k;
    if (old || index == 0 || m->n == MULTICAST_MAX_LINKS || !join(m, &k))
        return;
    m->link[m->n++] = k;
    m->joined++;
}

bool multicast_look(struct multicast *m)
{
    unsigned before = m->joined;
    struct ifaddrs *all;
    if (getifaddrs(&all))
        return false;
    for (unsigned i = 0; i < m->n; i++)
        m->link[i].seen = false;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct addr a;
        if (i->ifa_addr && sock_to_addr(&a, i->ifa_addr, sizeof(struct sockaddr_in6)) &&
            will_do(m, i, &a))
            found(m, if_nametoindex(i->ifa_name), &a);
    }
    freeifaddrs(all);
    for (unsigned i = m->n; i-- > 0;)
        if (!m->link[i].seen) {
            leave(m, &m->link[i]);
            m->link[i] = m->link[--m->n];
        }
    return m->joined != before;
}

static void look_again(void *arg)
{
    struct multicast *m = arg;
    loop_timer_set(m->l, &m->look, loop_now(m->l) + MULTICAST_LOOK);
    if (multicast_look(m) && m->events.linked)
        m->events.linked(m->arg);
}

/* ---- sending ---- */

static bool send_on(struct multicast *m, const struct link *k, struct msghdr *msg)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control = {0};
    struct in_pktinfo p4 = {.ipi_ifindex = (int)k->index};
    struct in6_pktinfo p6 = {.ipi6_ifindex = k->index};
    bool four = m->group.family == 4;
    size_t n = four ? sizeof p4 : sizeof p6;
    memcpy(&p4.ipi_spec_dst, k->from.ip, 4);
    memcpy(&p6.ipi6_addr, k->from.ip, 16);
    msg->msg_control = &control;
    msg->msg_controllen = CMSG_SPACE(n);
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = four ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = four ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(c), four ? (const void *)&p4 : (const void *)&p6, n);
    return sendmsg(m->fd, msg, MSG_NOSIGNAL) >= 0;
}

unsigned multicast_send(struct multicast *m, struct bytes data)
{
    struct sockaddr_storage to;
    uint8_t copy[MULTICAST_MAX];
    unsigned sent = 0;
    if (data.n == 0 || data.n > sizeof copy)
        return 0;
    memcpy(copy, data.p, data.n);
    struct iovec v = {.iov_base = copy, .iov_len = data.n};
    for (unsigned i = 0; i < m->n; i++) {
        struct msghdr msg = {.msg_name = &to,
                             .msg_namelen = sock_from_addr(&to, &m->group),
                             .msg_iov = &v,
                             .msg_iovlen = 1};
        sent += send_on(m, &m->link[i], &msg);
    }
    return sent;
}

unsigned multicast_links(const struct multicast *m)
{
    return m->n;
}

/* ---- receiving ---- */

static void on_ready(void *arg, bool in, bool out)
{
    struct multicast *m = arg;
    (void)out;
    m->busy = true;
    for (int i = 0; in && i < MULTICAST_READS && !m->closed; i++) {
        struct sockaddr_storage ss;
        struct addr from;
        socklen_t len = sizeof ss;
        ssize_t n = recvfrom(m->fd, m->in, sizeof m->in, MSG_TRUNC, (struct sockaddr *)&ss, &len);
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0 && (size_t)n <= sizeof m->in && sock_to_addr(&from, (struct sockaddr *)&ss, len))
            m->events.got(m->arg, &from, BYTES(m->in, n));
    }
    m->busy = false;
    if (m->closed)
        free(m);
}

/* ---- life ---- */

/* Without the last of these we only hear more than we want. */
static bool prepare(int fd, int family)
{
    bool ok = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (family == 4)
        return ok && set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1) &&
               set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1) &&
               set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    ok = ok && set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1) &&
         set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
    set(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
    return ok;
}

/* A descriptor, or -errno. */
static int open_group(const struct addr *group)
{
    struct sockaddr_storage ss;
    socklen_t len = sock_from_addr(&ss, group);
    int fd = sock_new(group->family, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    if (prepare(fd, group->family) && bind(fd, (struct sockaddr *)&ss, len) == 0)
        return fd;
    int os = errno;
    close(fd);
    return -os;
}

struct multicast *multicast_open(struct loop *l, const struct addr *group, const struct addr *at,
                                 const struct multicast_events *events, void *arg, struct err *e)
{
    char text[ADDR_TEXT];
    int fd = open_group(group);
    if (fd < 0) {
        addr_text(group, text);
        err_os(e, -fd, "cannot listen to %s", text);
        return NULL;
    }
    struct multicast *m = mem_zero(sizeof *m);
    m->l = l;
    m->fd = fd;
    m->group = *group;
    m->events = *events;
    m->arg = arg;
    if (at)
        m->at = *at;
    m->look = (struct loop_timer){.fn = look_again, .arg = m};
    m->watch = loop_watch(l, fd, on_ready, m, e);
    if (!m->watch) {
        multicast_free(m);
        return NULL;
    }
    loop_watch_want(m->watch, true, false);
    multicast_look(m);
    loop_timer_set(l, &m->look, loop_now(l) + MULTICAST_LOOK);
    return m;
}

void multicast_free(struct multicast *m)
{
    if (!m)
        return;
    loop_timer_cancel(m->l, &m->look);
    loop_watch_free(m->watch);
    close(m->fd);
    m->closed = true;
    if (!m->busy)
        free(m);
}

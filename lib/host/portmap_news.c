/*
 * A gateway that starts anew tells the group 224.0.0.1 that its memory is gone: with PCP in an
 * unasked ANNOUNCE (RFC 6887, section 14.1), with NAT-PMP by its address (RFC 6886, section
 * 3.2.1). It is heard on one port that all programs of this host share. Where that cannot be had,
 * the renewal finds out.
 */
#include "portmap_in.h"

#include "sock.h"

#include <netinet/in.h>
#include <unistd.h>

static void hear(struct portmap *m, const struct addr *from, struct bytes b)
{
    struct pcp_answer a;
    usec now = loop_now(m->l);

    if (!addr_same_ip(from, &m->gw.at) || !pcp_read(&a, b) || a.opcode != PCP_ANNOUNCE || a.result)
        return;
    if (m->news.heard && now - m->news.heard < PORTMAP_NEWS)
        return;
    if (pcp_epoch_step(&m->epoch, a.epoch, now) && !a.old)
        return; /* NAT-PMP also tells a new address so */
    m->news.heard = now;
    portmap_forgotten(m);
}

static void readable(void *arg, bool in, bool out)
{
    struct portmap *m = arg;
    uint8_t b[PCP_MESSAGE_MAX + 1];
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    struct addr from;

    (void)in, (void)out;
    ssize_t n = recvfrom(m->news.fd, b, sizeof b, 0, (struct sockaddr *)&ss, &len);
    if (n > 0 && sock_to_addr(&from, (struct sockaddr *)&ss, len))
        hear(m, &from, BYTES(b, (size_t)n));
}

void news_open(struct portmap *m)
{
    struct addr any = {.family = 4, .port = PCP_NEWS_PORT};
    struct sockaddr_storage ss;
    socklen_t len = sock_from_addr(&ss, &any);
    struct ip_mreqn join = {0};
    int on = 1;

    if (m->news.fd >= 0 || m->way == PORTMAP_IGD)
        return;
    int fd = sock_new(4, SOCK_DGRAM);
    if (fd < 0)
        return;
    join.imr_multiaddr.s_addr = htonl(INADDR_ALLHOSTS_GROUP);
    memcpy(&join.imr_address, m->gw.local.ip, 4);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join); /* all hosts are in it */
    if (bind(fd, (struct sockaddr *)&ss, len) == 0)
        m->news.watch = loop_watch(m->l, fd, readable, m, NULL);
    if (!m->news.watch) {
        close(fd);
        return;
    }
    m->news.fd = fd;
    loop_watch_want(m->news.watch, true, false);
}

void news_close(struct portmap *m)
{
    loop_watch_free(m->news.watch);
    m->news.watch = NULL;
    if (m->news.fd >= 0)
        close(m->news.fd);
    m->news.fd = -1;
}

/* Choosing by TCP_CONGESTION, of which an unprivileged program may have reno at all times. */
#include "pace.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define PACED "bbr" /* and bbr2, bbr3 */
#define UNPACED "reno"

static bool choose(int fd, const char *name)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

void pace_aside(int fd, struct pace *p)
{
    socklen_t len = sizeof p->name - 1;

    *p = (struct pace){0};
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, p->name, &len) ||
        strncmp(p->name, PACED, strlen(PACED)) != 0 || !choose(fd, UNPACED))
        *p = (struct pace){0};
}

void pace_settle(int fd, const struct pace *p, usec round_trip)
{
    if (p->name[0] && round_trip > PACE_NEAR)
        choose(fd, p->name);
}

usec pace_round_trip(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) || info.tcpi_rtt == 0)
        return USEC_NEVER;
    return info.tcpi_rtt;
}

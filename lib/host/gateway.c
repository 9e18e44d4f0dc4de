/* The default route, as Linux tells it in /proc/net/route. */

#include "host/gateway.h"
#include "host/pcp.h"
#include "sock.h"

#include <ifaddrs.h>
#include <net/route.h>
#include <netinet/in.h>
#include <p2p/host/fileio.h>
#include <stdio.h>
#include <unistd.h>

#define ROUTES "/proc/net/route"
#define WANTED (RTF_UP | RTF_GATEWAY)

/* Addresses stand there as the kernel has them in memory, written as one number. */
static bool read_line(const char *line, struct addr *at, unsigned *metric)
{
    unsigned to, via, flags, mask;

    if (sscanf(line, "%*63s %x %x %x %*d %*d %u %x", &to, &via, &flags, metric, &mask) != 5)
        return false;
    if (to != 0 || mask != 0 || via == 0 || (flags & WANTED) != WANTED)
        return false;
    *at = (struct addr){.family = 4};
    memcpy(at->ip, &(uint32_t){via}, 4);
    return true;
}

bool gateway_of_table(struct addr *at, const char *table)
{
    unsigned best = 0, metric;
    struct addr a;
    bool found = false;

    for (const char *line = table; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (read_line(line, &a, &metric) && (!found || metric < best)) {
            *at = a;
            best = metric;
            found = true;
        }
        if (!*line)
            break;
    }
    return found;
}

/* Which address the kernel would speak from; nothing is sent. */
static bool facing(struct addr *local, const struct addr *at)
{
    struct sockaddr_storage ss;
    struct addr to = *at;

    to.port = PCP_PORT;
    socklen_t len = sock_from_addr(&ss, &to);
    int fd = sock_new(4, SOCK_DGRAM);
    if (fd < 0)
        return false;
    bool ok = connect(fd, (struct sockaddr *)&ss, len) == 0 && sock_name(fd, local);
    close(fd);
    local->port = 0;
    return ok && local->family == 4;
}

static unsigned prefix_of(const struct addr *local)
{
    struct ifaddrs *all = NULL;
    unsigned prefix = 32;

    if (getifaddrs(&all) < 0)
        return prefix;
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        struct addr a;
        struct sockaddr_in mask;
        if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != AF_INET ||
            !sock_to_addr(&a, i->ifa_addr, sizeof mask) || !addr_same_ip(&a, local))
            continue;
        memcpy(&mask, i->ifa_netmask, sizeof mask);
        prefix = (unsigned)__builtin_popcount(mask.sin_addr.s_addr);
        break;
    }
    freeifaddrs(all);
    return prefix;
}

bool gateway_facing(struct gateway *g, const struct addr *at)
{
    *g = (struct gateway){.at = *at};
    if (at->family != 4 || !facing(&g->local, at)) {
        *g = (struct gateway){0};
        return false;
    }
    g->prefix = prefix_of(&g->local);
    return true;
}

bool gateway_find(struct gateway *g)
{
    struct bytes table = {0};
    struct addr at;

    *g = (struct gateway){0};
    if (fileio_read(ROUTES, GATEWAY_TABLE_MAX, &table, NULL) < 0)
        return false;
    bool found = gateway_of_table(&at, (const char *)table.p);
    bytes_free(table);
    return found && gateway_facing(g, &at);
}

bool gateway_eq(const struct gateway *a, const struct gateway *b)
{
    return addr_eq(&a->at, &b->at) && addr_eq(&a->local, &b->local) && a->prefix == b->prefix;
}

bool gateway_near(const struct gateway *g, const struct addr *a)
{
    if (g->at.family != 4 || a->family != 4)
        return false;
    uint32_t mask = g->prefix >= 32 ? UINT32_MAX : ~(UINT32_MAX >> g->prefix);
    return addr_same_ip(a, &g->at) || ((get_be32(a->ip) ^ get_be32(g->local.ip)) & mask) == 0;
}

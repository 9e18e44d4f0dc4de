/*
 * Addresses that UPnP devices name. Anyone on the link can answer a search, and what he names is
 * fetched; so only a host of our own network, written out as a number, will do.
 */
#include "portmap_in.h"

#include <p2p/base/num.h>

#define SCHEME "http://"

bool igd_url_host(struct addr *a, const char *url)
{
    char host[16];
    uint64_t port = 80;

    if (strnlen(url, IGD_URL_MAX) >= IGD_URL_MAX || strncmp(url, SCHEME, sizeof SCHEME - 1) != 0)
        return false;
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return false;
    url += sizeof SCHEME - 1;
    size_t n = strspn(url, "0123456789.");
    if (n == 0 || n >= sizeof host)
        return false;
    memcpy(host, url, n);
    host[n] = '\0';
    url += n;
    if (*url == ':') {
        n = strspn(url + 1, "0123456789");
        if (!num_parse_u64(BYTES(url + 1, n), &port) || port == 0 || port > UINT16_MAX)
            return false;
        url += n + 1;
    }
    return (*url == '/' || !*url) && addr_parse_ip(a, host, (uint16_t)port) && a->family == 4;
}

bool igd_url_allowed(const char *url, const struct gateway *gw)
{
    struct addr a;

    return igd_url_host(&a, url) && gateway_near(gw, &a);
}

bool igd_url_same_host(const char *url, const char *described)
{
    struct addr a, b;

    return igd_url_host(&a, url) && igd_url_host(&b, described) && addr_same_ip(&a, &b);
}

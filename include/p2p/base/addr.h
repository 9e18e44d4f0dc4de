/* An address of a peer or a tracker: IPv4 or IPv6 and a port. A value: copy it. */
#ifndef P2P_BASE_ADDR_H
#define P2P_BASE_ADDR_H

#include <p2p/base/bytes.h>

struct addr {
    uint8_t family; /* 4, 6, or 0 for none */
    uint16_t port;  /* host order */
    uint8_t ip[16]; /* network order; IPv4 in the first four */
};

#define ADDR_TEXT 64 /* "[ffff:…]:65535" and a NUL fit */

/*
 * "1.2.3.4:80", "[::1]:80". Numbers only, no names. An IPv4-mapped IPv6 address becomes IPv4, here
 * and in addr_get_compact: one peer must not count as two. Untouched when false.
 */
bool addr_parse(struct addr *a, const char *s);
/*
 * "HOST:PORT" with any host: copies the host (no brackets) to `host`. False if there is no port or
 * no host, and for a host with colons that stands in no brackets.
 */
bool addr_split(const char *s, char *host, size_t hostsize, uint16_t *port);
bool addr_parse_ip(struct addr *a, const char *ip, uint16_t port);
void addr_text(const struct addr *a, char out[ADDR_TEXT]);
void addr_ip_text(const struct addr *a, char out[ADDR_TEXT]); /* without port and brackets */

bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_same_ip(const struct addr *a, const struct addr *b);
int addr_cmp(const struct addr *a, const struct addr *b); /* family, ip, port */

/* Compact form of BEP 23 and BEP 7: 6 or 18 bytes. Returns how many were written or read. */
size_t addr_put_compact(const struct addr *a, uint8_t out[18]);
bool addr_get_compact(struct addr *a, struct bytes b); /* exactly 6 or 18 */

enum addr_scope {
    ADDR_PUBLIC,     /* anywhere on the net */
    ADDR_PRIVATE,    /* RFC 1918, RFC 6598, fc00::/7 */
    ADDR_LINK_LOCAL, /* 169.254/16, fe80::/10 */
    ADDR_LOOPBACK,   /* 127/8, ::1 */
    ADDR_UNUSABLE,   /* unspecified, multicast, broadcast, reserved, documentation */
};
/* Looks through IPv4 embedded in IPv6: mapped, 6to4, NAT64, Teredo. */
enum addr_scope addr_scope(const struct addr *a);

#endif

/*
 * The gateway of this host on IPv4: where the default route leads, and which of our addresses
 * faces it. Read anew at every call; it takes a few system calls and does not wait for anyone.
 */
#ifndef LIB_HOST_GATEWAY_H
#define LIB_HOST_GATEWAY_H

#include <p2p/base/addr.h>

#define GATEWAY_TABLE_MAX (256u << 10) /* bytes of the routing table that are read */

struct gateway {
    struct addr at;    /* family 0: there is none; port 0 */
    struct addr local; /* ours, as it sees us */
    unsigned prefix;   /* bits of the network that the two share; 32: not known */
};

/* False, and all zero: no default route. */
bool gateway_find(struct gateway *g);
/* The same for a gateway that is known already. */
bool gateway_facing(struct gateway *g, const struct addr *at);
bool gateway_eq(const struct gateway *a, const struct gateway *b);
/* Is the address the gateway's, or of our network with it? */
bool gateway_near(const struct gateway *g, const struct addr *a);
/* The best default route of a table in the format of /proc/net/route. */
bool gateway_of_table(struct addr *at, const char *table);

#endif

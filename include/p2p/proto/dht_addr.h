/*
 * Which addresses of strangers' tales are believed, and which count as one and the same neighbour.
 */
#ifndef P2P_PROTO_DHT_ADDR_H
#define P2P_PROTO_DHT_ADDR_H

#include <p2p/base/addr.h>

#define DHT_ADDR_KEY 19

/*
 * A peer or node that `teller` told of. Public addresses are fine; others only if the teller lives
 * in the same scope (or on this host), so that a stranger cannot send us into our own network.
 * Port 0 never.
 */
bool dht_addr_peer_ok(const struct addr *a, const struct addr *teller);
/* The same, and no port below 1024: the DHT is not to knock at other services for strangers. */
bool dht_addr_node_ok(const struct addr *a, const struct addr *teller);

/*
 * Whom limits count as one: an IPv4 address, an IPv6 /64; on loopback address and port, for there
 * one host is many. Returns the key in `out`.
 */
struct bytes dht_addr_key(const struct addr *a, uint8_t out[DHT_ADDR_KEY]);
/* Two public addresses in one IPv4 /24 or IPv6 /48: likely one owner. */
bool dht_addr_near(const struct addr *a, const struct addr *b);
/* Two public addresses that count as one host. */
bool dht_addr_twin(const struct addr *a, const struct addr *b);

#endif

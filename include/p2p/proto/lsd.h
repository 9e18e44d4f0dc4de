/*
 * The datagrams of local service discovery (BEP 14): "here, on this port, is somebody with these
 * items", to a multicast group, in the form of an HTTP header.
 *
 * The reader is strict where it matters: the request line, line ends, one port, hashes of 40 hex
 * digits, a blank line at the end. Other header lines are passed over, and so are hashes past the
 * limit.
 */
#ifndef P2P_PROTO_LSD_H
#define P2P_PROTO_LSD_H

#include <p2p/base/addr.h>
#include <p2p/base/buf.h>
#include <p2p/base/usec.h>

#define LSD_MAX_DATAGRAM 1400u
#define LSD_MAX_HASHES 25u /* as many as fit into one datagram beside the rest, also with IPv6 */
#define LSD_MAX_COOKIE 64u /* a longer one counts as none: it is not ours */

/* A full datagram a second for each family is all that ever leaves: a round of many items takes
 * longer then. */
#define LSD_EVERY (5 * USEC_MIN) /* an item is announced, */
#define LSD_LEAST USEC_MIN       /* and no hash more often */
#define LSD_GAP USEC_SEC         /* from one datagram to the next */
/* Datagrams heeded: of one address, and of all. */
#define LSD_SOURCE_RATE 10u
#define LSD_SOURCE_BURST 50u
#define LSD_RATE 50u
#define LSD_BURST 200u
#define LSD_MAX_SOURCES 64u /* addresses remembered, the latest */
#define LSD_MAX_PORTS 16u   /* ports of one address that are believed, */
#define LSD_PORT_TIME (15 * USEC_MIN) /* each until it was not named for so long */

struct lsd_msg {
    uint16_t port;
    char cookie[LSD_MAX_COOKIE + 1]; /* printable, without blanks at its ends; "": none */
    uint8_t hash[LSD_MAX_HASHES][20];
    size_t n_hashes;
};

/* The group of a family, 4 or 6, with its port. */
struct addr lsd_group(int family);
/* False: malformed, to be ignored. One that names no hash is malformed. */
bool lsd_parse(struct lsd_msg *m, struct bytes datagram);
/* Writes one for that group; with a cookie of at most 16 characters it fits LSD_MAX_DATAGRAM. */
size_t lsd_put(uint8_t out[LSD_MAX_DATAGRAM], int family, const struct lsd_msg *m);

#endif

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

#define LSD_PORT 6771u
#define LSD_MAX_DATAGRAM 1400u
#define LSD_MAX_HASHES 25u /* as many as fit into one datagram beside the rest, also with IPv6 */
#define LSD_MAX_COOKIE 64u /* a longer one counts as none: it is not ours */

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

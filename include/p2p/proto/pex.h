/*
 * The messages of peer exchange (BEP 11, ut_pex): whom somebody is connected to, and whom not any
 * more, as changes since his last message. IPv4 and IPv6 together, each with flags.
 *
 * Lengths that are no multiple of an address are malformed. Of more addresses than the limit the
 * rest is ignored; so are an address without a port and one that stands twice, also under another
 * port (a victim's ports are not to be knocked at one by one), but on loopback, which all peers of
 * a host share.
 */
#ifndef P2P_PROTO_PEX_H
#define P2P_PROTO_PEX_H

#include <p2p/base/addr.h>
#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/base/usec.h>

#define PEX_MAX_PEERS 50u /* added, and as many dropped, of both families together */
#define PEX_EVERY USEC_MIN /* we write no more often, */
#define PEX_TOLERATED (45 * USEC_SEC) /* and what comes sooner than so after the last is ignored */
#define PEX_MAX_EARLY 8u /* so many more of those than of others: a flood, the connection ends */
/* Addresses of one peer's word that nobody has proved yet: it is not listened to for more. */
#define PEX_MAX_HEARD 200u
#define PEX_FEW 25u /* with fewer connections of a family, so many of those that were are told */
#define PEX_MAX_TOLD 400u /* addresses that one peer was told of and not yet told to be gone */

enum pex_flag {
    PEX_ENCRYPTION = 0x01, /* prefers it */
    PEX_SEED = 0x02,       /* or uploads only */
    PEX_UTP = 0x04,
    PEX_HOLEPUNCH = 0x08,
    PEX_OUTGOING = 0x10, /* it was dialled: it can be reached */
};

struct pex_peer {
    struct addr addr;
    uint8_t flags; /* enum pex_flag; unknown ones as they came */
};

struct pex_msg {
    struct pex_peer added[PEX_MAX_PEERS];
    struct addr dropped[PEX_MAX_PEERS];
    size_t n_added, n_dropped;
};

int pex_parse(struct pex_msg *m, struct bytes body, struct err *e);
void pex_put(struct buf *out, const struct pex_msg *m); /* the dictionary, no envelope */

#endif

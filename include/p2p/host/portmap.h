/*
 * A way in through the router: asks the gateway to hand on what comes to an external port, with
 * PCP (RFC 6887), NAT-PMP (RFC 6886) or UPnP IGD, whichever it knows. All in the background: the
 * loop never waits.
 *
 * Rules.
 * - All three are looked for at once; the first that is there is used, where a better one (in the
 *   order above) has PORTMAP_GRACE to show. If it refuses, the next is tried; if none is left, or
 *   there is no gateway, all begins again after a while that doubles (PORTMAP_RETRY).
 * - The external port is ours if it can be had, else another; TCP and UDP share one where the
 *   gateway lets them.
 * - Mappings are leases (PORTMAP_LEASE), renewed at half time: what a program that was killed
 *   leaves behind ends by itself. They are removed at the end. A gateway that knows no leases
 *   (UPnP error 725) gets a mapping for good, removed at the end.
 * - A gateway that says it has forgotten (it tells the multicast group, and its epoch jumps) is
 *   asked again at once. Every PORTMAP_LOOK the default route is looked at: another one, or a sleep
 *   of the machine, begins anew.
 * - Only from a private address: one that is public needs none of this. The gateway's answers are
 *   believed only from its own address; a UPnP description only from our own network, its control
 *   address only on the same host, and our external address only if that is the gateway.
 * - An external address that is not public means a second NAT: the port is told, the address not.
 */
#ifndef P2P_HOST_PORTMAP_H
#define P2P_HOST_PORTMAP_H

#include <p2p/base/addr.h>
#include <p2p/base/err.h>
#include <p2p/host/loop.h>

#define PORTMAP_LEASE 3600u               /* seconds asked for */
#define PORTMAP_RENEW_MIN (4 * USEC_SEC)  /* RFC 6887, section 11.2.1 */
#define PORTMAP_RENEW_MAX (15 * USEC_MIN) /* so a router that lost it is out no longer */
#define PORTMAP_GRACE (300 * USEC_MS)
#define PORTMAP_ASK (250 * USEC_MS)       /* first wait for a datagram's answer, then doubled */
#define PORTMAP_ASKS 3                    /* datagrams sent, so 1.75 s in all */
#define PORTMAP_SSDP_MS 2000              /* for UPnP devices to answer, to each of four searches */
#define PORTMAP_FIND_TIME (11 * USEC_SEC) /* to find and understand one */
#define PORTMAP_IGD_TIME (10 * USEC_SEC)  /* to map ports on it */
#define PORTMAP_PORT_TRIES 4              /* external ports, where one is taken */
#define PORTMAP_DEVICES 8                 /* UPnP devices looked at */
#define PORTMAP_RETRY (15 * USEC_SEC) /* a router may just be starting, as we are */
#define PORTMAP_RETRY_MAX (30 * USEC_MIN)
#define PORTMAP_LOOK (30 * USEC_SEC)
#define PORTMAP_NEWS (10 * USEC_SEC) /* a gateway is heard forgetting once in so long */

enum portmap_way { PORTMAP_PCP, PORTMAP_NATPMP, PORTMAP_IGD, PORTMAP_WAYS };

struct portmap_at {
    enum portmap_way way;
    struct addr external; /* with the port for TCP; family 0: not known or not public.
                             Port 0: no longer mapped */
    uint16_t udp;         /* external port for UDP */
};

struct portmap_events {                                     /* any may be NULL */
    void (*mapped)(void *arg, const struct portmap_at *at); /* at first, and when it changes */
    void (*notice)(void *arg, const char *text);            /* for the user, when verbose */
    void (*closed)(void *arg);                              /* after portmap_close */
};

struct portmap_config {
    uint16_t tcp, udp; /* ours; 0: not wanted */
    struct addr bind;  /* our sockets are bound to it; family 0: to all */
    const char *name;  /* for the router's list: "p2p"; borrowed for ever */
    uint32_t lease;    /* 0: PORTMAP_LEASE */
    unsigned ways;     /* bits 1 << enum portmap_way; 0: all */
    usec look;         /* 0: PORTMAP_LOOK */
    /* For tests: this host is the gateway, wherever it is; this is the UPnP description. */
    struct addr gateway;
    const char *igd; /* borrowed for ever */
};

struct portmap;

/* Begins at once. Never fails: what cannot be done is told as a notice. */
struct portmap *portmap_new(struct loop *l, const struct portmap_config *c,
                            const struct portmap_events *ev, void *arg);
/*
 * Removes the mappings. False: there are none, `closed` does not come. True: `closed` comes when
 * they are gone or after `patience`.
 */
bool portmap_close(struct portmap *m, usec patience);
/* Asks for removal without waiting, where that can be had for a datagram. NULL is fine. */
void portmap_free(struct portmap *m);

#endif

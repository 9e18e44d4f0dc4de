/*
 * Multicast to the links of this host: datagrams to a group go out on every link, once, and no
 * router passes them on (TTL 1); programs of this host hear them too, the sender among them. What
 * comes was sent to the group, by whomever, and is told as it comes.
 *
 * A link is an interface that is up, can multicast, and has an address of the group's family that
 * is not public: with public addresses we would be heard by strangers. It is sent from that
 * address. Links come and go; they are looked for again now and then. The port is shared with other
 * programs that listen to the same group.
 */
#ifndef P2P_HOST_MULTICAST_H
#define P2P_HOST_MULTICAST_H

#include <p2p/base/addr.h>
#include <p2p/base/err.h>
#include <p2p/host/loop.h>

#define MULTICAST_MAX 1500      /* bytes; longer ones that come are dropped, and are not sent */
#define MULTICAST_MAX_LINKS 16  /* of one family; more are left out: Linux lets a socket have 20 */
#define MULTICAST_READS 64      /* datagrams a turn, so that a flood leaves room for others */
#define MULTICAST_LOOK USEC_MIN /* until links are looked for again */

struct multicast;
struct multicast_events {
    void (*got)(void *arg, const struct addr *from, struct bytes data); /* data: until it returns */
    void (*linked)(void *arg); /* a later look found another link; may be NULL */
};

/*
 * Joins one group, with its port, on all links, or only where the address `at` is (NULL or family
 * 0: all; of the other family: none). On loopback only by such an `at`, and IPv4 only, for there
 * the kernel delivers no multicast of IPv6. NULL: the group's port cannot be listened to. No link
 * is no error.
 */
struct multicast *multicast_open(struct loop *l, const struct addr *group, const struct addr *at,
                                 const struct multicast_events *events, void *arg, struct err *e);
void multicast_free(struct multicast *m); /* NULL is fine */
/* On how many links it went out; what is lost is lost. */
unsigned multicast_send(struct multicast *m, struct bytes data);
unsigned multicast_links(const struct multicast *m); /* joined at the last look */
bool multicast_look(struct multicast *m); /* looks for links now; was another one joined? */

#endif

/*
 * Sockets that a service manager opened and handed over: the protocol of sd_listen_fds(3), without
 * its library. They are told apart by what they are, a listening TCP socket or a UDP socket, of
 * IPv4 or IPv6. One port is told to trackers, to the DHT and to peers, for TCP and UDP alike: so
 * all of them have the same one, and what was not handed over is opened there too.
 */
#ifndef P2P_HOST_HANDED_H
#define P2P_HOST_HANDED_H

#include <p2p/base/addr.h>
#include <p2p/base/err.h>

#define HANDED_MAX 16 /* descriptors looked at; 4 have a use */

struct handed {
    int tcp[2], udp[2]; /* of IPv4 and IPv6; -1: none */
    struct addr at;     /* the first one's */
};

#define HANDED_NONE ((struct handed){.tcp = {-1, -1}, .udp = {-1, -1}})

/*
 * Takes what $LISTEN_PID and $LISTEN_FDS promise, once, before this process opens or forks
 * anything, and takes the variables out of the environment. 1; 0: nothing is meant for us, and
 * there is no need of handed_close; ERR_USAGE: it is no use to us.
 */
int handed_take(struct handed *h, struct err *e);
/* Opens what is missing: with `tcp`, a socket of each kind for each family that has one. Without
 * it there must be no TCP socket. ERR_USAGE, ERR_IO. */
int handed_complete(struct handed *h, bool tcp, struct err *e);
/* The one address that they all have; false if there are two, or it means every address. */
bool handed_only_at(const struct handed *h, struct addr *out);
void handed_close(struct handed *h); /* those that nobody took */

#endif

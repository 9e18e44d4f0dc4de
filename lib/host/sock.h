/* What tcp, udp and the resolver share: addresses as the kernel spells them, and sockets. */
#ifndef P2P_HOST_SOCK_H
#define P2P_HOST_SOCK_H

#include <p2p/base/addr.h>
#include <p2p/base/err.h>
#include <sys/socket.h>

#define SOCK_PAIR_TRIES 16 /* free ports tried before one is free for both families */

socklen_t sock_from_addr(struct sockaddr_storage *ss, const struct addr *a);
bool sock_to_addr(struct addr *a, const struct sockaddr *sa, socklen_t len);
bool sock_name(int fd, struct addr *out); /* the local address */

/* Non-blocking, close-on-exec, IPv6 without IPv4 in it. -errno on failure. */
int sock_new(int family, int type);
/* Bounds what the kernel keeps of what was not read yet. */
void sock_set_room(int fd, size_t bytes);
/* Bound (and with TCP listening) at `a`: the descriptor, or -errno. */
int sock_bound(const struct addr *a, int type, int backlog);
/*
 * Opens fd[0] for IPv4 and fd[1] for IPv6 on one port, as tcp_listen() says; -1 where there is
 * none. `what` is for the message.
 */
int sock_pair(int fd[2], const struct addr *at, uint16_t port, int type, int backlog,
              const char *what, struct err *e);

#endif

/*
 * UDP: one port, with a socket for each family. Datagrams come and go in batches: what is sent in
 * a turn leaves at its end, in few system calls. When the kernel takes no more, a bounded queue
 * holds what is to be sent; what does not fit there is lost, as on any UDP path.
 */
#ifndef P2P_HOST_UDP_H
#define P2P_HOST_UDP_H

#include <p2p/base/addr.h>
#include <p2p/base/err.h>
#include <p2p/host/loop.h>

#define UDP_DATAGRAM_MAX 16384      /* longer ones that come are dropped; nobody here sends such */
#define UDP_QUEUE_MAX (1u << 20)    /* bytes waiting to leave, for each family */
#define UDP_BATCH 32                /* datagrams a system call */

struct udp;

/* `got` is told of each datagram; `data` is valid until it returns. */
struct udp *udp_open(struct loop *l, const struct addr *at, uint16_t port,
                     void (*got)(void *arg, const struct addr *from, struct bytes data), void *arg,
                     struct err *e); /* `at` and `port` as in tcp_listen() */
/* With sockets that are there already, of IPv4 and of IPv6, -1 for none; they are taken over, also
 * when it fails. */
struct udp *udp_open_on(struct loop *l, const int fd[2],
                        void (*got)(void *arg, const struct addr *from, struct bytes data),
                        void *arg, struct err *e);
void udp_free(struct udp *u); /* what is still queued is tried once. NULL is fine */

/* Copies and queues. 0; ERR_LIMIT: too long or the queue is full; ERR_NET: no socket of that
 * family. */
int udp_send(struct udp *u, const struct addr *to, struct bytes data);
size_t udp_queued(const struct udp *u); /* bytes that have not left */
uint16_t udp_port(const struct udp *u);
bool udp_has(const struct udp *u, int family); /* 4 or 6 */

#endif

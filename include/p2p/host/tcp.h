/*
 * TCP: listeners and connections as plain non-blocking sockets. Bytes are received where the caller
 * says and sent from where they lie, and nothing is kept or copied here. A connection tells its
 * owner when it can go on, by level: `readable` is called in each turn in which reading is wanted
 * and possible. Callbacks come from the loop only, never from inside a call to this module, and
 * none comes after tcp_close().
 *
 * TCP_NODELAY is on; what the kernel holds unsent is bounded (TCP_UNSENT_MAX), so that cancelled
 * blocks and rate limits act on data that has not left yet; buffer sizes are the kernel's choice.
 * So is congestion control, but for near peers where that would be BBR.
 */
#ifndef P2P_HOST_TCP_H
#define P2P_HOST_TCP_H

#include <p2p/base/addr.h>
#include <p2p/base/err.h>
#include <p2p/host/loop.h>
#include <sys/types.h>

#define TCP_VEC_MAX 64              /* slices a call takes; the rest is for the next call */
#define TCP_UNSENT_MAX (512u << 10) /* bytes waiting in the kernel that are not on the wire */
#define TCP_BACKLOG 128
#define TCP_ACCEPT_BATCH 16             /* accepted in one turn */
#define TCP_ACCEPT_PAUSE (USEC_SEC / 4) /* after running out of descriptors or memory */

#define TCP_EOF (-100) /* beside err.h: the other side has sent all it will */

struct tcp;

struct tcp_events {
    /* Once for a dialled connection: 0, or ERR_NET (see tcp_errno). Either way it is then the
     * owner's to tcp_close(). Never for an accepted one. */
    void (*connected)(void *owner, int code);
    void (*readable)(void *owner);
    void (*writable)(void *owner);
};

/* Starts connecting. `from` (NULL: the kernel's choice) is the address to come from; its port may
 * be 0. NULL with ERR_NET or ERR_IO when it fails at once. There is no time limit: close it. */
struct tcp *tcp_dial(struct loop *l, const struct addr *to, const struct addr *from,
                     const struct tcp_events *ev, void *owner, struct err *e);
void tcp_own(struct tcp *c, const struct tcp_events *ev, void *owner); /* for accepted ones */
void tcp_close(struct tcp *c); /* safe in any callback; NULL is fine */

void tcp_want(struct tcp *c, bool read, bool write); /* at first: neither; set once connected */
/* Bytes received into v in order; 0: none there now; TCP_EOF; ERR_NET (see tcp_errno). */
ssize_t tcp_recv(struct tcp *c, const struct span *v, size_t n);
/* Bytes the kernel took of v in order; 0: none now, want writable; ERR_NET. */
ssize_t tcp_send(struct tcp *c, const struct bytes *v, size_t n);

/* What was received is acknowledged now, if it was not by what was sent since. Else the kernel
 * waits up to 40 ms for something to send along, and a peer without TCP_NODELAY stays silent. */
void tcp_acknowledge(struct tcp *c);

const struct addr *tcp_peer(const struct tcp *c);
bool tcp_local(const struct tcp *c, struct addr *out);
int tcp_errno(const struct tcp *c); /* errno of the last ERR_NET or ERR_IO; 0 if none */

struct tcp_listener;
/*
 * Listens at `at` or, with NULL or an unspecified address, at every address of both families (v6
 * only where the system has it), on one port: the given one, or with 0 a free one. `accepted` owns
 * what it gets and calls tcp_own() or tcp_close() before it returns.
 */
struct tcp_listener *tcp_listen(struct loop *l, const struct addr *at, uint16_t port,
                                void (*accepted)(void *arg, struct tcp *c), void *arg,
                                struct err *e);
/* Listens at sockets that are there already, of IPv4 and of IPv6, -1 for none; they are taken over,
 * also when it fails. */
struct tcp_listener *tcp_listen_on(struct loop *l, const int fd[2],
                                   void (*accepted)(void *arg, struct tcp *c), void *arg,
                                   struct err *e);
/* While paused, callers wait in the kernel's backlog. */
void tcp_listener_pause(struct tcp_listener *s, bool paused);
uint16_t tcp_listener_port(const struct tcp_listener *s);
/* Where it listens: the first (v4) or second socket. False if there is none. */
bool tcp_listener_addr(const struct tcp_listener *s, size_t i, struct addr *out);
void tcp_listener_free(struct tcp_listener *s);

#endif

/*
 * The control socket: how other programs of the same user talk to the one that runs. A Unix stream
 * socket, mode 0600, in a folder of mode 0700 that belongs to us; the path may be longer than
 * sun_path. One connection carries one request, a line, and one answer, lines of text with a NUL
 * behind them, so that an answer cut short is told from a whole one.
 *
 * Whoever calls control_listen() holds the home's lock: a socket found there is then stale and is
 * replaced, in one step, so that a caller finds the old or the new one and never nothing.
 */
#ifndef P2P_HOST_CONTROL_H
#define P2P_HOST_CONTROL_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/host/loop.h>

#define CONTROL_REQUEST_MAX (64u << 10) /* bytes of a request with its newline */
#define CONTROL_ANSWER_MAX (64u << 20)
#define CONTROL_CLIENTS 16              /* at once; others wait in the backlog */
#define CONTROL_STALL (5 * USEC_SEC)   /* a client that does nothing for so long is cut off */

struct control;

/* `asked` gets the request without its newline (no NUL, CR or newline inside) and appends the
 * answer. The folder is made (0700) if it is missing, its parents are not. */
struct control *control_listen(struct loop *l, const char *path,
                               void (*asked)(void *arg, struct bytes request, struct buf *answer),
                               void *arg, struct err *e);
/* Removes the socket. Not from inside `asked`. NULL is fine. */
void control_free(struct control *c);

/* Asks and waits, without a loop. 0 and the whole answer; ERR_NOTFOUND: nobody listens there;
 * ERR_NET: no whole answer within `timeout`; ERR_IO; ERR_USAGE: newline or NUL in the request. */
int control_ask(const char *path, struct bytes request, usec timeout, struct buf *answer,
                struct err *e);

#endif

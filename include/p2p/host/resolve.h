/*
 * Names to addresses. The system's resolver is asked on a thread that nobody ever waits for: it may
 * block for half a minute, and neither the disk's worker threads nor the end of the program shall
 * stand behind it. An address written out is answered without a thread. Never calls back from
 * inside resolve_start().
 */
#ifndef P2P_HOST_RESOLVE_H
#define P2P_HOST_RESOLVE_H

#include <p2p/base/addr.h>
#include <p2p/base/err.h>
#include <p2p/host/loop.h>

#define RESOLVE_MAX 16       /* addresses told of a name */
#define RESOLVE_NAME_MAX 253 /* characters of a name (RFC 1035) */
#define RESOLVE_THREADS 32   /* look-ups at once; others wait their turn */

struct resolve;

/*
 * `done` is called once, with at least one address (in the order of preference, each with `port`)
 * and code 0, or with none and ERR_NOTFOUND (no such name, none of that family) or ERR_NET (no
 * answer), `e` saying why. The handle is gone when done is called.
 */
struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port,
                              int family, /* 4, 6 or 0 for both */
                              void (*done)(void *arg, int code, const struct addr *v, size_t n,
                                           const struct err *e),
                              void *arg);
void resolve_cancel(struct resolve *r); /* done is not called. NULL is fine */

#endif

/* Tells systemd (or whatever set $NOTIFY_SOCKET) how we are, by the sd_notify protocol. */
#ifndef P2P_HOST_NOTIFY_H
#define P2P_HOST_NOTIFY_H

#include <p2p/base/err.h>
#include <p2p/base/usec.h>

/* One or more lines: "READY=1", "STOPPING=1", "STATUS=...". 1 if it was sent, 0 if nobody wants to
 * know, ERR_IO. Never blocks. */
int notify_send(const char *state, struct err *e);
/* How often this process is to send "WATCHDOG=1" at least; 0: nobody waits for it. */
usec notify_watchdog(void);

#endif

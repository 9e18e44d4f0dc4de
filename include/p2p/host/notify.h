/* Tells systemd (or whatever set $NOTIFY_SOCKET) how we are, by the sd_notify protocol. */
#ifndef P2P_HOST_NOTIFY_H
#define P2P_HOST_NOTIFY_H

#include <p2p/base/err.h>

/* One or more lines: "READY=1", "STOPPING=1", "STATUS=...". 1 if it was sent, 0 if nobody wants to
 * know, ERR_IO. Never blocks. */
int notify_send(const char *state, struct err *e);

#endif

/*
 * Callers who begin with the handshake of message stream encryption (proto/mse.h): what they say is
 * unveiled before the wire sees it.
 */
#ifndef LIB_NODE_VEIL_H
#define LIB_NODE_VEIL_H

#include "node/node_int.h"

/* What of *b is for the wire, borrowed until veil_fini. False: nothing yet, or it was closed. From
 * when c->plain is set all that comes is. */
bool veil_lift(struct conn *c, struct bytes *b, usec now);
void veil_fini(struct conn *c); /* it is over, or the connection is */

#endif

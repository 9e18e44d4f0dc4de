/*
 * Secrets in addresses (HOSTILE.md): user info, what looks like a passkey in a path, the values of
 * a query, a fragment. One function, used for everything that goes to stderr; results on stdout are
 * what was asked for and are left whole.
 */
#ifndef LIB_CLI_REDACT_H
#define LIB_CLI_REDACT_H

#include <p2p/base/buf.h>

/* Appends text with the secrets of every URL and magnet link in it replaced by "***". */
void redact_text(struct buf *out, struct bytes text);

#endif

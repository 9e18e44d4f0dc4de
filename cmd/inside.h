/* p2p-get --member: what goes with it, and what is told. */
#ifndef P2P_CMD_INSIDE_H
#define P2P_CMD_INSIDE_H

#include "events.h"

#include <p2p/cli/suite.h>

int inside_check(const struct get_options *o, struct err *e);
/* A member is whole, at `path` ("-": it went out). */
void inside_member(struct events *v, const struct engine_event *ev, const char *path);

#endif

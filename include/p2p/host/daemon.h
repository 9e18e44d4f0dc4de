/*
 * Going to the background: the parent stays until the child is ready or has failed, so that whoever
 * started it knows, and what follows in a script finds it at work. To be called before there are
 * threads, loops or open databases.
 */
#ifndef P2P_HOST_DAEMON_H
#define P2P_HOST_DAEMON_H

#include <p2p/base/err.h>

/*
 * 0 in the child, in a session of its own, with *ready for daemon_ready. 1 in the parent, when the
 * child is ready or has ended: *status is 0 or the child's exit status. ERR_IO if it cannot fork.
 */
int daemon_fork(int *ready, int *status, struct err *e);
/* Lets the parent go, and lets go of terminal and working folder. */
void daemon_ready(int ready);

#endif

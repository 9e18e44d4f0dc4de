/*
 * The terminal and the signals of one-shot programs. SIGINT, SIGTERM and SIGHUP ask the program to
 * stop once it has saved what it has; the second one of a kind ends it at once. What the parent
 * ignored (nohup, background jobs of a script) stays ignored. SIGPIPE becomes EPIPE.
 */
#ifndef P2P_HOST_TERM_H
#define P2P_HOST_TERM_H

#include <stdbool.h>

bool term_is_tty(int fd);

/* Once, early, before threads. */
void term_signals(void);
int term_stopped(void); /* the signal that asked us to stop, or 0 */
int term_stop_fd(void); /* becomes readable at that moment; never read it */

#endif

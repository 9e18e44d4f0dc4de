/*
 * A program that runs until it is stopped, one for each home: its lock, its way into the
 * background, its control socket; and what it has to do with a service manager.
 */
#ifndef P2P_CMD_SERVING_H
#define P2P_CMD_SERVING_H

#include <p2p/cli/program.h>
#include <p2p/host/control.h>
#include <p2p/host/handed.h>
#include <p2p/host/home.h>
#include <p2p/host/lock.h>

struct serving {
    /* the caller's to fill in */
    struct program *p;
    const char *lock_name, *socket; /* in the home's folders of locks and of sockets */
    const char *taken; /* what to say when there is one already: "another p2p-seed serves it" */

    struct home home;
    struct lock *lock;
    struct control *control;
    int ready_fd; /* of --daemon; -1: none */
    struct handed handed;
    struct handed *sockets; /* that were handed over; NULL: none */
    bool stopping;          /* is told */
    usec watchdog;          /* a sign of life is wanted this often; 0: not */
    usec alive_at;          /* when the next one is due */
    char *state;            /* as it was told last */
    usec state_at;
};

/* Finds the home; touches nothing. */
int serving_find(struct serving *s, const char *home, struct err *e);
/* Takes the lock and goes to the background if that is wished. 1: this is the parent, and *status
 * is what it exits with. */
int serving_begin(struct serving *s, bool daemon, int *status, struct err *e);
int serving_listen(struct serving *s, struct loop *l,
                   void (*asked)(void *arg, struct bytes request, struct buf *answer), void *arg,
                   struct err *e);
/* All is there: tells who waits for it. */
void serving_ready(struct serving *s);
/* Five times a second or so: tells that it lives, and that it stops. */
void serving_tick(struct serving *s, usec now, bool stopping);
/* How it is in a few words, for `systemctl status`; told when that changed, and not too often. */
void serving_state(struct serving *s, usec now, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void serving_stop(struct serving *s); /* before the loop goes: no more questions */
void serving_fini(struct serving *s);

/* Asks the one that runs at `socket` of this home, and prints its lines. ERR_NOTFOUND: none. */
int serving_ask(struct serving *s, const char *socket, const char *request, struct err *e);

#endif

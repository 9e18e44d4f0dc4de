/*
 * Work that has to wait in its middle for what only the loop can bring: on a thread of its own, so
 * that no worker is kept from others meanwhile. The thread asks, one question at a time, and waits;
 * the loop's owner hears of it in a turn and answers when it can, then or later.
 */
#ifndef P2P_HOST_ERRAND_H
#define P2P_HOST_ERRAND_H

#include <p2p/base/err.h>
#include <p2p/host/loop.h>

struct errand;

struct errand_calls {
    void (*work)(struct errand *w, void *arg); /* on the thread */
    void (*asked)(void *arg, void *question);  /* on the loop; errand_answer is due */
    void (*done)(void *arg);                   /* on the loop, once: `work` returned */
    void *arg;
};
struct errand *errand_new(struct loop *l, const struct errand_calls *c, struct err *e);
/* Cancels it and waits for its thread: `done` is not called any more. NULL is fine. */
void errand_free(struct errand *w);

/* On the thread: what errand_answer was given; ERR_CANCELED at once or later if it was cancelled.
 * `question` is the loop's until then. */
int errand_ask(struct errand *w, void *question);
/* On the thread: waits until `fd` can be written to; ERR_CANCELED if it was cancelled. */
int errand_wait_out(struct errand *w, int fd);
bool errand_canceled(struct errand *w); /* any thread */

/* On the loop. */
void errand_answer(struct errand *w, int rc);
void errand_cancel(struct errand *w); /* no question comes after; `done` does */

#endif

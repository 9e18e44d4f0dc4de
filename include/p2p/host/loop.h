/*
 * The event loop: one thread, one loop, and everything that waits. libuv is behind it and appears
 * nowhere else.
 *
 * A turn is: what the sockets and finished jobs have to say, then timers that are due, then calls
 * put off by loop_soon(), then the hooks, then the calls that those put off, and only then does
 * the loop wait again. So an owner's hook sees all that a turn brought, once, and may send in one
 * batch. Everything but the work function of a job runs on the loop's thread, and nothing here
 * calls back from inside the call that asked for it.
 *
 * Timers, soons and hooks are embedded in their owner and cost no allocation. Zero them (or set
 * fn and arg), and cancel them before their memory goes away; all may be cancelled, set again or
 * freed from inside their own callback.
 */
#ifndef P2P_HOST_LOOP_H
#define P2P_HOST_LOOP_H

#include <p2p/base/err.h>
#include <p2p/base/heap.h>
#include <p2p/base/list.h>
#include <p2p/base/usec.h>
#include <stdbool.h>

struct loop;

#define LOOP_WORKERS_MIN 4
#define LOOP_WORKERS_MAX 64

/*
 * Also ignores SIGPIPE for the process, because write has no flag against it: a reader that is
 * gone shows as EPIPE. The first loop fixes the number of worker threads: twice the cores, from
 * LOOP_WORKERS_MIN to LOOP_WORKERS_MAX, unless UV_THREADPOOL_SIZE says otherwise.
 */
struct loop *loop_new(struct err *e);
/* Everything that was made on the loop is freed before. Waits for jobs still running and calls
 * their done functions. NULL is fine. */
void loop_free(struct loop *l);

void loop_run(struct loop *l);  /* turns until loop_stop(); may be called again after */
void loop_stop(struct loop *l); /* loop_run returns at the end of this turn (or of its first) */
usec loop_now(struct loop *l);  /* monotonic; sampled once a turn */
usec loop_clock(void); /* the clock of loop_now(), read anew; workers may */
int loop_workers(const struct loop *l); /* threads that jobs run on */

struct loop_timer {
    struct heap_item item; /* first; private */
    void (*fn)(void *arg);
    void *arg;
};
/* Calls fn once, when loop_now() has reached `at` (to the millisecond, never early). Moves a timer
 * that is set; USEC_NEVER cancels. A time gone by means the next turn. */
void loop_timer_set(struct loop *l, struct loop_timer *t, usec at);
void loop_timer_cancel(struct loop *l, struct loop_timer *t);
bool loop_timer_is_set(const struct loop_timer *t);

struct loop_soon {
    struct list_node node; /* private */
    void (*fn)(void *arg);
    void *arg;
};
/* Calls fn once, before the loop waits again. Nothing if it is waiting already. */
void loop_soon(struct loop *l, struct loop_soon *s);
void loop_soon_cancel(struct loop *l, struct loop_soon *s);

struct loop_hook {
    struct list_node node; /* private */
    void (*fn)(void *arg);
    void *arg;
};
/* Calls fn at the end of every turn. `late` ones come after all others: for those that flush what
 * the others queued, and queue nothing themselves. */
void loop_hook_add(struct loop *l, struct loop_hook *h, bool late);
void loop_hook_remove(struct loop *l, struct loop_hook *h);

/*
 * Runs work(arg) on a worker thread, then done(arg) on the loop. `arg` is all that the two share;
 * it is the job's until done is called. Jobs start in the order of asking.
 */
void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);
size_t loop_work_pending(const struct loop *l); /* asked for and not done */

/*
 * Readiness of a descriptor, level-triggered: fn is called in every turn in which something wanted
 * is possible, so want only what will be used. End and error show as both being ready: read or
 * write, and see. A regular file (stdin from one) is always ready. The descriptor stays its
 * owner's, and is closed only after loop_watch_free().
 */
struct loop_watch;
struct loop_watch *loop_watch(struct loop *l, int fd, void (*fn)(void *arg, bool in, bool out),
                              void *arg, struct err *e);
void loop_watch_want(struct loop_watch *w, bool in, bool out); /* at first: neither */
void loop_watch_free(struct loop_watch *w); /* NULL is fine; no call comes after */

#endif

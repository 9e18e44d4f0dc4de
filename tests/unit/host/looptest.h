/* For tests that turn a real loop: one loop a test, and a limit after which the test has failed. */
#ifndef TESTS_UNIT_HOST_LOOPTEST_H
#define TESTS_UNIT_HOST_LOOPTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <p2p/host/loop.h>
#include <stdio.h>

struct looptest {
    struct loop *l;
    struct loop_timer limit;
    bool late;
};

static inline void looptest_over(void *arg)
{
    struct looptest *t = arg;
    t->late = true;
    loop_stop(t->l);
}

static inline void looptest_open(struct looptest *t)
{
    struct err e = {0};
    *t = (struct looptest){.l = loop_new(&e)};
    assert_non_null(t->l);
    t->limit.fn = looptest_over;
    t->limit.arg = t;
}

/* Runs until loop_stop(); fails the test after 20 seconds. */
static inline void looptest_run(struct looptest *t)
{
    loop_timer_set(t->l, &t->limit, loop_now(t->l) + 20 * USEC_SEC);
    loop_run(t->l);
    loop_timer_cancel(t->l, &t->limit);
    assert_false(t->late);
}

static inline void looptest_stop(void *arg)
{
    loop_stop(arg);
}

/* Runs for so long, whatever happens. */
static inline void looptest_run_for(struct looptest *t, usec us)
{
    struct loop_timer end = {.fn = looptest_stop, .arg = t->l};
    loop_timer_set(t->l, &end, loop_now(t->l) + us);
    loop_run(t->l);
    loop_timer_cancel(t->l, &end);
}

static inline void looptest_close(struct looptest *t)
{
    loop_free(t->l);
}

#endif

/* Work on a thread that waits for the loop. */
#include <p2p/base/mem.h>
#include <p2p/host/errand.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct trip {
    struct loop *loop;
    struct errand *w;
    struct loop_timer timer;
    int questions, sum, last; /* the thread's, until it is over */
    int asked, done;          /* the loop's */
    int fd;
    enum { ASK, WAIT } what;
    int delay, limit;
};

static void work(struct errand *w, void *arg)
{
    struct trip *t = arg;

    for (int i = 1; t->what == ASK && i <= t->questions; i++) {
        int n = i;

        t->last = errand_ask(w, &n);
        if (t->last < 0)
            return;
        t->sum += t->last;
    }
    if (t->what == WAIT)
        t->last = errand_wait_out(w, t->fd);
}

static void answer(void *arg)
{
    struct trip *t = arg;

    errand_answer(t->w, 10);
}

static void asked(void *arg, void *question)
{
    struct trip *t = arg;
    int n = *(int *)question;

    t->asked++;
    assert_int_equal(n, t->asked);
    if (t->limit && t->asked == t->limit) {
        errand_cancel(t->w);
    } else if (t->delay) { /* later, in another turn */
        t->timer = (struct loop_timer){.fn = answer, .arg = t};
        loop_timer_set(t->loop, &t->timer, loop_now(t->loop) + 1000);
    } else {
        errand_answer(t->w, n);
    }
}

static void done(void *arg)
{
    struct trip *t = arg;

    t->done++;
    loop_stop(t->loop);
}

static void begin(struct trip *t)
{
    struct errand_calls c = {work, asked, done, t};
    struct err e = {0};

    t->loop = loop_new(&e);
    assert_non_null(t->loop);
    t->w = errand_new(t->loop, &c, &e);
    assert_non_null(t->w);
}

static void end(struct trip *t)
{
    errand_free(t->w);
    loop_free(t->loop);
}

static void asks(void **state)
{
    struct trip t = {.questions = 1000};
    (void)state;

    begin(&t);
    loop_run(t.loop);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.asked, 1000);
    assert_int_equal(t.sum, 1000 * 1001 / 2);
    assert_false(errand_canceled(t.w));
    end(&t);
}

static void waits(void **state)
{
    struct trip t = {.questions = 5, .delay = 1};
    (void)state;

    begin(&t);
    loop_run(t.loop);
    assert_int_equal(t.sum, 50);
    end(&t);
}

static void cancels(void **state)
{
    struct trip t = {.questions = 10, .limit = 3};
    (void)state;

    begin(&t);
    loop_run(t.loop);
    assert_int_equal(t.done, 1);
    assert_int_equal(t.asked, 3);
    assert_int_equal(t.last, ERR_CANCELED);
    end(&t);
}

static void cancel_it(void *arg)
{
    errand_cancel(((struct trip *)arg)->w);
}

/* A pipe that nobody reads: it is waited for until somebody does, or until it is cancelled. */
static void waits_for_a_pipe(void **state)
{
    char mem[4096] = {0};
    int fd[2];
    (void)state;

    for (int i = 0; i < 2; i++) {
        struct trip t = {.what = WAIT};

        assert_int_equal(pipe2(fd, O_NONBLOCK), 0);
        while (i == 0 && write(fd[1], mem, sizeof mem) > 0)
            ;
        t.fd = fd[1];
        begin(&t);
        if (i == 0) {
            t.timer = (struct loop_timer){.fn = cancel_it, .arg = &t};
            loop_timer_set(t.loop, &t.timer, loop_now(t.loop) + 1000);
        }
        loop_run(t.loop);
        assert_int_equal(t.last, i == 0 ? ERR_CANCELED : 0);
        end(&t);
        close(fd[0]);
        close(fd[1]);
    }
}

/* In the middle of a question that will never be answered. */
static void is_freed(void **state)
{
    struct trip t = {.questions = 10};
    (void)state;

    begin(&t);
    end(&t);
    assert_int_equal(t.done, 0);
    assert_int_equal(t.last, ERR_CANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks),     cmocka_unit_test(waits),
        cmocka_unit_test(cancels),  cmocka_unit_test(waits_for_a_pipe),
        cmocka_unit_test(is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The loop: order in a turn, timers, soons, hooks, jobs, watches. */
#include "looptest.h"

#include <fcntl.h>
#include <p2p/base/mem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct note { /* what happened, in order, a letter each */
    struct looptest t;
    char log[64];
    size_t n;
};

static void put(struct note *o, char c)
{
    if (o->n + 1 < sizeof o->log)
        o->log[o->n++] = c;
    o->log[o->n] = 0;
}

struct step {
    struct loop_timer timer;
    struct loop_soon soon;
    struct loop_hook hook;
    struct note *o;
    char letter;
    bool stops;
    struct step *then_soon, *then_cancel;
};

static void on_step(void *arg)
{
    struct step *s = arg;
    put(s->o, s->letter);
    if (s->then_soon)
        loop_soon(s->o->t.l, &s->then_soon->soon);
    if (s->then_cancel)
        loop_timer_cancel(s->o->t.l, &s->then_cancel->timer);
    if (s->stops)
        loop_stop(s->o->t.l);
}

static struct step step(struct note *o, char letter)
{
    return (struct step){.timer = {.fn = on_step},
                         .soon = {.fn = on_step},
                         .hook = {.fn = on_step},
                         .o = o,
                         .letter = letter};
}

static void step_aim(struct step *s)
{
    s->timer.arg = s->soon.arg = s->hook.arg = s;
}

static void test_timers_in_order(void **state)
{
    (void)state;
    struct note o = {0};
    looptest_open(&o.t);
    struct step a = step(&o, 'a'), b = step(&o, 'b'), c = step(&o, 'c'), d = step(&o, 'd');
    step_aim(&a), step_aim(&b), step_aim(&c), step_aim(&d);
    usec now = loop_now(o.t.l);
    loop_timer_set(o.t.l, &c.timer, now + 30 * USEC_MS);
    loop_timer_set(o.t.l, &a.timer, now - USEC_SEC);
    loop_timer_set(o.t.l, &d.timer, now + 10 * USEC_MS);
    loop_timer_set(o.t.l, &b.timer, now + 99 * USEC_SEC);
    loop_timer_set(o.t.l, &b.timer, now + 20 * USEC_MS); /* moved */
    assert_true(loop_timer_is_set(&b.timer));
    b.then_cancel = NULL;
    a.then_cancel = &d;
    c.stops = true;
    looptest_run(&o.t);
    assert_string_equal(o.log, "abc");
    assert_true(loop_now(o.t.l) >= now + 30 * USEC_MS);
    assert_false(loop_timer_is_set(&b.timer));
    looptest_close(&o.t);
}

struct again {
    struct looptest t;
    struct loop_timer timer;
    struct loop_hook hook;
    int fired, turns;
};

static void on_again(void *arg)
{
    struct again *g = arg;
    if (++g->fired == 5)
        loop_stop(g->t.l);
    else
        loop_timer_set(g->t.l, &g->timer, loop_now(g->t.l) - 1);
}

static void on_turn(void *arg)
{
    struct again *g = arg;
    g->turns++;
}

static void test_timer_for_now_waits_a_turn(void **state)
{
    (void)state;
    struct again g = {0};
    looptest_open(&g.t);
    g.timer = (struct loop_timer){.fn = on_again, .arg = &g};
    g.hook = (struct loop_hook){.fn = on_turn, .arg = &g};
    loop_hook_add(g.t.l, &g.hook, false);
    loop_timer_set(g.t.l, &g.timer, 0);
    looptest_run(&g.t);
    assert_int_equal(g.fired, 5);
    assert_true(g.turns >= 5);
    loop_hook_remove(g.t.l, &g.hook);
    looptest_close(&g.t);
}

static void test_turn_order(void **state)
{
    (void)state;
    struct note o = {0};
    looptest_open(&o.t);
    struct step t = step(&o, 't'), s = step(&o, 's'), h = step(&o, 'h'), i = step(&o, 'i'),
                late = step(&o, 'L'), put_off = step(&o, 'p');
    step_aim(&t), step_aim(&s), step_aim(&h), step_aim(&i), step_aim(&late), step_aim(&put_off);
    loop_hook_add(o.t.l, &late.hook, true);
    loop_hook_add(o.t.l, &h.hook, false);
    loop_hook_add(o.t.l, &i.hook, false);
    t.then_soon = &s;
    i.then_soon = &put_off;
    put_off.stops = true;
    loop_timer_set(o.t.l, &t.timer, 0);
    looptest_run(&o.t);
    assert_string_equal(o.log, "tshipL");
    loop_hook_remove(o.t.l, &h.hook);
    loop_hook_remove(o.t.l, &i.hook);
    loop_hook_remove(o.t.l, &late.hook);
    loop_hook_remove(o.t.l, &late.hook); /* again: nothing */
    looptest_close(&o.t);
}

/* What a soon brings after the hooks have run must not sleep until something else happens. */
static void test_soon_after_hooks_comes_back_at_once(void **state)
{
    (void)state;
    struct note o = {0};
    looptest_open(&o.t);
    struct step h = step(&o, 'h'), p = step(&o, 'p'), q = step(&o, 'q'), end = step(&o, '.');
    step_aim(&h), step_aim(&p), step_aim(&q), step_aim(&end);
    loop_hook_add(o.t.l, &h.hook, false);
    loop_soon(o.t.l, &p.soon);
    p.then_soon = &q;
    q.then_soon = &end;
    end.stops = true;
    usec from = loop_now(o.t.l);
    looptest_run(&o.t);
    assert_string_equal(o.log, "phq.h");
    assert_true(loop_now(o.t.l) - from < 5 * USEC_SEC);
    loop_soon(o.t.l, &p.soon);
    loop_soon_cancel(o.t.l, &p.soon);
    loop_soon_cancel(o.t.l, &p.soon);
    loop_hook_remove(o.t.l, &h.hook);
    looptest_close(&o.t);
}

struct remover {
    struct loop_hook hook;
    struct loop *l;
    struct loop_hook *victim;
    int called;
};

static void on_remove(void *arg)
{
    struct remover *r = arg;
    r->called++;
    loop_hook_remove(r->l, r->victim);
    loop_hook_remove(r->l, &r->hook);
}

static void test_hook_removes_itself_and_the_next(void **state)
{
    (void)state;
    struct note o = {0};
    looptest_open(&o.t);
    struct step v = step(&o, 'v'), w = step(&o, 'w');
    step_aim(&v), step_aim(&w);
    struct remover r = {.l = o.t.l, .victim = &v.hook};
    r.hook = (struct loop_hook){.fn = on_remove, .arg = &r};
    loop_hook_add(o.t.l, &r.hook, false);
    loop_hook_add(o.t.l, &v.hook, false);
    loop_hook_add(o.t.l, &w.hook, false);
    w.stops = true;
    looptest_run(&o.t);
    assert_string_equal(o.log, "w");
    assert_int_equal(r.called, 1);
    loop_hook_remove(o.t.l, &w.hook);
    looptest_close(&o.t);
}

static void test_stop_before_run(void **state)
{
    (void)state;
    struct looptest t;
    looptest_open(&t);
    loop_stop(t.l);
    looptest_run(&t);
    looptest_close(&t);
    loop_free(NULL);
}

struct work {
    struct looptest *t;
    pthread_t main;
    atomic_int ran;
    int done, of;
    bool elsewhere, refill;
};

static void do_work(void *arg)
{
    struct work *w = arg;
    atomic_fetch_add(&w->ran, 1);
    w->elsewhere = !pthread_equal(pthread_self(), w->main);
}

static void on_worked(void *arg)
{
    struct work *w = arg;
    assert_true(pthread_equal(pthread_self(), w->main));
    if (++w->done < w->of)
        loop_work(w->t->l, do_work, on_worked, w);
    else
        loop_stop(w->t->l);
}

static void test_work(void **state)
{
    (void)state;
    struct looptest t;
    looptest_open(&t);
    assert_true(loop_workers(t.l) >= LOOP_WORKERS_MIN);
    struct work w = {.t = &t, .main = pthread_self(), .of = 1000};
    loop_work(t.l, do_work, on_worked, &w);
    assert_int_equal(loop_work_pending(t.l), 1);
    looptest_run(&t);
    assert_int_equal(atomic_load(&w.ran), 1000);
    assert_true(w.elsewhere);
    assert_int_equal(loop_work_pending(t.l), 0);
    looptest_close(&t);
}

static void on_counted(void *arg)
{
    struct work *w = arg;
    w->done++;
}

static void test_free_waits_for_work(void **state)
{
    (void)state;
    struct looptest t;
    looptest_open(&t);
    struct work w = {.t = &t, .main = pthread_self()};
    for (int i = 0; i < 100; i++)
        loop_work(t.l, do_work, on_counted, &w);
    looptest_close(&t);
    assert_int_equal(w.done, 100);
}

struct reader {
    struct looptest *t;
    struct loop_watch *w;
    int fd;
    size_t got;
    int calls, writes;
    bool end;
};

static void on_readable(void *arg, bool in, bool out)
{
    struct reader *r = arg;
    char b[10];
    r->calls++;
    r->writes += out;
    if (!in)
        return;
    ssize_t n = read(r->fd, b, sizeof b);
    if (n > 0) {
        r->got += (size_t)n;
    } else {
        r->end = true;
        loop_watch_want(r->w, false, false);
        loop_stop(r->t->l);
    }
}

static void test_watch_pipe(void **state)
{
    (void)state;
    struct looptest t;
    struct err e = {0};
    int fd[2];
    looptest_open(&t);
    assert_int_equal(pipe(fd), 0);
    struct reader r = {.t = &t, .fd = fd[0]};
    r.w = loop_watch(t.l, fd[0], on_readable, &r, &e);
    assert_non_null(r.w);
    assert_int_equal(write(fd[1], "twenty-five bytes of text", 25), 25);
    looptest_run_for(&t, 20 * USEC_MS);
    assert_int_equal(r.calls, 0); /* nothing wanted yet */
    loop_watch_want(r.w, true, false);
    looptest_run_for(&t, 20 * USEC_MS);
    assert_int_equal(r.got, 25);
    close(fd[1]);
    looptest_run(&t);
    assert_true(r.end);
    loop_watch_free(r.w);
    assert_false(fcntl(fd[0], F_GETFL) & O_NONBLOCK); /* as it was before */
    looptest_run_for(&t, USEC_MS);
    loop_watch_free(NULL);
    close(fd[0]);
    looptest_close(&t);
}

static void test_watch_pipe_without_reader(void **state)
{
    (void)state;
    struct looptest t;
    struct err e = {0};
    int fd[2];
    looptest_open(&t);
    assert_int_equal(pipe(fd), 0);
    struct reader r = {.t = &t, .fd = fd[1]};
    r.w = loop_watch(t.l, fd[1], on_readable, &r, &e);
    close(fd[0]);
    loop_watch_want(r.w, false, true);
    looptest_run_for(&t, 20 * USEC_MS);
    assert_true(r.writes > 0); /* and a write, which the loop made harmless, says EPIPE */
    assert_int_equal(write(fd[1], "x", 1), -1);
    loop_watch_free(r.w);
    close(fd[1]);
    looptest_close(&t);
}

static void test_watch_regular_file(void **state)
{
    (void)state;
    struct looptest t;
    struct err e = {0};
    char name[] = "/tmp/p2p-loop-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, "eleven byte", 11), 11);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    looptest_open(&t);
    struct reader r = {.t = &t, .fd = fd};
    r.w = loop_watch(t.l, fd, on_readable, &r, &e);
    assert_non_null(r.w);
    loop_watch_want(r.w, true, false);
    looptest_run(&t);
    assert_int_equal(r.got, 11);
    assert_true(r.end);
    loop_watch_want(r.w, true, false);
    loop_watch_free(r.w);
    close(fd);
    looptest_close(&t);
}

static void test_watch_bad_descriptor(void **state)
{
    (void)state;
    struct looptest t;
    struct err e = {0};
    looptest_open(&t);
    assert_null(loop_watch(t.l, 987654, on_readable, NULL, &e));
    assert_int_equal(e.code, ERR_IO);
    looptest_close(&t);
}

/* A callback that frees the other watch of the same turn: the other must hear nothing more. */
struct pair {
    struct looptest *t;
    struct pair *other;
    struct loop_watch *w;
    int calls;
};

static void on_pair(void *arg, bool in, bool out)
{
    struct pair *p = arg;
    (void)in, (void)out;
    p->calls++;
    if (p->other->w) {
        loop_watch_free(p->other->w);
        p->other->w = NULL;
    }
    loop_watch_free(p->w);
    p->w = NULL;
    loop_stop(p->t->l);
}

static void test_watch_freed_by_another(void **state)
{
    (void)state;
    struct looptest t;
    struct err e = {0};
    int a[2], b[2];
    looptest_open(&t);
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    struct pair p = {.t = &t}, q = {.t = &t, .other = &p};
    p.other = &q;
    p.w = loop_watch(t.l, a[0], on_pair, &p, &e);
    q.w = loop_watch(t.l, b[0], on_pair, &q, &e);
    loop_watch_want(p.w, true, false);
    loop_watch_want(q.w, true, false);
    assert_int_equal(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
    looptest_run(&t);
    looptest_run_for(&t, 10 * USEC_MS);
    assert_int_equal(p.calls + q.calls, 1);
    for (int i = 0; i < 2; i++)
        close(a[i]), close(b[i]);
    looptest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_in_order),
        cmocka_unit_test(test_timer_for_now_waits_a_turn),
        cmocka_unit_test(test_turn_order),
        cmocka_unit_test(test_soon_after_hooks_comes_back_at_once),
        cmocka_unit_test(test_hook_removes_itself_and_the_next),
        cmocka_unit_test(test_stop_before_run),
        cmocka_unit_test(test_work),
        cmocka_unit_test(test_free_waits_for_work),
        cmocka_unit_test(test_watch_pipe),
        cmocka_unit_test(test_watch_pipe_without_reader),
        cmocka_unit_test(test_watch_regular_file),
        cmocka_unit_test(test_watch_bad_descriptor),
        cmocka_unit_test(test_watch_freed_by_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Functions in processes of their own: reports, ends of every kind, and what a child may not do. */
#include "looptest.h"
#include "host/aside.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
    int number;
    char text[200];
};

struct outcome {
    struct looptest *t;
    int calls;
    bool whole;
    struct report got;
};

static void on_done(void *arg, const void *report)
{
    struct outcome *o = arg;
    o->calls++;
    o->whole = report != NULL;
    if (report)
        memcpy(&o->got, report, sizeof o->got);
    loop_stop(o->t->l);
}

static struct outcome run(void (*fn)(void *, void *), void *task, usec patience)
{
    struct looptest t;
    struct outcome o = {.t = &t};
    looptest_open(&t);
    struct aside_task a = {.run = fn,
                           .task = task,
                           .report_size = sizeof(struct report),
                           .patience = patience,
                           .done = on_done,
                           .arg = &o};
    assert_non_null(aside_start(t.l, &a));
    assert_int_equal(o.calls, 0);
    looptest_run(&t);
    assert_int_equal(o.calls, 1);
    assert_true(waitpid(-1, NULL, WNOHANG) < 0); /* no child is left */
    looptest_close(&t);
    return o;
}

static void add_one(void *task, void *report)
{
    struct report *r = report;
    int *n = task;
    r->number = ++*n;
    strcpy(r->text, "told");
}

static void test_report(void **state)
{
    (void)state;
    int n = 41;
    struct outcome o = run(add_one, &n, 10 * USEC_SEC);
    assert_true(o.whole);
    assert_int_equal(o.got.number, 42);
    assert_string_equal(o.got.text, "told");
    assert_int_equal(n, 41); /* what it does to memory is not ours to see */
}

static void die(void *task, void *report)
{
    (void)task, (void)report;
    raise(SIGKILL);
}
static void leave(void *task, void *report)
{
    (void)task, (void)report;
    _exit(0);
}
static void hang(void *task, void *report)
{
    (void)task, (void)report;
    for (;;)
        pause();
}
static void hang_with_signals(void *task, void *report)
{
    raise(SIGTERM); /* blocked: a terminal's Ctrl-C is for the program, not for this */
    raise(SIGINT);
    add_one(task, report);
}
static void say_more(void *task, void *report)
{
    char b[sizeof(struct report)] = "x";
    (void)task, (void)report;
    ssize_t n = write(3, b, sizeof b); /* and the report follows */
    (void)n;
}

static void test_bad_ends(void **state)
{
    (void)state;
    assert_false(run(die, NULL, 10 * USEC_SEC).whole);
    assert_false(run(leave, NULL, 10 * USEC_SEC).whole);
    assert_false(run(hang, NULL, 50 * USEC_MS).whole);
    assert_false(run(say_more, NULL, 10 * USEC_SEC).whole);
}

static void test_signals(void **state)
{
    (void)state;
    int n = 1;
    assert_true(run(hang_with_signals, &n, 10 * USEC_SEC).whole);
}

/* Takes more than it may, page by page, as a library does that believes a Content-Length. */
static void take_memory(void *task, void *report)
{
    struct report *r = report;
    char *p = NULL;
    size_t n;
    (void)task;
    for (n = 1u << 20; n <= 1u << 30; n += 1u << 20) {
        char *more = realloc(p, n);
        if (!more)
            break;
        p = more;
        memset(p + n - 4096, 1, 4096);
    }
    r->number = (int)(n >> 20);
    free(p);
}

static void test_memory(void **state)
{
    (void)state;
    struct outcome o = run(take_memory, NULL, 10 * USEC_SEC);
    if (o.whole) { /* a sanitizer ends it instead */
        assert_true(o.got.number > 4);
        assert_true(o.got.number <= (int)(ASIDE_MEMORY >> 20) + 1);
    }
}

static void list_descriptors(void *task, void *report)
{
    struct report *r = report;
    (void)task;
    for (int fd = 0; fd < 200; fd++)
        r->number += fcntl(fd, F_GETFD) >= 0;
    puts("this is heard by nobody");
    fflush(stdout);
    char link[100] = "";
    if (readlink("/proc/self/fd/2", link, sizeof link - 1) > 0)
        strcpy(r->text, link);
}

static void test_descriptors(void **state)
{
    (void)state;
    int extra = open("/dev/null", O_RDONLY);
    struct outcome o = run(list_descriptors, NULL, 10 * USEC_SEC);
    close(extra);
    assert_true(o.whole);
    assert_int_equal(o.got.number, 4); /* 0, 1, 2 and the pipe */
    assert_string_equal(o.got.text, "/dev/null");
}

static void test_cancel(void **state)
{
    (void)state;
    struct looptest t;
    struct outcome o = {.t = &t};
    looptest_open(&t);
    struct aside_task a = {.run = hang,
                           .report_size = sizeof(struct report),
                           .patience = 10 * USEC_SEC,
                           .done = on_done,
                           .arg = &o};
    aside_cancel(aside_start(t.l, &a));
    aside_cancel(NULL);
    looptest_run_for(&t, 20 * USEC_MS);
    assert_int_equal(o.calls, 0);
    assert_true(waitpid(-1, NULL, WNOHANG) < 0);
    looptest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report),      cmocka_unit_test(test_bad_ends),
        cmocka_unit_test(test_signals),     cmocka_unit_test(test_memory),
        cmocka_unit_test(test_descriptors), cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

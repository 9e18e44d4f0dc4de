/* Names and addresses written out. "localhost" is the one name that every host can resolve. */
#include "looptest.h"

#include <p2p/host/resolve.h>
#include <string.h>

struct asked {
    struct looptest *t;
    int calls, code, wait_for;
    struct addr v[RESOLVE_MAX];
    size_t n;
    char why[500];
};

static void on_answer(void *arg, int code, const struct addr *v, size_t n, const struct err *e)
{
    struct asked *a = arg;
    a->calls++;
    a->code = code;
    a->n = n;
    assert_int_equal(e->code, code);
    if (n)
        memcpy(a->v, v, n * sizeof *v);
    strcpy(a->why, e->msg);
    if (a->calls == a->wait_for)
        loop_stop(a->t->l);
}

static struct asked ask(const char *host, int family)
{
    struct looptest t;
    struct asked a = {.t = &t, .wait_for = 1};
    looptest_open(&t);
    assert_non_null(resolve_start(t.l, host, 6881, family, on_answer, &a));
    assert_int_equal(a.calls, 0);
    looptest_run(&t);
    looptest_close(&t);
    assert_int_equal(a.calls, 1);
    return a;
}

static void test_written_out(void **state)
{
    (void)state;
    static const struct {
        const char *host, *text;
        int family, code;
    } row[] = {
        {"192.0.2.7", "192.0.2.7:6881", 0, 0},
        {"192.0.2.7", "192.0.2.7:6881", 4, 0},
        {"192.0.2.7", NULL, 6, ERR_NOTFOUND},
        {"2001:db8::1", "[2001:db8::1]:6881", 6, 0},
        {"2001:db8::1", NULL, 4, ERR_NOTFOUND},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct asked a = ask(row[i].host, row[i].family);
        char text[ADDR_TEXT];
        assert_int_equal(a.code, row[i].code);
        assert_int_equal(a.n, row[i].text ? 1 : 0);
        addr_text(&a.v[0], text);
        if (row[i].text)
            assert_string_equal(text, row[i].text);
    }
}

static void test_localhost(void **state)
{
    (void)state;
    struct asked a = ask("localhost", 4);
    assert_int_equal(a.code, 0);
    assert_true(a.n >= 1);
    assert_int_equal(addr_scope(&a.v[0]), ADDR_LOOPBACK);
    assert_int_equal(a.v[0].port, 6881);
}

static void test_impossible_names(void **state)
{
    (void)state;
    char name[600];
    struct asked a = ask("", 0);
    assert_int_equal(a.code, ERR_NOTFOUND);
    memset(name, 'a', sizeof name);
    for (size_t i = 50; i < sizeof name; i += 50)
        name[i] = '.';
    name[sizeof name - 1] = 0;
    a = ask(name, 0);
    assert_int_equal(a.code, ERR_NOTFOUND);
    name[RESOLVE_NAME_MAX + 2] = 0;
    a = ask(name, 0);
    assert_int_equal(a.code, ERR_NOTFOUND);
}

/* Whether a name server is there or not, a name that cannot be ends in an error with words. */
static void test_no_such_name(void **state)
{
    (void)state;
    struct asked a = ask("no such name", 0);
    assert_true(a.code == ERR_NOTFOUND || a.code == ERR_NET);
    assert_non_null(strstr(a.why, "no such name"));
}

static void test_cancel(void **state)
{
    (void)state;
    struct looptest t;
    struct asked a = {.t = &t};
    looptest_open(&t);
    resolve_cancel(resolve_start(t.l, "127.0.0.1", 1, 0, on_answer, &a));
    struct resolve *r = resolve_start(t.l, "localhost", 1, 0, on_answer, &a);
    struct loop_timer soon = {.fn = looptest_stop, .arg = t.l};
    loop_timer_set(t.l, &soon, 0); /* after the thread has started */
    looptest_run(&t);
    resolve_cancel(r);
    looptest_run_for(&t, 30 * USEC_MS);
    assert_int_equal(a.calls, 0);
    resolve_cancel(NULL);
    looptest_close(&t);
}

static void test_more_than_threads(void **state)
{
    (void)state;
    struct looptest t;
    struct asked a = {.t = &t, .wait_for = 3 * RESOLVE_THREADS};
    looptest_open(&t);
    for (int i = 0; i < a.wait_for; i++)
        resolve_start(t.l, "localhost", 1, 4, on_answer, &a);
    looptest_run(&t);
    assert_int_equal(a.code, 0);
    looptest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_out),   cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_impossible_names), cmocka_unit_test(test_no_such_name),
        cmocka_unit_test(test_cancel),        cmocka_unit_test(test_more_than_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Connections that are kept: who asks is told when there is none and one has to be opened, and when
 * there is one. */
#include "httpd.h"

#include <p2p/host/http.h>

struct asked {
    struct looptest *t;
    unsigned opened, sent;
    int code;
};

static void on_opens(void *owner)
{
    struct asked *a = owner;
    a->opened++;
}

static void on_sent(void *owner)
{
    struct asked *a = owner;
    a->sent++;
}

static void on_end(void *owner, int code, const struct http_head *h, const struct err *e)
{
    struct asked *a = owner;
    (void)h;
    (void)e;
    a->code = code;
    loop_stop(a->t->l);
}

static void on_fetched(void *owner, int code, const struct http_head *h, struct bytes body,
                       const struct err *e)
{
    (void)body;
    on_end(owner, code, h, e);
}

/* How many connections were opened for it. */
static unsigned ask(struct looptest *t, struct http *h, uint16_t port, bool whole)
{
    static const struct http_events events = {.end = on_end};
    char url[100];
    struct asked a = {.t = t, .code = 1};
    struct http_request r = {.url = url, .opens = on_opens, .sent = on_sent};
    snprintf(url, sizeof url, "http://127.0.0.1:%u/small", port);
    if (whole)
        http_fetch(h, &r, on_fetched, &a);
    else
        http_get(h, &r, &events, &a);
    looptest_run(t);
    assert_int_equal(a.code, 0);
    assert_int_equal(a.sent, 1);
    return a.opened;
}

static void test_opens(void **state)
{
    (void)state;
    struct looptest t;
    struct httpd d;
    looptest_open(&t);
    httpd_open(&d, t.l);
    struct http *h = http_new(t.l, "test/1");
    uint16_t port = tcp_listener_port(d.s);
    assert_int_equal(ask(&t, h, port, true), 1);
    assert_int_equal(ask(&t, h, port, true), 0);
    assert_int_equal(ask(&t, h, port, false), 0);
    assert_int_equal(d.connections, 1);
    httpd_drop(LIST_OF(list_first(&d.callers), struct httpd_caller, node));
    assert_int_equal(ask(&t, h, port, false), 1);
    assert_int_equal(ask(&t, h, port, true), 0);
    assert_int_equal(d.connections, 2);
    http_free(h);
    httpd_close(&d);
    looptest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_opens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* TCP on loopback: data both ways, from files, to slow readers; ends, errors, EMFILE. */
#include "looptest.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <p2p/base/mem.h>
#include <p2p/host/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct end { /* one side of a connection, and what befell it */
    struct looptest *t;
    struct tcp *c;
    uint8_t *in;
    size_t got, cap, until; /* stops the loop at so many bytes */
    const uint8_t *out;
    size_t sent, total;
    int connected, code, writables;
    bool is_connected, eof, close_when_called;
    ssize_t failed;
};

static void end_close(struct end *n)
{
    tcp_close(n->c);
    n->c = NULL;
}

static void on_connected(void *owner, int code)
{
    struct end *n = owner;
    n->connected++;
    n->code = code;
    n->is_connected = code == 0;
    if (n->close_when_called)
        end_close(n);
    else if (!code)
        tcp_want(n->c, true, n->total > 0);
    if (code || n->close_when_called)
        loop_stop(n->t->l);
}

static void on_readable(void *owner)
{
    struct end *n = owner;
    if (n->close_when_called) {
        end_close(n);
        loop_stop(n->t->l);
        return;
    }
    /* In three uneven slices, to have readv at work. */
    size_t room = n->cap - n->got, a = room / 3, b = room / 5;
    struct span v[3] = {
        {n->in + n->got, a}, {n->in + n->got + a, b}, {n->in + n->got + a + b, room - a - b}};
    ssize_t r = tcp_recv(n->c, v, 3);
    if (r > 0) {
        n->got += (size_t)r;
    } else if (r < 0) {
        n->eof = r == TCP_EOF;
        n->failed = r;
        tcp_want(n->c, false, false);
    }
    if (r < 0 || (n->until && n->got >= n->until))
        loop_stop(n->t->l);
}

static void on_writable(void *owner)
{
    struct end *n = owner;
    n->writables++;
    if (n->close_when_called) {
        end_close(n);
        return;
    }
    for (;;) {
        size_t left = n->total - n->sent;
        struct bytes v[2] = {BYTES(n->out + n->sent, left / 2),
                             BYTES(n->out + n->sent + left / 2, left - left / 2)};
        ssize_t r = left ? tcp_send(n->c, v, 2) : 0;
        if (r <= 0) {
            n->failed = r;
            tcp_want(n->c, true, left > 0 && r == 0);
            if (r < 0)
                loop_stop(n->t->l);
            return;
        }
        n->sent += (size_t)r;
    }
}

static const struct tcp_events events = {on_connected, on_readable, on_writable};

struct place { /* a listener and the ends on both sides */
    struct looptest t;
    struct tcp_listener *s;
    struct end a, b; /* a dials, b is accepted */
    int accepted;
    bool close_accepted, close_listener;
};

static void on_accepted(void *arg, struct tcp *c)
{
    struct place *p = arg;
    p->accepted++;
    if (p->close_listener) {
        tcp_listener_free(p->s);
        p->s = NULL;
        loop_stop(p->t.l);
    }
    if (p->close_accepted || p->b.c) {
        tcp_close(c);
        return;
    }
    p->b.c = c;
    tcp_own(c, &events, &p->b);
    tcp_want(c, true, p->b.total > 0);
}

static struct addr addr_of(const char *s)
{
    struct addr a;
    assert_true(addr_parse(&a, s));
    return a;
}

static void place_open(struct place *p, const char *at)
{
    struct err e = {0};
    struct addr a = addr_of(at);
    *p = (struct place){0};
    looptest_open(&p->t);
    p->a.t = p->b.t = &p->t;
    p->a.cap = p->b.cap = 1 << 20;
    p->a.in = mem_alloc(p->a.cap);
    p->b.in = mem_alloc(p->b.cap);
    p->s = tcp_listen(p->t.l, &a, 0, on_accepted, p, &e);
    assert_non_null(p->s);
}

static void place_dial(struct place *p)
{
    struct err e = {0};
    struct addr to;
    assert_true(tcp_listener_addr(p->s, 0, &to));
    assert_int_equal(to.port, tcp_listener_port(p->s));
    p->a.c = tcp_dial(p->t.l, &to, NULL, &events, &p->a, &e);
    assert_non_null(p->a.c);
}

static void place_close(struct place *p)
{
    tcp_close(p->a.c);
    tcp_close(p->b.c);
    tcp_listener_free(p->s);
    free(p->a.in);
    free(p->b.in);
    looptest_close(&p->t);
}

static void both_ways(const char *at)
{
    struct place p;
    place_open(&p, at);
    p.a.out = (const uint8_t *)"question", p.a.total = 8;
    p.b.out = (const uint8_t *)"answer", p.b.total = p.a.until = 6;
    place_dial(&p);
    looptest_run(&p.t);
    looptest_run_for(&p.t, 20 * USEC_MS);
    assert_int_equal(p.a.connected, 1);
    assert_int_equal(p.a.code, 0);
    assert_memory_equal(p.a.in, "answer", 6);
    assert_int_equal(p.b.got, 8);
    assert_memory_equal(p.b.in, "question", 8);
    struct addr here;
    assert_true(tcp_local(p.a.c, &here));
    assert_true(addr_eq(&here, tcp_peer(p.b.c)));
    assert_true(tcp_local(p.b.c, &here));
    assert_true(addr_eq(&here, tcp_peer(p.a.c)));
    end_close(&p.b);
    looptest_run(&p.t);
    assert_true(p.a.eof);
    assert_int_equal(p.b.connected, 0);
    place_close(&p);
}

static void test_both_ways_v4(void **state)
{
    (void)state;
    both_ways("127.0.0.1:0");
}

static void test_both_ways_v6(void **state)
{
    (void)state;
    both_ways("[::1]:0");
}

/* How many of our connected sockets BBR paces. */
static int paced(void)
{
    int n = 0;
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_storage ss;
        socklen_t len = sizeof ss;
        char name[16] = {0};
        if (getpeername(fd, (struct sockaddr *)&ss, &len))
            continue;
        len = sizeof name - 1;
        if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0)
            n += strncmp(name, "bbr", 3) == 0;
    }
    return n;
}

/* Where the system chooses another, there is nothing to see; tests/unit/host/pace.c makes it. */
static void test_nobody_paces_who_is_near(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, "127.0.0.1:0");
    p.a.out = (const uint8_t *)"question", p.a.total = p.b.until = 8;
    place_dial(&p);
    looptest_run(&p.t);
    assert_int_equal(p.b.got, 8);
    assert_int_equal(paced(), 0);
    place_close(&p);
}

static void test_every_address_on_one_port(void **state)
{
    (void)state;
    struct place p;
    struct err e = {0};
    struct addr a, b;
    place_open(&p, "0.0.0.0:0");
    assert_true(tcp_listener_addr(p.s, 0, &a));
    assert_int_equal(a.family, 4);
    if (tcp_listener_addr(p.s, 1, &b)) {
        assert_int_equal(b.family, 6);
        assert_int_equal(a.port, b.port);
        struct addr to = addr_of("[::1]:0");
        to.port = b.port;
        p.a.c = tcp_dial(p.t.l, &to, NULL, &events, &p.a, &e);
        looptest_run_for(&p.t, 50 * USEC_MS);
        assert_int_equal(p.accepted, 1);
    }
    assert_false(tcp_listener_addr(p.s, 2, &b));
    assert_null(tcp_listen(p.t.l, NULL, a.port, on_accepted, &p, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(e.os, EADDRINUSE);
    place_close(&p);
}

static void test_listen_where_we_are_not(void **state)
{
    (void)state;
    struct looptest t;
    struct err e = {0};
    struct addr at = addr_of("198.51.100.1:0");
    looptest_open(&t);
    assert_null(tcp_listen(t.l, &at, 0, on_accepted, NULL, &e));
    assert_int_equal(e.code, ERR_IO);
    tcp_listener_free(NULL);
    tcp_close(NULL);
    looptest_close(&t);
}

static void test_refused(void **state)
{
    (void)state;
    struct place p;
    struct err e = {0};
    struct addr to;
    place_open(&p, "127.0.0.1:0");
    tcp_listener_addr(p.s, 0, &to);
    tcp_listener_free(p.s);
    p.s = NULL;
    p.a.c = tcp_dial(p.t.l, &to, NULL, &events, &p.a, &e);
    tcp_want(p.a.c, true, true); /* too early, and harmless */
    looptest_run(&p.t);
    assert_int_equal(p.a.code, ERR_NET);
    assert_int_equal(tcp_errno(p.a.c), ECONNREFUSED);
    place_close(&p);
}

static void test_dial_fails_at_once(void **state)
{
    (void)state;
    struct looptest t;
    struct err e = {0};
    struct addr to = addr_of("224.0.0.1:9"), from = addr_of("198.51.100.1:0");
    looptest_open(&t);
    assert_null(tcp_dial(t.l, &to, NULL, &events, NULL, &e));
    assert_int_equal(e.code, ERR_NET);
    err_clear(&e);
    to = addr_of("127.0.0.1:9");
    assert_null(tcp_dial(t.l, &to, &from, &events, NULL, &e));
    assert_int_not_equal(e.code, 0);
    looptest_close(&t);
}

static void test_dial_from(void **state)
{
    (void)state;
    struct place p;
    struct err e = {0};
    struct addr to, from = addr_of("127.0.0.2:0");
    place_open(&p, "127.0.0.1:0");
    tcp_listener_addr(p.s, 0, &to);
    p.a.c = tcp_dial(p.t.l, &to, &from, &events, &p.a, &e);
    assert_non_null(p.a.c);
    looptest_run_for(&p.t, 50 * USEC_MS);
    assert_true(addr_same_ip(tcp_peer(p.b.c), &from));
    place_close(&p);
}

static uint8_t *pattern(size_t n)
{
    uint8_t *p = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 31 + (i >> 11));
    return p;
}

/* The reader sleeps first: the sender must be told to wait, without a loop turning hot, and all
 * must arrive. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct place p;
    size_t n = 24u << 20;
    uint8_t *data = pattern(n);
    place_open(&p, "127.0.0.1:0");
    free(p.b.in);
    p.b.in = mem_alloc(n);
    p.b.cap = p.b.until = n;
    p.a.out = data;
    p.a.total = n;
    place_dial(&p);
    looptest_run_for(&p.t, 10 * USEC_MS);
    assert_non_null(p.b.c);
    tcp_want(p.b.c, false, false);
    looptest_run_for(&p.t, 100 * USEC_MS);
    assert_true(p.a.sent < n);
    int before = p.a.writables;
    looptest_run_for(&p.t, 50 * USEC_MS);
    assert_int_equal(p.a.writables, before);
    tcp_want(p.b.c, true, false);
    looptest_run(&p.t);
    assert_int_equal(p.b.got, n);
    assert_memory_equal(p.b.in, data, n);
    place_close(&p);
    free(data);
}

static void test_reset(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, "127.0.0.1:0");
    p.a.out = (const uint8_t *)"unread", p.a.total = 6;
    place_dial(&p);
    looptest_run_for(&p.t, 5 * USEC_MS);
    tcp_want(p.b.c, false, false);
    looptest_run_for(&p.t, 20 * USEC_MS);
    struct bytes more = BYTES_LIT("more");
    assert_int_equal(tcp_send(p.a.c, &more, 1), 4);
    looptest_run_for(&p.t, 20 * USEC_MS);
    end_close(&p.b); /* with bytes unread: a reset */
    looptest_run(&p.t);
    assert_int_equal(p.a.failed, ERR_NET);
    assert_int_equal(tcp_errno(p.a.c), ECONNRESET);
    struct bytes v = BYTES_LIT("to nobody");
    assert_int_equal(tcp_send(p.a.c, &v, 1), ERR_NET);
    assert_int_equal(tcp_errno(p.a.c), EPIPE);
    place_close(&p);
}

static void test_close_in_callbacks(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        struct place p;
        place_open(&p, "127.0.0.1:0");
        p.close_accepted = which == 0;
        p.a.close_when_called = which == 1;
        p.b.close_when_called = which >= 2;
        p.a.out = (const uint8_t *)"x", p.a.total = 1;
        p.b.total = which == 3; /* readable and writable in one call */
        place_dial(&p);
        looptest_run(&p.t);
        looptest_run_for(&p.t, 20 * USEC_MS);
        assert_int_equal(p.accepted, 1);
        place_close(&p);
    }
}

static void test_listener_freed_in_accepted(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, "127.0.0.1:0");
    p.close_listener = true;
    place_dial(&p);
    looptest_run(&p.t);
    assert_null(p.s);
    assert_int_equal(p.accepted, 1);
    place_close(&p);
}

static void test_recv_without_room(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, "127.0.0.1:0");
    place_dial(&p);
    looptest_run_for(&p.t, 20 * USEC_MS);
    end_close(&p.a);
    struct span none[2] = {{p.b.in, 0}, {p.b.in, 0}};
    assert_int_equal(tcp_recv(p.b.c, none, 2), 0);
    assert_int_equal(tcp_recv(p.b.c, none, 0), 0);
    place_close(&p);
}

static void test_pause(void **state)
{
    (void)state;
    struct place p;
    place_open(&p, "127.0.0.1:0");
    tcp_listener_pause(p.s, true);
    place_dial(&p);
    looptest_run_for(&p.t, 50 * USEC_MS);
    assert_true(p.a.is_connected); /* by the kernel */
    assert_int_equal(p.accepted, 0);
    tcp_listener_pause(p.s, false);
    looptest_run_for(&p.t, 50 * USEC_MS);
    assert_int_equal(p.accepted, 1);
    place_close(&p);
}

struct turns {
    struct loop_hook hook;
    int n;
};

static uint32_t unacknowledged(int fd)
{
    struct tcp_info info;
    socklen_t n = sizeof info;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n), 0);
    return info.tcpi_unacked;
}

/* Both have said something, so the kernel would now wait for an answer to acknowledge with. */
static void test_acknowledge(void **state)
{
    (void)state;
    struct place p;
    char got[6];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    place_open(&p, "127.0.0.1:0");
    at.sin_port = htons(tcp_listener_port(p.s));
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    p.b.out = (const uint8_t *)"answer";
    for (size_t i = 1; i <= 4; i++) {
        assert_int_equal(write(fd, "a word", 6), 6);
        p.b.until = i * 6;
        looptest_run(&p.t);
        if (i == 4)
            break;
        p.b.sent = 0;
        p.b.total = 6;
        on_writable(&p.b);
        assert_int_equal(read(fd, got, sizeof got), 6);
    }
    tcp_acknowledge(p.b.c);
    assert_int_equal(unacknowledged(fd), 0);
    close(fd);
    place_close(&p);
}

static void on_turn(void *arg)
{
    struct turns *t = arg;
    t->n++;
}

static void test_out_of_descriptors(void **state)
{
    (void)state;
    struct place p;
    struct rlimit was, low;
    struct turns turns = {.hook = {.fn = on_turn, .arg = &turns}};
    struct err e = {0};
    place_open(&p, "127.0.0.1:0");
    place_dial(&p);
    loop_hook_add(p.t.l, &turns.hook, false);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    low = was;
    low.rlim_cur = 3; /* all that will be opened is above */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    looptest_run_for(&p.t, 2 * TCP_ACCEPT_PAUSE + 100 * USEC_MS);
    struct addr to = addr_of("127.0.0.1:9");
    assert_null(tcp_dial(p.t.l, &to, NULL, &events, NULL, &e));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(e.os, EMFILE);
    assert_int_equal(p.accepted, 0);
    assert_true(turns.n < 30);
    looptest_run_for(&p.t, 2 * TCP_ACCEPT_PAUSE);
    assert_int_equal(p.accepted, 1);
    loop_hook_remove(p.t.l, &turns.hook);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways_v4),
        cmocka_unit_test(test_both_ways_v6),
        cmocka_unit_test(test_nobody_paces_who_is_near),
        cmocka_unit_test(test_every_address_on_one_port),
        cmocka_unit_test(test_listen_where_we_are_not),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dial_fails_at_once),
        cmocka_unit_test(test_dial_from),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_close_in_callbacks),
        cmocka_unit_test(test_listener_freed_in_accepted),
        cmocka_unit_test(test_recv_without_room),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_acknowledge),
        cmocka_unit_test(test_out_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

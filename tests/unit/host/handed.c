/* Sockets from a service manager: which are taken, what is opened beside them, whom they bring. */
#include "looptest.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <p2p/host/handed.h>
#include <p2p/host/tcp.h>
#include <p2p/host/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 3

static int n_handed;
static int aside[HANDED_MAX]; /* what stood where the sockets go */

/* A socket of both families on every address; port 0: a free one. Returns the port. */
static uint16_t hand_dual(int type, uint16_t port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    socklen_t len = sizeof in6;
    int off = 0, fd = socket(AF_INET6, type, 0), at = FIRST + n_handed;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in6, sizeof in6), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in6, &len), 0);
    aside[n_handed++] = fcntl(at, F_DUPFD, 200);
    if (fd != at) {
        assert_int_equal(dup2(fd, at), at);
        close(fd);
    }
    return ntohs(in6.sin6_port);
}

static void promise(long pid)
{
    char text[24];

    snprintf(text, sizeof text, "%ld", pid);
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%d", n_handed);
    setenv("LISTEN_FDS", text, 1);
}

static void put_back(void)
{
    while (n_handed > 0)
        if (aside[--n_handed] >= 0) {
            dup2(aside[n_handed], FIRST + n_handed);
            close(aside[n_handed]);
        }
}

struct met {
    struct looptest t;
    struct addr tcp, udp;
};

static void maybe_done(struct met *m)
{
    if (m->tcp.family && m->udp.family)
        loop_stop(m->t.l);
}

static void on_accepted(void *arg, struct tcp *c)
{
    struct met *m = arg;

    m->tcp = *tcp_peer(c);
    tcp_close(c);
    maybe_done(m);
}

static void on_datagram(void *arg, const struct addr *from, struct bytes b)
{
    struct met *m = arg;

    (void)b;
    m->udp = *from;
    maybe_done(m);
}

static void quiet(void *owner, int code)
{
    (void)owner;
    (void)code;
}
static void quieter(void *owner)
{
    (void)owner;
}
static const struct tcp_events silent = {quiet, quieter, quieter};

/* Both kinds are met from 127.0.0.1 and from ::1; who came is told as who he is. */
static void expect_both(struct handed *h, uint16_t port)
{
    static const struct addr from[] = {{.family = 4, .ip = {127, 0, 0, 1}},
                                       {.family = 6, .ip = {[15] = 1}}};
    struct met m = {0}, none = {0};
    struct err e = {0};

    looptest_open(&m.t);
    struct tcp_listener *s = tcp_listen_on(m.t.l, h->tcp, on_accepted, &m, &e);
    struct udp *u = udp_open_on(m.t.l, h->udp, on_datagram, &m, &e);
    assert_non_null(s);
    assert_non_null(u);
    assert_int_equal(tcp_listener_port(s), port);
    assert_int_equal(udp_port(u), port);
    for (size_t i = 0; i < 2; i++) {
        struct addr to = from[i];

        to.port = port;
        m.tcp = m.udp = none.tcp;
        assert_true(udp_has(u, to.family));
        assert_int_equal(udp_send(u, &to, BYTES_LIT("to myself")), 0);
        struct tcp *c = tcp_dial(m.t.l, &to, NULL, &silent, NULL, &e);
        looptest_run(&m.t);
        assert_true(addr_same_ip(&m.tcp, &from[i]));
        assert_true(addr_eq(&m.udp, &to));
        tcp_close(c);
    }
    udp_free(u);
    tcp_listener_free(s);
    looptest_close(&m.t);
}

static bool have_ipv6(void)
{
    return access("/proc/net/if_inet6", F_OK) == 0;
}

static void of_both_families(void **state)
{
    static const int kinds[][2] = {{SOCK_STREAM, SOCK_DGRAM}, {SOCK_STREAM, 0}, {SOCK_DGRAM, 0}};
    struct handed h;
    struct err e = {0};
    struct addr only;

    (void)state;
    for (size_t i = 0; have_ipv6() && i < sizeof kinds / sizeof *kinds; i++) {
        uint16_t port = hand_dual(kinds[i][0], 0);

        if (kinds[i][1])
            hand_dual(kinds[i][1], port);
        promise(getpid());
        assert_int_equal(handed_take(&h, &e), 1);
        assert_null(getenv("LISTEN_FDS"));
        assert_int_equal(fcntl(FIRST, F_GETFD), FD_CLOEXEC);
        assert_true(fcntl(FIRST, F_GETFL) & O_NONBLOCK);
        assert_int_equal(handed_complete(&h, true, &e), 0);
        assert_false(handed_only_at(&h, &only));
        expect_both(&h, port);
        put_back();
    }
}

static void meant_for_others(void **state)
{
    struct handed h;
    struct err e = {0};

    (void)state;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    assert_int_equal(handed_take(&h, &e), 0);
    n_handed = 1;
    promise((long)getpid() + 1);
    assert_int_equal(handed_take(&h, &e), 0);
    assert_null(getenv("LISTEN_PID"));
    n_handed = 0;
    promise(getpid());
    assert_int_equal(handed_take(&h, &e), 0);
    n_handed = HANDED_MAX + 1;
    promise(getpid());
    assert_int_equal(handed_take(&h, &e), ERR_USAGE);
    n_handed = 0;
    handed_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_both_families),
        cmocka_unit_test(meant_for_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

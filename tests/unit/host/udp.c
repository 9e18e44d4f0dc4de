/* UDP on loopback: both families, batches, what does not fit. */
#include "looptest.h"

#include <errno.h>
#include <netinet/in.h>
#include <p2p/base/mem.h>
#include <p2p/host/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct box { /* what a socket got */
    struct looptest *t;
    struct udp *u;
    size_t count, bytes, stop_at;
    struct addr from;
    uint8_t last[UDP_DATAGRAM_MAX];
    size_t last_n;
    bool echo, free_when_called;
};

static void on_datagram(void *arg, const struct addr *from, struct bytes data)
{
    struct box *b = arg;
    b->count++;
    b->bytes += data.n;
    b->from = *from;
    b->last_n = data.n;
    memcpy(b->last, data.p, data.n);
    if (b->echo)
        assert_int_equal(udp_send(b->u, from, data), 0);
    if (b->free_when_called) {
        udp_free(b->u);
        b->u = NULL;
        loop_stop(b->t->l);
    }
    if (b->count == b->stop_at)
        loop_stop(b->t->l);
}

static void box_open(struct box *b, struct looptest *t, const char *at)
{
    struct err e = {0};
    struct addr a;
    *b = (struct box){.t = t};
    assert_true(addr_parse_ip(&a, at, 0));
    b->u = udp_open(t->l, &a, 0, on_datagram, b, &e);
    assert_non_null(b->u);
}

static struct addr address_of(const struct box *b, const char *ip)
{
    struct addr a;
    assert_true(addr_parse_ip(&a, ip, udp_port(b->u)));
    return a;
}

static void there_and_back(const char *ip)
{
    struct looptest t;
    struct box a, b;
    looptest_open(&t);
    box_open(&a, &t, ip);
    box_open(&b, &t, ip);
    b.echo = true;
    a.stop_at = 1;
    struct addr to = address_of(&b, ip);
    assert_int_equal(udp_send(a.u, &to, BYTES_LIT("hello")), 0);
    looptest_run(&t);
    assert_int_equal(a.last_n, 5);
    assert_memory_equal(a.last, "hello", 5);
    assert_true(addr_eq(&a.from, &to));
    udp_free(a.u);
    udp_free(b.u);
    looptest_close(&t);
}

static void test_there_and_back_v4(void **state)
{
    (void)state;
    there_and_back("127.0.0.1");
}

static void test_there_and_back_v6(void **state)
{
    (void)state;
    there_and_back("::1");
}

static void test_both_families_on_one_port(void **state)
{
    (void)state;
    struct looptest t;
    struct box all, one;
    struct err e = {0};
    looptest_open(&t);
    box_open(&all, &t, "0.0.0.0");
    assert_true(udp_has(all.u, 4));
    assert_false(udp_has(all.u, 5));
    if (udp_has(all.u, 6)) {
        box_open(&one, &t, "::1");
        all.stop_at = 1;
        struct addr to = address_of(&all, "::1");
        assert_int_equal(udp_send(one.u, &to, BYTES_LIT("six")), 0);
        looptest_run(&t);
        assert_int_equal(all.from.family, 6);
        assert_false(udp_has(one.u, 4));
        to = address_of(&all, "127.0.0.1");
        assert_int_equal(udp_send(one.u, &to, BYTES_LIT("four")), ERR_NET);
        to.family = 0;
        assert_int_equal(udp_send(all.u, &to, BYTES_LIT("none")), ERR_NET);
        udp_free(one.u);
    }
    assert_null(udp_open(t.l, NULL, udp_port(all.u), on_datagram, NULL, &e));
    assert_int_equal(e.os, EADDRINUSE);
    udp_free(all.u);
    udp_free(NULL);
    looptest_close(&t);
}

static void test_many_in_a_turn(void **state)
{
    (void)state;
    struct looptest t;
    struct box a, b;
    looptest_open(&t);
    box_open(&a, &t, "127.0.0.1");
    box_open(&b, &t, "127.0.0.1");
    b.stop_at = 300;
    struct addr to = address_of(&b, "127.0.0.1"), lost = to;
    uint8_t byte;
    lost.ip[0] = 240; /* an address that the kernel refuses must not hold up the others */
    for (int i = 0; i < 300; i++) {
        byte = (uint8_t)i;
        assert_int_equal(udp_send(a.u, i % 50 ? &to : &lost, BYTES(&byte, 1)), 0);
    }
    b.stop_at -= 6;
    assert_true(udp_queued(a.u) > 300);
    looptest_run(&t);
    assert_int_equal(b.count, 294);
    assert_int_equal(b.last[0], (uint8_t)299);
    assert_int_equal(udp_queued(a.u), 0);
    udp_free(a.u);
    udp_free(b.u);
    looptest_close(&t);
}

static void test_sizes(void **state)
{
    (void)state;
    struct looptest t;
    struct box a, b;
    static const uint8_t big[UDP_DATAGRAM_MAX + 1];
    looptest_open(&t);
    box_open(&a, &t, "127.0.0.1");
    box_open(&b, &t, "127.0.0.1");
    b.stop_at = 2;
    struct addr to = address_of(&b, "127.0.0.1");
    assert_int_equal(udp_send(a.u, &to, BYTES(big, sizeof big)), ERR_LIMIT);
    assert_int_equal(udp_send(a.u, &to, BYTES(big, UDP_DATAGRAM_MAX)), 0);
    assert_int_equal(udp_send(a.u, &to, BYTES(big, 0)), 0);
    looptest_run(&t);
    assert_int_equal(b.bytes, UDP_DATAGRAM_MAX);
    int r = 0;
    size_t fit = 0;
    while ((r = udp_send(a.u, &to, BYTES(big, 10000))) == 0)
        fit++;
    assert_int_equal(r, ERR_LIMIT);
    assert_true(fit > 90);
    assert_true(udp_queued(a.u) <= UDP_QUEUE_MAX);
    udp_free(a.u); /* sent on the way out, as far as the kernel takes it */
    looptest_run_for(&t, 50 * USEC_MS);
    assert_true(b.count > 2);
    udp_free(b.u);
    looptest_close(&t);
}

/* One byte more than we take is not taken for a whole datagram. */
static void test_too_long_is_dropped(void **state)
{
    (void)state;
    struct looptest t;
    struct box b;
    static const uint8_t big[UDP_DATAGRAM_MAX + 1];
    looptest_open(&t);
    box_open(&b, &t, "127.0.0.1");
    b.stop_at = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(udp_port(b.u))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(sendto(s, big, sizeof big, 0, (struct sockaddr *)&to, sizeof to), sizeof big);
    assert_int_equal(sendto(s, "ok", 2, 0, (struct sockaddr *)&to, sizeof to), 2);
    looptest_run(&t);
    assert_int_equal(b.count, 1);
    assert_int_equal(b.bytes, 2);
    close(s);
    udp_free(b.u);
    looptest_close(&t);
}

static void test_freed_in_callback(void **state)
{
    (void)state;
    struct looptest t;
    struct box a, b;
    looptest_open(&t);
    box_open(&a, &t, "127.0.0.1");
    box_open(&b, &t, "127.0.0.1");
    b.free_when_called = b.echo = true;
    struct addr to = address_of(&b, "127.0.0.1");
    for (int i = 0; i < 5; i++)
        assert_int_equal(udp_send(a.u, &to, BYTES_LIT("x")), 0);
    looptest_run(&t);
    looptest_run_for(&t, 10 * USEC_MS);
    assert_int_equal(b.count, 1);
    assert_int_equal(a.count, 1);
    udp_free(a.u);
    looptest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back_v4),
        cmocka_unit_test(test_there_and_back_v6),
        cmocka_unit_test(test_both_families_on_one_port),
        cmocka_unit_test(test_many_in_a_turn),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_too_long_is_dropped),
        cmocka_unit_test(test_freed_in_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

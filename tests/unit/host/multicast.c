/*
 * Multicast in a network namespace of its own: on loopback, on links that come and go, with others
 * on the same port. Where the kernel gives no namespace, nothing is tested, and that is said.
 */
#include "looptest.h"

#include <p2p/host/multicast.h>

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 16771
#define MAX_HEARD 4096

static bool alone; /* in a namespace of our own */

struct box { /* what one of them heard */
    struct looptest *t;
    struct multicast *m;
    struct addr from[MAX_HEARD];
    size_t n, bytes, stop_at;
    uint8_t last[MULTICAST_MAX];
    bool free_when_called;
};

static void on_datagram(void *arg, const struct addr *from, struct bytes data)
{
    struct box *b = arg;
    assert_true(b->n < MAX_HEARD);
    b->from[b->n++] = *from;
    b->bytes += data.n;
    memcpy(b->last, data.p, data.n);
    if (b->free_when_called) {
        multicast_free(b->m);
        b->m = NULL;
        loop_stop(b->t->l);
    }
    if (b->n == b->stop_at)
        loop_stop(b->t->l);
}

static const struct multicast_events events = {.got = on_datagram};

static struct addr group(int family)
{
    struct addr a;
    assert_true(addr_parse_ip(&a, family == 4 ? "239.192.7.7" : "ff15::7", PORT));
    return a;
}

static struct box *open_at(struct looptest *t, int family, const char *at)
{
    struct box *b = calloc(1, sizeof *b);
    struct addr g = group(family), a = {0};
    struct err e = {0};
    assert_non_null(b);
    b->t = t;
    if (at)
        assert_true(addr_parse_ip(&a, at, 0));
    b->m = multicast_open(t->l, &g, &a, &events, b, &e);
    assert_string_equal(e.msg, "");
    assert_non_null(b->m);
    return b;
}

static void close_box(struct box *b)
{
    multicast_free(b->m);
    free(b);
}

static bool heard_from(const struct box *b, const char *ip)
{
    struct addr a;
    assert_true(addr_parse_ip(&a, ip, PORT));
    for (size_t i = 0; i < b->n; i++)
        if (addr_eq(&b->from[i], &a))
            return true;
    return false;
}

static void ip(const char *command)
{
    char line[200];
    snprintf(line, sizeof line, "ip %s", command);
    if (system(line) != 0)
        fail_msg("%s", line);
}

#define NEEDS_NAMESPACE() \
    do { \
        if (!alone) \
            skip(); \
    } while (0)

/* ---- loopback ---- */

static void hears_on_loopback(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    struct looptest t;
    looptest_open(&t);
    struct box *a = open_at(&t, 4, "127.0.0.1"), *b = open_at(&t, 4, "127.0.0.1");
    struct box *six = open_at(&t, 6, "::1");
    assert_int_equal(multicast_links(a->m), 1);
    assert_int_equal(multicast_links(six->m), 0);
    assert_int_equal(multicast_send(a->m, BYTES_LIT("hello")), 1);
    b->stop_at = 1;
    looptest_run(&t);
    looptest_run_for(&t, 20 * USEC_MS);
    assert_int_equal(a->n, 1); /* itself too */
    assert_int_equal(b->n, 1); /* once */
    assert_true(heard_from(b, "127.0.0.1"));
    assert_memory_equal(b->last, "hello", 5);
    close_box(a);
    close_box(b);
    close_box(six);
    looptest_close(&t);
}

static void loopback_only_if_asked_for(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    struct looptest t;
    looptest_open(&t);
    struct box *none = open_at(&t, 4, NULL), *other = open_at(&t, 4, "10.200.0.1");
    struct box *family = open_at(&t, 6, "127.0.0.1");
    assert_int_equal(multicast_links(none->m), 0);
    assert_int_equal(multicast_send(none->m, BYTES_LIT("hello")), 0);
    assert_int_equal(multicast_links(other->m), 0);
    assert_int_equal(multicast_links(family->m), 0);
    struct box *lo = open_at(&t, 4, "127.0.0.1");
    assert_int_equal(multicast_send(lo->m, BYTES_LIT("hello")), 1);
    lo->stop_at = 1;
    looptest_run(&t);
    looptest_run_for(&t, 20 * USEC_MS);
    assert_int_equal(none->n + other->n + family->n, 0);
    close_box(none);
    close_box(other);
    close_box(family);
    close_box(lo);
    looptest_close(&t);
}

/* A plain socket at 127.0.0.1. */
static void send_plain(const struct addr *to, const void *p, size_t n)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(to->port)};
    struct in_addr lo = {.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    memcpy(&in.sin_addr, to->ip, 4);
    assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo), 0);
    assert_true(sendto(fd, p, n, 0, (struct sockaddr *)&in, sizeof in) == (ssize_t)n);
    close(fd);
}

/* Past the limit a datagram is not sent, and dropped when it comes. */
static void lengths(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    static const uint8_t much[60000] = {1};
    struct looptest t;
    struct addr g = group(4);
    looptest_open(&t);
    struct box *b = open_at(&t, 4, "127.0.0.1");
    assert_int_equal(multicast_send(b->m, BYTES(much, 0)), 0);
    assert_int_equal(multicast_send(b->m, BYTES(much, MULTICAST_MAX + 1)), 0);
    assert_int_equal(multicast_send(b->m, BYTES(much, sizeof much)), 0);
    assert_int_equal(multicast_send(b->m, BYTES(much, MULTICAST_MAX)), 1);
    send_plain(&g, much, 0);
    send_plain(&g, much, MULTICAST_MAX + 1);
    send_plain(&g, much, sizeof much);
    send_plain(&g, much, MULTICAST_MAX);
    looptest_run_for(&t, 50 * USEC_MS);
    assert_int_equal(b->n, 2);
    assert_int_equal(b->bytes, 2 * MULTICAST_MAX);
    close_box(b);
    looptest_close(&t);
}

/* What is sent to us and not to the group is not for the group. */
static void unicast_is_not_heard(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    struct looptest t;
    struct addr self;
    looptest_open(&t);
    struct box *b = open_at(&t, 4, "127.0.0.1");
    assert_true(addr_parse_ip(&self, "127.0.0.1", PORT));
    send_plain(&self, "x", 1);
    looptest_run_for(&t, 50 * USEC_MS);
    assert_int_equal(b->n, 0);
    close_box(b);
    looptest_close(&t);
}

struct turns {
    const struct box *b;
    size_t before, most;
};

static void turn_ends(void *arg)
{
    struct turns *t = arg;
    if (t->b->n - t->before > t->most)
        t->most = t->b->n - t->before;
    t->before = t->b->n;
}

static void a_flood_takes_turns(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    struct looptest t;
    looptest_open(&t);
    struct box *b = open_at(&t, 4, "127.0.0.1");
    struct turns turns = {.b = b};
    struct loop_hook hook = {.fn = turn_ends, .arg = &turns};
    loop_hook_add(t.l, &hook, false);
    for (int i = 0; i < 3 * MULTICAST_READS; i++)
        assert_int_equal(multicast_send(b->m, BYTES_LIT("x")), 1);
    looptest_run_for(&t, 50 * USEC_MS);
    assert_int_equal(b->n, 3 * MULTICAST_READS);
    assert_int_equal(turns.most, MULTICAST_READS);
    loop_hook_remove(t.l, &hook);
    close_box(b);
    looptest_close(&t);
}

static void freed_while_it_tells(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    struct looptest t;
    looptest_open(&t);
    struct box *b = open_at(&t, 4, "127.0.0.1");
    multicast_send(b->m, BYTES_LIT("one"));
    multicast_send(b->m, BYTES_LIT("two"));
    b->free_when_called = true;
    looptest_run(&t);
    assert_int_equal(b->n, 1);
    close_box(b);
    looptest_close(&t);
}

static void a_port_that_is_not_shared(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct looptest t;
    struct addr g = group(4);
    struct err e = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    looptest_open(&t);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_null(multicast_open(t.l, &g, NULL, &events, NULL, &e));
    assert_non_null(strstr(e.msg, "239.192.7.7:16771"));
    close(fd);
    looptest_close(&t);
}

/* ---- links ---- */

static void links_come_and_go(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    struct looptest t;
    looptest_open(&t);
    struct box *a = open_at(&t, 4, NULL), *b = open_at(&t, 4, "10.9.0.1");
    struct box *six = open_at(&t, 6, NULL);
    ip("link add p2pa type veth peer name p2pb");
    ip("addr add 20.9.0.1/24 dev p2pa"); /* public */
    ip("link set p2pa up");
    ip("link set p2pb up"); /* IPv6 gives both link-local addresses */
    assert_false(multicast_look(a->m));
    assert_false(multicast_look(six->m));
    assert_int_equal(multicast_links(a->m), 0);
    assert_int_equal(multicast_links(six->m), 0);
    ip("addr add 10.9.0.1/24 dev p2pa");
    ip("addr add 169.254.9.2/24 dev p2pb");
    ip("addr add 2a01::9/64 dev p2pa nodad");
    ip("addr add fd00:9::1/64 dev p2pa nodad");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(multicast_look(a->m), !again);
        assert_int_equal(multicast_look(b->m), !again);
        assert_int_equal(multicast_look(six->m), !again);
        assert_int_equal(multicast_links(a->m), 2);
        assert_int_equal(multicast_links(b->m), 1);
        assert_int_equal(multicast_links(six->m), 1);
    }
    assert_int_equal(multicast_send(a->m, BYTES_LIT("hello")), 2);
    assert_int_equal(multicast_send(six->m, BYTES_LIT("hello")), 1);
    a->stop_at = 2;
    looptest_run(&t);
    looptest_run_for(&t, 50 * USEC_MS);
    assert_true(heard_from(a, "10.9.0.1") && heard_from(a, "169.254.9.2"));
    assert_true(heard_from(b, "10.9.0.1"));
    assert_true(!heard_from(b, "169.254.9.2")); /* that is another link's */
    assert_true(heard_from(six, "fd00:9::1"));
    assert_int_equal(six->n, 1);
    ip("addr del 10.9.0.1/24 dev p2pa");
    multicast_look(a->m);
    multicast_look(b->m);
    assert_int_equal(multicast_links(a->m), 1);
    assert_int_equal(multicast_links(b->m), 0);
    ip("link del p2pa");
    multicast_look(a->m);
    multicast_look(six->m);
    assert_int_equal(multicast_links(a->m) + multicast_links(six->m), 0);
    close_box(a);
    close_box(b);
    close_box(six);
    looptest_close(&t);
}

static void only_so_many_links(void **state)
{
    (void)state;
    NEEDS_NAMESPACE();
    struct looptest t;
    char line[100];
    looptest_open(&t);
    struct box *b = open_at(&t, 4, NULL);
    ip("link add p2pa type veth peer name p2pb");
    ip("link set p2pa up");
    for (int i = 1; i <= MULTICAST_MAX_LINKS + 1; i++) {
        snprintf(line, sizeof line, "link add link p2pa name v%d type macvlan", i);
        ip(line);
        snprintf(line, sizeof line, "addr add 10.10.%d.1/24 dev v%d", i, i);
        ip(line);
        snprintf(line, sizeof line, "link set v%d up", i);
        ip(line);
        multicast_look(b->m);
        assert_int_equal(multicast_links(b->m), i < MULTICAST_MAX_LINKS ? i : MULTICAST_MAX_LINKS);
    }
    assert_int_equal(multicast_send(b->m, BYTES_LIT("x")), MULTICAST_MAX_LINKS);
    ip("link del p2pa");
    close_box(b);
    looptest_close(&t);
}

/* ---- the namespace ---- */

static bool enter(void)
{
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (unshare(CLONE_NEWNET)) /* without root's rights `ip` would have none either */
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

int main(void)
{
    alone = enter();
    if (!alone)
        fprintf(stderr, "MULTICAST IS NOT TESTED: no network namespace here: %s\n",
                strerror(errno));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hears_on_loopback),
        cmocka_unit_test(loopback_only_if_asked_for),
        cmocka_unit_test(lengths),
        cmocka_unit_test(unicast_is_not_heard),
        cmocka_unit_test(a_flood_takes_turns),
        cmocka_unit_test(freed_while_it_tells),
        cmocka_unit_test(a_port_that_is_not_shared),
        cmocka_unit_test(links_come_and_go),
        cmocka_unit_test(only_so_many_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

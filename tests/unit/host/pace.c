/* Congestion control: near peers are sent to without BBR, far ones as the system chose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "host/pace.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool choose(int fd, const char *name)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

static void assert_chosen(int fd, const char *name)
{
    char got[PACE_NAME] = {0};
    socklen_t len = sizeof got - 1;

    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, got, &len), 0);
    assert_string_equal(got, name);
}

static int fresh(const char *name)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (choose(fd, name))
        return fd;
    close(fd);
    print_message("%s: not in this kernel, or not for us\n", name);
    skip();
    return -1;
}

static void near_without_far_with(void **state)
{
    int fd = fresh("bbr");
    struct pace p;

    (void)state;
    pace_aside(fd, &p);
    assert_chosen(fd, "reno");
    assert_string_equal(p.name, "bbr");
    pace_settle(fd, &p, 0);
    assert_chosen(fd, "reno");
    pace_settle(fd, &p, PACE_NEAR);
    assert_chosen(fd, "reno");
    pace_settle(fd, &p, PACE_NEAR + 1);
    assert_chosen(fd, "bbr");
    close(fd);
}

static void far_if_not_known(void **state)
{
    int fd = fresh("bbr");
    struct pace p;

    (void)state;
    pace_aside(fd, &p);
    pace_settle(fd, &p, pace_round_trip(fd)); /* of no connection */
    assert_chosen(fd, "bbr");
    close(fd);
}

static void other_choices_stand(void **state)
{
    static const char *const names[] = {"cubic", "reno"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int fd = fresh(names[i]);
        struct pace p;

        pace_aside(fd, &p);
        assert_chosen(fd, names[i]);
        assert_string_equal(p.name, "");
        pace_settle(fd, &p, USEC_SEC);
        assert_chosen(fd, names[i]);
        close(fd);
    }
}

static void what_is_no_socket(void **state)
{
    int fd[2];
    struct pace p;

    (void)state;
    assert_int_equal(pipe(fd), 0);
    pace_aside(fd[0], &p);
    assert_string_equal(p.name, "");
    pace_settle(fd[0], &p, USEC_SEC);
    assert_true(pace_round_trip(fd[0]) == USEC_NEVER);
    close(fd[0]);
    close(fd[1]);
}

static void the_accepted_begin_as_their_listener(void **state)
{
    int door = fresh("bbr"), caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), guest;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct pace p;

    (void)state;
    assert_int_equal(bind(door, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(door, 1), 0);
    pace_aside(door, &p);
    assert_int_equal(getsockname(door, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(connect(caller, (struct sockaddr *)&at, sizeof at), 0);
    guest = accept4(door, NULL, NULL, SOCK_CLOEXEC);
    assert_true(guest >= 0);
    assert_chosen(guest, "reno");
    assert_in_range((uintmax_t)pace_round_trip(guest), 1, (uintmax_t)USEC_MIN);
    pace_settle(guest, &p, 100 * USEC_MS);
    assert_chosen(guest, "bbr");
    close(guest);
    close(caller);
    close(door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_without_far_with),
        cmocka_unit_test(far_if_not_known),
        cmocka_unit_test(other_choices_stand),
        cmocka_unit_test(what_is_no_socket),
        cmocka_unit_test(the_accepted_begin_as_their_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

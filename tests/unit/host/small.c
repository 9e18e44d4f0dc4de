/* The small doors to the system: randomness, the wall clock, the service manager. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <p2p/host/entropy.h>
#include <p2p/host/notify.h>
#include <p2p/host/wall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void test_entropy(void **state)
{
    (void)state;
    static uint8_t a[1000], b[1000];
    struct rng x, y;
    entropy_fill(a, sizeof a);
    entropy_fill(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    entropy_fill(a, 0);
    entropy_seed(&x);
    entropy_seed(&y);
    assert_int_not_equal(rng_u64(&x), rng_u64(&y));
}

static void test_wall(void **state)
{
    (void)state;
    static const struct {
        int64_t t;
        const char *text;
    } row[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1, "1970-01-01T00:00:01Z"},
        {-1, "1969-12-31T23:59:59Z"},
        {951826154, "2000-02-29T12:09:14Z"},
        {1714979289, "2024-05-06T07:08:09Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {253402300800, ""},
        {INT64_MAX, ""},
        {INT64_MIN, ""},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[WALL_TEXT];
        wall_text(text, row[i].t);
        assert_string_equal(text, row[i].text);
    }
    int64_t now = wall_now();
    assert_true(now >= time(NULL) - 2 && now <= time(NULL) + 2);
}

static int listen_at(const char *name, size_t len)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, name, len);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, size), 0);
    return fd;
}

static void test_notify(void **state)
{
    (void)state;
    struct err e = {0};
    char folder[] = "/tmp/p2p-notify-XXXXXX", path[64], abstract[64], got[64];
    assert_non_null(mkdtemp(folder));
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_send("READY=1", &e), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(notify_send("READY=1", &e), 0);

    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(abstract, sizeof abstract, "@p2p-test-%s", folder + strlen(folder) - 6);
    int fd[2] = {listen_at(path, strlen(path) + 1), -1};
    abstract[0] = 0;
    fd[1] = listen_at(abstract, 1 + strlen(abstract + 1));
    abstract[0] = '@';
    for (int i = 0; i < 2; i++) {
        setenv("NOTIFY_SOCKET", i ? abstract : path, 1);
        assert_int_equal(notify_send("READY=1\nSTATUS=serving", &e), 1);
        assert_int_equal(recv(fd[i], got, sizeof got, 0), 22);
        assert_memory_equal(got, "READY=1\nSTATUS=serving", 22);
        close(fd[i]);
    }
    assert_int_equal(notify_send("STOPPING=1", &e), ERR_IO); /* nobody there any more */
    unlink(path);
    rmdir(folder);
}

static void test_notify_bad_paths(void **state)
{
    (void)state;
    char longest[200];
    struct err e = {0};
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = 0;
    setenv("NOTIFY_SOCKET", longest, 1);
    assert_int_equal(notify_send("READY=1", &e), ERR_IO);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(notify_send("READY=1", &e), ERR_IO);
    unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entropy),
        cmocka_unit_test(test_wall),
        cmocka_unit_test(test_notify),
        cmocka_unit_test(test_notify_bad_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Content in memory, of which only some pieces are here at a time; and where a stream goes. */
#include <p2p/base/mem.h>
#include <p2p/host/fdcache.h>
#include <p2p/host/sink.h>
#include <p2p/host/tree.h>
#include <p2p/host/window.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void keeps_and_drops(void **state)
{
    (void)state;
    struct window *w = window_new(4, 2);
    struct bytes v[] = {BYTES("abc", 3), BYTES("defg", 4)};
    uint8_t got[7];
    struct err e = {0};

    assert_int_equal(window_write(w, 5, v, 1, &e), 0); /* 1: .abc */
    assert_int_equal(window_write(w, 8, v + 1, 1, &e), 0);
    assert_int_equal(window_count(w), 2);
    assert_int_equal(window_read(w, 5, (struct span){got, 7}, &e), 0);
    assert_memory_equal(got, "abcdefg", 7);
    assert_int_equal(window_at(w, 9).n, 3);
    assert_memory_equal(window_at(w, 9).p, "efg", 3);

    assert_int_equal(window_write(w, 12, v, 1, &e), ERR_LIMIT); /* a third */
    assert_int_equal(window_read(w, 12, (struct span){got, 1}, NULL), ERR_NOTFOUND);
    window_drop(w, 1);
    assert_int_equal(window_read(w, 5, (struct span){got, 7}, NULL), ERR_NOTFOUND);
    assert_int_equal(window_at(w, 5).n, 0);
    err_clear(&e);
    assert_int_equal(window_write(w, 12, v, 1, &e), 0);
    assert_int_equal(window_count(w), 2);
    window_free(w);
}

static void under_a_tree(void **state)
{
    (void)state;
    struct fdcache *c = fdcache_new(FDCACHE_USUAL);
    struct tree_file f[] = {{.path = "x/a", .length = 3}, {.path = "x/b", .length = 9}};
    struct tree *t = tree_new(c, "/nowhere/at/all", f, 2, ".part", NULL);
    struct window *w = window_new(4, 3);
    static const uint64_t starts[] = {0, 3};
    struct bytes v = BYTES("123456789", 9);
    uint8_t got[9];
    struct err e = {0};

    tree_set_window(t, w, starts);
    assert_int_equal(tree_pwrite(t, 1, 0, &v, 1, &e), 0);
    assert_int_equal(tree_pread(t, 1, 0, (struct span){got, 9}, &e), 9);
    assert_memory_equal(got, "123456789", 9);
    assert_int_equal(tree_pread(t, 1, 5, (struct span){got, 5}, &e), ERR_USAGE); /* past its end */
    window_drop(w, 1);
    assert_int_equal(tree_pread(t, 1, 0, (struct span){got, 9}, NULL), ERR_NOTFOUND);
    tree_free(t);
    window_free(w);
    fdcache_free(c);
}

/* Takes what there is room for, and goes on where it stopped; its own flags stay as they were. */
static void never_waits(void **state)
{
    (void)state;
    for (int socket = 0; socket < 2; socket++) {
        int fd[2];
        uint8_t *big = mem_zero(4u << 20);
        struct bytes v[] = {BYTES(big, 10), BYTES(big, 4u << 20)};
        struct err e = {0};

        assert_int_equal(socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) : pipe(fd), 0);
        struct sink *s = sink_new(fd[1], &e);
        int64_t n = sink_write(s, v, 2, &e);
        assert_in_range(n, 1, (4u << 20) + 9);
        assert_int_equal(sink_write(s, v, 2, &e), 0);
        assert_int_equal(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);
        close(fd[0]);
        assert_int_equal(sink_write(s, v, 2, &e), ERR_IO);
        assert_int_equal(e.os, EPIPE);
        sink_free(s);
        assert_true(fcntl(fd[1], F_GETFD) >= 0); /* the descriptor is not its own */
        close(fd[1]);
        free(big);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_and_drops),
        cmocka_unit_test(under_a_tree),
        cmocka_unit_test(never_waits),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

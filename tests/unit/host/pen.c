/*
 * tree: whoever writes has the pen, and the others sleep meanwhile. The C library's call is looked
 * into on its way, and waits there for company.
 */
#include "tree_make.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#define WRITERS 2
/* Of a millisecond, that a write waits for another: of one that must not come, and of one that must
 * (however late its thread begins; the bound is against hanging). */
#define UNEXPECTED 100
#define EXPECTED 60000

static unsigned moments;
static atomic_uint inside, most, calls;

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    unsigned now = ++inside;
    calls++;
    if (now > most)
        most = now;
    for (unsigned i = 0; i < moments && most < WRITERS; i++)
        nanosleep(&moment, NULL);
    ssize_t put = syscall(SYS_pwritev, fd, v, n, at, 0L);
    inside--;
    return put;
}

static void *write_one(void *arg)
{
    struct err e = {0};
    write_text(arg, 0, 2, "abc", &e);
    return NULL;
}

static unsigned together(struct tree *a, struct tree *b)
{
    pthread_t w[WRITERS];
    moments = a == b ? UNEXPECTED : EXPECTED;
    inside = most = calls = 0;
    assert_int_equal(pthread_create(&w[0], NULL, write_one, a), 0);
    assert_int_equal(pthread_create(&w[1], NULL, write_one, b), 0);
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(w[i], NULL);
    assert_int_equal(calls, WRITERS);
    return most;
}

static void writers_to_one_tree_take_turns(void **state)
{
    (void)state;
    struct tree *t = three_files();
    assert_int_equal(together(t, t), 1);
    expect_read(t, 0, 2, "abc");
    tree_free(t);
}

static void trees_do_not_wait_for_each_other(void **state)
{
    (void)state;
    struct tree *t = three_files(), *other = tree_new(cache, at(""), three, 4, ".part", NULL);
    assert_int_equal(together(t, other), 2);
    tree_free(t);
    tree_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writers_to_one_tree_take_turns),
        TEST(trees_do_not_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

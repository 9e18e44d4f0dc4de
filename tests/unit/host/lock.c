/* lock: one holder at a time, released by a crash, kept over fork, never two through a removed
 * file. */
#include "scratch.h"

#include <p2p/host/lock.h>
#include <signal.h>
#include <time.h>

static void second_taker_is_refused(void **state)
{
    (void)state;
    struct lock *a = NULL, *b = NULL, *other = NULL;
    struct err e = {0};
    char pid[32];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_int_equal(lock_holder(scratch_dir, LOCK_SEED), 0);
    assert_int_equal(lock_take(&a, scratch_dir, LOCK_SEED, &e), 0);
    assert_int_equal(lock_take(&b, scratch_dir, LOCK_SEED, &e), ERR_LOCKED);
    assert_non_null(strstr(e.msg, pid));
    assert_int_equal(lock_holder(scratch_dir, LOCK_SEED), getpid());
    err_clear(&e);
    assert_int_equal(lock_take(&other, scratch_dir, "0123abcd", &e), 0);
    lock_free(other);
    lock_free(a);
    lock_free(NULL);
    assert_int_equal(lock_holder(scratch_dir, LOCK_SEED), 0);
    assert_int_equal(entries_in(at("locks")), 0);
    assert_int_equal(lock_take(&b, scratch_dir, LOCK_SEED, &e), 0);
    lock_free(b);
}

static void bad_names(void **state)
{
    (void)state;
    struct lock *l = NULL;
    struct err e = {0};
    assert_int_equal(lock_take(&l, scratch_dir, "", &e), ERR_USAGE);
    assert_int_equal(lock_take(&l, scratch_dir, "..", NULL), ERR_USAGE);
    assert_int_equal(lock_take(&l, scratch_dir, "../x", NULL), ERR_USAGE);
    assert_int_equal(lock_take(&l, scratch_dir, "a/b", NULL), ERR_USAGE);
    err_clear(&e);
    put_text(at("locks"), "in the way");
    assert_int_equal(lock_take(&l, scratch_dir, "x", &e), ERR_IO);
    assert_null(l);
}

static pid_t child_that_holds(int ready)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct lock *l = NULL;
        if (lock_take(&l, scratch_dir, "item", NULL) != 0 || write(ready, "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    return pid;
}

static void a_crash_releases(void **state)
{
    (void)state;
    struct lock *l = NULL;
    struct err e = {0};
    int p[2];
    char c;
    assert_int_equal(pipe(p), 0);
    pid_t pid = child_that_holds(p[1]);
    assert_int_equal(read(p[0], &c, 1), 1);
    assert_int_equal(lock_take(&l, scratch_dir, "item", &e), ERR_LOCKED);
    assert_int_equal(lock_holder(scratch_dir, "item"), pid);
    kill(pid, SIGKILL);
    assert_int_equal(reap(pid), -SIGKILL);
    assert_int_equal(lock_holder(scratch_dir, "item"), 0); /* the file is still there */
    assert_int_equal(entries_in(at("locks")), 1);
    err_clear(&e);
    assert_int_equal(lock_take(&l, scratch_dir, "item", &e), 0);
    lock_free(l);
    close(p[0]);
    close(p[1]);
}

/* As --daemon does it: the parent takes the lock and leaves, the child has it then. */
static void fork_keeps_it(void **state)
{
    (void)state;
    int go[2], done[2];
    char c;
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(done), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct lock *l = NULL;
        if (lock_take(&l, scratch_dir, "d", NULL) != 0)
            _exit(1);
        if (fork() == 0) {
            lock_renew(l);
            if (write(done[1], "r", 1) != 1 || read(go[0], &c, 1) != 1)
                _exit(1);
            lock_free(l);
            _exit(write(done[1], "x", 1) == 1 ? 0 : 1);
        }
        usleep(50000);
        lock_free(l); /* by the parent: must not release */
        _exit(0);
    }
    assert_int_equal(read(done[0], &c, 1), 1);
    assert_int_equal(reap(parent), 0);
    struct lock *l = NULL;
    struct err e = {0};
    assert_int_equal(lock_take(&l, scratch_dir, "d", &e), ERR_LOCKED);
    assert_true(lock_holder(scratch_dir, "d") > 0);
    assert_int_not_equal(lock_holder(scratch_dir, "d"), parent);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(read(done[0], &c, 1), 1);
    assert_int_equal(lock_wait(&l, scratch_dir, "d", 2000, NULL), 0);
    lock_free(l);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(done[i]);
    }
}

static void waiting_ends(void **state)
{
    (void)state;
    struct lock *a = NULL, *b = NULL;
    struct err e = {0};
    assert_int_equal(lock_take(&a, scratch_dir, "w", &e), 0);
    assert_int_equal(lock_wait(&b, scratch_dir, "w", 60, &e), ERR_LOCKED);
    assert_int_equal(e.code, ERR_LOCKED);
    lock_free(a);
    err_clear(&e);
    assert_int_equal(lock_wait(&b, scratch_dir, "w", 60, &e), 0);
    lock_free(b);
}

/* Several processes add to a number under the lock, whose file comes and goes all the time. */
static void never_two_at_once(void **state)
{
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 150 };
    pid_t pid[PROCESSES];
    put_text(at("sum"), "0");
    for (int i = 0; i < PROCESSES; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            for (int r = 0; r < ROUNDS; r++) {
                struct lock *l = NULL;
                while (lock_take(&l, scratch_dir, "sum", NULL) == ERR_LOCKED)
                    usleep(100);
                char text[32] = "";
                get_file(at("sum"), text, sizeof text - 1);
                snprintf(text, sizeof text, "%ld", strtol(text, NULL, 10) + 1);
                put_text(at("sum"), text);
                lock_free(l);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(reap(pid[i]), 0);
    assert_text(at("sum"), "600");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(second_taker_is_refused),
        SCRATCH_TEST(bad_names),
        SCRATCH_TEST(a_crash_releases),
        SCRATCH_TEST(fork_keeps_it),
        SCRATCH_TEST(waiting_ends),
        SCRATCH_TEST(never_two_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

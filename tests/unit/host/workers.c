/* workers: every job comes back once, the bound holds, threads do not take signals. */
#include "scratch.h"

#include <p2p/host/workers.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

struct sum_job {
    struct workers_job job;
    unsigned n;
    unsigned long sum;
    bool fetched;
};

static void add_up(struct workers_job *job)
{
    struct sum_job *s = (struct sum_job *)(void *)job;
    for (unsigned i = 1; i <= s->n; i++)
        s->sum += i;
}

static void fetch(struct workers *w, unsigned long *total)
{
    struct sum_job *s = (struct sum_job *)(void *)workers_next(w, -1);
    assert_non_null(s);
    assert_false(s->fetched);
    s->fetched = true;
    *total += s->sum;
}

static void every_job_comes_back_once(void **state)
{
    (void)state;
    enum { JOBS = 5000 };
    static const size_t threads[] = {0, 1, 7};
    struct sum_job *jobs = calloc(JOBS, sizeof *jobs);
    for (size_t t = 0; t < 3; t++) {
        struct workers *w = workers_new(threads[t], 10);
        unsigned long total = 0, want = 0;
        memset(jobs, 0, JOBS * sizeof *jobs);
        assert_null(workers_next(w, -1));
        for (unsigned i = 0; i < JOBS; i++) {
            jobs[i] = (struct sum_job){.job = {.run = add_up}, .n = i % 100};
            want += (unsigned long)(i % 100) * (i % 100 + 1) / 2;
            while (!workers_submit(w, &jobs[i].job)) {
                assert_int_equal(workers_out(w), 10);
                fetch(w, &total);
            }
        }
        while (workers_out(w) > 0)
            fetch(w, &total);
        assert_true(total == want);
        assert_null(workers_next(w, -1));
        workers_free(w);
    }
    free(jobs);
    workers_free(NULL);
}

static void slow(struct workers_job *job)
{
    (void)job;
    usleep(50000);
}

static void waiting_has_an_end(void **state)
{
    (void)state;
    struct workers *w = workers_new(1, 0);
    struct workers_job a = {.run = slow}, b = {.run = slow};
    assert_int_equal(workers_threads(w), 1);
    assert_true(workers_submit(w, &a));
    assert_null(workers_next(w, 1));
    assert_null(workers_next(w, 0));
    assert_ptr_equal(workers_next(w, 5000), &a);
    assert_true(workers_submit(w, &a));
    assert_true(workers_submit(w, &b));
    workers_free(w); /* one runs, one has not begun */
}

static void note_mask(struct workers_job *job)
{
    sigset_t *set = (sigset_t *)(void *)(job + 1);
    pthread_sigmask(SIG_SETMASK, NULL, set);
}

static void threads_take_no_signals(void **state)
{
    (void)state;
    struct {
        struct workers_job job;
        sigset_t set;
    } j = {.job = {.run = note_mask}};
    struct workers *w = workers_new(1, 0);
    assert_true(workers_submit(w, &j.job));
    assert_ptr_equal(workers_next(w, -1), &j.job);
    assert_true(sigismember(&j.set, SIGINT));
    assert_true(sigismember(&j.set, SIGTERM));
    workers_free(w);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_false(sigismember(&mine, SIGINT));
}

static void cores(void **state)
{
    (void)state;
    assert_in_range(workers_cores(), 1, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_comes_back_once),
        cmocka_unit_test(waiting_has_an_end),
        cmocka_unit_test(threads_take_no_signals),
        cmocka_unit_test(cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

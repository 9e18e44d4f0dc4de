/* Announces: who is asked when, with what event; dead, slow and rude trackers; a random walk. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/swarm/tiers.h>

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct rng rng;
    struct tiers *t;
};

static struct fixture *setup(uint64_t seed)
{
    struct fixture *f = mem_zero(sizeof *f);
    rng_seed(&f->rng, seed);
    f->t = tiers_new(&f->rng);
    return f;
}

static void teardown(struct fixture *f)
{
    tiers_free(f->t);
    free(f);
}

static int add(struct fixture *f, unsigned tier, unsigned number)
{
    char *url = mem_fmt("udp://tracker%u.example:80", number);
    int i = tiers_add(f->t, tier, url);
    if (i >= 0)
        assert_string_equal(tiers_url(f->t, i), url);
    free(url);
    return i;
}

static int next(struct fixture *f, enum tiers_event want, usec now)
{
    enum tiers_event e;
    bool due = tiers_deadline(f->t) <= now;
    int i = tiers_next(f->t, &e, now);
    assert_int_equal(i >= 0, due);
    if (i >= 0)
        assert_int_equal(e, want);
    return i;
}

#define MIN30 (30 * USEC_MIN)

static void no_trackers(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    assert_int_equal(next(f, 0, 1000), -1);
    assert_true(tiers_deadline(f->t) == USEC_NEVER);
    assert_true(tiers_exhausted(f->t));
    assert_false(tiers_stopped(f->t));
    tiers_hurry(f->t, 0);
    tiers_completed(f->t, 0);
    tiers_stop(f->t, 0);
    assert_true(tiers_stopped(f->t));
    teardown(f);
    tiers_free(NULL);
}

static void limits(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    for (unsigned i = 0; i < TIERS_MAX; i++)
        assert_int_equal(add(f, i % 7, i), i);
    assert_int_equal(add(f, 0, 5), 5); /* known: its number again */
    assert_int_equal(add(f, 99, 1000), -1);
    assert_int_equal(tiers_count(f->t), TIERS_MAX);
    teardown(f);
}

static void life_of_one(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1);
    assert_false(tiers_exhausted(f->t));
    assert_int_equal(next(f, TIERS_STARTED, 0), a);
    assert_int_equal(next(f, 0, 0), -1); /* one under way */
    assert_int_equal(next(f, 0, USEC_MIN), -1);
    assert_false(tiers_exhausted(f->t));
    tiers_answered(f->t, a, MIN30, 0, 1 * USEC_SEC);
    assert_true(tiers_exhausted(f->t));
    assert_true(tiers_deadline(f->t) == MIN30 + 1 * USEC_SEC);
    assert_int_equal(next(f, TIERS_PERIODIC, MIN30 + 1 * USEC_SEC), a);
    tiers_answered(f->t, a, MIN30, 0, MIN30 + 2 * USEC_SEC);
    tiers_completed(f->t, MIN30 + 9 * USEC_SEC);
    assert_int_equal(next(f, TIERS_COMPLETED, MIN30 + 9 * USEC_SEC), a);
    tiers_answered(f->t, a, MIN30, 0, MIN30 + 10 * USEC_SEC);
    tiers_completed(f->t, MIN30 + 10 * USEC_SEC);
    tiers_stop(f->t, MIN30 + 11 * USEC_SEC);
    assert_false(tiers_stopped(f->t));
    assert_int_equal(next(f, TIERS_STOPPED, MIN30 + 11 * USEC_SEC), a);
    assert_int_equal(next(f, 0, MIN30 + 11 * USEC_SEC), -1);
    assert_false(tiers_stopped(f->t));
    tiers_left(f->t, a, NULL);
    assert_true(tiers_stopped(f->t));
    assert_true(tiers_deadline(f->t) == USEC_NEVER);
    teardown(f);
}

static void dead_ones_delay_nobody(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    for (unsigned i = 0; i < 5; i++)
        add(f, i, i);
    int good = add(f, 5, 5);
    bool asked = false;
    for (int i = 0; i < 6; i++)
        asked |= next(f, TIERS_STARTED, 0) == good;
    assert_true(asked);
    assert_int_equal(next(f, 0, 0), -1);
    tiers_answered(f->t, good, MIN30, 0, 1);
    /* And only the good one hears that we stop. */
    for (int i = 0; i < 5; i++)
        tiers_failed(f->t, i, 0, "timed out", 20 * USEC_SEC);
    assert_string_equal(tiers_last_error(f->t, 0), "timed out");
    assert_string_equal(tiers_last_error(f->t, good), "");
    tiers_stop(f->t, 30 * USEC_SEC);
    assert_int_equal(next(f, TIERS_STOPPED, 30 * USEC_SEC), good);
    assert_int_equal(next(f, 0, 30 * USEC_SEC), -1);
    tiers_left(f->t, good, "gone");
    assert_true(tiers_stopped(f->t)); /* said once */
    assert_string_equal(tiers_last_error(f->t, good), "gone");
    teardown(f);
}

static void dead_ones_of_the_same_tier(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct fixture *f = setup(seed);
        int good = -1, who;
        for (unsigned i = 0; i < 6; i++)
            good = add(f, 3, i);
        usec now = 0;
        /* Some refuse at once, some say nothing: the next is asked then, the slow not dropped. */
        while ((who = next(f, TIERS_STARTED, now)) != good) {
            assert_true(who >= 0);
            if (who % 2) {
                tiers_failed(f->t, who, 0, "refused", now);
                assert_true(tiers_deadline(f->t) <= now);
            } else {
                assert_true(tiers_deadline(f->t) == now + TIERS_SLOW);
                now += TIERS_SLOW;
            }
        }
        assert_true(now <= 3 * TIERS_SLOW);
        tiers_answered(f->t, good, MIN30, 0, now);
        assert_true(tiers_deadline(f->t) == now + MIN30);
        assert_int_equal(next(f, TIERS_PERIODIC, now + MIN30), good); /* it is in front now */
        teardown(f);
    }
}

static void shuffled(void **state)
{
    (void)state;
    unsigned first[4] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct fixture *f = setup(seed);
        for (unsigned i = 0; i < 4; i++)
            add(f, 0, i);
        first[next(f, TIERS_STARTED, 0)]++;
        teardown(f);
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(first[i], 60, 140);
}

static void a_late_comer_does_not_push_in_front(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fixture *f = setup(seed);
        int a = add(f, 0, 1);
        assert_int_equal(next(f, TIERS_STARTED, 0), a);
        tiers_answered(f->t, a, MIN30, 0, 0);
        for (unsigned i = 2; i < 9; i++)
            add(f, 0, i);
        assert_true(tiers_deadline(f->t) == MIN30);
        assert_int_equal(next(f, TIERS_PERIODIC, MIN30), a);
        add(f, 1, 100); /* but another tier is served at once */
        assert_true(next(f, TIERS_STARTED, MIN30) > a);
        teardown(f);
    }
}

static void back_off(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1);
    usec now = 0, wait = TIERS_RETRY_FIRST;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(next(f, TIERS_STARTED, now), a);
        tiers_failed(f->t, a, 0, NULL, now);
        tiers_hurry(f->t, now); /* haste does not break back-off */
        assert_true(tiers_deadline(f->t) == now + wait);
        assert_int_equal(next(f, 0, now + wait - 1), -1);
        now += wait;
        wait = usec_min(2 * wait, TIERS_RETRY_MAX);
    }
    assert_true(tiers_exhausted(f->t));
    assert_int_equal(next(f, TIERS_STARTED, now), a);
    tiers_answered(f->t, a, MIN30, 0, now);
    now += MIN30;
    assert_int_equal(next(f, TIERS_PERIODIC, now), a);
    tiers_failed(f->t, a, 0, "", now);
    assert_true(tiers_deadline(f->t) == now + TIERS_RETRY_FIRST); /* an answer began it anew */
    teardown(f);
}

static void retry_in(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1);
    next(f, TIERS_STARTED, 0);
    tiers_failed(f->t, a, 7 * USEC_MIN, "overloaded", 0);
    assert_true(tiers_deadline(f->t) == 7 * USEC_MIN);
    next(f, TIERS_STARTED, 7 * USEC_MIN);
    tiers_failed(f->t, a, USEC_NEVER - 1, "overloaded", 7 * USEC_MIN); /* in 300,000 years */
    assert_true(tiers_deadline(f->t) <= 7 * USEC_MIN + 24 * 60 * USEC_MIN);
    next(f, TIERS_STARTED, tiers_deadline(f->t));
    tiers_failed(f->t, a, USEC_NEVER, "no tracker", 0);
    assert_true(tiers_deadline(f->t) == USEC_NEVER);
    assert_true(tiers_exhausted(f->t));
    assert_string_equal(tiers_last_error(f->t, a), "no tracker");
    tiers_stop(f->t, 0);
    assert_true(tiers_stopped(f->t));
    teardown(f);
}

static void intervals(void **state)
{
    (void)state;
    static const struct {
        usec interval, min, next, hurried;
    } v[] = {
        {MIN30, 0, MIN30, USEC_MIN},
        {MIN30, 5 * USEC_MIN, MIN30, 5 * USEC_MIN},
        {0, 0, MIN30, USEC_MIN},
        {-5, -5, MIN30, USEC_MIN},
        {1, 0, 5 * USEC_SEC, 5 * USEC_SEC},
        {USEC_MIN, 2 * USEC_MIN, USEC_MIN, USEC_MIN},
        {USEC_NEVER, USEC_NEVER, 24 * 60 * USEC_MIN, 24 * 60 * USEC_MIN},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct fixture *f = setup(1);
        int a = add(f, 0, 1);
        next(f, TIERS_STARTED, 0);
        tiers_answered(f->t, a, v[i].interval, v[i].min, 0);
        assert_true(tiers_deadline(f->t) == v[i].next);
        tiers_hurry(f->t, USEC_SEC);
        assert_true(tiers_deadline(f->t) == v[i].hurried);
        teardown(f);
    }
}

/* Whoever was told, or is being told, what is no longer so hears again as soon as he allows. */
static void moved(void **state)
{
    (void)state;
    for (int under_way = 0; under_way < 2; under_way++) {
        struct fixture *f = setup(1);
        int a = add(f, 0, 1);
        next(f, TIERS_STARTED, 0);
        if (under_way)
            tiers_moved(f->t, 0);
        tiers_answered(f->t, a, MIN30, 0, USEC_SEC);
        if (!under_way)
            tiers_moved(f->t, 2 * USEC_SEC);
        assert_true(tiers_deadline(f->t) == USEC_SEC + USEC_MIN);
        next(f, TIERS_PERIODIC, USEC_SEC + USEC_MIN);
        tiers_answered(f->t, a, MIN30, 0, 2 * USEC_MIN);
        assert_true(tiers_deadline(f->t) == 2 * USEC_MIN + MIN30);
        teardown(f);
    }
}

static void completed_meanwhile(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1), b = add(f, 1, 2), c = add(f, 2, 3);
    assert_int_equal(next(f, TIERS_STARTED, 0), a);
    assert_int_equal(next(f, TIERS_STARTED, 0), b);
    assert_int_equal(next(f, TIERS_STARTED, 0), c);
    tiers_answered(f->t, a, MIN30, 0, 0);
    tiers_failed(f->t, c, 0, "x", 0);
    tiers_completed(f->t, USEC_SEC);
    assert_int_equal(next(f, TIERS_COMPLETED, USEC_SEC), a);
    tiers_failed(f->t, a, 0, "x", USEC_SEC); /* it is owed until it was heard */
    tiers_answered(f->t, b, MIN30, 0, 2 * USEC_SEC);
    assert_int_equal(next(f, TIERS_COMPLETED, 2 * USEC_SEC), b);
    tiers_answered(f->t, b, MIN30, 0, 3 * USEC_SEC);
    /* Who never heard of us hears no `completed`. */
    assert_int_equal(next(f, TIERS_STARTED, 15 * USEC_SEC), c);
    tiers_answered(f->t, c, MIN30, 0, 15 * USEC_SEC);
    assert_int_equal(next(f, TIERS_COMPLETED, 16 * USEC_SEC), a);
    tiers_answered(f->t, a, MIN30, 0, 16 * USEC_SEC);
    assert_int_equal(next(f, 0, 17 * USEC_SEC), -1);
    teardown(f);
}

static void stop_while_under_way(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1), b = add(f, 1, 2);
    next(f, TIERS_STARTED, 0);
    next(f, TIERS_STARTED, 0);
    tiers_stop(f->t, 1);
    assert_int_equal(next(f, 0, 1), -1);
    assert_false(tiers_stopped(f->t));
    tiers_failed(f->t, a, 0, "x", 2);
    assert_false(tiers_stopped(f->t));
    tiers_answered(f->t, b, MIN30, 0, 3); /* it knows us after all: say goodbye */
    assert_int_equal(next(f, TIERS_STOPPED, 3), b);
    tiers_left(f->t, b, NULL);
    assert_true(tiers_stopped(f->t));
    tiers_answered(f->t, b, MIN30, 0, 5); /* answers that nobody waits for change nothing */
    tiers_failed(f->t, a, 0, "x", 5);
    tiers_left(f->t, b, "x");
    assert_true(tiers_stopped(f->t));
    assert_string_equal(tiers_last_error(f->t, b), "");
    teardown(f);
}

/* Where one may follow the other on its way, who leaves does not wait for what is under way. */
static void stopped_close_behind(void **state)
{
    (void)state;
    for (int overtaken = 0; overtaken < 2; overtaken++) {
        struct fixture *f = setup(1);
        int a = add(f, 0, 1);
        next(f, TIERS_STARTED, 0);
        tiers_answered(f->t, a, MIN30, 0, 0);
        tiers_completed(f->t, 1);
        tiers_stop(f->t, 1);
        assert_int_equal(next(f, TIERS_COMPLETED, 1), a);
        assert_true(tiers_deadline(f->t) == USEC_NEVER); /* not yet known how it went */
        assert_true(tiers_aside(f->t, a, 2) == 2 + TIERS_MOMENT);
        assert_true(tiers_aside(f->t, a, 3) == 2 + TIERS_MOMENT);
        assert_int_equal(next(f, 0, 1 + TIERS_MOMENT), -1);
        assert_int_equal(next(f, TIERS_STOPPED, 2 + TIERS_MOMENT), a);
        assert_int_equal(next(f, 0, USEC_SEC), -1); /* once */
        if (overtaken) {
            tiers_left(f->t, a, NULL);
            assert_int_equal(next(f, 0, USEC_SEC), -1);
            assert_false(tiers_stopped(f->t));
            tiers_answered(f->t, a, MIN30, 0, USEC_SEC); /* it may have us back: again */
            assert_int_equal(next(f, TIERS_STOPPED, USEC_SEC), a);
        } else {
            tiers_answered(f->t, a, MIN30, 0, USEC_SEC);
            assert_int_equal(next(f, 0, USEC_SEC), -1);
        }
        assert_false(tiers_stopped(f->t));
        tiers_left(f->t, a, NULL);
        assert_true(tiers_stopped(f->t));
        assert_true(tiers_deadline(f->t) == USEC_NEVER);
        teardown(f);
    }
}

/* What fails brings nobody back, and what is still owed comes first. */
static void stopped_beside_others(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1), b = add(f, 1, 2), c = add(f, 2, 3);
    next(f, TIERS_STARTED, 0);
    next(f, TIERS_STARTED, 0);
    next(f, TIERS_STARTED, 0);
    tiers_aside(f->t, a, 0);
    tiers_aside(f->t, b, 0);
    tiers_answered(f->t, c, MIN30, 0, 0);
    assert_true(tiers_aside(f->t, c, 0) >= USEC_NEVER); /* nothing is under way there */
    tiers_stop(f->t, USEC_SEC);
    assert_int_equal(next(f, TIERS_STOPPED, USEC_SEC), a); /* may be heard by now */
    assert_int_equal(next(f, TIERS_STOPPED, USEC_SEC), b);
    assert_int_equal(next(f, TIERS_STOPPED, USEC_SEC), c);
    tiers_left(f->t, c, NULL);
    tiers_failed(f->t, a, 0, "x", USEC_SEC);
    tiers_left(f->t, a, "x");
    tiers_left(f->t, b, "x");
    tiers_failed(f->t, b, 0, "x", USEC_SEC);
    assert_int_equal(next(f, 0, 2 * USEC_SEC), -1);
    assert_true(tiers_stopped(f->t));
    teardown(f);

    f = setup(1);
    a = add(f, 0, 1);
    next(f, TIERS_STARTED, 0);
    tiers_aside(f->t, a, 0);
    tiers_completed(f->t, 1);
    tiers_stop(f->t, 1);
    assert_int_equal(next(f, 0, USEC_SEC), -1);
    tiers_answered(f->t, a, MIN30, 0, USEC_SEC);
    assert_int_equal(next(f, TIERS_COMPLETED, USEC_SEC), a);
    assert_int_equal(next(f, 0, USEC_SEC), -1); /* this one has shown no way of its own */
    teardown(f);
}

/* Who could not be told anything yet is not waited for; for a while if a `completed` is owed. */
static void leaving_the_dead(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1), b = add(f, 1, 2), c = add(f, 2, 3);
    for (int i = 0; i < 3; i++)
        next(f, TIERS_STARTED, 0);
    tiers_answered(f->t, b, MIN30, 0, 0);
    assert_int_equal(next(f, TIERS_PERIODIC, MIN30), b);
    assert_true(tiers_dropped(f->t, a, MIN30));
    assert_false(tiers_dropped(f->t, a, MIN30));
    assert_true(tiers_dropped(f->t, b, MIN30));
    assert_true(tiers_dropped(f->t, c, MIN30));
    tiers_stop(f->t, MIN30);
    assert_int_equal(next(f, TIERS_STOPPED, MIN30), b); /* it knows of us since long ago */
    assert_false(tiers_dropped(f->t, b, MIN30));
    tiers_left(f->t, b, NULL);
    assert_true(tiers_stopped(f->t));
    teardown(f);

    f = setup(1);
    a = add(f, 0, 1), b = add(f, 1, 2);
    next(f, TIERS_STARTED, 0);
    next(f, TIERS_STARTED, 0);
    tiers_answered(f->t, b, MIN30, 0, 0);
    tiers_completed(f->t, 1);
    assert_int_equal(next(f, TIERS_COMPLETED, 1), b);
    assert_false(tiers_dropped(f->t, a, TIERS_HOPE - 1));
    assert_true(tiers_dropped(f->t, a, TIERS_HOPE));
    assert_false(tiers_dropped(f->t, b, 10 * TIERS_HOPE));
    teardown(f);
}

/* A program that ends as soon as it has everything still says that it has. */
static void completed_and_gone(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1), b = add(f, 1, 2);
    next(f, TIERS_STARTED, 0);
    next(f, TIERS_STARTED, 0);
    tiers_answered(f->t, a, MIN30, 0, 1);
    tiers_answered(f->t, b, MIN30, 0, 1);
    tiers_completed(f->t, 2);
    tiers_stop(f->t, 2);
    assert_int_equal(next(f, TIERS_COMPLETED, 2), a);
    assert_int_equal(next(f, TIERS_COMPLETED, 2), b);
    assert_int_equal(next(f, 0, 2), -1);
    assert_false(tiers_stopped(f->t));
    tiers_answered(f->t, a, MIN30, 0, 3);
    tiers_failed(f->t, b, 0, "x", 3); /* once is enough when leaving */
    assert_int_equal(next(f, TIERS_STOPPED, 3), a);
    assert_int_equal(next(f, TIERS_STOPPED, 3), b);
    tiers_left(f->t, a, NULL);
    tiers_left(f->t, b, NULL);
    assert_true(tiers_stopped(f->t));
    teardown(f);
}

static void tracker_ids(void **state)
{
    (void)state;
    struct fixture *f = setup(1);
    int a = add(f, 0, 1);
    char long_id[600];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = 0;
    assert_null(tiers_trackerid(f->t, a));
    tiers_set_trackerid(f->t, a, "one");
    tiers_set_trackerid(f->t, a, "two");
    tiers_set_trackerid(f->t, a, NULL);
    tiers_set_trackerid(f->t, a, long_id);
    assert_string_equal(tiers_trackerid(f->t, a), "two");
    next(f, TIERS_STARTED, 0);
    tiers_failed(f->t, a, 0, long_id, 0);
    assert_true(strlen(tiers_last_error(f->t, a)) <= 300);
    teardown(f);
}

struct walk { /* what the trackers of a random walk went through */
    struct fixture *f;
    bool busy, leaving, heard, struck;
    unsigned completed;
    enum tiers_event event;
};

static void walk_began(struct walk *k, enum tiers_event e, bool done)
{
    assert_false(k->struck && e != TIERS_STOPPED);
    if (e == TIERS_STOPPED) {
        assert_true(done && !k->leaving && (k->busy || k->heard));
        k->leaving = true;
        return;
    }
    assert_false(k->busy || k->leaving);
    assert_true(e == TIERS_COMPLETED ? k->heard : !done && (e == TIERS_STARTED) == !k->heard);
    k->busy = true;
    k->event = e;
}

static void walk_ends(struct walk *k, int i, usec now)
{
    struct tiers *t = k->f->t;
    bool well = rng_below(&k->f->rng, 2);
    if (k->leaving && rng_below(&k->f->rng, 3) == 0) {
        tiers_left(t, i, well ? NULL : "x");
        k->leaving = k->heard = false;
    } else if (k->busy && rng_below(&k->f->rng, 3) == 0 && well) {
        tiers_answered(t, i, (usec)rng_below(&k->f->rng, 100) * USEC_SEC, 0, now);
        k->busy = false;
        k->heard = true;
        k->completed += k->event == TIERS_COMPLETED;
        assert_true(k->completed <= 1);
    } else if (k->busy && rng_below(&k->f->rng, 3) == 0) {
        k->struck = rng_below(&k->f->rng, 40) == 0;
        tiers_failed(t, i, k->struck ? USEC_NEVER : 0, "x", now);
        k->busy = false;
        k->heard = k->heard && !k->struck;
    }
}

/* Trackers that answer, fail and dawdle at random; after the stop, the books must balance. */
static void random_walk(void **state)
{
    (void)state;
    enum { N = 12 };
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fixture *f = setup(seed);
        struct walk v[N] = {0};
        enum tiers_event e;
        usec now = 0;
        for (unsigned i = 0; i < N; i++) {
            add(f, (unsigned)rng_below(&f->rng, 4), i);
            v[i].f = f;
        }
        for (int i = 0; i < 2000; i++) {
            int k = tiers_next(f->t, &e, now);
            if (k >= 0)
                walk_began(&v[k], e, i > 1500);
            else
                assert_true(tiers_deadline(f->t) > now);
            k = (int)rng_below(&f->rng, N);
            if (rng_below(&f->rng, 4) == 0)
                tiers_aside(f->t, k, now);
            walk_ends(&v[k], k, now);
            if (i == 700)
                tiers_completed(f->t, now);
            if (i == 1500)
                tiers_stop(f->t, now);
            if (rng_below(&f->rng, 50) == 0)
                tiers_hurry(f->t, now);
            now += (usec)rng_below(&f->rng, 4) * USEC_SEC;
        }
        assert_true(tiers_stopped(f->t));
        for (int i = 0; i < N; i++)
            assert_true(!v[i].busy && !v[i].leaving && !v[i].heard);
        teardown(f);
    }
}

/* The second tier only when all of the first have failed, and no longer than that. */
static void one_at_a_time(void **state)
{
    (void)state;
    struct fixture *f = setup(40);
    int a = add(f, 0, 1), b = add(f, 0, 2), c = add(f, 1, 3), d = add(f, 2, 4);
    tiers_one_at_a_time(f->t);
    int first = next(f, TIERS_STARTED, 0);
    assert_true(first == a || first == b);
    tiers_failed(f->t, first, 0, "dead", 0);
    int other = next(f, TIERS_STARTED, 0);
    assert_int_equal(other, a + b - first);
    assert_int_equal(next(f, 0, 0), -1);
    assert_false(tiers_exhausted(f->t));
    tiers_failed(f->t, other, USEC_NEVER, "gone", 0);
    assert_false(tiers_exhausted(f->t));
    assert_int_equal(next(f, TIERS_STARTED, 0), c);
    assert_int_equal(next(f, 0, 0), -1);
    tiers_answered(f->t, c, MIN30, 0, 0);
    assert_true(tiers_exhausted(f->t)); /* nobody waits for the third */
    assert_int_equal(next(f, TIERS_STARTED, TIERS_RETRY_FIRST), first);
    tiers_answered(f->t, first, 2 * MIN30, 0, TIERS_RETRY_FIRST);
    assert_int_equal(next(f, 0, MIN30 + USEC_MIN), -1); /* it has an interval, but is not asked */
    tiers_stop(f->t, MIN30 + USEC_MIN);
    int left = next(f, TIERS_STOPPED, MIN30 + USEC_MIN);
    assert_int_equal(left + next(f, TIERS_STOPPED, MIN30 + USEC_MIN), first + c);
    (void)d;
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_trackers), cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(limits),
        cmocka_unit_test(life_of_one),
        cmocka_unit_test(dead_ones_delay_nobody),
        cmocka_unit_test(dead_ones_of_the_same_tier),
        cmocka_unit_test(shuffled),
        cmocka_unit_test(a_late_comer_does_not_push_in_front),
        cmocka_unit_test(back_off),
        cmocka_unit_test(retry_in),
        cmocka_unit_test(intervals),
        cmocka_unit_test(moved),
        cmocka_unit_test(completed_meanwhile),
        cmocka_unit_test(stop_while_under_way),
        cmocka_unit_test(stopped_close_behind),
        cmocka_unit_test(stopped_beside_others),
        cmocka_unit_test(leaving_the_dead),
        cmocka_unit_test(completed_and_gone),
        cmocka_unit_test(tracker_ids),
        cmocka_unit_test(random_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

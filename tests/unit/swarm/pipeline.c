/*
 * The request pipeline against a modelled link: a bottleneck of some rate behind some delay. It
 * must fill the link whatever both are, without asking for much more than that takes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/swarm/pipeline.h>

#define BLOCK 16384u
#define QUEUE 4096u

struct link {
    uint64_t rate;
    usec delay; /* there and back */
    struct {
        usec asked, comes;
    } q[QUEUE];
    size_t head, tail;
    usec busy_until;
    uint64_t got;
};

static void ask(struct link *l, struct pipeline *p, usec now)
{
    unsigned n = pipeline_room(p);
    if (n)
        pipeline_asked(p, n, now);
    for (; n; n--) {
        usec start = now + l->delay > l->busy_until ? now + l->delay : l->busy_until;
        l->busy_until = start + (usec)(BLOCK * (uint64_t)USEC_SEC / l->rate);
        l->q[l->tail % QUEUE].asked = now;
        l->q[l->tail++ % QUEUE].comes = l->busy_until;
        assert_true(l->tail - l->head < QUEUE);
    }
}

/* Runs up to `until`; returns the mean rate of what came. */
static uint64_t run(struct link *l, struct pipeline *p, usec *now, usec until)
{
    uint64_t before = l->got;
    usec began = *now;
    ask(l, p, *now);
    while (l->head < l->tail && l->q[l->head % QUEUE].comes <= until) {
        *now = l->q[l->head % QUEUE].comes;
        pipeline_got(p, BLOCK, l->q[l->head++ % QUEUE].asked, *now);
        l->got += BLOCK;
        assert_int_equal(p->out, l->tail - l->head);
        assert_true(p->target >= 1 && p->target <= p->reqq);
        ask(l, p, *now);
    }
    *now = until;
    pipeline_tick(p, until);
    return (uint64_t)((double)(l->got - before) * USEC_SEC / (double)(until - began));
}

static void fills_any_link(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate;
        usec delay;
    } links[] = {
        {20000, 200 * USEC_MS},    {100000, 20 * USEC_MS},   {1000000, 1 * USEC_MS},
        {1000000, 100 * USEC_MS},  {1000000, 600 * USEC_MS}, {10000000, 10 * USEC_MS},
        {10000000, 100 * USEC_MS}, {100000000, 100},         {20000000, 900 * USEC_MS},
        {300000, 1500 * USEC_MS},  {5000000, 50 * USEC_MS},
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        struct link l = {.rate = links[i].rate, .delay = links[i].delay};
        struct pipeline p;
        usec now = 0;
        pipeline_init(&p, now);
        pipeline_set_reqq(&p, 2048);
        for (int k = 0; k < 15; k++)
            run(&l, &p, &now, now + USEC_SEC);
        uint64_t rate = 0;
        for (int k = 0; k < 10; k++)
            rate += run(&l, &p, &now, now + USEC_SEC) / 10;
        assert_true(rate >= l.rate * 9 / 10);
        assert_true(p.rate >= l.rate * 8 / 10 && p.rate <= l.rate * 12 / 10);
        /* Not more than the way and three seconds hold. */
        uint64_t most = l.rate * (uint64_t)(l.delay + 3 * USEC_SEC) / USEC_SEC / BLOCK;
        assert_true(p.target <= most + PIPELINE_START);
        assert_false(p.snubbed);
    }
}

static void quick_from_the_start(void **state)
{
    (void)state;
    struct link l = {.rate = 10000000, .delay = 100 * USEC_MS};
    struct pipeline p;
    usec now = 0;
    pipeline_init(&p, now);
    assert_int_equal(pipeline_room(&p), PIPELINE_START);
    run(&l, &p, &now, 2 * USEC_SEC);
    assert_true(l.got > 10000000); /* of 20 MB at most: slow start costs a few round trips */
}

/* No deeper than what is of use, from the start on: the rest would wait in our own buffers. */
static void shallow_on_a_short_way(void **state)
{
    (void)state;
    struct link l = {.rate = 200000000, .delay = 200};
    struct pipeline p;
    usec now = 0;
    pipeline_init(&p, now);
    pipeline_set_reqq(&p, 2048);
    for (int k = 0; k < 20; k++) {
        uint64_t rate = run(&l, &p, &now, now + 200 * USEC_MS);
        assert_true(rate >= l.rate * 95 / 100);
        assert_true((uint64_t)p.target * BLOCK <= 2u << 20);
    }
}

/* What a bottleneck with room for the path once over holds, and enough to be always busy. */
static void little_beyond_a_long_way(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate;
        usec delay;
    } links[] = {{117000000, 100 * USEC_MS}, {117000000, 60 * USEC_MS}, {50000000, 300 * USEC_MS}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        struct link l = {.rate = links[i].rate, .delay = links[i].delay};
        struct pipeline p;
        usec now = 0;
        pipeline_init(&p, now);
        pipeline_set_reqq(&p, UINT32_MAX);
        run(&l, &p, &now, 16 * l.delay); /* time to find the rate */
        uint64_t path = l.rate * (uint64_t)l.delay / (uint64_t)USEC_SEC;
        for (int k = 0; k < 20; k++) {
            assert_true(run(&l, &p, &now, now + USEC_SEC / 2) >= l.rate * 99 / 100);
            assert_in_range((uint64_t)p.target * BLOCK, path * 5 / 4, path * 15 / 8);
        }
    }
}

static void follows_changes(void **state)
{
    (void)state;
    struct link l = {.rate = 10000000, .delay = 50 * USEC_MS};
    struct pipeline p;
    usec now = 0;
    pipeline_init(&p, now);
    pipeline_set_reqq(&p, 2048);
    run(&l, &p, &now, 10 * USEC_SEC);
    l.rate = 100000;
    run(&l, &p, &now, 200 * USEC_SEC);
    assert_true(p.target <= 3 * l.rate / BLOCK + 2);
    l.rate = 10000000;
    run(&l, &p, &now, 210 * USEC_SEC);
    assert_true(run(&l, &p, &now, 220 * USEC_SEC) > 8000000);
    l.delay = 2500 * USEC_MS; /* another way through the net, longer than our slack */
    run(&l, &p, &now, 260 * USEC_SEC);
    assert_true(run(&l, &p, &now, 300 * USEC_SEC) > 5000000);
}

static void keeps_within_reqq(void **state)
{
    (void)state;
    struct link l = {.rate = 100000000, .delay = 100 * USEC_MS};
    struct pipeline p;
    usec now = 0;
    pipeline_init(&p, now);
    assert_int_equal(p.reqq, 250);
    run(&l, &p, &now, 5 * USEC_SEC);
    assert_int_equal(p.target, 250);
    pipeline_set_reqq(&p, 5);
    assert_int_equal(p.target, 5);
    assert_int_equal(pipeline_room(&p), 0);
    pipeline_set_reqq(&p, 0);
    assert_int_equal(p.target, 1);
    pipeline_set_reqq(&p, UINT32_MAX);
    assert_int_equal(p.reqq, 2048);
}

static void asks_in_batches(void **state)
{
    (void)state;
    struct pipeline p;
    pipeline_init(&p, 0);
    p.slow_start = false;
    p.target = 40;
    assert_int_equal(pipeline_room(&p), 40);
    pipeline_asked(&p, 40, 0);
    for (unsigned i = 1; i < 10; i++) {
        pipeline_got(&p, BLOCK, 0, 1000);
        assert_int_equal(pipeline_room(&p), 0);
    }
    pipeline_got(&p, BLOCK, 0, 1000);
    assert_int_equal(pipeline_room(&p), 10);
    pipeline_dropped(&p, 3, 1000);
    assert_int_equal(pipeline_room(&p), 13);
    p.target = 227; /* a long pipe does not wait for a quarter */
    pipeline_asked(&p, 200 - 3, 1000);
    assert_int_equal(pipeline_room(&p), 0);
    pipeline_dropped(&p, 13, 1000);
    assert_int_equal(pipeline_room(&p), 16);
    pipeline_dropped(&p, 1000, 1000);
    assert_int_equal(p.out, 0);
}

static void snubbing(void **state)
{
    (void)state;
    struct pipeline p;
    pipeline_init(&p, 0);
    assert_true(pipeline_deadline(&p) == USEC_NEVER);
    pipeline_tick(&p, 1000 * USEC_SEC); /* nothing was asked: nobody snubs us */
    assert_false(p.snubbed);
    pipeline_asked(&p, 8, 1000 * USEC_SEC);
    assert_true(pipeline_deadline(&p) == 1005 * USEC_SEC); /* nothing ever came: less patience */
    struct pipeline mute = p;
    pipeline_tick(&mute, 1005 * USEC_SEC);
    assert_true(mute.snubbed);
    pipeline_tick(&p, 1004 * USEC_SEC);
    assert_false(p.snubbed);
    pipeline_alive(&p, 1059 * USEC_SEC);
    assert_true(pipeline_deadline(&p) == 1119 * USEC_SEC);
    pipeline_tick(&p, 1118 * USEC_SEC);
    assert_false(p.snubbed);
    pipeline_tick(&p, 1119 * USEC_SEC);
    assert_true(p.snubbed);
    assert_true(pipeline_deadline(&p) == USEC_NEVER);
    assert_int_equal(pipeline_speed(&p, 0), 0);
    assert_int_equal(pipeline_room(&p), 0);
    pipeline_dropped(&p, 8, 1119 * USEC_SEC);
    assert_int_equal(pipeline_room(&p), 1);
    pipeline_asked(&p, 1, 1119 * USEC_SEC);
    assert_int_equal(pipeline_room(&p), 0);
    pipeline_got(&p, BLOCK, 1119 * USEC_SEC, 1130 * USEC_SEC);
    assert_false(p.snubbed);
    assert_true(pipeline_room(&p) >= PIPELINE_MIN);
}

static void silence_forgets_the_rate(void **state)
{
    (void)state;
    struct link l = {.rate = 10000000, .delay = 50 * USEC_MS};
    struct pipeline p;
    usec now = 0;
    pipeline_init(&p, now);
    run(&l, &p, &now, 10 * USEC_SEC);
    pipeline_dropped(&p, p.out, now); /* choked */
    int ticks = 0;
    while (pipeline_deadline(&p) != USEC_NEVER) {
        now = pipeline_deadline(&p);
        pipeline_tick(&p, now);
        assert_true(++ticks < 50);
    }
    assert_int_equal(p.rate, 0);
    assert_true(p.slow_start);
    assert_int_equal(p.target, PIPELINE_START);
}

static void lost_requests(void **state)
{
    (void)state;
    struct pipeline p;
    pipeline_init(&p, 0);
    assert_true(pipeline_timeout(&p) == 120 * USEC_SEC);
    p.rate = 10000000;
    p.target = 250;
    assert_true(pipeline_timeout(&p) == 30 * USEC_SEC);
    p.rate = 3000;
    p.target = 2;
    assert_in_range(pipeline_timeout(&p), 40 * USEC_SEC, 60 * USEC_SEC);
}

static void speeds(void **state)
{
    (void)state;
    struct pipeline p;
    pipeline_init(&p, 0);
    assert_int_equal(pipeline_speed(&p, 1000000), 1); /* unknown */
    static const struct {
        uint64_t rate;
        unsigned speed;
    } v[] = {{1000000, 2}, {500000, 2}, {499999, 1}, {125000, 1}, {124999, 0}, {1, 0}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        p.rate = v[i].rate;
        assert_int_equal(pipeline_speed(&p, 1000000), v[i].speed);
    }
}

static void busy_while_an_answer_would_come_in_time(void **state)
{
    (void)state;
    struct link l = {.rate = 1000000, .delay = 100 * USEC_MS};
    struct pipeline p;
    usec now = 0;
    pipeline_init(&p, now);
    pipeline_asked(&p, 16, now);
    assert_false(pipeline_is_busy(&p, now)); /* nobody knows */
    pipeline_dropped(&p, 16, now);
    run(&l, &p, &now, 10 * USEC_SEC);
    assert_true(pipeline_is_busy(&p, now)); /* a second's worth and more */
    unsigned quarter = (unsigned)(l.rate / 4 / BLOCK);
    pipeline_dropped(&p, p.out - 2 * quarter, now);
    assert_true(pipeline_is_busy(&p, now));
    pipeline_dropped(&p, quarter, now);
    assert_false(pipeline_is_busy(&p, now)); /* two delays, and a little */
    /* In its first moments as well, before a rate is known. */
    pipeline_init(&p, now);
    pipeline_asked(&p, 1000, now);
    now += USEC_MS;
    pipeline_got(&p, BLOCK, now - USEC_MS, now);
    assert_int_equal(p.rate, 0);
    assert_true(pipeline_is_busy(&p, now));
    pipeline_tick(&p, now += PIPELINE_SNUB);
    assert_true(p.snubbed);
    assert_false(pipeline_is_busy(&p, now));
}

/* All that waits is answered twice a second, and what comes just then at once: the queue is all
 * that comes in between, so it has to grow, and to stay so deep. */
static void who_serves_at_intervals(void **state)
{
    struct pipeline p;
    usec now = 1000 * USEC_SEC, asked = now;
    (void)state;
    pipeline_init(&p, now);
    pipeline_set_reqq(&p, 512);
    for (unsigned i = 0; i < 60; i++) {
        unsigned n = pipeline_room(&p);
        pipeline_asked(&p, n, now);
        asked = now;
        now += USEC_SEC / 2;
        while (p.out > 0) {
            pipeline_alive(&p, now);
            pipeline_got(&p, 16384, p.out == 1 ? now : asked, now);
        }
        pipeline_tick(&p, now);
        assert_true(i < 30 || p.target > 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_any_link),
        cmocka_unit_test(quick_from_the_start),
        cmocka_unit_test(shallow_on_a_short_way),
        cmocka_unit_test(little_beyond_a_long_way),
        cmocka_unit_test(follows_changes),
        cmocka_unit_test(keeps_within_reqq),
        cmocka_unit_test(asks_in_batches),
        cmocka_unit_test(snubbing),
        cmocka_unit_test(silence_forgets_the_rate),
        cmocka_unit_test(lost_requests),
        cmocka_unit_test(speeds),
        cmocka_unit_test(busy_while_an_answer_would_come_in_time),
        cmocka_unit_test(who_serves_at_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

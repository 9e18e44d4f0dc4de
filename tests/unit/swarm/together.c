/*
 * Picker, choker and rates together: a whole swarm in one process under virtual time. A tick is a
 * second; in it each node divides its upload among those it serves, and they choose what they
 * take. What is to come out: nearly the time that the links allow, little fetched twice, and free
 * riders served last.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/swarm/choker.h>
#include <p2p/swarm/picker.h>
#include <p2p/swarm/rate.h>

#include <stdlib.h>

#define NODES 24u
#define PIECES 200u
#define BLOCKS 8u
#define BLOCK 16384u

struct node {
    struct picker *p;
    struct choker c;
    struct bits has;
    struct choker_peer peer[NODES];
    struct rate down[NODES];
    uint32_t up; /* blocks a tick */
    uint32_t up_left;
    usec done;
};

struct swarm {
    struct rng rng;
    struct node v[NODES];
    uint32_t n, seeds, got, twice;
    usec now;
};

static uint32_t blocks(const void *ctx, uint32_t piece)
{
    (void)ctx;
    (void)piece;
    return BLOCKS;
}

static bool is_done(const struct node *a)
{
    return picker_missing(a->p) == 0;
}

static struct swarm *setup(uint64_t seed, uint32_t n, uint32_t seeds, uint32_t riders)
{
    struct swarm *s = mem_zero(sizeof *s);
    rng_seed(&s->rng, seed);
    s->n = n;
    s->seeds = seeds;
    for (uint32_t i = 0; i < n; i++) {
        struct node *a = &s->v[i];
        a->p = picker_new(&(struct picker_shape){PIECES, blocks, NULL, NULL}, &s->rng);
        choker_init(&a->c, 0);
        bits_init(&a->has, PIECES);
        a->up = i < seeds ? 12 : i >= n - riders ? 0 : 8;
        a->done = USEC_NEVER;
        for (uint32_t k = 0; k < n; k++)
            a->peer[k].id = k;
    }
    for (uint32_t i = 0; i < seeds; i++) {
        bits_fill(&s->v[i].has, true);
        for (uint32_t k = 0; k < PIECES; k++)
            picker_have(s->v[i].p, k);
        for (uint32_t k = 0; k < n; k++)
            picker_peer_all(s->v[k].p, k != i);
    }
    return s;
}

static void teardown(struct swarm *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        picker_free(s->v[i].p);
        bits_fini(&s->v[i].has);
    }
    free(s);
}

static void choke(struct swarm *s, struct node *a)
{
    uint32_t self = (uint32_t)(a - s->v);
    if (choker_deadline(&a->c) > s->now)
        return;
    bool before[NODES];
    for (uint32_t k = 0; k < s->n; k++) {
        struct choker_peer *p = &a->peer[k];
        before[k] = p->unchoked;
        p->upload_only = k == self || is_done(&s->v[k]);
        p->interested = !p->upload_only && picker_interesting(s->v[k].p, &a->has);
        p->gave = rate_now(&a->down[k], s->now);
        p->given = a->down[k].total > 0;
        p->took = rate_now(&s->v[k].down[self], s->now);
    }
    choker_run(&a->c, a->peer, s->n, is_done(a), (uint64_t)a->up * BLOCK, &s->rng, s->now);
    for (uint32_t k = 0; k < s->n; k++)
        if (before[k] != a->peer[k].unchoked)
            a->peer[k].since = s->now;
}

static void announce(struct swarm *s, uint32_t who, uint32_t piece)
{
    bits_set(&s->v[who].has, piece);
    for (uint32_t k = 0; k < s->n; k++)
        if (k != who)
            picker_peer_have(s->v[k].p, piece, 1);
}

/* One block from a to b, if b finds one that it wants. */
static bool transfer(struct swarm *s, uint32_t a, uint32_t b)
{
    struct node *to = &s->v[b];
    struct block_ref ref;
    struct picker_ask ask = {
        .peer = a, .has = a < s->seeds ? NULL : &s->v[a].has, .speed = 1, .now = s->now};
    if (is_done(to) || picker_pick(to->p, &ask, &ref, 1) == 0)
        return false;
    s->got++;
    rate_add(&to->down[a], BLOCK, s->now);
    if (picker_received(to->p, ref, a, NULL, NULL) != PICKER_NEW) {
        s->twice++;
    } else if (picker_stored(to->p, ref)) {
        picker_have(to->p, ref.piece);
        announce(s, b, ref.piece);
    }
    if (is_done(to))
        to->done = s->now;
    return true;
}

static void upload(struct swarm *s, uint32_t a)
{
    struct node *from = &s->v[a];
    bool any = true;
    while (from->up_left && any) {
        any = false;
        uint32_t first = (uint32_t)rng_below(&s->rng, s->n);
        for (uint32_t i = 0; i < s->n && from->up_left; i++) {
            uint32_t b = (first + i) % s->n;
            if (b == a || !from->peer[b].unchoked || !transfer(s, a, b))
                continue;
            from->up_left--;
            any = true;
        }
    }
}

static bool all_done(const struct swarm *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (!is_done(&s->v[i]))
            return false;
    return true;
}

static void run(struct swarm *s)
{
    while (!all_done(s)) {
        assert_true(s->now < 100000 * USEC_SEC);
        uint32_t first = (uint32_t)rng_below(&s->rng, s->n);
        for (uint32_t i = 0; i < s->n; i++) {
            uint32_t a = (first + i) % s->n;
            choke(s, &s->v[a]);
            s->v[a].up_left = s->v[a].up;
            upload(s, a);
        }
        s->now += USEC_SEC;
    }
}

static void all_finish_in_good_time(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct swarm *s = setup(seed, NODES, 1, 0);
        run(s);
        /* Everybody's upload together must carry the content to each of the others. */
        uint32_t ideal = (NODES - 1) * PIECES * BLOCKS / (12 + (NODES - 1) * 8);
        assert_true(s->now <= (usec)ideal * USEC_SEC * 5 / 4);
        assert_true(s->twice * 200 <= s->got);
        teardown(s);
    }
}

static void who_gives_is_done_first(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        const uint32_t riders = 8;
        struct swarm *s = setup(seed, NODES, 1, riders);
        usec givers = 0, taken = 0;
        run(s);
        for (uint32_t i = 1; i < NODES; i++)
            *(i < NODES - riders ? &givers : &taken) += s->v[i].done;
        givers /= NODES - riders - 1;
        taken /= riders;
        assert_true(givers * 9 / 8 < taken); /* who is done serves all, so not by more */
        teardown(s);
    }
}

static void two_nodes(void **state)
{
    (void)state;
    struct swarm *s = setup(3, 2, 1, 0);
    run(s);
    assert_int_equal(s->twice, 0);
    assert_int_equal(s->got, PIECES * BLOCKS);
    assert_true(s->now <= (usec)(PIECES * BLOCKS / 12 + 2) * USEC_SEC);
    teardown(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_finish_in_good_time),
        cmocka_unit_test(who_gives_is_done_first),
        cmocka_unit_test(two_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

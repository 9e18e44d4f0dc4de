/* The rarity order: its invariants under random changes, and that searches find the best. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <swarm/picker_order.h>

#define N 6000u

static void check_class(const struct order *o, unsigned k)
{
    const struct order_class *c = &o->c[k];
    assert_int_equal(c->n, c->set.ones);
    assert_int_equal(c->start[0], 0);
    assert_int_equal(c->start[o->buckets], c->n);
    for (uint32_t a = 0; a < o->buckets; a++) {
        assert_true(c->start[a] <= c->start[a + 1]);
        for (uint32_t i = c->start[a]; i < c->start[a + 1]; i++) {
            uint32_t piece = c->v[i];
            assert_true(o->avail[piece] == a && o->pos[piece] == i && o->cls[piece] == k);
            assert_true(bits_get(&c->set, piece));
        }
    }
}

static void check(const struct order *o)
{
    uint32_t fresh = 0, unseen = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        fresh += o->cls[i] != 0;
        unseen += o->cls[i] != 0 && o->avail[i] == 0;
    }
    assert_int_equal(o->fresh, fresh);
    assert_int_equal(o->fresh_unseen, unseen);
    for (unsigned k = 1; k < ORDER_CLASSES && !o->dirty; k++)
        check_class(o, k);
}

static uint32_t best_avail(const struct order *o, const struct order_filter *f, unsigned *cls)
{
    uint32_t best = UINT32_MAX;
    *cls = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        if (!o->cls[i] || !order_match(f, i) || o->cls[i] < *cls)
            continue;
        if (o->cls[i] > *cls || o->avail[i] < best)
            best = o->avail[i];
        *cls = o->cls[i];
    }
    return best;
}

static void toggle(struct order *o, struct rng *r, uint32_t piece)
{
    if (o->cls[piece])
        order_remove(o, piece);
    else
        order_insert(o, piece, 1 + (unsigned)rng_below(r, 7));
}

static void random_changes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct rng r;
        struct order o;
        struct bits most, few;
        rng_seed(&r, seed);
        order_init(&o, N - (uint32_t)seed);
        bits_init(&most, o.n);
        bits_init(&few, o.n);
        for (uint32_t i = 0; i < o.n; i++) {
            if (rng_below(&r, 10))
                bits_set(&most, i);
            if (rng_below(&r, 40) == 0)
                bits_set(&few, i);
        }
        int joined = 0;
        for (int i = 0; i < 3000; i++) {
            uint32_t piece = (uint32_t)rng_below(&r, o.n);
            uint64_t what = rng_below(&r, 100);
            if (what < 40)
                order_count(&o, piece, rng_below(&r, 3) ? 1 : -1);
            else if (what < 80)
                toggle(&o, &r, piece);
            else if (what == 80)
                order_count_bits(&o, &few, rng_below(&r, 3) ? 1 : -1);
            else if (what == 81 && joined < 60)
                order_count_bits(&o, &most, joined++ % 3 == 2 ? -1 : 1);
            else if (what == 82)
                order_count(&o, piece, 40); /* more buckets are needed */
            if (i % 50 == 0)
                check(&o);
            struct order_filter f = {.has = rng_below(&r, 2) ? &few : &most};
            unsigned cls;
            uint32_t best = best_avail(&o, &f, &cls);
            uint32_t got = order_find(&o, &f, ORDER_RAREST, &r);
            assert_false(o.dirty);
            assert_int_equal(got == ORDER_NONE, cls == 0);
            if (got == ORDER_NONE)
                continue;
            assert_true(order_match(&f, got));
            assert_int_equal(o.cls[got], cls);
            if (f.has == &few)
                assert_int_equal(o.avail[got], best); /* exact where it is cheap */
        }
        check(&o);
        bits_fini(&most);
        bits_fini(&few);
        order_fini(&o);
    }
}

static void and_next(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 9);
    for (uint32_t n = 0; n < 300; n++) {
        struct bits a, b, c, d;
        bits_init(&a, n);
        bits_init(&b, n);
        bits_init(&c, n);
        bits_init(&d, n);
        for (uint32_t i = 0; i < n; i++) {
            if (rng_below(&r, 3))
                bits_set(&a, i);
            if (rng_below(&r, 3))
                bits_set(&b, i);
            if (rng_below(&r, 3))
                bits_set(&c, i);
            if (rng_below(&r, 2))
                bits_set(&d, i);
        }
        for (int mask = 0; mask < 8; mask++) {
            struct order_filter f = {mask & 1 ? &b : NULL, mask & 2 ? &c : NULL,
                                     mask & 4 ? &d : NULL};
            for (uint32_t from = 0; from <= n + 70; from++) {
                uint32_t want = from;
                while (want < n && !(bits_get(&a, want) && order_match(&f, want)))
                    want++;
                assert_int_equal(order_and_next(&a, &f, from), want < n ? want : ORDER_NONE);
            }
        }
        /* A filter of another length (hostile, or of another item) is no reason to read past it. */
        struct order_filter shorter = {.has = &b, .avoid = &d};
        b.n = n / 2;
        d.n = n / 3;
        uint32_t got = order_and_next(&a, &shorter, 0);
        assert_true(got == ORDER_NONE || got < n);
        bits_fini(&a);
        bits_fini(&b);
        bits_fini(&c);
        bits_fini(&d);
    }
}

/* What is rare is what the asker lacks: probing finds nothing, the sample must. */
static void the_rare_is_elsewhere(void **state)
{
    (void)state;
    struct rng r;
    struct order o;
    struct bits has;
    rng_seed(&r, 3);
    order_init(&o, N);
    bits_init(&has, N);
    for (uint32_t i = 0; i < N; i++) {
        order_count(&o, i, i < 4000 ? 1 : 5);
        if (i >= 4000)
            bits_set(&has, i);
    }
    struct order_filter f = {.has = &has};
    for (uint32_t left = N - 4000; left; left--) {
        uint32_t piece = order_find(&o, &f, ORDER_RAREST, &r);
        assert_true(piece >= 4000 && piece < N);
        order_remove(&o, piece);
    }
    assert_int_equal(order_find(&o, &f, ORDER_RAREST, &r), ORDER_NONE);
    assert_int_equal(order_find(&o, &f, ORDER_RANDOM, &r), ORDER_NONE);
    assert_int_equal(order_find_ahead(&o, &f, N, N, &r), ORDER_NONE);
    assert_int_equal(order_find_run(&o, &f, ORDER_NONE, 0), ORDER_NONE);
    f.has = NULL;
    assert_int_equal(order_find_ahead(&o, &f, 1, N, &r), 0);
    bits_fini(&has);
    order_fini(&o);
}

static void runs(void **state)
{
    (void)state;
    struct order o;
    order_init(&o, 100);
    struct order_filter all = {0};
    for (uint32_t i = 0; i < 100; i++)
        if (i % 10 == 0 || i == 55 || i == 15)
            order_remove(&o, i);
    for (uint32_t i = 61; i < 64; i++) {
        order_remove(&o, i);
        order_insert(&o, i, 2);
    }
    assert_int_equal(order_find_run(&o, &all, ORDER_NONE, 0), 61); /* priority before length */
    assert_int_equal(order_find_run(&o, &all, 61, 0), 62);
    assert_int_equal(order_find_run(&o, &all, 63, 0), 61);
    for (uint32_t i = 61; i < 64; i++)
        order_remove(&o, i);
    assert_int_equal(order_find_run(&o, &all, ORDER_NONE, 0), 1);
    assert_int_equal(order_find_run(&o, &all, 24, 0), 25);
    assert_int_equal(order_find_run(&o, &all, 29, 0), 1);
    assert_int_equal(order_find_run(&o, &all, 99, 0), 1);
    assert_int_equal(order_find_run(&o, &all, ORDER_NONE, 31), 31);
    assert_int_equal(order_find_run(&o, &all, ORDER_NONE, 95), 1); /* round, for a longer one */
    assert_int_equal(order_find_run(&o, &all, 24, 71), 25);
    struct bits avoid;
    bits_init(&avoid, 100);
    for (uint32_t i = 0; i < 97; i++)
        bits_set(&avoid, i);
    struct order_filter end = {.avoid = &avoid};
    assert_int_equal(order_find_run(&o, &end, ORDER_NONE, 40), 97);
    assert_int_equal(order_find_run(&o, &end, ORDER_NONE, UINT32_MAX), 97);
    bits_fini(&avoid);
    order_fini(&o);
}

static void saturates(void **state)
{
    (void)state;
    struct order o;
    order_init(&o, 1);
    order_count(&o, 0, 70000);
    assert_int_equal(o.avail[0], UINT16_MAX);
    order_count(&o, 0, -70000);
    assert_int_equal(o.avail[0], 0);
    assert_int_equal(o.fresh_unseen, 1);
    order_fini(&o);
    order_init(&o, 0);
    order_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes),
        cmocka_unit_test(and_next),
        cmocka_unit_test(the_rare_is_elsewhere),
        cmocka_unit_test(runs),
        cmocka_unit_test(saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

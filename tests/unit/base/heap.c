/* The heap of deadlines, against sorting by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/heap.h>
#include <p2p/base/rng.h>

static void empty(void **state)
{
    (void)state;
    struct heap h;
    struct heap_item a = {0};
    heap_init(&h);
    assert_null(heap_peek(&h));
    heap_remove(&h, &a);
    heap_set(&h, &a, USEC_NEVER);
    assert_null(heap_peek(&h));
    assert_true(a.at == USEC_NEVER);
    heap_fini(&h);
}

static void moves(void **state)
{
    (void)state;
    struct heap h;
    struct heap_item a = {0}, b = {0}, c = {0};
    heap_init(&h);
    heap_set(&h, &a, 10);
    heap_set(&h, &b, 20);
    heap_set(&h, &c, INT64_MIN);
    assert_ptr_equal(heap_peek(&h), &c);
    heap_set(&h, &c, USEC_NEVER - 1);
    assert_ptr_equal(heap_peek(&h), &a);
    heap_set(&h, &b, 5);
    assert_ptr_equal(heap_peek(&h), &b);
    heap_set(&h, &b, USEC_NEVER);
    assert_int_equal(b.index, 0);
    assert_ptr_equal(heap_peek(&h), &a);
    heap_remove(&h, &a);
    heap_remove(&h, &a);
    assert_ptr_equal(heap_peek(&h), &c);
    heap_remove(&h, &c);
    assert_null(heap_peek(&h));
    heap_fini(&h);
}

enum { MANY = 300 };

static usec least(const struct heap_item *v)
{
    usec at = USEC_NEVER;
    for (int i = 0; i < MANY; i++)
        if (v[i].index)
            at = usec_min(at, v[i].at);
    return at;
}

static void random_walk(void **state)
{
    (void)state;
    struct heap_item v[MANY] = {0};
    struct heap h;
    struct rng r;
    heap_init(&h);
    rng_seed(&r, 11);
    for (int turn = 0; turn < 20000; turn++) {
        struct heap_item *it = &v[rng_below(&r, MANY)];
        if (rng_below(&r, 3) == 0)
            heap_remove(&h, it);
        else
            heap_set(&h, it, (usec)rng_below(&r, 1000));
        struct heap_item *first = heap_peek(&h);
        assert_true((first ? first->at : USEC_NEVER) == least(v));
    }
    usec last = INT64_MIN;
    for (struct heap_item *it; (it = heap_peek(&h)); heap_remove(&h, it)) {
        assert_true(it->at >= last);
        last = it->at;
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(v[i].index, 0);
    heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty), cmocka_unit_test(moves), cmocka_unit_test(random_walk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Known bytes found again: moved, changed, repeated, and not there at all. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/anchors.h>
#include <p2p/base/mem.h>
#include <p2p/base/rng.h>

#include <stdlib.h>

#define OLD ((size_t)1 << 20)
#define BLOCK 16384u

static uint8_t *noise(size_t n, uint64_t seed)
{
    struct rng r;
    uint8_t *v = mem_alloc(n);
    rng_seed(&r, seed);
    for (size_t i = 0; i < n; i++)
        v[i] = (uint8_t)rng_u64(&r);
    return v;
}

static void found_wherever_it_has_moved_to(void **state)
{
    (void)state;
    uint8_t *old = noise(OLD, 1);
    struct anchors *a = anchors_new(OLD);
    /* In parts that overlap, as a file is read. */
    for (size_t at = 0; at + ANCHORS_WINDOW < OLD; at += 100000 - ANCHORS_WINDOW)
        anchors_add(a, 3, at, BYTES(old + at, OLD - at < 100000 ? OLD - at : 100000));
    for (size_t at = 0; at + BLOCK <= OLD; at += 12347) {
        struct anchors_match v[ANCHORS_FOUND];
        size_t n = anchors_find(a, BYTES(old + at, BLOCK), v);
        assert_int_equal(n, 1);
        assert_int_equal(v[0].source, 3);
        assert_int_equal(v[0].shift, (int64_t)at);
        assert_true(v[0].votes >= 4);
    }
    anchors_free(a);
    free(old);
}

static void an_edge_says_both_ways(void **state)
{
    (void)state;
    struct anchors_match v[ANCHORS_FOUND];
    uint8_t *old = noise(OLD, 1), block[BLOCK];
    struct anchors *a = anchors_new(OLD);
    anchors_add(a, 0, 0, BYTES(old, OLD));
    memcpy(block, old + 5000, 10000);
    memcpy(block + 10000, old + 400000, BLOCK - 10000);
    assert_int_equal(anchors_find(a, BYTES(block, BLOCK), v), 2);
    assert_int_equal(v[0].shift, 5000);
    assert_int_equal(v[1].shift, 400000 - 10000);
    assert_true(v[0].votes >= v[1].votes);
    anchors_free(a);
    free(old);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    struct anchors_match v[ANCHORS_FOUND];
    uint8_t *old = noise(OLD, 1), *other = noise(OLD, 2);
    struct anchors *a = anchors_new(OLD);
    anchors_add(a, 0, 0, BYTES(old, OLD));
    assert_int_equal(anchors_find(a, BYTES(other, OLD), v), 0);
    assert_int_equal(anchors_find(a, BYTES(old, 0), v), 0);
    assert_int_equal(anchors_find(a, BYTES(old, ANCHORS_WINDOW - 1), v), 0);
    anchors_free(a);
    free(old);
    free(other);
}

/* What stands there many times says little, unless there is nothing else. */
static void what_repeats_counts_last(void **state)
{
    (void)state;
    struct anchors_match v[ANCHORS_FOUND];
    uint8_t *old = noise(OLD, 1);
    struct anchors *a = anchors_new(OLD);
    memcpy(old + 300000, old + 100000, 100000);
    anchors_add(a, 0, 0, BYTES(old, OLD));
    assert_int_equal(anchors_find(a, BYTES(old + 190000, 20000), v), 1);
    assert_int_equal(v[0].shift, 190000);
    assert_true(anchors_find(a, BYTES(old + 310000, BLOCK), v) >= 1);
    assert_int_equal(v[0].shift, 110000); /* the first place of the two */
    anchors_free(a);
    free(old);
}

static void same_bytes_all_through_cost_little(void **state)
{
    (void)state;
    struct anchors_match v[ANCHORS_FOUND];
    uint8_t *old = mem_zero(OLD);
    struct anchors *a = anchors_new(OLD);
    for (unsigned c = 0; c < 256; c++) {
        memset(old, (int)c, OLD / 16);
        anchors_add(a, c, 0, BYTES(old, OLD / 16));
        assert_true(anchors_find(a, BYTES(old, BLOCK), v) <= ANCHORS_FOUND);
    }
    anchors_free(a);
    free(old);
}

/* More is shown than was announced: it keeps what it has, and stays within its memory. */
static void more_than_there_is_room_for(void **state)
{
    (void)state;
    struct anchors_match v[ANCHORS_FOUND];
    struct anchors *a = anchors_new(1000);
    for (uint64_t i = 0; i < 64; i++) {
        uint8_t *part = noise(OLD, i);
        anchors_add(a, (uint32_t)i, 0, BYTES(part, OLD));
        free(part);
    }
    uint8_t *first = noise(OLD, 0);
    assert_true(anchors_find(a, BYTES(first, OLD), v) >= 1);
    assert_int_equal(v[0].source, 0);
    anchors_free(a);
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_wherever_it_has_moved_to),
        cmocka_unit_test(an_edge_says_both_ways),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(what_repeats_counts_last),
        cmocka_unit_test(same_bytes_all_through_cost_little),
        cmocka_unit_test(more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The hash map: keys of every length, floods, removals in the middle of a run. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/map.h>
#include <p2p/base/rng.h>

#include <stdio.h>

static int one, two;

static void basics(void **state)
{
    (void)state;
    struct map *m = map_new(1);
    assert_int_equal(map_count(m), 0);
    assert_null(map_get(m, BYTES_LIT("a")));
    assert_null(map_remove(m, BYTES_LIT("a")));
    assert_null(map_put(m, BYTES_LIT("a"), &one));
    assert_ptr_equal(map_put(m, BYTES_LIT("a"), &two), &one);
    assert_ptr_equal(map_get(m, BYTES_LIT("a")), &two);
    assert_null(map_get(m, BYTES_LIT("a\0")));
    assert_int_equal(map_count(m), 1);
    assert_ptr_equal(map_remove(m, BYTES_LIT("a")), &two);
    assert_null(map_remove(m, BYTES_LIT("a")));
    assert_int_equal(map_count(m), 0);
    map_free(m);
    map_free(NULL);
}

static void keys_are_copied(void **state)
{
    (void)state;
    struct map *m = map_new(1);
    char key[100];
    for (size_t n = 0; n <= sizeof key; n++) { /* about the length up to which they lie inside */
        memset(key, 'k', sizeof key);
        assert_null(map_put(m, BYTES(key, n), &one));
    }
    memset(key, 'x', sizeof key);
    assert_int_equal(map_count(m), 101);
    memset(key, 'k', sizeof key);
    for (size_t n = 0; n <= sizeof key; n++)
        assert_ptr_equal(map_get(m, BYTES(key, n)), &one);
    assert_ptr_equal(map_get(m, (struct bytes){NULL, 0}), &one);
    for (size_t n = 0; n <= sizeof key; n += 2)
        assert_ptr_equal(map_remove(m, BYTES(key, n)), &one);
    map_free(m);
}

enum { MANY = 5000 };

static struct bytes key_of(char text[40], int i)
{
    int n = snprintf(text, 40, i % 5 ? "%d" : "a key too long to lie inside %d", i);
    return BYTES(text, n < 40 ? n : 39);
}

static void random_walk(void **state)
{
    (void)state;
    static bool in[500];
    static int value[500];
    struct map *m = map_new(99);
    struct rng r;
    char text[40];
    size_t count = 0;
    rng_seed(&r, 5);
    for (int turn = 0; turn < 100000; turn++) {
        /* Grows for a while, then shrinks for a while. */
        bool put = rng_below(&r, 10) < (turn / 10000 % 2 ? 2 : 8);
        int i = (int)rng_below(&r, 500);
        void *before = in[i] ? &value[i] : NULL;
        struct bytes key = key_of(text, i);
        assert_ptr_equal(map_get(m, key), before);
        assert_ptr_equal(put ? map_put(m, key, &value[i]) : map_remove(m, key), before);
        count = count - in[i] + put;
        in[i] = put;
        assert_int_equal(map_count(m), count);
    }
    for (int i = 0; i < 500; i++)
        assert_ptr_equal(map_get(m, key_of(text, i)), in[i] ? &value[i] : NULL);
    map_free(m);
}

static void walks(void **state)
{
    (void)state;
    static int value[MANY];
    struct map *m = map_new(7);
    char text[40];
    size_t it = 0;
    struct bytes key;
    void *v;
    assert_false(map_walk(m, &it, &key, &v));
    memset(value, 0, sizeof value);
    for (int i = 0; i < MANY; i++)
        map_put(m, key_of(text, i), &value[i]);
    it = 0;
    while (map_walk(m, &it, &key, &v)) {
        int i = (int)((int *)v - value);
        value[i]++;
        assert_true(bytes_eq(key, key_of(text, i)));
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(value[i], 1);
    it = 0;
    assert_true(map_walk(m, &it, NULL, NULL));
    for (int i = 0; i < MANY; i++)
        assert_non_null(map_remove(m, key_of(text, i)));
    assert_int_equal(map_count(m), 0);
    map_free(m);
}

/* The key of a put may lie in the very table that the put makes grow. */
static void key_from_the_table(void **state)
{
    (void)state;
    for (int n = 1; n < 100; n++) {
        struct map *m = map_new((uint64_t)n);
        char text[40];
        for (int i = 0; i < n; i++)
            map_put(m, BYTES(text, snprintf(text, sizeof text, "key%dx", i)), &one);
        struct bytes key;
        size_t it = 0;
        assert_true(map_walk(m, &it, &key, NULL));
        memcpy(text, key.p, key.n);
        struct bytes shorter = BYTES(text, key.n - 1);
        assert_null(map_put(m, BYTES(key.p, key.n - 1), &two));
        assert_ptr_equal(map_get(m, shorter), &two);
        map_free(m);
    }
}

static void hash_depends_on_all(void **state)
{
    (void)state;
    uint8_t b[33] = {0};
    for (size_t n = 0; n <= 32; n++) {
        uint64_t h = hash_bytes(1, BYTES(b, n));
        assert_true(h == hash_bytes(1, BYTES(b, n)));
        assert_true(h != hash_bytes(2, BYTES(b, n)));
        assert_true(h != hash_bytes(1, BYTES(b, n + 1)));
        for (size_t bit = 0; bit < 8 * n; bit++) {
            b[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(h != hash_bytes(1, BYTES(b, n)));
            b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    assert_true(hash_bytes(4, (struct bytes){NULL, 0}) == hash_bytes(4, BYTES_LIT("")));
}

static void seeds_spread(void **state)
{
    (void)state;
    /* Keys that share their low bits under one seed do not under another. */
    int same = 0, tried = 0;
    uint8_t k[4];
    for (uint32_t i = 0; i < 20000; i++) {
        put_be32(k, i);
        if ((hash_bytes(1, BYTES(k, 4)) & 63) != 0)
            continue;
        tried++;
        same += (hash_bytes(2, BYTES(k, 4)) & 63) == 0;
    }
    assert_true(tried > 200 && same < tried / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basics),             cmocka_unit_test(keys_are_copied),
        cmocka_unit_test(random_walk),        cmocka_unit_test(walks),
        cmocka_unit_test(key_from_the_table), cmocka_unit_test(hash_depends_on_all),
        cmocka_unit_test(seeds_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

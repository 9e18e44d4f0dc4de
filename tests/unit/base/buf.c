/* The buffer: its limit, its growth, and that no byte is lost or doubled on the way. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/buf.h>
#include <p2p/base/rng.h>

#include <stdlib.h>

static void zero_is_ready(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_len(&b), 0);
    assert_non_null(buf_bytes(&b).p);
    assert_true(buf_put(&b, NULL, 0));
    assert_non_null(buf_room(&b, 0));
    assert_true(buf_put_str(&b, "ab"));
    assert_true(buf_put_bytes(&b, BYTES_LIT("cd")));
    assert_true(bytes_is(buf_bytes(&b), "abcd"));
    buf_fini(&b);
    assert_int_equal(buf_len(&b), 0);
    buf_fini(&b);
}

static void limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    assert_null(buf_room(&b, 11));
    assert_null(buf_room(&b, SIZE_MAX));
    assert_true(buf_put_str(&b, "0123456789"));
    assert_true(buf_put(&b, NULL, 0));
    assert_false(buf_put_u8(&b, 'x'));
    assert_false(buf_put_be16(&b, 0));
    assert_false(buf_put_be32(&b, 0));
    assert_false(buf_put_be64(&b, 0));
    assert_false(buf_put_str(&b, "x"));
    assert_false(buf_putf(&b, "%d", 1));
    assert_true(buf_putf(&b, "%s", ""));
    assert_true(bytes_is(buf_bytes(&b), "0123456789"));
    buf_eat(&b, 3);
    assert_false(buf_put_be32(&b, 0));
    assert_true(buf_putf(&b, "%s", "abc"));
    assert_true(bytes_is(buf_bytes(&b), "3456789abc"));
    assert_false(buf_put_u8(&b, 'x'));
    buf_fini(&b);
    assert_int_equal(b.max, 0);
}

static void lowered_limit(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_true(buf_put_str(&b, "abcdef"));
    b.max = 3;
    assert_null(buf_room(&b, 0));
    assert_false(buf_put_u8(&b, 'x'));
    assert_true(bytes_is(buf_bytes(&b), "abcdef"));
    buf_fini(&b);
}

static void numbers(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_u8(&b, 1);
    buf_put_be16(&b, 0x0203);
    buf_put_be32(&b, 0x04050607);
    buf_put_be64(&b, UINT64_C(0x08090a0b0c0d0e0f));
    assert_int_equal(buf_len(&b), 15);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(buf_bytes(&b).p[i], i + 1);
    buf_fini(&b);
}

static void formats(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        assert_true(buf_putf(&b, "%04d", i));
    assert_int_equal(buf_len(&b), 4000);
    assert_memory_equal(buf_bytes(&b).p + 3996, "0999", 4);
    buf_fini(&b);
}

static void room_and_added(void **state)
{
    (void)state;
    struct buf b = {0};
    uint8_t *to = buf_room(&b, 1000);
    memset(to, 'x', 1000);
    buf_added(&b, 600);
    assert_int_equal(buf_len(&b), 600);
    buf_added(&b, 0);
    buf_eat(&b, 599);
    assert_true(bytes_is(buf_bytes(&b), "x"));
    buf_eat(&b, SIZE_MAX);
    assert_int_equal(buf_len(&b), 0);
    buf_fini(&b);
}

static void takes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    char *s = buf_take_str(&b);
    assert_string_equal(s, "");
    free(s);
    struct bytes t = buf_take(&b);
    assert_int_equal(t.n, 0);
    bytes_free(t);
    assert_true(buf_put_str(&b, "abcd")); /* at the limit: the NUL is no content */
    s = buf_take_str(&b);
    assert_string_equal(s, "abcd");
    free(s);
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(b.max, 4);
    assert_true(buf_put_str(&b, "abcd"));
    buf_eat(&b, 1);
    t = buf_take(&b);
    assert_true(bytes_is(t, "bcd"));
    bytes_free(t);
    assert_true(buf_put_str(&b, "abcd"));
    buf_eat(&b, 2);
    s = buf_take_str(&b);
    assert_string_equal(s, "cd");
    free(s);
    buf_fini(&b);
}

static void clear_keeps_memory(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_str(&b, "abc");
    uint8_t *mem = b.mem;
    buf_clear(&b);
    assert_int_equal(buf_len(&b), 0);
    buf_put_str(&b, "x");
    assert_ptr_equal(mem, b.mem);
    buf_fini(&b);
}

/* A stream through the buffer comes out as it went in, and the memory stays near what is held. */
static void stream(void **state)
{
    (void)state;
    struct buf b;
    struct rng r;
    uint8_t in = 0, out = 0, chunk[700];
    buf_init(&b, 1000);
    rng_seed(&r, 7);
    for (int turn = 0; turn < 20000; turn++) {
        size_t n = rng_below(&r, sizeof chunk);
        for (size_t i = 0; i < n; i++)
            chunk[i] = (uint8_t)(in + i);
        bool fits = buf_len(&b) + n <= 1000;
        assert_int_equal(buf_put(&b, chunk, n), fits);
        if (fits)
            in = (uint8_t)(in + n);
        size_t eat = rng_below(&r, 700);
        struct bytes have = buf_bytes(&b);
        for (size_t i = 0; i < have.n && i < eat; i++)
            assert_int_equal(have.p[i], out++);
        buf_eat(&b, eat);
        assert_true(b.cap <= 2 * 1000);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_ready),      cmocka_unit_test(limit),
        cmocka_unit_test(lowered_limit),      cmocka_unit_test(numbers),
        cmocka_unit_test(formats),            cmocka_unit_test(room_and_added),
        cmocka_unit_test(takes),              cmocka_unit_test(clear_keeps_memory),
        cmocka_unit_test(stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

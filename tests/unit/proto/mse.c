/* Encrypted handshakes answered: whole and byte by byte, with noise of all lengths; and refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/proto/mse.h>

#include "mse_caller.h"

static const uint8_t ITEM[20] = "an item's info-hash.";
static const uint8_t OTHER[20] = "another one's hash..";

struct scene {
    struct rng rng;
    struct mse *m;
    struct caller c;
    struct buf in, out; /* of the one who is called */
    struct err e;
    bool named;
};

static void begin(struct scene *s, uint64_t seed)
{
    *s = (struct scene){0};
    rng_seed(&s->rng, seed);
    s->m = mse_new(&s->rng);
}

static void end(struct scene *s)
{
    mse_free(s->m);
    buf_fini(&s->in);
    buf_fini(&s->out);
}

/* What has gathered for it is said, so many bytes at a time. */
static int say(struct scene *s, size_t step)
{
    int r = MSE_MORE;
    for (struct bytes b = buf_bytes(&s->in); b.n > 0 && r == MSE_MORE; b = buf_bytes(&s->in)) {
        size_t n = b.n < step ? b.n : step;
        mse_feed(s->m, BYTES(b.p, n));
        buf_eat(&s->in, n);
        while ((r = mse_next(s->m, &s->out, &s->e)) == MSE_ITEM) {
            assert_false(mse_means(s->m, OTHER));
            if (!mse_means(s->m, ITEM))
                return MSE_ITEM;
            assert_false(s->named);
            s->named = true;
            mse_take(s->m, ITEM);
        }
    }
    return r;
}

static void open_with(struct scene *s, size_t noise, size_t step)
{
    caller_opens(&s->c, &s->rng, noise, &s->in);
    assert_int_equal(say(s, step), MSE_MORE);
    assert_in_range(buf_len(&s->out), DH_LEN, DH_LEN + MSE_PAD_MAX);
}

static void go_on(struct scene *s, const uint8_t hash[20], uint32_t ways, size_t noise,
                  struct bytes first)
{
    caller_goes_on(&s->c, buf_bytes(&s->out).p, hash, ways, noise, first, &s->in);
}

static void agree(uint64_t seed, size_t noise, size_t later, struct bytes first, size_t step)
{
    struct scene s;
    size_t used = 0;
    begin(&s, seed);
    open_with(&s, noise, step);
    go_on(&s, ITEM, 3, later, first);
    assert_int_equal(say(&s, step), MSE_CLEAR);
    assert_true(bytes_eq(mse_clear(s.m), first));
    assert_int_equal(caller_hears(&s.c, buf_bytes(&s.out), &used), 1);
    assert_int_equal(used, buf_len(&s.out));
    end(&s);
}

static void agrees(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        agree(seed, (size_t)(seed * 27) % 513, 0, BYTES_LIT(""), SIZE_MAX);
    agree(30, 0, 0, BYTES_LIT("first words"), SIZE_MAX);
    agree(31, 512, 512, BYTES_LIT("first words"), SIZE_MAX);
    agree(32, 512, 512, BYTES_LIT("first words"), 1);
    agree(33, 100, 7, BYTES_LIT(""), 1);
    agree(34, 100, 7, BYTES_LIT("x"), 13);
}

/* What follows at once on the first words is in clear already. */
static void goes_on_at_once(void **state)
{
    (void)state;
    struct scene s;
    begin(&s, 1);
    open_with(&s, 5, SIZE_MAX);
    go_on(&s, ITEM, 1, 0, BYTES_LIT("first, "));
    buf_put_str(&s.in, "then");
    assert_int_equal(say(&s, SIZE_MAX), MSE_CLEAR);
    assert_true(bytes_is(mse_clear(s.m), "first, then"));
    assert_int_equal(mse_next(s.m, &s.out, &s.e), MSE_CLEAR);
    end(&s);
}

static void first_words_at_their_limit(void **state)
{
    (void)state;
    static const uint8_t much[MSE_FIRST_MAX + 1];
    struct scene s;
    agree(2, MSE_PAD_MAX, MSE_PAD_MAX, BYTES(much, MSE_FIRST_MAX), SIZE_MAX);
    begin(&s, 3);
    open_with(&s, 0, SIZE_MAX);
    go_on(&s, ITEM, 1, 0, BYTES(much, sizeof much));
    assert_int_equal(say(&s, 64), ERR_INVALID);
    end(&s);
}

static void nobody_has_it(void **state)
{
    (void)state;
    struct scene s;
    begin(&s, 4);
    open_with(&s, 0, SIZE_MAX);
    go_on(&s, (const uint8_t *)"of which nobody knew", 1, 0, BYTES_LIT(""));
    assert_int_equal(say(&s, SIZE_MAX), MSE_ITEM);
    end(&s);
}

static void expect_refusal(uint64_t seed, uint32_t ways, size_t noise, const char *why)
{
    struct scene s;
    begin(&s, seed);
    open_with(&s, 0, SIZE_MAX);
    size_t before = buf_len(&s.out);
    go_on(&s, ITEM, ways, noise, BYTES_LIT(""));
    assert_int_equal(say(&s, SIZE_MAX), ERR_INVALID);
    assert_string_equal(s.e.msg, why);
    assert_int_equal(buf_len(&s.out), before);
    assert_int_equal(mse_next(s.m, &s.out, &s.e), ERR_INVALID);
    end(&s);
}

static void refuses(void **state)
{
    (void)state;
    expect_refusal(5, 2, 0, "wants all of the stream encrypted");
    expect_refusal(6, 0, 0, "wants all of the stream encrypted");
    expect_refusal(7, 1, MSE_PAD_MAX + 1, "encrypted handshake: garbled");
}

static void garbled(void **state)
{
    (void)state;
    struct scene s;
    begin(&s, 8);
    open_with(&s, 0, SIZE_MAX);
    go_on(&s, ITEM, 1, 0, BYTES_LIT(""));
    s.in.mem[s.in.head + 40] ^= 1; /* of the zeros */
    assert_int_equal(say(&s, SIZE_MAX), ERR_INVALID);
    end(&s);
}

static void only_noise(void **state)
{
    (void)state;
    struct scene s;
    begin(&s, 9);
    caller_opens(&s.c, &s.rng, MSE_PAD_MAX + 19, &s.in);
    assert_int_equal(say(&s, SIZE_MAX), MSE_MORE);
    buf_put_u8(&s.in, 0);
    assert_int_equal(say(&s, SIZE_MAX), ERR_INVALID);
    end(&s);
    begin(&s, 10); /* all at once, and more than is ever kept */
    caller_opens(&s.c, &s.rng, MSE_MAX + 1 - DH_LEN, &s.in);
    assert_int_equal(say(&s, SIZE_MAX), ERR_INVALID);
    assert_int_equal(buf_len(&s.out), 0);
    end(&s);
}

static void no_number(void **state)
{
    (void)state;
    static const uint8_t zero[DH_LEN];
    struct scene s;
    begin(&s, 11);
    buf_put(&s.in, zero, sizeof zero);
    assert_int_equal(say(&s, SIZE_MAX), ERR_INVALID);
    assert_int_equal(buf_len(&s.out), 0);
    end(&s);
}

static void tells_plain_ones(void **state)
{
    (void)state;
    assert_true(mse_is_plain(BYTES_LIT("\x13"
                                       "BitTorrent protocol and more")));
    assert_true(mse_is_plain(BYTES_LIT("\x13"
                                       "Bit")));
    assert_false(mse_is_plain(BYTES_LIT("\x13"
                                        "BitTorrent protokol and more")));
    assert_false(mse_is_plain(BYTES_LIT("G")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees),
        cmocka_unit_test(goes_on_at_once),
        cmocka_unit_test(first_words_at_their_limit),
        cmocka_unit_test(nobody_has_it),
        cmocka_unit_test(refuses),
        cmocka_unit_test(garbled),
        cmocka_unit_test(only_noise),
        cmocka_unit_test(no_number),
        cmocka_unit_test(tells_plain_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

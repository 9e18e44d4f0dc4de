/* The exchange of numbers: both ends share one, and numbers that give it away are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/format/dh.h>

static const uint8_t a[DH_SECRET] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t b[DH_SECRET] = {0xff, 0xfe, 0xfd, 0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 1};

static void powers_of_two(void **state)
{
    (void)state;
    uint8_t out[DH_LEN], want[DH_LEN] = {0};
    uint8_t small[DH_SECRET] = {0};
    small[DH_SECRET - 1] = 11;
    dh_public(out, small);
    want[DH_LEN - 2] = 8;
    assert_memory_equal(out, want, DH_LEN);
    /* 2^768 modulo the prime is what the prime lacks. */
    static const uint8_t head[] = {0, 0, 0, 0, 0, 0, 0, 0, 0x36, 0xf0, 0x25, 0x5d};
    static const uint8_t tail[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xf6, 0xfa, 0x9d};
    small[DH_SECRET - 2] = 3;
    small[DH_SECRET - 1] = 0;
    dh_public(out, small);
    assert_memory_equal(out, head, sizeof head);
    assert_memory_equal(out + DH_LEN - sizeof tail, tail, sizeof tail);
}

static void both_share(void **state)
{
    (void)state;
    uint8_t pa[DH_LEN], pb[DH_LEN], sa[DH_LEN], sb[DH_LEN];
    dh_public(pa, a);
    dh_public(pb, b);
    assert_memory_not_equal(pa, pb, DH_LEN);
    assert_true(dh_shared(sa, a, pb));
    assert_true(dh_shared(sb, b, pa));
    assert_memory_equal(sa, sb, DH_LEN);
    assert_memory_not_equal(sa, pa, DH_LEN);
}

/* 2^768 modulo the prime is 2^768 less the prime: so the prime is its complement and one. */
static void the_prime(uint8_t out[DH_LEN])
{
    uint8_t small[DH_SECRET] = {0};
    small[DH_SECRET - 2] = 3;
    dh_public(out, small);
    for (size_t i = 0; i < DH_LEN; i++)
        out[i] = (uint8_t)~out[i];
    out[DH_LEN - 1]++;
}

static void refuses(void **state)
{
    (void)state;
    uint8_t out[DH_LEN], theirs[DH_LEN] = {0};
    assert_false(dh_shared(out, a, theirs)); /* 0 */
    theirs[DH_LEN - 1] = 1;
    assert_false(dh_shared(out, a, theirs));
    theirs[DH_LEN - 1] = 2;
    assert_true(dh_shared(out, a, theirs));
    the_prime(theirs);
    assert_false(dh_shared(out, a, theirs));
    theirs[DH_LEN - 1]--; /* its powers are 1 and itself */
    assert_false(dh_shared(out, a, theirs));
    theirs[DH_LEN - 1]--;
    assert_true(dh_shared(out, a, theirs));
    memset(theirs, 0xff, sizeof theirs);
    assert_false(dh_shared(out, a, theirs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(powers_of_two),
                                       cmocka_unit_test(both_share), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

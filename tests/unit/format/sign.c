/* Ed25519: vectors of RFC 8032 and BEP 44, and that nothing but the signed bytes passes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/text.h>
#include <p2p/format/sign.h>

static void unhex(uint8_t *out, size_t n, const char *hex)
{
    assert_true(text_unhex(out, n, bytes_str(hex)));
}

/* RFC 8032, 7.1, test 2: one byte. */
static void rfc8032(void **state)
{
    (void)state;
    uint8_t seed[SIGN_SEED], want_pub[SIGN_PUBLIC], want[SIGN_LEN], pub[SIGN_PUBLIC], sig[SIGN_LEN];
    unhex(seed, sizeof seed, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    unhex(want_pub, sizeof pub, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    unhex(want, sizeof want,
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    sign_public(pub, seed);
    assert_memory_equal(pub, want_pub, sizeof pub);
    sign_make(sig, seed, BYTES("\x72", 1));
    assert_memory_equal(sig, want, sizeof sig);
    assert_true(sign_check(sig, pub, BYTES("\x72", 1)));
}

static void bep44(void **state)
{
    (void)state;
    uint8_t pub[SIGN_PUBLIC], sig[SIGN_LEN];
    unhex(pub, sizeof pub, "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548");
    unhex(sig, sizeof sig,
          "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff"
          "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01");
    assert_true(sign_check(sig, pub, BYTES_LIT("3:seqi1e1:v12:Hello World!")));
    assert_false(sign_check(sig, pub, BYTES_LIT("3:seqi2e1:v12:Hello World!")));
}

static void only_what_was_signed(void **state)
{
    (void)state;
    uint8_t seed[SIGN_SEED] = {7}, pub[SIGN_PUBLIC], sig[SIGN_LEN], all[SIGN_PUBLIC];
    struct bytes text = BYTES_LIT("some words");
    sign_public(pub, seed);
    sign_make(sig, seed, text);
    assert_true(sign_check(sig, pub, text));
    assert_false(sign_check(sig, pub, BYTES(text.p, text.n - 1)));
    for (size_t i = 0; i < SIGN_LEN; i++) {
        sig[i] ^= 1;
        assert_false(sign_check(sig, pub, text));
        sig[i] ^= 1;
    }
    memset(all, 0xff, sizeof all);
    assert_false(sign_check(sig, all, text)); /* no point of the curve */
    sign_make(sig, seed, BYTES("", 0));
    assert_true(sign_check(sig, pub, BYTES("", 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc8032),
        cmocka_unit_test(bep44),
        cmocka_unit_test(only_what_was_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

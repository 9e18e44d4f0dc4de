/* Digests against the examples of FIPS 180-4; streaming against one-shot; threads. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/text.h>
#include <p2p/format/digest.h>

#include <threads.h>

static void assert_hex(const uint8_t *h, size_t n, const char *want)
{
    char hex[2 * SHA256_LEN + 1];
    text_hex(hex, BYTES(h, n));
    assert_string_equal(hex, want);
}

static void known_answers(void **state)
{
    (void)state;
    uint8_t h[SHA256_LEN];
    digest_sha1(h, BYTES_LIT("abc"));
    assert_hex(h, SHA1_LEN, "a9993e364706816aba3e25717850c26c9cd0d89d");
    digest_sha1(h, BYTES_LIT(""));
    assert_hex(h, SHA1_LEN, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    digest_sha256(h, BYTES_LIT("abc"));
    assert_hex(h, SHA256_LEN, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(h, BYTES_LIT(""));
    assert_hex(h, SHA256_LEN, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void million(void **state)
{
    (void)state;
    uint8_t a[1000], h[SHA256_LEN];
    memset(a, 'a', sizeof a);
    struct digest *d1 = digest_new(DIGEST_SHA1), *d2 = digest_new(DIGEST_SHA256);
    for (int round = 0; round < 2; round++) { /* the second shows that begin starts anew */
        digest_begin(d1);
        digest_begin(d2);
        for (int i = 0; i < 1000; i++) {
            digest_more(d1, BYTES(a, sizeof a));
            digest_more(d2, BYTES(a, sizeof a));
        }
        digest_end(d1, h);
        assert_hex(h, SHA1_LEN, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
        digest_end(d2, h);
        assert_hex(h, SHA256_LEN,
                   "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    digest_free(d1);
    digest_free(d2);
    digest_free(NULL);
}

static void any_cut(void **state)
{
    (void)state;
    uint8_t data[300], whole[SHA256_LEN], parts[SHA256_LEN];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37);
    digest_sha256(whole, BYTES(data, sizeof data));
    struct digest *d = digest_new(DIGEST_SHA256);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        digest_begin(d);
        digest_more(d, BYTES(data, cut));
        digest_more(d, BYTES(data + cut, sizeof data - cut));
        digest_end(d, parts);
        assert_memory_equal(whole, parts, SHA256_LEN);
    }
    digest_free(d);
}

static void pair(void **state)
{
    (void)state;
    uint8_t both[64], want[SHA256_LEN], got[SHA256_LEN];
    for (size_t i = 0; i < sizeof both; i++)
        both[i] = (uint8_t)i;
    digest_sha256(want, BYTES(both, sizeof both));
    digest_pair(got, both, both + 32);
    assert_memory_equal(want, got, SHA256_LEN);
    memcpy(got, both, 32); /* out may be one of the two */
    digest_pair(got, got, both + 32);
    assert_memory_equal(want, got, SHA256_LEN);
}

static int hash_much(void *arg)
{
    const uint8_t *want = arg;
    uint8_t got[SHA256_LEN];
    int wrong = 0;
    for (int i = 0; i < 2000; i++) {
        digest_sha256(got, BYTES_LIT("thread"));
        wrong += memcmp(got, want, SHA256_LEN) != 0;
    }
    return wrong;
}

static void threads(void **state)
{
    (void)state;
    uint8_t want[SHA256_LEN];
    thrd_t t[4];
    int wrong;
    digest_sha256(want, BYTES_LIT("thread"));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(thrd_create(&t[i], hash_much, want), thrd_success);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(thrd_join(t[i], &wrong), thrd_success);
        assert_int_equal(wrong, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers), cmocka_unit_test(million), cmocka_unit_test(any_cut),
        cmocka_unit_test(pair),          cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* RC4 by the vectors that everybody has, and by RFC 6229. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/format/rc4.h>

static void vectors(void **state)
{
    (void)state;
    static const uint8_t want[] = {0xbb, 0xf3, 0x16, 0xe8, 0xd9, 0x40, 0xaf, 0x0a, 0xd3};
    uint8_t text[9];
    struct rc4 r;
    memcpy(text, "Plaintext", sizeof text);
    rc4_init(&r, BYTES_LIT("Key"));
    rc4_apply(&r, text, 4);
    rc4_apply(&r, text + 4, sizeof text - 4);
    assert_memory_equal(text, want, sizeof want);
    rc4_init(&r, BYTES_LIT("Key"));
    rc4_apply(&r, text, sizeof text);
    assert_memory_equal(text, "Plaintext", sizeof text);
}

static void skips(void **state)
{
    (void)state;
    /* RFC 6229, key of 40 bits, from offset 1024 on. */
    static const uint8_t want[] = {0x30, 0xab, 0xbc, 0xc7, 0xc2, 0x0b, 0x01, 0x60,
                                   0x9f, 0x23, 0xee, 0x2d, 0x5f, 0x6b, 0xb7, 0xdf};
    uint8_t stream[sizeof want] = {0};
    struct rc4 r;
    rc4_init(&r, BYTES_LIT("\x01\x02\x03\x04\x05"));
    rc4_skip(&r, 1024);
    rc4_apply(&r, stream, sizeof stream);
    assert_memory_equal(stream, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(skips)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

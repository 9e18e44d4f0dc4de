/* Peer ids: ours, and those of others. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/proto/peerid.h>

static void ours(void **state)
{
    (void)state;
    static const struct {
        const char *version, *start;
    } cases[] = {
        {"0.1.0", "-PP0100-"},    {"1.2.3", "-PP1230-"},
        {"10.35.61", "-PPAZz0-"}, {"62.999.99999999999999999999", "-PPzzz0-"},
        {"2", "-PP2000-"},        {"1.2.3.4", "-PP1230-"},
        {"", "-PP0000-"},         {"1.2-rc1", "-PP1200-"},
    };
    struct rng r;
    rng_seed(&r, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t a[20], b[20];
        peerid_make(a, cases[i].version, &r);
        peerid_make(b, cases[i].version, &r);
        assert_memory_equal(a, cases[i].start, 8);
        assert_memory_not_equal(a + 8, b + 8, 12);
        for (size_t k = 0; k < 20; k++)
            assert_true(a[k] > 0x20 && a[k] < 0x7f);
    }
}

static void others(void **state)
{
    (void)state;
    static const struct {
        const char *id, *client; /* id: exactly 20 bytes */
    } cases[] = {
        {"-PP0100-abcdefghijkl", "p2p 0.1.0"},
        {"-LT2080-abcdefghijkl", "libtorrent 2.0.8.0"},
        {"-lt0D80-abcdefghijkl", "rTorrent 0.13.8.0"},
        {"-TR2940-abcdefghijkl", "Transmission 2.94"},
        {"-TR3000-abcdefghijkl", "Transmission 3.00"},
        {"-TR4060-abcdefghijkl", "Transmission 4.0.6"},
        {"-qB4650-abcdefghijkl", "qBittorrent 4.6.5.0"},
        {"-UT355S-abcdefghijkl", "uTorrent 3.5.5"},
        {"A2-1-36-0-abcdefghij", "aria2 1.36.0"},
        {"A2-1-36-0-1234567890", "aria2 1.36.0"},
        {"A2-1-36-0-12-4567890", "aria2 1.36.0.12"},
        {"M7-10-5--abcdefghijk", "BitTorrent 7.10.5"},
        {"M4-3-6--abcdefghijkl", "BitTorrent 4.3.6"},
        {"-ZZ1234-abcdefghijkl", "-ZZ1234-"},
        {"-LT20!0-abcdefghijkl", "-LT20!0-"},
        {"-LT2080xabcdefghijkl", "-LT2080x"},
        {"A2-abcdefghijklmnopq", "A2-abcde"},
        {"Mabcdefghijklmnopqrs", "Mabcdefg"},
        {"M1111-1-1-1-1-1-1-1-", "M1111-1-"},
        {"ab\x1b[31mcdefghijklmn", "ab"},
        {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "unknown"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
         "unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[48];
        peerid_client(text, (const uint8_t *)cases[i].id);
        assert_string_equal(text, cases[i].client);
    }
}

static void anything_is_short_ascii(void **state)
{
    (void)state;
    static const char letters[] = "-AM2QTRLTzZ019";
    struct rng r;
    rng_seed(&r, 3);
    for (size_t i = 0; i < 200000; i++) {
        uint8_t id[20];
        char text[48];
        rng_fill(&r, id, sizeof id);
        if (i % 2)
            for (size_t k = 0; k < 20; k++)
                id[k] = (uint8_t)letters[id[k] % (sizeof letters - 1)];
        memset(text, 0xff, sizeof text);
        peerid_client(text, id);
        size_t n = strnlen(text, sizeof text);
        assert_true(n > 0 && n < sizeof text);
        for (size_t k = 0; k < n; k++)
            assert_true(text[k] >= 0x20 && text[k] < 0x7f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ours),
        cmocka_unit_test(others),
        cmocka_unit_test(anything_is_short_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Operands by their form. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/format/source.h>

#define V1 "00112233445566778899aabbccddeeff01234567"
#define V2 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static void kinds(void **state)
{
    static const struct {
        const char *operand;
        enum source_kind kind;
    } cases[] = {
        {"magnet:?xt=urn:btih:" V1, SOURCE_MAGNET},
        {"Magnet:?xt=urn:btih:" V1, SOURCE_MAGNET},
        {"http://example.org/a.torrent", SOURCE_URL},
        {"HTTPS://example.org/a.torrent", SOURCE_URL},
        {V1, SOURCE_HASH},
        {"AAISEM2EKVTHPCEZVK54ZXPO74ASGRLH", SOURCE_HASH},
        {"aaisem2ekvthpcezvk54zxpo74asgrlh", SOURCE_HASH},
        {V2, SOURCE_HASH},
        {"-", SOURCE_STDIN},
        {"--", SOURCE_WORD},
        {"film.torrent", SOURCE_WORD},
        {"./" V1, SOURCE_WORD},
        {"001122", SOURCE_WORD},
        {V1 "0", SOURCE_WORD},
        {V1 V1, SOURCE_WORD},
        {"g0112233445566778899aabbccddeeff01234567", SOURCE_WORD},
        {"ftp://example.org/a.torrent", SOURCE_WORD},
        {"http:", SOURCE_WORD},
        {"a film", SOURCE_WORD},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct source s;
        assert_int_equal(source_parse(&s, cases[i].operand, NULL), 0);
        assert_int_equal(s.kind, cases[i].kind);
        assert_ptr_equal(s.word, cases[i].operand);
        bool hash = s.kind == SOURCE_HASH || s.kind == SOURCE_MAGNET;
        assert_int_equal(s.magnet.has_v1 || s.magnet.has_v2, hash);
        source_fini(&s);
    }
}

static void hashes(void **state)
{
    struct source s;
    (void)state;

    source_parse(&s, "AAISEM2EKVTHPCEZVK54ZXPO74ASGRLH", NULL);
    assert_true(s.magnet.has_v1 && !s.magnet.has_v2);
    assert_int_equal(s.magnet.hash_v1[1], 0x11);
    source_parse(&s, V2, NULL);
    assert_true(s.magnet.has_v2 && !s.magnet.has_v1);
    assert_int_equal(s.magnet.hash_v2[31], 0x1f);
}

static void bad(void **state)
{
    struct source s;
    struct err e = {0};
    (void)state;

    assert_int_equal(source_parse(&s, "magnet:?xt=urn:btih:12", &e), ERR_INVALID);
    assert_int_equal(source_parse(&s, "magnet:oops", NULL), ERR_INVALID);
    assert_int_equal(source_parse(&s, "", NULL), ERR_INVALID);
    source_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(hashes),
        cmocka_unit_test(bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Bencode: what all minds take and refuse, every limit on both of its sides, walking, writing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/format/bencode.h>

#include "bentext.h"

#include <stdlib.h>

static int parse_code(struct bytes in, enum bencode_mode mode, uint32_t max)
{
    struct err e = {0};
    struct bencode *b = bencode_parse(in, mode, max, NULL, &e);
    assert_true(!b == (e.code != 0));
    bencode_free(b);
    return e.code;
}

static void all_take(void **state)
{
    (void)state;
    static const char *const good[] = {
        "i0e",
        "i-1e",
        "i9223372036854775807e",
        "i-9223372036854775808e",
        "i18446744073709551615e",
        "0:",
        "3:abc",
        "le",
        "de",
        "l0:i1eledee",
        "d1:ai1e1:b0:e",
        "d0:le1:ale2:aalee",
        "d1:ad1:ad1:adeeee",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(parse_code(bytes_str(good[i]), BENCODE_STRICT, 0), 0);
        assert_int_equal(parse_code(bytes_str(good[i]), BENCODE_UNSORTED, 0), 0);
        assert_int_equal(parse_code(bytes_str(good[i]), BENCODE_LENIENT, 0), 0);
    }
}

static void lenient_only(void **state)
{
    (void)state;
    static const char *const untidy[] = {
        "i00e",
        "i-0e",
        "i01e",
        "i-01e",
        "03:abc",
        "00:",
        "d1:ai1e1:ai2ee",
        "ld1:b0:1:a0:1:b0:ee",
        "i000000000000000000000001e",
    };
    for (size_t i = 0; i < sizeof untidy / sizeof *untidy; i++) {
        assert_int_equal(parse_code(bytes_str(untidy[i]), BENCODE_STRICT, 0), ERR_INVALID);
        assert_int_equal(parse_code(bytes_str(untidy[i]), BENCODE_UNSORTED, 0), ERR_INVALID);
        assert_int_equal(parse_code(bytes_str(untidy[i]), BENCODE_LENIENT, 0), 0);
    }
}

static void all_but_strict(void **state)
{
    (void)state;
    static const char *const unsorted[] = {"d1:bi1e1:ai2ee", "ld1:ad2:ab0:1:a0:ee1:b0:e"};
    for (size_t i = 0; i < sizeof unsorted / sizeof *unsorted; i++) {
        assert_int_equal(parse_code(bytes_str(unsorted[i]), BENCODE_STRICT, 0), ERR_INVALID);
        assert_int_equal(parse_code(bytes_str(unsorted[i]), BENCODE_UNSORTED, 0), 0);
        assert_int_equal(parse_code(bytes_str(unsorted[i]), BENCODE_LENIENT, 0), 0);
    }
}

static void nobody_takes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "i",
        "ie",
        "i-e",
        "i1",
        "i1.5e",
        "i1e5e",
        "i 1e",
        "i+1e",
        "i--1e",
        "i1-e",
        "i0x1e",
        "i18446744073709551616e",
        "i-9223372036854775809e",
        "i99999999999999999999999999999999e",
        "1",
        "1:",
        "3:ab",
        "-1:a",
        "1a:",
        ":a",
        "99999999999999999999:a",
        "18446744073709551616:",
        "4294967296:a",
        "l",
        "d",
        "e",
        "li1e",
        "d1:a",
        "d1:ae",
        "di1ei2ee",
        "dlee",
        "d1:ai1e",
        "ee",
        "x",
        "i1ei2e",
        "lee",
        "3:abcd",
        " i1e",
        "d1:ai1e1:be",
        "f1.0e",
        "n",
        "l-e",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse_code(bytes_str(bad[i]), BENCODE_STRICT, 0), ERR_INVALID);
        assert_int_equal(parse_code(bytes_str(bad[i]), BENCODE_LENIENT, 0), ERR_INVALID);
    }
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    struct buf doc = {0};
    bentext(&doc, "d 'a' l i-12e 'xyz' le e 'b' d 'c' i0e e 'd' '' e");
    struct bytes all = buf_bytes(&doc);
    assert_int_equal(parse_code(all, BENCODE_STRICT, 0), 0);
    for (size_t n = 0; n < all.n; n++) {
        uint8_t *exact = malloc(n + 1); /* its own allocation: sanitizers watch its end */
        memcpy(exact, all.p, n);
        exact = realloc(exact, n ? n : 1);
        assert_int_equal(parse_code(BYTES(exact, n), BENCODE_LENIENT, 0), ERR_INVALID);
        free(exact);
    }
    buf_fini(&doc);
}

static int nested(size_t depth, char open)
{
    struct buf doc = {0};
    for (size_t i = 0; i < depth; i++)
        buf_put_str(&doc, open == 'l' ? "l" : i + 1 < depth ? "d0:" : "d");
    for (size_t i = 0; i < depth; i++)
        buf_put_u8(&doc, 'e');
    int rc = parse_code(buf_bytes(&doc), BENCODE_LENIENT, 0);
    buf_fini(&doc);
    return rc;
}

static void depth(void **state)
{
    (void)state;
    assert_int_equal(nested(BENCODE_MAX_DEPTH, 'l'), 0);
    assert_int_equal(nested(BENCODE_MAX_DEPTH + 1, 'l'), ERR_LIMIT);
    assert_int_equal(nested(5000000, 'l'), ERR_LIMIT);
    assert_int_equal(nested(BENCODE_MAX_DEPTH, 'd'), 0);
    assert_int_equal(nested(BENCODE_MAX_DEPTH + 1, 'd'), ERR_LIMIT);
}

/* A list of n empty strings: n + 1 tokens. */
static int tokens(size_t n, uint32_t max)
{
    struct buf doc = {0};
    buf_put_u8(&doc, 'l');
    for (size_t i = 0; i < n; i++)
        buf_put_str(&doc, "0:");
    buf_put_u8(&doc, 'e');
    int rc = parse_code(buf_bytes(&doc), BENCODE_STRICT, max);
    buf_fini(&doc);
    return rc;
}

static void token_count(void **state)
{
    (void)state;
    assert_int_equal(tokens(9, 10), 0);
    assert_int_equal(tokens(10, 10), ERR_LIMIT);
    assert_int_equal(tokens(BENCODE_MAX_TOKENS - 1, 0), 0);
    assert_int_equal(tokens(BENCODE_MAX_TOKENS, 0), ERR_LIMIT);
    assert_int_equal(tokens(BENCODE_MAX_TOKENS, UINT32_MAX), ERR_LIMIT);
    assert_int_equal(tokens(20000000, 0), ERR_LIMIT);
}

static void numbers(void **state)
{
    (void)state;
    struct bencode *b =
        bencode_parse(BYTES_LIT("li-9223372036854775808ei18446744073709551615ei-0ei007e1:5e"),
                      BENCODE_LENIENT, 0, NULL, NULL);
    int64_t i;
    uint64_t u;
    bnode n = bencode_first(b, 0);
    assert_true(bencode_int(b, n, &i) && i == INT64_MIN);
    assert_false(bencode_uint(b, n, &u));
    n = bencode_next(b, n);
    assert_true(bencode_uint(b, n, &u) && u == UINT64_MAX);
    assert_false(bencode_int(b, n, &i));
    n = bencode_next(b, n);
    assert_true(bencode_uint(b, n, &u) && u == 0);
    assert_true(bencode_int(b, n, &i) && i == 0);
    n = bencode_next(b, n);
    assert_true(bencode_int(b, n, &i) && i == 7);
    n = bencode_next(b, n);
    assert_false(bencode_int(b, n, &i) || bencode_uint(b, n, &u));
    assert_int_equal(bencode_next(b, n), BNODE_NONE);
    bencode_free(b);
}

static void walking(void **state)
{
    (void)state;
    struct buf doc = {0};
    struct bytes s;
    int64_t i;
    uint64_t u;
    bentext(&doc, "d 'list' l i1e l 'in' e 'x' e 'n' i-5e 's' 'text' 'u' i6e 'z' de e tail");
    size_t used;
    struct bencode *b = bencode_parse(buf_bytes(&doc), BENCODE_STRICT, 0, &used, NULL);
    assert_int_equal(used, buf_len(&doc) - 4);
    assert_int_equal(bencode_type(b, 0), BENCODE_DICT);
    assert_int_equal(bencode_count(b, 0), 5);
    bnode list = bencode_get(b, 0, "list");
    assert_int_equal(bencode_count(b, list), 3);
    assert_true(bytes_is(bencode_raw(b, list), "li1el2:ine1:xe"));
    bnode n = bencode_next(b, bencode_next(b, bencode_first(b, list)));
    assert_true(bencode_str(b, n, &s) && bytes_is(s, "x"));
    assert_int_equal(bencode_next(b, n), BNODE_NONE);
    assert_true(bencode_get_int(b, 0, "n", &i) && i == -5);
    assert_false(bencode_get_uint(b, 0, "n", &u));
    assert_true(bencode_get_uint(b, 0, "u", &u) && u == 6);
    assert_true(bencode_get_str(b, 0, "s", &s) && bytes_is(s, "text"));
    assert_int_equal(bencode_first(b, bencode_get(b, 0, "z")), BNODE_NONE);
    assert_int_equal(bencode_get(b, 0, "tex"), BNODE_NONE);
    bencode_free(b);
    buf_fini(&doc);
}

/* Look-ups chain: "none" in, "none" out. */
static void none(void **state)
{
    (void)state;
    struct bencode *b = bencode_parse(BYTES_LIT("i1e"), BENCODE_STRICT, 0, NULL, NULL);
    struct bytes s;
    int64_t i;
    bnode n = bencode_get(b, bencode_get(b, 0, "a"), "b");
    assert_int_equal(n, BNODE_NONE);
    assert_int_equal(bencode_type(b, n), BENCODE_NONE);
    assert_int_equal(bencode_raw(b, n).n, 0);
    assert_int_equal(bencode_count(b, n), 0);
    assert_int_equal(bencode_first(b, n), BNODE_NONE);
    assert_int_equal(bencode_next(b, n), BNODE_NONE);
    assert_int_equal(bencode_next(b, 0), BNODE_NONE);
    assert_false(bencode_str(b, n, &s) || bencode_int(b, n, &i) || bencode_get_str(b, n, "k", &s));
    assert_true(bencode_unique(b, n));
    bencode_free(b);
    bencode_free(NULL);
}

static bool unique(const char *text)
{
    struct buf doc = {0};
    bentext(&doc, text);
    struct bencode *b = bencode_parse(buf_bytes(&doc), BENCODE_LENIENT, 0, NULL, NULL);
    bool yes = bencode_unique(b, 0);
    bencode_free(b);
    buf_fini(&doc);
    return yes;
}

static void keys_twice(void **state)
{
    (void)state;
    assert_true(unique("d 'b' i1e 'a' i2e 'c' i3e e"));
    assert_false(unique("d 'a' i1e 'a' i2e e"));
    assert_false(unique("d 'b' i1e 'a' i2e 'b' i3e e"));
    assert_false(unique("d 'x' l d 'q' i1e 'a' i1e 'q' i1e e e e"));
    assert_true(unique("l d 'a' i1e e d 'a' i1e e 'a' 'a' e"));
    assert_true(unique("d 'a' d 'a' d 'a' i1e e e e"));
}

static void first_of_two(void **state)
{
    (void)state;
    struct bencode *b = bencode_parse(BYTES_LIT("d1:ai1e1:ai2ee"), BENCODE_LENIENT, 0, NULL, NULL);
    int64_t i;
    assert_true(bencode_get_int(b, 0, "a", &i) && i == 1);
    bencode_free(b);
}

static void writing(void **state)
{
    (void)state;
    struct buf out = {0};
    bencode_put_dict(&out);
    bencode_put_key_int(&out, "a", INT64_MIN);
    bencode_put_lit(&out, "b");
    bencode_put_list(&out);
    bencode_put_int(&out, 0);
    bencode_put_str(&out, BYTES("x\0y", 3));
    bencode_put_end(&out);
    bencode_put_key_str(&out, "c", BYTES("", 0));
    bencode_put_end(&out);
    struct bytes want = BYTES_LIT("d1:ai-9223372036854775808e1:bli0e3:x\0ye1:c0:e");
    assert_true(bytes_eq(buf_bytes(&out), want));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_take),
        cmocka_unit_test(lenient_only),
        cmocka_unit_test(all_but_strict),
        cmocka_unit_test(nobody_takes),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(depth),
        cmocka_unit_test(token_count),
        cmocka_unit_test(numbers),
        cmocka_unit_test(walking),
        cmocka_unit_test(none),
        cmocka_unit_test(keys_twice),
        cmocka_unit_test(first_of_two),
        cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

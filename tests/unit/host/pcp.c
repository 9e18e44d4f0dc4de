/* PCP messages: what is sent, byte for byte, and what is no answer. */
#include "host/pcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t nonce[PCP_NONCE_LEN] = "nonce-012345";

static struct addr ip(const char *text, uint16_t port)
{
    struct addr a;
    assert_true(addr_parse_ip(&a, text, port));
    return a;
}

static struct pcp_map sample(void)
{
    struct pcp_map m = {.protocol = PCP_UDP, .port = 6881};
    memcpy(m.nonce, nonce, sizeof nonce);
    m.external.port = 7000;
    return m;
}

/* A gateway's answer to sample(), in `out`. */
static size_t answer(uint8_t out[PCP_MESSAGE_MAX + 8])
{
    struct pcp_map m = sample();
    struct addr us = {.family = 4};
    m.external = ip("11.0.0.1", 7001);
    memset(out, 0, PCP_MESSAGE_MAX + 8);
    pcp_put_map(out, &m, &us, 0);
    memset(out, 0, 24);
    out[0] = 2;
    out[1] = 0x81;
    put_be32(out + 4, 7200);
    put_be32(out + 8, 99);
    return PCP_MAP_LEN;
}

static void test_request(void **state)
{
    (void)state;
    static const uint8_t head[24] = {2, 1, 0, 0, 0, 0, 0x0e, 0x10, [18] = 0xff, 0xff, 10, 1, 2, 3};
    uint8_t b[PCP_MAP_LEN];
    struct pcp_map m = sample();
    struct addr us = ip("10.1.2.3", 0);
    pcp_put_map(b, &m, &us, 3600);
    assert_memory_equal(b, head, sizeof head);
    assert_memory_equal(b + 24, nonce, 12);
    assert_memory_equal(b + 36, "\x11\0\0\0\x1a\xe1\x1b\x58", 8);
    assert_memory_equal(b + 44, "\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0", 16); /* any */
    uint8_t hello[PCP_HELLO_LEN];
    pcp_put_hello(hello, &us);
    assert_memory_equal(hello, "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\1\2\3", 24);
}

static void test_answer(void **state)
{
    (void)state;
    uint8_t b[PCP_MESSAGE_MAX + 8];
    struct pcp_answer a;
    struct pcp_map m = sample();
    struct addr want = ip("11.0.0.1", 7001);
    assert_true(pcp_read(&a, BYTES(b, answer(b))));
    assert_true(pcp_answers(&a, &m));
    assert_true(addr_eq(&a.map.external, &want));
    assert_int_equal(a.lifetime, 7200);
    assert_int_equal(a.epoch, 99);
    assert_int_equal(a.result, PCP_SUCCESS);
    m.nonce[11] ^= 1;
    assert_false(pcp_answers(&a, &m));
    m = sample();
    m.port++;
    assert_false(pcp_answers(&a, &m));
    m = sample();
    m.protocol = PCP_TCP;
    assert_false(pcp_answers(&a, &m));
}

static void test_external_ipv6(void **state)
{
    (void)state;
    uint8_t b[PCP_MESSAGE_MAX + 8];
    struct pcp_answer a;
    struct addr want = ip("2001:db8::7", 7001);
    size_t n = answer(b);
    memcpy(b + 44, want.ip, 16);
    assert_true(pcp_read(&a, BYTES(b, n)));
    assert_true(addr_eq(&a.map.external, &want));
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    uint8_t b[PCP_MESSAGE_MAX + 8];
    struct pcp_answer a;
    size_t n = answer(b);
    for (size_t i = 0; i < n; i++)
        assert_false(pcp_read(&a, BYTES(b, i)));
}

static void test_broken(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } row[] = {{0, 1}, {0, 3}, {0, 255}, {1, 1}, {1, 0}};
    struct pcp_answer a;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        uint8_t b[PCP_MESSAGE_MAX + 8];
        size_t n = answer(b);
        b[row[i].at] = row[i].value;
        assert_false(pcp_read(&a, BYTES(b, n)));
    }
}

/* Options fill a message up to its limit; one more is too many, and so is one that is cut. */
static void test_options(void **state)
{
    (void)state;
    uint8_t b[PCP_MESSAGE_MAX + 8];
    struct pcp_answer a;
    size_t n = answer(b);
    put_be16(b + n + 2, PCP_MESSAGE_MAX - PCP_MAP_LEN - 4);
    assert_true(pcp_read(&a, BYTES(b, PCP_MESSAGE_MAX)));
    put_be16(b + n + 2, PCP_MESSAGE_MAX - PCP_MAP_LEN - 3);
    assert_false(pcp_read(&a, BYTES(b, PCP_MESSAGE_MAX)));
    put_be16(b + n + 2, PCP_MESSAGE_MAX - PCP_MAP_LEN);
    assert_false(pcp_read(&a, BYTES(b, PCP_MESSAGE_MAX + 4)));
    put_be16(b + n + 2, UINT16_MAX);
    assert_false(pcp_read(&a, BYTES(b, n + 8)));
    put_be16(b + n + 2, 3); /* filled up to four */
    assert_true(pcp_read(&a, BYTES(b, n + 8)));
    assert_false(pcp_read(&a, BYTES(b, n + 6)));
}

static void test_nat_pmp(void **state)
{
    (void)state;
    static const uint8_t b[12] = {0, 0x80, 0, 1, 0, 0, 0, 77, 1, 2, 3, 4};
    struct pcp_answer a;
    struct pcp_map m = sample();
    assert_true(pcp_read(&a, BYTES(b, 12)) && pcp_read(&a, BYTES(b, 8)));
    assert_true(a.old);
    assert_int_equal(a.epoch, 77);
    assert_false(pcp_answers(&a, &m));
    assert_false(pcp_read(&a, BYTES(b, 7)));
    assert_false(pcp_read(&a, BYTES("\0\0\0\0\0\0\0\0", 8)));
}

static void test_epoch(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, second;
        usec between;
        bool same;
    } row[] = {
        {100, 100, 0, true},
        {100, 99, 0, true}, /* one second back may be rounding */
        {100, 98, 0, false},
        {100, 0, 5 * USEC_SEC, false},
        {100, 3700, 3600 * USEC_SEC, true},
        {100, 3700 - 224, 3600 * USEC_SEC, true}, /* its clock is slow, or fast, by a sixteenth */
        {100, 3700 - 300, 3600 * USEC_SEC, false},
        {100, 3700 + 238, 3600 * USEC_SEC, true},
        {100, 3700 + 300, 3600 * USEC_SEC, false},
        {100, UINT32_MAX, 10 * USEC_SEC, false},
        {UINT32_MAX, 0, USEC_SEC, false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct pcp_epoch e = {0};
        assert_true(pcp_epoch_step(&e, row[i].first, 1000));
        assert_int_equal(pcp_epoch_step(&e, row[i].second, 1000 + row[i].between), row[i].same);
        assert_true(
            pcp_epoch_step(&e, row[i].second, 1000 + row[i].between)); /* the new one counts */
    }
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(pcp_result_text(PCP_NOT_AUTHORIZED), "not allowed");
    assert_string_equal(pcp_result_text(14), pcp_result_text(255));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),       cmocka_unit_test(test_answer),
        cmocka_unit_test(test_external_ipv6), cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_broken),        cmocka_unit_test(test_options),
        cmocka_unit_test(test_nat_pmp),       cmocka_unit_test(test_epoch),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

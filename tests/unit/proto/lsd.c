/* Local service discovery datagrams: what we write, what others write, and what they should not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/proto/lsd.h>

#include <stdio.h>
#include <string.h>

#define H1 "0123456789abcdef0123456789abcdef01234567"
#define H2 "FFEEDDCCBBAA99887766554433221100FFEEDDCC"
#define LINE "BT-SEARCH * HTTP/1.1\r\n"
#define GOOD LINE "Host: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: " H1 "\r\n"

static void groups(void **state)
{
    (void)state;
    char text[ADDR_TEXT];
    struct addr four = lsd_group(4), six = lsd_group(6);
    addr_text(&four, text);
    assert_string_equal(text, "239.192.152.143:6771");
    addr_text(&six, text);
    assert_string_equal(text, "[ff15::efc0:988f]:6771");
}

static void says(void **state)
{
    (void)state;
    uint8_t out[LSD_MAX_DATAGRAM];
    struct lsd_msg m = {.port = 6881, .cookie = "c0ffee", .n_hashes = 2};
    memset(m.hash[0], 0xab, 20);
    memset(m.hash[1], 0x01, 20);
    size_t n = lsd_put(out, 6, &m);
    assert_true(bytes_is(BYTES(out, n),
                         LINE "Host: [ff15::efc0:988f]:6771\r\nPort: 6881\r\n"
                              "Infohash: abababababababababababababababababababab\r\n"
                              "Infohash: 0101010101010101010101010101010101010101\r\n"
                              "cookie: c0ffee\r\n\r\n\r\n"));
    m.cookie[0] = '\0';
    m.n_hashes = 1;
    n = lsd_put(out, 4, &m);
    assert_true(bytes_is(BYTES(out, n),
                         LINE "Host: 239.192.152.143:6771\r\nPort: 6881\r\n"
                              "Infohash: abababababababababababababababababababab\r\n\r\n\r\n"));
}

static void reads(void **state)
{
    (void)state;
    struct lsd_msg m;
    assert_true(lsd_parse(&m, BYTES_LIT(GOOD "cookie:  a b \r\n\r\n\r\n")));
    assert_int_equal(m.port, 6881);
    assert_string_equal(m.cookie, "a b");
    assert_int_equal(m.n_hashes, 1);
    assert_int_equal(m.hash[0][0], 0x01);
    assert_int_equal(m.hash[0][19], 0x67);
    /* Names in any case, other headers, another order, one blank line, no blanks. */
    assert_true(lsd_parse(&m, BYTES_LIT(LINE "INFOHASH:" H2 "\r\nX-Other:\r\ninfohash:\t" H1
                                             "\t \r\nport:1\r\n\r\n")));
    assert_int_equal(m.port, 1);
    assert_int_equal(m.n_hashes, 2);
    assert_int_equal(m.hash[0][0], 0xff);
    assert_string_equal(m.cookie, "");
    /* What stands behind the blank line is nobody's. */
    assert_true(lsd_parse(&m, BYTES_LIT(GOOD "\r\nPort: 9\r\nnonsense")));
    assert_int_equal(m.port, 6881);
}

static void malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "\r\n\r\n",
        LINE,
        GOOD, /* cut off */
        GOOD "\r",
        GOOD "\n",
        LINE "\r\n",                     /* says nothing */
        LINE "Port: 6881\r\n\r\n",       /* no hash */
        LINE "Infohash: " H1 "\r\n\r\n", /* no port */
        "BT-SEARCH * HTTP/1.0\r\nPort: 1\r\nInfohash: " H1 "\r\n\r\n",
        "bt-search * HTTP/1.1\r\nPort: 1\r\nInfohash: " H1 "\r\n\r\n",
        "M-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " H1 "\r\n\r\n",
        "BT-SEARCH * HTTP/1.1\nPort: 1\nInfohash: " H1 "\n\n",
        LINE "Port: 0\r\nInfohash: " H1 "\r\n\r\n",
        LINE "Port: 65536\r\nInfohash: " H1 "\r\n\r\n",
        LINE "Port: 18446744073709551617\r\nInfohash: " H1 "\r\n\r\n",
        LINE "Port: -1\r\nInfohash: " H1 "\r\n\r\n",
        LINE "Port: 1 2\r\nInfohash: " H1 "\r\n\r\n",
        LINE "Port:\r\nInfohash: " H1 "\r\n\r\n",
        LINE "Port: 1\r\nPort: 1\r\nInfohash: " H1 "\r\n\r\n", /* twice */
        GOOD "Infohash: 0123\r\n\r\n",
        GOOD "Infohash: " H1 "0\r\n\r\n",
        GOOD "Infohash: g123456789abcdef0123456789abcdef01234567\r\n\r\n",
        GOOD "Infohash:\r\n\r\n",
        GOOD "no colon\r\n\r\n",
    };
    struct lsd_msg m;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (lsd_parse(&m, bytes_str(bad[i])))
            fail_msg("read: %s", bad[i]);
    assert_true(lsd_parse(&m, BYTES_LIT(LINE "Port: 65535\r\nInfohash: " H1 "\r\n\r\n")));
    assert_int_equal(m.port, 65535);
}

static void cookies(void **state)
{
    (void)state;
    struct lsd_msg m;
    char text[600], cookie[LSD_MAX_COOKIE + 2];
    memset(cookie, 'c', sizeof cookie);
    cookie[LSD_MAX_COOKIE] = '\0';
    snprintf(text, sizeof text, GOOD "cookie: %s\r\n\r\n", cookie);
    assert_true(lsd_parse(&m, bytes_str(text)));
    assert_string_equal(m.cookie, cookie);
    cookie[LSD_MAX_COOKIE] = 'c';
    snprintf(text, sizeof text, GOOD "cookie: %.65s\r\n\r\n", cookie);
    assert_true(lsd_parse(&m, bytes_str(text)));
    assert_string_equal(m.cookie, "");
    assert_true(lsd_parse(&m, BYTES_LIT(GOOD "cookie: a\x01z\r\n\r\n")));
    assert_string_equal(m.cookie, "");
    assert_true(lsd_parse(&m, BYTES_LIT(GOOD "cookie: a\0z\r\n\r\n")));
    assert_string_equal(m.cookie, "");
}

/* n short lines; as many as fit are read, more than the limit are passed over. */
static void hashes(void **state)
{
    (void)state;
    for (unsigned n = LSD_MAX_HASHES - 1; n <= LSD_MAX_HASHES + 1; n++) {
        struct buf b = {0};
        struct lsd_msg m;
        buf_put_str(&b, LINE "Port:1\r\n");
        for (unsigned i = 0; i < n; i++)
            buf_put_str(&b, "Infohash:" H1 "\r\n");
        buf_put_str(&b, "\r\n");
        assert_true(buf_len(&b) <= LSD_MAX_DATAGRAM);
        assert_true(lsd_parse(&m, buf_bytes(&b)));
        assert_int_equal(m.n_hashes, n < LSD_MAX_HASHES ? n : LSD_MAX_HASHES);
        buf_fini(&b);
    }
}

static void lengths(void **state)
{
    (void)state;
    static const size_t sizes[] = {LSD_MAX_DATAGRAM, LSD_MAX_DATAGRAM + 1, 1 << 20};
    for (size_t i = 0; i < 3; i++) {
        struct buf b = {0};
        struct lsd_msg m;
        buf_put_str(&b, GOOD "X: ");
        while (buf_len(&b) < sizes[i] - 4)
            buf_put_u8(&b, 'x');
        buf_put_str(&b, "\r\n\r\n");
        assert_int_equal(lsd_parse(&m, buf_bytes(&b)), sizes[i] <= LSD_MAX_DATAGRAM);
        buf_fini(&b);
    }
}

/* The fullest that we write fits and comes back. */
static void full(void **state)
{
    (void)state;
    uint8_t out[LSD_MAX_DATAGRAM];
    struct lsd_msg m = {.port = 65535, .cookie = "0123456789abcdef", .n_hashes = LSD_MAX_HASHES};
    struct lsd_msg back;
    for (size_t i = 0; i < LSD_MAX_HASHES; i++)
        memset(m.hash[i], (int)i + 1, 20);
    for (int family = 4; family <= 6; family += 2) {
        assert_true(lsd_parse(&back, BYTES(out, lsd_put(out, family, &m))));
        assert_memory_equal(&back, &m, sizeof m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups),    cmocka_unit_test(says),    cmocka_unit_test(reads),
        cmocka_unit_test(malformed), cmocka_unit_test(cookies), cmocka_unit_test(hashes),
        cmocka_unit_test(lengths),   cmocka_unit_test(full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

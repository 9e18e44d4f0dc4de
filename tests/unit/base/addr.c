/* Addresses: what is one, how it is written, and where it lies. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/addr.h>

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *s, *text; /* NULL: refused */
    } t[] = {
        {"1.2.3.4:80", "1.2.3.4:80"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"1.2.3.4:080", "1.2.3.4:80"},
        {"[::1]:80", "[::1]:80"},
        {"[::]:6881", "[::]:6881"},
        {"[1::]:1", "[1::]:1"},
        {"[::ffff:1.2.3.4]:5", "1.2.3.4:5"},
        {"[::FFFF:102:304]:5", "1.2.3.4:5"},
        {"[0:0:0:0:0:ffff:1.2.3.4]:5", "1.2.3.4:5"},
        {"[::ffff:0:1.2.3.4]:5", "[::ffff:0:102:304]:5"},
        {"[2001:DB8::aB]:5", "[2001:db8::ab]:5"},
        {"[1:2:3:4:5:6:7:8]:5", "[1:2:3:4:5:6:7:8]:5"},
        {"[1:2:3:4:5:6:1.2.3.4]:5", "[1:2:3:4:5:6:102:304]:5"},
        {"[1:2:3:4:5:6:7::]:5", "[1:2:3:4:5:6:7:0]:5"},
        {"[::2:3:4:5:6:7:8]:5", "[0:2:3:4:5:6:7:8]:5"},
        {"[1:0:0:2:0:0:0:3]:5", "[1:0:0:2::3]:5"},
        {"[1:0:0:2:0:0:3:4]:5", "[1::2:0:0:3:4]:5"},
        {"[0001:0:0:0:0:0:0:0001]:5", "[1::1]:5"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
        {"", NULL},
        {":", NULL},
        {":80", NULL},
        {"1.2.3.4", NULL},
        {"1.2.3.4:", NULL},
        {"1.2.3.4:65536", NULL},
        {"1.2.3.4:99999999999999999999", NULL},
        {"1.2.3.4:000080", NULL},
        {"1.2.3.4:-1", NULL},
        {"1.2.3.4:8a", NULL},
        {"1.2.3.4 :80", NULL},
        {"1.2.3:80", NULL},
        {"1.2.3.4.5:80", NULL},
        {"1.2.3.:80", NULL},
        {".1.2.3:80", NULL},
        {"1..2.3:80", NULL},
        {"256.1.1.1:80", NULL},
        {"1.1.1.999999999999999999:80", NULL},
        {"01.2.3.4:80", NULL},
        {"0x1.2.3.4:80", NULL},
        {"[1.2.3.4]:80", NULL},
        {"localhost:80", NULL},
        {"::1:80", NULL},
        {"[::1]", NULL},
        {"[::1]80", NULL},
        {"[::1", NULL},
        {"::1]:80", NULL},
        {"[]:80", NULL},
        {"[:]:80", NULL},
        {"[:::]:80", NULL},
        {"[1::2::3]:80", NULL},
        {"[1:2:3:4:5:6:7]:80", NULL},
        {"[1:2:3:4:5:6:7:8:9]:80", NULL},
        {"[1:2:3:4::5:6:7:8]:80", NULL},
        {"[:1:2:3:4:5:6:7:8]:80", NULL},
        {"[1:2:3:4:5:6:7:8:]:80", NULL},
        {"[1:2:3:4:5:6:7:]:80", NULL},
        {"[:1::2]:80", NULL},
        {"[12345::]:80", NULL},
        {"[g::]:80", NULL},
        {"[1.2.3.4::]:80", NULL},
        {"[::1.2.3.4:5]:80", NULL},
        {"[1:2:3:4:5:6:7:1.2.3.4]:80", NULL},
        {"[::1.2.3]:80", NULL},
        {"[::01.2.3.4]:80", NULL},
        {"[fe80::1%eth0]:80", NULL},
        {"[[::1]]:80", NULL},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct addr a = {.family = 9}, again;
        char text[ADDR_TEXT];
        if (addr_parse(&a, t[i].s) != (t[i].text != NULL))
            fail_msg("%s", t[i].s);
        if (!t[i].text) {
            assert_int_equal(a.family, 9); /* untouched */
            continue;
        }
        addr_text(&a, text);
        assert_string_equal(text, t[i].text);
        assert_true(addr_parse(&again, text) && addr_eq(&a, &again));
    }
}

static void splits(void **state)
{
    (void)state;
    static const struct {
        const char *s, *host;
        int port;
    } t[] = {
        {"example.org:80", "example.org", 80},
        {"[::1]:80", "::1", 80},
        {"[example.org]:0", "example.org", 0},
        {"1.2.3.4:65535", "1.2.3.4", 65535},
        {"12345678901:1", "12345678901", 1}, /* just fits */
        {"123456789012:1", NULL, 0},
        {"example.org", NULL, 0},
        {"example.org:", NULL, 0},
        {"example.org:http", NULL, 0},
        {"example.org:65536", NULL, 0},
        {"a:b:80", NULL, 0},
        {"[a]b:80", NULL, 0},
        {"a[b]:80", NULL, 0},
        {"[:80", NULL, 0},
        {"[]:80", NULL, 0},
        {":80", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char host[12] = "before";
        uint16_t port;
        bool ok = addr_split(t[i].s, host, sizeof host, &port);
        if (ok != (t[i].host != NULL))
            fail_msg("%s", t[i].s);
        if (ok) {
            assert_string_equal(host, t[i].host);
            assert_int_equal(port, t[i].port);
        }
    }
    uint16_t port;
    assert_false(addr_split("a:1", NULL, 0, &port));
}

static void text_of_any(void **state)
{
    (void)state;
    char text[ADDR_TEXT];
    struct addr a = {0};
    addr_text(&a, text);
    assert_string_equal(text, "-");
    addr_ip_text(&a, text);
    assert_string_equal(text, "-");
    assert_true(addr_parse_ip(&a, "2001:db8::1", 5));
    addr_ip_text(&a, text);
    assert_string_equal(text, "2001:db8::1");
    assert_true(addr_parse_ip(&a, "255.255.255.255", 5));
    addr_ip_text(&a, text);
    assert_string_equal(text, "255.255.255.255");
    assert_false(addr_parse_ip(&a, "1.2.3.4:5", 5));
    assert_false(addr_parse_ip(&a, "[::1]", 5));
}

static struct addr of(const char *s)
{
    struct addr a;
    if (!addr_parse(&a, s))
        fail_msg("%s", s);
    return a;
}

static void compares(void **state)
{
    (void)state;
    struct addr v[] = {{0}, of("1.2.3.4:5"), of("1.2.3.4:6"), of("1.2.3.5:5"), of("255.0.0.0:0"),
                       of("[::1]:5"), of("[::1]:6"), of("[::2]:0"), of("[ff00::]:0")};
    size_t n = sizeof v / sizeof *v;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            int r = addr_cmp(&v[i], &v[j]);
            assert_int_equal((r > 0) - (r < 0), (i > j) - (i < j));
            assert_int_equal(addr_eq(&v[i], &v[j]), i == j);
        }
    }
    assert_true(addr_same_ip(&v[1], &v[2]));
    assert_false(addr_same_ip(&v[1], &v[3]));
    assert_false(addr_same_ip(&v[0], &v[1]));
    /* What lies behind an IPv4 address is not part of it. */
    struct addr dirty = v[1];
    dirty.ip[4] = 1;
    assert_true(addr_eq(&dirty, &v[1]));
}

static void compact(void **state)
{
    (void)state;
    uint8_t wire[18], buf[32] = {0};
    struct addr a = of("1.2.3.4:6881"), b;
    assert_int_equal(addr_put_compact(&a, wire), 6);
    assert_memory_equal(wire, "\x01\x02\x03\x04\x1a\xe1", 6);
    assert_true(addr_get_compact(&b, BYTES(wire, 6)) && addr_eq(&a, &b));
    a = of("[2001:db8::1]:1");
    assert_int_equal(addr_put_compact(&a, wire), 18);
    assert_true(addr_get_compact(&b, BYTES(wire, 18)) && addr_eq(&a, &b));
    buf[10] = buf[11] = 0xff;
    assert_true(addr_get_compact(&b, BYTES(buf, 18)));
    assert_int_equal(b.family, 4); /* mapped: one peer, one address */
    for (size_t n = 0; n <= sizeof buf; n++)
        assert_int_equal(addr_get_compact(&b, BYTES(buf, n)), n == 6 || n == 18);
    assert_false(addr_get_compact(&b, (struct bytes){NULL, 0}));
    assert_int_equal(addr_put_compact(&(struct addr){0}, wire), 0);
}

static void scopes(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        enum addr_scope scope;
    } t[] = {
        {"0.0.0.0", ADDR_UNUSABLE},
        {"0.255.255.255", ADDR_UNUSABLE},
        {"1.0.0.0", ADDR_PUBLIC},
        {"9.255.255.255", ADDR_PUBLIC},
        {"10.0.0.0", ADDR_PRIVATE},
        {"10.255.255.255", ADDR_PRIVATE},
        {"11.0.0.0", ADDR_PUBLIC},
        {"100.63.255.255", ADDR_PUBLIC},
        {"100.64.0.0", ADDR_PRIVATE},
        {"100.127.255.255", ADDR_PRIVATE},
        {"100.128.0.0", ADDR_PUBLIC},
        {"126.255.255.255", ADDR_PUBLIC},
        {"127.0.0.1", ADDR_LOOPBACK},
        {"127.255.255.255", ADDR_LOOPBACK},
        {"128.0.0.0", ADDR_PUBLIC},
        {"169.253.255.255", ADDR_PUBLIC},
        {"169.254.0.0", ADDR_LINK_LOCAL},
        {"169.254.255.255", ADDR_LINK_LOCAL},
        {"169.255.0.0", ADDR_PUBLIC},
        {"172.15.255.255", ADDR_PUBLIC},
        {"172.16.0.0", ADDR_PRIVATE},
        {"172.31.255.255", ADDR_PRIVATE},
        {"172.32.0.0", ADDR_PUBLIC},
        {"192.0.0.1", ADDR_UNUSABLE},
        {"192.0.1.0", ADDR_PUBLIC},
        {"192.0.2.1", ADDR_UNUSABLE},
        {"192.0.3.0", ADDR_PUBLIC},
        {"192.88.99.1", ADDR_UNUSABLE},
        {"192.167.255.255", ADDR_PUBLIC},
        {"192.168.0.0", ADDR_PRIVATE},
        {"192.168.255.255", ADDR_PRIVATE},
        {"192.169.0.0", ADDR_PUBLIC},
        {"198.17.255.255", ADDR_PUBLIC},
        {"198.18.0.0", ADDR_UNUSABLE},
        {"198.19.255.255", ADDR_UNUSABLE},
        {"198.20.0.0", ADDR_PUBLIC},
        {"198.51.100.1", ADDR_UNUSABLE},
        {"203.0.113.1", ADDR_UNUSABLE},
        {"223.255.255.255", ADDR_PUBLIC},
        {"224.0.0.1", ADDR_UNUSABLE},
        {"239.192.152.143", ADDR_UNUSABLE},
        {"240.0.0.0", ADDR_UNUSABLE},
        {"255.255.255.255", ADDR_UNUSABLE},
        {"::", ADDR_UNUSABLE},
        {"::1", ADDR_LOOPBACK},
        {"::2", ADDR_UNUSABLE},
        {"::127.0.0.1", ADDR_UNUSABLE},
        {"::8.8.8.8", ADDR_UNUSABLE},
        {"::ffff:127.0.0.1", ADDR_LOOPBACK},
        {"::ffff:10.0.0.1", ADDR_PRIVATE},
        {"::ffff:8.8.8.8", ADDR_PUBLIC},
        {"64:ff9b::8.8.8.8", ADDR_PUBLIC},
        {"64:ff9b::127.0.0.1", ADDR_LOOPBACK},
        {"64:ff9b::10.1.2.3", ADDR_PRIVATE},
        {"64:ff9b::169.254.169.254", ADDR_LINK_LOCAL},
        {"64:ff9b:1::8.8.8.8", ADDR_PRIVATE},
        {"64:ff9b:2::1", ADDR_UNUSABLE},
        {"2002:808:808::1", ADDR_PUBLIC},
        {"2002:7f00:1::", ADDR_LOOPBACK},
        {"2002:a00:1::", ADDR_PRIVATE},
        {"2002:c0a8:1:1::1", ADDR_PRIVATE},
        {"2001:0:808:808:0:0:f7f7:f7f7", ADDR_PUBLIC},
        {"2001:0:808:808:0:0:80ff:fffe", ADDR_LOOPBACK},
        {"2001:0:808:808:0:0:f5ff:fffe", ADDR_PRIVATE},
        {"2001:1::1", ADDR_PUBLIC},
        {"2001:2::1", ADDR_UNUSABLE},
        {"2001:2:1::1", ADDR_PUBLIC},
        {"2001:10::1", ADDR_UNUSABLE},
        {"2001:2f::1", ADDR_UNUSABLE},
        {"2001:30::1", ADDR_PUBLIC},
        {"2001:db7:ffff::", ADDR_PUBLIC},
        {"2001:db8::1", ADDR_UNUSABLE},
        {"2001:db9::", ADDR_PUBLIC},
        {"2001:4860:4860::8888", ADDR_PUBLIC},
        {"1fff::1", ADDR_UNUSABLE},
        {"2000::", ADDR_PUBLIC},
        {"3ffe::1", ADDR_PUBLIC},
        {"3fff:fff::1", ADDR_UNUSABLE},
        {"3fff:1000::1", ADDR_PUBLIC},
        {"4000::", ADDR_UNUSABLE},
        {"100::1", ADDR_UNUSABLE},
        {"fbff::1", ADDR_UNUSABLE},
        {"fc00::1", ADDR_PRIVATE},
        {"fdff::1", ADDR_PRIVATE},
        {"fe00::1", ADDR_UNUSABLE},
        {"fe80::1", ADDR_LINK_LOCAL},
        {"febf::1", ADDR_LINK_LOCAL},
        {"fec0::1", ADDR_PRIVATE},
        {"ff02::1", ADDR_UNUSABLE},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct addr a;
        assert_true(addr_parse_ip(&a, t[i].ip, 1));
        if (addr_scope(&a) != t[i].scope)
            fail_msg("%s: %d", t[i].ip, addr_scope(&a));
    }
    assert_int_equal(addr_scope(&(struct addr){0}), ADDR_UNUSABLE);
    /* Made by hand, past the parser that turns mapped ones into IPv4. */
    struct addr mapped = {.family = 6, .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    assert_int_equal(addr_scope(&mapped), ADDR_LOOPBACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),   cmocka_unit_test(splits),  cmocka_unit_test(text_of_any),
        cmocka_unit_test(compares), cmocka_unit_test(compact), cmocka_unit_test(scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

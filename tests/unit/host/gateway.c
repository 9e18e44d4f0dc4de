/* Routing tables, networks, and the addresses that a device may name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "host/portmap_in.h"

#include <cmocka.h>
#include <stdio.h>

#define HEAD "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

static void test_tables(void **state)
{
    (void)state;
    static const struct {
        const char *table, *gateway;
    } row[] = {
        {"", NULL},
        {HEAD, NULL},
        {HEAD "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n", "192.168.1.1"},
        {HEAD "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0", "192.168.1.1"},
        {HEAD "wlan0\t00000000\tFE02A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
              "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
              "eth1\t00000000\t0201A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
         "192.168.1.1"}, /* the least metric, then the first */
        {HEAD "eth0\t0000A8C0\t0101A8C0\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n", NULL},
        {HEAD "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n", NULL}, /* half */
        {HEAD "eth0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n", NULL},
        {HEAD "eth0\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n", NULL}, /* down */
        {HEAD "eth0\t00000000\t0101A8C0\t0003\t0\t0\n", NULL},
        {"\n\n\n", NULL},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct addr a = {0}, want = {0};
        assert_int_equal(gateway_of_table(&a, row[i].table), row[i].gateway != NULL);
        if (row[i].gateway) {
            assert_true(addr_parse_ip(&want, row[i].gateway, 0));
            assert_true(addr_eq(&a, &want));
        }
    }
}

/* A table as long as those of a core router. */
static void test_long_table(void **state)
{
    (void)state;
    static char table[GATEWAY_TABLE_MAX];
    size_t n = 0;
    struct addr a;
    while (n < sizeof table - 200)
        n += (size_t)snprintf(table + n, 100, "eth0\t0000A8C0\t0\t1\t0\t0\t0\tFFFF\t0\t0\t0\n");
    assert_false(gateway_of_table(&a, table));
    snprintf(table + n, 200, "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    assert_true(gateway_of_table(&a, table));
}

static void test_facing_loopback(void **state)
{
    (void)state;
    struct gateway g, again;
    struct addr at, near, far;
    assert_true(addr_parse_ip(&at, "127.9.9.9", 0) && addr_parse_ip(&near, "127.1.2.3", 0));
    assert_true(addr_parse_ip(&far, "128.0.0.1", 0));
    assert_true(gateway_facing(&g, &at) && gateway_facing(&again, &at));
    assert_int_equal(addr_scope(&g.local), ADDR_LOOPBACK);
    assert_int_equal(g.prefix, 8);
    assert_true(gateway_eq(&g, &again));
    assert_true(gateway_near(&g, &near));
    assert_false(gateway_near(&g, &far));
    assert_true(addr_parse_ip(&at, "::1", 0));
    assert_false(gateway_facing(&g, &at));
    assert_int_equal(g.at.family, 0);
    assert_false(gateway_near(&g, &near));
}

static void test_near(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        unsigned prefix;
        bool near;
    } row[] = {
        {"192.168.1.200", 24, true}, {"192.168.2.1", 24, false}, {"192.168.2.1", 16, true},
        {"192.168.1.1", 32, true}, /* the gateway itself, whatever the mask */
        {"192.168.1.3", 32, false},  {"8.8.8.8", 0, true},       {"fd00::1", 0, false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct gateway g = {.prefix = row[i].prefix};
        struct addr a;
        assert_true(addr_parse_ip(&g.at, "192.168.1.1", 0));
        assert_true(addr_parse_ip(&g.local, "192.168.1.2", 0));
        assert_true(addr_parse_ip(&a, row[i].ip, 5));
        assert_int_equal(gateway_near(&g, &a), row[i].near);
    }
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host; /* NULL: refused */
    } row[] = {
        {"http://192.168.1.1:5000/rootDesc.xml", "192.168.1.1:5000"},
        {"http://192.168.1.1/", "192.168.1.1:80"},
        {"http://192.168.1.1", "192.168.1.1:80"},
        {"http://192.168.1.1:65535/x?y=z", "192.168.1.1:65535"},
        {"http://192.168.1.1:65536/", NULL},
        {"http://192.168.1.1:0/", NULL},
        {"http://192.168.1.1:/", NULL},
        {"http://192.168.1.1:80", "192.168.1.1:80"},
        {"http://192.168.1.1:80@10.0.0.1/", NULL},
        {"http://192.168.1.1@10.0.0.1/", NULL},
        {"http://192.168.1.1.example.org/", NULL},
        {"http://user@192.168.1.1/", NULL},
        {"http://router/", NULL},
        {"http://[fe80::1]/", NULL},
        {"http://1/", NULL},
        {"http://0300.1.1.1/", NULL},
        {"http://192.168.1.1.1/", NULL},
        {"http://192.168.1.1111111111111/", NULL},
        {"https://192.168.1.1/", NULL},
        {"ftp://192.168.1.1/", NULL},
        {"http://192.168.1.1/a b", NULL},
        {"http://192.168.1.1/\r\nHost: x", NULL},
        {"http://192.168.1.1/\x80", NULL},
        {"http:/192.168.1.1/", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct addr a;
        char text[ADDR_TEXT];
        assert_int_equal(igd_url_host(&a, row[i].url), row[i].host != NULL);
        if (!row[i].host)
            continue;
        addr_text(&a, text);
        assert_string_equal(text, row[i].host);
    }
}

static void test_url_length(void **state)
{
    (void)state;
    char url[2 * IGD_URL_MAX] = "http://10.0.0.1/";
    struct addr a;
    memset(url + strlen(url), 'x', IGD_URL_MAX - 1 - strlen(url));
    assert_true(igd_url_host(&a, url));
    url[IGD_URL_MAX - 1] = 'x';
    assert_false(igd_url_host(&a, url));
}

static void test_url_judged(void **state)
{
    (void)state;
    struct gateway g = {.prefix = 24};
    assert_true(addr_parse_ip(&g.at, "192.168.1.1", 0) &&
                addr_parse_ip(&g.local, "192.168.1.2", 0));
    assert_true(igd_url_allowed("http://192.168.1.1:5000/d.xml", &g));
    assert_true(igd_url_allowed("http://192.168.1.77/d.xml", &g));
    assert_false(igd_url_allowed("http://192.168.2.1/d.xml", &g));
    assert_false(igd_url_allowed("http://127.0.0.1:631/admin", &g));
    assert_false(igd_url_allowed("http://169.254.169.254/latest", &g));
    assert_true(igd_url_same_host("http://192.168.1.1:5000/c", "http://192.168.1.1:80/d"));
    assert_false(igd_url_same_host("http://192.168.1.3:5000/c", "http://192.168.1.1:5000/d"));
    assert_false(igd_url_same_host("/c", "http://192.168.1.1:5000/d"));
}

static void test_candidates(void **state)
{
    (void)state;
    for (unsigned port = 1; port <= UINT16_MAX; port += 101) {
        assert_int_equal(portmap_candidate((uint16_t)port, 0), port);
        for (unsigned i = 1; i < PORTMAP_PORT_TRIES; i++) {
            assert_true(portmap_candidate((uint16_t)port, i) >= 1024);
            assert_int_not_equal(portmap_candidate((uint16_t)port, i),
                                 portmap_candidate((uint16_t)port, i - 1));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_long_table),
        cmocka_unit_test(test_facing_loopback),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_url_length),
        cmocka_unit_test(test_url_judged),
        cmocka_unit_test(test_candidates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Magnet links: what the specifications write, what the wild writes, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/format/magnet.h>
#include <p2p/format/manifest.h>

#include <stdio.h>
#include <stdlib.h>

#define V1 "00112233445566778899aabbccddeeff01234567"
#define V1_32 "AAISEM2EKVTHPCEZVK54ZXPO74ASGRLH"
#define V2 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define XT1 "xt=urn:btih:" V1
#define XT2 "xt=urn:btmh:1220" V2

static void hash_forms(void **state)
{
    static const uint8_t v1[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
                                 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x01, 0x23, 0x45, 0x67};
    static const char *const links[] = {
        "magnet:?" XT1,
        "magnet:?xt=urn:btih:" V1_32,
        "magnet:?xt=urn:btih:aaisem2ekvthpcezvk54zxpo74asgrlh",
        "MAGNET:?XT=URN:BTIH:" V1,
        "magnet:?xt.1=urn:btih:" V1 "&xt.2=urn:btih:" V1_32,
        "magnet:?xt=urn%3Abtih%3A" V1,
        "magnet:?dn=x&amp;" XT1 "&amp;tr=",
        "magnet:?xt=urn:ed2k:354B15E68FB8F36D7CD88FF94116CDC1&" XT1,
    };
    (void)state;

    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        struct magnet m;
        assert_int_equal(magnet_parse(&m, links[i], NULL), 0);
        assert_true(m.has_v1);
        assert_false(m.has_v2);
        assert_memory_equal(m.hash_v1, v1, sizeof v1);
        magnet_fini(&m);
    }
}

static void hybrid(void **state)
{
    struct magnet m;
    (void)state;

    assert_int_equal(magnet_parse(&m, "magnet:?" XT1 "&" XT2, NULL), 0);
    assert_true(m.has_v1 && m.has_v2);
    for (unsigned i = 0; i < SHA256_LEN; i++)
        assert_int_equal(m.hash_v2[i], i);
    magnet_fini(&m);
}

static void everything(void **state)
{
    struct magnet m;
    (void)state;

    assert_int_equal(
        magnet_parse(
            &m,
            "magnet:?" XT1 "&dn=a+film%20%26c&xl=1234&tr=http%3A%2F%2Ft.example%2Fannounce"
            "&tr.1=udp://u.example:80&tr=udp://u.example:80&ws=http://w.example/f+g"
            "&xs=http://x.example/&as=http://a.example/&x.pe=[::1]:6881&x.pe=peer.example:9"
            "&x.pe=nonsense&dht=[::1]:6882&dht=n.example:7&dht=n.example:0&dht=n.example&dht=:7"
            "&so=4,0-1,2,9-12,11-13&future=1&flag&=x",
            NULL),
        0);
    assert_string_equal(m.name, "a film &c");
    assert_int_equal(m.size, 1234);
    assert_int_equal(m.n_trackers, 2);
    assert_string_equal(m.trackers[0], "http://t.example/announce");
    assert_string_equal(m.trackers[1], "udp://u.example:80");
    assert_int_equal(m.n_web_seeds, 1);
    assert_string_equal(m.web_seeds[0], "http://w.example/f+g");
    assert_string_equal(m.exact_sources[0], "http://x.example/");
    assert_string_equal(m.acceptable_sources[0], "http://a.example/");
    assert_int_equal(m.n_peers, 2);
    assert_string_equal(m.peers[0], "[::1]:6881");
    assert_int_equal(m.n_nodes, 2);
    assert_string_equal(m.nodes[0], "[::1]:6882");
    assert_string_equal(m.nodes[1], "n.example:7");
    assert_int_equal(m.n_select, 3);
    assert_int_equal(m.select[0].first, 0);
    assert_int_equal(m.select[0].last, 2);
    assert_int_equal(m.select[1].first, 4);
    assert_int_equal(m.select[1].last, 4);
    assert_int_equal(m.select[2].first, 9);
    assert_int_equal(m.select[2].last, 13);
    magnet_fini(&m);
}

static void highest_index(void **state)
{
    struct magnet m;
    (void)state;

    assert_int_equal(magnet_parse(&m, "magnet:?" XT1 "&so=7-4294967295,9", NULL), 0);
    assert_int_equal(m.n_select, 1);
    assert_int_equal(m.select[0].first, 7);
    assert_int_equal(m.select[0].last, UINT32_MAX);
    magnet_fini(&m);
}

/* A name is only shown: one that was not escaped is no reason to refuse the content. */
static void name_by_hand(void **state)
{
    static const char *const names[] = {"%", "%4", "50% more", "a%20b%zz"};
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct magnet m;
        char link[200];

        snprintf(link, sizeof link, "magnet:?" XT1 "&dn=%s&tr=udp://u.example:80", names[i]);
        assert_int_equal(magnet_parse(&m, link, NULL), 0);
        assert_string_equal(m.name, names[i]);
        assert_int_equal(m.n_trackers, 1);
        magnet_fini(&m);
    }
}

static void refused(void **state)
{
    static const char *const links[] = {
        "",
        "magnet:",
        "magnet",
        "http://example.org/",
        "magnet:?",
        "magnet:?dn=x",
        "magnet:?xt=urn:btih:",
        "magnet:?xt=urn:btih:0011",
        "magnet:?xt=urn:btih:" V1 "00",
        "magnet:?xt=urn:btih:00112233445566778899aabbccddeeff0123456g",
        "magnet:?xt=urn:btih:" V1_32 "A",
        "magnet:?xt=urn:btih:AAISEM2EKVTHPCEZVK54ZXPO74ASGR1H",
        "magnet:?xt=urn:btmh:" V2,
        "magnet:?xt=urn:btmh:1114" V1,
        "magnet:?xt=urn:btmh:1220" V1,
        "magnet:?xt=urn:btmh:1320" V2,
        "magnet:?" XT1 "&xt=urn:btih:ff112233445566778899aabbccddeeff01234567",
        "magnet:?" XT2
        "&xt=urn:btmh:1220ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "magnet:?" XT1 "&tr=%zz",
        "magnet:?" XT1 "&dn=a%00b",
        "magnet:?" XT1 "&so=x",
        "magnet:?" XT1 "&so=1,",
        "magnet:?" XT1 "&so=3-2",
        "magnet:?" XT1 "&so=1-",
        "magnet:?" XT1 "&so=-1",
        "magnet:?" XT1 "&so=1-2-3",
        "magnet:?" XT1 "&so=4294967296",
        "magnet:?" XT1 "&so=99999999999999999999999",
    };
    (void)state;

    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        struct magnet m;
        struct err e = {0};
        assert_int_equal(magnet_parse(&m, links[i], &e), ERR_INVALID);
        assert_int_equal(e.code, ERR_INVALID);
        assert_memory_equal(e.msg, "magnet link: ", 13);
        assert_null(m.name);
        assert_int_equal(m.n_trackers, 0);
    }
}

/* A link with n entries of a kind, all different. */
static char *many(const char *key, const char *value, unsigned n)
{
    struct buf b = {0};

    buf_put_str(&b, "magnet:?" XT1);
    for (unsigned i = 0; i < n; i++)
        buf_putf(&b, "&%s=%s%u", key, value, i + 1);
    return buf_take_str(&b);
}

static void items_limit(void **state)
{
    static const char *const kinds[][2] = {
        {"tr", "udp://"}, {"ws", "http://"}, {"xs", "http://"}, {"as", "http://"},
        {"x.pe", "h:"},   {"dht", "h:"},     {"so", ""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct magnet m;
        char *at = many(kinds[i][0], kinds[i][1], MAGNET_MAX_ITEMS);
        char *past = many(kinds[i][0], kinds[i][1], MAGNET_MAX_ITEMS + 1);
        assert_int_equal(magnet_parse(&m, at, NULL), 0);
        magnet_fini(&m);
        assert_int_equal(magnet_parse(&m, past, NULL), ERR_LIMIT);
        free(at);
        free(past);
    }
}

static void length_limit(void **state)
{
    static const size_t lengths[] = {MAGNET_MAX_LEN, MAGNET_MAX_LEN + 1, 16u << 20};
    static const char head[] = "magnet:?" XT1 "&dn=";
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct magnet m;
        char *s = mem_alloc(lengths[i] + 1);
        memset(s, 'a', lengths[i]);
        memcpy(s, head, sizeof head - 1);
        s[lengths[i]] = 0;
        assert_int_equal(magnet_parse(&m, s, NULL), i ? ERR_LIMIT : 0);
        magnet_fini(&m);
        free(s);
    }
}

static void write_and_read_back(void **state)
{
    static const char link[] =
        "magnet:?" XT1 "&" XT2 "&dn=a%20film%20%26%20%C3%A9&tr=http%3A%2F%2Ft.example%2Fa%3Fb%3Dc"
        "&tr=udp%3A%2F%2Fu.example%3A80&ws=http%3A%2F%2Fw.example%2F&x.pe=127.0.0.1:6881"
        "&x.pe=[::1]:7&dht=n.example:6882&so=0,2-5";
    struct magnet m;
    struct buf out = {0};
    (void)state;

    assert_int_equal(magnet_parse(&m, link, NULL), 0);
    magnet_write(&m, &out);
    char *got = buf_take_str(&out);
    assert_string_equal(got, link);
    free(got);
    magnet_fini(&m);
}

static void of_a_manifest(void **state)
{
    char *tier1[] = {(char[]){"http://a/announce"}, (char[]){"http://b/announce"}};
    char *tier2[] = {(char[]){"udp://c:1"}, (char[]){"http://a/announce"}};
    struct manifest_tier tiers[] = {{tier1, 2}, {tier2, 2}};
    char *seeds[] = {(char[]){"http://w/"}};
    char *nodes[] = {(char[]){"n.example:1"}, (char[]){"[::1]:2"}};
    struct manifest mf = {.has_v2 = true,
                          .name = (char[]){"n"},
                          .tiers = tiers,
                          .n_tiers = 2,
                          .web_seeds = seeds,
                          .n_web_seeds = 1,
                          .nodes = nodes,
                          .n_nodes = 2,
                          .size = 9};
    struct magnet m;
    struct buf out = {0};
    (void)state;

    for (unsigned i = 0; i < SHA256_LEN; i++)
        mf.hash_v2[i] = (uint8_t)i;
    magnet_from_manifest(&m, &mf);
    assert_int_equal(m.n_trackers, 3);
    magnet_write(&m, &out);
    char *got = buf_take_str(&out);
    assert_string_equal(got, "magnet:?" XT2
                             "&dn=n&tr=http%3A%2F%2Fa%2Fannounce&tr=http%3A%2F%2Fb%2Fannounce"
                             "&tr=udp%3A%2F%2Fc%3A1&ws=http%3A%2F%2Fw%2F"
                             "&dht=n.example:1&dht=[::1]:2");
    free(got);
    magnet_fini(&m);
    mf.private_flag = true; /* asked by nobody, so named to nobody */
    magnet_from_manifest(&m, &mf);
    assert_int_equal(m.n_nodes, 0);
    magnet_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_forms),          cmocka_unit_test(hybrid),
        cmocka_unit_test(everything),          cmocka_unit_test(highest_index),
        cmocka_unit_test(name_by_hand),        cmocka_unit_test(refused),
        cmocka_unit_test(items_limit),         cmocka_unit_test(length_limit),
        cmocka_unit_test(write_and_read_back), cmocka_unit_test(of_a_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Peer exchange messages: what we write, what others write, and what they should not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/format/bencode.h>
#include <p2p/proto/pex.h>

#include <stdio.h>
#include <stdlib.h>

static struct addr at(const char *text)
{
    struct addr a;
    assert_true(addr_parse(&a, text));
    return a;
}

static void reads(struct pex_msg *m, struct bytes body)
{
    struct err e = {0};
    assert_int_equal(pex_parse(m, body, &e), 0);
    assert_int_equal(e.code, 0);
}

static void refuses(struct bytes body)
{
    struct pex_msg m;
    struct err e = {0};
    assert_int_equal(pex_parse(&m, body, &e), ERR_INVALID);
    assert_true(e.msg[0]);
}

/* A message of both families, spelled out byte by byte. */
static const char WHOLE[] = "d5:added12:\x01\x02\x03\x04\x1a\xe1\x05\x06\x07\x08\x1a\xe2"
                            "7:added.f2:\x12\x01"
                            "6:added618:\x2a\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\x1a\xe3"
                            "8:added6.f1:\x10"
                            "7:dropped6:\x09\x09\x09\x09\x1a\xe4"
                            "8:dropped618:\x2a\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x06\x1a\xe5"
                            "e";

static void says_and_reads_all(void **state)
{
    (void)state;
    struct pex_msg m = {.n_added = 3, .n_dropped = 2}, back;
    struct buf b = {0};
    m.added[0] = (struct pex_peer){at("1.2.3.4:6881"), PEX_SEED | PEX_OUTGOING};
    m.added[1] = (struct pex_peer){at("[2a01::5]:6883"), PEX_OUTGOING};
    m.added[2] = (struct pex_peer){at("5.6.7.8:6882"), PEX_ENCRYPTION};
    m.dropped[0] = at("[2a02::6]:6885");
    m.dropped[1] = at("9.9.9.9:6884");
    pex_put(&b, &m);
    assert_true(bytes_eq(buf_bytes(&b), BYTES_LIT(WHOLE)));
    reads(&back, buf_bytes(&b));
    assert_int_equal(back.n_added, 3);
    assert_int_equal(back.n_dropped, 2);
    assert_true(addr_eq(&back.added[1].addr, &m.added[2].addr));
    assert_int_equal(back.added[0].flags, PEX_SEED | PEX_OUTGOING);
    assert_int_equal(back.added[1].flags, PEX_ENCRYPTION);
    assert_true(addr_eq(&back.added[2].addr, &m.added[1].addr));
    assert_int_equal(back.added[2].flags, PEX_OUTGOING);
    assert_true(addr_eq(&back.dropped[0], &m.dropped[1]));
    assert_true(addr_eq(&back.dropped[1], &m.dropped[0]));
    buf_fini(&b);
}

static void leaves_out_what_is_empty(void **state)
{
    (void)state;
    struct pex_msg m = {.n_dropped = 1};
    struct buf b = {0};
    m.dropped[0] = at("9.9.9.9:6884");
    pex_put(&b, &m);
    assert_true(bytes_is(buf_bytes(&b), "d7:dropped6:\x09\x09\x09\x09\x1a\xe4"
                                        "e"));
    buf_fini(&b);
    reads(&m, BYTES_LIT("de"));
    assert_int_equal(m.n_added + m.n_dropped, 0);
}

/* Flags that do not fit their peers are nobody's; unknown ones stay as they are. */
static void flags(void **state)
{
    (void)state;
    struct pex_msg m;
    reads(&m, BYTES_LIT("d5:added6:\x01\x02\x03\x04\x1a\xe1"
                        "7:added.f1:\xff"
                        "e"));
    assert_int_equal(m.added[0].flags, 0xff);
    reads(&m, BYTES_LIT("d5:added6:\x01\x02\x03\x04\x1a\xe1"
                        "7:added.f2:\x02\x02"
                        "e"));
    assert_int_equal(m.n_added, 1);
    assert_int_equal(m.added[0].flags, 0);
    reads(&m, BYTES_LIT("d5:added6:\x01\x02\x03\x04\x1a\xe1"
                        "7:added.fi2ee"));
    assert_int_equal(m.added[0].flags, 0);
    reads(&m, BYTES_LIT("d5:added6:\x01\x02\x03\x04\x1a\xe1"
                        "e"));
    assert_int_equal(m.added[0].flags, 0);
    reads(&m, BYTES_LIT("d7:added.f1:\x02"
                        "e"));
    assert_int_equal(m.n_added, 0);
}

/* The flag goes with its peer, also past one that is left out. */
static void passes_over(void **state)
{
    (void)state;
    struct pex_msg m;
    reads(&m, BYTES_LIT("d5:added30:\x01\x02\x03\x04\0\0" /* no port */
                        "\x05\x06\x07\x08\x1a\xe2"
                        "\x05\x06\x07\x08\x1a\xe3" /* another port of the same host */
                        "\x7f\0\0\x01\x1a\xe2"
                        "\x7f\0\0\x01\x1a\xe3" /* on loopback that is another peer */
                        "7:added.f5:\x01\x02\x04\x08\x10"
                        "6:added618:\0\0\0\0\0\0\0\0\0\0\xff\xff\x05\x06\x07\x08\x1a\xe4"
                        "7:dropped18:\x01\x02\x03\x04\0\0\x05\x06\x07\x08\x1a\xe2"
                        "\x05\x06\x07\x08\x1a\xe2"
                        "e"));
    assert_int_equal(m.n_added, 3);
    assert_int_equal(m.added[0].flags, 0x02);
    assert_int_equal(m.added[0].addr.port, 6882);
    assert_int_equal(m.added[1].flags, 0x08);
    assert_int_equal(m.added[2].flags, 0x10);
    assert_int_equal(m.n_dropped, 1);
}

/* As KTorrent writes it. */
static void in_any_order(void **state)
{
    (void)state;
    struct pex_msg m;
    reads(&m, BYTES_LIT("d5:added6:\x01\x02\x03\x04\x1a\xe1"
                        "7:added.f1:\x02"
                        "7:dropped0:"
                        "6:added60:8:added6.f0:8:dropped618:abcdefghijklmnopqre"));
    assert_int_equal(m.n_added, 1);
    assert_int_equal(m.added[0].flags, 0x02);
    assert_int_equal(m.n_dropped, 1);
}

static void malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "d",
        "le",
        "i1e",
        "4:pexx",
        "d5:added5:abcdee", /* not a multiple of six */
        "d5:added7:abcdefge",
        "d5:addedi6ee", /* not a string */
        "d5:addedlee",
        "d6:added617:abcdefghijklmnopqe",
        "d6:added66:abcdefe", /* IPv4 where IPv6 should be */
        "d7:dropped1:ae",
        "d8:dropped61:ae",
        "d5:added6:abcdef5:added6:abcdefe", /* twice */
        "dee",
        "d5:added6:abcde",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(bytes_str(bad[i]));
}

/* n distinct addresses in each of the four lists. */
static struct bytes crowd(struct buf *b, size_t n)
{
    static const struct {
        const char *key;
        size_t size;
    } list[] = {{"added", 6}, {"added6", 18}, {"dropped", 6}, {"dropped6", 18}};
    bencode_put_dict(b);
    for (size_t k = 0; k < 4; k++) {
        uint8_t *v = mem_zero(n * list[k].size + 1);
        for (size_t i = 0; i < n; i++) {
            uint8_t *p = v + i * list[k].size;
            p[0] = list[k].size == 6 ? 20 : 0x2a;
            put_be32(p + list[k].size - 6, (uint32_t)(20u << 24 | i));
            put_be16(p + list[k].size - 2, 6881);
        }
        bencode_put_key_str(b, list[k].key, BYTES(v, n * list[k].size));
        free(v);
    }
    bencode_put_end(b);
    return buf_bytes(b);
}

static void limits(void **state)
{
    (void)state;
    static const struct {
        size_t n, kept;
    } cases[] = {{0, 0}, {25, 50}, {26, 50}, {50, 50}, {51, 50}, {20000, 50}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pex_msg m;
        struct buf b = {0};
        reads(&m, crowd(&b, cases[i].n));
        assert_int_equal(m.n_added, cases[i].kept);
        assert_int_equal(m.n_dropped, cases[i].kept);
        if (cases[i].n > 0)
            assert_int_equal(m.added[0].addr.family, 4);
        /* Those of IPv6 come behind, as far as there is room. */
        if (cases[i].n > 0)
            assert_int_equal(m.added[m.n_added - 1].addr.family, cases[i].n < 50 ? 6 : 4);
        buf_fini(&b);
    }
}

/* A full message of the longer family goes out whole and comes back. */
static void full_message(void **state)
{
    (void)state;
    struct pex_msg m = {.n_added = PEX_MAX_PEERS, .n_dropped = PEX_MAX_PEERS}, back;
    struct buf b = {0};
    for (unsigned i = 0; i < PEX_MAX_PEERS; i++) {
        char text[ADDR_TEXT];
        snprintf(text, sizeof text, "[2a01::%x]:6881", i + 1);
        m.added[i] = (struct pex_peer){at(text), (uint8_t)i};
        snprintf(text, sizeof text, "[2a02::%x]:6881", i + 1);
        m.dropped[i] = at(text);
    }
    pex_put(&b, &m);
    reads(&back, buf_bytes(&b));
    assert_int_equal(back.n_added, PEX_MAX_PEERS);
    for (unsigned i = 0; i < PEX_MAX_PEERS; i++) {
        assert_true(addr_eq(&back.added[i].addr, &m.added[i].addr));
        assert_int_equal(back.added[i].flags, i);
        assert_true(addr_eq(&back.dropped[i], &m.dropped[i]));
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_and_reads_all),
        cmocka_unit_test(leaves_out_what_is_empty),
        cmocka_unit_test(flags),
        cmocka_unit_test(passes_over),
        cmocka_unit_test(in_any_order),
        cmocka_unit_test(malformed),
        cmocka_unit_test(limits),
        cmocka_unit_test(full_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

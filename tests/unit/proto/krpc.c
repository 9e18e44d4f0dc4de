/* KRPC: the examples of BEP 5, both ways; what is refused, and what deserves no answer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/proto/krpc.h>

#include <stdio.h>
#include <stdlib.h>

#define ID "abcdefghij0123456789"
#define ID2 "mnopqrstuvwxyz123456"

static struct krpc_msg m;

static int parse(const char *text)
{
    return krpc_parse(&m, bytes_str(text));
}

/* Written again it is the same. */
static void same(const char *text)
{
    struct buf b = {0};
    assert_int_equal(parse(text), 0);
    assert_int_equal(m.fault, 0);
    krpc_write(&b, &m);
    assert_int_equal(buf_len(&b), strlen(text));
    assert_memory_equal(buf_bytes(&b).p, text, strlen(text));
    buf_fini(&b);
}

static void queries(void **state)
{
    (void)state;
    same("d1:ad2:id20:" ID "e1:q4:ping1:t2:aa1:y1:qe");
    assert_true(m.kind == KRPC_QUERY && m.method == KRPC_PING);
    assert_memory_equal(m.id, ID, 20);
    same("d1:ad2:id20:" ID "6:target20:" ID2 "e1:q9:find_node1:t2:aa1:y1:qe");
    assert_memory_equal(m.target, ID2, 20);
    same("d1:ad2:id20:" ID "9:info_hash20:" ID2 "e1:q9:get_peers1:t2:aa1:y1:qe");
    assert_int_equal(m.method, KRPC_GET_PEERS);
    same("d1:ad2:id20:" ID "12:implied_porti1e9:info_hash20:" ID2
         "4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe");
    assert_true(m.implied_port && m.port == 6881 && bytes_is(m.token, "aoeusnth"));
    same("d1:ad2:id20:" ID "9:info_hash20:" ID2 "6:noseedi1e6:scrapei1e4:wantl2:n42:n6ee"
         "1:q9:get_peers2:roi1e1:t2:aa1:v4:PP011:y1:qe");
    assert_true(m.noseed && m.scrape && m.read_only && m.want == (KRPC_WANT4 | KRPC_WANT6));
    same("d1:ad3:casi4e2:id20:" ID "1:k32:abcdefghijabcdefghijabcdefghij124:salt3:foo3:seqi5e"
         "3:sig64:abcdefghijabcdefghijabcdefghij12abcdefghijabcdefghijabcdefghij12"
         "5:token1:x1:v3:bare1:q3:put1:t2:aa1:y1:qe");
    assert_true(m.has_cas && m.cas == 4 && m.has_seq && m.seq == 5 && m.key && m.sig);
    assert_true(bytes_is(m.value, "3:bar") && bytes_is(m.salt, "foo"));
    same("d1:ad2:id20:" ID "6:target20:" ID2 "e1:q17:sample_infohashes1:t2:aa1:y1:qe");
    assert_int_equal(m.method, KRPC_SAMPLE);
}

static void replies(void **state)
{
    (void)state;
    same("d1:rd2:id20:" ID2 "e1:t2:aa1:y1:re");
    assert_int_equal(m.kind, KRPC_REPLY);
    same("d1:rd2:id20:" ID "5:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re");
    assert_int_equal(m.n_values, 2);
    assert_int_equal(m.values[1].port, 'n' << 8 | 'm');
    same("d2:ip6:abcdef1:rd2:id20:" ID "5:nodes26:" ID "axje.u6:nodes638:" ID
         "aaaaaaaaaaaaaaaapp5:token8:aoeusnthe1:t2:aa1:v4:LT\x01\x02"
         "1:y1:re");
    assert_int_equal(m.nodes.n, 26);
    assert_true(m.ip.family == 4 && m.nodes6.n == 38);
    same("d1:rd2:id20:" ID "8:intervali60e5:nodes0:3:numi7e7:samples40:" ID ID2 "e1:t2:aa1:y1:re");
    assert_true(m.interval == 60 && m.num == 7 && m.samples.n == 40);
    same("d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee");
    assert_true(m.kind == KRPC_ERROR && m.code == 201);
    /* A mixed list, with things that are no addresses. */
    assert_int_equal(parse("d1:rd2:id20:" ID "6:valuesl6:axje.u18:aaaaaaaaaaaaaaaapp3:xxxi3eee"
                           "1:t1:a1:y1:re"),
                     0);
    assert_int_equal(m.n_values, 2);
    assert_true(m.values[0].family == 4 && m.values[1].family == 6);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int fault;
    } t[] = {
        {"d1:ad2:id20:" ID "e1:q4:what1:t2:aa1:y1:qe", KRPC_NO_METHOD},
        {"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        {"d1:ade1:q4:ping1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        {"d1:a3:foo1:q4:ping1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        {"d1:q4:ping1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        {"d1:ad2:id20:" ID "e1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        {"d1:ad2:id20:" ID "e1:q9:find_node1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        {"d1:ad2:id20:" ID "6:target20:" ID "e1:q9:get_peers1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        {"d1:ad2:id20:" ID "9:info_hash20:" ID "4:porti1ee1:q13:announce_peer1:t2:aa1:y1:qe",
         KRPC_PROTOCOL}, /* no token */
        {"d1:ad2:id20:" ID "9:info_hash20:" ID "5:token1:ae1:q13:announce_peer1:t2:aa1:y1:qe",
         KRPC_PROTOCOL}, /* no port */
        {"d1:ad2:id20:" ID "9:info_hash20:" ID "4:porti65536e5:token1:ae1:q13:announce_peer"
         "1:t2:aa1:y1:qe",
         KRPC_PROTOCOL},
        {"d1:ad2:id20:" ID "5:token1:ae1:q3:put1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        /* unsorted keys in a value, and at the top */
        {"d1:ad2:id20:" ID "5:token1:a1:vd1:b1:x1:a1:xee1:q3:put1:t2:aa1:y1:qe", KRPC_PROTOCOL},
        {"d1:q4:ping1:ad2:id20:" ID "e1:t2:aa1:y1:qe", KRPC_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        assert_int_equal(parse(t[i].text), 0);
        assert_int_equal(m.fault, t[i].fault);
        assert_true(bytes_is(m.tid, "aa"));
    }
    /* Not known, but with a target: it can be told of nodes. */
    assert_int_equal(parse("d1:ad2:id20:" ID "6:target20:" ID2 "e1:q4:what1:t2:aa1:y1:qe"), 0);
    assert_true(m.method == KRPC_UNKNOWN && m.fault == 0 && m.target);
}

static void junk(void **state)
{
    (void)state;
    static const char *const t[] = {
        "",
        "d",
        "de",
        "le",
        "i1e",
        "hello",
        "d1:y1:qe",
        "d1:t2:aae",
        "d1:t2:aa1:y1:xe",
        "d1:t2:aa1:y2:qqe",
        "d1:t0:1:y1:qe",
        "d1:ti1e1:y1:qe",
        "d1:t33:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:qe",
        "d1:t2:aa1:y1:re",
        "d1:r2:id1:t2:aa1:y1:re",
        "d1:rde1:t2:aa1:y1:re",
        "d1:rd2:id20:" ID "5:nodes25:" ID "axje.e1:t2:aa1:y1:re",
        "d1:rd2:id20:" ID "6:nodes626:" ID "axje.ue1:t2:aa1:y1:re",
        "d1:rd2:id20:" ID "7:samples21:" ID "xe1:t2:aa1:y1:re",
        "d1:rd2:id20:" ID "e1:t2:aa1:y1:rextra",
        "d1:rd2:id20:" ID "e1:t2:aa1:y1:r",
        "d1:rd5:nodes0:2:id20:" ID "e1:t2:aa1:y1:re", /* an answer out of order */
        "d1:ad2:id20:" ID "e1:q4:ping1:t2:aa1:t2:bb1:y1:q",
        "d99999999999:ae",
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++)
        assert_int_equal(parse(t[i]), ERR_INVALID);
}

/* At the limits, and one past them. */
static void limits(void **state)
{
    (void)state;
    struct buf b = {0};
    for (unsigned n = KRPC_MAX_IN - 1; n <= KRPC_MAX_IN + 1; n++) {
        struct krpc_msg out = {.kind = KRPC_QUERY,
                               .tid = BYTES("aa", 2),
                               .version = BYTES("", 0),
                               .id = (const uint8_t *)ID};
        uint8_t *version = mem_zero(KRPC_MAX_IN);
        buf_clear(&b);
        krpc_write(&b, &out);
        size_t digits = 3; /* "0" grows to "2000" */
        out.version = BYTES(version, n - buf_len(&b) - digits);
        buf_clear(&b);
        krpc_write(&b, &out);
        assert_int_equal(buf_len(&b), n);
        assert_int_equal(krpc_parse(&m, buf_bytes(&b)), n <= KRPC_MAX_IN ? 0 : ERR_INVALID);
        free(version);
    }
    for (size_t n = KRPC_MAX_VALUES - 1; n <= KRPC_MAX_VALUES + 1; n++) {
        buf_clear(&b);
        buf_put_str(&b, "d1:rd2:id20:" ID "6:valuesl");
        for (size_t i = 0; i < n; i++)
            buf_put_str(&b, "6:axje.u");
        buf_put_str(&b, "ee1:t2:aa1:y1:re");
        assert_int_equal(krpc_parse(&m, buf_bytes(&b)), 0);
        assert_int_equal(m.n_values, n < KRPC_MAX_VALUES ? n : KRPC_MAX_VALUES);
    }
    for (size_t n = KRPC_MAX_TOKEN; n <= KRPC_MAX_TOKEN + 1; n++) {
        uint8_t token[KRPC_MAX_TOKEN + 1] = {0};
        struct krpc_msg out = {.kind = KRPC_REPLY,
                               .tid = BYTES("aa", 2),
                               .token = BYTES(token, n),
                               .id = (const uint8_t *)ID};
        buf_clear(&b);
        krpc_write(&b, &out);
        assert_int_equal(krpc_parse(&m, buf_bytes(&b)), 0);
        assert_int_equal(m.token.p != NULL, n <= KRPC_MAX_TOKEN);
    }
    assert_int_equal(parse("d1:rd2:id20:" ID "8:intervali99999999999e3:numi-4ee1:t1:a1:y1:re"), 0);
    assert_true(m.interval == KRPC_MAX_INTERVAL && m.num == 0);
    for (unsigned n = KRPC_MAX_TOKENS - 1; n <= KRPC_MAX_TOKENS + 1; n++) {
        buf_clear(&b);
        buf_put_str(&b, "d1:ad2:id20:" ID "1:xl");
        for (unsigned i = 0; i < n - 13; i++) /* the others are the rest of the message */
            buf_put_str(&b, "0:");
        buf_put_str(&b, "ee1:q4:ping1:t1:a1:y1:qe");
        assert_int_equal(krpc_parse(&m, buf_bytes(&b)), n <= KRPC_MAX_TOKENS ? 0 : ERR_INVALID);
    }
    buf_fini(&b);
}

static void nodes(void **state)
{
    (void)state;
    struct addr a, back;
    uint8_t at[KRPC_NODE6];
    const uint8_t *id;
    addr_parse(&a, "1.2.3.4:6881");
    assert_int_equal(krpc_put_node(at, (const uint8_t *)ID, &a), KRPC_NODE4);
    krpc_get_node(at, false, &id, &back);
    assert_true(addr_eq(&a, &back) && memcmp(id, ID, 20) == 0);
    addr_parse(&a, "[2600::1]:6881");
    assert_int_equal(krpc_put_node(at, (const uint8_t *)ID, &a), KRPC_NODE6);
    krpc_get_node(at, true, &id, &back);
    assert_true(addr_eq(&a, &back));
    assert_true(krpc_smells(BYTES_LIT("de")) && !krpc_smells(BYTES_LIT("d")));
    assert_false(krpc_smells(BYTES_LIT("\x21\x01xxe")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries), cmocka_unit_test(replies), cmocka_unit_test(refused),
        cmocka_unit_test(junk),    cmocka_unit_test(limits),  cmocka_unit_test(nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

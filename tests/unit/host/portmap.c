/*
 * Port mapping against gateways that are made here, on loopback: such as do what they are asked,
 * such as do half of it, and such as lie. UPnP has its own tests (portmap_igd.c).
 */
#include "looptest.h"
#include "host/pcp.h"

#include <p2p/host/portmap.h>
#include <p2p/host/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OURS 6881
#define OUTSIDE "\x0b\0\0\1" /* 11.0.0.1 */
#define BOTH ((1u << PORTMAP_PCP) | (1u << PORTMAP_NATPMP))

struct world {
    struct looptest t;
    struct addr at;            /* the gateway */
    struct udp *gate, *forger; /* and somebody else */
    struct portmap *map;
    void (*answer)(struct world *w, const struct addr *from, struct bytes b);
    /* what happened */
    unsigned asked, pcp_maps, pcp_drops, nat_maps, nat_drops, told, closed;
    uint8_t nonces[4][PCP_NONCE_LEN];
    uint16_t wished;
    uint32_t lease_asked;
    struct portmap_at last;
    char notice[500];
    /* how the gateway is */
    unsigned variant;
    uint8_t result;
    uint32_t lifetime;
    uint16_t external;
    bool forge, once;
};

/* ---- gateways ---- */

static void say(struct world *w, const struct addr *to, const uint8_t *b, size_t n)
{
    assert_int_equal(udp_send(w->gate, to, BYTES(b, n)), 0);
}

static size_t pcp_answer(const struct world *w, struct bytes asked, uint8_t out[PCP_MESSAGE_MAX])
{
    memset(out, 0, PCP_MESSAGE_MAX);
    memcpy(out, asked.p, asked.n);
    out[1] |= 0x80;
    out[2] = 0;
    out[3] = w->result;
    memset(out + 8, 0, 16);
    put_be32(out + 8, 1000);
    if (asked.n == PCP_MAP_LEN && get_be32(asked.p + 4) && !w->result) {
        put_be32(out + 4, w->lifetime);
        if (w->external)
            put_be16(out + 42, w->external);
        memcpy(out + 44, "\0\0\0\0\0\0\0\0\0\0\xff\xff" OUTSIDE, 16);
    }
    return asked.n;
}

static void note_pcp(struct world *w, struct bytes b)
{
    if (b.n != PCP_MAP_LEN)
        return;
    bool udp = b.p[36] == PCP_UDP, drop = get_be32(b.p + 4) == 0;
    assert_true(b.p[36] == PCP_TCP || udp);
    assert_int_equal(get_be16(b.p + 40), OURS);
    assert_memory_equal(b.p + 8, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    memcpy(w->nonces[2 * drop + udp], b.p + 24, PCP_NONCE_LEN);
    w->pcp_maps += !drop;
    w->pcp_drops += drop;
    w->wished = get_be16(b.p + 42);
    if (!drop)
        w->lease_asked = get_be32(b.p + 4);
}

/* Speaks PCP, and of NAT-PMP nothing. */
static void pcp_gate(struct world *w, const struct addr *from, struct bytes b)
{
    uint8_t out[PCP_MESSAGE_MAX];
    if (b.p[0] == 2)
        say(w, from, out, pcp_answer(w, b, out));
}

static size_t nat_answer(const struct world *w, struct bytes asked, uint8_t out[16])
{
    memset(out, 0, 16);
    out[1] = 0x80 | asked.p[1];
    put_be16(out + 2, asked.p[0] == 0 ? w->result : 1);
    put_be32(out + 4, 1000);
    if (asked.p[0] != 0)
        return 8;
    if (asked.p[1] == 0) {
        memcpy(out + 8, OUTSIDE, 4);
        return 12;
    }
    memcpy(out + 8, asked.p + 4, 4); /* both ports */
    if (w->external && get_be32(asked.p + 8))
        put_be16(out + 10, w->external);
    put_be32(out + 12, get_be32(asked.p + 8) ? w->lifetime : 0);
    return 16;
}

static void note_nat(struct world *w, struct bytes b)
{
    bool drop;
    if (b.n != 12)
        return;
    drop = get_be32(b.p + 8) == 0;
    assert_int_equal(get_be16(b.p + 4), OURS);
    w->nat_maps += !drop;
    w->nat_drops += drop;
    w->wished = get_be16(b.p + 6);
}

/* Speaks NAT-PMP, and says of PCP that it does not. */
static void nat_gate(struct world *w, const struct addr *from, struct bytes b)
{
    uint8_t out[16];
    say(w, from, out, nat_answer(w, b, out));
}

static void silent(struct world *w, const struct addr *from, struct bytes b)
{
    (void)w, (void)from, (void)b;
}

static void on_asked(void *arg, const struct addr *from, struct bytes b)
{
    struct world *w = arg;
    w->asked++;
    assert_true(b.n >= 2);
    if (b.p[0] == 2)
        note_pcp(w, b);
    else
        note_nat(w, b);
    w->answer(w, from, b);
}

static void on_nothing(void *arg, const struct addr *from, struct bytes b)
{
    (void)arg, (void)from, (void)b;
}

/* ---- the world ---- */

static void on_mapped(void *arg, const struct portmap_at *at)
{
    struct world *w = arg;
    w->told++;
    w->last = *at;
    if (!w->once)
        loop_stop(w->t.l);
}

static void on_notice(void *arg, const char *text)
{
    struct world *w = arg;
    strcpy(w->notice, text);
    if (strstr(text, "maps no port"))
        loop_stop(w->t.l);
}

static void on_closed(void *arg)
{
    struct world *w = arg;
    w->closed++;
    loop_stop(w->t.l);
}

/* Each test program is a gateway of its own, for several may run at once. */
static void world_open(struct world *w,
                       void (*answer)(struct world *, const struct addr *, struct bytes))
{
    struct err e = {0};
    struct addr other;
    unsigned pid = (unsigned)getpid();
    *w = (struct world){.answer = answer, .lifetime = 7200};
    looptest_open(&w->t);
    w->at = (struct addr){.family = 4, .ip = {127, (uint8_t)(1 + (pid >> 8) % 250), pid & 0xff, 9}};
    other = w->at;
    other.ip[3] = 10;
    w->gate = udp_open(w->t.l, &w->at, PCP_PORT, on_asked, w, &e);
    w->forger = udp_open(w->t.l, &other, PCP_PORT, on_nothing, w, &e);
    assert_non_null(w->gate);
    assert_non_null(w->forger);
}

static void world_map(struct world *w, unsigned ways, uint32_t lease)
{
    static const struct portmap_events events = {on_mapped, on_notice, on_closed};
    struct portmap_config c = {
        .tcp = OURS, .udp = OURS, .name = "test", .ways = ways, .lease = lease, .gateway = w->at};
    w->map = portmap_new(w->t.l, &c, &events, w);
}

static void world_close(struct world *w)
{
    portmap_free(w->map);
    udp_free(w->gate);
    udp_free(w->forger);
    looptest_close(&w->t);
}

static void expect_mapped(struct world *w, enum portmap_way way, uint16_t external)
{
    assert_int_equal(w->told, 1);
    assert_int_equal(w->last.way, way);
    assert_int_equal(w->last.external.port, external);
    assert_int_equal(w->last.udp, external);
    assert_int_equal(w->last.external.family, 4);
    assert_memory_equal(w->last.external.ip, OUTSIDE, 4);
}

/* ---- those that do as they are asked ---- */

static void test_pcp(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, pcp_gate);
    world_map(&w, BOTH, 0);
    assert_int_equal(w.told, 0);
    looptest_run(&w.t);
    expect_mapped(&w, PORTMAP_PCP, OURS);
    assert_int_equal(w.pcp_maps, 2);
    assert_int_equal(w.lease_asked, PORTMAP_LEASE);
    assert_memory_not_equal(w.nonces[0], w.nonces[1], PCP_NONCE_LEN);
    assert_true(portmap_close(w.map, 10 * USEC_SEC));
    assert_true(portmap_close(w.map, 10 * USEC_SEC)); /* under way already */
    looptest_run(&w.t);
    assert_int_equal(w.closed, 1);
    assert_int_equal(w.pcp_drops, 2);
    assert_memory_equal(w.nonces[0], w.nonces[2], 2 * PCP_NONCE_LEN);
    assert_false(portmap_close(w.map, 10 * USEC_SEC));
    world_close(&w);
}

static void test_natpmp(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, nat_gate);
    world_map(&w, BOTH, 0);
    looptest_run(&w.t);
    expect_mapped(&w, PORTMAP_NATPMP, OURS);
    assert_int_equal(w.nat_maps, 2);
    assert_int_equal(w.pcp_maps, 0);
    assert_true(portmap_close(w.map, 10 * USEC_SEC));
    looptest_run(&w.t);
    assert_int_equal(w.closed, 1);
    assert_int_equal(w.nat_drops, 2);
    world_close(&w);
}

static void test_another_port(void **state)
{
    (void)state;
    for (int nat = 0; nat < 2; nat++) {
        struct world w;
        world_open(&w, nat ? nat_gate : pcp_gate);
        w.external = 40000;
        world_map(&w, BOTH, 0);
        looptest_run(&w.t);
        expect_mapped(&w, nat ? PORTMAP_NATPMP : PORTMAP_PCP, 40000);
        assert_int_equal(w.wished, 40000); /* UDP asks for what TCP has got */
        world_close(&w);
    }
}

/* Renewed at half time, with the nonce and the port of the mapping; and not told again. */
static void test_renewal(void **state)
{
    (void)state;
    for (int nat = 0; nat < 2; nat++) {
        struct world w;
        world_open(&w, nat ? nat_gate : pcp_gate);
        w.external = 40000;
        w.lifetime = 1; /* a gateway that would have us ask all the time: PORTMAP_RENEW_MIN */
        world_map(&w, BOTH, 0);
        looptest_run(&w.t);
        uint8_t nonce[PCP_NONCE_LEN];
        memcpy(nonce, w.nonces[1], sizeof nonce);
        w.wished = 0;
        looptest_run_for(&w.t, PORTMAP_RENEW_MIN + USEC_SEC);
        assert_int_equal(nat ? w.nat_maps : w.pcp_maps, 4);
        assert_memory_equal(nonce, w.nonces[1], sizeof nonce);
        assert_int_equal(w.wished, 40000);
        assert_int_equal(w.told, 1);
        world_close(&w);
    }
}

static void test_huge_lifetime(void **state)
{
    (void)state;
    for (int nat = 0; nat < 2; nat++) {
        struct world w;
        world_open(&w, nat ? nat_gate : pcp_gate);
        w.lifetime = UINT32_MAX;
        world_map(&w, BOTH, 0);
        looptest_run(&w.t);
        expect_mapped(&w, nat ? PORTMAP_NATPMP : PORTMAP_PCP, OURS);
        looptest_run_for(&w.t, 300 * USEC_MS);
        assert_int_equal(nat ? w.nat_maps : w.pcp_maps, 2);
        world_close(&w);
    }
}

/* ---- those that refuse ---- */

/* Greets, and refuses to map. */
static void refuses(struct world *w, const struct addr *from, struct bytes b)
{
    uint8_t out[PCP_MESSAGE_MAX];
    w->result = b.n > PCP_HELLO_LEN || b.n == 12 ? (uint8_t)w->variant : 0;
    if (b.p[0] == 2)
        say(w, from, out, pcp_answer(w, b, out));
    else
        say(w, from, out, nat_answer(w, b, out));
}

static void test_refused(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, refuses);
    w.variant = PCP_NOT_AUTHORIZED;
    world_map(&w, BOTH, 0);
    looptest_run(&w.t);
    assert_int_equal(w.told, 0);
    assert_non_null(strstr(w.notice, "PCP: not allowed; NAT-PMP: not allowed"));
    assert_false(portmap_close(w.map, USEC_SEC)); /* nothing is to be undone */
    world_close(&w);
}

static void only_any(struct world *w, const struct addr *from, struct bytes b)
{
    bool wished = b.n == PCP_MAP_LEN && get_be16(b.p + 42) == OURS;
    w->result = wished ? PCP_CANNOT_PROVIDE_EXTERNAL : 0;
    w->external = 50000;
    pcp_gate(w, from, b);
}

static void test_port_taken(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, only_any);
    world_map(&w, 1u << PORTMAP_PCP, 0);
    looptest_run(&w.t);
    expect_mapped(&w, PORTMAP_PCP, 50000);
    world_close(&w);
}

static void test_lifetime_zero(void **state)
{
    (void)state;
    struct world w;
    for (int nat = 0; nat < 2; nat++) {
        world_open(&w, nat ? nat_gate : pcp_gate);
        w.lifetime = 0;
        world_map(&w, 1u << (nat ? PORTMAP_NATPMP : PORTMAP_PCP), 0);
        looptest_run(&w.t);
        assert_int_equal(w.told, 0);
        assert_non_null(strstr(w.notice, "its mapping ends at once"));
        world_close(&w);
    }
}

static void test_silent(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, silent);
    world_map(&w, BOTH, 0);
    looptest_run(&w.t);
    assert_int_equal(w.told, 0);
    assert_non_null(strstr(w.notice, "PCP: no answer; NAT-PMP: no answer"));
    assert_true(w.asked >= PORTMAP_ASKS && w.asked <= 3 * PORTMAP_ASKS);
    world_close(&w);
}

/* Nobody listens there: known at once, by the host's own word. */
static void test_nobody(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, silent);
    w.at.ip[3] = 99;
    world_map(&w, BOTH, 0);
    looptest_run(&w.t);
    assert_non_null(strstr(w.notice, "PCP: it does not listen; NAT-PMP: it does not listen"));
    world_close(&w);
}

static void no_drops(struct world *w, const struct addr *from, struct bytes b)
{
    if (b.n < 12 || get_be32(b.p + (b.p[0] == 2 ? 4 : 8)) != 0 || b.n == PCP_HELLO_LEN)
        (w->variant ? nat_gate : pcp_gate)(w, from, b);
}

/* A gateway that is gone at the end does not hold us up. */
static void test_patience(void **state)
{
    (void)state;
    for (unsigned nat = 0; nat < 2; nat++) {
        struct world w;
        world_open(&w, no_drops);
        w.variant = nat;
        world_map(&w, BOTH, 0);
        looptest_run(&w.t);
        usec from = loop_now(w.t.l);
        assert_true(portmap_close(w.map, 100 * USEC_MS));
        looptest_run(&w.t);
        assert_int_equal(w.closed, 1);
        assert_true(loop_now(w.t.l) - from >= 100 * USEC_MS);
        world_close(&w);
    }
}

/* ---- those that lie ---- */

struct mutation {
    const char *name;
    size_t at, cut; /* cut: so many bytes are left; 0: all */
    uint8_t flip;
    size_t more; /* bytes behind */
};

static const struct mutation pcp_lies[] = {
    {"wrong nonce", 24, 0, 1, 0},
    {"wrong end of the nonce", 35, 0, 1, 0},
    {"wrong protocol", 36, 0, 0x17, 0},
    {"wrong port", 41, 0, 1, 0},
    {"a request", 1, 0, 0x80, 0},
    {"another opcode", 1, 0, 2, 0},
    {"an announcement", 1, 0, 1, 0},
    {"version 3", 0, 0, 1, 0},
    {"one byte", 0, 1, 0, 0},
    {"a header", 0, 24, 0, 0},
    {"cut by one", 0, 59, 0, 0},
    {"cut by four", 0, 56, 0, 0},
    {"one byte more", 0, 0, 0, 1},
    {"half an option", 0, 0, 0, 1040},
    {"beyond the limit", 0, 0, 0, 1044},
    {"far beyond it", 0, 0, 0, 9000},
};

static const struct mutation nat_lies[] = {
    {"wrong port", 9, 0, 1, 0},    {"a request", 1, 0, 0x80, 0}, {"UDP for TCP", 1, 0, 3, 0},
    {"an address", 1, 0, 2, 0},    {"version 2", 0, 0, 2, 0},    {"one byte", 0, 1, 0, 0},
    {"seven bytes", 0, 7, 0, 0},   {"cut by one", 0, 15, 0, 0},  {"no lifetime", 0, 12, 0, 0},
    {"one byte more", 0, 0, 0, 1}, {"much more", 0, 0, 0, 9000}, {"refused in part", 3, 6, 1, 0},
};

/* Sends `good` with the external port 666 and spoiled, or from somebody else's address. */
static void lie(struct world *w, const struct addr *to, const uint8_t *good, size_t n,
                const struct mutation *m, size_t port_at)
{
    static uint8_t b[16384];
    memset(b, 0xff, sizeof b);
    memcpy(b, good, n);
    put_be16(b + port_at, 666);
    if (m) {
        b[m->at] ^= m->flip;
        say(w, to, b, (m->cut ? m->cut : n) + m->more);
    } else {
        assert_int_equal(udp_send(w->forger, to, BYTES(b, n)), 0);
    }
}

static void pcp_liar(struct world *w, const struct addr *from, struct bytes b)
{
    uint8_t out[PCP_MESSAGE_MAX];
    size_t n = pcp_answer(w, b, out);
    if (b.p[0] == 2 && n == PCP_MAP_LEN)
        lie(w, from, out, n, w->forge ? NULL : &pcp_lies[w->variant], 42);
    if (b.p[0] == 2)
        say(w, from, out, n);
}

static void nat_liar(struct world *w, const struct addr *from, struct bytes b)
{
    uint8_t out[16];
    size_t n = nat_answer(w, b, out);
    if (n == 16)
        lie(w, from, out, n, w->forge ? NULL : &nat_lies[w->variant], 10);
    say(w, from, out, n);
}

static void run_lies(void (*liar)(struct world *, const struct addr *, struct bytes),
                     enum portmap_way way, unsigned n)
{
    for (unsigned i = 0; i <= n; i++) {
        struct world w;
        world_open(&w, liar);
        w.variant = i;
        w.forge = i == n;
        world_map(&w, 1u << way, 0);
        looptest_run(&w.t);
        expect_mapped(&w, way, OURS);
        world_close(&w);
    }
}

static void test_pcp_lies(void **state)
{
    (void)state;
    run_lies(pcp_liar, PORTMAP_PCP, sizeof pcp_lies / sizeof *pcp_lies);
}

static void test_natpmp_lies(void **state)
{
    (void)state;
    run_lies(nat_liar, PORTMAP_NATPMP, sizeof nat_lies / sizeof *nat_lies);
}

/* Answers that nobody asked for, in numbers, before, between and after. */
static void flood(struct world *w, const struct addr *from, struct bytes b)
{
    uint8_t out[PCP_MESSAGE_MAX];
    for (int i = 0; i < 200; i++) {
        memset(out, i, sizeof out);
        out[0] = (uint8_t)(1 + i % 2);
        udp_send(w->gate, from, BYTES(out, (size_t)(i * 5 % 200)));
    }
    pcp_gate(w, from, b);
}

static void test_flood(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, flood);
    world_map(&w, 1u << PORTMAP_PCP, 0);
    looptest_run(&w.t);
    expect_mapped(&w, PORTMAP_PCP, OURS);
    world_close(&w);
}

/* A router behind a router: its address is not believed, its port is told. */
static void second_nat(struct world *w, const struct addr *from, struct bytes b)
{
    uint8_t out[PCP_MESSAGE_MAX];
    size_t n = pcp_answer(w, b, out);
    if (b.p[0] != 2)
        return;
    if (n == PCP_MAP_LEN)
        memcpy(out + 56, w->variant ? "\x64\x40\1\2" : "\x0a\1\2\3", 4);
    say(w, from, out, n);
}

static void test_second_nat(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world w;
        world_open(&w, second_nat);
        w.variant = i;
        world_map(&w, 1u << PORTMAP_PCP, 0);
        looptest_run(&w.t);
        assert_int_equal(w.told, 1);
        assert_int_equal(w.last.external.family, 0);
        assert_int_equal(w.last.external.port, OURS);
        assert_non_null(strstr(w.notice, i ? "100.64.1.2: there is a second NAT"
                                           : "10.1.2.3: there is a second NAT"));
        world_close(&w);
    }
}

/* ---- when nothing is asked ---- */

static void test_bound_elsewhere(void **state)
{
    (void)state;
    static const struct portmap_events events = {on_mapped, on_notice, on_closed};
    struct world w;
    world_open(&w, pcp_gate);
    struct portmap_config c = {.tcp = OURS, .name = "test", .ways = BOTH, .gateway = w.at};
    assert_true(addr_parse_ip(&c.bind, "10.9.8.7", 0));
    w.map = portmap_new(w.t.l, &c, &events, &w);
    looptest_run_for(&w.t, 100 * USEC_MS);
    assert_int_equal(w.asked, 0);
    assert_int_equal(w.told, 0);
    assert_non_null(strstr(w.notice, "does not face the router"));
    assert_false(portmap_close(w.map, USEC_SEC));
    world_close(&w);
}

static void test_free_at_any_time(void **state)
{
    (void)state;
    for (usec us = 0; us < 40 * USEC_MS; us += 2 * USEC_MS) {
        struct world w;
        world_open(&w, us % (4 * USEC_MS) ? pcp_gate : silent);
        w.once = true;
        world_map(&w, BOTH, 0);
        looptest_run_for(&w.t, us);
        world_close(&w);
    }
    portmap_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pcp),
        cmocka_unit_test(test_natpmp),
        cmocka_unit_test(test_another_port),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_huge_lifetime),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_port_taken),
        cmocka_unit_test(test_lifetime_zero),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_pcp_lies),
        cmocka_unit_test(test_natpmp_lies),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_second_nat),
        cmocka_unit_test(test_bound_elsewhere),
        cmocka_unit_test(test_free_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

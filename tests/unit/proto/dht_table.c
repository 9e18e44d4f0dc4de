/* The routing table: buckets, good and bad nodes, who gets a place, and who does not. */
#include "proto/dht_table.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/rng.h>

static struct rng rng;
static uint8_t own[DHT_ID];
static struct dht_table *t;

static int setup(void **state)
{
    (void)state;
    rng_seed(&rng, 1);
    rng_fill(&rng, own, sizeof own);
    t = dht_table_new(own, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dht_table_free(t);
    return 0;
}

struct who {
    uint8_t id[DHT_ID];
    struct addr addr;
};

/* Somebody who shares exactly `bits` bits with us; private, so any id will do. */
static struct who someone(unsigned bits)
{
    static uint32_t next;
    struct who w = {.addr = {.family = 4, .port = 5000}};
    put_be32(w.addr.ip, 0x0a000001 + next++);
    rng_fill(&rng, w.id, DHT_ID);
    dht_id_near(w.id, own, bits);
    return w;
}

static bool reply(const struct who *w, usec now)
{
    return dht_table_replied(t, w->id, &w->addr, now);
}

static struct dht_table_counts count(usec now)
{
    struct dht_table_counts c;
    dht_table_count(t, &c, now);
    return c;
}

static bool has(const struct who *w)
{
    const struct dht_node *n;
    for (size_t it = 0; (n = dht_table_each(t, &it));)
        if (dht_id_eq(n->id, w->id) && addr_eq(&n->addr, &w->addr))
            return true;
    return false;
}

static void full_bucket(void **state)
{
    (void)state;
    struct who w[12];
    for (int i = 0; i < 12; i++) {
        w[i] = someone(0);
        assert_int_equal(reply(&w[i], i), i < DHT_K);
    }
    assert_true(count(20).good == 8 && count(20).waiting == 4 && count(20).buckets >= 2);
    /* Twice silent: bad, and the youngest that waits takes the place. */
    dht_table_failed(t, &w[3].addr, true, 21);
    assert_true(has(&w[3]) && !has(&w[11]));
    dht_table_failed(t, &w[3].addr, true, 22);
    assert_true(!has(&w[3]) && has(&w[11]));
    assert_int_equal(count(22).waiting, 3);
    /* An answer in between makes up for it. */
    dht_table_failed(t, &w[4].addr, true, 23);
    reply(&w[4], 24);
    dht_table_failed(t, &w[4].addr, true, 25);
    assert_true(has(&w[4]));
}

static void splits(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 40; bits++)
        for (int i = 0; i < 20; i++) {
            struct who w = someone(bits);
            reply(&w, 0);
        }
    struct dht_table_counts c = count(0);
    assert_true(c.buckets >= 40 && c.good == 40 * DHT_K && c.waiting == 40 * DHT_K);
    assert_in_range(dht_table_depth(t), 40, 45);
    /* Somebody who makes up ids like ours cannot make it endless. */
    for (unsigned bits = 40; bits < 160; bits++)
        for (int i = 0; i < 10; i++) {
            struct who w = someone(bits);
            reply(&w, 0);
        }
    assert_true(count(0).buckets <= 160);
}

/* The closest are the closest, as counting all says. */
static void closest(void **state)
{
    (void)state;
    const struct dht_node *out[DHT_K], *n;
    for (int i = 0; i < 300; i++) {
        struct who w = someone((unsigned)rng_below(&rng, 12));
        reply(&w, 0);
    }
    for (int round = 0; round < 50; round++) {
        uint8_t target[DHT_ID];
        rng_fill(&rng, target, sizeof target);
        assert_int_equal(dht_table_closest(t, target, NULL, out, DHT_K, 0), DHT_K);
        for (int i = 1; i < DHT_K; i++)
            assert_true(dht_id_cmp(target, out[i - 1]->id, out[i]->id) < 0);
        unsigned closer = 0;
        for (size_t it = 0; (n = dht_table_each(t, &it));)
            closer += dht_id_cmp(target, n->id, out[DHT_K - 1]->id) < 0;
        assert_int_equal(closer, DHT_K - 1);
    }
}

static void quality(void **state)
{
    (void)state;
    const struct dht_node *out[DHT_K];
    struct who a = someone(0), b = someone(1), c = someone(2);
    reply(&a, 0);
    reply(&b, 0);
    reply(&c, DHT_GOOD_TIME);
    assert_int_equal(count(DHT_GOOD_TIME - 1).good, 3);
    assert_true(count(DHT_GOOD_TIME).good == 1 && count(DHT_GOOD_TIME).questionable == 2);
    /* A query of one that has answered once will do. */
    assert_false(dht_table_queried(t, a.id, &a.addr, DHT_GOOD_TIME));
    assert_int_equal(count(DHT_GOOD_TIME).good, 2);
    assert_true(dht_table_any_good(t, DHT_GOOD_TIME));
    assert_false(dht_table_any_good(t, 3 * DHT_GOOD_TIME));
    /* Good before questionable, bad never. */
    assert_int_equal(dht_table_closest(t, b.id, NULL, out, DHT_K, DHT_GOOD_TIME), 3);
    assert_memory_equal(out[2]->id, b.id, DHT_ID);
    dht_table_failed(t, &b.addr, true, DHT_GOOD_TIME);
    dht_table_failed(t, &b.addr, true, DHT_GOOD_TIME);
    assert_int_equal(dht_table_closest(t, b.id, NULL, out, DHT_K, DHT_GOOD_TIME), 2);
    assert_true(has(&b) && count(DHT_GOOD_TIME).bad == 1);
    for (int i = 0; i < DHT_FORGET_FAILS; i++)
        dht_table_failed(t, &b.addr, true, DHT_GOOD_TIME);
    assert_false(has(&b));
}

/* Our own line is down: nobody answers, and nobody is forgotten. */
static void outage(void **state)
{
    (void)state;
    struct who w[8];
    for (int i = 0; i < 8; i++) {
        w[i] = someone((unsigned)i);
        reply(&w[i], 0);
    }
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < 8; i++)
            dht_table_failed(t, &w[i].addr, false, round);
    assert_true(count(20).good == 8 && count(20).bad == 0);
}

static void asked_us(void **state)
{
    (void)state;
    struct who w[20], spare = someone(0);
    /* Not in the table before it answers, but worth a question. */
    assert_true(dht_table_queried(t, spare.id, &spare.addr, 0));
    assert_false(dht_table_queried(t, spare.id, &spare.addr, 0));
    assert_true(!has(&spare) && count(0).waiting == 1);
    assert_true(reply(&spare, 1) && has(&spare) && count(1).waiting == 0);
    /* Those who only ask push out none that waits and has answered. */
    for (int i = 0; i < 12; i++) {
        w[i] = someone(0);
        reply(&w[i], 2);
    }
    assert_int_equal(count(2).waiting, 5);
    for (int i = 12; i < 20; i++) {
        w[i] = someone(0);
        assert_false(dht_table_queried(t, w[i].id, &w[i].addr, 3)); /* full of good ones */
    }
    /* Silence of one who only asked: gone. */
    struct who q = someone(5);
    assert_true(dht_table_queried(t, q.id, &q.addr, 4));
    dht_table_failed(t, &q.addr, true, 5);
    assert_int_equal(count(5).waiting, 5);
}

static void impostors(void **state)
{
    (void)state;
    struct who a = someone(0), b = someone(0), self = someone(0);
    reply(&a, 0);
    /* Another address with a good node's id. */
    assert_false(dht_table_replied(t, a.id, &b.addr, 1));
    assert_true(has(&a));
    /* When that node has gone silent for long it may be true. */
    assert_true(dht_table_replied(t, a.id, &b.addr, 2 * DHT_GOOD_TIME));
    assert_false(has(&a));
    /* The same address with another id: what it says last. */
    assert_true(dht_table_replied(t, b.id, &b.addr, 2 * DHT_GOOD_TIME));
    assert_true(has(&b) && count(2 * DHT_GOOD_TIME).good == 1);
    assert_false(dht_table_replied(t, own, &self.addr, 0));
    assert_false(dht_table_queried(t, own, &self.addr, 0));
    dht_table_evict(t, &b.addr, 0);
    assert_false(has(&b));
}

/* On the public net: an id that fits, one node a host, two a network in a bucket. */
static void public_net(void **state)
{
    (void)state;
    struct addr a;
    uint8_t id[DHT_ID];
    unsigned in = 0;
    rng_fill(&rng, id, sizeof id);
    assert_true(addr_parse(&a, "60.1.2.3:4000"));
    assert_false(dht_table_replied(t, id, &a, 0));
    dht_id_fit(id, &a);
    assert_true(dht_table_replied(t, id, &a, 0));
    a.port = 4001;
    id[10]++;
    assert_false(dht_table_replied(t, id, &a, 0));
    assert_false(dht_table_queried(t, id, &a, 0));
    a.port = 5000;
    for (int i = 10; i < 250; i++) {
        a.ip[3] = (uint8_t)i;
        rng_fill(&rng, id, sizeof id);
        dht_id_fit(id, &a);
        in += dht_table_replied(t, id, &a, 0);
    }
    assert_true(in <= DHT_NETWORK_MOST * count(0).buckets);
}

static void probes(void **state)
{
    (void)state;
    struct who a = someone(0), b = someone(1), w[9];
    usec now = DHT_GOOD_TIME;
    reply(&a, 0);
    reply(&b, 1);
    assert_null(dht_table_probe(t, 2)); /* all is well */
    const struct dht_node *n = dht_table_probe(t, now);
    assert_non_null(n); /* the one silent for longest first, then the other, then a pause */
    assert_true(addr_eq(&n->addr, &a.addr));
    n = dht_table_probe(t, now + 1);
    assert_true(n && addr_eq(&n->addr, &b.addr));
    assert_null(dht_table_probe(t, now + 2));
    assert_non_null(dht_table_probe(t, now + USEC_MIN));
    /* Where somebody waits, the questionable are looked at first. */
    for (int i = 0; i < 9; i++) {
        w[i] = someone(4);
        reply(&w[i], 2 + i);
    }
    n = dht_table_probe(t, now + 2 * USEC_MIN);
    assert_true(n && addr_eq(&n->addr, &w[0].addr));
}

static void refresh(void **state)
{
    (void)state;
    uint8_t id[DHT_ID];
    for (int i = 0; i < 20; i++) {
        struct who w = someone(0), v = someone(1);
        reply(&w, 0);
        reply(&v, 0);
    }
    unsigned n = count(0).buckets;
    assert_false(dht_table_stale(t, id, 14 * USEC_MIN));
    for (unsigned i = 0; i < n; i++) {
        rng_fill(&rng, id, sizeof id);
        assert_true(dht_table_stale(t, id, 15 * USEC_MIN));
        assert_int_equal(dht_id_common(id, own), i);
    }
    assert_false(dht_table_stale(t, id, 15 * USEC_MIN));
    dht_table_age(t, 16 * USEC_MIN);
    assert_true(dht_table_stale(t, id, 16 * USEC_MIN));
}

static void move(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct who w = someone((unsigned)rng_below(&rng, 10));
        reply(&w, 0);
    }
    uint8_t fresh[DHT_ID];
    rng_fill(&rng, fresh, sizeof fresh);
    dht_table_move(t, fresh, 1);
    assert_memory_equal(dht_table_own(t), fresh, DHT_ID);
    assert_true(count(1).good >= 2 * DHT_K);
    const struct dht_node *n;
    for (size_t it = 0; (n = dht_table_each(t, &it));)
        assert_true(n->proved);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(full_bucket), TEST(splits),   TEST(closest),   TEST(quality),
        TEST(outage),      TEST(asked_us), TEST(impostors), TEST(public_net),
        TEST(probes),      TEST(refresh),  TEST(move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Peers kept for others: choice, expiry, and every bound at its limit. */
#include "proto/dht_store.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct dht_store *s;
static struct dht_dice dice;
static const uint8_t own[DHT_ID];

static int setup(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);
    dht_dice_init(&dice, &rng);
    s = dht_store_new(1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dht_store_free(s);
    return 0;
}

static struct addr peer(uint32_t n, uint16_t port)
{
    struct addr a = {.family = 4, .port = port};
    put_be32(a.ip, 0x3c000000 + (n << 8)); /* each in a network of its own */
    return a;
}

static const uint8_t *hash(uint32_t n)
{
    static uint8_t h[DHT_ID];
    put_be32(h, n);
    return h;
}

static bool add(uint32_t torrent, uint32_t who, bool seed, usec now)
{
    struct addr a = peer(who, 1000);
    return dht_store_add(s, hash(torrent), own, &a, seed, now);
}

static size_t pick(uint32_t torrent, bool noseed, struct addr *out, size_t max, usec now)
{
    struct addr to = peer(0, 9);
    return dht_store_pick(s, hash(torrent), &to, noseed, &dice, out, max, now);
}

static void choice(void **state)
{
    (void)state;
    struct addr out[100], v6, local, self;
    unsigned seen[60] = {0};
    for (uint32_t i = 0; i < 60; i++)
        assert_true(add(1, i + 1, i % 2, 0));
    for (int round = 0; round < 200; round++) {
        assert_int_equal(pick(1, false, out, 20, 0), 20);
        for (int i = 0; i < 20; i++)
            seen[((get_be32(out[i].ip) - 0x3c000000) >> 8) - 1]++;
    }
    for (int i = 0; i < 60; i++) /* 67 each are expected */
        assert_in_range(seen[i], 35, 105);
    /* The same where all are asked for: an answer may have room for the first of them only. */
    unsigned first = 0;
    for (int round = 0; round < 600; round++) {
        assert_int_equal(pick(1, false, out, 60, 0), 60);
        first += get_be32(out[0].ip) == 0x3c000100;
    }
    assert_in_range(first, 1, 40);
    assert_int_equal(pick(1, true, out, 100, 0), 30);
    assert_int_equal(pick(2, false, out, 100, 0), 0);
    /* Only the asker's family, and nobody's private neighbours. */
    assert_true(addr_parse(&v6, "[2600::1]:1") && addr_parse(&local, "10.0.0.1:1"));
    assert_true(dht_store_add(s, hash(1), own, &v6, false, 0));
    assert_true(dht_store_add(s, hash(1), own, &local, false, 0));
    assert_int_equal(pick(1, false, out, 100, 0), 60);
    assert_int_equal(dht_store_pick(s, hash(1), &v6, false, &dice, out, 100, 0), 1);
    self = local;
    self.ip[3] = 9;
    assert_int_equal(dht_store_pick(s, hash(1), &self, false, &dice, out, 100, 0), 61);
}

/* BEP 33: a host counts once; port and seed are what it told last. */
static void unique(void **state)
{
    (void)state;
    struct addr a = peer(1, 1000), out[4], lo, lo2;
    struct dht_bloom seeds, peers;
    assert_true(dht_store_add(s, hash(1), own, &a, false, 0));
    a.port = 2000;
    assert_true(dht_store_add(s, hash(1), own, &a, true, 0));
    assert_int_equal(pick(1, false, out, 4, 0), 1);
    assert_int_equal(out[0].port, 2000);
    assert_true(dht_store_blooms(s, hash(1), &seeds, &peers, 0));
    assert_true(dht_bloom_has(&seeds, &a) && !dht_bloom_has(&peers, &a));
    assert_false(dht_store_blooms(s, hash(2), &seeds, &peers, 0));
    assert_true(addr_parse(&lo, "127.0.0.1:1") && addr_parse(&lo2, "127.0.0.1:2"));
    dht_store_add(s, hash(3), own, &lo, false, 0);
    dht_store_add(s, hash(3), own, &lo2, false, 0);
    assert_int_equal(dht_store_pick(s, hash(3), &lo, false, &dice, out, 4, 0), 2);
}

static void expiry(void **state)
{
    (void)state;
    struct addr out[4];
    add(1, 1, false, 0);
    add(1, 2, false, USEC_MIN);
    assert_int_equal(pick(1, false, out, 4, DHT_STORE_TIME - 1), 2);
    assert_int_equal(pick(1, false, out, 4, DHT_STORE_TIME), 1);
    add(1, 1, false, DHT_STORE_TIME); /* it lives on */
    dht_store_sweep(s, DHT_STORE_TIME + USEC_MIN);
    assert_true(dht_store_torrents(s) == 1 && dht_store_peers(s) == 1);
    dht_store_sweep(s, 3 * DHT_STORE_TIME);
    assert_true(dht_store_torrents(s) == 0 && dht_store_peers(s) == 0);
}

static void many_peers(void **state)
{
    (void)state;
    struct addr late = peer(9999, 1), first = peer(1, 1);
    for (uint32_t i = 1; i <= DHT_STORE_PEERS; i++)
        assert_true(add(1, i, false, 0) &&
                    (i == DHT_STORE_PEERS || dht_store_room(s, hash(1), &late, 0)));
    assert_false(dht_store_room(s, hash(1), &late, 0));
    assert_true(dht_store_room(s, hash(1), &first, 0)); /* it may tell that it is still there */
    assert_false(add(1, 9999, false, 0));
    assert_int_equal(dht_store_peers(s), DHT_STORE_PEERS);
    assert_true(dht_store_room(s, hash(1), &late, DHT_STORE_TIME));
    assert_true(add(1, 9999, false, DHT_STORE_TIME));
    assert_int_equal(dht_store_peers(s), 1);
}

/* Somebody with a network of addresses leaves room for the others. */
static void one_network(void **state)
{
    (void)state;
    struct addr a = peer(7, 1000), other = peer(8, 1000);
    uint32_t n = 0;
    for (uint32_t i = 0; i < 256; i++) {
        a.ip[3] = (uint8_t)i;
        n += dht_store_add(s, hash(1), own, &a, false, 0);
    }
    assert_int_equal(n, DHT_STORE_PEERS / 2);
    assert_false(dht_store_room(s, hash(1), &a, 0));
    assert_true(dht_store_room(s, hash(1), &other, 0));
    a.ip[3] = 1; /* it may tell that it is still there */
    assert_true(dht_store_room(s, hash(1), &a, 0));
    assert_true(dht_store_add(s, hash(1), own, &a, true, 0));
    for (n = 0; n < DHT_STORE_PER_NET + 1; n++) {
        other.ip[3] = (uint8_t)n;
        assert_int_equal(dht_store_add(s, hash(1), own, &other, false, 0), n < DHT_STORE_PER_NET);
    }
    /* The first network's have expired: it has room again. */
    a.ip[3] = 255;
    assert_true(dht_store_add(s, hash(1), own, &a, false, DHT_STORE_TIME));
}

/* Too many torrents: those close to us stay, wherever the flood comes from. */
static void many_torrents(void **state)
{
    (void)state;
    struct addr out[1];
    for (uint32_t i = 0; i < DHT_STORE_TORRENTS; i++)
        assert_true(add(0x1000 + i, 1 + i % 8, false, 0));
    assert_false(add(0xffff0000, 100, false, 0));
    assert_int_equal(dht_store_torrents(s), DHT_STORE_TORRENTS);
    assert_true(add(0x10, 100, false, 0));
    assert_int_equal(dht_store_torrents(s), DHT_STORE_TORRENTS);
    assert_int_equal(pick(0x10, false, out, 1, 0), 1);
    assert_int_equal(pick(0x1000 + DHT_STORE_TORRENTS - 1, false, out, 1, 0), 0);
}

static void one_host(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < DHT_STORE_PER_HOST; i++)
        assert_true(add(i, 1, false, 0));
    assert_false(add(DHT_STORE_PER_HOST, 1, false, 0));
    assert_true(add(0, 1, true, 0)); /* again */
    assert_true(add(DHT_STORE_PER_HOST, 2, false, 0));
    dht_store_sweep(s, DHT_STORE_TIME);
    assert_true(add(DHT_STORE_PER_HOST, 1, false, DHT_STORE_TIME));
}

static void samples(void **state)
{
    (void)state;
    uint32_t interval;
    struct bytes first, again;
    uint8_t copy[DHT_STORE_SAMPLES * DHT_ID];
    assert_int_equal(dht_store_sample(s, &dice, &interval, 0).n, 0);
    for (uint32_t i = 0; i < 500; i++)
        add(i, i % 50, false, 0);
    usec now = DHT_SAMPLE_TIME;
    first = dht_store_sample(s, &dice, &interval, now);
    assert_int_equal(first.n, sizeof copy);
    assert_int_equal(interval, DHT_SAMPLE_TIME / USEC_SEC);
    memcpy(copy, first.p, sizeof copy);
    for (size_t i = 0; i < DHT_STORE_SAMPLES; i++)
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(copy + i * DHT_ID, copy + k * DHT_ID, DHT_ID);
    again = dht_store_sample(s, &dice, &interval, now + USEC_MIN);
    assert_memory_equal(again.p, copy, sizeof copy);
    assert_int_equal(interval, DHT_SAMPLE_TIME / USEC_SEC - 60);
    again = dht_store_sample(s, &dice, &interval, now + DHT_SAMPLE_TIME);
    assert_memory_not_equal(again.p, copy, sizeof copy);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(choice),      TEST(unique),        TEST(expiry),   TEST(many_peers),
        TEST(one_network), TEST(many_torrents), TEST(one_host), TEST(samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Our own share of the line: its rate, and who gives way to whom in it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "dhtnet.h"

static dht_job announce(struct net *n, struct host *h, bool patient)
{
    struct dht_search s = {.port = 1000, .patient = patient};
    rng_fill(&n->rng, s.info_hash, sizeof s.info_hash);
    return dht_find_peers(h->dht, &s, n->now);
}

static uint64_t asked(struct net *n, struct host *h)
{
    struct dht_status s;
    dht_status(h->dht, &s, n->now);
    return s.bytes_asked;
}

static void start(struct net *n, uint64_t seed)
{
    net_init(n, 100, seed, false);
    net_start(n);
    net_run(n, 120 * USEC_SEC);
}

/* A thousand items and more, one after the other: as fast as the share allows, and no faster. */
static void many_items(void **state)
{
    (void)state;
    struct net n;
    start(&n, 21);
    struct host *h = &n.h[9];
    uint64_t before = asked(&n, h);
    usec began = n.now;
    net_forget(h);
    for (int i = 0; i < 1000; i++)
        assert_int_not_equal(announce(&n, h, true), 0);
    net_pump(&n, h);
    while (h->done < 1000 && n.now - began < 300 * USEC_SEC)
        net_run(&n, n.now + USEC_SEC);
    double seconds = (double)(n.now - began) / 1e6;
    printf("1000 items in %.0f s, %.0f bytes each\n", seconds,
           (double)(asked(&n, h) - before) / 1000);
    assert_int_equal(h->done, 1000);
    /* Ten thousand in half an hour leaves 3.6 kB an item; small nets need less. */
    assert_true(seconds < 180);
    assert_true((double)(asked(&n, h) - before) <= DHT_OWN_RATE * seconds + DHT_OWN_BURST + 2000);
    net_fini(&n);
}

/* Somebody waits for one among hundreds that nobody waits for. */
static void haste(void **state)
{
    (void)state;
    struct net n;
    start(&n, 22);
    struct host *h = &n.h[9], *other = &n.h[10];
    struct dht_search s = {.port = 1234, .info_hash = "12345678901234567890"};
    dht_find_peers(other->dht, &s, n.now);
    net_pump(&n, other);
    for (int i = 0; i < 2000; i++)
        announce(&n, h, true);
    net_pump(&n, h);
    net_run(&n, n.now + 60 * USEC_SEC);
    s.port = 0;
    h->want = other->addr;
    h->want.port = 1234;
    h->got = 0;
    usec began = n.now;
    assert_int_not_equal(dht_find_peers(h->dht, &s, n.now), 0);
    net_pump(&n, h);
    net_run(&n, n.now + 3 * USEC_SEC);
    assert_true(h->got && h->got - began < USEC_SEC);
    net_fini(&n);
}

/* Nobody answers and everybody asks: the machine sleeps between, and keeps to its share. */
static void nobody_there(void **state)
{
    (void)state;
    struct net n;
    uint8_t id[DHT_ID] = {0}, out[DHT_MAX_DATAGRAM];
    struct krpc_msg q = {.kind = KRPC_QUERY, .tid = BYTES("tt", 2), .id = id};
    struct addr to;
    struct dht_event e;
    net_init(&n, 1, 23, false);
    net_up(&n, 0, false);
    struct dht *d = n.h[0].dht;
    for (int i = 0; i < 100; i++) {
        net_addr(&n, &to);
        dht_add_node(d, &to, 0);
    }
    for (int i = 0; i < 500; i++)
        announce(&n, &n.h[0], i % 2);
    usec now = 0, until = 120 * USEC_SEC;
    unsigned turns = 0;
    dht_tick(d, now);
    for (; now < until; turns++) {
        usec at = dht_deadline(d);
        assert_true(at > now);
        now = at < now + 10 * USEC_MS ? at : now + 10 * USEC_MS;
        dht_tick(d, now);
        struct buf b = {0};
        krpc_write(&b, &q);
        net_addr(&n, &to);
        dht_feed(d, &to, buf_bytes(&b), now);
        buf_fini(&b);
        while (dht_pull(d, &to, out))
            continue;
        while (dht_next(d, &e))
            continue;
    }
    assert_in_range(turns, 12000, 40000);
    assert_true(asked(&n, &n.h[0]) <= DHT_OWN_RATE * 120 + DHT_OWN_BURST + 2000);
    net_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_items),
        cmocka_unit_test(haste),
        cmocka_unit_test(nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

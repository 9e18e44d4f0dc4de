/* Some hundred nodes under virtual time: joining, finding, storing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "dhtnet.h"

static void all_well(void **state)
{
    (void)state;
    struct net n;
    net_init(&n, 300, 1, false);
    net_start(&n);
    net_run(&n, 120 * USEC_SEC);
    joined(&n, 300);
    assert_true(rounds(&n, 40, 8 * USEC_SEC) == 40);
    net_fini(&n);
}

static void ipv6(void **state)
{
    (void)state;
    struct net n;
    net_init(&n, 100, 2, true);
    net_start(&n);
    net_run(&n, 60 * USEC_SEC);
    joined(&n, 100);
    assert_true(rounds(&n, 20, 8 * USEC_SEC) == 20);
    net_fini(&n);
}

static void private_addresses(void **state)
{
    (void)state;
    struct net n;
    net_init(&n, 2, 3, false); /* seeds the generator; the hosts follow */
    net_fini(&n);
    net_init(&n, 100, 3, false);
    n.private_net = true;
    for (size_t i = 0; i < n.n; i++) {
        uint8_t key[18];
        map_remove(n.by_addr, net_key(&n.h[i].addr, key));
        net_addr(&n, &n.h[i].addr);
        map_put(n.by_addr, net_key(&n.h[i].addr, key), &n.h[i]);
    }
    net_start(&n);
    net_run(&n, 60 * USEC_SEC);
    joined(&n, 100);
    assert_true(rounds(&n, 20, 8 * USEC_SEC) == 20);
    net_fini(&n);
}

static void put_item(struct net *n, struct host *h, struct dht_item *i, const uint8_t *seed)
{
    uint8_t sig[SIGN_LEN];
    if (seed) {
        dht_item_sign(i, seed, sig);
        i->sig = sig;
    }
    net_forget(h);
    assert_int_not_equal(dht_put(h->dht, i, n->now), 0);
    net_pump(n, h);
    net_run(n, n->now + 8 * USEC_SEC);
    assert_int_equal(h->done, 1);
}

static struct host *get_item(struct net *n, const struct dht_item *i)
{
    uint8_t target[DHT_ID];
    struct host *h = &n->h[net_live(n)];
    dht_item_target(i, target);
    net_forget(h);
    dht_get(h->dht, target, i->salt, n->now);
    net_pump(n, h);
    net_run(n, n->now + 8 * USEC_SEC);
    assert_int_equal(h->done, 1);
    return h;
}

static void items(void **state)
{
    (void)state;
    struct net n;
    struct host *h;
    uint8_t seed[SIGN_SEED] = {5}, key[SIGN_PUBLIC];
    net_init(&n, 100, 9, false);
    net_start(&n);
    net_run(&n, 60 * USEC_SEC);

    uint8_t big[DHT_ITEM_VALUE] = "996:";
    struct dht_item i = {.value = BYTES(big, sizeof big)};
    put_item(&n, &n.h[10], &i, NULL);
    assert_true(n.h[10].stored >= 8);
    h = get_item(&n, &i);
    assert_int_equal(h->items, 1);
    assert_int_equal(h->value_n, sizeof big);
    assert_int_equal(h->last_done.seq, -1);

    sign_public(key, seed);
    i = (struct dht_item){
        .value = BYTES_LIT("3:one"), .key = key, .salt = BYTES_LIT("x"), .seq = 1};
    put_item(&n, &n.h[11], &i, seed);
    assert_true(n.h[11].stored >= 8);
    h = get_item(&n, &i);
    assert_true(h->items == 1 && h->seq == 1 && h->value_n == 5);

    i.value = BYTES_LIT("3:two");
    i.seq = 2;
    i.has_cas = true;
    i.cas = 1;
    put_item(&n, &n.h[12], &i, seed);
    assert_true(n.h[12].stored >= 7 && n.h[12].code == 0);
    h = get_item(&n, &i);
    assert_int_equal(h->seq, 2);
    assert_memory_equal(h->value, "3:two", 5);

    i.seq = 3; /* but the cas is of 1 */
    put_item(&n, &n.h[13], &i, seed);
    assert_int_equal(n.h[13].code, KRPC_CAS_MISMATCH);
    i.has_cas = false;
    i.seq = 1;
    put_item(&n, &n.h[14], &i, seed);
    assert_int_equal(n.h[14].code, KRPC_SEQ_OLD);
    assert_int_equal(n.h[14].last_done.seq, 2);
    i.salt = BYTES_LIT("y"); /* another item of the same key */
    h = get_item(&n, &i);
    assert_int_equal(h->items, 0);
    net_fini(&n);
}

/* Ten seeds and twenty others announce; somebody counts them, and takes samples. */
static void scrape_and_sample(void **state)
{
    (void)state;
    struct net n;
    struct dht_search s = {.info_hash = "12345678901234567890", .port = 7000};
    net_init(&n, 100, 10, false);
    net_start(&n);
    net_run(&n, 60 * USEC_SEC);
    for (size_t i = 0; i < 30; i++) {
        s.seed = i < 10;
        dht_find_peers(n.h[i].dht, &s, n.now);
        net_pump(&n, &n.h[i]);
    }
    net_run(&n, n.now + 10 * USEC_SEC);
    struct host *h = &n.h[90];
    s.port = 0;
    s.scrape = true;
    net_forget(h);
    dht_find_peers(h->dht, &s, n.now);
    net_pump(&n, h);
    net_run(&n, n.now + 10 * USEC_SEC);
    assert_int_equal(h->done, 1);
    assert_true(h->found >= 25); /* an answer to a stranger holds a dozen */
    assert_true(h->last_done.seeds > 9 && h->last_done.seeds < 11);
    assert_true(h->last_done.downloaders > 18.5 && h->last_done.downloaders < 21.5);

    s.noseed = true;
    s.scrape = false;
    net_forget(h);
    dht_find_peers(h->dht, &s, n.now);
    net_pump(&n, h);
    net_run(&n, n.now + 10 * USEC_SEC);
    assert_true(h->found >= 15 && h->found <= 20);

    net_forget(h);
    assert_int_not_equal(dht_sample(h->dht, s.info_hash, n.now), 0);
    net_pump(&n, h);
    net_run(&n, n.now + 10 * USEC_SEC);
    assert_true(h->done == 1 && h->replies >= 8);
    net_fini(&n);
}

/* BEP 43: they find and announce, and nobody bothers them. */
static void read_only(void **state)
{
    (void)state;
    struct net n;
    struct dht_status s;
    net_init(&n, 100, 11, false);
    for (size_t i = 0; i < 80; i++) {
        net_up(&n, i, false);
        if (i)
            net_tell(&n, i, 0);
    }
    net_run(&n, 30 * USEC_SEC);
    for (size_t i = 80; i < 100; i++) {
        net_up(&n, i, true);
        net_tell(&n, i, 1);
    }
    net_run(&n, 60 * USEC_SEC);
    assert_true(rounds(&n, 20, 8 * USEC_SEC) == 20);
    for (size_t i = 80; i < 100; i++) {
        dht_status(n.h[i].dht, &s, n.now);
        assert_true(s.v4.joined && s.queries == 0);
    }
    net_fini(&n);
}

/* Nobody knows its own address at first: the ids come to fit all the same (BEP 42). */
static void unknown_addresses(void **state)
{
    (void)state;
    struct net n;
    net_init(&n, 60, 12, false);
    for (size_t i = 0; i < n.n; i++) {
        struct dht_config c = {.v4 = true, .version = "PP01"};
        n.h[i].dht = dht_new(&c, &n.rng, n.now);
        if (i)
            net_tell(&n, i, 0);
    }
    net_run(&n, 60 * USEC_SEC);
    joined(&n, 60);
    for (size_t i = 0; i < n.n; i++) {
        struct dht_status s;
        dht_status(n.h[i].dht, &s, n.now);
        assert_true(dht_id_fits(s.v4.id, &n.h[i].addr));
        assert_true(addr_same_ip(&s.v4.external, &n.h[i].addr));
    }
    assert_true(rounds(&n, 10, 8 * USEC_SEC) == 10);
    net_fini(&n);
}

/* Two alone for hours stay joined, and cost next to nothing. */
static void two_alone(void **state)
{
    (void)state;
    struct net n;
    net_init(&n, 2, 13, false);
    net_start(&n);
    net_run(&n, USEC_MIN);
    joined(&n, 2);
    uint64_t before = n.bytes;
    net_run(&n, 240 * USEC_MIN);
    assert_true(n.h[0].lost == 0 && n.h[1].lost == 0);
    assert_true(rounds(&n, 2, 8 * USEC_SEC) == 2);
    assert_true(n.bytes - before < 100000);
    /* One goes and comes back: it is noticed, and they find each other again. */
    net_down(&n, 1);
    net_run(&n, n.now + 60 * USEC_MIN);
    assert_int_equal(n.h[0].lost, 1);
    net_up(&n, 1, false);
    net_tell(&n, 1, 0);
    net_run(&n, n.now + USEC_MIN);
    joined(&n, 2);
    net_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_well),          cmocka_unit_test(ipv6),
        cmocka_unit_test(private_addresses), cmocka_unit_test(unknown_addresses),
        cmocka_unit_test(two_alone),         cmocka_unit_test(items),
        cmocka_unit_test(scrape_and_sample), cmocka_unit_test(read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

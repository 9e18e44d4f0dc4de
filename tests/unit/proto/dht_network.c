/* Some hundred nodes under virtual time: joining, finding, storing, with loss and churn. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "dhtnet.h"
#include <p2p/proto/dht_table.h>

static void joined(struct net *n, size_t least)
{
    size_t ok = 0, good = 0;
    for (size_t i = 0; i < n->n; i++) {
        struct dht_status s;
        if (!n->h[i].dht)
            continue;
        dht_status(n->h[i].dht, &s, n->now);
        const struct dht_family_status *f = n->v6 ? &s.v6 : &s.v4;
        ok += f->joined;
        good += f->good;
    }
    printf("joined %zu of %zu, %zu good nodes each, %.1f bytes/s each\n", ok, n->n,
           good / (ok ? ok : 1), (double)n->bytes / ((double)n->now / 1e6) / (double)n->n);
    assert_true(ok >= least);
}

/* From one to the other: announced by a, found by b? */
static bool meet(struct net *n, struct host *a, struct host *b, usec patience)
{
    struct dht_search s = {.port = (uint16_t)(2000 + rng_below(&n->rng, 1000))};
    rng_fill(&n->rng, s.info_hash, DHT_ID);
    net_forget(a);
    dht_job job = dht_find_peers(a->dht, &s, n->now);
    assert_int_not_equal(job, 0);
    net_pump(n, a);
    for (int i = 0; i < 200 && a->last_done.job != job; i++)
        net_run(n, n->now + 100 * USEC_MS);
    net_forget(b);
    b->want = a->addr;
    b->want.port = s.port;
    s.port = 0;
    dht_find_peers(b->dht, &s, n->now);
    net_pump(n, b);
    for (usec until = n->now + patience; n->now < until && !b->got;)
        net_run(n, n->now + 10 * USEC_MS);
    return b->got != 0;
}

static unsigned rounds(struct net *n, unsigned count, usec patience)
{
    unsigned good = 0;
    usec first = 0;
    for (unsigned i = 0; i < count; i++) {
        struct host *a = &n->h[net_live(n)], *b = &n->h[net_live(n)];
        usec began = n->now;
        if (!meet(n, a, b, patience))
            continue;
        good++;
        first += b->got - began;
    }
    printf("%u of %u found, announced and found after %.1f s\n", good, count,
           (double)first / 1e6 / (good ? good : 1));
    return good;
}

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

/* One datagram in ten is lost, so one question in five stays without an answer. */
static void lossy(void **state)
{
    (void)state;
    struct net n;
    net_init(&n, 200, 4, false);
    n.loss = 100;
    net_start(&n);
    net_run(&n, 120 * USEC_SEC);
    joined(&n, 200);
    assert_true(rounds(&n, 40, 8 * USEC_SEC) >= 39);
    net_fini(&n);
}

/* Half of the nodes go away within a few minutes, as many come. */
static void churn(void **state)
{
    (void)state;
    struct net n;
    net_init(&n, 300, 5, false);
    net_start(&n);
    net_run(&n, 60 * USEC_SEC);
    for (int i = 0; i < 150; i++) {
        size_t gone = 4 + (size_t)rng_below(&n.rng, n.n - 4), other;
        if (n.h[gone].dht)
            net_down(&n, gone);
        net_run(&n, n.now + USEC_SEC);
        do
            other = 4 + (size_t)rng_below(&n.rng, n.n - 4);
        while (n.h[other].dht);
        net_up(&n, other, false);
        net_tell(&n, other, net_live(&n));
        net_run(&n, n.now + USEC_SEC);
    }
    assert_true(rounds(&n, 40, 8 * USEC_SEC) >= 39);
    net_fini(&n);
}

/* Invents nodes close to the target, with ids that fit their addresses, at addresses of nobody. */
static void lie_with_phantoms(struct net *n, struct host *h, const struct addr *from,
                              const struct krpc_msg *m, struct buf *out)
{
    static const uint8_t peer[4] = {1, 2, 3, 4};
    uint8_t nodes[DHT_K * KRPC_NODE4], id[DHT_ID];
    struct dht_status s;
    dht_status(h->dht, &s, n->now);
    struct krpc_msg r = {.kind = KRPC_REPLY, .tid = m->tid, .ip = *from, .id = s.v4.id,
                         .token = BYTES("nonsense", 8)};
    size_t len = 0;
    for (int i = 0; m->target && i < DHT_K; i++) {
        struct addr a;
        for (int tries = 0; tries < 200; tries++) {
            net_addr(n, &a);
            rng_fill(&n->rng, id, sizeof id);
            memcpy(id + 3, m->target + 3, 16);
            dht_id_fit(id, &a);
            if (dht_id_common(id, m->target) > 8)
                break;
        }
        len += krpc_put_node(nodes + len, id, &a);
    }
    if (m->target)
        r.nodes = BYTES(nodes, len);
    if (m->method == KRPC_GET_PEERS) {
        r.n_values = 1;
        r.values[0] = (struct addr){.family = 4, .port = 1};
        memcpy(r.values[0].ip, peer, 4);
    }
    krpc_write(out, &r);
}

/* Claims to be whatever is looked for, and knows only others that do. */
static void lie_about_id(struct net *n, struct host *h, const struct addr *from,
                         const struct krpc_msg *m, struct buf *out)
{
    uint8_t id[DHT_ID], nodes[DHT_K * KRPC_NODE4];
    size_t len = 0;
    struct krpc_msg r = {.kind = KRPC_REPLY, .tid = m->tid, .ip = *from, .id = id,
                         .token = BYTES("nonsense", 8)};
    (void)h;
    rng_fill(&n->rng, id, sizeof id);
    if (m->target)
        memcpy(id, m->target, DHT_ID - 1);
    for (int i = 0; m->target && i < DHT_K; i++) {
        size_t other;
        uint8_t claimed[DHT_ID];
        do
            other = (size_t)rng_below(&n->rng, n->n);
        while (!n->h[other].lie);
        memcpy(claimed, m->target, DHT_ID);
        claimed[19] ^= (uint8_t)(1 + i);
        len += krpc_put_node(nodes + len, claimed, &n->h[other].addr);
    }
    if (m->target)
        r.nodes = BYTES(nodes, len);
    krpc_write(out, &r);
}

static void with_liars(net_lie lie, uint64_t seed)
{
    struct net n;
    net_init(&n, 240, seed, false);
    net_start(&n);
    net_run(&n, 60 * USEC_SEC);
    for (size_t i = 0; i < n.n; i += 3)
        n.h[i].lie = lie;
    net_run(&n, 120 * USEC_SEC);
    assert_true(rounds(&n, 40, 20 * USEC_SEC) >= 39);
    net_fini(&n);
}

static void phantoms(void **state)
{
    (void)state;
    with_liars(lie_with_phantoms, 6);
}

static void false_ids(void **state)
{
    (void)state;
    with_liars(lie_about_id, 7);
}

/* All restart within a minute with what they remembered; whoever helped them to join is gone. */
static void mass_restart(void **state)
{
    (void)state;
    struct net n;
    net_init(&n, 300, 8, false);
    net_start(&n);
    net_run(&n, 120 * USEC_SEC);
    struct buf *memory = mem_array(n.n, sizeof *memory);
    for (size_t i = 0; i < n.n; i++) {
        dht_save(n.h[i].dht, &memory[i], n.now);
        net_down(&n, i);
    }
    net_run(&n, n.now + 60 * USEC_SEC);
    for (size_t i = 4; i < n.n; i++) {
        net_up(&n, i, false);
        assert_int_equal(dht_load(n.h[i].dht, buf_bytes(&memory[i]), true, n.now, NULL), 0);
        net_pump(&n, &n.h[i]);
        net_run(&n, n.now + 60 * USEC_SEC / (usec)n.n);
    }
    net_run(&n, n.now + 60 * USEC_SEC);
    joined(&n, 296);
    assert_true(rounds(&n, 40, 8 * USEC_SEC) >= 39);
    for (size_t i = 0; i < n.n; i++)
        buf_fini(&memory[i]);
    free(memory);
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
    assert_int_equal(n.h[10].stored, 8);
    h = get_item(&n, &i);
    assert_int_equal(h->items, 1);
    assert_int_equal(h->value_n, sizeof big);
    assert_int_equal(h->last_done.seq, -1);

    sign_public(key, seed);
    i = (struct dht_item){.value = BYTES_LIT("3:one"), .key = key, .salt = BYTES_LIT("x"), .seq = 1};
    put_item(&n, &n.h[11], &i, seed);
    assert_int_equal(n.h[11].stored, 8);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_well),      cmocka_unit_test(ipv6),
        cmocka_unit_test(private_addresses), cmocka_unit_test(lossy),
        cmocka_unit_test(churn),         cmocka_unit_test(phantoms),
        cmocka_unit_test(false_ids),     cmocka_unit_test(mass_restart),
        cmocka_unit_test(items),         cmocka_unit_test(scrape_and_sample),
        cmocka_unit_test(read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

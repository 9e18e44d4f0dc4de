/* Some hundred nodes under virtual time: loss, churn, a third that lies, a restart of all. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "dhtnet.h"

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
    assert_true(rounds(&n, 30, 8 * USEC_SEC) >= 29);
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
    assert_true(rounds(&n, 30, 8 * USEC_SEC) >= 29);
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
    struct krpc_msg r = {.kind = KRPC_REPLY,
                         .tid = m->tid,
                         .ip = *from,
                         .id = s.v4.id,
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
    struct krpc_msg r = {
        .kind = KRPC_REPLY, .tid = m->tid, .ip = *from, .id = id, .token = BYTES("nonsense", 8)};
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
    net_init(&n, 180, seed, false);
    net_start(&n);
    net_run(&n, 60 * USEC_SEC);
    for (size_t i = 0; i < n.n; i += 3)
        n.h[i].lie = lie;
    net_run(&n, 120 * USEC_SEC);
    assert_true(rounds(&n, 25, 20 * USEC_SEC) >= 24);
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

/* The liars, or the honest ones, closest to a target, by what only the test can know. */
static unsigned closest(struct net *n, bool liars, const uint8_t *target,
                        uint8_t ids[DHT_K][DHT_ID], const struct host *best[DHT_K])
{
    unsigned have = 0;
    for (size_t i = 0; target && i < n->n; i++) {
        struct dht_status s;
        unsigned at = have;
        if (!n->h[i].lie == liars)
            continue;
        dht_status(n->h[i].dht, &s, n->now);
        while (at > 0 && dht_id_cmp(target, s.v4.id, ids[at - 1]) < 0)
            at--;
        if (at == DHT_K)
            continue;
        have += have < DHT_K;
        memmove(&best[at + 1], &best[at], (have - at - 1) * sizeof *best);
        memmove(ids[at + 1], ids[at], (have - at - 1) * sizeof *ids);
        best[at] = &n->h[i];
        memcpy(ids[at], s.v4.id, DHT_ID);
    }
    return have;
}

static void answer(struct net *n, struct host *h, const struct addr *from, const struct krpc_msg *m,
                   struct bytes nodes, struct buf *out)
{
    struct dht_status s;
    dht_status(h->dht, &s, n->now);
    struct krpc_msg r = {.kind = KRPC_REPLY,
                         .tid = m->tid,
                         .ip = *from,
                         .id = s.v4.id,
                         .token = BYTES("nonsense", 8),
                         .nodes = nodes};
    krpc_write(out, &r);
}

/* Tells only of its friends, the closest of them, and they all live. */
static void lie_for_friends(struct net *n, struct host *h, const struct addr *from,
                            const struct krpc_msg *m, struct buf *out)
{
    uint8_t nodes[DHT_K * KRPC_NODE4], ids[DHT_K][DHT_ID];
    const struct host *best[DHT_K];
    unsigned have = closest(n, true, m->target, ids, best);
    size_t len = 0;
    for (unsigned i = 0; i < have; i++)
        len += krpc_put_node(nodes + len, ids[i], &best[i]->addr);
    answer(n, h, from, m, BYTES(nodes, len), out);
}

static void conspiracy(void **state)
{
    (void)state;
    with_liars(lie_for_friends, 9);
}

/* Tells of those who matter, but wrongly, so that what others tell of them would be passed over:
 * with ids that do not fit, at other ports of their hosts, or of nobody beside them. */
static void lie_about_others(struct net *n, struct host *h, const struct addr *from,
                             const struct krpc_msg *m, struct buf *out)
{
    uint8_t nodes[DHT_K * KRPC_NODE4], ids[DHT_K][DHT_ID];
    const struct host *best[DHT_K];
    unsigned have = closest(n, false, m->target, ids, best);
    size_t len = 0;
    for (unsigned i = 0; i < have; i++) {
        struct addr a = best[i]->addr;
        unsigned how = (unsigned)rng_below(&n->rng, 3);
        if (how == 0) {
            memcpy(ids[i], m->target, DHT_ID - 1);
        } else if (how == 1) {
            a.port ^= 0x4000;
        } else {
            a.ip[3] ^= (uint8_t)(1 + rng_below(&n->rng, 250));
            dht_id_fit(ids[i], &a);
        }
        len += krpc_put_node(nodes + len, ids[i], &a);
    }
    answer(n, h, from, m, BYTES(nodes, len), out);
}

static void false_tales(void **state)
{
    (void)state;
    with_liars(lie_about_others, 10);
    with_liars(lie_about_others, 11);
}

/* Tells of many nodes, all of them on one host that is none. */
static void lie_to_aim(struct net *n, struct host *h, const struct addr *from,
                       const struct krpc_msg *m, struct buf *out)
{
    uint8_t nodes[DHT_K * KRPC_NODE4], id[DHT_ID];
    struct addr a = {.family = 4};
    size_t len = 0;
    memcpy(a.ip, n->watched, sizeof n->watched);
    for (int i = 0; i < DHT_K; i++) {
        a.port = (uint16_t)(1024 + rng_below(&n->rng, 60000));
        rng_fill(&n->rng, id, sizeof id);
        dht_id_fit(id, &a);
        len += krpc_put_node(nodes + len, id, &a);
    }
    answer(n, h, from, m, BYTES(nodes, m->target ? len : 0), out);
}

/* What one answer says costs a third party one question, asked twice at most. */
static void aimed(void **state)
{
    (void)state;
    struct net n;
    struct dht_search s = {.info_hash = {1}};
    net_init(&n, 2, 12, false);
    memcpy(n.watched, (const uint8_t[]){60, 1, 2, 3}, sizeof n.watched);
    n.h[0].lie = lie_to_aim;
    net_up(&n, 0, false);
    net_up(&n, 1, false);
    net_tell(&n, 1, 0);
    net_run(&n, 5 * USEC_SEC);
    n.hits = 0;
    assert_int_not_equal(dht_find_peers(n.h[1].dht, &s, n.now), 0);
    net_pump(&n, &n.h[1]);
    net_run(&n, n.now + 8 * USEC_SEC);
    assert_int_equal(n.h[1].done, 1);
    assert_in_range(n.hits, 1, 2);
    net_fini(&n);
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
    assert_true(rounds(&n, 30, 8 * USEC_SEC) >= 29);
    for (size_t i = 0; i < n.n; i++)
        buf_fini(&memory[i]);
    free(memory);
    net_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossy),       cmocka_unit_test(churn),      cmocka_unit_test(phantoms),
        cmocka_unit_test(false_ids),   cmocka_unit_test(conspiracy), cmocka_unit_test(mass_restart),
        cmocka_unit_test(false_tales), cmocka_unit_test(aimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Some hundred nodes under virtual time: joining, finding, storing, with loss and churn. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "dhtnet.h"

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

/* Announces `count` hashes from random nodes, then looks for each from another. */
static unsigned rounds(struct net *n, unsigned count)
{
    unsigned good = 0;
    usec first = 0;
    for (unsigned i = 0; i < count; i++) {
        struct dht_search s = {.port = (uint16_t)(2000 + i)};
        struct host *a = &n->h[net_live(n)], *b = &n->h[net_live(n)];
        rng_fill(&n->rng, s.info_hash, DHT_ID);
        net_forget(a);
        assert_int_not_equal(dht_find_peers(a->dht, &s, n->now), 0);
        net_pump(n, a);
        net_run(n, n->now + 8 * USEC_SEC);
        net_forget(b);
        usec began = n->now;
        s.port = 0;
        dht_find_peers(b->dht, &s, n->now);
        net_pump(n, b);
        net_run(n, n->now + 8 * USEC_SEC);
        bool found = b->found && addr_same_ip(&b->peer, &a->addr) && b->peer.port == 2000 + i;
        good += found;
        first += found ? b->first - began : 0;
    }
    printf("%u of %u found, the first peer after %.0f ms\n", good, count,
           (double)first / 1000 / (good ? good : 1));
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
    assert_true(rounds(&n, 40) == 40);
    net_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

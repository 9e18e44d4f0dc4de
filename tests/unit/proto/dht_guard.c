/* What neighbours may cost: rates, proof of address, tokens, votes; whose tales are believed. */
#include "proto/dht_guard.h"
#include "proto/dht_token.h"
#include "proto/dht_vote.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/proto/dht_addr.h>

static struct addr addr(const char *text)
{
    struct addr a;
    assert_true(addr_parse(&a, text));
    return a;
}

static void rates(void **state)
{
    (void)state;
    struct dht_guard *g = dht_guard_new(1);
    struct addr a = addr("60.1.2.3:1000"), b = addr("60.1.2.3:2000"), c = addr("60.1.2.4:1000");
    unsigned n = 0;
    for (int i = 0; i < 100; i++)
        n += dht_guard_admit(g, i % 2 ? &a : &b, 0); /* ports do not make it more */
    assert_int_equal(n, DHT_GUARD_BURST);
    assert_true(dht_guard_admit(g, &c, 0));
    n = 0;
    for (usec now = USEC_SEC; now <= 10 * USEC_SEC; now += 10 * USEC_MS)
        n += dht_guard_admit(g, &a, now);
    assert_in_range(n, 10 * DHT_GUARD_RATE - 1, 10 * DHT_GUARD_RATE + 1);
    /* A /64 is one neighbour; on loopback a port is one. */
    struct addr d = addr("[2600::1]:1"), e = addr("[2600::ffff:1]:1"), f = addr("127.0.0.1:1");
    n = 0;
    for (int i = 0; i < 50; i++)
        n += dht_guard_admit(g, i % 2 ? &d : &e, 0);
    assert_int_equal(n, DHT_GUARD_BURST);
    n = 0;
    for (f.port = 1; f.port <= 50; f.port++)
        n += dht_guard_admit(g, &f, 0);
    assert_int_equal(n, 50);
    dht_guard_free(g);
}

static void bounded(void **state)
{
    (void)state;
    struct dht_guard *g = dht_guard_new(1);
    struct addr a = addr("60.0.0.0:1000"), old = addr("61.0.0.1:1000");
    dht_guard_prove(g, &old, 0);
    for (uint32_t i = 0; i < 3 * DHT_GUARD_MOST; i++) {
        put_be32(a.ip, 0x3c000000 + i);
        dht_guard_admit(g, &a, 0);
        assert_true(dht_guard_count(g) <= DHT_GUARD_MOST);
    }
    assert_int_equal(dht_guard_count(g), DHT_GUARD_MOST);
    assert_true(dht_guard_proved(g, &old, 0)); /* made-up addresses push out no friend */
    dht_guard_sweep(g, USEC_MIN);
    assert_int_equal(dht_guard_count(g), 1);
    for (uint32_t i = 0; i < 2 * DHT_GUARD_MOST; i++) {
        put_be32(a.ip, 0x3c000000 + i);
        dht_guard_prove(g, &a, USEC_MIN);
        assert_true(dht_guard_count(g) <= DHT_GUARD_MOST);
    }
    assert_false(dht_guard_proved(g, &old, USEC_MIN));
    dht_guard_free(g);
}

static void proof(void **state)
{
    (void)state;
    struct dht_guard *g = dht_guard_new(1);
    struct addr a = addr("60.1.2.3:1000");
    assert_false(dht_guard_proved(g, &a, 0));
    dht_guard_admit(g, &a, 0);
    assert_false(dht_guard_proved(g, &a, 0));
    dht_guard_prove(g, &a, 0);
    dht_guard_sweep(g, DHT_GUARD_PROVED - 1);
    assert_true(dht_guard_proved(g, &a, DHT_GUARD_PROVED - 1));
    assert_false(dht_guard_proved(g, &a, DHT_GUARD_PROVED));
    dht_guard_sweep(g, DHT_GUARD_PROVED);
    assert_int_equal(dht_guard_count(g), 0);
    dht_guard_free(g);
    dht_guard_free(NULL);
}

static void tokens(void **state)
{
    (void)state;
    struct rng rng;
    struct dht_dice dice;
    struct dht_tokens t, other;
    uint8_t token[DHT_TOKEN], target[DHT_ID] = {1}, elsewhere[DHT_ID] = {2};
    struct addr a = addr("60.1.2.3:1000"), port = addr("60.1.2.3:9"), b = addr("60.1.2.4:1000");
    rng_seed(&rng, 1);
    dht_dice_init(&dice, &rng);
    dht_tokens_init(&t, &dice, 0);
    dht_tokens_init(&other, &dice, 0);
    dht_token_make(&t, token, &a, target);
    struct bytes s = BYTES(token, sizeof token);
    assert_true(dht_token_ok(&t, s, &a, target) && dht_token_ok(&t, s, &port, target));
    assert_false(dht_token_ok(&t, s, &b, target) || dht_token_ok(&t, s, &a, elsewhere));
    assert_false(dht_token_ok(&other, s, &a, target));
    assert_false(dht_token_ok(&t, BYTES(token, 7), &a, target));
    assert_false(dht_token_ok(&t, BYTES(token, 0), &a, target));
    /* Good for a turn after the one it was given in, and no longer. */
    dht_tokens_turn(&t, &dice, DHT_TOKEN_TURN - 1);
    dht_tokens_turn(&t, &dice, DHT_TOKEN_TURN);
    dht_tokens_turn(&t, &dice, DHT_TOKEN_TURN + 1);
    assert_true(dht_token_ok(&t, s, &a, target));
    dht_tokens_turn(&t, &dice, 2 * DHT_TOKEN_TURN);
    assert_false(dht_token_ok(&t, s, &a, target));
    dht_token_make(&t, token, &a, target);
    dht_tokens_turn(&t, &dice, 9 * DHT_TOKEN_TURN); /* the machine slept */
    assert_false(dht_token_ok(&t, s, &a, target));
}

static void votes(void **state)
{
    (void)state;
    struct dht_vote v = {0};
    struct addr voter = addr("60.0.0.1:1"), mine = addr("70.1.1.1:0"), lie = addr("80.1.1.1:0"),
                won;
    for (unsigned i = 0; i < 10; i++) /* one voter, however often */
        assert_false(dht_vote_cast(&v, &voter, &lie, &won));
    for (unsigned i = 1; i < DHT_VOTES_LEAST; i++) {
        voter.ip[3]++;
        assert_false(dht_vote_cast(&v, &voter, &mine, &won));
    }
    voter.ip[3]++;
    assert_true(dht_vote_cast(&v, &voter, &mine, &won));
    assert_true(addr_same_ip(&won, &mine));
    /* A third that lies changes nothing; when all say something else we have moved. */
    for (unsigned i = 0; i < 60; i++) {
        voter.ip[3]++;
        if (dht_vote_cast(&v, &voter, i % 3 ? &mine : &lie, &won))
            assert_true(addr_same_ip(&won, &mine));
    }
    for (unsigned i = 0; i < DHT_VOTES; i++) {
        voter.ip[3]++;
        dht_vote_cast(&v, &voter, &lie, &won);
    }
    assert_true(addr_same_ip(&won, &lie));
}

static void tales(void **state)
{
    (void)state;
    static const struct {
        const char *a, *teller;
        bool peer, node;
    } t[] = {
        {"60.1.2.3:1024", "61.1.1.1:1", true, true},
        {"60.1.2.3:1023", "61.1.1.1:1", true, false},
        {"60.1.2.3:0", "61.1.1.1:1", false, false},
        {"10.1.2.3:6881", "61.1.1.1:1", false, false},
        {"127.0.0.1:6881", "61.1.1.1:1", false, false},
        {"169.254.1.1:6881", "61.1.1.1:1", false, false},
        {"[fe80::1]:6881", "61.1.1.1:1", false, false},
        {"10.1.2.3:6881", "10.9.9.9:1", true, true},
        {"127.0.0.1:6881", "10.9.9.9:1", false, false},
        {"127.0.0.1:6881", "127.0.0.1:1", true, true},
        {"10.1.2.3:6881", "127.0.0.1:1", true, true},
        {"60.1.2.3:6881", "10.9.9.9:1", true, true},
        {"0.0.0.0:6881", "127.0.0.1:1", false, false},
        {"239.1.1.1:6881", "127.0.0.1:1", false, false},
        {"[2002:0a01:0101::1]:6881", "61.1.1.1:1", false, false}, /* 10.1.1.1 in disguise */
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct addr a = addr(t[i].a), teller = addr(t[i].teller);
        assert_int_equal(dht_addr_peer_ok(&a, &teller), t[i].peer);
        assert_int_equal(dht_addr_node_ok(&a, &teller), t[i].node);
    }
    struct addr a = addr("60.1.2.3:1"), b = addr("60.1.2.9:1"), c = addr("60.1.3.3:1");
    assert_true(dht_addr_near(&a, &b) && !dht_addr_near(&a, &c) && !dht_addr_twin(&a, &b));
    b = addr("60.1.2.3:7");
    assert_true(dht_addr_twin(&a, &b));
    a = addr("10.1.2.3:1");
    b = addr("10.1.2.3:2");
    assert_false(dht_addr_twin(&a, &b) || dht_addr_near(&a, &b));
}

static void dice(void **state)
{
    (void)state;
    struct rng rng;
    struct dht_dice d, e;
    uint8_t a[100], b[100];
    unsigned seen[6] = {0};
    rng_seed(&rng, 1);
    dht_dice_init(&d, &rng);
    rng_seed(&rng, 1);
    dht_dice_init(&e, &rng);
    dht_dice_fill(&d, a, sizeof a);
    dht_dice_fill(&e, b, sizeof b);
    assert_memory_equal(a, b, sizeof a);
    dht_dice_fill(&d, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    for (int i = 0; i < 6000; i++)
        seen[dht_dice_below(&d, 6)]++;
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),  cmocka_unit_test(bounded), cmocka_unit_test(proof),
        cmocka_unit_test(tokens), cmocka_unit_test(votes),   cmocka_unit_test(tales),
        cmocka_unit_test(dice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

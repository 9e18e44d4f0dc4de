/* Candidate peers: BEP 40, what is refused, back-off, floods, bans; and a random walk. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <stdlib.h>

static struct addr at(const char *s)
{
    struct addr a;
    assert_true(addr_parse(&a, s));
    return a;
}

static struct addr numbered(uint32_t i)
{
    struct addr a = {.family = 4, .port = 6881};
    put_be32(a.ip, UINT32_C(0x05000001) + i); /* 5.0.0.1 and on: public */
    return a;
}

static uint32_t priority(const char *a, const char *b)
{
    struct addr x = at(a), y = at(b);
    assert_int_equal(pool_priority(&x, &y), pool_priority(&y, &x));
    return pool_priority(&x, &y);
}

static void bep40(void **state)
{
    (void)state;
    assert_int_equal(priority("123.213.32.10:1", "98.76.54.32:2"), 0xec2d7224);
    assert_int_equal(priority("123.213.32.10:1", "123.213.32.234:2"), 0x99568189);
    /* Bits that the masks take away do not matter; those that they keep do. */
    assert_int_equal(priority("1.2.3.4:1", "5.6.7.8:2"), priority("1.2.1.4:9", "5.6.7.10:9"));
    assert_int_not_equal(priority("1.2.3.4:1", "5.6.7.8:2"), priority("1.3.3.4:1", "5.6.7.8:2"));
    assert_int_equal(priority("1.2.3.4:1", "1.2.7.8:2"), priority("1.2.3.6:1", "1.2.7.10:2"));
    assert_int_not_equal(priority("1.2.3.4:1", "1.2.7.8:2"), priority("1.2.3.4:1", "1.2.5.8:2"));
    assert_int_not_equal(priority("1.2.3.4:1", "1.2.3.8:2"), priority("1.2.3.4:1", "1.2.3.10:2"));
    assert_int_not_equal(priority("1.2.3.4:1", "1.2.3.4:2"), priority("1.2.3.4:1", "1.2.3.4:3"));
}

static void bep40_ipv6(void **state)
{
    (void)state;
    /* Different /48: the first six bytes and every other bit behind. */
    assert_int_equal(priority("[2a00:1:2:3::1]:1", "[2a01:1:2:3::1]:1"),
                     priority("[2a00:1:2:a9::b]:1", "[2a01:1:2:3::3]:1"));
    assert_int_not_equal(priority("[2a00:1:2:3::1]:1", "[2a01:1:2:3::1]:1"),
                         priority("[2a00:1:3:3::1]:1", "[2a01:1:2:3::1]:1"));
    /* Same /48: the seventh byte counts whole; same /56: the eighth; and so on to the last. */
    assert_int_not_equal(priority("[2a00:1:2:200::1]:1", "[2a00:1:2:100::1]:1"),
                         priority("[2a00:1:2:800::1]:1", "[2a00:1:2:100::1]:1"));
    assert_int_equal(priority("[2a00:1:2:200::1]:1", "[2a00:1:2:100::1]:1"),
                     priority("[2a00:1:2:202::1]:1", "[2a00:1:2:108::1]:1"));
    assert_int_not_equal(priority("[2a00:1:2:102::1]:1", "[2a00:1:2:101::1]:1"),
                         priority("[2a00:1:2:108::1]:1", "[2a00:1:2:101::1]:1"));
    assert_int_not_equal(priority("[2a00::2]:1", "[2a00::1]:1"),
                         priority("[2a00::8]:1", "[2a00::1]:1"));
    assert_int_not_equal(priority("[2a00::1]:1", "[2a00::1]:2"),
                         priority("[2a00::1]:1", "[2a00::1]:3"));
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        unsigned source;
        bool taken;
    } v[] = {
        {"9.9.9.9:6881", POOL_TRACKER, true},    {"9.9.9.9:0", POOL_USER, false},
        {"9.9.9.9:25", POOL_TRACKER, false},     {"9.9.9.9:25", POOL_LINK, false},
        {"9.9.9.9:25", POOL_USER, true},         {"9.9.9.9:80", POOL_PEX, true},
        {"9.9.9.9:443", POOL_DHT, true},         {"9.9.9.9:1023", POOL_DHT, false},
        {"9.9.9.9:1024", POOL_DHT, true},        {"0.0.0.0:6881", POOL_TRACKER, false},
        {"224.0.0.1:6881", POOL_TRACKER, false}, {"255.255.255.255:6881", POOL_PEX, false},
        {"10.1.2.3:6881", POOL_TRACKER, true},   {"127.0.0.1:6881", POOL_TRACKER, true},
        {"169.254.1.1:6881", POOL_PEX, false},   {"169.254.1.1:6882", POOL_LSD, true},
        {"[::]:6881", POOL_TRACKER, false},      {"[ff02::1]:6881", POOL_TRACKER, false},
        {"[2a00::1]:6881", POOL_TRACKER, true},  {"[fe80::1]:6881", POOL_PEX, false},
    };
    struct rng r;
    rng_seed(&r, 1);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct pool *p = pool_new(&r);
        struct addr a = at(v[i].addr), none = {0};
        assert_int_equal(pool_add(p, &a, v[i].source, false, 0), v[i].taken);
        assert_int_equal(pool_count(p), v[i].taken);
        assert_false(pool_add(p, &none, POOL_USER, false, 0));
        pool_free(p);
    }
    pool_free(NULL);
}

static void dial(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    struct pool *p = pool_new(&r);
    struct addr a = numbered(1), got;
    assert_false(pool_next(p, true, &got, 0));
    assert_true(pool_deadline(p, true) == USEC_NEVER);
    assert_true(pool_add(p, &a, POOL_TRACKER, false, 5));
    assert_true(pool_add(p, &a, POOL_PEX, false, 5));
    assert_int_equal(pool_sources(p, &a), POOL_TRACKER | POOL_PEX);
    assert_int_equal(pool_count(p), 1);
    assert_true(pool_deadline(p, true) <= 5);
    assert_true(pool_next(p, true, &got, 5));
    assert_true(addr_eq(&got, &a));
    assert_false(pool_next(p, true, &got, 5)); /* it is connecting */
    assert_int_equal(pool_waiting(p), 0);
    assert_true(pool_deadline(p, true) == USEC_NEVER);
    pool_connected(p, &a, 6);
    assert_false(pool_next(p, true, &got, USEC_MIN));
    pool_closed(p, &a, true, USEC_MIN);
    assert_int_equal(pool_waiting(p), 1);
    assert_true(pool_deadline(p, true) == USEC_MIN + POOL_RETRY_FIRST);
    assert_false(pool_next(p, true, &got, USEC_MIN + POOL_RETRY_FIRST - 1));
    assert_true(pool_next(p, true, &got, USEC_MIN + POOL_RETRY_FIRST));
    struct addr stranger = numbered(2);
    pool_connected(p, &stranger, 0);
    pool_closed(p, &stranger, true, 0);
    pool_is_seed(p, &stranger, true);
    assert_int_equal(pool_count(p), 1);
    pool_free(p);
}

static void back_off(void **state)
{
    (void)state;
    for (int given = 0; given < 2; given++) {
        struct rng r;
        rng_seed(&r, 3);
        struct pool *p = pool_new(&r);
        struct addr a = numbered(1), got;
        usec now = 0, wait = given ? POOL_RETRY_GIVEN : POOL_RETRY_FIRST;
        pool_add(p, &a, given ? POOL_LINK : POOL_DHT, false, now);
        for (unsigned i = 1; i < POOL_TRIES; i++) {
            assert_true(pool_next(p, true, &got, now));
            pool_closed(p, &a, false, now);
            assert_true(pool_deadline(p, true) == now + wait);
            now += wait;
            wait = usec_min(2 * wait, POOL_RETRY_MAX);
        }
        assert_true(pool_next(p, true, &got, now));
        pool_closed(p, &a, false, now);
        assert_int_equal(pool_count(p), given);
        for (int i = 0; given && i < 300; i++) {
            now = pool_deadline(p, true);
            assert_true(pool_next(p, true, &got, now));
            pool_closed(p, &a, false, now);
            assert_true(pool_deadline(p, true) <= now + POOL_RETRY_MAX);
        }
        pool_free(p);
    }
}

static void seeds_for_leechers_only(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 4);
    struct pool *p = pool_new(&r);
    struct addr seed = numbered(1), other = numbered(2), got;
    pool_add(p, &seed, POOL_PEX, true, 0);
    pool_add(p, &other, POOL_PEX, false, 0);
    assert_true(pool_next(p, false, &got, 0));
    assert_true(addr_eq(&got, &other));
    assert_false(pool_next(p, false, &got, 0));
    assert_true(pool_deadline(p, false) == USEC_NEVER);
    assert_true(pool_deadline(p, true) == 0);
    pool_is_seed(p, &seed, false);
    assert_true(pool_next(p, false, &got, 0));
    pool_free(p);
}

static void order(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 5);
    struct pool *p = pool_new(&r);
    struct addr self = at("8.8.8.8:1"), got, user = numbered(100);
    for (uint32_t i = 0; i < 50; i++) {
        struct addr a = numbered(i * 65536);
        pool_add(p, &a, POOL_TRACKER, false, 0);
    }
    pool_add(p, &user, POOL_USER, false, 0);
    pool_set_self(p, &self); /* those known are ranked anew */
    assert_true(pool_next(p, true, &got, 0));
    assert_true(addr_eq(&got, &user));
    uint32_t last = UINT32_MAX;
    for (int i = 0; i < 50; i++) {
        assert_true(pool_next(p, true, &got, 0));
        assert_true(pool_priority(&self, &got) <= last);
        last = pool_priority(&self, &got);
    }
    /* A failure puts one behind all that did not fail, the user's too. */
    pool_closed(p, &user, false, 0);
    pool_closed(p, &got, true, 0);
    struct addr second;
    assert_true(pool_next(p, true, &second, USEC_MIN));
    assert_true(addr_eq(&second, &got));
    pool_free(p);
}

static void ourselves(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 6);
    struct pool *p = pool_new(&r);
    struct addr me = at("7.7.7.7:6881"), neighbour = at("7.7.7.7:6882");
    pool_add(p, &me, POOL_TRACKER, false, 0);
    pool_is_self(p, &me);
    assert_int_equal(pool_count(p), 0);
    assert_false(pool_add(p, &me, POOL_USER, false, 0));
    assert_true(pool_add(p, &neighbour, POOL_TRACKER, false, 0)); /* behind the same NAT */
    struct addr other = at("[2a00::7]:6881");
    pool_set_self(p, &other);
    assert_false(pool_add(p, &other, POOL_TRACKER, false, 0));
    for (uint32_t i = 0; i < 100; i++) { /* however often: bounded, the last are known */
        struct addr a = numbered(i);
        pool_is_self(p, &a);
        assert_false(pool_add(p, &a, POOL_TRACKER, false, 0));
    }
    pool_free(p);
}

static void bans(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    struct pool *p = pool_new(&r);
    struct addr a = at("7.7.7.7:6881"), b = at("7.7.7.7:7000"), c = at("7.7.7.8:6881");
    pool_add(p, &a, POOL_TRACKER, false, 0);
    pool_add(p, &b, POOL_TRACKER, false, 0);
    pool_add(p, &c, POOL_TRACKER, false, 0);
    pool_ban(p, &a, 10);
    assert_int_equal(pool_count(p), 1);
    assert_true(pool_banned(p, &b, 10));
    assert_false(pool_banned(p, &c, 10));
    assert_false(pool_add(p, &b, POOL_USER, false, 10));
    pool_ban(p, &b, 20); /* again: lasts from then */
    assert_true(pool_banned(p, &a, POOL_BAN + 19));
    assert_false(pool_banned(p, &a, POOL_BAN + 20));
    assert_true(pool_add(p, &b, POOL_TRACKER, false, POOL_BAN + 20));
    for (uint32_t i = 0; i < 10000; i++) {
        struct addr x = numbered(i);
        pool_ban(p, &x, POOL_BAN + i);
        assert_true(pool_banned(p, &x, POOL_BAN + i));
    }
    struct addr first = numbered(0);
    assert_false(pool_banned(p, &first, POOL_BAN + 10000)); /* bounded: the oldest went */
    struct addr here = at("127.0.0.1:7000"), there = at("127.0.0.1:7001");
    pool_ban(p, &here, 0);
    assert_true(pool_banned(p, &here, 0));
    assert_false(pool_banned(p, &there, 0)); /* all of the host share the address */
    pool_free(p);
}

static void floods(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 8);
    struct pool *p = pool_new(&r);
    struct addr user = numbered(1), busy = numbered(2), got;
    pool_add(p, &user, POOL_USER, false, 0);
    assert_true(pool_next(p, true, &got, 0));
    pool_closed(p, &user, false, 0);
    pool_add(p, &busy, POOL_TRACKER, false, 0);
    assert_true(pool_next(p, true, &got, 0));
    for (uint32_t i = 3; i < 20000; i++) {
        struct addr a = numbered(i);
        pool_add(p, &a, POOL_PEX, false, 0);
        assert_true(pool_count(p) <= POOL_MAX);
    }
    assert_int_equal(pool_count(p), POOL_MAX);
    assert_true(pool_sources(p, &user) && pool_sources(p, &busy));
    /* Who failed goes before who was not tried. */
    assert_true(pool_next(p, true, &got, 0));
    pool_closed(p, &got, false, 0);
    struct addr fresh = numbered(30000);
    assert_true(pool_add(p, &fresh, POOL_PEX, false, 0));
    assert_false(pool_sources(p, &got));
    pool_free(p);
}

/* Whatever comes in whatever order, what is told of the pool agrees with itself. */
static void random_walk(void **state)
{
    (void)state;
    enum { N = 40 };
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct rng r;
        rng_seed(&r, seed);
        struct pool *p = pool_new(&r);
        bool dialled[N] = {0};
        usec now = 0;
        for (int i = 0; i < 3000; i++) {
            uint32_t k = (uint32_t)rng_below(&r, N);
            struct addr a = numbered(k), got;
            bool seeds = rng_below(&r, 2);
            usec due = pool_deadline(p, seeds);
            switch (rng_below(&r, 6)) {
            case 0:
                pool_add(p, &a, 1u << rng_below(&r, 7), rng_below(&r, 2), now);
                break;
            case 1:
                assert_int_equal(pool_next(p, seeds, &got, now), due <= now);
                if (due > now)
                    break;
                k = get_be32(got.ip) - UINT32_C(0x05000001);
                assert_false(dialled[k]);
                dialled[k] = true;
                break;
            case 2:
                if (dialled[k])
                    pool_connected(p, &a, now);
                break;
            case 3:
                if (dialled[k])
                    pool_closed(p, &a, rng_below(&r, 2), now);
                dialled[k] = false;
                break;
            case 4:
                pool_is_seed(p, &a, rng_below(&r, 2));
                break;
            default:
                now += (usec)rng_below(&r, 60) * USEC_SEC;
                if (rng_below(&r, 50) == 0) {
                    pool_ban(p, &a, now);
                    dialled[k] = false;
                }
            }
            assert_true(pool_waiting(p) <= pool_count(p));
            assert_true(pool_count(p) <= N);
            assert_true((pool_deadline(p, true) == USEC_NEVER) == (pool_waiting(p) == 0));
        }
        pool_free(p);
    }
}

/* How many of the first four to be dialled are the one named and three neighbours. */
static unsigned near_among_first(bool prefer)
{
    static const char *const near[] = {"192.168.1.9:6881", "7.7.7.7:6881", "9.9.9.9:6881"};
    struct rng r;
    rng_seed(&r, 3);
    struct pool *p = pool_new(&r);
    struct addr self = at("9.9.9.9:1"), named = at("6.6.6.6:6881"), out, v[3];
    unsigned found = 0;
    pool_prefer_near(p, prefer);
    for (uint32_t i = 0; i < 100; i++) {
        out = numbered(i);
        assert_true(pool_add(p, &out, POOL_TRACKER, false, 0));
    }
    for (int i = 0; i < 3; i++) {
        v[i] = at(near[i]);
        assert_true(pool_add(p, &v[i], POOL_TRACKER, false, 0));
    }
    assert_true(pool_add(p, &v[1], POOL_LSD, false, 0)); /* heard on the link */
    assert_true(pool_add(p, &named, POOL_LINK, false, 0));
    pool_set_self(p, &self);
    for (int k = 0; k < 4; k++) {
        assert_true(pool_next(p, true, &out, 0));
        assert_int_equal(addr_eq(&out, &named), k == 0);
        for (int i = 0; i < 3; i++)
            found += addr_eq(&out, &v[i]);
    }
    pool_free(p);
    return found;
}

static void neighbours_first(void **state)
{
    (void)state;
    assert_int_equal(near_among_first(true), 3);
    assert_int_equal(near_among_first(false), 0);
}

/* For neighbours there is room when there is for nobody else: they are asked for alone. */
static void neighbours_alone(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 5);
    struct pool *p = pool_new(&r);
    struct addr far = numbered(1), leech = at("192.168.1.9:6881"), seed = at("192.168.1.8:6881");
    struct addr out;
    pool_prefer_near(p, true);
    assert_true(pool_add(p, &far, POOL_TRACKER, false, 0));
    assert_false(pool_has_near(p, true, 0));
    assert_false(pool_next_near(p, true, &out, 0));
    assert_true(pool_add(p, &seed, POOL_TRACKER, true, 0));
    assert_true(pool_has_near(p, true, 0));
    assert_false(pool_has_near(p, false, 0)); /* a seed looks for none */
    assert_false(pool_next_near(p, false, &out, 0));
    assert_true(pool_add(p, &leech, POOL_TRACKER, false, 0));
    assert_true(pool_next_near(p, false, &out, 0) && addr_eq(&out, &leech));
    assert_true(pool_next_near(p, true, &out, 0) && addr_eq(&out, &seed));
    assert_false(pool_next_near(p, true, &out, 0)); /* the far one is left */
    pool_closed(p, &leech, false, 0);
    assert_false(pool_has_near(p, true, POOL_RETRY_FIRST - 1));
    assert_true(pool_has_near(p, true, POOL_RETRY_FIRST));
    pool_prefer_near(p, false);
    assert_false(pool_has_near(p, true, POOL_RETRY_MAX));
    pool_free(p);
}

/* An item turns out to be private: who was named by strangers only is forgotten. */
static void strangers_are_forgotten(void **state)
{
    static const unsigned kept[] = {POOL_USER,
                                    POOL_LINK,
                                    POOL_TRACKER,
                                    POOL_INCOMING,
                                    POOL_TRACKER | POOL_DHT,
                                    POOL_PEX | POOL_INCOMING},
                          gone[] = {POOL_DHT,           POOL_PEX,           POOL_LSD,
                                    POOL_DHT | POOL_V1, POOL_DHT | POOL_V2, POOL_PEX | POOL_LSD};
    struct rng r;
    struct addr out;
    (void)state;
    rng_seed(&r, 1);
    struct pool *p = pool_new(&r);
    for (uint32_t i = 0; i < 6; i++) {
        struct addr a = numbered(i), b = numbered(100 + i);
        assert_true(pool_add(p, &a, kept[i], false, 0));
        assert_true(pool_add(p, &b, gone[i], false, 0));
        assert_int_equal(pool_sources(p, &a), kept[i]);
        assert_int_equal(pool_sources(p, &b), gone[i]);
    }
    while (pool_next(p, true, &out, 0)) /* also while they are being dialled */
        ;
    pool_forget(p, POOL_DHT | POOL_PEX | POOL_LSD);
    assert_int_equal(pool_count(p), 6);
    assert_int_equal(pool_waiting(p), 0);
    for (uint32_t i = 0; i < 6; i++) {
        struct addr a = numbered(i), b = numbered(100 + i);
        assert_int_equal(pool_sources(p, &a), kept[i]);
        assert_int_equal(pool_sources(p, &b), 0);
        pool_closed(p, &a, true, 0);
        pool_closed(p, &b, true, 0);
    }
    assert_int_equal(pool_waiting(p), 6);
    pool_free(p);
}

static void at_rest(void **state)
{
    (void)state;
    struct rng r;
    struct addr v[6];
    static const struct {
        unsigned source;
        bool seed, stays;
    } c[] = {{POOL_TRACKER, false, false},
             {POOL_TRACKER, true, true},
             {POOL_INCOMING | POOL_V2, true, false},
             {POOL_INCOMING | POOL_DHT, true, true},
             {POOL_LINK, false, true},
             {POOL_USER, false, true}};
    rng_seed(&r, 1);
    struct pool *p = pool_new(&r);
    for (uint32_t i = 0; i < 6; i++) {
        v[i] = numbered(i);
        assert_true(pool_add(p, &v[i], c[i].source, c[i].seed, 1));
    }
    pool_rest(p);
    pool_rest(NULL);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(pool_sources(p, &v[i]) != 0, c[i].stays);
    pool_free(p);
}

static void nobody_at_all(void **state)
{
    (void)state;
    struct rng r;
    struct addr a = numbered(1);
    rng_seed(&r, 1);
    assert_int_equal(pool_count(NULL) + pool_waiting(NULL) + pool_sources(NULL, &a), 0);
    assert_int_equal(pool_deadline(NULL, true), USEC_NEVER);
    assert_true(pool_is_blank(NULL));
    pool_set_self(NULL, &a);
    pool_forget(NULL, POOL_DHT);
    pool_free(NULL);
    struct pool *p = pool_new(&r);
    assert_true(pool_is_blank(p));
    assert_true(pool_add(p, &a, POOL_DHT, false, 1));
    assert_false(pool_is_blank(p));
    pool_forget(p, POOL_DHT);
    assert_true(pool_is_blank(p));
    pool_ban(p, &a, 1);
    assert_false(pool_is_blank(p));
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bep40),
        cmocka_unit_test(bep40_ipv6),
        cmocka_unit_test(refusals),
        cmocka_unit_test(dial),
        cmocka_unit_test(back_off),
        cmocka_unit_test(seeds_for_leechers_only),
        cmocka_unit_test(order),
        cmocka_unit_test(ourselves),
        cmocka_unit_test(bans),
        cmocka_unit_test(floods),
        cmocka_unit_test(random_walk),
        cmocka_unit_test(neighbours_first),
        cmocka_unit_test(neighbours_alone),
        cmocka_unit_test(strangers_are_forgotten),
        cmocka_unit_test(at_rest),
        cmocka_unit_test(nobody_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

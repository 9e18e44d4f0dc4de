/* Who is near; who is at work and how long that is believed; the parts and their owners. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/base/rng.h>
#include <p2p/swarm/near.h>

#include <stdlib.h>

static struct addr ip(const char *s)
{
    struct addr a;
    assert_true(addr_parse_ip(&a, s, 6881));
    return a;
}

static enum near_class judge(const char *self, const char *peer, bool heard, usec rtt)
{
    struct addr me[2] = {0}, him = ip(peer);
    if (self)
        me[1] = ip(self);
    struct near_clue c = {me, 2, &him, heard, rtt};
    return near_class(&c);
}

static void classes(void **state)
{
    static const struct {
        const char *self, *peer;
        enum near_class k;
    } v[] = {
        {NULL, "127.0.0.1", NEAR_HOST},
        {NULL, "::1", NEAR_HOST},
        {"192.168.1.7", "192.168.1.7", NEAR_HOST},
        {"192.168.1.7", "192.168.1.8", NEAR_LINK},
        {"192.168.1.7", "192.168.2.8", NEAR_SITE},
        {NULL, "10.1.2.3", NEAR_SITE}, /* nobody carries that further */
        {NULL, "fd00::1", NEAR_SITE},
        {NULL, "169.254.3.4", NEAR_LINK},
        {NULL, "fe80::1", NEAR_LINK},
        {"9.9.9.9", "9.9.9.9", NEAR_SITE}, /* a NAT may have many behind it */
        {"9.9.9.9", "9.9.9.8", NEAR_FAR},
        {"9.9.9.9", "9.9.8.9", NEAR_FAR},
        {"2a00:1:2:3::1", "2a00:1:2:3::1", NEAR_HOST},
        {"2a00:1:2:3::1", "2a00:1:2:3::2", NEAR_LINK},
        {"2a00:1:2:3::1", "2a00:1:2:4::2", NEAR_SITE},
        {"2a00:1:2:3::1", "2a00:1:3:3::1", NEAR_FAR},
        {"9.9.9.9", "2a00:1:3:3::1", NEAR_FAR},
        {NULL, "9.9.9.9", NEAR_FAR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        assert_int_equal(judge(v[i].self, v[i].peer, false, USEC_NEVER), v[i].k);
}

static void heard_or_quick(void **state)
{
    (void)state;
    assert_int_equal(judge(NULL, "9.9.9.9", true, USEC_NEVER), NEAR_LINK);
    assert_int_equal(judge(NULL, "127.0.0.1", true, USEC_NEVER), NEAR_HOST);
    assert_int_equal(judge("192.168.1.7", "192.168.2.8", true, 0), NEAR_LINK);
    assert_int_equal(judge(NULL, "9.9.9.9", false, NEAR_RTT), NEAR_SITE);
    assert_int_equal(judge(NULL, "9.9.9.9", false, NEAR_RTT + 1), NEAR_FAR);
    assert_int_equal(judge("9.9.9.8", "9.9.9.9", false, NEAR_RTT_NEXT_DOOR), NEAR_SITE);
    assert_int_equal(judge("9.9.9.8", "9.9.9.9", false, NEAR_RTT_NEXT_DOOR + 1), NEAR_FAR);
    assert_int_equal(judge("9.9.8.8", "9.9.9.9", false, NEAR_RTT_NEXT_DOOR), NEAR_FAR);
}

/* ---- at work ---- */

static void patience_grows_with_strength(void **state)
{
    (void)state;
    assert_int_equal(near_patience(0), 0);
    assert_int_equal(near_patience(50), 10 * USEC_SEC);
    assert_int_equal(near_patience(100), 20 * USEC_SEC);
    assert_int_equal(near_patience(UINT32_MAX), 20 * USEC_SEC);
}

static void a_silent_one_is_left(void **state)
{
    (void)state;
    struct near_mate us, m;
    usec t = 100 * USEC_SEC, p = near_patience(50);
    near_mate_init(&us, 1, t);
    near_mate_init(&m, 2, t);
    near_mate_brought(&us, t + USEC_SEC); /* pieces come every second here */
    assert_true(near_mate_works(&m, &us, 50, t + p + 3 * USEC_SEC));
    assert_false(near_mate_works(&m, &us, 50, t + p + 3 * USEC_SEC + 1));
    near_mate_brought(&m, t + 60 * USEC_SEC); /* late, but there it is */
    assert_true(near_mate_works(&m, &us, 50, t + 61 * USEC_SEC));
    m.passed_over = t + 70 * USEC_SEC;
    assert_false(near_mate_works(&m, &us, 50, t + 61 * USEC_SEC));
    assert_true(near_mate_works(&m, &us, 50, t + 70 * USEC_SEC));
}

/* Where the line is slow for all, the first piece may take long; but not for ever. */
static void all_are_slow(void **state)
{
    (void)state;
    struct near_mate us, m;
    usec t = 100 * USEC_SEC, p = near_patience(50);
    near_mate_init(&us, 1, t);
    near_mate_init(&m, 2, t);
    assert_true(near_mate_works(&m, &us, 50, t + 50 * USEC_SEC));
    usec most = p + 3 * NEAR_MAX_GAP;
    assert_true(near_mate_works(&m, &us, 50, t + most));
    assert_false(near_mate_works(&m, &us, 50, t + most + 1));
    assert_false(near_mate_works(&m, &us, 50, t + 1000 * USEC_SEC));
}

/* Four at once every eight seconds: the gaps between the bursts are what is waited for. */
static void bursts(void **state)
{
    (void)state;
    struct near_mate us, m;
    near_mate_init(&us, 1, 0);
    near_mate_init(&m, 2, 0);
    near_mate_brought(&us, 1);
    for (int i = 1; i <= 10; i++)
        for (int k = 0; k < 4; k++)
            near_mate_brought(&m, i * 8 * USEC_SEC);
    assert_int_equal(m.count, 40);
    usec last = 80 * USEC_SEC;
    assert_true(m.gap > 4 * USEC_SEC && m.gap <= 8 * USEC_SEC);
    assert_true(near_mate_works(&m, &us, 1, last + 12 * USEC_SEC));
    assert_false(near_mate_works(&m, &us, 1, last + 30 * USEC_SEC));
    near_mate_brought(&m, last + 3600 * USEC_SEC); /* an hour's sleep is no habit */
    assert_true(m.gap <= NEAR_MAX_GAP);
}

static void slow_ones(void **state)
{
    (void)state;
    struct near_mate us, m;
    near_mate_init(&us, 1, 0);
    near_mate_init(&m, 2, 0);
    for (int i = 1; i <= 10; i++)
        near_mate_brought(&m, i * 4 * USEC_SEC); /* one in four seconds, 40 so far */
    usec now = 40 * USEC_SEC;
    assert_false(near_mate_is_slow(&m, &us, 0, 50, now));
    assert_false(near_mate_is_slow(&m, &us, 2, 50, now)); /* eight seconds more: patience */
    assert_false(near_mate_is_slow(&m, &us, 5, 50, now)); /* half of what we took */
    assert_true(near_mate_is_slow(&m, &us, 6, 50, now));
    assert_false(near_mate_is_slow(&m, &us, 2, 100, now));
    assert_true(
        near_mate_is_slow(&m, &us, UINT32_MAX, 50, 24 * 3600 * USEC_SEC)); /* nothing overflows */
}

/* ---- parts ---- */

static void random_keys(struct rng *r, uint64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t id[20];
        rng_fill(r, id, sizeof id);
        v[i] = near_key(id);
        assert_true(v[i] != 0);
    }
}

/* What each of n believes of every part, seen from his own place, is one and the same. */
static void all_agree(void **state)
{
    enum { N = 12 };
    struct rng r;
    uint64_t key[N];
    uint32_t mine[N] = {0};
    struct near_parts p[N];
    (void)state;
    rng_seed(&r, 4);
    random_keys(&r, key, N);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t others[N] = {0}; /* our own place is empty: not at work */
        for (uint32_t k = 0; k < N; k++)
            others[k] = k == i ? 0 : key[k];
        near_parts_init(&p[i], 6000, 65536, key[i]);
        near_parts_divide(&p[i], others, N);
    }
    for (uint32_t part = 0; part < p[0].n; part++) {
        unsigned claimed = 0;
        uint32_t owner = 0;
        for (uint32_t i = 0; i < N; i++)
            if (p[i].owner[part] == 0) {
                claimed++;
                owner = i;
            }
        assert_int_equal(claimed, 1);
        mine[owner]++;
        for (uint32_t i = 0; i < N; i++)
            assert_int_equal(p[i].owner[part], i == owner ? 0 : owner + 1);
    }
    uint32_t fair = p[0].n / N;
    for (uint32_t i = 0; i < N; i++) {
        assert_in_range(mine[i], fair / 2, fair * 2);
        near_parts_fini(&p[i]);
    }
}

/* Who leaves takes nothing of the others' with him. */
static void leaving_moves_little(void **state)
{
    enum { N = 8 };
    struct rng r;
    uint64_t key[N];
    struct near_parts p;
    (void)state;
    rng_seed(&r, 5);
    random_keys(&r, key, N);
    near_parts_init(&p, 4096, 1u << 20, 99);
    assert_int_equal(p.n, 4096 / p.size + (4096 % p.size != 0));
    near_parts_divide(&p, key, N);
    uint16_t *before = mem_dup(p.owner, p.n * sizeof *before);
    uint32_t moved = 0;
    key[3] = 0;
    near_parts_divide(&p, key, N);
    for (uint32_t i = 0; i < p.n; i++) {
        if (before[i] != 4)
            assert_int_equal(p.owner[i], before[i]);
        assert_int_not_equal(p.owner[i], 4);
        moved += before[i] == 4;
    }
    assert_true(moved > 0);
    free(before);
    near_parts_divide(&p, NULL, 0);
    for (uint32_t i = 0; i < p.n; i++)
        assert_int_equal(p.owner[i], 0); /* alone we have them all */
    near_parts_fini(&p);
}

static void sizes(void **state)
{
    static const struct {
        uint32_t pieces, length, size;
    } v[] = {
        {0, 16384, 1},
        {1, 16384, 1},
        {255, 16384, 1},
        {512, 16384, 2},
        {100000, 16384, 64},
        {100000, 1u << 20, 25},
        {4095, 64u << 20, 1},
        {4096, 64u << 20, 2},
        {1u << 21, 16384, 513},
        {1u << 21, 1u << 27, 513},
        {100, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct near_parts p;
        near_parts_init(&p, v[i].pieces, v[i].length, 1);
        assert_int_equal(p.size, v[i].size);
        assert_true(p.n <= NEAR_MAX_PARTS);
        assert_true((uint64_t)p.n * p.size >= v[i].pieces);
        for (uint32_t k = 0; k < p.n; k++) {
            uint32_t end = near_part_end(&p, k * p.size);
            assert_int_equal(end, (k + 1) * p.size < v[i].pieces ? (k + 1) * p.size : v[i].pieces);
        }
        near_parts_fini(&p);
    }
}

/* One more than may be, and many more: those behind the limit have no part. */
static void more_than_may_be(void **state)
{
    (void)state;
    struct rng r;
    struct near_parts p;
    uint64_t *key = mem_array(3 * NEAR_MAX_MATES, sizeof *key);
    rng_seed(&r, 6);
    random_keys(&r, key, 3 * NEAR_MAX_MATES);
    static const size_t n[] = {NEAR_MAX_MATES, NEAR_MAX_MATES + 1, 3 * NEAR_MAX_MATES};
    for (size_t k = 0; k < 3; k++) {
        near_parts_init(&p, 4096, 1u << 20, 1);
        near_parts_divide(&p, key, n[k]);
        for (uint32_t i = 0; i < p.n; i++)
            assert_true(p.owner[i] <= NEAR_MAX_MATES);
        near_parts_fini(&p);
    }
    free(key);
}

static void what_must_arrive(void **state)
{
    (void)state;
    assert_int_equal(near_least(1600000, NEAR_LEAST_FAR, 50), 800000);
    assert_int_equal(near_least(1600000, NEAR_LEAST_CROWD, 50), 100000);
    assert_int_equal(near_least(1600000, NEAR_LEAST_CROWD, 25), 150000);
    assert_int_equal(near_least(1600000, NEAR_LEAST_SEEDS, 50), 266650);
    assert_int_equal(near_least(1600000, NEAR_LEAST_CROWD, 100), 1); /* anything at all will do */
    assert_int_equal(near_least(1600000, NEAR_LEAST_FAR, 1000), 1);
    assert_int_equal(near_least(0, NEAR_LEAST_FAR, 50), 1);
    assert_true(near_least(UINT64_MAX, NEAR_LEAST_FAR, 1) > UINT64_MAX / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),
        cmocka_unit_test(heard_or_quick),
        cmocka_unit_test(patience_grows_with_strength),
        cmocka_unit_test(a_silent_one_is_left),
        cmocka_unit_test(all_are_slow),
        cmocka_unit_test(bursts),
        cmocka_unit_test(slow_ones),
        cmocka_unit_test(all_agree),
        cmocka_unit_test(leaving_moves_little),
        cmocka_unit_test(sizes),
        cmocka_unit_test(more_than_may_be),
        cmocka_unit_test(what_must_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

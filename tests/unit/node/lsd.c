/* Local service discovery: what a node tells its neighbours and when, and whom it believes. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/proto/lsd.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE 65536u
static const struct tube_file ONE = {NULL, 4 * PIECE};

/* ---- what is told ---- */

#define MAX_HEARD 4000

struct ear {
    struct {
        usec at;
        int family;
        struct lsd_msg m;
    } v[MAX_HEARD];
    unsigned n;
};

static void listens(struct rig *g, const struct node_op *op)
{
    struct ear *ear = g->arg;
    if (op->kind != NODE_MULTICAST)
        return;
    struct addr group = lsd_group(op->addr.family);
    assert_true(addr_eq(&op->addr, &group));
    assert_true(ear->n < MAX_HEARD);
    assert_true(lsd_parse(&ear->v[ear->n].m, op->data));
    ear->v[ear->n].family = op->addr.family;
    ear->v[ear->n++].at = g->now;
}

static struct rig *rig(uint64_t seed, const struct node_config *c, struct ear *ear)
{
    struct rig *g = rig_new(seed, c);
    *ear = (struct ear){0};
    g->heard = listens;
    g->arg = ear;
    return g;
}

static bool names(const struct lsd_msg *m, const uint8_t hash[20])
{
    for (size_t i = 0; i < m->n_hashes; i++)
        if (memcmp(m->hash[i], hash, 20) == 0)
            return true;
    return false;
}

static void announces(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct ear *ear = mem_alloc(sizeof *ear);
        struct rig *g = rig((uint64_t)format, NULL, ear);
        rig_content(g, &ONE, 1, format, PIECE);
        rig_leech(g);
        usec begun = g->now;
        rig_run(g, USEC_SEC);
        assert_int_equal(ear->n, 2);
        for (unsigned i = 0; i < 2; i++) {
            const struct lsd_msg *m = &ear->v[i].m;
            assert_int_equal(ear->v[i].family, i ? 6 : 4);
            assert_int_equal(m->port, 6881);
            assert_true(strlen(m->cookie) == 16);
            assert_int_equal(m->n_hashes, format == 3 ? 2 : 1);
            assert_int_equal(names(m, g->m->hash_v1), format != 2);
            assert_int_equal(names(m, g->m->hash_v2), format != 1); /* cut to 20 bytes */
        }
        /* Once more after a minute, for a multicast is easily lost; then every five. */
        rig_run(g, 20 * USEC_MIN);
        assert_int_equal(ear->n, 2 * 5);
        assert_true(ear->v[2].at - ear->v[0].at >= LSD_LEAST);
        assert_true(ear->v[2].at - begun < 62 * USEC_SEC);
        for (unsigned i = 4; i < 10; i += 2) {
            usec gap = ear->v[i].at - ear->v[i - 2].at;
            assert_true(gap <= LSD_EVERY && gap > LSD_EVERY - 20 * USEC_SEC);
        }
        rig_free(g);
        free(ear);
    }
}

static void says_nothing(struct rig *g, struct ear *ear)
{
    rig_run(g, 11 * USEC_MIN);
    assert_int_equal(ear->n, 0);
    rig_free(g);
    free(ear);
}

/* The same item, but private. Takes m. */
static struct manifest *made_private(struct manifest *m)
{
    struct manifest *made = tube_private(m);
    assert_non_null(made);
    assert_true(made->private_flag);
    manifest_free(m);
    return made;
}

static void silent_when_private_or_off(void **state)
{
    (void)state;
    struct node_config off = {.client = "x", .port = 6881, .no_lsd = true};
    struct node_config nowhere = {.client = "x", .port = 0}; /* nobody could dial it */
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(1, NULL, ear);
    rig_content(g, &ONE, 1, 1, PIECE);
    g->m = made_private(g->m);
    rig_leech(g);
    says_nothing(g, ear);
    const struct node_config *c[] = {&off, &nowhere};
    for (int i = 0; i < 2; i++) {
        ear = mem_alloc(sizeof *ear);
        g = rig(2, c[i], ear);
        rig_content(g, &ONE, 1, 3, PIECE);
        rig_leech(g);
        says_nothing(g, ear);
    }
}

/* Removed, it is not announced again; one that turned out to be private neither. */
static void silent_when_gone(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        struct ear *ear = mem_alloc(sizeof *ear);
        struct rig *g = rig(3, NULL, ear);
        rig_content(g, &ONE, 1, 1, PIECE);
        if (how == 1)
            g->m = made_private(g->m);
        rig_link(g, true, false);
        rig_run(g, USEC_SEC);
        assert_int_equal(ear->n, 2); /* of a link nobody knows yet */
        if (how == 0) {
            rig_forget(g);
        } else {
            raw_acting(g, 7, raw_serves);
            assert_true(rig_until(g, &g->metadata, 10 * USEC_SEC));
        }
        ear->n = 0;
        says_nothing(g, ear);
    }
}

/* n links at once, each of which has `hashes` hashes. */
static void many(struct rig *g, unsigned n, bool hybrid)
{
    for (unsigned i = 0; i < n; i++) {
        struct magnet k = {.has_v1 = true, .has_v2 = hybrid};
        struct err e = {0};
        rng_fill(&g->rng, k.hash_v1, sizeof k.hash_v1);
        rng_fill(&g->rng, k.hash_v2, sizeof k.hash_v2);
        put_be32(k.hash_v1, i);
        struct node_task_config c = {.link = &k};
        goals_init(&c.goals);
        c.goals.stay = true;
        assert_true(node_add(g->n, &c, g->now, &e) != 0);
    }
    rig_pump(g);
}

static void few_share_a_datagram(void **state)
{
    (void)state;
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(4, NULL, ear);
    many(g, LSD_MAX_HASHES, false);
    rig_run(g, 13 * USEC_MIN);
    assert_int_equal(ear->n, 2 * 4);
    for (unsigned i = 0; i < ear->n; i++)
        assert_int_equal(ear->v[i].m.n_hashes, LSD_MAX_HASHES);
    rig_free(g);
    free(ear);
}

/* Everyone in its turn, a datagram a second, no hash twice within a minute. */
static void a_crowd_takes_its_time(void **state)
{
    (void)state;
    enum { ITEMS = 10000, SHORTLY = 10000 / LSD_MAX_HASHES };
    struct ear *ear = mem_alloc(sizeof *ear);
    usec *told = mem_zero(ITEMS * sizeof *told);
    unsigned *times = mem_zero(ITEMS * sizeof *times);
    struct rig *g = rig(5, NULL, ear);
    many(g, ITEMS, false);
    rig_run(g, 30 * USEC_MIN);
    assert_true(ear->n <= 2 * 30 * 60 + 2);
    for (unsigned i = 0; i < ear->n; i++) {
        if (ear->v[i].family == 6)
            continue;
        if (i >= 2)
            assert_true(ear->v[i].at - ear->v[i - 2].at >= LSD_GAP);
        for (size_t k = 0; k < ear->v[i].m.n_hashes; k++) {
            uint32_t item = get_be32(ear->v[i].m.hash[k]);
            assert_true(item < ITEMS);
            assert_true(times[item]++ == 0 || ear->v[i].at - told[item] >= LSD_LEAST);
            told[item] = ear->v[i].at;
        }
    }
    for (unsigned i = 0; i < ITEMS; i++) /* a round takes 400 seconds */
        assert_in_range(times[i], 30 * 60 / (SHORTLY + 20), 30 * 60 / SHORTLY + 2);
    rig_free(g);
    free(ear);
    free(told);
    free(times);
}

/* ---- whom it believes ---- */

static unsigned known(struct rig *g)
{
    struct node_status s;
    assert_true(node_status(g->n, g->task, &s, g->now));
    return s.known;
}

static void put(struct rig *g, struct lsd_msg *m, const char *from)
{
    uint8_t out[LSD_MAX_DATAGRAM];
    struct addr a;
    assert_true(addr_parse_ip(&a, from, 6771));
    size_t n = lsd_put(out, a.family, m);
    node_multicast(g->n, &a, BYTES(out, n), g->now);
    rig_pump(g);
}

static void hears(struct rig *g, const char *from, uint16_t port, const uint8_t *hash)
{
    struct lsd_msg m = {.port = port, .n_hashes = 1};
    memcpy(m.hash[0], hash, 20);
    put(g, &m, from);
}

static void believes_neighbours_only(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        bool good;
    } from[] = {
        {"192.168.1.2", true},      {"10.1.2.3", true},
        {"172.16.0.1", true},       {"100.64.0.1", true},
        {"169.254.7.7", true},      {"127.0.0.1", true},
        {"fd00::1", true},          {"::1", true},
        {"20.0.0.1", false},        {"2a01::1", false},
        {"fe80::1", false},         {"0.0.0.0", false},
        {"224.0.0.1", false},       {"ff15::efc0:988f", false},
        {"255.255.255.255", false}, {"2002:c0a8:101::1", true}, /* 6to4 of a private address */
    };
    unsigned n = 0;
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(6, NULL, ear);
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_leech(g);
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        hears(g, from[i].ip, 7000, g->m->hash_v1);
        if (known(g) != n + from[i].good)
            fail_msg("%s", from[i].ip);
        n = known(g);
    }
    rig_free(g);
    free(ear);
}

struct caller { /* how a dialled peer was greeted */
    unsigned greetings;
    uint8_t hash[20];
};

static void greeted(struct raw *r, const struct wire_msg *m)
{
    struct caller *c = r->arg;
    if (m->type != WIRE_HANDSHAKE)
        return;
    c->greetings++;
    memcpy(c->hash, m->handshake.info_hash, 20);
}

/* Where the link has public addresses: those of our own network, IPv4 /24 and IPv6 /64, as far as
 * our own address is known. */
static void believes_its_own_network(void **state)
{
    (void)state;
    static const struct {
        const char *ip;
        bool good;
    } from[] = {
        {"20.5.5.9", true},
        {"20.5.6.9", false},
        {"2a01:5::9", true},
        {"2a01:5:0:1::9", false},
    };
    unsigned n = 0;
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(13, NULL, ear);
    struct addr own4, own6;
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_leech(g);
    for (size_t i = 0; i < 4; i++)
        hears(g, from[i].ip, 7000, g->m->hash_v1);
    assert_int_equal(known(g), 0);
    assert_true(addr_parse(&own4, "20.5.5.5:6881") && addr_parse(&own6, "[2a01:5::5]:6881"));
    node_mapped(g->n, &own4, g->now);
    node_mapped(g->n, &own6, g->now);
    for (size_t i = 0; i < 4; i++) {
        hears(g, from[i].ip, 7000, g->m->hash_v1);
        if (known(g) != n + from[i].good)
            fail_msg("%s", from[i].ip);
        n = known(g);
    }
    rig_free(g);
    free(ear);
}

/* Dialled at once where it says that it listens, under each hash of a hybrid. */
static void dials_a_neighbour(void **state)
{
    (void)state;
    for (int v2 = 0; v2 < 2; v2++) {
        struct ear *ear = mem_alloc(sizeof *ear);
        struct rig *g = rig(7, NULL, ear);
        struct caller c = {0};
        rig_content(g, &ONE, 1, 3, PIECE);
        rig_leech(g);
        struct raw *r = raw_new(g, 1);
        r->act = greeted;
        r->arg = &c;
        assert_true(addr_parse(&r->addr, "192.168.1.2:7000"));
        hears(g, "192.168.1.2", 7000, v2 ? g->m->hash_v2 : g->m->hash_v1);
        assert_int_equal(r->dials, 1);
        rig_run(g, 50 * USEC_MS);
        assert_int_equal(c.greetings, 1);
        assert_memory_equal(c.hash, v2 ? g->m->hash_v2 : g->m->hash_v1, 20);
        rig_free(g);
        free(ear);
    }
}

static void not_itself_nor_others(void **state)
{
    (void)state;
    static const uint8_t other[20] = {1};
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(8, NULL, ear);
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_leech(g);
    rig_run(g, USEC_SEC);
    assert_int_equal(ear->n, 2);
    put(g, &ear->v[0].m, "192.168.1.2"); /* its own words come back */
    assert_int_equal(known(g), 0);
    hears(g, "192.168.1.2", 7000, other);
    assert_int_equal(known(g), 0);
    ear->v[0].m.cookie[0] ^= 1;
    put(g, &ear->v[0].m, "192.168.1.2");
    assert_int_equal(known(g), 1);
    hears(g, "192.168.1.3", 22, g->m->hash_v1); /* a port that nobody dials on hearsay */
    assert_int_equal(known(g), 1);
    struct addr a;
    addr_parse(&a, "192.168.1.4:6771");
    node_multicast(g->n, &a, BYTES_LIT("BT-SEARCH * HTTP/1.1\r\n"), g->now);
    node_multicast(g->n, &a, BYTES(NULL, 0), g->now);
    assert_int_equal(known(g), 1);
    rig_free(g);
    free(ear);
}

static void private_items_are_not_there(void **state)
{
    (void)state;
    struct node_config off = {.client = "x", .port = 6881, .no_lsd = true};
    for (int i = 0; i < 2; i++) {
        struct ear *ear = mem_alloc(sizeof *ear);
        struct rig *g = rig(9, i ? &off : NULL, ear);
        rig_content(g, &ONE, 1, 1, PIECE);
        if (i == 0)
            g->m = made_private(g->m);
        rig_leech(g);
        hears(g, "192.168.1.2", 7000, g->m->hash_v1);
        rig_run(g, 5 * USEC_SEC);
        assert_int_equal(known(g), 0);
        assert_int_equal(ear->n, 0);
        rig_free(g);
        free(ear);
    }
}

/* A newcomer is answered soon, but no hash is told twice within a minute. */
static void answers_newcomers(void **state)
{
    (void)state;
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(10, NULL, ear);
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_leech(g);
    rig_run(g, 100 * USEC_SEC);
    assert_int_equal(ear->n, 4); /* at the beginning and a minute later */
    rig_run(g, 30 * USEC_SEC);
    hears(g, "192.168.1.2", 7000, g->m->hash_v1);
    rig_run(g, 3 * USEC_SEC);
    assert_int_equal(ear->n, 6);
    for (unsigned i = 3; i < 30; i++) { /* 28 more of them: one answer is for all */
        char ip[32];
        snprintf(ip, sizeof ip, "192.168.1.%u", i);
        hears(g, ip, 7000, g->m->hash_v1);
    }
    rig_run(g, 50 * USEC_SEC);
    assert_int_equal(ear->n, 6);
    rig_run(g, 15 * USEC_SEC);
    assert_int_equal(ear->n, 8);
    hears(g, "192.168.1.2", 7000, g->m->hash_v1); /* known: nothing hurries */
    rig_run(g, 120 * USEC_SEC);
    assert_int_equal(ear->n, 8);
    rig_free(g);
    free(ear);
}

/* Who is on a new link has not heard us yet. */
static void tells_a_new_link(void **state)
{
    (void)state;
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(14, NULL, ear);
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_leech(g);
    rig_run(g, 150 * USEC_SEC);
    assert_int_equal(ear->n, 4);
    node_linked(g->n, g->now);
    rig_run(g, 3 * USEC_SEC);
    assert_int_equal(ear->n, 6);
    node_linked(g->n, g->now); /* a link that flaps makes no storm */
    rig_run(g, 50 * USEC_SEC);
    assert_int_equal(ear->n, 6);
    rig_run(g, 10 * USEC_SEC);
    assert_int_equal(ear->n, 8);
    rig_free(g);
    free(ear);
}

/* ---- floods ---- */

static void one_host_has_few_ports(void **state)
{
    (void)state;
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(11, NULL, ear);
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_seed(g);
    for (unsigned i = 0; i < 2000; i++) {
        hears(g, "192.168.1.2", (uint16_t)(7000 + i), g->m->hash_v1);
        assert_int_equal(known(g), i < LSD_MAX_PORTS ? i + 1 : LSD_MAX_PORTS);
        rig_run(g, 200 * USEC_MS);
    }
    /* Given up by the time that they were named for the last time. */
    rig_run(g, LSD_PORT_TIME);
    hears(g, "192.168.1.2", 10000, g->m->hash_v1);
    struct addr late;
    assert_true(addr_parse(&late, "192.168.1.2:10000"));
    assert_true(known(g) <= LSD_MAX_PORTS + 1 && known(g) >= 1);
    rig_free(g);
    free(ear);
}

/* So many of one address at once, and of all; time brings more. */
static void heeds_so_many(void **state)
{
    (void)state;
    struct ear *ear = mem_alloc(sizeof *ear);
    struct rig *g = rig(12, NULL, ear);
    struct lsd_msg m = {.port = 7000, .n_hashes = 1};
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_seed(g);
    static const uint8_t none[20] = {9};
    for (unsigned i = 0; i < LSD_SOURCE_BURST; i++)
        hears(g, "192.168.1.2", 7000, none);
    hears(g, "192.168.1.2", 7000, g->m->hash_v1);
    assert_int_equal(known(g), 0);
    hears(g, "192.168.1.3", 7000, g->m->hash_v1); /* that is another's account */
    assert_int_equal(known(g), 1);
    rig_run(g, USEC_SEC);
    hears(g, "192.168.1.2", 7000, g->m->hash_v1);
    assert_int_equal(known(g), 2);
    rig_run(g, 10 * USEC_SEC);
    memcpy(m.hash[0], g->m->hash_v1, 20);
    for (unsigned i = 0; i < 2 * LSD_BURST; i++) { /* forged sources, all at once */
        char ip[32];
        snprintf(ip, sizeof ip, "10.0.%u.%u", i / 200, i % 200 + 1);
        put(g, &m, ip);
    }
    assert_int_equal(known(g), 2 + LSD_BURST);
    rig_free(g);
    free(ear);
}

/* ---- whole nodes, on links of their own ---- */

static bool both_complete(void *arg)
{
    struct item *const *it = arg;
    return it[0]->complete && it[1]->complete;
}

/* A seed and a leech at site a, a leech at site b, and nobody to ask but neighbours. */
static bool neighbours_finish(uint64_t seed, bool apart, bool off)
{
    static const struct site_config home = {.nat = NAT_PORT_RESTRICTED, .delay = 5 * USEC_MS};
    struct tube *t = tube_new(seed);
    uint8_t *content;
    struct manifest *m = tube_manifest(tube_rng(t), "x", &ONE, 1, 3, PIECE, &content);
    unsigned a = tube_site(t, &home), b = tube_site(t, &home);
    struct host_config c = {.up = 1000000, .down = 1000000, .delay = USEC_MS, .site = a};
    struct item *it[2];
    struct magnet k = {0};
    struct bits all;
    bits_init(&all, m->n_pieces);
    bits_fill(&all, true);
    magnet_from_manifest(&k, m);
    for (int i = 0; i < 2; i++) {
        c.no_lsd = i == 0 && off;
        c.site = i == 1 && apart ? b : a;
        struct node_task_config tc = {.have = &all};
        if (i == 0)
            tc.manifest = tube_copy(m);
        else
            tc.link = &k;
        goals_init(&tc.goals);
        tc.goals.stay = true;
        it[i] = host_add(tube_host(t, &c), &tc, i == 0 ? content : NULL);
    }
    bool done = tube_run(t, 30 * USEC_SEC, both_complete, it);
    if (done)
        assert_memory_equal(it[1]->disk, content, m->space);
    tube_free(t);
    magnet_fini(&k);
    bits_fini(&all);
    manifest_free(m);
    free(content);
    return done;
}

static void neighbours_meet(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++)
        assert_true(neighbours_finish(seed, false, false));
    assert_false(neighbours_finish(11, true, false));
    assert_false(neighbours_finish(12, false, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announces),
        cmocka_unit_test(silent_when_private_or_off),
        cmocka_unit_test(silent_when_gone),
        cmocka_unit_test(few_share_a_datagram),
        cmocka_unit_test(a_crowd_takes_its_time),
        cmocka_unit_test(believes_neighbours_only),
        cmocka_unit_test(believes_its_own_network),
        cmocka_unit_test(dials_a_neighbour),
        cmocka_unit_test(not_itself_nor_others),
        cmocka_unit_test(private_items_are_not_there),
        cmocka_unit_test(answers_newcomers),
        cmocka_unit_test(tells_a_new_link),
        cmocka_unit_test(one_host_has_few_ports),
        cmocka_unit_test(heeds_so_many),
        cmocka_unit_test(neighbours_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Peer exchange between whole nodes, and from strangers who tell too much, too often, or lies. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/proto/pex.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* The same item, but private. Takes m. */
static struct manifest *made_private(struct manifest *m)
{
    struct manifest *made = tube_private(m);
    assert_non_null(made);
    assert_true(made->private_flag);
    manifest_free(m);
    return made;
}

/* ---- three nodes in the tube: B and C know A, and nobody else ---- */

struct three {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *a, *b, *c;
    struct item *ia, *ib, *ic;
};

static struct item *joins(struct three *w, struct host *h, bool seeds, bool by_link)
{
    struct bits all;
    struct magnet k = {0};
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    magnet_from_manifest(&k, w->m);
    struct node_task_config tc = {.manifest = by_link ? NULL : tube_copy(w->m),
                                  .link = by_link ? &k : NULL,
                                  .have = seeds ? &all : NULL};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    struct item *it = host_add(h, &tc, seeds ? w->content : NULL);
    magnet_fini(&k);
    bits_fini(&all);
    return it;
}

static void meets(struct three *w, struct host *h, struct item *it, struct addr a)
{
    node_add_peer(host_node(h), it->task, &a, POOL_TRACKER, tube_now(w->t));
}

struct situation {
    bool private, no_pex_a, no_pex_b, v6, by_link;
};

static void begin(struct three *w, uint64_t seed, const struct situation *s)
{
    static const struct tube_file one = {NULL, 4000000};
    struct host_config slow = {.up = 20000, .down = 1000000, .delay = 10 * USEC_MS, .v6 = s->v6};
    struct host_config ca = slow, cb = slow;
    ca.no_pex = s->no_pex_a;
    cb.no_pex = s->no_pex_b;
    w->t = tube_new(seed);
    w->m = tube_manifest(tube_rng(w->t), "x", &one, 1, s->private ? 1 : 3, 16384, &w->content);
    if (s->private)
        w->m = made_private(w->m);
    w->a = tube_host(w->t, &ca);
    w->b = tube_host(w->t, &cb);
    w->c = tube_host(w->t, &slow);
    w->ia = joins(w, w->a, true, false);
    w->ib = joins(w, w->b, false, s->by_link);
    w->ic = joins(w, w->c, false, s->by_link);
    meets(w, w->b, w->ib, s->v6 ? host_addr6(w->a) : host_addr(w->a));
    meets(w, w->c, w->ic, s->v6 ? host_addr6(w->a) : host_addr(w->a));
}

static void end(struct three *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static unsigned peers_of(struct three *w, struct host *h, struct item *it)
{
    struct node_status s;
    assert_true(node_status(host_node(h), it->task, &s, tube_now(w->t)));
    return s.peers;
}

/* How many of the three see two others within a minute. */
static unsigned acquainted(uint64_t seed, struct situation s)
{
    struct three w;
    begin(&w, seed, &s);
    tube_run(w.t, 60 * USEC_SEC, NULL, NULL);
    unsigned n = (peers_of(&w, w.a, w.ia) == 2) + (peers_of(&w, w.b, w.ib) == 2) +
                 (peers_of(&w, w.c, w.ic) == 2);
    end(&w);
    return n;
}

static void strangers_meet(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        assert_int_equal(acquainted(seed, (struct situation){0}), 3);
        assert_int_equal(acquainted(seed, (struct situation){.v6 = true}), 3);
        assert_int_equal(acquainted(seed, (struct situation){.by_link = true}), 3);
    }
}

static void not_when_off(void **state)
{
    (void)state;
    assert_int_equal(acquainted(1, (struct situation){.private = true}), 1);
    assert_int_equal(acquainted(2, (struct situation){.no_pex_a = true}), 1);
    /* C hears of B, where nothing is heard. */
    assert_int_equal(acquainted(3, (struct situation){.no_pex_b = true}), 3);
}

/* ---- one node, and peers that a test speaks for ---- */

#define PIECE 65536u
static const struct tube_file ONE = {NULL, 40 * PIECE + 12345};
#define THEIR_ID 77 /* of ut_pex, as the raw peers say */

struct ear { /* what a raw peer was told */
    unsigned messages;
    usec at;
    struct pex_msg last;
};

static void listens(struct raw *r, const struct wire_msg *m)
{
    struct ear *ear = r->arg;
    if (m->type != WIRE_EXTENDED || m->ext_id != THEIR_ID)
        return;
    assert_int_equal(pex_parse(&ear->last, m->body, NULL), 0);
    ear->messages++;
    ear->at = r->rig->now;
}

static void greets(struct raw *r, uint16_t port, bool pex)
{
    struct buf body = {0}, b = {0};
    buf_put_str(&body, pex ? "d1:md6:ut_pexi77ee" : "d1:mde");
    if (port)
        buf_putf(&body, "1:pi%ue", (unsigned)port);
    buf_put_str(&body, "e");
    wire_put_extended(&b, EXT_HANDSHAKE, buf_bytes(&body));
    buf_fini(&body);
    raw_send(r, &b);
}

/* Comes from outside and says where it listens (0: nowhere), and that it speaks PEX or not. */
static struct raw *comes(struct rig *g, const char *ip, uint16_t port, struct ear *ear)
{
    struct raw *r = raw_new(g, 1);
    assert_true(addr_parse_ip(&r->addr, ip, 7000));
    r->act = ear ? listens : NULL;
    r->arg = ear;
    assert_true(raw_comes(r));
    raw_handshake(r, true, true, true);
    greets(r, port, ear != NULL);
    return r;
}

static struct rig *seeding(uint64_t seed, const struct node_config *c)
{
    struct rig *g = rig_new(seed, c);
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_seed(g);
    return g;
}

static struct rig *leeching(uint64_t seed, const struct node_config *c)
{
    struct rig *g = rig_new(seed, c);
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_leech(g);
    return g;
}

static bool added(const struct ear *ear, const char *text, uint8_t *flags)
{
    struct addr a;
    assert_true(addr_parse(&a, text));
    for (size_t i = 0; i < ear->last.n_added; i++)
        if (addr_eq(&ear->last.added[i].addr, &a)) {
            *flags = ear->last.added[i].flags;
            return true;
        }
    return false;
}

static bool dropped(const struct ear *ear, const char *text)
{
    struct addr a;
    assert_true(addr_parse(&a, text));
    for (size_t i = 0; i < ear->last.n_dropped; i++)
        if (addr_eq(&ear->last.dropped[i], &a))
            return true;
    return false;
}

static void tells_changes_each_minute(void **state)
{
    (void)state;
    struct rig *g = seeding(1, NULL);
    struct ear ear = {0};
    uint8_t flags;
    comes(g, "20.0.0.1", 7000, &ear);
    rig_run(g, 10 * USEC_SEC);
    assert_int_equal(ear.messages, 0); /* nobody else is there */
    struct raw *b = comes(g, "20.0.0.2", 7001, NULL);
    comes(g, "20.0.0.3", 0, NULL);  /* says not where it listens */
    comes(g, "20.0.0.4", 22, NULL); /* where nobody would dial it */
    rig_run(g, 10 * USEC_SEC);
    assert_int_equal(ear.messages, 1);
    assert_int_equal(ear.last.n_added, 1);
    assert_true(added(&ear, "20.0.0.2:7001", &flags));
    assert_int_equal(flags, 0);
    assert_int_equal(ear.last.n_dropped, 0);
    usec first = ear.at;
    /* Coming and going within the minute is not worth a word. */
    struct raw *d = comes(g, "20.0.0.5", 7005, NULL);
    rig_run(g, USEC_SEC);
    raw_leaves(d);
    raw_leaves(b);
    struct raw *e = comes(g, "20.0.0.6", 443, NULL);
    raw_simple(e, WIRE_HAVE_NONE);
    rig_run(g, 45 * USEC_SEC);
    assert_int_equal(ear.messages, 1);
    rig_run(g, 20 * USEC_SEC);
    assert_int_equal(ear.messages, 2);
    assert_true(ear.at - first >= PEX_EVERY);
    assert_int_equal(ear.last.n_added, 1);
    assert_true(added(&ear, "20.0.0.6:443", &flags));
    assert_int_equal(ear.last.n_dropped, 1);
    assert_true(dropped(&ear, "20.0.0.2:7001"));
    /* Who comes back is told of again; nothing is said when nothing has changed. */
    comes(g, "20.0.0.2", 7001, NULL);
    rig_run(g, 80 * USEC_SEC);
    assert_int_equal(ear.messages, 3);
    assert_true(added(&ear, "20.0.0.2:7001", &flags));
    rig_free(g);
}

/* Whom we dialled can be reached; who has all is a seed. */
static void tells_flags(void **state)
{
    (void)state;
    struct rig *g = leeching(2, NULL);
    struct ear ear = {0};
    uint8_t flags = 0xff;
    struct raw *dialled = raw_new(g, 9);
    raw_waits(dialled);
    rig_run(g, USEC_SEC);
    raw_handshake(dialled, true, true, true);
    raw_simple(dialled, WIRE_HAVE_ALL);
    comes(g, "20.0.0.1", 7000, &ear);
    rig_run(g, 10 * USEC_SEC);
    assert_int_equal(ear.messages, 1);
    assert_true(added(&ear, "20.0.0.9:7000", &flags));
    assert_int_equal(flags, PEX_SEED | PEX_OUTGOING);
    rig_free(g);
}

/* More than fit come with the next messages; the first is no exception. */
static void tells_fifty_at_a_time(void **state)
{
    (void)state;
    enum { CROWD = 120 };
    struct rig *g = seeding(3, NULL);
    struct ear ear = {0};
    struct raw *all[CROWD];
    for (unsigned i = 0; i < CROWD; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "20.1.%u.1", i);
        all[i] = comes(g, ip, 7000, NULL);
    }
    struct raw *r = comes(g, "20.0.0.1", 7000, &ear);
    static const size_t want[] = {50, 50, 20};
    for (unsigned i = 0; i < 3; i++) {
        rig_run(g, i == 0 ? 5 * USEC_SEC : PEX_EVERY);
        assert_int_equal(ear.messages, i + 1);
        assert_int_equal(ear.last.n_added, want[i]);
        for (unsigned k = 0; k < CROWD; k++) /* they keep the line open */
            raw_bytes(all[k], "\0\0\0", 4);
    }
    for (unsigned i = 0; i < CROWD; i++)
        raw_leaves(all[i]);
    for (unsigned i = 0; i < 3; i++) {
        raw_bytes(r, "\0\0\0", 4);
        rig_run(g, PEX_EVERY);
        assert_int_equal(ear.messages, 4 + i);
        assert_int_equal(ear.last.n_dropped, want[i]);
        assert_int_equal(ear.last.n_added, 0);
    }
    rig_free(g);
}

/* Seeds part from each other, and are told of to those who want something, once. */
static void seeds_that_parted(void **state)
{
    (void)state;
    enum { SEEDS = PEX_FEW + 5 };
    struct rig *g = seeding(16, NULL);
    struct ear ear = {0}, later = {0};
    uint8_t flags = 0;
    for (unsigned i = 0; i < SEEDS; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "20.1.%u.1", i);
        struct raw *r = comes(g, ip, 7000, NULL);
        raw_simple(r, WIRE_HAVE_ALL);
        assert_true(r->closed);
    }
    comes(g, "20.0.0.1", 7000, &ear);
    rig_run(g, 5 * USEC_SEC);
    assert_int_equal(ear.messages, 1);
    assert_int_equal(ear.last.n_added, PEX_FEW);
    assert_false(added(&ear, "20.1.4.1:7000", &flags)); /* the latest */
    assert_true(added(&ear, "20.1.5.1:7000", &flags));
    assert_int_equal(flags, PEX_SEED);
    rig_run(g, PEX_EVERY);
    assert_int_equal(ear.messages, 2);
    assert_int_equal(ear.last.n_added, 0);
    assert_int_equal(ear.last.n_dropped, PEX_FEW);
    rig_run(g, PEX_EVERY);
    assert_int_equal(ear.messages, 2);
    /* With enough who are there none of those is told of; nor is one that left by itself. */
    for (unsigned i = 0; i < PEX_FEW; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "20.2.%u.1", i);
        comes(g, ip, 7000, NULL);
    }
    raw_leaves(comes(g, "20.3.1.1", 7000, NULL));
    comes(g, "20.0.0.2", 7000, &later);
    rig_run(g, 5 * USEC_SEC);
    assert_int_equal(later.messages, 1);
    assert_int_equal(later.last.n_added, PEX_FEW + 1); /* and who came first */
    assert_false(added(&later, "20.1.5.1:7000", &flags));
    assert_false(added(&later, "20.3.1.1:7000", &flags));
    rig_free(g);
}

/* Who is told of whom. */
static void private_addresses_stay_at_home(void **state)
{
    (void)state;
    static const char *const ip[] = {"20.0.0.1",    "192.168.1.2", "127.0.0.1",
                                     "169.254.3.4", "2a01::5",     "fd00::6"};
    static const char *const told[] = {"20.0.0.1:7000",    "192.168.1.2:7001", "127.0.0.1:7002",
                                       "169.254.3.4:7003", "[2a01::5]:7004",   "[fd00::6]:7005"};
    static const bool hears[6][6] = {
        {0, 0, 0, 0, 1, 0}, {1, 0, 0, 0, 1, 1}, {1, 1, 0, 0, 1, 1},
        {1, 1, 0, 0, 1, 1}, {1, 0, 0, 0, 0, 0}, {1, 1, 0, 0, 1, 0},
    };
    struct rig *g = seeding(4, NULL);
    struct ear ear[6] = {{0}};
    uint8_t flags;
    for (unsigned i = 0; i < 6; i++)
        comes(g, ip[i], (uint16_t)(7000 + i), &ear[i]);
    rig_run(g, 10 * USEC_SEC);
    for (unsigned i = 0; i < 6; i++)
        for (unsigned k = 0; k < 6; k++)
            if (added(&ear[i], told[k], &flags) != hears[i][k])
                fail_msg("%s and %s", ip[i], told[k]);
    rig_free(g);
}

static void says(struct raw *r, const struct pex_msg *m)
{
    struct buf body = {0}, b = {0};
    pex_put(&body, m);
    wire_put_extended(&b, EXT_PEX, buf_bytes(&body)); /* the node's id */
    buf_fini(&body);
    raw_send(r, &b);
}

/* n addresses of the public net: a.b.c.0 counted up, one port. */
static struct pex_msg crowd(unsigned net, unsigned from, unsigned n)
{
    struct pex_msg m = {.n_added = n};
    for (unsigned i = 0; i < n; i++)
        m.added[i].addr =
            (struct addr){.family = 4,
                          .port = 6881,
                          .ip = {(uint8_t)net, (uint8_t)((from + i) >> 8), (uint8_t)(from + i), 7}};
    return m;
}

static unsigned known(struct rig *g)
{
    struct node_status s;
    assert_true(node_status(g->n, g->task, &s, g->now));
    return s.known;
}

static void hears_once_a_minute(void **state)
{
    (void)state;
    struct rig *g = leeching(5, NULL);
    struct raw *r = comes(g, "20.0.0.1", 0, NULL);
    struct pex_msg m = crowd(30, 0, 50);
    says(r, &m);
    assert_int_equal(known(g), 50);
    m = crowd(31, 0, 10);
    says(r, &m);
    assert_int_equal(known(g), 50);
    rig_run(g, PEX_TOLERATED - USEC_SEC);
    says(r, &m);
    assert_int_equal(known(g), 50);
    rig_run(g, 2 * USEC_SEC); /* since the last one that counted */
    says(r, &m);
    assert_int_equal(known(g), 60);
    assert_false(r->closed);
    rig_free(g);
}

static void flood_ends_the_connection(void **state)
{
    (void)state;
    struct rig *g = leeching(6, NULL);
    struct raw *r = comes(g, "20.0.0.1", 0, NULL);
    struct pex_msg m = crowd(30, 0, 1);
    for (unsigned i = 0; i <= PEX_MAX_EARLY; i++)
        says(r, &m);
    assert_false(r->closed);
    says(r, &m);
    assert_true(r->closed);
    /* Connecting anew gives no new minute: four messages from there, and no more. */
    for (unsigned i = 0; i < 6; i++) {
        struct raw *again = comes(g, "20.0.0.1", 0, NULL);
        m = crowd(40 + i, 0, 10);
        says(again, &m);
        assert_int_equal(known(g), 1 + 10 * (i < 3 ? i + 1 : 3));
        raw_leaves(again);
    }
    rig_free(g);
}

/* As much is believed of one peer as its word is worth until it is proved. */
static void one_word_is_not_the_pool(void **state)
{
    (void)state;
    struct rig *g = leeching(7, NULL);
    struct raw *r = comes(g, "20.0.0.1", 0, NULL);
    for (unsigned i = 0; i < 20; i++) { /* all of them fail when dialled, some are given up */
        struct pex_msg m = crowd(30, 50 * i, 50);
        says(r, &m);
        assert_true(known(g) <= PEX_MAX_HEARD);
        if (i >= 3 && i < 10)
            assert_int_equal(known(g), PEX_MAX_HEARD);
        rig_run(g, PEX_EVERY);
    }
    assert_false(r->closed);
    struct raw *other = comes(g, "20.0.0.2", 0, NULL); /* its word is its own */
    struct pex_msg m = crowd(60, 0, 50);
    unsigned before = known(g);
    says(other, &m);
    assert_int_equal(known(g), before + 50);
    rig_free(g);
}

static void one_host_has_one_port(void **state)
{
    (void)state;
    struct rig *g = leeching(8, NULL);
    struct raw *r = comes(g, "20.0.0.1", 0, NULL);
    struct pex_msg m = crowd(30, 0, 1);
    for (unsigned i = 0; i < 5; i++) {
        m.added[0].addr.port = (uint16_t)(6881 + i);
        says(r, &m);
        assert_int_equal(known(g), 1);
        rig_run(g, PEX_EVERY);
    }
    rig_free(g);
}

/* A stranger does not send us into our own network, nor to services of others. */
static void addresses_that_are_not_believed(void **state)
{
    (void)state;
    static const char *const bad[] = {"127.0.0.1:6881",   "192.168.1.1:6881", "10.0.0.1:80",
                                      "169.254.1.1:6881", "[fd00::1]:6881",   "[fe80::1]:6881",
                                      "[::1]:6881",       "224.0.0.1:6881",   "30.0.0.1:25"};
    struct rig *g = leeching(9, NULL);
    struct raw *r = comes(g, "20.0.0.1", 0, NULL);
    struct pex_msg m = {.n_added = sizeof bad / sizeof *bad};
    for (size_t i = 0; i < m.n_added; i++)
        assert_true(addr_parse(&m.added[i].addr, bad[i]));
    says(r, &m);
    assert_int_equal(known(g), 0);
    struct raw *home = comes(g, "192.168.1.5", 0, NULL);
    says(home, &m);
    assert_int_equal(known(g), 3); /* the private ones */
    rig_free(g);
}

/* Not a seed because somebody says so, if we know it already; else not dialled by a seed. */
static void seeds_are_not_for_seeds(void **state)
{
    (void)state;
    struct rig *g = seeding(10, NULL);
    struct raw *leech = raw_new(g, 9);
    raw_waits(leech);
    assert_int_equal(leech->dials, 1);
    raw_leaves(leech);
    struct raw *r = comes(g, "20.0.0.1", 0, NULL);
    struct pex_msg m = crowd(30, 0, 2);
    m.added[0].flags = PEX_SEED;
    m.added[1].addr = leech->addr;
    m.added[1].flags = PEX_SEED;
    unsigned before = known(g);
    says(r, &m);
    assert_int_equal(known(g), before);
    rig_run(g, 60 * USEC_SEC);
    assert_true(leech->dials > 1);
    rig_free(g);
}

static void malformed_ends_the_connection(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "le", "d5:added5:abcdee", "d5:added6:abcdef", "i1e"};
    struct rig *g = leeching(11, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct raw *r = raw_friend(g, (unsigned)(50 + i));
        struct buf b = {0};
        wire_put_extended(&b, EXT_PEX, bytes_str(bad[i]));
        raw_send(r, &b);
        assert_true(r->closed);
    }
    rig_free(g);
}

/* Private, or switched off: neither said in the handshake, nor told, nor heeded. */
static void silent(struct rig *g)
{
    struct ear ear = {0};
    struct raw *r = comes(g, "20.0.0.1", 7000, &ear);
    comes(g, "20.0.0.2", 7000, NULL);
    struct pex_msg m = crowd(30, 0, 50);
    says(r, &m);
    for (unsigned i = 0; i < 20; i++)
        says(r, &m);
    rig_run(g, 120 * USEC_SEC);
    assert_false(r->hello.has_m[EXT_PEX]);
    assert_false(r->closed);
    assert_int_equal(ear.messages, 0);
    assert_true(known(g) <= 2);
    rig_free(g);
}

static void private_and_off(void **state)
{
    (void)state;
    struct node_config off = {.port = 6881, .client = "x", .no_pex = true};
    struct rig *g = rig_new(12, NULL);
    rig_content(g, &ONE, 1, 1, PIECE);
    g->m = made_private(g->m);
    rig_leech(g);
    silent(g);
    silent(leeching(13, &off));
}

/* Before its manifest is here an item may be private: we listen, and tell nobody. */
static void says_nothing_of_the_unknown(void **state)
{
    (void)state;
    struct rig *g = rig_new(14, NULL);
    struct ear ear = {0};
    rig_content(g, &ONE, 1, 3, PIECE);
    rig_link(g, true, true);
    struct raw *r = comes(g, "20.0.0.1", 7000, &ear);
    comes(g, "20.0.0.2", 7000, NULL);
    struct pex_msg m = crowd(30, 0, 5);
    says(r, &m);
    assert_true(r->hello.has_m[EXT_PEX]);
    assert_true(known(g) >= 5);
    rig_run(g, 30 * USEC_SEC);
    assert_int_equal(ear.messages, 0);
    raw_acting(g, 7, raw_serves);
    assert_true(rig_until(g, &g->metadata, 60 * USEC_SEC));
    rig_run(g, 15 * USEC_SEC);
    assert_int_equal(ear.messages, 1);
    rig_free(g);
}

/* A link whose item turns out to be private: from then on nothing. */
static void private_by_link(void **state)
{
    (void)state;
    struct rig *g = rig_new(15, NULL);
    struct ear ear = {0};
    rig_content(g, &ONE, 1, 1, PIECE);
    g->m = made_private(g->m);
    rig_link(g, true, false);
    struct raw *served = raw_new(g, 7);
    served->act = raw_serves;
    raw_waits(served); /* the tracker's */
    assert_true(rig_until(g, &g->metadata, 60 * USEC_SEC));
    rig_run(g, USEC_SEC);
    struct raw *r = comes(g, "20.0.0.1", 7000, &ear);
    comes(g, "20.0.0.2", 7000, NULL);
    unsigned before = known(g);
    struct pex_msg m = crowd(30, 0, 5);
    says(r, &m);
    assert_false(r->closed);
    assert_false(r->hello.has_m[EXT_PEX]);
    assert_int_equal(known(g), before);
    rig_run(g, 80 * USEC_SEC);
    assert_int_equal(ear.messages, 0);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_meet),
        cmocka_unit_test(not_when_off),
        cmocka_unit_test(tells_changes_each_minute),
        cmocka_unit_test(tells_flags),
        cmocka_unit_test(tells_fifty_at_a_time),
        cmocka_unit_test(seeds_that_parted),
        cmocka_unit_test(private_addresses_stay_at_home),
        cmocka_unit_test(hears_once_a_minute),
        cmocka_unit_test(flood_ends_the_connection),
        cmocka_unit_test(one_word_is_not_the_pool),
        cmocka_unit_test(one_host_has_one_port),
        cmocka_unit_test(addresses_that_are_not_believed),
        cmocka_unit_test(seeds_are_not_for_seeds),
        cmocka_unit_test(malformed_ends_the_connection),
        cmocka_unit_test(private_and_off),
        cmocka_unit_test(says_nothing_of_the_unknown),
        cmocka_unit_test(private_by_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

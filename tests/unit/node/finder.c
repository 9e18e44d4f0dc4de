/* Nodes find each other by the DHT alone. */
#include "../../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>

#define FAST .up = 10000000, .down = 10000000, .delay = 20 * USEC_MS
#define ON FAST, .udp = true, .dht = true

struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *first; /* everybody's bootstrap host */
};

static void begin_with(struct world *w, uint64_t seed, int format, const struct host_config *first)
{
    static const struct tube_file one = {NULL, 300001};
    *w = (struct world){.t = tube_new(seed)};
    w->m = tube_manifest(tube_rng(w->t), "thing", &one, 1, format, 32768, &w->content);
    w->first = tube_host(w->t, first);
    host_turn(w->first);
}

static void begin(struct world *w, uint64_t seed, int format)
{
    begin_with(w, seed, format, &(struct host_config){ON});
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

/* With its clock running from the start, item or none. */
static struct host *host(struct world *w, const struct host_config *c)
{
    struct host *h = tube_host(w->t, c);
    host_turn(h);
    return h;
}

static void names_bootstrap(struct world *w, struct host *h, const char *name)
{
    node_add_bootstrap(host_node(h), name, tube_now(w->t));
    host_turn(h);
}

static void point_at(struct world *w, struct host *h, const struct host *to)
{
    char a[ADDR_TEXT];
    struct addr at = host_addr(to);
    addr_text(&at, a);
    names_bootstrap(w, h, a);
}

static struct host *joins(struct world *w, const struct host_config *c)
{
    struct host *h = host(w, c);
    point_at(w, h, w->first);
    return h;
}

static struct item *adds(struct world *w, struct host *h, struct manifest *m, bool here)
{
    struct bits all;
    bits_init(&all, m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config c = {.manifest = m, .have = here ? &all : NULL};
    goals_init(&c.goals);
    c.goals.stay = true;
    struct item *it = host_add(h, &c, here ? w->content : NULL);
    bits_fini(&all);
    return it;
}

static struct item *seeds(struct world *w, struct host *h)
{
    return adds(w, h, tube_copy(w->m), true);
}

static struct item *asks(struct world *w, struct host *h, bool drop_v1, bool survey)
{
    struct magnet k = {0};
    magnet_from_manifest(&k, w->m);
    k.has_v1 &= !drop_v1;
    struct node_task_config c = {.link = &k, .survey = survey};
    goals_init(&c.goals);
    c.goals.stay = true;
    struct item *it = host_add(h, &c, NULL);
    magnet_fini(&k);
    return it;
}

static struct item *leeches(struct world *w, struct host *h)
{
    return asks(w, h, false, false);
}

static bool is_over(void *arg)
{
    const struct item *it = arg;
    return it->complete || it->failed || it->ended;
}

static void wait(struct world *w, usec time)
{
    tube_run(w->t, time, NULL, NULL);
}

static struct dht_status dht_of(struct world *w, struct host *h)
{
    struct dht_status s;
    dht_status(node_dht(host_node(h)), &s, tube_now(w->t));
    return s;
}

static struct node_status status(struct world *w, struct host *h, const struct item *it)
{
    struct node_status s;
    assert_true(node_status(host_node(h), it->task, &s, tube_now(w->t)));
    return s;
}

static void completes(struct world *w, struct item *it, usec within)
{
    assert_true(tube_run(w->t, within, is_over, it));
    assert_true(it->complete);
    assert_memory_equal(it->disk, w->content, w->m->space);
}

/* ---- finding ---- */

static void by_hash(uint64_t seed, int format, bool drop_v1)
{
    struct world w;
    begin(&w, seed, format);
    seeds(&w, joins(&w, &(struct host_config){ON}));
    wait(&w, 10 * USEC_SEC);
    struct host *b = joins(&w, &(struct host_config){ON, .dht_read_only = true});
    completes(&w, asks(&w, b, drop_v1, false), 5 * USEC_SEC);
    assert_true(dht_of(&w, w.first).peers > 0);
    end(&w);
}

static void finds_by_hash_alone(void **state)
{
    (void)state;
    by_hash(1, 1, false);
    by_hash(2, 2, false);
    by_hash(3, 3, false);
    by_hash(4, 3, true);
}

/* One datagram in four is lost on its way, and answers too. */
static void on_a_bad_line(void **state)
{
    (void)state;
    for (uint64_t seed = 50; seed < 60; seed++) {
        struct world w;
        begin(&w, seed, 1);
        for (int i = 0; i < 20; i++)
            joins(&w, &(struct host_config){ON});
        seeds(&w, joins(&w, &(struct host_config){ON, .loss = 0.25}));
        wait(&w, USEC_MIN);
        struct host *b = joins(&w, &(struct host_config){ON, .loss = 0.25});
        completes(&w, leeches(&w, b), USEC_MIN);
        end(&w);
    }
}

/* A client of v1 and one of v2 do not see each other; who has the hybrid is in both swarms. */
static void announces_both_hashes(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 5, 3);
    seeds(&w, joins(&w, &(struct host_config){ON}));
    wait(&w, 20 * USEC_SEC);
    assert_int_equal(dht_of(&w, w.first).torrents, 2);
    end(&w);
}

static void only_ipv6(void **state)
{
    struct world w;
    (void)state;
    begin_with(&w, 6, 3, &(struct host_config){ON, .v6 = true, .no_v4 = true});
    struct host *a = joins(&w, &(struct host_config){ON, .v6 = true, .no_v4 = true});
    seeds(&w, a);
    wait(&w, 10 * USEC_SEC);
    assert_true(dht_of(&w, a).v6.joined);
    assert_false(dht_of(&w, a).v4.on);
    struct host *b = joins(&w, &(struct host_config){ON, .v6 = true, .no_v4 = true});
    completes(&w, leeches(&w, b), 10 * USEC_SEC);
    end(&w);
}

/* Its IPv4 works at once and IPv6 half a minute later: those who have only IPv6 find it then. */
static void a_family_that_comes_late(void **state)
{
    struct world w;
    char a6[ADDR_TEXT];
    (void)state;
    begin_with(&w, 7, 1, &(struct host_config){ON, .v6 = true});
    struct addr at6 = host_addr6(w.first);
    addr_text(&at6, a6);
    struct host *a = joins(&w, &(struct host_config){ON, .v6 = true});
    seeds(&w, a);
    struct host *b = host(&w, &(struct host_config){ON, .v6 = true, .no_v4 = true});
    names_bootstrap(&w, b, a6);
    wait(&w, 30 * USEC_SEC);
    node_add_dht_node(host_node(a), a6, tube_now(w.t));
    host_turn(a);
    completes(&w, leeches(&w, b), 60 * USEC_SEC);
    end(&w);
}

static void same_seed_same_trace(void **state)
{
    usec at[2];
    uint64_t bytes[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world w;
        begin(&w, 8, 3);
        seeds(&w, joins(&w, &(struct host_config){ON}));
        struct item *it = leeches(&w, joins(&w, &(struct host_config){ON}));
        completes(&w, it, 60 * USEC_SEC);
        at[i] = it->complete_at;
        bytes[i] = tube_datagrams(w.t).bytes;
        end(&w);
    }
    assert_int_equal(at[0], at[1]);
    assert_int_equal(bytes[0], bytes[1]);
}

/* ---- announcing ---- */

static void completed_is_announced_as_seed(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 10, 1);
    seeds(&w, joins(&w, &(struct host_config){ON}));
    struct item *it = leeches(&w, joins(&w, &(struct host_config){ON}));
    completes(&w, it, 30 * USEC_SEC);
    wait(&w, 10 * USEC_SEC);
    struct host *c = joins(&w, &(struct host_config){ON});
    struct item *q = asks(&w, c, false, true);
    assert_true(tube_run(w.t, 20 * USEC_SEC, is_over, q));
    assert_int_equal(q->code, 0);
    struct node_status s = status(&w, c, q);
    assert_int_equal(s.tracker_seeds, 2);
    assert_int_equal(s.tracker_peers, 0);
    end(&w);
}

static void survey_counts_those_who_fetch(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 11, 1);
    leeches(&w, joins(&w, &(struct host_config){ON}));
    leeches(&w, joins(&w, &(struct host_config){ON}));
    wait(&w, 20 * USEC_SEC);
    struct host *c = joins(&w, &(struct host_config){ON, .dht_read_only = true});
    struct item *q = asks(&w, c, false, true);
    assert_true(tube_run(w.t, 20 * USEC_SEC, is_over, q));
    struct node_status s = status(&w, c, q);
    assert_int_equal(s.tracker_seeds, 0);
    assert_int_equal(s.tracker_peers, 2);
    assert_int_equal(s.known, 0);
    end(&w);
}

static void survey_without_anybody_ends(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 12, 1);
    struct host *dead = host(&w, &(struct host_config){FAST}), *a, *b;
    a = host(&w, &(struct host_config){ON});
    b = host(&w, &(struct host_config){ON});
    point_at(&w, a, dead);
    struct item *q = asks(&w, a, false, true), *r = asks(&w, b, false, true);
    assert_true(tube_run(w.t, USEC_SEC, is_over, r));
    assert_int_equal(r->code, ERR_NOTFOUND);
    assert_false(q->ended);
    assert_true(tube_run(w.t, 15 * USEC_SEC, is_over, q));
    assert_int_equal(q->code, ERR_NOTFOUND);
    assert_int_equal(status(&w, a, q).tracker_peers, -1);
    end(&w);
}

static void read_only_does_not_announce(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 13, 1);
    seeds(&w, joins(&w, &(struct host_config){ON, .dht_read_only = true}));
    wait(&w, 30 * USEC_SEC);
    assert_int_equal(dht_of(&w, w.first).peers, 0);
    assert_true(dht_of(&w, w.first).queries > 0);
    end(&w);
}

static void note_ports(struct host *h, const struct dht_event *e, void *arg)
{
    uint16_t *port = arg;
    (void)h;
    for (size_t i = 0; e->type == DHT_PEERS && i < e->n_peers; i++)
        port[e->peers[i].family == 6] = e->peers[i].port;
}

/* The router gave a port for IPv4; by IPv6 we are reached as we are. */
static void each_family_its_port(void **state)
{
    struct world w;
    uint16_t port[2] = {0};
    (void)state;
    begin_with(&w, 15, 1, &(struct host_config){ON, .v6 = true});
    struct host *a = host(&w, &(struct host_config){ON, .v6 = true});
    struct host *c = host(&w, &(struct host_config){ON, .v6 = true});
    names_bootstrap(&w, a, "h0.test:6881");
    names_bootstrap(&w, c, "h0.test:6881");
    struct addr mapped = host_addr(a);
    mapped.port = 40001;
    node_mapped(host_node(a), &mapped, tube_now(w.t));
    seeds(&w, a);
    wait(&w, 30 * USEC_SEC);
    struct dht_search s = {.noseed = false};
    memcpy(s.info_hash, w.m->hash_v1, sizeof s.info_hash);
    tube_on_dht(w.t, note_ports, port);
    assert_true(dht_find_peers(node_dht(host_node(c)), &s, tube_now(w.t)) != 0);
    host_turn(c);
    wait(&w, 10 * USEC_SEC);
    assert_int_equal(port[0], 40001);
    assert_int_equal(port[1], 6881);
    end(&w);
}

/* What is stored expires after half an hour. */
static void announces_again(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 14, 1);
    struct host *a = joins(&w, &(struct host_config){ON});
    seeds(&w, a);
    for (int minutes = 0; minutes < 100; minutes += 10) {
        wait(&w, 10 * USEC_MIN);
        assert_int_equal(dht_of(&w, w.first).peers, 1);
    }
    completes(&w, leeches(&w, joins(&w, &(struct host_config){ON})), 10 * USEC_SEC);
    end(&w);
}

/* ---- joining ---- */

static void bootstrap_by_name(void **state)
{
    struct world w;
    char name[40];
    (void)state;
    begin(&w, 20, 1);
    seeds(&w, joins(&w, &(struct host_config){ON}));
    struct host *b = host(&w, &(struct host_config){ON});
    snprintf(name, sizeof name, "h%u.test:6881", host_number(w.first));
    names_bootstrap(&w, b, "nowhere.invalid:6881");
    names_bootstrap(&w, b, name);
    completes(&w, leeches(&w, b), 30 * USEC_SEC);
    end(&w);
}

/* The name leads nowhere at first, as when the line is down. */
static void bootstrap_is_asked_again(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 21, 1);
    struct host *b = host(&w, &(struct host_config){ON});
    char name[40];
    snprintf(name, sizeof name, "h%u.test:6881", host_number(b) + 1);
    names_bootstrap(&w, b, name);
    wait(&w, 8 * USEC_SEC);
    assert_false(dht_of(&w, b).v4.joined);
    struct host *c = host(&w, &(struct host_config){ON});
    assert_int_equal(host_number(c), host_number(b) + 1);
    wait(&w, 40 * USEC_SEC);
    assert_true(dht_of(&w, b).v4.joined);
    end(&w);
}

static void nodes_of_the_manifest_and_the_link(void **state)
{
    struct world w;
    char at[ADDR_TEXT];
    (void)state;
    begin(&w, 22, 1);
    seeds(&w, joins(&w, &(struct host_config){ON}));
    wait(&w, 10 * USEC_SEC);
    for (int by_name = 0; by_name < 2; by_name++) {
        struct manifest *m = tube_copy(w.m);
        struct addr a = host_addr(w.first);
        addr_text(&a, at);
        if (by_name)
            snprintf(at, sizeof at, "h%u.test:6881", host_number(w.first));
        manifest_add_node(m, at);
        struct host *b = host(&w, &(struct host_config){ON});
        completes(&w, adds(&w, b, m, false), 10 * USEC_SEC);
        b = host(&w, &(struct host_config){ON});
        struct magnet k = {.has_v1 = true};
        memcpy(k.hash_v1, w.m->hash_v1, SHA1_LEN);
        magnet_list_add(&k.nodes, &k.n_nodes, at);
        struct node_task_config c = {.link = &k};
        goals_init(&c.goals);
        c.goals.stay = true;
        struct item *it = host_add(b, &c, NULL);
        completes(&w, it, 10 * USEC_SEC);
        magnet_fini(&k);
    }
    end(&w);
}

/* Two who met over TCP, one of them with a DHT behind it: the other is in it from then on. */
static void peers_say_port(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 23, 1);
    struct host *a = joins(&w, &(struct host_config){ON});
    struct host *b = host(&w, &(struct host_config){ON});
    struct addr at = host_addr(a);
    seeds(&w, a);
    wait(&w, 5 * USEC_SEC);
    struct item *it = leeches(&w, b);
    assert_false(dht_of(&w, b).v4.joined);
    node_add_peer(host_node(b), it->task, &at, POOL_USER, tube_now(w.t));
    host_turn(b);
    wait(&w, 5 * USEC_SEC);
    assert_true(dht_of(&w, b).v4.joined);
    assert_true(dht_of(&w, b).v4.good >= 2); /* a, and by it the first */
    end(&w);
}

/* While remembered nodes answer, bootstrap hosts are left alone. */
static void bootstrap_comes_last(void **state)
{
    struct world w;
    struct buf memory = {0};
    struct err e = {0};
    (void)state;
    begin(&w, 24, 1);
    struct host *a = joins(&w, &(struct host_config){ON});
    wait(&w, 30 * USEC_SEC);
    struct host *aside = host(&w, &(struct host_config){ON});
    struct host *b = host(&w, &(struct host_config){ON});
    dht_save(node_dht(host_node(a)), &memory, tube_now(w.t));
    assert_int_equal(dht_load(node_dht(host_node(b)), buf_bytes(&memory), false, tube_now(w.t), &e),
                     0);
    node_dht_turn(host_node(b), tube_now(w.t));
    point_at(&w, b, aside);
    wait(&w, 5 * USEC_MIN);
    assert_true(dht_of(&w, b).v4.joined);
    assert_int_equal(dht_of(&w, aside).queries, 0);
    struct host *c = host(&w, &(struct host_config){ON});
    point_at(&w, c, aside);
    wait(&w, USEC_SEC);
    assert_true(dht_of(&w, aside).queries > 0); /* it knew nobody else: at once */
    buf_fini(&memory);
    end(&w);
}

static void remembered_ones_are_dead(void **state)
{
    struct world w;
    struct buf memory = {0};
    struct err e = {0};
    (void)state;
    begin(&w, 25, 1);
    struct host *a = joins(&w, &(struct host_config){ON});
    struct host *aside = host(&w, &(struct host_config){ON});
    wait(&w, 30 * USEC_SEC);
    dht_save(node_dht(host_node(a)), &memory, tube_now(w.t));
    host_kill(a);
    host_kill(w.first);
    struct host *b = host(&w, &(struct host_config){ON});
    dht_load(node_dht(host_node(b)), buf_bytes(&memory), false, tube_now(w.t), &e);
    point_at(&w, b, aside);
    wait(&w, USEC_SEC);
    assert_int_equal(dht_of(&w, aside).queries, 0);
    wait(&w, 4 * USEC_SEC);
    assert_true(dht_of(&w, b).v4.joined);
    buf_fini(&memory);
    end(&w);
}

/* ---- nobody there ---- */

static usec exhausted_after(struct world *w, struct host *h, const struct item *it)
{
    usec begun = tube_now(w->t);
    while (!status(w, h, it).sources_exhausted && tube_now(w->t) - begun < USEC_MIN)
        wait(w, 100 * USEC_MS);
    return tube_now(w->t) - begun;
}

static void exhausted(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 30, 1);
    struct host *dead = host(&w, &(struct host_config){FAST});
    struct host *a = host(&w, &(struct host_config){ON});
    assert_true(exhausted_after(&w, a, leeches(&w, a)) < USEC_SEC); /* nobody to ask */
    struct host *b = host(&w, &(struct host_config){ON});
    point_at(&w, b, dead);
    assert_in_range(exhausted_after(&w, b, leeches(&w, b)), 9 * USEC_SEC, 11 * USEC_SEC);
    struct host *c = joins(&w, &(struct host_config){ON, .dht_read_only = true});
    assert_in_range(exhausted_after(&w, c, leeches(&w, c)), 4 * USEC_SEC, 15 * USEC_SEC);
    end(&w);
}

static void somebody_comes_in_time(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 31, 1);
    struct host *a = joins(&w, &(struct host_config){ON, .dht_read_only = true});
    struct item *it = leeches(&w, a);
    wait(&w, 2 * USEC_SEC);
    seeds(&w, joins(&w, &(struct host_config){ON}));
    completes(&w, it, 8 * USEC_SEC); /* it has asked again before it would have given up */
    end(&w);
}

static void asks_ever_more_seldom(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 32, 1);
    struct host *a = joins(&w, &(struct host_config){ON, .dht_read_only = true});
    wait(&w, USEC_MIN);
    uint64_t before = dht_of(&w, a).datagrams_out;
    leeches(&w, a);
    wait(&w, 60 * USEC_MIN);
    uint64_t first = dht_of(&w, a).datagrams_out - before;
    wait(&w, 60 * USEC_MIN);
    uint64_t second = dht_of(&w, a).datagrams_out - before - first;
    assert_true(second < first);
    end(&w);
}

/* ---- many ---- */

#define MANY 1000u
#define NODES 30u

static struct node_task_config tiny(struct tube *t, unsigned i, struct bits *all, uint8_t **content)
{
    static const struct tube_file one = {NULL, 20};
    char name[20];
    snprintf(name, sizeof name, "item %u", i);
    struct node_task_config c = {
        .manifest = tube_manifest(tube_rng(t), name, &one, 1, 1, 16384, content), .have = all};
    goals_init(&c.goals);
    c.goals.stay = true;
    return c;
}

/* By all nodes together: eight keep each item. */
static size_t announced(struct world *w, struct host **v)
{
    size_t n = 0;
    for (unsigned i = 0; i < NODES; i++)
        n += dht_of(w, v[i]).peers;
    return n;
}

static void many_idle_seeds_take_turns(void **state)
{
    struct world w;
    struct bits all;
    struct host *others[NODES];
    (void)state;
    begin(&w, 40, 1);
    for (unsigned i = 0; i < NODES; i++)
        others[i] = joins(&w, &(struct host_config){ON});
    struct host *a = joins(&w, &(struct host_config){ON});
    wait(&w, USEC_MIN);
    bits_init(&all, 1);
    bits_fill(&all, true);
    for (unsigned i = 0; i < MANY; i++) {
        uint8_t *content;
        struct node_task_config c = tiny(w.t, i, &all, &content);
        host_add(a, &c, content);
        free(content);
    }
    uint64_t most = 0, before = dht_of(&w, a).bytes_asked, at = before;
    for (int s = 0; s < 200; s += 10) {
        wait(&w, 10 * USEC_SEC);
        uint64_t now = dht_of(&w, a).bytes_asked;
        most = now - at > most ? now - at : most;
        at = now;
    }
    print_message("%u seeds: %.0f bytes an announce, %.1f kB/s at most\n", MANY,
                  (double)(at - before) / MANY, (double)most / 1e4);
    assert_in_range(most, 1, (uint64_t)10 * DHT_OWN_RATE + DHT_OWN_BURST);
    assert_true(announced(&w, others) > MANY * 9 / 10 * 7);
    /* A download of the same node does not wait for them. */
    struct host *b = joins(&w, &(struct host_config){ON});
    seeds(&w, b);
    wait(&w, 10 * USEC_SEC);
    completes(&w, leeches(&w, a), 5 * USEC_SEC);
    bits_fini(&all);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_hash_alone),
        cmocka_unit_test(on_a_bad_line),
        cmocka_unit_test(announces_both_hashes),
        cmocka_unit_test(only_ipv6),
        cmocka_unit_test(a_family_that_comes_late),
        cmocka_unit_test(same_seed_same_trace),
        cmocka_unit_test(completed_is_announced_as_seed),
        cmocka_unit_test(survey_counts_those_who_fetch),
        cmocka_unit_test(survey_without_anybody_ends),
        cmocka_unit_test(read_only_does_not_announce),
        cmocka_unit_test(each_family_its_port),
        cmocka_unit_test(announces_again),
        cmocka_unit_test(bootstrap_by_name),
        cmocka_unit_test(bootstrap_is_asked_again),
        cmocka_unit_test(nodes_of_the_manifest_and_the_link),
        cmocka_unit_test(peers_say_port),
        cmocka_unit_test(bootstrap_comes_last),
        cmocka_unit_test(remembered_ones_are_dead),
        cmocka_unit_test(exhausted),
        cmocka_unit_test(somebody_comes_in_time),
        cmocka_unit_test(asks_ever_more_seldom),
        cmocka_unit_test(many_idle_seeds_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

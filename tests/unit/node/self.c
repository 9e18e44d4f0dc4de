/* What our own address is, by the word of others. */
#include "../../sim/raw.h"
#include "../../sim/tube.h"

#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static const struct addr OWN = {.family = 4, .port = 6881, .ip = {21, 9, 9, 9}};
static const struct addr LIE = {.family = 4, .port = 6881, .ip = {22, 8, 8, 8}};

#define TRACKER 6969

struct world {
    struct rig *g;
    struct addr told;
    unsigned times;
    uint8_t asked[200]; /* the last datagram to a tracker */
    size_t n_asked;
};

static void heard(struct rig *g, const struct node_op *op)
{
    struct world *w = g->arg;
    if (op->kind == NODE_UDP && op->data.n <= sizeof w->asked && op->addr.port == TRACKER) {
        memcpy(w->asked, op->data.p, op->data.n);
        w->n_asked = op->data.n;
    }
    if (op->kind != NODE_EXTERNAL)
        return;
    w->told = op->addr;
    w->times++;
}

static void begin_at(struct world *w, uint16_t port)
{
    static const struct tube_file one = {NULL, 100000};
    struct node_config c = {.client = "rig", .port = port, .udp4 = true};
    *w = (struct world){.g = rig_new(1, &c)};
    w->g->heard = heard;
    w->g->arg = w;
    rig_content(w->g, &one, 1, 1, 32768);
    rig_seed(w->g);
}

static void begin(struct world *w)
{
    begin_at(w, 6881);
}

static void end(struct world *w)
{
    rig_free(w->g);
}

/* Somebody comes, says what address he sees, and goes. */
static void says_from(struct world *w, const struct addr *by, const struct addr *a)
{
    struct raw *r = raw_new(w->g, 0);
    struct ext_hello h = {.metadata = true, .yourip = *a};
    struct buf body = {0}, b = {0};
    r->addr = *by;
    assert_true(raw_comes(r));
    raw_handshake(r, true, true, false);
    ext_put_handshake(&body, &h);
    wire_put_extended(&b, EXT_HANDSHAKE, buf_bytes(&body));
    buf_fini(&body);
    raw_send(r, &b);
    raw_leaves(r);
}

/* Each of a network of his own. */
static void say(struct world *w, unsigned first, unsigned n, const struct addr *a)
{
    for (unsigned i = first; i < first + n; i++) {
        struct addr by = {.family = 4, .port = 7000, .ip = {30, (uint8_t)(i >> 8), (uint8_t)i, 1}};
        says_from(w, &by, a);
    }
}

static bool believed(struct world *w, const struct addr *a)
{
    struct addr out;
    return node_external(w->g->n, 4, &out) && addr_eq(&out, a);
}

static void three_are_believed(void **state)
{
    struct world w;
    struct addr out;
    (void)state;
    begin(&w);
    assert_false(node_external(w.g->n, 4, &out));
    say(&w, 0, 2, &OWN);
    assert_int_equal(w.times, 0);
    say(&w, 2, 1, &OWN);
    assert_int_equal(w.times, 1);
    assert_true(addr_eq(&w.told, &OWN));
    assert_true(believed(&w, &OWN));
    assert_false(node_external(w.g->n, 6, &out));
    say(&w, 3, 20, &OWN);
    assert_int_equal(w.times, 1);
    end(&w);
}

static void one_network_has_one_voice(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    for (unsigned i = 1; i < 100; i++) {
        struct addr by = {.family = 4, .port = 7000, .ip = {30, 0, 0, (uint8_t)i}};
        says_from(&w, &by, &LIE);
    }
    for (int i = 0; i < 100; i++)
        say(&w, 1, 1, &LIE);
    assert_int_equal(w.times, 0);
    say(&w, 2, 1, &LIE);
    assert_int_equal(w.times, 1);
    end(&w);
}

static void a_minority_may_lie(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    for (unsigned i = 0; i < 600; i++)
        say(&w, i, 1, i % 5 < 3 ? &OWN : &LIE);
    assert_true(believed(&w, &OWN));
    assert_int_equal(w.times, 1);
    end(&w);
}

static void liars_that_come_first_give_way(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    say(&w, 0, 10, &LIE);
    assert_true(believed(&w, &LIE));
    say(&w, 100, 13, &OWN);
    assert_true(believed(&w, &OWN));
    assert_int_equal(w.times, 2);
    end(&w);
}

static void old_words_are_forgotten(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    say(&w, 0, 24, &LIE);
    rig_run(w.g, 61 * USEC_MIN);
    say(&w, 100, 3, &OWN);
    assert_true(believed(&w, &OWN));
    end(&w);
}

static void only_public_addresses_of_public_voters(void **state)
{
    static const char *const bad[] = {"10.1.2.3",  "192.168.1.1", "127.0.0.1", "169.254.1.1",
                                      "224.0.0.1", "0.0.0.0",     "fe80::1",   "fd00::1"};
    struct world w;
    struct addr out;
    (void)state;
    begin(&w);
    for (unsigned k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct addr a;
        assert_true(addr_parse_ip(&a, bad[k], 0));
        say(&w, 100 * k, 5, &a);
    }
    for (uint8_t i = 0; i < 20; i++) {
        struct addr by = {.family = 4, .port = 7000, .ip = {10, i, 0, 1}};
        says_from(&w, &by, &OWN);
    }
    struct addr six;
    assert_true(addr_parse_ip(&six, "2a00::1", 0)); /* by those who see our IPv4 address */
    say(&w, 2000, 20, &six);
    assert_false(node_external(w.g->n, 4, &out));
    assert_false(node_external(w.g->n, 6, &out));
    assert_int_equal(w.times, 0);
    end(&w);
}

/* ---- the router ---- */

static uint16_t port_told_to(struct world *w, const char *ip)
{
    struct addr by;
    struct raw *r = raw_new(w->g, 0);
    assert_true(addr_parse_ip(&by, ip, 7000));
    r->addr = by;
    assert_true(raw_comes(r));
    raw_handshake(r, true, true, false);
    uint16_t port = r->hello.port;
    raw_leaves(r);
    return port;
}

static void the_router_knows(void **state)
{
    struct world w;
    struct addr mapped = OWN, gone = {.family = 4};
    (void)state;
    begin(&w);
    say(&w, 0, 10, &LIE);
    mapped.port = 40001;
    node_mapped(w.g->n, &mapped, w.g->now);
    rig_pump(w.g);
    assert_true(believed(&w, &mapped));
    assert_int_equal(w.times, 2);
    say(&w, 10, 100, &LIE);
    assert_true(believed(&w, &mapped));
    assert_int_equal(port_told_to(&w, "31.1.1.1"), 40001);
    assert_int_equal(port_told_to(&w, "192.168.1.7"), 6881);
    struct dht_status s;
    dht_status(node_dht(w.g->n), &s, w.g->now);
    assert_true(addr_same_ip(&s.v4.external, &OWN));
    assert_true(dht_id_fits(s.v4.id, &OWN));
    node_mapped(w.g->n, &gone, w.g->now);
    rig_pump(w.g);
    assert_true(believed(&w, &LIE));
    assert_int_equal(port_told_to(&w, "31.1.1.1"), 6881);
    end(&w);
}

/* Its outside is the inside of another router: the address is nobody's business. */
static void a_router_behind_a_router(void **state)
{
    struct world w;
    struct addr out, mapped = {.family = 4, .port = 40001, .ip = {192, 168, 1, 2}};
    (void)state;
    begin(&w);
    node_mapped(w.g->n, &mapped, w.g->now);
    rig_pump(w.g);
    assert_false(node_external(w.g->n, 4, &out));
    say(&w, 0, 3, &OWN);
    assert_true(node_external(w.g->n, 4, &out));
    assert_true(addr_same_ip(&out, &OWN));
    assert_int_equal(out.port, 40001);
    end(&w);
}

static void who_does_not_listen_has_no_port(void **state)
{
    struct world w;
    struct addr mapped = OWN;
    (void)state;
    begin_at(&w, 0);
    mapped.port = 40001;
    node_mapped(w.g->n, &mapped, w.g->now);
    assert_int_equal(port_told_to(&w, "31.1.1.1"), 0);
    end(&w);
}

/* ---- trackers ---- */

/* Answers what the tracker was asked last (BEP 15), with `n` bytes behind the transaction. */
static void tracker_says(struct world *w, const uint8_t *v, size_t n)
{
    struct addr from = {.family = 4, .port = TRACKER, .ip = {33, 1, 1, 1}};
    uint8_t b[8 + 12];
    memcpy(b, w->asked + 8, 8);
    memcpy(b + 8, v, n);
    w->n_asked = 0;
    node_datagram(w->g->n, &from, BYTES(b, 8 + n), w->g->now);
    rig_pump(w->g);
}

static unsigned port_announced(struct world *w)
{
    static const uint8_t id[8] = {1, 2, 3}, hourly[12] = {0, 0, 14, 16};
    if (w->n_asked == 16)
        tracker_says(w, id, sizeof id);
    if (w->n_asked != 98)
        return 0;
    unsigned port = (unsigned)w->asked[96] << 8 | w->asked[97];
    tracker_says(w, hourly, sizeof hourly);
    return port;
}

static void trackers_hear_of_another_port(void **state)
{
    static const struct tube_file one = {NULL, 100000};
    struct node_config c = {.client = "rig", .port = 6881, .udp4 = true};
    struct world w = {.g = rig_new(1, &c)};
    struct addr mapped = OWN;
    (void)state;
    mapped.port = 40001;
    w.g->heard = heard;
    w.g->arg = &w;
    assert_true(addr_parse_ip(&w.g->named, "33.1.1.1", 0));
    rig_content(w.g, &one, 1, 1, 32768);
    manifest_add_tracker(w.g->m, 0, "udp://t.test:6969");
    rig_seed(w.g);
    rig_run(w.g, USEC_SEC);
    assert_int_equal(port_announced(&w), 6881);
    rig_run(w.g, 2 * USEC_MIN);
    assert_int_equal(port_announced(&w), 0);
    node_mapped(w.g->n, &mapped, w.g->now);
    rig_run(w.g, USEC_SEC);
    assert_int_equal(port_announced(&w), 40001);
    node_mapped(w.g->n, &mapped, w.g->now);
    rig_run(w.g, 10 * USEC_MIN);
    assert_int_equal(port_announced(&w), 0);
    end(&w);
}

/* Two peers are too few to be believed, and so is a tracker; together they are not. */
static void a_tracker_has_a_vote(void **state)
{
    static const struct tube_file one = {NULL, 100000};
    (void)state;
    for (unsigned peers = 0; peers <= 2; peers++)
        for (int tracker = 0; tracker < 2; tracker++) {
            struct tube *t = tube_new(5);
            struct host_config c = {.delay = 20 * USEC_MS};
            struct host *h = tube_host(t, &c);
            struct addr at = host_addr(h), out;
            uint8_t *content;
            struct manifest *m = tube_manifest(tube_rng(t), "x", &one, 1, 1, 16384, &content);
            for (unsigned i = 0; i <= peers; i++) {
                struct node_task_config tc = {.manifest = tube_copy(m)};
                struct host *o = i ? tube_host(t, &c) : h;
                goals_init(&tc.goals);
                tc.goals.stay = true;
                if (!i && tracker)
                    manifest_add_tracker(tc.manifest, 0, "http://tracker.test/announce");
                struct item *it = host_add(o, &tc, NULL);
                if (i)
                    node_add_peer(host_node(o), it->task, &at, POOL_TRACKER, tube_now(t));
                host_turn(o);
            }
            tube_run(t, USEC_MIN, NULL, NULL);
            bool known = node_external(host_node(h), 4, &out);
            assert_int_equal(known, tracker && peers == 2);
            assert_true(!known || addr_eq(&out, &at));
            tube_free(t);
            manifest_free(m);
            free(content);
        }
}

/* ---- the DHT ---- */

static void the_dht_agrees(void **state)
{
    struct tube *t = tube_new(3);
    struct host_config c = {.delay = 20 * USEC_MS, .udp = true, .dht = true, .v6 = true};
    struct host *h[12];
    char at[ADDR_TEXT];
    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        h[i] = tube_host(t, &c);
        struct addr first4 = host_addr(h[0]), first6 = host_addr6(h[0]);
        addr_text(&first4, at);
        node_add_bootstrap(host_node(h[i]), at, tube_now(t));
        addr_text(&first6, at);
        node_add_bootstrap(host_node(h[i]), at, tube_now(t));
        host_turn(h[i]);
    }
    tube_run(t, 3 * USEC_MIN, NULL, NULL);
    for (unsigned i = 0; i < 12; i++) {
        struct addr out, own4 = host_addr(h[i]), own6 = host_addr6(h[i]);
        assert_true(node_external(host_node(h[i]), 4, &out));
        assert_true(addr_eq(&out, &own4));
        assert_true(node_external(host_node(h[i]), 6, &out));
        assert_true(addr_eq(&out, &own6));
    }
    tube_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_are_believed),
        cmocka_unit_test(one_network_has_one_voice),
        cmocka_unit_test(a_minority_may_lie),
        cmocka_unit_test(liars_that_come_first_give_way),
        cmocka_unit_test(old_words_are_forgotten),
        cmocka_unit_test(only_public_addresses_of_public_voters),
        cmocka_unit_test(the_router_knows),
        cmocka_unit_test(a_router_behind_a_router),
        cmocka_unit_test(who_does_not_listen_has_no_port),
        cmocka_unit_test(trackers_hear_of_another_port),
        cmocka_unit_test(a_tracker_has_a_vote),
        cmocka_unit_test(the_dht_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

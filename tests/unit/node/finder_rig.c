/*
 * One node with a DHT, and what it says and does not say: private items, PORT, names, events. The
 * DHT around it is one node of lib/proto, fed by hand.
 */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/proto/krpc.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>

static const struct addr FAR = {.family = 4, .port = 7001, .ip = {25, 1, 2, 3}};
static const struct addr OWN = {.family = 4, .port = 6881, .ip = {21, 9, 9, 9}};

struct world {
    struct rig *g;
    struct dht *far; /* the node at FAR */
    struct rng rng;
    unsigned asked[KRPC_UNKNOWN + 1]; /* queries of the node, by method */
    uint16_t announced;               /* the last port */
    unsigned elsewhere;               /* datagrams to others than FAR */
    bool crowd;                       /* FAR tells of peers that do not exist, */
    bool silent;                      /* and of a node that says nothing */
    uint32_t invented;                /* so many */
    unsigned told[DHT_NEW_ID + 1];    /* NODE_DHT, by type, */
    struct dht_event last;            /* the last, */
    uint8_t bytes[KRPC_MAX_VALUE];    /* and of items the value */
};

static void far_answers(struct world *w)
{
    uint8_t out[DHT_MAX_DATAGRAM];
    struct addr to;
    struct dht_event e;
    size_t n;
    while ((n = dht_pull(w->far, &to, out)) > 0)
        if (addr_eq(&to, &OWN))
            node_datagram(w->g->n, &FAR, BYTES(out, n), w->g->now);
    while (dht_next(w->far, &e))
        ;
}

static void tell_of_a_crowd(struct world *w, const struct krpc_msg *q)
{
    struct dht_status s;
    struct buf b = {0};
    dht_status(w->far, &s, w->g->now);
    struct krpc_msg m = {.kind = KRPC_REPLY, .tid = q->tid, .id = s.v4.id};
    while (m.n_values < KRPC_MAX_VALUES) {
        uint32_t i = w->invented++;
        m.values[m.n_values++] =
            (struct addr){.family = 4, .port = 6881, .ip = {40, (uint8_t)(i >> 8), (uint8_t)i, 1}};
    }
    static const struct addr nobody = {.family = 4, .port = 7002, .ip = {27, 1, 2, 3}};
    uint8_t id[DHT_ID] = {0}, node[KRPC_NODE4];
    dht_id_fit(id, &nobody);
    if (w->silent)
        m.nodes = BYTES(node, krpc_put_node(node, id, &nobody));
    krpc_write(&b, &m);
    node_datagram(w->g->n, &FAR, buf_bytes(&b), w->g->now);
    buf_fini(&b);
}

static void sent(struct world *w, const struct node_op *op)
{
    struct krpc_msg m;
    assert_int_equal(krpc_parse(&m, op->data), 0);
    w->asked[m.method] += m.kind == KRPC_QUERY;
    if (m.kind == KRPC_QUERY && m.method == KRPC_ANNOUNCE_PEER)
        w->announced = m.implied_port ? 0 : m.port;
    if (!addr_eq(&op->addr, &FAR)) {
        w->elsewhere++;
        return;
    }
    if (w->crowd && m.kind == KRPC_QUERY && m.method == KRPC_GET_PEERS) {
        tell_of_a_crowd(w, &m);
        return;
    }
    assert_true(dht_feed(w->far, &OWN, op->data, w->g->now));
    far_answers(w);
}

static void heard(struct rig *g, const struct node_op *op)
{
    struct world *w = g->arg;
    if (op->kind == NODE_UDP)
        sent(w, op);
    if (op->kind == NODE_DHT) {
        w->told[op->dht->type]++;
        w->last = *op->dht;
        if (op->dht->type == DHT_ITEM)
            memcpy(w->bytes, op->dht->item.value.p, op->dht->item.value.n);
    }
}

static void begin_as(struct world *w, const struct node_config *c, int format)
{
    static const struct tube_file one = {NULL, 100000};
    struct dht_config far = {.v4 = true, .version = "FAR0"};
    memset(w, 0, sizeof *w);
    w->g = rig_new(5, c);
    rng_seed(&w->rng, 6);
    w->far = dht_new(&far, &w->rng, w->g->now);
    dht_set_external(w->far, &FAR, w->g->now);
    w->g->heard = heard;
    w->g->arg = w;
    rig_content(w->g, &one, 1, format, 32768);
    node_add_bootstrap(w->g->n, "25.1.2.3:7001", w->g->now);
    rig_pump(w->g);
}

static struct node_config on(void)
{
    return (struct node_config){.client = "rig", .port = 6881, .udp4 = true};
}

static void begin(struct world *w, int format)
{
    struct node_config c = on();
    begin_as(w, &c, format);
}

static void end(struct world *w)
{
    rig_free(w->g);
    dht_free(w->far);
}

static void minutes(struct world *w, unsigned n)
{
    for (unsigned i = 0; i < n * 60; i++) {
        rig_run(w->g, USEC_SEC);
        dht_tick(w->far, w->g->now);
        far_answers(w);
        rig_pump(w->g);
    }
}

/* The same content, private. */
static void make_private(struct rig *g)
{
    struct manifest *made = tube_private(g->m);
    assert_non_null(made);
    assert_true(made->private_flag);
    manifest_free(g->m);
    g->m = made;
}

/* ---- private items (BEP 27) ---- */

static bool says_dht(struct raw *r)
{
    const struct wire_msg *m = &r->last[RAW_HELLO];
    return WIRE_HAS_DHT(&m->handshake);
}

static void says(struct raw *r, bool dht)
{
    struct wire_handshake h = {0};
    struct buf b = {0};
    wire_reserved(h.reserved, dht, false);
    memcpy(h.info_hash, r->rig->m->hash_v1, 20);
    memcpy(h.peer_id, r->peer_id, 20);
    wire_put_handshake(&b, &h);
    raw_send(r, &b);
}

static struct raw *comes(struct world *w, unsigned host, bool dht)
{
    struct raw *r = raw_new(w->g, host);
    raw_comes(r);
    says(r, dht);
    assert_int_equal(r->got[RAW_HELLO], 1);
    return r;
}

static void says_port(struct raw *r, uint16_t port)
{
    struct buf b = {0};
    wire_put_port(&b, port);
    raw_send(r, &b);
}

/* FAR tells the node that it has the item. */
static void far_announces(struct world *w, const uint8_t *hash)
{
    struct dht_search s = {.port = FAR.port};
    memcpy(s.info_hash, hash, sizeof s.info_hash);
    assert_true(dht_find_peers(w->far, &s, w->g->now) != 0);
    rig_run(w->g, USEC_SEC);
    dht_tick(w->far, w->g->now);
    far_answers(w);
    rig_run(w->g, USEC_SEC);
}

static void private_items_are_silent(void **state)
{
    (void)state;
    for (int is_private = 0; is_private < 2; is_private++) {
        struct world w;
        begin(&w, 1);
        if (is_private)
            make_private(w.g);
        rig_seed(w.g);
        minutes(&w, 40);
        assert_true(w.asked[KRPC_FIND_NODE] > 0); /* the node itself is in the DHT */
        assert_int_equal(w.asked[KRPC_GET_PEERS] > 0, !is_private);
        assert_int_equal(w.asked[KRPC_ANNOUNCE_PEER] > 0, !is_private);
        struct raw *r = comes(&w, 256, true);
        assert_int_equal(says_dht(r), !is_private);
        assert_int_equal(r->got[WIRE_PORT], !is_private);
        says_port(r, 7002);
        assert_int_equal(w.elsewhere > 0, !is_private);
        struct raw *far = raw_new(w.g, 0);
        far->addr = FAR;
        far_announces(&w, w.g->m->hash_v1);
        assert_int_equal(far->dials, !is_private);
        end(&w);
    }
}

static void serves_no_metadata(struct raw *r, const struct wire_msg *m)
{
    if (m->type == WIRE_HANDSHAKE) {
        raw_handshake(r, true, false, false);
        raw_simple(r, WIRE_HAVE_ALL);
        raw_simple(r, WIRE_UNCHOKE);
    } else {
        raw_serves(r, m);
    }
}

/* The manifest says so only when it is here. */
static void strangers_of_a_private_item(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    make_private(w.g);
    w.g->auto_begin = false;
    rig_link(w.g, true, false);
    struct raw *dht = raw_new(w.g, 256), *tracker = raw_new(w.g, 512), *pex = raw_new(w.g, 768);
    rig_run(w.g, USEC_SEC);
    tracker->act = serves_no_metadata;
    dht->act = raw_serves;
    pex->dial_fails = true;
    raw_waits(tracker);
    node_add_peer(w.g->n, w.g->task, &pex->addr, POOL_PEX, w.g->now);
    node_add_peer(w.g->n, w.g->task, &dht->addr, POOL_DHT, w.g->now);
    rig_pump(w.g);
    rig_run(w.g, USEC_SEC);
    assert_true(w.g->metadata);
    assert_int_equal(dht->dials + tracker->dials + pex->dials, 3);
    assert_true(w.asked[KRPC_GET_PEERS] > 0);
    node_begin(w.g->n, w.g->task, NULL, NULL, NULL, w.g->now);
    rig_pump(w.g);
    assert_true(dht->closed);
    assert_false(tracker->closed);
    memset(w.asked, 0, sizeof w.asked);
    minutes(&w, 40);
    assert_true(w.g->complete);
    assert_int_equal(dht->dials + pex->dials, 2);
    assert_int_equal(w.asked[KRPC_GET_PEERS] + w.asked[KRPC_ANNOUNCE_PEER], 0);
    end(&w);
}

/* ---- PORT ---- */

static unsigned hints(struct world *w)
{
    struct dht_status s;
    dht_status(node_dht(w->g->n), &s, w->g->now);
    return s.v4.hints;
}

static void begin_alone(struct world *w)
{
    struct node_config c = on();
    begin_as(w, &c, 1);
    rig_free(w->g); /* with nobody to ask */
    w->g = rig_new(7, &c);
    w->g->heard = heard;
    w->g->arg = w;
    rig_content(w->g, &(struct tube_file){NULL, 100000}, 1, 1, 32768);
    rig_seed(w->g);
    rig_run(w->g, USEC_SEC);
    memset(w->asked, 0, sizeof w->asked);
    assert_int_equal(hints(w), 0);
}

static void port_leads_into_the_dht(void **state)
{
    struct world w;
    (void)state;
    begin_alone(&w);
    struct raw *r = raw_new(w.g, 0);
    r->addr = FAR;
    raw_comes(r);
    says(r, true);
    assert_int_equal(w.asked[KRPC_FIND_NODE], 0);
    says_port(r, FAR.port);
    minutes(&w, 1);
    assert_int_equal(w.told[DHT_JOINED], 1);
    end(&w);
}

static void port_messages_are_rationed(void **state)
{
    struct world w;
    (void)state;
    begin_alone(&w);
    struct raw *r = comes(&w, 256, true);
    says_port(r, 0);
    says_port(r, 80);
    assert_int_equal(hints(&w), 0);
    rig_free(w.g);
    dht_free(w.far);
    begin_alone(&w);
    r = comes(&w, 256, true);
    for (unsigned i = 0; i < NODE_MAX_PORTS_TOLD; i++)
        says_port(r, (uint16_t)(7100 + i));
    assert_int_equal(hints(&w), NODE_MAX_PORTS_TOLD);
    for (unsigned i = 0; i < 1000; i++)
        says_port(r, (uint16_t)(8000 + i));
    assert_int_equal(hints(&w), NODE_MAX_PORTS_TOLD);
    for (unsigned i = NODE_MAX_PORTS_TOLD; i < NODE_TOLD_NODES_BURST; i++)
        says_port(comes(&w, 256 * (2 + i), true), 7200);
    assert_int_equal(hints(&w), NODE_TOLD_NODES_BURST);
    for (unsigned i = 0; i < 100; i++)
        says_port(comes(&w, 256 * (40 + i), true), 7200);
    assert_int_equal(hints(&w), NODE_TOLD_NODES_BURST);
    rig_run(w.g, 2 * USEC_SEC);
    says_port(comes(&w, 256 * 150, true), 7200);
    assert_int_equal(hints(&w), NODE_TOLD_NODES_BURST + 1);
    end(&w);
}

static void port_is_said_to_whom_it_helps(void **state)
{
    static const struct {
        bool udp6, read_only, asks;
        uint16_t port;
        unsigned said;
    } t[] =
        {
            {false, false, true, 6881, 1}, {false, false, false, 6881, 0},
            {false, true, true, 6881, 0},  {false, false, true, 0, 0},
            {true, false, true, 6881, 0}, /* no DHT in the family of the connection */
        };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct world w;
        struct node_config c = {.client = "rig",
                                .port = t[i].port,
                                .udp4 = !t[i].udp6,
                                .udp6 = t[i].udp6,
                                .dht_read_only = t[i].read_only};
        begin_as(&w, &c, 1);
        rig_seed(w.g);
        struct raw *r = comes(&w, 256, t[i].asks);
        assert_true(says_dht(r)); /* who reads only still wants to be told of nodes */
        assert_int_equal(r->got[WIRE_PORT], t[i].said);
        assert_int_equal(r->last[WIRE_PORT].port, t[i].said ? t[i].port : 0);
        end(&w);
    }
}

/* ---- who is asked ---- */

static void bootstrap_hosts_are_bounded(void **state)
{
    static const unsigned many[] = {NODE_MAX_BOOTSTRAP, NODE_MAX_BOOTSTRAP + 1, 1000};
    struct world w;
    char at[40];
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        begin_alone(&w);
        for (unsigned i = 0; i < many[k]; i++) {
            snprintf(at, sizeof at, "27.%u.%u.1:6881", i >> 8, i & 255);
            node_add_bootstrap(w.g->n, at, w.g->now);
            node_add_bootstrap(w.g->n, at, w.g->now);
        }
        node_add_bootstrap(w.g->n, "27.1.1.1", w.g->now);
        node_add_bootstrap(w.g->n, "", w.g->now);
        rig_run(w.g, USEC_SEC);
        assert_int_equal(hints(&w), NODE_MAX_BOOTSTRAP);
        end(&w);
    }
}

static void names_of_strangers_lead_to_public_addresses(void **state)
{
    static const struct {
        const char *named;
        bool bootstrap;
        unsigned hints;
    } t[] = {
        {"10.1.2.3", false, 0}, {"10.1.2.3", true, 1}, {"127.0.0.1", false, 0},
        {"26.1.2.3", false, 1}, {"26.1.2.3", true, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct world w;
        begin_alone(&w);
        addr_parse_ip(&w.g->named, t[i].named, 0);
        if (t[i].bootstrap)
            node_add_bootstrap(w.g->n, "name.test:7000", w.g->now);
        else
            node_add_dht_node(w.g->n, "name.test:7000", w.g->now);
        rig_run(w.g, USEC_SEC);
        assert_int_equal(hints(&w), t[i].hints);
        end(&w);
    }
}

static void addresses_of_strangers(void **state)
{
    static const struct {
        const char *at;
        unsigned hints;
    } t
        [] =
            {
                {"26.1.2.3:53", 0},
                {"26.1.2.3:1023", 0},
                {"26.1.2.3:1024", 1},
                {"26.1.2.3:0", 0},
                {"169.254.1.1:7000", 0},
                {"224.0.0.1:7000", 0},
                {"26.1.2.3", 0},
                {"", 0},
                {"name.test:53", 0},
                {"127.0.0.1:7000", 1}, /* written out, for a network of one's own */
            };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct world w;
        begin_alone(&w);
        addr_parse_ip(&w.g->named, "26.1.2.3", 0);
        node_add_dht_node(w.g->n, t[i].at, w.g->now);
        rig_run(w.g, USEC_SEC);
        assert_int_equal(hints(&w), t[i].hints);
        end(&w);
    }
}

static void add_with_nodes(struct world *w, unsigned n, const char *form)
{
    struct err e = {0};
    struct node_task_config c = {.manifest = tube_copy(w->g->m)};
    goals_init(&c.goals);
    for (unsigned i = 0; i < n; i++) {
        char *at = mem_fmt(form, i >> 8, i & 255);
        manifest_add_node(c.manifest, at);
        free(at);
    }
    assert_int_equal(c.manifest->n_nodes, n);
    rig_forget(w->g);
    w->g->task = node_add(w->g->n, &c, w->g->now, &e);
    assert_true(w->g->task != 0);
    rig_pump(w->g);
}

static void nodes_of_a_manifest_are_bounded(void **state)
{
    static const unsigned many[] = {NODE_MAX_NAMED_NODES, NODE_MAX_NAMED_NODES + 1, 1000};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct world w;
        begin_alone(&w);
        add_with_nodes(&w, many[k], "27.%u.%u.1:6881");
        assert_int_equal(hints(&w), NODE_MAX_NAMED_NODES);
        end(&w);
        begin_alone(&w);
        w.g->hold = true;
        for (int i = 0; i < 3; i++)
            add_with_nodes(&w, many[k], "h%u-%u.test:6881");
        assert_int_equal(w.g->ops[NODE_RESOLVE], NODE_MAX_NAMED_NODES);
        end(&w);
    }
}

/* ---- jobs of the caller ---- */

static void caller_puts_and_gets(void **state)
{
    static const char value[] = "11:hello there";
    struct world w;
    uint8_t target[DHT_ID];
    (void)state;
    begin(&w, 1);
    minutes(&w, 1);
    assert_int_equal(w.told[DHT_JOINED], 1);
    struct dht_item item = {.value = BYTES((const uint8_t *)value, sizeof value - 1)};
    dht_item_target(&item, target);
    dht_job put = dht_put(node_dht(w.g->n), &item, w.g->now);
    node_dht_turn(w.g->n, w.g->now);
    minutes(&w, 1);
    assert_int_equal(w.told[DHT_DONE], 1);
    assert_int_equal(w.last.job, put);
    assert_int_equal(w.last.stored, 1);
    dht_job get = dht_get(node_dht(w.g->n), target, BYTES(NULL, 0), w.g->now);
    node_dht_turn(w.g->n, w.g->now);
    minutes(&w, 1);
    assert_int_equal(w.told[DHT_ITEM], 1);
    assert_memory_equal(w.bytes, value, sizeof value - 1);
    assert_int_equal(w.last.type, DHT_DONE);
    assert_int_equal(w.last.job, get);
    end(&w);
}

/* Look-ups of items are not the caller's business. */
static void items_look_ups_are_not_told(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 3);
    rig_seed(w.g);
    minutes(&w, 20);
    assert_true(w.asked[KRPC_ANNOUNCE_PEER] >= 4);
    assert_int_equal(w.told[DHT_PEERS] + w.told[DHT_DONE], 0);
    end(&w);
}

static void the_router_gives_another_port(void **state)
{
    struct world w;
    struct addr mapped = {.family = 4, .port = 40001, .ip = {21, 9, 9, 9}};
    (void)state;
    begin(&w, 1);
    rig_seed(w.g);
    minutes(&w, 1);
    assert_int_equal(w.announced, 6881);
    node_mapped(w.g->n, &mapped, w.g->now);
    rig_pump(w.g);
    minutes(&w, 1);
    assert_int_equal(w.announced, 40001);
    unsigned times = w.asked[KRPC_ANNOUNCE_PEER];
    node_mapped(w.g->n, &mapped, w.g->now); /* renewed */
    rig_pump(w.g);
    minutes(&w, 1);
    assert_int_equal(w.asked[KRPC_ANNOUNCE_PEER], times);
    end(&w);
}

static size_t known(struct world *w)
{
    struct node_status s;
    assert_true(node_status(w->g->n, w->g->task, &s, w->g->now));
    return s.known;
}

/* A download takes all that it is told of; a seed waits to be found. */
static void crowds(void **state)
{
    (void)state;
    for (int seeds = 0; seeds < 2; seeds++) {
        struct world w;
        begin(&w, 1);
        minutes(&w, 1);
        w.crowd = true;
        if (seeds)
            rig_seed(w.g);
        else
            rig_leech(w.g);
        rig_run(w.g, USEC_SEC);
        assert_int_equal(known(&w), KRPC_MAX_VALUES);
        minutes(&w, 100);
        assert_true(w.invented > 250);
        if (seeds)
            assert_in_range(known(&w), KRPC_MAX_VALUES, 100);
        else
            assert_true(known(&w) > 200);
        end(&w);
    }
}

/* While one still keeps the look-up waiting, those are dialled whom another has named. */
static void peers_are_dialled_as_they_come(void **state)
{
    struct world w;
    struct dht_status s;
    (void)state;
    begin(&w, 1);
    minutes(&w, 1);
    w.crowd = w.silent = true;
    rig_leech(w.g);
    unsigned dials = w.g->ops[NODE_DIAL];
    rig_run(w.g, USEC_MS);
    dht_status(node_dht(w.g->n), &s, w.g->now);
    assert_int_equal(s.jobs, 1);
    assert_int_equal(w.elsewhere, 1);
    assert_int_equal(known(&w), KRPC_MAX_VALUES);
    assert_true(w.g->ops[NODE_DIAL] >= dials + 8);
    end(&w);
}

/* FAR leaves word with the node that it has the hybrid, as a client of one version does. */
static void hybrids_are_dialled_by_the_hash_they_are_known_by(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct world w;
        bool v2 = i & 1, before = i & 2;
        begin(&w, 3);
        minutes(&w, 1);
        struct raw *r = raw_new(w.g, 0);
        r->addr = FAR;
        if (!before)
            rig_leech(w.g);
        const uint8_t *hash = v2 ? w.g->m->hash_v2 : w.g->m->hash_v1;
        far_announces(&w, hash);
        if (before)
            rig_leech(w.g);
        rig_run(w.g, USEC_SEC);
        assert_int_equal(r->dials, 1);
        assert_int_equal(r->got[RAW_HELLO], 1);
        assert_memory_equal(r->last[RAW_HELLO].handshake.info_hash, hash, 20);
        end(&w);
    }
}

static void gone_items_are_not_looked_for(void **state)
{
    struct world w;
    (void)state;
    begin(&w, 1);
    rig_leech(w.g);
    minutes(&w, 1);
    assert_true(w.asked[KRPC_GET_PEERS] > 0);
    node_stop(w.g->n, w.g->task, USEC_SEC, w.g->now);
    rig_pump(w.g);
    memset(w.asked, 0, sizeof w.asked);
    minutes(&w, 30);
    rig_forget(w.g);
    minutes(&w, 30);
    assert_int_equal(w.asked[KRPC_GET_PEERS], 0);
    end(&w);
}

static void without_a_socket_there_is_no_dht(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world w;
        struct node_config c = {.client = "rig", .port = 6881, .udp4 = i, .no_dht = i};
        begin_as(&w, &c, 1);
        rig_seed(w.g);
        assert_null(node_dht(w.g->n));
        node_dht_turn(w.g->n, w.g->now);
        node_add_dht_node(w.g->n, "26.1.2.3:7000", w.g->now);
        node_datagram(w.g->n, &FAR, bytes_str("d1:q4:ping1:t2:aa1:y1:qe"), w.g->now);
        struct raw *r = comes(&w, 256, true);
        assert_false(says_dht(r));
        says_port(r, 7000);
        minutes(&w, 10);
        assert_int_equal(w.g->ops[NODE_UDP], 0);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_items_are_silent),
        cmocka_unit_test(strangers_of_a_private_item),
        cmocka_unit_test(port_leads_into_the_dht),
        cmocka_unit_test(port_messages_are_rationed),
        cmocka_unit_test(port_is_said_to_whom_it_helps),
        cmocka_unit_test(bootstrap_hosts_are_bounded),
        cmocka_unit_test(names_of_strangers_lead_to_public_addresses),
        cmocka_unit_test(addresses_of_strangers),
        cmocka_unit_test(nodes_of_a_manifest_are_bounded),
        cmocka_unit_test(caller_puts_and_gets),
        cmocka_unit_test(items_look_ups_are_not_told),
        cmocka_unit_test(crowds),
        cmocka_unit_test(peers_are_dialled_as_they_come),
        cmocka_unit_test(hybrids_are_dialled_by_the_hash_they_are_known_by),
        cmocka_unit_test(the_router_gives_another_port),
        cmocka_unit_test(gone_items_are_not_looked_for),
        cmocka_unit_test(without_a_socket_there_is_no_dht),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

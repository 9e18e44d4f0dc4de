/* One node, and datagrams made by hand: what it answers, to whom, how much; what it believes. */
#include "proto/dht_bloom.h"
#include "proto/dht_guard.h"
#include "proto/dht_store.h"
#include "proto/dht_table.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/proto/dht.h>
#include <p2p/proto/krpc.h>

#include <stdlib.h>

static struct dht *d;
static usec now;
static struct addr me, stranger;
static const uint8_t his_id[DHT_ID] = "stranger's id 123456", hash[DHT_ID] = "some info hash 12345";

/* The last datagram pulled. */
static uint8_t out[DHT_MAX_DATAGRAM];
static size_t out_n;
static struct addr out_to;
static struct krpc_msg m;

static void open_dht(bool read_only)
{
    struct dht_config c = {.v4 = true, .v6 = true, .read_only = read_only, .version = "PP01"};
    struct rng rng;
    rng_seed(&rng, 7);
    now = 1000;
    d = dht_new(&c, &rng, now);
    assert_true(addr_parse(&stranger, "60.1.2.3:6000"));
    assert_true(addr_parse(&me, "70.1.2.3:7000"));
}

static int setup(void **state)
{
    (void)state;
    open_dht(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dht_free(d);
    return 0;
}

/* The next datagram to `to`; others are dropped on the way. */
static bool pull(const struct addr *to)
{
    while ((out_n = dht_pull(d, &out_to, out)))
        if (!to || addr_eq(&out_to, to)) {
            assert_int_equal(krpc_parse(&m, BYTES(out, out_n)), 0);
            return true;
        }
    return false;
}

static void drain(void)
{
    while (dht_pull(d, &out_to, out))
        continue;
}

static size_t feed(const struct addr *from, const struct krpc_msg *q)
{
    struct buf b = {0};
    krpc_write(&b, q);
    size_t n = buf_len(&b);
    assert_true(dht_feed(d, from, buf_bytes(&b), now));
    buf_fini(&b);
    return n;
}

static struct krpc_msg query(enum krpc_method method)
{
    return (struct krpc_msg){.kind = KRPC_QUERY,
                             .method = method,
                             .tid = BYTES("tt", 2),
                             .id = his_id,
                             .target = method == KRPC_PING ? NULL : hash,
                             .read_only = true};
}

/* Asks, and has the answer in m. */
static bool ask(const struct addr *from, const struct krpc_msg *q)
{
    drain();
    feed(from, q);
    if (!pull(from))
        return false;
    assert_true(bytes_is(m.tid, "tt") && bytes_is(m.version, "PP01") && addr_eq(&m.ip, from));
    return true;
}

static void serves(void **state)
{
    (void)state;
    struct dht_status s;
    struct krpc_msg q = query(KRPC_PING);
    dht_status(d, &s, now);
    assert_true(ask(&stranger, &q) && m.kind == KRPC_REPLY);
    assert_memory_equal(m.id, s.v4.id, DHT_ID);
    assert_memory_not_equal(s.v4.id, s.v6.id, DHT_ID);
    q = query(KRPC_FIND_NODE);
    assert_true(ask(&stranger, &q) && m.nodes.p && !m.nodes6.p);
    q.want = KRPC_WANT4 | KRPC_WANT6;
    assert_true(ask(&stranger, &q) && m.nodes.p && m.nodes6.p);
    q = query(KRPC_GET_PEERS);
    assert_true(ask(&stranger, &q) && m.token.p && !m.n_values);
    q = query(KRPC_SAMPLE);
    assert_true(ask(&stranger, &q) && m.samples.p && m.num == 0 && m.nodes.p);
    q = query(KRPC_UNKNOWN);
    q.target = NULL;
    assert_true(ask(&stranger, &q) && m.kind == KRPC_ERROR);
    /* uTP and trackers share the port. */
    assert_false(dht_feed(d, &stranger, BYTES_LIT("\x41\x02 not ours"), now));
    assert_true(dht_feed(d, &stranger, BYTES_LIT("d nonsense e"), now));
    drain();
}

/* What an answer may never be started by: an answer, an error, ourselves, port 0. */
static void silent(void **state)
{
    (void)state;
    struct dht_status s;
    struct krpc_msg q = query(KRPC_PING);
    struct addr no_port = stranger;
    dht_status(d, &s, now);
    q.id = s.v4.id;
    assert_false(ask(&stranger, &q));
    q.kind = KRPC_REPLY;
    q.id = his_id;
    assert_false(ask(&stranger, &q));
    q.kind = KRPC_ERROR;
    assert_false(ask(&stranger, &q));
    no_port.port = 0;
    q = query(KRPC_PING);
    assert_false(ask(&no_port, &q));
}

static struct krpc_msg announce(uint16_t port, struct bytes token)
{
    struct krpc_msg q = query(KRPC_ANNOUNCE_PEER);
    q.has_port = true;
    q.port = port;
    q.token = token;
    return q;
}

static void tokens(void **state)
{
    (void)state;
    uint8_t token[KRPC_MAX_TOKEN];
    struct addr elsewhere = stranger;
    struct krpc_msg q = query(KRPC_GET_PEERS);
    assert_true(ask(&stranger, &q));
    memcpy(token, m.token.p, m.token.n);
    struct bytes t = BYTES(token, m.token.n);
    q = announce(1234, t);
    elsewhere.ip[3]++;
    assert_true(ask(&elsewhere, &q) && m.kind == KRPC_ERROR && m.code == KRPC_PROTOCOL);
    q.token = BYTES("invented", 8);
    assert_true(ask(&stranger, &q) && m.kind == KRPC_ERROR);
    q = announce(0, t);
    assert_true(ask(&stranger, &q) && m.kind == KRPC_ERROR);
    struct dht_status s;
    dht_status(d, &s, now);
    assert_int_equal(s.peers, 0);
    q = announce(1234, t);
    assert_true(ask(&stranger, &q) && m.kind == KRPC_REPLY);
    q = query(KRPC_GET_PEERS);
    elsewhere.port = 9;
    assert_true(ask(&elsewhere, &q) && m.n_values == 1);
    assert_true(addr_same_ip(&m.values[0], &stranger) && m.values[0].port == 1234);
    /* The port that the datagram came from. */
    q = announce(0, t);
    q.implied_port = true;
    assert_true(ask(&stranger, &q) && m.kind == KRPC_REPLY);
    q = query(KRPC_GET_PEERS);
    assert_true(ask(&elsewhere, &q) && m.values[0].port == stranger.port);
    /* Some minutes old is fine, a quarter of an hour is not. */
    q = announce(1234, t);
    for (int i = 0; i < 9; i++) {
        now += USEC_MIN;
        dht_tick(d, now);
    }
    assert_true(ask(&stranger, &q) && m.kind == KRPC_REPLY);
    now += 6 * USEC_MIN;
    dht_tick(d, now);
    assert_true(ask(&stranger, &q) && m.kind == KRPC_ERROR);
}

static void take_token(const struct addr *from, enum krpc_method method, const uint8_t *target,
                       uint8_t token[8])
{
    struct krpc_msg q = query(method);
    q.target = target;
    assert_true(ask(from, &q) && m.token.n == 8);
    memcpy(token, m.token.p, 8);
}

/* Answers a probe, so that the node gets to know this one. */
static void befriend(const struct addr *a, const uint8_t *id)
{
    struct krpc_msg q = query(KRPC_PING);
    uint8_t tid[4];
    q.read_only = false;
    q.id = id;
    drain();
    feed(a, &q);
    while (pull(a))
        if (m.kind == KRPC_QUERY) {
            memcpy(tid, m.tid.p, 4);
            q.kind = KRPC_REPLY;
            q.tid = BYTES(tid, 4);
            feed(a, &q);
            return;
        } /* where there is no place for it, it is not asked */
}

static void fill_table(unsigned n)
{
    struct rng rng;
    rng_seed(&rng, 3);
    for (unsigned i = 0; i < n; i++) {
        struct addr a = {.family = 4, .port = 5000};
        uint8_t id[DHT_ID];
        put_be32(a.ip, 0x3d000000 + (i << 12));
        rng_fill(&rng, id, sizeof id);
        dht_id_fit(id, &a);
        befriend(&a, id);
        now += USEC_SEC;
        dht_tick(d, now);
    }
}

/* To whom has shown nothing, three times the question at most, whatever there would be to tell. */
static void no_amplifier(void **state)
{
    (void)state;
    static const enum krpc_method methods[] = {KRPC_PING, KRPC_FIND_NODE, KRPC_GET_PEERS,
                                               KRPC_GET,  KRPC_SAMPLE,    KRPC_ANNOUNCE_PEER,
                                               KRPC_PUT,  KRPC_UNKNOWN};
    uint8_t token[8], big[DHT_ITEM_VALUE] = "996:", target[DHT_ID];
    struct dht_item item = {.value = BYTES(big, sizeof big)};
    struct addr a = {.family = 4, .port = 5000};
    fill_table(30);
    for (uint32_t i = 0; i < 60; i++) {
        put_be32(a.ip, 0x3e000000 + (i << 8));
        take_token(&a, KRPC_GET_PEERS, hash, token);
        struct krpc_msg q = announce(1000, BYTES(token, 8));
        assert_true(ask(&a, &q) && m.kind == KRPC_REPLY);
        now += USEC_SEC;
    }
    dht_item_target(&item, target);
    take_token(&a, KRPC_GET, target, token);
    struct krpc_msg put = query(KRPC_PUT);
    put.value = item.value;
    put.token = BYTES(token, 8);
    assert_true(ask(&a, &put) && m.kind == KRPC_REPLY);

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        for (int scrape = 0; scrape < 4; scrape++)
            for (uint16_t pad = 0; pad < 600; pad += 150) {
                struct krpc_msg q = query(methods[i]);
                struct addr victim = {.family = 4, .port = 53};
                if (methods[i] == KRPC_GET)
                    q.target = target;
                uint8_t id[DHT_ID] = {0};
                q.scrape = scrape & 1;
                q.read_only = scrape & 2; /* otherwise it is asked in turn, which counts too */
                q.pad = pad;
                put_be32(victim.ip, 0x3f000000 + (pad + (uint32_t)i * 1024) * 256);
                victim.ip[3] = (uint8_t)scrape;
                put_be32(id, dht_crc32c(victim.ip, 4));
                dht_id_fit(id, &victim);
                q.id = id;
                now += USEC_SEC;
                drain();
                size_t asked = feed(&victim, &q), told = 0;
                while (pull(&victim))
                    told += out_n;
                assert_true(told <= DHT_AMPLIFY * asked);
                if (methods[i] == KRPC_GET_PEERS && scrape == 2 && !pad)
                    assert_true(m.n_values >= 8 && m.nodes.n >= 3 * KRPC_NODE4);
                if (methods[i] == KRPC_GET && q.read_only) /* an item for who pays for it */
                    assert_int_equal(m.value.p != NULL, pad >= 300);
            }
    /* Who has shown a token gets all that fits. */
    struct krpc_msg q = query(KRPC_GET_PEERS);
    assert_true(ask(&a, &q) && m.n_values == 50 && m.nodes.n == 8 * KRPC_NODE4);
    q.scrape = true;
    assert_true(ask(&a, &q) && m.bloom_peers && m.bloom_seeds && m.n_values && m.nodes.n);
    assert_true(out_n <= KRPC_MAX_OUT);
    q = query(KRPC_GET);
    q.target = target;
    assert_true(ask(&a, &q) && m.value.n == sizeof big && out_n <= KRPC_MAX_ITEM);
}

static void rates(void **state)
{
    (void)state;
    struct krpc_msg q = query(KRPC_FIND_NODE);
    unsigned n = 0;
    fill_table(20);
    for (int i = 0; i < 200; i++)
        n += ask(&stranger, &q);
    assert_int_equal(n, DHT_GUARD_BURST);
    /* A flood from everywhere: what we send stays inside its limit. */
    struct dht_status before, after;
    struct addr a = {.family = 4, .port = 5000};
    dht_status(d, &before, now);
    usec began = now;
    for (uint32_t i = 0; i < 30000; i++, now += 2 * USEC_MS) {
        put_be32(a.ip, 0x40000000 + i * 7);
        ask(&a, &q);
        if (dht_deadline(d) <= now)
            dht_tick(d, now);
    }
    dht_status(d, &after, now);
    uint64_t sent = after.bytes_out - before.bytes_out - after.bytes_asked + before.bytes_asked;
    uint64_t may = (uint64_t)((now - began) / USEC_SEC) * DHT_SEND_RATE + DHT_SEND_BURST;
    assert_in_range(sent, may / 2, may + KRPC_MAX_OUT);
    /* It does not keep us from asking. */
    dht_ping(d, &stranger, now);
    assert_true(pull(&stranger) && m.method == KRPC_PING);
}

/* Nobody pulls: what waits is bounded, whoever asks and however much we would like to ask. */
static void queues(void **state)
{
    (void)state;
    struct krpc_msg q = query(KRPC_PING);
    struct dht_status s;
    unsigned n = 0;
    for (uint32_t i = 0; i < 500; i++) {
        struct addr a = {.family = 4, .port = 5000};
        put_be32(a.ip, 0x40000000 + i);
        feed(&a, &q);
    }
    while (pull(NULL))
        n++;
    assert_int_equal(n, DHT_MAX_QUEUED);
    for (uint32_t i = 0; i < 1000; i++) {
        struct addr a = {.family = 4, .port = 5000};
        put_be32(a.ip, 0x41000000 + i);
        dht_add_node(d, &a, now);
        dht_ping(d, &a, now);
        drain();
        dht_status(d, &s, now);
        assert_true(s.asked <= DHT_MAX_ASKED && s.v4.hints <= DHT_MAX_HINTS);
    }
    assert_in_range(s.asked, DHT_MAX_ASKED / 2, DHT_MAX_ASKED);
    assert_int_equal(s.v4.hints, DHT_MAX_HINTS);
    dht_tick(d, now);
    drain();
    assert_true(dht_deadline(d) > now);
}

static void read_only(void **state)
{
    (void)state;
    struct krpc_msg q = query(KRPC_PING);
    dht_free(d);
    open_dht(true);
    assert_false(ask(&stranger, &q));
    dht_ping(d, &stranger, now);
    assert_true(pull(&stranger) && m.method == KRPC_PING && m.read_only);
    dht_set_read_only(d, false);
    assert_true(ask(&stranger, &q));
}

/* An answer counts from the address that was asked, with the id of the question, once. */
static void spoofed(void **state)
{
    (void)state;
    struct dht_event e;
    struct addr other = stranger;
    uint8_t tid[4];
    dht_job job = dht_ping(d, &stranger, now);
    assert_true(job && pull(&stranger) && m.tid.n == 4);
    memcpy(tid, m.tid.p, 4);
    struct krpc_msg r = {.kind = KRPC_REPLY, .id = his_id, .version = BYTES("XX12", 4)};
    other.port++;
    r.tid = BYTES(tid, 4);
    feed(&other, &r);
    other = stranger;
    other.ip[0]++;
    feed(&other, &r);
    for (int i = 0; i < 4; i++) {
        tid[i] ^= 1;
        feed(&stranger, &r);
        tid[i] ^= 1;
    }
    r.tid = BYTES(tid, 3);
    feed(&stranger, &r);
    assert_false(dht_next(d, &e));
    r.tid = BYTES(tid, 4);
    now += 30 * USEC_MS;
    feed(&stranger, &r);
    assert_true(dht_next(d, &e) && e.type == DHT_PONG && e.job == job);
    assert_true(e.rtt == 30 * USEC_MS && !strcmp(e.version, "XX12"));
    assert_memory_equal(e.id, his_id, DHT_ID);
    assert_true(dht_next(d, &e) && e.type == DHT_DONE && e.replies == 1);
    feed(&stranger, &r);
    assert_false(dht_next(d, &e));
    struct dht_status s;
    dht_status(d, &s, now);
    assert_int_equal(s.strays, 8);
    assert_true(s.v4.good == 0); /* his id does not fit his address (BEP 42) */
}

static void unanswered(void **state)
{
    (void)state;
    struct dht_event e;
    dht_job job = dht_ping(d, &stranger, now);
    drain();
    dht_tick(d, now);
    for (int i = 0; i < 100; i++) {
        usec at = dht_deadline(d);
        assert_true(at > now); /* never a busy loop */
        now = at;
        dht_tick(d, now);
        drain();
        if (dht_next(d, &e))
            break;
    }
    assert_true(e.type == DHT_DONE && e.job == job && e.replies == 0 && now < 10 * USEC_SEC);
    /* Nobody at all is known: it is said after a while, not at once. */
    struct dht_search s = {.info_hash = "12345678901234567890"};
    usec began = now;
    job = dht_find_peers(d, &s, now);
    while (!dht_next(d, &e)) {
        now = dht_deadline(d);
        dht_tick(d, now);
        drain();
    }
    assert_true(e.type == DHT_DONE && e.job == job && e.replies == 0);
    assert_in_range(now - began, DHT_JOIN_PATIENCE, DHT_JOIN_PATIENCE + 10 * USEC_SEC);
}

/* Answers of every kind to a search that is under way; only what holds is told. */
static void peers_believed(void **state)
{
    (void)state;
    struct dht_search s = {.info_hash = "12345678901234567890"};
    struct dht_event e;
    struct addr told[6];
    uint8_t tid[4];
    static const char *const values[] = {"61.1.1.1:80",  "61.1.1.1:80", "10.0.0.1:80",
                                         "127.0.0.1:80", "61.1.1.2:0",  "224.0.0.1:80"};
    for (int i = 0; i < 6; i++)
        assert_true(addr_parse(&told[i], values[i]));
    dht_add_node(d, &stranger, now);
    drain();
    dht_job job = dht_find_peers(d, &s, now);
    assert_true(pull(&stranger) && m.method == KRPC_GET_PEERS);
    memcpy(tid, m.tid.p, 4);
    struct krpc_msg r = {.kind = KRPC_REPLY, .id = his_id, .tid = BYTES(tid, 4), .n_values = 6};
    memcpy(r.values, told, sizeof told);
    feed(&stranger, &r);
    assert_true(dht_next(d, &e) && e.type == DHT_PEERS && e.job == job && e.n_peers == 1);
    assert_true(addr_eq(&e.peers[0], &told[0]) && addr_eq(&e.from, &stranger));
    assert_true(dht_next(d, &e) && e.type == DHT_DONE && e.replies == 1);
    assert_false(dht_next(d, &e));
}

/* Nodes that nobody should be sent to. */
static void nodes_believed(void **state)
{
    (void)state;
    static const char *const tips[] = {"61.1.1.1:5000", "10.0.0.1:5000", "127.0.0.1:5000",
                                       "61.1.1.2:53",   "61.1.1.3:0",    "70.1.2.3:5000"};
    uint8_t nodes[6 * KRPC_NODE4], id[DHT_ID] = {0}, tid[4];
    struct addr a;
    struct dht_status s;
    struct rng rng;
    size_t n = 0;
    rng_seed(&rng, 1);
    dht_status(d, &s, now);
    for (int i = 0; i < 6; i++) {
        assert_true(addr_parse(&a, tips[i]));
        rng_fill(&rng, id, sizeof id);
        n += krpc_put_node(nodes + n, i == 5 ? s.v4.id : id, &a);
    }
    dht_add_node(d, &stranger, now);
    assert_true(pull(&stranger) && m.method == KRPC_FIND_NODE);
    assert_int_equal(m.want, KRPC_WANT4 | KRPC_WANT6);
    memcpy(tid, m.tid.p, 4);
    struct krpc_msg r = {
        .kind = KRPC_REPLY, .id = his_id, .tid = BYTES(tid, 4), .nodes = BYTES(nodes, n)};
    feed(&stranger, &r);
    assert_true(addr_parse(&a, tips[0]));
    assert_true(pull(NULL));
    assert_true(addr_eq(&out_to, &a));
    assert_false(pull(NULL));
}

/* Who asks is asked, and who answers is in the table, unless he says that he only reads. */
static void learns(void **state)
{
    (void)state;
    struct dht_status s;
    struct dht_event e;
    uint8_t id[DHT_ID] = {9};
    struct krpc_msg q = query(KRPC_PING);
    dht_id_fit(id, &stranger);
    q.id = id;
    assert_true(ask(&stranger, &q));
    assert_false(pull(&stranger)); /* read only: not asked */
    befriend(&stranger, id);
    dht_status(d, &s, now);
    assert_true(s.v4.good == 1 && s.v4.joined);
    assert_true(dht_next(d, &e) && e.type == DHT_JOINED && e.family == 4);
    q = query(KRPC_FIND_NODE);
    q.target = id;
    assert_true(ask(&me, &q) && m.nodes.n == KRPC_NODE4);
    assert_memory_equal(m.nodes.p, id, DHT_ID);
    assert_true(ask(&stranger, &q) && m.nodes.n == 0); /* not told of himself */
}

static void vote_of(uint32_t n, const struct addr *says)
{
    struct addr a = {.family = 4, .port = 5000};
    uint8_t tid[4];
    put_be32(a.ip, 0x3c000000 + (n << 16));
    dht_ping(d, &a, now);
    assert_true(pull(&a));
    memcpy(tid, m.tid.p, 4);
    struct krpc_msg r = {.kind = KRPC_REPLY, .id = his_id, .tid = BYTES(tid, 4), .ip = *says};
    feed(&a, &r);
}

static bool event(enum dht_event_type type, struct dht_event *e)
{
    while (dht_next(d, e))
        if (e->type == type)
            return true;
    return false;
}

/* BEP 42: enough others agree where we are, and our id follows. */
static void own_address(void **state)
{
    (void)state;
    struct dht_event e;
    struct dht_status s;
    struct addr lie, local;
    assert_true(addr_parse(&lie, "80.1.2.3:1") && addr_parse(&local, "10.0.0.9:1"));
    /* The first is believed for a start, but not for certain. */
    vote_of(99, &lie);
    assert_true(event(DHT_NEW_ID, &e) && dht_id_fits(e.id, &lie));
    for (uint32_t i = 0; i < 4; i++) {
        vote_of(i, &me);
        vote_of(100 + i, i < 1 ? &lie : &local);
    }
    assert_false(event(DHT_EXTERNAL, &e));
    vote_of(4, &me);
    assert_true(event(DHT_EXTERNAL, &e) && addr_same_ip(&e.from, &me));
    assert_true(event(DHT_NEW_ID, &e) && dht_id_fits(e.id, &me));
    dht_status(d, &s, now);
    assert_memory_equal(s.v4.id, e.id, DHT_ID);
    assert_true(addr_same_ip(&s.v4.external, &me));
    /* A crowd that says something else: believed, but the id does not change every minute. */
    for (uint32_t i = 0; i < 40; i++)
        vote_of(1000 + i, &lie);
    assert_true(event(DHT_EXTERNAL, &e));
    dht_status(d, &s, now);
    assert_false(dht_id_fits(s.v4.id, &lie));
    now += 11 * USEC_MIN;
    vote_of(2000, &lie);
    assert_true(event(DHT_NEW_ID, &e) && dht_id_fits(e.id, &lie));
    /* The caller knows better. */
    dht_set_external(d, &me, now);
    assert_true(event(DHT_NEW_ID, &e) && dht_id_fits(e.id, &me));
}

static void remembers(void **state)
{
    (void)state;
    struct buf b = {0};
    struct dht_status before, after;
    struct err err = {0};
    fill_table(30);
    dht_status(d, &before, now);
    assert_true(before.v4.good > 8); /* they answered once; some have failed since */
    dht_save(d, &b, now);
    dht_free(d);
    open_dht(false);
    assert_int_equal(dht_load(d, buf_bytes(&b), true, now, &err), 0);
    dht_status(d, &after, now);
    assert_memory_equal(after.v4.id, before.v4.id, DHT_ID);
    assert_memory_equal(after.v6.id, before.v6.id, DHT_ID);
    assert_true(after.v4.hints >= before.v4.good);
    assert_true(pull(NULL) && m.method == KRPC_FIND_NODE); /* joining has begun */
    /* Cut anywhere or with a broken byte: refused, or harmless. */
    for (size_t n = 0; n < buf_len(&b); n++) {
        err_clear(&err);
        assert_int_equal(dht_load(d, BYTES(buf_bytes(&b).p, n), true, now, &err), ERR_INVALID);
        assert_int_equal(err.code, ERR_INVALID);
    }
    uint8_t *copy = mem_dup(buf_bytes(&b).p, buf_len(&b));
    for (size_t n = 0; n < buf_len(&b); n++) {
        copy[n] ^= 0x15;
        dht_load(d, BYTES(copy, buf_len(&b)), false, now, NULL);
        copy[n] ^= 0x15;
    }
    dht_status(d, &after, now);
    assert_true(after.v4.hints <= DHT_MAX_HINTS);
    assert_memory_equal(after.v4.id, before.v4.id, DHT_ID);
    free(copy);
    buf_fini(&b);
}

/* A flood of announces and puts with good tokens, from one host and from many. */
static void storage_flood(void **state)
{
    (void)state;
    struct dht_status s;
    struct addr a = {.family = 4, .port = 5000};
    uint8_t token[8], target[DHT_ID] = {0};
    for (uint32_t i = 0; i < 6000; i++) {
        put_be32(a.ip, 0x41000000 + i % 500);
        put_be32(target, i * 2654435761u);
        now += 50 * USEC_MS;
        take_token(&a, KRPC_GET_PEERS, target, token);
        struct krpc_msg q = announce(1000, BYTES(token, 8));
        q.target = target;
        ask(&a, &q);
    }
    dht_status(d, &s, now);
    assert_true(s.torrents <= DHT_STORE_TORRENTS && s.torrents >= DHT_STORE_TORRENTS - 10);
    now += DHT_STORE_TIME + 2 * USEC_MIN;
    dht_tick(d, now);
    dht_status(d, &s, now);
    assert_true(s.torrents == 0 && s.peers == 0);
}

static void many_jobs(void **state)
{
    (void)state;
    struct dht_search s = {.info_hash = "12345678901234567890"};
    struct dht_status st;
    struct dht_event e;
    dht_add_node(d, &stranger, now);
    dht_job first = dht_find_peers(d, &s, now), id = 0;
    for (unsigned i = 1; i < DHT_MAX_JOBS; i++)
        assert_int_not_equal(id = dht_find_peers(d, &s, now), 0);
    assert_int_equal(dht_find_peers(d, &s, now), 0);
    dht_status(d, &st, now);
    assert_true(st.jobs == DHT_MAX_JOBS && st.asked <= DHT_MAX_RUNNING + 1);
    dht_cancel(d, first);
    dht_cancel(d, id);
    dht_cancel(d, id); /* again: nothing */
    dht_status(d, &st, now);
    assert_int_equal(st.jobs, DHT_MAX_JOBS - 2);
    while (st.jobs) {
        now = dht_deadline(d);
        dht_tick(d, now);
        drain();
        while (dht_next(d, &e))
            if (e.type == DHT_DONE)
                assert_true(e.job != first && e.job != id);
        dht_status(d, &st, now);
    }
    assert_int_equal(dht_put(d, &(struct dht_item){.value = BYTES_LIT("nonsense")}, now), 0);
    assert_int_equal(dht_get(d, hash, BYTES(out, DHT_ITEM_SALT + 1), now), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(serves),      TEST(silent),         TEST(tokens),         TEST(no_amplifier),
        TEST(rates),       TEST(queues),         TEST(read_only),      TEST(spoofed),
        TEST(unanswered),  TEST(peers_believed), TEST(nodes_believed), TEST(learns),
        TEST(own_address), TEST(remembers),      TEST(storage_flood),  TEST(many_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

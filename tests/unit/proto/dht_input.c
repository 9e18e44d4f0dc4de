/* One node, and datagrams that are cut, stretched, bent or said again. */
#include "proto/dht_guard.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/format/bencode.h>
#include <p2p/proto/dht.h>
#include <p2p/proto/krpc.h>

#include <stdlib.h>

static struct dht *d;
static usec now;
static struct addr stranger;
static const uint8_t hash[DHT_ID] = "some info hash 12345";
static uint8_t id[DHT_ID], key[32], sig[64];

static int setup(void **state)
{
    (void)state;
    struct dht_config c = {.v4 = true, .v6 = true, .version = "PP01"};
    struct rng rng;
    rng_seed(&rng, 11);
    now = USEC_SEC;
    d = dht_new(&c, &rng, now);
    assert_true(addr_parse(&stranger, "60.1.2.3:6000"));
    dht_id_fit(id, &stranger);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dht_free(d);
    return 0;
}

static struct dht_status status(void)
{
    struct dht_status s;
    dht_status(d, &s, now);
    return s;
}

/* Bytes that are sent to somebody; others get nothing. */
static size_t told(const struct addr *whom)
{
    uint8_t out[DHT_MAX_DATAGRAM];
    struct addr to;
    size_t n, sum = 0;
    while ((n = dht_pull(d, &to, out))) {
        assert_true(addr_eq(&to, whom));
        sum += n;
    }
    return sum;
}

static void query(struct buf *b, enum krpc_method method)
{
    struct krpc_msg q = {.kind = KRPC_QUERY,
                         .method = method,
                         .tid = BYTES("tt", 2),
                         .id = id,
                         .target = method == KRPC_PING ? NULL : hash,
                         .read_only = true,
                         .token = BYTES("12345678", 8),
                         .has_port = true,
                         .port = 1000};
    if (method == KRPC_PUT) {
        q.value = BYTES_LIT("5:value");
        q.key = key;
        q.sig = sig;
        q.salt = BYTES_LIT("salt");
        q.has_seq = q.has_cas = true;
    }
    krpc_write(b, &q);
}

static void each(void (*fn)(struct bytes datagram))
{
    for (enum krpc_method m = KRPC_PING; m < KRPC_UNKNOWN; m++) {
        struct buf b = {0};
        query(&b, m);
        fn(buf_bytes(&b));
        buf_fini(&b);
    }
}

static void expect_stray(struct bytes b)
{
    uint64_t before = status().strays;
    now += USEC_SEC;
    /* What does not even look like ours is offered to others. */
    if (dht_feed(d, &stranger, b, now))
        assert_int_equal(status().strays, before + 1);
    assert_int_equal(told(&stranger), 0);
}

static void cut_and_stretched(struct bytes b)
{
    uint8_t longer[KRPC_MAX_IN + 100];
    for (size_t n = 0; n < b.n; n++)
        expect_stray(BYTES(b.p, n));
    memcpy(longer, b.p, b.n);
    memset(longer + b.n, 'e', sizeof longer - b.n);
    expect_stray(BYTES(longer, b.n + 1));
    expect_stray(BYTES(longer, KRPC_MAX_IN));
    expect_stray(BYTES(longer, KRPC_MAX_IN + 1));
    expect_stray(BYTES(longer, sizeof longer));
    now += USEC_SEC; /* whole it is answered, be it with an error */
    assert_true(dht_feed(d, &stranger, b, now) && told(&stranger) > 0);
}

static void cut(void **state)
{
    (void)state;
    each(cut_and_stretched);
    assert_true(status().torrents == 0 && status().items == 0);
}

/* A ping with so much that nobody knows that the datagram has n bytes. */
static void long_ping(struct buf *b, size_t n)
{
    static const uint8_t zeros[KRPC_MAX_IN];
    for (size_t pad = 0; buf_len(b) < n; pad++) {
        buf_clear(b);
        bencode_put_dict(b);
        bencode_put_lit(b, "a");
        bencode_put_dict(b);
        bencode_put_key_str(b, "id", BYTES(id, sizeof id));
        bencode_put_key_str(b, "pad", BYTES(zeros, pad));
        bencode_put_end(b);
        bencode_put_key_str(b, "q", BYTES_LIT("ping"));
        bencode_put_key_int(b, "ro", 1);
        bencode_put_key_str(b, "t", BYTES_LIT("tt"));
        bencode_put_key_str(b, "y", BYTES_LIT("q"));
        bencode_put_end(b);
        assert_true(pad + 1 < sizeof zeros);
    }
}

static void oversized(void **state)
{
    (void)state;
    for (size_t n = KRPC_MAX_IN - 2; n <= KRPC_MAX_IN + 2; n++) {
        struct buf b = {0};
        long_ping(&b, n);
        assert_int_equal(buf_len(&b), n);
        uint64_t before = status().strays;
        now += USEC_SEC;
        assert_true(dht_feed(d, &stranger, buf_bytes(&b), now));
        assert_int_equal(status().strays - before, n > KRPC_MAX_IN);
        assert_int_equal(told(&stranger) > 0, n <= KRPC_MAX_IN);
        buf_fini(&b);
    }
}

/* Every byte bent in some ways: refused, or an answer within its bounds. */
static void bend(struct bytes b)
{
    static const uint8_t how[] = {0x01, 0x02, 0x10, 0x80, 0xff, 'e' ^ 'i', '0' ^ '9'};
    uint8_t copy[KRPC_MAX_IN];
    memcpy(copy, b.p, b.n);
    for (size_t at = 0; at < b.n; at++)
        for (size_t k = 0; k < sizeof how; k++) {
            copy[at] ^= how[k];
            now += USEC_SEC;
            dht_feed(d, &stranger, BYTES(copy, b.n), now);
            /* It may have said that it is no reader only, and be asked in turn. */
            assert_true(told(&stranger) <= DHT_AMPLIFY * b.n);
            copy[at] ^= how[k];
        }
}

static void bent(void **state)
{
    (void)state;
    each(bend);
    assert_true(status().torrents == 0 && status().items == 0);
    assert_true(dht_deadline(d) > 0 && status().asked <= DHT_MAX_ASKED);
}

static size_t get_token(uint8_t token[KRPC_MAX_TOKEN])
{
    uint8_t out[DHT_MAX_DATAGRAM];
    struct krpc_msg m;
    struct addr to;
    struct buf b = {0};
    query(&b, KRPC_GET_PEERS);
    dht_feed(d, &stranger, buf_bytes(&b), now);
    buf_fini(&b);
    size_t n = dht_pull(d, &to, out);
    assert_int_equal(krpc_parse(&m, BYTES(out, n)), 0);
    memcpy(token, m.token.p, m.token.n);
    return m.token.n;
}

/* Said a hundred times, by who was there and by who was not: one peer, and only he. */
static void replayed(void **state)
{
    (void)state;
    uint8_t token[KRPC_MAX_TOKEN];
    size_t n = get_token(token);
    struct krpc_msg q = {.kind = KRPC_QUERY,
                         .method = KRPC_ANNOUNCE_PEER,
                         .tid = BYTES("tt", 2),
                         .id = id,
                         .target = hash,
                         .read_only = true,
                         .token = BYTES(token, n),
                         .has_port = true,
                         .port = 1000};
    struct buf b = {0};
    krpc_write(&b, &q);
    for (int i = 0; i < 100; i++) {
        struct addr other = stranger;
        other.ip[3] = (uint8_t)(10 + i);
        now += USEC_SEC;
        dht_feed(d, &stranger, buf_bytes(&b), now);
        told(&stranger);
        dht_feed(d, &other, buf_bytes(&b), now);
        assert_true(told(&other) <= DHT_AMPLIFY * buf_len(&b));
    }
    assert_true(status().torrents == 1 && status().peers == 1);
    /* Its secret is gone: he may not be kept in by who once heard him. */
    for (int i = 0; i < 32; i++) {
        now += USEC_MIN;
        dht_tick(d, now);
        dht_feed(d, &stranger, buf_bytes(&b), now);
        told(&stranger);
    }
    now += 30 * USEC_MIN;
    dht_tick(d, now);
    assert_int_equal(status().peers, 0);
    buf_fini(&b);
}

/* Broken answers do not use up a question: the true one still counts, once. */
static void broken_answers(void **state)
{
    (void)state;
    uint8_t out[DHT_MAX_DATAGRAM], nodes[8 * KRPC_NODE4] = {0}, tid[4];
    struct krpc_msg m;
    struct addr to;
    struct dht_event e;
    struct buf b = {0};
    dht_job job = dht_ping(d, &stranger, now);
    size_t n = dht_pull(d, &to, out);
    assert_int_equal(krpc_parse(&m, BYTES(out, n)), 0);
    memcpy(tid, m.tid.p, sizeof tid);
    struct krpc_msg r = {.kind = KRPC_REPLY,
                         .tid = BYTES(tid, sizeof tid),
                         .id = id,
                         .ip = stranger,
                         .nodes = BYTES(nodes, sizeof nodes)};
    krpc_write(&b, &r);
    for (size_t i = 0; i < buf_len(&b); i++)
        dht_feed(d, &stranger, BYTES(buf_bytes(&b).p, i), now);
    assert_false(dht_next(d, &e));
    dht_feed(d, &stranger, buf_bytes(&b), now);
    unsigned pongs = 0;
    while (dht_next(d, &e))
        pongs += e.type == DHT_PONG && e.job == job;
    assert_int_equal(pongs, 1);
    uint64_t before = status().strays;
    dht_feed(d, &stranger, buf_bytes(&b), now);
    assert_false(dht_next(d, &e));
    assert_int_equal(status().strays, before + 1);
    buf_fini(&b);
}

/* The question for peers that waits to be sent; false: there is none. */
static bool next_question(struct addr *to, uint8_t tid[4])
{
    uint8_t out[DHT_MAX_DATAGRAM];
    struct krpc_msg m;
    size_t n;
    while ((n = dht_pull(d, to, out))) {
        assert_int_equal(krpc_parse(&m, BYTES(out, n)), 0);
        memcpy(tid, m.tid.p, 4);
        if (m.method == KRPC_GET_PEERS)
            return true;
    }
    return false;
}

/* Everybody knows fifty peers: whoever answers last is heard as well. */
static void many_peers(void **state)
{
    (void)state;
    struct dht_search s = {.info_hash = "12345678901234567890"};
    struct addr a = {.family = 4, .port = 5000};
    struct dht_event e;
    uint8_t tid[4];
    unsigned answers = 0, all = 0;
    for (uint32_t i = 0; i < 60; i++) {
        put_be32(a.ip, 0x3d000000 + (i << 16));
        dht_add_node(d, &a, now);
    }
    assert_int_not_equal(dht_find_peers(d, &s, now), 0);
    while (next_question(&a, tid)) {
        struct krpc_msg r = {.kind = KRPC_REPLY, .tid = BYTES(tid, 4), .n_values = 50};
        struct buf b = {0};
        uint8_t own[DHT_ID] = {(uint8_t)(answers * 7)};
        unsigned told_now = 0;
        dht_id_fit(own, &a);
        r.id = own;
        for (uint32_t i = 0; i < 50; i++) {
            r.values[i] = (struct addr){.family = 4, .port = 80};
            put_be32(r.values[i].ip, 0x50000000 + answers * 100 + i);
        }
        krpc_write(&b, &r);
        dht_feed(d, &a, buf_bytes(&b), now);
        buf_fini(&b);
        while (dht_next(d, &e))
            told_now += e.type == DHT_PEERS ? (unsigned)e.n_peers : 0;
        assert_in_range(told_now, 1, 50);
        all += told_now;
        answers++;
    }
    print_message("%u peers of %u answers\n", all, answers);
    assert_true(answers >= 8 && all < answers * 50 && all > answers * 30);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cut),      TEST(oversized),      TEST(bent),
        TEST(replayed), TEST(broken_answers), TEST(many_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

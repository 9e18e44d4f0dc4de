/* What programs of one home remember together: merged, bounded, and read by the DHT. */
#include <p2p/base/mem.h>
#include <p2p/base/rng.h>
#include <p2p/format/bencode.h>
#include <p2p/proto/dht.h>
#include <p2p/proto/dht_memory.h>
#include <p2p/proto/krpc.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW 1800000000

/* As dht_save would: nodes from..from+n of IPv4, the first `good` of them good. */
static void saved(struct buf *out, unsigned from, unsigned n, unsigned good)
{
    struct buf nodes = {0};
    for (unsigned i = from; i < from + n; i++) {
        uint8_t id[KRPC_ID] = {(uint8_t)i, (uint8_t)(i >> 8)}, at[KRPC_NODE4];
        struct addr a = {4, 6881, {80, 1, (uint8_t)(i >> 8), (uint8_t)i}};
        buf_put(&nodes, at, krpc_put_node(at, id, &a));
    }
    buf_fini(out);
    bencode_put_dict(out);
    bencode_put_key_int(out, "good4", good);
    bencode_put_key_str(out, "id4", BYTES("aaaaaaaaaaaaaaaaaaaa", 20));
    bencode_put_key_str(out, "nodes4", buf_bytes(&nodes));
    bencode_put_end(out);
    buf_fini(&nodes);
}

/* Merges `fresh` into `record`. */
static void merge(struct buf *record, const struct buf *fresh, int64_t now)
{
    struct buf out = {0};
    dht_memory_merge(&out, buf_bytes(record), buf_bytes(fresh), now);
    buf_fini(record);
    *record = out;
}

static size_t count(const struct buf *record, const char *key, size_t each)
{
    struct bencode *b = bencode_parse(buf_bytes(record), BENCODE_STRICT, 0, NULL, NULL);
    struct bytes s = {0};
    assert_non_null(b);
    assert_true(bencode_get_str(b, 0, key, &s));
    assert_int_equal(s.n % each, 0);
    bencode_free(b);
    return s.n / each;
}

/* The number of the node that stands at a place. */
static unsigned node_at(const struct buf *record, size_t i)
{
    struct bencode *b = bencode_parse(buf_bytes(record), BENCODE_STRICT, 0, NULL, NULL);
    struct bytes s = {0};
    assert_true(bencode_get_str(b, 0, "nodes4", &s));
    assert_true((i + 1) * KRPC_NODE4 <= s.n);
    const uint8_t *at = s.p + i * KRPC_NODE4;
    unsigned n = at[KRPC_ID + 3] | (unsigned)at[KRPC_ID + 2] << 8;
    bencode_free(b);
    return n;
}

static void few_do_not_replace_many(void **state)
{
    struct buf record = {0}, fresh = {0};
    (void)state;
    saved(&fresh, 0, 300, 300);
    merge(&record, &fresh, NOW);
    saved(&fresh, 1000, 20, 5); /* 5 good ones, 15 that were merely met */
    merge(&record, &fresh, NOW + 60);
    assert_int_equal(count(&record, "nodes4", KRPC_NODE4), 320);
    assert_int_equal(count(&record, "seen4", 4), 320);
    assert_int_equal(node_at(&record, 0), 1000);
    assert_int_equal(node_at(&record, 4), 1004);
    assert_int_equal(node_at(&record, 5), 0);
    assert_int_equal(node_at(&record, 304), 299);
    assert_int_equal(node_at(&record, 305), 1005);
    buf_fini(&record);
    buf_fini(&fresh);
}

static void met_again(void **state)
{
    struct buf record = {0}, fresh = {0};
    (void)state;
    saved(&fresh, 0, 10, 10);
    merge(&record, &fresh, NOW);
    saved(&fresh, 5, 10, 5); /* 5 to 9 are still good, 10 to 14 questionable */
    merge(&record, &fresh, NOW + 60);
    assert_int_equal(count(&record, "nodes4", KRPC_NODE4), 15);
    assert_int_equal(node_at(&record, 0), 5);
    assert_int_equal(node_at(&record, 5), 0);
    assert_int_equal(node_at(&record, 14), 14);
    saved(&fresh, 0, 3, 0); /* not good any more: what is known of them stays */
    merge(&record, &fresh, NOW + 120);
    assert_int_equal(node_at(&record, 0), 5);
    assert_int_equal(node_at(&record, 5), 0);
    saved(&fresh, 0, 1, 1); /* with the clock set back by a year */
    merge(&record, &fresh, NOW - 31536000);
    assert_int_equal(node_at(&record, 0), 0);
    assert_int_equal(count(&record, "nodes4", KRPC_NODE4), 15);
    buf_fini(&record);
    buf_fini(&fresh);
}

static void of_two_ids_the_newer(void **state)
{
    struct buf record = {0}, fresh = {0};
    uint8_t node[KRPC_NODE4];
    struct addr a = {4, 6881, {80, 1, 0, 7}};
    (void)state;
    saved(&fresh, 7, 1, 1);
    merge(&record, &fresh, NOW);
    krpc_put_node(node, (const uint8_t *)"bbbbbbbbbbbbbbbbbbbb", &a);
    buf_fini(&fresh);
    bencode_put_dict(&fresh);
    bencode_put_key_int(&fresh, "good4", 1);
    bencode_put_key_str(&fresh, "nodes4", BYTES(node, sizeof node));
    bencode_put_end(&fresh);
    merge(&record, &fresh, NOW + 1);
    assert_int_equal(count(&record, "nodes4", KRPC_NODE4), 1);
    assert_non_null(memmem(buf_bytes(&record).p, buf_len(&record), "bbbbbbbb", 8));
    buf_fini(&record);
    buf_fini(&fresh);
}

static void bounded(void **state)
{
    static const unsigned n[] = {DHT_MEMORY_NODES, DHT_MEMORY_NODES + 1, 2400};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buf record = {0}, fresh = {0};
        for (unsigned at = 0; at < n[i]; at += 200) { /* dht_save tells of 200 at most */
            unsigned some = n[i] - at < 200 ? n[i] - at : 200;
            saved(&fresh, at, some, some);
            merge(&record, &fresh, NOW + at);
        }
        assert_int_equal(count(&record, "nodes4", KRPC_NODE4), DHT_MEMORY_NODES);
        assert_int_equal(node_at(&record, 0), (n[i] - 1) / 200 * 200); /* the latest */
        assert_true(buf_len(&record) < DHT_MEMORY_MAX);
        buf_fini(&record);
        buf_fini(&fresh);
    }
}

static void hints(struct buf *out, unsigned from, unsigned n)
{
    struct buf v = {0};
    for (unsigned i = from; i < from + n; i++) {
        uint8_t at[18];
        struct addr a = {6, 6881, {0x20, 0x01, 4, 0x70, (uint8_t)(i >> 8), (uint8_t)i}};
        buf_put(&v, at, addr_put_compact(&a, at));
    }
    buf_fini(out);
    bencode_put_dict(out);
    bencode_put_key_str(out, "hints6", buf_bytes(&v));
    bencode_put_end(out);
    buf_fini(&v);
}

static void hints_too(void **state)
{
    struct buf record = {0}, fresh = {0};
    (void)state;
    hints(&fresh, 0, 10);
    merge(&record, &fresh, NOW);
    hints(&fresh, 5, 10);
    merge(&record, &fresh, NOW);
    assert_int_equal(count(&record, "hints6", 18), 15);
    hints(&fresh, 100, DHT_MEMORY_HINTS - 15);
    merge(&record, &fresh, NOW);
    assert_int_equal(count(&record, "hints6", 18), DHT_MEMORY_HINTS);
    hints(&fresh, 200, 1);
    merge(&record, &fresh, NOW);
    assert_int_equal(count(&record, "hints6", 18), DHT_MEMORY_HINTS);
    hints(&fresh, 300, 2000);
    merge(&record, &fresh, NOW);
    assert_int_equal(count(&record, "hints6", 18), DHT_MEMORY_HINTS);
    buf_fini(&record);
    buf_fini(&fresh);
}

static void damage_is_nothing(void **state)
{
    struct buf whole = {0}, fresh = {0}, none = {0};
    (void)state;
    saved(&fresh, 0, 20, 20);
    merge(&whole, &fresh, NOW);
    for (size_t n = 0; n < buf_len(&whole); n += 7) {
        struct buf out = {0}, again = {0};
        dht_memory_merge(&out, BYTES(buf_bytes(&whole).p, n), buf_bytes(&none), NOW);
        assert_int_equal(count(&out, "nodes4", KRPC_NODE4), 0);
        dht_memory_merge(&again, BYTES(buf_bytes(&whole).p, n), buf_bytes(&fresh), NOW);
        assert_int_equal(count(&again, "nodes4", KRPC_NODE4), 20);
        buf_fini(&out);
        buf_fini(&again);
    }
    for (size_t i = 0; i < buf_len(&whole); i++) {
        struct buf out = {0};
        uint8_t *copy = mem_dup(buf_bytes(&whole).p, buf_len(&whole));
        copy[i] ^= 0x10;
        dht_memory_merge(&out, BYTES(copy, buf_len(&whole)), buf_bytes(&fresh), NOW);
        assert_in_range(count(&out, "nodes4", KRPC_NODE4), 20, 40);
        free(copy);
        buf_fini(&out);
    }
    static const char *const others[] = {"",
                                         "de",
                                         "le",
                                         "i5e",
                                         "4:spam",
                                         "d6:nodes4i3ee",
                                         "d6:nodes45:12345e",
                                         "d6:nodes4le5:seen4de"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct buf out = {0};
        dht_memory_merge(&out, bytes_str(others[i]), bytes_str(others[i]), -5);
        assert_int_equal(count(&out, "nodes4", KRPC_NODE4), 0);
        buf_fini(&out);
    }
    buf_fini(&whole);
    buf_fini(&fresh);
}

/* One node, in a record of so many bytes. */
static void of_length(struct buf *out, size_t length)
{
    char *pad = mem_zero(length);
    uint8_t node[KRPC_NODE4] = {[20] = 80, [25] = 1};
    for (size_t n = length - 100; buf_len(out) != length; n++) {
        buf_fini(out);
        bencode_put_dict(out);
        bencode_put_key_str(out, "nodes4", BYTES(node, sizeof node));
        bencode_put_key_str(out, "pad", BYTES(pad, n));
        bencode_put_end(out);
    }
    free(pad);
}

static void too_long_is_nothing(void **state)
{
    static const size_t lengths[] = {DHT_MEMORY_MAX, DHT_MEMORY_MAX + 1, 50 * DHT_MEMORY_MAX};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buf old = {0}, out = {0};
        of_length(&old, lengths[i]);
        dht_memory_merge(&out, buf_bytes(&old), BYTES("de", 2), NOW);
        assert_int_equal(count(&out, "nodes4", KRPC_NODE4), i == 0 ? 1 : 0);
        buf_fini(&old);
        buf_fini(&out);
    }
}

static void the_dht_reads_it(void **state)
{
    struct dht_config c = {.v4 = true, .v6 = true};
    struct rng r;
    struct buf record = {0}, fresh = {0}, again = {0};
    struct dht_status s, before;
    (void)state;
    rng_seed(&r, 1);
    struct dht *d = dht_new(&c, &r, 0);
    dht_status(d, &before, 0);
    saved(&fresh, 0, 30, 30);
    merge(&record, &fresh, NOW);
    hints(&fresh, 0, 10);
    merge(&record, &fresh, NOW);
    assert_int_equal(dht_load(d, buf_bytes(&record), true, 0, NULL), 0);
    dht_status(d, &s, 0);
    assert_int_equal(s.v4.hints, 30);
    assert_int_equal(s.v6.hints, 10);
    assert_memory_equal(s.v4.id, before.v4.id, KRPC_ID); /* there is none in it */
    /* Nobody answered: what it writes says so, and the record still knows who was good. */
    dht_save(d, &again, 0);
    merge(&record, &again, NOW + 1000);
    assert_int_equal(count(&record, "nodes4", KRPC_NODE4), 30);
    saved(&fresh, 50, 1, 0);
    merge(&record, &fresh, NOW + 2000);
    assert_int_equal(node_at(&record, 30), 50);
    dht_free(d);
    buf_fini(&record);
    buf_fini(&fresh);
    buf_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_do_not_replace_many),
        cmocka_unit_test(met_again),
        cmocka_unit_test(of_two_ids_the_newer),
        cmocka_unit_test(bounded),
        cmocka_unit_test(hints_too),
        cmocka_unit_test(damage_is_nothing),
        cmocka_unit_test(too_long_is_nothing),
        cmocka_unit_test(the_dht_reads_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

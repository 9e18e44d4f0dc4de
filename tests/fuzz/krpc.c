/*
 * Fuzzes KRPC and a whole DHT node. floor: proto
 * The input is a datagram, or several: 0xff and a byte of options begin the next. Holds: what was
 * read, written and read again is written the same; a node under any datagrams stays inside its
 * limits, answers a stranger at most three times what he sent, and never asks for its own deadline
 * at once for ever.
 */
#include "proto/dht_guard.h"

#include <p2p/proto/dht.h>
#include <p2p/proto/krpc.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TID_SWAP = 1, OTHER_SENDER = 2, LATER = 4, IPV6 = 8, MUCH_LATER = 16 };

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void write_again(struct bytes in)
{
    static struct krpc_msg m, again;
    struct buf once = {0}, twice = {0};
    /* The name of a method that is not known is not kept. */
    if (krpc_parse(&m, in) == 0 && !m.fault && (m.kind != KRPC_QUERY || m.method != KRPC_UNKNOWN)) {
        krpc_write(&once, &m);
        if (buf_len(&once) <= KRPC_MAX_IN) {
            must(krpc_parse(&again, buf_bytes(&once)) == 0 && !again.fault);
            must(again.kind == m.kind && again.n_values == m.n_values);
            krpc_write(&twice, &again);
            must(bytes_eq(buf_bytes(&once), buf_bytes(&twice)));
        }
    }
    buf_fini(&once);
    buf_fini(&twice);
}

struct rig {
    struct dht *dht;
    struct addr node4, node6, stranger4, stranger6;
    usec now;
    uint8_t tid[4]; /* of the latest question to each of the nodes */
};

static void begin(struct rig *r)
{
    struct dht_config c = {.v4 = true, .v6 = true, .version = "PP01"};
    struct dht_search s = {.info_hash = "12345678901234567890", .port = 1, .scrape = true};
    struct rng rng;
    rng_seed(&rng, 1);
    r->now = 0;
    r->dht = dht_new(&c, &rng, 0);
    must(addr_parse(&r->node4, "10.0.0.1:2000") && addr_parse(&r->node6, "[fd00::1]:2000"));
    must(addr_parse(&r->stranger4, "60.0.0.1:20") && addr_parse(&r->stranger6, "[2600::1]:20"));
    dht_add_node(r->dht, &r->node4, 0);
    dht_add_node(r->dht, &r->node6, 0);
    dht_find_peers(r->dht, &s, 0);
    dht_get(r->dht, s.info_hash, BYTES("", 0), 0);
    dht_sample(r->dht, s.info_hash, 0);
    dht_put(r->dht, &(struct dht_item){.value = BYTES_LIT("i1e")}, 0);
}

/* Everything it says; of the questions the transaction id is noted. Bytes to `who` are counted. */
static size_t pump(struct rig *r, const struct addr *who, const struct addr *node)
{
    uint8_t out[DHT_MAX_DATAGRAM];
    static struct krpc_msg m;
    struct addr to;
    struct dht_event e;
    size_t n, told = 0;
    while ((n = dht_pull(r->dht, &to, out))) {
        must(n <= DHT_MAX_DATAGRAM && krpc_parse(&m, BYTES(out, n)) == 0 && !m.fault);
        if (m.kind != KRPC_QUERY && addr_eq(&to, who))
            told += n;
        if (m.kind == KRPC_QUERY && addr_eq(&to, node))
            memcpy(r->tid, m.tid.p, 4);
    }
    while (dht_next(r->dht, &e))
        must(e.type != DHT_PEERS || e.n_peers <= KRPC_MAX_VALUES);
    return told;
}

/* An answer must carry the right transaction id to get any further: it is written over the one
 * that stands in the input. */
static void swap_tid(struct rig *r, uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 9 < n; i++)
        if (memcmp(p + i, "1:t4:", 5) == 0)
            memcpy(p + i + 5, r->tid, 4);
}

static void one(struct rig *r, uint8_t options, const uint8_t *p, size_t n)
{
    const struct addr *node = options & IPV6 ? &r->node6 : &r->node4, *from = node;
    uint8_t copy[KRPC_MAX_IN + 1];
    struct dht_status s;
    if (n > sizeof copy)
        n = sizeof copy;
    memcpy(copy, p, n);
    pump(r, from, node);
    if (options & TID_SWAP)
        swap_tid(r, copy, n);
    if (options & OTHER_SENDER)
        from = options & IPV6 ? &r->stranger6 : &r->stranger4;
    dht_feed(r->dht, from, BYTES(copy, n), r->now);
    size_t told = pump(r, from, node);
    must(told <= KRPC_MAX_ITEM && (!(options & OTHER_SENDER) || told <= DHT_AMPLIFY * n));
    r->now += options & MUCH_LATER ? 10 * USEC_MIN : options & LATER ? USEC_SEC : 0;
    for (int i = 0; i < 3; i++)
        if (dht_deadline(r->dht) <= r->now) {
            dht_tick(r->dht, r->now);
            pump(r, from, node);
        }
    must(dht_deadline(r->dht) > r->now);
    dht_status(r->dht, &s, r->now);
    must(s.asked <= DHT_MAX_ASKED && s.v4.hints <= DHT_MAX_HINTS && s.v4.buckets <= 160);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig r = {0};
    uint8_t options = TID_SWAP;
    size_t at = 0;
    write_again(BYTES(data, size));
    begin(&r);
    for (int rounds = 0; rounds < 16; rounds++) {
        const uint8_t *end = size - at ? memchr(data + at, 0xff, size - at) : NULL;
        size_t n = end ? (size_t)(end - data) - at : size - at;
        one(&r, options, data + at, n);
        at += n + 1;
        if (!end || at >= size)
            break;
        options = data[at++];
    }
    dht_free(r.dht);
    return 0;
}

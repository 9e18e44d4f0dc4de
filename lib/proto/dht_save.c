/*
 * Memory between runs: a bencoded dictionary with our ids and compact nodes of both families, the
 * good ones first, and how many these are. Who has lost everybody writes the hints back, so that
 * nothing is forgotten only because the line was down.
 */
#include "proto/dht_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/bencode.h>

enum { SAVE_MOST = 200, TOKENS_MOST = 64 };

static const struct {
    const char *good, *id, *nodes, *hints;
} keys[2] = {{"good4", "id4", "nodes4", "hints4"}, {"good6", "id6", "nodes6", "hints6"}};

static size_t node_size(const struct dht_side *s)
{
    return s->family == 4 ? KRPC_NODE4 : KRPC_NODE6;
}

static void add_nodes(const struct dht_side *s, struct buf *out, enum dht_quality q, usec now)
{
    uint8_t at[KRPC_NODE6];
    const struct dht_node *n;
    for (size_t it = 0; (n = dht_table_each(s->table, &it));)
        if (dht_node_quality(n, now) == q && buf_len(out) < SAVE_MOST * node_size(s))
            buf_put(out, at, krpc_put_node(at, n->id, &n->addr));
}

static void save_nodes(const struct dht_side *s, const char *key, struct buf *out, usec now)
{
    struct buf nodes = {0};
    uint8_t at[KRPC_NODE6];
    add_nodes(s, &nodes, DHT_GOOD, now);
    add_nodes(s, &nodes, DHT_QUESTIONABLE, now);
    add_nodes(s, &nodes, DHT_BAD, now);
    for (unsigned i = 0; !s->joined && i < s->n_hints; i++)
        if (s->hints[i].has_id && buf_len(&nodes) < SAVE_MOST * node_size(s))
            buf_put(&nodes, at, krpc_put_node(at, s->hints[i].id, &s->hints[i].addr));
    bencode_put_key_str(out, key, buf_bytes(&nodes));
    buf_fini(&nodes);
}

static void save_hints(const struct dht_side *s, const char *key, struct buf *out)
{
    struct buf hints = {0};
    uint8_t at[18];
    for (unsigned i = 0; i < s->n_hints && i < SAVE_MOST; i++)
        if (!s->hints[i].has_id)
            buf_put(&hints, at, addr_put_compact(&s->hints[i].addr, at));
    bencode_put_key_str(out, key, buf_bytes(&hints));
    buf_fini(&hints);
}

static void save_good(const struct dht_side *s, const char *key, struct buf *out, usec now)
{
    struct buf nodes = {0};
    add_nodes(s, &nodes, DHT_GOOD, now);
    bencode_put_key_int(out, key, (int64_t)(buf_len(&nodes) / node_size(s)));
    buf_fini(&nodes);
}

void dht_save(const struct dht *d, struct buf *out, usec now)
{
    bencode_put_dict(out);
    for (int i = 0; i < 2; i++)
        if (d->side[i].on)
            save_good(&d->side[i], keys[i].good, out, now);
    for (int i = 0; i < 2; i++)
        if (d->side[i].on)
            save_hints(&d->side[i], keys[i].hints, out);
    for (int i = 0; i < 2; i++)
        if (d->side[i].on)
            bencode_put_key_str(out, keys[i].id, BYTES(dht_table_own(d->side[i].table), DHT_ID));
    for (int i = 0; i < 2; i++)
        if (d->side[i].on)
            save_nodes(&d->side[i], keys[i].nodes, out, now);
    bencode_put_end(out);
}

static bool whole(const struct bencode *b, const char *key, size_t each, struct bytes *out)
{
    *out = BYTES("", 0);
    if (bencode_get(b, 0, key) == BNODE_NONE)
        return true;
    return bencode_get_str(b, 0, key, out) && out->n % each == 0;
}

static void load_side(struct dht *d, struct dht_side *s, struct bytes nodes, struct bytes hints)
{
    size_t node = node_size(s), hint = node - DHT_ID;
    for (size_t i = 0; i + node <= nodes.n && i < SAVE_MOST * node; i += node) {
        const uint8_t *id;
        struct addr a;
        krpc_get_node(nodes.p + i, s->family == 6, &id, &a);
        dht_keep_hint(d, &a, id);
    }
    for (size_t i = 0; i + hint <= hints.n && i < SAVE_MOST * hint; i += hint) {
        struct addr a;
        if (addr_get_compact(&a, BYTES(hints.p + i, hint)))
            dht_keep_hint(d, &a, NULL);
    }
}

int dht_load(struct dht *d, struct bytes saved, bool ids, usec now, struct err *e)
{
    struct bytes id[2], nodes[2], hints[2];
    struct bencode *b = bencode_parse(saved, BENCODE_STRICT, TOKENS_MOST, NULL, NULL);
    bool ok = b && bencode_type(b, 0) == BENCODE_DICT;
    for (int i = 0; ok && i < 2; i++)
        ok = whole(b, keys[i].id, DHT_ID, &id[i]) &&
             whole(b, keys[i].nodes, i ? KRPC_NODE6 : KRPC_NODE4, &nodes[i]) &&
             whole(b, keys[i].hints, i ? 18 : 6, &hints[i]);
    for (int i = 0; ok && i < 2; i++) {
        struct dht_side *s = &d->side[i];
        const uint8_t *given = i ? d->config.id6 : d->config.id4;
        if (!s->on)
            continue;
        if (ids && !given && id[i].n == DHT_ID)
            dht_table_move(s->table, id[i].p, now);
        load_side(d, s, nodes[i], hints[i]);
        if (!s->joined)
            dht_keep_join(d, s, now);
    }
    bencode_free(b);
    d->jobs_due = true;
    return ok ? 0 : err_set(e, ERR_INVALID, "remembered nodes: damaged");
}

/*
 * Merging what is remembered. The record is what dht_save writes, without ids, and with a string
 * beside the nodes that has four bytes for each: when it was last known to be good, 0 if never.
 */
#include <p2p/proto/dht_memory.h>

#include <p2p/base/mem.h>
#include <p2p/format/bencode.h>
#include <p2p/proto/krpc.h>

#include <stdlib.h>

enum { TOKENS_MOST = 64, SEEN = 4, NODES_IN = 1000 };

struct family {
    const char *nodes, *hints, *good, *seen;
    size_t node, hint; /* bytes of one */
};
static const struct family families[2] = {
    {"nodes4", "hints4", "good4", "seen4", KRPC_NODE4, KRPC_NODE4 - KRPC_ID},
    {"nodes6", "hints6", "good6", "seen6", KRPC_NODE6, KRPC_NODE6 - KRPC_ID},
};

struct entry {
    const uint8_t *at; /* as in the record: node or hint */
    uint32_t seen;
    uint32_t order; /* of those last seen at one time, the first found stays first */
};

struct pile { /* of nodes or of hints */
    struct entry *v;
    uint32_t n;
    size_t each, skip; /* bytes of one; of those not part of the address */
};

/* ---- taking ---- */

static void add(struct pile *p, const uint8_t *at, uint32_t seen)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (memcmp(p->v[i].at + p->skip, at + p->skip, p->each - p->skip) == 0) {
            p->v[i].seen = seen > p->v[i].seen ? seen : p->v[i].seen;
            return;
        }
    p->v[p->n] = (struct entry){.at = at, .seen = seen, .order = p->n};
    p->n++;
}

static struct bytes strings(const struct bencode *b, const char *key, size_t each)
{
    struct bytes s;
    return bencode_get_str(b, 0, key, &s) && s.n % each == 0 ? s : BYTES("", 0);
}

static uint32_t seen_at(struct bytes seen, size_t i, uint32_t now)
{
    uint32_t t = 0;
    for (int k = 0; k < SEEN; k++)
        t = t << 8 | seen.p[i * SEEN + (size_t)k];
    return t < now ? t : now; /* a clock may have been set back */
}

/* Those of a record or of dht_save, which tells how many of its first are good. */
static void take(struct pile *p, const struct bencode *b, const struct family *f, uint32_t now)
{
    struct bytes nodes = strings(b, f->nodes, f->node), seen = strings(b, f->seen, SEEN);
    uint64_t good = 0;
    size_t n = nodes.n / f->node;
    bool dated = seen.n == n * SEEN;
    bencode_get_uint(b, 0, f->good, &good);
    for (size_t i = 0; i < n && i < NODES_IN; i++)
        add(p, nodes.p + i * f->node, i < good ? now : dated ? seen_at(seen, i, now) : 0);
}

static void take_hints(struct pile *p, const struct bencode *b, const struct family *f)
{
    struct bytes hints = strings(b, f->hints, f->hint);
    for (size_t i = 0; i < hints.n && i < NODES_IN * f->hint; i += f->hint)
        add(p, hints.p + i, 0);
}

/* ---- writing ---- */

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->seen != y->seen)
        return x->seen > y->seen ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void put_pile(struct buf *out, const char *key, const struct pile *p, size_t most)
{
    struct buf s = {0};
    for (size_t i = 0; i < p->n && i < most; i++)
        buf_put(&s, p->v[i].at, p->each);
    bencode_put_key_str(out, key, buf_bytes(&s));
    buf_fini(&s);
}

static void put_seen(struct buf *out, const char *key, const struct pile *p)
{
    struct buf s = {0};
    for (size_t i = 0; i < p->n && i < DHT_MEMORY_NODES; i++)
        for (int k = SEEN - 1; k >= 0; k--)
            buf_put_u8(&s, (uint8_t)(p->v[i].seen >> 8 * k));
    bencode_put_key_str(out, key, buf_bytes(&s));
    buf_fini(&s);
}

static struct bencode *parse(struct bytes b)
{
    return b.n > DHT_MEMORY_MAX ? NULL : bencode_parse(b, BENCODE_STRICT, TOKENS_MOST, NULL, NULL);
}

/* What was met now comes first, so that of two ids at one address the newer one is kept. */
static void gather(struct pile *p, const struct bencode *fresh, const struct bencode *old,
                   const struct family *f, bool hints, uint32_t now)
{
    const struct bencode *from[2] = {fresh, old};
    *p = (struct pile){.v = mem_array(2 * NODES_IN, sizeof *p->v),
                       .each = hints ? f->hint : f->node,
                       .skip = hints ? 0 : KRPC_ID};
    for (int i = 0; i < 2; i++)
        if (from[i] && bencode_type(from[i], 0) == BENCODE_DICT) {
            if (hints)
                take_hints(p, from[i], f);
            else
                take(p, from[i], f, now);
        }
    qsort(p->v, p->n, sizeof *p->v, by_time);
}

void dht_memory_merge(struct buf *out, struct bytes old, struct bytes fresh, int64_t now)
{
    struct bencode *a = parse(fresh), *b = parse(old);
    uint32_t at = now < 0 ? 0 : now > UINT32_MAX ? UINT32_MAX : (uint32_t)now;
    struct pile nodes[2], hints[2];
    for (int i = 0; i < 2; i++) {
        gather(&nodes[i], a, b, &families[i], false, at);
        gather(&hints[i], a, b, &families[i], true, at);
    }
    bencode_put_dict(out);
    for (int i = 0; i < 2; i++)
        put_pile(out, families[i].hints, &hints[i], DHT_MEMORY_HINTS);
    for (int i = 0; i < 2; i++)
        put_pile(out, families[i].nodes, &nodes[i], DHT_MEMORY_NODES);
    for (int i = 0; i < 2; i++)
        put_seen(out, families[i].seen, &nodes[i]);
    bencode_put_end(out);
    for (int i = 0; i < 2; i++) {
        free(nodes[i].v);
        free(hints[i].v);
    }
    bencode_free(a);
    bencode_free(b);
}

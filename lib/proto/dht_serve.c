/*
 * Answers to others. Rules:
 * - Who asks too often, or when we have sent enough, gets none.
 * - To an address that has not shown that it receives, three times the question at most: then nodes
 *   and peers are cut, the longer list first, and items and filters are left out.
 * - What costs (storing) needs a token.
 * - Errors are answers too; they are answered to queries only, so that no two nodes ever loop.
 */
#include "proto/dht_int.h"

#include <p2p/base/mem.h>
#include <p2p/proto/dht_addr.h>

enum {
    VALUE4 = 8, /* "6:" and a compact address, bencoded */
    VALUE6 = 21,
    VALUES_AROUND = 10, /* key and brackets of the list */
    NODES_AROUND = 12,  /* key and length of the string, at most */
    PROBE_SIZE = 80,
    SAMPLES_AROUND = 36, /* with `num` and `interval` */
};

/* An answer in the making: the lists are cut until it fits. */
struct reply {
    struct krpc_msg m;
    const struct dht_node *nodes[2][DHT_K];
    size_t n_nodes[2];
    size_t n_samples;
    size_t limit;
    uint8_t packed[2][DHT_K * KRPC_NODE6];
    uint8_t token[DHT_TOKEN];
    struct dht_bloom seeds, peers;
};

struct query {
    struct dht *d;
    struct dht_side *side;
    const struct addr *from;
    const struct krpc_msg *m;
    size_t asked; /* length of the datagram */
    bool probe;   /* it is asked in turn whether it lives: that counts as well */
    usec now;
};

static size_t limit_of(const struct query *q, size_t most)
{
    size_t thrice = DHT_AMPLIFY * q->asked;
    thrice -= q->probe && thrice > PROBE_SIZE ? PROBE_SIZE : 0;
    return dht_guard_proved(q->d->guard, q->from, q->now) || thrice > most ? most : thrice;
}

static void send(const struct query *q, struct krpc_msg *m, size_t limit)
{
    struct buf b = {0};
    m->tid = q->m->tid;
    m->version = dht_version(q->d);
    m->ip = *q->from;
    krpc_write(&b, m);
    if (buf_len(&b) > limit || !dht_send(q->d, &q->d->answers, q->from, buf_bytes(&b), q->now))
        q->d->refused++;
    buf_fini(&b);
}

static void refuse(const struct query *q, int code)
{
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        {KRPC_SERVER, "no room"},
        {KRPC_PROTOCOL, "bad message or token"},
        {KRPC_NO_METHOD, "unknown method"},
        {KRPC_TOO_BIG, "value too big"},
        {KRPC_BAD_SIGNATURE, "bad signature"},
        {KRPC_SALT_TOO_BIG, "salt too big"},
        {KRPC_CAS_MISMATCH, "cas mismatch"},
        {KRPC_SEQ_OLD, "seq too old"},
    };
    struct krpc_msg m = {.kind = KRPC_ERROR, .code = code};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].code == code)
            m.text = bytes_str(texts[i].text);
    send(q, &m, limit_of(q, KRPC_MAX_OUT));
}

/* ---- fitting an answer into its limit ---- */

static size_t nodes_size(const struct reply *r, int v6)
{
    size_t n = r->n_nodes[v6];
    return n ? NODES_AROUND + n * (v6 ? KRPC_NODE6 : KRPC_NODE4) : 0;
}

static size_t values_size(const struct reply *r, const struct query *q)
{
    size_t n = r->m.n_values;
    return n ? VALUES_AROUND + n * (q->from->family == 4 ? VALUE4 : VALUE6) : 0;
}

/* Everything but the lists. */
static size_t bare_size(const struct query *q, const struct krpc_msg *full)
{
    struct buf b = {0};
    struct krpc_msg m = *full;
    m.n_values = 0;
    m.samples = BYTES(NULL, 0);
    m.tid = q->m->tid;
    m.version = dht_version(q->d);
    m.ip = *q->from;
    krpc_write(&b, &m);
    size_t n = buf_len(&b) + (full->samples.p ? SAMPLES_AROUND : 0);
    buf_fini(&b);
    return n;
}

/* Cuts the longest list by one. False if there is nothing left to cut. */
static bool cut(struct reply *r, const struct query *q)
{
    size_t size[] = {nodes_size(r, 0), nodes_size(r, 1), values_size(r, q), r->n_samples * KRPC_ID};
    size_t *n[] = {&r->n_nodes[0], &r->n_nodes[1], &r->m.n_values, &r->n_samples};
    size_t longest = 0;
    for (size_t i = 1; i < sizeof size / sizeof *size; i++)
        if (size[i] > size[longest])
            longest = i;
    if (!size[longest])
        return false;
    --*n[longest];
    return true;
}

static struct bytes pack(struct reply *r, int v6)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_nodes[v6]; i++)
        n += krpc_put_node(r->packed[v6] + n, r->nodes[v6][i]->id, &r->nodes[v6][i]->addr);
    return BYTES(r->packed[v6], n);
}

static void find_nodes(const struct query *q, struct reply *r)
{
    unsigned want = q->m->want;
    if (!want)
        want = q->side->family == 4 ? KRPC_WANT4 : KRPC_WANT6;
    for (int i = 0; i < 2; i++) {
        struct dht_side *s = &q->d->side[i];
        bool wanted = want & (i ? KRPC_WANT6 : KRPC_WANT4);
        if (wanted && s->on)
            r->n_nodes[i] =
                dht_table_closest(s->table, q->m->target, q->from, r->nodes[i], DHT_K, q->now);
        /* Present though empty, when it was asked for. */
        if (wanted)
            *(i ? &r->m.nodes6 : &r->m.nodes) = BYTES(r->packed[i], 0);
    }
}

static void finish(const struct query *q, struct reply *r)
{
    size_t bare = bare_size(q, &r->m);
    while (bare + nodes_size(r, 0) + nodes_size(r, 1) + values_size(r, q) + r->n_samples * KRPC_ID >
           r->limit)
        if (!cut(r, q))
            break;
    if (r->n_nodes[0])
        r->m.nodes = pack(r, 0);
    if (r->n_nodes[1])
        r->m.nodes6 = pack(r, 1);
    if (r->m.samples.p)
        r->m.samples.n = r->n_samples * KRPC_ID;
    send(q, &r->m, r->limit);
}

static void start(const struct query *q, struct reply *r, size_t most)
{
    memset(r, 0, sizeof *r);
    r->m.kind = KRPC_REPLY;
    r->m.id = dht_table_own(q->side->table);
    r->limit = limit_of(q, most);
}

static void put_token(const struct query *q, struct reply *r)
{
    dht_token_make(&q->d->tokens, r->token, q->from, q->m->target);
    r->m.token = BYTES(r->token, DHT_TOKEN);
}

/* ---- the methods ---- */

static void ping(const struct query *q, struct reply *r)
{
    start(q, r, KRPC_MAX_OUT);
    finish(q, r);
}

static void find_node(const struct query *q, struct reply *r)
{
    start(q, r, KRPC_MAX_OUT);
    find_nodes(q, r);
    finish(q, r);
}

/* Filters go only where they fit as they are: half of one would be a lie. */
static void add_blooms(const struct query *q, struct reply *r)
{
    if (!dht_store_blooms(q->d->store, q->m->target, &r->seeds, &r->peers, q->now))
        return;
    r->m.bloom_seeds = r->seeds.v;
    r->m.bloom_peers = r->peers.v;
    if (bare_size(q, &r->m) > r->limit)
        r->m.bloom_seeds = r->m.bloom_peers = NULL;
}

static void get_peers(const struct query *q, struct reply *r)
{
    start(q, r, KRPC_MAX_OUT);
    find_nodes(q, r);
    if (dht_store_room(q->d->store, q->m->target, q->from, q->now))
        put_token(q, r);
    if (q->m->scrape)
        add_blooms(q, r);
    r->m.n_values = dht_store_pick(q->d->store, q->m->target, q->from, q->m->noseed, &q->d->dice,
                                   r->m.values, KRPC_MAX_VALUES, q->now);
    finish(q, r);
}

/* A token proves the address as well as an answer would. */
static bool token_ok(const struct query *q, const uint8_t *target)
{
    if (!dht_token_ok(&q->d->tokens, q->m->token, q->from, target))
        return false;
    dht_guard_prove(q->d->guard, q->from, q->now);
    return true;
}

static void took_peer(const struct query *q, struct reply *r, const struct addr *peer)
{
    struct dht_event e = {
        .type = DHT_ANNOUNCED, .family = peer->family, .from = *peer, .seed = q->m->seed};
    memcpy(e.id, q->m->target, DHT_ID);
    dht_tell(q->d, &e, NULL);
    ping(q, r);
}

static void announce_peer(const struct query *q, struct reply *r)
{
    struct addr peer = *q->from;
    if (!q->m->implied_port)
        peer.port = q->m->port;
    if (!peer.port || !token_ok(q, q->m->target))
        refuse(q, KRPC_PROTOCOL);
    else if (!dht_store_add(q->d->store, q->m->target, dht_table_own(q->side->table), &peer,
                            q->m->seed, q->now))
        refuse(q, KRPC_SERVER);
    else
        took_peer(q, r, &peer);
}

static void add_item(const struct query *q, struct reply *r)
{
    const struct dht_item *i = dht_items_get(q->d->items, q->m->target, q->now);
    struct krpc_msg *m = &r->m;
    if (!i)
        return;
    m->has_seq = i->key != NULL;
    m->seq = i->seq;
    if (i->key && q->m->has_seq && i->seq <= q->m->seq)
        return; /* it has that already */
    m->key = i->key;
    m->sig = i->sig;
    m->value = i->value;
    if (bare_size(q, m) <= r->limit)
        return;
    m->key = m->sig = NULL;
    m->value = BYTES(NULL, 0);
}

static void get(const struct query *q, struct reply *r)
{
    start(q, r, KRPC_MAX_ITEM);
    find_nodes(q, r);
    put_token(q, r);
    add_item(q, r);
    finish(q, r);
}

static void put(const struct query *q, struct reply *r)
{
    const struct krpc_msg *m = q->m;
    struct dht_item i = {.value = m->value};
    uint8_t target[DHT_ID];
    if (m->key) {
        i = (struct dht_item){.value = m->value,
                              .key = m->key,
                              .sig = m->sig,
                              .salt = m->salt,
                              .seq = m->has_seq ? m->seq : -1,
                              .has_cas = m->has_cas,
                              .cas = m->cas};
    }
    dht_item_target(&i, target);
    int wrong = token_ok(q, target)
                    ? dht_items_put(q->d->items, &i, dht_table_own(q->side->table), q->from, q->now)
                    : KRPC_PROTOCOL;
    /* Sizes are named even without a token: it was for the key of a value that nobody takes. */
    if (wrong == KRPC_PROTOCOL && m->value.n > KRPC_MAX_VALUE)
        wrong = KRPC_TOO_BIG;
    else if (wrong == KRPC_PROTOCOL && m->key && m->salt.n > KRPC_MAX_SALT)
        wrong = KRPC_SALT_TOO_BIG;
    if (wrong)
        refuse(q, wrong);
    else
        ping(q, r);
}

static void sample(const struct query *q, struct reply *r)
{
    start(q, r, KRPC_MAX_OUT);
    find_nodes(q, r);
    r->m.samples = dht_store_sample(q->d->store, &q->d->dice, &r->m.interval, q->now);
    r->n_samples = r->m.samples.n / KRPC_ID;
    r->m.num = (int64_t)dht_store_torrents(q->d->store);
    finish(q, r);
}

static void (*const methods[])(const struct query *q, struct reply *r) = {
    [KRPC_PING] = ping,
    [KRPC_FIND_NODE] = find_node,
    [KRPC_GET_PEERS] = get_peers,
    [KRPC_ANNOUNCE_PEER] = announce_peer,
    [KRPC_GET] = get,
    [KRPC_PUT] = put,
    [KRPC_SAMPLE] = sample,
    [KRPC_UNKNOWN] = find_node, /* it has a target, so nodes close to it are of use */
};

void dht_serve(struct dht *d, const struct addr *from, const struct krpc_msg *m, size_t asked,
               usec now)
{
    struct reply r;
    struct query q = {d, dht_side_of(d, from), from, m, asked, false, now};
    const uint8_t *own = dht_table_own(q.side->table);
    d->queries++;
    if (d->config.read_only || (m->id && dht_id_eq(m->id, own)) ||
        !dht_guard_admit(d->guard, from, now) || bucket_avail(&d->answers, now) == 0) {
        d->refused++;
        return;
    }
    if (m->fault) {
        refuse(&q, m->fault);
        return;
    }
    q.probe = !m->read_only && dht_table_queried(q.side->table, m->id, from, now);
    methods[m->method](&q, &r);
    if (q.probe)
        dht_keep_probe(d, from, now);
}

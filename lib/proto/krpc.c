/*
 * KRPC messages. What a method needs stands in one table; a query that lacks it carries a fault, so
 * that whoever answers need not look again. Replies do not say which method they answer: every
 * field that is well formed is taken, and the owner uses what it asked for.
 */
#include <p2p/proto/krpc.h>

#include <p2p/format/bencode.h>

#include <stdlib.h>

enum need { NEED_TARGET = 1, NEED_HASH = 2, NEED_TOKEN = 4, NEED_PORT = 8, NEED_VALUE = 16 };

static const struct {
    const char *name;
    unsigned needs;
} methods[] = {
    [KRPC_PING] = {"ping", 0},
    [KRPC_FIND_NODE] = {"find_node", NEED_TARGET},
    [KRPC_GET_PEERS] = {"get_peers", NEED_HASH},
    [KRPC_ANNOUNCE_PEER] = {"announce_peer", NEED_HASH | NEED_TOKEN | NEED_PORT},
    [KRPC_GET] = {"get", NEED_TARGET},
    [KRPC_PUT] = {"put", NEED_TOKEN | NEED_VALUE},
    [KRPC_SAMPLE] = {"sample_infohashes", NEED_TARGET},
};

bool krpc_smells(struct bytes d)
{
    return d.n >= 2 && d.p[0] == 'd' && d.p[d.n - 1] == 'e';
}

/* ---- reading ---- */

static const uint8_t *fixed(const struct bencode *b, bnode dict, const char *key, size_t n)
{
    struct bytes s;
    return bencode_get_str(b, dict, key, &s) && s.n == n ? s.p : NULL;
}

static bool flag(const struct bencode *b, bnode dict, const char *key)
{
    uint64_t v;
    return bencode_get_uint(b, dict, key, &v) && v != 0;
}

static void read_want(struct krpc_msg *m, const struct bencode *b, bnode list)
{
    struct bytes s;
    if (bencode_type(b, list) != BENCODE_LIST)
        return;
    for (bnode n = bencode_first(b, list); n != BNODE_NONE; n = bencode_next(b, n))
        if (bencode_str(b, n, &s))
            m->want |= bytes_is(s, "n4") ? KRPC_WANT4 : bytes_is(s, "n6") ? KRPC_WANT6 : 0;
}

/* The fields that queries and replies have in common. */
static void read_common(struct krpc_msg *m, const struct bencode *b, bnode d)
{
    m->id = fixed(b, d, "id", KRPC_ID);
    m->key = fixed(b, d, "k", 32);
    m->sig = fixed(b, d, "sig", 64);
    m->has_seq = bencode_get_int(b, d, "seq", &m->seq);
    bnode v = bencode_get(b, d, "v");
    if (v != BNODE_NONE)
        m->value = bencode_raw(b, v);
    if (!bencode_get_str(b, d, "token", &m->token) || m->token.n > KRPC_MAX_TOKEN)
        m->token = BYTES(NULL, 0);
}

static bool lacks(const struct krpc_msg *m, unsigned needs)
{
    return (needs & (NEED_TARGET | NEED_HASH) && !m->target) ||
           (needs & NEED_TOKEN && !m->token.p) || (needs & NEED_VALUE && !m->value.p) ||
           (needs & NEED_PORT && !m->has_port && !m->implied_port);
}

/* A method that is not known may still have a target: then it can be answered like find_node. */
static const uint8_t *read_target(const struct bencode *b, bnode a, unsigned needs)
{
    const uint8_t *target = needs & NEED_HASH ? NULL : fixed(b, a, "target", KRPC_ID);
    return target || needs & NEED_TARGET ? target : fixed(b, a, "info_hash", KRPC_ID);
}

static void read_args(struct krpc_msg *m, const struct bencode *b, bnode a)
{
    uint64_t port;
    unsigned needs = m->method == KRPC_UNKNOWN ? 0 : methods[m->method].needs;
    read_common(m, b, a);
    read_want(m, b, bencode_get(b, a, "want"));
    m->target = read_target(b, a, needs);
    m->implied_port = flag(b, a, "implied_port");
    m->noseed = flag(b, a, "noseed");
    m->scrape = flag(b, a, "scrape");
    m->seed = flag(b, a, "seed");
    m->has_port = bencode_get_uint(b, a, "port", &port) && port <= UINT16_MAX;
    m->port = m->has_port ? (uint16_t)port : 0;
    m->has_cas = bencode_get_int(b, a, "cas", &m->cas);
    bencode_get_str(b, a, "salt", &m->salt);
    if (!m->id || lacks(m, needs))
        m->fault = KRPC_PROTOCOL;
    else if (m->method == KRPC_UNKNOWN && !m->target)
        m->fault = KRPC_NO_METHOD;
}

static int read_query(struct krpc_msg *m, const struct bencode *b)
{
    struct bytes q;
    bnode a = bencode_get(b, 0, "a");
    m->method = KRPC_UNKNOWN;
    m->read_only = flag(b, 0, "ro");
    if (!bencode_get_str(b, 0, "q", &q) || bencode_type(b, a) != BENCODE_DICT) {
        m->fault = KRPC_PROTOCOL;
        return 0;
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (bytes_is(q, methods[i].name))
            m->method = (enum krpc_method)i;
    read_args(m, b, a);
    return 0;
}

/* A list that is not whole is a broken answer, not a shorter one. */
static bool read_packed(const struct bencode *b, bnode d, const char *key, size_t each,
                        struct bytes *out)
{
    return !bencode_get_str(b, d, key, out) || out->n % each == 0;
}

static void read_values(struct krpc_msg *m, const struct bencode *b, bnode list)
{
    struct bytes s;
    if (bencode_type(b, list) != BENCODE_LIST)
        return;
    for (bnode n = bencode_first(b, list); n != BNODE_NONE && m->n_values < KRPC_MAX_VALUES;
         n = bencode_next(b, n))
        if (bencode_str(b, n, &s) && addr_get_compact(&m->values[m->n_values], s))
            m->n_values++;
}

static int read_reply(struct krpc_msg *m, const struct bencode *b)
{
    uint64_t interval;
    bnode r = bencode_get(b, 0, "r");
    if (bencode_type(b, r) != BENCODE_DICT)
        return ERR_INVALID;
    read_common(m, b, r);
    if (!m->id || !read_packed(b, r, "nodes", KRPC_NODE4, &m->nodes) ||
        !read_packed(b, r, "nodes6", KRPC_NODE6, &m->nodes6) ||
        !read_packed(b, r, "samples", KRPC_ID, &m->samples))
        return ERR_INVALID;
    read_values(m, b, bencode_get(b, r, "values"));
    m->bloom_seeds = fixed(b, r, "BFsd", KRPC_BLOOM);
    m->bloom_peers = fixed(b, r, "BFpe", KRPC_BLOOM);
    if (bencode_get_uint(b, r, "interval", &interval))
        m->interval = interval < KRPC_MAX_INTERVAL ? (uint32_t)interval : KRPC_MAX_INTERVAL;
    if (!bencode_get_int(b, r, "num", &m->num) || m->num < 0)
        m->num = 0;
    return 0;
}

/* A pair of number and text; clients have sent less, and an error says enough by being one. */
static int read_error(struct krpc_msg *m, const struct bencode *b)
{
    bnode e = bencode_get(b, 0, "e");
    bnode first = bencode_type(b, e) == BENCODE_LIST ? bencode_first(b, e) : BNODE_NONE;
    int64_t code;
    m->code = bencode_int(b, first, &code) && code > 0 && code < 1000 ? (int)code : KRPC_GENERIC;
    bencode_str(b, bencode_next(b, first), &m->text);
    m->id = fixed(b, bencode_get(b, 0, "r"), "id", KRPC_ID);
    return 0;
}

static const struct {
    char y;
    int (*read)(struct krpc_msg *m, const struct bencode *b);
} kinds[] = {
    [KRPC_QUERY] = {'q', read_query},
    [KRPC_REPLY] = {'r', read_reply},
    [KRPC_ERROR] = {'e', read_error},
};

static int read_message(struct krpc_msg *m, const struct bencode *b)
{
    struct bytes y, ip;
    if (bencode_type(b, 0) != BENCODE_DICT || !bencode_get_str(b, 0, "t", &m->tid) ||
        m->tid.n == 0 || m->tid.n > KRPC_MAX_TID || !bencode_get_str(b, 0, "y", &y) || y.n != 1)
        return ERR_INVALID;
    bencode_get_str(b, 0, "v", &m->version);
    if (bencode_get_str(b, 0, "ip", &ip))
        addr_get_compact(&m->ip, ip);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (y.p[0] != kinds[i].y)
            continue;
        m->kind = (enum krpc_kind)i;
        return kinds[i].read(m, b);
    }
    return ERR_INVALID;
}

/* BEP 44 wants a query with bad bencoding refused by name: so its form is looked at leniently. */
static int refuse_unclean(struct krpc_msg *m, struct bytes d)
{
    struct bencode *b = bencode_parse(d, BENCODE_LENIENT, KRPC_MAX_TOKENS, NULL, NULL);
    int rc = b ? read_message(m, b) : ERR_INVALID;
    bencode_free(b);
    if (rc < 0 || m->kind != KRPC_QUERY)
        return ERR_INVALID;
    m->fault = KRPC_PROTOCOL;
    return 0;
}

int krpc_parse(struct krpc_msg *m, struct bytes d)
{
    memset(m, 0, sizeof *m);
    if (!krpc_smells(d) || d.n > KRPC_MAX_IN)
        return ERR_INVALID;
    struct bencode *b = bencode_parse(d, BENCODE_STRICT, KRPC_MAX_TOKENS, NULL, NULL);
    if (!b)
        return refuse_unclean(m, d);
    int rc = read_message(m, b);
    bencode_free(b);
    return rc;
}

/* ---- writing: keys in order ---- */

static void put_opt(struct buf *out, const char *key, struct bytes s)
{
    if (s.p)
        bencode_put_key_str(out, key, s);
}

static void put_fixed(struct buf *out, const char *key, const uint8_t *p, size_t n)
{
    put_opt(out, key, BYTES(p, n));
}

static void put_flag(struct buf *out, const char *key, bool on)
{
    if (on)
        bencode_put_key_int(out, key, 1);
}

static void put_raw(struct buf *out, const char *key, struct bytes encoded)
{
    if (!encoded.p)
        return;
    bencode_put_lit(out, key);
    buf_put_bytes(out, encoded);
}

static void put_want(struct buf *out, unsigned want)
{
    if (!want)
        return;
    bencode_put_lit(out, "want");
    bencode_put_list(out);
    if (want & KRPC_WANT4)
        bencode_put_lit(out, "n4");
    if (want & KRPC_WANT6)
        bencode_put_lit(out, "n6");
    bencode_put_end(out);
}

static void put_pad(struct buf *out, uint16_t n)
{
    static const uint8_t zeros[KRPC_MAX_OUT];
    if (n)
        bencode_put_key_str(out, "pad", BYTES(zeros, n < sizeof zeros ? n : sizeof zeros));
}

static void write_args(struct buf *out, const struct krpc_msg *m)
{
    bool hash = m->method == KRPC_GET_PEERS || m->method == KRPC_ANNOUNCE_PEER;
    bencode_put_dict(out);
    if (m->has_cas)
        bencode_put_key_int(out, "cas", m->cas);
    put_fixed(out, "id", m->id, KRPC_ID);
    put_flag(out, "implied_port", m->implied_port);
    if (hash)
        put_fixed(out, "info_hash", m->target, KRPC_ID);
    put_fixed(out, "k", m->key, 32);
    put_flag(out, "noseed", m->noseed);
    put_pad(out, m->pad);
    if (m->has_port)
        bencode_put_key_int(out, "port", m->port);
    put_opt(out, "salt", m->salt);
    put_flag(out, "scrape", m->scrape);
    put_flag(out, "seed", m->seed);
    if (m->has_seq)
        bencode_put_key_int(out, "seq", m->seq);
    put_fixed(out, "sig", m->sig, 64);
    if (!hash)
        put_fixed(out, "target", m->target, KRPC_ID);
    put_opt(out, "token", m->token);
    put_raw(out, "v", m->value);
    put_want(out, m->want);
    bencode_put_end(out);
}

static void put_values(struct buf *out, const struct krpc_msg *m)
{
    uint8_t compact[18];
    if (!m->n_values)
        return;
    bencode_put_lit(out, "values");
    bencode_put_list(out);
    for (size_t i = 0; i < m->n_values; i++)
        bencode_put_str(out, BYTES(compact, addr_put_compact(&m->values[i], compact)));
    bencode_put_end(out);
}

static void write_return(struct buf *out, const struct krpc_msg *m)
{
    bencode_put_dict(out);
    put_fixed(out, "BFpe", m->bloom_peers, KRPC_BLOOM);
    put_fixed(out, "BFsd", m->bloom_seeds, KRPC_BLOOM);
    put_fixed(out, "id", m->id, KRPC_ID);
    if (m->samples.p)
        bencode_put_key_int(out, "interval", m->interval);
    put_fixed(out, "k", m->key, 32);
    put_opt(out, "nodes", m->nodes);
    put_opt(out, "nodes6", m->nodes6);
    if (m->samples.p)
        bencode_put_key_int(out, "num", m->num);
    put_opt(out, "samples", m->samples);
    if (m->has_seq)
        bencode_put_key_int(out, "seq", m->seq);
    put_fixed(out, "sig", m->sig, 64);
    put_opt(out, "token", m->token);
    put_raw(out, "v", m->value);
    put_values(out, m);
    bencode_put_end(out);
}

static void write_error(struct buf *out, const struct krpc_msg *m)
{
    bencode_put_lit(out, "e");
    bencode_put_list(out);
    bencode_put_int(out, m->code);
    bencode_put_str(out, m->text.p ? m->text : BYTES("", 0));
    bencode_put_end(out);
}

static void put_ip(struct buf *out, const struct addr *ip)
{
    uint8_t compact[18];
    size_t n = addr_put_compact(ip, compact);
    if (n)
        bencode_put_key_str(out, "ip", BYTES(compact, n));
}

void krpc_write(struct buf *out, const struct krpc_msg *m)
{
    bool query = m->kind == KRPC_QUERY;
    bencode_put_dict(out);
    if (query) {
        bencode_put_lit(out, "a");
        write_args(out, m);
    }
    if (m->kind == KRPC_ERROR)
        write_error(out, m);
    put_ip(out, &m->ip);
    if (query && m->method != KRPC_UNKNOWN)
        bencode_put_key_str(out, "q", bytes_str(methods[m->method].name));
    if (m->kind == KRPC_REPLY) {
        bencode_put_lit(out, "r");
        write_return(out, m);
    }
    put_flag(out, "ro", query && m->read_only);
    bencode_put_key_str(out, "t", m->tid);
    put_opt(out, "v", m->version);
    bencode_put_key_str(out, "y", BYTES(&kinds[m->kind].y, 1));
    bencode_put_end(out);
}

/* ---- compact nodes ---- */

size_t krpc_put_node(uint8_t *at, const uint8_t id[KRPC_ID], const struct addr *a)
{
    memcpy(at, id, KRPC_ID);
    return KRPC_ID + addr_put_compact(a, at + KRPC_ID);
}

void krpc_get_node(const uint8_t *at, bool v6, const uint8_t **id, struct addr *a)
{
    *id = at;
    *a = (struct addr){0};
    addr_get_compact(a, BYTES(at + KRPC_ID, v6 ? 18 : 6));
}

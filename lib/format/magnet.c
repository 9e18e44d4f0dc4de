/*
 * Magnet links. Read generously where links in the wild differ (numbered keys such as tr.1, `&amp;`
 * for `&`, upper case, unknown keys and topics of other networks) and strictly where the answer to
 * "which content?" depends on it.
 */
#include <p2p/base/addr.h>
#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <p2p/format/magnet.h>
#include <p2p/format/manifest.h>

#include <stdlib.h>
#include <strings.h>

#define SCHEME "magnet:?"
/* Multihash head of SHA-256: function 0x12, 32 bytes (BEP 9, btmh). */
static const uint8_t multihash_head[2] = {0x12, SHA256_LEN};

static int bad(struct err *e, const char *why)
{
    return err_set(e, ERR_INVALID, "magnet link: %s", why);
}

static int set_hash(bool *has, uint8_t *place, const uint8_t *hash, size_t n, struct err *e)
{
    if (*has && memcmp(place, hash, n) != 0)
        return bad(e, "two different info-hashes");
    memcpy(place, hash, n);
    *has = true;
    return 0;
}

static int read_btih(struct magnet *m, const char *s, struct err *e)
{
    uint8_t hash[SHA1_LEN];
    struct bytes b = bytes_str(s);

    if (b.n == 2 * SHA1_LEN ? !text_unhex(hash, SHA1_LEN, b) : !text_unbase32(hash, SHA1_LEN, b))
        return bad(e, "the urn:btih: info-hash is not 40 hex or 32 base32 characters");
    return set_hash(&m->has_v1, m->hash_v1, hash, SHA1_LEN, e);
}

static int read_btmh(struct magnet *m, const char *s, struct err *e)
{
    uint8_t tagged[sizeof multihash_head + SHA256_LEN];

    if (!text_unhex(tagged, sizeof tagged, bytes_str(s)) ||
        memcmp(tagged, multihash_head, sizeof multihash_head) != 0)
        return bad(e, "the urn:btmh: info-hash is not 1220 and 64 hex characters");
    return set_hash(&m->has_v2, m->hash_v2, tagged + sizeof multihash_head, SHA256_LEN, e);
}

static int read_xt(struct magnet *m, const char *v, struct err *e)
{
    if (strncasecmp(v, "urn:btih:", 9) == 0)
        return read_btih(m, v + 9, e);
    if (strncasecmp(v, "urn:btmh:", 9) == 0)
        return read_btmh(m, v + 9, e);
    return 0; /* a topic of another network */
}

static int read_dn(struct magnet *m, const char *v, struct err *e)
{
    (void)e;
    if (!m->name)
        m->name = mem_str(v);
    return 0;
}

static int read_xl(struct magnet *m, const char *v, struct err *e)
{
    uint64_t n;

    (void)e; /* a hint: a wrong one is none */
    if (num_parse_u64(bytes_str(v), &n))
        m->size = n;
    return 0;
}

void magnet_list_add(char ***list, size_t *n, const char *s)
{
    *list = mem_grow(*list, *n + 1, sizeof **list);
    (*list)[(*n)++] = mem_str(s);
}

static int add_item(char ***list, size_t *n, const char *v, struct err *e)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*list)[i], v) == 0)
            return 0;
    if (*n >= MAGNET_MAX_ITEMS)
        return err_set(e, ERR_LIMIT, "magnet link: more than %u entries of one kind",
                       MAGNET_MAX_ITEMS);
    magnet_list_add(list, n, v);
    return 0;
}

static int read_tr(struct magnet *m, const char *v, struct err *e)
{
    return add_item(&m->trackers, &m->n_trackers, v, e);
}

static int read_ws(struct magnet *m, const char *v, struct err *e)
{
    return add_item(&m->web_seeds, &m->n_web_seeds, v, e);
}

static int read_xs(struct magnet *m, const char *v, struct err *e)
{
    return add_item(&m->exact_sources, &m->n_exact_sources, v, e);
}

static int read_as(struct magnet *m, const char *v, struct err *e)
{
    return add_item(&m->acceptable_sources, &m->n_acceptable_sources, v, e);
}

/* One that cannot be reached is no reason to refuse the rest. */
static bool is_reachable(const char *v)
{
    char host[256];
    uint16_t port;

    return addr_split(v, host, sizeof host, &port) && *host && port != 0;
}

static int read_peer(struct magnet *m, const char *v, struct err *e)
{
    return is_reachable(v) ? add_item(&m->peers, &m->n_peers, v, e) : 0;
}

static int read_node(struct magnet *m, const char *v, struct err *e)
{
    return is_reachable(v) ? add_item(&m->nodes, &m->n_nodes, v, e) : 0;
}

static bool read_index(const char *s, size_t n, uint32_t *out)
{
    uint64_t v;

    if (!num_parse_u64(BYTES(s, n), &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

static int read_so(struct magnet *m, const char *v, struct err *e)
{
    for (const char *s = v;; s++) {
        size_t n = strcspn(s, ","), dash = strcspn(s, ",-");
        struct magnet_range r;

        if (!read_index(s, dash, &r.first))
            return bad(e, "so= is not a list of file numbers like 0,2,4-6");
        r.last = r.first;
        if (dash < n && (!read_index(s + dash + 1, n - dash - 1, &r.last) || r.last < r.first))
            return bad(e, "so= has a range that is none");
        if (m->n_select >= MAGNET_MAX_ITEMS)
            return err_set(e, ERR_LIMIT,
                           "magnet link: more than %u ranges in so=", MAGNET_MAX_ITEMS);
        m->select = mem_grow(m->select, m->n_select + 1, sizeof *m->select);
        m->select[m->n_select++] = r;
        s += n;
        if (!*s)
            return 0;
    }
}

typedef int reader(struct magnet *m, const char *v, struct err *e);

static const struct {
    const char *key;
    reader *read;
} readers[] = {
    {"xt", read_xt}, {"dn", read_dn}, {"xl", read_xl}, {"tr", read_tr},     {"ws", read_ws},
    {"xs", read_xs}, {"as", read_as}, {"so", read_so}, {"x.pe", read_peer}, {"dht", read_node},
};

/* The key without a number behind it: "tr.12" is "tr". */
static size_t key_len(const char *s, size_t n)
{
    size_t end = n;

    while (end > 0 && s[end - 1] >= '0' && s[end - 1] <= '9')
        end--;
    return end < n && end > 1 && s[end - 1] == '.' ? end - 1 : n;
}

/* Values are strings to all that follows, so none may hold a NUL. An empty one says nothing. */
static int read_value(struct magnet *m, reader *read, struct buf *value, struct err *e)
{
    size_t n = buf_len(value);
    char *v = buf_take_str(value);
    int rc = 0;

    if (strlen(v) != n)
        rc = bad(e, "NUL in a value");
    else if (n > 0)
        rc = read(m, v, e);
    free(v);
    return rc;
}

static int read_param(struct magnet *m, const char *s, size_t n, struct err *e)
{
    const char *eq = memchr(s, '=', n);
    struct buf value = {0};
    size_t klen = eq ? key_len(s, (size_t)(eq - s)) : 0;
    int rc = 0;

    for (size_t i = 0; eq && i < sizeof readers / sizeof *readers; i++) {
        if (strlen(readers[i].key) != klen || strncasecmp(readers[i].key, s, klen) != 0)
            continue;
        bool name = strcmp(readers[i].key, "dn") == 0;
        struct bytes raw = BYTES(eq + 1, (size_t)(s + n - eq - 1));
        bool whole = text_unpercent(&value, raw, name);

        if (!whole && name) { /* "50% more" by hand: it says nothing about which content */
            buf_clear(&value);
            buf_put(&value, raw.p, raw.n);
        }
        rc = whole || name ? read_value(m, readers[i].read, &value, e)
                           : bad(e, "broken percent escape");
        break;
    }
    buf_fini(&value);
    return rc;
}

static int cmp_range(const void *a, const void *b)
{
    const struct magnet_range *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static void merge_ranges(struct magnet *m)
{
    size_t out = 0;

    if (m->n_select == 0)
        return;
    qsort(m->select, m->n_select, sizeof *m->select, cmp_range);
    for (size_t i = 1; i < m->n_select; i++) {
        struct magnet_range *last = &m->select[out], r = m->select[i];

        if (last->last == UINT32_MAX || r.first <= last->last + 1)
            last->last = r.last > last->last ? r.last : last->last;
        else
            m->select[++out] = r;
    }
    m->n_select = out + 1;
}

static int read_link(struct magnet *m, const char *link, struct err *e)
{
    int rc = 0;

    if (strncasecmp(link, SCHEME, sizeof SCHEME - 1) != 0)
        return bad(e, "does not begin with magnet:?");
    if (strlen(link) > MAGNET_MAX_LEN)
        return err_set(e, ERR_LIMIT, "magnet link: longer than %u characters", MAGNET_MAX_LEN);
    for (const char *s = link + sizeof SCHEME - 1; *s && rc == 0;) {
        size_t n = strcspn(s, "&");

        rc = read_param(m, s, n, e);
        s += n + (s[n] == '&');
        if (strncmp(s, "amp;", 4) == 0) /* copied out of a page's source */
            s += 4;
    }
    if (rc == 0 && !m->has_v1 && !m->has_v2)
        return bad(e, "no BitTorrent info-hash in it (xt=urn:btih: or xt=urn:btmh:)");
    merge_ranges(m);
    return rc;
}

int magnet_parse(struct magnet *m, const char *link, struct err *e)
{
    memset(m, 0, sizeof *m);
    int rc = read_link(m, link, e);
    if (rc < 0)
        magnet_fini(m);
    return rc;
}

static void free_list(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

void magnet_fini(struct magnet *m)
{
    free_list(m->trackers, m->n_trackers);
    free_list(m->web_seeds, m->n_web_seeds);
    free_list(m->exact_sources, m->n_exact_sources);
    free_list(m->acceptable_sources, m->n_acceptable_sources);
    free_list(m->peers, m->n_peers);
    free_list(m->nodes, m->n_nodes);
    free(m->select);
    free(m->name);
    memset(m, 0, sizeof *m);
}

/* Begins a parameter, with '&' before all but the first. */
static void put_key(struct buf *out, size_t start, const char *key)
{
    struct bytes b = buf_bytes(out);

    if (b.n > start && b.p[b.n - 1] != '?')
        buf_put_u8(out, '&');
    buf_put_str(out, key);
    buf_put_u8(out, '=');
}

static void put_list(struct buf *out, size_t start, const char *key, char **list, size_t n,
                     const char *keep)
{
    for (size_t i = 0; i < n; i++) {
        put_key(out, start, key);
        text_percent(out, bytes_str(list[i]), keep);
    }
}

static void put_select(struct buf *out, size_t start, const struct magnet *m)
{
    for (size_t i = 0; i < m->n_select; i++) {
        struct magnet_range r = m->select[i];

        if (i == 0)
            put_key(out, start, "so");
        buf_putf(out, r.first == r.last ? "%s%u" : "%s%u-%u", i ? "," : "", r.first, r.last);
    }
}

void magnet_write(const struct magnet *m, struct buf *out)
{
    size_t start = buf_len(out);
    char hex[2 * SHA256_LEN + 1];

    buf_put_str(out, SCHEME);
    if (m->has_v1) {
        text_hex(hex, BYTES(m->hash_v1, SHA1_LEN));
        put_key(out, start, "xt");
        buf_putf(out, "urn:btih:%s", hex);
    }
    if (m->has_v2) {
        text_hex(hex, BYTES(m->hash_v2, SHA256_LEN));
        put_key(out, start, "xt");
        buf_putf(out, "urn:btmh:1220%s", hex);
    }
    if (m->name) {
        put_key(out, start, "dn");
        text_percent(out, bytes_str(m->name), NULL);
    }
    put_list(out, start, "tr", m->trackers, m->n_trackers, NULL);
    put_list(out, start, "ws", m->web_seeds, m->n_web_seeds, NULL);
    /* libtorrent takes these as they stand, so brackets are not escaped */
    put_list(out, start, "x.pe", m->peers, m->n_peers, ":[]");
    put_list(out, start, "dht", m->nodes, m->n_nodes, ":[]");
    put_select(out, start, m);
}

void magnet_from_manifest(struct magnet *m, const struct manifest *mf)
{
    memset(m, 0, sizeof *m);
    m->has_v1 = mf->has_v1;
    m->has_v2 = mf->has_v2;
    if (mf->has_v1)
        memcpy(m->hash_v1, mf->hash_v1, SHA1_LEN);
    if (mf->has_v2)
        memcpy(m->hash_v2, mf->hash_v2, SHA256_LEN);
    m->name = mem_str(mf->name);
    m->size = mf->size;
    for (size_t t = 0; t < mf->n_tiers; t++)
        for (size_t i = 0; i < mf->tiers[t].n; i++)
            add_item(&m->trackers, &m->n_trackers, mf->tiers[t].urls[i], NULL);
    for (size_t i = 0; i < mf->n_web_seeds; i++)
        add_item(&m->web_seeds, &m->n_web_seeds, mf->web_seeds[i], NULL);
    for (size_t i = 0; i < mf->n_nodes && !mf->private_flag; i++)
        add_item(&m->nodes, &m->n_nodes, mf->nodes[i], NULL);
}

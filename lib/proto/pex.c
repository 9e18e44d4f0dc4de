/*
 * Peer exchange: six strings in a dictionary. Strict bencode but for their order (KTorrent has all
 * of IPv4 first), few tokens. Flags that are not as many as their peers belong to nobody and count
 * as none.
 */
#include <p2p/format/bencode.h>
#include <p2p/proto/pex.h>

enum { MAX_TOKENS = 64 };

static size_t compact_size(int family)
{
    return family == 4 ? 6 : 18;
}

/* Same host? On loopback all peers are on one, and only the port tells them apart. */
static bool same(const struct addr *a, const struct addr *b)
{
    return addr_scope(a) == ADDR_LOOPBACK ? addr_eq(a, b) : addr_same_ip(a, b);
}

static bool has_added(const struct pex_msg *m, const struct addr *a)
{
    for (size_t i = 0; i < m->n_added; i++)
        if (same(&m->added[i].addr, a))
            return true;
    return false;
}

static bool has_dropped(const struct pex_msg *m, const struct addr *a)
{
    for (size_t i = 0; i < m->n_dropped; i++)
        if (addr_eq(&m->dropped[i], a))
            return true;
    return false;
}

/* The string of a key, empty if it is not there; false if it is no list of addresses. */
static bool addresses(const struct bencode *b, const char *key, int family, struct bytes *out)
{
    *out = BYTES(NULL, 0);
    if (bencode_get(b, 0, key) == BNODE_NONE)
        return true;
    return bencode_get_str(b, 0, key, out) && out->n % compact_size(family) == 0;
}

static bool read_added(struct pex_msg *m, const struct bencode *b, int family)
{
    size_t size = compact_size(family);
    struct bytes s, f;
    if (!addresses(b, family == 4 ? "added" : "added6", family, &s))
        return false;
    bool flags =
        bencode_get_str(b, 0, family == 4 ? "added.f" : "added6.f", &f) && f.n == s.n / size;
    for (size_t i = 0; i < s.n / size && m->n_added < PEX_MAX_PEERS; i++) {
        struct addr a;
        addr_get_compact(&a, BYTES(s.p + i * size, size));
        if (a.port != 0 && !has_added(m, &a))
            m->added[m->n_added++] =
                (struct pex_peer){.addr = a, .flags = flags ? f.p[i] : (uint8_t)0};
    }
    return true;
}

static bool read_dropped(struct pex_msg *m, const struct bencode *b, int family)
{
    size_t size = compact_size(family);
    struct bytes s;
    if (!addresses(b, family == 4 ? "dropped" : "dropped6", family, &s))
        return false;
    for (size_t i = 0; i < s.n / size && m->n_dropped < PEX_MAX_PEERS; i++) {
        struct addr a;
        addr_get_compact(&a, BYTES(s.p + i * size, size));
        if (a.port != 0 && !has_dropped(m, &a))
            m->dropped[m->n_dropped++] = a;
    }
    return true;
}

int pex_parse(struct pex_msg *m, struct bytes body, struct err *e)
{
    memset(m, 0, sizeof *m);
    struct bencode *b = bencode_parse(body, BENCODE_UNSORTED, MAX_TOKENS, NULL, e);
    if (!b)
        return ERR_INVALID;
    int r = 0;
    if (bencode_type(b, 0) != BENCODE_DICT)
        r = err_set(e, ERR_INVALID, "peer exchange: not a dictionary");
    else if (!read_added(m, b, 4) || !read_added(m, b, 6) || !read_dropped(m, b, 4) ||
             !read_dropped(m, b, 6))
        r = err_set(e, ERR_INVALID, "peer exchange: not a list of addresses");
    bencode_free(b);
    return r;
}

static void put_added(struct buf *out, const struct pex_msg *m, int family)
{
    uint8_t all[PEX_MAX_PEERS * 18], flags[PEX_MAX_PEERS];
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < m->n_added; i++)
        if (m->added[i].addr.family == family) {
            bytes += addr_put_compact(&m->added[i].addr, all + bytes);
            flags[n++] = m->added[i].flags;
        }
    if (n == 0)
        return;
    bencode_put_key_str(out, family == 4 ? "added" : "added6", BYTES(all, bytes));
    bencode_put_key_str(out, family == 4 ? "added.f" : "added6.f", BYTES(flags, n));
}

static void put_dropped(struct buf *out, const struct pex_msg *m, int family)
{
    uint8_t all[PEX_MAX_PEERS * 18];
    size_t bytes = 0;
    for (size_t i = 0; i < m->n_dropped; i++)
        if (m->dropped[i].family == family)
            bytes += addr_put_compact(&m->dropped[i], all + bytes);
    if (bytes > 0)
        bencode_put_key_str(out, family == 4 ? "dropped" : "dropped6", BYTES(all, bytes));
}

void pex_put(struct buf *out, const struct pex_msg *m)
{
    bencode_put_dict(out);
    put_added(out, m, 4);
    put_added(out, m, 6);
    put_dropped(out, m, 4);
    put_dropped(out, m, 6);
    bencode_put_end(out);
}

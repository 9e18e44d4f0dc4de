/*
 * The extension protocol's dictionaries. Strict bencode but for the order of keys (KTorrent's `m`
 * has ut_pex before ut_metadata), few tokens; a field of the wrong type or out of range counts as
 * not told, because what matters here is only whether we can use it.
 */
#include <p2p/base/text.h>
#include <p2p/format/bencode.h>
#include <p2p/proto/ext.h>

enum { MAX_TOKENS = 4096, META_TOKENS = 64 };

/* By kind; EXT_HANDSHAKE has id 0 by definition and no name. */
static const char *const names[EXT_KINDS] = {
    [EXT_METADATA] = "ut_metadata",
    [EXT_PEX] = "ut_pex",
    [EXT_DONTHAVE] = "lt_donthave",
    [EXT_UPLOAD_ONLY] = "upload_only",
};

static struct bytes ip_bytes(const struct addr *a)
{
    return BYTES(a->ip, a->family == 4 ? 4u : 16u);
}

static void put_m(struct buf *out, const struct ext_hello *h)
{
    const struct {
        bool spoken;
        enum ext_kind kind;
    } sorted[] = {
        /* by name, as bencode wants it */
        {h->donthave, EXT_DONTHAVE},
        {h->upload_only_msg, EXT_UPLOAD_ONLY},
        {h->metadata, EXT_METADATA},
        {h->pex, EXT_PEX},
    };
    bencode_put_lit(out, "m");
    bencode_put_dict(out);
    for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++)
        if (sorted[i].spoken)
            bencode_put_key_int(out, names[sorted[i].kind], sorted[i].kind);
    bencode_put_end(out);
}

void ext_put_handshake(struct buf *out, const struct ext_hello *h)
{
    bencode_put_dict(out);
    put_m(out, h);
    if (h->metadata_size)
        bencode_put_key_int(out, "metadata_size", h->metadata_size);
    if (h->port)
        bencode_put_key_int(out, "p", h->port);
    if (h->reqq)
        bencode_put_key_int(out, "reqq", h->reqq);
    if (h->upload_only)
        bencode_put_key_int(out, "upload_only", 1);
    if (h->client && *h->client)
        bencode_put_key_str(out, "v", bytes_str(h->client));
    if (h->yourip.family)
        bencode_put_key_str(out, "yourip", ip_bytes(&h->yourip));
    bencode_put_end(out);
}

/* A positive number, at most `max`; left alone if there is none. */
static void get_capped(const struct bencode *b, const char *key, uint32_t max, uint32_t *out)
{
    uint64_t v;
    if (bencode_get_uint(b, 0, key, &v) && v > 0)
        *out = v < max ? (uint32_t)v : max;
}

static void read_m(struct ext_handshake *h, const struct bencode *b)
{
    bnode m = bencode_get(b, 0, "m");
    for (size_t k = EXT_HANDSHAKE + 1; k < EXT_KINDS; k++) {
        uint64_t id;
        if (!bencode_get_uint(b, m, names[k], &id) || id > UINT8_MAX)
            continue;
        h->has_m[k] = true;
        h->id[k] = (uint8_t)id;
    }
}

static void read_yourip(struct ext_handshake *h, const struct bencode *b)
{
    struct bytes s;
    uint8_t compact[18] = {0}; /* the port stays 0 */
    if (!bencode_get_str(b, 0, "yourip", &s) || (s.n != 4 && s.n != 16))
        return;
    memcpy(compact, s.p, s.n);
    addr_get_compact(&h->yourip, BYTES(compact, s.n + 2));
}

static void read_client(struct ext_handshake *h, const struct bencode *b)
{
    struct bytes s;
    if (!bencode_get_str(b, 0, "v", &s))
        return;
    s.n = text_utf8_cut(s, EXT_MAX_CLIENT);
    struct buf shown = {0};
    text_show(&shown, s); /* may be longer than what it shows */
    struct bytes all = buf_bytes(&shown);
    size_t n = text_utf8_cut(all, EXT_MAX_CLIENT);
    memcpy(h->client, all.p, n);
    h->client[n] = '\0';
    buf_fini(&shown);
}

int ext_parse_handshake(struct ext_handshake *h, struct bytes body, struct err *e)
{
    struct bencode *b = bencode_parse(body, BENCODE_UNSORTED, MAX_TOKENS, NULL, e);
    if (!b)
        return ERR_INVALID;
    int r = ERR_INVALID;
    uint64_t v;
    if (bencode_type(b, 0) != BENCODE_DICT) {
        err_set(e, r, "extended handshake: not a dictionary");
        goto out;
    }
    read_m(h, b);
    get_capped(b, "metadata_size", UINT32_MAX, &h->metadata_size);
    get_capped(b, "reqq", EXT_MAX_REQQ, &h->reqq);
    if (bencode_get_uint(b, 0, "p", &v) && v > 0 && v <= UINT16_MAX)
        h->port = (uint16_t)v;
    if (bencode_get_uint(b, 0, "upload_only", &v))
        h->upload_only = v != 0;
    read_yourip(h, b);
    read_client(h, b);
    r = 0;
out:
    bencode_free(b);
    return r;
}

/* What a known type must say. */
static int read_meta(struct ext_meta *m, const struct bencode *b, struct bytes behind,
                     struct err *e)
{
    uint64_t piece, total = 0;
    if (!bencode_get_uint(b, 0, "piece", &piece) || piece > UINT32_MAX)
        return err_set(e, ERR_INVALID, "metadata message: no valid piece number");
    m->piece = (uint32_t)piece;
    if (m->type != EXT_META_DATA)
        return 1;
    if (bencode_get_uint(b, 0, "total_size", &total) && total > UINT32_MAX)
        return err_set(e, ERR_INVALID, "metadata message: impossible size");
    if (behind.n > EXT_META_BLOCK)
        return err_set(e, ERR_INVALID, "metadata message: block of %zu bytes", behind.n);
    m->total_size = (uint32_t)total;
    m->data = behind;
    return 1;
}

int ext_parse_meta(struct ext_meta *m, struct bytes body, struct err *e)
{
    memset(m, 0, sizeof *m);
    size_t used = 0;
    struct bencode *b = bencode_parse(body, BENCODE_UNSORTED, META_TOKENS, &used, e);
    if (!b)
        return ERR_INVALID;
    int64_t type = 0;
    int r = 0;
    if (!bencode_get_int(b, 0, "msg_type", &type)) {
        r = err_set(e, ERR_INVALID, "metadata message: no type");
    } else if (type >= EXT_META_REQUEST && type <= EXT_META_REJECT) {
        m->type = (enum ext_meta_type)type;
        r = read_meta(m, b, BYTES(body.p + used, body.n - used), e);
    }
    bencode_free(b);
    return r;
}

void ext_put_meta(struct buf *out, const struct ext_meta *m)
{
    bencode_put_dict(out);
    bencode_put_key_int(out, "msg_type", m->type);
    bencode_put_key_int(out, "piece", m->piece);
    if (m->type == EXT_META_DATA)
        bencode_put_key_int(out, "total_size", m->total_size);
    bencode_put_end(out);
    if (m->type == EXT_META_DATA)
        buf_put_bytes(out, m->data);
}

int ext_parse_donthave(uint32_t *index, struct bytes body)
{
    if (body.n != 4)
        return ERR_INVALID;
    *index = get_be32(body.p);
    return 0;
}

void ext_put_donthave(struct buf *out, uint32_t index)
{
    buf_put_be32(out, index);
}

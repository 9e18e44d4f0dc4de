/* Local service discovery: lines of a header, one handler a name that matters. */
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <p2p/proto/lsd.h>

#include <stdio.h>

static const char REQUEST[] = "BT-SEARCH * HTTP/1.1";
static const char *const HOST[2] = {"239.192.152.143:6771", "[ff15::efc0:988f]:6771"};

struct addr lsd_group(int family)
{
    struct addr a = {0};
    addr_parse(&a, HOST[family == 6]);
    return a;
}

/* ---- reading ---- */

/* Cuts the next line, which ends in CR LF, off the front; false if none ends. */
static bool next_line(struct bytes *in, struct bytes *line)
{
    const uint8_t *lf = in->n ? memchr(in->p, '\n', in->n) : NULL;
    if (!lf || lf == in->p || lf[-1] != '\r')
        return false;
    size_t n = (size_t)(lf - in->p) + 1;
    *line = BYTES(in->p, n - 2);
    *in = BYTES(in->p + n, in->n - n);
    return true;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct bytes trimmed(struct bytes s)
{
    while (s.n > 0 && blank(s.p[0]))
        s = BYTES(s.p + 1, s.n - 1);
    while (s.n > 0 && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool is_name(struct bytes s, const char *name)
{
    for (size_t i = 0; i < s.n; i++)
        if (!name[i] || (s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] | 0x20 : s.p[i]) != name[i])
            return false;
    return !name[s.n];
}

static bool on_port(struct lsd_msg *m, struct bytes value)
{
    uint64_t v;
    if (m->port != 0 || value.n > 5 || !num_parse_u64(value, &v) || v == 0 || v > UINT16_MAX)
        return false;
    m->port = (uint16_t)v;
    return true;
}

static bool on_hash(struct lsd_msg *m, struct bytes value)
{
    uint8_t hash[20];
    if (!text_unhex(hash, sizeof hash, value))
        return false;
    if (m->n_hashes < LSD_MAX_HASHES)
        memcpy(m->hash[m->n_hashes++], hash, sizeof hash);
    return true;
}

static bool on_cookie(struct lsd_msg *m, struct bytes value)
{
    if (value.n > LSD_MAX_COOKIE)
        return true;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < 0x20 || value.p[i] > 0x7e)
            return true;
    if (value.n > 0)
        memcpy(m->cookie, value.p, value.n);
    m->cookie[value.n] = '\0';
    return true;
}

static const struct {
    const char *name; /* in lower case */
    bool (*take)(struct lsd_msg *m, struct bytes value);
} headers[] = {
    {"port", on_port},
    {"infohash", on_hash},
    {"cookie", on_cookie},
};

static bool header(struct lsd_msg *m, struct bytes line)
{
    const uint8_t *colon = memchr(line.p, ':', line.n);
    if (!colon)
        return false;
    size_t n = (size_t)(colon - line.p);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (is_name(BYTES(line.p, n), headers[i].name))
            return headers[i].take(m, trimmed(BYTES(colon + 1, line.n - n - 1)));
    return true;
}

bool lsd_parse(struct lsd_msg *m, struct bytes datagram)
{
    struct bytes line;
    memset(m, 0, sizeof *m);
    if (datagram.n > LSD_MAX_DATAGRAM || !next_line(&datagram, &line) || !bytes_is(line, REQUEST))
        return false;
    while (next_line(&datagram, &line)) {
        if (line.n == 0)
            return m->port != 0 && m->n_hashes > 0;
        if (!header(m, line))
            return false;
    }
    return false; /* cut off */
}

/* ---- writing ---- */

size_t lsd_put(uint8_t out[LSD_MAX_DATAGRAM], int family, const struct lsd_msg *m)
{
    struct buf b;
    buf_init(&b, LSD_MAX_DATAGRAM);
    buf_putf(&b, "%s\r\nHost: %s\r\nPort: %u\r\n", REQUEST, HOST[family == 6], (unsigned)m->port);
    for (size_t i = 0; i < m->n_hashes; i++) {
        char hex[41];
        text_hex(hex, BYTES(m->hash[i], 20));
        buf_putf(&b, "Infohash: %s\r\n", hex);
    }
    if (m->cookie[0])
        buf_putf(&b, "cookie: %s\r\n", m->cookie);
    buf_put_str(&b, "\r\n\r\n");
    size_t n = buf_len(&b);
    memcpy(out, buf_bytes(&b).p, n);
    buf_fini(&b);
    return n;
}

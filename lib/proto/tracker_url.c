/*
 * Tracker URLs: taken apart, and made into announce and scrape URLs (BEP 3, 48). The owner's part
 * of the URL (path, passkey, query) is kept as it is; only bytes that may not stand in a URL are
 * escaped.
 */
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <p2p/proto/tracker.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* What follows the prefix, whatever its case; NULL if it is not there. */
static const char *behind(const char *s, const char *prefix)
{
    while (*prefix && lower(*s) == *prefix) {
        s++;
        prefix++;
    }
    return *prefix ? NULL : s;
}

static const struct scheme {
    const char *prefix;
    char kind;
    bool tls;
    uint16_t port;
} schemes[] = {
    {"udp://", 'u', false, 0},
    {"http://", 'h', false, 80},
    {"https://", 'h', true, 443},
};

/* Host in brackets (an IPv6 address) or up to a colon; what follows is returned, NULL if broken. */
static const char *copy_host(struct tracker_url *u, const char *p, const char *end)
{
    char stop = ':';
    if (p < end && *p == '[') {
        p++;
        stop = ']';
    }
    size_t n = 0;
    while (p + n < end && p[n] != stop)
        n++;
    if (!n || n >= sizeof u->host)
        return NULL;
    memcpy(u->host, p, n);
    u->host[n] = '\0';
    p += n;
    if (stop == ':')
        return p;
    return p < end ? p + 1 : NULL;
}

static bool read_port(struct tracker_url *u, const char *p, const char *end)
{
    if (p == end)
        return true;
    uint64_t port;
    if (*p++ != ':')
        return false;
    if (p == end) /* RFC 3986 allows an empty port */
        return true;
    if (!num_parse_u64(BYTES(p, (size_t)(end - p)), &port) || !port || port > UINT16_MAX)
        return false;
    u->port = (uint16_t)port;
    return true;
}

/* A blank or control character has no place in an authority, and could split a request. */
static bool clean(const char *p, const char *end)
{
    for (; p < end; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f || *p == '\\')
            return false;
    return true;
}

int tracker_url_parse(struct tracker_url *u, const char *url, struct err *e)
{
    *u = (struct tracker_url){.path = ""};
    const char *p = NULL;
    const struct scheme *s = schemes;
    for (size_t i = 0; !p && i < sizeof schemes / sizeof *schemes; i++) {
        s = &schemes[i];
        p = behind(url, s->prefix);
    }
    if (!p)
        return err_set(e, ERR_INVALID, "tracker URL: not udp, http or https");
    u->tls = s->tls;
    u->port = s->port;
    const char *end = p + strcspn(p, "/?#");
    const char *at = end;
    while (at > p && at[-1] != '@') /* user info is for whoever fetches the URL */
        at--;
    u->path = *end == '#' ? end + strlen(end) : end;
    p = clean(at, end) ? copy_host(u, at, end) : NULL;
    if (!p || !read_port(u, p, end))
        return err_set(e, ERR_INVALID, "tracker URL: bad host or port");
    if (!u->port)
        return err_set(e, ERR_INVALID, "tracker URL: a UDP tracker needs a port");
    u->kind = s->kind;
    return 0;
}

/* The part before any fragment; false if it is no HTTP tracker's or has control characters. */
static bool http_url(const char *url, struct bytes *whole, struct err *e)
{
    struct tracker_url u;
    if (tracker_url_parse(&u, url, e) < 0)
        return false;
    *whole = BYTES(url, strcspn(url, "#"));
    for (size_t i = 0; i < whole->n; i++)
        if (whole->p[i] < 0x20 || whole->p[i] == 0x7f) {
            err_set(e, ERR_INVALID, "tracker URL: control characters");
            return false;
        }
    if (u.kind != 'h')
        err_set(e, ERR_INVALID, "tracker URL: not an HTTP tracker");
    return u.kind == 'h';
}

static void put_url(struct buf *out, struct bytes url)
{
    text_percent(out, url, TEXT_URL);
}

/* Something is to follow in the query of `url`. */
static void put_joint(struct buf *out, struct bytes url)
{
    bool query = memchr(url.p, '?', url.n) != NULL;
    uint8_t last = url.p[url.n - 1];
    if (!query)
        buf_put_u8(out, '?');
    else if (last != '?' && last != '&')
        buf_put_u8(out, '&');
}

static void put_raw(struct buf *out, const char *key, struct bytes value)
{
    buf_put_str(out, key);
    text_percent(out, value, NULL);
}

int tracker_http_announce(struct buf *out, const char *url, const struct tracker_request *r,
                          struct err *e)
{
    static const char *const events[] = {
        [TRACKER_NONE] = "",
        [TRACKER_COMPLETED] = "&event=completed",
        [TRACKER_STARTED] = "&event=started",
        [TRACKER_STOPPED] = "&event=stopped",
    };
    struct bytes whole;
    if (!http_url(url, &whole, e))
        return ERR_INVALID;
    put_url(out, whole);
    put_joint(out, whole);
    put_raw(out, "info_hash=", BYTES(r->info_hash, 20));
    put_raw(out, "&peer_id=", BYTES(r->peer_id, 20));
    buf_putf(out, "&port=%u&uploaded=%llu&downloaded=%llu&left=%llu", r->port,
             (unsigned long long)r->uploaded, (unsigned long long)r->downloaded,
             (unsigned long long)r->left);
    buf_putf(out, "&compact=1&no_peer_id=1&numwant=%lu&key=%08lX", (unsigned long)r->numwant,
             (unsigned long)r->key);
    buf_put_str(out, r->event == TRACKER_NONE && r->paused ? "&event=paused" : events[r->event]);
    if (r->trackerid)
        put_raw(out, "&trackerid=", bytes_str(r->trackerid));
    return 0;
}

int tracker_http_scrape(struct buf *out, const char *url, const uint8_t info_hash[20],
                        struct err *e)
{
    static const char announce[] = "announce";
    enum { N = sizeof announce - 1 };
    struct bytes whole;
    if (!http_url(url, &whole, e))
        return ERR_INVALID;
    const uint8_t *query = memchr(whole.p, '?', whole.n);
    size_t path_end = query ? (size_t)(query - whole.p) : whole.n;
    size_t last = path_end;
    while (last > 0 && whole.p[last - 1] != '/')
        last--;
    /* "announce.php" scrapes as "scrape.php": trackers have always read the rule so */
    if (path_end - last < N || memcmp(whole.p + last, announce, N) != 0)
        return err_set(e, ERR_NOTFOUND, "tracker URL: has no scrape");
    put_url(out, BYTES(whole.p, last));
    buf_put_str(out, "scrape");
    put_url(out, BYTES(whole.p + last + N, whole.n - last - N));
    put_joint(out, whole);
    put_raw(out, "info_hash=", BYTES(info_hash, 20));
    return 0;
}

/*
 * Secrets in addresses. Private trackers put a passkey into the path or the query, web seeds a
 * signature into the query, people a password before the host. Better one harmless word too many
 * is hidden than one key shown in a log that somebody pastes into a forum.
 */
#include "cli/redact.h"

#include <p2p/base/text.h>

#include <ctype.h>
#include <strings.h>

#define STARS "***"
#define KEY_LEN 16u /* shorter parts of a path are words */
#define MAGNET "magnet:?"
#define MAGNET_LEN (sizeof MAGNET - 1)

static bool ends_url(uint8_t c)
{
    return c <= ' ' || strchr("\"'<>`|", c);
}

/* Punctuation at the end is the sentence's ("http://h/x: timed out"). */
static size_t url_len(struct bytes s)
{
    size_t n = 0;

    while (n < s.n && !ends_url(s.p[n]))
        n++;
    while (n > 0 && s.p[n - 1] && strchr(":,.;!)", s.p[n - 1]))
        n--;
    return n;
}

/* How many of the bytes at the front are in none of `stop`. */
static size_t span(struct bytes s, const char *stop)
{
    size_t n = 0;

    while (n < s.n && (!s.p[n] || !strchr(stop, s.p[n])))
        n++;
    return n;
}

static struct bytes rest(struct bytes s, size_t n)
{
    return BYTES(s.p + n, s.n - n);
}

/* Long, of the letters that keys are made of, and neither one word nor several. */
static bool looks_like_key(struct bytes s)
{
    bool digit = false, upper = false, lower = false;

    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];

        if (!isalnum(c) && !strchr("-_=+~", c))
            return false;
        digit |= isdigit(c) != 0;
        upper |= isupper(c) != 0;
        lower |= islower(c) != 0;
    }
    return s.n >= KEY_LEN && (digit || (upper && lower));
}

static void put_path(struct buf *out, struct bytes path)
{
    while (path.n > 0) {
        size_t n = span(path, "/");

        if (looks_like_key(BYTES(path.p, n)))
            buf_put_str(out, STARS);
        else
            buf_put(out, path.p, n);
        if (n < path.n)
            buf_put_u8(out, path.p[n++]);
        path = rest(path, n);
    }
}

static void put_query(struct buf *out, struct bytes query)
{
    while (query.n > 0) {
        size_t key = span(query, "=&"), n = span(query, "&");

        if (key < n) {
            buf_put(out, query.p, key + 1);
            buf_put_str(out, STARS);
        } else if (looks_like_key(BYTES(query.p, n))) {
            buf_put_str(out, STARS);
        } else {
            buf_put(out, query.p, n);
        }
        if (n < query.n)
            buf_put_u8(out, query.p[n++]);
        query = rest(query, n);
    }
}

/* What stands behind "://", without what ends the URL. */
static void put_url(struct buf *out, struct bytes s)
{
    size_t host = span(s, "/?#"), at = host;

    while (at > 0 && s.p[at - 1] != '@')
        at--;
    if (at > 0)
        buf_put_str(out, STARS "@");
    buf_put(out, s.p + at, host - at);
    s = rest(s, host);
    size_t path = span(s, "?#");
    put_path(out, BYTES(s.p, path));
    s = rest(s, path);
    if (s.n > 0 && *s.p == '?') {
        size_t query = span(s, "#");

        buf_put_u8(out, '?');
        put_query(out, BYTES(s.p + 1, query - 1));
        s = rest(s, query);
    }
    if (s.n > 0)
        buf_put_str(out, "#" STARS);
}

static bool harmless(struct bytes key)
{
    static const char *const keys[] = {"xt", "dn", "xl", "so", "x.pe", "dht"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (bytes_is(key, keys[i]))
            return true;
    return false;
}

/* A value that is an address keeps what is not secret about it; any other is hidden. */
static void put_magnet_value(struct buf *out, struct bytes v)
{
    struct buf plain = {0}, safe = {0};
    struct bytes b;

    if (text_unpercent(&plain, v, false) && (b = buf_bytes(&plain), b.n > 0) &&
        memmem(b.p, b.n, "://", 3)) {
        redact_text(&safe, b);
        text_percent(out, buf_bytes(&safe), "*");
    } else {
        buf_put_str(out, STARS);
    }
    buf_fini(&plain);
    buf_fini(&safe);
}

static void put_magnet(struct buf *out, struct bytes s)
{
    while (s.n > 0) {
        size_t n = span(s, "&"), key = span(BYTES(s.p, n), "=");

        if (key == n || harmless(BYTES(s.p, key))) {
            buf_put(out, s.p, n);
        } else {
            buf_put(out, s.p, key + 1);
            put_magnet_value(out, BYTES(s.p + key + 1, n - key - 1));
        }
        if (n < s.n)
            buf_put_u8(out, s.p[n++]);
        s = rest(s, n);
    }
}

/* Length of "scheme://" at the front, 0 if there is none. */
static size_t scheme_len(struct bytes s)
{
    size_t n = 0;

    while (n < s.n && (isalnum(s.p[n]) || strchr("+-.", s.p[n])) && s.p[n])
        n++;
    return n > 0 && s.n - n >= 3 && memcmp(s.p + n, "://", 3) == 0 ? n + 3 : 0;
}

/* A step over a word: what could be no scheme, or all that could be one but is not. */
static size_t word_len(struct bytes s)
{
    size_t n = 0;

    while (n < s.n && isalnum(s.p[n]))
        n++;
    return n ? n : 1;
}

void redact_text(struct buf *out, struct bytes s)
{
    while (s.n > 0) {
        size_t scheme = scheme_len(s), n;

        if (s.n >= MAGNET_LEN && strncasecmp((const char *)s.p, MAGNET, MAGNET_LEN) == 0) {
            n = MAGNET_LEN + url_len(rest(s, MAGNET_LEN));
            buf_put(out, s.p, MAGNET_LEN);
            put_magnet(out, BYTES(s.p + MAGNET_LEN, n - MAGNET_LEN));
        } else if (scheme > 0) {
            n = scheme + url_len(rest(s, scheme));
            buf_put(out, s.p, scheme);
            put_url(out, BYTES(s.p + scheme, n - scheme));
        } else {
            n = word_len(s);
            buf_put(out, s.p, n);
        }
        s = rest(s, n);
    }
}

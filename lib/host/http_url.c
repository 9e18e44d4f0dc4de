/* URLs: cut up by the same code that will follow them, and shown without their secrets. */
#include "http_in.h"

#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <stdlib.h>

#define KEY_MIN 16 /* characters of a path component that may be a passkey */

static bool get_host(CURLU *u, char *host, size_t size)
{
    char *s = NULL;
    if (curl.url_get(u, CURLUPART_HOST, &s, 0))
        return false;
    size_t n = strlen(s);
    bool brackets = *s == '[' && n > 1 && s[n - 1] == ']';
    const char *from = brackets ? s + 1 : s;
    n -= brackets ? 2 : 0;
    bool ok = n > 0 && n < size;
    if (ok) {
        memcpy(host, from, n);
        host[n] = 0;
    }
    curl.free(s);
    return ok;
}

static bool get_port(CURLU *u, uint16_t *port)
{
    char *s = NULL;
    uint64_t v = 0;
    if (curl.url_get(u, CURLUPART_PORT, &s, CURLU_DEFAULT_PORT))
        return false;
    bool ok = num_parse_u64(bytes_str(s), &v) && v > 0 && v <= 65535;
    *port = (uint16_t)v;
    curl.free(s);
    return ok;
}

/* The part before "://" in lower case, as curl has it; NULL if there is none. */
static char *get_scheme(CURLU *u)
{
    char *s = NULL;
    return curl.url_get(u, CURLUPART_SCHEME, &s, 0) ? NULL : s;
}

static CURLU *cut(const char *url)
{
    const char *authority = strstr(url, "://");
    /* curl would take the first component of the path for a host that is missing. */
    if (!authority || authority[3] == '/' || strnlen(url, HTTP_URL_MAX + 1) > HTTP_URL_MAX)
        return NULL;
    CURLU *u = curl_late(NULL) < 0 ? NULL : curl.url();
    if (u && curl.url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME)) {
        curl.url_cleanup(u);
        u = NULL;
    }
    return u;
}

bool http_url_parse(const char *url, struct http_url *out)
{
    CURLU *u = cut(url);
    *out = (struct http_url){0};
    if (!u)
        return false;
    char *scheme = get_scheme(u);
    bool ok = scheme && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
    out->https = ok && scheme[4];
    ok = ok && get_host(u, out->host, sizeof out->host) && get_port(u, &out->port);
    if (ok && !addr_parse_ip(&out->written, out->host, out->port))
        out->written.family = 0;
    curl.free(scheme);
    curl.url_cleanup(u);
    return ok;
}

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '%';
}

/* Long, without a dot, and with a digit: "0123abc...", not "announce" nor "ubuntu-22.04.iso". */
static bool is_key(struct bytes s)
{
    bool digit = false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_word(s.p[i]))
            return false;
        digit = digit || (s.p[i] >= '0' && s.p[i] <= '9');
    }
    return digit && s.n >= KEY_MIN;
}

static void show_path(struct buf *out, struct bytes path)
{
    while (path.n) {
        const uint8_t *slash = memchr(path.p, '/', path.n);
        size_t n = slash ? (size_t)(slash - path.p) : path.n;
        if (is_key(BYTES(path.p, n)))
            buf_put_str(out, "...");
        else
            text_show(out, BYTES(path.p, n));
        if (slash)
            buf_put_u8(out, '/');
        path = BYTES(path.p + n + (slash != NULL), path.n - n - (slash != NULL));
    }
}

void http_redact_url(struct buf *out, const char *url)
{
    const char *authority = strstr(url, "://");
    size_t whole = strcspn(url, "?#");
    if (!authority || (size_t)(authority - url) > whole) {
        show_path(out, BYTES(url, whole));
    } else {
        authority += 3;
        text_show(out, BYTES(url, (size_t)(authority - url)));
        size_t n = strcspn(authority, "/?#");
        const char *at = memrchr(authority, '@', n), *host = at ? at + 1 : authority;
        text_show(out, BYTES(host, (size_t)(authority + n - host)));
        show_path(out, BYTES(authority + n, whole - (size_t)(authority + n - url)));
    }
    if (url[whole] == '?')
        buf_put_str(out, "?...");
}

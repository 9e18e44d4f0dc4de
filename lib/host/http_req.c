/*
 * One request: its transfer's options, the answer's head and body, redirects, the end. Redirects
 * are followed here and not by curl, because each hop is held against rules that curl does not
 * know: where the chain has been, and who chose it.
 */
#include "http_in.h"

#include "sock.h"

#include <limits.h>
#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define REDIRECT_BODY_MAX (1u << 20) /* read, so that the connection can be kept, and ignored */

static int fail(struct http_req *q, int code, const char *why)
{
    struct buf b = {0};
    http_redact_url(&b, q->url);
    buf_put_str(&b, ": ");
    text_show(&b, bytes_str(why));
    struct bytes s = buf_bytes(&b);
    err_set(&q->e, code, "%.*s", (int)s.n, (const char *)s.p);
    buf_fini(&b);
    return code;
}

/* ---- which addresses ---- */

static bool may_connect(const struct http_req *q, const struct addr *a)
{
    enum addr_scope scope = addr_scope(a);
    bool first = q->head.redirects == 0;
    if (scope == ADDR_PUBLIC || (q->r.trust == HTTP_TYPED && first))
        return true;
    if (scope == ADDR_LINK_LOCAL || scope == ADDR_UNUSABLE || q->was_public)
        return false;
    return q->r.trust == HTTP_TYPED ||
           (q->r.trust == HTTP_STRANGER_LOCAL && addr_same_ip(a, &q->written));
}

static void note_refused(struct http_req *q, const struct addr *a)
{
    q->refused = true;
    q->refused_addr = *a;
}

static void tell(struct http_req *q, void (*fn)(void *owner))
{
    if (q->ev && fn)
        fn(q->fetch ? http_fetch_owner(q->fetch) : q->owner);
}

/* curl asks for a socket to the very address that it is about to connect to: this is the tightest
 * place for the rules, behind every trick of names and of numbers written oddly. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct http_req *q = arg;
    const struct addr *from = &q->h->bind;
    struct addr a;
    (void)purpose;
    if (!sock_to_addr(&a, &to->addr, to->addrlen))
        return CURL_SOCKET_BAD;
    if (!may_connect(q, &a)) {
        note_refused(q, &a);
        return CURL_SOCKET_BAD;
    }
    if (from->family && from->family != a.family)
        return CURL_SOCKET_BAD;
    int fd = sock_new(a.family, SOCK_STREAM);
    if (fd >= 0 && q->h->room > 0)
        sock_set_room(fd, q->h->room);
    if (fd >= 0 && from->family) {
        struct sockaddr_storage ss;
        socklen_t len = sock_from_addr(&ss, from);
        if (bind(fd, (struct sockaddr *)&ss, len)) {
            close(fd);
            fd = -1;
        }
    }
    if (fd >= 0)
        tell(q, q->r.opens);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_send(void *arg, char *to, char *from, int to_port, int from_port)
{
    struct http_req *q = arg;
    (void)to, (void)from, (void)to_port, (void)from_port;
    tell(q, q->r.sent);
    return CURL_PREREQFUNC_OK;
}

static enum http_side_id side_of(const struct http_req *q)
{
    return q->r.trust == HTTP_TYPED && !q->was_public ? HTTP_SIDE_TYPED : HTTP_SIDE_STRANGER;
}

/* The rules that the URL alone can break, for each hop. An address written out is looked at here
 * too, because on a connection that is kept alive nobody asks for a socket. */
static int check_url(struct http_req *q, struct http_url *u)
{
    if (!http_url_parse(q->url, u))
        return fail(q, ERR_INVALID, "not an http or https address");
    if (u->written.family && !may_connect(q, &u->written)) {
        note_refused(q, &u->written);
        return fail(q, ERR_INVALID, "leads to an address that is not public");
    }
    q->side = side_of(q);
    q->host_hash = hash_bytes(u->port, bytes_str(u->host));
    return 0;
}

void http_req_check(struct http_req *q)
{
    struct http_url u;
    if (http_url_parse(q->url, &u))
        q->written = u.written;
    check_url(q, &u);
}

/* ---- the answer ---- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Cuts what stands before `c` off the front of v. */
static bool cut_before(struct bytes *v, char c, struct bytes *before)
{
    const uint8_t *at = v->n ? memchr(v->p, c, v->n) : NULL;
    if (!at)
        return false;
    *before = BYTES(v->p, (size_t)(at - v->p));
    *v = BYTES(at + 1, v->n - before->n - 1);
    return true;
}

/* "bytes 0-99/1000", with a star for a size that is not known: RFC 9110, 14.4. */
static void read_content_range(struct http_head *h, struct bytes v)
{
    struct bytes unit, from, to;
    uint64_t first, last, total = UINT64_MAX;
    if (!cut_before(&v, ' ', &unit) || !cut_before(&v, '-', &from) || !cut_before(&v, '/', &to))
        return;
    if (unit.n != 5 || strncasecmp((const char *)unit.p, "bytes", 5))
        return;
    if (!num_parse_u64(from, &first) || !num_parse_u64(to, &last))
        return;
    if (!bytes_is(v, "*") && !num_parse_u64(v, &total))
        return;
    if (first > last || last >= total)
        return;
    h->ranged = true;
    h->first = first;
    h->last = last;
    h->total = total;
}

static bool header_is(struct bytes line, const char *name, struct bytes *value)
{
    size_t n = strlen(name);
    if (line.n <= n || line.p[n] != ':' || strncasecmp((const char *)line.p, name, n))
        return false;
    *value = BYTES(line.p + n + 1, line.n - n - 1);
    while (value->n && (*value->p == ' ' || *value->p == '\t'))
        value->p++, value->n--;
    while (value->n && strchr(" \t\r\n", value->p[value->n - 1]))
        value->n--;
    return true;
}

static void head_reset(struct http_req *q)
{
    q->head = (struct http_head){
        .redirects = q->head.redirects, .url = q->url, .total = UINT64_MAX, .length = UINT64_MAX};
    q->unknown_length = q->located = false;
}

static int head_complete(struct http_req *q)
{
    struct http_head *h = &q->head;
    long status = 0;
    curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
    h->status = (int)status;
    if (status < 200)
        return 0; /* another head follows */
    q->head_done = true;
    h->ranged = h->ranged && status == 206;
    if (q->unknown_length)
        h->length = UINT64_MAX;
    if (!h->ranged)
        h->total = status == 200 ? h->length : UINT64_MAX;
    q->redirecting = is_redirect(h->status) && q->located && !q->r.no_follow;
    if (q->redirecting)
        return 0;
    q->head_told = true;
    if (q->ev && q->ev->head)
        q->ev->head(q->owner, h);
    if (q->r.max_body && h->length != UINT64_MAX && h->length > q->r.max_body)
        return fail(q, ERR_LIMIT, "is longer than it may be");
    return 0;
}

static size_t on_header(char *p, size_t one, size_t n, void *arg)
{
    struct http_req *q = arg;
    struct bytes line = BYTES(p, n * one), v;
    if (!q->ev)
        return 0;
    q->head_bytes += line.n;
    if (q->head_bytes > HTTP_HEADERS_MAX) {
        fail(q, ERR_LIMIT, "the head of its answer is too long");
        return 0;
    }
    if (q->head_done)
        return line.n; /* trailers */
    if (line.n >= 5 && !memcmp(line.p, "HTTP/", 5))
        head_reset(q);
    else if (header_is(line, "content-range", &v))
        read_content_range(&q->head, v);
    else if (header_is(line, "content-length", &v))
        num_parse_u64(v, &q->head.length);
    else if (header_is(line, "location", &v))
        q->located = v.n > 0;
    else if (header_is(line, "content-encoding", &v) || header_is(line, "transfer-encoding", &v))
        q->unknown_length = true;
    else if (line.p[0] == '\r' || line.p[0] == '\n')
        if (head_complete(q) || !q->ev)
            return 0;
    return line.n;
}

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
    struct http_req *q = arg;
    struct bytes b = BYTES(p, n * one);
    if (!q->ev)
        return 0;
    if (q->redirecting) {
        q->received += b.n;
        if (q->received > REDIRECT_BODY_MAX)
            fail(q, ERR_LIMIT, "redirects with too many words");
        return q->e.code ? 0 : b.n;
    }
    if (q->pause) { /* curl keeps this piece, and reads no more */
        q->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    q->received += b.n;
    if (q->r.max_body && q->received > q->r.max_body) {
        fail(q, ERR_LIMIT, "is longer than it may be");
        return 0;
    }
    if (q->ev->body)
        q->ev->body(q->owner, b);
    return q->ev ? b.n : 0;
}

/* ---- the transfer ---- */

static long ms_of(usec given, usec otherwise)
{
    usec us = given ? given : otherwise;
    return us <= 0 ? 0 : us >= (usec)LONG_MAX ? LONG_MAX / 1000 : (long)((us + 999) / 1000);
}

static void set_limits(struct http_req *q)
{
    CURL *c = q->easy;
    long stall = ms_of(q->r.stall_timeout, HTTP_STALL_TIMEOUT);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                     ms_of(q->r.connect_timeout, HTTP_CONNECT_TIMEOUT));
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ms_of(q->r.total_timeout, 0));
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (stall + 999) / 1000);
}

static void set_rules(struct http_req *q)
{
    CURL *c = q->easy;
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (q->h->ca) {
        curl_easy_setopt(c, CURLOPT_CAINFO, q->h->ca);
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    }
    /* A proxy from the environment would connect in our place, where no rule is. */
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* never wait for a look-up to be cancelled */
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, q);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, q);
}

static void set_request(struct http_req *q)
{
    CURL *c = q->easy;
    char range[64];
    curl_easy_setopt(c, CURLOPT_URL, q->url);
    curl_easy_setopt(c, CURLOPT_USERAGENT, q->h->agent);
    if (q->headers)
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, q->headers);
    if (q->r.ranged) {
        if (q->r.last == UINT64_MAX)
            snprintf(range, sizeof range, "%llu-", (unsigned long long)q->r.first);
        else
            snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)q->r.first,
                     (unsigned long long)q->r.last);
        curl_easy_setopt(c, CURLOPT_RANGE, range);
        curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)q->h->at_once);
    } else if (q->r.compressed) {
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    }
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, q);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, q);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, q->why);
    curl_easy_setopt(c, CURLOPT_PRIVATE, q);
}

bool http_req_begin(struct http_req *q)
{
    struct http *h = q->h;
    if (!q->easy)
        q->easy = h->spares ? h->spare[--h->spares] : curl.easy_init();
    if (!q->easy) {
        fail(q, ERR_FAIL, "no memory for a transfer");
        return false;
    }
    curl.easy_reset(q->easy);
    q->head_done = q->head_told = q->redirecting = q->refused = q->paused = false;
    q->head_bytes = 0;
    q->received = 0;
    q->why[0] = 0;
    head_reset(q);
    set_limits(q);
    set_rules(q);
    set_request(q);
    if (curl.multi_add_handle(h->side[q->side].m, q->easy)) {
        fail(q, ERR_FAIL, "no memory for a transfer");
        return false;
    }
    return true;
}

/* ---- the end of a hop ---- */

static void note_where_we_were(struct http_req *q)
{
    char *ip = NULL;
    struct addr a;
    curl_easy_getinfo(q->easy, CURLINFO_PRIMARY_IP, &ip);
    if (!ip || !addr_parse_ip(&a, ip, 0) || addr_scope(&a) == ADDR_PUBLIC)
        q->was_public = true; /* also when in doubt: the stricter rule */
}

static void drop_headers(struct http_req *q)
{
    if (q->headers)
        curl.slist_free_all(q->headers);
    q->headers = NULL;
}

static bool next_hop(struct http_req *q)
{
    struct http_url was, u;
    char *to = NULL;
    if (q->head.redirects >= HTTP_REDIRECTS_MAX) {
        fail(q, ERR_INVALID, "redirects too often");
        return false;
    }
    note_where_we_were(q);
    curl_easy_getinfo(q->easy, CURLINFO_REDIRECT_URL, &to);
    if (!to) {
        fail(q, ERR_INVALID, "redirects to no address");
        return false;
    }
    http_url_parse(q->url, &was);
    char *next = mem_str(to);
    q->head.redirects++;
    free(q->url);
    q->url = next;
    q->head.url = q->url;
    if (check_url(q, &u))
        return false;
    if (was.https && !u.https) {
        fail(q, ERR_INVALID, "a redirect from https to http is not followed");
        return false;
    }
    if (was.https != u.https || was.port != u.port || strcasecmp(was.host, u.host))
        drop_headers(q);
    return true;
}

bool http_req_over(struct http_req *q, CURLcode result)
{
    char text[ADDR_TEXT], why[128];
    if (q->e.code)
        return false;
    if (!result)
        return q->redirecting && next_hop(q);
    if (q->refused) {
        addr_ip_text(&q->refused_addr, text);
        snprintf(why, sizeof why, "leads to %s, which is not a public address", text);
        fail(q, ERR_INVALID, why);
    } else {
        bool bad = result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL;
        fail(q, bad ? ERR_INVALID : ERR_NET, *q->why ? q->why : curl.easy_strerror(result));
    }
    return false;
}

void http_req_end(struct http_req *q)
{
    const struct http_events *ev = q->ev;
    if (!q->head_told)
        q->head.status = 0;
    q->ev = NULL;
    if (ev && ev->end)
        ev->end(q->owner, q->e.code, &q->head, &q->e);
}

void http_req_free(struct http_req *q)
{
    http_fetch_free(q->fetch);
    drop_headers(q);
    free(q->url);
    free(q);
}

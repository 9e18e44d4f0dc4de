/*
 * HTTP against a server of our own: bodies, ranges, pauses, limits, and above all which addresses a
 * stranger's URL may lead to. Where the system lets us, all of it runs in a network namespace with
 * a public address on its loopback device.
 */
#include "httpd.h"

#include "host/http_in.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <p2p/host/http.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PUBLIC "9.8.7.6"
static bool have_public;

struct got { /* what a request brought */
    struct looptest *t;
    struct http_req *q;
    int heads, ends, code, status;
    struct http_head head;
    char url[HTTP_URL_MAX], why[500];
    struct buf body;
    size_t pieces, largest, pause_after;
    bool cancel_in_head, cancel_in_body, paused;
    int *left; /* stops the loop when it comes to 0 */
};

static void on_head(void *owner, const struct http_head *h)
{
    struct got *g = owner;
    g->heads++;
    g->head = *h;
    if (g->cancel_in_head) {
        http_cancel(g->q);
        loop_stop(g->t->l);
    }
}

static void on_body(void *owner, struct bytes b)
{
    struct got *g = owner;
    g->pieces++;
    g->largest = b.n > g->largest ? b.n : g->largest;
    assert_false(g->paused);
    buf_put_bytes(&g->body, b);
    if (g->cancel_in_body) {
        http_cancel(g->q);
        loop_stop(g->t->l);
    } else if (g->pause_after && buf_len(&g->body) >= g->pause_after) {
        http_pause(g->q, true);
        g->paused = true;
        g->pause_after = 0;
        loop_stop(g->t->l);
    }
}

static void on_end(void *owner, int code, const struct http_head *h, const struct err *e)
{
    struct got *g = owner;
    g->ends++;
    g->code = code;
    g->head = *h;
    g->status = h->status;
    snprintf(g->url, sizeof g->url, "%s", h->url);
    snprintf(g->why, sizeof g->why, "%s", e->msg);
    assert_int_equal(e->code, code);
    assert_null(strstr(e->msg, "s3cret"));
    if (!g->left || --*g->left == 0)
        loop_stop(g->t->l);
}

static const struct http_events events = {on_head, on_body, on_end};

struct site {
    struct looptest t;
    struct httpd d;
    struct http *h;
    uint16_t port;
    char url[HTTP_URL_MAX * 2];
};

static void site_open(struct site *s)
{
    looptest_open(&s->t);
    httpd_open(&s->d, s->t.l);
    s->h = http_new(s->t.l, "test/1");
    s->port = tcp_listener_port(s->d.s);
}

static void site_close(struct site *s)
{
    http_free(s->h);
    httpd_close(&s->d);
    looptest_close(&s->t);
}

/* "http://HOST:PORT/PATH", where %P in the path stands for the port. */
static const char *url_at(struct site *s, const char *host, const char *path)
{
    size_t n = (size_t)snprintf(s->url, sizeof s->url, "http://%s:%u", host, s->port);
    for (; *path; path++) {
        if (path[0] == '%' && path[1] == 'P')
            n += (size_t)snprintf(s->url + n, sizeof s->url - n, "%u", s->port), path++;
        else
            s->url[n++] = *path;
        s->url[n] = 0;
    }
    return s->url;
}

static struct got get(struct site *s, const struct http_request *r)
{
    struct got g = {.t = &s->t};
    g.q = http_get(s->h, r, &events, &g);
    assert_int_equal(g.ends, 0);
    looptest_run(&s->t);
    assert_int_equal(g.ends, 1);
    return g;
}

static struct got get_path(struct site *s, const char *path)
{
    struct http_request r = {.url = url_at(s, "127.0.0.1", path)};
    return get(s, &r);
}

static void body_is(struct got *g, const char *text)
{
    assert_true(bytes_is(buf_bytes(&g->body), text));
    buf_fini(&g->body);
}

static void test_plain(void **state)
{
    (void)state;
    static struct site s;
    site_open(&s);
    struct got g = get_path(&s, "/small");
    assert_int_equal(g.code, 0);
    assert_int_equal(g.status, 200);
    assert_int_equal(g.heads, 1);
    assert_int_equal(g.head.length, 5);
    assert_int_equal(g.head.total, 5);
    body_is(&g, "hello");
    assert_non_null(strstr(s.d.last, "User-Agent: test/1\r\n"));
    assert_null(strstr(s.d.last, "Range:"));
    g = get_path(&s, "/chunked");
    assert_int_equal(g.code, 0);
    assert_true(g.head.length == UINT64_MAX && g.head.total == UINT64_MAX);
    body_is(&g, "part by part");
    g = get_path(&s, "/absent");
    assert_int_equal(g.code, 0);
    assert_int_equal(g.status, 404);
    body_is(&g, "<html>not here</html>");
    g = get_path(&s, "/busy");
    assert_int_equal(g.status, 503);
    buf_fini(&g.body);
    assert_int_equal(s.d.connections, 1); /* kept alive */
    site_close(&s);
}

static struct got get_range(struct site *s, const char *path, uint64_t first, uint64_t last)
{
    struct http_request r = {.url = url_at(s, "127.0.0.1", path), .ranged = true};
    r.first = first;
    r.last = last;
    return get(s, &r);
}

static void test_ranges(void **state)
{
    (void)state;
    static struct site s;
    site_open(&s);
    struct got g = get_range(&s, "/data", 1000000, 2999999);
    assert_int_equal(g.status, 206);
    assert_true(g.head.ranged);
    assert_int_equal(g.head.first, 1000000);
    assert_int_equal(g.head.last, 2999999);
    assert_int_equal(g.head.total, HTTPD_DATA);
    assert_int_equal(g.head.length, 2000000);
    assert_int_equal(buf_len(&g.body), 2000000);
    assert_memory_equal(buf_bytes(&g.body).p, s.d.data + 1000000, 2000000);
    buf_fini(&g.body);
    g = get_range(&s, "/data", HTTPD_DATA - 3, UINT64_MAX);
    assert_int_equal(buf_len(&g.body), 3);
    buf_fini(&g.body);
    g = get_range(&s, "/data", HTTPD_DATA, UINT64_MAX);
    assert_int_equal(g.status, 416);
    assert_false(g.head.ranged);
    g = get_range(&s, "/whole", 10, 19); /* a server that knows no ranges */
    assert_int_equal(g.status, 200);
    assert_false(g.head.ranged);
    assert_int_equal(g.head.total, HTTPD_DATA);
    buf_fini(&g.body);
    g = get_range(&s, "/odd", 4, 9);
    assert_int_equal(g.status, 206);
    assert_false(g.head.ranged);
    buf_fini(&g.body);
    site_close(&s);
}

static void test_many_over_few(void **state)
{
    (void)state;
    static struct site s;
    static struct got g[200];
    int left = 200;
    site_open(&s);
    for (size_t i = 0; i < 200; i++) {
        struct http_request r = {.url = url_at(&s, "127.0.0.1", "/data"), .ranged = true};
        r.first = i * 16384;
        r.last = r.first + 16383;
        g[i] = (struct got){.t = &s.t, .left = &left};
        g[i].q = http_get(s.h, &r, &events, &g[i]);
    }
    looptest_run(&s.t);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(g[i].code, 0);
        assert_int_equal(buf_len(&g[i].body), 16384);
        assert_memory_equal(buf_bytes(&g[i].body).p, s.d.data + i * 16384, 16384);
        buf_fini(&g[i].body);
    }
    assert_true(s.d.connections <= HTTP_PER_HOST);
    site_close(&s);
}

static void test_pause(void **state)
{
    (void)state;
    static struct site s;
    site_open(&s);
    http_set_room(s.h, 1 << 14, 3000);
    struct got g = {.t = &s.t, .pause_after = 100000};
    struct http_request r = {.url = url_at(&s, "127.0.0.1", "/data"), .stall_timeout = USEC_SEC};
    r.ranged = true;
    r.last = UINT64_MAX;
    g.q = http_get(s.h, &r, &events, &g);
    looptest_run(&s.t);
    assert_true(g.paused);
    size_t n = buf_len(&g.body);
    looptest_run_for(&s.t, 2500 * USEC_MS); /* longer than a stall would be borne */
    assert_int_equal(buf_len(&g.body), n);
    assert_int_equal(g.ends, 0);
    g.paused = false;
    http_pause(g.q, false);
    assert_int_equal(buf_len(&g.body), n);
    looptest_run(&s.t);
    assert_int_equal(g.code, 0);
    assert_int_equal(buf_len(&g.body), HTTPD_DATA);
    assert_memory_equal(buf_bytes(&g.body).p, s.d.data, HTTPD_DATA);
    assert_int_equal(g.largest, 3000);
    buf_fini(&g.body);
    site_close(&s);
}

static void test_cancel(void **state)
{
    (void)state;
    static struct site s;
    site_open(&s);
    for (int when = 0; when < 5; when++) {
        struct got g = {.t = &s.t, .cancel_in_head = when == 1, .cancel_in_body = when == 2};
        struct http_request r = {.url = url_at(&s, "127.0.0.1", when == 3 ? "/never" : "/data")};
        g.q = http_get(s.h, &r, &events, &g);
        if (when == 0)
            http_cancel(g.q);
        if (when == 1 || when == 2)
            looptest_run(&s.t);
        looptest_run_for(&s.t, when < 4 ? 30 * USEC_MS : 0);
        if (when == 3)
            http_cancel(g.q);
        if (when < 4)
            looptest_run_for(&s.t, 10 * USEC_MS);
        assert_int_equal(g.ends, 0);
        assert_true(g.heads <= 1 && g.pieces <= 1);
        buf_fini(&g.body);
    }
    http_cancel(NULL);
    site_close(&s); /* with the last one still under way */
    http_free(NULL);
}

static void test_broken_answers(void **state)
{
    (void)state;
    static struct site s;
    site_open(&s);
    struct got g = get_path(&s, "/short");
    assert_int_equal(g.code, ERR_NET);
    assert_int_equal(g.status, 200);
    buf_fini(&g.body);
    g = get_path(&s, "/heads");
    assert_int_equal(g.code, ERR_LIMIT);
    assert_int_equal(g.status, 0);
    struct http_request r = {.url = url_at(&s, "127.0.0.1", "/mute"), .stall_timeout = USEC_SEC};
    g = get(&s, &r);
    assert_int_equal(g.code, ERR_NET);
    buf_fini(&g.body);
    r = (struct http_request){.url = url_at(&s, "127.0.0.1", "/never?k=s3cret"),
                              .total_timeout = 200 * USEC_MS};
    g = get(&s, &r);
    assert_int_equal(g.code, ERR_NET);
    assert_int_equal(g.status, 0);
    site_close(&s);
}

static void test_nobody_there(void **state)
{
    (void)state;
    static struct site s;
    site_open(&s);
    uint16_t port = s.port;
    tcp_listener_free(s.d.s);
    s.d.s = NULL;
    s.port = port;
    struct got g = get_path(&s, "/announce?passkey=s3cret");
    assert_int_equal(g.code, ERR_NET);
    assert_non_null(strstr(g.why, "/announce?..."));
    struct http_request r = {.url = "http://no-such-host.invalid/x"};
    g = get(&s, &r);
    assert_int_equal(g.code, ERR_NET);
    site_close(&s);
}

static void test_no_such_url(void **state)
{
    (void)state;
    static const char *const url[] = {
        "",          "x",         "file:///etc/passwd", "ftp://127.0.0.1/x", "http://",
        "http:///x", "127.0.0.1", "gopher://127.0.0.1", "http://a:99999/",   "http://a b/",
    };
    static struct site s;
    site_open(&s);
    for (size_t i = 0; i < sizeof url / sizeof *url; i++) {
        struct http_request r = {.url = url[i]};
        struct got g = get(&s, &r);
        if (g.code != ERR_INVALID)
            print_error("%s gave %d %s\n", url[i], g.code, g.why);
        assert_int_equal(g.code, ERR_INVALID);
    }
    char *longest = mem_zero(HTTP_URL_MAX + 2);
    memset(longest, 'a', HTTP_URL_MAX + 1);
    memcpy(longest, "http://127.0.0.1/", 17);
    struct http_request r = {.url = longest};
    struct got g = {.t = &s.t};
    g.q = http_get(s.h, &r, &events, &g);
    looptest_run(&s.t);
    assert_int_equal(g.code, ERR_INVALID);
    free(longest);
    site_close(&s);
}

static void test_redirects(void **state)
{
    (void)state;
    static struct site s;
    static const char *const own[] = {"X-Own: mine", NULL};
    site_open(&s);
    struct http_request r = {.url = url_at(&s, "127.0.0.1", "/r/5"), .headers = own};
    struct got g = get(&s, &r);
    assert_int_equal(g.code, 0);
    assert_int_equal(g.head.redirects, 5);
    assert_int_equal(g.heads, 1);
    assert_non_null(strstr(g.url, "/r/0"));
    assert_non_null(strstr(s.d.last, "X-Own: mine\r\n"));
    body_is(&g, "arrived");
    r.url = url_at(&s, "127.0.0.1", "/r/6");
    g = get(&s, &r);
    assert_int_equal(g.code, ERR_INVALID);
    r.url = url_at(&s, "127.0.0.1", "/r/1");
    r.no_follow = true;
    g = get(&s, &r);
    assert_int_equal(g.status, 302);
    body_is(&g, "elsewhere");
    r.no_follow = false;
    r.url = url_at(&s, "127.0.0.1", "/t/http://127.0.0.2:%P/small");
    g = get(&s, &r);
    body_is(&g, "hello");
    assert_null(strstr(s.d.last, "X-Own")); /* it was for the first host only */
    r.url = url_at(&s, "127.0.0.1", "/t/file:///etc/passwd");
    g = get(&s, &r);
    assert_int_equal(g.code, ERR_INVALID);
    buf_fini(&g.body);
    site_close(&s);
}

static void test_limits(void **state)
{
    (void)state;
    static struct site s;
    site_open(&s);
    static const struct {
        const char *path;
        uint64_t max;
        int code;
    } row[] = {
        {"/small", 5, 0},           {"/small", 4, ERR_LIMIT},
        {"/chunked", 12, 0},        {"/chunked", 11, ERR_LIMIT},
        {"/data", 1000, ERR_LIMIT}, {"/data", HTTPD_DATA, 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct http_request r = {.url = url_at(&s, "127.0.0.1", row[i].path)};
        r.max_body = row[i].max;
        struct got g = get(&s, &r);
        assert_int_equal(g.code, row[i].code);
        assert_true(buf_len(&g.body) <= row[i].max);
        buf_fini(&g.body);
    }
    site_close(&s);
}

/* 8 MiB of zeros in a few kilobytes: counted as they come out, not as they come in. */
static void test_decoding_bomb(void **state)
{
    (void)state;
    static uint8_t packed[65536];
    static struct site s;
    FILE *p = popen("head -c 8388608 /dev/zero | gzip -9", "r");
    assert_non_null(p);
    size_t n = fread(packed, 1, sizeof packed, p);
    pclose(p);
    assert_true(n > 100 && n < sizeof packed);
    site_open(&s);
    s.d.gzip = BYTES(packed, n);
    struct http_request r = {.url = url_at(&s, "127.0.0.1", "/gzip"), .compressed = true};
    r.max_body = 8388608;
    struct got g = get(&s, &r);
    assert_int_equal(g.code, 0);
    assert_true(g.head.length == UINT64_MAX);
    assert_int_equal(buf_len(&g.body), 8388608);
    buf_fini(&g.body);
    r.max_body = 1 << 20;
    g = get(&s, &r);
    assert_int_equal(g.code, ERR_LIMIT);
    assert_true(buf_len(&g.body) <= 1 << 20);
    buf_fini(&g.body);
    r.compressed = false; /* not asked for: as it came */
    g = get(&s, &r);
    assert_int_equal(buf_len(&g.body), n);
    buf_fini(&g.body);
    site_close(&s);
}

struct fetched {
    struct looptest *t;
    int code, status;
    char body[64];
    size_t n;
};

static void on_fetched(void *owner, int code, const struct http_head *h, struct bytes body,
                       const struct err *e)
{
    struct fetched *f = owner;
    f->code = code;
    f->status = h->status;
    f->n = body.n;
    snprintf(f->body, sizeof f->body, "%.*s", (int)body.n, (const char *)body.p);
    assert_int_equal(e->code, code);
    loop_stop(f->t->l);
}

static void test_fetch(void **state)
{
    (void)state;
    static struct site s;
    site_open(&s);
    struct fetched f = {.t = &s.t};
    struct http_request r = {.url = url_at(&s, "127.0.0.1", "/small")};
    http_fetch(s.h, &r, on_fetched, &f);
    looptest_run(&s.t);
    assert_string_equal(f.body, "hello");
    assert_int_equal(f.status, 200);
    r.url = url_at(&s, "127.0.0.1", "/data"); /* 4 MiB, past the default */
    http_fetch(s.h, &r, on_fetched, &f);
    looptest_run(&s.t);
    assert_int_equal(f.code, ERR_LIMIT);
    assert_int_equal(f.n, 0);
    r.max_body = HTTP_MANIFEST_MAX;
    http_fetch(s.h, &r, on_fetched, &f);
    looptest_run(&s.t);
    assert_int_equal(f.n, HTTPD_DATA);
    f.n = 7;
    http_cancel(http_fetch(s.h, &r, on_fetched, &f));
    looptest_run_for(&s.t, 20 * USEC_MS);
    assert_int_equal(f.n, 7);
    site_close(&s);
}

/* ---- addresses ---- */

struct rule {
    enum http_trust trust;
    const char *host, *path;
    bool ok;
};

static void hold_against(const struct rule *row, size_t n)
{
    static struct site s;
    site_open(&s);
    for (size_t i = 0; i < n; i++) {
        struct http_request r = {.url = url_at(&s, row[i].host, row[i].path)};
        r.trust = row[i].trust;
        int before = s.d.requests;
        struct got g = get(&s, &r);
        if (g.code != (row[i].ok ? 0 : ERR_INVALID))
            print_error("row %zu: %s %s gave %d %s\n", i, row[i].host, row[i].path, g.code, g.why);
        assert_int_equal(g.code, row[i].ok ? 0 : ERR_INVALID);
        bool straight = !strncmp(row[i].path, "/small", 6);
        assert_true(row[i].ok || !straight || s.d.requests == before); /* nobody was asked */
        buf_fini(&g.body);
    }
    site_close(&s);
}

static void test_addresses_on_loopback(void **state)
{
    (void)state;
    static const struct rule row[] = {
        {HTTP_TYPED, "127.0.0.1", "/small", true},
        {HTTP_TYPED, "localhost", "/small", true},
        {HTTP_TYPED, "127.0.0.1", "/t/http://localhost:%P/small", true},
        /* The same hosts, to which connections are now kept alive. */
        {HTTP_STRANGER, "127.0.0.1", "/small", false},
        {HTTP_STRANGER, "localhost", "/small", false},
        {HTTP_STRANGER, "127.1", "/small", false},
        {HTTP_STRANGER, "0x7f000001", "/small", false},
        {HTTP_STRANGER, "2130706433", "/small", false},
        {HTTP_STRANGER, "0177.0.0.1", "/small", false},
        {HTTP_STRANGER, "[::ffff:127.0.0.1]", "/small", false},
        {HTTP_STRANGER, "[::1]", "/small", false},
        {HTTP_STRANGER, "0.0.0.0", "/small", false},
        {HTTP_STRANGER, "169.254.1.1", "/small", false},
        {HTTP_STRANGER, "user:s3cret@127.0.0.1", "/small?key=s3cret", false},
        {HTTP_STRANGER_LOCAL, "127.0.0.1", "/small", true},
        {HTTP_STRANGER, "127.0.0.1", "/small", false}, /* nor on that connection */
        {HTTP_STRANGER_LOCAL, "[::1]", "/small", true},
        {HTTP_STRANGER_LOCAL, "localhost", "/small", false}, /* a name is not written out */
        {HTTP_STRANGER_LOCAL, "0.0.0.0", "/small", false},
        {HTTP_STRANGER_LOCAL, "169.254.1.1", "/small", false},
        {HTTP_STRANGER_LOCAL, "[fe80::1]", "/small", false},
        {HTTP_STRANGER_LOCAL, "127.0.0.1", "/r/3", true},
        {HTTP_STRANGER_LOCAL, "127.0.0.1", "/t/http://127.0.0.2:%P/small", false},
        {HTTP_STRANGER_LOCAL, "127.0.0.1", "/t/http://localhost:%P/small", true},
        {HTTP_TYPED, "127.0.0.1", "/t/http://169.254.1.1:%P/small", false},
    };
    hold_against(row, sizeof row / sizeof *row);
}

static void test_addresses_with_a_public_one(void **state)
{
    (void)state;
    static const struct rule row[] = {
        {HTTP_STRANGER, PUBLIC, "/small", true},
        {HTTP_TYPED, PUBLIC, "/small", true},
        {HTTP_STRANGER, PUBLIC, "/r/5", true},
        {HTTP_STRANGER, PUBLIC, "/t/http://127.0.0.1:%P/small", false},
        {HTTP_STRANGER_LOCAL, PUBLIC, "/t/http://127.0.0.1:%P/small", false},
        {HTTP_TYPED, PUBLIC, "/t/http://127.0.0.1:%P/small", false},
        {HTTP_TYPED, PUBLIC, "/t/http://localhost:%P/small", false},
        {HTTP_STRANGER_LOCAL, "127.0.0.1", "/t/http://" PUBLIC ":%P/small", true},
        {HTTP_STRANGER_LOCAL, "127.0.0.1", "/small", true},
        /* There and back again: the kept connection to the first host does not help. */
        {HTTP_STRANGER_LOCAL, "127.0.0.1", "/t/http://" PUBLIC ":%P/t/http://127.0.0.1:%P/small",
         false},
        {HTTP_TYPED, "127.0.0.1", "/t/http://" PUBLIC ":%P/t/http://127.0.0.1:%P/small", false},
        {HTTP_TYPED, "127.0.0.1", "/t/http://" PUBLIC ":%P/small", true},
    };
    if (!have_public)
        skip();
    hold_against(row, sizeof row / sizeof *row);
}

static void test_bind(void **state)
{
    (void)state;
    static struct site s;
    struct addr from;
    site_open(&s);
    assert_true(addr_parse_ip(&from, "127.0.0.3", 77));
    http_set_bind(s.h, &from);
    struct got g = get_path(&s, "/mute-not-there");
    assert_int_equal(g.status, 404);
    buf_fini(&g.body);
    struct list_node *n = list_first(&s.d.callers);
    assert_non_null(n);
    assert_true(addr_same_ip(tcp_peer(LIST_OF(n, struct httpd_caller, node)->c), &from));
    site_close(&s);
}

static void test_redact(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown;
    } row[] = {
        {"http://a.example/announce", "http://a.example/announce"},
        {"https://me:word@a.example:81/x/y.iso", "https://a.example:81/x/y.iso"},
        {"http://a@b@c.example/", "http://c.example/"},
        {"http://a.example/0123456789abcdef0123/announce", "http://a.example/.../announce"},
        {"http://a.example/announce?passkey=1", "http://a.example/announce?..."},
        {"http://a.example?passkey=1", "http://a.example?..."},
        {"http://a.example/x#frag@ment", "http://a.example/x"},
        {"http://a.example/ubuntu-22.04-desktop-amd64.iso",
         "http://a.example/ubuntu-22.04-desktop-amd64.iso"},
        {"udp://t.example:6969", "udp://t.example:6969"},
        {"magnet:?xt=urn:btih:00&tr=http://a/key", "magnet:?..."},
        {"not a url\x1b[1m", "not a url\\x1b[1m"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct buf b = {0};
        http_redact_url(&b, row[i].url);
        char *s = buf_take_str(&b);
        assert_string_equal(s, row[i].shown);
        free(s);
    }
}

static void test_url_parts(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        uint16_t port;
        bool https, is_ip;
    } row[] = {
        {"http://a.example/x", "a.example", 80, false, false},
        {"HTTPS://a.example", "a.example", 443, true, false},
        {"http://me:word@a.example:81/", "a.example", 81, false, false},
        {"http://[2001:db8::1]:82/", "2001:db8::1", 82, false, true},
        {"http://192.0.2.1/", "192.0.2.1", 80, false, true},
        {"udp://t.example:6969/announce", NULL, 0, false, false},
        {"ftp://a.example/", NULL, 0, false, false},
        {"a.example", NULL, 0, false, false},
        {"http:///a.example", NULL, 0, false, false},
        {"http://a.example:0/", NULL, 0, false, false},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct http_url u;
        assert_int_equal(http_url_parse(row[i].url, &u), row[i].host != NULL);
        if (!row[i].host)
            continue;
        assert_string_equal(u.host, row[i].host);
        assert_int_equal(u.port, row[i].port);
        assert_int_equal(u.https, row[i].https);
        assert_int_equal(u.written.family != 0, row[i].is_ip);
    }
}

/* A network of our own, whose loopback has a public address beside 127.0.0.1. */
static bool enter_namespace(void)
{
    struct ifreq r = {0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) && unshare(CLONE_NEWNET))
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(r.ifr_name, "lo");
    r.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
    bool ok = ioctl(fd, SIOCSIFFLAGS, &r) == 0;
    strcpy(r.ifr_name, "lo:1");
    inet_pton(AF_INET, PUBLIC, &in.sin_addr);
    memcpy(&r.ifr_addr, &in, sizeof in);
    ok = ioctl(fd, SIOCSIFADDR, &r) == 0 && ok;
    close(fd);
    return ok;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_many_over_few),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_no_such_url),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_decoding_bomb),
        cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_addresses_on_loopback),
        cmocka_unit_test(test_addresses_with_a_public_one),
        cmocka_unit_test(test_bind),
        cmocka_unit_test(test_redact),
        cmocka_unit_test(test_url_parts),
    };
    have_public = enter_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

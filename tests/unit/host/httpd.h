/* A small HTTP server for tests, in the test's own loop: answers by the path that is asked. */
#ifndef TESTS_UNIT_HOST_HTTPD_H
#define TESTS_UNIT_HOST_HTTPD_H

#include "looptest.h"

#include <p2p/base/buf.h>
#include <p2p/base/mem.h>
#include <p2p/host/tcp.h>
#include <stdlib.h>
#include <string.h>

#define HTTPD_DATA (4u << 20)

struct httpd {
    struct loop *l;
    struct tcp_listener *s;
    struct list callers;
    int connections, requests;
    uint8_t *data;       /* what /data serves */
    struct bytes gzip;   /* what /gzip serves */
    char last[4096];     /* head of the last request */
};

struct httpd_caller {
    struct list_node node;
    struct httpd *d;
    struct tcp *c;
    struct buf in, out;
    const uint8_t *body;
    size_t left;
    bool close_after;
};

static inline void httpd_drop(struct httpd_caller *k)
{
    list_remove(&k->d->callers, &k->node);
    tcp_close(k->c);
    buf_fini(&k->in);
    buf_fini(&k->out);
    free(k);
}

static inline void httpd_writable(void *owner)
{
    struct httpd_caller *k = owner;
    for (;;) {
        struct bytes head = buf_bytes(&k->out);
        struct bytes v[2] = {head, BYTES(k->body, k->left)};
        ssize_t r = head.n + k->left ? tcp_send(k->c, v, 2) : 0;
        if (r < 0) {
            httpd_drop(k);
            return;
        }
        size_t of_head = (size_t)r < head.n ? (size_t)r : head.n;
        buf_eat(&k->out, of_head);
        if (r == 0)
            break;
        if (k->left) {
            k->body += (size_t)r - of_head;
            k->left -= (size_t)r - of_head;
        }
    }
    bool all = !buf_len(&k->out) && !k->left;
    if (all && k->close_after)
        httpd_drop(k);
    else
        tcp_want(k->c, true, !all);
}

static inline void httpd_say(struct httpd_caller *k, int status, const char *headers,
                             const char *body)
{
    buf_putf(&k->out, "HTTP/1.1 %d Words\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
             strlen(body), body);
}

static inline void httpd_data(struct httpd_caller *k, const char *request, bool ranges)
{
    unsigned long first = 0, last = HTTPD_DATA - 1;
    const char *range = ranges ? strstr(request, "Range: bytes=") : NULL;
    if (range && sscanf(range + 13, "%lu-%lu", &first, &last) >= 1) {
        if (first >= HTTPD_DATA) {
            httpd_say(k, 416, "Content-Range: bytes */4194304\r\n", "");
            return;
        }
        if (last > HTTPD_DATA - 1)
            last = HTTPD_DATA - 1;
        buf_putf(&k->out, "HTTP/1.1 206 Part\r\nContent-Range: bytes %lu-%lu/%u\r\n", first, last,
                 HTTPD_DATA);
    } else {
        buf_putf(&k->out, "HTTP/1.1 200 OK\r\n");
    }
    buf_putf(&k->out, "Content-Length: %lu\r\n\r\n", last - first + 1);
    k->body = k->d->data + first;
    k->left = last - first + 1;
}

static inline void httpd_redirect(struct httpd_caller *k, const char *to)
{
    char header[2048];
    snprintf(header, sizeof header, "Location: %s\r\n", to);
    httpd_say(k, 302, header, "elsewhere");
}

static inline void httpd_loop(struct httpd_caller *k, const char *arg)
{
    char to[32];
    int n = atoi(arg);
    snprintf(to, sizeof to, "/r/%d", n - 1);
    if (n > 0)
        httpd_redirect(k, to);
    else
        httpd_say(k, 200, "", "arrived");
}

/* Serves /x/ARG by the letter x; what is not here is told 404. */
static inline void httpd_serve(struct httpd_caller *k, const char *path, const char *request)
{
    const char *arg = strlen(path) > 3 && path[2] == '/' ? path + 3 : "";
    if (!strcmp(path, "/small"))
        httpd_say(k, 200, "", "hello");
    else if (!strcmp(path, "/data"))
        httpd_data(k, request, true);
    else if (!strcmp(path, "/whole"))
        httpd_data(k, request, false);
    else if (!strncmp(path, "/r/", 3))
        httpd_loop(k, arg);
    else if (!strncmp(path, "/t/", 3))
        httpd_redirect(k, arg);
    else if (!strcmp(path, "/chunked"))
        buf_put_str(&k->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "4\r\npart\r\n5\r\n by p\r\n3\r\nart\r\n0\r\nTrailer: x\r\n\r\n");
    else if (!strcmp(path, "/gzip")) {
        buf_put_str(&k->out, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n");
        buf_putf(&k->out, "Content-Length: %zu\r\n\r\n", k->d->gzip.n);
        k->body = k->d->gzip.p;
        k->left = k->d->gzip.n;
    } else if (!strcmp(path, "/short")) {
        buf_put_str(&k->out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        k->close_after = true;
    } else if (!strcmp(path, "/mute"))
        buf_put_str(&k->out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nand then no more");
    else if (!strcmp(path, "/busy"))
        httpd_say(k, 503, "Retry-After: 17\r\n", "later");
    else if (!strcmp(path, "/odd"))
        httpd_say(k, 206, "Content-Range: bytes 9-4/100\r\n", "odd");
    else if (!strcmp(path, "/heads"))
        for (int i = 0; i < 3000; i++)
            buf_putf(&k->out, "%sX-Filler: %040d\r\n", i ? "" : "HTTP/1.1 200 OK\r\n", i);
    else if (strcmp(path, "/never"))
        httpd_say(k, 404, "", "<html>not here</html>");
}

static inline void httpd_readable(void *owner)
{
    struct httpd_caller *k = owner;
    struct span v = {buf_room(&k->in, 8192), 8192};
    ssize_t r = tcp_recv(k->c, &v, 1);
    if (r < 0) {
        httpd_drop(k);
        return;
    }
    buf_added(&k->in, (size_t)r);
    struct bytes b = buf_bytes(&k->in);
    const char *end = memmem(b.p, b.n, "\r\n\r\n", 4);
    if (!end)
        return;
    size_t n = (size_t)(end + 4 - (const char *)b.p);
    char path[2048] = "";
    snprintf(k->d->last, sizeof k->d->last, "%.*s", (int)n, (const char *)b.p);
    buf_eat(&k->in, n);
    k->d->requests++;
    sscanf(k->d->last, "GET %2047s", path);
    path[strcspn(path, "?")] = strncmp(path, "/t/", 3) ? 0 : path[strcspn(path, "?")];
    httpd_serve(k, path, k->d->last);
    httpd_writable(k);
}

static inline void httpd_accepted(void *arg, struct tcp *c)
{
    static const struct tcp_events events = {NULL, httpd_readable, httpd_writable};
    struct httpd *d = arg;
    struct httpd_caller *k = mem_zero(sizeof *k);
    k->d = d;
    k->c = c;
    list_push(&d->callers, &k->node);
    d->connections++;
    tcp_own(c, &events, k);
    tcp_want(c, true, false);
}

static inline void httpd_open(struct httpd *d, struct loop *l)
{
    struct err e = {0};
    *d = (struct httpd){.l = l};
    list_init(&d->callers);
    d->data = mem_alloc(HTTPD_DATA);
    for (size_t i = 0; i < HTTPD_DATA; i++)
        d->data[i] = (uint8_t)(i * 131 + (i >> 9));
    d->s = tcp_listen(l, NULL, 0, httpd_accepted, d, &e);
    assert_non_null(d->s);
}

static inline void httpd_close(struct httpd *d)
{
    struct list_node *n;
    while ((n = list_first(&d->callers)))
        httpd_drop(LIST_OF(n, struct httpd_caller, node));
    tcp_listener_free(d->s);
    free(d->data);
}

#endif

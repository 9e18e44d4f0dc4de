/*
 * GET over HTTP and HTTPS; libcurl is behind it and appears nowhere else. Requests share a few
 * connections that are kept alive. Rules (they hold for every hop of a redirect):
 *
 *   - only http and https; https never leads to http; at most HTTP_REDIRECTS_MAX redirects, and
 *     the headers a caller adds do not go to another origin;
 *   - TLS 1.2 or newer, verified with the system's authorities;
 *   - where a stranger chose the URL, the address really connected to must be public; an address
 *     written out in the URL may be private or loopback if the request allows it (never
 *     link-local); a redirect from a public address must lead to a public one, whoever chose it;
 *   - a body is counted after decoding, and cut off past max_body;
 *   - user info, queries and keys in paths stay out of every message (http_redact_url).
 *
 * No callback comes from inside a call to this module, and none after http_cancel() or `end`.
 */
#ifndef P2P_HOST_HTTP_H
#define P2P_HOST_HTTP_H

#include <p2p/base/addr.h>
#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/host/loop.h>

#define HTTP_REDIRECTS_MAX 5
#define HTTP_URL_MAX 8192
#define HTTP_HEADERS_MAX (64u << 10)        /* bytes of an answer's head */
#define HTTP_PER_HOST 8                     /* connections to one host; further requests wait */
#define HTTP_CONNECTIONS 128                /* all together */
#define HTTP_CONNECT_TIMEOUT (20 * USEC_SEC)
#define HTTP_STALL_TIMEOUT (30 * USEC_SEC)  /* no byte for so long (not while paused) */
#define HTTP_MANIFEST_MAX (64u << 20)       /* caps for http_fetch, by what is fetched */
#define HTTP_ROOM (256u << 10)
#define HTTP_TRACKER_MAX (1u << 20)

struct http;     /* the connections and what they share */
struct http_req; /* one request */

enum http_trust {
    HTTP_TYPED,          /* the user typed it */
    HTTP_STRANGER,       /* from a manifest, a link or a peer */
    HTTP_STRANGER_LOCAL, /* the same, and a local address written out in it will do */
};

struct http_request { /* borrowed during the call only; zero is a good default but for url */
    const char *url;
    enum http_trust trust;
    bool ranged;         /* ask for bytes first..last, both counted */
    uint64_t first, last; /* last UINT64_MAX: to the end */
    uint64_t max_body;   /* most bytes of body; 0: no limit */
    bool compressed;     /* gzip and such are welcome; not together with `ranged` */
    bool no_follow;      /* a redirect is the answer */
    usec connect_timeout, stall_timeout; /* 0: the ones above */
    usec total_timeout;  /* whole request; 0: none. Redirects begin it anew */
    const char *const *headers; /* "Name: value" each, NULL at the end; may be NULL */
    /* No connection was kept that it could be sent on: one is being opened. And: there is one, and
     * it is being sent. May be NULL; no call of http from inside them. */
    void (*opens)(void *owner);
    void (*sent)(void *owner);
};

struct http_head {
    int status;          /* 200, 206, 404, 416 ... */
    bool ranged;         /* 206 with a good Content-Range, told in first and last */
    uint64_t first, last;
    uint64_t total;      /* size of the whole thing; UINT64_MAX if not said */
    uint64_t length;     /* of the body to come; UINT64_MAX if not said */
    const char *url;     /* after redirects; borrowed, secrets and all */
    unsigned redirects;  /* how many were followed */
};

struct http_events {
    /* The answer's head, any status. May be NULL. */
    void (*head)(void *owner, const struct http_head *h);
    /* A piece of the body where it lies; read it before returning. May pause or cancel. Bodies of
     * error answers come here too: see head. May be NULL. */
    void (*body)(void *owner, struct bytes b);
    /* The last call. 0: an answer came whole, whatever its status. ERR_NET: no answer, or cut
     * short, or TLS failed; ERR_LIMIT: too long; ERR_INVALID: refused by a rule above, or no URL.
     * The request is gone after this. `h` is as in head, with status 0 if none came. */
    void (*end)(void *owner, int code, const struct http_head *h, const struct err *e);
};

/* `agent` is the User-Agent. Costs nothing before the first request, which loads libcurl; where
 * that is missing, requests end with ERR_FAIL. */
struct http *http_new(struct loop *l, const char *agent);
/* Cancels all requests. Not from inside a callback of theirs. NULL is fine. */
void http_free(struct http *h);
/* Authorities to verify TLS with, in place of the system's: a PEM file. */
void http_set_ca(struct http *h, const char *file);
/* Address of this host to connect from; NULL or family 0: the kernel's choice. */
void http_set_bind(struct http *h, const struct addr *from);
/* So much of an answer may wait in the kernel (which doubles it), and be read at once: who pauses
 * soon stops the server. HTTP_ROOM or more: as is fastest. For requests made from now on, `waiting`
 * for connections. */
void http_set_room(struct http *h, size_t waiting, size_t at_once);

/* Never NULL: what is wrong with a request is told by `end`. */
struct http_req *http_get(struct http *h, const struct http_request *r,
                          const struct http_events *ev, void *owner);
void http_pause(struct http_req *q, bool paused); /* what is in hand already may still come */
void http_cancel(struct http_req *q);             /* NULL is fine */

/* A whole body at once, `r->max_body` being its cap (0: HTTP_TRACKER_MAX). `done` is told as in
 * `end`; the body is borrowed, and empty unless code is 0. Cancel with http_cancel(). */
struct http_req *http_fetch(struct http *h, const struct http_request *r,
                            void (*done)(void *owner, int code, const struct http_head *h,
                                         struct bytes body, const struct err *e),
                            void *owner);

/* Appends a URL (of any scheme) as it may be shown: without user info, with the query and what
 * looks like a key in the path left out. */
void http_redact_url(struct buf *out, const char *url);

#endif

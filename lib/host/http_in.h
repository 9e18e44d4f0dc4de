/* What the files of http share: http.c has the connections and the queue, http_req.c one request
 * from its options to its end, http_url.c addresses, http_fetch.c whole bodies. */
#ifndef P2P_HOST_HTTP_IN_H
#define P2P_HOST_HTTP_IN_H

#include "host/curl_late.h"

#include <p2p/base/addr.h>
#include <p2p/host/http.h>

/* Connections are kept for reuse by name. Those of the user's own addresses are kept apart: a
 * stranger's URL that names the same host must not ride on a connection that it could not open. */
enum http_side_id { HTTP_SIDE_TYPED, HTTP_SIDE_STRANGER, HTTP_SIDES };

struct http_side {
    struct http *h;
    CURLM *m;
    struct loop_timer timer;
};

#define HTTP_SPARE 16 /* transfers kept for the next request, with their buffers */

struct http {
    struct loop *l;
    struct http_side side[HTTP_SIDES];
    char *agent, *ca;
    struct addr bind;
    size_t room, at_once; /* room 0: as the kernel likes */
    struct list waiting, active, todo; /* of struct http_req; todo by its todo node */
    struct list sockets;               /* watches of curl's sockets */
    struct loop_soon soon;
    CURL *spare[HTTP_SPARE];
    size_t spares;
    bool started; /* curl is here: the first request brings it in */
};

struct http_fetch;

struct http_req {
    struct list_node node, todo;
    struct http *h;
    CURL *easy; /* while active */
    struct curl_slist *headers;
    const struct http_events *ev; /* NULL once cancelled */
    void *owner;
    struct http_fetch *fetch; /* owned; NULL unless http_fetch() began this */
    struct http_request r;    /* url and headers are not used */
    char *url;                /* of this hop */
    uint64_t host_hash;
    struct addr written; /* the address that the first URL names, if it names one */
    enum http_side_id side;
    bool was_public; /* a hop before this one went to a public address */
    bool active, pause, paused;
    bool head_done, head_told, redirecting;
    bool refused; /* an address was, by the rules */
    struct addr refused_addr;
    size_t head_bytes;
    uint64_t received;
    bool unknown_length, located;
    struct http_head head;
    struct err e; /* why we broke it off, if we did */
    char why[CURL_ERROR_SIZE];
};

/* http.c: puts it on the list of those that want something done at the end of the turn. */
void http_later(struct http_req *q);
/* http_req.c */
void http_req_check(struct http_req *q); /* its first URL; fills q->e if it may not be */
bool http_req_begin(struct http_req *q); /* gives it a transfer; false with q->e */
/* The transfer is over: true if the request goes on with another hop, else q->e is final. */
bool http_req_over(struct http_req *q, CURLcode result);
void http_req_end(struct http_req *q); /* tells the owner */
void http_req_free(struct http_req *q);
/* http_fetch.c */
void http_fetch_free(struct http_fetch *f);
void *http_fetch_owner(const struct http_fetch *f);
/* http_url.c */
struct http_url {
    bool https;
    char host[256];
    uint16_t port;
    struct addr written; /* family 0 unless host is an address */
};
/* False unless it is http or https, whole, and not longer than HTTP_URL_MAX. */
bool http_url_parse(const char *url, struct http_url *out);

#endif

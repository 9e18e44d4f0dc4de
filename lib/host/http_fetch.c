/* Whole bodies, for what is small: manifests and answers of trackers. */
#include "http_in.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

struct http_fetch {
    struct buf body;
    void (*done)(void *owner, int code, const struct http_head *h, struct bytes body,
                 const struct err *e);
    void *owner;
};

static void on_body(void *owner, struct bytes b)
{
    struct http_fetch *f = owner;
    buf_put_bytes(&f->body, b);
}

static void on_end(void *owner, int code, const struct http_head *h, const struct err *e)
{
    struct http_fetch *f = owner;
    f->done(f->owner, code, h, code ? BYTES(NULL, 0) : buf_bytes(&f->body), e);
}

struct http_req *http_fetch(struct http *h, const struct http_request *r,
                            void (*done)(void *owner, int code, const struct http_head *h,
                                         struct bytes body, const struct err *e),
                            void *owner)
{
    static const struct http_events events = {.body = on_body, .end = on_end};
    struct http_fetch *f = mem_zero(sizeof *f);
    struct http_request capped = *r;
    if (!capped.max_body)
        capped.max_body = HTTP_TRACKER_MAX;
    f->done = done;
    f->owner = owner;
    struct http_req *q = http_get(h, &capped, &events, f);
    q->fetch = f;
    return q;
}

void *http_fetch_owner(const struct http_fetch *f)
{
    return f->owner;
}

void http_fetch_free(struct http_fetch *f)
{
    if (f)
        buf_fini(&f->body);
    free(f);
}

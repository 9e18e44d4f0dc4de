/* A .torrent from an address that the user typed, for programs without a session. */
#include <p2p/engine/known.h>

#include <p2p/base/mem.h>
#include <p2p/host/http.h>

#include <stdlib.h>

#define FETCH_TIME (2 * USEC_MIN) /* the whole of it, however the server drips */

struct fetch {
    struct loop *loop;
    struct bytes body;
    int code;
    struct err *e;
    const char *shown; /* the address without its secrets */
};

static void done(void *owner, int code, const struct http_head *h, struct bytes body,
                 const struct err *e)
{
    struct fetch *f = owner;

    if (code < 0)
        f->code = err_set(f->e, code, "%s", e->msg);
    else if (h->status != 200)
        f->code = err_set(f->e, ERR_NOTFOUND, "%s: the server answers %d", f->shown, h->status);
    else
        f->body = BYTES(mem_dup(body.p, body.n), body.n);
    loop_stop(f->loop);
}

int known_fetch(const char *url, struct bytes *out, struct err *e)
{
    struct http_request r = {
        .url = url, .trust = HTTP_TYPED, .compressed = true, .max_body = HTTP_MANIFEST_MAX,
        .total_timeout = FETCH_TIME};
    struct buf shown = {0};
    struct fetch f = {.e = e};
    struct http *http = NULL;

    http_redact_url(&shown, url);
    buf_put_u8(&shown, 0);
    f.shown = (const char *)buf_bytes(&shown).p;
    f.loop = loop_new(e);
    if (f.loop) {
        http = http_new(f.loop, "p2p/" P2P_VERSION);
        http_fetch(http, &r, done, &f);
        loop_run(f.loop);
    } else {
        f.code = ERR_FAIL;
    }
    http_free(http);
    loop_free(f.loop);
    buf_fini(&shown);
    *out = f.body;
    return f.code;
}

/*
 * Help from the network that is asked for by job: small bodies over HTTP, ranges of web seeds,
 * names; and datagrams. Whose addresses may lead where is decided in host/http and, for names, by
 * the node: here it is only told on whose word a URL came.
 */
#include "engine/engine_int.h"
#include "engine/moved.h"

#include <p2p/base/mem.h>
#include <p2p/host/resolve.h>

#include <stdlib.h>

struct net_job {
    struct engine *g;
    node_id id;
    struct http_req *req;
    struct resolve *name;
    char *url; /* of a web seed's file, as it is known to the node */
};

static struct net_job *job_new(struct engine *g, node_id id)
{
    struct net_job *j = mem_zero(sizeof *j);

    j->g = g;
    j->id = id;
    map_put(g->nets, ID_KEY(j->id), j);
    return j;
}

static void job_free(struct net_job *j)
{
    map_remove(j->g->nets, ID_KEY(j->id));
    free(j->url);
    free(j);
}

static struct net_job *job_of(const struct engine *g, node_id id)
{
    return map_get(g->nets, ID_KEY(id));
}

/* ---- small bodies ---- */

static enum http_trust trust_of(const struct node_op *op)
{
    return op->trusted ? HTTP_TYPED : op->local ? HTTP_STRANGER_LOCAL : HTTP_STRANGER;
}

static void fetched(void *owner, int code, const struct http_head *h, struct bytes body,
                    const struct err *e)
{
    struct net_job *j = owner;
    struct engine *g = j->g;
    node_id id = j->id;

    g->now = loop_now(g->loop);
    job_free(j);
    node_http(g->node, id, code, e, h ? h->status : 0, body, g->now);
}

static void opens(void *owner)
{
    struct net_job *j = owner;

    j->g->now = loop_now(j->g->loop);
    node_http_opens(j->g->node, j->id, j->g->now);
}

static void sent(void *owner)
{
    struct net_job *j = owner;

    j->g->now = loop_now(j->g->loop);
    node_http_sent(j->g->node, j->id, j->g->now);
}

void net_http(struct engine *g, const struct node_op *op)
{
    struct http_request r = {.url = op->text,
                             .trust = trust_of(op),
                             .compressed = true,
                             .max_body = op->length,
                             .opens = opens,
                             .sent = sent};
    struct net_job *j = job_new(g, op->job);

    j->req = http_fetch(g->http, &r, fetched, j);
}

/* ---- web seeds ---- */

static void cancel(struct net_job *j)
{
    http_cancel(j->req);
    job_free(j);
}

static void web_head(void *owner, const struct http_head *h)
{
    struct net_job *j = owner;
    struct engine *g = j->g;

    g->now = loop_now(g->loop);
    if (h->status != 200 && h->status != 206)
        return; /* a word from the server: web_end tells the status */
    if (h->redirects > 0)
        moved_set(g->moved, j->url, h->url);
    if (!node_web_head(g->node, j->id, h->status, h->ranged ? h->first : 0, h->total, g->now))
        cancel(j);
}

static void web_body(void *owner, struct bytes b)
{
    struct net_job *j = owner;
    struct engine *g = j->g;
    bool pause = false;

    g->now = loop_now(g->loop);
    if (!node_web_data(g->node, j->id, b, &pause, g->now))
        cancel(j);
    else if (pause)
        http_pause(j->req, true);
}

static void web_end(void *owner, int code, const struct http_head *h, const struct err *e)
{
    struct net_job *j = owner;
    struct engine *g = j->g;
    node_id id = j->id;

    g->now = loop_now(g->loop);
    if (code < 0 || !h || h->status >= 400)
        moved_set(g->moved, j->url, NULL);
    job_free(j);
    node_web_end(g->node, id, code, e, h ? h->status : 0, g->now);
}

void net_web(struct engine *g, const struct node_op *op)
{
    static const struct http_events events = {.head = web_head, .body = web_body, .end = web_end};
    struct http_request r = {
        .url = moved_to(g->moved, op->text),
        .trust = trust_of(op),
        .ranged = true,
        .first = op->offset,
        .last = op->offset + op->length - 1,
    };
    struct net_job *j = job_new(g, op->job);

    j->url = mem_str(op->text);
    j->req = http_get(g->http, &r, &events, j);
}

bool net_resume(struct engine *g, node_id id)
{
    struct net_job *j = job_of(g, id);

    if (j && j->req)
        http_pause(j->req, false);
    return j != NULL;
}

/* ---- names and datagrams ---- */

static void resolved(void *arg, int code, const struct addr *v, size_t n, const struct err *e)
{
    struct net_job *j = arg;
    struct engine *g = j->g;
    node_id id = j->id;

    (void)e;
    g->now = loop_now(g->loop);
    job_free(j);
    node_resolved(g->node, id, v, code < 0 ? 0 : n, g->now);
}

void net_resolve(struct engine *g, const struct node_op *op)
{
    struct net_job *j = job_new(g, op->job);

    j->name = resolve_start(g->loop, op->text, 0, 0, resolved, j);
}

void net_udp(struct engine *g, const struct node_op *op)
{
    udp_send(g->udp, &op->addr, op->data); /* what is lost here is lost as on any path */
}

void net_datagram(void *arg, const struct addr *from, struct bytes b)
{
    struct engine *g = arg;

    g->now = loop_now(g->loop);
    node_datagram(g->node, from, b, g->now);
}

/* ---- end ---- */

void net_cancel(struct engine *g, const struct node_op *op)
{
    struct net_job *j = job_of(g, op->job);

    if (!j)
        return;
    resolve_cancel(j->name);
    cancel(j);
}

void net_free_all(struct engine *g)
{
    size_t at = 0;
    struct bytes key;
    void *v;

    while (map_walk(g->nets, &at, &key, &v)) {
        struct net_job *j = v;

        resolve_cancel(j->name);
        cancel(j);
        at = 0; /* the walk does not bear removals */
    }
}

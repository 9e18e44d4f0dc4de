/*
 * The connections: libcurl's multi interface turned by our loop. curl may not be called from
 * inside its own callbacks, and owners may call us from anywhere; so what owners ask for is noted
 * and done at the end of the turn.
 */
#include "http_in.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

struct socket { /* one of curl's, while it wants to be watched */
    struct list_node node;
    struct http_side *side;
    struct loop_watch *watch;
    curl_socket_t fd;
};

static void settle(struct http_side *s);
static int start(struct http *h, struct err *e);

/* ---- the queue ---- */

void http_later(struct http_req *q)
{
    if (!list_linked(&q->todo))
        list_push(&q->h->todo, &q->todo);
    loop_soon(q->h->l, &q->h->soon);
}

static bool has_room(const struct http *h, const struct http_req *q)
{
    size_t same = 0;
    if (h->active.count >= HTTP_CONNECTIONS)
        return false;
    for (struct list_node *n = list_first(&h->active); n; n = list_next(&h->active, n))
        same += LIST_OF(n, struct http_req, node)->host_hash == q->host_hash;
    return same < HTTP_PER_HOST;
}

static void recycle(struct http *h, CURL *easy)
{
    if (easy && h->spares < HTTP_SPARE) {
        curl.easy_reset(easy); /* keeps its buffer */
        h->spare[h->spares++] = easy;
    } else if (easy) {
        curl.easy_cleanup(easy);
    }
}

static void destroy(struct http_req *q)
{
    struct http *h = q->h;
    if (q->active && q->easy)
        curl.multi_remove_handle(h->side[q->side].m, q->easy);
    recycle(h, q->easy);
    list_remove(q->active ? &h->active : &h->waiting, &q->node);
    if (list_linked(&q->todo))
        list_remove(&h->todo, &q->todo);
    http_req_free(q);
}

static void finish(struct http_req *q)
{
    struct http *h = q->h;
    http_req_end(q);
    destroy(q);
    if (h->waiting.count)
        loop_soon(h->l, &h->soon);
}

static void start_waiting(struct http *h)
{
    struct list_node *n = list_first(&h->waiting), *next;
    for (; n && h->active.count < HTTP_CONNECTIONS; n = next) {
        struct http_req *q = LIST_OF(n, struct http_req, node);
        next = list_next(&h->waiting, n);
        if (!has_room(h, q))
            continue;
        list_remove(&h->waiting, n);
        list_push(&h->active, n);
        q->active = true;
        http_req_begin(q); /* if it fails, q->e says so */
        if (q->e.code)
            http_later(q);
    }
}

/* Requests that were cancelled, that failed before they began, or that go on after a pause. */
static void on_soon(void *arg)
{
    struct http *h = arg;
    struct list_node *n;
    for (size_t left = h->todo.count; left && (n = list_pop(&h->todo)); left--) {
        struct http_req *q = LIST_OF(n, struct http_req, todo);
        if (!q->ev) {
            destroy(q);
        } else if (q->e.code) {
            finish(q);
        } else if (q->active && q->paused != q->pause) {
            q->paused = q->pause;
            curl.easy_pause(q->easy, q->pause ? CURLPAUSE_RECV : CURLPAUSE_CONT);
        }
    }
    start_waiting(h);
    for (int i = 0; i < HTTP_SIDES && h->started; i++)
        settle(&h->side[i]);
}

struct http_req *http_get(struct http *h, const struct http_request *r,
                          const struct http_events *ev, void *owner)
{
    struct http_req *q = mem_zero(sizeof *q);
    q->h = h;
    q->r = *r;
    q->r.url = NULL;
    q->r.headers = NULL;
    q->url = mem_str(r->url);
    q->head.url = q->url;
    q->ev = ev;
    q->owner = owner;
    list_push(&h->waiting, &q->node);
    if (start(h, &q->e) == 0) {
        for (const char *const *s = r->headers; s && *s; s++)
            q->headers = curl.slist_append(q->headers, *s);
        http_req_check(q);
    }
    if (q->e.code)
        http_later(q);
    loop_soon(h->l, &h->soon);
    return q;
}

void http_pause(struct http_req *q, bool paused)
{
    q->pause = paused;
    if (paused != q->paused)
        http_later(q);
}

void http_cancel(struct http_req *q)
{
    if (!q)
        return;
    q->ev = NULL;
    http_later(q);
}

/* ---- turning curl ---- */

/* What has ended since curl was last called. */
static void settle(struct http_side *s)
{
    CURLMsg *m;
    int more;
    while ((m = curl.multi_info_read(s->m, &more))) {
        struct http_req *q = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode result = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &q);
        if (!q->ev)
            continue; /* cancelled: on_soon() sees to it */
        bool more_hops = http_req_over(q, result);
        curl.multi_remove_handle(s->m, q->easy);
        if (!more_hops || !http_req_begin(q))
            finish(q);
    }
}

static void on_timer(void *arg)
{
    struct http_side *s = arg;
    int running;
    curl.multi_socket_action(s->m, CURL_SOCKET_TIMEOUT, 0, &running);
    settle(s);
}

static int on_set_timer(CURLM *m, long ms, void *arg)
{
    struct http_side *s = arg;
    (void)m;
    if (ms < 0)
        loop_timer_cancel(s->h->l, &s->timer);
    else
        loop_timer_set(s->h->l, &s->timer, loop_now(s->h->l) + ms * USEC_MS);
    return 0;
}

static void on_ready(void *arg, bool in, bool out)
{
    struct socket *k = arg;
    struct http_side *s = k->side; /* k may be gone after the call */
    int running, what = (in ? CURL_CSELECT_IN : 0) | (out ? CURL_CSELECT_OUT : 0);
    curl.multi_socket_action(s->m, k->fd, what, &running);
    settle(s);
}

static void socket_free(struct socket *k)
{
    list_remove(&k->side->h->sockets, &k->node);
    loop_watch_free(k->watch);
    free(k);
}

static int on_set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
    struct http_side *s = arg;
    struct socket *k = sock;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (k)
            socket_free(k);
        curl.multi_assign(s->m, fd, NULL);
        return 0;
    }
    if (!k) {
        k = mem_zero(sizeof *k);
        k->side = s;
        k->fd = fd;
        k->watch = loop_watch(s->h->l, fd, on_ready, k, NULL);
        if (!k->watch) {
            free(k);
            return -1;
        }
        list_push(&s->h->sockets, &k->node);
        curl.multi_assign(s->m, fd, k);
    }
    loop_watch_want(k->watch, what & CURL_POLL_IN, what & CURL_POLL_OUT);
    return 0;
}

/* ---- life ---- */

static bool side_open(struct http *h, struct http_side *s)
{
    s->h = h;
    s->timer = (struct loop_timer){.fn = on_timer, .arg = s};
    s->m = curl.multi_init();
    if (!s->m)
        return false;
    curl_multi_setopt(s->m, CURLMOPT_SOCKETFUNCTION, on_set_socket);
    curl_multi_setopt(s->m, CURLMOPT_SOCKETDATA, s);
    curl_multi_setopt(s->m, CURLMOPT_TIMERFUNCTION, on_set_timer);
    curl_multi_setopt(s->m, CURLMOPT_TIMERDATA, s);
    curl_multi_setopt(s->m, CURLMOPT_MAXCONNECTS, (long)HTTP_CONNECTIONS / 2);
    return true;
}

static void stop(struct http *h)
{
    for (int i = 0; i < HTTP_SIDES; i++)
        if (h->side[i].m) {
            curl.multi_cleanup(h->side[i].m);
            h->side[i].m = NULL;
            loop_timer_cancel(h->l, &h->side[i].timer);
        }
    curl.global_cleanup();
    h->started = false;
}

/* Brings curl in, if it is not here yet. */
static int start(struct http *h, struct err *e)
{
    if (h->started)
        return 0;
    int rc = curl_late(e);
    if (rc < 0)
        return rc;
    if (curl.global_init(CURL_GLOBAL_DEFAULT))
        return err_set(e, ERR_FAIL, "cannot start libcurl");
    h->started = true;
    for (int i = 0; i < HTTP_SIDES; i++)
        if (!side_open(h, &h->side[i])) {
            stop(h);
            return err_set(e, ERR_FAIL, "cannot start libcurl");
        }
    return 0;
}

struct http *http_new(struct loop *l, const char *agent)
{
    struct http *h = mem_zero(sizeof *h);
    h->l = l;
    h->agent = mem_str(agent);
    h->at_once = HTTP_ROOM;
    h->soon = (struct loop_soon){.fn = on_soon, .arg = h};
    list_init(&h->waiting);
    list_init(&h->active);
    list_init(&h->todo);
    list_init(&h->sockets);
    return h;
}

void http_free(struct http *h)
{
    struct list_node *n;
    if (!h)
        return;
    while ((n = list_first(&h->active)) || (n = list_first(&h->waiting)))
        destroy(LIST_OF(n, struct http_req, node));
    while (h->spares)
        curl.easy_cleanup(h->spare[--h->spares]);
    if (h->started)
        stop(h);
    while ((n = list_first(&h->sockets)))
        socket_free(LIST_OF(n, struct socket, node));
    loop_soon_cancel(h->l, &h->soon);
    free(h->agent);
    free(h->ca);
    free(h);
}

void http_set_ca(struct http *h, const char *file)
{
    free(h->ca);
    h->ca = mem_str(file);
}

void http_set_bind(struct http *h, const struct addr *from)
{
    h->bind = from ? *from : (struct addr){0};
    h->bind.port = 0;
}

void http_set_room(struct http *h, size_t waiting, size_t at_once)
{
    h->room = waiting < HTTP_ROOM ? waiting : 0;
    h->at_once = at_once < HTTP_ROOM ? at_once : HTTP_ROOM;
}

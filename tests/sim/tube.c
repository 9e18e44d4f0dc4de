/* The test tube; see tube.h. Events in one queue by time, then by the order of their making. */
#include "tube_int.h"

#include <stdlib.h>
#include <stdio.h>

/* ---- events ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

struct event *tube_event(struct tube *t, usec at, enum event_kind kind)
{
    if (t->n_events == t->cap_events) {
        t->cap_events = t->cap_events ? t->cap_events * 2 : 256;
        t->events = mem_grow(t->events, t->cap_events, sizeof *t->events);
    }
    struct event *e = mem_zero(sizeof *e);
    e->at = at < t->now ? t->now : at;
    e->seq = t->seq++;
    e->kind = kind;
    size_t i = t->n_events++;
    for (; i > 0 && before(e, t->events[(i - 1) / 2]); i = (i - 1) / 2)
        t->events[i] = t->events[(i - 1) / 2];
    t->events[i] = e;
    return e;
}

static struct event *pop(struct tube *t)
{
    struct event *top = t->events[0], *last = t->events[--t->n_events];
    size_t i = 0, n = t->n_events;
    for (;;) {
        size_t k = 2 * i + 1;
        if (k >= n)
            break;
        if (k + 1 < n && before(t->events[k + 1], t->events[k]))
            k++;
        if (!before(t->events[k], last))
            break;
        t->events[i] = t->events[k];
        i = k;
    }
    if (n > 0)
        t->events[i] = last;
    return top;
}

/* ---- hosts ---- */

struct tube *tube_new(uint64_t seed)
{
    struct tube *t = mem_zero(sizeof *t);
    rng_seed(&t->rng, seed);
    t->by_ip = map_new(seed);
    t->now = 1000 * USEC_SEC;
    return t;
}

struct host *tube_host(struct tube *t, const struct host_config *c)
{
    struct host *h = mem_zero(sizeof *h);
    h->tube = t;
    h->cfg = *c;
    h->index = t->n_hosts;
    site_join(c->site ? t->sites[c->site - 1] : site_new(t, &(struct site_config){0}), h);
    struct node_config nc = {.client = "tube 1",
                             .port = 6881,
                             .limit_down = c->limit_down,
                             .limit_up = c->limit_up,
                             .no_trackers = c->no_trackers,
                             .no_dht = !c->dht,
                             .no_pex = c->no_pex,
                             .no_lsd = c->no_lsd || !c->site,
                             .udp4 = c->udp && !c->no_v4,
                             .udp6 = c->udp && c->v6,
                             .dht_read_only = c->dht_read_only,
                             .prefer_local = c->prefer_local};
    rng_fill(&t->rng, nc.peer_id, sizeof nc.peer_id);
    h->node = node_new(&nc, rng_u64(&t->rng), t->now);
    h->hasher = piecehash_new();
    t->hosts = mem_grow(t->hosts, t->n_hosts + 1, sizeof *t->hosts);
    t->hosts[t->n_hosts++] = h;
    return h;
}

struct node *host_node(struct host *h)
{
    return h->node;
}
struct addr host_addr(const struct host *h)
{
    return h->cfg.no_v4 ? h->addr6 : h->addr;
}
struct addr host_public(const struct host *h)
{
    return host_addr(h);
}
struct addr host_addr6(const struct host *h)
{
    return h->addr6;
}
uint32_t host_number(const struct host *h)
{
    return h->index;
}
struct tube_datagrams tube_datagrams(const struct tube *t)
{
    return t->datagrams;
}
usec tube_now(const struct tube *t)
{
    return t->now;
}
struct rng *tube_rng(struct tube *t)
{
    return &t->rng;
}
uint64_t host_sent(const struct host *h)
{
    return h->sent;
}
uint64_t tube_origin_sent(const struct tube *t)
{
    return t->origin_sent;
}
unsigned tube_stopped_announces(const struct tube *t)
{
    return t->stopped;
}

bool host_banned(const struct host *h, const struct host *whom)
{
    for (size_t i = 0; i < h->n_banned; i++)
        if (addr_same_ip(&h->banned[i], &whom->addr))
            return true;
    return false;
}

struct item *host_item(struct host *h, node_id task)
{
    for (size_t i = 0; i < h->n_items; i++)
        if (h->items[i]->task == task)
            return h->items[i];
    return NULL;
}

struct item *host_add(struct host *h, struct node_task_config *c, const uint8_t *content)
{
    struct err e = {0};
    struct item *it = mem_zero(sizeof *it);
    if (c->manifest) {
        it->disk_size = c->manifest->space;
        it->disk = mem_zero(it->disk_size + 1);
        if (content)
            memcpy(it->disk, content, it->disk_size);
    }
    it->task = node_add(h->node, c, h->tube->now, &e);
    if (!it->task) {
        fprintf(stderr, "tube: %s\n", e.msg);
        abort();
    }
    h->items = mem_grow(h->items, h->n_items + 1, sizeof *h->items);
    h->items[h->n_items++] = it;
    tube_pump(h);
    return it;
}

void host_kill(struct host *h)
{
    h->dead = true;
    for (size_t i = 0; i < h->tube->n_streams; i++) {
        struct stream *s = h->tube->streams[i];
        if (s->open && (s->end[0].host == h || s->end[1].host == h))
            stream_close(s, s->end[0].host == h ? 0 : 1);
    }
}

void tube_free(struct tube *t)
{
    while (t->n_events > 0) {
        struct event *e = pop(t);
        free(e->data);
        free(e);
    }
    for (size_t i = 0; i < t->n_hosts; i++) {
        struct host *h = t->hosts[i];
        node_free(h->node);
        for (size_t k = 0; k < h->n_items; k++) {
            free(h->items[k]->disk);
            free(h->items[k]);
        }
        piecehash_free(h->hasher);
        free(h->items);
        free(h->banned);
        free(h);
    }
    for (uint32_t i = 0; i < t->n_sites; i++)
        site_free(t->sites[i]);
    for (size_t i = 0; i < t->n_streams; i++)
        stream_free(t->streams[i]);
    map_free(t->by_ip);
    free(t->sites);
    for (size_t i = 0; i < t->n_gets; i++)
        free(t->gets[i]);
    free(t->gets);
    free(t->tracked);
    free(t->streams);
    free(t->hosts);
    free(t->events);
    free(t);
}

/* ---- running ---- */

static void arm(struct host *h)
{
    usec at = node_deadline(h->node);
    if (at == USEC_NEVER || (h->armed && h->armed <= at && h->armed > h->tube->now))
        return;
    h->armed = at;
    tube_event(h->tube, at, EV_TICK)->host = h;
}

void tube_pump(struct host *h)
{
    struct node_op op;
    while (node_next(h->node, &op))
        op_perform(h, &op);
    arm(h);
}

static void handle(struct tube *t, struct event *e)
{
    struct host *h = e->host;
    if (!h->dead) {
        if (e->kind == EV_TICK) {
            if (h->armed == e->at)
                h->armed = 0;
            if (node_deadline(h->node) <= t->now)
                node_tick(h->node, t->now);
        } else {
            event_handle(t, e);
        }
        tube_pump(h);
    }
    free(e->data);
    free(e);
}

void tube_observe(struct tube *t, usec every, void (*fn)(struct tube *t, void *arg), void *arg)
{
    t->observe = fn;
    t->observe_arg = arg;
    t->observe_every = every;
    t->observe_at = t->now;
}

static void observe(struct tube *t, usec until)
{
    for (; t->observe && t->observe_at <= until; t->observe_at += t->observe_every) {
        t->now = t->observe_at > t->now ? t->observe_at : t->now;
        t->observe(t, t->observe_arg);
    }
}

bool tube_run(struct tube *t, usec limit, bool (*until)(void *arg), void *arg)
{
    usec end = t->now + limit;
    while (t->n_events > 0 && t->events[0]->at <= end) {
        observe(t, t->events[0]->at);
        struct event *e = pop(t);
        t->now = e->at;
        handle(t, e);
        if (until && until(arg))
            return true;
    }
    observe(t, end);
    t->now = end;
    return until && until(arg);
}

bool tube_run_each(struct tube *t, usec limit, usec every, bool (*until)(void *arg), void *arg)
{
    usec end = t->now + limit;
    while (t->now < end && !until(arg))
        tube_run(t, usec_min(every, end - t->now), NULL, NULL);
    return until(arg);
}

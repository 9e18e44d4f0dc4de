/* The test tube: its time, its trace, who is called when; see tube.h. */
#include "tube_int.h"

#include <stdlib.h>

struct tube *tube_new(uint64_t seed)
{
    struct tube *t = mem_zero(sizeof *t);
    rng_seed(&t->rng, seed);
    heap_init(&t->deadlines);
    t->by_ip = map_new(seed);
    t->now = 1000 * USEC_SEC;
    return t;
}

static void free_places(struct map *m)
{
    struct bytes key;
    void *value;
    for (size_t it = 0; map_walk(m, &it, &key, &value);)
        free(value);
    map_free(m);
}

void tube_free(struct tube *t)
{
    for (size_t i = 0; i < t->n_hosts; i++) {
        stream_close_all(t->hosts[i]);
        origin_forget(t->hosts[i]);
    }
    queue_fini(t);
    for (size_t i = 0; i < t->n_hosts; i++)
        host_free(t->hosts[i]);
    for (uint32_t i = 0; i < t->n_sites; i++)
        site_free(t->sites[i]);
    for (size_t i = 0; i < t->n_phantoms; i++)
        phantom_free(t->phantoms[i]);
    free_places(t->by_ip);
    heap_fini(&t->deadlines);
    free(t->phantoms);
    free(t->sites);
    free(t->tracked);
    free(t->hosts);
    free(t);
}

usec tube_now(const struct tube *t)
{
    return t->now;
}
struct rng *tube_rng(struct tube *t)
{
    return &t->rng;
}
struct tube_datagrams tube_datagrams(const struct tube *t)
{
    return t->datagrams;
}
struct tube_crossed tube_crossed(const struct tube *t, unsigned site)
{
    const struct site *s = t->sites[site - 1];
    return (struct tube_crossed){.in = s->in, .out = s->out};
}
uint64_t tube_trace(const struct tube *t)
{
    return t->trace;
}
uint64_t tube_events(const struct tube *t)
{
    return t->n_handled;
}

void tube_on_start(struct tube *t, void (*fn)(struct host *h, void *arg), void *arg)
{
    t->on_start = fn;
    t->on_start_arg = arg;
}

void tube_on_dht(struct tube *t, void (*fn)(struct host *h, const struct dht_event *e, void *arg),
                 void *arg)
{
    t->on_dht = fn;
    t->on_dht_arg = arg;
}

void tube_at(struct tube *t, usec at, void (*fn)(struct tube *t, void *arg), void *arg)
{
    struct event *e = tube_event(t, at, EV_CALL);
    e->fn = fn;
    e->arg = arg;
}

/* ---- trace ---- */

void trace_add(struct tube *t, uint64_t v)
{
    uint64_t x = (t->trace ^ v) * 0x9e3779b97f4a7c15u;
    t->trace = x ^ (x >> 29);
}

static void trace_event(struct tube *t, const struct event *e)
{
    trace_add(t, (uint64_t)e->at);
    trace_add(t, (uint64_t)e->kind << 56 | (uint64_t)e->hop << 48 | (uint64_t)e->side << 40 |
                     (e->host ? e->host->index : UINT32_MAX));
    trace_add(t, e->n);
    if (e->data)
        trace_add(t, hash_bytes(0, BYTES(e->data, e->n)));
}

/* ---- running ---- */

static void handle(struct tube *t)
{
    struct event *e = queue_pop(t);
    struct host *h = e->host;
    uint32_t life = e->life;
    t->now = e->at;
    e->held = false;
    trace_event(t, e);
    if (!h || (!h->dead && life == h->life)) {
        event_handle(t, e);
        if (h && !h->dead && life == h->life)
            tube_pump(h);
    }
    if (!e->held)
        event_free(t, e);
}

static void tick(struct tube *t)
{
    struct host *h = LIST_OF(heap_peek(&t->deadlines), struct host, deadline);
    t->now = h->deadline.at > t->now ? h->deadline.at : t->now;
    trace_add(t, (uint64_t)t->now ^ (uint64_t)h->index << 48);
    node_tick(h->node, t->now);
    tube_pump(h);
}

/* When the next thing happens, and whether that is an event of the queue. */
static usec next_at(const struct tube *t, bool *event)
{
    const struct event *e = queue_peek(t);
    const struct heap_item *d = heap_peek(&t->deadlines);
    *event = e && (!d || e->at <= d->at);
    if (*event)
        return e->at;
    return d ? d->at : USEC_NEVER;
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
    usec end = t->now + limit, at;
    bool event;
    for (uint32_t i = 0; i < t->n_hosts; i++) /* what a test did to nodes meanwhile */
        tube_pump(t->hosts[i]);
    while ((at = next_at(t, &event)) <= end) {
        observe(t, at);
        t->n_handled++;
        if (event)
            handle(t);
        else
            tick(t);
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

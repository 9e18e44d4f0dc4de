/* Life of the machine, and what goes in and out of it; dht_int.h tells where the rest is. */
#include "proto/dht_int.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

#define PROBE_RATE 2u /* pings a second for the table, */
#define PROBE_BURST 10u

/* ---- life ---- */

static void side_init(struct dht *d, struct dht_side *s, uint8_t family, bool on,
                      const uint8_t *given, usec now)
{
    uint8_t id[DHT_ID];
    s->on = on;
    s->family = family;
    s->join_at = now;
    dht_dice_fill(&d->dice, id, sizeof id);
    s->table = dht_table_new(given ? given : id, now);
}

struct dht *dht_new(const struct dht_config *c, struct rng *rng, usec now)
{
    struct dht *d = mem_zero(sizeof *d);
    d->config = *c;
    dht_dice_init(&d->dice, rng);
    side_init(d, &d->side[0], 4, c->v4, c->id4, now);
    side_init(d, &d->side[1], 6, c->v6, c->id6, now);
    d->guard = dht_guard_new(rng_u64(rng));
    d->store = dht_store_new(rng_u64(rng));
    d->items = dht_items_new(rng_u64(rng));
    dht_tokens_init(&d->tokens, &d->dice, now);
    bucket_init(&d->answers, c->send_rate ? c->send_rate : DHT_SEND_RATE, DHT_SEND_BURST, now);
    bucket_init(&d->own, DHT_OWN_RATE, DHT_OWN_BURST, now);
    bucket_init(&d->probes, PROBE_RATE, PROBE_BURST, now);
    list_init(&d->walks);
    list_init(&d->jobs);
    list_init(&d->events);
    list_init(&d->outs);
    d->keep_at = d->sweep_at = now;
    return d;
}

static void event_free(struct event *e)
{
    if (!e)
        return;
    free(e->memory);
    free(e);
}

void dht_free(struct dht *d)
{
    struct list_node *n;
    if (!d)
        return;
    while ((n = list_first(&d->walks)))
        dht_walk_free(d, LIST_OF(n, struct walk, node));
    while ((n = list_first(&d->jobs)))
        dht_job_free(d, LIST_OF(n, struct job, node));
    while ((n = list_pop(&d->events)))
        event_free(LIST_OF(n, struct event, node));
    while ((n = list_pop(&d->outs)))
        free(LIST_OF(n, struct out, node));
    event_free(d->told);
    for (int i = 0; i < 2; i++) {
        dht_table_free(d->side[i].table);
        free(d->side[i].hints);
    }
    dht_guard_free(d->guard);
    dht_store_free(d->store);
    dht_items_free(d->items);
    free(d->asks);
    free(d);
}

void dht_set_read_only(struct dht *d, bool read_only)
{
    d->config.read_only = read_only;
}

struct dht_side *dht_side_of(struct dht *d, const struct addr *a)
{
    for (int i = 0; i < 2; i++)
        if (d->side[i].on && d->side[i].family == a->family)
            return &d->side[i];
    return NULL;
}

uint32_t dht_new_id(struct dht *d)
{
    if (++d->last_id == 0)
        d->last_id = 1;
    return d->last_id;
}

struct bytes dht_version(const struct dht *d)
{
    return BYTES(d->config.version, sizeof d->config.version);
}

/* ---- in and out ---- */

/* What one step made possible for others. */
static void settle(struct dht *d, usec now)
{
    bool fed = d->starved && now >= d->feed_at;
    if (d->walks_due || fed)
        dht_walks_go(d, now);
    d->walks_due = false;
    d->jobs_due |= fed;
    if (d->jobs_due)
        dht_jobs_go(d, now);
}

bool dht_feed(struct dht *d, const struct addr *from, struct bytes datagram, usec now)
{
    struct krpc_msg m;
    if (!krpc_smells(datagram))
        return false;
    d->bytes_in += datagram.n;
    d->datagrams_in++;
    if (!dht_side_of(d, from) || !from->port || krpc_parse(&m, datagram) < 0) {
        d->strays++;
        return true;
    }
    if (m.kind == KRPC_QUERY)
        dht_serve(d, from, &m, datagram.n, now);
    else
        dht_answered(d, from, &m, now);
    settle(d, now);
    return true;
}

bool dht_send(struct dht *d, struct bucket *from, const struct addr *to, struct bytes datagram,
              usec now)
{
    if (d->outs.count >= DHT_MAX_QUEUED || datagram.n > DHT_MAX_DATAGRAM)
        return false;
    struct out *o = mem_alloc(sizeof *o + datagram.n);
    *o = (struct out){.to = *to, .n = datagram.n};
    memcpy(o->bytes, datagram.p, datagram.n);
    list_push(&d->outs, &o->node);
    bucket_take(from, datagram.n, now);
    d->bytes_out += datagram.n;
    d->datagrams_out++;
    return true;
}

size_t dht_pull(struct dht *d, struct addr *to, uint8_t out[DHT_MAX_DATAGRAM])
{
    struct list_node *node = list_pop(&d->outs);
    if (!node)
        return 0;
    struct out *o = LIST_OF(node, struct out, node);
    size_t n = o->n;
    *to = o->to;
    memcpy(out, o->bytes, n);
    free(o);
    return n;
}

void dht_tick(struct dht *d, usec now)
{
    dht_ask_expire(d, now);
    dht_keep(d, now);
    settle(d, now);
}

usec dht_deadline(const struct dht *d)
{
    usec at = usec_min(dht_ask_deadline(d), usec_min(d->keep_at, d->sweep_at));
    for (int i = 0; i < 2; i++)
        if (d->side[i].on && !d->side[i].joining)
            at = usec_min(at, d->side[i].join_at);
    return d->starved ? usec_min(at, d->feed_at) : at;
}

/* ---- events ---- */

void dht_tell(struct dht *d, const struct dht_event *e, uint8_t *memory)
{
    struct event *v = mem_zero(sizeof *v);
    v->e = *e;
    v->memory = memory;
    list_push(&d->events, &v->node);
}

bool dht_next(struct dht *d, struct dht_event *e)
{
    struct list_node *n = list_pop(&d->events);
    event_free(d->told);
    d->told = n ? LIST_OF(n, struct event, node) : NULL;
    if (!n)
        return false;
    *e = d->told->e;
    return true;
}

/* ---- status ---- */

static void side_status(const struct dht_side *s, struct dht_family_status *f, usec now)
{
    struct dht_table_counts c;
    f->on = s->on;
    f->joined = s->joined;
    memcpy(f->id, dht_table_own(s->table), DHT_ID);
    f->external = s->external;
    dht_table_count(s->table, &c, now);
    f->good = c.good;
    f->questionable = c.questionable;
    f->bad = c.bad;
    f->waiting = c.waiting;
    f->buckets = c.buckets;
    f->hints = s->n_hints;
}

void dht_status(const struct dht *d, struct dht_status *s, usec now)
{
    *s = (struct dht_status){
        .read_only = d->config.read_only,
        .jobs = (unsigned)d->jobs.count,
        .asked = d->n_asks,
        .torrents = dht_store_torrents(d->store),
        .peers = dht_store_peers(d->store),
        .items = dht_items_count(d->items),
        .bytes_in = d->bytes_in,
        .bytes_out = d->bytes_out,
        .bytes_asked = d->bytes_asked,
        .datagrams_in = d->datagrams_in,
        .datagrams_out = d->datagrams_out,
        .queries = d->queries,
        .refused = d->refused,
        .strays = d->strays,
    };
    side_status(&d->side[0], &s->v4, now);
    side_status(&d->side[1], &s->v6, now);
}

/* Members of a DHT, and probes of it. */
#include "dht_world.h"
#include "proto/dht_guard.h"
#include "proto/dht_store.h"

#include <malloc.h>
#include <p2p/base/mem.h>
#include <stdio.h>
#include <stdlib.h>

#define ANNOUNCE_PATIENCE (40 * USEC_SEC)
#define FIGURE 64 /* length of a figure's name */

static size_t allocated(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* ---- members ---- */

static void happened(struct host *h, const struct dht_event *e, void *arg);
static void started(struct host *h, void *arg);

void world_init(struct dht_world *w, struct scenario_run *r)
{
    *w = (struct dht_world){.r = r, .memory = allocated()};
    w->t = tube_new(r->seed);
    tube_on_dht(w->t, happened, w);
    tube_on_start(w->t, started, w);
}

void world_fini(struct dht_world *w)
{
    tube_free(w->t);
    for (uint32_t i = 0; i < w->n_probes; i++)
        free(w->probes[i]);
    free(w->probes);
    free(w->v);
}

void world_run(struct dht_world *w, usec time)
{
    tube_run(w->t, time, NULL, NULL);
}

struct host_config world_config(struct dht_world *w)
{
    return (struct host_config){.up = 1000000,
                                .down = 4000000,
                                .delay = (usec)(5 + rng_below(tube_rng(w->t), 55)) * USEC_MS,
                                .loss = 0.005,
                                .udp = true,
                                .dht = true};
}

void world_meet(struct dht_world *w, struct host *h, const struct addr *node)
{
    dht_add_node(node_dht(host_node(h)), node, tube_now(w->t));
    host_turn(h);
}

struct host *world_join(struct dht_world *w, const struct host_config *c)
{
    struct host *h = tube_host(w->t, c);
    if (w->n > 0) {
        uint32_t boot = w->n < WORLD_BOOT ? w->n : WORLD_BOOT;
        struct addr a = host_public(w->v[rng_below(tube_rng(w->t), boot)]);
        world_meet(w, h, &a);
    }
    w->v = mem_grow(w->v, w->n + 1, sizeof(struct host *));
    w->v[w->n++] = h;
    return h;
}

static void one_more(struct tube *t, void *arg)
{
    struct dht_world *w = arg;
    struct host_config c = world_config(w);
    (void)t;
    world_join(w, &c);
}

void world_grow(struct dht_world *w, uint32_t n, usec within)
{
    usec now = tube_now(w->t);
    for (uint32_t i = 0; i < n; i++)
        tube_at(w->t, now + within / n * i, one_more, w);
    world_run(w, within);
}

struct host *world_live(struct dht_world *w)
{
    struct host *h;
    do
        h = w->v[rng_below(tube_rng(w->t), w->n)];
    while (!host_is_up(h));
    return h;
}

/* ---- probes ---- */

static void look(struct probe *p, struct host *h, enum probe_state state)
{
    p->state = state;
    p->job = dht_find_peers(node_dht(host_node(h)), &p->search, tube_now(p->w->t));
    if (!p->job)
        p->state = PROBE_VOID;
    host_turn(h);
}

static void give_up(struct tube *t, void *arg)
{
    struct probe *p = arg;
    if (p->state != PROBE_SEEKS)
        return;
    p->ended = tube_now(t);
    p->state = PROBE_OVER;
}

static void seek(struct tube *t, void *arg)
{
    struct probe *p = arg;
    do
        p->b = p->w->seeker ? p->w->seeker(p->w) : world_live(p->w);
    while (p->b == p->a);
    p->search.port = 0;
    p->began = tube_now(t);
    tube_at(t, p->began + WORLD_PATIENCE, give_up, p);
    look(p, p->b, PROBE_SEEKS);
}

static void too_slow(struct tube *t, void *arg)
{
    struct probe *p = arg;
    (void)t;
    if (p->state == PROBE_ANNOUNCES)
        p->state = PROBE_VOID;
}

static void announce(struct tube *t, void *arg)
{
    struct probe *p = arg;
    p->a = world_live(p->w);
    p->want = host_public(p->a);
    p->want.port = p->search.port;
    tube_at(t, tube_now(t) + ANNOUNCE_PATIENCE, too_slow, p);
    look(p, p->a, PROBE_ANNOUNCES);
}

/* Under a key of many it is enough to be told of any who is there. */
static bool wanted(const struct probe *p, const struct addr *a)
{
    for (uint32_t i = 0; i < p->w->n_probes; i++) {
        const struct probe *o = p->w->probes[i];
        if (o->stored && dht_id_eq(o->search.info_hash, p->search.info_hash) &&
            addr_eq(&o->want, a))
            return true;
    }
    return false;
}

static void found(struct probe *p, const struct dht_event *e)
{
    for (size_t i = 0; i < e->n_peers; i++)
        if (!p->got && wanted(p, &e->peers[i]))
            p->got = tube_now(p->w->t);
}

static void done(struct probe *p, const struct dht_event *e)
{
    if (p->state == PROBE_SEEKS) {
        p->asked = e->asked;
        p->ended = tube_now(p->w->t);
        p->state = PROBE_OVER;
    } else {
        p->stored = e->stored;
        p->state = PROBE_REST;
        tube_at(p->w->t, tube_now(p->w->t) + p->pause, seek, p);
    }
}

static void happened(struct host *h, const struct dht_event *e, void *arg)
{
    struct dht_world *w = arg;
    for (uint32_t i = 0; i < w->n_probes; i++) {
        struct probe *p = w->probes[i];
        bool announces = p->state == PROBE_ANNOUNCES && p->a == h;
        if (p->job != e->job || !(announces || (p->state == PROBE_SEEKS && p->b == h)))
            continue;
        if (e->type == DHT_PEERS && !announces)
            found(p, e);
        else if (e->type == DHT_DONE)
            done(p, e);
    }
}

/* Whatever it had under way is gone. */
static void started(struct host *h, void *arg)
{
    struct dht_world *w = arg;
    for (uint32_t i = 0; i < w->n_probes; i++) {
        struct probe *p = w->probes[i];
        if ((p->state == PROBE_ANNOUNCES && p->a == h) || (p->state == PROBE_SEEKS && p->b == h))
            p->state = PROBE_VOID;
    }
}

struct probe *world_probe_one(struct dht_world *w, usec at, usec pause, const uint8_t *key)
{
    struct probe *p = mem_zero(sizeof *p);
    struct rng *r = tube_rng(w->t);
    p->w = w;
    p->pause = pause;
    p->search.port = (uint16_t)(2000 + rng_below(r, 60000));
    if (key)
        memcpy(p->search.info_hash, key, DHT_ID);
    else
        rng_fill(r, p->search.info_hash, DHT_ID);
    w->probes = mem_grow(w->probes, w->n_probes + 1, sizeof(struct probe *));
    w->probes[w->n_probes++] = p;
    tube_at(w->t, at, announce, p);
    return p;
}

static bool all_over(void *arg)
{
    const struct dht_world *w = arg;
    for (uint32_t i = 0; i < w->n_probes; i++)
        if (w->probes[i]->state < PROBE_OVER)
            return false;
    return true;
}

void world_finish(struct dht_world *w)
{
    scenario_must(w->r, "probes end", tube_run_each(w->t, 60 * USEC_MIN, USEC_SEC, all_over, w));
}

void world_probe(struct dht_world *w, uint32_t n, usec within, usec pause, const uint8_t *key)
{
    usec now = tube_now(w->t);
    for (uint32_t i = 0; i < n; i++)
        world_probe_one(w, now + within / n * i,
                        (usec)rng_below(tube_rng(w->t), (uint64_t)pause + 1), key);
    world_finish(w);
}

/* ---- figures ---- */

struct figures {
    double *first, *whole;
    uint32_t n, found;
    double asked;
};

static void count(struct dht_world *w, struct figures *f)
{
    for (uint32_t i = 0; i < w->n_probes; i++) {
        const struct probe *p = w->probes[i];
        if (p->state != PROBE_OVER)
            continue;
        f->whole[f->n++] = (double)(p->ended - p->began) / 1e6;
        f->asked += p->asked;
        if (p->got)
            f->first[f->found++] = (double)(p->got - p->began) / 1e6;
    }
}

static void clear(struct dht_world *w)
{
    for (uint32_t i = 0; i < w->n_probes; i++)
        if (w->probes[i]->state >= PROBE_OVER)
            w->probes[i]->state = PROBE_VOID;
}

static const char *name(char buf[FIGURE], const char *what, const char *rest)
{
    snprintf(buf, FIGURE, "%s: %s", what, rest);
    return buf;
}

static void tell_share(struct dht_world *w, const struct figures *f, const char *what, double least)
{
    char buf[FIGURE];
    scenario_figure_least(w->r, name(buf, what, "look-ups that found"),
                          100.0 * f->found / (f->n ? f->n : 1), "%", least);
}

static struct figures figures_new(struct dht_world *w)
{
    struct figures f = {.first = mem_array(w->n_probes, sizeof(double)),
                        .whole = mem_array(w->n_probes, sizeof(double))};
    count(w, &f);
    return f;
}

static void figures_free(struct dht_world *w, struct figures *f)
{
    clear(w);
    free(f->first);
    free(f->whole);
}

void world_tell_share(struct dht_world *w, const char *what, double least_share)
{
    struct figures f = figures_new(w);
    tell_share(w, &f, what, least_share);
    figures_free(w, &f);
}

void world_tell(struct dht_world *w, const char *what, double least_share)
{
    char buf[FIGURE];
    struct figures f = figures_new(w);
    double n = f.n ? f.n : 1;
    tell_share(w, &f, what, least_share);
    scenario_figure(w->r, name(buf, what, "first peer, median"),
                    scenario_percentile(f.first, f.found, 50), "s", SCENARIO_FREE);
    scenario_figure(w->r, name(buf, what, "first peer, 99 of 100"),
                    scenario_percentile(f.first, f.found, 99), "s", SCENARIO_FREE);
    scenario_figure(w->r, name(buf, what, "end, median"), scenario_percentile(f.whole, f.n, 50),
                    "s", SCENARIO_FREE);
    scenario_figure(w->r, name(buf, what, "questions a look-up"), f.asked / n, "", SCENARIO_FREE);
    figures_free(w, &f);
}

void world_tell_cost(struct dht_world *w, double most_memory)
{
    struct dht_status s;
    uint32_t up = 0;
    uint64_t bytes = 0;
    double good = 0, seconds = (double)tube_now(w->t) / 1e6;
    size_t torrents = 0, peers = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        bytes += host_sent(w->v[i]);
        if (!host_is_up(w->v[i]))
            continue;
        up++;
        dht_status(node_dht(host_node(w->v[i])), &s, tube_now(w->t));
        good += s.v4.good;
        torrents = s.torrents > torrents ? s.torrents : torrents;
        peers = s.peers > peers ? s.peers : peers;
    }
    scenario_figure(w->r, "good nodes in a table", good / (up ? up : 1), "", SCENARIO_FREE);
    scenario_figure(w->r, "hashes kept by one", (double)torrents, "", DHT_STORE_TORRENTS);
    scenario_figure(w->r, "peers kept by one", (double)peers, "",
                    (double)DHT_STORE_TORRENTS * DHT_STORE_PEERS);
    scenario_figure(w->r, "memory a member", (double)(allocated() - w->memory) / 1e3 / w->n, "kB",
                    most_memory);
    scenario_figure(w->r, "sent a member", (double)bytes / seconds / w->n, "B/s", SCENARIO_FREE);
}

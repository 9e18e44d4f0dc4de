/*
 * Sites of ten hosts each, behind a slow link that they share; one source far away. Every host
 * wants the same item, and finds the others by the tracker and, on its own link, by LSD. How many
 * copies cross into a site? N is the sites.
 */
#include "scenario.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

#define SIZE (64u << 20)
#define PIECE 262144u
#define HOSTS 10u
#define LINK 1000000u /* of a site, both ways; bytes a second */
#define INSIDE 12500000u
#define SOURCE 5000000u
#define WITHIN (10 * USEC_SEC) /* they come */
#define TIME (7200 * USEC_SEC)

struct world {
    struct tube *t;
    struct manifest *m;
    struct item **v;
    struct host **host;
    unsigned *site;
    uint32_t n_sites, n;
};

struct result {
    bool complete;
    double most, mean, last, near;
};

static struct item *add(struct world *w, const struct host_config *c, const uint8_t *content)
{
    struct bits all;
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = content ? &all : NULL};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    struct host *h = tube_host(w->t, c);
    struct item *it = host_add(h, &tc, content);
    bits_fini(&all);
    if (!content)
        w->host[w->n] = h;
    return it;
}

static bool all_complete(void *arg)
{
    const struct world *w = arg;
    for (uint32_t i = 0; i < w->n; i++)
        if (!w->v[i]->complete)
            return false;
    return true;
}

static void settle(struct world *w, unsigned prefer)
{
    const struct site_config link = {.up = LINK, .down = LINK, .delay = 20 * USEC_MS};
    for (uint32_t i = 0; i < w->n_sites; i++)
        w->site[i] = tube_site(w->t, &link);
    uint32_t all = w->n_sites * HOSTS;
    for (uint32_t i = 0; i < all; i++) {
        struct host_config c = {.up = INSIDE,
                                .down = INSIDE,
                                .delay = USEC_MS / 5,
                                .udp = true,
                                .prefer_local = prefer,
                                .site = w->site[i % w->n_sites]};
        w->v[i] = add(w, &c, NULL);
        w->n++;
        tube_run(w->t, WITHIN / all, NULL, NULL);
    }
}

/* Payload from neighbours, as a share of all. */
static double near_share(struct world *w)
{
    double near = 0, all = 0;
    for (uint32_t i = 0; i < w->n; i++) {
        struct node_status s;
        node_status(host_node(w->host[i]), w->v[i]->task, &s, tube_now(w->t));
        near += (double)s.from_near;
        all += (double)s.from_peers;
    }
    return 100 * near / all;
}

static struct result tell(struct scenario_run *run, uint32_t sites, unsigned prefer, bool film)
{
    static const struct tube_file one = {NULL, SIZE};
    uint8_t *content;
    struct world w = {.t = tube_new(run->seed), .n_sites = sites};
    struct result r = {0};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 3, PIECE, &content);
    tube_phantom(w.t, w.m, content);
    manifest_add_tracker(w.m, 0, "http://tracker.test/announce");
    w.v = mem_array(sites * HOSTS, sizeof(struct item *));
    w.host = mem_array(sites * HOSTS, sizeof(struct host *));
    w.site = mem_array(sites, sizeof *w.site);
    if (film)
        scenario_film(run, w.t);
    add(&w, &(struct host_config){.up = SOURCE, .delay = 20 * USEC_MS}, content);
    tube_run(w.t, USEC_SEC, NULL, NULL);
    usec begun = tube_now(w.t);
    settle(&w, prefer);
    r.complete = tube_run_each(w.t, TIME, USEC_SEC / 10, all_complete, &w);
    r.last = (double)(tube_now(w.t) - begun) / 1e6;
    r.near = near_share(&w);
    for (uint32_t i = 0; i < sites; i++) {
        double copies = (double)tube_crossed(w.t, w.site[i]).in / SIZE;
        r.mean += copies / sites;
        r.most = copies > r.most ? copies : r.most;
    }
    tube_free(w.t);
    manifest_free(w.m);
    free(content);
    free(w.v);
    free(w.host);
    free(w.site);
    return r;
}

static int run(struct scenario_run *r)
{
    struct result with = tell(r, r->size, 50, true), without = tell(r, r->size, 0, false);
    scenario_must(r, "all complete", with.complete && without.complete);
    scenario_figure(r, "copies into a site, at most", with.most, "", 1.2);
    scenario_figure(r, "copies into a site, mean", with.mean, "", 1.2);
    scenario_figure(r, "of all bytes from neighbours", with.near, "%", SCENARIO_FREE);
    scenario_figure(r, "time until the last is complete", with.last, "s", SCENARIO_FREE);
    scenario_figure(r, "one copy over a site's link takes", (double)SIZE / LINK, "s",
                    SCENARIO_FREE);
    scenario_figure(r, "copies with --prefer-local=0, mean", without.mean, "", SCENARIO_FREE);
    scenario_figure(r, "time with that", without.last, "s", SCENARIO_FREE);
    return 0;
}

const struct scenario scenario_locality = {
    .name = "locality",
    .summary = "N sites of ten hosts, each behind a slow link: copies that cross into one",
    .size = 4,
    .long_size = 20,
    .run = run,
};

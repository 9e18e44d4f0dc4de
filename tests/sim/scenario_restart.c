/*
 * Everybody is gone at once and comes back within a minute, with what he remembered; the hosts by
 * whom all had joined stay dead. In the second story a fifth never comes back, and a fifth comes
 * back elsewhere with what was saved five minutes before. N is the nodes.
 */
#include "dht_world.h"

#include <p2p/base/mem.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROBES = 60, LAST = 200, ROUNDS = 5 };

static void wake(struct tube *t, void *arg)
{
    (void)t;
    host_start(arg);
}

/* Another address, and an old memory. */
struct mover {
    struct dht_world *w;
    uint32_t at;
    struct buf memory;
};

static void move(struct tube *t, void *arg)
{
    struct mover *m = arg;
    struct host_config c = world_config(m->w);
    struct host *h = tube_host(t, &c);
    struct err e = {0};
    if (dht_load(node_dht(host_node(h)), buf_bytes(&m->memory), true, tube_now(t), &e) < 0)
        abort();
    host_turn(h);
    m->w->v[m->at] = h;
}

/* When they are up again, look-ups begin; each minute is told. */
static void probe(struct dht_world *w, const char *what)
{
    static const char *const minutes[ROUNDS] = {"1st minute", "2nd minute", "3rd minute",
                                                "4th minute", "5th minute"};
    char name[40];
    for (int i = 0; i < ROUNDS; i++) {
        usec began = tube_now(w->t);
        snprintf(name, sizeof name, "%s, %s", what, minutes[i]);
        world_probe(w, i < ROUNDS - 1 ? PROBES : LAST, 20 * USEC_SEC, USEC_SEC, NULL);
        if (i < ROUNDS - 1)
            world_tell_share(w, name, SCENARIO_FREE);
        else
            world_tell(w, name, 99);
        world_run(w, began + USEC_MIN - tube_now(w->t));
    }
}

static void all_come_back(struct scenario_run *r)
{
    struct dht_world w;
    world_init(&w, r);
    world_grow(&w, r->size + WORLD_BOOT, USEC_MIN);
    world_run(&w, 10 * USEC_MIN);
    usec now = tube_now(w.t);
    for (uint32_t i = 0; i < w.n; i++)
        host_stop(w.v[i]);
    for (uint32_t i = WORLD_BOOT; i < w.n; i++)
        tube_at(w.t, now + (usec)rng_below(tube_rng(w.t), 60 * USEC_SEC), wake, w.v[i]);
    world_run(&w, 5 * USEC_SEC);
    probe(&w, "all come back");
    world_tell_cost(&w, 500);
    world_fini(&w);
}

static void some_do_not(struct scenario_run *r)
{
    struct dht_world w;
    world_init(&w, r);
    world_grow(&w, r->size + WORLD_BOOT, USEC_MIN);
    world_run(&w, 5 * USEC_MIN);
    struct mover *movers = mem_array(w.n, sizeof *movers);
    for (uint32_t i = 0; i < w.n; i++) {
        movers[i] = (struct mover){.w = &w, .at = i};
        dht_save(node_dht(host_node(w.v[i])), &movers[i].memory, tube_now(w.t));
    }
    world_run(&w, 5 * USEC_MIN);
    usec now = tube_now(w.t);
    for (uint32_t i = 0; i < w.n; i++)
        host_stop(w.v[i]);
    for (uint32_t i = WORLD_BOOT; i < w.n; i++) {
        usec at = now + (usec)rng_below(tube_rng(w.t), 60 * USEC_SEC);
        uint64_t fate = rng_below(tube_rng(w.t), 5);
        if (fate == 1)
            tube_at(w.t, at, move, &movers[i]);
        else if (fate > 1)
            tube_at(w.t, at, wake, w.v[i]);
    }
    world_run(&w, 5 * USEC_SEC);
    probe(&w, "a fifth gone");
    world_fini(&w);
    for (uint32_t i = 0; i < r->size + WORLD_BOOT; i++)
        buf_fini(&movers[i].memory);
    free(movers);
}

static int run(struct scenario_run *r)
{
    all_come_back(r);
    some_do_not(r);
    return 0;
}

const struct scenario scenario_restart = {
    .name = "restart",
    .summary = "N nodes restart within a minute, bootstrap hosts dead",
    .size = 1000,
    .run = run};

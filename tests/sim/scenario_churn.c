/*
 * Nodes come and go: sessions and absences with a median of ten minutes. N is all that ever were,
 * half of them up at a time. What somebody announced is found until he would announce again, though
 * many who kept it have gone; and what a node keeps stays bounded.
 */
#include "dht_world.h"

static int run(struct scenario_run *r)
{
    struct dht_world w;
    world_init(&w, r);
    world_grow(&w, r->size, USEC_MIN);
    for (uint32_t i = WORLD_BOOT; i < w.n; i++)
        host_churn(w.v[i], 10 * USEC_MIN, 10 * USEC_MIN);
    world_run(&w, 20 * USEC_MIN);
    world_probe(&w, 100, 10 * USEC_MIN, USEC_MIN, NULL);
    world_tell(&w, "within a minute", 98);
    world_probe(&w, 100, 10 * USEC_MIN, 15 * USEC_MIN, NULL);
    world_tell(&w, "within a quarter of an hour", 95);
    world_tell_cost(&w, 500);
    world_fini(&w);
    return 0;
}

const struct scenario scenario_churn = {.name = "churn",
                                        .summary = "half of N nodes are up, ten minutes long",
                                        .size = 240,
                                        .long_size = 2000,
                                        .run = run};

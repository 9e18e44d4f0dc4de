/* A big DHT for half an hour: what it costs, and that look-ups stay short. N is the nodes. */
#include "dht_world.h"

static int run(struct scenario_run *r)
{
    struct dht_world w;
    world_init(&w, r);
    world_grow(&w, r->size, 5 * USEC_MIN);
    world_run(&w, 10 * USEC_MIN);
    world_probe(&w, 300, 15 * USEC_MIN, 5 * USEC_MIN, NULL);
    world_tell(&w, "big", 99);
    world_tell_cost(&w, 300);
    world_fini(&w);
    return 0;
}

const struct scenario scenario_dht_big = {.name = "dht_big",
                                          .summary = "N nodes of a DHT for half an hour",
                                          .size = 10000,
                                          .run = run,
                                          .no_check = true};

/*
 * A third of the DHT lies, in every way at once. N is all nodes. Announced peers are still found:
 * look-ups go on to honest nodes, and more than one of those close to a hash keeps an announce.
 */
#include "dht_liar.h"

static int run(struct scenario_run *r)
{
    struct dht_world w;
    struct liars l = {.w = &w,
                      .fit = true,
                      .lies = LIE_FRIENDS | LIE_PHANTOMS | LIE_WRONGLY | LIE_SILENCE | LIE_OWN_ID};
    uint32_t honest = r->size - r->size / 3;
    world_init(&w, r);
    world_grow(&w, honest / 2, 20 * USEC_SEC);
    liars_join(&l, r->size / 3, 0);
    world_grow(&w, honest - honest / 2, 20 * USEC_SEC);
    world_run(&w, 5 * USEC_MIN);
    world_probe(&w, 100, 2 * USEC_MIN, 30 * USEC_SEC, NULL);
    world_tell(&w, "a third lies", 97);
    scenario_figure(r, "lies told", (double)l.told, "", SCENARIO_FREE);
    world_tell_cost(&w, 500);
    world_fini(&w);
    liars_fini(&l);
    return 0;
}

const struct scenario scenario_sybil = {.name = "sybil",
                                        .summary = "a third of N nodes of a DHT lie",
                                        .size = 240,
                                        .long_size = 1500,
                                        .run = run};

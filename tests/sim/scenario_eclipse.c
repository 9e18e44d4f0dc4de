/*
 * Somebody wants one key for himself: nodes with ids as close to it as BEP 42 allows, first from
 * few networks, then from many; and such with ids closer than any that do not fit their addresses.
 * N is the honest nodes; a fifth as many attack, once as many as there are honest ones.
 */
#include "dht_liar.h"

enum { PER_SITE = 16, PROBES = 40 };

static void attack(struct scenario_run *r, const char *what, uint32_t n, bool fit, bool few,
                   double least)
{
    struct dht_world w;
    uint8_t key[DHT_ID];
    struct liars l = {
        .w = &w, .fit = fit, .key = key, .lies = LIE_FRIENDS | LIE_PHANTOMS | LIE_WRONGLY};
    world_init(&w, r);
    rng_fill(tube_rng(w.t), key, sizeof key);
    world_grow(&w, r->size, 30 * USEC_SEC);
    world_run(&w, USEC_MIN);
    for (uint32_t left = n, some; left > 0; left -= some) {
        some = few && left > PER_SITE ? PER_SITE : few ? left : 1;
        liars_join(&l, some, few ? tube_site(w.t, &(struct site_config){0}) : 0);
    }
    world_run(&w, 5 * USEC_MIN);
    world_probe(&w, PROBES, 2 * USEC_MIN, 30 * USEC_SEC, key);
    world_tell(&w, what, least);
    world_fini(&w);
    liars_fini(&l);
}

static int run(struct scenario_run *r)
{
    attack(r, "few networks", r->size / 5, true, true, 97);
    attack(r, "many networks", r->size / 5, true, false, 97);
    attack(r, "as many as others", r->size, true, false, 95);
    attack(r, "ids that do not fit", r->size / 5, false, false, 97);
    return 0;
}

const struct scenario scenario_eclipse = {.name = "eclipse",
                                          .summary = "some sit down around a key among N nodes",
                                          .size = 200,
                                          .long_size = 1000,
                                          .run = run};

/*
 * Programs that run for seconds: they ask and do not answer (BEP 43), and begin with what one
 * before them remembered, half of which is stale; or with nothing but one bootstrap host. N is the
 * nodes of the DHT that they meet.
 */
#include "dht_world.h"

#include <p2p/base/mem.h>
#include <p2p/format/bencode.h>
#include <p2p/proto/krpc.h>
#include <stdlib.h>

enum { PROBES = 200, REMEMBERED = 50 };

static struct host *visitor(struct dht_world *w)
{
    struct host_config c = world_config(w);
    c.dht_read_only = true;
    return tube_host(w->t, &c);
}

static struct host *stranger(struct dht_world *w)
{
    struct host *h = visitor(w);
    struct addr a = host_public(w->v[rng_below(tube_rng(w->t), WORLD_BOOT)]);
    world_meet(w, h, &a);
    return h;
}

/* One who is still there, and one who is not, by turns. */
static size_t remember(struct dht_world *w, uint8_t *nodes)
{
    struct rng *r = tube_rng(w->t);
    size_t n = 0;
    for (int i = 0; i < REMEMBERED; i++) {
        struct host *h = world_live(w);
        struct dht_status s;
        struct addr a = host_public(h);
        dht_status(node_dht(host_node(h)), &s, tube_now(w->t));
        if (i % 2) {
            a.ip[0] ^= 1; /* nobody is there */
            rng_fill(r, s.v4.id, DHT_ID);
            dht_id_fit(s.v4.id, &a);
        }
        n += krpc_put_node(nodes + n, s.v4.id, &a);
    }
    return n;
}

static struct host *guest(struct dht_world *w)
{
    uint8_t nodes[REMEMBERED * KRPC_NODE4];
    struct host *h = visitor(w);
    struct buf b = {0};
    struct err e = {0};
    bencode_put_dict(&b);
    bencode_put_key_str(&b, "nodes4", BYTES(nodes, remember(w, nodes)));
    bencode_put_end(&b);
    if (dht_load(node_dht(host_node(h)), buf_bytes(&b), false, tube_now(w->t), &e) < 0)
        abort();
    buf_fini(&b);
    return h;
}

static int run(struct scenario_run *r)
{
    struct dht_world w;
    world_init(&w, r);
    world_grow(&w, r->size, USEC_MIN);
    world_run(&w, 5 * USEC_MIN);
    w.seeker = guest;
    world_probe(&w, PROBES, 4 * USEC_MIN, 10 * USEC_SEC, NULL);
    world_tell(&w, "remembered", 99);
    w.seeker = stranger;
    world_probe(&w, PROBES, 4 * USEC_MIN, 10 * USEC_SEC, NULL);
    world_tell(&w, "bootstrap", 99);
    world_fini(&w);
    return 0;
}

const struct scenario scenario_brief = {.name = "brief",
                                        .summary = "programs of seconds look in a DHT of N nodes",
                                        .size = 300,
                                        .long_size = 2000,
                                        .run = run};

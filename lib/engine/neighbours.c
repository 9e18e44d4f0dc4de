/*
 * The multicast groups by which neighbours find each other. Where one cannot be opened (no such
 * family here, a program that does not share the port) there is none: a session goes on without.
 */
#include "engine/engine_int.h"

#include <p2p/host/multicast.h>
#include <p2p/proto/lsd.h>

static void heard(void *arg, const struct addr *from, struct bytes b)
{
    struct engine *g = arg;

    g->now = loop_now(g->loop);
    node_multicast(g->node, from, b, g->now);
}

static void linked(void *arg)
{
    struct engine *g = arg;

    g->now = loop_now(g->loop);
    node_linked(g->node, g->now);
}

void neighbours_begin(struct engine *g, const struct engine_options *o)
{
    static const struct multicast_events events = {.got = heard, .linked = linked};
    const struct addr *at = g->bind.family ? &g->bind : NULL;

    for (int i = 0; i < 2 && !o->no_lsd && !o->dht_only; i++) {
        struct addr group = lsd_group(i ? 6 : 4);
        struct err e = {0};

        g->groups[i] = multicast_open(g->loop, &group, at, &events, g, &e);
        if (!g->groups[i])
            engine_tell(g, &(struct engine_event){.kind = ENGINE_NOTICE, .text = e.msg});
    }
}

void neighbours_send(struct engine *g, const struct node_op *op)
{
    struct multicast *m = g->groups[op->addr.family == 6];

    if (m)
        multicast_send(m, op->data);
}

void neighbours_end(struct engine *g)
{
    for (int i = 0; i < 2; i++) {
        multicast_free(g->groups[i]);
        g->groups[i] = NULL;
    }
}

/*
 * The way in through the router: asked for while the session runs, told to the node, given back
 * when it ends. Only where our ports can be meant by it: when we listen on all addresses or on a
 * private one.
 */
#include "engine/engine_int.h"

#include <p2p/host/portmap.h>

#define NAME "p2p"

static void mapped(void *arg, const struct portmap_at *at)
{
    struct engine *g = arg;

    g->now = loop_now(g->loop);
    node_mapped(g->node, &at->external, g->now);
}

static void notice(void *arg, const char *text)
{
    engine_tell(arg, &(struct engine_event){.kind = ENGINE_NOTICE, .text = text});
}

void mapping_begin(struct engine *g, const struct engine_options *o)
{
    static const struct portmap_events events = {.mapped = mapped, .notice = notice};
    struct portmap_config c = {.name = NAME, .bind = g->bind, .udp = udp_port(g->udp)};

    if (!o->port_mapping || !udp_has(g->udp, 4) ||
        (g->bind.family && addr_scope(&g->bind) != ADDR_PRIVATE))
        return;
    if (g->door)
        c.tcp = tcp_listener_port(g->door);
    g->mapping = portmap_new(g->loop, &c, &events, g);
}

bool mapping_gone(struct engine *g)
{
    return !g->mapping || !portmap_close(g->mapping, ENGINE_PATIENCE);
}

void mapping_end(struct engine *g)
{
    portmap_free(g->mapping);
    g->mapping = NULL;
}

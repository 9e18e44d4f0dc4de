/* Hosts: made with their node, stopped, started again, killed. */
#include "tube_int.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- making ---- */

static void boot(struct host *h)
{
    struct tube *t = h->tube;
    const struct host_config *c = &h->cfg;
    struct node_config nc = {.client = "tube 1",
                             .port = PORT,
                             .limit_down = c->limit_down,
                             .limit_up = c->limit_up,
                             .no_trackers = c->no_trackers,
                             .no_dht = !c->dht || !c->udp,
                             .no_pex = c->no_pex,
                             .no_lsd = c->no_lsd || !c->site,
                             .udp4 = c->udp && !c->no_v4,
                             .udp6 = c->udp && c->v6,
                             .dht_read_only = c->dht_read_only,
                             .prefer_local = c->prefer_local};
    rng_fill(&t->rng, nc.peer_id, sizeof nc.peer_id);
    h->node = node_new(&nc, rng_u64(&t->rng), t->now);
    if (h->outside.family)
        node_mapped(h->node, &h->outside, t->now);
}

static struct site *home(struct tube *t, const struct host_config *c)
{
    if (c->site)
        return t->sites[c->site - 1];
    return site_new(t, &(struct site_config){.nat = c->nat});
}

struct host *tube_host(struct tube *t, const struct host_config *c)
{
    struct host *h = mem_zero(sizeof *h);
    h->tube = t;
    h->cfg = *c;
    h->index = t->n_hosts;
    h->up.rate = c->up;
    h->down.rate = c->down;
    list_init(&h->ready);
    h->by_conn = map_new(rng_u64(&t->rng));
    t->hosts = mem_grow(t->hosts, t->n_hosts + 1, sizeof(struct host *));
    t->hosts[t->n_hosts++] = h;
    site_join(home(t, c), h);
    if (!c->puppet)
        boot(h);
    tube_pump(h);
    return h;
}

void host_free(struct host *h)
{
    node_free(h->node);
    for (size_t k = 0; k < h->n_items; k++)
        disk_fini(h->items[k]);
    piecehash_free(h->hasher);
    map_free(h->by_conn);
    buf_fini(&h->dht_memory);
    free(h->ends);
    free(h->churner);
    free(h->items);
    free(h->banned);
    free(h);
}

/* ---- looking at them ---- */

struct node *host_node(struct host *h)
{
    return h->node;
}
struct addr host_addr(const struct host *h)
{
    return h->cfg.no_v4 ? h->addr6 : h->addr;
}
struct addr host_addr6(const struct host *h)
{
    return h->addr6;
}
uint32_t host_number(const struct host *h)
{
    return h->index;
}
uint64_t host_sent(const struct host *h)
{
    return h->sent;
}
uint64_t host_received(const struct host *h)
{
    return h->received;
}
bool host_is_up(const struct host *h)
{
    return !h->dead;
}

bool host_banned(const struct host *h, const struct host *whom)
{
    for (size_t i = 0; i < h->n_banned; i++)
        if (addr_same_ip(&h->banned[i], &whom->addr))
            return true;
    return false;
}

struct item *host_item(struct host *h, node_id task)
{
    struct item_state *s = disk_item(h, task);
    return s ? &s->it : NULL;
}

/* ---- items ---- */

static void add_task(struct host *h, struct item_state *s, struct node_task_config *c)
{
    struct err e = {0};
    s->it.task = node_add(h->node, c, h->tube->now, &e);
    if (!s->it.task) {
        fprintf(stderr, "tube: %s\n", e.msg);
        abort();
    }
}

static void copy_link(struct magnet *to, const struct magnet *from)
{
    struct buf b = {0};
    struct err e = {0};
    magnet_write(from, &b);
    char *s = buf_take_str(&b);
    if (magnet_parse(to, s, &e) < 0)
        abort();
    free(s);
}

struct item *host_add(struct host *h, struct node_task_config *c, const uint8_t *content)
{
    struct item_state *s = mem_zero(sizeof *s);
    s->tc = *c;
    s->tc.manifest = NULL;
    s->tc.link = NULL;
    s->tc.have = NULL;
    s->tc.priority = s->tc.unstored = NULL;
    if (c->manifest)
        disk_init(s, h, c->manifest, c->have, content);
    s->has_link = c->link != NULL;
    if (c->link)
        copy_link(&s->link, c->link);
    h->items = mem_grow(h->items, h->n_items + 1, sizeof(struct item_state *));
    h->items[h->n_items++] = s;
    add_task(h, s, c);
    tube_pump(h);
    return &s->it;
}

/* ---- coming and going ---- */

static void vanish(struct host *h)
{
    h->dead = true;
    h->life++;
    h->uplink_awaited = false;
    heap_remove(&h->tube->deadlines, &h->deadline);
    stream_close_all(h);
    origin_forget(h);
}

void host_kill(struct host *h)
{
    if (!h->dead)
        vanish(h);
}

static void remember_item(struct host *h, struct item_state *s)
{
    const struct manifest *m = node_manifest(h->node, s->it.task);
    const struct bits *have = node_have(h->node, s->it.task);
    bits_fini(&s->kept);
    if (m && !s->m)
        s->m = tube_copy(m); /* fails while piece layers are missing: then by the link again */
    if (have)
        bits_copy(&s->kept, have);
}

void host_stop(struct host *h)
{
    if (h->dead)
        return;
    for (size_t i = 0; h->node && i < h->n_items; i++)
        remember_item(h, h->items[i]);
    buf_clear(&h->dht_memory);
    if (h->node && node_dht(h->node))
        dht_save(node_dht(h->node), &h->dht_memory, h->tube->now);
    vanish(h);
    node_free(h->node);
    h->node = NULL;
}

static void add_again(struct host *h, struct item_state *s)
{
    struct node_task_config c = s->tc;
    c.manifest = s->m ? tube_copy(s->m) : NULL;
    c.have = s->m && s->kept.n ? &s->kept : NULL;
    c.link = s->has_link ? &s->link : NULL;
    add_task(h, s, &c);
}

void host_start(struct host *h)
{
    struct tube *t = h->tube;
    struct err e = {0};
    if (!h->dead || (h->node && !h->cfg.puppet))
        return;
    h->dead = false;
    if (!h->cfg.puppet)
        boot(h);
    if (h->node && node_dht(h->node) && buf_len(&h->dht_memory) &&
        dht_load(node_dht(h->node), buf_bytes(&h->dht_memory), true, t->now, &e) < 0)
        abort();
    for (size_t i = 0; i < h->n_items; i++)
        add_again(h, h->items[i]);
    if (t->on_start)
        t->on_start(h, t->on_start_arg);
    host_turn(h);
}

void host_turn(struct host *h)
{
    if (h->node && !h->dead && node_dht(h->node))
        node_dht_turn(h->node, h->tube->now);
    tube_pump(h);
}

/* ---- its node's turn ---- */

void tube_pump(struct host *h)
{
    struct node_op op;
    if (h->dead || !h->node)
        return;
    while (node_next(h->node, &op))
        op_perform(h, &op);
    usec at = node_deadline(h->node);
    if (at < USEC_NEVER && at % USEC_SEC < h->cfg.busy)
        at += h->cfg.busy - at % USEC_SEC;
    heap_set(&h->tube->deadlines, &h->deadline, at);
}

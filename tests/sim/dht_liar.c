/* Liars: a node of lib/proto for what they ask, and lies for what they answer. */
#include "dht_liar.h"

#include <p2p/base/mem.h>
#include <p2p/proto/krpc.h>
#include <stdlib.h>

enum { NODES = 8, PEERS = 50 };

struct liar {
    struct liars *all;
    struct host *host;
    struct dht *dht;
    uint8_t id[DHT_ID];
};

/* Nodes close to a target. */
struct close {
    const uint8_t *target;
    uint8_t id[NODES][DHT_ID];
    struct addr addr[NODES];
    unsigned n;
};

static void offer(struct close *c, const uint8_t *id, const struct addr *a)
{
    unsigned at = c->n;
    while (at > 0 && dht_id_cmp(c->target, id, c->id[at - 1]) < 0)
        at--;
    if (at == NODES)
        return;
    c->n += c->n < NODES;
    memmove(c->id[at + 1], c->id[at], (c->n - at - 1) * sizeof *c->id);
    memmove(&c->addr[at + 1], &c->addr[at], (c->n - at - 1) * sizeof *c->addr);
    memcpy(c->id[at], id, DHT_ID);
    c->addr[at] = *a;
}

/* ---- lies ---- */

static struct addr any_addr(struct rng *r)
{
    struct addr a = {.family = 4};
    do {
        rng_fill(r, a.ip, 4);
        a.port = (uint16_t)(2000 + rng_below(r, 60000));
    } while (addr_scope(&a) != ADDR_PUBLIC);
    return a;
}

static void friends(struct liar *l, struct close *c)
{
    for (uint32_t i = 0; i < l->all->n; i++) {
        struct addr a = host_public(l->all->v[i]->host);
        offer(c, l->all->v[i]->id, &a);
    }
}

/* Any address has eight ids, so of many addresses one is close. */
static void phantoms(struct liar *l, struct close *c)
{
    struct rng *r = tube_rng(l->all->w->t);
    for (int i = 0; i < 150; i++) {
        struct addr a = any_addr(r);
        uint8_t id[DHT_ID];
        memcpy(id, c->target, DHT_ID);
        id[DHT_ID - 1] = (uint8_t)rng_below(r, 256);
        dht_id_fit(id, &a);
        offer(c, id, &a);
    }
}

static void wrongly(struct liar *l, struct close *c)
{
    struct dht_world *w = l->all->w;
    struct rng *r = tube_rng(w->t);
    for (uint32_t i = 0; i < w->n; i++) {
        struct dht_status s;
        struct addr a = host_public(w->v[i]);
        if (!host_is_up(w->v[i]))
            continue;
        dht_status(node_dht(host_node(w->v[i])), &s, tube_now(w->t));
        offer(c, s.v4.id, &a);
    }
    for (unsigned i = 0; i < c->n; i++) {
        uint64_t how = rng_below(r, 3);
        if (how == 0)
            memcpy(c->id[i], c->target, DHT_ID - 1);
        else if (how == 1)
            c->addr[i].port ^= 0x4000;
        else
            c->addr[i].ip[3] ^= (uint8_t)(1 + rng_below(r, 250));
    }
}

static unsigned draw(struct liar *l)
{
    unsigned lie;
    do
        lie = 1u << rng_below(tube_rng(l->all->w->t), 5);
    while (!(lie & l->all->lies));
    return lie;
}

static void fill(struct liar *l, unsigned lie, const struct krpc_msg *m, struct krpc_msg *r,
                 struct close *c)
{
    if (lie == LIE_PHANTOMS)
        phantoms(l, c);
    else if (lie == LIE_WRONGLY)
        wrongly(l, c);
    else
        friends(l, c);
    if (m->method != KRPC_GET_PEERS || lie != LIE_FRIENDS)
        return;
    for (r->n_values = 0; r->n_values < PEERS; r->n_values++)
        r->values[r->n_values] = any_addr(tube_rng(l->all->w->t));
}

static void answer(struct liar *l, const struct addr *to, const struct krpc_msg *m)
{
    struct krpc_msg r = {
        .kind = KRPC_REPLY, .tid = m->tid, .ip = *to, .id = l->id, .token = BYTES("nonsense", 8)};
    struct close c = {.target = m->target};
    uint8_t nodes[NODES * KRPC_NODE4], own[DHT_ID];
    unsigned lie = draw(l);
    struct buf b = {0};
    size_t n = 0;
    if (lie == LIE_SILENCE)
        return;
    if (m->target)
        fill(l, lie, m, &r, &c);
    for (unsigned i = 0; i < c.n; i++)
        n += krpc_put_node(nodes + n, c.id[i], &c.addr[i]);
    if (m->target)
        r.nodes = BYTES(nodes, n);
    if (m->target && lie == LIE_OWN_ID) {
        memcpy(own, m->target, DHT_ID);
        own[DHT_ID - 1] ^= l->id[0];
        r.id = own;
    }
    krpc_write(&b, &r);
    host_say(l->host, to, buf_bytes(&b));
    buf_fini(&b);
    l->all->told++;
}

/* ---- what they do like others ---- */

static void go_on(struct liar *l)
{
    uint8_t out[DHT_MAX_DATAGRAM];
    struct addr to;
    struct dht_event e;
    size_t n;
    while ((n = dht_pull(l->dht, &to, out)) > 0)
        host_say(l->host, &to, BYTES(out, n));
    while (dht_next(l->dht, &e))
        continue;
}

static void hear(struct host *h, const struct addr *from, struct bytes b, void *arg)
{
    struct liar *l = arg;
    struct krpc_msg m;
    (void)h;
    if (krpc_parse(&m, b) < 0)
        return;
    if (m.kind == KRPC_QUERY) {
        answer(l, from, &m);
        return;
    }
    dht_feed(l->dht, from, b, tube_now(l->all->w->t));
    go_on(l);
}

static void tick(struct tube *t, void *arg)
{
    struct liar *l = arg;
    dht_tick(l->dht, tube_now(t));
    go_on(l);
    tube_at(t, tube_now(t) + USEC_SEC, tick, l);
}

/* As close to the key as the address allows, or as close as can be. */
static void choose_id(struct liar *l, const struct addr *a)
{
    struct rng *r = tube_rng(l->all->w->t);
    const uint8_t *key = l->all->key;
    struct close c = {.target = key};
    uint8_t id[DHT_ID];
    rng_fill(r, l->id, DHT_ID);
    if (l->all->fit && !key)
        dht_id_fit(l->id, a);
    if (!key)
        return;
    for (uint8_t i = 0; i < 8; i++) {
        memcpy(id, key, DHT_ID);
        id[DHT_ID - 1] = (uint8_t)((rng_below(r, 256) & 0xf8) | i);
        if (l->all->fit)
            dht_id_fit(id, a);
        offer(&c, id, a);
    }
    memcpy(l->id, c.id[0], DHT_ID);
}

static void join(struct liars *all, unsigned site)
{
    struct liar *l = mem_zero(sizeof *l);
    struct dht_world *w = all->w;
    struct host_config c = world_config(w);
    c.site = site;
    c.puppet = hear;
    c.puppet_arg = l;
    l->all = all;
    l->host = tube_host(w->t, &c);
    struct addr a = host_public(l->host);
    choose_id(l, &a);
    struct dht_config dc = {.v4 = true, .version = "LIE0", .id4 = l->id};
    l->dht = dht_new(&dc, tube_rng(w->t), tube_now(w->t));
    all->v = mem_grow(all->v, all->n + 1, sizeof(struct liar *));
    all->v[all->n++] = l;
    a = host_public(w->v[rng_below(tube_rng(w->t), WORLD_BOOT)]);
    dht_add_node(l->dht, &a, tube_now(w->t));
    tick(w->t, l);
}

void liars_join(struct liars *l, uint32_t n, unsigned site)
{
    for (uint32_t i = 0; i < n; i++)
        join(l, site);
}

void liars_fini(struct liars *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        dht_free(l->v[i]->dht);
        free(l->v[i]);
    }
    free(l->v);
}

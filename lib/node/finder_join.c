/*
 * Whom the DHT begins with. Remembered nodes are given to it by the caller; those that a manifest,
 * peers (BEP 5, PORT) and neighbours name are tried as they come. Bootstrap hosts serve everybody,
 * so they are asked last: when the others did not help, or there are none; and ever more seldom.
 *
 * An address of a manifest or peer is a stranger's word: ports of system services and names that
 * lead into private networks are refused. Bootstrap hosts are the user's choice.
 */
#include "node/finder_int.h"

#include <stdlib.h>

#define OTHERS_FIRST (2 * USEC_SEC)  /* time for those that are known to help */
#define OTHER_FAMILY (10 * USEC_SEC) /* the same, when only one family is missing */
#define ASK_AGAIN (10 * USEC_SEC)    /* trebles */
#define ASK_AGAIN_MOST (15 * USEC_MIN)
#define GIVE_UP (10 * USEC_SEC)
#define LEAST_PORT 1024u
#define MAX_RESOLVING 32u /* names of manifests at a time */

void finder_join_fini(struct finder *f)
{
    for (unsigned i = 0; i < f->n_bootstrap; i++)
        free(f->bootstrap[i]);
}

static bool knows_somebody(const struct finder *f, usec now)
{
    struct dht_status s;
    dht_status(f->dht, &s, now);
    return s.v4.hints + s.v6.hints + s.v4.good + s.v6.good + s.v4.questionable + s.v6.questionable >
           0;
}

bool finder_join_hopeless(const struct finder *f, usec now)
{
    if (f->joined)
        return false;
    return now - f->alone_since >= GIVE_UP ||
           (f->n_bootstrap == 0 && f->resolving == 0 && !knows_somebody(f, now));
}

/* ---- names ---- */

static void resolved(struct node *n, struct job *j, const struct addr *v, size_t count, usec now)
{
    struct finder *f = n->finder;
    bool ours = j->file;
    f->resolving--;
    for (size_t i = 0; i < count; i++) {
        struct addr a = v[i];
        uint8_t family = a.family == 6 ? 2 : 1;
        a.port = (uint16_t)j->piece;
        if (ours ? !(f->joined & family) : addr_scope(&a) == ADDR_PUBLIC)
            dht_add_node(f->dht, &a, now);
    }
    finder_turn(f, now);
}

static void resolve(struct finder *f, const char *host, uint16_t port, bool ours)
{
    if (!ours && f->resolving >= MAX_RESOLVING)
        return;
    struct job *j = job_new(f->node, NULL, NODE_RESOLVE);
    node_op_text(f->node, mem_str(host));
    j->piece = port;
    j->file = ours;
    j->u.resolved = resolved;
    f->resolving++;
}

/* ---- bootstrap hosts ---- */

void node_add_bootstrap(struct node *n, const char *hostport, usec now)
{
    struct finder *f = n->finder;
    char host[256];
    uint16_t port;
    n->now = now;
    if (!f || f->n_bootstrap == NODE_MAX_BOOTSTRAP ||
        !addr_split(hostport, host, sizeof host, &port) || port == 0)
        return;
    for (unsigned i = 0; i < f->n_bootstrap; i++)
        if (strcmp(f->bootstrap[i], hostport) == 0)
            return;
    f->bootstrap[f->n_bootstrap++] = mem_str(hostport);
    if (f->joined != finder_families(f) && f->bootstrap_tries == 0)
        f->bootstrap_at = now;
    timer_set(n, &f->timer, now);
}

static void ask_host(struct finder *f, const char *hostport, usec now)
{
    struct addr a;
    char host[256];
    uint16_t port;
    if (!addr_parse(&a, hostport)) {
        if (addr_split(hostport, host, sizeof host, &port))
            resolve(f, host, port, true);
    } else if (!(f->joined & (a.family == 6 ? 2 : 1))) {
        dht_add_node(f->dht, &a, now);
    }
}

static usec ask_again(const struct finder *f)
{
    usec wait = ASK_AGAIN;
    for (unsigned i = 1; i < f->bootstrap_tries && wait < ASK_AGAIN_MOST; i++)
        wait *= 3;
    return usec_min(wait, ASK_AGAIN_MOST);
}

void finder_join_run(struct finder *f, usec now)
{
    if (now < f->bootstrap_at)
        return;
    if (!f->bootstrap_waited && knows_somebody(f, now)) {
        f->bootstrap_waited = true;
        f->bootstrap_at = now + OTHERS_FIRST;
        return;
    }
    f->bootstrap_tries++;
    f->bootstrap_at = now + ask_again(f);
    for (unsigned i = 0; i < f->n_bootstrap; i++)
        ask_host(f, f->bootstrap[i], now);
}

void finder_join_changed(struct finder *f, usec now)
{
    f->bootstrap_tries = 0;
    f->bootstrap_waited = true;
    if (f->n_bootstrap == 0 || f->joined == finder_families(f))
        f->bootstrap_at = USEC_NEVER;
    else
        f->bootstrap_at = now + (f->joined ? OTHER_FAMILY : OTHERS_FIRST);
}

/* ---- nodes that others name ---- */

static bool is_decent(const struct addr *a)
{
    return a->port >= LEAST_PORT && addr_scope(a) != ADDR_LINK_LOCAL;
}

static void name_node(struct finder *f, const char *hostport, usec now)
{
    struct addr a;
    char host[256];
    uint16_t port;
    if (addr_parse(&a, hostport)) {
        if (is_decent(&a))
            dht_add_node(f->dht, &a, now);
    } else if (addr_split(hostport, host, sizeof host, &port) && port >= LEAST_PORT) {
        resolve(f, host, port, false);
    }
}

void node_add_dht_node(struct node *n, const char *hostport, usec now)
{
    n->now = now;
    if (!n->finder)
        return;
    name_node(n->finder, hostport, now);
    finder_turn(n->finder, now);
}

void finder_join_named(struct finder *f, char *const *nodes, size_t n, usec now)
{
    for (size_t i = 0; i < n && i < NODE_MAX_NAMED_NODES; i++)
        name_node(f, nodes[i], now);
}

void finder_neighbour(struct node *n, const struct addr *a, usec now)
{
    struct finder *f = n->finder;
    if (!f || a->port < LEAST_PORT || bucket_avail(&f->told, now) < 1)
        return;
    bucket_take(&f->told, 1, now);
    dht_add_node(f->dht, a, now);
    finder_turn(f, now);
}

void finder_port(struct conn *c, uint16_t port, usec now)
{
    struct addr a = c->addr;
    a.port = port;
    if (task_is_private(c->task) || c->ports_told >= NODE_MAX_PORTS_TOLD)
        return;
    c->ports_told++;
    finder_neighbour(c->node, &a, now);
}

/* Only who answers may be asked (BEP 43). */
void finder_greet(struct conn *c)
{
    const struct node_config *cfg = &c->node->cfg;
    bool on = c->addr.family == 6 ? cfg->udp6 : cfg->udp4;
    if (!c->node->finder || !on || !c->dht || cfg->dht_read_only || cfg->port == 0 ||
        task_is_private(c->task))
        return;
    wire_put_port(&c->out.bytes, self_port_for(c->node, &c->addr));
    conn_flush(c);
}

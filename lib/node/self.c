/*
 * What our own address is, as others see it: one that two of them from different addresses agree
 * upon is believed.
 */
#include "node/node_int.h"

#include <stdlib.h>

struct self {
    struct addr told, by;
    struct addr believed;
};

void self_init(struct node *n)
{
    n->self = mem_zero(sizeof *n->self);
}

void self_fini(struct node *n)
{
    free(n->self);
}

void self_told(struct node *n, const struct addr *by, const struct addr *a, usec now)
{
    struct self *s = n->self;
    uint32_t it = 0;
    struct task *t;
    (void)now;
    if (!by || !addr_same_ip(&s->told, a) || addr_same_ip(&s->by, by)) {
        s->told = *a;
        s->by = by ? *by : (struct addr){0};
        return;
    }
    s->believed = *a;
    s->believed.port = n->cfg.port;
    while ((t = idtab_walk(&n->tasks, &it)) != NULL)
        pool_set_self(t->pool, &s->believed);
}

bool self_address(const struct node *n, int family, struct addr *out)
{
    *out = n->self->believed;
    return out->family == family;
}

void node_mapped(struct node *n, const struct addr *external, usec now)
{
    (void)n, (void)external, (void)now;
}

bool node_external(const struct node *n, int family, struct addr *out)
{
    return self_address(n, family, out);
}

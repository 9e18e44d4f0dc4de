/* Finding peers by the DHT. */
#include "node/node_int.h"

void finder_init(struct node *n, usec now)
{
    (void)n, (void)now;
}
void finder_fini(struct node *n)
{
    (void)n;
}
bool finder_datagram(struct node *n, const struct addr *from, struct bytes b, usec now)
{
    (void)n, (void)from, (void)b, (void)now;
    return false;
}
void finder_task(struct task *t, usec now)
{
    (void)t, (void)now;
}
void finder_task_gone(struct task *t, usec now)
{
    (void)t, (void)now;
}
void finder_port(struct conn *c, uint16_t port, usec now)
{
    (void)c, (void)port, (void)now;
}
void finder_greet(struct conn *c)
{
    (void)c;
}
bool finder_exhausted(const struct task *t)
{
    (void)t;
    return true;
}
void finder_hurry(struct task *t, usec now)
{
    (void)t, (void)now;
}
struct dht *node_dht(struct node *n)
{
    (void)n;
    return NULL;
}
void node_dht_turn(struct node *n, usec now)
{
    n->now = now;
}
void node_add_bootstrap(struct node *n, const char *hostport, usec now)
{
    (void)n, (void)hostport, (void)now;
}
void node_add_dht_node(struct node *n, const char *hostport, usec now)
{
    (void)n, (void)hostport, (void)now;
}

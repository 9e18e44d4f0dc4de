/* Local service discovery (BEP 14). */
#include "node/node_int.h"

void lsd_init(struct node *n, usec now)
{
    (void)n, (void)now;
}
void lsd_fini(struct node *n)
{
    (void)n;
}
void lsd_task(struct task *t, usec now)
{
    (void)t, (void)now;
}
void lsd_task_gone(struct task *t)
{
    (void)t;
}
void node_multicast(struct node *n, const struct addr *from, struct bytes b, usec now)
{
    (void)n, (void)from, (void)b, (void)now;
}

/* Neighbours first. */
#include "node/node_int.h"

void near_opened(struct conn *c, usec now)
{
    (void)c, (void)now;
}
void near_gone(struct conn *c, usec now)
{
    (void)c, (void)now;
}
void near_fini(struct task *t)
{
    (void)t;
}
void near_heard(struct task *t, const struct addr *a, usec now)
{
    (void)t, (void)a, (void)now;
}

/* Peer exchange (BEP 11). */
#include "node/node_int.h"

bool pex_on(const struct task *t)
{
    (void)t;
    return false;
}
void pex_opened(struct conn *c, usec now)
{
    (void)c, (void)now;
}
void pex_message(struct conn *c, struct bytes body, usec now)
{
    (void)c, (void)body, (void)now;
}
void pex_gone(struct conn *c)
{
    (void)c;
}

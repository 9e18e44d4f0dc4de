/* Hosts that come and go. */
#include "tube_int.h"

#include <math.h>
#include <stdlib.h>

/* ---- sessions ---- */

struct churner {
    struct host *host;
    usec up, down; /* medians */
};

static usec exponential(struct rng *r, usec median)
{
    double u = (double)(rng_below(r, 1u << 30) + 1) / (double)(1u << 30);
    return (usec)(-log(u) / log(2) * (double)median) + USEC_MS;
}

static void turn(struct tube *t, void *arg)
{
    struct churner *c = arg;
    bool was_up = host_is_up(c->host);
    if (was_up)
        host_stop(c->host);
    else
        host_start(c->host);
    tube_at(t, t->now + exponential(&t->rng, was_up ? c->down : c->up), turn, c);
}

void host_churn(struct host *h, usec up, usec down)
{
    struct tube *t = h->tube;
    struct churner *c = mem_zero(sizeof *c);
    *c = (struct churner){.host = h, .up = up, .down = down};
    if (h->churner)
        abort(); /* its session is under way already */
    h->churner = c;
    tube_at(t, t->now + exponential(&t->rng, up), turn, c);
}

/* ---- all at once ---- */

static void start(struct tube *t, void *arg)
{
    (void)t;
    host_start(arg);
}

static void stop(struct tube *t, void *arg)
{
    struct host *h = arg;
    host_stop(h);
    tube_at(t, t->now + h->absence, start, h);
}

void tube_restart(struct tube *t, struct host *const *v, size_t n, usec within, usec down)
{
    for (size_t i = 0; i < n; i++) {
        v[i]->absence = down;
        tube_at(t, t->now + (usec)rng_below(&t->rng, (uint64_t)within + 1), stop, v[i]);
    }
}

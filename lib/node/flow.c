/*
 * The rate limits, shared among connections.
 *
 * Who finds the limit spent waits in a queue, and goes to its end each time it is served; who comes
 * while others wait waits behind them. Receivers woken together each have a share of what is in
 * hand, so that one with a full line does not take all of it; senders take whole blocks, into debt.
 * Bytes are handed out in portions worth a system call, not one by one as they accrue.
 */
#include "node/node_int.h"

#define PORTION 4096u             /* to one receiver, when many wait */
#define LEAST_WAIT (2 * USEC_MS)  /* between two rounds while some still wait */

/* What must be in hand before a receiver is woken: a hundredth of a second's worth, or a portion
 * if that is more, but not more than a second's. */
static uint64_t quantum(const struct node *n)
{
    uint64_t rate = n->cfg.limit_down, q = rate / 100;
    return q > PORTION / 2 ? q : rate < PORTION / 2 ? rate : PORTION / 2;
}

static void arm_at(struct node *n, usec at)
{
    if (n->bucket_timer.at.index == 0 || n->bucket_timer.at.at > at)
        timer_set(n, &n->bucket_timer, at);
}

static void arm(struct node *n, usec now)
{
    usec soon = now + LEAST_WAIT;
    if (n->recv_wait.count > 0 && !n->paused_disk) {
        usec at = bucket_when(&n->down, quantum(n), now);
        arm_at(n, at > soon ? at : soon);
    }
    if (n->send_wait.count > 0) {
        usec at = bucket_when(&n->up, 1, now);
        arm_at(n, at > soon ? at : soon);
    }
}

/* ---- receiving ---- */

size_t flow_may_receive(struct conn *c, usec now)
{
    struct node *n = c->node;
    size_t may = 0;
    if (n->cfg.limit_down == 0) {
        may = n->paused_disk ? 0 : SIZE_MAX;
    } else if (!n->paused_disk) {
        int64_t avail = bucket_avail(&n->down, now);
        may = avail > 0 ? (size_t)avail : 0;
        if (n->recv_wait.count > 0 && may > c->recv_share)
            may = c->recv_share;
        else if (n->recv_wait.count == 0 && may < quantum(n) / 2)
            may = 0;
    }
    if (may > 0)
        return may;
    if (!list_linked(&c->recv_wait))
        list_push(&n->recv_wait, &c->recv_wait);
    arm(n, now);
    return 0;
}

void flow_received(struct conn *c, size_t bytes, usec now)
{
    if (c->node->cfg.limit_down == 0)
        return;
    bucket_take(&c->node->down, bytes, now);
    c->recv_share -= bytes < c->recv_share ? bytes : c->recv_share;
}

static void wake_receiver(struct node *n, size_t share)
{
    struct conn *c = LIST_OF(list_pop(&n->recv_wait), struct conn, recv_wait);
    c->recv_share = share;
    node_op(n, NODE_RECV)->conn = c->id;
}

void flow_wake_receivers(struct node *n, usec now)
{
    size_t k = n->recv_wait.count, share = SIZE_MAX;
    if (n->paused_disk)
        return;
    if (n->cfg.limit_down > 0) {
        int64_t avail = bucket_avail(&n->down, now);
        size_t most = avail > PORTION ? (size_t)avail / PORTION : 1;
        k = avail < (int64_t)quantum(n) / 2 ? 0 : k < most ? k : most;
        share = k > 0 ? (size_t)avail / k : 0;
    }
    while (k-- > 0)
        wake_receiver(n, share);
    arm(n, now);
}

/* A transfer from a web seed took so much; true: it has to wait. */
bool flow_charge_web(struct node *n, size_t bytes, usec now)
{
    if (n->cfg.limit_down == 0)
        return false;
    bucket_take(&n->down, bytes, now);
    if (bucket_avail(&n->down, now) > 0)
        return false;
    arm_at(n, bucket_when(&n->down, 1, now));
    return true;
}

/* ---- sending ---- */

bool flow_may_send(struct conn *c, usec now)
{
    struct node *n = c->node;
    if (n->cfg.limit_up == 0)
        return true;
    if (bucket_avail(&n->up, now) > 0 && (n->send_wait.count == 0 || c->send_turn))
        return true;
    c->send_turn = false;
    return false;
}

void flow_wait_send(struct conn *c, usec now)
{
    if (!list_linked(&c->send_wait))
        list_push(&c->node->send_wait, &c->send_wait);
    arm(c->node, now);
}

void flow_wake_senders(struct node *n, usec now)
{
    size_t k = n->send_wait.count;
    if (n->cfg.limit_up > 0) {
        int64_t avail = bucket_avail(&n->up, now);
        size_t most = avail > 0 ? 1 + (size_t)avail / LAYOUT_BLOCK : 0;
        k = k < most ? k : most;
    }
    while (k-- > 0) {
        struct conn *c = LIST_OF(list_pop(&n->send_wait), struct conn, send_wait);
        c->send_turn = true;
        c->idle_out = false;
        node_op(n, NODE_SEND)->conn = c->id;
    }
    arm(n, now);
}

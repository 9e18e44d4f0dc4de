/*
 * The limit on what goes out, shared among connections.
 *
 * Who finds the limit spent waits in a queue, and goes to its end each time it is served; who comes
 * while others wait waits behind them. Senders are granted whole blocks, and who has begun one goes
 * on before others begin: a block that is given to many at once is late everywhere. Before all
 * others goes who is to have what nobody else has (queue.c). The bytes leave as the limit has them,
 * so that the line sees no bursts of blocks. They are handed out in portions worth a system call,
 * not one by one as they accrue.
 *
 * Other messages never wait, and count too; but no more than half of the limit goes to them: who
 * asks for much and gives little would give nothing.
 */
#include "node/inlet.h"

#define LEAST_WAIT (2 * USEC_MS) /* between two rounds while some still wait */
#define SEGMENT 1400u            /* less than that is mostly headers */

/* What must be in hand before somebody is woken: a hundredth of a second's worth; of low rates a
 * segment, or a tenth of a second's. */
static uint64_t quantum(uint64_t rate)
{
    uint64_t q = rate / 100, tenth = rate / 10;
    if (q >= SEGMENT)
        return q;
    return tenth > SEGMENT ? SEGMENT : tenth > 0 ? tenth : 1;
}

void flow_arm(struct node *n, usec at)
{
    if (n->bucket_timer.at.index == 0 || n->bucket_timer.at.at > at)
        timer_set(n, &n->bucket_timer, at);
}

static void arm(struct node *n, usec now)
{
    usec soon = now + LEAST_WAIT, at = bucket_when(&n->up, quantum(n->cfg.limit_up), now);
    if (n->send_asleep > 0)
        flow_arm(n, at > soon ? at : soon);
}

/* Where a block takes longer than a second it leaves at once, into debt: whatever we say next to
 * that peer waits behind it. */
static size_t in_hand(struct node *n, usec now)
{
    int64_t avail = bucket_avail(&n->up, now);
    if (avail > 0 && avail < LAYOUT_BLOCK && n->cfg.limit_up < LAYOUT_BLOCK)
        return LAYOUT_BLOCK;
    return avail > 0 ? (size_t)avail : 0;
}

static bool worth_waking(size_t bytes, uint64_t rate)
{
    return bytes > 0 && bytes >= quantum(rate) / 2;
}

/* While others wait, or were woken and have not come yet, nobody takes more than was granted. */
size_t flow_may_send(struct conn *c, usec now)
{
    struct node *n = c->node;
    if (n->cfg.limit_up == 0)
        return SIZE_MAX;
    if (list_linked(&c->send_wait)) {
        if (!c->send_woken)
            return 0;
        list_remove(&n->send_wait, &c->send_wait);
    }
    size_t may = in_hand(n, now);
    if (n->send_wait.count > 0)
        return may < c->send_grant ? may : c->send_grant;
    return worth_waking(may, n->cfg.limit_up) ? may : 0;
}

void flow_sent(struct conn *c, uint64_t content, uint64_t words, usec now)
{
    struct node *n = c->node;
    if (n->cfg.limit_up == 0)
        return;
    uint64_t counted = (uint64_t)bucket_avail(&n->words, now);
    counted = words < counted ? words : counted;
    bucket_take(&n->words, counted, now);
    bucket_take(&n->up, content + counted, now);
    c->send_grant -= content < c->send_grant ? (size_t)content : c->send_grant;
}

void flow_wait_send(struct conn *c, usec now)
{
    struct list *wait = &c->node->send_wait;
    if (!list_linked(&c->send_wait)) {
        c->send_woken = false;
        c->node->send_asleep++;
        if (c->send_grant > 0 || c->out.content_left > 0)
            list_unshift(wait, &c->send_wait);
        else
            list_push(wait, &c->send_wait);
    }
    arm(c->node, now);
}

void flow_gone(struct conn *c, usec now)
{
    struct node *n = c->node;
    inlet_gone(c, now);
    if (!list_linked(&c->send_wait))
        return;
    list_remove(&n->send_wait, &c->send_wait);
    n->send_asleep -= !c->send_woken;
}

/* What is left of a block that it has begun is one of those granted. */
static size_t wake_sender(struct conn *c, size_t share)
{
    if (c->send_grant == 0) {
        uint64_t begun = c->out.content_left;
        c->send_grant = share - (begun > 0 ? LAYOUT_BLOCK : 0) + (size_t)begun;
    }
    c->send_woken = true;
    c->node->send_asleep--;
    c->idle_out = false;
    node_op(c->node, NODE_SEND)->conn = c->id;
    return c->send_grant;
}

/* How many of those asleep go before the rest: whoever is not to wait for another of its item. */
static size_t mark_first(struct node *n, usec now)
{
    size_t k = 0;
    struct list_node *l;
    for (l = list_first(&n->send_wait); l; l = list_next(&n->send_wait, l)) {
        struct conn *c = LIST_OF(l, struct conn, send_wait);
        c->send_first = !c->send_woken && queue_has_first(c);
        if (c->send_first)
            c->task->first_at = now;
    }
    for (l = list_first(&n->send_wait); l; l = list_next(&n->send_wait, l)) {
        struct conn *c = LIST_OF(l, struct conn, send_wait);
        bool later = queue_may_wait(c, now) && c->task->first_at == now;
        c->send_first |= !c->send_woken && !later;
        k += c->send_first;
    }
    return k;
}

/* Wakes some of these `k`; returns what was granted. */
static size_t wake_some(struct node *n, size_t k, bool first, size_t left)
{
    size_t blocks = k > 0 ? left / k / LAYOUT_BLOCK : 0, granted = 0;
    size_t share = LAYOUT_BLOCK * (blocks > 0 ? blocks : 1);
    struct list_node *l = list_first(&n->send_wait);
    for (; l && granted < left; l = list_next(&n->send_wait, l)) {
        struct conn *c = LIST_OF(l, struct conn, send_wait);
        granted += c->send_woken || c->send_first != first ? 0 : wake_sender(c, share);
    }
    return granted;
}

void flow_late(struct node *n, usec by, usec now)
{
    if (n->send_asleep > 0)
        bucket_late(&n->up, by, now);
}

/* They stay in the queue until they come: one whose line is full may be long in coming. */
void flow_wake_senders(struct node *n, usec now)
{
    uint64_t rate = n->cfg.limit_up;
    size_t left = rate > 0 ? in_hand(n, now) : SIZE_MAX;
    if (n->send_asleep > 0 && worth_waking(left, rate)) {
        size_t first = mark_first(n, now);
        size_t granted = wake_some(n, first, true, left);
        if (granted < left)
            wake_some(n, n->send_wait.count - first, false, left - granted);
    }
    arm(n, now);
}

/*
 * One connection: its life, its bytes in and out, its timer.
 *
 * Reading stops (recv_wait) while too much waits for the disk or the download limit is spent;
 * sending content stops (send_wait) while the upload limit is spent: see inlet.c and flow.c.
 */
#include "node/veil.h"

#include <stdlib.h>

#define TICK USEC_SEC
/* No payload for so long: one that neither end hopes for anything from, or that one does, makes
 * room for a newcomer when there are as many as may be. */
#define USELESS (60 * USEC_SEC)
#define HOPELESS (5 * USEC_MIN)
#define IDLE (5 * USEC_SEC) /* for a neighbour, anybody far that is idle makes room */

static void close_if_overfull(struct conn *c, usec now)
{
    if (c->overfull)
        conn_close(c, true, "does not read what it asked for", now);
}

static void conn_tick(struct node *n, struct timer *tm, usec now)
{
    struct conn *c = TIMER_OF(tm, struct conn, timer);
    (void)n;
    usec phase_time = c->phase == CONN_DIALING ? NODE_DIAL_TIME : NODE_HANDSHAKE_TIME;
    if (c->phase != CONN_OPEN && now - c->connected_at >= phase_time) {
        conn_close(c, true, NULL, now);
        return;
    }
    if (c->phase == CONN_OPEN) {
        if (now - c->last_recv >= NODE_IDLE_TIME) {
            conn_close(c, true, NULL, now);
            return;
        }
        if (now - c->last_sent >= NODE_KEEPALIVE && outq_empty(&c->out)) {
            wire_put_keepalive(&c->out.bytes);
            conn_flush(c);
        }
        if (!outq_empty(&c->out))
            conn_flush(c); /* what could wait for the next message has waited */
        hashes_tick(c, now);
        if (c->phase == CONN_OPEN)
            fetch_tick(c, now);
        if (c->phase == CONN_OPEN && c->task->was_complete)
            fetch_check_seed(c, now); /* it may have been watched */
    }
    close_if_overfull(c, now);
    if (c->phase != CONN_DEAD)
        timer_set(c->node, &c->timer, now + TICK);
}

struct conn *conn_new(struct node *n, const struct addr *a, bool incoming, usec now)
{
    struct conn *c = mem_zero(sizeof *c);
    c->node = n;
    c->addr = *a;
    c->incoming = incoming;
    c->listen_port = incoming ? 0 : a->port;
    c->phase = incoming ? CONN_GREETING : CONN_DIALING;
    c->am_choking = c->peer_choking = true;
    c->idle_out = true;
    c->wire = wire_new();
    c->sender = NO_SENDER;
    c->connected_at = c->last_recv = c->last_sent = c->choke_since = now;
    c->asked_piece = c->gave_piece = c->grace_piece = c->hint_at = UINT32_MAX;
    c->timer.fire = conn_tick;
    list_init(&c->slices);
    c->id = idtab_put(&n->conns, c);
    pipeline_init(&c->pipe, now);
    rate_init(&c->down, now);
    rate_init(&c->up, now);
    rate_init(&c->fed, now);
    timer_set(n, &c->timer, now + TICK);
    n->n_conns++;
    if (incoming)
        n->n_no_handshake++;
    else
        n->n_dialing++;
    return c;
}

/* It is dead already: what follows from its leaving may blame it, and must not close it again. */
static void leave_task(struct conn *c, enum conn_phase was, bool offence, usec now)
{
    struct task *t = c->task;
    if (was == CONN_DIALING)
        t->n_dialing--;
    if (was == CONN_OPEN) {
        t->n_open--;
        t->node->n_open--;
        metadata_gone(c);
        hashes_gone(c, now);
        fetch_gone(c, now);
        choker_gone(&t->choker, c->id, now);
        hint_gone(c);
        near_gone(c, now);
        pex_gone(c);
    }
    struct addr known = c->addr;
    known.port = c->listen_port;
    if (known.port != 0)
        pool_closed(t->pool, &known, !offence && (c->useful || was == CONN_OPEN), now);
    if (c->sender != NO_SENDER)
        sender_left(t, c->sender);
    list_remove(&t->conns, &c->in_task);
    t->n_dialled -= !c->incoming;
    c->task = NULL;
    task_wake(t, now);
}

void conn_close(struct conn *c, bool tell_host, const char *why, usec now)
{
    struct node *n = c->node;
    if (c->phase == CONN_DEAD)
        return;
    if (why && c->task) {
        char a[ADDR_TEXT];
        addr_text(&c->addr, a);
        node_notice(n, c->task, "%s: closed: %s", a, why);
    }
    enum conn_phase was = c->phase;
    c->phase = CONN_DEAD;
    if (was == CONN_DIALING)
        n->n_dialing--;
    else if (c->incoming && !c->greeted)
        n->n_no_handshake--;
    if (c->task)
        leave_task(c, was, why != NULL, now);
    if (tell_host)
        node_op(n, NODE_CLOSE)->conn = c->id;
    timer_set(n, &c->timer, USEC_NEVER);
    flow_gone(c, now);
    idtab_remove(&n->conns, c->id);
    n->n_conns--;
    list_push(&n->dead, &c->in_dead);
}

static void conn_free(struct conn *c)
{
    block_free(c->node, c->rx);
    wire_free(c->wire);
    veil_fini(c);
    outq_fini(&c->out);
    bits_fini(&c->has);
    bits_fini(&c->fast_in);
    bits_fini(&c->shown);
    buf_fini(&c->early_bits);
    free(c->early_haves);
    free(c->held);
    slices_free(c);
    free(c->req);
    free(c->asked);
    free(c);
}

void conn_reap(struct node *n)
{
    struct list_node *l;
    while ((l = list_pop(&n->dead)) != NULL)
        conn_free(LIST_OF(l, struct conn, in_dead));
}

struct conn *conn_get(struct node *n, node_id id, usec now)
{
    n->now = now;
    conn_reap(n);
    return idtab_get(&n->conns, id);
}

/* ---- beginning ---- */

unsigned conn_count_from(const struct node *n, const struct addr *a)
{
    unsigned count = 0;
    uint32_t it = 0;
    const struct conn *c;
    while ((c = idtab_walk(&n->conns, &it)) != NULL)
        if (addr_same_ip(&c->addr, a))
            count++;
    return count;
}

/* When payload last went either way, or it began. */
static usec last_use(const struct conn *c)
{
    usec at = c->connected_at;
    at = c->last_block > at ? c->last_block : at;
    return c->last_gave > at ? c->last_gave : at;
}

bool conn_make_room(struct node *n, bool for_near, usec now)
{
    uint32_t it = 0;
    struct conn *c, *worst = NULL;
    while ((c = idtab_walk(&n->conns, &it)) != NULL) {
        bool hopes = c->am_interested || c->peer_interested;
        usec least = for_near ? IDLE : hopes ? HOPELESS : USELESS;
        if (c->phase != CONN_OPEN || now - last_use(c) < least || (for_near && c->nearness))
            continue;
        if (!worst || last_use(c) < last_use(worst))
            worst = c;
    }
    if (worst) {
        pex_parted(worst, now);
        conn_close(worst, true, NULL, now);
    }
    return worst != NULL;
}

node_id node_accepted(struct node *n, const struct addr *from, usec now)
{
    n->now = now;
    conn_reap(n);
    if (n->n_no_handshake >= NODE_MAX_NO_HANDSHAKE)
        return 0;
    if (addr_scope(from) != ADDR_LOOPBACK && conn_count_from(n, from) >= NODE_MAX_PER_ADDR)
        return 0;
    if (n->n_conns >= n->cfg.max_conns && !conn_make_room(n, near_by_address(n, from), now))
        return 0;
    return conn_new(n, from, true, now)->id;
}

void node_connected(struct node *n, node_id conn, int err, usec now)
{
    struct conn *c = conn_get(n, conn, now);
    if (!c || c->phase != CONN_DIALING)
        return;
    if (err < 0) {
        conn_close(c, false, NULL, now);
        return;
    }
    n->n_dialing--;
    c->task->n_dialing--;
    c->phase = CONN_GREETING;
    c->connected_at = c->last_recv = now;
    greet_send(c, now);
}

void node_closed(struct node *n, node_id conn, usec now)
{
    struct conn *c = conn_get(n, conn, now);
    if (c)
        conn_close(c, false, NULL, now);
}

/* ---- in ---- */

void conn_handle(struct conn *c, usec now)
{
    struct wire_msg m;
    struct err e = {0};
    int r;
    while (c->phase != CONN_DEAD && !c->held && (r = wire_next(c->wire, &m, &e)) != 0) {
        if (r < 0) {
            conn_close(c, true, e.msg, now);
            return;
        }
        message_handle(c, &m, now);
    }
    if (c->held)
        wire_feed(c->wire, (struct bytes){0}); /* which keeps what was not looked at */
}

void conn_asks(struct conn *c, usec now)
{
    if (c->phase == CONN_OPEN)
        fetch_more(c, now);
    close_if_overfull(c, now);
}

void conn_heard(struct conn *c, usec now)
{
    conn_handle(c, now);
    conn_asks(c, now);
}

/* ---- out ---- */

void conn_flush(struct conn *c)
{
    if (c->phase == CONN_DEAD)
        return;
    outq_note(&c->out);
    if (outq_words(&c->out) > NODE_MAX_WAITING_OUT)
        c->overfull = true; /* closed when nobody is at work on it */
    if (c->idle_out && c->phase != CONN_DIALING) {
        c->idle_out = false;
        node_op(c->node, NODE_SEND)->conn = c->id;
    }
}

size_t node_send_what(struct node *n, node_id conn, struct node_out *v, size_t max, usec now)
{
    struct conn *c = conn_get(n, conn, now);
    if (!c || c->phase == CONN_DIALING)
        return 0;
    size_t may = flow_may_send(c, now);
    serve_fill(c, may, now);
    outq_note(&c->out);
    size_t count = outq_peek(&c->out, c->task ? c->task->id : 0, may, v, max);
    if (count == 0) {
        c->idle_out = true;
        if (c->asked_n > 0 || c->out.content_left > 0) /* only the limit holds it back */
            flow_wait_send(c, now);
    }
    return count;
}

void node_sent(struct node *n, node_id conn, size_t bytes, usec now)
{
    struct conn *c = conn_get(n, conn, now);
    if (!c)
        return;
    c->last_sent = now;
    uint64_t content = outq_sent(&c->out, bytes);
    flow_sent(c, content, bytes - content, now);
    if (content == 0 || !c->task)
        return;
    c->last_gave = now;
    rate_add(&c->up, content, now);
    rate_add(c->task->up, content, now);
    rate_add(&c->node->given, content, now);
    c->task->uploaded += content;
    if (c->nearness)
        c->task->to_near += content;
    c->task->last_upload = now;
}

void node_send_failed(struct node *n, node_id conn, const struct err *e, usec now)
{
    struct conn *c = conn_get(n, conn, now);
    if (c)
        conn_close(c, true, e->msg, now);
}

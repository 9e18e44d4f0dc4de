/*
 * Receiving; see intake.h.
 *
 * A block that was laid out becomes that of a payload if the PIECE's header ends where it begins.
 * Until then it is nobody's: other bytes that it was filled with may be copied from it into blocks.
 */
#include "node/inlet.h"
#include "node/veil.h"

#define PIECE_HEAD WIRE_PIECE_HEAD
#define HEADS ((size_t)INTAKE_BLOCKS * PIECE_HEAD) /* of the scratch */

void intake_fini(struct node *n)
{
    struct intake *in = &n->intake;
    while (in->n_idle > 0)
        block_free(n, in->idle[--in->n_idle]);
}

static void lay_out(struct intake *in, uint8_t *p, size_t n, struct block *b, size_t *allowed)
{
    if (n > *allowed)
        n = *allowed;
    if (n == 0)
        return;
    *allowed -= n;
    in->of[in->n] = b;
    in->v[in->n++] = (struct span){p, n};
}

/* No more than are due, but for the one that is coming, nor than twice what came last time. */
static size_t blocks_ahead(const struct conn *c)
{
    size_t due = c->pipe.out - (c->pipe.out > 0 && c->rx), likely = 1 + 2 * c->came / LAYOUT_BLOCK;
    size_t n = due < likely ? due : likely;
    return n < INTAKE_BLOCKS ? n : INTAKE_BLOCKS;
}

static size_t lay_out_blocks(struct conn *c, size_t *allowed)
{
    struct node *n = c->node;
    struct intake *in = &n->intake;
    size_t head = wire_to_payload(c->wire), most = head > 0 ? blocks_ahead(c) : 0, k;
    for (k = 0; k < most; k++) {
        if (k == in->n_idle)
            in->idle[in->n_idle++] = block_new(n);
        struct block *b = in->idle[k];
        lay_out(in, n->scratch + k * PIECE_HEAD, head, NULL, allowed);
        lay_out(in, b->data, LAYOUT_BLOCK, b, allowed);
        head = PIECE_HEAD;
    }
    return k;
}

size_t node_recv_where(struct node *n, node_id conn, struct span v[NODE_RECV_SPANS], usec now)
{
    struct conn *c = conn_get(n, conn, now);
    struct intake *in = &n->intake;
    in->n = 0;
    if (!c || c->phase == CONN_DIALING || c->held)
        return 0;
    size_t allowed = inlet_may_receive(c, now);
    struct span want = wire_want(c->wire);
    lay_out(in, want.p, want.n, NULL, &allowed);
    if (lay_out_blocks(c, &allowed) < INTAKE_BLOCKS)
        lay_out(in, n->scratch + HEADS, SCRATCH_LEN - HEADS, NULL, &allowed);
    memcpy(v, in->v, in->n * sizeof *v);
    return in->n;
}

static void forget(struct intake *in, const struct block *b)
{
    for (size_t i = 0; i < in->n_idle; i++) {
        if (in->idle[i] != b)
            continue;
        in->idle[i] = in->idle[--in->n_idle];
        return;
    }
}

struct block *intake_block(struct conn *c, uint32_t length)
{
    struct intake *in = &c->node->intake;
    struct block *b = in->at + 1 < in->n ? in->of[in->at + 1] : NULL;
    if (!b || length != LAYOUT_BLOCK || wire_unread(c->wire) > 0)
        return block_new(c->node);
    forget(in, b);
    return b;
}

/* These lie in v[in->at]. */
static void look_at(struct conn *c, size_t n, usec now)
{
    const struct span *s = &c->node->intake.v[c->node->intake.at];
    struct span want = wire_want(c->wire);
    struct bytes b = BYTES(s->p, n);
    if (want.n > 0 && want.p == s->p) {
        wire_placed(c->wire, n);
        pipeline_alive(&c->pipe, now);
    } else if (!c->incoming || c->plain || veil_lift(c, &b, now)) {
        wire_feed(c->wire, b);
    } else {
        return;
    }
    conn_handle(c, now);
    if (c->mse)
        veil_fini(c);
}

void node_received(struct node *n, node_id conn, size_t bytes, usec now)
{
    struct conn *c = conn_get(n, conn, now);
    struct intake *in = &n->intake;
    if (!c)
        return;
    c->last_recv = now;
    c->came = bytes;
    for (in->at = 0; in->at < in->n && bytes > 0 && c->phase != CONN_DEAD; in->at++) {
        size_t got = bytes < in->v[in->at].n ? bytes : in->v[in->at].n;
        bytes -= got;
        look_at(c, got, now);
    }
    in->n = 0;
    inlet_received(c, c->came, now);
    conn_asks(c, now);
    conn_reap(n);
}

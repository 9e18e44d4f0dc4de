/*
 * Super-seeding (BEP 16): the seed shows each peer one piece at a time, and the next only when
 * somebody else is seen to have the last one, so that every byte it sends is passed on.
 */
#include "node/node_int.h"

#define LOOK_AT 512u

static uint32_t shown_to(const struct task *t, uint32_t piece)
{
    uint32_t n = 0;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l))
        n += LIST_OF(l, struct conn, in_task)->super_piece == piece;
    return n;
}

/*
 * The rarest piece that it lacks and that is shown to the fewest others, among so many from a place
 * of its own on: an exact answer is not worth a walk over a million pieces for every HAVE.
 */
static uint32_t choose(const struct task *t, const struct conn *c)
{
    uint32_t best = UINT32_MAX, best_score = UINT32_MAX;
    uint32_t n = t->m->n_pieces, from = n ? (uint32_t)(c->id % n) : 0;
    uint32_t looked = 0;
    for (uint32_t i = 0; i < n && looked < LOOK_AT; i++) {
        uint32_t p = (from + i) % n;
        if (!bits_get(&t->have, p) || fetch_peer_has_piece(c, p))
            continue;
        looked++;
        uint32_t score = picker_availability(t->picker, p) + shown_to(t, p);
        if (score >= best_score)
            continue;
        best = p;
        best_score = score;
        if (score == 0)
            break;
    }
    return best;
}

static void show(struct conn *c, uint32_t piece)
{
    c->super_piece = piece;
    if (piece == UINT32_MAX)
        return;
    wire_put_index(&c->out.bytes, WIRE_HAVE, piece);
    conn_flush(c);
}

void super_greet(struct conn *c, usec now)
{
    (void)now;
    if (c->task->picker && c->task->was_complete)
        show(c, choose(c->task, c));
}

void super_peer_has(struct task *t, struct conn *c, uint32_t piece, usec now)
{
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l; l = next) {
        struct conn *o = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        if (o->phase != CONN_OPEN || o->super_piece != piece)
            continue;
        bool passed_on = o != c;
        bool alone = t->conns.count == 1;
        if (passed_on || alone)
            show(o, choose(t, o));
    }
    (void)now;
}

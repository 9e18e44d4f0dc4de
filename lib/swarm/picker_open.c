/*
 * State of the blocks of open pieces. All changes of state go through open_set_state, which alone
 * keeps the counts and the partition right. While a piece is not shared, only its owner has been
 * asked for its blocks: that spares the search when a peer leaves.
 */
#include "picker_open.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

void open_init(struct open_set *s, uint32_t *pos)
{
    *s = (struct open_set){.pos = pos};
}

void open_fini(struct open_set *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct open_set){0};
}

static void place(struct open_set *s, struct open_piece *o, uint32_t at)
{
    s->v[at] = o;
    s->pos[o->piece] = at;
}

static void swap(struct open_set *s, struct open_piece *o, uint32_t at)
{
    struct open_piece *other = s->v[at];
    place(s, other, s->pos[o->piece]);
    place(s, o, at);
}

static void partition(struct open_set *s, struct open_piece *o)
{
    bool in_front = s->pos[o->piece] < s->n_free;
    if (o->count[BLOCK_NONE] > 0 && !in_front)
        swap(s, o, s->n_free++);
    else if (o->count[BLOCK_NONE] == 0 && in_front)
        swap(s, o, --s->n_free);
}

struct open_piece *open_add(struct open_set *s, const struct picker_shape *shape, uint32_t piece)
{
    uint32_t n = shape->blocks(shape->ctx, piece);
    struct open_piece *o = mem_zero(sizeof *o + n * sizeof *o->b);
    o->piece = piece;
    o->n = o->count[BLOCK_NONE] = n;
    o->owner = PICKER_NO_PEER;
    for (uint32_t i = 0; i < n; i++)
        o->b[i].peers[0] = PICKER_NO_PEER;
    if (s->n == s->cap) {
        s->cap = s->cap * 2 + 16;
        s->v = mem_grow(s->v, s->cap, sizeof *s->v);
    }
    place(s, o, s->n++);
    s->free_blocks += n;
    partition(s, o);
    for (uint32_t i = 0; i < n; i++) {
        if (shape->skip && shape->skip(shape->ctx, piece, i)) {
            open_set_state(s, o, i, BLOCK_STORED);
            o->padding++;
        }
    }
    return o;
}

void open_remove(struct open_set *s, struct open_piece *o)
{
    s->free_blocks -= o->count[BLOCK_NONE];
    s->asked_blocks -= o->count[BLOCK_ASKED];
    if (s->pos[o->piece] < s->n_free)
        swap(s, o, --s->n_free);
    swap(s, o, --s->n);
    free(o);
}

void open_set_state(struct open_set *s, struct open_piece *o, uint32_t block, enum block_state to)
{
    struct open_block *b = &o->b[block];
    o->count[b->state]--;
    o->count[to]++;
    s->free_blocks += to == BLOCK_NONE;
    s->free_blocks -= b->state == BLOCK_NONE;
    s->asked_blocks += to == BLOCK_ASKED;
    s->asked_blocks -= b->state == BLOCK_ASKED;
    b->state = (uint8_t)to;
    if (to == BLOCK_NONE) {
        b->copies = 0;
        b->peers[0] = PICKER_NO_PEER;
        if (block < o->hint)
            o->hint = block;
    }
    partition(s, o);
}

bool open_is_idle(const struct open_piece *o)
{
    return o->padding < o->n && o->count[BLOCK_NONE] + o->padding == o->n;
}

static void join(struct open_piece *o, const struct picker_ask *ask)
{
    if (o->owner == PICKER_NO_PEER || o->count[BLOCK_ASKED] == 0) {
        o->owner = ask->peer;
        o->shared = o->count[BLOCK_ASKED] > 0;
    }
    if (o->owner == ask->peer)
        o->speed = (uint8_t)(ask->snubbed ? 0 : ask->speed);
    else
        o->shared = true;
}

static void mark(struct open_set *s, struct open_piece *o, uint32_t block,
                 const struct picker_ask *ask)
{
    struct open_block *b = &o->b[block];
    b->peers[0] = ask->peer;
    b->copies = 1;
    b->asked_at = ask->now;
    open_set_state(s, o, block, BLOCK_ASKED);
}

size_t open_take(struct open_set *s, struct open_piece *o, const struct picker_ask *ask,
                 struct block_ref *out, size_t n)
{
    size_t got = 0;
    join(o, ask);
    while (got < n && o->count[BLOCK_NONE] > 0) {
        while (o->b[o->hint].state != BLOCK_NONE)
            o->hint++;
        out[got++] = (struct block_ref){o->piece, o->hint};
        mark(s, o, o->hint, ask);
    }
    return got;
}

void open_take_one(struct open_set *s, struct open_piece *o, uint32_t block,
                   const struct picker_ask *ask)
{
    join(o, ask);
    mark(s, o, block, ask);
}

bool open_asked_of(const struct open_block *b, uint32_t peer)
{
    if (b->state != BLOCK_ASKED)
        return false;
    for (uint32_t i = 0; i < b->copies; i++)
        if (b->peers[i] == peer)
            return true;
    return false;
}

void open_copy(struct open_piece *o, uint32_t block, const struct picker_ask *ask)
{
    struct open_block *b = &o->b[block];
    if (b->copies == PICKER_ENDGAME_COPIES)
        memmove(b->peers, b->peers + 1, --b->copies * sizeof *b->peers);
    b->peers[b->copies++] = ask->peer;
    if (!ask->unproved)
        b->asked_at = ask->now;
    o->shared = true;
}

void open_drop(struct open_set *s, struct open_piece *o, uint32_t block, uint32_t peer)
{
    struct open_block *b = &o->b[block];
    if (!open_asked_of(b, peer))
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < b->copies; i++)
        if (b->peers[i] != peer)
            b->peers[kept++] = b->peers[i];
    b->copies = (uint8_t)kept;
    if (kept == 0)
        open_set_state(s, o, block, BLOCK_NONE);
    if (o->count[BLOCK_ASKED] == 0)
        o->shared = false;
    if (o->owner == peer && o->count[BLOCK_ASKED] == 0)
        o->owner = PICKER_NO_PEER;
}

void open_drop_peer(struct open_set *s, struct open_piece *o, uint32_t peer)
{
    if (!o->shared && o->owner != peer)
        return;
    for (uint32_t i = 0; i < o->n && o->count[BLOCK_ASKED] > 0; i++)
        open_drop(s, o, i, peer);
    if (o->owner == peer)
        o->owner = PICKER_NO_PEER;
}

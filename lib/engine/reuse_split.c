/*
 * A piece in which something has changed, and of whose blocks nobody tells the hashes (v1). Single
 * blocks are fetched and held against the old content: where something was put in or taken out, the
 * way of the left neighbour leads up to there and that of the right one from there on, and halving
 * finds the place; what was changed in place is looked for, and then its two ends. The blocks
 * between are fetched, the others are as the neighbours say, and the hash of the piece tells
 * whether that is so. If not, it is fetched as always: of what came nothing is lost.
 */
#include "engine/reuse.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define SPLIT_LEAST 8u  /* blocks: below it is not worth the round trips */
#define SPLIT_MOST 512u /* pieces at once */
#define IN_PLACE 4u     /* blocks asked for together while nothing says where to look */

enum view { UNSEEN, LEFT, RIGHT, NEITHER };

struct split {
    struct list_node node;
    struct reuse *r;
    uint32_t piece, n;
    uint16_t left, right; /* ways */
    uint8_t *seen;        /* enum view of each block */
    uint32_t out, asked;  /* probes under way; in all */
};

struct split_job {
    struct reuse *r;
    struct split *s;
    struct way left, right;
    uint32_t block, from, end; /* one block; or what lies between was fetched */
    enum view view;
    struct try_piece p;
    int code;
    struct err e;
};

static uint64_t start_of(const struct split *s, uint32_t block)
{
    return (uint64_t)s->piece * s->r->it->m->piece_length + (uint64_t)block * LAYOUT_BLOCK;
}

static void end(struct split *s, bool let_go)
{
    if (let_go)
        reuse_let_go(s->r, s->piece);
    list_remove(&s->r->splits, &s->node);
    free(s->seen);
    free(s);
}

static struct split_job *job_new(struct split *s)
{
    struct split_job *j = mem_zero(sizeof *j);

    j->r = s->r;
    j->s = s;
    j->left = s->r->ways[s->left - 1];
    j->right = s->r->ways[s->right - 1];
    return j;
}

/* ---- all of it ---- */

static bool read_all(struct split_job *j, uint8_t *mem)
{
    const struct split *s = j->s;

    for (uint32_t b = 0; b < s->n; b++) {
        uint32_t left = layout_piece_len(j->r->it->m, s->piece) - b * LAYOUT_BLOCK;
        uint32_t len = left < LAYOUT_BLOCK ? left : LAYOUT_BLOCK;
        const struct way *w = s->seen[b] != UNSEEN ? NULL : b < j->end ? &j->left : &j->right;

        if (!reuse_read_along(j->r, w, start_of(s, b), len, mem + (size_t)b * LAYOUT_BLOCK))
            return false;
    }
    return true;
}

static void try_all(void *arg)
{
    struct split_job *j = arg;
    const struct split *s = j->s;
    uint32_t len = layout_piece_len(j->r->it->m, s->piece);
    uint8_t *mem = mem_alloc(len);

    if (read_all(j, mem))
        reuse_judge_bytes(j->r, &j->p, BYTES(mem, len));
    for (uint32_t b = 0; b < s->n && j->p.hit && j->code == 0; b++)
        if (s->seen[b] == UNSEEN)
            j->code = reuse_write_along(
                j->r, b < j->end ? &j->left : &j->right, start_of(s, b),
                BYTES(mem + (size_t)b * LAYOUT_BLOCK, layout_block_len(j->r->it->m, s->piece, b)),
                &j->e);
    free(mem);
}

static void tried_all(void *arg)
{
    struct split_job *j = arg;
    struct reuse *r = j->r;
    struct split *s = j->s;
    bool on = reuse_job_back(r), hit = on && j->p.hit && j->code == 0;

    if (on)
        reuse_failed(r, j->code, &j->e);
    for (uint32_t b = 0; b < s->n && hit; b++)
        if (s->seen[b] == UNSEEN)
            reuse_wrote(r, b < j->end ? s->left : s->right, start_of(s, b),
                        layout_block_len(r->it->m, s->piece, b));
    if (hit)
        reuse_got(r, s->piece, NULL, j->p.n_leaves == s->n ? j->p.leaves : NULL);
    end(s, on && !hit);
    free(j->p.leaves);
    free(j);
    reuse_job_end(r);
}

/* What was not fetched is along the left way before `block`, and along the right one behind. */
static void conclude(struct split *s, uint32_t block)
{
    struct split_job *j = job_new(s);

    j->end = block;
    reuse_take_hash(s->r->it, &j->p, s->piece);
    if (!reuse_begin_job(s->r, try_all, tried_all, j))
        free(j);
}

/* ---- block by block ---- */

static bool ask(struct split *s, uint32_t block)
{
    if (s->seen[block] != UNSEEN || layout_block_len(s->r->it->m, s->piece, block) == 0)
        return false;
    s->out++;
    s->asked++;
    node_probe(s->r->it->g->node, s->r->it->task, s->piece, block, s->r->it->g->now);
    return true;
}

static void ask_between(struct split *s, uint32_t from, uint32_t to)
{
    for (uint32_t b = from; b < to; b++)
        ask(s, b);
}

/* Blocks [from, to) are not seen, and somewhere among them is an edge. */
static void halve(struct split *s, uint32_t from, uint32_t to)
{
    if (to - from <= 2)
        ask_between(s, from, to);
    else
        ask(s, from + (to - from) / 2);
}

/* Far from one another, and closer with time. */
static void search(struct split *s)
{
    uint32_t found = 0;

    for (uint32_t part = 2; part <= 2 * s->n && found < IN_PLACE; part *= 2)
        for (uint32_t k = 1; k < part && found < IN_PLACE; k += 2)
            found += ask(s, (uint32_t)((uint64_t)s->n * k / part));
    for (uint32_t b = 0; b < s->n && found < IN_PLACE; b++)
        found += ask(s, b);
}

static void next(struct split *s)
{
    uint32_t first = s->n, last = 0, from = 0, to = s->n;
    enum view right = s->left == s->right ? LEFT : RIGHT;

    for (uint32_t b = 0; b < s->n; b++) {
        if (s->seen[b] != NEITHER)
            continue;
        first = b < first ? b : first;
        last = b;
    }
    for (uint32_t b = 0; b < first; b++)
        from = s->seen[b] == LEFT ? b + 1 : from;
    for (uint32_t b = s->n; b-- > (first < s->n ? last + 1 : from);)
        to = s->seen[b] == right ? b : to;
    if (first == s->n && s->left == s->right) {
        search(s);
    } else if (first == s->n) {
        halve(s, from, to);
    } else {
        halve(s, from, first);
        halve(s, last + 1, to);
        if (s->out == 0)
            ask_between(s, first, last);
    }
    if (s->out == 0)
        conclude(s, first < s->n ? first : from);
}

static void go_on(struct split *s)
{
    if (s->out > 0)
        return;
    if (s->r->no_probes || s->asked > s->n - s->n / 4 || s->r->v[s->piece].state != REUSE_SPLIT)
        end(s, true);
    else
        next(s);
}

static void look(void *arg)
{
    struct split_job *j = arg;
    uint8_t mem[2][LAYOUT_BLOCK];
    uint32_t len = layout_block_len(j->r->it->m, j->s->piece, j->block);
    uint64_t at = start_of(j->s, j->block);

    j->view = NEITHER;
    if (!reuse_read_along(j->r, NULL, at, len, mem[0]))
        return;
    if (reuse_read_along(j->r, &j->left, at, len, mem[1]) && memcmp(mem[0], mem[1], len) == 0)
        j->view = LEFT;
    else if (reuse_read_along(j->r, &j->right, at, len, mem[1]) && memcmp(mem[0], mem[1], len) == 0)
        j->view = RIGHT;
}

static void looked(void *arg)
{
    struct split_job *j = arg;
    struct reuse *r = j->r;
    struct split *s = j->s;

    s->out--;
    s->seen[j->block] = (uint8_t)j->view;
    if (reuse_job_back(r))
        go_on(s);
    free(j);
    reuse_job_end(r);
}

static void look_at(struct split *s, uint32_t block)
{
    struct split_job *j = job_new(s);

    j->block = block;
    if (!reuse_begin_job(s->r, look, looked, j))
        free(j);
}

/* ---- for the others ---- */

bool reuse_split(struct reuse *r, uint32_t piece, uint16_t left, uint16_t right)
{
    uint32_t n = layout_blocks(r->it->m, piece);
    struct split *s;

    if (r->no_probes || !r->it->m->pieces || !(left || right) || n < SPLIT_LEAST ||
        r->splits.count >= SPLIT_MOST || layout_piece_len(r->it->m, piece) > REUSE_BATCH_BYTES)
        return false;
    s = mem_zero(sizeof *s);
    s->r = r;
    s->piece = piece;
    s->n = n;
    s->left = left ? left : right;
    s->right = right ? right : left;
    s->seen = mem_zero(n);
    list_push(&r->splits, &s->node);
    bool probed = r->v[piece].hint != 0; /* one block of it is here */
    r->v[piece].state = REUSE_SPLIT;
    if (probed) {
        s->out = s->asked = 1;
        look_at(s, reuse_probe_block(r, piece));
    } else {
        next(s);
    }
    return true;
}

void reuse_split_probed(struct reuse *r, uint32_t piece, uint32_t block)
{
    for (struct list_node *l = list_first(&r->splits); l; l = list_next(&r->splits, l)) {
        struct split *s = LIST_OF(l, struct split, node);

        if (s->piece == piece && block < s->n && s->seen[block] == UNSEEN) {
            look_at(s, block);
            return;
        }
    }
}

/* Their blocks do not come. */
void reuse_splits_drop(struct reuse *r)
{
    struct list_node *next_one;

    for (struct list_node *l = list_first(&r->splits); l && r->jobs == 0; l = next_one) {
        next_one = list_next(&r->splits, l);
        end(LIST_OF(l, struct split, node), true);
    }
}

void reuse_splits_free(struct reuse *r)
{
    struct list_node *l;

    while ((l = list_first(&r->splits)) != NULL)
        end(LIST_OF(l, struct split, node), false);
}

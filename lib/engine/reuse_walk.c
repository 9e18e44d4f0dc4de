/*
 * Walking: pieces are tried one after another along a way, in batches on workers that grow while
 * they match, until a few in a row do not.
 */
#include "engine/reuse.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define STARTS 16u        /* places of the content where walking begins, */
#define FILE_STARTS 4096u /* and of the content, at so many of its files at most */
#define PATIENCE 8u       /* pieces in a row that do not match before a walk ends */

void reuse_walk(struct reuse *r, uint16_t way, uint32_t at, int step)
{
    struct walk *w;

    if (way == 0 || !reuse_held(r, at))
        return;
    w = mem_zero(sizeof *w);
    *w = (struct walk){.way = way, .at = at, .step = step};
    list_push(&r->walks, &w->node);
}

static void walk_end(struct reuse *r, struct walk *w)
{
    list_remove(&r->walks, &w->node);
    free(w);
}

static bool was_tried(const struct reuse_piece *p, uint16_t way)
{
    return p->tried[0] == way || p->tried[1] == way || p->tried[2] == way;
}

static bool leads_to(const struct reuse *r, uint16_t way, uint32_t piece)
{
    uint32_t first, end;

    if (way == REUSE_FIRST)
        return true;
    layout_file_pieces(r->it->m, r->ways[way - 1].file, &first, &end);
    return piece >= first && piece < end;
}

void reuse_take_hash(const struct item *it, struct try_piece *t, uint32_t piece)
{
    const uint8_t *root = it->m->has_v2 ? piecehash_expected_root(it->m, piece) : NULL;

    t->piece = piece;
    t->has_root = root != NULL;
    t->has_v1 = it->m->pieces != NULL;
    if (root)
        memcpy(t->root, root, SHA256_LEN);
    if (t->has_v1)
        memcpy(t->v1, it->m->pieces + (size_t)piece * SHA1_LEN, SHA1_LEN);
}

static void tried(struct reuse *r, const struct try_piece *t, struct walk *w)
{
    struct reuse_piece *p = &r->v[t->piece];

    if (p->state != REUSE_TRYING)
        return;
    if (t->hit) {
        uint32_t n = layout_blocks(r->it->m, t->piece);

        p->way = w->way;
        w->misses = 0;
        reuse_wrote(r, w->way, (uint64_t)t->piece * r->it->m->piece_length,
                    layout_piece_len(r->it->m, t->piece));
        reuse_got(r, t->piece, NULL, t->n_leaves == n ? t->leaves : NULL);
        return;
    }
    p->state = REUSE_WAIT;
    p->tried[2] = p->tried[1];
    p->tried[1] = p->tried[0];
    p->tried[0] = w->way;
    w->misses++;
}

static void batch_done(void *arg)
{
    struct try_job *j = arg;
    struct reuse *r = j->r;
    bool on = reuse_job_back(r);

    j->walk->busy = false;
    for (size_t i = 0; i < j->n; i++) {
        if (on && j->code == 0)
            tried(r, &j->v[i], j->walk);
        free(j->v[i].leaves);
    }
    if (on)
        reuse_failed(r, j->code, &j->e);
    free(j);
    reuse_job_end(r);
}

/* The next pieces of a walk; false: it has ended. */
static bool gather(struct reuse *r, struct walk *w, struct try_job *j)
{
    const struct item *it = r->it;
    uint64_t bytes = 0;
    uint32_t room = 1u << (w->misses > 0 ? 1 : w->batches < 3 ? w->batches + 1 : 4);

    while (j->n < room && w->misses < PATIENCE && reuse_held(r, w->at) &&
           leads_to(r, w->way, w->at)) {
        struct reuse_piece *p = &r->v[w->at];
        struct try_piece *t = &j->v[j->n];
        uint32_t len = layout_piece_len(it->m, w->at);

        if (p->state != REUSE_WAIT)
            break;
        if (j->n > 0 && bytes + len > REUSE_BATCH_BYTES)
            return true;
        reuse_take_hash(it, t, w->at);
        if (was_tried(p, w->way)) {
            w->misses++;
        } else if (t->has_root || t->has_v1) {
            p->state = REUSE_TRYING;
            bytes += len;
            j->n++;
        } else {
            break; /* nobody has told its hash yet */
        }
        w->at += (uint32_t)w->step;
    }
    return j->n > 0;
}

static void walk_on(struct reuse *r, struct walk *w)
{
    struct try_job *j = mem_zero(sizeof *j);

    j->r = r;
    j->walk = w;
    j->way = r->ways[w->way - 1];
    if (!gather(r, w, j)) {
        walk_end(r, w);
        free(j);
        return;
    }
    w->batches++;
    w->busy = true;
    if (!reuse_begin_job(r, reuse_try, batch_done, j)) {
        w->busy = false;
        for (size_t i = 0; i < j->n; i++)
            r->v[j->v[i].piece].state = REUSE_WAIT;
        walk_end(r, w);
        free(j);
    }
}

void reuse_walk_all(struct reuse *r)
{
    uint32_t most = 2 * (uint32_t)loop_workers(r->it->g->loop);
    struct list_node *next;

    for (struct list_node *l = list_first(&r->walks); l && r->jobs < most; l = next) {
        struct walk *w = LIST_OF(l, struct walk, node);

        next = list_next(&r->walks, l);
        if (!w->busy)
            walk_on(r, w);
    }
}

/* Of each file that has an old one, at its own places. */
void reuse_walk_first(struct reuse *r)
{
    const struct manifest *m = r->it->m;
    uint32_t starts = m->n_pieces > STARTS * PATIENCE ? STARTS : 1;

    r->walked = true;
    for (uint32_t k = 0; k < starts; k++)
        reuse_walk(r, REUSE_FIRST, (uint32_t)((uint64_t)m->n_pieces * k / starts), 1);
    for (uint32_t i = 0, n = 0; i < m->n_files && n < FILE_STARTS; i++) {
        if (r->first[i] == REUSE_NONE || m->files[i].length < m->piece_length)
            continue;
        reuse_walk(r, REUSE_FIRST, (uint32_t)(m->files[i].offset / m->piece_length), 1);
        n++;
    }
}

/* Files smaller than a piece that no walk has come by: what lies before them is not wanted, or is
 * not like its old one. */
static void walk_small(struct reuse *r)
{
    const struct manifest *m = r->it->m;

    for (uint32_t i = 0, n = 0; i < m->n_files && n < FILE_STARTS; i++) {
        uint32_t piece = (uint32_t)(m->files[i].offset / m->piece_length);

        if (r->first[i] == REUSE_NONE || m->files[i].length >= m->piece_length ||
            !reuse_held(r, piece) || was_tried(&r->v[piece], REUSE_FIRST))
            continue;
        reuse_walk(r, REUSE_FIRST, piece, 1);
        n++;
    }
}

bool reuse_walk_more(struct reuse *r)
{
    if (!r->walked || r->rank > r->ranks)
        return false;
    if (r->rank == 0) {
        r->rank++;
        walk_small(r);
        return true;
    }
    for (uint32_t i = 0; i < r->n_more; i++) {
        const struct likely *l = &r->more[i];
        uint32_t first, end;

        if (l->rank != r->rank)
            continue;
        layout_file_pieces(r->it->m, l->file, &first, &end);
        uint16_t way = reuse_way(r, (struct way){.file = l->file, .old = l->old});
        for (uint32_t k = 0; k < 4 && (k == 0 || end - first > STARTS * PATIENCE); k++)
            reuse_walk(r, way, first + (uint32_t)((uint64_t)(end - first) * k / 4), 1);
    }
    r->rank++;
    return true;
}

void reuse_walks_free(struct reuse *r)
{
    struct list_node *l;

    while ((l = list_pop(&r->walks)) != NULL)
        free(LIST_OF(l, struct walk, node));
}

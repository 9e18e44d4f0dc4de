/*
 * What is tried when. Before an item runs, and for a short time only, the old files are tried at
 * the very places where the new ones have their bytes: from several places at once and only while
 * something matches there, so that content that has moved does not cost a reading of all of it.
 * From then on it is the stretches of pieces that are left ("zones") that say what is to be done:
 * long ones are probed, and in short ones between found neighbours something has changed.
 */
#include "engine/reuse.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define BEFORE_RUNNING USEC_SEC /* by then it runs */
#define STARTS 16u              /* places of the content where walking begins, */
#define FILE_STARTS 4096u       /* and of the content, at so many of its files at most */
#define PATIENCE 8u             /* pieces in a row that do not match before a walk ends */
#define SHORT_ZONE 2u
#define ALIKE_ZONE 16u /* where both neighbours were found along the same way */
#define PROBES 16u     /* of one zone at once, one for so many pieces: */
#define PROBE_EVERY 32u
#define MISSES_DOUBLE 8u /* after so many misses twice as many pieces are let go each time */

static struct reuse_piece *piece_of(const struct reuse *r, uint32_t piece)
{
    return piece < r->it->m->n_pieces ? &r->v[piece] : NULL;
}

bool reuse_held(const struct reuse *r, uint32_t piece)
{
    const struct reuse_piece *p = piece_of(r, piece);

    return p && p->state != REUSE_OUT;
}

uint16_t reuse_way(struct reuse *r, struct way w)
{
    if (w.shift == 0 && r->first[w.file] == w.old)
        return REUSE_FIRST;
    for (uint32_t i = r->n_ways; i-- > 0;)
        if (r->ways[i].file == w.file && r->ways[i].old == w.old && r->ways[i].shift == w.shift)
            return (uint16_t)(i + 1);
    if (r->n_ways == REUSE_MOST_WAYS)
        return 0;
    if ((r->n_ways & (r->n_ways - 1)) == 0)
        r->ways = mem_grow(r->ways, r->n_ways ? (size_t)r->n_ways * 2 : 1, sizeof *r->ways);
    r->ways[r->n_ways++] = w;
    return (uint16_t)r->n_ways;
}

/* ---- pieces ---- */

static void out(struct reuse *r, uint32_t piece)
{
    if (r->v[piece].state == REUSE_OUT)
        return;
    r->v[piece].state = REUSE_OUT;
    r->left--;
}

void reuse_let_go(struct reuse *r, uint32_t piece)
{
    struct bits none = {0};

    out(r, piece);
    if (r->running)
        node_found(r->it->g->node, r->it->task, piece, &none, NULL, r->it->g->now);
}

void reuse_got(struct reuse *r, uint32_t piece, const struct bits *blocks, const uint8_t *leaves)
{
    struct item *it = r->it;

    out(r, piece);
    if (r->running)
        node_found(it->g->node, it->task, piece, blocks, leaves, it->g->now);
    else
        bits_set(&it->have, piece);
}

void reuse_wrote(struct reuse *r, uint16_t way, uint64_t offset, uint64_t length)
{
    const struct way *w = &r->ways[way - 1];
    struct item *it = r->it;
    struct layout_iter iter;
    struct layout_seg g;

    layout_iter_init(&iter, it->m, offset, length);
    while (layout_iter_next(&iter, &g)) {
        uint32_t old = g.pad ? REUSE_NONE : g.file == w->file ? w->old : r->first[g.file];

        if (old == REUSE_NONE)
            continue;
        bits_set(&it->stale, g.file);
        r->olds[old].reused += g.length;
        if (r->running)
            it->reused += g.length;
    }
}

/* ---- jobs ---- */

bool reuse_begin_job(struct reuse *r, void (*work)(void *), void (*done)(void *), void *arg)
{
    if (r->it->dropped)
        return false;
    r->jobs++;
    r->it->jobs++;
    engine_work(r->it->g, work, done, arg);
    return true;
}

bool reuse_job_back(struct reuse *r)
{
    engine_job_done(r->it->g);
    r->jobs--;
    return !r->it->dropped && (!r->running || r->it->phase == ITEM_RUNNING);
}

void reuse_failed(struct reuse *r, int code, const struct err *e)
{
    if (code < 0 && r->it->code == 0)
        item_fail(r->it, code, e);
}

static void before_is_over(struct reuse *r);

void reuse_job_end(struct reuse *r)
{
    struct item *it = r->it;

    reuse_go_on(r);
    if (!r->running) {
        it->jobs--;
        before_is_over(r);
        return;
    }
    item_job_back(it);
}

/* ---- walking ---- */

static bool hashes_known(const struct reuse *r)
{
    return r->it->m->pieces || manifest_layers_missing(r->it->m, NULL) == 0;
}

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

static void walk_all(struct reuse *r)
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
static void walk_first(struct reuse *r)
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

/* Others that a file may be, once the likeliest were tried. False: there are no more. */
static bool walk_more(struct reuse *r)
{
    if (!r->walked || r->rank > r->ranks)
        return false;
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

/* ---- zones ---- */

uint16_t reuse_way_at(const struct reuse *r, uint32_t piece)
{
    return piece < r->it->m->n_pieces ? r->v[piece].way : 0;
}

/* After misses in a row more is let go around the place each time: all of it may be new. */
void reuse_probe_missed(struct reuse *r, uint32_t piece)
{
    uint32_t wide = ++r->missed / MISSES_DOUBLE;

    wide = wide < 20 ? (1u << wide) - 1 : UINT32_MAX / 2;
    reuse_let_go(r, piece);
    for (int step = -1; step <= 1; step += 2) {
        uint32_t at = piece + (uint32_t)step;

        for (uint32_t i = 0; i < wide && at < r->it->m->n_pieces; i++, at += (uint32_t)step) {
            if (r->v[at].state != REUSE_WAIT)
                break;
            reuse_let_go(r, at);
        }
    }
}

static void zone(struct reuse *r, uint32_t from, uint32_t end)
{
    uint16_t left = from > 0 ? reuse_way_at(r, from - 1) : 0, right = reuse_way_at(r, end);
    uint32_t n = end - from;
    bool alike = left && left == right && n <= ALIKE_ZONE;

    if (n <= SHORT_ZONE || alike) {
        for (uint32_t p = from; p < end; p++)
            reuse_mixed(r, p);
        return;
    }
    uint32_t probes = n / PROBE_EVERY;
    probes = probes < 1 ? 1 : probes > PROBES ? PROBES : probes;
    for (uint32_t k = 0; k < probes; k++) {
        uint32_t at = from + (uint32_t)((uint64_t)n * (2 * k + 1) / (2 * probes));

        if (r->v[at].hint) /* its block was found, and yet the piece was not */
            reuse_mixed(r, at);
        else
            reuse_probe(r, at);
    }
}

/* Zones that nobody is at work on. */
static void plan(struct reuse *r)
{
    uint32_t n = r->it->m->n_pieces;

    for (uint32_t p = 0; p < n && r->left > 0;) {
        uint32_t from = p;
        bool idle = true;

        for (; p < n && r->v[p].state > REUSE_TWIN; p++)
            idle &= r->v[p].state == REUSE_WAIT;
        if (p > from && idle)
            zone(r, from, p);
        while (p < n && r->v[p].state <= REUSE_TWIN)
            p++;
    }
}

static void tell(struct reuse *r)
{
    struct item *it = r->it;

    r->over = true;
    for (uint32_t i = 0; i < r->n_olds; i++)
        if (r->olds[i].reused > 0)
            engine_tell(it->g, &(struct engine_event){.kind = ENGINE_REUSED,
                                                      .item = it,
                                                      .path = r->olds[i].path,
                                                      .bytes = r->olds[i].reused});
    anchors_free(r->anchors);
    r->anchors = NULL;
}

void reuse_go_on(struct reuse *r)
{
    if (r->it->dropped || r->planning)
        return;
    r->planning = true;
    if (!r->walked && hashes_known(r))
        walk_first(r);
    if (r->running || r->it->g->now < r->pause_at) {
        walk_all(r);
        while (r->walks.count == 0 && r->left > 0 && walk_more(r))
            walk_all(r);
    }
    if (r->running && r->walks.count == 0 && hashes_known(r))
        plan(r);
    if (r->running) {
        walk_all(r);
        reuse_ask_more(r);
    }
    r->planning = false;
    if (r->running && r->left == 0 && r->jobs == 0 && !r->over)
        tell(r);
}

/* ---- before it runs ---- */

static void before_is_over(struct reuse *r)
{
    struct item *it = r->it;

    if (r->jobs > 0 || it->phase != ITEM_HASHING)
        return;
    it->hashing--;
    item_hashed(it);
}

static bool worth_it(const struct reuse *r)
{
    return (r->n_olds > 0 || r->n_twins > 0) && r->left > 0;
}

static void wait_for(struct reuse *r, uint64_t from, uint64_t end)
{
    uint32_t length = r->it->m->piece_length;

    for (uint32_t p = (uint32_t)(from / length); from < end && p <= (end - 1) / length; p++) {
        if (r->v[p].state == REUSE_OUT && !bits_get(&r->it->have, p)) {
            r->v[p].state = REUSE_WAIT;
            r->left++;
        }
    }
}

static void look_at_pieces(struct reuse *r)
{
    const struct item *it = r->it;
    const struct manifest_file *f = it->m->files;

    for (size_t i = 0; i < it->n_stretches; i++) {
        const struct stretch *g = &it->stretches[i];

        wait_for(r, f[g->file].offset + g->from, f[g->file].offset + g->end);
    }
    for (uint32_t i = 0; i < it->m->n_files && !it->ranged; i++)
        if (bits_get(&it->wanted, i))
            wait_for(r, f[i].offset, f[i].offset + f[i].length);
}

/* On a worker, at the end of the survey. */
void reuse_survey(struct item *it, struct catalogue *c)
{
    struct reuse *r;

    if (it->spec.serve || it->spec.no_reuse || it->m->n_pieces == 0)
        return;
    r = it->reuse = mem_zero(sizeof *r);
    r->it = it;
    list_init(&r->walks);
    list_init(&r->lookups);
    list_init(&r->splits);
    r->first = mem_array(it->m->n_files, sizeof *r->first);
    reuse_find(r, c);
}

bool reuse_first(struct item *it)
{
    struct reuse *r = it->reuse;

    it->turn = ++it->g->turns;
    if (!r || it->dropped)
        return false;
    if (buf_len(&r->warnings))
        engine_warn(it->g, it, "--reuse: passed over: %.*s", (int)buf_len(&r->warnings),
                    (const char *)buf_bytes(&r->warnings).p);
    r->v = mem_array(it->m->n_pieces, sizeof *r->v);
    look_at_pieces(r);
    reuse_twins_begin(r);
    if (!worth_it(r)) {
        reuse_free(it);
        return false;
    }
    r->ways = mem_array(1, sizeof *r->ways);
    r->ways[r->n_ways++] = (struct way){.file = REUSE_NONE, .old = REUSE_NONE};
    r->rank = 1;
    r->pause_at = it->g->now + BEFORE_RUNNING;
    it->hashing++;
    reuse_go_on(r);
    if (r->jobs == 0) {
        it->hashing--;
        return false;
    }
    return true;
}

/* ---- while it runs ---- */

/* Set before the node begins: nothing of these is asked for. */
const struct bits *reuse_holds(struct item *it, struct bits *mem)
{
    struct reuse *r = it->reuse;

    if (!r)
        return NULL;
    bits_init(mem, it->m->n_pieces);
    for (uint32_t p = 0; p < it->m->n_pieces; p++) {
        if (r->v[p].state != REUSE_OUT && it->priority[p] > 0 && !bits_get(&it->have, p))
            bits_set(mem, p);
        else
            out(r, p);
    }
    return mem;
}

void reuse_run(struct item *it)
{
    struct reuse *r = it->reuse;

    if (!r || r->running)
        return;
    r->running = true;
    reuse_go_on(r);
}

void reuse_tick(struct item *it)
{
    struct reuse *r = it->reuse;

    if (!r || !r->running || r->over || it->phase != ITEM_RUNNING)
        return;
    reuse_twins_tick(r);
    reuse_ask_tick(r);
    if (reuse_busy(it))
        node_alive(it->g->node, it->task, it->g->now);
    reuse_go_on(r);
}

void reuse_end(struct item *it)
{
    if (it->reuse && !it->reuse->over)
        tell(it->reuse);
}

void reuse_named(struct engine *g)
{
    for (struct item *it = engine_next(g, NULL); it; it = engine_next(g, it))
        if (it->reuse && it->reuse->n_twins > 0)
            reuse_tick(it);
}

bool reuse_busy(const struct item *it)
{
    return it->reuse && (it->reuse->jobs > 0 || reuse_twins_wait(it->reuse));
}

void reuse_free(struct item *it)
{
    struct reuse *r = it->reuse;
    struct list_node *l;

    if (!r)
        return;
    while ((l = list_pop(&r->walks)) != NULL)
        free(LIST_OF(l, struct walk, node));
    reuse_ask_free(r);
    reuse_splits_free(r);
    anchors_free(r->anchors);
    for (uint32_t i = 0; i < r->n_olds; i++)
        free(r->olds[i].path);
    buf_fini(&r->warnings);
    free(r->olds);
    free(r->first);
    free(r->more);
    free(r->twins);
    free(r->ways);
    free(r->v);
    free(r);
    it->reuse = NULL;
}

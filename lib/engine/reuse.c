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
static void go_on(struct reuse *r);

void reuse_job_end(struct reuse *r)
{
    struct item *it = r->it;

    go_on(r);
    if (!r->running) {
        it->jobs--;
        before_is_over(r);
        return;
    }
    item_job_back(it);
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

static bool hashes_known(const struct reuse *r)
{
    return r->it->m->pieces || manifest_layers_missing(r->it->m, NULL) == 0;
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

/* Something has changed. */
static void go_on(struct reuse *r)
{
    if (r->it->dropped || r->planning)
        return;
    r->planning = true;
    if (!r->walked && hashes_known(r))
        reuse_walk_first(r);
    if (r->running || r->it->g->now < r->pause_at) {
        reuse_walk_all(r);
        while (r->walks.count == 0 && r->left > 0 && reuse_walk_more(r))
            reuse_walk_all(r);
    }
    if (r->running && r->walks.count == 0 && hashes_known(r))
        plan(r);
    if (r->running) {
        reuse_walk_all(r);
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
    r->pause_at = it->g->now + BEFORE_RUNNING;
    it->hashing++;
    go_on(r);
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
    go_on(r);
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
    go_on(r);
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

    if (!r)
        return;
    reuse_walks_free(r);
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

/*
 * Pieces side by side. In each round every lane brings up to a step of its piece's bytes, and all
 * of them are hashed at once; a lane whose piece is done takes the next one.
 */
#include "engine/scan_lane.h"

#include <p2p/base/mem.h>
#include <p2p/format/lanes.h>
#include <p2p/host/fileio.h>

#include <stdlib.h>

#define ROUND ((size_t)256 << 10) /* bytes of all lanes: they stay in the second-level cache */
#define ALONE ((size_t)128 << 10) /* where nothing is won by lanes */
#define SMALL (64u << 10)         /* pieces that are read whole */
#define MEMORY ((size_t)32 << 20) /* of all lanes of all slots */
#define AHEAD_MIN ((uint64_t)256 << 10)

/* ---- how many ---- */

static size_t memory_of(const struct manifest *m, size_t step)
{
    return step + (m->has_v2 ? (size_t)m->piece_length / LAYOUT_BLOCK * SHA256_LEN : 0);
}

/*
 * A piece of v1 is one message, so there should be as many pieces as the processor has lanes. Of
 * v2 every 16 KiB is one, and a round of one large piece is enough. Few large pieces are rather
 * shared out among threads than hashed side by side in one. Small ones, which end with their files
 * and are of any length, are read whole, and more of them at a time than there are lanes, or half
 * of these would wait for the longest.
 */
static unsigned lanes_wanted(const struct manifest *m, size_t threads)
{
    unsigned width = lanes_width(m->has_v1 ? DIGEST_SHA1 : DIGEST_SHA256);
    size_t fair = m->n_pieces / (threads ? threads : 1);

    if (!m->has_v1 && m->piece_length >= ROUND)
        width = 1;
    else if (m->has_v2 && m->piece_length <= SMALL && width > 1 && m->n_pieces > 0)
        width = (unsigned)(2 * ROUND / (m->size / m->n_pieces + 1));
    if (width > SCAN_LANES)
        width = SCAN_LANES;
    if (fair < width)
        width = fair > 0 ? (unsigned)fair : 1;
    return width > 0 ? width : 1;
}

struct scan_shape scan_shape_of(const struct manifest *m, size_t threads)
{
    struct scan_shape s = {.threads = threads, .slots = threads + threads / 4 + 1};

    s.lanes = lanes_wanted(m, threads);
    s.step = s.lanes > 1 ? ROUND / s.lanes : m->has_v1 ? ALONE : ROUND;
    if (m->has_v2 && m->piece_length <= SMALL)
        s.step = m->piece_length;
    else if (!m->has_v2 && s.lanes > 1 && m->size / m->n_files < SMALL)
        s.step = SMALL; /* fewer of the files are cut in two */
    while (s.lanes > 1 && s.lanes * s.slots * memory_of(m, s.step) > MEMORY)
        s.lanes--;
    return s;
}

/* ---- files ---- */

static int lane_close(struct scan_lanes *l, struct scan_lane *n)
{
    const struct scan_source *src = &l->run->h->source;
    uint32_t file = n->file;

    if (file == UINT32_MAX)
        return 0;
    n->file = UINT32_MAX;
    return src->close(src->ctx, file, &n->pin, &l->e);
}

static int lane_open(struct scan_lanes *l, struct scan_lane *n, uint32_t file)
{
    const struct scan_source *src = &l->run->h->source;
    int rc = 0;

    if (n->file == file)
        return 0;
    rc = lane_close(l, n);
    if (rc == 0)
        rc = src->open(src->ctx, file, &n->pin, &l->e);
    if (rc == 0) {
        n->file = file;
        n->ahead = 0;
    }
    return rc;
}

/* All lanes together ask for no more than what one alone would. */
static void ask_ahead(const struct scan_lanes *l, struct scan_lane *n)
{
    uint64_t at = n->seg.offset, left = n->seg.length, much = INTAKE_AHEAD / l->run->shape.lanes;

    if (much < AHEAD_MIN)
        much = AHEAD_MIN;
    if (at < n->ahead || left < AHEAD_MIN)
        return;
    n->ahead = at + (left < much ? left : much);
    intake_ahead(n->pin.fd, n->pin.base + at, n->ahead - at);
}

static int lane_read(struct scan_lanes *l, struct scan_lane *n, struct span to)
{
    const struct scan_source *src = &l->run->h->source;
    const struct manifest_file *f = &l->run->h->m->files[n->seg.file];

    if (src->whole && to.n == f->length && to.n <= INTAKE_WHOLE && n->file != n->seg.file)
        return src->whole(src->ctx, n->seg.file, to, &l->e);
    int rc = lane_open(l, n, n->seg.file);
    if (rc < 0)
        return rc;
    ask_ahead(l, n);
    int64_t got = fileio_pread(n->pin.fd, f->path, n->pin.base + n->seg.offset, to, &l->e);
    if (got < 0)
        return (int)got;
    return (size_t)got < to.n ? src->cut(src->ctx, n->seg.file, &l->e) : 0;
}

/* ---- pieces ---- */

static void lane_begin(struct scan_lanes *l, struct scan_lane *n, uint32_t piece,
                       struct scan_piece *out)
{
    const struct manifest *m = l->run->h->m;

    *out = (struct scan_piece){.file = UINT32_MAX};
    n->out = out;
    n->seg.length = 0;
    piecehash_begin(n->hash, m, piece);
    layout_iter_init(&n->iter, m, (uint64_t)piece * m->piece_length, layout_piece_len(m, piece));
}

static void lane_fail(struct scan_lane *n, int code)
{
    n->out->code = code;
    n->out->file = n->seg.file;
    n->out = NULL;
}

/* A round of one worker: bytes of pieces, and the padding that follows them. */
struct round {
    struct scan_lane *lane[SCAN_LANES];
    struct piecehash *h[SCAN_LANES];
    struct bytes b[SCAN_LANES];
    uint64_t zeros[SCAN_LANES], read;
    size_t n;
};

static void move_on(struct layout_seg *g, uint64_t n)
{
    g->offset += n;
    g->length -= n;
}

/*
 * Up to a step of what comes next in its piece, of as many files as that is of, and the padding
 * behind; how many bytes, or a failure.
 */
static int64_t lane_fill(struct scan_lanes *l, struct scan_lane *n, uint64_t *zeros)
{
    size_t step = l->run->shape.step, have = 0;

    *zeros = 0;
    while (n->seg.length > 0 || layout_iter_next(&n->iter, &n->seg)) {
        if (n->seg.pad) {
            *zeros += n->seg.length;
            move_on(&n->seg, n->seg.length);
            continue;
        }
        if (have == step || *zeros > 0)
            break;
        size_t take = n->seg.length < step - have ? (size_t)n->seg.length : step - have;
        int rc = lane_read(l, n, (struct span){n->mem + have, take});
        if (rc < 0)
            return rc;
        move_on(&n->seg, take);
        have += take;
    }
    return (int64_t)have;
}

/* The next part of its piece for a round; false if there is none: it is idle. */
static bool lane_next(struct scan_lanes *l, struct scan_lane *n, struct round *r)
{
    if (!n->out)
        return false;
    int64_t have = lane_fill(l, n, &r->zeros[r->n]);
    if (have < 0) {
        lane_fail(n, (int)have);
        return false;
    }
    r->b[r->n] = BYTES(n->mem, (size_t)have);
    r->h[r->n] = n->hash;
    r->lane[r->n++] = n;
    r->read += (uint64_t)have;
    return true;
}

/* Hashes the round; lanes at the end of their pieces are idle then. */
static void hash_round(struct round *r)
{
    struct piecehash_result out[SCAN_LANES];
    size_t ended = 0;

    piecehash_more_each(r->h, r->b, r->n);
    piecehash_zero_each(r->h, r->zeros, r->n);
    for (size_t i = 0; i < r->n; i++)
        if (r->lane[i]->seg.length == 0 && r->lane[i]->iter.at >= r->lane[i]->iter.end) {
            r->lane[ended] = r->lane[i];
            r->h[ended++] = r->h[i];
        }
    piecehash_end_each(r->h, out, ended);
    for (size_t i = 0; i < ended; i++) {
        memcpy(r->lane[i]->out->v1, out[i].v1, SHA1_LEN);
        memcpy(r->lane[i]->out->root, out[i].root, SHA256_LEN);
        r->lane[i]->out = NULL;
    }
}

struct todo {
    const uint32_t *pieces;
    struct scan_piece *out;
    size_t n, next;
};

/* Parts of every lane that has one, idle ones taking the next piece. */
static void gather(struct scan_lanes *l, struct todo *t, struct round *r)
{
    r->n = 0;
    r->read = 0;
    for (unsigned i = 0; i < l->run->shape.lanes; i++) {
        struct scan_lane *lane = &l->v[i];
        bool some = lane_next(l, lane, r);

        while (!some && t->next < t->n) {
            lane_begin(l, lane, t->pieces[t->next], &t->out[t->next]);
            t->next++;
            some = lane_next(l, lane, r);
        }
    }
    atomic_fetch_add_explicit(&l->run->done, r->read, memory_order_relaxed);
}

/* Nobody wants the rest any more. */
static void abandon(struct scan_lanes *l, struct todo *t)
{
    for (unsigned i = 0; i < l->run->shape.lanes; i++)
        if (l->v[i].out)
            lane_fail(&l->v[i], ERR_CANCELED);
    for (; t->next < t->n; t->next++)
        t->out[t->next] = (struct scan_piece){.code = ERR_CANCELED, .file = UINT32_MAX};
}

static size_t take_mem(struct scan_run *r)
{
    static _Thread_local size_t mine;

    while (atomic_exchange(&r->taken[mine %= r->shape.slots], true))
        mine++;
    return mine;
}

static void run_rounds(struct scan_lanes *l, struct todo *t)
{
    struct round r;

    for (gather(l, t, &r); r.n > 0; gather(l, t, &r)) {
        hash_round(&r);
        if (atomic_load_explicit(&l->run->stop, memory_order_relaxed) ||
            (l->e.code && !l->run->h->go_on)) {
            abandon(l, t);
            return;
        }
    }
}

void scan_lanes_run(struct scan_lanes *l, const uint32_t *pieces, struct scan_piece *out, size_t n)
{
    struct todo t = {.pieces = pieces, .out = out, .n = n};
    const struct scan_shape *s = &l->run->shape;
    size_t mem = take_mem(l->run);

    for (unsigned i = 0; i < s->lanes; i++)
        l->v[i].mem = l->run->mem + (mem * s->lanes + i) * s->step;
    err_clear(&l->e);
    run_rounds(l, &t);
    atomic_store(&l->run->taken[mem], false);
}

void scan_run_init(struct scan_run *r)
{
    r->mem = mem_array(r->shape.slots * r->shape.lanes, r->shape.step);
    r->taken = mem_zero(r->shape.slots * sizeof *r->taken);
}

void scan_run_fini(struct scan_run *r)
{
    free(r->mem);
    free(r->taken);
}

void scan_lanes_init(struct scan_lanes *l, struct scan_run *run)
{
    *l = (struct scan_lanes){.run = run};
    l->v = mem_array(run->shape.lanes, sizeof *l->v);
    for (unsigned i = 0; i < run->shape.lanes; i++)
        l->v[i] = (struct scan_lane){.hash = piecehash_new(), .file = UINT32_MAX};
}

int scan_lanes_fini(struct scan_lanes *l)
{
    int rc = 0;

    err_clear(&l->e);
    for (unsigned i = 0; i < l->run->shape.lanes; i++) {
        int next = lane_close(l, &l->v[i]);

        rc = rc < 0 ? rc : next;
        piecehash_free(l->v[i].hash);
    }
    free(l->v);
    return rc;
}

/*
 * What workers do: read old bytes, hash them, and write what matches from the very memory that was
 * hashed. Pieces that do not fit there are read twice, and hashed again as they are written.
 */
#include "engine/reuse.h"

#include <p2p/base/mem.h>
#include <p2p/format/lanes.h>
#include <p2p/format/layout.h>
#include <p2p/format/merkle.h>

#include <stdlib.h>

#define CHUNK ((size_t)4 << 20)
#define INDEX_CHUNK ((size_t)1 << 20)

/* The old files that a job reads, opened when first needed. */
struct opened {
    struct reuse *r;
    uint32_t old[REUSE_WAYS * 2];
    struct oldfile *f[REUSE_WAYS * 2];
    size_t n;
};

static void close_all(struct opened *o)
{
    for (size_t i = 0; i < o->n; i++)
        oldfile_free(o->f[i]);
    o->n = 0;
}

static struct oldfile *open_old(struct opened *o, uint32_t old)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->old[i] == old)
            return o->f[i];
    if (o->n == sizeof o->f / sizeof *o->f)
        close_all(o);
    struct oldfile *f = NULL;
    oldfile_open(&f, o->r->olds[old].path, NULL); /* gone: there is nothing in it */
    o->old[o->n] = old;
    o->f[o->n++] = f;
    return f;
}

/* Where the bytes of a segment are: along the way, if it is of that file; else in the old file that
 * its own most likely is. False: in the tree, or nowhere. */
static bool way_for(const struct reuse *r, const struct way *w, const struct layout_seg *g,
                    struct way *out)
{
    unsigned flags = tree_flags(r->it->tree, g->file);

    if ((flags & (TREE_FINAL | TREE_OURS)) == TREE_FINAL) /* it stands there, and is not written */
        return false;
    *out = *w;
    if (g->file == w->file)
        return true;
    *out = (struct way){.file = g->file, .old = r->first[g->file]};
    return out->old != REUSE_NONE;
}

static bool read_seg(struct opened *o, const struct way *w, const struct layout_seg *g, uint8_t *to)
{
    struct span s = {to, (size_t)g->length};
    struct way at;

    if (g->pad) {
        memset(to, 0, s.n);
        return true;
    }
    if (!way_for(o->r, w, g, &at))
        return tree_pread(o->r->it->tree, g->file, g->offset, s, NULL) == (int64_t)s.n;
    if (at.shift < 0 && g->offset < (uint64_t)-at.shift)
        return false;
    struct oldfile *f = open_old(o, at.old);
    return f && oldfile_pread(f, g->offset + (uint64_t)at.shift, s, NULL) == (int64_t)s.n;
}

/* Content [off, off + n) into memory; false: it is not all there. */
static bool read_range(struct opened *o, const struct way *w, uint64_t off, uint64_t n, uint8_t *to)
{
    struct layout_iter it;
    struct layout_seg g;

    layout_iter_init(&it, o->r->it->m, off, n);
    while (layout_iter_next(&it, &g)) {
        if (!read_seg(o, w, &g, to))
            return false;
        to += g.length;
    }
    return true;
}

static int write_range(struct opened *o, const struct way *w, uint64_t off, struct bytes b,
                       struct err *e)
{
    struct layout_iter it;
    struct layout_seg g;
    int rc = 0;

    layout_iter_init(&it, o->r->it->m, off, b.n);
    while (rc == 0 && layout_iter_next(&it, &g)) {
        struct bytes part = BYTES(b.p, (size_t)g.length);
        struct way at;

        b = BYTES(b.p + part.n, b.n - part.n);
        if (g.pad || !way_for(o->r, w, &g, &at))
            continue;
        struct oldfile *f = open_old(o, at.old);
        rc = f ? oldfile_place(f, g.offset + (uint64_t)at.shift, part, o->r->it->tree, g.file,
                               g.offset, NULL, e)
               : tree_pwrite(o->r->it->tree, g.file, g.offset, &part, 1, e);
    }
    return rc;
}

/* ---- whole pieces ---- */

static struct piecehash *begin_hash(const struct reuse *r, const struct try_piece *p)
{
    struct piecehash *h = piecehash_new();

    piecehash_begin_halves(h, r->it->m, p->piece, !p->has_root, true);
    return h;
}

/* One half is proof enough; v2's is the stronger, where it is known. */
static void judge(struct try_piece *p, struct piecehash *h)
{
    struct piecehash_result res;

    piecehash_end(h, &res);
    p->hit = p->has_root ? memcmp(p->root, res.root, SHA256_LEN) == 0
                         : p->has_v1 && memcmp(p->v1, res.v1, SHA1_LEN) == 0;
    if (p->hit && !p->leaves && res.n_leaves > 0) {
        p->n_leaves = res.n_leaves;
        p->leaves = mem_dup(res.leaves, (size_t)res.n_leaves * SHA256_LEN);
    }
}

static uint64_t start_of(const struct reuse *r, uint32_t piece)
{
    return (uint64_t)piece * r->it->m->piece_length;
}

/* Part by part, and each part written if `write`. */
static void try_large(struct try_job *j, struct opened *o, struct try_piece *p, uint8_t *mem,
                      bool write)
{
    uint64_t at = start_of(j->r, p->piece), end = at + layout_piece_len(j->r->it->m, p->piece);
    struct piecehash *h = begin_hash(j->r, p);

    p->hit = false;
    for (; at < end && j->code == 0; at += CHUNK) {
        struct bytes b = BYTES(mem, end - at < CHUNK ? (size_t)(end - at) : CHUNK);

        if (!read_range(o, &j->way, at, b.n, mem))
            break;
        piecehash_more(h, b);
        if (write)
            j->code = write_range(o, &j->way, at, b, &j->e);
    }
    if (at >= end && j->code == 0)
        judge(p, h);
    piecehash_free(h);
}

static void try_small(struct try_job *j, struct opened *o, uint8_t *mem)
{
    struct piecehash *h[REUSE_BATCH];
    struct bytes b[REUSE_BATCH];
    struct try_piece *of[REUSE_BATCH];
    size_t n = 0;

    for (size_t i = 0; i < j->n; i++) {
        struct try_piece *p = &j->v[i];
        uint32_t len = layout_piece_len(j->r->it->m, p->piece);

        if (!read_range(o, &j->way, start_of(j->r, p->piece), len, mem))
            continue;
        h[n] = begin_hash(j->r, p);
        b[n] = BYTES(mem, len);
        of[n++] = p;
        mem += len;
    }
    piecehash_more_each(h, b, n);
    for (size_t i = 0; i < n; i++) {
        judge(of[i], h[i]);
        if (of[i]->hit && j->code == 0)
            j->code = write_range(o, &j->way, start_of(j->r, of[i]->piece), b[i], &j->e);
        piecehash_free(h[i]);
    }
}

void reuse_judge_bytes(const struct reuse *r, struct try_piece *p, struct bytes b)
{
    struct piecehash *h = begin_hash(r, p);

    piecehash_more(h, b);
    judge(p, h);
    piecehash_free(h);
}

static bool read_tree(struct reuse *r, uint64_t off, uint32_t n, uint8_t *to)
{
    struct layout_iter it;
    struct layout_seg g;

    layout_iter_init(&it, r->it->m, off, n);
    for (; layout_iter_next(&it, &g); to += g.length) {
        struct span s = {to, (size_t)g.length};

        if (g.pad)
            memset(to, 0, s.n);
        else if (tree_pread(r->it->tree, g.file, g.offset, s, NULL) != (int64_t)s.n)
            return false;
    }
    return true;
}

bool reuse_read_along(struct reuse *r, const struct way *w, uint64_t off, uint32_t n, uint8_t *to)
{
    struct opened o = {.r = r};
    bool all = w ? read_range(&o, w, off, n, to) : read_tree(r, off, n, to);

    close_all(&o);
    return all;
}

int reuse_write_along(struct reuse *r, const struct way *w, uint64_t off, struct bytes b,
                      struct err *e)
{
    struct opened o = {.r = r};
    int rc = write_range(&o, w, off, b, e);

    close_all(&o);
    return rc;
}

void reuse_try(void *job)
{
    struct try_job *j = job;
    struct opened o = {.r = j->r};
    uint64_t bytes = 0;

    for (size_t i = 0; i < j->n; i++)
        bytes += layout_piece_len(j->r->it->m, j->v[i].piece);
    bool large = j->n == 1 && bytes > REUSE_BATCH_BYTES;
    uint8_t *mem = mem_alloc(large ? CHUNK : (size_t)bytes);
    if (large) {
        try_large(j, &o, &j->v[0], mem, false);
        if (j->v[0].hit)
            try_large(j, &o, &j->v[0], mem, true);
    } else {
        try_small(j, &o, mem);
    }
    free(mem);
    close_all(&o);
}

/* ---- blocks of a piece whose leaves are known ---- */

static void match_along(struct blocks_job *j, struct opened *o, size_t k, uint8_t *mem)
{
    const struct manifest *m = j->r->it->m;
    struct lanes_job *jobs = mem_array(j->n, sizeof *jobs);
    uint8_t *got = mem_array(j->n, SHA256_LEN);
    size_t n = 0;

    for (uint32_t b = 0; b < j->n; b++) {
        uint32_t len = layout_block_len(m, j->piece, b);
        uint8_t *at = mem + (size_t)b * LAYOUT_BLOCK;

        if (len > 0 && !j->along[b] &&
            read_range(o, &j->way[k], start_of(j->r, j->piece) + (uint64_t)b * LAYOUT_BLOCK, len,
                       at))
            jobs[n++] =
                (struct lanes_job){.b = BYTES(at, len), .out = got + (size_t)b * SHA256_LEN};
    }
    lanes_run(DIGEST_SHA256, jobs, n);
    for (size_t i = 0; i < n; i++) {
        size_t b = (size_t)(jobs[i].out - got) / SHA256_LEN;

        if (memcmp(jobs[i].out, j->leaves + b * SHA256_LEN, SHA256_LEN) == 0)
            j->along[b] = (uint8_t)(k + 1);
    }
    free(jobs);
    free(got);
}

/* Neighbours that were found along the same way go together. */
static void write_matched(struct blocks_job *j, struct opened *o, size_t k, const uint8_t *mem)
{
    const struct manifest *m = j->r->it->m;

    for (uint32_t b = 0; b < j->n && j->code == 0;) {
        uint32_t first = b;
        size_t bytes = 0;

        while (b < j->n && j->along[b] == k + 1)
            bytes += layout_block_len(m, j->piece, b++);
        if (bytes > 0)
            j->code = write_range(o, &j->way[k],
                                  start_of(j->r, j->piece) + (uint64_t)first * LAYOUT_BLOCK,
                                  BYTES(mem + (size_t)first * LAYOUT_BLOCK, bytes), &j->e);
        else
            b++;
    }
}

void reuse_try_blocks(void *job)
{
    struct blocks_job *j = job;
    struct opened o = {.r = j->r};
    uint8_t *mem = mem_alloc((size_t)j->n * LAYOUT_BLOCK);

    j->along = mem_zero(j->n);
    for (size_t k = 0; k < j->n_ways && j->code == 0; k++) {
        match_along(j, &o, k, mem);
        write_matched(j, &o, k, mem);
    }
    free(mem);
    close_all(&o);
}

/* ---- looking for bytes ---- */

void reuse_index(void *reuse)
{
    struct reuse *r = reuse;
    uint8_t *mem = mem_alloc(INDEX_CHUNK);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < r->n_indexed; i++)
        sum += r->olds[i].size;
    r->anchors = anchors_new(sum);
    for (uint32_t i = 0; i < r->n_indexed; i++) {
        struct oldfile *f = NULL;
        uint64_t from = 0, to = 0;

        if (oldfile_open(&f, r->olds[i].path, NULL) < 0)
            continue;
        while (!r->it->dropped && oldfile_data(f, to, &from, &to)) {
            for (uint64_t at = from; at < to && !r->it->dropped;) {
                size_t n = to - at < INDEX_CHUNK ? (size_t)(to - at) : INDEX_CHUNK;
                int64_t got = oldfile_pread(f, at, (struct span){mem, n}, NULL);

                if (got <= 0)
                    break;
                anchors_add(r->anchors, i, at, BYTES(mem, (size_t)got));
                if (got < (int64_t)n || at + n >= to)
                    break;
                at += n - ANCHORS_WINDOW;
            }
        }
        oldfile_free(f);
    }
    free(mem);
}

/* Bytes of b that are as they are there. */
static size_t alike(const struct oldfile *f, int64_t at, struct bytes b)
{
    uint8_t mem[LAYOUT_BLOCK];
    size_t same = 0, skip = at < 0 ? (size_t)-at : 0;

    if (skip >= b.n)
        return 0;
    int64_t got =
        oldfile_pread(f, (uint64_t)(at + (int64_t)skip), (struct span){mem, b.n - skip}, NULL);
    for (int64_t i = 0; i < got; i++)
        same += mem[i] == b.p[skip + (size_t)i];
    return same;
}

/* The longest segment of the block: of one file, so that one way may lead to it. */
static bool longest(const struct lookup *l, struct layout_seg *out)
{
    struct layout_iter it;
    struct layout_seg g;

    layout_iter_init(&it, l->r->it->m, l->offset, l->length);
    while (layout_iter_next(&it, &g))
        if (!g.pad && g.length > out->length)
            *out = g;
    return out->length > 0;
}

void reuse_look_up(void *lookup)
{
    struct lookup *l = lookup;
    struct opened o = {.r = l->r};
    uint8_t mem[LAYOUT_BLOCK];
    struct anchors_match v[ANCHORS_FOUND];
    size_t best[2] = {0, 0};
    struct layout_seg g = {0};

    if (!longest(l, &g) || g.length > sizeof mem ||
        tree_pread(l->r->it->tree, g.file, g.offset, (struct span){mem, (size_t)g.length}, NULL) !=
            (int64_t)g.length)
        return;
    struct bytes b = BYTES(mem, (size_t)g.length);
    size_t n = anchors_find(l->r->anchors, b, v);
    for (size_t i = 0; i < n; i++) {
        struct oldfile *f = open_old(&o, v[i].source);
        size_t same = f ? alike(f, v[i].shift, b) : 0;
        struct way w = {g.file, v[i].source, v[i].shift - (int64_t)g.offset};

        if (same < b.n / 16)
            continue; /* by chance */
        if (same > best[0]) {
            best[1] = best[0];
            l->way[1] = l->way[0];
            best[0] = same;
            l->way[0] = w;
        } else if (same > best[1]) {
            best[1] = same;
            l->way[1] = w;
        }
    }
    l->n_ways = best[1] ? 2 : best[0] ? 1 : 0;
    close_all(&o);
}

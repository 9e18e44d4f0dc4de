/*
 * Reading pieces and hashing them, in one pass with a small buffer: a piece may have 512 MiB, and
 * as many jobs are under way as there are threads.
 */
#include "engine/piecejob.h"

#include <p2p/base/mem.h>
#include <p2p/format/digest.h>
#include <p2p/format/layout.h>

#include <errno.h>
#include <stdlib.h>

#define CHUNK ((size_t)64 << 10)  /* below the size from which malloc maps pages anew each time */
#define ROUND ((size_t)256 << 10) /* of all lanes: stays in the second-level cache */

void piecejob_init(struct piecejob *j, const struct manifest *m, struct tree *tree, uint32_t piece,
                   bool v1, bool v2)
{
    *j = (struct piecejob){
        .m = m, .tree = tree, .piece = piece, .v1 = v1, .v2 = v2, .file = UINT32_MAX};
}

static int lacking(struct piecejob *j, uint32_t file, int code)
{
    char *path = tree_path(j->tree, file);

    j->file = file;
    /* What stands there and is no file of ours is absent to us as well. */
    if (code == ERR_IO && (j->e.os == ENOENT || j->e.os == ENOTDIR)) {
        err_clear(&j->e);
        code = ERR_NOTFOUND;
    }
    err_set(&j->e, code, "%s: piece %u is not all there", path, (unsigned)j->piece);
    free(path);
    return code;
}

/*
 * A v1 manifest names no leaves, but blame compares the blocks of its pieces by them: SHA-256 of
 * each 16 KiB, padding as zeros, whatever files they lie in.
 */
struct blocks {
    struct digest *d; /* NULL: piecehash does it */
    uint8_t *leaves;
    uint32_t n, filled; /* of the block that n counts already */
};

static void blocks_more(struct blocks *k, struct bytes b)
{
    while (b.n > 0) {
        if (k->filled == 0) {
            digest_begin(k->d);
            k->leaves = mem_grow(k->leaves, ++k->n, SHA256_LEN);
        }
        size_t room = LAYOUT_BLOCK - k->filled, n = b.n < room ? b.n : room;
        digest_more(k->d, BYTES(b.p, n));
        k->filled += (uint32_t)n;
        b = BYTES(b.p + n, b.n - n);
        if (k->filled == LAYOUT_BLOCK) {
            digest_end(k->d, k->leaves + (size_t)(k->n - 1) * SHA256_LEN);
            k->filled = 0;
        }
    }
}

static void blocks_end(struct blocks *k, struct piecehash_result *r)
{
    if (k->filled > 0)
        digest_end(k->d, k->leaves + (size_t)(k->n - 1) * SHA256_LEN);
    r->leaves = k->leaves;
    r->n_leaves = k->n;
    k->leaves = NULL;
}

/* ---- side by side ---- */

struct lane {
    struct piecejob *j; /* NULL: it is done */
    struct piecehash *h;
    struct blocks k;
    struct layout_iter it;
    struct layout_seg seg;
    uint8_t *mem;
    size_t part, taken; /* of piecejob.parts: this one, so much of it */
};

static void lane_begin(struct lane *l, struct piecejob *j, uint8_t *mem)
{
    *l = (struct lane){.j = j, .mem = mem};
    if (j->v2 && !j->v1 && !j->m->has_v2) {
        l->k.d = digest_new(DIGEST_SHA256);
    } else {
        l->h = piecehash_new();
        piecehash_begin_halves(l->h, j->m, j->piece, j->v1, j->v2);
    }
    layout_iter_init(&l->it, j->m, (uint64_t)j->piece * j->m->piece_length,
                     layout_piece_len(j->m, j->piece));
}

static void lane_end(struct lane *l, int code)
{
    struct piecehash_result *r = &l->j->r;

    l->j->code = code;
    if (code == 0 && l->k.d) {
        blocks_end(&l->k, r);
    } else if (code == 0) {
        piecehash_end(l->h, r);
        r->leaves = r->n_leaves ? mem_dup(r->leaves, (size_t)r->n_leaves * SHA256_LEN) : NULL;
    }
    free(l->k.leaves);
    digest_free(l->k.d);
    piecehash_free(l->h);
    l->j = NULL;
}

/* From memory. */
static struct bytes lane_part(struct lane *l, size_t most)
{
    struct piecejob *j = l->j;

    while (l->part < j->n_parts && l->taken == j->parts[l->part].n) {
        l->part++;
        l->taken = 0;
    }
    if (l->part == j->n_parts) {
        lane_end(l, 0);
        return BYTES(NULL, 0);
    }
    const struct bytes *p = &j->parts[l->part];
    size_t n = p->n - l->taken < most ? p->n - l->taken : most;
    l->taken += n;
    return BYTES(p->p + l->taken - n, n);
}

/* The next bytes of its piece, as many as `most`; none: it has ended. */
static struct bytes lane_next(struct lane *l, size_t most)
{
    struct piecejob *j = l->j;
    int64_t got;

    if (j->n_parts > 0)
        return lane_part(l, most);
    if (l->seg.length == 0 && !layout_iter_next(&l->it, &l->seg)) {
        lane_end(l, 0);
        return BYTES(NULL, 0);
    }
    size_t n = l->seg.length < most ? (size_t)l->seg.length : most;
    if (l->seg.pad) {
        memset(l->mem, 0, n);
    } else {
        got = tree_pread(j->tree, l->seg.file, l->seg.offset, (struct span){l->mem, n}, &j->e);
        j->read += got > 0 ? (uint64_t)got : 0;
        if (got < (int64_t)n) {
            lane_end(l, lacking(j, l->seg.file, got < 0 ? (int)got : ERR_NOTFOUND));
            return BYTES(NULL, 0);
        }
    }
    l->seg.offset += n;
    l->seg.length -= n;
    return BYTES(l->mem, n);
}

/* A step of every lane; false: all have ended. */
static bool advance(struct lane *v, size_t n, size_t step)
{
    struct piecehash *h[PIECEJOB_MOST];
    struct bytes b[PIECEJOB_MOST];
    size_t busy = 0;
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        struct bytes next = v[i].j ? lane_next(&v[i], step) : BYTES(NULL, 0);

        any |= next.n > 0;
        if (next.n > 0 && v[i].k.d) {
            blocks_more(&v[i].k, next);
        } else if (next.n > 0) {
            h[busy] = v[i].h;
            b[busy++] = next;
        }
    }
    piecehash_more_each(h, b, busy);
    return any;
}

void piecejob_run_each(struct piecejob *const *v, size_t n)
{
    struct lane lane[PIECEJOB_MOST];
    size_t step = n > ROUND / CHUNK ? ROUND / n : CHUNK;
    uint8_t *mem = mem_alloc(step * n);

    for (size_t i = 0; i < n; i++)
        lane_begin(&lane[i], v[i], mem + i * step);
    while (advance(lane, n, step))
        ;
    free(mem);
}

void piecejob_run(struct piecejob *j)
{
    piecejob_run_each(&j, 1);
}

void piecejob_fini(struct piecejob *j)
{
    bytes_free(BYTES(j->r.leaves, 1)); /* ours, though the result's type only borrows */
    memset(&j->r, 0, sizeof j->r);
}

/*
 * Reading a piece and hashing it, in one pass with a small buffer: a piece may have 512 MiB, and
 * as many pieces are under way as there are threads.
 */
#include <p2p/engine/piecejob.h>

#include <p2p/base/mem.h>
#include <p2p/format/digest.h>
#include <p2p/format/layout.h>

#include <errno.h>
#include <stdlib.h>

#define CHUNK (64u << 10) /* below the size from which malloc maps pages anew each time */

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

static void blocks_zero(struct blocks *k, uint64_t length)
{
    static const uint8_t zeros[LAYOUT_BLOCK];

    while (length > 0) {
        size_t n = length < sizeof zeros ? (size_t)length : sizeof zeros;
        blocks_more(k, BYTES(zeros, n));
        length -= n;
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

static int hash_segment(struct piecejob *j, struct piecehash *h, struct blocks *k,
                        const struct layout_seg *s, uint8_t *mem)
{
    for (uint64_t at = 0; at < s->length;) {
        size_t n = s->length - at < CHUNK ? (size_t)(s->length - at) : CHUNK;
        int64_t got = tree_pread(j->tree, s->file, s->offset + at, (struct span){mem, n}, &j->e);

        if (got < 0)
            return lacking(j, s->file, (int)got);
        j->read += (uint64_t)got;
        if ((size_t)got < n)
            return lacking(j, s->file, ERR_NOTFOUND);
        if (k->d)
            blocks_more(k, BYTES(mem, n));
        else
            piecehash_more(h, BYTES(mem, n));
        at += n;
    }
    return 0;
}

static int hash_all(struct piecejob *j, struct piecehash *h, struct blocks *k, uint8_t *mem)
{
    struct layout_iter it;
    struct layout_seg s;
    uint64_t start = (uint64_t)j->piece * j->m->piece_length;

    piecehash_begin_halves(h, j->m, j->piece, j->v1, j->v2);
    layout_iter_init(&it, j->m, start, layout_piece_len(j->m, j->piece));
    while (layout_iter_next(&it, &s)) {
        int rc = 0;

        if (s.pad && k->d)
            blocks_zero(k, s.length);
        else if (s.pad)
            piecehash_zero(h, s.length);
        else
            rc = hash_segment(j, h, k, &s, mem);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void piecejob_run(struct piecejob *j)
{
    struct piecehash *h = piecehash_new();
    uint8_t *mem = mem_alloc(CHUNK);
    struct blocks k = {0};

    if (j->v2 && !j->v1 && !j->m->has_v2)
        k.d = digest_new(DIGEST_SHA256);
    j->code = hash_all(j, h, &k, mem);
    if (j->code == 0 && k.d) {
        blocks_end(&k, &j->r);
    } else if (j->code == 0) {
        piecehash_end(h, &j->r);
        j->r.leaves =
            j->r.n_leaves ? mem_dup(j->r.leaves, (size_t)j->r.n_leaves * SHA256_LEN) : NULL;
    }
    free(k.leaves);
    digest_free(k.d);
    free(mem);
    piecehash_free(h);
}

void piecejob_fini(struct piecejob *j)
{
    bytes_free(BYTES(j->r.leaves, 1)); /* ours, though the result's type only borrows */
    memset(&j->r, 0, sizeof j->r);
}

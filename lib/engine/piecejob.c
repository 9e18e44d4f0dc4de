/*
 * Reading a piece and hashing it, in one pass with a small buffer: a piece may have 512 MiB, and
 * as many pieces are under way as there are threads.
 */
#include <p2p/engine/piecejob.h>

#include <p2p/base/mem.h>
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

static int hash_segment(struct piecejob *j, struct piecehash *h, const struct layout_seg *s,
                        uint8_t *mem)
{
    for (uint64_t at = 0; at < s->length;) {
        size_t n = s->length - at < CHUNK ? (size_t)(s->length - at) : CHUNK;
        int64_t got = tree_pread(j->tree, s->file, s->offset + at, (struct span){mem, n}, &j->e);

        if (got < 0)
            return lacking(j, s->file, (int)got);
        j->read += (uint64_t)got;
        if ((size_t)got < n)
            return lacking(j, s->file, ERR_NOTFOUND);
        piecehash_more(h, BYTES(mem, n));
        at += n;
    }
    return 0;
}

static int hash_all(struct piecejob *j, struct piecehash *h, uint8_t *mem)
{
    struct layout_iter it;
    struct layout_seg s;
    uint64_t start = (uint64_t)j->piece * j->m->piece_length;

    piecehash_begin_halves(h, j->m, j->piece, j->v1, j->v2);
    layout_iter_init(&it, j->m, start, layout_piece_len(j->m, j->piece));
    while (layout_iter_next(&it, &s)) {
        int rc = 0;

        if (s.pad)
            piecehash_zero(h, s.length);
        else
            rc = hash_segment(j, h, &s, mem);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void piecejob_run(struct piecejob *j)
{
    struct piecehash *h = piecehash_new();
    uint8_t *mem = mem_alloc(CHUNK);

    j->code = hash_all(j, h, mem);
    if (j->code == 0) {
        piecehash_end(h, &j->r);
        j->r.leaves =
            j->r.n_leaves ? mem_dup(j->r.leaves, (size_t)j->r.n_leaves * SHA256_LEN) : NULL;
    }
    free(mem);
    piecehash_free(h);
}

void piecejob_fini(struct piecejob *j)
{
    bytes_free(BYTES(j->r.leaves, 1)); /* ours, though the result's type only borrows */
    memset(&j->r, 0, sizeof j->r);
}

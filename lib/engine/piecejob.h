/*
 * One piece read from the disk and hashed: a job that needs nothing but itself, for worker threads
 * (loop_work, workers_submit). The files of the tree are those of the manifest, one for one and in
 * its order. Pads and gaps are zeros and are never read.
 *
 *     piecejob_init(&j, m, tree, piece, v1, v2);   // any thread
 *     piecejob_run(&j);                            // a worker
 *     … j.code, j.r …                              // whoever gets it back
 *     piecejob_fini(&j);
 *
 * The manifest and the tree are borrowed until piecejob_fini. Only the layout of the manifest is
 * read, so piece layers may be set meanwhile; holding the result against it (piecehash_check) is
 * for the thread that owns it.
 */
#ifndef LIB_ENGINE_PIECEJOB_H
#define LIB_ENGINE_PIECEJOB_H

#include <p2p/base/err.h>
#include <p2p/format/lanes.h>
#include <p2p/format/piecehash.h>
#include <p2p/host/tree.h>

struct piecejob {
    const struct manifest *m;
    struct tree *tree;
    uint32_t piece;
    bool v1, v2; /* halves to hash, of those the manifest has */
    const struct bytes *parts; /* its bytes, pads too, if they need not be read; borrowed */
    size_t n_parts;

    int code; /* 0; ERR_NOTFOUND: not all of the bytes are there; ERR_IO: they cannot be read */
    struct err e;
    uint32_t file; /* the first that is absent or short, or cannot be read; UINT32_MAX: none */
    uint64_t read; /* bytes read */
    struct piecehash_result r; /* if code is 0. r.leaves is owned by the job */
};

void piecejob_init(struct piecejob *j, const struct manifest *m, struct tree *tree, uint32_t piece,
                   bool v1, bool v2);
void piecejob_run(struct piecejob *j);
/* The same for up to PIECEJOB_MOST at once, each with its own result: a SIMD lane for each v1 piece
 * (format/lanes.h). */
#define PIECEJOB_MOST LANES_MAX
void piecejob_run_each(struct piecejob *const *v, size_t n);
void piecejob_fini(struct piecejob *j); /* also of one that never ran */

#endif

/*
 * Hashing what is on the disk and not vouched for, piece by piece on the worker threads. A v2 file
 * whose piece layer is not known yet (its manifest came by a link) proves itself as a whole: the
 * roots of all its pieces together must make its own.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/format/layout.h>
#include <p2p/format/merkle.h>

#include <stdlib.h>

struct hash_job {
    struct item *item;
    struct piecejob p;
};

static void hash_more(struct item *it);

/* One half is proof enough; v2's is the stronger, where it is known. */
static bool matches(const struct manifest *m, uint32_t piece, const struct piecehash_result *r,
                    bool v2)
{
    if (v2)
        return memcmp(piecehash_expected_root(m, piece), r->root, SHA256_LEN) == 0;
    return memcmp(m->pieces + (size_t)piece * SHA1_LEN, r->v1, SHA1_LEN) == 0;
}

static void hash_run(void *arg)
{
    struct hash_job *j = arg;

    piecejob_run(&j->p);
}

static void keep_root(struct item *it, uint32_t piece, const uint8_t root[SHA256_LEN])
{
    if (!it->roots) {
        it->roots = mem_array(it->m->n_pieces, SHA256_LEN);
        bits_init(&it->rooted, it->m->n_pieces);
    }
    memcpy(it->roots + (size_t)piece * SHA256_LEN, root, SHA256_LEN);
    bits_set(&it->rooted, piece);
}

static void hash_done(void *arg)
{
    struct hash_job *j = arg;
    struct item *it = j->item;
    uint32_t piece = j->p.piece;

    engine_job_done(it->g);
    it->hashing--;
    it->hashed += layout_piece_len(it->m, piece);
    if (j->p.code == 0 && j->p.v2 && !piecehash_expected_root(it->m, piece))
        keep_root(it, piece, j->p.r.root);
    else if (j->p.code == 0 && matches(it->m, piece, &j->p.r, j->p.v2))
        bits_set(&it->have, piece);
    piecejob_fini(&j->p);
    free(j);
    it->jobs--;
    hash_more(it);
}

static void hash_one(struct item *it, uint32_t piece)
{
    bool v2 = piecehash_expected_root(it->m, piece) || !it->m->pieces;
    struct hash_job *j = mem_zero(sizeof *j);

    j->item = it;
    piecejob_init(&j->p, it->m, it->tree, piece, !v2, v2);
    it->hashing++;
    it->jobs++;
    engine_work(it->g, hash_run, hash_done, j);
}

/* With its roots known, the file has its layer again too, if the manifest is still ours. */
static void prove_file(struct item *it, uint32_t file)
{
    const struct manifest_file *f = &it->m->files[file];
    uint8_t root[SHA256_LEN];
    uint32_t first, end;

    if (!f->root || f->layer || f->length <= it->m->piece_length)
        return;
    layout_file_pieces(it->m, file, &first, &end);
    if (bits_next(&it->rooted, first, false) < end)
        return;
    const uint8_t *layer = it->roots + (size_t)first * SHA256_LEN;
    size_t n = end - first;
    merkle_root(root, layer, n, (size_t)num_pow2_ceil(n),
                num_log2(it->m->piece_length / MERKLE_BLOCK));
    if (memcmp(root, f->root, SHA256_LEN) != 0)
        return;
    for (uint32_t p = first; p < end; p++)
        bits_set(&it->have, p);
    if (it->own)
        manifest_set_layer(it->own, file, BYTES(layer, n * SHA256_LEN), NULL);
}

static void prove_files(struct item *it)
{
    for (uint32_t i = 0; i < it->m->n_files && it->roots; i++)
        prove_file(it, i);
    free(it->roots);
    it->roots = NULL;
    bits_fini(&it->rooted);
}

static void hash_more(struct item *it)
{
    uint32_t most = (uint32_t)loop_workers(it->g->loop);

    while (!it->dropped && it->hashing < most && it->check_at < it->check.n) {
        uint32_t piece = (uint32_t)bits_next(&it->check, it->check_at, true);

        it->check_at = piece + 1;
        if (piece < it->check.n)
            hash_one(it, piece);
    }
    if (it->hashing > 0 || (!it->dropped && it->check_at < it->check.n))
        return;
    prove_files(it);
    if (!reuse_first(it))
        item_hashed(it);
}

void hash_begin(struct item *it)
{
    it->phase = ITEM_HASHING;
    hash_more(it);
}

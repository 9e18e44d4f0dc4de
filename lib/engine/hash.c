/* Hashing what is on the disk and not vouched for, piece by piece on the worker threads. */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

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

static void hash_done(void *arg)
{
    struct hash_job *j = arg;
    struct item *it = j->item;

    engine_job_done(it->g);
    it->hashing--;
    it->hashed += layout_piece_len(it->m, j->p.piece);
    if (j->p.code == 0 && matches(it->m, j->p.piece, &j->p.r, j->p.v2))
        bits_set(&it->have, j->p.piece);
    piecejob_fini(&j->p);
    free(j);
    it->jobs--;
    hash_more(it);
}

static bool hash_one(struct item *it, uint32_t piece)
{
    bool v2 = piecehash_expected_root(it->m, piece) != NULL;

    if (!v2 && !it->m->pieces)
        return false; /* nothing is known to hold it against: it is fetched */
    struct hash_job *j = mem_zero(sizeof *j);
    j->item = it;
    piecejob_init(&j->p, it->m, it->tree, piece, !v2, v2);
    it->hashing++;
    it->jobs++;
    engine_work(it->g, hash_run, hash_done, j);
    return true;
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
    if (it->hashing == 0 && (it->dropped || it->check_at >= it->check.n))
        item_hashed(it);
}

void hash_begin(struct item *it)
{
    it->phase = ITEM_HASHING;
    hash_more(it);
}

/*
 * One piece's bytes, hashed under the rules of its manifest as they pass. A piece of a manifest
 * with a v2 half begins with the bytes of one file and has nothing of another (BEP 52), so what
 * follows the file's bytes is padding: part of the v1 hash, no part of the tree.
 */
#include <p2p/format/piecehash.h>

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/format/layout.h>
#include <p2p/format/merkle.h>
#include <stdlib.h>

struct piecehash {
    struct digest *sha1, *sha256;
    bool v1, v2;
    uint64_t data_left;  /* bytes of the file still to come (v2) */
    uint32_t leaf_fill;  /* bytes in the leaf that is open */
    uint8_t *leaves;
    size_t n_leaves, cap_leaves;
    size_t width;        /* leaves of the piece's tree, padding included */
};

struct piecehash *piecehash_new(void)
{
    struct piecehash *h = mem_zero(sizeof *h);
    h->sha1 = digest_new(DIGEST_SHA1);
    h->sha256 = digest_new(DIGEST_SHA256);
    return h;
}

void piecehash_free(struct piecehash *h)
{
    if (!h)
        return;
    digest_free(h->sha1);
    digest_free(h->sha256);
    free(h->leaves);
    free(h);
}

void piecehash_begin(struct piecehash *h, const struct manifest *m, uint32_t piece)
{
    piecehash_begin_halves(h, m, piece, true, true);
}

void piecehash_begin_halves(struct piecehash *h, const struct manifest *m, uint32_t piece, bool v1,
                            bool v2)
{
    uint32_t file, index;
    h->v1 = v1 && m->has_v1;
    h->v2 = v2 && layout_piece_file(m, piece, &file, &index);
    h->data_left = 0;
    h->leaf_fill = 0;
    h->n_leaves = 0;
    h->width = 0;
    if (h->v2) {
        const struct manifest_file *f = &m->files[file];
        uint64_t left = f->length - (uint64_t)index * m->piece_length;
        h->data_left = left < m->piece_length ? left : m->piece_length;
        /* The tree of a file of one piece or less ends with the file, not with the piece. */
        uint64_t span = f->length <= m->piece_length ? f->length : m->piece_length;
        h->width = (size_t)num_pow2_ceil(merkle_blocks(span));
        if (h->width > h->cap_leaves) {
            h->leaves = mem_grow(h->leaves, h->width, SHA256_LEN);
            h->cap_leaves = h->width;
        }
        digest_begin(h->sha256);
    }
    if (h->v1)
        digest_begin(h->sha1);
}

static void leaf_done(struct piecehash *h)
{
    digest_end(h->sha256, h->leaves + h->n_leaves++ * SHA256_LEN);
    digest_begin(h->sha256);
    h->leaf_fill = 0;
}

/* The file's bytes, cut into leaves of 16 KiB. */
static void more_leaves(struct piecehash *h, struct bytes b)
{
    size_t n = b.n < h->data_left ? b.n : (size_t)h->data_left;
    h->data_left -= n;
    while (n > 0) {
        size_t take = MERKLE_BLOCK - h->leaf_fill;
        if (take > n)
            take = n;
        digest_more(h->sha256, BYTES(b.p, take));
        h->leaf_fill += (uint32_t)take;
        b.p += take;
        n -= take;
        if (h->leaf_fill == MERKLE_BLOCK)
            leaf_done(h);
    }
    if (h->data_left == 0 && h->leaf_fill > 0)
        leaf_done(h);
}

void piecehash_more(struct piecehash *h, struct bytes b)
{
    if (h->v1)
        digest_more(h->sha1, b);
    if (h->v2)
        more_leaves(h, b);
}

void piecehash_zero(struct piecehash *h, uint64_t n)
{
    static const uint8_t zeros[16384];
    while (n > 0) {
        size_t take = n < sizeof zeros ? (size_t)n : sizeof zeros;
        piecehash_more(h, BYTES(zeros, take));
        n -= take;
    }
}

void piecehash_end(struct piecehash *h, struct piecehash_result *out)
{
    memset(out, 0, sizeof *out);
    if (h->v1)
        digest_end(h->sha1, out->v1);
    if (!h->v2)
        return;
    if (h->leaf_fill > 0)
        leaf_done(h);
    out->leaves = h->leaves;
    out->n_leaves = (uint32_t)h->n_leaves;
    if (h->n_leaves > 0)
        merkle_root(out->root, h->leaves, h->n_leaves, h->width, 0);
}

const uint8_t *piecehash_expected_root(const struct manifest *m, uint32_t piece)
{
    uint32_t file, index;
    if (!layout_piece_file(m, piece, &file, &index))
        return NULL;
    const struct manifest_file *f = &m->files[file];
    if (f->length <= m->piece_length)
        return f->root;
    return f->layer ? f->layer + (size_t)index * SHA256_LEN : NULL;
}

enum piecehash_verdict piecehash_check(const struct manifest *m, uint32_t piece,
                                       const struct piecehash_result *r)
{
    const uint8_t *v1 = m->has_v1 && m->pieces ? m->pieces + (size_t)piece * SHA1_LEN : NULL;
    const uint8_t *root = piecehash_expected_root(m, piece);
    bool v1_good = v1 && memcmp(v1, r->v1, SHA1_LEN) == 0;
    bool v2_good = root && memcmp(root, r->root, SHA256_LEN) == 0;
    if (!v1 && !root)
        return PIECE_UNKNOWN;
    if (v1 && root && v1_good != v2_good)
        return PIECE_HALVES_DISAGREE;
    return v1_good || v2_good ? PIECE_GOOD : PIECE_BAD;
}

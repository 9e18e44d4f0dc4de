/*
 * One piece's bytes, hashed under the rules of its manifest as they pass. A piece of a manifest
 * with a v2 half begins with the bytes of one file and has nothing of another (BEP 52), so what
 * follows the file's bytes is padding: part of the v1 hash, no part of the tree.
 */
#include <p2p/format/piecehash.h>

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/format/lanes.h>
#include <p2p/format/layout.h>
#include <p2p/format/merkle.h>
#include <stdlib.h>

struct piecehash {
    struct lanes_sum sha1;
    struct lanes_sum leaf[2]; /* by turns: one may end and the next begin in the same run */
    unsigned open;            /* which of them comes next, or is open */
    bool v1, v2;
    uint64_t data_left; /* bytes of the file still to come (v2) */
    uint32_t leaf_fill; /* bytes in the leaf that is open */
    uint8_t *leaves;
    size_t n_leaves, cap_leaves;
    size_t width; /* leaves of the piece's tree, padding included */
};

#define BATCH ((size_t)4 * LANES_MAX) /* pieces side by side */

/* Work is gathered, so that the lanes have enough of it, and done when the queue is full. */
struct queue {
    enum digest_kind kind;
    size_t n;
    struct lanes_job jobs[8 * LANES_MAX];
};

static void flush(struct queue *q)
{
    if (q->n > 0)
        lanes_run(q->kind, q->jobs, q->n);
    q->n = 0;
}

static void push(struct queue *q, struct lanes_sum *sum, struct bytes b, uint8_t *out)
{
    if (q->n == sizeof q->jobs / sizeof *q->jobs)
        flush(q);
    q->jobs[q->n++] = (struct lanes_job){sum, b, out};
}

struct piecehash *piecehash_new(void)
{
    return mem_zero(sizeof(struct piecehash));
}

void piecehash_free(struct piecehash *h)
{
    if (!h)
        return;
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
    }
    if (h->v1)
        lanes_begin(&h->sha1, DIGEST_SHA1);
}

static uint8_t *next_leaf(struct piecehash *h)
{
    return h->leaves + h->n_leaves++ * SHA256_LEN;
}

/* Bytes of the leaf that is open, or of a new one that they do not fill. */
static void part_of_leaf(struct piecehash *h, struct bytes b, bool ends, struct queue *q)
{
    if (h->leaf_fill == 0)
        lanes_begin(&h->leaf[h->open], DIGEST_SHA256);
    push(q, &h->leaf[h->open], b, ends ? next_leaf(h) : NULL);
    h->leaf_fill = ends ? 0 : h->leaf_fill + (uint32_t)b.n;
    h->open ^= ends;
}

/* The file's bytes, cut into leaves of 16 KiB. */
static void more_leaves(struct piecehash *h, struct bytes b, struct queue *q)
{
    size_t n = b.n < h->data_left ? b.n : (size_t)h->data_left;
    h->data_left -= n;
    while (n > 0) {
        size_t take = MERKLE_BLOCK - h->leaf_fill;
        if (take > n)
            take = n;
        n -= take;
        bool ends = h->leaf_fill + take == MERKLE_BLOCK || (n == 0 && h->data_left == 0);
        if (ends && h->leaf_fill == 0)
            push(q, NULL, BYTES(b.p, take), next_leaf(h));
        else
            part_of_leaf(h, BYTES(b.p, take), ends, q);
        b.p += take;
    }
}

/* Both halves can take a whole leaf. */
static bool leaf_of_both(const struct piecehash *h, struct bytes b)
{
    return h->v1 && h->v2 && h->leaf_fill == 0 && b.n >= MERKLE_BLOCK &&
           h->data_left >= MERKLE_BLOCK;
}

/*
 * A leaf each of as many pieces as fill the lanes goes into both halves together, which spares
 * loading it twice; b is what is left of them then. False: too few have one. Those are better
 * hashed one half after the other, with all their leaves side by side.
 */
static bool more_of_both(struct piecehash *const *h, struct bytes *b, size_t n, struct queue *q)
{
    struct lanes_stretch v[BATCH];
    size_t width = lanes_both_width(), fit = 0, m = 0;
    for (size_t i = 0; i < n; i++)
        fit += leaf_of_both(h[i], b[i]);
    fit = width > 0 ? fit - fit % width : 0;
    q->kind = DIGEST_SHA256;
    for (size_t i = 0; m < fit; i++) {
        if (!leaf_of_both(h[i], b[i]))
            continue;
        struct lanes_sum *leaf = &h[i]->leaf[h[i]->open];
        lanes_begin(leaf, DIGEST_SHA256);
        v[m++] = (struct lanes_stretch){
            .sum = {&h[i]->sha1, leaf}, .p = b[i].p, .blocks = MERKLE_BLOCK / 64};
        push(q, leaf, BYTES(NULL, 0), next_leaf(h[i]));
        h[i]->data_left -= MERKLE_BLOCK;
        b[i] = BYTES(b[i].p + MERKLE_BLOCK, b[i].n - MERKLE_BLOCK);
    }
    if (m == 0)
        return false;
    lanes_both(v, m);
    flush(q);
    return true;
}

static void more_some(struct piecehash *const *h, const struct bytes *bytes, size_t n)
{
    struct queue q;
    struct bytes b[BATCH];
    memcpy(b, bytes, n * sizeof *b);
    q.n = 0;
    while (more_of_both(h, b, n, &q))
        continue;
    q.kind = DIGEST_SHA1;
    for (size_t i = 0; i < n; i++)
        if (h[i]->v1)
            push(&q, &h[i]->sha1, b[i], NULL);
    flush(&q);
    q.kind = DIGEST_SHA256;
    for (size_t i = 0; i < n; i++)
        if (h[i]->v2)
            more_leaves(h[i], b[i], &q);
    flush(&q);
}

void piecehash_more_each(struct piecehash *const *h, const struct bytes *b, size_t n)
{
    for (size_t some; n > 0; h += some, b += some, n -= some) {
        some = n < BATCH ? n : BATCH;
        more_some(h, b, some);
    }
}

void piecehash_more(struct piecehash *h, struct bytes b)
{
    piecehash_more_each(&h, &b, 1);
}

/* Zeros for one piece: up to a block's end, whole blocks, what is left. */
struct zeros {
    size_t head, blocks, tail;
};

static struct zeros zeros_of(const struct piecehash *h, uint64_t n)
{
    size_t room = (size_t)(64 - h->sha1.n % 64) % 64;
    struct zeros z = {.head = n < room ? (size_t)n : room};
    z.blocks = (size_t)((n - z.head) / 64);
    z.tail = (size_t)((n - z.head) % 64);
    return z;
}

static void zero_some(struct piecehash *const *h, const uint64_t *n, size_t count)
{
    static const uint8_t none[64];
    struct zeros z[BATCH];
    struct lanes_stretch whole[BATCH];
    struct lanes_job jobs[BATCH];
    size_t m = 0, k = 0;
    for (size_t i = 0; i < count; i++) {
        z[i] = h[i]->v1 ? zeros_of(h[i], n[i]) : (struct zeros){0};
        if (z[i].head > 0)
            jobs[k++] = (struct lanes_job){&h[i]->sha1, BYTES(none, z[i].head), NULL};
        if (z[i].blocks > 0)
            whole[m++] = (struct lanes_stretch){.sum = {&h[i]->sha1}, .blocks = z[i].blocks};
    }
    lanes_run(DIGEST_SHA1, jobs, k);
    lanes_zeros(whole, m);
    k = 0;
    for (size_t i = 0; i < count; i++)
        if (z[i].tail > 0)
            jobs[k++] = (struct lanes_job){&h[i]->sha1, BYTES(none, z[i].tail), NULL};
    lanes_run(DIGEST_SHA1, jobs, k);
}

void piecehash_zero_each(struct piecehash *const *h, const uint64_t *n, size_t count)
{
    while (count > 0) {
        size_t some = count < BATCH ? count : BATCH;
        zero_some(h, n, some);
        h += some;
        n += some;
        count -= some;
    }
}

void piecehash_zero(struct piecehash *h, uint64_t n)
{
    piecehash_zero_each(&h, &n, 1);
}

static void end_of(enum digest_kind k, struct lanes_sum *s, uint8_t *out)
{
    lanes_run(k, &(struct lanes_job){s, BYTES(NULL, 0), out}, 1);
}

static void end_tree(struct piecehash *h, struct piecehash_result *out)
{
    if (h->leaf_fill > 0)
        end_of(DIGEST_SHA256, &h->leaf[h->open], next_leaf(h));
    out->leaves = h->leaves;
    out->n_leaves = (uint32_t)h->n_leaves;
    if (h->n_leaves > 0)
        merkle_root(out->root, h->leaves, h->n_leaves, h->width, 0);
}

void piecehash_end_each(struct piecehash *const *h, struct piecehash_result *out, size_t n)
{
    struct queue q;
    q.n = 0;
    q.kind = DIGEST_SHA1;
    for (size_t i = 0; i < n; i++) {
        memset(&out[i], 0, sizeof out[i]);
        if (h[i]->v1)
            push(&q, &h[i]->sha1, BYTES(NULL, 0), out[i].v1);
        if (h[i]->v2)
            end_tree(h[i], &out[i]);
    }
    flush(&q);
}

void piecehash_end(struct piecehash *h, struct piecehash_result *out)
{
    piecehash_end_each(&h, out, 1);
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

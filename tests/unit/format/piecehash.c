/* Hashing pieces of the vectors' content: every piece proves, every changed byte does not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/rng.h>
#include <p2p/format/author.h>
#include <p2p/format/lanes.h>
#include <p2p/format/layout.h>
#include <p2p/format/merkle.h>
#include <p2p/format/piecehash.h>

#include "torrents.h"

/* Feeds a piece in bites of `bite` bytes; the byte at `spoil` (in the piece) is changed. */
static void hash_piece(struct piecehash *h, const struct manifest *m, uint32_t piece, size_t bite,
                       uint64_t spoil, struct piecehash_result *out)
{
    struct layout_iter it;
    struct layout_seg s;
    uint64_t at = 0;
    uint8_t *buf = mem_alloc(bite);
    layout_iter_init(&it, m, (uint64_t)piece * m->piece_length, layout_piece_len(m, piece));
    piecehash_begin(h, m, piece);
    while (layout_iter_next(&it, &s)) {
        if (s.pad && s.length % 2) {
            piecehash_zero(h, s.length);
            at += s.length;
            continue;
        }
        for (uint64_t k = 0; k < s.length;) {
            size_t n = 0;
            for (; n < bite && k < s.length; n++, k++, at++)
                buf[n] =
                    (uint8_t)((s.pad ? 0 : content_byte(m->files[s.file].length, s.offset + k)) ^
                              (at == spoil));
            piecehash_more(h, BYTES(buf, n));
        }
    }
    piecehash_end(h, out);
    free(buf);
}

static struct manifest *vector(const char *name)
{
    struct bytes raw = read_vector(name);
    struct manifest *m = manifest_parse(raw, NULL);
    assert_non_null(m);
    bytes_free(raw);
    return m;
}

static const char *const names[] = {
    "pack-v1.torrent", "pack-v2.torrent", "pack-hybrid.torrent", "links-hybrid.torrent",
    "solo-v1.torrent", "solo-v2.torrent", "solo-hybrid.torrent"};

static void good(void **state)
{
    (void)state;
    static const size_t bites[] = {1, 1000, 16384, 16385, 1u << 20};
    struct piecehash *h = piecehash_new();
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct manifest *m = vector(names[k]);
        for (size_t b = 0; b < sizeof bites / sizeof *bites; b++)
            for (uint32_t p = 0; p < m->n_pieces; p++) {
                struct piecehash_result r;
                hash_piece(h, m, p, bites[b], UINT64_MAX, &r);
                assert_int_equal(piecehash_check(m, p, &r), PIECE_GOOD);
            }
        manifest_free(m);
    }
    piecehash_free(h);
    piecehash_free(NULL);
}

static void spoiled(void **state)
{
    (void)state;
    struct piecehash *h = piecehash_new();
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct manifest *m = vector(names[k]);
        for (uint32_t p = 0; p < m->n_pieces; p++) {
            uint32_t blocks = layout_blocks(m, p);
            for (uint32_t b = 0; b < blocks; b++) {
                struct piecehash_result r;
                uint32_t n = layout_block_len(m, p, b);
                if (n == 0)
                    continue;
                hash_piece(h, m, p, 16384, (uint64_t)b * LAYOUT_BLOCK + n - 1, &r);
                assert_int_equal(piecehash_check(m, p, &r), PIECE_BAD);
            }
        }
        manifest_free(m);
    }
    piecehash_free(h);
}

/* The leaves are those of the blocks: what names the sender of a bad one. */
static void leaves(void **state)
{
    (void)state;
    struct manifest *m = vector("pack-v2.torrent");
    struct piecehash *h = piecehash_new();
    struct piecehash_result r;
    uint8_t block[16384], leaf[SHA256_LEN], root[SHA256_LEN];
    hash_piece(h, m, 2, 100, UINT64_MAX, &r); /* the end of dir/b.bin: 40000 - 32768 bytes */
    assert_int_equal(r.n_leaves, 1);
    for (uint64_t i = 0; i < 7232; i++)
        block[i] = content_byte(40000, 32768 + i);
    digest_sha256(leaf, BYTES(block, 7232));
    assert_memory_equal(r.leaves, leaf, SHA256_LEN);
    merkle_root(root, leaf, 1, 2, 0); /* a piece is two blocks wide however short its end */
    assert_memory_equal(r.root, root, SHA256_LEN);
    hash_piece(h, m, 0, 100, UINT64_MAX, &r); /* a.txt: the leaf is the root */
    assert_int_equal(r.n_leaves, 1);
    assert_memory_equal(r.leaves, r.root, SHA256_LEN);
    assert_memory_equal(r.root, m->files[0].root, SHA256_LEN);
    piecehash_free(h);
    manifest_free(m);
}

static void what_is_known(void **state)
{
    (void)state;
    struct manifest *whole = vector("pack-v2.torrent"), *m = manifest_parse_info(whole->info, NULL);
    struct piecehash *h = piecehash_new();
    struct piecehash_result r;
    hash_piece(h, m, 1, 16384, UINT64_MAX, &r);
    assert_null(piecehash_expected_root(m, 1));
    assert_int_equal(piecehash_check(m, 1, &r), PIECE_UNKNOWN);
    assert_int_equal(manifest_set_layer(m, 1, BYTES(whole->files[1].layer, 64), NULL), 0);
    assert_int_equal(piecehash_check(m, 1, &r), PIECE_GOOD);
    assert_ptr_equal(piecehash_expected_root(m, 2), m->files[1].layer + SHA256_LEN);
    assert_null(piecehash_expected_root(m, m->n_pieces));
    manifest_free(m);
    manifest_free(whole);
    m = vector("pack-hybrid.torrent");
    hash_piece(h, m, 1, 16384, UINT64_MAX, &r);
    r.root[0] ^= 1;
    assert_int_equal(piecehash_check(m, 1, &r), PIECE_HALVES_DISAGREE);
    r.v1[0] ^= 1;
    assert_int_equal(piecehash_check(m, 1, &r), PIECE_BAD);
    r.root[0] ^= 1;
    assert_int_equal(piecehash_check(m, 1, &r), PIECE_HALVES_DISAGREE);
    manifest_free(m);
    piecehash_free(h);
}

/* Bytes left out, or too many of them, never count as good. */
static void wrong_amount(void **state)
{
    (void)state;
    struct manifest *m = vector("solo-v2.torrent");
    struct piecehash *h = piecehash_new();
    struct piecehash_result r;
    uint8_t block[16384];
    piecehash_begin(h, m, 0);
    piecehash_end(h, &r);
    assert_int_equal(r.n_leaves, 0);
    assert_int_equal(piecehash_check(m, 0, &r), PIECE_BAD);
    for (uint64_t i = 0; i < sizeof block; i++)
        block[i] = content_byte(50000, i);
    piecehash_begin(h, m, 0);
    piecehash_more(h, BYTES(block, 16383));
    piecehash_end(h, &r);
    assert_int_equal(piecehash_check(m, 0, &r), PIECE_BAD);
    piecehash_begin(h, m, 0);
    piecehash_more(h, BYTES(block, 16384));
    piecehash_zero(h, 100000);
    piecehash_end(h, &r);
    assert_int_equal(r.n_leaves, 1);
    assert_int_equal(piecehash_check(m, 0, &r),
                     PIECE_GOOD); /* past the file there is only padding */
    piecehash_free(h);
    manifest_free(m);
}

/* ---- pieces side by side ---- */

#define LONG_PIECE (1u << 20)
#define SHORT_PIECE (2 * MERKLE_BLOCK)
#define MOST_PIECES 80

/* Content space in memory: pads are zeros, the rest is anything else. */
static uint8_t *make_space(const struct manifest *m)
{
    uint64_t total = (uint64_t)m->n_pieces * m->piece_length;
    uint8_t *space = mem_zero((size_t)total);
    struct layout_iter it;
    struct layout_seg s;
    uint64_t at = 0;
    layout_iter_init(&it, m, 0, m->space);
    for (; layout_iter_next(&it, &s); at += s.length)
        for (uint64_t k = 0; !s.pad && k < s.length; k++)
            space[at + k] = (uint8_t)((at + k) * 2654435761u >> 13 | 1);
    return space;
}

/* The piece by the plain digests, all leaves and padding in a row. */
static void plain_piece(const struct manifest *m, const uint8_t *space, uint32_t piece,
                        struct piecehash_result *out, uint8_t *leaves)
{
    const uint8_t *p = space + (size_t)piece * m->piece_length;
    uint32_t file, index;
    memset(out, 0, sizeof *out);
    if (m->has_v1)
        digest_sha1(out->v1, BYTES(p, layout_piece_len(m, piece)));
    if (!layout_piece_file(m, piece, &file, &index))
        return;
    uint64_t length = m->files[file].length, left = length - (uint64_t)index * m->piece_length;
    uint64_t span = length < m->piece_length ? length : m->piece_length;
    left = left < m->piece_length ? left : m->piece_length;
    for (uint64_t at = 0; at < left; at += MERKLE_BLOCK)
        digest_sha256(leaves + out->n_leaves++ * SHA256_LEN,
                      BYTES(p + at, left - at < MERKLE_BLOCK ? (size_t)(left - at) : MERKLE_BLOCK));
    merkle_root(out->root, leaves, out->n_leaves, (size_t)1 << merkle_height(merkle_blocks(span)),
                0);
    out->leaves = leaves;
}

/* Bytes of padding that a piece ends with. */
static uint64_t pads_of(const struct manifest *m, uint32_t piece)
{
    struct layout_iter it;
    struct layout_seg s = {0};
    uint64_t n = 0;
    layout_iter_init(&it, m, (uint64_t)piece * m->piece_length, layout_piece_len(m, piece));
    while (layout_iter_next(&it, &s))
        n = s.pad ? n + s.length : 0;
    return n;
}

/* All of it, in two parts of which the first ends anywhere. */
static void pad_each(struct piecehash **h, const struct manifest *m)
{
    uint64_t some[MOST_PIECES], rest[MOST_PIECES];
    for (uint32_t i = 0; i < m->n_pieces; i++) {
        uint64_t pads = pads_of(m, i);
        some[i] = pads < i * 77 ? pads : i * 77;
        rest[i] = pads - some[i];
    }
    piecehash_zero_each(h, some, m->n_pieces);
    piecehash_zero_each(h, rest, m->n_pieces);
}

/* How the bytes of the pieces come. */
struct feed {
    size_t bite;   /* so many at a time */
    struct rng *r; /* up to so many */
    bool pads;     /* padding like other bytes, not left to piecehash_zero_each */
};

static void hash_each(struct piecehash **h, const struct manifest *m, const uint8_t *space,
                      const struct feed *f)
{
    uint64_t rest[MOST_PIECES], left = 0;
    const uint8_t *at[MOST_PIECES];
    for (uint32_t i = 0; i < m->n_pieces; i++) {
        piecehash_begin(h[i], m, i);
        at[i] = space + (size_t)i * m->piece_length;
        rest[i] = layout_piece_len(m, i) - (f->pads ? 0 : pads_of(m, i));
        left += rest[i];
    }
    while (left > 0) {
        struct bytes b[MOST_PIECES];
        for (uint32_t i = 0; i < m->n_pieces; i++) {
            size_t n = f->r ? (size_t)rng_below(f->r, f->bite + 1) : f->bite;
            n = n < rest[i] ? n : (size_t)rest[i];
            b[i] = BYTES(at[i], n);
            at[i] += n;
            rest[i] -= n;
            left -= n;
        }
        piecehash_more_each(h, b, m->n_pieces);
    }
    if (!f->pads)
        pad_each(h, m);
}

static void check_each(const struct manifest *m, struct piecehash **h, const uint8_t *space)
{
    static const size_t bites[] = {MERKLE_BLOCK, 65536, 100000, LONG_PIECE, MERKLE_BLOCK - 1};
    struct rng r;
    uint8_t leaves[LONG_PIECE / MERKLE_BLOCK * SHA256_LEN];
    rng_seed(&r, m->n_pieces);
    for (size_t k = 0; k < 3 * sizeof bites / sizeof *bites; k++) {
        hash_each(h, m, space, &(struct feed){bites[k / 3], k % 3 == 1 ? &r : NULL, k % 3 == 2});
        struct piecehash_result got[MOST_PIECES], want;
        piecehash_end_each(h, got, m->n_pieces);
        for (uint32_t i = 0; i < m->n_pieces; i++) {
            plain_piece(m, space, i, &want, leaves);
            assert_memory_equal(got[i].v1, want.v1, SHA1_LEN);
            assert_memory_equal(got[i].root, want.root, SHA256_LEN);
            assert_int_equal(got[i].n_leaves, want.n_leaves);
            if (want.n_leaves > 0)
                assert_memory_equal(got[i].leaves, want.leaves, want.n_leaves * SHA256_LEN);
        }
    }
}

static void check_layout(enum author_format f, uint32_t piece_length,
                         const struct author_entry *entries, size_t n)
{
    struct author_options o = {
        .format = f, .piece_length = piece_length, .name = "n", .creation_date = -1};
    struct author *a = author_new(&o, entries, n, NULL);
    struct piecehash *h[MOST_PIECES];
    assert_non_null(a);
    const struct manifest *m = author_plan(a);
    assert_in_range(m->n_pieces, 8, MOST_PIECES);
    uint8_t *space = make_space(m);
    for (size_t i = 0; i < MOST_PIECES; i++)
        h[i] = piecehash_new();
    check_each(m, h, space);
    for (size_t i = 0; i < MOST_PIECES; i++)
        piecehash_free(h[i]);
    free(space);
    author_free(a);
}

/* Long pieces, ends of files, files of a byte; each piece by its own bytes, as many as it likes. */
static void side_by_side(void **state)
{
    (void)state;
    static const struct author_entry entries[] = {
        {.path = "a", .length = 5 * LONG_PIECE + 3}, {.path = "b", .length = 1},
        {.path = "c", .length = MERKLE_BLOCK},       {.path = "d", .length = MERKLE_BLOCK + 1},
        {.path = "e", .length = LONG_PIECE},         {.path = "f", .length = LONG_PIECE - 16383},
        {.path = "g", .length = LONG_PIECE + 70000},
    };
    for (enum author_format f = AUTHOR_V1; f <= AUTHOR_HYBRID; f++)
        check_layout(f, LONG_PIECE, entries, sizeof entries / sizeof *entries);
}

/* More pieces of a hybrid than go in one batch, by each kernel: both halves go on together. */
static void both_halves(void **state)
{
    (void)state;
    static const struct author_entry entries[] = {
        {.path = "a", .length = MERKLE_BLOCK},
        {.path = "b", .length = MERKLE_BLOCK},
        {.path = "c", .length = 60 * SHORT_PIECE + 3},
        {.path = "d", .length = MERKLE_BLOCK - 64},
        {.path = "e", .length = 5 * 64},
        {.path = "f", .length = 2 * MERKLE_BLOCK + 64},
        {.path = "g", .length = SHORT_PIECE},
        {.path = "h", .length = 64},
        {.path = "i", .length = 4 * 64 + 1},
    };
    for (size_t i = 0; i == 0 || lanes_kernel_name(i - 1); i++) {
        lanes_only(i ? lanes_kernel_name(i - 1) : NULL);
        check_layout(AUTHOR_HYBRID, SHORT_PIECE, entries, sizeof entries / sizeof *entries);
    }
    lanes_only(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),         cmocka_unit_test(spoiled),
        cmocka_unit_test(leaves),       cmocka_unit_test(what_is_known),
        cmocka_unit_test(wrong_amount), cmocka_unit_test(side_by_side),
        cmocka_unit_test(both_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

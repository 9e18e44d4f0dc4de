/* Hashing pieces of the vectors' content: every piece proves, every changed byte does not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),          cmocka_unit_test(spoiled),      cmocka_unit_test(leaves),
        cmocka_unit_test(what_is_known), cmocka_unit_test(wrong_amount),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

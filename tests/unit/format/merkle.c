/* Merkle trees against a tree that is built in full, and proofs against every kind of tampering. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/num.h>
#include <p2p/base/rng.h>
#include <p2p/format/merkle.h>

#include <stdlib.h>

#define MOST 70

/* The plain way: all leaves with their padding, then layer by layer. */
static void plain_root(uint8_t out[SHA256_LEN], const uint8_t *hashes, size_t n, size_t width,
                       unsigned pad_height)
{
    uint8_t *layer = malloc(width * SHA256_LEN);
    memcpy(layer, hashes, n * SHA256_LEN);
    for (size_t i = n; i < width; i++)
        merkle_pad(layer + i * SHA256_LEN, pad_height);
    for (; width > 1; width /= 2)
        for (size_t i = 0; i < width / 2; i++)
            digest_sha256(layer + i * SHA256_LEN,
                          BYTES(layer + 2 * i * SHA256_LEN, 2 * SHA256_LEN));
    memcpy(out, layer, SHA256_LEN);
    free(layer);
}

static void make_hashes(uint8_t *out, size_t n)
{
    struct rng r;
    rng_seed(&r, n);
    rng_fill(&r, out, n * SHA256_LEN);
}

static void pads(void **state)
{
    (void)state;
    uint8_t pad[SHA256_LEN], want[SHA256_LEN] = {0};
    merkle_pad(pad, 0);
    assert_memory_equal(pad, want, SHA256_LEN);
    for (unsigned h = 1; h < 10; h++) {
        digest_pair(want, want, want);
        merkle_pad(pad, h);
        assert_memory_equal(pad, want, SHA256_LEN);
    }
}

static void roots(void **state)
{
    (void)state;
    uint8_t hashes[MOST * SHA256_LEN], want[SHA256_LEN], got[SHA256_LEN];
    for (size_t n = 1; n <= MOST; n++) {
        make_hashes(hashes, n);
        for (size_t width = num_pow2_ceil(n); width <= 256; width *= 2)
            for (unsigned pad = 0; pad < 4; pad += 3) {
                plain_root(want, hashes, n, width, pad);
                merkle_root(got, hashes, n, width, pad);
                assert_memory_equal(got, want, SHA256_LEN);
            }
    }
}

/* More than the trees that are made in one go. */
static void wide_roots(void **state)
{
    (void)state;
    static const size_t ns[] = {255, 256, 257,  300,  511,  512, 513,
                                768, 769, 1000, 1025, 2048, 2500};
    uint8_t *hashes = malloc(2500 * SHA256_LEN), want[SHA256_LEN], got[SHA256_LEN];
    for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
        make_hashes(hashes, ns[i]);
        for (size_t width = num_pow2_ceil(ns[i]); width <= 8192; width *= 2) {
            plain_root(want, hashes, ns[i], width, (unsigned)i % 4);
            merkle_root(got, hashes, ns[i], width, (unsigned)i % 4);
            assert_memory_equal(got, want, SHA256_LEN);
        }
    }
    for (size_t n = 1; n <= 5; n++) { /* far less than the tree is wide */
        make_hashes(hashes, n);
        plain_root(want, hashes, n, 4096, 2);
        merkle_root(got, hashes, n, 4096, 2);
        assert_memory_equal(got, want, SHA256_LEN);
    }
    free(hashes);
}

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(merkle_blocks(0), 0);
    assert_int_equal(merkle_blocks(1), 1);
    assert_int_equal(merkle_blocks(MERKLE_BLOCK), 1);
    assert_int_equal(merkle_blocks(MERKLE_BLOCK + 1), 2);
    assert_int_equal(merkle_height(0), 0);
    assert_int_equal(merkle_height(1), 0);
    assert_int_equal(merkle_height(2), 1);
    assert_int_equal(merkle_height(3), 2);
    assert_int_equal(merkle_height(4), 2);
    assert_int_equal(merkle_height(5), 3);
    assert_int_equal(merkle_height((uint64_t)1 << 40), 40);
    assert_int_equal(merkle_height(((uint64_t)1 << 40) + 1), 41);
}

/* Whatever is extracted proves; with one bit of it changed it does not. */
static void check_range(const uint8_t *layer, size_t n_layer, unsigned base, uint64_t index,
                        size_t n)
{
    unsigned top = base + merkle_height(n_layer), height = base + num_log2(n);
    uint8_t root[SHA256_LEN], own[SHA256_LEN];
    struct buf out = {0};
    merkle_root(root, layer, n_layer, num_pow2_ceil(n_layer), base);
    merkle_extract(&out, layer, n_layer, base, top, index, n, top - height);
    size_t proof = top - height;
    assert_int_equal(buf_len(&out), (n + proof) * SHA256_LEN);
    uint8_t *got = buf_room(&out, 0) - buf_len(&out), *uncles = got + n * SHA256_LEN;
    assert_true(merkle_prove(root, top, base, index, got, n, uncles, proof));
    assert_false(proof > 0 && merkle_prove(root, top, base, index, got, n, uncles, proof - 1));
    assert_false(merkle_prove(root, top + 1, base, index, got, n, uncles, proof));
    merkle_root(own, got, n, n, base);
    /* In its neighbour's place it proves nothing, unless both are the same padding. */
    if (proof > 0 && memcmp(own, uncles, SHA256_LEN) != 0)
        assert_false(merkle_prove(root, top, base, index ^ n, got, n, uncles, proof));
    for (size_t i = 0; i < buf_len(&out); i += 13) {
        got[i] ^= 0x10;
        assert_false(merkle_prove(root, top, base, index, got, n, uncles, proof));
        got[i] ^= 0x10;
    }
    buf_fini(&out);
}

static void proofs(void **state)
{
    (void)state;
    uint8_t layer[MOST * SHA256_LEN];
    for (size_t n_layer = 1; n_layer <= 21; n_layer++) {
        make_hashes(layer, n_layer);
        for (size_t n = 1; n <= num_pow2_ceil(n_layer); n *= 2)
            for (uint64_t index = 0; index < num_pow2_ceil(n_layer); index += n)
                check_range(layer, n_layer, n_layer % 3, index, n);
    }
}

static void senseless_proofs(void **state)
{
    (void)state;
    uint8_t layer[8 * SHA256_LEN], root[SHA256_LEN];
    make_hashes(layer, 8);
    merkle_root(root, layer, 8, 8, 0);
    assert_true(merkle_prove(root, 3, 0, 0, layer, 8, NULL, 0));
    assert_false(merkle_prove(root, 3, 0, 0, layer, 0, NULL, 0));       /* nothing */
    assert_false(merkle_prove(root, 3, 0, 0, layer, 7, NULL, 0));       /* no power of two */
    assert_false(merkle_prove(root, 3, 0, 8, layer, 8, NULL, 0));       /* beside the tree */
    assert_false(merkle_prove(root, 3, 0, 4, layer, 8, NULL, 0));       /* not a multiple */
    assert_false(merkle_prove(root, 2, 0, 0, layer, 8, NULL, 0));       /* higher than the top */
    assert_false(merkle_prove(root, 3, 9, 0, layer, 8, NULL, 0));       /* base above the top */
    assert_false(merkle_prove(root, 3, UINT32_MAX, 0, layer, 8, NULL, 0));
    assert_false(merkle_prove(root, 64, 0, 0, layer, 8, layer, 61));
    assert_false(merkle_prove(root, 3, 0, UINT64_MAX - 7, layer, 8, NULL, 0));
    assert_false(merkle_prove(root, 3, 0, 0, layer, 8, layer, 1));      /* an uncle too many */
}

/* Past the layer there is padding, and the proof ends at the top. */
static void past_the_end(void **state)
{
    (void)state;
    uint8_t layer[3 * SHA256_LEN], pad[SHA256_LEN];
    struct buf out = {0};
    make_hashes(layer, 3);
    merkle_extract(&out, layer, 3, 2, 4, 2, 2, 9);
    assert_int_equal(buf_len(&out), 3 * SHA256_LEN);
    merkle_pad(pad, 2);
    assert_memory_equal(buf_bytes(&out).p, layer + 2 * SHA256_LEN, SHA256_LEN);
    assert_memory_equal(buf_bytes(&out).p + SHA256_LEN, pad, SHA256_LEN);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pads),
        cmocka_unit_test(roots),
        cmocka_unit_test(wide_roots),
        cmocka_unit_test(sizes),
        cmocka_unit_test(proofs),
        cmocka_unit_test(senseless_proofs),
        cmocka_unit_test(past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

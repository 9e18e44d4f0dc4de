/*
 * Merkle trees of BEP 52. Roots are made in one pass with a stack of one node a height, so that a
 * layer of any length costs no memory; what is missing to the right is padding of that height.
 */
#include <p2p/format/merkle.h>

#include <p2p/base/num.h>

void merkle_pad(uint8_t out[SHA256_LEN], unsigned height)
{
    memset(out, 0, SHA256_LEN);
    for (unsigned i = 0; i < height; i++)
        digest_pair(out, out, out);
}

/* Joins what the stack holds (node of height h is there if bit h of n is set) with padding. */
static void fold(uint8_t out[SHA256_LEN], uint8_t stack[][SHA256_LEN], size_t n, unsigned height,
                 unsigned pad_height)
{
    uint8_t pad[SHA256_LEN];
    bool have = false;
    merkle_pad(pad, pad_height);
    for (unsigned h = 0; h < height; h++) {
        bool left = n >> h & 1;
        if (left)
            digest_pair(out, stack[h], have ? out : pad);
        else if (have)
            digest_pair(out, out, pad);
        have = have || left;
        digest_pair(pad, pad, pad);
    }
    if (!have)
        memcpy(out, stack[height], SHA256_LEN);
}

void merkle_root(uint8_t out[SHA256_LEN], const uint8_t *hashes, size_t n, size_t width,
                 unsigned pad_height)
{
    uint8_t stack[65][SHA256_LEN], node[SHA256_LEN];
    for (size_t i = 0; i < n; i++) {
        unsigned h = 0;
        memcpy(node, hashes + i * SHA256_LEN, SHA256_LEN);
        for (size_t k = i; k & 1; k >>= 1)
            digest_pair(node, stack[h++], node);
        memcpy(stack[h], node, SHA256_LEN);
    }
    fold(out, stack, n, num_log2(width), pad_height);
}

uint64_t merkle_blocks(uint64_t file_length)
{
    return num_ceil_div(file_length, MERKLE_BLOCK);
}

unsigned merkle_height(uint64_t leaves)
{
    return leaves <= 1 ? 0 : num_log2(leaves - 1) + 1;
}

bool merkle_prove(const uint8_t root[SHA256_LEN], unsigned top, unsigned base, uint64_t index,
                  const uint8_t *hashes, size_t n, const uint8_t *proof, size_t n_proof)
{
    uint8_t node[SHA256_LEN];
    if (top > 63 || !num_is_pow2(n) || index % n != 0)
        return false;
    unsigned height = base + num_log2(n);
    uint64_t place = index / n;
    if (base > top || height > top || n_proof != top - height || place >> (top - height) != 0)
        return false;
    merkle_root(node, hashes, n, n, base);
    for (size_t i = 0; i < n_proof; i++, place >>= 1) {
        const uint8_t *uncle = proof + i * SHA256_LEN;
        if (place & 1)
            digest_pair(node, uncle, node);
        else
            digest_pair(node, node, uncle);
    }
    return memcmp(node, root, SHA256_LEN) == 0;
}

/* The node `place` at `height` of the tree over a layer at height `base`. */
static void layer_node(uint8_t out[SHA256_LEN], const uint8_t *layer, size_t n_layer, unsigned base,
                       unsigned height, uint64_t place)
{
    unsigned up = height - base;
    uint64_t first = place << up, width = (uint64_t)1 << up;
    if (first >= n_layer) {
        merkle_pad(out, height);
        return;
    }
    size_t there = n_layer - first < width ? (size_t)(n_layer - first) : (size_t)width;
    merkle_root(out, layer + first * SHA256_LEN, there, (size_t)width, base);
}

void merkle_extract(struct buf *out, const uint8_t *layer, size_t n_layer, unsigned base,
                    unsigned top, uint64_t index, size_t n, size_t n_proof)
{
    uint8_t node[SHA256_LEN];
    for (uint64_t i = index; i < index + n; i++) {
        layer_node(node, layer, n_layer, base, base, i);
        buf_put(out, node, SHA256_LEN);
    }
    unsigned height = base + num_log2(n);
    uint64_t place = index / n;
    for (; n_proof > 0 && height < top; n_proof--, height++, place >>= 1) {
        layer_node(node, layer, n_layer, base, height, place ^ 1);
        buf_put(out, node, SHA256_LEN);
    }
}

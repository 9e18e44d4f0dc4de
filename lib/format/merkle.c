/*
 * Merkle trees of BEP 52. Roots are made in one pass: layer by layer in a small buffer, where pairs
 * are hashed side by side, and from its roots upwards with a stack of one node a height; so a layer
 * of any length costs no memory. What is missing to the right is padding of that height.
 */
#include <p2p/format/merkle.h>

#include <p2p/base/num.h>
#include <p2p/format/lanes.h>

#define GROVE_HEIGHT 8 /* of the trees made in the buffer */

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
    if (n >> height & 1) {
        memcpy(out, stack[height], SHA256_LEN);
        return;
    }
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
}

/* The root of n hashes in place of the first; there is room for as many as the tree is wide. */
static void climb(uint8_t *nodes, size_t n, unsigned height, unsigned pad_height)
{
    uint8_t pad[SHA256_LEN];
    bool full = n >> height & 1;
    if (!full)
        merkle_pad(pad, pad_height);
    for (unsigned h = 0; h < height; h++) {
        if (n & 1)
            memcpy(nodes + n++ * SHA256_LEN, pad, SHA256_LEN);
        lanes_pairs(nodes, nodes, n /= 2);
        if (!full)
            digest_pair(pad, pad, pad);
    }
}

void merkle_root(uint8_t out[SHA256_LEN], const uint8_t *hashes, size_t n, size_t width,
                 unsigned pad_height)
{
    uint8_t stack[65][SHA256_LEN], grove[SHA256_LEN << GROVE_HEIGHT];
    unsigned height = num_log2(width), low = height < GROVE_HEIGHT ? height : GROVE_HEIGHT;
    size_t roots = 0, most = (size_t)1 << low;
    for (size_t i = 0; i < n; i += most, roots++) {
        size_t here = n - i < most ? n - i : most;
        unsigned h = 0;
        memcpy(grove, hashes + i * SHA256_LEN, here * SHA256_LEN);
        climb(grove, here, low, pad_height);
        for (size_t k = roots; k & 1; k >>= 1)
            digest_pair(grove, stack[h++], grove);
        memcpy(stack[h], grove, SHA256_LEN);
    }
    fold(out, stack, roots, height - low, pad_height + low);
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

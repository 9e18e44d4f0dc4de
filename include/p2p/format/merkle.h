/*
 * Merkle trees of BEP 52: leaves are SHA-256 of 16 KiB blocks, missing leaves up to a power of two
 * are 32 zero bytes, and padding above the leaves is the hash of such padding.
 */
#ifndef P2P_FORMAT_MERKLE_H
#define P2P_FORMAT_MERKLE_H

#include <p2p/base/buf.h>
#include <p2p/format/digest.h>

#define MERKLE_BLOCK 16384u

/* Root of `n` padding leaves' tree at a height: height 0 is 32 zero bytes. */
void merkle_pad(uint8_t out[SHA256_LEN], unsigned height);
/*
 * Root over n hashes of 32 bytes in a row, n >= 1, padded with merkle_pad(pad_height) up to `width`
 * (a power of two, >= n).
 */
void merkle_root(uint8_t out[SHA256_LEN], const uint8_t *hashes, size_t n, size_t width,
                 unsigned pad_height);

/*
 * Where a file's hashes stand. Heights count from the leaves: 0 is the block layer, the piece layer
 * is log2(piece_length / 16 KiB), the root is merkle_height(blocks).
 */
uint64_t merkle_blocks(uint64_t file_length);
unsigned merkle_height(uint64_t leaves); /* log2 of leaves rounded up to a power of two */

/*
 * Proves that `n` hashes (n a power of two; a subtree at height `base`, its first at index `index`)
 * belong to `root` at height `top`, given the uncle hashes of `proof` from below upwards, as the
 * HASHES message carries them (BEP 52: those below the subtree's own root are left out). If there
 * are fewer uncles than layers to the top, it fails.
 */
bool merkle_prove(const uint8_t root[SHA256_LEN], unsigned top, unsigned base, uint64_t index,
                  const uint8_t *hashes, size_t n, const uint8_t *proof, size_t n_proof);
/*
 * The other direction: from a whole layer at height `base` of a tree whose top is height `top`
 * (`layer`: n_layer hashes, the rest padding) takes hashes [index, index+n) and the uncles of
 * `n_proof` layers above their subtree, appended to `out` (a range past the layer is padding).
 */
void merkle_extract(struct buf *out, const uint8_t *layer, size_t n_layer, unsigned base,
                    unsigned top, uint64_t index, size_t n, size_t n_proof);

#endif

/*
 * Hashes one piece as its bytes pass by, under every rule its manifest has: SHA-1 over the piece
 * with its padding (v1), SHA-256 leaves and their root (v2). Used for authoring, for verifying
 * downloads and for checking what lies on disk, always the same way. Reusable: begin, more…, end.
 */
#ifndef P2P_FORMAT_PIECEHASH_H
#define P2P_FORMAT_PIECEHASH_H

#include <p2p/format/manifest.h>

struct piecehash;

struct piecehash_result {
    uint8_t v1[SHA1_LEN];     /* if the manifest has v1 */
    uint8_t root[SHA256_LEN]; /* if it has v2 and the piece has data: root of its subtree (a file of
                                 one piece or less: the file's own pieces root) */
    const uint8_t *leaves;    /* n_leaves * 32, borrowed until the next begin; v2 only */
    uint32_t n_leaves;
};

struct piecehash *piecehash_new(void);
void piecehash_free(struct piecehash *h);
void piecehash_begin(struct piecehash *h, const struct manifest *m, uint32_t piece);
/* The same with only the halves asked for, of those that the manifest has. */
void piecehash_begin_halves(struct piecehash *h, const struct manifest *m, uint32_t piece, bool v1,
                            bool v2);
/* The piece's bytes in order, pads given as zeros or left to piecehash_zero. */
void piecehash_more(struct piecehash *h, struct bytes b);
void piecehash_zero(struct piecehash *h, uint64_t n); /* n bytes of padding */
/*
 * piecehash_more for n pieces at once, all different, each by its own bytes (any lengths, 0 too).
 * This is where SIMD lanes pay (format/lanes.h): a v1 piece is one message, so as many pieces as
 * lanes_width(DIGEST_SHA1) should go side by side; of v2 every 16 KiB is one, so a single piece by
 * 256 KiB or more at a time will do. Their bytes together should fit into the second-level cache.
 */
void piecehash_more_each(struct piecehash *const *h, const struct bytes *b, size_t n);
/* piecehash_zero for n pieces at once, all different: padding is hashed side by side as well. */
void piecehash_zero_each(struct piecehash *const *h, const uint64_t *zeros, size_t n);
void piecehash_end(struct piecehash *h, struct piecehash_result *out);
/* The same for n pieces at once, all different; out[i] is of h[i]. */
void piecehash_end_each(struct piecehash *const *h, struct piecehash_result *out, size_t n);

enum piecehash_verdict {
    PIECE_GOOD,
    PIECE_BAD,
    PIECE_UNKNOWN,        /* nothing known to compare with */
    PIECE_HALVES_DISAGREE /* good by one half of a hybrid, bad by the other */
};
/* Holds a result against the manifest: v1 hash, and v2 piece layer or root where known. */
enum piecehash_verdict piecehash_check(const struct manifest *m, uint32_t piece,
                                       const struct piecehash_result *r);
/* The expected v2 subtree root of a piece (32 bytes); NULL: layer missing, or padding only. */
const uint8_t *piecehash_expected_root(const struct manifest *m, uint32_t piece);

#endif

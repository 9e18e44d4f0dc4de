/*
 * Between lanes.c and the kernels. A kernel advances `width` messages by the same number of 64-byte
 * blocks. States lie in columns: word r of lane i is h[r * LANES_MAX + i], so that a row is a
 * vector, and a kernel narrower than LANES_MAX may work on any group of columns.
 */
#ifndef P2P_FORMAT_LANES_INT_H
#define P2P_FORMAT_LANES_INT_H

#include <p2p/format/lanes.h>

typedef void lanes_blocks(uint32_t *h, const uint8_t *const *data, size_t blocks);
typedef void lanes_empty(uint32_t *h, size_t blocks); /* blocks of zeros */
typedef void lanes_twofold(uint32_t *h1, uint32_t *h256, const uint8_t *const *data, size_t blocks);

struct lanes_kernel {
    unsigned width;
    bool (*here)(void);      /* this processor can run it */
    lanes_blocks *blocks[2]; /* by enum digest_kind */
    lanes_empty *zeros;      /* SHA-1 */
    lanes_twofold *both;     /* SHA-1 and SHA-256 of the same messages; NULL: one, then the other */
};

/* NULL: not for this architecture. */
extern const struct lanes_kernel *const lanes_avx512, *const lanes_avx512vl, *const lanes_avx2;
extern const struct lanes_kernel lanes_plain, lanes_openssl;
/* OpenSSL uses the processor's SHA instructions. */
bool lanes_openssl_fast(void);

extern const uint32_t lanes_k256[64]; /* FIPS 180-4, 4.2.2 */

#endif

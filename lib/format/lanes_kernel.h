/*
 * SHA-1 and SHA-256 of LANES_WIDTH messages at a time: FIPS 180-4 with a vector wherever it says
 * word, so every lane is a message. Included once by each source that compiles it for one kind of
 * processor, with
 *
 *     LANES_WIDTH   4, 8 or 16: words in a vector
 *     LANES_TARGET  the attribute that lets the compiler use that processor's instructions; a
 *                   pragma would not do, clang does not know GCC's
 *     LANES_MAJORITY(x, y, z)  if the processor has one instruction for that
 *
 * Compilers find the rotations and most three-operand logic in it by themselves, but take two
 * instructions for a majority; and they cannot be trusted with unrolling, hence the macros of
 * rounds.
 */
#ifndef P2P_FORMAT_LANES_KERNEL_H
#define P2P_FORMAT_LANES_KERNEL_H

#include "format/lanes_int.h"

#ifndef LANES_WIDTH
#define LANES_WIDTH 4
#define LANES_TARGET
#endif

typedef uint32_t lanes_vec __attribute__((vector_size(4 * LANES_WIDTH)));
typedef uint8_t lanes_vec8 __attribute__((vector_size(4 * LANES_WIDTH)));
/* Four words of one message, anywhere in memory. */
typedef uint32_t lanes_quad __attribute__((vector_size(16), aligned(1), may_alias));

#define LANES_INLINE LANES_TARGET static inline __attribute__((always_inline))

/* An index list for __builtin_shufflevector, by the index of each group of four words. */
#if LANES_WIDTH == 4
#define EACH_QUAD(list) list(0)
#elif LANES_WIDTH == 8
#define EACH_QUAD(list) list(0), list(4)
#else
#define EACH_QUAD(list) list(0), list(4), list(8), list(12)
#endif
#define LOW_WORDS(g) (g), (g) + LANES_WIDTH, (g) + 1, (g) + 1 + LANES_WIDTH
#define HIGH_WORDS(g) (g) + 2, (g) + 2 + LANES_WIDTH, (g) + 3, (g) + 3 + LANES_WIDTH
#define LOW_PAIRS(g) (g), (g) + 1, (g) + LANES_WIDTH, (g) + 1 + LANES_WIDTH
#define HIGH_PAIRS(g) (g) + 2, (g) + 3, (g) + 2 + LANES_WIDTH, (g) + 3 + LANES_WIDTH
#define SHUFFLE(list, a, b) __builtin_shufflevector(a, b, EACH_QUAD(list))

#define ROL(x, n) ((x) << (n) | (x) >> (32 - (n)))

LANES_INLINE lanes_vec lanes_big_endian(lanes_vec x)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return x;
#elif LANES_WIDTH == 4 /* SSE2 has no shuffle of bytes */
    return (ROL(x, 8) & 0x00ff00ffu) | (ROL(x, 24) & 0xff00ff00u);
#else
#define SWAP_WORD(i) (i) + 3, (i) + 2, (i) + 1, (i)
#define SWAP_QUAD(g) \
    SWAP_WORD(4 * (g)), SWAP_WORD(4 * (g) + 4), SWAP_WORD(4 * (g) + 8), SWAP_WORD(4 * (g) + 12)
    return (lanes_vec)SHUFFLE(SWAP_QUAD, (lanes_vec8)x, (lanes_vec8)x);
#endif
}

/* Sixteen bytes each of messages i, i + 4, i + 8 … in the order of their lanes. */
LANES_INLINE lanes_vec lanes_gather(const uint8_t *const *data, size_t at)
{
#define QUAD(i) (*(const lanes_quad *)(data[i] + at))
#if LANES_WIDTH == 4
    return QUAD(0);
#elif LANES_WIDTH == 8
    return __builtin_shufflevector(QUAD(0), QUAD(4), 0, 1, 2, 3, 4, 5, 6, 7);
#else
    typedef uint32_t eight __attribute__((vector_size(32)));
    eight low = __builtin_shufflevector(QUAD(0), QUAD(4), 0, 1, 2, 3, 4, 5, 6, 7);
    eight high = __builtin_shufflevector(QUAD(8), QUAD(12), 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
}

/*
 * The block at byte `at` of every message, word by word. Messages often lie a power of two apart,
 * all in one set of the first-level cache: so a cache line is read to its end before the next but
 * three is touched.
 */
LANES_INLINE void lanes_load(lanes_vec w[16], const uint8_t *const *data, size_t at)
{
    lanes_vec r[4][4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++)
#pragma GCC unroll 4
        for (size_t q = 0; q < 4; q++)
            r[i][q] = lanes_gather(data + i, at + 16 * q);
#pragma GCC unroll 4
    for (size_t q = 0; q < 4; q++) {
        lanes_vec ab = SHUFFLE(LOW_WORDS, r[0][q], r[1][q]);
        lanes_vec cd = SHUFFLE(LOW_WORDS, r[2][q], r[3][q]);
        w[4 * q] = lanes_big_endian(SHUFFLE(LOW_PAIRS, ab, cd));
        w[4 * q + 1] = lanes_big_endian(SHUFFLE(HIGH_PAIRS, ab, cd));
        ab = SHUFFLE(HIGH_WORDS, r[0][q], r[1][q]);
        cd = SHUFFLE(HIGH_WORDS, r[2][q], r[3][q]);
        w[4 * q + 2] = lanes_big_endian(SHUFFLE(LOW_PAIRS, ab, cd));
        w[4 * q + 3] = lanes_big_endian(SHUFFLE(HIGH_PAIRS, ab, cd));
    }
}

LANES_INLINE void lanes_get(lanes_vec *s, const uint32_t *h, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(&s[i], h + i * LANES_MAX, sizeof *s);
}

LANES_INLINE void lanes_put(uint32_t *h, const lanes_vec *s, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(h + i * LANES_MAX, &s[i], sizeof *s);
}

#define CHOOSE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define PARITY(x, y, z) ((x) ^ (y) ^ (z))
#ifdef LANES_MAJORITY
#define MAJORITY(x, y, z) LANES_MAJORITY(x, y, z)
#else
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#endif

/* ---- SHA-1: the message schedule is made in place, sixteen words ahead ---- */

#define NEXT1(i) \
    (w[(i) % 16] = ROL(w[((i) + 13) % 16] ^ w[((i) + 8) % 16] ^ w[((i) + 2) % 16] ^ w[(i) % 16], 1))
#define WORD1(i) ((i) < 16 ? w[(i) % 16] : NEXT1(i))
#define ZERO1(i) 0u /* the schedule of a block of zeros is zeros */
#define ROUND1(word, a, b, c, d, e, f, k, i) \
    e += ROL(a, 5) + f(b, c, d) + (word(i) + (k)); \
    b = ROL(b, 30);
#define FIVE1(word, f, k, i) \
    ROUND1(word, a, b, c, d, e, f, k, i) \
    ROUND1(word, e, a, b, c, d, f, k, (i) + 1) \
    ROUND1(word, d, e, a, b, c, f, k, (i) + 2) \
    ROUND1(word, c, d, e, a, b, f, k, (i) + 3) \
    ROUND1(word, b, c, d, e, a, f, k, (i) + 4)
#define TWENTY1(word, f, k, i) \
    FIVE1(word, f, k, i) \
    FIVE1(word, f, k, (i) + 5) FIVE1(word, f, k, (i) + 10) FIVE1(word, f, k, (i) + 15)
#define BLOCK1(word) \
    lanes_vec a = s[0], b = s[1], c = s[2], d = s[3], e = s[4]; \
    TWENTY1(word, CHOOSE, 0x5a827999u, 0) \
    TWENTY1(word, PARITY, 0x6ed9eba1u, 20) \
    TWENTY1(word, MAJORITY, 0x8f1bbcdcu, 40) \
    TWENTY1(word, PARITY, 0xca62c1d6u, 60) \
    s[0] += a; \
    s[1] += b; \
    s[2] += c; \
    s[3] += d; \
    s[4] += e;

/* From byte `at` of the messages on; the words of each block go to `kept` too if it is not NULL. */
LANES_INLINE void lanes_sha1_kept(uint32_t *h, const uint8_t *const *data, size_t at, size_t blocks,
                                  lanes_vec (*kept)[16])
{
    lanes_vec s[5], w[16];
    lanes_get(s, h, 5);
    for (size_t i = 0; i < blocks; i++, at += 64) {
        lanes_load(w, data, at);
        if (kept)
            memcpy(kept[i], w, sizeof w);
        BLOCK1(WORD1)
    }
    lanes_put(h, s, 5);
}

LANES_TARGET static void lanes_sha1(uint32_t *h, const uint8_t *const *data, size_t blocks)
{
    lanes_sha1_kept(h, data, 0, blocks, NULL);
}

LANES_TARGET static void lanes_sha1_zeros(uint32_t *h, size_t blocks)
{
    lanes_vec s[5];
    lanes_get(s, h, 5);
    for (; blocks > 0; blocks--) {
        BLOCK1(ZERO1)
    }
    lanes_put(h, s, 5);
}

/* ---- SHA-256 ---- */

#define SUM0(x) (ROL(x, 30) ^ ROL(x, 19) ^ ROL(x, 10))
#define SUM1(x) (ROL(x, 26) ^ ROL(x, 21) ^ ROL(x, 7))
#define SIGMA0(x) (ROL(x, 25) ^ ROL(x, 14) ^ ((x) >> 3))
#define SIGMA1(x) (ROL(x, 15) ^ ROL(x, 13) ^ ((x) >> 10))
#define NEXT256(i) \
    w[i] += SIGMA0(w[((i) + 1) % 16]) + w[((i) + 9) % 16] + SIGMA1(w[((i) + 14) % 16]);
#ifdef LANES_MAJORITY
#define MAJORITY256_BEGIN
#define MAJORITY256(a, b, c, now, was) LANES_MAJORITY(a, b, c)
#else
/*
 * It is b ^ ((a ^ b) & (b ^ c)), and this round's a ^ b is the next one's b ^ c: `now` and `was`
 * change places from round to round.
 */
#define MAJORITY256_BEGIN lanes_vec x, y = b ^ c;
#define MAJORITY256(a, b, c, now, was) ((b) ^ ((now = (a) ^ (b)) & (was)))
#endif
#define ROUND256(a, b, c, d, e, f, g, h, now, was, i) \
    h += SUM1(e) + CHOOSE(e, f, g) + (w[i] + k[i]); \
    d += h; \
    h += SUM0(a) + MAJORITY256(a, b, c, now, was);
#define FOUR256(a, b, c, d, e, f, g, h, i) \
    ROUND256(a, b, c, d, e, f, g, h, x, y, i) \
    ROUND256(h, a, b, c, d, e, f, g, y, x, (i) + 1) \
    ROUND256(g, h, a, b, c, d, e, f, x, y, (i) + 2) \
    ROUND256(f, g, h, a, b, c, d, e, y, x, (i) + 3)
#define ROUNDS256 \
    FOUR256(a, b, c, d, e, f, g, h, 0) \
    FOUR256(e, f, g, h, a, b, c, d, 4) \
    FOUR256(a, b, c, d, e, f, g, h, 8) \
    FOUR256(e, f, g, h, a, b, c, d, 12)
#define NEXT4(i) NEXT256(i) NEXT256((i) + 1) NEXT256((i) + 2) NEXT256((i) + 3)
#define NEXT16 NEXT4(0) NEXT4(4) NEXT4(8) NEXT4(12)

#define BLOCK256 \
    lanes_vec a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7]; \
    MAJORITY256_BEGIN \
    const uint32_t *k = lanes_k256; \
    ROUNDS256 \
    for (unsigned i = 0; i < 3; i++) { \
        k += 16; \
        NEXT16 \
        ROUNDS256 \
    } \
    s[0] += a; \
    s[1] += b; \
    s[2] += c; \
    s[3] += d; \
    s[4] += e; \
    s[5] += f; \
    s[6] += g; \
    s[7] += h;

LANES_TARGET static void lanes_sha256(uint32_t *state, const uint8_t *const *data, size_t blocks)
{
    lanes_vec s[8], w[16];
    lanes_get(s, state, 8);
    for (size_t at = 0; at < blocks * 64; at += 64) {
        lanes_load(w, data, at);
        BLOCK256
    }
    lanes_put(state, s, 8);
}

LANES_INLINE void lanes_sha256_kept(uint32_t *state, lanes_vec (*kept)[16], size_t blocks)
{
    lanes_vec s[8];
    lanes_get(s, state, 8);
    for (size_t at = 0; at < blocks; at++) {
        lanes_vec *w = kept[at];
        BLOCK256
    }
    lanes_put(state, s, 8);
}

/* ---- both: SHA-256 takes the words that SHA-1 has loaded and put in order ---- */

#define LANES_KEPT ((size_t)4) /* blocks; they stay in the first-level cache */

LANES_TARGET static inline void lanes_sha1_sha256(uint32_t *h1, uint32_t *h256,
                                                  const uint8_t *const *data, size_t blocks)
{
    lanes_vec kept[LANES_KEPT][16];
    for (size_t at = 0, n; blocks > 0; at += n * 64, blocks -= n) {
        n = blocks < LANES_KEPT ? blocks : LANES_KEPT;
        lanes_sha1_kept(h1, data, at, n, kept);
        lanes_sha256_kept(h256, kept, n);
    }
}

#endif

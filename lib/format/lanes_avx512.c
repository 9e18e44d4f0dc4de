/* Sixteen lanes in AVX-512: F rotates and has logic of three operands, BW shuffles bytes. */
#include "format/lanes_int.h"

#ifdef __x86_64__
#include <immintrin.h>

#define LANES_WIDTH 16
#define LANES_TARGET __attribute__((target("avx512f,avx512bw")))
#define LANES_MAJORITY(x, y, z) \
    (lanes_vec) _mm512_ternarylogic_epi32((__m512i)(x), (__m512i)(y), (__m512i)(z), 0xe8)
#include "format/lanes_kernel.h"

static bool here(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

static const struct lanes_kernel kernel = {.width = LANES_WIDTH,
                                           .here = here,
                                           .blocks = {lanes_sha1, lanes_sha256},
                                           .zeros = lanes_sha1_zeros,
                                           .both = lanes_sha1_sha256};
const struct lanes_kernel *const lanes_avx512 = &kernel;
#else
const struct lanes_kernel *const lanes_avx512 = NULL;
#endif

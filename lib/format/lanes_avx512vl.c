/* Eight lanes with the instructions of AVX-512, for what does not fill sixteen. */
#include "format/lanes_int.h"

#ifdef __x86_64__
#include <immintrin.h>

#define LANES_WIDTH 8
#define LANES_TARGET __attribute__((target("avx512f,avx512bw,avx512vl")))
#define LANES_MAJORITY(x, y, z) \
    (lanes_vec) _mm256_ternarylogic_epi32((__m256i)(x), (__m256i)(y), (__m256i)(z), 0xe8)
#include "format/lanes_kernel.h"

static bool here(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static const struct lanes_kernel kernel = {.width = LANES_WIDTH,
                                           .here = here,
                                           .blocks = {lanes_sha1, lanes_sha256},
                                           .zeros = lanes_sha1_zeros,
                                           .both = lanes_sha1_sha256};
const struct lanes_kernel *const lanes_avx512vl = &kernel;
#else
const struct lanes_kernel *const lanes_avx512vl = NULL;
#endif

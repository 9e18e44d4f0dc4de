/* Sixteen lanes in AVX-512: F rotates and has logic of three operands, BW shuffles bytes. */
#include "format/lanes_int.h"

#ifdef __x86_64__
#define LANES_WIDTH 16
#define LANES_TARGET __attribute__((target("avx512f,avx512bw")))
#include "format/lanes_kernel.h"

static bool here(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

static const struct lanes_kernel kernel = {.width = LANES_WIDTH,
                                           .here = here,
                                           .blocks = {lanes_sha1, lanes_sha256},
                                           .zeros = lanes_sha1_zeros};
const struct lanes_kernel *const lanes_avx512 = &kernel;
#else
const struct lanes_kernel *const lanes_avx512 = NULL;
#endif

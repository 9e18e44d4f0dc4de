/* Eight lanes in AVX2. */
#include "format/lanes_int.h"

#ifdef __x86_64__
#define LANES_WIDTH 8
#define LANES_TARGET __attribute__((target("avx2")))
#include "format/lanes_kernel.h"

static bool here(void)
{
    return __builtin_cpu_supports("avx2");
}

static const struct lanes_kernel kernel = {.width = LANES_WIDTH,
                                           .here = here,
                                           .blocks = {lanes_sha1, lanes_sha256},
                                           .zeros = lanes_sha1_zeros};
const struct lanes_kernel *const lanes_avx2 = &kernel;
#else
const struct lanes_kernel *const lanes_avx2 = NULL;
#endif

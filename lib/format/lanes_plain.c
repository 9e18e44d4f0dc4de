/* Four lanes in what every processor of the architecture has: SSE2, NEON. */
#include "format/lanes_kernel.h"

static bool always(void)
{
    return true;
}

const struct lanes_kernel lanes_plain = {.width = LANES_WIDTH,
                                         .here = always,
                                         .blocks = {lanes_sha1, lanes_sha256},
                                         .zeros = lanes_sha1_zeros,
                                         .both = lanes_sha1_sha256};

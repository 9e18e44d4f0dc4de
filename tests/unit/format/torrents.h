/* Content and manifests for tests of the format floor: the same bytes the vectors were made of. */
#ifndef TESTS_UNIT_FORMAT_TORRENTS_H
#define TESTS_UNIT_FORMAT_TORRENTS_H

#include <p2p/base/mem.h>
#include <p2p/format/manifest.h>

#include <stdio.h>
#include <stdlib.h>

#include "bentext.h"

/* Byte i of a file of length n. */
static inline uint8_t content_byte(uint64_t n, uint64_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 7 + n);
}

/* The whole file; empty and asserting nothing if it is not there. Owned. */
static inline struct bytes read_vector(const char *name)
{
    char *path = mem_fmt("tests/vectors/manifest/%s", name);
    FILE *f = fopen(path, "rb");
    struct buf b = {0};
    size_t n;
    free(path);
    if (!f)
        return BYTES(mem_alloc(1), 0);
    do {
        n = fread(buf_room(&b, 4096), 1, 4096, f);
        buf_added(&b, n);
    } while (n > 0);
    fclose(f);
    return buf_take(&b);
}

/* A .torrent around an info dictionary in bentext. */
static inline struct manifest *manifest_of(const char *info, struct err *e)
{
    struct buf b = {0};
    buf_put_str(&b, "d4:info");
    bentext(&b, info);
    buf_put_str(&b, "e");
    struct manifest *m = manifest_parse(buf_bytes(&b), e);
    buf_fini(&b);
    return m;
}

#endif

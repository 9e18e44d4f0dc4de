/*
 * One lane by OpenSSL, which uses the processor's SHA instructions. EVP does not let a middle state
 * out or in; the functions below it do, deprecated as they are, and need no context besides.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "format/lanes_int.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>

static void sha1_blocks(uint32_t *h, const uint8_t *const *data, size_t blocks)
{
    SHA_CTX c = {.h0 = h[0],
                 .h1 = h[LANES_MAX],
                 .h2 = h[2 * LANES_MAX],
                 .h3 = h[3 * LANES_MAX],
                 .h4 = h[4 * LANES_MAX]};
    if (!SHA1_Update(&c, data[0], blocks * 64))
        abort();
    h[0] = c.h0;
    h[LANES_MAX] = c.h1;
    h[2 * LANES_MAX] = c.h2;
    h[3 * LANES_MAX] = c.h3;
    h[4 * LANES_MAX] = c.h4;
}

static void sha1_zeros(uint32_t *h, size_t blocks)
{
    static const uint8_t zeros[4096];
    const uint8_t *data = zeros;
    for (size_t n; blocks > 0; blocks -= n) {
        n = blocks < sizeof zeros / 64 ? blocks : sizeof zeros / 64;
        sha1_blocks(h, &data, n);
    }
}

static void sha256_blocks(uint32_t *h, const uint8_t *const *data, size_t blocks)
{
    SHA256_CTX c = {.md_len = SHA256_LEN};
    for (size_t i = 0; i < 8; i++)
        c.h[i] = h[i * LANES_MAX];
    if (!SHA256_Update(&c, data[0], blocks * 64))
        abort();
    for (size_t i = 0; i < 8; i++)
        h[i * LANES_MAX] = c.h[i];
}

/*
 * Asked of OpenSSL and not of the processor, because that is what counts: it says
 * "OPENSSL_ia32cap=0x…:0x…", the second number being registers EBX and ECX of CPUID leaf 7, where
 * bit 29 stands for SHA. Elsewhere than on x86 we have measured nothing and rely on OpenSSL.
 */
bool lanes_openssl_fast(void)
{
#ifdef __x86_64__
    const char *caps = OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS);
    const char *second = caps ? strchr(caps, ':') : NULL;
    return second && (strtoull(second + 1, NULL, 16) >> 29 & 1);
#else
    return true;
#endif
}

static bool always(void)
{
    return true;
}

const struct lanes_kernel lanes_openssl = {
    .width = 1, .here = always, .blocks = {sha1_blocks, sha256_blocks}, .zeros = sha1_zeros};

/*
 * Digests over OpenSSL's plain functions, deprecated as they are. EVP would first load providers
 * and read the configuration, which takes longer than all else that a small job does, and cost
 * more for each than hashing the 64 bytes of a merkle node. They do not fail.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <p2p/format/digest.h>

#include <openssl/sha.h>
#include <p2p/base/mem.h>
#include <stdlib.h>

struct digest {
    enum digest_kind kind;
    union {
        SHA_CTX sha1;
        SHA256_CTX sha256;
    } u;
};

void digest_begin(struct digest *d)
{
    if (d->kind == DIGEST_SHA1)
        SHA1_Init(&d->u.sha1);
    else
        SHA256_Init(&d->u.sha256);
}

void digest_more(struct digest *d, struct bytes b)
{
    if (d->kind == DIGEST_SHA1)
        SHA1_Update(&d->u.sha1, b.p, b.n);
    else
        SHA256_Update(&d->u.sha256, b.p, b.n);
}

void digest_end(struct digest *d, uint8_t *out)
{
    if (d->kind == DIGEST_SHA1)
        SHA1_Final(out, &d->u.sha1);
    else
        SHA256_Final(out, &d->u.sha256);
}

static void one_shot(enum digest_kind k, uint8_t *out, struct bytes b)
{
    struct digest d = {.kind = k};
    digest_begin(&d);
    digest_more(&d, b);
    digest_end(&d, out);
}

void digest_sha1(uint8_t out[SHA1_LEN], struct bytes b)
{
    one_shot(DIGEST_SHA1, out, b);
}

void digest_sha256(uint8_t out[SHA256_LEN], struct bytes b)
{
    one_shot(DIGEST_SHA256, out, b);
}

void digest_pair(uint8_t out[SHA256_LEN], const uint8_t left[SHA256_LEN],
                 const uint8_t right[SHA256_LEN])
{
    uint8_t both[2 * SHA256_LEN];
    memcpy(both, left, SHA256_LEN);
    memcpy(both + SHA256_LEN, right, SHA256_LEN);
    one_shot(DIGEST_SHA256, out, BYTES(both, sizeof both));
}

struct digest *digest_new(enum digest_kind k)
{
    struct digest *d = mem_zero(sizeof *d);
    d->kind = k;
    digest_begin(d);
    return d;
}

void digest_free(struct digest *d)
{
    free(d);
}

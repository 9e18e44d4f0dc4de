/*
 * Digests over OpenSSL's EVP. The algorithms are fetched once for the process; the one-shot
 * functions keep a context for each thread, because creating one costs more than hashing the 64
 * bytes of a merkle node. EVP fails here only for want of memory, which is treated as mem.h does.
 */
#include <p2p/format/digest.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <p2p/base/mem.h>
#include <stdlib.h>
#include <threads.h>

struct digest {
    EVP_MD_CTX *ctx;
    const EVP_MD *md;
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static EVP_MD *fetched[2];
static tss_t thread_ctx;

static void ctx_drop(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void fetch_all(void)
{
    fetched[DIGEST_SHA1] = EVP_MD_fetch(NULL, "SHA1", NULL);
    fetched[DIGEST_SHA256] = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!fetched[DIGEST_SHA1] || !fetched[DIGEST_SHA256] ||
        tss_create(&thread_ctx, ctx_drop) != thrd_success)
        abort();
}

static const EVP_MD *kind_md(enum digest_kind k)
{
    if (!CRYPTO_THREAD_run_once(&once, fetch_all))
        abort();
    return fetched[k];
}

static void must(int ok)
{
    if (!ok)
        abort();
}

/* This thread's context; tss frees it when the thread ends. */
static EVP_MD_CTX *own_ctx(void)
{
    static _Thread_local EVP_MD_CTX *mine;
    if (!mine) {
        mine = EVP_MD_CTX_new();
        must(mine && tss_set(thread_ctx, mine) == thrd_success);
    }
    return mine;
}

static void one_shot(enum digest_kind k, uint8_t *out, struct bytes b)
{
    const EVP_MD *md = kind_md(k);
    EVP_MD_CTX *ctx = own_ctx();
    must(EVP_DigestInit_ex2(ctx, md, NULL) && EVP_DigestUpdate(ctx, b.p, b.n) &&
         EVP_DigestFinal_ex(ctx, out, NULL));
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
    d->md = kind_md(k);
    d->ctx = EVP_MD_CTX_new();
    must(d->ctx != NULL);
    digest_begin(d);
    return d;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}

void digest_begin(struct digest *d)
{
    must(EVP_DigestInit_ex2(d->ctx, d->md, NULL));
}

void digest_more(struct digest *d, struct bytes b)
{
    must(EVP_DigestUpdate(d->ctx, b.p, b.n));
}

void digest_end(struct digest *d, uint8_t *out)
{
    must(EVP_DigestFinal_ex(d->ctx, out, NULL));
}

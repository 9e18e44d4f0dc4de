/*
 * Ed25519 over OpenSSL's EVP. Making and signing fail only for want of memory, which is treated as
 * mem.h does; checking says no to every key and signature that OpenSSL does not like.
 */
#include <p2p/format/sign.h>

#include <openssl/evp.h>
#include <stdlib.h>

static void must(int ok)
{
    if (ok != 1)
        abort();
}

static EVP_PKEY *secret(const uint8_t seed[SIGN_SEED])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_SEED);
    must(key != NULL);
    return key;
}

void sign_public(uint8_t out[SIGN_PUBLIC], const uint8_t seed[SIGN_SEED])
{
    EVP_PKEY *key = secret(seed);
    size_t n = SIGN_PUBLIC;
    must(EVP_PKEY_get_raw_public_key(key, out, &n));
    EVP_PKEY_free(key);
}

void sign_make(uint8_t out[SIGN_LEN], const uint8_t seed[SIGN_SEED], struct bytes message)
{
    EVP_PKEY *key = secret(seed);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = SIGN_LEN;
    must(ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
         EVP_DigestSign(ctx, out, &n, message.p, message.n) == 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

bool sign_check(const uint8_t sig[SIGN_LEN], const uint8_t pub[SIGN_PUBLIC], struct bytes message)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pub, SIGN_PUBLIC);
    if (!key)
        return false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx != NULL);
    bool ok = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, sig, SIGN_LEN, message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok;
}

/*
 * Digests: SHA-1 (BEP 3) and SHA-256 (BEP 52), one-shot and streaming, by OpenSSL: one message at a
 * time. Where there are many of them, format/lanes.h is several times as fast.
 */
#ifndef P2P_FORMAT_DIGEST_H
#define P2P_FORMAT_DIGEST_H

#include <p2p/base/bytes.h>

#define SHA1_LEN 20
#define SHA256_LEN 32

void digest_sha1(uint8_t out[SHA1_LEN], struct bytes b);
void digest_sha256(uint8_t out[SHA256_LEN], struct bytes b);
/* SHA-256 of left then right: a node of a merkle tree. */
void digest_pair(uint8_t out[SHA256_LEN], const uint8_t left[SHA256_LEN],
                 const uint8_t right[SHA256_LEN]);

enum digest_kind { DIGEST_SHA1, DIGEST_SHA256 };
struct digest; /* a streaming state; reusable after digest_end */
struct digest *digest_new(enum digest_kind k);
void digest_free(struct digest *d);
void digest_begin(struct digest *d);
void digest_more(struct digest *d, struct bytes b);
void digest_end(struct digest *d, uint8_t *out);

#endif

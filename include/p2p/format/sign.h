/*
 * Ed25519 signatures, for mutable items of the DHT (BEP 44). OpenSSL does the work; this is the
 * only place that knows it. The secret is the 32-byte seed of RFC 8032, not the expanded key that
 * some programs store in 64 bytes.
 */
#ifndef P2P_FORMAT_SIGN_H
#define P2P_FORMAT_SIGN_H

#include <p2p/base/bytes.h>

#define SIGN_SEED 32
#define SIGN_PUBLIC 32
#define SIGN_LEN 64

void sign_public(uint8_t out[SIGN_PUBLIC], const uint8_t seed[SIGN_SEED]);
void sign_make(uint8_t out[SIGN_LEN], const uint8_t seed[SIGN_SEED], struct bytes message);
bool sign_check(const uint8_t sig[SIGN_LEN], const uint8_t pub[SIGN_PUBLIC], struct bytes message);

#endif

/*
 * Diffie and Hellman's exchange in the group of message stream encryption (proto/mse.h): a prime of
 * 768 bits, generator 2, numbers big-endian. Too small to keep a secret from the strong; what is
 * shared there only makes bytes look like noise. It takes some tenths of a millisecond: who does
 * it for strangers keeps count.
 */
#ifndef P2P_FORMAT_DH_H
#define P2P_FORMAT_DH_H

#include <p2p/base/bytes.h>

#define DH_LEN 96
#define DH_SECRET 20 /* bytes of a secret number: 160 bits */

void dh_public(uint8_t out[DH_LEN], const uint8_t secret[DH_SECRET]);
/* False: what they sent is 0, 1 or beyond the prime less 2, whose powers anybody knows. */
bool dh_shared(uint8_t out[DH_LEN], const uint8_t secret[DH_SECRET], const uint8_t theirs[DH_LEN]);

#endif

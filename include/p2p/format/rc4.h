/*
 * RC4, for message stream encryption (proto/mse.h) alone, which drops the first kilobyte. It hides
 * nothing from who wants to know: its use is that the bytes look like noise.
 */
#ifndef P2P_FORMAT_RC4_H
#define P2P_FORMAT_RC4_H

#include <p2p/base/bytes.h>

struct rc4 { /* a value that owns nothing */
    uint8_t s[256];
    uint8_t i, j;
};

void rc4_init(struct rc4 *r, struct bytes key);      /* 1 to 256 bytes */
void rc4_skip(struct rc4 *r, size_t n);              /* so much of its stream is not used */
void rc4_apply(struct rc4 *r, uint8_t *p, size_t n); /* in place; both ways are one */

#endif

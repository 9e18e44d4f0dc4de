/* Checked arithmetic for sizes that come from strangers: false means overflow, out is untouched. */
#ifndef P2P_BASE_NUM_H
#define P2P_BASE_NUM_H

#include <p2p/base/bytes.h>

bool num_add(uint64_t a, uint64_t b, uint64_t *out);
bool num_mul(uint64_t a, uint64_t b, uint64_t *out);
uint64_t num_ceil_div(uint64_t a, uint64_t b); /* b > 0; never overflows */
bool num_is_pow2(uint64_t v);                  /* 0 is not */
uint64_t num_pow2_ceil(uint64_t v); /* least power of two >= v; 1 for 0; 0 when past 2^63 */
unsigned num_log2(uint64_t v);                 /* floor; 0 for 0 */
/* Decimal, digits only, all of it; false for empty, signs, blanks and past 2^64-1. */
bool num_parse_u64(struct bytes s, uint64_t *out);
#define NUM_TEXT 20                              /* digits at most */
size_t num_text(char out[NUM_TEXT], uint64_t v); /* decimal; how many digits; no NUL behind */

#endif

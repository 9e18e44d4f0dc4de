/*
 * Byte slices and a reading cursor. A slice borrows; it never owns. All integers of the wire are
 * big-endian and are widened at once. A cursor that was asked for more than there is stays at the
 * end with `bad` set, so that a parser may check once, at its end.
 */
#ifndef P2P_BASE_BYTES_H
#define P2P_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *p;
    size_t n;
};

struct span { /* writable, borrowed */
    uint8_t *p;
    size_t n;
};

#define BYTES(ptr, len) ((struct bytes){(const uint8_t *)(ptr), (len)})
#define BYTES_LIT(lit) ((struct bytes){(const uint8_t *)(lit), sizeof(lit) - 1})

static inline struct bytes bytes_str(const char *s) { return BYTES(s, strlen(s)); }
bool bytes_eq(struct bytes a, struct bytes b);
bool bytes_is(struct bytes a, const char *literal);
int bytes_cmp(struct bytes a, struct bytes b); /* memcmp order, then shorter first */
/* Time depends on the lengths only: for tokens and digests of secrets. */
bool bytes_eq_const(struct bytes a, struct bytes b);
/* Frees a slice that was moved to the caller (buf_take); slices that borrow never come here. */
void bytes_free(struct bytes owned);

struct cursor {
    const uint8_t *p, *end;
    bool bad;
};

void cursor_init(struct cursor *c, struct bytes b);
size_t cursor_left(const struct cursor *c);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_be16(struct cursor *c);
uint32_t cursor_be32(struct cursor *c);
uint64_t cursor_be64(struct cursor *c);
struct bytes cursor_take(struct cursor *c, size_t n); /* empty and bad if there are not n left */

uint16_t get_be16(const uint8_t *p);
uint32_t get_be32(const uint8_t *p);
uint64_t get_be64(const uint8_t *p);
void put_be16(uint8_t *p, uint16_t v);
void put_be32(uint8_t *p, uint32_t v);
void put_be64(uint8_t *p, uint64_t v);

#endif

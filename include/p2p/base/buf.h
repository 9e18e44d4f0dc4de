/*
 * A growable byte buffer that is consumed from the front: bytes live at [head, tail). With `max`
 * set it refuses to grow past it: buf_* that add return false and change nothing. Zero-initialised
 * is empty and ready (no limit).
 */
#ifndef P2P_BASE_BUF_H
#define P2P_BASE_BUF_H

#include <p2p/base/bytes.h>

struct buf {
    uint8_t *mem; /* owned */
    size_t head, tail, cap;
    size_t max; /* most bytes it may hold; 0: no limit */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b); /* frees; as after buf_init(b, 0) */
static inline size_t buf_len(const struct buf *b) { return b->tail - b->head; }
struct bytes buf_bytes(const struct buf *b); /* borrowed until the next change */
/* Room for n more bytes at the tail, NULL past the limit; then buf_added() tells how many came. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
bool buf_put(struct buf *b, const void *p, size_t n);
bool buf_put_bytes(struct buf *b, struct bytes s);
bool buf_put_str(struct buf *b, const char *s);
bool buf_put_u8(struct buf *b, uint8_t v);
bool buf_put_be16(struct buf *b, uint16_t v);
bool buf_put_be32(struct buf *b, uint32_t v);
bool buf_put_be64(struct buf *b, uint64_t v);
bool buf_putf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_eat(struct buf *b, size_t n); /* drops n bytes from the front; all of them at most */
void buf_clear(struct buf *b);         /* empty, memory kept */
char *buf_take_str(struct buf *b);     /* content with a NUL behind, moved out; b is empty after */
struct bytes buf_take(struct buf *b);  /* content moved out: bytes_free() it; b is empty after */

#endif

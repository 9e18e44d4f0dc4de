/*
 * Content in memory instead of on the disk: one long row of bytes, of which only some pieces of one
 * size are here at a time. A piece takes its place when it is first written and keeps it until
 * window_drop; a tree that was given a window (tree_set_window) reads and writes there.
 *
 * Worker threads read and write while the owner drops other pieces. What is dropped while a thread
 * is at work in it goes when that is done.
 */
#ifndef P2P_HOST_WINDOW_H
#define P2P_HOST_WINDOW_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>

struct window;

/* `most` pieces at once: one more is an error of the owner (ERR_LIMIT), and nothing is kept. */
struct window *window_new(uint32_t piece_length, size_t most);
void window_free(struct window *w); /* NULL is fine */
int window_write(struct window *w, uint64_t offset, const struct bytes *v, size_t n, struct err *e);
/* All of `to`, or ERR_NOTFOUND: one of its pieces is not here. */
int window_read(struct window *w, uint64_t offset, struct span to, struct err *e);
/* What is here from `offset` to the end of its piece; n = 0: nothing. Valid until window_drop. */
struct bytes window_at(struct window *w, uint64_t offset);
void window_drop(struct window *w, uint64_t piece);
size_t window_count(struct window *w); /* pieces that are here */

#endif

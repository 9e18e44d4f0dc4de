/*
 * The pieces of a file of which nobody knows yet how long it will be, hashed as its bytes pass. The
 * size of the pieces follows from that length (author.h), so v2 is gathered by the smallest pieces
 * that it can still have, and put together at the end; and v1 is hashed by three sizes side by
 * side, for which SIMD lanes are there (give some MiB at a time). What of v1 came before its size
 * was among them, the first 16th at most, is not known at the end and is to be read again.
 *
 * Memory: what the manifest takes, some times.
 */
#ifndef P2P_FORMAT_FLOWHASH_H
#define P2P_FORMAT_FLOWHASH_H

#include <p2p/format/author.h>

struct flowhash;

/* piece_length 0: the author will choose it by the length. */
struct flowhash *flowhash_new(enum author_format f, uint32_t piece_length);
void flowhash_free(struct flowhash *h); /* NULL is fine */
/* The next bytes: a multiple of 16 KiB each time but the last. */
void flowhash_more(struct flowhash *h, struct bytes b);
void flowhash_end(struct flowhash *h);
/* After that: a piece of the file as a single file of a manifest whose pieces are so long. False:
 * it is not known. */
bool flowhash_piece(const struct flowhash *h, uint32_t piece_length, uint32_t piece,
                    struct piecehash_result *out);

#endif

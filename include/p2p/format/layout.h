/*
 * Arithmetic of content space (see manifest.h): pieces, blocks of 16 KiB, files.
 * A piece's wire length counts what a peer may be asked for; blocks that are only padding do not
 * exist on the wire and count as had.
 */
#ifndef P2P_FORMAT_LAYOUT_H
#define P2P_FORMAT_LAYOUT_H

#include <p2p/format/manifest.h>

#define LAYOUT_BLOCK 16384u

/* Length of a piece in content space (v1: pads included; v2-only: up to its file's end). */
uint32_t layout_piece_len(const struct manifest *m, uint32_t piece);
/* Number of 16 KiB blocks in it, the ones of padding included. */
uint32_t layout_blocks(const struct manifest *m, uint32_t piece);
/*
 * Bytes to ask a peer for in this block: 16384, less at the end of a piece, and cut before padding
 * that reaches the block's end (BEP 47); 0 when all of it is padding.
 */
uint32_t layout_block_len(const struct manifest *m, uint32_t piece, uint32_t block);

/* The file (never a pad) that a piece belongs to under v2 rules, and the piece's index within it;
 * false if it is padding only or the manifest has no v2 half. */
bool layout_piece_file(const struct manifest *m, uint32_t piece, uint32_t *file,
                       uint32_t *index_in_file);
/* First and one past the last piece that a file's bytes touch (equal for an empty file). */
void layout_file_pieces(const struct manifest *m, uint32_t file, uint32_t *first, uint32_t *end);

struct layout_seg {
    uint32_t file;   /* index; UINT32_MAX for a gap (v2-only) */
    bool pad;        /* zeros: nothing is stored (a pad file or a gap) */
    uint64_t offset; /* in the file */
    uint64_t length;
};
/* Walks [offset, offset+length) of content space in order. */
struct layout_iter {
    const struct manifest *m;
    uint64_t at, end;
    uint32_t file;
};
void layout_iter_init(struct layout_iter *it, const struct manifest *m, uint64_t offset,
                      uint64_t length);
bool layout_iter_next(struct layout_iter *it, struct layout_seg *seg);

#endif

/*
 * What one worker hashes: pieces side by side, each in a lane of its own with the file that it
 * reads, because SIMD hashes several messages in the time of one (format/lanes.h). How many lanes
 * and how many bytes at a time are told by the whole content: scan_shape.
 */
#ifndef LIB_ENGINE_SCAN_LANE_H
#define LIB_ENGINE_SCAN_LANE_H

#include "engine/scan_int.h"

#include <p2p/format/layout.h>

#include <stdatomic.h>

#define SCAN_LANES 64

struct scan_shape {
    size_t threads, slots;
    unsigned lanes;
    size_t step; /* bytes of a lane at a time */
};
struct scan_shape scan_shape_of(const struct manifest *m, size_t threads);

/* What the workers share. */
struct scan_run {
    const struct scan_hash *h;
    struct scan_shape shape;
    _Atomic uint64_t done; /* bytes */
    _Atomic bool stop;
    /*
     * What is read into, for each of the slots. A thread takes that which it had before, whichever
     * slot it works for: that lies in its core's cache.
     */
    uint8_t *mem;
    _Atomic bool *taken;
};

struct scan_lane {
    struct piecehash *hash;
    uint8_t *mem;
    struct scan_piece *out;   /* of the piece under way; NULL: idle */
    struct layout_iter iter;
    struct layout_seg seg;    /* what is left of it */
    uint32_t file;            /* open; UINT32_MAX: none */
    struct tree_pin pin;
    uint64_t ahead;           /* the disk was asked for the file up to here */
};

struct scan_lanes {
    struct scan_run *run;
    struct scan_lane *v; /* run->shape.lanes */
    struct err e;        /* the first failure */
};

/* h and shape are there. */
void scan_run_init(struct scan_run *r);
void scan_run_fini(struct scan_run *r);
void scan_lanes_init(struct scan_lanes *l, struct scan_run *run);
/* Hashes n pieces; each gets its result. */
void scan_lanes_run(struct scan_lanes *l, const uint32_t *pieces, struct scan_piece *out, size_t n);
/* Closes what is open: what that finds out comes back. */
int scan_lanes_fini(struct scan_lanes *l);

#endif

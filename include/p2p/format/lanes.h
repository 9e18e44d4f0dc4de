/*
 * Digests of many messages side by side, a message in each lane of a SIMD register: several times
 * as fast as one after the other. For what comes in independent parts: the leaves of v2 (BEP 52),
 * pieces of v1 (BEP 3), the layers of a merkle tree.
 *
 * - A list of jobs goes in, of any number and any lengths; a lane that has finished its job takes
 *   the next one. Give as many as there are at once, and the long ones first: what keeps fewer than
 *   lanes_width() messages going wastes lanes.
 * - A message may come bit by bit: its state is a lanes_sum, a value that owns nothing.
 * - The kernel (sixteen or eight lanes in AVX-512, eight in AVX2, four in what every processor
 *   has, or OpenSSL) is chosen by what the processor offers, for each number of messages under way.
 * - Results do not depend on any of this. All functions may be called from any thread.
 */
#ifndef P2P_FORMAT_LANES_H
#define P2P_FORMAT_LANES_H

#include <p2p/format/digest.h>

#define LANES_MAX 16

/* A message under way. Copy it to keep a middle state. */
struct lanes_sum {
    uint32_t h[8];
    uint64_t n; /* bytes so far; of them n % 64 wait in `part` */
    uint8_t part[128];
};
void lanes_begin(struct lanes_sum *s, enum digest_kind k);

struct lanes_job {
    struct lanes_sum *sum; /* NULL: `b` is the whole message; else b follows what came before */
    struct bytes b;        /* borrowed during the call */
    uint8_t *out;          /* the digest, when the message ends with b; NULL: more is to come */
};
/*
 * Does n jobs, in no order to count on: no two with the same sum. A sum that was ended is to be
 * begun anew.
 */
void lanes_run(enum digest_kind k, const struct lanes_job *jobs, size_t n);

/*
 * Whole blocks: sums of whole blocks (n % 64 == 0), all different, go on with those given; the
 * longest first.
 */
struct lanes_stretch {
    struct lanes_sum *sum[2]; /* by enum digest_kind */
    const uint8_t *p;         /* blocks * 64 bytes, borrowed during the call */
    size_t blocks;
};
/* SHA-1 with blocks of zeros, without looking at any: the padding of hybrids. `p` is not used. */
void lanes_zeros(const struct lanes_stretch *v, size_t n);
/* SHA-1 and SHA-256 with the same bytes, loaded once for both: the pieces and leaves of hybrids. */
void lanes_both(const struct lanes_stretch *v, size_t n);
/* How many at a time make that worth having, and every multiple of it; 0: nothing does. */
unsigned lanes_both_width(void);

/* SHA-256 of n messages of 64 bytes in a row (n * 64 bytes): the next layer of a merkle tree, which
   may be written over the beginning of the last (out == pairs). */
void lanes_pairs(uint8_t *out, const uint8_t *pairs, size_t n);

/* How many messages at a time are worth having: 1 where OpenSSL alone is fastest. */
unsigned lanes_width(enum digest_kind k);

/*
 * For tests and measurements: the kernels of this machine by number (NULL past the last), and the
 * wish that only this one of them be used (NULL: as the table says; others change nothing). Not
 * while another thread hashes.
 */
const char *lanes_kernel_name(size_t i);
void lanes_only(const char *name);

#endif

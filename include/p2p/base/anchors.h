/*
 * Finding known bytes again, wherever they have moved to. Of content that is shown to it this
 * remembers the places where a rolling hash of the last 64 bytes has a certain look: those places
 * are chosen by what stands there and not by where, so the same bytes elsewhere have the same ones.
 * A few KiB of new content then tell which place of which old content they are like, and how many
 * of their anchors say so. What is found is a guess: it is to be compared, or hashed.
 *
 * Cost: one step a byte; 16 bytes of memory an anchor, ANCHORS_MOST of them. The more content, the
 * further apart they are. One thread adds; when nobody adds, any may ask.
 */
#ifndef P2P_BASE_ANCHORS_H
#define P2P_BASE_ANCHORS_H

#include <p2p/base/bytes.h>

#define ANCHORS_WINDOW 64u      /* bytes that an anchor speaks of */
#define ANCHORS_MOST (1u << 22) /* kept; further ones are not */
#define ANCHORS_FOUND 8u        /* answers to one question, at most */

struct anchors;

struct anchors *anchors_new(uint64_t bytes); /* about so much will be shown */
void anchors_free(struct anchors *a);        /* NULL is fine */
/* Content of `source` from `off` on. Pieces of it may be shown in any order; what lies across the
 * edge of two is not seen unless they overlap by ANCHORS_WINDOW. */
void anchors_add(struct anchors *a, uint32_t source, uint64_t off, struct bytes b);

struct anchors_match {
    uint32_t source;
    int64_t shift;  /* place in the source less place in `b`: not below -b.n */
    uint32_t votes; /* anchors that say so */
};
/* What is b like? The likeliest first. Anchors of which there are several count only where no
 * other says anything. */
size_t anchors_find(const struct anchors *a, struct bytes b,
                    struct anchors_match out[ANCHORS_FOUND]);

#endif

/*
 * Neighbours first: who is near, and who fetches what from afar.
 *
 * Near are peers of the same host, link and site. What gives one away is its address, its voice on
 * the local link (LSD) and the time of its answers; none can be had by words alone, and whoever
 * obtains it wrongly gains a preference that ends with the first disappointment.
 *
 * A circle is a set of peers that share the cost of a dear source: neighbours that share the way to
 * far peers, and all peers of an item that share its web seeds. The rules:
 * 1. What one of the circle has is not fetched from the dear source.
 * 2. What none has is divided: pieces go in parts (some pieces in a row), and every part belongs to
 *    one of those who are at work, by rendezvous hashing of part and peer id. All reckon alike, so
 *    no message is needed. Everybody fetches his own parts from the dear source and leaves the
 *    others alone.
 * 3. At work is who has lately been the first of the circle with a piece, or has just come. After a
 *    patience without one, longer where pieces come slowly to him and to us, his parts fall to the
 *    next in rank. When he shows one, he is back.
 * 4. Who has nothing left to do, and is brought less than he could fetch, takes over the parts of
 *    one that would need longer than the patience for them, and much longer than he for his own.
 * 5. One that keeps us waiting, so that much less arrives than the dear source would give, counts
 *    no longer as having anything until he gives his share: what he has may be fetched elsewhere.
 * So a circle of strangers that follow no such rules, of liars or of the dead costs at most some
 * times the patience, and not again.
 *
 * The strength, prefer_local, is 0 to 100. 0: near and far are one, all of this is off. 50: the
 * patience is ten seconds; neighbours are to give half of what far peers would, peers a sixteenth
 * of what a web seed would, and a sixth of it where all of them are seeds: one that is alone in
 * taking spares the web seed for nobody but those who come after. 100: twenty seconds, and
 * neighbours and peers are waited for however slow they are, as long as they give.
 */
#ifndef P2P_SWARM_NEAR_H
#define P2P_SWARM_NEAR_H

#include <p2p/base/addr.h>
#include <p2p/base/usec.h>
#include <stddef.h>

#define NEAR_MAX_PREFER 100u
#define NEAR_RTT (5 * USEC_MS) /* who answers within it is in the same site; */
/* of the same public /24 within this, for their lines may be busy. */
#define NEAR_RTT_NEXT_DOOR (250 * USEC_MS)
#define NEAR_PART (1u << 20) /* bytes of a part, about */
#define NEAR_MAX_PARTS 4096u
#define NEAR_MAX_MATES 1000u
#define NEAR_MAX_GAP USEC_MIN /* the longest gap between two pieces that counts as usual */

/* ---- who is near ---- */

enum near_class { NEAR_FAR, NEAR_SITE, NEAR_LINK, NEAR_HOST };

struct near_clue {
    const struct addr *self; /* what is known of our own addresses */
    size_t n_self;
    const struct addr *peer;
    bool heard; /* on the local link */
    usec rtt;   /* the least seen; USEC_NEVER: none */
};
enum near_class near_class(const struct near_clue *c);

/* ---- the labour and its division ---- */

usec near_patience(unsigned prefer);

struct near_mate { /* one of a circle, or we ourselves */
    uint64_t key;
    usec joined, brought; /* when we met; when it was last the first with a piece (0: never) */
    usec gap;             /* between two of those, the longest of late */
    uint32_t count;       /* of them */
    usec passed_over;     /* its parts are not left to it before */
    bool let_down;        /* rule 5 */
};
uint64_t near_key(const uint8_t peer_id[20]);
void near_mate_init(struct near_mate *m, uint64_t key, usec now);
void near_mate_brought(struct near_mate *m, usec now);
/* Rule 3. */
bool near_mate_works(const struct near_mate *m, const struct near_mate *us, unsigned prefer,
                     usec now);
/* Rule 4, if it has still so many pieces to bring. */
bool near_mate_is_slow(const struct near_mate *m, const struct near_mate *us, uint32_t pieces,
                       unsigned prefer, usec now);

struct near_parts {
    uint32_t n_pieces, size, n; /* pieces; in a part; parts */
    uint16_t *owner;            /* by part: 0 is us, else one more than the index of the mate */
    uint64_t us;                /* our own key */
    uint64_t drawn;             /* for whom it was drawn */
};
void near_parts_init(struct near_parts *p, uint32_t n_pieces, uint32_t piece_length, uint64_t us);
void near_parts_fini(struct near_parts *p);
/* Among us and those of the n whose key is not 0, NEAR_MAX_MATES of them at most. Cheap if nothing
 * changed. */
void near_parts_divide(struct near_parts *p, const uint64_t *keys, size_t n);
/* Where the part of this piece ends. */
uint32_t near_part_end(const struct near_parts *p, uint32_t piece);

/* What part of a dear source's speed must arrive for it to be left alone, at strength 50: */
#define NEAR_LEAST_FAR 2u   /* of far peers'; */
#define NEAR_LEAST_SEEDS 6u /* of a web seed's, if all peers are seeds; */
#define NEAR_LEAST_CROWD \
    16u /* if others want the item too: peers are to relieve it though slower */
/* The same in bytes a second, if it would give `dear`. */
uint64_t near_least(uint64_t dear, unsigned part, unsigned prefer);

#endif

/*
 * Fresh pieces (wanted, lacking, not begun) in order of rarity, one class for each priority. A
 * class is an array sorted by availability with the boundaries noted, so that a HAVE moves a piece
 * by one swap, and a bit set, so that "which of these does this peer have" is asked 64 pieces at a
 * time. Availabilities of all pieces live here too; seeds are counted elsewhere, by one number.
 */
#ifndef SWARM_PICKER_ORDER_H
#define SWARM_PICKER_ORDER_H

#include <p2p/base/bits.h>
#include <p2p/base/rng.h>

#define ORDER_CLASSES 8u /* priorities 1 to 7; class 0 means "not in the order" */
#define ORDER_NONE UINT32_MAX

struct order_class {
    uint32_t *v;     /* pieces, the rarest first */
    uint32_t *start; /* start[a]: where pieces of availability a begin; start[buckets]: n */
    uint32_t n, cap;
    struct bits set; /* the same pieces; empty until the class is first used */
};

struct order {
    uint32_t n; /* pieces in all */
    uint32_t buckets;
    uint16_t *avail;
    uint32_t *pos; /* place in the class's array; the owner's to use for pieces not in the order */
    uint8_t *cls;  /* class of each piece, 0 if it is not in */
    uint32_t fresh, fresh_unseen; /* in the order; and those of availability 0 */
    bool dirty; /* arrays are out of date; sets, counts and availabilities never are */
    struct order_class c[ORDER_CLASSES];
};

/* What the asker has, and only what is in the second; NULL: everything. Nothing of the third. */
struct order_filter {
    const struct bits *has, *only, *avoid;
};
enum order_mode { ORDER_RAREST, ORDER_RANDOM };

void order_init(struct order *o, uint32_t n); /* all pieces in class 1 */
void order_fini(struct order *o);
void order_insert(struct order *o, uint32_t piece, unsigned cls);
void order_remove(struct order *o, uint32_t piece);
void order_count(struct order *o, uint32_t piece, int delta);
void order_count_bits(struct order *o, const struct bits *has, int delta);

bool order_match(const struct order_filter *f, uint32_t piece);
/* The best fresh piece for the asker, ORDER_NONE if there is none at all. */
uint32_t order_find(struct order *o, const struct order_filter *f, enum order_mode mode,
                    struct rng *r);
/* The rarest of those less than `window` behind the first fresh piece, ties at random, but in order
 * where only seeds have them; else the first. None from `limit` on. */
uint32_t order_find_ahead(const struct order *o, const struct order_filter *f, uint32_t window,
                          uint32_t limit, struct rng *r);
bool order_any_before(const struct order *o, uint32_t limit); /* a fresh piece */
/* Where a long run of fresh pieces begins, or goes on behind `after` (ORDER_NONE: nowhere). They
 * are looked at from `from` on, and round to it again. */
uint32_t order_find_run(const struct order *o, const struct order_filter *f, uint32_t after,
                        uint32_t from);
/* First piece >= from that is in the set and passes the filter. */
uint32_t order_and_next(const struct bits *set, const struct order_filter *f, uint32_t from);

#endif

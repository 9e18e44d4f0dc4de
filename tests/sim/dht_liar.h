/*
 * Those who are in a DHT to spoil it. A liar asks and pings like a member, so that others have him
 * in their tables, but his answers are lies. All liars of a world know each other and the truth.
 */
#ifndef P2P_SIM_DHT_LIAR_H
#define P2P_SIM_DHT_LIAR_H

#include "dht_world.h"

enum {                   /* one of those that are set is drawn for each answer */
       LIE_FRIENDS = 1,  /* only other liars, the closest of them; and peers that do not exist */
       LIE_PHANTOMS = 2, /* nodes that do not exist, closer than any */
       LIE_WRONGLY = 4,  /* of honest nodes close by, with wrong ids, ports, addresses */
       LIE_SILENCE = 8,  /* nothing */
       LIE_OWN_ID = 16,  /* an id as close as can be, other than that of his questions */
};

struct liar;
struct liars {
    struct dht_world *w;
    unsigned lies;
    bool fit;           /* ids fit addresses (BEP 42) */
    const uint8_t *key; /* to sit down beside; NULL: anywhere */
    struct liar **v;    /* owned */
    uint32_t n;
    uint64_t told; /* lies */
};

/* n more, joined by the first members. site: as of host_config. */
void liars_join(struct liars *l, uint32_t n, unsigned site);
void liars_fini(struct liars *l); /* after the tube is gone */

#endif

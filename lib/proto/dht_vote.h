/*
 * What is our address, seen from outside? Every answer may tell (BEP 42); one stranger is not
 * believed, more than half of the last ones are. One vote a host.
 */
#ifndef LIB_PROTO_DHT_VOTE_H
#define LIB_PROTO_DHT_VOTE_H

#include <p2p/base/addr.h>

#define DHT_VOTES 24       /* the last so many voters count */
#define DHT_VOTES_LEAST 5u /* the winner needs */

struct dht_vote {
    struct {
        struct addr voter, says;
    } v[DHT_VOTES];
    unsigned n, next;
};

/* `says` has the address without a port that means something. True if there is a winner: *out. */
bool dht_vote_cast(struct dht_vote *vote, const struct addr *voter, const struct addr *says,
                   struct addr *out);

#endif

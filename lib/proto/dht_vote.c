/* A ring of the last voters; who votes again changes his vote. */
#include "proto/dht_vote.h"

bool dht_vote_cast(struct dht_vote *vote, const struct addr *voter, const struct addr *says,
                   struct addr *out)
{
    unsigned at = 0, same = 0;
    while (at < vote->n && !addr_same_ip(&vote->v[at].voter, voter))
        at++;
    if (at == vote->n) {
        at = vote->next;
        vote->next = (vote->next + 1) % DHT_VOTES;
        vote->n += vote->n < DHT_VOTES;
    }
    vote->v[at].voter = *voter;
    vote->v[at].says = *says;
    for (unsigned i = 0; i < vote->n; i++)
        same += addr_same_ip(&vote->v[i].says, says);
    if (same < DHT_VOTES_LEAST || 2 * same <= vote->n)
        return false;
    *out = *says;
    return true;
}

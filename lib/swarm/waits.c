/* What a download waited for: the clock that the node turns. */
#include <p2p/swarm/waits.h>

void waits_begin(struct waits *w, usec now)
{
    *w = (struct waits){.now = WAITS_PEERS, .since = now};
}

void waits_turn(struct waits *w, enum waits_for now_for, usec now)
{
    w->time[w->now] += now - w->since;
    w->since = now;
    w->now = now_for;
}

enum waits_for waits_most(const usec time[WAITS])
{
    enum waits_for most = 0;
    for (enum waits_for i = 0; i < WAITS; i++)
        if (time[i] > time[most])
            most = i;
    return most;
}

const char *waits_name(enum waits_for w)
{
    static const char *const names[WAITS] = {
        [WAITS_PEERS] = "peers",     [WAITS_NETWORK] = "network", [WAITS_LIMIT] = "limit",
        [WAITS_HASHING] = "hashing", [WAITS_DISK] = "disk",       [WAITS_READER] = "reader",
    };
    return names[w];
}

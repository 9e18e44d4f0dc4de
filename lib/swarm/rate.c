/*
 * A ring of half seconds. Slots are numbered from `begun`, so that a clock of any origin will do
 * and the first seconds are divided by what really passed.
 */
#include <p2p/swarm/rate.h>

#define SLOT (USEC_SEC / 2)
#define LEAST_SPAN USEC_SEC /* a burst in the first moment is not a gigabyte a second */

static int64_t slot_at(const struct rate *r, usec now)
{
    return now > r->begun ? (now - r->begun) / SLOT : 0;
}

void rate_init(struct rate *r, usec now)
{
    *r = (struct rate){.begun = now};
}

static void advance(struct rate *r, int64_t to)
{
    if (to - r->slot_no >= RATE_SLOTS)
        r->slot_no = to - RATE_SLOTS; /* all are stale: clear each once */
    while (r->slot_no < to)
        r->slot[++r->slot_no % RATE_SLOTS] = 0;
}

void rate_add(struct rate *r, uint64_t bytes, usec now)
{
    advance(r, slot_at(r, now));
    r->slot[r->slot_no % RATE_SLOTS] += bytes;
    r->total += bytes;
}

uint64_t rate_now(const struct rate *r, usec now)
{
    int64_t newest = slot_at(r, now), oldest = newest - RATE_SLOTS + 1;
    if (newest < r->slot_no)
        newest = r->slot_no; /* a clock that jumped back: count what there is */
    uint64_t sum = 0;
    for (int64_t i = oldest > 0 ? oldest : 0; i <= r->slot_no; i++)
        if (i > r->slot_no - RATE_SLOTS)
            sum += r->slot[i % RATE_SLOTS];
    usec from = r->begun + (oldest > 0 ? oldest * SLOT : 0);
    usec span = now - from > LEAST_SPAN ? now - from : LEAST_SPAN;
    return (uint64_t)((double)sum * (double)USEC_SEC / (double)span);
}

/*
 * The token bucket. A rate of tokens a second is the same number of millionths a microsecond, so
 * nothing is ever rounded away.
 */
#include <p2p/base/bucket.h>

#define MICRO INT64_C(1000000)
#define LEAST_BURST 1500             /* a block's worth would be seconds of a low rate at once */
#define LATE_SHARE 16u               /* what was late makes the rate a sixteenth more: no burst */
#define MOST (INT64_MAX / 4 / MICRO) /* the largest burst, and the deepest debt */

static int64_t full(const struct bucket *b)
{
    return (int64_t)b->burst * MICRO;
}

static void set_rate(struct bucket *b, uint64_t rate)
{
    b->rate = rate;
    if (b->own_burst)
        return;
    b->burst = rate / 20;
    if (b->burst < LEAST_BURST)
        b->burst = LEAST_BURST;
    if (b->burst > (uint64_t)MOST)
        b->burst = (uint64_t)MOST;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How much is kept beside it. */
static uint64_t most_late(const struct bucket *b)
{
    return b->own_burst ? 0 : least(b->rate / 10, 2 * b->burst) * (uint64_t)MICRO;
}

static void refill(struct bucket *b, usec now)
{
    if (now <= b->last)
        return;
    uint64_t dt = (uint64_t)now - (uint64_t)b->last;
    uint64_t gap = (uint64_t)(full(b) - b->micro), most = gap + most_late(b);
    uint64_t gain = b->rate && dt > most / b->rate ? most : dt * b->rate;
    uint64_t back = least(gain / LATE_SHARE, b->late);
    uint64_t fits = least(gain + back, gap);
    b->last = now;
    b->micro += (int64_t)fits;
    b->late -= back;
    b->spilled = least(b->spilled + gain + back - fits, most_late(b));
}

void bucket_late(struct bucket *b, usec by, usec now)
{
    refill(b, now);
    if (b->rate && by > 0) {
        uint64_t most = most_late(b), dt = least((uint64_t)by, most / b->rate);
        b->late = least(b->late + least(b->spilled, dt * b->rate), most);
    }
    b->spilled = 0;
}

void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst, usec now)
{
    *b = (struct bucket){.last = now, .own_burst = burst != 0};
    b->burst = burst < (uint64_t)MOST ? burst : (uint64_t)MOST;
    set_rate(b, rate);
    b->micro = full(b);
}

void bucket_set_rate(struct bucket *b, uint64_t rate, usec now)
{
    bool was_unlimited = !b->rate;
    refill(b, now);
    b->late = b->spilled = 0;
    set_rate(b, rate);
    if (was_unlimited || b->micro > full(b))
        b->micro = full(b);
}

int64_t bucket_avail(struct bucket *b, usec now)
{
    if (!b->rate)
        return INT64_MAX;
    refill(b, now);
    return b->micro > 0 ? b->micro / MICRO : 0;
}

uint64_t bucket_debt(struct bucket *b, usec now)
{
    if (!b->rate)
        return 0;
    refill(b, now);
    return b->micro < 0 ? (uint64_t)((MICRO - 1 - b->micro) / MICRO) : 0;
}

void bucket_take(struct bucket *b, uint64_t n, usec now)
{
    if (!b->rate)
        return;
    refill(b, now);
    int64_t cost = (n < (uint64_t)MOST ? (int64_t)n : MOST) * MICRO;
    b->micro = b->micro < cost - MOST * MICRO ? -MOST * MICRO : b->micro - cost;
}

void bucket_give(struct bucket *b, uint64_t n, usec now)
{
    if (!b->rate)
        return;
    refill(b, now);
    uint64_t gap = (uint64_t)(full(b) - b->micro);
    b->micro += n < gap / (uint64_t)MICRO ? (int64_t)n * MICRO : (int64_t)gap;
}

usec bucket_when(struct bucket *b, uint64_t n, usec now)
{
    if (!b->rate)
        return now;
    refill(b, now);
    int64_t want = (int64_t)(n < b->burst ? n : b->burst) * MICRO;
    if (b->micro >= want)
        return now;
    uint64_t missing = (uint64_t)(want - b->micro);
    uint64_t wait = missing / b->rate + (missing % b->rate != 0);
    return now > 0 && wait > (uint64_t)(USEC_NEVER - now) ? USEC_NEVER : now + (usec)wait;
}

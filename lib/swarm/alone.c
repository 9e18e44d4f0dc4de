/*
 * One alone, or all; see alone.h.
 *
 * A window of a fast item is a hundredth of a second, in which a machine may do something else: so
 * what is compared is the mean of some, and one alone is given up only for what is clearly less,
 * soon if it is half. Of the first window after a change part was asked for before it: it does not
 * count.
 */
#include <p2p/swarm/alone.h>

#define SOME 3u    /* windows tell what all bring, */
#define MORE 8u    /* and so many what one does */
#define ROUNDS 64u /* until all are measured again */
#define PAUSE_LEAST (4 * USEC_SEC)
#define PAUSE_MOST (64 * USEC_SEC)

static void begin(struct alone *a, bool one, usec now)
{
    a->one = one;
    a->begun = now;
    a->windows = 0;
    a->bytes = a->last;
}

void alone_end(struct alone *a, usec now)
{
    a->pause = a->pause == 0 ? PAUSE_LEAST : usec_min(2 * a->pause, PAUSE_MOST);
    a->again = now + a->pause;
    begin(a, false, now);
}

/* How long a window took. */
static usec mean(const struct alone *a, usec now)
{
    return (now - a->counted) / (usec)(a->windows - 1);
}

static bool is_too_slow(const struct alone *a, usec now)
{
    usec all = a->mean_of_all;
    return a->windows >= SOME && mean(a, now) > (a->windows >= MORE ? all + all / 3 : 2 * all);
}

static void end_window(struct alone *a, usec full, usec now)
{
    a->bytes = a->last;
    if (++a->windows == 1)
        a->counted = now;
    if (a->one && is_too_slow(a, now)) {
        alone_end(a, now);
    } else if (a->one && a->windows >= ROUNDS) {
        a->pause = 0; /* it has proved itself */
        begin(a, false, now);
    } else if (!a->one && a->windows >= SOME && full >= a->begun && now >= a->again) {
        a->mean_of_all = mean(a, now);
        begin(a, true, now);
    } else if (!a->one && a->windows >= MORE) {
        begin(a, false, now); /* what counts is how it is now */
    }
}

bool alone_update(struct alone *a, uint64_t came, usec full, usec now)
{
    bool was = a->one;
    if (a->begun == 0)
        begin(a, false, now);
    if (came > a->last)
        a->came = now;
    a->last = came;
    if (a->one && now - a->came >= ALONE_STALL)
        alone_end(a, now);
    else if (came - a->bytes >= ALONE_WINDOW)
        end_window(a, full, now);
    return a->one != was;
}

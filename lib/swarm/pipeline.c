/*
 * The depth of the request queue at one peer.
 *
 * In slow start each block that comes while the queue was in use deepens it by one, which doubles
 * it in a round trip; it ends at the first window whose rate did not grow. From then on the depth
 * is rate * (least delay + SLACK): the slack keeps the pipe full when the rate was measured low
 * because the queue was short, so the depth finds its way up by itself, and covers our own delays
 * (disk, rate limits).
 *
 * Of a fast peer a second would be many megabytes. It needs no more than some times what the path
 * holds; the rest would lie in our receive buffer whenever we are the slower one, as with several
 * fast peers, and there is dearer: cold when it is read, behind a window that has to be opened.
 *
 * And of a far and fast one still less, once its rate is known. What goes beyond the path waits
 * before its bottleneck, where no more room may be than for the path once over; what is lost there
 * holds up all that follows, and us with the next requests. Its TCP may not be the one to hold
 * back: BBR looks for the rate with windows of some paths for as long as it finds itself without
 * data, as it does when all that we asked for is on its way.
 *
 * Some serve what waits at intervals: Transmission twice a second. Of them a queue has to last from
 * one to the next, or its depth is all that comes in one.
 */
#include <p2p/swarm/pipeline.h>

#define BLOCK 16384u
#define REQQ_DEFAULT 250u /* what a peer takes that says nothing (BEP 10 leaves it open) */
#define REQQ_MOST 2048u
#define WINDOW (USEC_SEC / 2)
#define MEMORY (3 * USEC_SEC / 2) /* weight of the past in the smoothed rate */
#define SLACK USEC_SEC
#define NEAR_SLACK (5 * USEC_MS / 2) /* the same for fast peers, beside PATHS times the delay */
#define PATHS 4u
#define NEAR_LEAST (512u << 10) /* bytes */
#define PAUSE (200 * USEC_MS)       /* beyond the round trip: it serves at intervals, */
#define PAUSE_MEMORY (5 * USEC_SEC) /* and for so long is thought to */
#define FAR (50 * USEC_MS)
#define FAR_SLACK (50 * USEC_MS)     /* or half of the delay, */
#define FAR_LEAST (4u << 20)         /* and bytes: more than what is served at one go */
#define ANSWER_SLACK (USEC_SEC / 20) /* our own delays, before something else is asked for */
#define DELAY_MOST (2 * USEC_SEC)    /* a queue of our own making is not distance */
#define BATCH_MOST 16u   /* what waits to be asked in one go is missing from a long pipe */
#define RATE_STALE 1024u /* bytes a second: below it, with nothing coming, begin anew */

void pipeline_init(struct pipeline *p, usec now)
{
    *p = (struct pipeline){
        .unit = BLOCK,
        .reqq = REQQ_DEFAULT,
        .target = PIPELINE_START,
        .slow_start = true,
        .last_data = now,
        .least_delay = USEC_NEVER,
        .window_delay = USEC_NEVER,
        .window_start = now,
    };
}

static void set_target(struct pipeline *p, uint64_t target)
{
    if (target < PIPELINE_MIN)
        target = PIPELINE_MIN;
    p->target = target < p->reqq ? (uint32_t)target : p->reqq;
}

void pipeline_set_reqq(struct pipeline *p, uint32_t reqq)
{
    /* Some way below what it says: clients that are exact about it reject the last one late. */
    reqq -= reqq / 8;
    p->reqq = reqq < 1 ? 1 : reqq > REQQ_MOST ? REQQ_MOST : reqq;
    set_target(p, p->target);
}

void pipeline_asked(struct pipeline *p, unsigned n, usec now)
{
    if (p->out == 0) {
        p->last_data = now;
        if (p->window_bytes == 0)
            p->window_start = now; /* the wait before was ours, not the peer's */
    }
    p->out += n;
}

static void follow_delay(struct pipeline *p)
{
    if (p->window_delay == USEC_NEVER)
        return;
    /* A path that became longer than delay and slack would starve: its rate would be measured low,
     * the queue cut, and so on. A standing queue alone never shows more than delay + SLACK. */
    if (p->window_delay - SLACK > p->least_delay + SLACK / 2)
        p->least_delay = usec_min(p->window_delay - SLACK, DELAY_MOST);
    p->window_delay = USEC_NEVER;
}

static uint64_t in_time(uint64_t rate, usec t)
{
    return (uint64_t)((double)rate * (double)t / (double)USEC_SEC);
}

static uint64_t at_least(uint64_t n, uint64_t least)
{
    return n < least ? least : n;
}

static uint64_t at_most(uint64_t n, uint64_t most)
{
    return n > most ? most : n;
}

/* On a busy machine neighbours seem to be some way off; they are to have what they always have. */
static bool is_far(const struct pipeline *p)
{
    return p->least_delay >= FAR && p->least_delay != USEC_NEVER;
}

/* The depth for such a rate. While it grows nobody knows how far. */
static uint64_t enough(const struct pipeline *p, uint64_t rate)
{
    usec delay = p->least_delay == USEC_NEVER ? SLACK : usec_min(p->least_delay, DELAY_MOST);
    usec half = delay / 2;
    uint64_t slack = at_least(in_time(rate, PATHS * delay + NEAR_SLACK), NEAR_LEAST);
    if (p->pauses) {
        slack = in_time(rate, SLACK);
    } else if (!p->slow_start && is_far(p)) {
        uint64_t far = in_time(rate, half > FAR_SLACK ? half : FAR_SLACK);
        slack = at_most(slack, at_least(far, FAR_LEAST));
    }
    slack = at_most(slack, in_time(rate, SLACK));
    return (in_time(rate, delay) + slack) / p->unit + 1;
}

static uint64_t rate_of_window(const struct pipeline *p, usec now)
{
    usec span = now - p->window_start;
    return span > 0 ? (uint64_t)((double)p->window_bytes * (double)USEC_SEC / (double)span) : 0;
}

/* Slow start may be ahead of the smoothed rate. */
static uint64_t rate_of_late(const struct pipeline *p, usec now)
{
    uint64_t of_window = rate_of_window(p, now);
    return p->rate > of_window ? p->rate : of_window;
}

static void end_window(struct pipeline *p, usec now)
{
    usec span = now - p->window_start;
    uint64_t before = p->window_rate, bytes = p->window_bytes;
    p->window_rate = (uint64_t)((double)bytes * (double)USEC_SEC / (double)span);
    if (p->rate == 0)
        p->rate = p->window_rate;
    else
        p->rate = (uint64_t)(((double)p->rate * (double)MEMORY + (double)bytes * (double)USEC_SEC) /
                             (double)(MEMORY + span));
    p->window_bytes = 0;
    p->window_start = now;
    p->pauses = p->pauses && now - p->paused_at < PAUSE_MEMORY;
    follow_delay(p);
    if (bytes == 0 && p->rate < RATE_STALE) {
        p->rate = p->window_rate = 0;
        p->slow_start = true;
        set_target(p, PIPELINE_START);
        return;
    }
    if (p->slow_start && bytes && p->window_rate < before + before / 8) {
        p->slow_start = false;
        if (is_far(p))
            p->rate = at_least(p->rate, before); /* while it doubled the smoothed one was behind */
    }
    if (!p->slow_start)
        set_target(p, enough(p, p->rate));
}

/* Of a far and fast peer two round trips show whether its rate still grows; in the rest of a window
 * we would ask for far too much. */
static bool is_window_over(const struct pipeline *p, usec now)
{
    usec span = now - p->window_start;
    return span >= WINDOW || (p->slow_start && p->window_bytes >= FAR_LEAST && is_far(p) &&
                              span >= 2 * p->least_delay);
}

static void note_pause(struct pipeline *p, usec now)
{
    if (p->least_delay > DELAY_MOST || now - p->last_data < PAUSE + 2 * p->least_delay)
        return;
    p->pauses = true;
    p->paused_at = now;
}

void pipeline_alive(struct pipeline *p, usec now)
{
    note_pause(p, now);
    p->last_data = now;
    p->proved = true;
}

void pipeline_got(struct pipeline *p, uint32_t bytes, usec asked_at, usec now)
{
    usec delay = now > asked_at ? now - asked_at : 0;
    bool in_use = p->out + p->target / 4 >= p->target;
    if (p->out > 0)
        p->out--;
    p->snubbed = false;
    pipeline_alive(p, now);
    p->window_bytes += bytes;
    p->least_delay = usec_min(p->least_delay, delay);
    p->window_delay = usec_min(p->window_delay, delay);
    if (p->slow_start && in_use && p->target < enough(p, rate_of_late(p, now)))
        set_target(p, (uint64_t)p->target + 1);
    if (is_window_over(p, now))
        end_window(p, now);
}

void pipeline_dropped(struct pipeline *p, unsigned n, usec now)
{
    p->out -= n < p->out ? n : p->out;
    if (p->out == 0)
        p->last_data = now;
}

unsigned pipeline_room(const struct pipeline *p)
{
    if (p->snubbed)
        return p->out == 0; /* one at a time shows whether it lives again */
    if (p->out >= p->target)
        return 0;
    unsigned room = p->target - p->out;
    unsigned batch = p->target / 4;
    return room >= (batch < BATCH_MOST ? batch : BATCH_MOST) ? room : 0;
}

bool pipeline_is_busy(const struct pipeline *p, usec now)
{
    uint64_t rate = p->rate ? p->rate : rate_of_window(p, now);
    if (p->snubbed || rate == 0 || p->least_delay == USEC_NEVER)
        return false;
    usec answer = 2 * usec_min(p->least_delay, DELAY_MOST) + ANSWER_SLACK;
    return p->out > PIPELINE_MIN + in_time(rate, answer) / p->unit;
}

/* Who unchokes and gives nothing at all would hold up a piece for long. */
static usec patience(const struct pipeline *p)
{
    return p->proved ? PIPELINE_SNUB : PIPELINE_SNUB_NEW;
}

void pipeline_tick(struct pipeline *p, usec now)
{
    if (p->out > 0 && now - p->last_data >= patience(p))
        p->snubbed = true;
    if (p->rate > 0 && now - p->window_start >= 2 * WINDOW)
        end_window(p, now);
}

usec pipeline_deadline(const struct pipeline *p)
{
    usec at = USEC_NEVER;
    if (p->out > 0 && !p->snubbed)
        at = p->last_data + patience(p);
    if (p->rate > 0)
        at = usec_min(at, p->window_start + 2 * WINDOW);
    return at;
}

usec pipeline_timeout(const struct pipeline *p)
{
    if (p->rate < RATE_STALE)
        return 2 * PIPELINE_SNUB;
    usec queue = (usec)((uint64_t)p->target * p->unit * (uint64_t)USEC_SEC / p->rate);
    usec t = 4 * (queue + SLACK);
    return t < PIPELINE_SNUB / 2 ? PIPELINE_SNUB / 2 : usec_min(t, 2 * PIPELINE_SNUB);
}

unsigned pipeline_speed(const struct pipeline *p, uint64_t fastest_rate)
{
    if (p->snubbed)
        return 0;
    if (p->rate == 0 || fastest_rate == 0)
        return 1; /* a newcomer: give it the chance to show */
    return p->rate >= fastest_rate / 2 ? 2 : p->rate >= fastest_rate / 8 ? 1 : 0;
}

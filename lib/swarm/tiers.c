/*
 * A tier wants an announce at some time: at once in the beginning, later when the interval of its
 * last answer is over. While it wants one, the first of its trackers that is neither under way nor
 * in back-off is asked; an answer ends the want, a failure passes it on, and so does silence for
 * SLOW, without ending what is under way. Events that concern a tracker alone (`completed` and
 * `stopped`) are due for it whatever its tier wants.
 */
#include <p2p/swarm/tiers.h>

#include <p2p/base/mem.h>

#include <stdlib.h>
#include <string.h>

#define INTERVAL_DEFAULT (30 * USEC_MIN)
#define INTERVAL_LEAST (5 * USEC_SEC)
#define INTERVAL_MOST (24 * 60 * USEC_MIN)
#define MIN_INTERVAL_DEFAULT USEC_MIN
#define TRACKERID_MOST 512u /* a stranger's text that we would send back for ever */
#define ERROR_MOST 300u

struct tracker {
    char *url, *error, *id; /* owned */
    unsigned failures;
    usec retry_at, asked_at;
    usec aside_at;     /* busy: when a `stopped` may go beside it */
    uint8_t event;     /* busy: enum tiers_event, never STOPPED */
    bool busy : 1;     /* one is under way */
    bool leaving : 1;  /* a `stopped` is under way, alone or beside it; */
    bool left : 1;     /* one was beside it */
    bool started : 1;  /* answered a `started` and no `stopped` since */
    bool complete : 1; /* owed a `completed` */
    bool struck : 1, tried : 1;
    bool stale : 1; /* what is under way tells of us what is no longer so */
};

struct tier {
    unsigned number;
    size_t n;
    int *v;               /* owned: trackers in order of preference */
    usec want_at, min_at; /* when it wants an announce; not before, even in a hurry */
    bool answered;
};

struct tiers {
    struct rng *rng;
    struct tracker *tracker; /* owned; grown by doubling, for most items have few */
    struct tier *tier;       /* owned, by number */
    uint16_t n, n_tiers;
    bool stopping, completed, one;
};

struct tiers *tiers_new(struct rng *r)
{
    struct tiers *t = mem_zero(sizeof *t);
    t->rng = r;
    return t;
}

void tiers_free(struct tiers *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        free(t->tracker[i].url);
        free(t->tracker[i].error);
        free(t->tracker[i].id);
    }
    for (size_t i = 0; i < t->n_tiers; i++)
        free(t->tier[i].v);
    free(t->tracker);
    free(t->tier);
    free(t);
}

static struct tier *tier_of_number(struct tiers *t, unsigned number)
{
    size_t at = 0;
    while (at < t->n_tiers && t->tier[at].number < number)
        at++;
    if (at < t->n_tiers && t->tier[at].number == number)
        return &t->tier[at];
    t->tier = mem_grow(t->tier, t->n_tiers + 1u, sizeof *t->tier);
    memmove(t->tier + at + 1, t->tier + at, (t->n_tiers++ - at) * sizeof *t->tier);
    t->tier[at] = (struct tier){.number = number};
    return &t->tier[at];
}

/* Inserting each at a random place shuffles all; one that has answered stays in front. */
static void tier_insert(struct tiers *t, struct tier *r, int tracker)
{
    size_t first = r->answered ? 1 : 0;
    size_t at = first + (size_t)rng_below(t->rng, r->n - first + 1);
    r->v = mem_grow(r->v, r->n + 1, sizeof *r->v);
    memmove(r->v + at + 1, r->v + at, (r->n - at) * sizeof *r->v);
    r->v[at] = tracker;
    r->n++;
}

int tiers_add(struct tiers *t, unsigned tier, const char *url)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->tracker[i].url, url) == 0)
            return (int)i;
    if (t->n == TIERS_MAX)
        return -1;
    if ((t->n & (t->n - 1u)) == 0)
        t->tracker = mem_grow(t->tracker, t->n ? 2u * t->n : 1, sizeof *t->tracker);
    int i = (int)t->n++;
    t->tracker[i] = (struct tracker){.url = mem_str(url)};
    tier_insert(t, tier_of_number(t, tier), i);
    return i;
}

size_t tiers_count(const struct tiers *t)
{
    return t->n;
}

const char *tiers_url(const struct tiers *t, int tracker)
{
    return t->tracker[tracker].url;
}

/* When a tracker that is left is told of it. Nothing backs off: there is no later. */
static usec leave_due(const struct tracker *k)
{
    if (k->leaving || (k->busy && k->left))
        return USEC_NEVER;
    if (k->busy) /* a `completed` that is still owed comes in between */
        return k->complete && k->event != TIERS_COMPLETED ? USEC_NEVER : k->aside_at;
    return k->started ? 0 : USEC_NEVER;
}

/* When the tracker's own event is due; USEC_NEVER if there is none or it is under way. */
static usec own_due(const struct tiers *t, const struct tracker *k)
{
    if (t->stopping)
        return leave_due(k);
    return k->started && !k->busy && k->complete && !k->struck ? k->retry_at : USEC_NEVER;
}

/* When the tier's want falls due, and to which tracker (-1: only answers can tell). */
static usec tier_due(const struct tiers *t, const struct tier *r, int *who)
{
    usec best = USEC_NEVER, from = r->want_at;
    *who = -1;
    for (size_t i = 0; i < r->n; i++) {
        const struct tracker *k = &t->tracker[r->v[i]];
        if (k->busy && k->asked_at + TIERS_SLOW > from)
            from = k->asked_at + TIERS_SLOW;
    }
    for (size_t i = 0; i < r->n; i++) {
        const struct tracker *k = &t->tracker[r->v[i]];
        usec at = k->retry_at > from ? k->retry_at : from;
        if (!k->busy && !k->struck && at < best) {
            best = at;
            *who = r->v[i];
        }
    }
    return best;
}

static int leave(struct tracker *k, int tracker, enum tiers_event *out)
{
    k->leaving = true;
    k->left = k->busy;
    *out = TIERS_STOPPED;
    return tracker;
}

static int begin(struct tracker *k, int tracker, enum tiers_event e, enum tiers_event *out,
                 usec now)
{
    k->busy = k->tried = true;
    k->stale = k->left = false;
    k->asked_at = now;
    k->aside_at = USEC_NEVER;
    k->event = (uint8_t)e;
    *out = e;
    return tracker;
}

static bool is_down(const struct tiers *t, const struct tier *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct tracker *k = &t->tracker[r->v[i]];
        if (!k->struck && k->failures == 0)
            return false;
    }
    return true;
}

/* How many tiers, from the first, are asked now. */
static size_t in_use(const struct tiers *t)
{
    size_t n = 0;
    while (n < t->n_tiers && (!t->one || n == 0 || is_down(t, &t->tier[n - 1])))
        n++;
    return n;
}

void tiers_one_at_a_time(struct tiers *t)
{
    t->one = true;
}

int tiers_next(struct tiers *t, enum tiers_event *event, usec now)
{
    for (size_t i = 0; i < t->n; i++) {
        struct tracker *k = &t->tracker[i];
        if (own_due(t, k) > now)
            continue;
        return k->complete && !k->busy ? begin(k, (int)i, TIERS_COMPLETED, event, now)
                                       : leave(k, (int)i, event);
    }
    size_t n = t->stopping ? 0 : in_use(t);
    for (size_t i = 0; i < n; i++) {
        int who;
        if (tier_due(t, &t->tier[i], &who) > now || who < 0)
            continue;
        struct tracker *k = &t->tracker[who];
        return begin(k, who, k->started ? TIERS_PERIODIC : TIERS_STARTED, event, now);
    }
    return -1;
}

usec tiers_deadline(const struct tiers *t)
{
    usec at = USEC_NEVER;
    int who;
    for (size_t i = 0; i < t->n; i++)
        at = usec_min(at, own_due(t, &t->tracker[i]));
    size_t n = t->stopping ? 0 : in_use(t);
    for (size_t i = 0; i < n; i++)
        at = usec_min(at, tier_due(t, &t->tier[i], &who));
    return at;
}

static struct tier *tier_of(const struct tiers *t, int tracker, size_t *place)
{
    for (size_t i = 0; i < t->n_tiers; i++)
        for (size_t j = 0; j < t->tier[i].n; j++)
            if (t->tier[i].v[j] == tracker) {
                *place = j;
                return &t->tier[i];
            }
    return NULL;
}

static void to_front(struct tier *r, size_t place)
{
    int tracker = r->v[place];
    memmove(r->v + 1, r->v, place * sizeof *r->v);
    r->v[0] = tracker;
}

static usec clamp(usec v, usec least, usec most)
{
    return v < least ? least : v > most ? most : v;
}

static void say(struct tracker *k, const char *why)
{
    free(k->error);
    k->error = why ? mem_strn(why, strnlen(why, ERROR_MOST)) : NULL;
}

void tiers_answered(struct tiers *t, int tracker, usec interval, usec min_interval, usec now)
{
    size_t place = 0;
    struct tracker *k = &t->tracker[tracker];
    struct tier *r = tier_of(t, tracker, &place);
    if (!k->busy || !r)
        return;
    k->busy = false;
    k->failures = 0;
    k->retry_at = now;
    k->started = true;
    if (k->event == TIERS_COMPLETED)
        k->complete = false;
    say(k, NULL);
    interval = interval > 0 ? clamp(interval, INTERVAL_LEAST, INTERVAL_MOST) : INTERVAL_DEFAULT;
    min_interval = min_interval > 0 ? min_interval : MIN_INTERVAL_DEFAULT;
    r->min_at = now + usec_min(min_interval, interval);
    r->want_at = k->stale ? r->min_at : now + interval;
    r->answered = true;
    to_front(r, place);
}

static usec back_off(const struct tracker *k, usec retry_in)
{
    if (retry_in > 0)
        return clamp(retry_in, TIERS_RETRY_FIRST, INTERVAL_MOST);
    unsigned doublings = k->failures < 20 ? k->failures - 1 : 20;
    return usec_min(TIERS_RETRY_FIRST << doublings, TIERS_RETRY_MAX);
}

void tiers_failed(struct tiers *t, int tracker, usec retry_in, const char *why, usec now)
{
    struct tracker *k = &t->tracker[tracker];
    if (!k->busy)
        return;
    k->busy = false;
    k->failures++;
    if (t->stopping)
        k->complete = false; /* nor may a dead tracker hold up the `stopped` behind it */
    if (retry_in == USEC_NEVER) {
        k->struck = true;
        k->started = false;
    } else {
        k->retry_at = now + back_off(k, retry_in);
    }
    say(k, why);
}

usec tiers_aside(struct tiers *t, int tracker, usec now)
{
    struct tracker *k = &t->tracker[tracker];
    if (!k->busy)
        return USEC_NEVER;
    if (k->aside_at == USEC_NEVER)
        k->aside_at = now + TIERS_MOMENT;
    return k->aside_at;
}

bool tiers_dropped(struct tiers *t, int tracker, usec now)
{
    struct tracker *k = &t->tracker[tracker];
    bool hopeful = k->complete && now - k->asked_at < TIERS_HOPE;
    if (!k->busy || k->event == TIERS_COMPLETED || hopeful)
        return false;
    k->busy = false;
    return true;
}

/* What was under way beside it and is answered later makes `started` true again: it may have been
 * heard later, too. */
void tiers_left(struct tiers *t, int tracker, const char *why)
{
    struct tracker *k = &t->tracker[tracker];
    if (!k->leaving)
        return;
    k->leaving = false;
    k->started = false; /* or said once, as well as we could */
    say(k, why);
}

void tiers_completed(struct tiers *t, usec now)
{
    for (size_t i = 0; i < t->n && !t->completed; i++) {
        struct tracker *k = &t->tracker[i];
        /* One that never heard of us will hear `started` with nothing left, which says it all. */
        if (k->started || (k->busy && k->event == TIERS_STARTED))
            k->complete = true;
    }
    t->completed = true; /* repaired and whole again is nothing new to a tracker */
    (void)now;           /* each is due when its back-off, if any, is over */
}

void tiers_stop(struct tiers *t, usec now)
{
    t->stopping = true;
    (void)now; /* none is due later than in a MOMENT */
}

bool tiers_stopped(const struct tiers *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->tracker[i].busy || t->tracker[i].leaving || t->tracker[i].started)
            return false;
    return t->stopping;
}

void tiers_hurry(struct tiers *t, usec now)
{
    for (size_t i = 0; i < t->n_tiers; i++) {
        struct tier *r = &t->tier[i];
        usec at = r->min_at > now ? r->min_at : now;
        r->want_at = usec_min(r->want_at, at);
    }
}

void tiers_moved(struct tiers *t, usec now)
{
    for (size_t i = 0; i < t->n; i++)
        t->tracker[i].stale = t->tracker[i].busy;
    tiers_hurry(t, now);
}

static bool tier_tried(const struct tiers *t, const struct tier *r)
{
    if (r->answered)
        return true;
    for (size_t i = 0; i < r->n; i++)
        if (!t->tracker[r->v[i]].tried)
            return false;
    return true;
}

bool tiers_exhausted(const struct tiers *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->tracker[i].busy)
            return false;
    for (size_t i = 0, n = in_use(t); i < n; i++)
        if (!tier_tried(t, &t->tier[i]))
            return false;
    return true;
}

const char *tiers_last_error(const struct tiers *t, int tracker)
{
    return t->tracker[tracker].error ? t->tracker[tracker].error : "";
}

void tiers_set_trackerid(struct tiers *t, int tracker, const char *id)
{
    struct tracker *k = &t->tracker[tracker];
    if (!id || strlen(id) > TRACKERID_MOST)
        return;
    free(k->id);
    k->id = mem_str(id);
}

const char *tiers_trackerid(const struct tiers *t, int tracker)
{
    return t->tracker[tracker].id;
}

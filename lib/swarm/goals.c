/*
 * Goals as a table: each is a wish with the time it falls due, if time alone brings it, and what
 * is said then. A goal that is not of time (the ratio) is due at once or never. The first of the
 * table that is due gives the verdict.
 */
#include <p2p/swarm/goals.h>

#include <stddef.h>

enum phase { BEFORE = 1, AFTER = 2 }; /* completion */

struct goal {
    unsigned phases;
    enum goals_verdict verdict;
    const char *why;
    usec (*due)(const struct goals *g, const struct goals_facts *f);
};

static usec later(usec from, usec by)
{
    return by == USEC_NEVER || from > USEC_NEVER - by ? USEC_NEVER : from + by;
}

static usec max(usec a, usec b)
{
    return a > b ? a : b;
}

static bool complete(const struct goals_facts *f)
{
    return f->completed_at != USEC_NEVER;
}

static usec due_deadline(const struct goals *g, const struct goals_facts *f)
{
    return later(f->started, g->deadline);
}

static usec due_metadata(const struct goals *g, const struct goals_facts *f)
{
    return f->has_metadata ? USEC_NEVER : later(f->started, g->metadata_timeout);
}

static usec due_timeout(const struct goals *g, const struct goals_facts *f)
{
    return later(max(f->started, f->last_arrival), g->timeout);
}

static usec due_run(const struct goals *g, const struct goals_facts *f)
{
    return later(f->started, g->run_for);
}

/* When sharing began: who stays shares what there is from the start. */
static usec sharing(const struct goals *g, const struct goals_facts *f)
{
    return complete(f) ? f->completed_at : g->stay ? f->started : USEC_NEVER;
}

static usec due_ratio(const struct goals *g, const struct goals_facts *f)
{
    bool reached = g->seed_ratio > 0 && (double)f->uploaded >= g->seed_ratio * (double)f->size;
    return reached ? sharing(g, f) : USEC_NEVER;
}

static usec due_seeded(const struct goals *g, const struct goals_facts *f)
{
    return later(f->completed_at, g->seed_for);
}

static usec due_idle(const struct goals *g, const struct goals_facts *f)
{
    return later(max(sharing(g, f), f->last_upload), g->idle);
}

static usec due_complete(const struct goals *g, const struct goals_facts *f)
{
    bool share = g->stay || g->seed_ratio > 0 || g->seed_for != USEC_NEVER || g->idle != USEC_NEVER;
    return share ? USEC_NEVER : f->completed_at;
}

static const struct goal goals[] = {
    {AFTER, GOALS_DONE, "complete", due_complete},
    {BEFORE | AFTER, GOALS_DONE, "shared up to the ratio", due_ratio},
    {AFTER, GOALS_DONE, "shared for the time wished", due_seeded},
    {BEFORE | AFTER, GOALS_DONE, "nobody wanted anything for the time wished", due_idle},
    {BEFORE | AFTER, GOALS_DONE, "ran for the time wished", due_run},
    {BEFORE, GOALS_GAVE_UP, "the deadline passed", due_deadline},
    {BEFORE, GOALS_GAVE_UP, "no peer had the manifest in time", due_metadata},
    {BEFORE, GOALS_GAVE_UP, "nothing arrived in time", due_timeout},
};
#define N_GOALS (sizeof goals / sizeof *goals)

void goals_init(struct goals *g)
{
    *g = (struct goals){
        .seed_for = USEC_NEVER,
        .idle = USEC_NEVER,
        .run_for = USEC_NEVER,
        .timeout = USEC_NEVER,
        .metadata_timeout = USEC_NEVER,
        .deadline = USEC_NEVER,
    };
}

static usec due(const struct goal *x, const struct goals *g, const struct goals_facts *f)
{
    return x->phases & (complete(f) ? AFTER : BEFORE) ? x->due(g, f) : USEC_NEVER;
}

enum goals_verdict goals_judge(const struct goals *g, const struct goals_facts *f, const char **why)
{
    for (size_t i = 0; i < N_GOALS; i++) {
        usec at = due(&goals[i], g, f);
        if (at == USEC_NEVER || at > f->now)
            continue;
        if (why)
            *why = goals[i].why;
        return goals[i].verdict;
    }
    if (why)
        *why = NULL;
    return GOALS_GO_ON;
}

usec goals_deadline(const struct goals *g, const struct goals_facts *f)
{
    usec at = USEC_NEVER;
    for (size_t i = 0; i < N_GOALS; i++)
        at = usec_min(at, due(&goals[i], g, f));
    return at;
}

/* When an item or a program may stop by itself: completion, ratio, time, idleness, deadline. */
#ifndef P2P_SWARM_GOALS_H
#define P2P_SWARM_GOALS_H

#include <p2p/base/usec.h>
#include <stdbool.h>

struct goals {
    /* wishes; USEC_NEVER / 0 ratio: none */
    usec seed_for;         /* after completion */
    double seed_ratio;     /* uploaded / size, after completion */
    usec idle;             /* no upload for so long */
    usec run_for;          /* in all */
    usec timeout;          /* nothing arrived for so long, before completion */
    usec metadata_timeout; /* no manifest for so long */
    usec deadline;         /* whole job, before completion */
    bool stay;             /* go on for ever after completion (p2p-seed) */
};
struct goals_facts {
    usec started, now, last_arrival, last_upload; /* started stands for absent ones */
    usec completed_at; /* USEC_NEVER: not yet */
    bool has_metadata;
    uint64_t uploaded, size;
};
enum goals_verdict { GOALS_GO_ON, GOALS_DONE, GOALS_GAVE_UP };

void goals_init(struct goals *g); /* no wishes: done when complete */
/* `why` (may be NULL): a few words that live for ever, NULL while it goes on. */
enum goals_verdict goals_judge(const struct goals *g, const struct goals_facts *f,
                               const char **why);
/* When the verdict may change by time alone. */
usec goals_deadline(const struct goals *g, const struct goals_facts *f);

#endif

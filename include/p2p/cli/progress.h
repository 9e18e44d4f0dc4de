/* The progress line: how it reads. What prints it, and when, is output.h. */
#ifndef P2P_CLI_PROGRESS_H
#define P2P_CLI_PROGRESS_H

#include <p2p/base/buf.h>
#include <p2p/base/usec.h>

struct progress {
    const char *doing; /* "hashing", "metadata"; NULL: fetching, which needs no word */
    const char *name;  /* raw, shown escaped and cut to what fits; NULL: none */
    uint64_t done, total;         /* bytes; total 0: not known yet */
    uint64_t rate_down, rate_up;  /* bytes a second */
    bool down, up;                /* which rates are shown */
    int peers;                    /* -1: not shown, and the rate is that of reading */
    usec left;                    /* USEC_NEVER: not known */
};

/*
 * One line without newline, at most `width` columns (20 at least): percent, done and total, rates,
 * peers, time left, name. What does not fit is left out, the least wanted first.
 */
void progress_format(const struct progress *p, unsigned width, struct buf *out);

#endif

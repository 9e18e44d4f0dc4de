/*
 * How many requests to keep outstanding at one peer, from its bandwidth and delay: enough that no
 * round trip is waited for, few enough that a cancel or a choke wastes little. Slow start: doubles
 * while the rate grows, then follows rate * (least delay + slack), where the slack is a second of a
 * slow peer and of one that serves at intervals, some round trips of a fast one, and half of one of
 * a fast one that is far away.
 * Bounded by the peer's reqq.
 * Also tells when a peer has snubbed us, and how long to wait for a single request.
 */
#ifndef P2P_SWARM_PIPELINE_H
#define P2P_SWARM_PIPELINE_H

#include <p2p/base/usec.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIPELINE_MIN 2u
#define PIPELINE_START 16u
#define PIPELINE_SNUB (60 * USEC_SEC) /* nothing arrived for so long with requests out, */
#define PIPELINE_SNUB_NEW (5 * USEC_SEC) /* nor ever before */

struct pipeline {
    uint32_t unit;      /* bytes of a request: a block, unless its owner says otherwise */
    uint32_t reqq;      /* most the peer queues (250 if it did not say) */
    uint32_t target;    /* requests to keep outstanding */
    uint32_t out;       /* outstanding now */
    bool slow_start, snubbed;
    bool proved;        /* something has come of it */
    bool pauses;        /* it served at intervals lately, */
    usec paused_at;     /* and began again then */
    usec last_data;     /* last block, or when requests began to be out */
    usec least_delay;   /* least time from request to answer lately */
    uint64_t rate;      /* bytes a second, smoothed */
    uint64_t window_bytes, window_rate;
    usec window_start;
    usec window_delay;  /* least in the window; USEC_NEVER: none measured, as above */
};

void pipeline_init(struct pipeline *p, usec now);
void pipeline_set_reqq(struct pipeline *p, uint32_t reqq);
void pipeline_asked(struct pipeline *p, unsigned n, usec now);
/* A block came, asked for at `asked_at`. */
void pipeline_got(struct pipeline *p, uint32_t bytes, usec asked_at, usec now);
void pipeline_dropped(struct pipeline *p, unsigned n, usec now); /* rejected, cancelled, choked */
/* How many more to ask now. In batches: 0 until a quarter of the target is free, or 16. */
unsigned pipeline_room(const struct pipeline *p);
/* What is outstanding lasts it for longer than an answer takes: it need not be found more. */
bool pipeline_is_busy(const struct pipeline *p, usec now);
/* Progress of part of a block counts as life. */
void pipeline_alive(struct pipeline *p, usec now);
void pipeline_tick(struct pipeline *p, usec now); /* sets snubbed; shrinks a stale rate */
usec pipeline_deadline(const struct pipeline *p);
/* How long a single request may be out, while others are answered, before it counts as lost. */
usec pipeline_timeout(const struct pipeline *p);
/* 0 slow, 1 medium (or not known yet), 2 fast, for the picker. */
unsigned pipeline_speed(const struct pipeline *p, uint64_t fastest_rate);

#endif

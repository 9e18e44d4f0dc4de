/*
 * When to announce to which tracker (BEP 12, 27, 31). All tiers are served side by side, so a dead
 * tracker delays nobody; within a tier one tracker at a time: shuffled once, the one that answers
 * moves to the front, a failure or SLOW without an answer goes to the next. Failures back off.
 * Events: `started` first to each tracker, `completed` once if we finished in this run, `stopped`
 * to those that answered a `started`.
 *
 * Who leaves does not wait for the answer of what is under way where `stopped` can follow close
 * behind it (tiers_aside): over a long road that is half of the time it takes to leave. A tracker
 * should hear them in their order. MOMENT keeps them apart; if `stopped` is answered first all the
 * same, something was lost or held up on its way, and it is said again at the end. Nor is a tracker
 * waited for that could not be told anything yet, for most of those are dead; only if a `completed`
 * would follow, and then not when it has been silent for HOPE.
 */
#ifndef P2P_SWARM_TIERS_H
#define P2P_SWARM_TIERS_H

#include <p2p/base/err.h>
#include <p2p/base/rng.h>
#include <p2p/base/usec.h>

#define TIERS_SLOW (5 * USEC_SEC)
#define TIERS_RETRY_FIRST (15 * USEC_SEC)
#define TIERS_RETRY_MAX (60 * USEC_MIN)
#define TIERS_MOMENT (20 * USEC_MS)
#define TIERS_HOPE USEC_SEC
#define TIERS_MAX 200u /* trackers in all */

enum tiers_event { TIERS_PERIODIC, TIERS_STARTED, TIERS_COMPLETED, TIERS_STOPPED };

struct tiers;
struct tiers *tiers_new(struct rng *r);
void tiers_free(struct tiers *t);
/* Duplicates are ignored. The tracker's number, or -1 past the limit. Shuffles within the tier. */
int tiers_add(struct tiers *t, unsigned tier, const char *url);
/* As a private item wants it (BEP 27): a tier is asked only while all trackers before it fail. */
void tiers_one_at_a_time(struct tiers *t);
size_t tiers_count(const struct tiers *t);
const char *tiers_url(const struct tiers *t, int tracker);
/* The next announce that is due: tracker number or -1; marks it under way. Beside another there is
 * never more than a STOPPED. */
int tiers_next(struct tiers *t, enum tiers_event *event, usec now);
usec tiers_deadline(const struct tiers *t);
/* What is under way was sent by a way on which another need not wait for its answer. When that
 * other may go, if we leave. */
usec tiers_aside(struct tiers *t, int tracker, usec now);
/* We leave, and the tracker has heard nothing of what is under way. True: no more it is. */
bool tiers_dropped(struct tiers *t, int tracker, usec now);
/* Of any event but STOPPED. */
void tiers_answered(struct tiers *t, int tracker, usec interval, usec min_interval, usec now);
/* retry_in: what the tracker asked for; 0 none, USEC_NEVER: strike it. */
void tiers_failed(struct tiers *t, int tracker, usec retry_in, const char *why, usec now);
/* A STOPPED was answered (why: NULL) or failed. */
void tiers_left(struct tiers *t, int tracker, const char *why);
void tiers_completed(struct tiers *t, usec now); /* we have everything: event due for each */
/* From now only a COMPLETED that is still owed and then STOPPED, to those that heard STARTED or are
 * hearing it. */
void tiers_stop(struct tiers *t, usec now);
/* After tiers_stop: nothing more is due or under way. */
bool tiers_stopped(const struct tiers *t);
/* We need peers: allows an announce before its interval, but not before min_interval. */
void tiers_hurry(struct tiers *t, usec now);
/* What we told of ourselves is no longer so: a hurry, and again for those being told just now. */
void tiers_moved(struct tiers *t, usec now);
/* Has every tracker been asked, with no peer-bringing answer under way? For "not to be had". */
bool tiers_exhausted(const struct tiers *t);
const char *tiers_last_error(const struct tiers *t, int tracker); /* "" if none */
void tiers_set_trackerid(struct tiers *t, int tracker, const char *id);
const char *tiers_trackerid(const struct tiers *t, int tracker); /* NULL if none */

#endif

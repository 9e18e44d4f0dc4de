/*
 * Candidate peers: addresses heard of (tracker, link, incoming, DHT, PEX, LSD), whom to dial
 * next, and back-off after failures. 3,000 at most; when full, the least promising goes. Among the
 * untried, neighbours come first if they are preferred, then order is by BEP 40 priority. Seeds are
 * not dialled by seeds. Bans expire.
 *
 * Most items know nobody: a pool that is NULL can be asked and freed, and forgets; only what adds
 * to a pool, or takes from it, needs one.
 */
#ifndef P2P_SWARM_POOL_H
#define P2P_SWARM_POOL_H

#include <p2p/base/addr.h>
#include <p2p/base/rng.h>
#include <p2p/base/usec.h>

#define POOL_MAX 3000u
#define POOL_BAN (60 * USEC_MIN)
#define POOL_RETRY_FIRST (10 * USEC_SEC) /* doubled with every failure, */
#define POOL_RETRY_GIVEN (USEC_SEC) /* the same for those that the user or the link named */
#define POOL_RETRY_MAX (30 * USEC_MIN)
#define POOL_TRIES 8u /* then forgotten unless it was given by the user or the link */

enum pool_source {
    POOL_USER = 1,
    POOL_LINK = 2,
    POOL_TRACKER = 4,
    POOL_DHT = 8,
    POOL_PEX = 16,
    POOL_LSD = 32,
    POOL_INCOMING = 64,
    POOL_V2 = 128, /* beside another: heard of under the v2 hash of a hybrid, */
    POOL_V1 = 256, /* under its v1 hash */
};

struct pool;
struct pool *pool_new(struct rng *r);
void pool_free(struct pool *p);
/* Our own address for BEP 40; until known, the order is random. */
void pool_set_self(struct pool *p, const struct addr *self);
/* Off at first. A neighbour is who LSD told of, or whose address says so (near_class). */
void pool_prefer_near(struct pool *p, bool on);
/* Hears of an address. Refused (false): port 0, unusable, ports below 1024 but 80 and 443 unless
 * POOL_USER, banned, a known address of ourselves. */
bool pool_add(struct pool *p, const struct addr *a, unsigned source, bool seed_hint, usec now);
/* The next to dial now, marked as connecting; false if none is due. want_seeds: we do not seed. */
bool pool_next(struct pool *p, bool want_seeds, struct addr *out, usec now);
/* Likewise among neighbours alone: for these there is room when there is for nobody else. */
bool pool_next_near(struct pool *p, bool want_seeds, struct addr *out, usec now);
bool pool_has_near(struct pool *p, bool want_seeds, usec now); /* is one due? */
usec pool_deadline(const struct pool *p, bool want_seeds); /* when pool_next may have one */
void pool_connected(struct pool *p, const struct addr *a, usec now);
/* It ended. `useful`: it delivered or handshook well; failures back off. */
void pool_closed(struct pool *p, const struct addr *a, bool useful, usec now);
void pool_is_seed(struct pool *p, const struct addr *a, bool seed);
void pool_is_self(struct pool *p, const struct addr *a); /* we met ourselves: never again */
/* By IP; on loopback, where all peers of the host share one, by IP and port. */
void pool_ban(struct pool *p, const struct addr *a, usec now);
/* Forgets whom only these have named, connected or not. */
void pool_forget(struct pool *p, unsigned sources);
/* We want nobody for now, and will hear again of who wants us. Kept is who was given, and who is
 * known as a seed: he would be dialled again and again. */
void pool_rest(struct pool *p);
/* Flags of all that named it; 0: unknown. */
unsigned pool_sources(const struct pool *p, const struct addr *a);
bool pool_banned(const struct pool *p, const struct addr *a, usec now);
size_t pool_count(const struct pool *p);   /* known */
size_t pool_waiting(const struct pool *p); /* may still be dialled, now or after back-off */
bool pool_is_blank(const struct pool *p);  /* nothing would be lost with it */
/* BEP 40 canonical priority of two endpoints. */
uint32_t pool_priority(const struct addr *a, const struct addr *b);

#endif

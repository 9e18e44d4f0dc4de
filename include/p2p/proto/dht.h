/*
 * A node of the Mainline DHT that never saw a socket: BEP 5, 32, 33, 42, 43, 44, 45, 51. A context
 * serves at most one IPv4 and one IPv6 socket address, each with an id and a routing table of its
 * own, as BEP 42 and 45 ask; hosts with more addresses make more contexts.
 *
 *      feed  dht_feed: a datagram that came
 *      next  dht_next: what happened
 *      pull  dht_pull: a datagram to send, and where to
 *      tick  dht_tick, when dht_deadline has come
 *
 * After any call that takes `now`, pull and next until they say no. `now` never goes backwards.
 * Randomness is drawn from the caller's rng once, in dht_new.
 *
 * Look-ups are iterative, with few questions under way at a time, and tell what they find as they
 * find it. Their ends are told by DHT_DONE. Nodes that do not fit BEP 42, or whose tips turn out
 * dead, do not count as the closest; private addresses are believed only of private neighbours.
 *
 * For strangers we do little: limited queries an address (dht_guard.h), limited bytes in all, at
 * most three times the bytes that came, until the address has shown that it receives (dht_guard.h).
 * An answer that this leaves no room for is shortened: fewer nodes and peers, no item, no filters.
 * That is why our own questions for items and filters are padded to a third of the longest answer
 * (an argument `pad`, which nodes ignore like all that they do not know).
 *
 * For ourselves we have a share of the line of its own, DHT_OWN_RATE, so that nobody who floods us
 * with questions keeps us from asking. To announce an item takes 20 to 30 questions, 2.5 to 3.5 kB:
 * so ten thousand items are announced within half an hour, if the caller keeps DHT_MAX_PATIENT jobs
 * under way, all `patient`: those leave half of what the share has gathered to the others, so that
 * a look-up which somebody waits for is as fast as ever.
 */
#ifndef P2P_PROTO_DHT_H
#define P2P_PROTO_DHT_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/base/rng.h>
#include <p2p/base/usec.h>
#include <p2p/proto/dht_item.h>

#define DHT_MAX_DATAGRAM 1400u /* longest that we send */
#define DHT_SEND_RATE 8000u    /* bytes a second of answers, */
#define DHT_SEND_BURST 24000u  /* after silence this many at once */
#define DHT_OWN_RATE 20000u    /* the same, of our own questions */
#define DHT_OWN_BURST 40000u
#define DHT_MAX_ASKED 256u /* questions under way */
#define DHT_MAX_QUEUED 64u /* answers waiting to be pulled; more are dropped */
#define DHT_MAX_JOBS 4096u /* jobs of the caller that wait; of them run at a time: */
#define DHT_MAX_RUNNING 32u
#define DHT_MAX_PATIENT 24u /* of them such as may wait */
#define DHT_MAX_FOUND 1000u /* different peers that one search tells of */
#define DHT_MAX_HINTS 256u  /* addresses kept per family for joining */
#define DHT_ALPHA 4u        /* questions of a look-up under way, slow ones not counted */
#define DHT_JOIN_PATIENCE (60 * USEC_SEC) /* a job waits this long for the first node */

struct dht_config {
    bool v4, v6;              /* is there a socket? */
    bool read_only;           /* BEP 43: asks, is not asked. For programs that live for seconds */
    const uint8_t *id4, *id6; /* 20 bytes each, from an earlier run; NULL: made up */
    char version[4];          /* BEP 5 `v`: two letters of BEP 20, two bytes of version */
    uint32_t send_rate;       /* of answers, bytes a second; 0: DHT_SEND_RATE */
};

struct dht;
typedef uint32_t dht_job; /* 0 is none; not reused soon */

struct dht *dht_new(const struct dht_config *c, struct rng *rng, usec now);
void dht_free(struct dht *d);
void dht_set_read_only(struct dht *d, bool read_only);
/* The caller knows our public address for certain: the id is made to fit it. Otherwise it is
 * learned from what other nodes tell (BEP 42). */
void dht_set_external(struct dht *d, const struct addr *a, usec now);

/* ---- joining ---- */

/* A node that may be alive: of the manifest, of a PORT message, a bootstrap host, a neighbour. */
void dht_add_node(struct dht *d, const struct addr *a, usec now);
/* What is worth remembering until next time: ids and good nodes, as bytes. */
void dht_save(const struct dht *d, struct buf *out, usec now);
/*
 * Nodes from dht_save are tried for joining; with `ids` (and none in the config) the ids are ours
 * again: for the one program of a home that runs for long, for no two may have the same id.
 * ERR_INVALID changes nothing.
 */
int dht_load(struct dht *d, struct bytes saved, bool ids, usec now, struct err *e);

/*
 * ---- jobs; each ends with DHT_DONE, unless cancelled. 0: too many ----
 * What is stored expires: announce and put again every quarter of an hour, with some jitter.
 */

struct dht_search {
    uint8_t info_hash[DHT_ID]; /* a v2 hash truncated to 20 bytes */
    uint16_t port;             /* announce ourselves there afterwards; 0: do not, */
    uint16_t port6;            /* there in IPv6 (0: at the same port), */
    bool implied_port;         /* or at the port that our datagrams come from (then port as well) */
    bool seed;                 /* BEP 33, when announcing */
    bool noseed;               /* BEP 33: we are a seed, and look for others */
    bool scrape;               /* BEP 33: count peers and seeds too */
    bool patient;              /* gives way to others: for what many items do over and over */
};
dht_job dht_find_peers(struct dht *d, const struct dht_search *s, usec now);
/* BEP 44. `target` as of dht_item_target; the salt of a mutable item is needed to check it. */
dht_job dht_get(struct dht *d, const uint8_t target[DHT_ID], struct bytes salt, usec now);
/* The item is copied and must pass dht_item_check; 0 if it does not. */
dht_job dht_put(struct dht *d, const struct dht_item *item, usec now);
/* BEP 51: asks nodes on the way to the target for samples of what they store. */
dht_job dht_sample(struct dht *d, const uint8_t target[DHT_ID], usec now);
/* One question to one node. */
dht_job dht_ping(struct dht *d, const struct addr *a, usec now);
void dht_cancel(struct dht *d, dht_job job);

/* ---- the machine ---- */

/* False if it is no message of the DHT: try it on uTP and trackers. */
bool dht_feed(struct dht *d, const struct addr *from, struct bytes datagram, usec now);
/* Its length; 0: nothing to send. */
size_t dht_pull(struct dht *d, struct addr *to, uint8_t out[DHT_MAX_DATAGRAM]);
void dht_tick(struct dht *d, usec now);
usec dht_deadline(const struct dht *d);

enum dht_event_type {
    /* `from` has family 0 for what was announced or put to ourselves. */
    DHT_PEERS,    /* job, from, peers: not told before by this job */
    DHT_ITEM,     /* job, from, item: valid; of a mutable one, newer than those told before */
    DHT_SAMPLES,  /* job, from, samples, num, interval */
    DHT_PONG,     /* job, from, id, rtt, version */
    DHT_DONE,     /* job, asked, replies, stored, code, seq, seeds, downloaders */
    DHT_JOINED,   /* family: there are good nodes now */
    DHT_LOST,     /* family: there are none any more */
    DHT_EXTERNAL, /* family, from: our public address, as others see it */
    DHT_NEW_ID,   /* family, id: ours has changed; worth saving */
    DHT_ANNOUNCED, /* family, id, from, seed: somebody stores with us that it is a peer of this
                      info-hash, reached at this address */
};

struct dht_event {
    enum dht_event_type type;
    dht_job job;
    uint8_t family; /* 4 or 6 */
    struct addr from;
    const struct addr *peers;
    size_t n_peers;
    struct dht_item item;
    struct bytes samples; /* info-hashes, 20 bytes each */
    int64_t num;
    uint32_t interval;
    uint8_t id[DHT_ID];
    usec rtt;
    char version[5];           /* "" if it told none; may hold any bytes but NUL */
    unsigned asked;            /* questions that it took */
    unsigned replies;          /* nodes that answered */
    unsigned stored;           /* nodes that took the announce or item */
    int code;                  /* the krpc_code of a refusal to store, 0: none */
    int64_t seq;               /* of a mutable item: the newest seen; -1: none */
    bool seed;
    double seeds, downloaders; /* estimates, of scrapes; -1: nothing told */
};
/* False: nothing more. What it borrows lives until the next call. */
bool dht_next(struct dht *d, struct dht_event *e);

struct dht_family_status {
    bool on, joined;
    uint8_t id[DHT_ID];
    struct addr external; /* family 0: not known */
    unsigned good, questionable, bad, waiting, buckets, hints;
};
struct dht_status {
    struct dht_family_status v4, v6;
    bool read_only;
    unsigned jobs, asked;
    size_t torrents, peers, items; /* stored for others */
    uint64_t bytes_in, bytes_out, datagrams_in, datagrams_out;
    uint64_t bytes_asked;      /* of bytes_out: our own questions */
    uint64_t queries, refused; /* of others; of them not answered, for limits */
    uint64_t strays;           /* malformed, or answers that nobody asked for */
};
void dht_status(const struct dht *d, struct dht_status *s, usec now);

#endif

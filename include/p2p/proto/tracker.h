/*
 * Tracker codecs without sockets: HTTP(S) as a URL to fetch and a body to read (BEP 3, 7, 23, 31,
 * 48), UDP as a machine with datagrams in and out and its own retransmission (BEP 15, 41).
 */
#ifndef P2P_PROTO_TRACKER_H
#define P2P_PROTO_TRACKER_H

#include <p2p/base/addr.h>
#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/base/rng.h>
#include <p2p/base/usec.h>

#define TRACKER_MAX_PEERS 200u
#define TRACKER_MAX_BODY (1u << 20)
#define TRACKER_MIN_INTERVAL (60 * USEC_SEC) /* what a tracker asks for is kept inside these */
#define TRACKER_MAX_INTERVAL (6 * 60 * USEC_MIN)

enum tracker_event {
    TRACKER_NONE = 0,
    TRACKER_COMPLETED = 1,
    TRACKER_STARTED = 2,
    TRACKER_STOPPED = 3
}; /* BEP 15's numbers */

struct tracker_request {
    uint8_t info_hash[20], peer_id[20];
    uint64_t uploaded, downloaded, left;
    enum tracker_event event;
    uint16_t port;
    uint32_t numwant;
    uint32_t key;
    bool paused; /* a partial seed (BEP 21): HTTP trackers are told where there is no event */
    const char *trackerid; /* NULL: none */
};

struct tracker_answer {
    struct addr peers[TRACKER_MAX_PEERS];
    size_t n_peers;
    usec interval, min_interval;         /* clamped; min_interval 0: not told */
    int64_t seeds, leechers, downloaded; /* -1: not told */
    struct addr external;                /* BEP 24 `external ip`; family 0: not told */
    char *trackerid;                     /* owned by the caller when parsing succeeded; NULL */
    usec retry_in; /* BEP 31 with a failure: 0 not told, USEC_NEVER for "never" */
    char warning[200];
};

/* Appends the announce URL for an HTTP tracker (the query is joined with ? or &, whatever it
 * holds). */
int tracker_http_announce(struct buf *out, const char *url, const struct tracker_request *r,
                          struct err *e);
/* Scrape URL (BEP 48): the last path component `announce` becomes `scrape`; ERR_NOTFOUND if it has
 * none. */
int tracker_http_scrape(struct buf *out, const char *url, const uint8_t info_hash[20],
                        struct err *e);
/*
 * Reads the body. A `failure reason` is ERR_NET with its text (made safe); retry_in may be set
 * then. What is no answer at all (a web page, broken bencode) is ERR_NET too: the tracker's fault.
 * A scrape that does not name the item is ERR_NOTFOUND.
 */
int tracker_http_parse(struct tracker_answer *a, struct bytes body, struct err *e);
int tracker_http_parse_scrape(struct tracker_answer *a, const uint8_t info_hash[20],
                              struct bytes body, struct err *e);

/*
 * UDP. One machine per announce or scrape to one resolved address; connection ids are kept for a
 * minute in `struct tracker_udp_cache` so that several items share one connect.
 * feed: a datagram from that address. pull: the datagram to send now, if any; it is the tick too,
 * to be called when the deadline has come and after feed took something; and for the others of the
 * address when one of them has connected, which need not wait for their deadlines. Retransmission
 * at 15 * 2^n seconds as in BEP 15 (`first` stands for the 15 if it is shorter, 0: it is not),
 * giving up after `tries` datagrams without an answer; the deadline is also that of a result that
 * tracker_udp_result has not told yet. Cache and rng are borrowed.
 */
struct tracker_udp;
struct tracker_udp_cache; /* connection ids by address */
struct tracker_udp_cache *tracker_udp_cache_new(void);
void tracker_udp_cache_free(struct tracker_udp_cache *c);

#define TRACKER_UDP_MAX_DATAGRAM 1400u
/* `path`: the URL's path and query for BEP 41, "" for none. `scrape`: BEP 15 scrape of
 * r->info_hash. */
struct tracker_udp *tracker_udp_new(struct tracker_udp_cache *c, const struct addr *to,
                                    const char *path, const struct tracker_request *r, bool scrape,
                                    usec first, unsigned tries, struct rng *rng, usec now);
void tracker_udp_free(struct tracker_udp *t);
const struct addr *tracker_udp_addr(const struct tracker_udp *t);
/* True if the datagram was ours (transaction id); false leaves it for another machine. */
bool tracker_udp_feed(struct tracker_udp *t, struct bytes datagram, usec now);
size_t tracker_udp_pull(struct tracker_udp *t, uint8_t out[TRACKER_UDP_MAX_DATAGRAM],
                        usec now); /* 0: nothing to send */
/* The announce or scrape itself is under way, and not what comes before it. */
bool tracker_udp_asked(const struct tracker_udp *t);
usec tracker_udp_deadline(const struct tracker_udp *t);
/* 0: under way. 1: done, *a filled. Negative: failed (ERR_NET) with the reason. */
int tracker_udp_result(struct tracker_udp *t, struct tracker_answer *a, struct err *e);

/* Splits a tracker URL. kind 'u' udp, 'h' http(s), 0 otherwise (and ERR_INVALID). Host without
 * brackets and user info. */
struct tracker_url {
    char kind;
    bool tls;
    char host[256];
    uint16_t port;    /* default of the scheme if absent; 0 for udp without one: an error */
    const char *path; /* borrowed: from the first '/' or '?' after the host; "" if none */
};
int tracker_url_parse(struct tracker_url *u, const char *url, struct err *e);

#endif

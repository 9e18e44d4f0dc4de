/*
 * Answers of HTTP trackers (BEP 3, 7, 23, 24, 31, 48). Read leniently where real trackers are
 * sloppy (keys unsorted, bytes behind the dictionary, a peer among many that makes no sense), but
 * within limits. Whatever is wrong with an answer is the tracker's fault: ERR_NET, so that others
 * are asked.
 */
#include "proto/tracker_answer.h"

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/format/bencode.h>

enum {
    MAX_TOKENS = 200000,
    MAX_TRACKERID = 512,
    MAX_RETRY_MINUTES = 30 * 24 * 60,
    DEFAULT_INTERVAL = 30 * 60, /* seconds */
    IPV6_SHARE = 100,           /* of TRACKER_MAX_PEERS, when both families have more */
};

static int64_t get_count(const struct bencode *b, bnode dict, const char *key)
{
    uint64_t v;
    return bencode_get_uint(b, dict, key, &v) && v <= INT64_MAX ? (int64_t)v : -1;
}

static bool starts_with(struct bytes b, const char *s)
{
    return b.n >= strlen(s) && memcmp(b.p, s, strlen(s)) == 0;
}

/* A parked or captive server sends a page; say that rather than what bencode makes of it. */
static int open_answer(struct bencode **out, struct bytes body, struct err *e)
{
    if (body.n > TRACKER_MAX_BODY)
        return err_set(e, ERR_NET, "answered more than %u bytes", TRACKER_MAX_BODY);
    struct bytes text = body;
    if (starts_with(text, "\xef\xbb\xbf"))
        text = BYTES(text.p + 3, text.n - 3);
    while (text.n && (*text.p == ' ' || (*text.p >= '\t' && *text.p <= '\r')))
        text = BYTES(text.p + 1, text.n - 1);
    if (!text.n)
        return err_set(e, ERR_NET, "answered nothing");
    if (*text.p == '<')
        return err_set(e, ERR_NET, "answered a web page instead of an announce");
    struct err why = {0};
    size_t used;
    struct bencode *b = bencode_parse(text, BENCODE_LENIENT, MAX_TOKENS, &used, &why);
    if (b && bencode_type(b, 0) == BENCODE_DICT) {
        *out = b;
        return 0;
    }
    bencode_free(b);
    return err_set(e, ERR_NET, "answered something that is no announce%s%s", *why.msg ? ": " : "",
                   why.msg);
}

/* BEP 31: minutes, which its own example writes as a string, or "never". */
static usec read_retry(const struct bencode *b)
{
    struct bytes s;
    uint64_t minutes = 0;
    if (bencode_get_str(b, 0, "retry in", &s)) {
        if (bytes_is(s, "never"))
            return USEC_NEVER;
        if (!num_parse_u64(s, &minutes))
            return 0;
    } else if (!bencode_get_uint(b, 0, "retry in", &minutes)) {
        return 0;
    }
    return (usec)(minutes < MAX_RETRY_MINUTES ? minutes : MAX_RETRY_MINUTES) * USEC_MIN;
}

/* 0, or ERR_NET if the tracker refused. */
static int read_failure(struct tracker_answer *a, const struct bencode *b, struct err *e)
{
    struct bytes s;
    if (!bencode_get_str(b, 0, "failure reason", &s))
        return 0;
    char text[200];
    tracker_show(text, sizeof text, s);
    a->retry_in = read_retry(b);
    return err_set(e, ERR_NET, "%s", *text ? text : "refused without a reason");
}

static void add_dict_peer(struct tracker_answer *a, const struct bencode *b, bnode peer)
{
    struct bytes ip;
    uint64_t port;
    char text[ADDR_TEXT];
    if (!bencode_get_str(b, peer, "ip", &ip) || ip.n >= sizeof text || memchr(ip.p, 0, ip.n))
        return;
    if (!bencode_get_uint(b, peer, "port", &port) || !port || port > UINT16_MAX)
        return;
    memcpy(text, ip.p, ip.n);
    text[ip.n] = '\0';
    if (addr_parse_ip(&a->peers[a->n_peers], text, (uint16_t)port)) /* names are not looked up */
        a->n_peers++;
}

static void read_peers(struct tracker_answer *a, const struct bencode *b)
{
    struct bytes v4, v6 = BYTES(NULL, 0);
    bencode_get_str(b, 0, "peers6", &v6);
    size_t kept = v6.n / 18 < IPV6_SHARE ? v6.n / 18 : IPV6_SHARE;
    size_t most = TRACKER_MAX_PEERS - kept;
    bnode peers = bencode_get(b, 0, "peers");
    if (bencode_str(b, peers, &v4))
        tracker_add_compact(a, v4, 6, most);
    else if (bencode_type(b, peers) == BENCODE_LIST)
        for (bnode p = bencode_first(b, peers); p != BNODE_NONE && a->n_peers < most;
             p = bencode_next(b, p))
            add_dict_peer(a, b, p);
    tracker_add_compact(a, v6, 18, TRACKER_MAX_PEERS);
}

static void read_external(struct tracker_answer *a, const struct bencode *b)
{
    struct bytes s;
    uint8_t compact[18] = {0}; /* no port comes with it */
    if (!bencode_get_str(b, 0, "external ip", &s) || (s.n != 4 && s.n != 16))
        return;
    memcpy(compact, s.p, s.n);
    addr_get_compact(&a->external, BYTES(compact, s.n + 2));
}

static void read_counts(struct tracker_answer *a, const struct bencode *b, bnode dict)
{
    a->seeds = get_count(b, dict, "complete");
    a->leechers = get_count(b, dict, "incomplete");
    a->downloaded = get_count(b, dict, "downloaded");
}

static void read_announce(struct tracker_answer *a, const struct bencode *b)
{
    struct bytes s;
    uint64_t seconds = DEFAULT_INTERVAL;
    bencode_get_uint(b, 0, "interval", &seconds);
    a->interval = tracker_interval(seconds);
    if (bencode_get_uint(b, 0, "min interval", &seconds) && seconds)
        a->min_interval = tracker_interval(seconds);
    read_counts(a, b, 0);
    read_peers(a, b);
    read_external(a, b);
    if (bencode_get_str(b, 0, "warning message", &s))
        tracker_show(a->warning, sizeof a->warning, s);
    if (bencode_get_str(b, 0, "tracker id", &s) && s.n && s.n <= MAX_TRACKERID &&
        !memchr(s.p, 0, s.n))
        a->trackerid = mem_strn((const char *)s.p, s.n);
}

int tracker_http_parse(struct tracker_answer *a, struct bytes body, struct err *e)
{
    struct bencode *b = NULL;
    tracker_answer_init(a);
    int r = open_answer(&b, body, e);
    if (r < 0)
        return r;
    r = read_failure(a, b, e);
    if (r == 0)
        read_announce(a, b);
    bencode_free(b);
    return r;
}

int tracker_http_parse_scrape(struct tracker_answer *a, const uint8_t info_hash[20],
                              struct bytes body, struct err *e)
{
    struct bencode *b = NULL;
    tracker_answer_init(a);
    int r = open_answer(&b, body, e);
    if (r < 0)
        return r;
    r = read_failure(a, b, e);
    bnode files = bencode_get(b, 0, "files");
    bnode item = bencode_get_bytes(b, files, BYTES(info_hash, 20));
    if (r == 0 && bencode_type(b, files) != BENCODE_DICT)
        r = err_set(e, ERR_NET, "answered something that is no scrape");
    else if (r == 0 && bencode_type(b, item) != BENCODE_DICT)
        r = err_set(e, ERR_NOTFOUND, "does not know this item");
    else if (r == 0)
        read_counts(a, b, item);
    bencode_free(b);
    return r;
}

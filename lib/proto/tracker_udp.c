/*
 * UDP trackers (BEP 15, 41) without a socket. Rules:
 * - A connection id serves everybody who asks that address for a minute. While one machine waits
 *   for it, the others wait too, but not longer than a second: its datagram may be lost, or it may
 *   be gone.
 * - The wait for an answer doubles each time. It begins anew when the tracker has shown that it is
 *   there, but the number of tries counts all silences together, so that a tracker that connects
 *   and never answers comes to an end.
 * - What does not carry our transaction id is somebody else's; what does and makes no sense is
 *   ignored, for it costs a stranger nothing to send it.
 */
#include "proto/tracker_answer.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

enum {
    CACHE_SIZE = 64,
    CONNECT_LEN = 16,
    ANNOUNCE_LEN = 98,
    SCRAPE_LEN = 36,
    ERROR_LEN = 8,
    MAX_DOUBLINGS = 8,
    OPTION_URLDATA = 2,
    OPTION_MOST = 255,
    /* in pieces of OPTION_MOST with two bytes before each */
    PATH_MOST = TRACKER_UDP_MAX_DATAGRAM - ANNOUNCE_LEN - 2 * 8,
};

enum action { CONNECT = 0, ANNOUNCE = 1, SCRAPE = 2, ERROR = 3 };

#define PROTOCOL_ID UINT64_C(0x41727101980)
#define ID_LIFE (60 * USEC_SEC)
#define FIRST_WAIT (15 * USEC_SEC)
#define OTHERS_CONNECT USEC_SEC /* how long another machine's connect is waited for */
#define OTHERS_POLL (100 * USEC_MS)

struct known {
    struct addr addr; /* family 0: free */
    bool has_id;
    uint64_t id;
    usec got;      /* has_id: when it came */
    usec asking;   /* until when somebody's connect is thought to be under way */
    uint64_t used; /* for finding the oldest */
};

struct tracker_udp_cache {
    struct known known[CACHE_SIZE];
    uint64_t uses;
};

enum state { IDLE, WAITING, DONE, FAILED };

struct tracker_udp {
    struct tracker_udp_cache *cache; /* borrowed */
    struct rng *rng;                 /* borrowed */
    struct addr to;
    char *path; /* owned */
    struct tracker_request request;
    enum action goal; /* ANNOUNCE or SCRAPE */
    usec first;
    unsigned tries, silences, doublings;
    enum state state;
    enum action asked; /* WAITING: the request under way */
    uint32_t transaction;
    uint64_t id;   /* connection id it was sent with */
    usec patience; /* until when others' connects are waited for; 0: not waited yet */
    bool has_transaction, connected, forgave;
    usec deadline;
    struct tracker_answer answer;
    struct err err;
};

struct tracker_udp_cache *tracker_udp_cache_new(void)
{
    return mem_zero(sizeof(struct tracker_udp_cache));
}

void tracker_udp_cache_free(struct tracker_udp_cache *c)
{
    free(c);
}

/* The entry of an address; the one unused for longest gives way to a new one. */
static struct known *know(struct tracker_udp_cache *c, const struct addr *a)
{
    struct known *oldest = &c->known[0];
    for (size_t i = 0; i < CACHE_SIZE; i++) {
        struct known *k = &c->known[i];
        if (k->addr.family && addr_eq(&k->addr, a)) {
            k->used = ++c->uses;
            return k;
        }
        if (k->used < oldest->used)
            oldest = k;
    }
    *oldest = (struct known){.addr = *a, .used = ++c->uses};
    return oldest;
}

static bool id_valid(const struct known *k, usec now)
{
    return k->has_id && now - k->got < ID_LIFE;
}

/* It is over. Until tracker_udp_result has told so there is a deadline, which brings the owner. */
static void finish(struct tracker_udp *t, enum state state, usec now)
{
    t->state = state;
    t->deadline = now;
}

static void fail(struct tracker_udp *t, const char *why, usec now)
{
    err_set(&t->err, ERR_NET, "%s", why);
    finish(t, FAILED, now);
}

struct tracker_udp *tracker_udp_new(struct tracker_udp_cache *c, const struct addr *to,
                                    const char *path, const struct tracker_request *r, bool scrape,
                                    usec first, unsigned tries, struct rng *rng, usec now)
{
    struct tracker_udp *t = mem_zero(sizeof *t);
    t->cache = c;
    t->rng = rng;
    t->to = *to;
    t->path = mem_strn(path, strcspn(path, "#")); /* a fragment is for whoever has the URL */
    t->request = *r;
    t->request.trackerid = NULL; /* borrowed, and of no use here */
    t->goal = scrape ? SCRAPE : ANNOUNCE;
    t->first = first > 0 && first < FIRST_WAIT ? first : FIRST_WAIT;
    t->tries = tries ? tries : 1;
    t->deadline = now;
    tracker_answer_init(&t->answer);
    if (strlen(t->path) > PATH_MOST)
        fail(t, "the URL is too long for a UDP tracker", now);
    return t;
}

void tracker_udp_free(struct tracker_udp *t)
{
    if (!t)
        return;
    free(t->path);
    free(t);
}

const struct addr *tracker_udp_addr(const struct tracker_udp *t)
{
    return &t->to;
}

/* BEP 41: path and query, in as many options as it takes. */
static size_t put_options(uint8_t *out, const char *path)
{
    size_t len = 0;
    for (size_t left = strlen(path), n; left; left -= n, path += n) {
        n = left < OPTION_MOST ? left : OPTION_MOST;
        out[len++] = OPTION_URLDATA;
        out[len++] = (uint8_t)n;
        memcpy(out + len, path, n);
        len += n;
    }
    return len;
}

static size_t put_announce(const struct tracker_udp *t, uint8_t *out)
{
    const struct tracker_request *r = &t->request;
    memcpy(out + 16, r->info_hash, 20);
    memcpy(out + 36, r->peer_id, 20);
    put_be64(out + 56, r->downloaded);
    put_be64(out + 64, r->left);
    put_be64(out + 72, r->uploaded);
    put_be32(out + 80, r->event);
    put_be32(out + 84, 0); /* IP address: the one it comes from; another would be a victim's */
    put_be32(out + 88, r->key);
    put_be32(out + 92, r->numwant);
    put_be16(out + 96, r->port);
    return ANNOUNCE_LEN + put_options(out + ANNOUNCE_LEN, t->path);
}

static size_t put_scrape(const struct tracker_udp *t, uint8_t *out)
{
    memcpy(out + 16, t->request.info_hash, 20);
    return SCRAPE_LEN;
}

/* 15 seconds doubling eight times, or a shorter beginning that doubles as often. */
static usec wait_of(const struct tracker_udp *t)
{
    unsigned n = t->doublings < MAX_DOUBLINGS ? t->doublings : MAX_DOUBLINGS;
    return t->first << n;
}

static size_t send_request(struct tracker_udp *t, enum action a, uint64_t id, uint8_t *out,
                           usec now)
{
    if (!t->has_transaction || t->asked != a) {
        t->transaction = (uint32_t)rng_u64(t->rng);
        t->has_transaction = true;
    }
    put_be64(out, id);
    put_be32(out + 8, a);
    put_be32(out + 12, t->transaction);
    t->asked = a;
    t->id = id;
    t->state = WAITING;
    t->deadline = now + wait_of(t);
    return a == CONNECT ? CONNECT_LEN : a == SCRAPE ? put_scrape(t, out) : put_announce(t, out);
}

/* Somebody else's connect is under way and may serve us too. Only one such wait: behind a dead
 * tracker the machines would else fail one after the other. */
static bool leave_to_others(struct tracker_udp *t, const struct known *k, usec now)
{
    if (now >= k->asking)
        return false;
    if (!t->patience)
        t->patience = now + OTHERS_CONNECT;
    if (now >= t->patience)
        return false;
    t->deadline = usec_min(usec_min(k->asking, t->patience), now + OTHERS_POLL);
    return true;
}

/* The wait is over and nothing came. False if it was the last. */
static bool count_silence(struct tracker_udp *t, usec now)
{
    t->silences++;
    t->doublings++;
    t->state = IDLE;
    if (t->silences < t->tries)
        return true;
    fail(t, "did not answer", now);
    return false;
}

/* The id that it waits for has come. */
static bool has_been_spared(struct tracker_udp *t, usec now)
{
    return t->state == IDLE && t->patience && id_valid(know(t->cache, &t->to), now);
}

size_t tracker_udp_pull(struct tracker_udp *t, uint8_t out[TRACKER_UDP_MAX_DATAGRAM], usec now)
{
    if (t->state == DONE || t->state == FAILED)
        return 0;
    if (now < t->deadline && !has_been_spared(t, now))
        return 0;
    if (t->state == WAITING && !count_silence(t, now))
        return 0;
    struct known *k = know(t->cache, &t->to);
    if (id_valid(k, now))
        return send_request(t, t->goal, k->id, out, now);
    if (leave_to_others(t, k, now))
        return 0;
    k->asking = now + usec_min(wait_of(t), OTHERS_CONNECT);
    return send_request(t, CONNECT, PROTOCOL_ID, out, now);
}

static int64_t count_of(const uint8_t *p)
{
    uint32_t v = get_be32(p);
    return v <= INT32_MAX ? (int64_t)v : -1;
}

/* The next request goes out at once. */
static void go_on(struct tracker_udp *t, usec now)
{
    t->state = IDLE;
    t->deadline = now;
}

static void read_connect(struct tracker_udp *t, struct bytes d, usec now)
{
    struct known *k = know(t->cache, &t->to);
    k->has_id = true;
    k->id = get_be64(d.p + 8);
    k->got = now;
    k->asking = 0;
    if (!t->connected) /* later connects are renewals, and the tracker's silence goes on */
        t->doublings = 0;
    t->connected = true;
    go_on(t, now);
}

static void read_announce(struct tracker_udp *t, struct bytes d, usec now)
{
    struct tracker_answer *a = &t->answer;
    a->interval = tracker_interval(get_be32(d.p + 8));
    a->leechers = count_of(d.p + 12);
    a->seeds = count_of(d.p + 16);
    tracker_add_compact(a, BYTES(d.p + 20, d.n - 20), t->to.family == 6 ? 18 : 6,
                        TRACKER_MAX_PEERS);
    finish(t, DONE, now);
}

static void read_scrape(struct tracker_udp *t, struct bytes d, usec now)
{
    t->answer.seeds = count_of(d.p + 8);
    t->answer.downloaded = count_of(d.p + 12);
    t->answer.leechers = count_of(d.p + 16);
    finish(t, DONE, now);
}

/* Trackers have no code for it, but they all name the connection. */
static bool blames_connection(const char *text)
{
    return strstr(text, "onnection") != NULL;
}

static void read_error(struct tracker_udp *t, struct bytes d, usec now)
{
    char text[200];
    tracker_show(text, sizeof text, BYTES(d.p + ERROR_LEN, d.n - ERROR_LEN));
    /* A tracker that was started again does not know the ids it gave before. */
    if (t->asked != CONNECT && !t->connected && !t->forgave && blames_connection(text)) {
        struct known *k = know(t->cache, &t->to);
        if (k->id == t->id)
            k->has_id = false;
        t->forgave = true;
        go_on(t, now);
        return;
    }
    fail(t, *text ? text : "refused without a reason", now);
}

static const struct {
    size_t least;
    void (*read)(struct tracker_udp *t, struct bytes d, usec now);
} readers[] = {
    [CONNECT] = {16, read_connect},
    [ANNOUNCE] = {20, read_announce},
    [SCRAPE] = {20, read_scrape},
    [ERROR] = {ERROR_LEN, read_error},
};

bool tracker_udp_feed(struct tracker_udp *t, struct bytes d, usec now)
{
    if (d.n < 8 || !t->has_transaction || get_be32(d.p + 4) != t->transaction)
        return false;
    uint32_t action = get_be32(d.p);
    if (t->state != WAITING || (action != ERROR && action != t->asked))
        return true;
    if (d.n >= readers[action].least)
        readers[action].read(t, d, now);
    return true;
}

bool tracker_udp_asked(const struct tracker_udp *t)
{
    return t->state == WAITING && t->asked == t->goal;
}

usec tracker_udp_deadline(const struct tracker_udp *t)
{
    return t->deadline;
}

int tracker_udp_result(struct tracker_udp *t, struct tracker_answer *a, struct err *e)
{
    if (t->state != DONE && t->state != FAILED)
        return 0;
    t->deadline = USEC_NEVER;
    if (t->state == FAILED)
        return err_set(e, t->err.code, "%s", t->err.msg);
    *a = t->answer;
    return 1;
}

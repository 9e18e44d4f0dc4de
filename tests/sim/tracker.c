/*
 * The tracker, by HTTP (BEP 3, 7, 23, 24) and UDP (BEP 15): it knows every hash, remembers who
 * announced until they stop, and tells fifty of them at random.
 */
#include "tube_int.h"

#include <p2p/base/text.h>
#include <p2p/format/bencode.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_PEERS 50u
#define INTERVAL 120
#define FAR (20 * USEC_MS) /* from the tracker to the middle of the net */
#define NO_ANSWER (30 * USEC_SEC)
#define HTTP_URL "http://tracker.test/announce"
#define UDP_PORT 6969u
#define CONNECTION_ID 0x7475626574756265u

void tube_tracker_dead(struct tube *t, bool dead)
{
    t->tracker_dead = dead;
}

void tube_tracker_closes(struct tube *t)
{
    t->tracker_closes = true;
}

unsigned tube_stopped_announces(const struct tube *t)
{
    return t->stopped;
}

unsigned tube_completed_announces(const struct tube *t)
{
    return t->completed;
}

size_t tube_tracker_knows(const struct tube *t)
{
    return t->n_tracked;
}

/* ---- who is where ---- */

static struct tracked *find(struct tube *t, const uint8_t *hash, const struct addr *a)
{
    for (size_t i = 0; i < t->n_tracked; i++)
        if (memcmp(t->tracked[i].hash, hash, 20) == 0 && addr_eq(&t->tracked[i].a, a))
            return &t->tracked[i];
    return NULL;
}

static void remember(struct tube *t, const uint8_t *hash, const struct addr *a, bool seed)
{
    struct tracked *k = find(t, hash, a);
    if (!k) {
        t->tracked = mem_grow(t->tracked, t->n_tracked + 1, sizeof *t->tracked);
        k = &t->tracked[t->n_tracked++];
        memcpy(k->hash, hash, 20);
        k->a = *a;
    }
    k->seed = seed;
}

static void forget(struct tube *t, const uint8_t *hash, const struct addr *a)
{
    struct tracked *k = find(t, hash, a);
    t->stopped++;
    if (k)
        *k = t->tracked[--t->n_tracked];
}

struct known {
    const struct tracked *v[MOST_PEERS];
    size_t n;
    uint32_t seeds, others;
};

/* As many as fit, each with the same chance (reservoir sampling). */
static void choose(struct tube *t, const uint8_t *hash, struct known *k)
{
    *k = (struct known){0};
    for (size_t i = 0; i < t->n_tracked; i++) {
        const struct tracked *it = &t->tracked[i];
        if (memcmp(it->hash, hash, 20) != 0)
            continue;
        *(it->seed ? &k->seeds : &k->others) += 1;
        if (k->n < MOST_PEERS) {
            k->v[k->n++] = it;
            continue;
        }
        uint64_t at = rng_below(&t->rng, k->seeds + k->others);
        if (at < MOST_PEERS)
            k->v[at] = it;
    }
}

/* ---- HTTP ---- */

static bool query_value(const char *url, const char *key, struct buf *out)
{
    const char *at = strstr(url, key);
    if (!at)
        return false;
    at += strlen(key);
    return text_unpercent(out, BYTES(at, strcspn(at, "&")), false);
}

static uint64_t query_number(const char *url, const char *key, uint64_t otherwise)
{
    const char *at = strstr(url, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : otherwise;
}

static void put_compact(struct buf *out, const char *key, const struct known *k, int family)
{
    struct buf peers = {0};
    uint8_t compact[18];
    for (size_t i = 0; i < k->n; i++)
        if (k->v[i]->a.family == family)
            buf_put(&peers, compact, addr_put_compact(&k->v[i]->a, compact));
    if (family == 4 || buf_len(&peers))
        bencode_put_key_str(out, key, buf_bytes(&peers));
    buf_fini(&peers);
}

static void answer_body(struct tube *t, const uint8_t *hash, const struct addr *seen,
                        struct buf *out)
{
    struct known k;
    choose(t, hash, &k);
    bencode_put_dict(out);
    bencode_put_key_int(out, "complete", k.seeds);
    bencode_put_key_str(out, "external ip", BYTES(seen->ip, seen->family == 4 ? 4 : 16));
    bencode_put_key_int(out, "incomplete", k.others);
    bencode_put_key_int(out, "interval", INTERVAL);
    put_compact(out, "peers", &k, 4);
    put_compact(out, "peers6", &k, 6);
    bencode_put_end(out);
}

/* By the address that it sees, and the port that it is told. */
static void take_announce(struct host *h, const char *url, const uint8_t *hash, struct buf *body)
{
    struct tube *t = h->tube;
    struct addr a = host_public(h);
    a.port = (uint16_t)query_number(url, "&port=", PORT);
    answer_body(t, hash, &a, body);
    if (strstr(url, "event=stopped"))
        forget(t, hash, &a);
    else
        remember(t, hash, &a, query_number(url, "&left=", 1) == 0);
    t->completed += strstr(url, "event=completed") != NULL;
}

void tracker_answer(struct host *h, const struct node_op *op)
{
    struct tube *t = h->tube;
    struct buf hash = {0}, body = {0};
    bool here =
        strncmp(op->text, HTTP_URL, strlen(HTTP_URL)) == 0 && !t->tracker_dead && h->island == 0;
    usec there = FAR + h->cfg.delay + h->site->cfg.delay;
    usec took = t->tracker_closes ? 4 * there : 2 * there;
    struct event *e = host_event(h, t->now + (here ? took : NO_ANSWER), EV_HTTP);
    if (t->tracker_closes)
        node_http_opens(h->node, op->job, t->now);
    if (here)
        node_http_sent(h->node, op->job, t->now);
    e->job = op->job;
    e->err =
        here && query_value(op->text, "info_hash=", &hash) && buf_len(&hash) == 20 ? 0 : ERR_NET;
    if (!e->err) {
        take_announce(h, op->text, buf_bytes(&hash).p, &body);
        struct bytes b = buf_bytes(&body);
        e->data = mem_dup(b.p, b.n);
        e->n = b.n;
    }
    buf_fini(&hash);
    buf_fini(&body);
}

/* ---- UDP ---- */

struct addr tracker_addr(void)
{
    return (struct addr){.family = 4, .port = UDP_PORT, .ip = {9, 9, 9, 9}};
}

bool tracker_is_at(const struct addr *a)
{
    struct addr here = tracker_addr();
    return addr_eq(a, &here);
}

static uint64_t number(struct bytes b, size_t at, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | b.p[at + i];
    return v;
}

static void put_udp_answer(struct tube *t, struct bytes b, const struct addr *a, struct buf *out)
{
    const uint8_t *hash = b.p + 16;
    struct known k;
    uint8_t compact[18];
    choose(t, hash, &k);
    buf_put_be32(out, INTERVAL);
    buf_put_be32(out, k.others);
    buf_put_be32(out, k.seeds);
    for (size_t i = 0; i < k.n; i++)
        if (k.v[i]->a.family == 4)
            buf_put(out, compact, addr_put_compact(&k.v[i]->a, compact));
    if (number(b, 80, 4) == 3)
        forget(t, hash, a);
    else
        remember(t, hash, a, number(b, 64, 8) == 0);
    t->completed += number(b, 80, 4) == 1;
}

/* An announce, of 98 bytes or more; anything else is a request to connect (BEP 15). */
static void answer_udp(struct tube *t, struct bytes b, const struct addr *seen, struct buf *out)
{
    struct addr a = *seen;
    bool announce = b.n >= 98 && number(b, 0, 8) == CONNECTION_ID && number(b, 8, 4) == 1;
    buf_put_be32(out, announce);
    buf_put(out, b.p + 12, 4); /* the transaction */
    if (!announce) {
        buf_put_be64(out, CONNECTION_ID);
        return;
    }
    a.port = (uint16_t)number(b, 96, 2);
    put_udp_answer(t, b, &a, out);
}

void tracker_datagram(struct host *h, const struct addr *seen, struct bytes b)
{
    struct buf out = {0};
    struct addr here = tracker_addr();
    if (b.n < 16 || seen->family != 4 || h->tube->tracker_dead || h->island != 0)
        return;
    answer_udp(h->tube, b, seen, &out);
    datagram_from_server(h, &here, *seen, buf_bytes(&out));
    buf_fini(&out);
}

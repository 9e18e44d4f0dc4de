/*
 * Our questions. A transaction id is random, and an answer counts only from the address that was
 * asked: who wants to forge one must know both. Silence has two stages: past the first, measured by
 * the answers of others as TCP does (RFC 6298), another question may be sent in its place; past the
 * second the node has failed.
 */
#include "proto/dht_int.h"

#include <p2p/base/mem.h>

#define SOFT_FIRST USEC_SEC /* before there is an answer */
#define SOFT_LEAST (200 * USEC_MS)
#define SOFT_MOST (1500 * USEC_MS)
#define DEAD (3 * USEC_SEC)
#define STARVE_LEAST (20 * USEC_MS)

bool dht_may_ask(struct dht *d, uint64_t least, usec now)
{
    return d->n_asks < DHT_MAX_ASKED && bucket_avail(&d->own, now) > (int64_t)least;
}

void dht_starve(struct dht *d, uint64_t least, usec now)
{
    usec at = bucket_when(&d->own, least + 1, now);
    at = at < now + STARVE_LEAST ? now + STARVE_LEAST : at;
    d->feed_at = d->starved ? usec_min(d->feed_at, at) : at;
    d->starved = true;
}

static bool known_tid(const struct dht *d, uint32_t tid)
{
    for (unsigned i = 0; i < d->n_asks; i++)
        if (d->asks[i].tid == tid)
            return true;
    return false;
}

static usec soft_wait(const struct dht *d)
{
    usec wait = d->rtt ? d->rtt + 4 * d->rtt_var : SOFT_FIRST;
    return wait < SOFT_LEAST ? SOFT_LEAST : usec_min(wait, SOFT_MOST);
}

/* Whoever is asked first is not waited for longer than the first answer of another suggests. */
static usec soft_at(const struct dht *d, const struct ask *a)
{
    return a->sent + soft_wait(d);
}

static void measure(struct dht *d, usec rtt)
{
    usec off = rtt > d->rtt ? rtt - d->rtt : d->rtt - rtt;
    d->rtt_var = d->rtt ? d->rtt_var + (off - d->rtt_var) / 4 : rtt / 2;
    d->rtt = d->rtt ? d->rtt + (rtt - d->rtt) / 8 : rtt + !rtt;
}

static void remember(struct dht *d, const struct ask *a)
{
    if (d->n_asks == d->cap_asks) {
        d->cap_asks = d->cap_asks ? 2 * d->cap_asks : 8;
        d->asks = mem_grow(d->asks, d->cap_asks, sizeof *d->asks);
    }
    d->asks[d->n_asks++] = *a;
}

bool dht_ask(struct dht *d, enum ask_kind kind, uint32_t owner, uint16_t cand,
             const struct addr *to, struct krpc_msg *m, usec now)
{
    struct dht_side *s = dht_side_of(d, to);
    struct ask a = {.kind = kind, .owner = owner, .cand = cand, .to = *to, .sent = now};
    struct buf b = {0};
    uint8_t tid[4];
    if (!s || !dht_may_ask(d, 0, now))
        return false;
    do
        a.tid = dht_dice_u32(&d->dice);
    while (known_tid(d, a.tid));
    put_be32(tid, a.tid);
    m->kind = KRPC_QUERY;
    m->tid = BYTES(tid, sizeof tid);
    m->id = dht_table_own(s->table);
    m->version = dht_version(d);
    m->read_only = d->config.read_only;
    krpc_write(&b, m);
    size_t n = buf_len(&b);
    bool ok = dht_send(d, &d->own, to, buf_bytes(&b), now);
    buf_fini(&b);
    if (!ok)
        return false;
    d->bytes_asked += n;
    a.dead = now + DEAD;
    remember(d, &a);
    return true;
}

static bool take(struct dht *d, const struct addr *from, struct bytes tid, struct ask *out)
{
    if (tid.n != 4)
        return false;
    for (unsigned i = 0; i < d->n_asks; i++) {
        if (d->asks[i].tid != get_be32(tid.p) || !addr_eq(&d->asks[i].to, from))
            continue;
        *out = d->asks[i];
        d->asks[i] = d->asks[--d->n_asks];
        return true;
    }
    return false;
}

bool dht_ask_pending(struct dht *d, enum ask_kind kind, uint32_t owner, uint16_t cand, bool forget)
{
    bool any = false;
    for (unsigned i = d->n_asks; i > 0; i--) {
        const struct ask *a = &d->asks[i - 1];
        if (a->kind != kind || a->owner != owner || a->cand != cand)
            continue;
        any = true;
        if (forget)
            d->asks[i - 1] = d->asks[--d->n_asks];
    }
    return any;
}

/* What every answer tells, whatever was asked. */
static void learn(struct dht *d, const struct addr *from, const struct krpc_msg *m, usec now)
{
    struct dht_side *s = dht_side_of(d, from);
    dht_guard_prove(d->guard, from, now);
    s->heard = now;
    s->ever = true;
    if (m->kind != KRPC_REPLY)
        return;
    if (dht_id_eq(m->id, dht_table_own(s->table)))
        dht_table_evict(s->table, from, now);
    else
        dht_table_replied(s->table, m->id, from, now);
    dht_keep_vote(d, from, &m->ip, now);
    dht_keep_changed(d, s, now);
}

static const struct {
    void (*reply)(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now);
    void (*error)(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now);
} owners[] = {
    [ASK_PROBE] = {NULL, NULL},
    [ASK_PING] = {dht_job_pong, dht_job_pong},
    [ASK_WALK] = {dht_walk_reply, dht_walk_error},
    [ASK_PLACE] = {dht_place_end, dht_place_end},
};

void dht_answered(struct dht *d, const struct addr *from, const struct krpc_msg *m, usec now)
{
    struct ask a;
    if (!take(d, from, m->tid, &a)) {
        d->strays++;
        return;
    }
    measure(d, now - a.sent);
    learn(d, from, m, now);
    if (m->kind == KRPC_REPLY && owners[a.kind].reply)
        owners[a.kind].reply(d, &a, m, now);
    else if (m->kind == KRPC_ERROR && owners[a.kind].error)
        owners[a.kind].error(d, &a, m, now);
}

static void silence(struct dht *d, const struct ask *a, usec now)
{
    struct dht_side *s = dht_side_of(d, &a->to);
    bool alive = s->ever && s->heard >= a->sent;
    dht_table_failed(s->table, &a->to, alive, now);
    if (alive)
        dht_keep_hint_failed(s, &a->to);
    dht_keep_changed(d, s, now);
    if (a->kind == ASK_WALK)
        dht_walk_silent(d, a, now);
    else if (a->kind == ASK_PLACE)
        dht_place_end(d, a, NULL, now);
    else if (a->kind == ASK_PING)
        dht_job_pong(d, a, NULL, now);
}

/* What a deadline brings about may ask anew, so the search starts over after each. */
static bool expire_one(struct dht *d, usec now)
{
    for (unsigned i = 0; i < d->n_asks; i++) {
        struct ask a = d->asks[i];
        if (a.dead <= now) {
            d->asks[i] = d->asks[--d->n_asks];
            silence(d, &a, now);
            return true;
        }
        if (soft_at(d, &a) <= now && !a.slow) {
            d->asks[i].slow = true;
            if (a.kind == ASK_WALK)
                dht_walk_slow(d, &a, now);
            else if (a.kind == ASK_PLACE)
                dht_place_slow(d, &a, now);
            return true;
        }
    }
    return false;
}

void dht_ask_expire(struct dht *d, usec now)
{
    while (expire_one(d, now))
        continue;
}

usec dht_ask_deadline(const struct dht *d)
{
    usec at = USEC_NEVER;
    for (unsigned i = 0; i < d->n_asks; i++)
        at = usec_min(at, d->asks[i].slow ? d->asks[i].dead : soft_at(d, &d->asks[i]));
    return at;
}

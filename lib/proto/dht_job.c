/*
 * What the caller wants. A job is a walk in each family that has nodes; few run at a time, the
 * others wait in line. One that reached nobody at all begins anew for a while, since joining may
 * just be under way. No answer takes all the room for peers: who invents them by the dozen leaves
 * some to those who answer later.
 */
#include "proto/dht_int.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/proto/dht_addr.h>

#include <stdlib.h>

#define SHARE 16 /* one answer may take so much of the room for peers that is left */
#define BEGIN_ANEW (3 * USEC_SEC)
#define BLOOM_MOST 6000.0 /* above that a filter tells nothing (BEP 33) */

struct job *dht_job_find(struct dht *d, dht_job id)
{
    for (struct list_node *n = list_first(&d->jobs); n; n = list_next(&d->jobs, n))
        if (LIST_OF(n, struct job, node)->id == id)
            return LIST_OF(n, struct job, node);
    return NULL;
}

static void rests(struct dht *d, const struct job *j)
{
    d->running--;
    d->patient -= j->search.patient;
}

void dht_job_free(struct dht *d, struct job *j)
{
    if (j->state == JOB_RUNNING && j->method != KRPC_PING)
        rests(d, j);
    d->jobs_due = true;
    list_remove(&d->jobs, &j->node);
    map_free(j->seen);
    free(j->seeds);
    free(j->peers);
    free(j->memory);
    free(j);
}

static struct job *job_new(struct dht *d, enum krpc_method method, const uint8_t *target)
{
    if (d->jobs.count >= DHT_MAX_JOBS)
        return NULL;
    struct job *j = mem_zero(sizeof *j);
    j->id = dht_new_id(d);
    j->method = method;
    if (target)
        memcpy(j->target, target, DHT_ID);
    list_push(&d->jobs, &j->node);
    return j;
}

static void done(struct dht *d, struct job *j)
{
    struct dht_event e = {.type = DHT_DONE,
                          .job = j->id,
                          .asked = j->asked,
                          .replies = j->replies,
                          .stored = j->stored,
                          .code = j->code,
                          .seq = j->told_seq ? j->seq : -1,
                          .seeds = -1,
                          .downloaders = -1};
    if (j->seeds) {
        e.seeds = dht_bloom_size(j->seeds);
        e.downloaders = dht_bloom_size(j->peers);
    }
    dht_tell(d, &e, NULL);
    dht_job_free(d, j);
}

static uint8_t *take_copy(uint8_t *to, const void *from, size_t n, const uint8_t **out)
{
    if (n)
        memcpy(to, from, n);
    *out = to;
    return to + n;
}

/* One piece of memory for all that an item borrows. */
static uint8_t *copy_item(struct dht_item *to, const struct dht_item *from)
{
    size_t fixed = from->key ? SIGN_PUBLIC + SIGN_LEN : 0;
    uint8_t *memory = mem_alloc(fixed + from->salt.n + from->value.n), *at = memory;
    *to = *from;
    if (from->key) {
        at = take_copy(at, from->key, SIGN_PUBLIC, &to->key);
        at = take_copy(at, from->sig, SIGN_LEN, &to->sig);
    }
    at = take_copy(at, from->salt.p, from->salt.n, &to->salt.p);
    take_copy(at, from->value.p, from->value.n, &to->value.p);
    return memory;
}

/* ---- results ---- */

static bool told_before(struct dht *d, struct job *j, const struct addr *a)
{
    static char mark;
    uint8_t compact[18];
    struct bytes key = BYTES(compact, addr_put_compact(a, compact));
    if (!j->seen)
        j->seen = map_new((uint64_t)dht_dice_u32(&d->dice) << 32 | dht_dice_u32(&d->dice));
    if (map_get(j->seen, key) || map_count(j->seen) >= DHT_MAX_FOUND)
        return true;
    map_put(j->seen, key, &mark);
    return false;
}

/* `from`: NULL for ourselves, who asked nobody. */
static void take_peers(struct dht *d, struct job *j, const struct addr *from, const struct addr *v,
                       size_t n)
{
    struct dht_event e = {.type = DHT_PEERS, .job = j->id};
    struct addr *peers = mem_array(n, sizeof *peers);
    size_t left = DHT_MAX_FOUND - (j->seen ? map_count(j->seen) : 0);
    for (size_t i = 0; i < n && e.n_peers < left / SHARE + 1; i++)
        if ((!from || dht_addr_peer_ok(&v[i], from)) && !told_before(d, j, &v[i]))
            peers[e.n_peers++] = v[i];
    e.peers = peers;
    if (from) {
        e.from = *from;
        e.family = from->family;
    }
    if (e.n_peers)
        dht_tell(d, &e, (uint8_t *)peers);
    else
        free(peers);
}

/* A filter that is too full, or that lacks what the same node tells, was made up. */
static bool blooms_sane(const struct krpc_msg *m, struct dht_bloom *seeds, struct dht_bloom *peers)
{
    if (!m->bloom_seeds || !m->bloom_peers)
        return false;
    memcpy(seeds->v, m->bloom_seeds, DHT_BLOOM);
    memcpy(peers->v, m->bloom_peers, DHT_BLOOM);
    for (size_t i = 0; i < m->n_values; i++)
        if (!dht_bloom_has(seeds, &m->values[i]) && !dht_bloom_has(peers, &m->values[i]))
            return false;
    return dht_bloom_size(seeds) < BLOOM_MOST && dht_bloom_size(peers) < BLOOM_MOST;
}

static void join_blooms(struct job *j, const struct dht_bloom *seeds, const struct dht_bloom *peers)
{
    if (!j->seeds) {
        j->seeds = mem_zero(sizeof *j->seeds);
        j->peers = mem_zero(sizeof *j->peers);
    }
    dht_bloom_join(j->seeds, seeds->v);
    dht_bloom_join(j->peers, peers->v);
}

/* Who sends no filters, or nonsense, has at least told these peers (BEP 33). */
static void take_blooms(struct job *j, const struct krpc_msg *m)
{
    struct dht_bloom seeds = {{0}}, peers = {{0}};
    if (!m->bloom_seeds && !m->bloom_peers && !m->n_values)
        return;
    if (!blooms_sane(m, &seeds, &peers)) {
        memset(&seeds, 0, sizeof seeds);
        memset(&peers, 0, sizeof peers);
        for (size_t i = 0; i < m->n_values; i++)
            if (!j->seeds || !dht_bloom_has(j->seeds, &m->values[i]))
                dht_bloom_add(&peers, &m->values[i]);
    }
    join_blooms(j, &seeds, &peers);
}

static bool result_peers(struct dht *d, struct job *j, struct cand *c, const struct krpc_msg *m)
{
    if (m->n_values)
        take_peers(d, j, &c->addr, m->values, m->n_values);
    if (j->search.scrape)
        take_blooms(j, m);
    return true;
}

static bool item_of(const struct job *j, const struct krpc_msg *m, struct dht_item *i)
{
    uint8_t target[DHT_ID];
    *i = (struct dht_item){.value = m->value};
    if (m->key) {
        i->key = m->key;
        i->sig = m->sig;
        i->seq = m->seq;
        i->salt = BYTES(j->salt, j->salt_n);
    }
    dht_item_target(i, target);
    return dht_id_eq(target, j->target) && (!m->key || m->has_seq) && dht_item_check(i) == 0;
}

/* Another family's walk has what it was sent for, too. */
static void enough(struct dht *d, dht_job job)
{
    for (struct list_node *n = list_first(&d->walks); n; n = list_next(&d->walks, n))
        if (LIST_OF(n, struct walk, node)->job == job)
            LIST_OF(n, struct walk, node)->enough = true;
    d->walks_due = true;
}

static void tell_item(struct dht *d, struct job *j, const struct addr *from,
                      const struct dht_item *item)
{
    struct dht_event e = {.type = DHT_ITEM, .job = j->id};
    if (item->key && j->told_seq && item->seq <= j->seq)
        return;
    j->told_seq = item->key != NULL;
    j->seq = item->seq;
    if (j->puts)
        return;
    if (from) {
        e.from = *from;
        e.family = from->family;
    }
    uint8_t *memory = copy_item(&e.item, item);
    dht_tell(d, &e, memory);
}

static bool result_item(struct dht *d, struct job *j, struct cand *c, const struct krpc_msg *m)
{
    struct dht_item item;
    if (!m->value.p)
        return true;
    if (!item_of(j, m, &item))
        return false;
    c->holds = true;
    tell_item(d, j, &c->addr, &item);
    if (!item.key && !j->puts)
        enough(d, j->id);
    return true;
}

/* What others left with us: it may be all there is, and it comes at once. True: that is all. */
static bool look_at_home(struct dht *d, struct job *j, usec now)
{
    struct addr peers[KRPC_MAX_VALUES];
    struct dht_bloom seeds, others;
    if (j->method == KRPC_GET_PEERS) {
        size_t n = dht_store_pick(d->store, j->target, NULL, j->search.noseed, &d->dice, peers,
                                  KRPC_MAX_VALUES, now);
        take_peers(d, j, NULL, peers, n);
        if (j->search.scrape && dht_store_blooms(d->store, j->target, &seeds, &others, now))
            join_blooms(j, &seeds, &others);
        return false;
    }
    const struct dht_item *i = dht_items_get(d->items, j->target, now);
    if (j->method != KRPC_GET || !i)
        return false;
    tell_item(d, j, NULL, i);
    return !i->key && !j->puts;
}

static bool result_samples(struct dht *d, struct job *j, struct cand *c, const struct krpc_msg *m)
{
    struct dht_event e = {.type = DHT_SAMPLES,
                          .job = j->id,
                          .from = c->addr,
                          .family = c->addr.family,
                          .num = m->num,
                          .interval = m->interval};
    if (!m->samples.p)
        return true;
    uint8_t *memory = mem_dup(m->samples.p, m->samples.n);
    e.samples = BYTES(memory, m->samples.n);
    dht_tell(d, &e, memory);
    return true;
}

/* ---- beginning ---- */

static bool knows_somebody(const struct dht_side *s, const struct job *j, usec now)
{
    const struct dht_node *any;
    return s->on && (s->n_hints || dht_table_closest(s->table, j->target, NULL, &any, 1, now));
}

static bool start_walks(struct dht *d, struct job *j, usec now)
{
    struct walk *w[2];
    uint32_t id[2];
    for (int i = 0; i < 2; i++) {
        if (!knows_somebody(&d->side[i], j, now))
            continue;
        w[j->walks] = dht_walk_new(d, &d->side[i], j->method, j->target, j->id, now);
        w[j->walks]->scrape = j->search.scrape;
        w[j->walks]->noseed = j->search.noseed;
        w[j->walks]->patient = j->search.patient;
        id[j->walks] = w[j->walks]->id;
        j->walks++;
    }
    unsigned n = j->walks;
    if (!n)
        return false;
    j->state = JOB_RUNNING;
    d->running++;
    d->patient += j->search.patient;
    for (unsigned i = 0; i < n; i++) /* the first may end the job and with it the second */
        if (dht_walk_find(d, id[i]))
            dht_walk_go(d, w[i], now);
    return true;
}

static bool start_ping(struct dht *d, struct job *j, usec now)
{
    struct krpc_msg m = {.method = KRPC_PING};
    if (!dht_ask(d, ASK_PING, j->id, 0, &j->to, &m, now)) {
        dht_starve(d, 0, now);
        return false;
    }
    j->state = JOB_RUNNING;
    return true;
}

static void begin(struct dht *d, struct job *j, usec now)
{
    if (!j->tried) {
        j->tried = true;
        j->began = now;
        if (look_at_home(d, j, now)) {
            done(d, j);
            return;
        }
    }
    if (now < j->again)
        return;
    if (j->method == KRPC_PING ? start_ping(d, j, now) : start_walks(d, j, now))
        return;
    bool hopeless = j->method == KRPC_PING && !dht_side_of(d, &j->to);
    if (hopeless || now - j->began >= DHT_JOIN_PATIENCE)
        done(d, j);
}

static bool may_begin(const struct dht *d, const struct job *j)
{
    return j->method == KRPC_PING ||
           (d->running < DHT_MAX_RUNNING && (!j->search.patient || d->patient < DHT_MAX_PATIENT));
}

void dht_jobs_go(struct dht *d, usec now)
{
    d->jobs_due = false;
    for (struct list_node *n = list_first(&d->jobs), *next; n; n = next) {
        struct job *j = LIST_OF(n, struct job, node);
        next = list_next(&d->jobs, n);
        if (j->state == JOB_WAITING && may_begin(d, j))
            begin(d, j, now);
    }
}

dht_job dht_find_peers(struct dht *d, const struct dht_search *s, usec now)
{
    struct job *j = job_new(d, KRPC_GET_PEERS, s->info_hash);
    if (!j)
        return 0;
    dht_job id = j->id;
    j->search = *s;
    dht_jobs_go(d, now);
    return id;
}

dht_job dht_get(struct dht *d, const uint8_t target[DHT_ID], struct bytes salt, usec now)
{
    struct job *j = salt.n > DHT_ITEM_SALT ? NULL : job_new(d, KRPC_GET, target);
    if (!j)
        return 0;
    dht_job id = j->id;
    j->salt_n = salt.n;
    if (salt.n)
        memcpy(j->salt, salt.p, salt.n);
    dht_jobs_go(d, now);
    return id;
}

dht_job dht_put(struct dht *d, const struct dht_item *item, usec now)
{
    uint8_t target[DHT_ID];
    if (dht_item_check(item) || (!item->key && item->salt.n))
        return 0;
    dht_item_target(item, target);
    struct job *j = job_new(d, KRPC_GET, target);
    if (!j)
        return 0;
    dht_job id = j->id;
    j->puts = true;
    j->memory = copy_item(&j->item, item);
    j->salt_n = item->salt.n;
    if (item->salt.n)
        memcpy(j->salt, item->salt.p, item->salt.n);
    dht_jobs_go(d, now);
    return id;
}

dht_job dht_sample(struct dht *d, const uint8_t target[DHT_ID], usec now)
{
    struct job *j = job_new(d, KRPC_SAMPLE, target);
    dht_job id = j ? j->id : 0;
    dht_jobs_go(d, now);
    return id;
}

dht_job dht_ping(struct dht *d, const struct addr *a, usec now)
{
    struct job *j = job_new(d, KRPC_PING, NULL);
    if (!j)
        return 0;
    dht_job id = j->id;
    j->to = *a;
    dht_jobs_go(d, now);
    return id;
}

void dht_cancel(struct dht *d, dht_job id)
{
    struct job *j = dht_job_find(d, id);
    if (!j)
        return;
    for (struct list_node *n = list_first(&d->walks), *next; n; n = next) {
        struct walk *w = LIST_OF(n, struct walk, node);
        next = list_next(&d->walks, n);
        if (w->job == id)
            dht_walk_free(d, w);
    }
    dht_job_free(d, j);
}

bool dht_job_result(struct dht *d, struct walk *w, struct cand *c, const struct krpc_msg *m)
{
    static bool (*const results[])(struct dht *, struct job *, struct cand *,
                                   const struct krpc_msg *) = {
        [KRPC_GET_PEERS] = result_peers,
        [KRPC_GET] = result_item,
        [KRPC_SAMPLE] = result_samples,
    };
    struct job *j = dht_job_find(d, w->job);
    return !j || results[w->method](d, j, c, m);
}

void dht_job_walked(struct dht *d, struct walk *w, usec now)
{
    struct job *j = dht_job_find(d, w->job);
    if (!j)
        return;
    j->asked += w->asked;
    j->replies += w->replies;
    j->stored += w->stored;
    if (w->code)
        j->code = w->code;
    if (--j->walks)
        return;
    if (j->replies || now - j->began >= DHT_JOIN_PATIENCE) {
        done(d, j);
        return;
    }
    j->state = JOB_WAITING;
    j->again = now + BEGIN_ANEW;
    rests(d, j);
    d->jobs_due = true;
}

void dht_job_pong(struct dht *d, const struct ask *a, const struct krpc_msg *m, usec now)
{
    struct dht_event e = {.type = DHT_PONG,
                          .job = a->owner,
                          .from = a->to,
                          .family = a->to.family,
                          .rtt = now - a->sent};
    struct job *j = dht_job_find(d, a->owner);
    if (!j)
        return;
    if (m && m->kind == KRPC_REPLY) {
        memcpy(e.id, m->id, DHT_ID);
        size_t n = m->version.n < sizeof e.version - 1 ? m->version.n : sizeof e.version - 1;
        if (n)
            memcpy(e.version, m->version.p, n);
        dht_tell(d, &e, NULL);
    }
    j->replies = m != NULL;
    done(d, j);
}

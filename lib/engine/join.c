/*
 * The DHT's side of a session: how it is joined, and what is remembered of it.
 *
 * A home has one record of nodes (proto/dht_memory.h), which all its programs read when they start
 * and add to while they run, under a lock and by rename: so whoever runs keeps it fresh, and who
 * ran for seconds spoils nothing. A record that is damaged counts as none and is written anew.
 * The ids of a node are kept apart, under the name of the one program that may have them.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/host/fileio.h>
#include <p2p/host/wall.h>
#include <p2p/proto/dht_memory.h>

#include <stdlib.h>

#define FOLDER "dht"
#define RECORD "nodes"
#define LOCK_NAME "dht"
#define LOCK_PATIENCE 2000u /* milliseconds */
#define FEW 8               /* good nodes: the network needs whoever there is */
#define FEW_AFTER (5 * USEC_SEC)
#define SAVE_FIRST (10 * USEC_SEC) /* after joining */
#define SAVE_EACH (5 * USEC_MIN)
#define SAVE_IDS (2 * USEC_SEC) /* after they have changed */

/* Hosts that are there for everybody. --bootstrap takes their place. */
static const char *const public_hosts[] = {
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "router.utorrent.com:6881",
    "dht.libtorrent.org:25401",
};

/* ---- files ---- */

static char *path_of(const struct engine *g, const char *name)
{
    return mem_fmt("%s/" FOLDER "/%s", g->home.dir, name);
}

static struct bytes read_file(const struct engine *g, const char *name)
{
    struct bytes b = {0};
    char *path = path_of(g, name);

    if (fileio_read(path, DHT_MEMORY_MAX, &b, NULL) < 0)
        b = (struct bytes){0};
    free(path);
    return b;
}

static int write_file(const struct engine *g, const char *name, struct bytes b, struct err *e)
{
    char *path = path_of(g, name);
    int rc = fileio_replace(path, b, 0600, e);

    free(path);
    return rc;
}

static int merge(struct engine *g, struct err *e)
{
    struct lock *lock;
    int rc = lock_wait(&lock, g->home.dir, LOCK_NAME, LOCK_PATIENCE, e);
    struct buf out = {0};

    if (rc < 0)
        return rc;
    struct bytes old = read_file(g, RECORD);
    dht_memory_merge(&out, old, buf_bytes(&g->dht.fresh), wall_now());
    rc = write_file(g, RECORD, buf_bytes(&out), e);
    bytes_free(old);
    buf_fini(&out);
    lock_free(lock);
    return rc;
}

static void save_work(void *arg)
{
    struct engine *g = arg;
    struct joining *m = &g->dht;

    m->code = home_folder(&g->home, FOLDER, NULL, &m->why);
    if (m->code == 0)
        m->code = merge(g, &m->why);
    if (m->code == 0 && m->ids)
        m->code = write_file(g, m->ids, buf_bytes(&m->fresh), &m->why);
}

/* What there is to save; false: nothing. */
static bool gather(struct engine *g)
{
    struct dht *d = node_dht(g->node);

    if (!d || !g->dht.worth || g->dht.busy)
        return false;
    buf_fini(&g->dht.fresh);
    err_clear(&g->dht.why);
    dht_save(d, &g->dht.fresh, g->now);
    return true;
}

/* Once is enough: what does not succeed now will hardly do so later. */
static void complain(struct engine *g)
{
    if (g->dht.code < 0 && !g->dht.complained)
        engine_warn(g, NULL, "nodes of the DHT cannot be remembered: %s", g->dht.why.msg);
    g->dht.complained = g->dht.code < 0;
}

static void saved(void *arg)
{
    struct engine *g = arg;

    engine_job_done(g);
    g->dht.busy = false;
    complain(g);
}

/* ---- the session's ---- */

static void add_hosts(struct engine *g, const struct engine_words *w)
{
    size_t n = w->n ? w->n : sizeof public_hosts / sizeof *public_hosts;

    for (size_t i = 0; i < n; i++) {
        const char *host = w->n ? w->v[i] : public_hosts[i];

        if (strcmp(host, ENGINE_NO_BOOTSTRAP) != 0)
            node_add_bootstrap(g->node, host, g->now);
    }
}

static void load(struct engine *g, const char *name, bool ids)
{
    struct bytes b = read_file(g, name);
    struct err e = {0};

    if (b.n && dht_load(node_dht(g->node), b, ids, g->now, &e) < 0)
        engine_tell(g, &(struct engine_event){.kind = ENGINE_NOTICE, .text = e.msg});
    bytes_free(b);
}

void join_begin(struct engine *g, const struct engine_options *o)
{
    g->dht.save_at = USEC_NEVER;
    g->dht.full_at = o->dht_brief ? g->now + ENGINE_BRIEF : USEC_NEVER;
    g->dht.few_at = o->dht_brief ? g->now + FEW_AFTER : USEC_NEVER;
    g->dht.ids = mem_str(o->dht_ids);
    if (!node_dht(g->node))
        return;
    if (g->dht.ids)
        load(g, g->dht.ids, true);
    load(g, RECORD, false);
    add_hosts(g, &o->bootstrap);
    node_dht_turn(g->node, g->now);
}

void join_told(struct engine *g, const struct node_op *op)
{
    struct joining *m = &g->dht;
    usec at = USEC_NEVER;

    if (op->dht->type == DHT_JOINED)
        m->worth = true;
    if (op->dht->type == DHT_JOINED && m->save_at == USEC_NEVER)
        at = g->now + SAVE_FIRST;
    if (op->dht->type == DHT_NEW_ID && m->ids && m->worth)
        at = g->now + SAVE_IDS;
    m->save_at = usec_min(m->save_at, at);
    engine_tell(g, &(struct engine_event){.kind = ENGINE_DHT, .dht = op->dht});
}

static bool knows_few(struct engine *g)
{
    struct dht_status s;

    return engine_dht_status(g, &s) && s.v4.good + s.v6.good < FEW;
}

/*
 * Who ends soon is of no use to others. But where hardly anybody is left, two programs must be able
 * to find each other though nobody else is there: one of them has to answer.
 */
static void maybe_full(struct engine *g)
{
    bool few = g->now >= g->dht.few_at && knows_few(g);

    if (g->now >= g->dht.few_at)
        g->dht.few_at = USEC_NEVER;
    if (g->now < g->dht.full_at && !few)
        return;
    g->dht.full_at = g->dht.few_at = USEC_NEVER;
    node_dht_full(g->node, g->now);
}

void join_tick(struct engine *g)
{
    maybe_full(g);
    if (g->now < g->dht.save_at || !gather(g))
        return;
    g->dht.save_at = g->now + SAVE_EACH;
    g->dht.busy = true;
    engine_work(g, save_work, saved, g);
}

void join_end(struct engine *g)
{
    if (g->node && gather(g)) {
        save_work(g);
        complain(g);
    }
    buf_fini(&g->dht.fresh);
    free(g->dht.ids);
}

bool engine_dht_status(struct engine *g, struct dht_status *s)
{
    struct dht *d = node_dht(g->node);

    if (d)
        dht_status(d, s, loop_now(g->loop));
    return d != NULL;
}

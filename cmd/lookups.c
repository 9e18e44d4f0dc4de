/* Look-ups: a session that asks the DHT one thing and ends. */
#include "lookups_int.h"
#include "net.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/cli/status.h>
#include <p2p/host/entropy.h>
#include <p2p/host/term.h>

#include <stdlib.h>

#define TIMEOUT (20 * USEC_SEC)
#define PINGS 3u
#define SEEN_SEED 0x6c6f6f6b /* of no secret: what we were told is bounded by the DHT */

int look_asked(struct look *l, dht_job job, struct err *e)
{
    if (!job)
        return err_set(e, ERR_FAIL, "%s: the DHT does not take it", l->kind->name);
    l->left++;
    return 0;
}

void look_finish(struct look *l)
{
    engine_quit(l->engine);
}

/* True the first time. */
static bool is_new(struct look *l, struct bytes key)
{
    return map_put(l->seen, key, l) == NULL;
}

static const char *told_by(const struct dht_event *d, char text[ADDR_TEXT])
{
    text[0] = 0;
    if (d->from.family)
        addr_text(&d->from, text);
    return text;
}

/* ---- get-peers ---- */

static void take_hashes(struct look *l)
{
    const struct manifest *m = l->known.m;
    const struct magnet *k = &l->known.link;

    if (m ? m->has_v1 : k->has_v1)
        memcpy(l->hash[l->n_hashes++], m ? m->hash_v1 : k->hash_v1, DHT_ID);
    if (m ? m->has_v2 : k->has_v2)
        memcpy(l->hash[l->n_hashes++], m ? m->hash_v2 : k->hash_v2, DHT_ID);
}

static int read_source(struct look *l, struct err *e)
{
    int rc = known_find(&l->known, l->operand, NULL, e);

    if (rc < 0)
        return rc;
    if (l->known.m && l->known.m->private_flag)
        return err_set(e, ERR_NOTFOUND, "%s: is private; only its trackers may be asked",
                       l->operand);
    take_hashes(l);
    return 0;
}

static int begin_peers(struct look *l, struct err *e)
{
    int rc = 0;

    for (size_t i = 0; l->known.m && i < l->known.m->n_nodes; i++)
        lookup_add_node(l->engine, l->known.m->nodes[i]);
    for (size_t i = 0; i < l->known.link.n_nodes; i++)
        lookup_add_node(l->engine, l->known.link.nodes[i]);
    for (size_t i = 0; i < l->n_hashes && rc == 0; i++) {
        l->job[i] = lookup_peers(l->engine, l->hash[i], l->o->scrape);
        rc = look_asked(l, l->job[i], e);
    }
    return rc;
}

static const uint8_t *hash_of(const struct look *l, const struct dht_event *d)
{
    return l->hash[d->job == l->job[1] && l->n_hashes > 1];
}

static void tell_peer(struct look *l, const struct dht_event *d, const struct addr *a)
{
    struct output *o = &l->p->output;
    char peer[ADDR_TEXT], by[ADDR_TEXT];

    addr_text(a, peer);
    if (!is_new(l, bytes_str(peer)))
        return;
    l->found++;
    if (o->json) {
        struct json *j = json_new_object();

        json_set_str(j, "peer", peer);
        json_set_hex(j, "infohash", BYTES(hash_of(l, d), DHT_ID));
        json_set_str(j, "node", told_by(d, by));
        output_json(o, j);
        return;
    }
    output_str(o, peer);
    output_str(o, told_by(d, by));
    output_line(o);
}

static void took_peers(struct look *l, const struct dht_event *d)
{
    for (size_t i = 0; i < d->n_peers && d->type == DHT_PEERS && !l->o->scrape; i++)
        tell_peer(l, d, &d->peers[i]);
}

static int64_t whole(double v)
{
    return v < 0 ? 0 : (int64_t)(v + 0.5);
}

static void done_peers(struct look *l, const struct dht_event *d)
{
    struct output *o = &l->p->output;
    struct bytes hash = BYTES(hash_of(l, d), DHT_ID);

    if (!l->o->scrape || (d->seeds < 0 && d->downloaders < 0))
        return;
    l->found++;
    if (o->json) {
        struct json *j = json_new_object();

        json_set_hex(j, "infohash", hash);
        json_set_int(j, "seeds", whole(d->seeds));
        json_set_int(j, "peers", whole(d->downloaders));
        output_json(o, j);
        return;
    }
    output_hex(o, hash);
    output_fmt(o, "%lld", (long long)whole(d->seeds));
    output_fmt(o, "%lld", (long long)whole(d->downloaders));
    output_line(o);
}

/* ---- sample ---- */

static int read_target(struct look *l, struct err *e)
{
    if (!l->operand)
        entropy_fill(l->hash[0], DHT_ID);
    else if (!text_unhex(l->hash[0], DHT_ID, bytes_str(l->operand)))
        return err_set(e, ERR_USAGE, "sample: '%s' is no target (40 hexadecimal characters)",
                       l->operand);
    return 0;
}

static int begin_sample(struct look *l, struct err *e)
{
    return look_asked(l, lookup_sample(l->engine, l->hash[0]), e);
}

static void tell_sample(struct look *l, const struct dht_event *d, struct bytes hash)
{
    struct output *o = &l->p->output;
    char by[ADDR_TEXT];

    if (!is_new(l, hash))
        return;
    l->found++;
    if (o->json) {
        struct json *j = json_new_object();

        json_set_hex(j, "infohash", hash);
        json_set_str(j, "node", told_by(d, by));
        output_json(o, j);
        return;
    }
    output_hex(o, hash);
    output_str(o, told_by(d, by));
    output_line(o);
}

static void took_samples(struct look *l, const struct dht_event *d)
{
    for (size_t i = 0; d->type == DHT_SAMPLES && i + DHT_ID <= d->samples.n; i += DHT_ID)
        tell_sample(l, d, BYTES(d->samples.p + i, DHT_ID));
}

static void done_nothing(struct look *l, const struct dht_event *d)
{
    (void)l;
    (void)d;
}

/* ---- ping ---- */

static int read_host(struct look *l, struct err *e)
{
    char host[RESOLVE_NAME_MAX + 1];

    if (!addr_split(l->operand, host, sizeof host, &l->port) || l->port == 0)
        return err_set(e, ERR_USAGE, "ping: '%s' is not HOST:PORT", l->operand);
    l->host = mem_str(host);
    return 0;
}

static void ping(struct look *l, const struct addr *a)
{
    l->addr = *a;
    l->pings++;
    look_asked(l, lookup_ping(l->engine, a), &l->e);
}

static void resolved(void *arg, int code, const struct addr *v, size_t n, const struct err *e)
{
    struct look *l = arg;
    struct dht_status s = {0};

    l->name = NULL;
    engine_dht_status(l->engine, &s);
    for (size_t i = 0; i < n && l->left == 0; i++)
        if (v[i].family == 6 ? s.v6.on : s.v4.on)
            ping(l, &v[i]);
    if (code < 0)
        l->e = *e;
    else if (l->left == 0)
        err_set(&l->e, ERR_NOTFOUND, "no address of it can be reached from here");
    if (l->left == 0)
        look_finish(l);
}

static int begin_ping(struct look *l, struct err *e)
{
    (void)e;
    l->name = resolve_start(engine_loop(l->engine), l->host, l->port, 0, resolved, l);
    return 0;
}

/* A datagram may have been lost. */
static void done_ping(struct look *l, const struct dht_event *d)
{
    if (d->replies == 0 && l->pings < PINGS)
        ping(l, &l->addr);
}

static void took_pong(struct look *l, const struct dht_event *d)
{
    struct output *o = &l->p->output;
    struct buf version = {0};
    char by[ADDR_TEXT];

    if (d->type != DHT_PONG)
        return;
    l->found++;
    text_show(&version, bytes_str(d->version));
    char *shown = buf_take_str(&version);
    if (o->json) {
        struct json *j = json_new_object();

        json_set_str(j, "node", told_by(d, by));
        json_set_hex(j, "id", BYTES(d->id, DHT_ID));
        json_set_real(j, "rtt_ms", (double)d->rtt / 1000.0);
        json_set_str(j, "version", shown);
        output_json(o, j);
    } else {
        output_hex(o, BYTES(d->id, DHT_ID));
        output_fmt(o, "%.1f", (double)d->rtt / 1000.0);
        output_str(o, shown);
        output_line(o);
    }
    free(shown);
}

/* ---- the session ---- */

static const struct look_kind kinds[] = {
    {"get-peers", read_source, begin_peers, took_peers, done_peers, "nobody was found", false},
    {"sample", read_target, begin_sample, took_samples, done_nothing,
     "no node that answered keeps any", false},
    {"ping", read_host, begin_ping, took_pong, done_ping, "no answer", true},
    {"put", look_item_read_put, look_item_begin, look_item_took, look_item_done_put,
     "no node took it", false},
    {"get", look_item_read_get, look_item_begin, look_item_took, look_item_done_get,
     "nobody has it", false},
};

static void on_dht(struct look *l, const struct dht_event *d)
{
    if (d->job == 0) {
        if (d->type == DHT_JOINED)
            output_verbose(&l->p->output, "joined over IPv%d", d->family);
        return;
    }
    l->kind->took(l, d);
    if (d->type != DHT_DONE)
        return;
    output_verbose(&l->p->output, "%u nodes answered", d->replies);
    l->left--;
    if (d->replies == 0 && !l->kind->alone)
        err_set(&l->e, ERR_NOTFOUND, "%s: no node of the DHT answered", l->kind->name);
    else
        l->kind->done(l, d);
    if (l->left == 0)
        look_finish(l);
}

static void on_event(void *arg, const struct engine_event *ev)
{
    struct look *l = arg;

    if (ev->kind == ENGINE_DHT) {
        on_dht(l, ev->dht);
    } else if (ev->kind == ENGINE_TICK && engine_now(l->engine) >= l->give_up) {
        err_set(&l->e, ERR_NOTFOUND, "%s: %s in time", l->kind->name, l->kind->nothing);
        look_finish(l);
    } else if (ev->kind == ENGINE_WARNING || ev->kind == ENGINE_NOTICE) {
        output_verbose(&l->p->output, "%s", ev->text);
    }
}

static bool has_bootstrap(const struct option_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i], SUITE_NONE) != 0)
            return true;
    return l->n == 0;
}

static int ask(struct look *l, struct err *e)
{
    struct engine_options eo = {
        .home = l->o->common.home,
        .dht_only = true,
        .dht_brief = true,
        .stay = true,
        .event = on_event,
        .arg = l,
    };
    int rc = net_open(&l->engine, &eo, &l->o->net, &l->o->dht, e);

    if (rc < 0)
        return rc;
    l->give_up = engine_now(l->engine) + (l->o->timeout == USEC_NEVER ? TIMEOUT : l->o->timeout);
    if (!l->kind->alone && !has_bootstrap(&l->o->dht.bootstrap) &&
        !lookup_knows_somebody(l->engine) && !(l->known.m && l->known.m->n_nodes) &&
        l->known.link.n_nodes == 0)
        return err_set(e, ERR_NOTFOUND,
                       "%s: no node of the DHT is known here; name one with --bootstrap",
                       l->kind->name);
    rc = l->kind->begin(l, e);
    if (rc == 0)
        engine_run(l->engine);
    return rc;
}

static int status_after(struct look *l, int rc, const struct err *e)
{
    if (rc < 0)
        return rc == ERR_USAGE ? program_usage(l->p, "%s", e->msg) : program_fail(l->p, e);
    if (term_stopped())
        return 128 + term_stopped();
    if (l->found)
        return STATUS_DONE;
    if (!l->e.code)
        err_set(&l->e, ERR_NOTFOUND, "%s: %s", l->kind->name, l->kind->nothing);
    return program_fail(l->p, &l->e);
}

int lookups_run(struct program *p, const struct node_options *o, const char *name,
                const char *operand)
{
    struct look l = {.p = p, .o = o, .kind = kinds, .operand = operand, .seen = map_new(SEEN_SEED)};
    struct err e = {0};

    while (strcmp(l.kind->name, name) != 0)
        l.kind++;
    int rc = l.kind->read(&l, &e);
    if (rc == 0) {
        term_signals();
        rc = ask(&l, &e);
    }
    resolve_cancel(l.name);
    engine_free(l.engine);
    int status = status_after(&l, rc, &e);
    known_fini(&l.known);
    map_free(l.seen);
    free(l.host);
    buf_fini(&l.value);
    return status;
}

/*
 * The session: made, run, stopped; and the pump, which carries what the node asks for to whoever
 * performs it. Nothing here knows what a choke or a piece is.
 */
#include "engine/moved.h"
#include "engine/member.h"
#include "engine/outflow.h"

#include <p2p/base/mem.h>
#include <p2p/host/entropy.h>
#include <p2p/host/handed.h>
#include <p2p/host/term.h>
#include <p2p/proto/peerid.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK (USEC_SEC / 5)
#define DB_TURN (2 * USEC_MS)
#define UDP_TRIES 16 /* for a free port that TCP and UDP can both have */

/* ---- telling ---- */

void engine_tell(struct engine *g, const struct engine_event *ev)
{
    g->event(g->arg, ev);
}

void engine_warn(struct engine *g, struct item *it, const char *fmt, ...)
{
    char text[500];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    engine_tell(g, &(struct engine_event){.kind = ENGINE_WARNING, .item = it, .text = text});
}

/* ---- the pump ---- */

typedef void perform_fn(struct engine *g, const struct node_op *op);

static void ignore(struct engine *g, const struct node_op *op)
{
    (void)g;
    (void)op;
}

static void forget(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);

    if (it->member)
        member_forget(it, op);
    else
        outflow_forget(g, op);
}

static perform_fn *const performers[] = {
    [NODE_NONE] = ignore,
    [NODE_DIAL] = conns_dial,
    [NODE_CLOSE] = conns_close,
    [NODE_SEND] = conns_send,
    [NODE_RECV] = conns_recv,
    [NODE_STORE] = disk_store,
    [NODE_CHECK] = disk_check,
    [NODE_LEAVES] = disk_leaves,
    [NODE_FILE_DONE] = disk_file_done,
    [NODE_CHECKPOINT] = save_checkpoint,
    [NODE_FORGET] = forget,
    [NODE_HTTP] = net_http,
    [NODE_RESOLVE] = net_resolve,
    [NODE_UDP] = net_udp,
    [NODE_WEB] = net_web,
    [NODE_CANCEL] = net_cancel,
    [NODE_METADATA] = item_metadata,
    [NODE_WANTED] = dormant_wanted,
    [NODE_PIECE] = ignore,
    [NODE_PROBED] = reuse_probed,
    [NODE_NO_PROBES] = reuse_no_probes,
    [NODE_TOLD_LEAVES] = reuse_told,
    [NODE_COMPLETE] = item_completed,
    [NODE_ENDED] = item_ended,
    [NODE_FAILED] = item_failed,
    [NODE_STOPPED] = item_stopped,
    [NODE_NOTICE] = item_notice,
    [NODE_MULTICAST] = neighbours_send,
    [NODE_DHT] = join_told,
    [NODE_EXTERNAL] = ignore,
};

static void pump(struct engine *g)
{
    struct node_op op;

    while (node_next(g->node, &op))
        if ((size_t)op.kind < sizeof performers / sizeof *performers && performers[op.kind])
            performers[op.kind](g, &op);
    disk_flush(g);
    loop_timer_set(g->loop, &g->node_timer, node_deadline(g->node));
}

static void node_is_due(void *arg)
{
    struct engine *g = arg;

    g->now = loop_now(g->loop);
    node_tick(g->node, g->now);
}

/* ---- workers ---- */

void engine_work(struct engine *g, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    g->jobs++;
    loop_work(g->loop, work, done, arg);
}

void engine_job_done(struct engine *g)
{
    g->jobs--;
    g->now = loop_now(g->loop);
}

/* A worker goes on with what waits: to wake it, and then us, costs more than most jobs take. */
static void db_work(void *arg)
{
    struct engine *g = arg;
    usec until = loop_clock() + DB_TURN;
    struct list_node *l;

    while ((l = list_pop(&g->db_taken)) != NULL) {
        struct db_job *j = LIST_OF(l, struct db_job, node);

        j->work(j, g->catalogue);
        list_push(&g->db_ran, l);
        if (loop_clock() >= until)
            break;
    }
}

static void move_all(struct list *from, struct list *to)
{
    struct list_node *l;

    while ((l = list_pop(from)) != NULL)
        list_push(to, l);
}

static void db_next(struct engine *g);

static void db_done(void *arg)
{
    struct engine *g = arg;
    struct list ran;
    struct list_node *l;

    engine_job_done(g);
    g->db_busy = false;
    list_init(&ran);
    move_all(&g->db_ran, &ran);
    db_next(g);
    while ((l = list_pop(&ran)) != NULL) {
        struct db_job *j = LIST_OF(l, struct db_job, node);

        g->db_jobs--;
        j->done(j);
    }
}

/* What is taken already goes first. */
static void db_next(struct engine *g)
{
    if (g->db_busy)
        return;
    move_all(&g->db_waiting, &g->db_taken);
    if (g->db_taken.count == 0)
        return;
    g->db_busy = true;
    engine_work(g, db_work, db_done, g);
}

void db_submit(struct engine *g, struct db_job *j)
{
    j->g = g;
    j->node = (struct list_node){0};
    g->db_jobs++;
    list_push(&g->db_waiting, &j->node);
    db_next(g);
}

/* ---- time ---- */

static void maybe_halt(struct engine *g)
{
    bool over = engine_count(g) == 0 && (g->stopping || !g->stay);

    if (over && mapping_gone(g))
        loop_stop(g->loop);
}

/* What failed counts until it is gone: the program tells how many items there are. */
static bool unsettled(const struct item *it)
{
    return it->phase != ITEM_RUNNING && it->phase != ITEM_ASKING;
}

/* Once, when all that was there from the beginning has been taken up or has failed. */
static void maybe_ready(struct engine *g)
{
    if (g->ready || g->stopping || !follow_listed(g))
        return;
    while (g->unready && !unsettled(g->unready))
        g->unready = engine_next(g, g->unready);
    if (g->unready)
        return;
    g->ready = true;
    engine_tell(g, &(struct engine_event){.kind = ENGINE_READY});
}

/* Time stands still within a turn: all that the node is told of one carries the same `now`. */
static void turn_ends(void *arg)
{
    struct engine *g = arg;

    g->now = loop_now(g->loop);
    pump(g);
    follow_turn(g);
    if (outflow_turns(g))
        pump(g);
    if (member_turns(g))
        pump(g);
    conns_turn(g);
    maybe_ready(g);
    maybe_halt(g);
}

static void tick(void *arg)
{
    struct engine *g = arg;
    struct list_node *next;

    g->now = loop_now(g->loop);
    for (struct list_node *l = list_first(&g->awake); l; l = next) {
        next = list_next(&g->awake, l);
        item_tick(LIST_OF(l, struct item, awake));
    }
    follow_tick(g);
    join_tick(g);
    engine_tell(g, &(struct engine_event){.kind = ENGINE_TICK});
    loop_timer_set(g->loop, &g->tick, g->now + TICK);
}

static void signalled(void *arg, bool in, bool out)
{
    struct engine *g = arg;

    (void)in;
    (void)out;
    if (!term_stopped() || g->stopping)
        return;
    loop_watch_want(g->signals, false, false);
    engine_stop(g, ENGINE_PATIENCE);
}

/* ---- life ---- */

static int open_ports(struct engine *g, uint16_t port, struct err *e)
{
    const struct addr *at = g->bind.family ? &g->bind : NULL;
    int rc = ERR_IO;

    for (int i = 0; i < UDP_TRIES && rc < 0; i++) {
        struct err here = {0};

        g->door = tcp_listen(g->loop, at, port, conns_accepted, g, e);
        if (!g->door)
            return e->code;
        g->udp = udp_open(g->loop, at, tcp_listener_port(g->door), net_datagram, g, &here);
        rc = g->udp ? 0 : here.code;
        if (rc == 0 || port != 0) {
            if (rc < 0 && e)
                *e = here;
            return rc;
        }
        tcp_listener_free(g->door);
        g->door = NULL;
    }
    return err_set(e, ERR_IO, "no port is free for both TCP and UDP");
}

/* All or none of them belong to the session then. */
static int take_sockets(struct engine *g, struct handed *h, bool tcp, struct err *e)
{
    struct addr only;
    int rc = handed_complete(h, tcp, e);

    if (rc < 0)
        return rc;
    if (!g->bind.family && handed_only_at(h, &only))
        g->bind = only;
    if (tcp)
        g->door = tcp_listen_on(g->loop, h->tcp, conns_accepted, g, e);
    g->udp = udp_open_on(g->loop, h->udp, net_datagram, g, e);
    *h = HANDED_NONE;
    return g->udp && (g->door || !tcp) ? 0 : e->code;
}

static int open_sockets(struct engine *g, const struct engine_options *o, struct err *e)
{
    const struct addr *at = g->bind.family ? &g->bind : NULL;

    if (o->sockets)
        return take_sockets(g, o->sockets, !o->dht_only, e);
    if (!o->dht_only)
        return open_ports(g, o->port, e);
    g->udp = udp_open(g->loop, at, o->port, net_datagram, g, e);
    return g->udp ? 0 : e->code;
}

static int open_all(struct engine *g, const struct engine_options *o, struct err *e)
{
    int rc = home_find(&g->home, o->home, e);

    if (rc == 0)
        rc = home_make(&g->home, e);
    if (rc == 0 && !o->dht_only)
        rc = catalogue_open(&g->catalogue, g->home.dir, e);
    if (rc < 0)
        return rc;
    g->loop = loop_new(e);
    if (!g->loop)
        return e->code;
    if (!o->dht_only)
        g->http = http_new(g->loop, g->client);
    rc = open_sockets(g, o, e);
    if (rc == 0 && g->http && g->bind.family)
        http_set_bind(g->http, &g->bind);
    return rc;
}

static void open_node(struct engine *g, const struct engine_options *o)
{
    struct rng r;
    struct node_config c = {
        .client = g->client,
        .port = udp_port(g->udp),
        .limit_down = o->limit_down,
        .limit_up = o->limit_up,
        .no_trackers = o->no_trackers,
        .no_web_seeds = o->no_web_seeds,
        .no_dht = o->no_dht,
        .no_pex = o->no_pex,
        .no_lsd = o->no_lsd || o->dht_only,
        .udp4 = udp_has(g->udp, 4),
        .udp6 = udp_has(g->udp, 6),
        .dht_read_only = o->dht_brief,
        .prefer_local = o->prefer_local,
    };

    entropy_seed(&r);
    peerid_make(c.peer_id, o->version, &r);
    g->now = loop_now(g->loop);
    g->node = node_new(&c, rng_u64(&r), g->now);
    if (g->http)
        http_set_room(g->http, node_web_room(g->node), node_web_portion(g->node));
    g->tasks = map_new(rng_u64(&r));
    g->asleep = map_new(rng_u64(&r));
    g->conns = map_new(rng_u64(&r));
    g->moved = moved_new();
    g->nets = map_new(rng_u64(&r));
    g->files = fdcache_new(FDCACHE_USUAL);
    g->hook = (struct loop_hook){.fn = turn_ends, .arg = g};
    g->node_timer = (struct loop_timer){.fn = node_is_due, .arg = g};
    g->tick = (struct loop_timer){.fn = tick, .arg = g};
    g->check_timer = (struct loop_timer){.fn = disk_checks_late, .arg = g};
    loop_hook_add(g->loop, &g->hook, false);
    loop_timer_set(g->loop, &g->tick, g->now + TICK);
    loop_timer_set(g->loop, &g->node_timer, g->now);
}

struct engine *engine_new(const struct engine_options *o, struct err *e)
{
    struct engine *g = mem_zero(sizeof *g);
    struct err here = {0};

    g->event = o->event;
    g->arg = o->arg;
    g->stay = o->stay;
    g->patient = o->patient;
    g->client = mem_fmt("p2p %s", o->version);
    if (o->bind)
        g->bind = *o->bind;
    list_init(&g->items);
    list_init(&g->awake);
    list_init(&g->heard);
    list_init(&g->sleepers);
    list_init(&g->db_waiting);
    list_init(&g->db_taken);
    list_init(&g->db_ran);
    list_init(&g->stores);
    list_init(&g->names);
    list_init(&g->checks);
    list_init(&g->outflows);
    list_init(&g->members);
    if (open_all(g, o, &here) < 0) {
        if (e)
            *e = here;
        engine_free(g);
        return NULL;
    }
    open_node(g, o);
    join_begin(g, o);
    mapping_begin(g, o);
    neighbours_begin(g, o);
    if (g->catalogue && catalogue_notice(g->catalogue))
        engine_warn(g, NULL, "%s", catalogue_notice(g->catalogue));
    return g;
}

static void free_items(struct engine *g)
{
    struct list_node *l;

    while ((l = list_pop(&g->items)) != NULL)
        item_free(LIST_OF(l, struct item, node));
}

static void close_catalogue(void *arg)
{
    struct engine *g = arg;

    catalogue_free(g->catalogue);
    g->catalogue = NULL;
}

static void closed(void *arg)
{
    engine_job_done(arg);
}

/* What is written last waits for the disk in two places: side by side, if no other job is out. */
static bool close_both(struct engine *g)
{
    if (!g->loop || g->jobs > 0)
        return false;
    engine_work(g, close_catalogue, closed, g);
    join_end(g);
    return true;
}

void engine_free(struct engine *g)
{
    if (!g)
        return;
    if (g->node) {
        loop_hook_remove(g->loop, &g->hook);
        loop_timer_cancel(g->loop, &g->node_timer);
        loop_timer_cancel(g->loop, &g->tick);
        loop_watch_free(g->signals);
        conns_free_all(g);
        net_free_all(g);
        disk_end(g);
        outflow_end(g);
        member_end(g);
    }
    mapping_end(g);
    g->stopping = true;
    for (struct item *it = engine_next(g, NULL); it; it = engine_next(g, it))
        it->dropped = true; /* what comes back of it leads nowhere */
    http_free(g->http);
    neighbours_end(g);
    udp_free(g->udp);
    tcp_listener_free(g->door);
    bool both = close_both(g);
    loop_free(g->loop); /* waits for jobs, which answer the node */
    free_items(g);
    dormant_free(g);
    follow_free(g);
    if (!both)
        join_end(g);
    node_free(g->node);
    map_free(g->tasks);
    map_free(g->asleep);
    map_free(g->conns);
    moved_free(g->moved);
    map_free(g->nets);
    fdcache_free(g->files);
    catalogue_free(g->catalogue);
    home_fini(&g->home);
    free(g->client);
    free(g);
}

struct loop *engine_loop(struct engine *g)
{
    return g->loop;
}

usec engine_now(struct engine *g)
{
    return loop_now(g->loop);
}

bool engine_listening(const struct engine *g, struct addr *out)
{
    if (g->door)
        return tcp_listener_addr(g->door, 0, out);
    *out = g->bind;
    out->family = g->bind.family ? g->bind.family : udp_has(g->udp, 4) ? 4 : 6;
    out->port = udp_port(g->udp);
    return true;
}

/* ---- running ---- */

void engine_run(struct engine *g)
{
    struct err e = {0};

    if (term_stop_fd() >= 0 && !g->signals) {
        g->signals = loop_watch(g->loop, term_stop_fd(), signalled, g, &e);
        if (g->signals)
            loop_watch_want(g->signals, true, false);
    }
    follow_tick(g);
    maybe_halt(g);
    loop_run(g->loop);
}

void engine_stop(struct engine *g, usec patience)
{
    struct list_node *next;

    if (g->stopping)
        return;
    g->stopping = true;
    g->now = loop_now(g->loop);
    g->stop_by = g->now + patience;
    if (g->door)
        tcp_listener_pause(g->door, true);
    g->door_shut = true;
    mapping_gone(g);
    for (struct list_node *l = list_first(&g->items); l; l = next) {
        next = list_next(&g->items, l);
        engine_drop(g, LIST_OF(l, struct item, node));
    }
    dormant_drop_all(g, patience);
}

void engine_quit(struct engine *g)
{
    loop_stop(g->loop);
}

struct item *engine_next(const struct engine *g, struct item *it)
{
    struct list_node *l = it ? list_next(&g->items, &it->node) : list_first(&g->items);

    return l ? LIST_OF(l, struct item, node) : NULL;
}

size_t engine_count(const struct engine *g)
{
    return g->items.count + g->sleepers.count;
}

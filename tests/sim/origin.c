/*
 * Web origins. An origin's line is shared by all transfers, a chunk of each in turn; a transfer has
 * few chunks under way, which pass the links of the one who asked like everything else.
 */
#include "tube_int.h"

#include <p2p/proto/webseed.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK 16384u
#define AT_ONCE (4 * CHUNK) /* of one transfer, not taken yet */
#define FAR (20 * USEC_MS)  /* from an origin to the middle of the net */
#define NO_ANSWER (30 * USEC_SEC)

void tube_origin(struct tube *t, const char *base, const struct manifest *m, const uint8_t *content,
                 uint64_t rate, bool no_ranges, uint32_t lies)
{
    if (t->n_origins == MAX_ORIGINS)
        abort();
    struct origin *o = &t->origin[t->n_origins++];
    *o = (struct origin){
        .m = m, .content = content, .line.rate = rate, .no_ranges = no_ranges, .lies = lies};
    snprintf(o->base, sizeof o->base, "%s", base);
}

uint64_t tube_origin_sent(const struct tube *t)
{
    uint64_t n = 0;
    for (int i = 0; i < t->n_origins; i++)
        n += t->origin[i].sent;
    return n;
}

void tube_origin_dead(struct tube *t, bool dead)
{
    for (int i = 0; i < t->n_origins; i++)
        t->origin[i].dead = dead;
}

static bool find_file(struct tube *t, const char *url, int *origin, uint32_t *file)
{
    for (int i = 0; i < t->n_origins; i++) {
        const struct origin *o = &t->origin[i];
        for (uint32_t f = 0; f < o->m->n_files; f++) {
            struct buf want = {0};
            webseed_url(&want, o->base, o->m, f);
            char *s = buf_take_str(&want);
            bool same = strcmp(s, url) == 0;
            free(s);
            if (!same || (o->m->files[f].attr & FILE_PAD))
                continue;
            *origin = i;
            *file = f;
            return true;
        }
    }
    return false;
}

/* ---- one transfer ---- */

void origin_unref(struct tube *t, struct web_get *g)
{
    (void)t;
    if (--g->refs > 0 || !g->over)
        return;
    free(g);
}

static void unlink_get(struct web_get *g)
{
    struct web_get **p = &g->host->gets;
    while (*p != g)
        p = &(*p)->next;
    *p = g->next;
}

/* Nothing more is said about it. */
static void over(struct web_get *g)
{
    if (g->over)
        return;
    g->over = true;
    g->refs++;
    unlink_get(g);
    origin_unref(g->host->tube, g);
}

static struct event *get_event(struct web_get *g, usec at, enum event_kind kind)
{
    struct event *e = host_event(g->host, at, kind);
    e->get = g;
    g->refs++;
    return e;
}

static size_t chunk(const struct web_get *g, uint64_t left)
{
    size_t portion = node_web_portion(g->host->node), most = portion < CHUNK ? portion : CHUNK;
    return left < most ? (size_t)left : most;
}

/* A kernel that is held to a room doubles it and offers five eighths of that, for the rest goes to
 * what it adds to packets; it offers it again when all is read, for it joins what comes to one
 * buffer. */
static void send_more(struct web_get *g)
{
    struct tube *t = g->host->tube;
    struct origin *o = &t->origin[g->origin];
    size_t room = 2 * node_web_room(g->host->node) * 5 / 8;
    size_t at_once = room < AT_ONCE ? room : AT_ONCE;
    if (node_web_room(g->host->node) < NODE_WEB_ROOM && g->ready > 0)
        return;
    while (g->left > 0 && g->arriving + g->ready < at_once) {
        size_t n = chunk(g, g->left);
        struct event *e = get_event(g, net_through(&o->line, t->now, n), EV_WEB_DATA);
        e->n = n;
        e->hop = 2;
        g->left -= n;
        g->arriving += n;
        o->sent += n;
    }
}

static void finish(struct web_get *g, int err)
{
    struct err why = {0};
    struct host *h = g->host;
    node_id job = g->job;
    int status = g->status;
    if (err)
        err_set(&why, err, "the server answered %d", status);
    over(g);
    node_web_end(h->node, job, err, &why, status, h->tube->now);
}

/* Gives the node what is here, as far as it reads. Its operations may end the transfer. */
static void feed(struct web_get *g)
{
    struct tube *t = g->host->tube;
    struct origin *o = &t->origin[g->origin];
    g->refs++;
    while (g->ready > 0 && !g->paused && !g->over) {
        size_t n = chunk(g, g->ready);
        uint8_t *copy = g->flip ? mem_dup(o->content + g->content_at, n) : NULL;
        if (copy)
            copy[g->content_at % LAYOUT_BLOCK < PHANTOM_MARK ? 0 : n / 2] ^= 4;
        const uint8_t *p = copy ? copy : o->content + g->content_at;
        bool go_on = node_web_data(g->host->node, g->job, BYTES(p, n), &g->paused, t->now);
        free(copy);
        g->content_at += n;
        g->ready -= n;
        g->host->received += n;
        g->host->site->in += n;
        if (!go_on)
            over(g);
    }
    if (!g->over && g->left + g->arriving + g->ready == 0)
        finish(g, 0);
    else if (!g->over)
        send_more(g);
    origin_unref(t, g);
}

static void head(struct web_get *g)
{
    struct tube *t = g->host->tube;
    if (g->status == 404 || g->status == 0)
        finish(g, ERR_NET);
    else if (!node_web_head(g->host->node, g->job, g->status, g->from, g->total, t->now))
        over(g);
    else
        send_more(g);
}

void origin_get(struct host *h, const struct node_op *op)
{
    struct tube *t = h->tube;
    uint32_t file = 0;
    struct web_get *g = mem_zero(sizeof *g);
    g->host = h;
    g->job = op->job;
    g->next = h->gets;
    h->gets = g;
    bool known = find_file(t, op->text, &g->origin, &file);
    struct origin *o = &t->origin[g->origin];
    bool silent = h->island != 0 || (known && o->dead);
    usec there = FAR + h->cfg.delay + h->site->cfg.delay;
    get_event(g, t->now + (silent ? NO_ANSWER : 2 * there), EV_WEB_HEAD);
    if (silent)
        return;
    g->status = !known ? 404 : o->no_ranges ? 200 : 206;
    if (!known)
        return;
    g->total = o->m->files[file].length;
    g->from = o->no_ranges ? 0 : op->offset;
    g->left = o->no_ranges ? g->total : op->length;
    g->content_at = o->m->files[file].offset + g->from;
    g->flip = o->lies && ++o->requests % o->lies == 0;
}

void origin_event(struct tube *t, struct event *e)
{
    struct web_get *g = e->get;
    if (g->over)
        return;
    if (e->kind == EV_WEB_HEAD) {
        head(g);
        return;
    }
    if (!net_hop(t, e, NULL, e->host, e->n, NULL))
        return;
    if (t->origin[g->origin].dead || e->host->island != 0) { /* what was under way is late */
        event_again(t, e, t->now + RETRY);
        return;
    }
    g->arriving -= e->n;
    g->ready += e->n;
    feed(g);
}

static struct web_get *find_get(struct host *h, node_id job)
{
    for (struct web_get *g = h->gets; g; g = g->next)
        if (g->job == job)
            return g;
    return NULL;
}

void origin_resume(struct host *h, node_id job)
{
    struct web_get *g = find_get(h, job);
    if (!g || !g->paused)
        return;
    g->paused = false;
    feed(g);
}

void origin_cancel(struct host *h, node_id job)
{
    struct web_get *g = find_get(h, job);
    if (g)
        over(g);
}

void origin_forget(struct host *h)
{
    while (h->gets)
        over(h->gets);
}

/* The tracker and the web origins of the test tube. */
#include "tube_int.h"

#include <p2p/format/bencode.h>
#include <p2p/base/text.h>
#include <p2p/proto/webseed.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK 16384u
#define FAR (20 * USEC_MS)

/* ---- tracker ---- */

static bool query_value(const char *url, const char *key, struct buf *out)
{
    const char *at = strstr(url, key);
    if (!at)
        return false;
    at += strlen(key);
    return text_unpercent(out, BYTES(at, strcspn(at, "&")), false);
}

static void remember(struct tube *t, const uint8_t *hash, const struct addr *a)
{
    for (size_t i = 0; i < t->n_tracked; i++)
        if (memcmp(t->tracked[i].hash, hash, 20) == 0 && addr_eq(&t->tracked[i].a, a))
            return;
    t->tracked = mem_grow(t->tracked, t->n_tracked + 1, sizeof *t->tracked);
    memcpy(t->tracked[t->n_tracked].hash, hash, 20);
    t->tracked[t->n_tracked++].a = *a;
}

static void peers_of(struct tube *t, const uint8_t *hash, struct buf *out)
{
    struct buf peers = {0};
    uint8_t compact[18];
    size_t n = 0, start = t->n_tracked ? rng_below(&t->rng, t->n_tracked) : 0;
    for (size_t i = 0; i < t->n_tracked && n < 50; i++) {
        const struct tracked *k = &t->tracked[(start + i) % t->n_tracked];
        if (memcmp(k->hash, hash, 20) != 0)
            continue;
        addr_put_compact(&k->a, compact);
        buf_put(&peers, compact, 6);
        n++;
    }
    bencode_put_dict(out);
    bencode_put_key_int(out, "complete", 1);
    bencode_put_key_int(out, "incomplete", (int64_t)n);
    bencode_put_key_int(out, "interval", 120);
    bencode_put_key_str(out, "peers", buf_bytes(&peers));
    bencode_put_end(out);
    buf_fini(&peers);
}

void tracker_answer(struct host *h, const struct node_op *op)
{
    struct tube *t = h->tube;
    struct buf hash = {0}, body = {0};
    bool here = strncmp(op->text, "http://tracker.test/announce", 28) == 0;
    struct event *e =
        tube_event(t, t->now + (here ? 2 * (FAR + h->cfg.delay) : 30 * USEC_SEC), EV_HTTP);
    e->host = h;
    e->job = op->job;
    e->err =
        here && query_value(op->text, "info_hash=", &hash) && buf_len(&hash) == 20 ? 0 : ERR_NET;
    if (!e->err) {
        peers_of(t, buf_bytes(&hash).p, &body);
        if (strstr(op->text, "event=stopped"))
            t->stopped++;
        else
            remember(t, buf_bytes(&hash).p, &h->addr);
        struct bytes b = buf_bytes(&body);
        e->data = mem_dup(b.p, b.n);
        e->n = b.n;
    }
    buf_fini(&hash);
    buf_fini(&body);
}

/* ---- origins ---- */

void tube_origin(struct tube *t, const char *base, const struct manifest *m, const uint8_t *content,
                 uint64_t rate, bool no_ranges, uint32_t lies)
{
    struct origin *o = &t->origin[t->n_origins++];
    *o = (struct origin){
        .m = m, .content = content, .rate = rate, .no_ranges = no_ranges, .lies = lies};
    snprintf(o->base, sizeof o->base, "%s", base);
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

static void next_chunk(struct web_get *g)
{
    struct tube *t = g->host->tube;
    struct origin *o = &t->origin[g->origin];
    size_t n = g->left < CHUNK ? (size_t)g->left : CHUNK;
    usec start = t->now > o->free_at ? t->now : o->free_at;
    o->free_at = start + (o->rate ? (usec)(n * 1000000ull / o->rate) : 10);
    struct event *e = tube_event(t, o->free_at, EV_WEB);
    e->host = g->host;
    e->get = g;
    e->n = n;
}

void origin_get(struct host *h, const struct node_op *op)
{
    struct tube *t = h->tube;
    uint32_t file = 0;
    struct web_get *g = mem_zero(sizeof *g);
    g->host = h;
    g->job = op->job;
    t->gets = mem_grow(t->gets, t->n_gets + 1, sizeof *t->gets);
    t->gets[t->n_gets++] = g;
    struct event *e = tube_event(t, t->now + 2 * (FAR + h->cfg.delay), EV_WEB);
    e->host = h;
    e->get = g;
    if (!find_file(t, op->text, &g->origin, &file)) {
        g->status = 404;
        return;
    }
    struct origin *o = &t->origin[g->origin];
    bool part = !o->no_ranges;
    g->status = part ? 206 : 200;
    g->total = o->m->files[file].length;
    g->from = part ? op->offset : 0;
    g->left = part ? op->length : g->total;
    g->content_at = o->m->files[file].offset + g->from;
    g->flip = o->lies && ++o->requests % o->lies == 0;
}

static void get_over(struct web_get *g, int err)
{
    g->over = true;
    struct err why = {0};
    if (err)
        err_set(&why, err, "the server answered %d", g->status);
    node_web_end(g->host->node, g->job, err, &why, g->status, g->host->tube->now);
}

void origin_event(struct tube *t, struct event *e)
{
    struct web_get *g = e->get;
    struct origin *o = &t->origin[g->origin];
    if (g->over)
        return;
    if (g->status == 404) {
        get_over(g, ERR_NET);
        return;
    }
    if (e->n == 0) { /* the head */
        if (!node_web_head(g->host->node, g->job, g->status, g->from, g->total, t->now))
            g->over = true;
        else
            next_chunk(g);
        return;
    }
    uint8_t *copy = mem_dup(o->content + g->content_at, e->n);
    if (g->flip)
        copy[e->n / 2] ^= 4;
    bool go_on = node_web_data(g->host->node, g->job, BYTES(copy, e->n), &g->paused, t->now);
    free(copy);
    t->origin_sent += e->n;
    g->content_at += e->n;
    g->left -= e->n;
    if (!go_on)
        g->over = true;
    else if (g->left == 0)
        get_over(g, 0);
    else if (!g->paused)
        next_chunk(g);
}

static struct web_get *find_get(struct host *h, node_id job)
{
    struct tube *t = h->tube;
    for (size_t i = t->n_gets; i-- > 0;)
        if (t->gets[i]->host == h && t->gets[i]->job == job && !t->gets[i]->over)
            return t->gets[i];
    return NULL;
}

void origin_resume(struct host *h, node_id job)
{
    struct web_get *g = find_get(h, job);
    if (!g || !g->paused)
        return;
    g->paused = false;
    next_chunk(g);
}

void origin_cancel(struct host *h, node_id job)
{
    struct web_get *g = find_get(h, job);
    if (g)
        g->over = true;
}

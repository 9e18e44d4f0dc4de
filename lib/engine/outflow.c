/*
 * Content to a descriptor; see outflow.h. A worker writes, one job at a time, straight from the
 * window: what is being written has not been consumed yet, so nobody takes it away. When the
 * descriptor takes no more, the loop waits for it, and meanwhile nothing else is asked for than
 * what fits into the window.
 */
#include "engine/outflow.h"

#include <p2p/base/mem.h>
#include <p2p/base/units.h>
#include <p2p/host/sink.h>
#include <p2p/host/window.h>

#include <errno.h>
#include <stdlib.h>

#define JOB_SLICES 64
#define JOB_BYTES (1u << 20)

struct outflow {
    struct list_node node; /* in engine.outflows */
    struct item *it;
    struct window *window;
    struct sink *sink;
    struct loop_watch *watch;
    size_t at;    /* stretch that is written, */
    uint64_t pos; /* and from where on in its file */
    bool busy;    /* a worker writes */
    bool waiting; /* for the reader */
    struct bytes v[JOB_SLICES];
    size_t n;
    uint64_t total;
    int64_t wrote;
    struct err e;
};

/* ---- beginning ---- */

/* Whole files in their order, unless ranges were named. */
static int choose_stretches(struct item *it, struct err *e)
{
    uint64_t last = 0;
    int rc = choose_files(it, e);

    it->ranged = it->spec.n_ranges > 0;
    if (rc == 0 && it->ranged)
        rc = ranges_find(it, e);
    if (rc == 0 && !it->ranged && it->m->multi)
        rc = err_set(e, ERR_USAGE, "%s: is a folder, which is no stream; -r FILE:0- is one of it",
                     item_name(it));
    for (uint32_t i = 0; i < it->m->n_files && rc == 0 && !it->ranged; i++)
        if (bits_get(&it->wanted, i) && it->m->files[i].length > 0)
            ranges_add(it, i, 0, it->m->files[i].length);
    for (size_t i = 0; i < it->n_stretches && rc == 0; i++) {
        const struct stretch *s = &it->stretches[i];
        uint64_t base = it->m->files[s->file].offset;

        if (base + s->from < last)
            rc = err_set(e, ERR_USAGE, "--range: what goes to standard output must be in order");
        last = base + s->end;
    }
    return rc;
}

uint64_t outflow_window(const struct item *it)
{
    return !it->spec.stream ? 0 : it->spec.window ? it->spec.window : OUTFLOW_WINDOW;
}

static int choose_window(struct item *it, uint64_t *window, struct err *e)
{
    uint64_t least = (uint64_t)NODE_WINDOW_LEAST * it->m->piece_length;
    char text[16];

    *window = outflow_window(it);
    if (*window >= least || it->m->space <= *window)
        return 0;
    units_format_size(text, least);
    if (it->spec.window)
        return err_set(e, ERR_USAGE, "--window: too small for the pieces of %s; it takes %s",
                       item_name(it), text);
    *window = least;
    engine_warn(it->g, it, "%s: has big pieces: %s of memory are used", item_name(it), text);
    return 0;
}

static void make_tree(struct item *it, struct outflow *s, uint64_t window)
{
    struct places p = {.m = it->m, .path = "/-"}; /* names nothing: the content is in memory */
    uint64_t *starts = mem_array(it->m->n_files ? it->m->n_files : 1, sizeof *starts);

    for (uint32_t i = 0; i < it->m->n_files; i++)
        starts[i] = it->m->files[i].offset;
    s->window = window_new(it->m->piece_length, node_window_pieces(it->m, window));
    it->tree = places_tree(it->g->files, &p);
    tree_set_window(it->tree, s->window, starts);
    free(starts);
}

static void reader_ready(void *arg, bool in, bool out)
{
    struct outflow *s = arg;

    (void)in;
    (void)out;
    s->waiting = false;
    loop_watch_want(s->watch, false, false);
}

int outflow_begin(struct item *it, struct err *e)
{
    struct outflow *s = mem_zero(sizeof *s);
    uint64_t window = 0;
    int rc;

    it->outflow = s;
    s->it = it;
    it->id = 0; /* nothing of this is for the catalogue */
    rc = choose_stretches(it, e);
    if (rc == 0)
        rc = choose_window(it, &window, e);
    if (rc < 0)
        return rc;
    s->sink = sink_new(it->spec.stream_fd, e);
    s->watch = s->sink ? loop_watch(it->g->loop, sink_fd(s->sink), reader_ready, s, e) : NULL;
    if (!s->watch)
        return e->code;
    s->pos = it->n_stretches ? it->stretches[0].from : 0;
    make_tree(it, s, window);
    bits_init(&it->have, it->m->n_pieces);
    bits_init(&it->stale, it->m->n_files);
    choose_pieces(it);
    free(it->unstored); /* unwanted edges of pieces are here as well */
    it->unstored = NULL;
    list_push(&it->g->outflows, &s->node);
    return 0;
}

void outflow_free(struct outflow *s)
{
    if (!s)
        return;
    list_remove(&s->it->g->outflows, &s->node);
    loop_watch_free(s->watch);
    sink_free(s->sink);
    window_free(s->window);
    free(s);
}

/* ---- writing ---- */

/* Where in content space the next byte is. */
static uint64_t position(const struct outflow *s)
{
    const struct item *it = s->it;

    return s->at < it->n_stretches ? it->m->files[it->stretches[s->at].file].offset + s->pos
                                   : UINT64_MAX;
}

static void advance(struct outflow *s, uint64_t n)
{
    const struct item *it = s->it;

    s->pos += n;
    if (s->at < it->n_stretches && s->pos == it->stretches[s->at].end && ++s->at < it->n_stretches)
        s->pos = it->stretches[s->at].from;
}

/* Verified bytes of this stretch from `pos` on that lie together in memory. */
static struct bytes next_slice(const struct outflow *s, size_t at, uint64_t pos, uint64_t verified)
{
    const struct stretch *t = &s->it->stretches[at];
    uint64_t offset = s->it->m->files[t->file].offset + pos, most = t->end - pos;
    struct bytes b;

    if (offset >= verified)
        return (struct bytes){0};
    if (most > verified - offset)
        most = verified - offset;
    b = window_at(s->window, offset);
    if (b.n > most)
        b.n = (size_t)most;
    return b;
}

static void gather(struct outflow *s, uint64_t verified)
{
    const struct item *it = s->it;
    size_t at = s->at;
    uint64_t pos = s->pos;

    s->n = 0;
    s->total = 0;
    while (at < it->n_stretches && s->n < JOB_SLICES && s->total < JOB_BYTES) {
        struct bytes b = next_slice(s, at, pos, verified);

        if (b.n == 0)
            return;
        if (b.n > JOB_BYTES - s->total)
            b.n = JOB_BYTES - (size_t)s->total;
        s->v[s->n++] = b;
        s->total += b.n;
        pos += b.n;
        if (pos == it->stretches[at].end && ++at < it->n_stretches)
            pos = it->stretches[at].from;
    }
}

static void write_work(void *arg)
{
    struct outflow *s = arg;

    s->wrote = sink_write(s->sink, s->v, s->n, &s->e);
}

static void write_failed(struct outflow *s)
{
    struct item *it = s->it;

    if (s->e.os == EPIPE)
        engine_drop(it->g, it); /* the reader has had enough: nothing to complain of */
    else
        item_fail(it, s->e.code, &s->e);
}

static void write_done(void *arg)
{
    struct outflow *s = arg;
    struct item *it = s->it;
    struct engine *g = it->g;

    engine_job_done(g);
    s->busy = false;
    if (s->wrote < 0) {
        write_failed(s);
    } else {
        for (size_t i = 0, left = (size_t)s->wrote; i < s->n && left > 0; i++) {
            size_t part = s->v[i].n < left ? s->v[i].n : left;

            advance(s, part);
            left -= part;
        }
        s->waiting = (uint64_t)s->wrote < s->total;
        if (s->waiting && s->watch)
            loop_watch_want(s->watch, false, true);
        node_consumed(g->node, it->task, position(s), g->now);
    }
    item_job_back(it);
}

static void all_written(struct item *it)
{
    it->finished = true;
    engine_tell(it->g, &(struct engine_event){.kind = ENGINE_COMPLETE, .item = it, .path = "-"});
    item_finished(it);
}

static void turn(struct outflow *s)
{
    struct item *it = s->it;

    if (s->busy || s->waiting || it->dropped || it->finished || it->phase != ITEM_RUNNING)
        return;
    if (s->at == it->n_stretches) {
        if (it->complete)
            all_written(it);
        return;
    }
    gather(s, node_verified(it->g->node, it->task));
    if (s->n == 0)
        return;
    s->busy = true;
    it->jobs++;
    engine_work(it->g, write_work, write_done, s);
}

bool outflow_turns(struct engine *g)
{
    struct list_node *next;

    for (struct list_node *l = list_first(&g->outflows); l; l = next) {
        next = list_next(&g->outflows, l);
        turn(LIST_OF(l, struct outflow, node));
    }
    return g->outflows.count > 0;
}

void outflow_end(struct engine *g)
{
    for (struct list_node *l = list_first(&g->outflows); l; l = list_next(&g->outflows, l)) {
        struct outflow *s = LIST_OF(l, struct outflow, node);

        loop_watch_free(s->watch);
        s->watch = NULL;
        s->waiting = true; /* for ever */
    }
}

void outflow_forget(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);
    uint64_t offset = (uint64_t)op->piece * it->m->piece_length;

    node_forgotten(g->node, op->task, op->piece, window_at(it->outflow->window, offset), g->now);
    window_drop(it->outflow->window, op->piece);
}

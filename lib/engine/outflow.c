/*
 * Content to a descriptor; see outflow.h. A worker writes, one job at a time, straight from the
 * window: what is being written has not been consumed yet, so nobody takes it away. When the
 * descriptor takes no more, the loop waits for it, and meanwhile nothing else is asked for than
 * what fits into the window.
 */
#include "engine/extract.h"
#include "engine/outflow.h"
#include "engine/windows.h"

#include <p2p/base/mem.h>
#include <p2p/format/names.h>
#include <p2p/host/archive.h>
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
    size_t at;                   /* stretch that is written, */
    uint64_t pos;                /* and from where on in its file */
    bool busy;                   /* a worker writes */
    bool waiting;                /* for the reader */
    struct archive_out *archive; /* NULL: the bytes as they are */
    struct extract *extract;     /* reads it; NULL: the caller does */
    bool asks;                   /* the extract, for what comes next: */
    uint64_t ask_at, ask_n;      /* in its file */
    uint64_t until;              /* what it wants ends there; UINT64_MAX: nobody says */
    uint64_t given;
    bool closed;   /* its end was put in */
    struct slice { /* the job */
        uint32_t file;
        bool begins; /* its file */
        struct bytes b;
    } v[JOB_SLICES];
    size_t n, fed; /* slices; bytes of them that the worker took */
    uint64_t total;
    bool last; /* nothing comes after them */
    int code;
    struct err e;
};

/* ---- beginning ---- */

static bool is_archive(const struct item *it)
{
    return it->spec.archive || (it->m->multi && !it->ranged && !it->spec.extract);
}

/* Links only if asked for, as on the disk; what has no bytes is something in an archive only. */
static bool goes_out(const struct item *it, uint32_t file)
{
    const struct manifest_file *f = &it->m->files[file];

    return f->attr & FILE_SYMLINK ? it->spec.attributes && is_archive(it)
                                  : f->length > 0 || is_archive(it);
}

/* Whole files in their order, unless ranges were named. */
static int choose_stretches(struct item *it, struct err *e)
{
    uint64_t last = 0;
    int rc = choose_files(it, e);

    it->ranged = it->spec.n_ranges > 0;
    if (rc == 0 && it->ranged)
        rc = ranges_find(it, e);
    if (rc == 0 && it->ranged && it->spec.archive)
        rc = err_set(e, ERR_USAGE, "--format: ranges go as they are, in no archive");
    for (uint32_t i = 0; i < it->m->n_files && rc == 0 && !it->ranged; i++)
        if (bits_get(&it->wanted, i) && goes_out(it, i))
            ranges_add(it, i, 0, it->m->files[i].length);
    if (rc == 0 && it->spec.extract && it->n_stretches != 1)
        rc =
            err_set(e, ERR_USAGE,
                    "%s: one archive is unpacked, and this has %zu files; choose one with --select",
                    it->label, it->n_stretches);
    for (size_t i = 0; i < it->n_stretches && rc == 0; i++) {
        const struct stretch *s = &it->stretches[i];
        uint64_t base = it->m->files[s->file].offset;

        if (base + s->from < last)
            rc = err_set(e, ERR_USAGE, "--range: what goes to standard output must be in order");
        last = base + s->end;
    }
    return rc;
}

struct tree *outflow_tree(const struct item *it, struct window *w)
{
    struct places p = {.m = it->m, .path = "/-"}; /* names nothing: the content is in memory */
    uint64_t *starts = mem_array(it->m->n_files ? it->m->n_files : 1, sizeof *starts);

    for (uint32_t i = 0; i < it->m->n_files; i++)
        starts[i] = it->m->files[i].offset;
    struct tree *t = places_tree(it->g->files, &p);
    tree_set_window(t, w, starts);
    free(starts);
    return t;
}

static void reader_ready(void *arg, bool in, bool out)
{
    struct outflow *s = arg;

    (void)in;
    (void)out;
    s->waiting = false;
    loop_watch_want(s->watch, false, false);
}

static void on_wants(struct item *it, uint64_t at, uint64_t n)
{
    struct outflow *s = it->outflow;

    s->asks = true;
    s->ask_at = at;
    s->ask_n = n;
}

static void close_sink(struct outflow *s)
{
    loop_watch_free(s->watch);
    sink_free(s->sink);
    s->watch = NULL;
    s->sink = NULL;
}

int outflow_begin(struct item *it, struct err *e)
{
    struct outflow *s = mem_zero(sizeof *s);
    int rc;

    it->outflow = s;
    s->it = it;
    it->id = 0; /* nothing of this is for the catalogue */
    rc = choose_stretches(it, e);
    if (rc == 0)
        rc = windows_settle(it, e);
    if (rc < 0)
        return rc;
    if (is_archive(it)) {
        s->archive = archive_out_new(it->spec.archive ? it->spec.archive_format : ARCHIVE_TAR, e);
        if (!s->archive)
            return e->code;
    }
    if (it->spec.extract) {
        s->extract = extract_new(it, on_wants, e);
        if (!s->extract)
            return e->code;
    }
    s->sink = sink_new(s->extract ? extract_fd(s->extract) : it->spec.stream_fd, e);
    s->watch = s->sink ? loop_watch(it->g->loop, sink_fd(s->sink), reader_ready, s, e) : NULL;
    if (!s->watch)
        return e->code;
    s->pos = it->n_stretches ? it->stretches[0].from : 0;
    s->until = s->extract ? 0 : UINT64_MAX;
    s->window = window_new(it->m->piece_length, node_window_pieces(it->m, windows_part(it)));
    it->tree = outflow_tree(it, s->window);
    bits_init(&it->have, it->m->n_pieces);
    bits_init(&it->stale, it->m->n_files);
    choose_pieces(it);
    free(it->unstored); /* unwanted edges of pieces are here as well */
    it->unstored = NULL;
    list_push(&it->g->outflows, &s->node);
    it->jobs += s->extract != NULL;
    return 0;
}

void outflow_free(struct outflow *s)
{
    if (!s)
        return;
    list_remove(&s->it->g->outflows, &s->node);
    close_sink(s);
    extract_free(s->extract);
    archive_out_free(s->archive);
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

/* Behind the first n bytes of the job, and behind files that have none. */
static void advance(struct outflow *s, uint64_t n)
{
    const struct item *it = s->it;

    for (size_t i = 0; i < s->n; i++) {
        uint64_t part = s->v[i].b.n < n ? s->v[i].b.n : n;

        s->pos += part;
        n -= part;
        if (part == s->v[i].b.n && s->pos == it->stretches[s->at].end && ++s->at < it->n_stretches)
            s->pos = it->stretches[s->at].from;
    }
}

/* Verified bytes of this stretch from `pos` on that lie together in memory. */
static struct bytes next_slice(const struct outflow *s, size_t at, uint64_t pos, uint64_t verified)
{
    const struct stretch *t = &s->it->stretches[at];
    uint64_t offset = s->it->m->files[t->file].offset + pos;
    uint64_t end = t->end < s->until ? t->end : s->until, most = end - pos;
    struct bytes b;

    if (offset >= verified || pos >= end)
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
    s->last = false;
    if (s->archive && archive_out_ready(s->archive).n > 0)
        return; /* first what was put in before: a slow reader would let it pile up */
    while (at < it->n_stretches && s->n < JOB_SLICES && s->total < JOB_BYTES) {
        const struct stretch *t = &it->stretches[at];
        struct slice *v = &s->v[s->n];

        *v = (struct slice){.file = t->file, .begins = pos == t->from};
        v->b = next_slice(s, at, pos, verified);
        if (v->b.n == 0 && t->from < t->end)
            break;
        if (v->b.n > JOB_BYTES - s->total)
            v->b.n = JOB_BYTES - (size_t)s->total;
        s->n++;
        s->total += v->b.n;
        pos += v->b.n;
        if (pos == t->end && ++at < it->n_stretches)
            pos = it->stretches[at].from;
    }
    s->last = at == it->n_stretches;
}

static int write_raw(struct outflow *s)
{
    struct bytes v[JOB_SLICES];
    int64_t wrote;

    for (size_t i = 0; i < s->n; i++)
        v[i] = s->v[i].b;
    wrote = sink_write(s->sink, v, s->n, &s->e);
    s->fed = wrote < 0 ? 0 : (size_t)wrote;
    s->waiting = wrote >= 0 && (uint64_t)wrote < s->total;
    return wrote < 0 ? (int)wrote : 0;
}

static int begin_entry(struct outflow *s, uint32_t file)
{
    const struct manifest *m = s->it->m;
    const struct manifest_file *f = &m->files[file];
    char *top = names_on_disk(bytes_str(m->name));
    char *name = m->multi ? places_name(f->path, 0) : NULL;
    char *path = name ? mem_fmt("%s/%s", top, name) : mem_str(top);
    char *link = f->attr & FILE_SYMLINK ? places_link_text(m, file, 0) : NULL;
    struct archive_file a = {.path = path,
                             .size = f->length,
                             .executable = s->it->spec.attributes && f->attr & FILE_EXEC,
                             .link = link};
    int rc = f->attr & FILE_SYMLINK && !link ? 0 : archive_out_begin(s->archive, &a, &s->e);

    free(link);
    free(path);
    free(name);
    free(top);
    return rc;
}

static int feed_archive(struct outflow *s)
{
    int rc = 0;

    for (size_t i = 0; i < s->n && rc == 0; i++) {
        if (s->v[i].begins)
            rc = begin_entry(s, s->v[i].file);
        if (rc == 0 && s->v[i].b.n)
            rc = archive_out_data(s->archive, s->v[i].b, &s->e);
    }
    if (rc == 0 && s->last && !s->closed) {
        s->closed = true;
        rc = archive_out_end(s->archive, &s->e);
    }
    s->fed = s->total;
    return rc;
}

static int write_archive(struct outflow *s)
{
    struct bytes ready;
    int64_t wrote;
    int rc = feed_archive(s);

    if (rc < 0)
        return rc;
    ready = archive_out_ready(s->archive);
    wrote = sink_write(s->sink, &ready, 1, &s->e);
    if (wrote < 0)
        return (int)wrote;
    s->waiting = (uint64_t)wrote < ready.n;
    archive_out_taken(s->archive, (size_t)wrote);
    return 0;
}

static void write_work(void *arg)
{
    struct outflow *s = arg;

    s->code = s->archive ? write_archive(s) : write_raw(s);
}

static void write_failed(struct outflow *s)
{
    struct item *it = s->it;

    if (s->e.os == EPIPE && s->extract)
        s->waiting = true; /* it tells why in a moment */
    else if (s->e.os == EPIPE)
        engine_drop(it->g, it); /* the reader has had enough: nothing to complain of */
    else
        item_fail(it, s->e.code, &s->e);
}

static void want_on(struct outflow *s)
{
    const struct stretch *t = &s->it->stretches[0];
    uint64_t base = s->it->m->files[t->file].offset;

    if (s->at == 0 && s->pos < s->until)
        node_want(s->it->g->node, s->it->task, base + s->pos, base + s->until, base + t->end,
                  s->it->g->now);
}

static void begin_wanted(struct outflow *s)
{
    uint64_t size = s->it->stretches[0].end;

    s->asks = false;
    s->at = 0;
    s->pos = s->ask_at < size ? s->ask_at : size;
    s->until = s->ask_n < size - s->pos ? s->pos + s->ask_n : size;
    want_on(s);
}

uint64_t outflow_given(const struct outflow *s)
{
    return s->given;
}

bool outflow_rests(const struct outflow *s)
{
    return s->extract && !s->asks && (s->at > 0 || s->pos >= s->until);
}

static void write_done(void *arg)
{
    struct outflow *s = arg;
    struct item *it = s->it;
    struct engine *g = it->g;

    engine_job_done(g);
    s->busy = false;
    if (s->code < 0) {
        write_failed(s);
    } else {
        advance(s, s->fed);
        s->given += s->fed;
        if (s->waiting && s->watch)
            loop_watch_want(s->watch, false, true);
        if (s->extract)
            want_on(s);
        else
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

/* An archive has more to say than its files. */
static bool has_rest(const struct outflow *s)
{
    return s->archive && (archive_out_ready(s->archive).n > 0 || (s->last && !s->closed));
}

static bool is_written(const struct outflow *s)
{
    return s->at == s->it->n_stretches && !has_rest(s);
}

static uint64_t verified(const struct outflow *s)
{
    const struct item *it = s->it;

    return s->extract ? node_here(it->g->node, it->task, position(s))
                      : node_verified(it->g->node, it->task);
}

static void turn(struct outflow *s)
{
    struct item *it = s->it;

    if (s->extract && it->dropped && !s->busy) {
        close_sink(s);
        extract_stop(s->extract);
    }
    if (s->busy || s->waiting || it->dropped || it->finished || it->phase != ITEM_RUNNING)
        return;
    if (s->asks)
        begin_wanted(s);
    gather(s, verified(s));
    if (is_written(s)) {
        if (it->complete)
            all_written(it);
        return;
    }
    if (s->n == 0 && !has_rest(s))
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
        if (s->extract)
            extract_end(s->extract);
    }
}

void outflow_forget(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);
    uint64_t offset = (uint64_t)op->piece * it->m->piece_length;

    node_forgotten(g->node, op->task, op->piece, window_at(it->outflow->window, offset), g->now);
    window_drop(it->outflow->window, op->piece);
}

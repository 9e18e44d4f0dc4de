/*
 * Pieces on all cores. A job is a run of pieces that follow one another: some large ones, or as
 * many small ones as make a few MiB, so that a hundred thousand small files do not make as many
 * trips between threads. What a job does is in scan_lane.c.
 */
#include "engine/scan_lane.h"

#include <p2p/base/mem.h>
#include <p2p/host/workers.h>

#include <stdlib.h>

#define JOB_MIN ((uint64_t)256 << 10) /* less is not worth a thread's while */
#define JOB_MAX ((uint64_t)4 << 20)
#define JOB_PIECES 256u
#define JOBS_A_THREAD 8u /* so many at least, that no thread idles at the end */
#define TICK_MS 100

struct run {
    struct scan_run shared;
    const struct scan_hash *h;
    uint64_t job_bytes;
    uint32_t next; /* piece */
    uint64_t total;
    int code;
    struct err *e;
};

struct slot {
    struct workers_job job;
    struct run *run;
    struct scan_lanes lanes;
    uint32_t piece[JOB_PIECES], n;
    struct scan_piece out[JOB_PIECES];
};

static void run_job(struct workers_job *job)
{
    struct slot *s = (struct slot *)(void *)job;

    scan_lanes_run(&s->lanes, s->piece, s->out, s->n);
}

static bool is_wanted(const struct scan_hash *h, uint32_t piece)
{
    return !h->only || bits_get(h->only, piece);
}

static uint64_t content_of(const struct manifest *m, uint32_t piece)
{
    struct layout_iter it;
    struct layout_seg g;
    uint64_t n = 0;

    layout_iter_init(&it, m, (uint64_t)piece * m->piece_length, layout_piece_len(m, piece));
    while (layout_iter_next(&it, &g))
        n += g.pad ? 0 : g.length;
    return n;
}

uint64_t scan_content(const struct manifest *m, const struct bits *pieces)
{
    uint64_t n = 0;

    if (bits_full(pieces))
        return m->size;
    for (size_t i = bits_next(pieces, 0, true); i < pieces->n; i = bits_next(pieces, i + 1, true))
        n += content_of(m, (uint32_t)i);
    return n;
}

/* The next job's pieces; false if there are none left. */
static bool fill(struct slot *s)
{
    struct run *r = s->run;
    const struct manifest *m = r->h->m;
    uint64_t bytes = 0;

    s->n = 0;
    while (r->next < m->n_pieces && s->n < JOB_PIECES &&
           (bytes < r->job_bytes || s->n < r->shared.shape.lanes)) {
        uint32_t piece = r->next++;

        if (!is_wanted(r->h, piece))
            continue;
        s->piece[s->n++] = piece;
        bytes += layout_piece_len(m, piece);
    }
    return s->n > 0;
}

static void fail(struct run *r, int code, const struct err *e)
{
    if (r->code == 0) {
        r->code = code;
        if (r->e && !r->e->code)
            *r->e = *e;
    }
    if (!r->h->go_on || code == ERR_CANCELED)
        atomic_store(&r->shared.stop, true);
}

static void take(struct run *r, const struct slot *s)
{
    if (atomic_load(&r->shared.stop))
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        int code = s->out[i].code;

        /* Beside the one that failed, others were given up. */
        if (code == ERR_CANCELED && s->lanes.e.code)
            code = s->lanes.e.code;
        if (code && (!r->h->go_on || code != ERR_NOTFOUND))
            fail(r, code, &s->lanes.e);
        if (!code || r->h->go_on)
            r->h->piece(r->h->arg, s->piece[i], &s->out[i]);
        else
            return;
    }
}

static void look(struct run *r)
{
    const struct scan_watch *w = r->h->watch;

    if (!w)
        return;
    if (w->progress)
        w->progress(w->arg, atomic_load(&r->shared.done), r->total);
    if (w->stopped && w->stopped(w->arg)) {
        struct err e = {0};

        fail(r, err_set(&e, ERR_CANCELED, "stopped while hashing"), &e);
    }
}

/* Keeps all threads busy until all is hashed, or somebody said stop. */
static void work(struct run *r, struct workers *w, struct slot *slots, size_t n)
{
    struct workers_job *job;
    size_t fresh = 0;
    struct slot *idle = NULL;

    for (;;) {
        look(r);
        while (!atomic_load(&r->shared.stop) && (idle || fresh < n)) {
            struct slot *s = idle ? idle : &slots[fresh++];

            idle = NULL;
            if (!fill(s))
                break;
            workers_submit(w, &s->job);
        }
        if (workers_out(w) == 0)
            return;
        job = workers_next(w, TICK_MS);
        if (!job)
            continue;
        idle = (struct slot *)(void *)job;
        take(r, idle);
    }
}

static void slot_init(struct slot *s, struct run *r)
{
    s->job.run = run_job;
    s->run = r;
    scan_lanes_init(&s->lanes, &r->shared);
}

static void slot_fini(struct slot *s)
{
    struct err e = {0};
    int rc = scan_lanes_fini(&s->lanes);

    if (rc < 0)
        fail(s->run, rc, s->lanes.e.code ? &s->lanes.e : &e);
}

static uint64_t bytes_of(const struct scan_hash *h)
{
    return h->only ? scan_content(h->m, h->only) : h->m->size;
}

static struct run plan(const struct scan_hash *h, struct err *e)
{
    struct run r = {.h = h, .e = e, .total = bytes_of(h)};
    size_t threads = workers_cores();
    uint64_t bytes = (uint64_t)h->m->n_pieces * h->m->piece_length;

    r.job_bytes = bytes / (threads * JOBS_A_THREAD);
    r.job_bytes = r.job_bytes < JOB_MIN ? JOB_MIN : r.job_bytes > JOB_MAX ? JOB_MAX : r.job_bytes;
    if (bytes <= r.job_bytes && h->m->n_pieces <= JOB_PIECES)
        threads = 0; /* none is worth its while */
    r.shared.shape = scan_shape_of(h->m, threads);
    r.shared.h = h;
    return r;
}

int scan_hash(const struct scan_hash *h, struct err *e)
{
    struct run r = plan(h, e);
    size_t n = r.shared.shape.slots;
    struct slot *slots = mem_array(n, sizeof *slots);

    scan_run_init(&r.shared);
    for (size_t i = 0; i < n; i++)
        slot_init(&slots[i], &r);
    if (r.shared.shape.threads == 0) {
        if (fill(slots)) {
            run_job(&slots->job);
            take(&r, slots);
        }
    } else {
        struct workers *w = workers_new(r.shared.shape.threads, n);
        work(&r, w, slots, n);
        workers_free(w);
    }
    for (size_t i = 0; i < n; i++)
        slot_fini(&slots[i]);
    free(slots);
    scan_run_fini(&r.shared);
    if (r.code == 0)
        look(&r);
    return r.code;
}

/*
 * Pieces on all cores. A job is a run of pieces that follow one another: one large piece, or as
 * many small ones as make a few MiB, so that a hundred thousand small files do not make as many
 * trips between threads. A slot keeps its buffers, and the file that it read last, from job to job.
 */
#include "engine/scan_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/host/fileio.h>
#include <p2p/host/workers.h>

#include <stdatomic.h>
#include <stdlib.h>

#define CHUNK ((size_t)128 << 10)    /* stays in the cache between reading and hashing */
#define JOB_MIN ((uint64_t)256 << 10) /* less is not worth a thread's while */
#define JOB_MAX ((uint64_t)4 << 20)
#define JOB_PIECES 256u
#define JOBS_A_THREAD 8u             /* so many at least, that no thread idles at the end */
#define TICK_MS 100

struct run {
    const struct scan_hash *h;
    uint64_t job_bytes;
    uint32_t next;       /* piece */
    uint64_t total;
    int code;
    struct err *e;
    _Atomic uint64_t done; /* bytes; added to by workers */
    _Atomic bool stop;
};

struct slot {
    struct workers_job job;
    struct run *run;
    struct piecehash *hash;
    uint8_t *mem;
    uint32_t file; /* open; UINT32_MAX: none */
    struct tree_pin pin;
    uint64_t ahead; /* the disk was asked for the file up to here */
    uint32_t piece[JOB_PIECES], n;
    struct scan_piece out[JOB_PIECES];
    struct err e; /* the first failure of the job */
};

/* ---- in a worker ---- */

static int slot_close(struct slot *s)
{
    const struct scan_source *src = &s->run->h->source;
    uint32_t file = s->file;

    if (file == UINT32_MAX)
        return 0;
    s->file = UINT32_MAX;
    return src->close(src->ctx, file, &s->pin, &s->e);
}

static int slot_open(struct slot *s, uint32_t file)
{
    const struct scan_source *src = &s->run->h->source;
    int rc = 0;

    if (s->file == file)
        return 0;
    rc = slot_close(s);
    if (rc == 0)
        rc = src->open(src->ctx, file, &s->pin, &s->e);
    if (rc == 0) {
        s->file = file;
        s->ahead = 0;
    }
    return rc;
}

static void ask_ahead(struct slot *s, const struct layout_seg *g, uint64_t at)
{
    uint64_t end = g->offset + g->length;

    if (at < s->ahead || end - at <= CHUNK)
        return;
    s->ahead = end - at < INTAKE_AHEAD ? end : at + INTAKE_AHEAD;
    intake_ahead(s->pin.fd, s->pin.base + at, s->ahead - at);
}

static int hash_file(struct slot *s, const struct layout_seg *g)
{
    const struct scan_source *src = &s->run->h->source;
    uint64_t at = g->offset, end = g->offset + g->length;
    int rc = slot_open(s, g->file);

    if (rc == 0 && at > s->ahead)
        s->ahead = at;
    while (rc == 0 && at < end) {
        size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

        if (atomic_load_explicit(&s->run->stop, memory_order_relaxed))
            return ERR_CANCELED;
        ask_ahead(s, g, at);
        int64_t got = fileio_pread(s->pin.fd, s->run->h->m->files[g->file].path, s->pin.base + at,
                                   (struct span){s->mem, n}, &s->e);
        if (got < 0)
            return (int)got;
        if ((size_t)got < n)
            return src->cut(src->ctx, g->file, &s->e);
        piecehash_more(s->hash, BYTES(s->mem, n));
        atomic_fetch_add_explicit(&s->run->done, n, memory_order_relaxed);
        at += n;
    }
    return rc;
}

static void hash_piece(struct slot *s, uint32_t piece, struct scan_piece *out)
{
    const struct manifest *m = s->run->h->m;
    struct piecehash_result r;
    struct layout_iter it;
    struct layout_seg g;

    *out = (struct scan_piece){.file = UINT32_MAX};
    piecehash_begin(s->hash, m, piece);
    layout_iter_init(&it, m, (uint64_t)piece * m->piece_length, layout_piece_len(m, piece));
    while (out->code == 0 && layout_iter_next(&it, &g)) {
        if (g.pad) {
            piecehash_zero(s->hash, g.length);
        } else {
            out->code = hash_file(s, &g);
            out->file = out->code ? g.file : UINT32_MAX;
        }
    }
    if (out->code)
        return;
    piecehash_end(s->hash, &r);
    memcpy(out->v1, r.v1, SHA1_LEN);
    memcpy(out->root, r.root, SHA256_LEN);
}

static void run_job(struct workers_job *job)
{
    struct slot *s = (struct slot *)(void *)job;
    bool failed = false;

    for (uint32_t i = 0; i < s->n; i++) {
        if (failed && !s->run->h->go_on)
            s->out[i] = (struct scan_piece){.code = ERR_CANCELED};
        else
            hash_piece(s, s->piece[i], &s->out[i]);
        failed = failed || s->out[i].code;
    }
}

/* ---- on the caller's thread ---- */

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
    err_clear(&s->e);
    while (r->next < m->n_pieces && s->n < JOB_PIECES && bytes < r->job_bytes) {
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
        atomic_store(&r->stop, true);
}

static void take(struct run *r, const struct slot *s)
{
    if (atomic_load(&r->stop))
        return;
    for (uint32_t i = 0; i < s->n; i++) {
        int code = s->out[i].code;

        if (code && (!r->h->go_on || code != ERR_NOTFOUND))
            fail(r, code, &s->e);
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
        w->progress(w->arg, atomic_load(&r->done), r->total);
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
        while (!atomic_load(&r->stop) && (idle || fresh < n)) {
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
    s->hash = piecehash_new();
    s->mem = mem_alloc(CHUNK);
    s->file = UINT32_MAX;
}

static void slot_fini(struct slot *s)
{
    err_clear(&s->e);
    int rc = slot_close(s);
    if (rc < 0)
        fail(s->run, rc, &s->e);
    piecehash_free(s->hash);
    free(s->mem);
}

static uint64_t bytes_of(const struct scan_hash *h)
{
    return h->only ? scan_content(h->m, h->only) : h->m->size;
}

int scan_hash(const struct scan_hash *h, struct err *e)
{
    struct run r = {.h = h, .e = e, .total = bytes_of(h)};
    size_t threads = workers_cores(), n;
    uint64_t bytes = (uint64_t)h->m->n_pieces * h->m->piece_length;

    r.job_bytes = bytes / (threads * JOBS_A_THREAD);
    r.job_bytes = r.job_bytes < JOB_MIN ? JOB_MIN : r.job_bytes > JOB_MAX ? JOB_MAX : r.job_bytes;
    bool one = bytes <= r.job_bytes && h->m->n_pieces <= JOB_PIECES;
    n = one ? 1 : threads + threads / 4 + 1;
    struct slot *slots = mem_array(n, sizeof *slots);
    for (size_t i = 0; i < n; i++)
        slot_init(&slots[i], &r);
    if (one && fill(slots)) { /* no thread is worth its while */
        run_job(&slots->job);
        take(&r, slots);
    } else if (!one) {
        struct workers *w = workers_new(threads, n);
        work(&r, w, slots, n);
        workers_free(w);
    }
    for (size_t i = 0; i < n; i++)
        slot_fini(&slots[i]);
    free(slots);
    if (r.code == 0)
        look(&r);
    return r.code;
}

/* From a stream to a manifest, and to the store. */
#include "engine/places.h"
#include "engine/scan_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/host/home.h>
#include <p2p/host/workers.h>

#include <stdio.h>
#include <stdlib.h>

#define CHUNK ((size_t)4 << 20) /* bytes: pieces enough for all lanes, if they are not long */
#define CHUNKS 3u
#define TEMPORARY "/var/tmp" /* for what is hashed and not kept: /tmp may be memory */

bool scan_tick(void *watch, uint64_t bytes)
{
    const struct scan_watch *w = watch;

    if (w->progress)
        w->progress(w->arg, bytes, 0);
    return !w->stopped || !w->stopped(w->arg);
}

/* HASH/NAME: the name can be told from the path, and no two items share a folder. */
char *scan_store_place(const struct manifest *m)
{
    char hex[2 * SHA256_LEN + 1], *name = places_name(m->name, 0), *path;

    text_hex(hex, m->has_v1 ? BYTES(m->hash_v1, SHA1_LEN) : BYTES(m->hash_v2, SHA256_LEN));
    path = mem_fmt("%s/%s", hex, name);
    free(name);
    return path;
}

int scan_store(const struct scan_options *o, char **out, struct err *e)
{
    struct home h;
    int rc;

    if (!o->catalogue) {
        const char *tmp = getenv("TMPDIR");

        *out = mem_str(tmp && *tmp ? tmp : TEMPORARY);
        return 0;
    }
    rc = home_find(&h, o->home, e);
    if (rc < 0)
        return rc;
    rc = home_folder(&h, HOME_STORE, out, e);
    home_fini(&h);
    return rc;
}

/* ---- what flows ---- */

/* A thread hashes what was written, while the next is read. */
struct chunk {
    struct workers_job job;
    struct flowhash *flow;
    uint8_t *mem;
    size_t n;
};

static void hash_chunk(struct workers_job *job)
{
    struct chunk *c = (struct chunk *)(void *)job;

    flowhash_more(c->flow, BYTES(c->mem, c->n));
}

/* Until it is full or the stream has ended. */
static int fill(struct chunk *c, int in, uint64_t before, const struct scan_options *o,
                struct err *e)
{
    struct scan_watch w = o->watch;
    int64_t n = 1;

    for (c->n = 0; c->n < CHUNK && n > 0; c->n += n > 0 ? (size_t)n : 0)
        n = intake_read(in, "standard input", (struct span){c->mem + c->n, CHUNK - c->n}, scan_tick,
                        &w, before + c->n, e);
    return n < 0 ? (int)n : 0;
}

static int take_all(struct intake_stream *s, struct chunk *v, int in, const struct scan_options *o,
                    struct err *e)
{
    struct workers *w = workers_new(1, CHUNKS);
    int rc = 0;

    for (size_t i = 0; rc == 0; i++) {
        struct chunk *c = &v[i % CHUNKS];

        if (i >= CHUNKS)
            workers_next(w, -1); /* one thread: in their order */
        rc = fill(c, in, s->size, o, e);
        if (rc == 0)
            rc = intake_stream_put(s, BYTES(c->mem, c->n), e);
        if (rc < 0 || c->n == 0)
            break;
        workers_submit(w, &c->job);
        if (c->n < CHUNK)
            break;
    }
    while (rc == 0 && workers_out(w) > 0)
        workers_next(w, -1);
    workers_free(w);
    return rc;
}

static int take_stream(struct intake_stream *s, struct flowhash *flow, int in,
                       const struct scan_options *o, struct err *e)
{
    struct chunk v[CHUNKS];
    int rc;

    for (size_t i = 0; i < CHUNKS; i++)
        v[i] = (struct chunk){.job.run = hash_chunk, .flow = flow, .mem = mem_alloc(CHUNK)};
    rc = take_all(s, v, in, o, e);
    flowhash_end(flow);
    for (size_t i = 0; i < CHUNKS; i++)
        free(v[i].mem);
    return rc;
}

/* The file has no name while it is hashed; what is said of it must not be a number in /proc. */
static int hash_rest(struct scan_result *r, const struct intake_stream *s,
                     const struct flowhash *flow, const struct scan_options *o, struct err *e)
{
    struct scan_options here = *o;
    struct err why = {0};
    int rc;

    here.catalogue = NULL;
    rc = scan_it(r, s->path, flow, &here, &why);
    free(r->path);
    r->path = NULL;
    r->where = PLACES_RAW;
    return rc < 0 ? err_set(e, rc, "standard input: %s", why.msg) : 0;
}

/* Of a file the length is known, if nobody changes it meanwhile; then all will be hashed again. */
static uint32_t piece_length(int in, const struct scan_options *o)
{
    int64_t at = intake_seek(in, 0, SEEK_CUR), end = at < 0 ? -1 : intake_seek(in, 0, SEEK_END);

    if (at >= 0)
        intake_seek(in, at, SEEK_SET);
    return o->author.piece_length ? o->author.piece_length
           : end > at             ? author_piece_length((uint64_t)(end - at))
                                  : 0;
}

int scan_stream(struct scan_result *r, int in, const struct scan_options *o, struct err *e)
{
    struct intake_stream s = {.fd = -1};
    struct flowhash *flow = flowhash_new(o->author.format, piece_length(in, o));
    char *store = NULL;
    int rc = 0;

    *r = (struct scan_result){0};
    if (!o->author.name)
        rc = err_set(e, ERR_USAGE, "-: standard input has no name: give one with --name");
    if (rc == 0)
        rc = scan_store(o, &store, e);
    if (rc == 0)
        rc = intake_stream_new(&s, store, e);
    if (rc == 0)
        rc = take_stream(&s, flow, in, o, e);
    if (rc == 0)
        rc = hash_rest(r, &s, flow, o, e);
    if (rc == 0 && o->catalogue) {
        char *place = scan_store_place(r->m);

        r->path = mem_fmt("%s/%s", store, place);
        free(place);
        rc = intake_stream_name(&s, r->path, e);
    }
    intake_stream_fini(&s);
    flowhash_free(flow);
    free(store);
    return rc;
}

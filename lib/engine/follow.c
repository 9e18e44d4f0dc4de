/*
 * Serving the whole catalogue, and following it: about once a second it is asked whether another
 * program changed something; if so it is listed, and what is new, gone or different is taken up.
 * An item that another program is fetching just now is left to that program until it is done.
 * A few are taken up at a time, so that ten thousand of them are not all awake at the start.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>

#include <stdlib.h>

#define POLL USEC_SEC
#define AT_A_TIME 32 /* waiting for the catalogue */
#define LOOK_SEED 0x70327066 /* of no secret: collisions cost one missed look */

struct seen {
    int64_t id;
    uint64_t sign;  /* of what was told of it */
    uint64_t taken; /* sign when it was last added; 0: never, or to be tried again */
    bool busy;      /* another program holds it */
    bool there;
};

struct follow {
    struct db_job job;
    bool out, listed, again;
    usec next;
    struct engine_spec spec;
    struct seen *v; /* by id */
    size_t n;
    bool taking;
    size_t at;      /* those before were taken up */
    bool wait;      /* and the others have to */
    struct seen *fresh; /* the job's */
    size_t n_fresh, cap_fresh;
    bool changed;
    struct err e;
};

/* ---- on a worker ---- */

static uint64_t sign_of(const struct catalogue_item *row)
{
    uint64_t v[4] = {hash_bytes(LOOK_SEED, row->path), hash_bytes(LOOK_SEED, row->selection),
                     row->have, (uint64_t)row->state << 1 | row->has_manifest};
    uint64_t sign = hash_bytes(LOOK_SEED, BYTES(v, sizeof v));

    return sign ? sign : 1;
}

static bool held(const struct engine *g, const struct catalogue_item *row)
{
    char hex[2 * SHA256_LEN + 1];

    if (row->has_v1)
        text_hex(hex, BYTES(row->v1, sizeof row->v1));
    else
        text_hex(hex, BYTES(row->v2, sizeof row->v2));
    return row->state == CATALOGUE_PARTIAL && lock_holder(g->home.dir, hex) != 0;
}

static void list_work(struct db_job *j, struct catalogue *c)
{
    struct engine *g = j->g;
    struct follow *f = g->follow;
    struct catalogue_item row;
    int64_t after = 0;
    int rc;

    f->changed = catalogue_changed(c) || f->again;
    f->n_fresh = 0;
    if (!f->changed)
        return;
    while ((rc = catalogue_next(c, &after, &row, &f->e)) > 0) {
        if (f->n_fresh == f->cap_fresh) {
            f->cap_fresh = f->cap_fresh ? f->cap_fresh * 2 : 64;
            f->fresh = mem_grow(f->fresh, f->cap_fresh, sizeof *f->fresh);
        }
        if (row.path.n > 0)
            f->fresh[f->n_fresh++] = (struct seen){
                .id = row.id, .sign = sign_of(&row), .busy = held(g, &row), .there = true};
        catalogue_item_fini(&row);
    }
    f->changed = rc == 0; /* else next time */
}

/* ---- on the loop ---- */

static int by_id(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* True if there is such an item. */
static bool drop(struct engine *g, int64_t id)
{
    struct sleeper *s = dormant_of(g, id);

    if (s)
        dormant_drop(g, s, ENGINE_PATIENCE);
    for (struct item *it = s ? NULL : engine_next(g, NULL); it; it = engine_next(g, it))
        if (it->spec.id == id) {
            engine_drop(g, it);
            return true;
        }
    return s != NULL;
}

static void carry_over(struct follow *f)
{
    for (size_t i = 0, k = 0; i < f->n_fresh; i++) {
        while (k < f->n && f->v[k].id < f->fresh[i].id)
            k++;
        if (k < f->n && f->v[k].id == f->fresh[i].id)
            f->fresh[i].taken = f->v[k].taken;
    }
}

/* What was removed and added again is a new item of the same hashes: the old one has to be gone. */
static bool any_leaving(const struct engine *g)
{
    for (struct item *it = engine_next(g, NULL); it; it = engine_next(g, it))
        if (it->dropped)
            return true;
    return dormant_leaving(g);
}

struct item *follow_add(struct engine *g, int64_t id)
{
    g->follow->spec.id = id;
    return engine_add(g, &g->follow->spec);
}

static void take_up(struct engine *g, struct seen *s)
{
    struct follow *f = g->follow;
    bool stale = s->taken != s->sign || s->busy;
    bool there = stale && s->taken && drop(g, s->id);

    if (!stale)
        return;
    f->again |= s->busy || there || f->wait;
    if (there)
        return; /* added anew, as it is now, when it is gone */
    s->taken = 0;
    if (s->busy || f->wait)
        return;
    s->taken = s->sign;
    follow_add(g, s->id);
}

static void drop_removed(struct engine *g)
{
    struct follow *f = g->follow;

    for (size_t i = 0, k = 0; i < f->n; i++) {
        while (k < f->n_fresh && f->fresh[k].id < f->v[i].id)
            k++;
        if (k < f->n_fresh && f->fresh[k].id == f->v[i].id)
            continue;
        if (f->v[i].taken)
            drop(g, f->v[i].id);
    }
}

static void listed(struct db_job *j)
{
    struct engine *g = j->g;
    struct follow *f = g->follow;

    f->out = false;
    f->next = g->now + POLL;
    if (f->e.code) {
        engine_warn(g, NULL, "%s", f->e.msg);
        err_clear(&f->e);
    }
    if (!f->changed || g->stopping)
        return;
    if (f->n_fresh > 1)
        qsort(f->fresh, f->n_fresh, sizeof *f->fresh, by_id);
    carry_over(f);
    drop_removed(g);
    free(f->v);
    f->v = f->fresh;
    f->n = f->n_fresh;
    f->fresh = NULL;
    f->n_fresh = f->cap_fresh = 0;
    f->again = false;
    f->wait = any_leaving(g);
    f->at = 0;
    f->taking = true;
}

void follow_turn(struct engine *g)
{
    struct follow *f = g->follow;

    if (!f || !f->taking || g->stopping)
        return;
    while (f->at < f->n && g->db_jobs < AT_A_TIME)
        take_up(g, &f->v[f->at++]);
    if (f->at < f->n)
        return;
    f->taking = false;
    f->listed = true;
}

void follow_tick(struct engine *g)
{
    struct follow *f = g->follow;

    if (!f || f->out || f->taking || g->stopping || g->now < f->next)
        return;
    f->out = true;
    f->job.work = list_work;
    f->job.done = listed;
    db_submit(g, &f->job);
}

bool follow_listed(const struct engine *g)
{
    return !g->follow || g->follow->listed;
}

void engine_follow(struct engine *g, const struct engine_spec *s)
{
    struct follow *f = mem_zero(sizeof *f);

    f->spec = (struct engine_spec){
        .serve = true, .super_seed = s->super_seed, .goals = s->goals, .user = s->user};
    g->follow = f;
}

void follow_free(struct engine *g)
{
    if (!g->follow)
        return;
    free(g->follow->v);
    free(g->follow->fresh);
    free(g->follow);
    g->follow = NULL;
}

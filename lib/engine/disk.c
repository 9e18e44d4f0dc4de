/*
 * Disk and hash work as jobs for worker threads. A job owns what it needs or borrows it from an
 * item that waits for it. Blocks of one turn that go to one item travel together, and those that
 * touch are written by one call.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/lanes.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define STORE_MAX 64                    /* blocks a job, and slices of one write */
#define STORES_OUT 4                    /* jobs of an item that write */
#define NAMES_MAX 4096                  /* files that are finished together */
#define CHECK_BYTES ((uint64_t)8 << 20) /* of pieces that are checked together: still in memory, */
#define CHECK_WAIT (10 * USEC_MS)       /* and no older */

/* ---- blocks ---- */

struct store {
    struct list_node node; /* in engine.stores until submitted */
    struct item *item;
    struct tree *tree;
    const struct manifest *m;
    size_t n;
    struct store_block {
        node_id job;
        uint64_t offset;
        struct bytes data;
        bool leaf;
        uint8_t digest[SHA256_LEN];
    } v[STORE_MAX];
    int code;
    struct err e;
};

static int by_offset(const void *a, const void *b)
{
    const struct store_block *x = a, *y = b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The part of the slices that lies in [skip, skip + length). */
static size_t slice(const struct bytes *v, size_t n, uint64_t skip, uint64_t length,
                    struct bytes *out)
{
    size_t k = 0;

    for (size_t i = 0; i < n && length > 0; i++) {
        if (skip >= v[i].n) {
            skip -= v[i].n;
            continue;
        }
        size_t take = v[i].n - (size_t)skip;
        if (take > length)
            take = (size_t)length;
        out[k++] = BYTES(v[i].p + skip, take);
        skip = 0;
        length -= take;
    }
    return k;
}

/* Slices that follow one another in content space, cut where files begin. */
static int write_run(struct store *s, uint64_t offset, const struct bytes *v, size_t n)
{
    struct layout_iter it;
    struct layout_seg seg;
    uint64_t length = 0, at = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        length += v[i].n;
    layout_iter_init(&it, s->m, offset, length);
    while (rc == 0 && layout_iter_next(&it, &seg)) {
        struct bytes part[STORE_MAX];

        if (!seg.pad) {
            size_t k = slice(v, n, at, seg.length, part);
            rc = tree_pwrite(s->tree, seg.file, seg.offset, part, k, &s->e);
        }
        at += seg.length;
    }
    return rc;
}

static void hash_leaves(struct store *s)
{
    struct lanes_job jobs[STORE_MAX];
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].leaf)
            jobs[n++] = (struct lanes_job){.b = s->v[i].data, .out = s->v[i].digest};
    lanes_run(DIGEST_SHA256, jobs, n);
}

static void store_run(void *arg)
{
    struct store *s = arg;

    qsort(s->v, s->n, sizeof *s->v, by_offset);
    for (size_t i = 0; i < s->n && s->code == 0;) {
        struct bytes run[STORE_MAX];
        uint64_t end = s->v[i].offset;
        size_t k = 0, first = i;

        while (i < s->n && k < STORE_MAX && s->v[i].offset == end) {
            run[k++] = s->v[i].data;
            end += s->v[i++].data.n;
        }
        s->code = write_run(s, s->v[first].offset, run, k);
    }
    if (s->code == 0)
        hash_leaves(s);
}

static void mark_stale(struct item *it, uint64_t offset, uint64_t length)
{
    struct layout_iter iter;
    struct layout_seg seg;

    layout_iter_init(&iter, it->m, offset, length);
    while (layout_iter_next(&iter, &seg))
        if (!seg.pad)
            bits_set(&it->stale, seg.file);
}

static void store_done(void *arg)
{
    struct store *s = arg;
    struct item *it = s->item;
    struct engine *g = it->g;

    engine_job_done(g);
    it->storing--;
    it->writing--;
    for (size_t i = 0; i < s->n; i++) {
        const struct store_block *b = &s->v[i];

        mark_stale(it, b->offset, b->data.n);
        node_stored(g->node, b->job, s->code, &s->e, b->leaf ? b->digest : NULL, g->now);
    }
    free(s);
    item_job_back(it);
}

static void store_submit(struct engine *g, struct store *s)
{
    if (s->item->gathering == s)
        s->item->gathering = NULL;
    s->item->writing++;
    list_remove(&g->stores, &s->node);
    engine_work(g, store_run, store_done, s);
}

static struct store *store_for(struct engine *g, struct item *it)
{
    struct store *s = it->gathering;

    if (s && s->n < STORE_MAX)
        return s;
    s = it->gathering = mem_zero(sizeof *s);
    s->item = it;
    s->tree = item_tree(it);
    s->m = it->m;
    it->jobs++;
    it->storing++;
    list_push(&g->stores, &s->node);
    return s;
}

void disk_store(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);
    struct store *s = store_for(g, it);

    s->v[s->n++] = (struct store_block){
        .job = op->job, .offset = op->offset, .data = op->data, .leaf = op->leaf};
}

/* ---- pieces ---- */

struct check {
    node_id job;
    bool leaves;
    struct piecejob p;
};

struct checks {
    struct list_node node; /* in engine.checks until submitted */
    struct item *item;
    uint64_t bytes;
    size_t n;
    struct check v[PIECEJOB_MOST];
};

static void checks_run(void *arg)
{
    struct checks *s = arg;
    struct piecejob *v[PIECEJOB_MOST];

    for (size_t i = 0; i < s->n; i++)
        v[i] = &s->v[i].p;
    piecejob_run_each(v, s->n);
}

static void checks_done(void *arg)
{
    struct checks *s = arg;
    struct item *it = s->item;
    struct engine *g = it->g;

    engine_job_done(g);
    for (size_t i = 0; i < s->n; i++) {
        struct piecejob *p = &s->v[i].p;
        int code = p->code == ERR_NOTFOUND ? ERR_IO : p->code; /* it was there a moment ago */

        if (s->v[i].leaves)
            node_leaves(g->node, s->v[i].job, code, p->r.leaves, p->r.n_leaves, g->now);
        else
            node_checked(g->node, s->v[i].job, code, &p->e, &p->r, g->now);
        piecejob_fini(p);
    }
    free(s);
    item_job_back(it);
}

static void checks_submit(struct engine *g, struct checks *s)
{
    list_remove(&g->checks, &s->node);
    engine_work(g, checks_run, checks_done, s);
}

void disk_checks_late(void *arg)
{
    struct engine *g = arg;
    struct list_node *l;

    while ((l = list_first(&g->checks)) != NULL)
        checks_submit(g, LIST_OF(l, struct checks, node));
}

static struct checks *checks_for(struct engine *g, struct item *it)
{
    struct list_node *l = list_last(&g->checks);
    struct checks *s = l ? LIST_OF(l, struct checks, node) : NULL;

    if (s && s->item == it)
        return s;
    s = mem_zero(sizeof *s);
    s->item = it;
    it->jobs++;
    if (g->checks.count == 0)
        loop_timer_set(g->loop, &g->check_timer, g->now + CHECK_WAIT);
    list_push(&g->checks, &s->node);
    return s;
}

static bool has_pads(const struct manifest *m, uint32_t piece)
{
    struct layout_iter it;
    struct layout_seg seg;

    layout_iter_init(&it, m, (uint64_t)piece * m->piece_length, layout_piece_len(m, piece));
    while (layout_iter_next(&it, &seg))
        if (seg.pad)
            return true;
    return false;
}

static void check_add(struct engine *g, const struct node_op *op, bool leaves)
{
    struct item *it = item_of(g, op->task);
    struct checks *s = checks_for(g, it);
    struct check *c = &s->v[s->n++];

    c->job = op->job;
    c->leaves = leaves;
    piecejob_init(&c->p, it->m, item_tree(it), op->piece, !leaves && op->v1, leaves || op->v2);
    if (op->n_parts > 0 && !has_pads(it->m, op->piece)) {
        c->p.parts = op->parts;
        c->p.n_parts = op->n_parts;
    }
    s->bytes += layout_piece_len(it->m, op->piece);
    if (s->n == PIECEJOB_MOST || s->bytes >= CHECK_BYTES)
        checks_submit(g, s);
}

/* A piece waits for others, to share SIMD lanes with them, while there are blocks on their way to
 * the disk that may complete them. */
static void checks_flush(struct engine *g)
{
    struct list_node *next;

    for (struct list_node *l = list_first(&g->checks); l; l = next) {
        struct checks *s = LIST_OF(l, struct checks, node);

        next = list_next(&g->checks, l);
        if (s->item->storing == 0)
            checks_submit(g, s);
    }
    if (g->checks.count == 0)
        loop_timer_cancel(g->loop, &g->check_timer);
}

void disk_check(struct engine *g, const struct node_op *op)
{
    check_add(g, op, false);
}

void disk_leaves(struct engine *g, const struct node_op *op)
{
    check_add(g, op, true);
}

/* ---- final names ---- */

struct names {
    struct list_node node; /* in engine.names until submitted */
    struct item *item;
    size_t n, cap;
    size_t *files;
    node_id *jobs;
    int code;
    struct err e;
};

static void names_run(void *arg)
{
    struct names *s = arg;

    s->code = tree_finish_files(s->item->tree, s->files, s->n, &s->e);
}

static void tell_file(struct item *it, size_t file)
{
    if (tree_flags(it->tree, file) & (TREE_UNSELECTED | TREE_PAD | TREE_LINK))
        return;
    char *path = tree_path(it->tree, file);
    engine_tell(it->g, &(struct engine_event){
                           .kind = ENGINE_FILE, .item = it, .file = (uint32_t)file, .path = path});
    free(path);
}

static void names_done(void *arg)
{
    struct names *s = arg;
    struct item *it = s->item;
    struct engine *g = it->g;

    engine_job_done(g);
    for (size_t i = 0; i < s->n; i++) {
        bits_set(&it->stale, s->files[i]);
        if (s->code == 0)
            tell_file(it, s->files[i]);
        node_done(g->node, s->jobs[i], s->code, &s->e, g->now);
    }
    reuse_named(g);
    free(s->files);
    free(s->jobs);
    free(s);
    item_job_back(it);
}

void disk_file_done(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);
    struct list_node *l = list_last(&g->names);
    struct names *s = l ? LIST_OF(l, struct names, node) : NULL;

    if (it->outflow || it->member) {
        node_done(g->node, op->job, 0, NULL, g->now);
        return;
    }
    if (!s || s->item != it || s->n >= NAMES_MAX) {
        s = mem_zero(sizeof *s);
        s->item = it;
        item_tree(it);
        it->jobs++;
        list_push(&g->names, &s->node);
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->files = mem_grow(s->files, s->cap, sizeof *s->files);
        s->jobs = mem_grow(s->jobs, s->cap, sizeof *s->jobs);
    }
    s->files[s->n] = op->file;
    s->jobs[s->n++] = op->job;
}

/*
 * A few at a time for each item. They write one after the other, each as soon as the last is done:
 * with one, the disk would rest until the loop had heard of it and sent the next. What comes
 * meanwhile travels together.
 */
static void stores_flush(struct engine *g)
{
    struct list_node *next;

    for (struct list_node *l = list_first(&g->stores); l; l = next) {
        struct store *s = LIST_OF(l, struct store, node);

        next = list_next(&g->stores, l);
        if (s->item->writing < STORES_OUT)
            store_submit(g, s);
    }
}

void disk_flush(struct engine *g)
{
    struct list_node *l;

    stores_flush(g);
    while ((l = list_pop(&g->names)) != NULL)
        engine_work(g, names_run, names_done, LIST_OF(l, struct names, node));
    checks_flush(g);
}

void disk_end(struct engine *g)
{
    struct list_node *l;

    while ((l = list_first(&g->stores)) != NULL)
        store_submit(g, LIST_OF(l, struct store, node));
    loop_timer_cancel(g->loop, &g->check_timer);
    disk_checks_late(g);
}

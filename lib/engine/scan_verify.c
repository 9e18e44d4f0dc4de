/* What lies on the disk, held against a manifest. */
#include "engine/places.h"
#include "engine/scan_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <errno.h>
#include <stdlib.h>

struct verify {
    struct scan_verdict *v;
    const struct scan_place *p;
    struct tree *tree;
    struct tree_stat *stats; /* of each file, before anything was read */
    struct bits only, expected; /* pieces: hashed; bad if they are not good */
    struct err *e;
};

/* ---- files ---- */

static bool is_content(const struct manifest_file *f)
{
    return !(f->attr & (FILE_PAD | FILE_SYMLINK));
}

/* Which of its two names a file has. */
static int look_at(struct verify *v, uint32_t file, struct tree_stat *st)
{
    struct tree_stat final = {0}, part = {0};
    int rc = tree_stat(v->tree, file, &final, &part, v->e);

    *st = final.regular ? final : part;
    if (rc == 0 && final.regular)
        tree_set_flags(v->tree, file, TREE_FINAL, 0);
    return rc;
}

static int look_at_all(struct verify *v)
{
    const struct manifest *m = v->p->m;
    int rc = tree_check_root(v->tree, v->e);

    for (uint32_t i = 0; i < m->n_files && rc == 0; i++)
        if (is_content(&m->files[i]))
            rc = look_at(v, i, &v->stats[i]);
    return rc;
}

/* A file of ours gets its final name when all of it was verified. */
static bool has_final_names(struct verify *v, uint32_t piece)
{
    const struct manifest *m = v->p->m;
    struct layout_iter it;
    struct layout_seg g;

    layout_iter_init(&it, m, (uint64_t)piece * m->piece_length, layout_piece_len(m, piece));
    while (layout_iter_next(&it, &g))
        if (!g.pad && !(tree_flags(v->tree, g.file) & TREE_FINAL))
            return false;
    return true;
}

static void choose_pieces(struct verify *v)
{
    const struct scan_place *p = v->p;

    bits_init(&v->only, p->m->n_pieces);
    bits_init(&v->expected, p->m->n_pieces);
    for (uint32_t i = 0; i < p->m->n_pieces; i++) {
        if (p->whole || (p->recorded && bits_get(p->recorded, i)) || has_final_names(v, i))
            bits_set(&v->expected, i);
        if (!p->recorded || bits_get(&v->expected, i))
            bits_set(&v->only, i);
    }
}

static bool same(const struct tree_stat *a, const struct tree_stat *b)
{
    return a->regular == b->regular && a->size == b->size && a->inode == b->inode &&
           a->mtime_ns == b->mtime_ns;
}

static int look_again(struct verify *v)
{
    const struct manifest *m = v->p->m;
    int rc = 0;

    for (uint32_t i = 0; i < m->n_files && rc == 0; i++) {
        struct tree_stat now = {0};

        if (!is_content(&m->files[i]))
            continue;
        rc = look_at(v, i, &now);
        if (rc == 0 && !same(&now, &v->stats[i])) {
            char *path = tree_path(v->tree, i);

            rc = err_set(v->e, ERR_IO, "%s: it changed while it was being read", path);
            free(path);
        }
    }
    return rc;
}

static int open_file(void *ctx, uint32_t file, struct tree_pin *out, struct err *e)
{
    struct verify *v = ctx;
    struct err here = {0};
    int rc = tree_pin(v->tree, file, out, &here);

    if (rc == 0)
        return 0;
    if (here.os == ENOENT || here.os == ENOTDIR || here.os == ELOOP || here.os == EISDIR ||
        here.os == EINVAL || rc == ERR_USAGE)
        return ERR_NOTFOUND; /* what is no file of ours, or was never wanted, is not there */
    if (!e->code)
        *e = here;
    return rc;
}

static int close_file(void *ctx, uint32_t file, struct tree_pin *pin, struct err *e)
{
    struct verify *v = ctx;

    (void)file;
    (void)e;
    tree_unpin(v->tree, pin);
    return 0;
}

static int file_is_cut(void *ctx, uint32_t file, struct err *e)
{
    (void)ctx;
    (void)file;
    (void)e;
    return ERR_NOTFOUND;
}

/* ---- verdicts ---- */

static void add_bad(struct scan_verdict *v, const struct scan_bad *b)
{
    struct scan_bad *last = v->n_bad ? &v->bad[v->n_bad - 1] : NULL;

    if (last && last->file == b->file && last->fault == b->fault && last->last + 1 == b->first) {
        last->last = b->last;
        return;
    }
    if ((v->n_bad & (v->n_bad - 1)) == 0)
        v->bad = mem_grow(v->bad, v->n_bad ? v->n_bad * 2 : 1, sizeof *v->bad);
    v->bad[v->n_bad++] = *b;
}

/* Of a segment of a piece that did not do: what of it is not there, and what is and differs. */
static void blame(struct verify *v, const struct layout_seg *g, bool whole)
{
    const struct tree_stat *st = &v->stats[g->file];
    uint64_t end = g->offset + g->length, there = st->regular ? st->size : 0;
    struct scan_bad b = {.file = g->file};

    if (there > g->offset && whole) {
        b.fault = SCAN_DIFFERS;
        b.first = g->offset;
        b.last = (there < end ? there : end) - 1;
        add_bad(v->v, &b);
    }
    if (there < end) {
        b.fault = SCAN_MISSING;
        b.first = there > g->offset ? there : g->offset;
        b.last = end - 1;
        add_bad(v->v, &b);
    }
}

static bool is_aside(const struct verify *v, uint32_t file)
{
    return v->p->wanted && !bits_get(v->p->wanted, file);
}

/*
 * In a piece with a part that is missing, the other parts cannot be told good from bad: only what
 * is missing is blamed.
 */
static void blame_piece(struct verify *v, uint32_t piece)
{
    const struct manifest *m = v->p->m;
    struct layout_iter it;
    struct layout_seg g;
    bool whole = true;

    for (int pass = 0; pass < 2; pass++) {
        layout_iter_init(&it, m, (uint64_t)piece * m->piece_length, layout_piece_len(m, piece));
        while (layout_iter_next(&it, &g)) {
            if (g.pad || is_aside(v, g.file))
                continue;
            if (pass == 1)
                blame(v, &g, whole);
            else if (!v->stats[g.file].regular || v->stats[g.file].size < g.offset + g.length)
                whole = false;
        }
    }
}

static void too_long(struct verify *v, uint32_t file)
{
    const struct manifest_file *f = &v->p->m->files[file];
    const struct tree_stat *st = &v->stats[file];

    if (st->regular && st->size > f->length)
        add_bad(v->v, &(struct scan_bad){SCAN_TOO_LONG, file, f->length, st->size - 1});
}

static void absent(struct verify *v, uint32_t file)
{
    const struct manifest_file *f = &v->p->m->files[file];

    if (f->length == 0 && !v->stats[file].regular && !is_aside(v, file) && v->p->whole)
        add_bad(v->v, &(struct scan_bad){SCAN_MISSING, file, 0, 0});
}

static int by_place(const void *x, const void *y)
{
    const struct scan_bad *a = x, *b = y;

    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static void list_bad(struct verify *v)
{
    const struct manifest *m = v->p->m;

    for (uint32_t i = 0; i < m->n_pieces; i++)
        if (!bits_get(&v->v->good, i) && bits_get(&v->expected, i))
            blame_piece(v, i);
    for (uint32_t i = 0; i < m->n_files; i++)
        if (is_content(&m->files[i])) {
            too_long(v, i);
            absent(v, i);
        }
    if (v->v->n_bad > 1)
        qsort(v->v->bad, v->v->n_bad, sizeof *v->v->bad, by_place);
}

static void make_record(struct verify *v)
{
    const struct manifest *m = v->p->m;
    struct record *r = &v->v->record;

    record_init(r);
    digest_sha256(r->content, m->info);
    bits_copy(&r->have, &v->v->good);
    r->files = mem_array(m->n_files ? m->n_files : 1, sizeof *r->files);
    r->n_files = m->n_files;
    for (uint32_t i = 0; i < m->n_files; i++)
        if (v->stats[i].regular)
            r->files[i] = (struct record_file){.present = true,
                                               .size = v->stats[i].size,
                                               .mtime_ns = v->stats[i].mtime_ns,
                                               .inode = v->stats[i].inode};
}

/* ---- all of it ---- */

static void take_piece(void *arg, uint32_t piece, const struct scan_piece *p)
{
    struct verify *v = arg;
    struct piecehash_result r = {0};

    if (p->code)
        return;
    memcpy(r.v1, p->v1, SHA1_LEN);
    memcpy(r.root, p->root, SHA256_LEN);
    v->v->checked += layout_piece_len(v->p->m, piece);
    if (piecehash_check(v->p->m, piece, &r) == PIECE_GOOD)
        bits_set(&v->v->good, piece);
}

static int hash_all(struct verify *v, const struct scan_watch *w)
{
    struct scan_hash h = {
        .m = v->p->m,
        .source = {.ctx = v, .open = open_file, .close = close_file, .cut = file_is_cut},
        .only = &v->only,
        .go_on = true,
        .watch = w,
        .piece = take_piece,
        .arg = v,
    };

    return scan_hash(&h, v->e);
}

int scan_verify(struct scan_verdict *out, const struct scan_place *p, const struct scan_watch *w,
                struct err *e)
{
    struct fdcache *files = fdcache_new(FDCACHE_USUAL);
    struct places where = {
        .m = p->m, .path = p->path, .where = p->where, .wanted = p->wanted, .side = p->side};
    struct verify v = {.v = out, .p = p, .e = e};
    int rc;

    *out = (struct scan_verdict){0};
    bits_init(&out->good, p->m->n_pieces);
    v.tree = places_tree(files, &where);
    v.stats = mem_array(p->m->n_files ? p->m->n_files : 1, sizeof *v.stats);
    if (!p->m->has_v1 && manifest_layers_missing(p->m, NULL) > 0)
        rc = err_set(e, ERR_INVALID, "%s: its manifest came without piece layers", p->m->name);
    else
        rc = look_at_all(&v);
    if (rc == 0) {
        choose_pieces(&v);
        rc = hash_all(&v, w);
    }
    if (rc == 0)
        rc = look_again(&v);
    if (rc == 0) {
        list_bad(&v);
        out->have = scan_content(p->m, &out->good);
        make_record(&v);
    }
    bits_fini(&v.only);
    bits_fini(&v.expected);
    free(v.stats);
    tree_free(v.tree);
    fdcache_free(files);
    return rc;
}

void scan_verdict_fini(struct scan_verdict *v)
{
    bits_fini(&v->good);
    record_fini(&v->record);
    free(v->bad);
    *v = (struct scan_verdict){0};
}

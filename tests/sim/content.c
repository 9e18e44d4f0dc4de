/* Content and manifests to play with. */
#include "tube.h"

#include <p2p/base/mem.h>
#include <p2p/format/author.h>
#include <p2p/format/layout.h>
#include <stdlib.h>

uint8_t *tube_content(struct rng *r, uint64_t n)
{
    uint8_t *p = mem_alloc(n + 1);
    rng_fill(r, p, n);
    return p;
}

static void fill(struct rng *r, const struct manifest *m, uint8_t *content)
{
    for (uint32_t i = 0; i < m->n_files; i++)
        if (!(m->files[i].attr & FILE_PAD))
            rng_fill(r, content + m->files[i].offset, m->files[i].length);
}

static void hash(struct author *a, const struct manifest *m, const uint8_t *content)
{
    struct piecehash *h = piecehash_new();
    for (uint32_t p = 0; p < m->n_pieces; p++) {
        struct piecehash_result r;
        piecehash_begin(h, m, p);
        piecehash_more(h, BYTES(content + (uint64_t)p * m->piece_length, layout_piece_len(m, p)));
        piecehash_end(h, &r);
        author_set(a, p, &r);
    }
    piecehash_free(h);
}

struct manifest *tube_manifest(struct rng *r, const char *name, const struct tube_file *v, size_t n,
                               int format, uint32_t piece_length, uint8_t **content)
{
    static const enum author_format kind[] = {AUTHOR_V1, AUTHOR_V1, AUTHOR_V2, AUTHOR_HYBRID};
    struct author_options o = {
        .format = kind[format], .piece_length = piece_length, .name = name, .creation_date = -1};
    struct author_entry *e = mem_array(n, sizeof *e);
    struct err err = {0};
    for (size_t i = 0; i < n; i++)
        e[i] = (struct author_entry){.path = v[i].path, .length = v[i].length};
    struct author *a = author_new(&o, e, n, &err);
    if (!a)
        abort();
    const struct manifest *plan = author_plan(a);
    *content = mem_zero(plan->space + 1);
    fill(r, plan, *content);
    hash(a, plan, *content);
    struct manifest *m = author_finish(a, &err);
    if (!m)
        abort();
    author_free(a);
    free(e);
    return m;
}

struct manifest *tube_copy(const struct manifest *m)
{
    struct err e = {0};
    struct buf b = {0};
    manifest_write(m, &b);
    struct manifest *copy = manifest_parse(buf_bytes(&b), &e);
    buf_fini(&b);
    return copy;
}

struct manifest *tube_private(const struct manifest *m)
{
    struct err e = {0};
    struct buf b = {0}, made = {0};
    manifest_write(m, &b);
    struct bytes all = buf_bytes(&b);
    const uint8_t *at = memmem(all.p, all.n, m->info.p, m->info.n);
    size_t before = (size_t)(at - all.p), after = all.n - before - m->info.n;
    buf_put(&made, all.p, before + m->info.n - 1);
    buf_put_str(&made, "7:privatei1ee");
    buf_put(&made, at + m->info.n, after);
    struct manifest *copy = manifest_parse(buf_bytes(&made), &e);
    buf_fini(&made);
    buf_fini(&b);
    return copy;
}

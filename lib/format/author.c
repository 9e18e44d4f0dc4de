/*
 * Making a manifest: the plan (which file stands where), the hashes as they come, the whole.
 * author_write.c puts the info dictionary together.
 */
#include "author_int.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/format/merkle.h>
#include <p2p/format/names.h>
#include <stdlib.h>

struct author {
    struct manifest *plan; /* NULL: given away */
    uint32_t *entry_of;  /* of each file of the plan */
    struct bits set;     /* pieces whose result is in */
    uint8_t *v1, *roots; /* of each piece; the plan's memory */
};

/* What making the plan needs. */
struct planner {
    struct author *a;
    enum author_format format;
    struct manifest_reader *r; /* lends its path checks */
    const struct author_entry *entries;
    struct map *pads; /* length → how many pads have it */
};

/*
 * Twice the content takes twice the pieces and twice their length by turns: 128 pieces for 2 MiB,
 * 8,192 for 8 GiB, 65,536 of 16 MiB for a terabyte, whose manifest is 1.3 MB in v1, 2 MB in v2.
 */
static bool too_many(uint64_t whole_pieces, uint32_t piece_length)
{
    return whole_pieces > piece_length / 128;
}

uint32_t author_piece_length(uint64_t total)
{
    uint32_t p = AUTHOR_MIN_PIECE;
    while (p < AUTHOR_MAX_PIECE && too_many(total / p, p))
        p *= 2;
    return p;
}

/*
 * In v2 every file has a piece of its own anyway, and in a hybrid padding up to its end that v1 has
 * to hash; so only whole pieces count, and a hundred thousand small files get small pieces.
 */
static uint32_t piece_length_v2(const struct author_entry *entries, size_t n)
{
    for (uint32_t p = AUTHOR_MIN_PIECE; p < AUTHOR_MAX_PIECE; p *= 2) {
        uint64_t whole = 0;
        for (size_t i = 0; i < n; i++)
            if (!num_add(whole, entries[i].length / p, &whole))
                return AUTHOR_MAX_PIECE;
        if (!too_many(whole, p))
            return p;
    }
    return AUTHOR_MAX_PIECE;
}

static uint32_t choose_piece_length(const struct author_options *o,
                                    const struct author_entry *entries, size_t n)
{
    uint64_t total = 0;
    if (o->piece_length)
        return o->piece_length;
    if (o->format != AUTHOR_V1)
        return piece_length_v2(entries, n);
    for (size_t i = 0; i < n; i++)
        if (!num_add(total, entries[i].length, &total))
            return AUTHOR_MAX_PIECE;
    return author_piece_length(total);
}

static int check_options(const struct author_options *o, size_t n, struct err *e)
{
    uint32_t p = o->piece_length;
    if (!o->name || !names_component_ok(bytes_str(o->name)) || strlen(o->name) > MANIFEST_MAX_PATH)
        return err_set(e, ERR_INVALID, "the name of a manifest must be a file name");
    if (p && (p < AUTHOR_MIN_PIECE || p > AUTHOR_MAX_PIECE || !num_is_pow2(p)))
        return err_set(e, ERR_INVALID, "piece length: not a power of two from 16 KiB to 128 MiB");
    if (n == 0)
        return err_set(e, ERR_INVALID, "no files to make a manifest of");
    if (n > MANIFEST_MAX_FILES)
        return err_set(e, ERR_LIMIT, "more than %u files", MANIFEST_MAX_FILES);
    return 0;
}

/* A path of the caller's, component by component, as the reader would take it. */
static int keep_path(struct planner *p, const char *path, const char **out)
{
    unsigned depth = 0;
    p->r->path_len = 0;
    for (const char *at = path, *slash; at; at = slash ? slash + 1 : NULL) {
        slash = strchr(at, '/');
        int rc =
            manifest_path_add(p->r, BYTES(at, slash ? (size_t)(slash - at) : strlen(at)), false);
        if (rc < 0)
            return rc;
        if (++depth > MANIFEST_MAX_PATH_DEPTH)
            return err_set(p->r->e, ERR_LIMIT, "a path deeper than %d", MANIFEST_MAX_PATH_DEPTH);
    }
    return manifest_path_keep(p->r, out);
}

static int add_entry(struct planner *p, const struct author_entry *en)
{
    struct manifest_file *f = manifest_file_add(p->r);
    if (!f)
        return ERR_LIMIT;
    f->attr = en->attr & (FILE_EXEC | FILE_HIDDEN | FILE_SYMLINK);
    f->length = en->length;
    /* Until files are sorted, the entry's index waits where the offset will stand. */
    f->offset = (uint64_t)(en - p->entries);
    int rc = p->r->m->multi ? keep_path(p, en->path ? en->path : "", &f->path) : 0;
    if (!p->r->m->multi)
        f->path = p->r->m->name;
    if (rc < 0 || !(f->attr & FILE_SYMLINK))
        return rc;
    p->r->links++;
    if (!en->target || en->length)
        return manifest_bad_path(p->r, "a symlink without a target, or with a length", f->path);
    return keep_path(p, en->target, &f->target);
}

static int cmp_files(const void *x, const void *y)
{
    const struct manifest_file *a = x, *b = y;
    return manifest_path_cmp(a->path, b->path);
}

static bool in_order(const struct manifest *m)
{
    for (uint32_t i = 1; i < m->n_files; i++)
        if (cmp_files(&m->files[i - 1], &m->files[i]) > 0)
            return false;
    return true;
}

/* All entries in the order of the v2 file tree, without offsets yet. */
static int take_entries(struct planner *p, size_t n)
{
    struct manifest *m = p->r->m;
    const struct author_entry *first = p->entries;
    int rc = 0;
    m->multi = n > 1 || (first->path && *first->path);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_entry(p, &p->entries[i]);
    if (rc < 0)
        return rc;
    if (!in_order(m)) /* as a walk gives them */
        qsort(m->files, m->n_files, sizeof *m->files, cmp_files);
    if (p->format == AUTHOR_V2 && m->multi && n == 1 && strcmp(m->files[0].path, m->name) == 0)
        return manifest_bad_path(
            p->r, "v2 alone cannot tell a folder from its only file of the same name", m->name);
    return manifest_check_paths(p->r);
}

static int end_at(struct planner *p, uint64_t space)
{
    struct manifest *m = p->r->m;
    uint64_t n = num_ceil_div(space, m->piece_length);
    if (n > MANIFEST_MAX_PIECES)
        return err_set(p->r->e, ERR_LIMIT, "more than %u pieces: larger pieces are needed",
                       MANIFEST_MAX_PIECES);
    m->n_pieces = (uint32_t)n;
    m->space = space;
    return 0;
}

/*
 * ".pad/LENGTH", as everybody names them (BEP 47); the second of a length and those behind it get a
 * number as well, because there are clients (rtorrent) that refuse one path twice, pads included.
 */
static size_t pad_name(struct planner *p, uint64_t length, char *out)
{
    size_t n = 5;
    struct bytes key = BYTES(&length, sizeof length);
    uintptr_t seen = (uintptr_t)map_get(p->pads, key);
    map_put(p->pads, key, (void *)(seen + 1)); /* a count in a pointer's place */
    memcpy(out, ".pad/", n);
    n += num_text(out + n, length);
    if (seen > 0) {
        out[n++] = '.';
        n += num_text(out + n, seen);
    }
    return n;
}

/* Padding up to the next piece (BEP 47), as a file of the plan. */
static int add_pad(struct planner *p)
{
    struct manifest *m = p->r->m;
    uint64_t over = m->space % m->piece_length;
    if (over == 0)
        return 0;
    struct manifest_file *f = manifest_file_add(p->r);
    if (!f)
        return ERR_LIMIT;
    f->attr = FILE_PAD;
    f->length = m->piece_length - over;
    f->offset = m->space;
    p->r->path_len = pad_name(p, f->length, p->r->path);
    int rc = manifest_path_keep(p->r, &f->path);
    return rc < 0 ? rc : end_at(p, m->space + f->length);
}

static int place_file(struct planner *p, const struct manifest_file *from)
{
    struct manifest *m = p->r->m;
    uint64_t end, over = m->space % m->piece_length;
    struct manifest_file *f = manifest_file_add(p->r);
    if (!f)
        return ERR_LIMIT;
    *f = *from;
    p->a->entry_of[m->n_files - 1] = (uint32_t)from->offset;
    f->offset = m->space;
    if (p->format == AUTHOR_V2 && f->length && over)
        f->offset += m->piece_length - over;
    if (!num_add(f->offset, f->length, &end))
        return err_set(p->r->e, ERR_LIMIT, "sizes that add up past 64 bits");
    m->size += f->length;
    return end_at(p, end);
}

/* The sorted files again, each at its place, with pads between those of a hybrid folder. */
static int place_all(struct planner *p)
{
    struct manifest *m = p->r->m;
    struct manifest_file *sorted = m->files;
    uint32_t n = m->n_files;
    bool pads = p->format == AUTHOR_HYBRID && n > 1;
    int rc = 0;
    m->files = NULL;
    m->n_files = p->r->cap_files = 0;
    p->a->entry_of = mem_array((size_t)n * (pads ? 2 : 1), sizeof *p->a->entry_of);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        rc = place_file(p, &sorted[i]);
        if (rc == 0 && pads && sorted[i].length) {
            rc = add_pad(p);
            if (m->files[m->n_files - 1].attr & FILE_PAD)
                p->a->entry_of[m->n_files - 1] = UINT32_MAX;
        }
    }
    free(sorted);
    return rc;
}

static int check_weight(const struct manifest *m, struct err *e)
{
    struct author_weight w = author_weigh(m);
    if (w.tokens > BENCODE_MAX_TOKENS)
        return err_set(e, ERR_LIMIT,
                       "too many files for one manifest of this format (v1 alone takes the most)");
    if (w.bytes > MANIFEST_MAX_BYTES)
        return err_set(e, ERR_LIMIT,
                       "the manifest would be longer than %u bytes: larger pieces are needed",
                       MANIFEST_MAX_BYTES);
    return 0;
}

static char *own(struct manifest *m, const char *s)
{
    return s ? manifest_strn(m, bytes_str(s)) : NULL;
}

static void take_options(struct manifest *m, const struct author_options *o)
{
    m->name = own(m, o->name);
    m->comment = own(m, o->comment);
    m->source = own(m, o->source);
    m->created_by = own(m, o->created_by);
    m->creation_date = o->creation_date;
    m->private_flag = o->private_flag;
}

struct author *author_new(const struct author_options *o, const struct author_entry *entries,
                          size_t n, struct err *e)
{
    if (check_options(o, n, e) < 0)
        return NULL;
    struct author *a = mem_zero(sizeof *a);
    struct manifest *m = a->plan = manifest_blank();
    struct planner p = {
        .a = a, .format = o->format, .r = mem_zero(sizeof *p.r), .entries = entries,
        .pads = map_new(0)};
    p.r->m = m;
    p.r->e = e;
    p.r->strict_links = true;
    take_options(m, o);
    m->piece_length = choose_piece_length(o, entries, n);
    int rc = take_entries(&p, n);
    if (rc == 0)
        rc = place_all(&p);
    free(p.r);
    map_free(p.pads);
    /* Not before: what is planned by hand is checked by the rules of a folder without a tree. */
    m->has_v1 = o->format != AUTHOR_V2;
    m->has_v2 = o->format != AUTHOR_V1;
    if (rc == 0)
        rc = check_weight(m, e);
    if (rc < 0) {
        author_free(a);
        return NULL;
    }
    bits_init(&a->set, m->n_pieces);
    a->v1 = m->has_v1 ? manifest_alloc(m, (size_t)m->n_pieces * SHA1_LEN) : NULL;
    a->roots = m->has_v2 ? manifest_alloc(m, (size_t)m->n_pieces * SHA256_LEN) : NULL;
    return a;
}

void author_free(struct author *a)
{
    if (!a)
        return;
    manifest_free(a->plan);
    bits_fini(&a->set);
    free(a->entry_of);
    free(a);
}

const struct manifest *author_plan(const struct author *a)
{
    return a->plan;
}

uint32_t author_entry_of(const struct author *a, uint32_t file)
{
    return a->entry_of[file];
}

void author_set(struct author *a, uint32_t piece, const struct piecehash_result *r)
{
    if (piece >= a->plan->n_pieces)
        return;
    bits_set(&a->set, piece);
    if (a->v1)
        memcpy(a->v1 + (size_t)piece * SHA1_LEN, r->v1, SHA1_LEN);
    if (a->roots)
        memcpy(a->roots + (size_t)piece * SHA256_LEN, r->root, SHA256_LEN);
}

/* Gives each file its root and layer out of the pieces' roots. */
static void set_roots(struct author *a)
{
    struct manifest *m = a->plan;
    unsigned height = num_log2(m->piece_length / MERKLE_BLOCK);
    for (uint32_t i = 0; i < m->n_files; i++) {
        struct manifest_file *f = &m->files[i];
        if (f->length == 0 || (f->attr & FILE_PAD))
            continue;
        const uint8_t *layer = a->roots + (size_t)(f->offset / m->piece_length) * SHA256_LEN;
        f->root = layer;
        if (f->length <= m->piece_length)
            continue;
        uint8_t *root = manifest_alloc(m, SHA256_LEN);
        f->layer = layer;
        f->layer_n = (uint32_t)num_ceil_div(f->length, m->piece_length);
        merkle_root(root, layer, f->layer_n, (size_t)num_pow2_ceil(f->layer_n), height);
        f->root = root;
    }
    manifest_index_roots(m);
}

struct manifest *author_finish(struct author *a, struct err *e)
{
    struct manifest *m = a->plan;
    struct buf info = {0};
    if (!bits_full(&a->set)) {
        err_set(e, ERR_FAIL, "a manifest of which pieces are not hashed");
        return NULL;
    }
    buf_room(&info, (size_t)author_weigh(m).bytes);
    if (m->has_v2)
        set_roots(a);
    m->pieces = a->v1;
    author_write_info(m, &info);
    m->raw = m->info = buf_take(&info);
    manifest_hash_info(m);
    a->plan = NULL;
    return m;
}

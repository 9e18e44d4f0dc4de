/*
 * The manifest: its memory, the info dictionary's frame, and the questions asked of a finished one.
 * Every check that HOSTILE.md names for manifests is made before a `struct manifest` leaves here.
 */
#include "manifest_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <p2p/format/merkle.h>
#include <p2p/format/names.h>
#include <stdlib.h>

/* Chunks of the arena double, so that a small manifest is small and a large one has few. */
#define ARENA_FIRST 128u /* many manifests are of one small file, and stay in memory */
#define ARENA_LARGEST (1u << 20)

struct chunk {
    struct chunk *next;
    size_t used, cap;
    max_align_t data[];
};
struct arena {
    struct chunk *chunks; /* the first is being filled */
    uint32_t *by_root;    /* files with a pieces root, sorted by it */
    uint32_t n_by_root;
};

/* ---- memory ---- */

struct manifest *manifest_blank(void)
{
    struct manifest *m = mem_zero(sizeof *m);
    m->arena = mem_zero(sizeof(struct arena));
    m->creation_date = -1;
    return m;
}

void *manifest_alloc(struct manifest *m, size_t n)
{
    struct arena *a = m->arena;
    size_t want = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!a->chunks || a->chunks->cap - a->chunks->used < want) {
        size_t cap = !a->chunks                       ? ARENA_FIRST
                     : a->chunks->cap < ARENA_LARGEST ? a->chunks->cap * 2
                                                      : ARENA_LARGEST;
        if (cap < want)
            cap = want;
        struct chunk *c = mem_alloc(sizeof *c + cap);
        *c = (struct chunk){.next = a->chunks, .cap = cap};
        a->chunks = c;
    }
    void *p = (uint8_t *)a->chunks->data + a->chunks->used;
    a->chunks->used += want;
    return p;
}

char *manifest_strn(struct manifest *m, struct bytes s)
{
    const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
    size_t n = nul ? (size_t)(nul - s.p) : s.n;
    char *p = manifest_alloc(m, n + 1);
    if (n)
        memcpy(p, s.p, n);
    p[n] = 0;
    return p;
}

static void arena_free(struct arena *a)
{
    for (struct chunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(a->by_root);
    free(a);
}

void manifest_free(struct manifest *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n_tiers; i++)
        free(m->tiers[i].urls);
    free(m->tiers);
    free(m->web_seeds);
    free(m->nodes);
    free(m->files);
    bytes_free(m->raw);
    arena_free(m->arena);
    free(m);
}

/* ---- what the readers share ---- */

int manifest_bad(struct manifest_reader *r, const char *what)
{
    return err_set(r->e, ERR_INVALID, "manifest: %s", what);
}

int manifest_bad_path(struct manifest_reader *r, const char *what, const char *path)
{
    struct buf shown = {0};
    text_show(&shown, bytes_str(path));
    char *s = buf_take_str(&shown);
    err_set(r->e, ERR_INVALID, "manifest: %s: %.300s", what, s);
    free(s);
    return ERR_INVALID;
}

static bool is_dots(struct bytes c)
{
    return bytes_is(c, ".") || bytes_is(c, "..");
}

int manifest_path_add(struct manifest_reader *r, struct bytes c, bool dots)
{
    if (!names_component_ok(c) && !(dots && is_dots(c)))
        return manifest_bad(r, "a path component that is empty, '.', '..', or holds '/' or NUL");
    size_t slash = r->path_len > 0;
    if (c.n > MANIFEST_MAX_PATH || r->path_len + slash + c.n > MANIFEST_MAX_PATH)
        return err_set(r->e, ERR_LIMIT, "manifest: a path longer than %u bytes", MANIFEST_MAX_PATH);
    if (slash)
        r->path[r->path_len++] = '/';
    memcpy(r->path + r->path_len, c.p, c.n);
    r->path_len += c.n;
    r->path[r->path_len] = 0;
    return 0;
}

int manifest_path_list(struct manifest_reader *r, bnode list, bool dots)
{
    struct bytes c;
    r->path_len = 0;
    if (bencode_type(r->b, list) != BENCODE_LIST || bencode_count(r->b, list) == 0)
        return manifest_bad(r, "an entry without a path");
    if (bencode_count(r->b, list) > MANIFEST_MAX_PATH_DEPTH)
        return err_set(r->e, ERR_LIMIT, "manifest: a path deeper than %d", MANIFEST_MAX_PATH_DEPTH);
    for (bnode n = bencode_first(r->b, list); n != BNODE_NONE; n = bencode_next(r->b, n)) {
        int rc = bencode_str(r->b, n, &c) ? manifest_path_add(r, c, dots)
                                          : manifest_bad(r, "a path component that is no string");
        if (rc < 0)
            return rc;
    }
    return 0;
}

int manifest_path_keep(struct manifest_reader *r, const char **out)
{
    r->path_bytes += r->path_len + 1;
    if (r->path_bytes > MANIFEST_MAX_PATHS)
        return err_set(r->e, ERR_LIMIT, "manifest: paths of more than %u bytes",
                       MANIFEST_MAX_PATHS);
    *out = manifest_strn(r->m, BYTES(r->path, r->path_len));
    return 0;
}

struct manifest_file *manifest_file_add(struct manifest_reader *r)
{
    struct manifest *m = r->m;
    if (m->n_files >= MANIFEST_MAX_FILES) {
        err_set(r->e, ERR_LIMIT, "manifest: more than %u files", MANIFEST_MAX_FILES);
        return NULL;
    }
    if (m->n_files == r->cap_files) {
        r->cap_files = r->cap_files ? r->cap_files * 2 : 1;
        m->files = mem_grow(m->files, r->cap_files, sizeof *m->files);
    }
    struct manifest_file *f = &m->files[m->n_files++];
    memset(f, 0, sizeof *f);
    return f;
}

uint8_t manifest_attr(struct manifest_reader *r, bnode dict)
{
    static const struct {
        char letter;
        uint8_t attr;
    } known[] = {{'p', FILE_PAD}, {'x', FILE_EXEC}, {'h', FILE_HIDDEN}, {'l', FILE_SYMLINK}};
    struct bytes s;
    uint8_t attr = 0;
    if (!bencode_get_str(r->b, dict, "attr", &s))
        return 0;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (s.n && memchr(s.p, known[k].letter, s.n))
            attr |= known[k].attr;
    return attr & FILE_PAD ? FILE_PAD : attr;
}

/*
 * BEP 47 does not demand a length of symlinks; where it stands it has to be zero, or clients that
 * know nothing of links would place the files behind it elsewhere.
 */
int manifest_entry(struct manifest_reader *r, bnode dict, struct manifest_file *f)
{
    bool link = f->attr & FILE_SYMLINK;
    bnode length = bencode_get(r->b, dict, "length");
    if (!(link && length == BNODE_NONE) && !bencode_uint(r->b, length, &f->length))
        return manifest_bad(r, "a file without a length, or with one that is no size");
    if (!link)
        return 0;
    if (f->length != 0)
        return manifest_bad(r, "a symlink with a length");
    r->links++;
    int rc = manifest_path_list(r, bencode_get(r->b, dict, "symlink path"), true);
    return rc < 0 ? rc : manifest_path_keep(r, &f->target);
}

/* ---- the info dictionary ---- */

/* The BEP 3 name, or its ".utf-8" twin where that is valid: the twin was made for display. */
static int read_name(struct manifest_reader *r)
{
    struct bytes name, utf8;
    if (!bencode_get_str(r->b, r->info, "name", &name))
        name = BYTES("", 0);
    if (bencode_get_str(r->b, r->info, "name.utf-8", &utf8) && names_component_ok(utf8) &&
        text_utf8_valid(utf8))
        name = utf8;
    if (!names_component_ok(name))
        return manifest_bad(r, "no name, or one that is no file name");
    if (name.n > MANIFEST_MAX_PATH)
        return err_set(r->e, ERR_LIMIT, "manifest: a name longer than %u bytes", MANIFEST_MAX_PATH);
    r->m->name = manifest_strn(r->m, name);
    return 0;
}

static int read_piece_length(struct manifest_reader *r)
{
    uint64_t n;
    if (!bencode_get_uint(r->b, r->info, "piece length", &n) || n == 0)
        return manifest_bad(r, "no piece length");
    if (n > MANIFEST_MAX_PIECE_READ)
        return err_set(r->e, ERR_LIMIT, "manifest: pieces longer than %u bytes",
                       MANIFEST_MAX_PIECE_READ);
    if (r->m->has_v2 && (n < MERKLE_BLOCK || !num_is_pow2(n)))
        return manifest_bad(r, "a v2 piece length that is no power of two from 16 KiB");
    r->m->piece_length = (uint32_t)n;
    return 0;
}

/*
 * Which halves there are. A later `meta version` may mean anything (BEP 52 wants it checked first),
 * so such a manifest is good only for the v1 half that it may have.
 */
static int read_version(struct manifest_reader *r)
{
    struct manifest *m = r->m;
    int64_t version = 0;
    bool stated = bencode_get(r->b, r->info, "meta version") != BNODE_NONE;
    bool files = bencode_get(r->b, r->info, "files") != BNODE_NONE ||
                 bencode_get(r->b, r->info, "length") != BNODE_NONE;
    bool pieces = bencode_get(r->b, r->info, "pieces") != BNODE_NONE;
    bencode_get_int(r->b, r->info, "meta version", &version);
    m->has_v1 = files && pieces;
    m->has_v2 = version == 2;
    if (m->has_v1 || (m->has_v2 && !files && !pieces))
        return 0;
    if (m->has_v2)
        return manifest_bad(r, "half of a v1 description beside the v2 one");
    if (stated)
        return manifest_bad(r, "a meta version that is not known here");
    return manifest_bad(r, "no files, or no pieces");
}

void manifest_hash_info(struct manifest *m)
{
    if (m->has_v1)
        digest_sha1(m->hash_v1, m->info);
    if (m->has_v2)
        digest_sha256(m->hash_v2, m->info);
}

static void read_details(struct manifest_reader *r)
{
    struct bytes s;
    int64_t private_flag = 0;
    if (bencode_get_str(r->b, r->info, "source", &s))
        r->m->source = manifest_strn(r->m, s);
    r->m->private_flag =
        bencode_get_int(r->b, r->info, "private", &private_flag) && private_flag != 0;
}

static int sum_up(struct manifest_reader *r)
{
    struct manifest *m = r->m;
    uint32_t real = 0;
    for (uint32_t i = 0; i < m->n_files; i++) {
        if (m->files[i].attr & FILE_PAD)
            continue;
        m->size += m->files[i].length;
        real++;
    }
    return real ? 0 : manifest_bad(r, "no files");
}

static int read_info(struct manifest_reader *r)
{
    static int (*const steps[])(struct manifest_reader *) = {
        read_version,     read_name, read_piece_length,    manifest_read_v1,
        manifest_read_v2, sum_up,    manifest_check_paths,
    };
    if (bencode_type(r->b, r->info) != BENCODE_DICT)
        return manifest_bad(r, "no info dictionary");
    if (!bencode_unique(r->b, r->info))
        return manifest_bad(r, "a key that stands twice in info");
    r->m->info = bencode_raw(r->b, r->info);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int rc = steps[i](r);
        if (rc < 0)
            return rc;
    }
    manifest_hash_info(r->m);
    read_details(r);
    manifest_index_roots(r->m);
    return 0;
}

/* Reads m->raw; takes m. `whole`: a .torrent, where what stands around info counts too. */
static struct manifest *read_raw(struct manifest *m, bool whole, struct err *e)
{
    size_t used;
    int rc = ERR_INVALID;
    struct manifest_reader *r = mem_zero(sizeof *r);
    r->m = m;
    r->e = e;
    r->b = bencode_parse(m->raw, BENCODE_LENIENT, 0, &used, e);
    if (!r->b)
        goto out;
    r->info = bencode_get(r->b, 0, "info");
    rc = read_info(r);
    if (rc == 0 && whole && m->has_v2)
        rc = manifest_read_layers(r, bencode_get(r->b, 0, "piece layers"));
    if (rc == 0)
        manifest_read_outer(r, 0);
out:
    bencode_free(r->b);
    free(r);
    if (rc == 0)
        return m;
    manifest_free(m);
    return NULL;
}

struct manifest *manifest_parse(struct bytes raw, struct err *e)
{
    if (raw.n > MANIFEST_MAX_BYTES) {
        err_set(e, ERR_LIMIT, "manifest: longer than %u bytes", MANIFEST_MAX_BYTES);
        return NULL;
    }
    struct manifest *m = manifest_blank();
    m->raw = BYTES(mem_dup(raw.p, raw.n), raw.n);
    return read_raw(m, true, e);
}

struct manifest *manifest_parse_info(struct bytes info, struct err *e)
{
    if (info.n > MANIFEST_MAX_INFO) {
        err_set(e, ERR_LIMIT, "manifest: metadata longer than %u bytes", MANIFEST_MAX_INFO);
        return NULL;
    }
    struct buf b = {0};
    bencode_put_dict(&b);
    bencode_put_lit(&b, "info");
    buf_put_bytes(&b, info);
    bencode_put_end(&b);
    struct manifest *m = manifest_blank();
    m->raw = buf_take(&b);
    m = read_raw(m, false, e);
    /* "1:xe…" inside the slice could otherwise close the frame that was put around it. */
    if (m && m->info.n != info.n) {
        err_set(e, ERR_INVALID, "manifest: metadata that does not end where it should");
        manifest_free(m);
        return NULL;
    }
    return m;
}

/* ---- a finished one ---- */

static int cmp_root(const struct manifest *m, uint32_t file, const uint8_t *root)
{
    return memcmp(m->files[file].root, root, SHA256_LEN);
}

struct root_ref {
    uint64_t head; /* of the root, which decides nearly always */
    const uint8_t *root;
    uint32_t file;
};

static int cmp_refs(const void *x, const void *y)
{
    const struct root_ref *a = x, *b = y;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    int c = memcmp(a->root, b->root, SHA256_LEN);
    return c ? c : a->file < b->file ? -1 : a->file > b->file;
}

void manifest_index_roots(struct manifest *m)
{
    struct arena *a = m->arena;
    struct root_ref *refs = m->has_v2 ? mem_array(m->n_files, sizeof *refs) : NULL;
    uint32_t n = 0;
    free(a->by_root);
    a->by_root = NULL;
    for (uint32_t i = 0; refs && i < m->n_files; i++)
        if (m->files[i].root)
            refs[n++] = (struct root_ref){get_be64(m->files[i].root), m->files[i].root, i};
    if (n > 0) {
        qsort(refs, n, sizeof *refs, cmp_refs);
        a->by_root = mem_array(n, sizeof *a->by_root);
        for (uint32_t i = 0; i < n; i++)
            a->by_root[i] = refs[i].file;
    }
    a->n_by_root = n;
    free(refs);
}

const uint32_t *manifest_root_order(const struct manifest *m, uint32_t *n)
{
    const struct arena *a = m->arena;
    *n = a->n_by_root;
    return a->by_root;
}

/* The first in that order whose root is not below this one. */
static uint32_t lower_root(const struct manifest *m, const uint8_t *root)
{
    const struct arena *a = m->arena;
    uint32_t low = 0, high = a->n_by_root;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (cmp_root(m, a->by_root[mid], root) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const uint32_t *manifest_roots(const struct manifest *m, const uint8_t *root, uint32_t *first,
                               uint32_t *end)
{
    const struct arena *a = m->arena;
    *first = lower_root(m, root);
    for (*end = *first; *end < a->n_by_root && cmp_root(m, a->by_root[*end], root) == 0;)
        ++*end;
    return a->by_root;
}

uint32_t manifest_find_root(const struct manifest *m, const uint8_t root[SHA256_LEN])
{
    const struct arena *a = m->arena;
    uint32_t i = lower_root(m, root);
    return i < a->n_by_root && cmp_root(m, a->by_root[i], root) == 0 ? a->by_root[i] : UINT32_MAX;
}

uint32_t manifest_layer_len(const struct manifest *m, const struct manifest_file *f)
{
    return f->root && f->length > m->piece_length
               ? (uint32_t)num_ceil_div(f->length, m->piece_length)
               : 0;
}

bool manifest_layer_proves(const struct manifest *m, const struct manifest_file *f,
                           struct bytes layer)
{
    uint8_t root[SHA256_LEN];
    uint32_t n = manifest_layer_len(m, f);
    if (n == 0 || layer.n != (size_t)n * SHA256_LEN)
        return false;
    merkle_root(root, layer.p, n, (size_t)num_pow2_ceil(n),
                num_log2(m->piece_length / MERKLE_BLOCK));
    return memcmp(root, f->root, SHA256_LEN) == 0;
}

uint32_t manifest_layers_missing(const struct manifest *m, uint32_t *first)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; m->has_v2 && i < m->n_files; i++) {
        if (m->files[i].layer || manifest_layer_len(m, &m->files[i]) == 0)
            continue;
        if (missing++ == 0 && first)
            *first = i;
    }
    return missing;
}

int manifest_set_layer(struct manifest *m, uint32_t file, struct bytes layer, struct err *e)
{
    if (file >= m->n_files || !manifest_layer_proves(m, &m->files[file], layer))
        return err_set(e, ERR_INVALID, "piece layer does not match its root");
    struct manifest_file *f = &m->files[file];
    if (f->layer)
        return 0;
    uint8_t *copy = manifest_alloc(m, layer.n);
    memcpy(copy, layer.p, layer.n);
    f->layer = copy;
    f->layer_n = (uint32_t)(layer.n / SHA256_LEN);
    return 0;
}

const uint8_t *manifest_wire_hash(const struct manifest *m, bool v2)
{
    return v2 ? m->hash_v2 : m->hash_v1;
}

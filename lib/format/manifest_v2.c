/*
 * The files as BEP 52 describes them: a tree of dictionaries whose leaves are files with the root
 * of a merkle tree each, and outside of info the piece layers. In a hybrid the tree must tell what
 * the v1 half told: the same files in the same order with the same sizes and link targets, each
 * beginning at the piece where v2 puts it.
 */
#include "manifest_int.h"

#include <p2p/base/num.h>

struct frame {
    bnode key;       /* the next entry of this folder */
    size_t path_len; /* of the folder's own path */
};

/* Where the next file goes in v2 content space: files with bytes begin at a piece boundary. */
static int place(struct manifest_reader *r, struct manifest_file *f)
{
    uint64_t piece = r->m->piece_length, n = num_ceil_div(f->length, piece);
    if (n > MANIFEST_MAX_PIECES || r->v2_pieces + n > MANIFEST_MAX_PIECES)
        return err_set(r->e, ERR_LIMIT, "manifest: more than %u pieces", MANIFEST_MAX_PIECES);
    f->offset = f->length ? r->v2_pieces * piece : r->v2_end;
    r->v2_pieces += n;
    r->v2_end = f->offset + f->length;
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Hybrid: holds a file of the tree against the next v1 one, and lends it the root. */
static int match_v1(struct manifest_reader *r, const struct manifest_file *f)
{
    struct manifest *m = r->m;
    while (r->v1_file < m->n_files && (m->files[r->v1_file].attr & FILE_PAD))
        r->v1_file++;
    if (r->v1_file == m->n_files)
        return manifest_bad_path(r, "a file that only the v2 half has", r->path);
    struct manifest_file *v1 = &m->files[r->v1_file++];
    if (strcmp(v1->path, f->path) != 0)
        return manifest_bad_path(r, "the halves disagree on the files", f->path);
    /* In the wild one half may lack the bits that only matter on disk (libtorrent takes such). */
    if (v1->length != f->length || ((v1->attr ^ f->attr) & FILE_SYMLINK) ||
        !same_text(v1->target, f->target))
        return manifest_bad_path(r, "the halves disagree on a file", f->path);
    if (f->length && v1->offset != f->offset)
        return manifest_bad_path(r, "a file that does not begin at a piece in the v1 half",
                                 f->path);
    v1->root = f->root;
    return 0;
}

static int read_root(struct manifest_reader *r, bnode dict, struct manifest_file *f)
{
    struct bytes root;
    if (f->length == 0)
        return 0;
    if (!bencode_get_str(r->b, dict, "pieces root", &root) || root.n != SHA256_LEN)
        return manifest_bad(r, "a file without its pieces root");
    f->root = root.p;
    return 0;
}

/* A leaf; its path stands in r->path. */
static int read_file(struct manifest_reader *r, bnode dict)
{
    struct manifest_file f = {0};
    const char *path;
    if (bencode_type(r->b, dict) != BENCODE_DICT)
        return manifest_bad(r, "a file entry that is no dictionary");
    int rc = manifest_path_keep(r, &path);
    if (rc < 0)
        return rc;
    f.path = path;
    f.attr = manifest_attr(r, dict);
    if (f.attr & FILE_PAD)
        return manifest_bad(r, "padding in a v2 file tree");
    rc = manifest_entry(r, dict, &f);
    /* A link's target was put together where the folder's path stands, which its siblings need. */
    r->path_len = strlen(path);
    memcpy(r->path, path, r->path_len + 1);
    if (rc == 0)
        rc = read_root(r, dict, &f);
    if (rc == 0)
        rc = place(r, &f);
    if (rc < 0 || r->m->has_v1)
        return rc < 0 ? rc : match_v1(r, &f);
    struct manifest_file *to = manifest_file_add(r);
    if (!to)
        return ERR_LIMIT;
    *to = f;
    return 0;
}

/* One entry of a folder: a file is read, a folder is pushed. */
static int read_entry(struct manifest_reader *r, struct frame *stack, unsigned *depth, bnode key)
{
    struct bytes c;
    bnode value = bencode_next(r->b, key);
    bencode_str(r->b, key, &c);
    int rc = manifest_path_add(r, c, false);
    if (rc < 0)
        return rc;
    if (bencode_type(r->b, value) != BENCODE_DICT)
        return manifest_bad_path(r, "an entry of the file tree that is no dictionary", r->path);
    bnode leaf = bencode_get(r->b, value, "");
    if (leaf != BNODE_NONE)
        return bencode_count(r->b, value) == 1
                   ? read_file(r, leaf)
                   : manifest_bad_path(r, "a file that is a folder too", r->path);
    if (*depth == MANIFEST_MAX_PATH_DEPTH)
        return err_set(r->e, ERR_LIMIT, "manifest: a path deeper than %d", MANIFEST_MAX_PATH_DEPTH);
    stack[(*depth)++] = (struct frame){bencode_first(r->b, value), r->path_len};
    return 0;
}

static int walk_tree(struct manifest_reader *r, bnode tree)
{
    struct frame stack[MANIFEST_MAX_PATH_DEPTH];
    unsigned depth = 1;
    int rc = 0;
    stack[0] = (struct frame){bencode_first(r->b, tree), 0};
    while (rc == 0 && depth > 0) {
        struct frame *f = &stack[depth - 1];
        bnode key = f->key;
        if (key == BNODE_NONE) {
            depth--;
            continue;
        }
        f->key = bencode_next(r->b, bencode_next(r->b, key));
        r->path_len = f->path_len;
        rc = read_entry(r, stack, &depth, key);
    }
    return rc;
}

/* The v1 half has nothing more, and ends in the same piece. */
static int finish_hybrid(struct manifest_reader *r)
{
    struct manifest *m = r->m;
    for (; r->v1_file < m->n_files; r->v1_file++)
        if (!(m->files[r->v1_file].attr & FILE_PAD))
            return manifest_bad_path(r, "a file that only the v1 half has",
                                     m->files[r->v1_file].path);
    if (m->n_pieces != r->v2_pieces)
        return manifest_bad(r, "the halves disagree on the number of pieces");
    return 0;
}

/*
 * One file of the manifest's own name is a single file. One file of another name is taken for a
 * folder `name` with that file in it: BEP 52 cannot tell these apart, and so a shared folder comes
 * out as it went in.
 */
static void finish_v2(struct manifest_reader *r)
{
    struct manifest *m = r->m;
    m->space = r->v2_end;
    m->n_pieces = (uint32_t)r->v2_pieces;
    m->multi = m->n_files != 1 || strcmp(m->files[0].path, m->name) != 0;
}

int manifest_read_v2(struct manifest_reader *r)
{
    if (!r->m->has_v2)
        return 0;
    bnode tree = bencode_get(r->b, r->info, "file tree");
    if (bencode_type(r->b, tree) != BENCODE_DICT)
        return manifest_bad(r, "no file tree");
    int rc = walk_tree(r, tree);
    if (rc < 0)
        return rc;
    if (r->m->has_v1)
        return finish_hybrid(r);
    finish_v2(r);
    return 0;
}

/* A layer serves all files of its root; those of another length cannot have it. */
static int take_layer(struct manifest_reader *r, struct bytes root, struct bytes layer)
{
    struct manifest *m = r->m;
    uint32_t first, end;
    const uint32_t *order = manifest_roots(m, root.p, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        struct manifest_file *f = &m->files[order[i]];
        if (f->layer || manifest_layer_len(m, f) == 0)
            continue;
        if (!manifest_layer_proves(m, f, layer))
            return manifest_bad_path(r, "a piece layer that does not match its root", f->path);
        f->layer = layer.p;
        f->layer_n = (uint32_t)(layer.n / SHA256_LEN);
    }
    return 0;
}

int manifest_read_layers(struct manifest_reader *r, bnode layers)
{
    uint32_t file;
    if (layers != BNODE_NONE && bencode_type(r->b, layers) != BENCODE_DICT)
        return manifest_bad(r, "piece layers that are no dictionary");
    /* Also keeps many files of one root from being gone through for each of many equal keys. */
    if (layers != BNODE_NONE && !bencode_unique(r->b, layers))
        return manifest_bad(r, "a piece layer that stands twice");
    for (bnode key = bencode_first(r->b, layers); key != BNODE_NONE;) {
        bnode value = bencode_next(r->b, key);
        struct bytes root, layer;
        if (bencode_str(r->b, key, &root) && root.n == SHA256_LEN &&
            bencode_str(r->b, value, &layer)) {
            int rc = take_layer(r, root, layer);
            if (rc < 0)
                return rc;
        }
        key = bencode_next(r->b, value);
    }
    /* A hybrid's v1 hashes can do without; a v2 manifest is not valid so (BEP 52). */
    if (!r->m->has_v1 && manifest_layers_missing(r->m, &file) > 0)
        return manifest_bad_path(r, "no piece layer for a file", r->m->files[file].path);
    return 0;
}

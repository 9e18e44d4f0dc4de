/*
 * The info dictionary in canonical form: keys in the order of their bytes, the way libtorrent 2.0
 * writes them (symlinks: a length in v1 for old readers, none in the v2 tree). Nothing but what
 * the content and the options say enters it, or the same content would have many hashes.
 */
#include "author_int.h"

static void put_attr(struct buf *out, uint8_t attr)
{
    static const struct {
        uint8_t attr;
        char letter;
    } letters[] = {{FILE_PAD, 'p'}, {FILE_HIDDEN, 'h'}, {FILE_EXEC, 'x'}, {FILE_SYMLINK, 'l'}};
    char s[8];
    size_t n = 0;
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (attr & letters[i].attr)
            s[n++] = letters[i].letter;
    if (n > 0)
        bencode_put_key_str(out, "attr", BYTES(s, n));
}

static void put_path(struct buf *out, const char *key, const char *path)
{
    bencode_put_lit(out, key);
    bencode_put_list(out);
    for (const char *at = path, *slash; at; at = slash ? slash + 1 : NULL) {
        slash = strchr(at, '/');
        bencode_put_str(out, BYTES(at, slash ? (size_t)(slash - at) : strlen(at)));
    }
    bencode_put_end(out);
}

static void put_v1_files(struct buf *out, const struct manifest *m)
{
    bencode_put_lit(out, "files");
    bencode_put_list(out);
    for (uint32_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];
        bencode_put_dict(out);
        put_attr(out, f->attr);
        bencode_put_key_int(out, "length", (int64_t)f->length);
        put_path(out, "path", f->path);
        if (f->target)
            put_path(out, "symlink path", f->target);
        bencode_put_end(out);
    }
    bencode_put_end(out);
}

/* Bytes of the folders that two paths share, with the slash behind. */
static size_t shared_folders(const char *a, const char *b)
{
    size_t shared = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '/')
            shared = i + 1;
    return shared;
}

static void close_folders(struct buf *out, const char *path, size_t from)
{
    for (const char *p = path + from; (p = strchr(p, '/')); p++)
        bencode_put_end(out);
}

/* Opens the folders of path behind `from`, then the file's own dictionary of one empty key. */
static void open_folders(struct buf *out, const char *path, size_t from)
{
    for (const char *at = path + from, *slash; at; at = slash ? slash + 1 : NULL) {
        slash = strchr(at, '/');
        bencode_put_str(out, BYTES(at, slash ? (size_t)(slash - at) : strlen(at)));
        bencode_put_dict(out);
    }
    bencode_put_lit(out, "");
}

static void put_tree_file(struct buf *out, const struct manifest_file *f)
{
    bencode_put_dict(out);
    put_attr(out, f->attr);
    if (f->target)
        put_path(out, "symlink path", f->target);
    else
        bencode_put_key_int(out, "length", (int64_t)f->length);
    if (f->root)
        bencode_put_key_str(out, "pieces root", BYTES(f->root, SHA256_LEN));
    bencode_put_end(out);
    bencode_put_end(out);
}

/* Files come sorted, so that the open folders are those of the file before. */
static void put_tree(struct buf *out, const struct manifest *m)
{
    const char *before = "";
    bencode_put_lit(out, "file tree");
    bencode_put_dict(out);
    for (uint32_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];
        if (f->attr & FILE_PAD)
            continue;
        size_t shared = shared_folders(before, f->path);
        close_folders(out, before, shared);
        open_folders(out, f->path, shared);
        put_tree_file(out, f);
        before = f->path;
    }
    close_folders(out, before, 0);
    bencode_put_end(out);
}

void author_write_info(const struct manifest *m, struct buf *out)
{
    bool single_v1 = m->has_v1 && !m->multi;
    bencode_put_dict(out);
    if (single_v1)
        put_attr(out, m->files[0].attr);
    if (m->has_v2)
        put_tree(out, m);
    if (m->has_v1 && m->multi)
        put_v1_files(out, m);
    if (single_v1)
        bencode_put_key_int(out, "length", (int64_t)m->files[0].length);
    if (m->has_v2)
        bencode_put_key_int(out, "meta version", 2);
    bencode_put_key_str(out, "name", bytes_str(m->name));
    bencode_put_key_int(out, "piece length", m->piece_length);
    if (m->has_v1)
        bencode_put_key_str(out, "pieces", BYTES(m->pieces, (size_t)m->n_pieces * SHA1_LEN));
    if (m->private_flag)
        bencode_put_key_int(out, "private", 1);
    if (m->source)
        bencode_put_key_str(out, "source", bytes_str(m->source));
    bencode_put_end(out);
}

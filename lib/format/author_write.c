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

/* ---- its weight ---- */

#define TOKENS_AROUND 40 /* keys and values that are there once, dictionaries and all */
#define BYTES_AROUND 400 /* of those whose length is known beforehand */

static void weigh_path(struct author_weight *w, const char *path)
{
    uint64_t parts = 1;
    for (const char *p = path; (p = strchr(p, '/')); p++)
        parts++;
    w->tokens += parts;
    w->bytes += strlen(path) + parts * 6;
}

/* d 4:attr 3:hxl 6:length i…e 4:path l…e 12:symlink path l…e e */
static void weigh_v1_file(struct author_weight *w, const struct manifest_file *f)
{
    w->tokens += 5 + (f->attr ? 2 : 0);
    w->bytes += 60;
    weigh_path(w, f->path);
    if (!f->target)
        return;
    w->tokens += 2;
    w->bytes += 20;
    weigh_path(w, f->target);
}

/* Folders and name d 0: d … 6:length i…e 11:pieces root 32:… e e, and the layer outside. */
static void weigh_v2_file(struct author_weight *w, const struct manifest *m,
                          const struct manifest_file *f, const char *before)
{
    struct author_weight folders = {0};
    weigh_path(&folders, f->path + shared_folders(before, f->path));
    w->tokens += 2 * folders.tokens + 4 + (f->attr ? 2 : 0) + (f->length ? 2 : 0);
    w->bytes += folders.bytes + 2 * folders.tokens + 100;
    if (f->target)
        weigh_path(w, f->target);
    if (f->length <= m->piece_length)
        return;
    w->tokens += 2;
    w->bytes += 50 + (f->length / m->piece_length + 1) * SHA256_LEN;
}

struct author_weight author_weigh(const struct manifest *m)
{
    struct author_weight w = {TOKENS_AROUND, BYTES_AROUND + strlen(m->name)};
    const char *before = "", *words[] = {m->comment, m->created_by, m->source};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        w.bytes += words[i] ? strlen(words[i]) : 0;
    w.bytes += m->has_v1 ? (uint64_t)m->n_pieces * SHA1_LEN : 0;
    for (uint32_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];
        if (m->has_v1)
            weigh_v1_file(&w, f);
        if (m->has_v2 && !(f->attr & FILE_PAD)) {
            weigh_v2_file(&w, m, f, before);
            before = f->path;
        }
    }
    return w;
}

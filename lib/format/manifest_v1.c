/*
 * The files as BEP 3 describes them: `length` for one, `files` for many, `pieces` over all their
 * bytes in a row; padding and attributes by BEP 47.
 */
#include "manifest_int.h"

#include <inttypes.h>
#include <p2p/base/num.h>
#include <p2p/base/text.h>
#include <p2p/format/names.h>
#include <stdio.h>

/* All components of a "path.utf-8" are safe and UTF-8: then it is preferred, as name.utf-8 is. */
static bool utf8_path_ok(struct manifest_reader *r, bnode list)
{
    struct bytes c;
    if (bencode_type(r->b, list) != BENCODE_LIST || bencode_count(r->b, list) == 0)
        return false;
    for (bnode n = bencode_first(r->b, list); n != BNODE_NONE; n = bencode_next(r->b, n))
        if (!bencode_str(r->b, n, &c) || !names_component_ok(c) || !text_utf8_valid(c))
            return false;
    return true;
}

/* Padding is never stored, so its path is made up whatever the entry says (BEP 47 lets it be
 * absent). */
static int pad_path(struct manifest_reader *r, struct manifest_file *f)
{
    r->path_len = (size_t)snprintf(r->path, sizeof r->path, ".pad/%" PRIu64, f->length);
    return manifest_path_keep(r, &f->path);
}

/* BitComet's padding has no attribute but this name; its bytes are zeros all the same. */
static bool bitcomet_pad(const char *path)
{
    static const char mark[] = "_____padding_file_";
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, mark, sizeof mark - 1) == 0;
}

static int place(struct manifest_reader *r, struct manifest_file *f)
{
    f->offset = r->m->space;
    if (!num_add(r->m->space, f->length, &r->m->space))
        return manifest_bad(r, "sizes that add up past 64 bits");
    return 0;
}

static int read_file(struct manifest_reader *r, bnode dict)
{
    struct manifest_file *f = manifest_file_add(r);
    if (!f)
        return ERR_LIMIT;
    if (bencode_type(r->b, dict) != BENCODE_DICT)
        return manifest_bad(r, "a file entry that is no dictionary");
    f->attr = manifest_attr(r, dict);
    int rc = manifest_entry(r, dict, f);
    if (rc == 0 && !(f->attr & FILE_PAD)) {
        bnode utf8 = bencode_get(r->b, dict, "path.utf-8");
        rc = manifest_path_list(r, utf8_path_ok(r, utf8) ? utf8 : bencode_get(r->b, dict, "path"),
                                false);
        if (rc == 0 && bitcomet_pad(r->path) && !(f->attr & FILE_SYMLINK))
            f->attr = FILE_PAD;
    }
    if (rc == 0)
        rc = f->attr & FILE_PAD ? pad_path(r, f) : manifest_path_keep(r, &f->path);
    return rc < 0 ? rc : place(r, f);
}

static int read_single(struct manifest_reader *r)
{
    struct manifest_file *f = manifest_file_add(r);
    f->attr = manifest_attr(r, r->info) & (FILE_EXEC | FILE_HIDDEN);
    f->path = r->m->name;
    int rc = manifest_entry(r, r->info, f);
    return rc < 0 ? rc : place(r, f);
}

static int read_multi(struct manifest_reader *r, bnode files)
{
    int rc = 0;
    r->m->multi = true;
    for (bnode n = bencode_first(r->b, files); rc == 0 && n != BNODE_NONE;
         n = bencode_next(r->b, n))
        rc = read_file(r, n);
    return rc;
}

static int read_pieces(struct manifest_reader *r)
{
    struct manifest *m = r->m;
    struct bytes pieces;
    uint64_t n = num_ceil_div(m->space, m->piece_length);
    if (n > MANIFEST_MAX_PIECES)
        return err_set(r->e, ERR_LIMIT, "manifest: more than %u pieces", MANIFEST_MAX_PIECES);
    if (!bencode_get_str(r->b, r->info, "pieces", &pieces) || pieces.n != n * SHA1_LEN)
        return manifest_bad(r, "piece hashes that do not fit the sizes");
    m->n_pieces = (uint32_t)n;
    m->pieces = pieces.p;
    return 0;
}

int manifest_read_v1(struct manifest_reader *r)
{
    if (!r->m->has_v1)
        return 0;
    bnode files = bencode_get(r->b, r->info, "files");
    if (files != BNODE_NONE && bencode_type(r->b, files) != BENCODE_LIST)
        return manifest_bad(r, "files that are no list");
    int rc = files == BNODE_NONE ? read_single(r) : read_multi(r, files);
    return rc < 0 ? rc : read_pieces(r);
}

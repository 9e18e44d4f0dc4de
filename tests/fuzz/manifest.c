/*
 * Fuzzes the manifest reader. floor: format
 * Holds: whoever gets a manifest may trust its numbers: sizes add up, content space is covered by
 * the files in order, blocks lie in pieces, paths are safe; and written and read again it has the
 * same hashes and the same files.
 */
#include <p2p/format/layout.h>
#include <p2p/format/names.h>
#include <p2p/format/piecehash.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void check_path(const char *path)
{
    for (const char *at = path, *slash; at; at = slash ? slash + 1 : NULL) {
        slash = strchr(at, '/');
        must(names_component_ok(BYTES(at, slash ? (size_t)(slash - at) : strlen(at))));
    }
}

static void check_files(const struct manifest *m)
{
    uint64_t size = 0, at = 0;
    must(m->n_files > 0 && m->n_files <= MANIFEST_MAX_FILES && m->n_pieces <= MANIFEST_MAX_PIECES);
    for (uint32_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];
        check_path(f->path);
        must(!(f->attr & FILE_SYMLINK) == !f->target);
        if (f->target)
            check_path(f->target);
        must(f->offset >= at && f->offset + f->length >= f->offset);
        at = f->offset + f->length;
        size += f->attr & FILE_PAD ? 0 : f->length;
        must(!m->has_v2 || (f->attr & FILE_PAD) || f->length == 0 || f->root);
        must(!m->has_v2 || (f->attr & FILE_PAD) || f->length == 0 ||
             f->offset % m->piece_length == 0);
        must(!f->root || manifest_find_root(m, f->root) != UINT32_MAX);
    }
    must(at == m->space && size == m->size && (m->multi || m->n_files == 1));
}

static void check_piece(const struct manifest *m, uint32_t piece)
{
    struct layout_iter it;
    struct layout_seg seg;
    uint64_t sum = 0;
    uint32_t len = layout_piece_len(m, piece), file, index;
    must(len > 0 && len <= m->piece_length);
    layout_iter_init(&it, m, (uint64_t)piece * m->piece_length, len);
    while (layout_iter_next(&it, &seg)) {
        must(seg.length > 0 && (seg.file != UINT32_MAX || seg.pad));
        must(seg.file == UINT32_MAX || seg.offset + seg.length <= m->files[seg.file].length);
        sum += seg.length;
    }
    must(sum == len);
    for (uint32_t b = 0; b < layout_blocks(m, piece) && b < 64; b++)
        must(layout_block_len(m, piece, b) <= LAYOUT_BLOCK);
    must(!m->has_v2 || layout_piece_file(m, piece, &file, &index));
    piecehash_expected_root(m, piece);
}

static void check_again(const struct manifest *m)
{
    struct buf out = {0};
    struct err e = {0};
    manifest_write(m, &out);
    struct manifest *again = manifest_parse(buf_bytes(&out), &e);
    must(again != NULL);
    must(memcmp(again->hash_v1, m->hash_v1, SHA1_LEN) == 0 &&
         memcmp(again->hash_v2, m->hash_v2, SHA256_LEN) == 0);
    must(again->n_files == m->n_files && again->n_tiers == m->n_tiers &&
         again->n_web_seeds == m->n_web_seeds);
    manifest_free(again);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest *m = manifest_parse(BYTES(data, size), NULL);
    struct manifest *bare = manifest_parse_info(BYTES(data, size), NULL);
    if (m) {
        check_files(m);
        for (uint32_t p = 0; p < m->n_pieces && p < 64; p++)
            check_piece(m, p);
        check_again(m);
    }
    if (bare)
        check_files(bare);
    manifest_free(m);
    manifest_free(bare);
    return 0;
}

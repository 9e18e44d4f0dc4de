/*
 * Arithmetic of content space. Files stand in the order of their offsets, and those without bytes
 * share the offset of what follows, so the last file that begins at or before a byte is the one
 * that holds it (or it lies in a gap behind that file's end). A gap ends at a piece boundary.
 */
#include <p2p/format/layout.h>

#include <p2p/base/num.h>

/* The last file with offset <= at; n_files > 0. */
static uint32_t file_before(const struct manifest *m, uint64_t at)
{
    uint32_t low = 0, high = m->n_files;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (m->files[mid].offset <= at)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static bool holds(const struct manifest_file *f, uint64_t at)
{
    return f->offset <= at && at - f->offset < f->length;
}

uint32_t layout_piece_len(const struct manifest *m, uint32_t piece)
{
    uint64_t start = (uint64_t)piece * m->piece_length, left;
    if (start >= m->space)
        return 0;
    left = m->space - start;
    if (!m->has_v1) {
        const struct manifest_file *f = &m->files[file_before(m, start)];
        left = f->offset + f->length - start;
    }
    return left < m->piece_length ? (uint32_t)left : m->piece_length;
}

uint32_t layout_blocks(const struct manifest *m, uint32_t piece)
{
    return (uint32_t)num_ceil_div(layout_piece_len(m, piece), LAYOUT_BLOCK);
}

/* Where data ends in [start, end) if padding reaches `end`. */
static uint64_t before_pads(const struct manifest *m, uint64_t start, uint64_t end)
{
    while (end > start) {
        const struct manifest_file *f = &m->files[file_before(m, end - 1)];
        if (!(f->attr & FILE_PAD))
            return end;
        end = f->offset > start ? f->offset : start;
    }
    return start;
}

uint32_t layout_block_len(const struct manifest *m, uint32_t piece, uint32_t block)
{
    uint32_t len = layout_piece_len(m, piece);
    uint64_t at = (uint64_t)block * LAYOUT_BLOCK;
    if (at >= len)
        return 0;
    uint64_t start = (uint64_t)piece * m->piece_length + at;
    uint64_t n = len - at < LAYOUT_BLOCK ? len - at : LAYOUT_BLOCK;
    return (uint32_t)(before_pads(m, start, start + n) - start);
}

bool layout_piece_file(const struct manifest *m, uint32_t piece, uint32_t *file,
                       uint32_t *index_in_file)
{
    uint64_t start = (uint64_t)piece * m->piece_length;
    if (!m->has_v2 || start >= m->space)
        return false;
    uint32_t i = file_before(m, start);
    const struct manifest_file *f = &m->files[i];
    if (!holds(f, start) || (f->attr & FILE_PAD))
        return false;
    *file = i;
    *index_in_file = (uint32_t)((start - f->offset) / m->piece_length);
    return true;
}

void layout_file_pieces(const struct manifest *m, uint32_t file, uint32_t *first, uint32_t *end)
{
    const struct manifest_file *f = &m->files[file];
    *first = (uint32_t)(f->offset / m->piece_length);
    *end = f->length ? (uint32_t)num_ceil_div(f->offset + f->length, m->piece_length) : *first;
}

void layout_iter_init(struct layout_iter *it, const struct manifest *m, uint64_t offset,
                      uint64_t length)
{
    uint64_t left = offset < m->space ? m->space - offset : 0;
    it->m = m;
    it->at = offset;
    it->end = offset + (length < left ? length : left);
    it->file = m->n_files ? file_before(m, offset) : 0;
}

bool layout_iter_next(struct layout_iter *it, struct layout_seg *seg)
{
    const struct manifest *m = it->m;
    if (it->at >= it->end)
        return false;
    if (!holds(&m->files[it->file], it->at))
        it->file = file_before(m, it->at);
    const struct manifest_file *f = &m->files[it->file];
    bool gap = !holds(f, it->at);
    uint64_t end = gap ? (it->at / m->piece_length + 1) * m->piece_length : f->offset + f->length;
    if (end > it->end)
        end = it->end;
    seg->file = gap ? UINT32_MAX : it->file;
    seg->pad = gap || (f->attr & FILE_PAD);
    seg->offset = gap ? 0 : it->at - f->offset;
    seg->length = end - it->at;
    it->at = end;
    return true;
}

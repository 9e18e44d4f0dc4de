/* Content space: v1 with files across pieces, v2 with gaps, hybrids and v1 with padding. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/format/layout.h>

#include "torrents.h"

/* Manifests made by hand: layout looks at nothing but sizes. */
static struct manifest_file files[64];

static struct manifest make(bool v1, bool v2, uint32_t piece_length, uint32_t n)
{
    struct manifest m = {
        .has_v1 = v1, .has_v2 = v2, .multi = true, .piece_length = piece_length, .files = files};
    m.n_files = n;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t over = m.space % piece_length;
        files[i].offset = m.space + (!v1 && files[i].length && over ? piece_length - over : 0);
        m.space = files[i].offset + files[i].length;
    }
    m.n_pieces = (uint32_t)((m.space + piece_length - 1) / piece_length);
    return m;
}

static void set_file(uint32_t i, uint64_t length, uint8_t attr)
{
    files[i] = (struct manifest_file){.length = length, .attr = attr};
}

static void assert_seg(struct layout_iter *it, uint32_t file, bool pad, uint64_t offset,
                       uint64_t length)
{
    struct layout_seg s;
    assert_true(layout_iter_next(it, &s));
    assert_int_equal(s.file, file);
    assert_int_equal(s.pad, pad);
    assert_int_equal(s.offset, offset);
    assert_int_equal(s.length, length);
}

static void v1_across(void **state)
{
    (void)state;
    set_file(0, 10, 0);
    set_file(1, 0, 0);
    set_file(2, 0, 0);
    set_file(3, 40000, 0);
    set_file(4, 0, 0);
    set_file(5, 5, 0);
    set_file(6, 0, 0);
    struct manifest m = make(true, false, 32768, 7);
    struct layout_iter it;
    struct layout_seg s;
    uint32_t first, end, file, index;
    assert_int_equal(m.n_pieces, 2);
    assert_int_equal(layout_piece_len(&m, 0), 32768);
    assert_int_equal(layout_piece_len(&m, 1), 40015 - 32768);
    assert_int_equal(layout_piece_len(&m, 2), 0);
    assert_int_equal(layout_blocks(&m, 0), 2);
    assert_int_equal(layout_blocks(&m, 1), 1);
    assert_int_equal(layout_block_len(&m, 0, 1), 16384);
    assert_int_equal(layout_block_len(&m, 0, 2), 0);
    assert_int_equal(layout_block_len(&m, 1, 0), 40015 - 32768);
    layout_iter_init(&it, &m, 5, UINT64_MAX);
    assert_seg(&it, 0, false, 5, 5);
    assert_seg(&it, 3, false, 0, 40000);
    assert_seg(&it, 5, false, 0, 5);
    assert_false(layout_iter_next(&it, &s));
    layout_iter_init(&it, &m, 100, 0);
    assert_false(layout_iter_next(&it, &s));
    layout_iter_init(&it, &m, UINT64_MAX, UINT64_MAX);
    assert_false(layout_iter_next(&it, &s));
    layout_file_pieces(&m, 3, &first, &end);
    assert_int_equal(first, 0);
    assert_int_equal(end, 2);
    layout_file_pieces(&m, 4, &first, &end);
    assert_int_equal(first, end);
    layout_file_pieces(&m, 5, &first, &end);
    assert_int_equal(first, 1);
    assert_int_equal(end, 2);
    assert_false(layout_piece_file(&m, 0, &file, &index));
}

static void v2_gaps(void **state)
{
    (void)state;
    set_file(0, 100, 0);
    set_file(1, 0, 0);
    set_file(2, 40000, 0);
    set_file(3, 16384, 0);
    struct manifest m = make(false, true, 32768, 4);
    struct layout_iter it;
    struct layout_seg s;
    uint32_t first, end, file, index;
    assert_int_equal(m.n_pieces, 4);
    assert_int_equal(layout_piece_len(&m, 0), 100);
    assert_int_equal(layout_piece_len(&m, 1), 32768);
    assert_int_equal(layout_piece_len(&m, 2), 40000 - 32768);
    assert_int_equal(layout_piece_len(&m, 3), 16384);
    assert_int_equal(layout_blocks(&m, 0), 1);
    assert_int_equal(layout_block_len(&m, 0, 0), 100);
    assert_int_equal(layout_block_len(&m, 2, 0), 40000 - 32768);
    layout_iter_init(&it, &m, 0, m.space);
    assert_seg(&it, 0, false, 0, 100);
    assert_seg(&it, UINT32_MAX, true, 0, 32768 - 100);
    assert_seg(&it, 2, false, 0, 40000);
    assert_seg(&it, UINT32_MAX, true, 0, 2 * 32768 - 40000);
    assert_seg(&it, 3, false, 0, 16384);
    assert_false(layout_iter_next(&it, &s));
    layout_iter_init(&it, &m, 200, 10);
    assert_seg(&it, UINT32_MAX, true, 0, 10);
    assert_false(layout_iter_next(&it, &s));
    assert_true(layout_piece_file(&m, 0, &file, &index) && file == 0 && index == 0);
    assert_true(layout_piece_file(&m, 2, &file, &index) && file == 2 && index == 1);
    assert_true(layout_piece_file(&m, 3, &file, &index) && file == 3 && index == 0);
    assert_false(layout_piece_file(&m, 4, &file, &index));
    layout_file_pieces(&m, 2, &first, &end);
    assert_int_equal(first, 1);
    assert_int_equal(end, 3);
}

static void hybrid_pads(void **state)
{
    (void)state;
    set_file(0, 20000, 0);
    set_file(1, 65536 - 20000, FILE_PAD);
    set_file(2, 65536, 0);
    set_file(3, 10, 0);
    set_file(4, 65536 - 10, FILE_PAD);
    struct manifest m = make(true, true, 65536, 5);
    uint32_t file, index;
    struct layout_iter it;
    assert_int_equal(m.n_pieces, 3);
    assert_int_equal(layout_piece_len(&m, 0), 65536);
    assert_int_equal(layout_piece_len(&m, 2), 65536);
    assert_int_equal(layout_blocks(&m, 0), 4);
    assert_int_equal(layout_block_len(&m, 0, 0), 16384);
    assert_int_equal(layout_block_len(&m, 0, 1), 20000 - 16384);
    assert_int_equal(layout_block_len(&m, 0, 2), 0);
    assert_int_equal(layout_block_len(&m, 0, 3), 0);
    assert_int_equal(layout_block_len(&m, 2, 0), 10);
    layout_iter_init(&it, &m, 16384, 16384);
    assert_seg(&it, 0, false, 16384, 20000 - 16384);
    assert_seg(&it, 1, true, 0, 32768 - 20000);
    assert_true(layout_piece_file(&m, 2, &file, &index) && file == 3 && index == 0);
}

/* Padding in the middle of a block is asked for: what follows it is data. */
static void pads_in_a_block(void **state)
{
    (void)state;
    set_file(0, 10, 0);
    set_file(1, 20, FILE_PAD);
    set_file(2, 30, 0);
    set_file(3, 5, FILE_PAD);
    set_file(4, 0, 0);
    set_file(5, 7, FILE_PAD);
    struct manifest m = make(true, false, 64, 6);
    assert_int_equal(layout_blocks(&m, 0), 1);
    assert_int_equal(layout_block_len(&m, 0, 0), 60);
    assert_int_equal(layout_block_len(&m, 1, 0), 0);
}

static void pieces_of_one_byte(void **state)
{
    (void)state;
    set_file(0, 2, 0);
    set_file(1, 1, 0);
    struct manifest m = make(true, false, 1, 2);
    struct layout_iter it;
    assert_int_equal(m.n_pieces, 3);
    assert_int_equal(layout_piece_len(&m, 1), 1);
    assert_int_equal(layout_block_len(&m, 2, 0), 1);
    layout_iter_init(&it, &m, 2, 1);
    assert_seg(&it, 1, false, 0, 1);
}

/* At the upper end nothing wraps: 2^21 pieces of 512 MiB. */
static void largest(void **state)
{
    (void)state;
    set_file(0, ((uint64_t)1 << 50) - 1, 0);
    struct manifest m = make(true, true, 512u << 20, 1);
    uint32_t first, end;
    assert_int_equal(m.n_pieces, 1u << 21);
    assert_int_equal(layout_piece_len(&m, m.n_pieces - 1), (512u << 20) - 1);
    assert_int_equal(layout_block_len(&m, m.n_pieces - 1, (1u << 15) - 1), 16383);
    layout_file_pieces(&m, 0, &first, &end);
    assert_int_equal(end, 1u << 21);
    assert_int_equal(layout_piece_len(&m, UINT32_MAX), 0);
    assert_int_equal(layout_block_len(&m, 0, UINT32_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1_across),          cmocka_unit_test(v2_gaps),
        cmocka_unit_test(hybrid_pads),        cmocka_unit_test(pads_in_a_block),
        cmocka_unit_test(pieces_of_one_byte), cmocka_unit_test(largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

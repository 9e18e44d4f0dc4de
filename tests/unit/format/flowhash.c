/* A file hashed as it passes has the hashes that it has when it lies there. */
#include <p2p/base/mem.h>
#include <p2p/format/flowhash.h>
#include <p2p/format/layout.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *content(size_t n)
{
    uint8_t *p = mem_alloc(n + 1);
    uint32_t x = 7;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (uint8_t)(x >> 24);
    }
    return p;
}

/* How many pieces are not known at the end; those that are are so rightly. */
static uint32_t unknown_of(enum author_format f, uint32_t fixed, const uint8_t *p, size_t n,
                           size_t chunk)
{
    struct author_options o = {
        .format = f, .piece_length = fixed, .name = "f", .creation_date = -1};
    struct author_entry one = {.length = n};
    struct author *a = author_new(&o, &one, 1, NULL);
    const struct manifest *m = author_plan(a);
    struct flowhash *h = flowhash_new(f, fixed);
    struct piecehash *ph = piecehash_new();
    uint32_t got = 0;

    for (size_t at = 0; at < n; at += chunk)
        flowhash_more(h, BYTES(p + at, n - at < chunk ? n - at : chunk));
    flowhash_end(h);
    for (uint32_t i = 0; i < m->n_pieces; i++) {
        struct piecehash_result want, r;
        uint64_t at = (uint64_t)i * m->piece_length;

        if (!flowhash_piece(h, m->piece_length, i, &r))
            continue;
        got++;
        piecehash_begin(ph, m, i);
        piecehash_more(ph, BYTES(p + at, layout_piece_len(m, i)));
        piecehash_end(ph, &want);
        if (m->has_v1)
            assert_memory_equal(r.v1, want.v1, SHA1_LEN);
        if (m->has_v2)
            assert_memory_equal(r.root, want.root, SHA256_LEN);
    }
    assert_true(got <= m->n_pieces);
    uint32_t unknown = m->n_pieces - got;
    assert_true(unknown <= m->n_pieces / 16 + 1);
    assert_false(flowhash_piece(h, m->piece_length, m->n_pieces, &(struct piecehash_result){0}));
    piecehash_free(ph);
    flowhash_free(h);
    author_free(a);
    return unknown;
}

static const size_t SIZES[] = {
    0,
    1,
    16383,
    16384,
    16385,
    32768,
    49153,
    (1u << 20) - 1,
    1 << 20,
    2097151,
    2097152,
    2097153,
    3000001,
    8 << 20,
    (8 << 20) + 1,
    9 << 20,
    20000003,
    32 << 20,
    (32 << 20) + 16384,
    50000000,
};

static void any_length(void **state)
{
    static const size_t chunks[] = {16384, 5 * 16384, 1 << 20};
    uint8_t *p = content(50000000);

    (void)state;
    for (int f = AUTHOR_V1; f <= AUTHOR_HYBRID; f++)
        for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++)
            for (size_t k = 0; k < 3; k++)
                if (unknown_of((enum author_format)f, 0, p, SIZES[i], chunks[k]) > 0)
                    assert_true(f != AUTHOR_V2 && SIZES[i] > 8 << 20);
    free(p);
}

static void fixed_pieces(void **state)
{
    uint8_t *p = content(9 << 20);

    (void)state;
    for (int f = AUTHOR_V1; f <= AUTHOR_HYBRID; f++)
        for (uint32_t length = AUTHOR_MIN_PIECE; length <= 16u << 20; length *= 4)
            for (size_t i = 0; i < 16; i++)
                assert_int_equal(unknown_of((enum author_format)f, length, p, SIZES[i], 1 << 20),
                                 0);
    free(p);
}

/* Of v1 the beginning is to be read again, and it is little. */
static void a_beginning(void **state)
{
    size_t n = (size_t)130 << 20;
    uint8_t *p = content(n);

    (void)state;
    uint32_t unknown = unknown_of(AUTHOR_V1, 0, p, n, 1 << 20);
    assert_in_range(unknown, 1, 520);
    assert_int_equal(unknown_of(AUTHOR_V2, 0, p, n, 4 << 20), 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_length),
        cmocka_unit_test(fixed_pieces),
        cmocka_unit_test(a_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

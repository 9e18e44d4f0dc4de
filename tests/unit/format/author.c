/*
 * Authoring: the same bytes that libtorrent made of the same content, whatever the order of the
 * entries; and what cannot be made is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/format/author.h>
#include <p2p/format/layout.h>

#include "torrents.h"

static const struct author_entry pack[] = {
    {.path = "twin", .length = 100000}, {.path = "dir/b.bin", .length = 40000, .attr = FILE_EXEC},
    {.path = "z", .length = 100000},    {.path = "dir-x/c", .length = 16384},
    {.path = "a.txt", .length = 5},     {.path = "dir/empty"},
};
static const struct author_entry solo[] = {{.path = NULL, .length = 50000}};

/* Hashes every piece, the last first: order is of no matter. */
static void hash_all(struct author *a)
{
    const struct manifest *m = author_plan(a);
    struct piecehash *h = piecehash_new();
    for (uint32_t p = m->n_pieces; p-- > 0;) {
        struct piecehash_result r;
        struct layout_iter it;
        struct layout_seg s;
        layout_iter_init(&it, m, (uint64_t)p * m->piece_length, layout_piece_len(m, p));
        piecehash_begin(h, m, p);
        while (layout_iter_next(&it, &s)) {
            if (s.pad)
                piecehash_zero(h, s.length);
            for (uint64_t k = 0; !s.pad && k < s.length; k++) {
                uint8_t byte = content_byte(m->files[s.file].length, s.offset + k);
                piecehash_more(h, BYTES(&byte, 1));
            }
        }
        piecehash_end(h, &r);
        author_set(a, p, &r);
    }
    piecehash_free(h);
}

static struct author_options options(enum author_format format, const char *name,
                                     uint32_t piece_length)
{
    return (struct author_options){
        .format = format, .name = name, .piece_length = piece_length, .creation_date = -1};
}

static void same_text(const char *a, const char *b)
{
    assert_int_equal(!a, !b);
    if (a)
        assert_string_equal(a, b);
}

static void same_hashes(const uint8_t *a, const uint8_t *b, size_t n)
{
    assert_int_equal(!a, !b);
    if (a)
        assert_memory_equal(a, b, n);
}

static struct bytes written(const struct manifest *m)
{
    struct buf out = {0};
    manifest_write(m, &out);
    return buf_take(&out);
}

/* What was written is what a reader makes of it, to the last field. */
static void read_back(const struct manifest *m)
{
    struct err e = {0};
    struct bytes torrent = written(m);
    struct manifest *r = manifest_parse(torrent, &e);
    bytes_free(torrent);
    if (!r)
        fail_msg("%s", e.msg);
    assert_true(bytes_eq(m->info, r->info));
    assert_true(m->has_v1 == r->has_v1 && m->has_v2 == r->has_v2 && m->multi == r->multi &&
                m->private_flag == r->private_flag && m->piece_length == r->piece_length &&
                m->n_pieces == r->n_pieces && m->space == r->space && m->size == r->size &&
                m->n_files == r->n_files && m->creation_date == r->creation_date);
    same_hashes(m->has_v1 ? m->hash_v1 : NULL, r->has_v1 ? r->hash_v1 : NULL, SHA1_LEN);
    same_hashes(m->has_v2 ? m->hash_v2 : NULL, r->has_v2 ? r->hash_v2 : NULL, SHA256_LEN);
    same_hashes(m->pieces, r->pieces, (size_t)m->n_pieces * SHA1_LEN);
    same_text(m->name, r->name);
    same_text(m->comment, r->comment);
    same_text(m->created_by, r->created_by);
    same_text(m->source, r->source);
    for (uint32_t i = 0; i < m->n_files; i++) {
        const struct manifest_file *a = &m->files[i], *b = &r->files[i];
        if (!(a->attr & FILE_PAD)) /* whose names are no paths */
            same_text(a->path, b->path);
        same_text(a->target, b->target);
        assert_true(a->length == b->length && a->offset == b->offset && a->attr == b->attr &&
                    a->layer_n == b->layer_n);
        same_hashes(a->root, b->root, SHA256_LEN);
        same_hashes(a->layer, b->layer, (size_t)a->layer_n * SHA256_LEN);
        if (a->root)
            assert_int_equal(manifest_find_root(m, a->root), manifest_find_root(r, a->root));
    }
    manifest_free(r);
}

static struct manifest *make(const struct author_options *o, const struct author_entry *entries,
                             size_t n)
{
    struct err e = {0};
    struct author *a = author_new(o, entries, n, &e);
    if (!a)
        fail_msg("%s", e.msg);
    hash_all(a);
    struct manifest *m = author_finish(a, &e);
    if (!m)
        fail_msg("%s", e.msg);
    assert_null(author_plan(a));
    author_free(a);
    read_back(m);
    return m;
}

/* libtorrent gives all pads of a length one name; ours have a number behind it. */
static struct bytes without_pad_numbers(struct bytes raw)
{
    struct buf out = {0};
    for (size_t i = 0; i < raw.n; i++) {
        if (i + 13 < raw.n && memcmp(raw.p + i, "7:", 2) == 0 && raw.p[i + 7] == '.' &&
            memcmp(raw.p + i - 4, ".pad", 4) == 0) {
            buf_put_str(&out, "5:");
            buf_put(&out, raw.p + i + 2, 5);
            i += 8;
        } else {
            buf_put_u8(&out, raw.p[i]);
        }
    }
    return buf_take(&out);
}

static void as_libtorrent(void **state)
{
    (void)state;
    static const struct {
        const char *vector;
        enum author_format format;
        uint32_t piece_length;
    } list[] = {
        {"pack-v2.torrent", AUTHOR_V2, 32768}, {"pack-hybrid.torrent", AUTHOR_HYBRID, 32768},
        {"solo-v1.torrent", AUTHOR_V1, 16384}, {"solo-v2.torrent", AUTHOR_V2, 16384},
        {"solo-hybrid.torrent", AUTHOR_HYBRID, 16384},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        bool folder = list[i].vector[0] == 'p';
        struct author_options o =
            options(list[i].format, folder ? "pack" : "solo.bin", list[i].piece_length);
        o.created_by = "libtorrent";
        o.creation_date = 1700000000;
        struct bytes want = read_vector(list[i].vector);
        struct manifest *m = make(&o, folder ? pack : solo, folder ? 6 : 1);
        struct bytes torrent = written(m), got = without_pad_numbers(torrent);
        assert_true(bytes_eq(got, want));
        bytes_free(got);
        bytes_free(torrent);
        manifest_free(m);
        bytes_free(want);
    }
}

/* Pads of one length have names of their own: some clients refuse a path that stands twice. */
static void pads_differ(void **state)
{
    (void)state;
    static const struct author_entry three[] = {
        {.path = "a", .length = 100}, {.path = "b", .length = 100}, {.path = "c", .length = 5}};
    struct author_options o = options(AUTHOR_HYBRID, "three", 16384);
    struct manifest *m = make(&o, three, 3);
    assert_non_null(memmem(m->info.p, m->info.n, "l4:.pad5:16284e", 15));
    assert_non_null(memmem(m->info.p, m->info.n, "l4:.pad7:16284.1e", 17));
    manifest_free(m);
}

static void v1_folder(void **state)
{
    (void)state;
    struct author_options o = options(AUTHOR_V1, "pack", 32768);
    struct bytes raw = read_vector("pack-v1.torrent");
    struct manifest *want = manifest_parse(raw, NULL), *m = make(&o, pack, 6);
    assert_true(bytes_eq(m->info, want->info));
    manifest_free(m);
    manifest_free(want);
    bytes_free(raw);
}

/* Nothing outside of info changes its hash. */
static void words_outside(void **state)
{
    (void)state;
    struct author_options o = options(AUTHOR_HYBRID, "pack", 0);
    struct manifest *plain = make(&o, pack, 6);
    o.comment = "c";
    o.created_by = "p";
    o.creation_date = 0;
    struct manifest *wordy = make(&o, pack, 6);
    assert_true(bytes_eq(plain->info, wordy->info));
    assert_string_equal(wordy->comment, "c");
    assert_string_equal(wordy->created_by, "p");
    assert_int_equal(wordy->creation_date, 0);
    o.private_flag = true;
    o.source = "S";
    struct manifest *inside = make(&o, pack, 6);
    assert_true(inside->private_flag);
    assert_string_equal(inside->source, "S");
    assert_memory_not_equal(inside->hash_v2, plain->hash_v2, SHA256_LEN);
    manifest_free(plain);
    manifest_free(wordy);
    manifest_free(inside);
}

static void entries_are_found_again(void **state)
{
    (void)state;
    struct author_options o = options(AUTHOR_HYBRID, "pack", 16384);
    struct author *a = author_new(&o, pack, 6, NULL);
    const struct manifest *m = author_plan(a);
    uint32_t pads = 0;
    for (uint32_t i = 0; i < m->n_files; i++) {
        uint32_t en = author_entry_of(a, i);
        if (m->files[i].attr & FILE_PAD) {
            assert_int_equal(en, UINT32_MAX);
            pads++;
            continue;
        }
        assert_string_equal(pack[en].path, m->files[i].path);
        assert_int_equal(pack[en].length, m->files[i].length);
    }
    assert_int_equal(pads, 4); /* not behind the empty file, nor where a piece ends anyway */
    author_free(a);
}

static void links_and_attributes(void **state)
{
    (void)state;
    static const struct author_entry list[] = {
        {.path = "d/l", .target = "a", .attr = FILE_SYMLINK},
        {.path = "a", .length = 3, .attr = FILE_HIDDEN | FILE_EXEC},
        {.path = "m", .target = "d", .attr = FILE_SYMLINK},
    };
    for (int f = AUTHOR_V1; f <= AUTHOR_HYBRID; f++) {
        struct author_options o = options((enum author_format)f, "n", 0);
        struct manifest *m = make(&o, list, 3);
        uint32_t link = 1;
        assert_int_equal(m->files[0].attr, FILE_HIDDEN | FILE_EXEC);
        while (!(m->files[link].attr & FILE_SYMLINK))
            link++;
        assert_string_equal(m->files[link].target, "a");
        assert_string_equal(m->files[link + 1].target, "d");
        manifest_free(m);
    }
}

/* Folders that open and close at every depth, all of them empty files but one. */
static void deep_trees(void **state)
{
    (void)state;
    static const struct author_entry list[] = {
        {.path = "a/b/c/d", .length = 1}, {.path = "a/b/c-"}, {.path = "a/b-/c"}, {.path = "a-"},
        {.path = "a.b/c/d/e/f"},          {.path = "ab"},     {.path = "a/b/c/\xff\xfe"},
    };
    struct author_options o = options(AUTHOR_HYBRID, "n", 0);
    struct manifest *m = make(&o, list, 7);
    static const char *const order[] = {"a/b/c/d", ".pad/16383", "a/b/c/\xff\xfe", "a/b/c-",
                                        "a/b-/c",  "a-",         "a.b/c/d/e/f",    "ab"};
    assert_int_equal(m->n_files, 8);
    for (uint32_t i = 0; i < 8; i++)
        assert_string_equal(m->files[i].path, order[i]);
    manifest_free(m);
}

static void folder_of_one(void **state)
{
    (void)state;
    static const struct author_entry one[] = {{.path = "f", .length = 20000}};
    for (int f = AUTHOR_V1; f <= AUTHOR_HYBRID; f++) {
        struct author_options o = options((enum author_format)f, "n", 16384);
        struct manifest *m = make(&o, one, 1);
        assert_true(m->multi);
        assert_string_equal(m->files[0].path, "f");
        manifest_free(m);
    }
    struct err e = {0};
    struct author_options o = options(AUTHOR_V2, "f", 0);
    assert_null(author_new(&o, one, 1, &e));
    assert_int_equal(e.code, ERR_INVALID);
    o.format = AUTHOR_HYBRID;
    manifest_free(make(&o, one, 1));
}

static void nothing_in_it(void **state)
{
    (void)state;
    static const struct author_entry empty[] = {{.path = "a"}, {.path = "b/c"}};
    for (int f = AUTHOR_V1; f <= AUTHOR_HYBRID; f++) {
        struct author_options o = options((enum author_format)f, "n", 0);
        struct manifest *m = make(&o, empty, 2);
        assert_int_equal(m->n_pieces, 0);
        manifest_free(m);
    }
}

static void refused(void **state)
{
    (void)state;
#define ENTRIES(...) \
    .list = {__VA_ARGS__}, \
    .n = sizeof((struct author_entry[]){__VA_ARGS__}) / sizeof(struct author_entry)
    static const struct {
        const char *name;
        uint32_t piece_length;
        struct author_entry list[3];
        size_t n;
        int code;
    } tries[] = {
        {"n", 0, .code = ERR_INVALID},
        {NULL, 0, ENTRIES({.path = "a"}), .code = ERR_INVALID},
        {"a/b", 0, ENTRIES({.path = "a"}), .code = ERR_INVALID},
        {"..", 0, ENTRIES({.path = "a"}), .code = ERR_INVALID},
        {"n", 8192, ENTRIES({.path = "a"}), .code = ERR_INVALID},
        {"n", 20000, ENTRIES({.path = "a"}), .code = ERR_INVALID},
        {"n", 256u << 20, ENTRIES({.path = "a"}), .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a"}, {.path = "a"}), .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a"}, {.path = "a-"}, {.path = "a/b"}), .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a//b"}), .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "/a"}), .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "../a"}), .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a/"}), .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a"}, {.path = NULL}), .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a"}, {.path = "l", .target = "b", .attr = FILE_SYMLINK}),
         .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "d/a"}, {.path = "d/l", .target = "a", .attr = FILE_SYMLINK}),
         .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a"}, {.path = "l", .target = "../a", .attr = FILE_SYMLINK}),
         .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a"}, {.path = "l", .attr = FILE_SYMLINK}), .code = ERR_INVALID},
        {"n", 0,
         ENTRIES({.path = "a"}, {.path = "l", .target = "a", .length = 1, .attr = FILE_SYMLINK}),
         .code = ERR_INVALID},
        {"n", 0, ENTRIES({.path = "a", .length = UINT64_MAX}), .code = ERR_LIMIT},
        {"n", 0, ENTRIES({.path = "a", .length = UINT64_MAX}, {.path = "b", .length = UINT64_MAX}),
         .code = ERR_LIMIT},
        {"n", 16384, ENTRIES({.path = "a", .length = (uint64_t)MANIFEST_MAX_PIECES * 16384 + 1}),
         .code = ERR_LIMIT},
        {"n", 16384, ENTRIES({.path = "a", .length = (uint64_t)1000000 * 16384}), .code = 0},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
        for (int f = AUTHOR_V1; f <= AUTHOR_HYBRID; f++) {
            struct err e = {0};
            struct author_options o =
                options((enum author_format)f, tries[i].name, tries[i].piece_length);
            struct author *a = author_new(&o, tries[i].list, tries[i].n, &e);
            if (e.code != tries[i].code || !a != (e.code != 0))
                fail_msg("try %zu, format %d: %d (%s)", i, f, e.code, e.msg);
            author_free(a);
        }
}

/* n empty files, whose manifest no reader would take if they are too many. */
static int many(enum author_format format, size_t n, bool finish)
{
    struct author_entry *list = mem_array(n, sizeof *list);
    char(*paths)[16] = mem_array(n, sizeof *paths);
    struct err e = {0};
    for (size_t i = 0; i < n; i++) {
        snprintf(paths[i], sizeof paths[i], "%zu/%zu", i / 1000, i % 1000);
        list[i].path = paths[i];
    }
    struct author_options o = options(format, "n", 0);
    struct author *a = author_new(&o, list, n, &e);
    struct manifest *m = a && finish ? author_finish(a, &e) : NULL;
    assert_true(!finish || !m == (e.code != 0));
    if (m)
        read_back(m);
    manifest_free(m);
    author_free(a);
    free(list);
    free(paths);
    return e.code;
}

/* 7, 6 and 13 tokens each, two for a folder in a tree, 40 around. What is planned is finished. */
static void too_many_files(void **state)
{
    (void)state;
    assert_int_equal(many(AUTHOR_V1, (3000000 - 40) / 7, true), 0);
    assert_int_equal(many(AUTHOR_V1, (3000000 - 40) / 7 + 1, false), ERR_LIMIT);
    assert_int_equal(many(AUTHOR_V2, 499800, true), 0);
    assert_int_equal(many(AUTHOR_V2, 499900, false), ERR_LIMIT);
    assert_int_equal(many(AUTHOR_HYBRID, 230700, true), 0);
    assert_int_equal(many(AUTHOR_HYBRID, 230800, false), ERR_LIMIT);
}

/* Hashes of both halves of two million pieces would be 104 MB. */
static void too_many_hashes(void **state)
{
    (void)state;
    const struct author_entry big = {.length = (uint64_t)MANIFEST_MAX_PIECES * 16384};
    static const int codes[] = {0, ERR_LIMIT, ERR_LIMIT};
    for (int f = AUTHOR_V1; f <= AUTHOR_HYBRID; f++) {
        struct err e = {0};
        struct author_options o = options((enum author_format)f, "n", 16384);
        struct author *a = author_new(&o, &big, 1, &e);
        assert_int_equal(e.code, codes[f]);
        author_free(a);
    }
}

static void not_all_hashed(void **state)
{
    (void)state;
    struct err e = {0};
    struct author_options o = options(AUTHOR_HYBRID, "n", 16384);
    struct author *a = author_new(&o, solo, 1, NULL);
    struct piecehash_result r = {0};
    author_set(a, 0, &r);
    author_set(a, 99, &r);
    assert_null(author_finish(a, &e));
    assert_int_equal(e.code, ERR_FAIL);
    author_free(a);
    author_free(NULL);
}

static void piece_lengths(void **state)
{
    (void)state;
    const uint64_t MiB = 1u << 20, TiB = (uint64_t)1 << 40;
    assert_int_equal(author_piece_length(0), 16384);
    assert_int_equal(author_piece_length(2 * MiB), 16384);
    assert_int_equal(author_piece_length(8192 * MiB), MiB);
    assert_int_equal(author_piece_length(TiB), 16 * MiB);
    assert_int_equal(author_piece_length(UINT64_MAX), AUTHOR_MAX_PIECE);
    uint32_t last = 0;
    for (uint64_t total = 1; total < 256 * TiB; total *= 2) {
        uint32_t p = author_piece_length(total);
        assert_true(p >= last && total / p <= MANIFEST_MAX_PIECES);
        last = p;
    }
}

/* Many small files of a hybrid get small pieces, or v1 would hash padding most of the time. */
static void small_files_small_pieces(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct author_entry *list = mem_array(N, sizeof *list);
    char(*paths)[16] = mem_array(N, sizeof *paths);
    for (size_t i = 0; i < N; i++) {
        snprintf(paths[i], sizeof paths[i], "%zu", i);
        list[i] = (struct author_entry){.path = paths[i], .length = 10000};
    }
    struct author_options o = options(AUTHOR_HYBRID, "n", 0);
    struct author *a = author_new(&o, list, N, NULL);
    assert_int_equal(author_plan(a)->piece_length, 16384);
    author_free(a);
    o.format = AUTHOR_V1;
    a = author_new(&o, list, N, NULL);
    assert_int_equal(author_plan(a)->piece_length, author_piece_length((uint64_t)N * 10000));
    author_free(a);
    free(list);
    free(paths);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_libtorrent),        cmocka_unit_test(pads_differ),
        cmocka_unit_test(v1_folder),
        cmocka_unit_test(words_outside),        cmocka_unit_test(entries_are_found_again),
        cmocka_unit_test(links_and_attributes), cmocka_unit_test(deep_trees),
        cmocka_unit_test(folder_of_one),        cmocka_unit_test(nothing_in_it),
        cmocka_unit_test(refused),              cmocka_unit_test(not_all_hashed),
        cmocka_unit_test(too_many_files),       cmocka_unit_test(too_many_hashes),
        cmocka_unit_test(piece_lengths),        cmocka_unit_test(small_files_small_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

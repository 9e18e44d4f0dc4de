/* Pieces read through a tree and hashed: the same as hashing the content itself. */
#include "engine/piecejob.h"
#include "engine/places.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/format/author.h>
#include <p2p/format/layout.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (16u << 10)

struct scene {
    char root[64];
    struct author *author;
    const struct manifest *m;
    struct fdcache *cache;
    struct tree *tree;
};

static uint8_t byte_at(uint32_t file, uint64_t off)
{
    return (uint8_t)(file * 37 + off * 7 + off / 251);
}

static void write_file(const char *path, uint32_t file, uint64_t length)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    for (uint64_t i = 0; i < length; i++)
        fputc(byte_at(file, i), f);
    fclose(f);
}

static int set_up(void **state, enum author_format format)
{
    static const struct author_entry v[] = {{.path = "a", .length = 40000},
                                            {.path = "b", .length = 5},
                                            {.path = "c", .length = 100000}};
    struct author_options o = {
        .format = format, .name = "dir", .creation_date = -1, .piece_length = PIECE};
    struct scene *s = mem_zero(sizeof *s);

    strcpy(s->root, "/tmp/piecejob.XXXXXX");
    assert_non_null(mkdtemp(s->root));
    s->author = author_new(&o, v, 3, NULL);
    s->m = author_plan(s->author);
    s->cache = fdcache_new(4);
    char *path = mem_fmt("%s/dir", s->root);
    mkdir(path, 0700);
    struct places p = {.m = s->m, .path = path};
    s->tree = places_tree(s->cache, &p);
    for (uint32_t i = 0; i < s->m->n_files; i++) {
        if (s->m->files[i].attr & FILE_PAD)
            continue;
        tree_set_flags(s->tree, i, TREE_FINAL, 0);
        char *file = tree_path(s->tree, i);
        write_file(file, i, s->m->files[i].length);
        free(file);
    }
    free(path);
    *state = s;
    return 0;
}

static int set_up_v1(void **state)
{
    return set_up(state, AUTHOR_V1);
}

static int set_up_hybrid(void **state)
{
    return set_up(state, AUTHOR_HYBRID);
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    tree_delete(s->tree, NULL);
    tree_free(s->tree);
    fdcache_free(s->cache);
    author_free(s->author);
    rmdir(s->root);
    free(s);
    return 0;
}

/* The piece hashed from memory. */
static void expect(const struct scene *s, uint32_t piece, struct piecehash *h,
                   struct piecehash_result *r)
{
    struct layout_iter it;
    struct layout_seg g;

    piecehash_begin(h, s->m, piece);
    layout_iter_init(&it, s->m, (uint64_t)piece * PIECE, layout_piece_len(s->m, piece));
    while (layout_iter_next(&it, &g)) {
        if (g.pad) {
            piecehash_zero(h, g.length);
            continue;
        }
        uint8_t *mem = mem_alloc(g.length);
        for (uint64_t i = 0; i < g.length; i++)
            mem[i] = byte_at(g.file, g.offset + i);
        piecehash_more(h, BYTES(mem, g.length));
        free(mem);
    }
    piecehash_end(h, r);
}

static void every_piece_as_from_memory(void **state)
{
    struct scene *s = *state;
    struct piecehash *h = piecehash_new();

    for (uint32_t p = 0; p < s->m->n_pieces; p++) {
        struct piecehash_result want;
        struct piecejob j;

        expect(s, p, h, &want);
        piecejob_init(&j, s->m, s->tree, p, true, true);
        piecejob_run(&j);
        assert_int_equal(j.code, 0);
        if (s->m->has_v1)
            assert_memory_equal(j.r.v1, want.v1, sizeof want.v1);
        assert_memory_equal(j.r.root, want.root, sizeof want.root);
        assert_int_equal(j.r.n_leaves, want.n_leaves);
        if (want.n_leaves)
            assert_memory_equal(j.r.leaves, want.leaves, want.n_leaves * SHA256_LEN);
        piecejob_fini(&j);
    }
    piecehash_free(h);
}

/* All of the manifest's pieces side by side, one of them cut: each has its own result. */
static void many_at_once_as_one_by_one(void **state)
{
    struct scene *s = *state;
    struct piecejob alone, each[PIECEJOB_MOST], *v[PIECEJOB_MOST];
    size_t n = s->m->n_pieces < PIECEJOB_MOST ? s->m->n_pieces : PIECEJOB_MOST;
    uint32_t file = s->m->n_files - 1;
    while (s->m->files[file].attr & FILE_PAD)
        file--;
    char *path = tree_path(s->tree, file);

    assert_true(n > 4);
    assert_int_equal(truncate(path, 99999), 0);
    for (size_t i = 0; i < n; i++) {
        v[i] = &each[i];
        /* A v1 manifest that is asked for leaves alone gives those of blame. */
        piecejob_init(v[i], s->m, s->tree, s->m->n_pieces - 1 - (uint32_t)i, i % 3 != 0, true);
    }
    piecejob_run_each(v, n);
    assert_int_equal(each[0].code, ERR_NOTFOUND);
    assert_int_equal(each[0].file, file);
    for (size_t i = 0; i < n; i++) {
        piecejob_init(&alone, s->m, s->tree, each[i].piece, each[i].v1, each[i].v2);
        piecejob_run(&alone);
        assert_int_equal(each[i].code, alone.code);
        assert_int_equal(each[i].read, alone.read);
        assert_memory_equal(each[i].r.v1, alone.r.v1, SHA1_LEN);
        assert_memory_equal(each[i].r.root, alone.r.root, SHA256_LEN);
        assert_int_equal(each[i].r.n_leaves, alone.r.n_leaves);
        if (alone.r.n_leaves)
            assert_memory_equal(each[i].r.leaves, alone.r.leaves, alone.r.n_leaves * SHA256_LEN);
        piecejob_fini(&alone);
        piecejob_fini(&each[i]);
    }
    free(path);
}

/* What is lent is hashed, and nothing is read. */
static void lent_as_from_the_disk(void **state)
{
    struct scene *s = *state;
    struct bytes part[8];
    struct piecejob read, lent;
    size_t n = 0;

    piecejob_init(&read, s->m, s->tree, 0, true, true);
    piecejob_run(&read);
    assert_int_equal(read.code, 0);
    piecejob_init(&lent, s->m, s->tree, 0, true, true);
    for (uint64_t at = 0; at < PIECE; at += part[n++].n) {
        size_t length = PIECE - at < 7000 ? (size_t)(PIECE - at) : 7000;
        uint8_t *mem = mem_alloc(length);
        for (size_t i = 0; i < length; i++)
            mem[i] = byte_at(0, at + i);
        part[n] = BYTES(mem, length);
    }
    lent.parts = part;
    lent.n_parts = n;
    piecejob_run(&lent);
    assert_int_equal(lent.code, 0);
    assert_int_equal(lent.read, 0);
    assert_memory_equal(lent.r.v1, read.r.v1, SHA1_LEN);
    assert_memory_equal(lent.r.root, read.r.root, SHA256_LEN);
    for (size_t i = 0; i < n; i++)
        bytes_free(part[i]);
    piecejob_fini(&lent);
    piecejob_fini(&read);
}

static void only_the_halves_asked_for(void **state)
{
    static const uint8_t none[SHA256_LEN];
    struct scene *s = *state;
    struct piecejob j;

    piecejob_init(&j, s->m, s->tree, 0, true, false);
    piecejob_run(&j);
    assert_int_equal(j.code, 0);
    assert_int_equal(j.r.n_leaves, 0);
    assert_memory_not_equal(j.r.v1, none, SHA1_LEN);
    assert_memory_equal(j.r.root, none, SHA256_LEN);
    piecejob_fini(&j);
    piecejob_init(&j, s->m, s->tree, 0, false, true);
    piecejob_run(&j);
    assert_int_equal(j.r.n_leaves, 1);
    assert_memory_equal(j.r.v1, none, SHA1_LEN);
    piecejob_fini(&j);
}

static void what_is_short_or_absent_is_named(void **state)
{
    struct scene *s = *state;
    struct piecejob j;
    uint32_t last = s->m->n_pieces - 1, file = s->m->n_files - 1;
    while (s->m->files[file].attr & FILE_PAD)
        file--;
    char *path = tree_path(s->tree, file);

    assert_int_equal(truncate(path, 99999), 0);
    piecejob_init(&j, s->m, s->tree, last, true, true);
    piecejob_run(&j);
    assert_int_equal(j.code, ERR_NOTFOUND);
    assert_int_equal(j.file, file);
    piecejob_fini(&j);
    assert_int_equal(unlink(path), 0);
    tree_set_flags(s->tree, file, 0, TREE_FINAL); /* lets go of the open descriptor */
    tree_set_flags(s->tree, file, TREE_FINAL, 0);
    piecejob_init(&j, s->m, s->tree, last, true, true);
    piecejob_run(&j);
    assert_int_equal(j.code, ERR_NOTFOUND);
    assert_int_equal(j.file, file);
    piecejob_fini(&j);
    piecejob_init(&j, s->m, s->tree, last, true, true);
    piecejob_fini(&j); /* of one that never ran */
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_piece_as_from_memory, set_up_v1, tear_down),
        cmocka_unit_test_setup_teardown(every_piece_as_from_memory, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(many_at_once_as_one_by_one, set_up_v1, tear_down),
        cmocka_unit_test_setup_teardown(many_at_once_as_one_by_one, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(lent_as_from_the_disk, set_up_v1, tear_down),
        cmocka_unit_test_setup_teardown(lent_as_from_the_disk, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(only_the_halves_asked_for, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(what_is_short_or_absent_is_named, set_up_hybrid, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

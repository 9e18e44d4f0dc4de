/* What is gathered for one call: in order, bounded, and up to what cannot be read. */
#include "../host/scratch.h"

#include "engine/stage.h"

#include <p2p/base/mem.h>
#include <p2p/format/author.h>

#define PIECE 16384u
#define BIG (4 * STAGE_BYTES)

static const struct author_entry ENTRIES[] = {
    {.path = "a", .length = BIG}, {.path = "b", .length = 5}, {.path = "c", .length = PIECE}};
enum { TASK = 7, OTHER = 8 };

static struct engine g;
static struct item item, other;
static struct author *author;
static const struct manifest *m;
static struct stage stage;
static struct err err;

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 7 + offset / 251);
}

/* Each byte tells where in content space it is, and of which item. */
static void write_file(const struct manifest_file *f, const char *folder, uint8_t more)
{
    uint8_t *mem = mem_alloc((size_t)f->length);
    char rel[40];
    for (uint64_t i = 0; i < f->length; i++)
        mem[i] = (uint8_t)(byte_at(f->offset + i) + more);
    snprintf(rel, sizeof rel, "%s/%s", folder, f->path);
    put_file(at(rel), mem, (size_t)f->length);
    free(mem);
}

static void make(struct item *it, node_id task, const char *folder, uint8_t more)
{
    struct places p = {.m = m, .path = at(folder), .where = PLACES_RAW};
    mkdir(at(folder), 0700);
    *it = (struct item){.g = &g, .m = (struct manifest *)(uintptr_t)m};
    it->tree = places_tree(g.files, &p);
    for (uint32_t i = 0; i < m->n_files; i++) {
        tree_set_flags(it->tree, i, TREE_FINAL, 0);
        if (!(m->files[i].attr & FILE_PAD))
            write_file(&m->files[i], folder, more);
    }
    map_put(g.tasks, ID_KEY(task), it);
}

static int begin(void **state)
{
    struct author_options o = {
        .format = AUTHOR_HYBRID, .name = "d", .creation_date = -1, .piece_length = PIECE};
    if (scratch_begin(state) < 0)
        return -1;
    err_clear(&err);
    author = author_new(&o, ENTRIES, 3, NULL);
    m = author_plan(author);
    g = (struct engine){.files = fdcache_new(4), .tasks = map_new(0)};
    make(&item, TASK, "d", 0);
    make(&other, OTHER, "e", 1);
    return 0;
}

static int end(void **state)
{
    tree_free(item.tree);
    tree_free(other.tree);
    fdcache_free(g.files);
    map_free(g.tasks);
    author_free(author);
    return scratch_end(state);
}

static struct node_out words(const char *s)
{
    return (struct node_out){.task = TASK, .b = bytes_str(s), .length = (uint32_t)strlen(s)};
}

static struct node_out content(node_id task, uint64_t offset, uint32_t length)
{
    return (struct node_out){.task = task, .offset = offset, .length = length};
}

static bool is_pad(uint64_t offset)
{
    for (uint32_t i = 0; i < m->n_files; i++)
        if (offset >= m->files[i].offset && offset - m->files[i].offset < m->files[i].length)
            return m->files[i].attr & FILE_PAD;
    return true;
}

static void assert_content(struct bytes b, uint64_t offset)
{
    for (size_t i = 0; i < b.n; i++)
        assert_int_equal(b.p[i], is_pad(offset + i) ? 0 : byte_at(offset + i));
}

static uint64_t start_of(const char *path)
{
    uint32_t i = 0;
    while (strcmp(m->files[i].path, path) != 0)
        i++;
    return m->files[i].offset;
}

static void in_order(void **state)
{
    const struct node_out v[] = {
        words("one"),           content(TASK, 100, 1000), words("two"),  content(TASK, 1100, 50),
        content(TASK, 9000, 1), content(OTHER, 9001, 3),  words("three")};
    (void)state;
    assert_true(stage_fill(&stage, &g, v, 7, &err));
    assert_int_equal(stage.n, 7);
    assert_int_equal(stage.total, 3 + 1000 + 3 + 50 + 1 + 3 + 5);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(stage.v[i].n, v[i].length);
        if (v[i].b.p)
            assert_memory_equal(stage.v[i].p, v[i].b.p, v[i].length);
        else if (v[i].task == TASK)
            assert_content(stage.v[i], v[i].offset);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(stage.v[5].p[i], (uint8_t)(byte_at(9001 + i) + 1));
}

/* Padding is zeros that are on no disk. */
static void over_the_ends_of_files(void **state)
{
    uint64_t b = start_of("b"), c = start_of("c");
    const struct node_out v[] = {content(TASK, b - 10, 20),
                                 content(TASK, b + 10, (uint32_t)(c - b))};
    (void)state;
    assert_true(c - b == PIECE);
    assert_true(stage_fill(&stage, &g, v, 2, &err));
    assert_int_equal(stage.total, 20 + PIECE);
    assert_content(stage.v[0], b - 10);
    assert_content(stage.v[1], b + 10);
}

static void no_more_than_fits(void **state)
{
    struct node_out v[STAGE_SLICES];
    (void)state;
    for (unsigned i = 0; i < STAGE_SLICES; i++)
        v[i] = i % 2 ? content(TASK, i / 2 * 10000u, 10000) : words("header");
    assert_true(stage_fill(&stage, &g, v, STAGE_SLICES, &err));
    assert_int_equal(stage.filled, STAGE_BYTES);
    assert_int_equal(stage.n, STAGE_BYTES / 10000 * 2 + 2);
    assert_int_equal(stage.v[stage.n - 1].n, STAGE_BYTES % 10000);
    for (size_t i = 1; i < stage.n; i += 2)
        assert_content(stage.v[i], v[i].offset);
    v[0] = content(TASK, 0, BIG);
    assert_true(stage_fill(&stage, &g, v, 2, &err));
    assert_int_equal(stage.total, STAGE_BYTES);
    assert_int_equal(stage.n, 1);
}

/* What stands before it goes out all the same. */
static void cut_off(void **state)
{
    const struct node_out v[] = {words("one"), content(TASK, 0, 100), words("two"),
                                 content(TASK, 100, 100), words("three")};
    (void)state;
    truncate(at("d/a"), 150);
    assert_false(stage_fill(&stage, &g, v, 5, &err));
    assert_int_equal(stage.bad_task, TASK);
    assert_int_equal(stage.bad_offset, 0);
    assert_non_null(strstr(err.msg, "it is shorter than it was"));
    assert_true(stage.total < 3 + 100 + 3 + 100);
    for (size_t i = 1; i < stage.n; i += 2)
        assert_content(stage.v[i], v[i].offset);
}

static void what_is_gone(void **state)
{
    uint64_t c = start_of("c");
    const struct node_out v[] = {content(OTHER, 0, 10), content(TASK, c - 20, 40),
                                 words("no more")};
    const struct node_out nobody = content(TASK + 2, 5, 10);
    (void)state;
    unlink(at("d/c"));
    assert_false(stage_fill(&stage, &g, v, 3, &err));
    assert_int_equal(stage.bad_task, TASK);
    assert_int_equal(stage.bad_offset, c);
    assert_int_equal(stage.total, 10 + 20);
    assert_false(stage_fill(&stage, &g, &nobody, 1, &err));
    assert_int_equal(stage.bad_task, TASK + 2);
    assert_int_equal(stage.n, 0);
    item.differs = true; /* it is seen to have changed */
    const struct node_out changed = content(TASK, 2, 10);
    assert_false(stage_fill(&stage, &g, &changed, 1, &err));
    assert_int_equal(stage.bad_offset, 2);
    assert_int_equal(stage.total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(in_order, begin, end),
        cmocka_unit_test_setup_teardown(over_the_ends_of_files, begin, end),
        cmocka_unit_test_setup_teardown(no_more_than_fits, begin, end),
        cmocka_unit_test_setup_teardown(cut_off, begin, end),
        cmocka_unit_test_setup_teardown(what_is_gone, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

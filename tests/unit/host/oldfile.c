/*
 * oldfile: what is read and what is passed over; placing bytes into a tree, with blocks shared
 * where the file system can.
 */
#include "scratch.h"

#include <p2p/host/oldfile.h>
#include <p2p/host/tree.h>

#include <sys/mount.h>

#define BIG ((size_t)1 << 20)

static struct fdcache *cache;

static int begin(void **state)
{
    cache = fdcache_new(8);
    return scratch_begin(state);
}

static int end(void **state)
{
    fdcache_free(cache);
    return scratch_end(state);
}

static uint8_t *noise(size_t n)
{
    uint8_t *v = malloc(n);
    unsigned seed = 1;
    for (size_t i = 0; i < n; i++)
        v[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
    return v;
}

static void put(const char *path, const uint8_t *v, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(v, 1, n, f), n);
    fclose(f);
}

static void regular_files_only(void **state)
{
    (void)state;
    struct oldfile *f = NULL;
    struct err e = {0};
    uint8_t b[8];
    assert_int_equal(oldfile_open(&f, at("none"), &e), ERR_IO);
    assert_int_equal(e.os, ENOENT);
    err_clear(&e);
    mkfifo(at("pipe"), 0600);
    mkdir(at("d"), 0700);
    err_clear(&e);
    assert_int_equal(oldfile_open(&f, at("pipe"), &e), ERR_IO); /* and it did not wait */
    err_clear(&e);
    assert_int_equal(oldfile_open(&f, at("d"), &e), ERR_IO);
    assert_true(oldfile_is_folder(at("d")));
    assert_false(oldfile_is_folder(at("none")));
    put(at("f"), (const uint8_t *)"0123456789", 10);
    assert_int_equal(symlink("f", at("link")), 0);
    err_clear(&e);
    assert_int_equal(oldfile_open(&f, at("link"), &e), 0);
    assert_int_equal(oldfile_size(f), 10);
    assert_int_equal(oldfile_pread(f, 7, (struct span){b, 8}, &e), 3);
    assert_memory_equal(b, "789", 3);
    assert_int_equal(truncate(at("f"), 2), 0); /* cut under us */
    assert_int_equal(oldfile_pread(f, 7, (struct span){b, 8}, &e), 0);
    struct stat st;
    assert_int_equal(stat(at("f"), &st), 0);
    assert_int_equal(oldfile_inode(f), st.st_ino);
    oldfile_free(f);
    oldfile_free(NULL);
}

static void holes_are_passed_over(void **state)
{
    (void)state;
    struct oldfile *f = NULL;
    uint64_t from = 0, to = 0, seen = 0;
    uint8_t *v = noise(BIG);
    int fd = open(at("f"), O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, 64 * (off_t)BIG), 0);
    assert_int_equal(pwrite(fd, v, BIG, 32 * (off_t)BIG), BIG);
    close(fd);
    assert_int_equal(oldfile_open(&f, at("f"), NULL), 0);
    while (oldfile_data(f, to, &from, &to)) {
        assert_true(from < to);
        seen += to - from;
    }
    assert_true(seen >= BIG && seen <= 64 * BIG);
    oldfile_free(f);
    free(v);
}

static struct tree *one_file(const char *root, uint64_t length, unsigned flags)
{
    struct tree_file v = {.path = "new", .length = length, .flags = flags};
    mkdir(root, 0700);
    return tree_new(cache, root, &v, 1, ".part", NULL);
}

static void expect_placed(const char *old, const char *root, uint64_t off, uint64_t to, size_t n,
                          uint64_t *shared)
{
    struct oldfile *f = NULL;
    struct err e = {0};
    uint8_t *v = noise(BIG), *got = malloc(n);
    put(old, v, BIG);
    struct tree *t = one_file(root, 2 * BIG, 0);
    assert_int_equal(oldfile_open(&f, old, &e), 0);
    assert_int_equal(oldfile_place(f, off, BYTES(v + off, n), t, 0, to, shared, &e), 0);
    assert_int_equal(tree_pread(t, 0, to, (struct span){got, n}, &e), n);
    assert_memory_equal(got, v + off, n);
    assert_true(tree_dirty(t));
    tree_free(t);
    oldfile_free(f);
    free(v);
    free(got);
}

static void placed_at_any_offset(void **state)
{
    (void)state;
    uint64_t shared = 0;
    expect_placed(at("old"), at("a"), 0, 0, BIG, &shared);
    expect_placed(at("old"), at("b"), 1024, 0, BIG - 1024, &shared);
    expect_placed(at("old"), at("c"), 5000, 5000 + 8192, 300000, &shared);
    expect_placed(at("old"), at("d"), 4095, 4095, 2, &shared);
}

/* It has changed since it was read: what was read is what counts. */
static void what_changed_is_written_from_memory(void **state)
{
    (void)state;
    struct oldfile *f = NULL;
    uint8_t *v = noise(BIG), *got = malloc(BIG);
    put(at("old"), v, BIG);
    struct tree *t = one_file(at("a"), BIG, 0);
    assert_int_equal(oldfile_open(&f, at("old"), NULL), 0);
    int fd = open(at("old"), O_WRONLY);
    assert_int_equal(pwrite(fd, "changed", 7, 500000), 7);
    close(fd);
    assert_int_equal(oldfile_place(f, 0, BYTES(v, BIG), t, 0, 0, NULL, NULL), 0);
    assert_int_equal(tree_pread(t, 0, 0, (struct span){got, BIG}, NULL), BIG);
    assert_memory_equal(got, v, BIG);
    tree_free(t);
    oldfile_free(f);
    free(v);
    free(got);
}

static void what_is_not_ours_is_not_written(void **state)
{
    (void)state;
    struct oldfile *f = NULL;
    struct err e = {0};
    uint8_t *v = noise(BIG);
    put(at("old"), v, BIG);
    struct tree *t = one_file(at("a"), BIG, TREE_FINAL);
    assert_int_equal(oldfile_open(&f, at("old"), NULL), 0);
    assert_int_equal(oldfile_place(f, 0, BYTES(v, BIG), t, 0, 0, NULL, &e), ERR_USAGE);
    assert_int_equal(entries_in(at("a")), 0);
    tree_free(t);
    oldfile_free(f);
    free(v);
}

/* On a file system that shares blocks, where one can be made and mounted here. */
static void blocks_are_shared(void **state)
{
    (void)state;
    char line[9000];
    uint64_t shared = 0;
    mkdir(at("m"), 0700);
    snprintf(line, sizeof line,
             "truncate -s 320M %s && { mkfs.btrfs -q %s || mkfs.xfs -q -m reflink=1 %s; } "
             ">/dev/null 2>&1 && mount -o loop %s %s 2>/dev/null",
             at("disk"), at("disk"), at("disk"), at("disk"), at("m"));
    if (system(line) != 0)
        skip();
    expect_placed(at("m/old"), at("m/a"), 0, 0, BIG, &shared);
    assert_int_equal(shared, BIG);
    expect_placed(at("m/old"), at("m/b"), 4096 + 100, 100, 300000, &shared);
    assert_true(shared > BIG + 290000 && shared < BIG + 300000); /* the edges are written */
    shared = 0;
    expect_placed(at("m/old"), at("m/c"), 1024, 0, 300000, &shared);
    assert_int_equal(shared, 0); /* blocks do not lie so */
    expect_placed(at("old"), at("m/d"), 0, 0, BIG, &shared);
    assert_int_equal(shared, 0); /* from another file system */
    umount(at("m"));
}

struct seen {
    size_t n, stop;
    uint64_t bytes;
};

static bool see(void *arg, const char *path, uint64_t size)
{
    struct seen *s = arg;
    assert_true(exists(path));
    s->bytes += size;
    return ++s->n < s->stop;
}

static void walks_within_bounds(void **state)
{
    (void)state;
    struct seen all = {.stop = 1000}, few = {.stop = 3}, bounded = {.stop = 1000};
    mkdir(at("d"), 0700);
    mkdir(at("d/sub"), 0700);
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "d/%sf%d", i % 2 ? "sub/" : "", i);
        put(at(name), (const uint8_t *)"12345", 5);
    }
    mkfifo(at("d/pipe"), 0600);
    assert_int_equal(symlink("..", at("d/sub/up")), 0);
    assert_int_equal(symlink("f0", at("d/again")), 0);
    oldfile_walk(at("d"), 1000, see, &all);
    assert_int_equal(all.n, 10);
    assert_int_equal(all.bytes, 50);
    oldfile_walk(at("d"), 1000, see, &few);
    assert_int_equal(few.n, 3);
    oldfile_walk(at("d"), 4, see, &bounded);
    assert_true(bounded.n <= 4);
    oldfile_walk(at("none"), 4, see, &bounded);
    char deep[8000];
    snprintf(deep, sizeof deep, "d");
    for (int i = 0; i < 60; i++) {
        strcat(deep, "/x");
        mkdir(at(deep), 0700);
    }
    strcat(deep, "/f");
    put(at(deep), (const uint8_t *)"1", 1);
    all.n = 0;
    oldfile_walk(at("d"), 1000, see, &all);
    assert_int_equal(all.n, 10); /* not so deep */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(regular_files_only),
        TEST(holes_are_passed_over),
        TEST(placed_at_any_offset),
        TEST(what_changed_is_written_from_memory),
        TEST(what_is_not_ours_is_not_written),
        TEST(blocks_are_shared),
        TEST(walks_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the tests of tree share: a descriptor cache for each test, three files, and short words. */
#ifndef P2P_TESTS_TREE_MAKE_H
#define P2P_TESTS_TREE_MAKE_H

#include "scratch.h"

#include <p2p/host/tree.h>

static struct fdcache *cache;

static int begin(void **state)
{
    if (scratch_begin(state) != 0)
        return -1;
    cache = fdcache_new(4);
    return mkdir(at("root"), 0777);
}

static int end(void **state)
{
    assert_int_equal(fdcache_open_count(cache), 0); /* every tree has closed what it had */
    fdcache_free(cache);
    return scratch_end(state);
}

static inline int write_text(struct tree *t, size_t file, uint64_t off, const char *text,
                             struct err *e)
{
    struct bytes v = bytes_str(text);
    return tree_pwrite(t, file, off, &v, 1, e);
}

static inline void expect_os(int rc, struct err *e, int os)
{
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(e->os, os);
    err_clear(e);
}

static inline void expect_read(struct tree *t, size_t file, uint64_t off, const char *text)
{
    char got[256];
    size_t n = strlen(text);
    struct err e = {0};
    assert_int_equal(tree_pread(t, file, off, (struct span){(uint8_t *)got, n}, &e), (int64_t)n);
    assert_memory_equal(got, text, n);
}

static const struct tree_file three[] = {
    {"name/one", 10, 0},
    {".pad/5", 5, TREE_PAD},
    {"name/sub/two", 20, TREE_EXEC},
    {"name/empty", 0, 0},
};

static inline struct tree *three_files(void)
{
    return tree_new(cache, at("root"), three, 4, ".part", NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif

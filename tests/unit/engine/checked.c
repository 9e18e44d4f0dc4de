/* Content that lies here is given only as far as its hashes say that it is what it was. */
#include "../host/scratch.h"

#include "engine/checked.h"

#include <p2p/base/mem.h>
#include <p2p/engine/scan.h>

#define PIECE 16384u
#define LENGTH (3 * PIECE + 100)

static const struct {
    const char *name;
    size_t length;
} FILES[] = {{"a", LENGTH}, {"b", PIECE}, {"c", 7}};
#define N_FILES (sizeof FILES / sizeof *FILES)

static uint8_t byte_at(size_t file, size_t i)
{
    return (uint8_t)(file * 91 + i * 7 + i / 253);
}

static void write_files(void)
{
    uint8_t mem[LENGTH];
    char rel[20];
    mkdir(at("d"), 0700);
    for (size_t f = 0; f < N_FILES; f++) {
        for (size_t i = 0; i < FILES[f].length; i++)
            mem[i] = byte_at(f, i);
        snprintf(rel, sizeof rel, "d/%s", FILES[f].name);
        put_file(at(rel), mem, FILES[f].length);
    }
}

static struct fdcache *cache;
static struct scan_result scanned;
static struct checked *checked;
static struct err err;

/* Hashed as it is now. */
static void scan(enum author_format format)
{
    struct scan_options o = {
        .author = {.format = format, .piece_length = PIECE, .creation_date = -1}};
    err_clear(&err);
    write_files();
    assert_int_equal(scan_path(&scanned, at("d"), &o, &err), 0);
    cache = fdcache_new(4);
}

static void look(void)
{
    struct places p = {.m = scanned.m, .path = scanned.path, .where = scanned.where};
    checked = checked_new(cache, &p);
}

static void over(void)
{
    checked_free(checked);
    checked = NULL;
    fdcache_free(cache);
    scan_result_fini(&scanned);
}

static uint32_t file_called(const char *name)
{
    uint32_t i = 0;
    while (strcmp(scanned.m->files[i].path, name) != 0)
        i++;
    return i;
}

static void poke(const char *rel, size_t where)
{
    int fd = open(at(rel), O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\xff", 1, (off_t)where), 1);
    close(fd);
}

/* Reads a file to its end, or to what is wrong; every byte is right. */
static int64_t read_on(const char *name, size_t from, size_t *n)
{
    uint8_t mem[LENGTH];
    uint32_t file = file_called(name);
    size_t f = (size_t)(name[0] - 'a');
    int64_t got = 1;
    for (*n = from; *n < FILES[f].length && got > 0; *n += got > 0 ? (size_t)got : 0) {
        got = checked_read(checked, file, *n, (struct span){mem, FILES[f].length - *n}, &err);
        for (int64_t i = 0; i < got; i++)
            assert_int_equal(mem[i], byte_at(f, *n + (size_t)i));
    }
    return got;
}

static void good_content(void **state)
{
    (void)state;
    for (unsigned format = AUTHOR_V1; format <= AUTHOR_HYBRID; format++) {
        size_t n;
        scan((enum author_format)format);
        look();
        for (size_t f = 0; f < N_FILES; f++) {
            assert_true(checked_has(checked, file_called(FILES[f].name)));
            assert_true(read_on(FILES[f].name, 0, &n) > 0);
            assert_int_equal(n, FILES[f].length);
        }
        assert_true(read_on("a", PIECE + 5, &n) > 0);
        assert_int_equal(n, LENGTH);
        over();
    }
}

/* Those before it are given, and those behind it. */
static void one_piece_is_bad(void **state)
{
    (void)state;
    for (unsigned format = AUTHOR_V1; format <= AUTHOR_HYBRID; format++) {
        size_t n;
        scan((enum author_format)format);
        poke("d/a", 2 * PIECE - 1);
        look();
        assert_true(checked_has(checked, file_called("a")));
        assert_int_equal(read_on("a", 0, &n), ERR_INVALID);
        assert_int_equal(n, PIECE);
        assert_non_null(strstr(err.msg, "d/a: is not what it was"));
        assert_true(read_on("a", 2 * PIECE, &n) > 0);
        assert_int_equal(n, LENGTH);
        over();
    }
}

static void not_there(void **state)
{
    (void)state;
    scan(AUTHOR_V2);
    truncate(at("d/a"), LENGTH - 1);
    unlink(at("d/b"));
    unlink(at("d/c"));
    assert_int_equal(symlink("nowhere", at("d/c")), 0); /* which is as long as the file was */
    look();
    for (size_t f = 0; f < N_FILES; f++)
        assert_false(checked_has(checked, file_called(FILES[f].name)));
    over();
}

/* After it was looked at. */
static void cut_off_meanwhile(void **state)
{
    size_t n;
    (void)state;
    scan(AUTHOR_V2);
    look();
    assert_true(read_on("b", 0, &n) > 0);
    truncate(at("d/a"), 0);
    truncate(at("d/b"), 0);
    assert_int_equal(read_on("a", 0, &n), ERR_INVALID); /* before its piece was checked, */
    assert_int_equal(n, 0);
    err_clear(&err);
    assert_int_equal(read_on("b", 0, &n), ERR_INVALID); /* and after */
    assert_non_null(strstr(err.msg, "d/b: "));
    over();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(good_content),
        SCRATCH_TEST(one_piece_is_bad),
        SCRATCH_TEST(not_there),
        SCRATCH_TEST(cut_off_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

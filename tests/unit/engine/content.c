/* The same file in other items of the catalogue: noted, found, forgotten, and carried over. */
#include "../host/scratch.h"
#include "engine/content.h"

#include <p2p/base/mem.h>
#include <p2p/engine/scan.h>

#define NOW 1800000000

static struct catalogue *open_home(void)
{
    struct catalogue *c = NULL;
    struct err e = {0};
    mkdir(at("home"), 0700);
    assert_int_equal(catalogue_open(&c, at("home"), &e), 0);
    return c;
}

static void put_noise(const char *path, size_t n, unsigned seed)
{
    FILE *f = fopen(path, "w");
    for (size_t i = 0; i < n; i++)
        fputc((int)((seed = seed * 1103515245 + 12345) >> 16 & 0xff), f);
    fclose(f);
}

/* Adds what lies at `rel`; the manifest is the caller's. */
static struct manifest *add(struct catalogue *c, const char *rel, enum author_format format,
                            int64_t *id)
{
    struct scan_options o = {.author = {.format = format, .creation_date = -1},
                             .now = NOW,
                             .catalogue = c,
                             .home = at("home")};
    struct scan_result r;
    struct bytes raw = {0};
    struct err e = {0};
    assert_int_equal(scan_add(&r, at(rel), &o, id, &e), 0);
    scan_result_fini(&r);
    assert_int_equal(catalogue_manifest(c, *id, &raw, &e), 0);
    struct manifest *m = manifest_parse(raw, &e);
    bytes_free(raw);
    assert_non_null(m);
    return m;
}

static size_t find(struct catalogue *c, const struct manifest *m, const char *name,
                   struct content_holder out[CONTENT_HOLDERS])
{
    struct content_known *known = NULL;
    uint32_t i = 0;
    while (strcmp(m->files[i].path, name) != 0)
        i++;
    size_t n = content_find(c, m, i, &known, out);
    content_known_free(known);
    return n;
}

static void forget(struct content_holder *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i].path);
}

static void found_by_root_and_by_name(void **state)
{
    (void)state;
    struct catalogue *c = open_home();
    struct content_holder v[CONTENT_HOLDERS];
    int64_t id;
    mkdir(at("a"), 0755);
    mkdir(at("a/sub"), 0755);
    mkdir(at("b"), 0755);
    put_noise(at("a/sub/film"), 100000, 1);
    put_noise(at("a/small"), 1000, 2);
    put_noise(at("b/renamed"), 100000, 1);
    put_noise(at("b/small"), 1000, 2);
    put_noise(at("b/film"), 99999, 3);
    manifest_free(add(c, "a", AUTHOR_HYBRID, &id));
    struct manifest *b = add(c, "b", AUTHOR_V2, &id);
    assert_int_equal(catalogue_remove(c, id, NULL), 0); /* else it would find itself */
    assert_int_equal(find(c, b, "renamed", v), 1);
    assert_string_equal(v[0].path, at("a/sub/film"));
    assert_int_equal(v[0].size, 100000);
    forget(v, 1);
    assert_int_equal(find(c, b, "film", v), 0);  /* another length */
    assert_int_equal(find(c, b, "small", v), 0); /* too small to be noted */
    manifest_free(b);
    mkdir(at("n"), 0755);
    put_noise(at("n/film"), 100000, 4);
    struct manifest *n = add(c, "n", AUTHOR_V1, &id);
    assert_int_equal(catalogue_remove(c, id, NULL), 0);
    assert_int_equal(find(c, n, "film", v), 1); /* by its name: it may be the same */
    forget(v, 1);
    rename(at("a/sub/film"), at("a/sub/film.part"));
    assert_int_equal(find(c, n, "film", v), 1);
    assert_string_equal(v[0].path, at("a/sub/film.part"));
    forget(v, 1);
    unlink(at("a/sub/film.part"));
    mkfifo(at("a/sub/film"), 0600);
    assert_int_equal(find(c, n, "film", v), 0);
    manifest_free(n);
    catalogue_free(c);
}

static void what_was_noted_goes_with_the_item(void **state)
{
    (void)state;
    struct catalogue *c = open_home();
    struct catalogue_key one[] = {{7, 0}, {7, 3}, {-9, 1}}, two[] = {{8, 0}};
    struct catalogue_holder v[8];
    struct catalogue_item it = {.has_v1 = true, .name = BYTES_LIT("n"), .path = BYTES_LIT("/n"),
                                .selection = BYTES_LIT(""), .piece_size = 1};
    int64_t id, other;
    size_t n = 8;
    struct bytes none = {0};
    assert_int_equal(catalogue_put(c, &it, none, none, &id, NULL), 0);
    it.v1[0] = 1;
    assert_int_equal(catalogue_put(c, &it, none, none, &other, NULL), 0);
    assert_int_equal(catalogue_keys_put(c, id, one, 3, NULL), 0);
    assert_int_equal(catalogue_keys_put(c, other, one, 1, NULL), 0);
    assert_int_equal(catalogue_holders(c, 7, v, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_int_equal(v[0].id, other); /* the latest first */
    n = 2;
    assert_int_equal(catalogue_holders(c, 7, v, &n, NULL), 0);
    assert_int_equal(n, 2);
    n = 8;
    assert_int_equal(catalogue_holders(c, -9, v, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(v[0].file, 1);
    assert_int_equal(catalogue_keys_put(c, id, two, 1, NULL), 0); /* in place of those */
    n = 8;
    assert_int_equal(catalogue_holders(c, 7, v, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(catalogue_remove(c, other, NULL), 0);
    n = 8;
    assert_int_equal(catalogue_holders(c, 7, v, &n, NULL), 0);
    assert_int_equal(n, 0);
    catalogue_free(c);
}

/* Of very many files the largest are noted, and those are asked for. */
static void of_many_files_the_largest(void **state)
{
    (void)state;
    struct manifest m = {.n_files = CONTENT_MOST + 100};
    m.files = mem_array(m.n_files, sizeof *m.files);
    for (uint32_t i = 0; i < m.n_files; i++)
        m.files[i] = (struct manifest_file){.path = "f", .length = CONTENT_LEAST + i};
    assert_int_equal(content_least(&m), CONTENT_LEAST + 100);
    m.n_files = CONTENT_MOST;
    assert_int_equal(content_least(&m), CONTENT_LEAST);
    free(m.files);
}

static void carried_over_from_a_damaged_one(void **state)
{
    (void)state;
    struct catalogue *c = open_home();
    struct content_holder v[CONTENT_HOLDERS];
    struct err e = {0};
    int64_t id;
    put_noise(at("film"), 50000, 1);
    struct manifest *m = add(c, "film", AUTHOR_HYBRID, &id);
    catalogue_free(c);
    int fd = open(at("home/" CATALOGUE_FILE), O_WRONLY);
    assert_int_equal(pwrite(fd, "x", 1, 70), 1); /* its marks: it is not one of ours */
    close(fd);
    assert_int_equal(catalogue_open(&c, at("home"), &e), 0);
    assert_non_null(catalogue_notice(c));
    assert_int_equal(find(c, m, "film", v), 1);
    assert_string_equal(v[0].path, at("film"));
    forget(v, 1);
    manifest_free(m);
    catalogue_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(found_by_root_and_by_name),
        SCRATCH_TEST(what_was_noted_goes_with_the_item),
        SCRATCH_TEST(of_many_files_the_largest),
        SCRATCH_TEST(carried_over_from_a_damaged_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

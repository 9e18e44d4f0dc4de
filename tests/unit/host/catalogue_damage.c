/*
 * catalogue: files that were cut, overwritten or have flipped bits. Whatever happens to the file:
 * no item that is not true, no crash, the damaged file kept, and a catalogue that works after.
 */
#include "catalogue_make.h"

#include <p2p/base/rng.h>
#include <p2p/host/fileio.h>

enum { ITEMS = 60, ANSWERS = ITEMS * 5 };

static struct bytes sound; /* a whole catalogue of ITEMS items */

static struct bytes manifest_of(unsigned n)
{
    static uint8_t mem[6000];
    for (size_t i = 0; i < sizeof mem; i++)
        mem[i] = (uint8_t)(i * 31 + n);
    return BYTES(mem, 100 + n * 90);
}

static int make_sound(void **state)
{
    scratch_in_memory = true;
    if (scratch_begin(state) != 0)
        return -1;
    struct catalogue *c = open_catalogue();
    struct err e = {0};
    for (unsigned i = 0; i < ITEMS; i++) {
        struct catalogue_item it = item(i);
        int64_t id;
        assert_int_equal(catalogue_put(c, &it, manifest_of(i), BYTES_LIT("link"), &id, &e), 0);
        assert_int_equal(catalogue_record_put(c, id, it.state, it.have, BYTES_LIT("record"),
                                              it.updated, &e), 0);
    }
    catalogue_free(c);
    assert_false(exists(at(CATALOGUE_FILE "-wal")));
    assert_int_equal(fileio_read(at(CATALOGUE_FILE), 1 << 24, &sound, &e), 0);
    return scratch_end(state);
}

static int free_sound(void **state)
{
    (void)state;
    free((void *)(uintptr_t)sound.p);
    return 0;
}

static unsigned expect_blob(int rc, struct bytes b, struct bytes want)
{
    if (rc == ERR_NOTFOUND)
        return 0;
    assert_int_equal(rc, 0);
    assert_true(bytes_eq(b, want));
    free((void *)(uintptr_t)b.p);
    return 1;
}

/* All that can be asked is asked; what is answered is true. Returns how many answers there were. */
static unsigned expect_truth(struct catalogue *c)
{
    struct catalogue_item got;
    struct err e = {0};
    int64_t after = 0;
    unsigned n = 0;
    int rc;
    while ((rc = catalogue_next(c, &after, &got, &e)) == 1) {
        assert_in_range(got.id, 1, ITEMS);
        struct catalogue_item want = item((unsigned)got.id - 1);
        expect_same(&got, &want);
        catalogue_item_fini(&got);
        n++;
    }
    if (rc != 0)
        fail_msg("%s", e.msg);
    for (unsigned i = 0; i < ITEMS; i++) {
        struct catalogue_item want = item(i);
        struct bytes b = {0};
        rc = catalogue_get(c, BYTES(want.v1, 20), &got, NULL);
        if (rc == 0) {
            expect_same(&got, &want);
            catalogue_item_fini(&got);
            n++;
        } else {
            assert_int_equal(rc, ERR_NOTFOUND);
        }
        n += expect_blob(catalogue_manifest(c, i + 1, &b, NULL), b, manifest_of(i));
        n += expect_blob(catalogue_link(c, i + 1, &b, NULL), b, BYTES_LIT("link"));
        n += expect_blob(catalogue_record_get(c, i + 1, &b, NULL), b, BYTES_LIT("record"));
    }
    return n;
}

static void expect_works(struct catalogue *c)
{
    struct catalogue_item it = item(7000), got;
    struct bytes b = {0};
    struct err e = {0};
    int64_t id;
    if (catalogue_put(c, &it, BYTES_LIT("new"), b, &id, &e) != 0)
        fail_msg("%s", e.msg);
    assert_int_equal(catalogue_get(c, BYTES(it.v1, 20), &got, &e), 0);
    expect_same(&got, &it);
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_remove(c, id, &e), 0);
}

static void remove_all(void)
{
    static const char *const names[] = {"", "-wal", "-shm", ".damaged-1", ".damaged-1-wal",
                                        ".damaged-2", ".damaged-2-wal", ".new", ".new-wal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        snprintf(name, sizeof name, CATALOGUE_FILE "%s", names[i]);
        unlink(at(name));
    }
}

/* Puts the file there, and gives back how many answers came through it. */
static unsigned try_file(const uint8_t *p, size_t n, bool *told)
{
    remove_all();
    put_file(at(CATALOGUE_FILE), p, n);
    struct catalogue *c = open_catalogue();
    unsigned left = expect_truth(c);
    expect_works(c);
    *told = catalogue_notice(c) != NULL;
    if (*told) { /* what is told is kept */
        assert_true(exists(at(CATALOGUE_FILE ".damaged-1")));
        assert_null(strchr(catalogue_notice(c), '\n'));
    } else {
        assert_false(exists(at(CATALOGUE_FILE ".damaged-1")));
    }
    catalogue_free(c);
    assert_false(exists(at(CATALOGUE_FILE ".new")));
    c = open_catalogue();
    assert_null(catalogue_notice(c)); /* and told once */
    catalogue_free(c);
    return left;
}

static void the_sound_one(void **state)
{
    (void)state;
    bool told;
    assert_int_equal(try_file(sound.p, sound.n, &told), ANSWERS);
    assert_false(told);
}

static void cut_at_any_place(void **state)
{
    (void)state;
    size_t step = sound.n / 60;
    bool told;
    for (size_t n = 0; n < sound.n; n += n < 120 ? 17 : step) {
        unsigned left = try_file(sound.p, n, &told);
        if (!told && left < ANSWERS)
            fail_msg("cut to %zu bytes and nothing said", n);
    }
    try_file(sound.p, 5000, &told);
    uint8_t kept[6000];
    assert_int_equal(get_file(at(CATALOGUE_FILE ".damaged-1"), kept, sizeof kept), 5000);
    assert_memory_equal(kept, sound.p, 5000);
}

static void bits_that_flip(void **state)
{
    (void)state;
    struct rng r;
    uint8_t *mem = malloc(sound.n);
    unsigned silent = 0, saved = 0, told_of = 0;
    rng_seed(&r, 20240607);
    for (int i = 0; i < 260; i++) {
        /* The head of the file, where each bit means something, and anywhere. */
        size_t bit = i < 100 ? (size_t)i * 8 + rng_below(&r, 8) : rng_below(&r, sound.n * 8);
        bool told;
        memcpy(mem, sound.p, sound.n);
        mem[bit / 8] ^= (uint8_t)(1u << bit % 8);
        unsigned left = try_file(mem, sound.n, &told);
        told_of += told;
        saved += told ? left : 0;
        silent += !told && left < ANSWERS;
    }
    print_message("%u noticed, with %u of %u answers carried over; %u unnoticed losses\n", told_of,
                  saved, told_of * ANSWERS, silent);
    free(mem);
}

static void stretches_overwritten(void **state)
{
    (void)state;
    struct rng r;
    uint8_t *mem = malloc(sound.n);
    rng_seed(&r, 7);
    for (int i = 0; i < 60; i++) {
        bool told;
        size_t n = 1 + rng_below(&r, 9000), from = rng_below(&r, sound.n - n);
        memcpy(mem, sound.p, sound.n);
        if (i % 2)
            rng_fill(&r, mem + from, n);
        else
            memset(mem + from, 0, n);
        try_file(mem, sound.n, &told);
    }
    free(mem);
}

static void something_else_under_the_name(void **state)
{
    (void)state;
    bool told;
    static const char text[] = "this is no database, but somebody's notes, longer than a head of "
                               "one hundred bytes, which is what is looked at first of all";
    assert_int_equal(try_file((const uint8_t *)text, sizeof text, &told), 0);
    assert_true(told);
    assert_text(at(CATALOGUE_FILE ".damaged-1"), text);
    remove_all();
    sqlite3 *db = NULL; /* a database, but another program's */
    assert_int_equal(sqlite3_open(at(CATALOGUE_FILE), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE items(x); INSERT INTO items VALUES(1)", NULL,
                                  NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct catalogue *c = open_catalogue();
    assert_non_null(catalogue_notice(c));
    assert_true(exists(at(CATALOGUE_FILE ".damaged-1")));
    assert_int_equal(catalogue_count(c, NULL), 0);
    catalogue_free(c);
}

static void earlier_ones_are_kept_too(void **state)
{
    (void)state;
    put_text(at(CATALOGUE_FILE ".damaged-1"), "the first");
    put_text(at(CATALOGUE_FILE), "the second");
    struct catalogue *c = open_catalogue();
    assert_non_null(strstr(catalogue_notice(c), "damaged-2"));
    catalogue_free(c);
    assert_text(at(CATALOGUE_FILE ".damaged-1"), "the first");
    assert_text(at(CATALOGUE_FILE ".damaged-2"), "the second");
}

/* Cuts the file while two programs have it open: one repairs it, the other goes over to the new. */
static void under_an_open_one(void **state)
{
    (void)state;
    put_file(at(CATALOGUE_FILE), sound.p, sound.n);
    struct catalogue *a = open_catalogue(), *b = open_catalogue();
    assert_int_equal(catalogue_count(a, NULL), ITEMS);
    assert_int_equal(catalogue_count(b, NULL), ITEMS);
    catalogue_changed(b);
    assert_int_equal(truncate(at(CATALOGUE_FILE), (off_t)sound.n / 8192 * 4096), 0);
    unsigned left = expect_truth(a);
    expect_works(a);
    assert_non_null(catalogue_notice(a));
    assert_true(left < ANSWERS);
    assert_true(catalogue_changed(b));
    assert_int_equal(expect_truth(b), left);
    expect_works(b);
    assert_false(exists(at(CATALOGUE_FILE ".damaged-2")));
    catalogue_free(a);
    expect_works(b);
    catalogue_free(b);
    struct catalogue *c = open_catalogue();
    assert_int_equal(expect_truth(c), left);
    catalogue_free(c);
}

static void removed_under_an_open_one(void **state)
{
    (void)state;
    struct catalogue *a = open_catalogue();
    expect_works(a);
    remove_all();
    expect_works(a);
    catalogue_free(a);
    assert_true(exists(at(CATALOGUE_FILE)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(the_sound_one),
        SCRATCH_TEST(cut_at_any_place),
        SCRATCH_TEST(bits_that_flip),
        SCRATCH_TEST(stretches_overwritten),
        SCRATCH_TEST(something_else_under_the_name),
        SCRATCH_TEST(earlier_ones_are_kept_too),
        SCRATCH_TEST(under_an_open_one),
        SCRATCH_TEST(removed_under_an_open_one),
    };
    return cmocka_run_group_tests(tests, make_sound, free_sound);
}

/*
 * catalogue: what is put is what is got, by any of its names; hybrids known by halves; several
 * programs at once; full disks. Damage is in catalogue_damage.c.
 */
#include "catalogue_make.h"

#include <signal.h>
#include <sys/mount.h>
#include <time.h>

static void put_and_get(void **state)
{
    (void)state;
    struct catalogue *c = open_catalogue();
    struct catalogue_item it = item(7), got;
    struct err e = {0};
    struct bytes b;
    int64_t id = 0, again = 0;
    assert_null(catalogue_notice(c));
    it.name = BYTES("\xff\xfe\0\n name", 9);
    it.where = 5;
    it.is_private = true;
    it.uploaded = 99; /* not for put */
    assert_int_equal(catalogue_put(c, &it, BYTES_LIT("d4:infoe"), BYTES_LIT("magnet:?"), &id, &e),
                     0);
    assert_true(id > 0);
    assert_int_equal(catalogue_get(c, BYTES(it.v1, 20), &got, &e), 0);
    it.uploaded = 0;
    expect_same(&got, &it);
    assert_int_equal(got.id, id);
    assert_true(got.has_manifest);
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_get(c, BYTES(it.v2, 32), &got, &e), 0);
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_get(c, BYTES(it.v2, 20), &got, &e), 0); /* cut, as on the wire */
    assert_int_equal(got.id, id);
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_get_id(c, id, &got, &e), 0);
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_manifest(c, id, &b, &e), 0);
    assert_true(bytes_is(b, "d4:infoe"));
    free((void *)(uintptr_t)b.p);
    assert_int_equal(catalogue_link(c, id, &b, &e), 0);
    assert_true(bytes_is(b, "magnet:?"));
    free((void *)(uintptr_t)b.p);
    it.name = bytes_str("renamed");
    it.path = (struct bytes){0};
    assert_int_equal(catalogue_put(c, &it, (struct bytes){0}, (struct bytes){0}, &again, &e), 0);
    assert_int_equal(again, id);
    assert_int_equal(catalogue_get_id(c, id, &got, &e), 0);
    assert_true(bytes_is(got.name, "renamed"));
    assert_true(bytes_is(got.path, "/data/item-7"));
    assert_true(got.has_manifest);
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_count(c, &e), 1);
    catalogue_free(c);
    catalogue_free(NULL);
}

static void what_is_not_there(void **state)
{
    (void)state;
    struct catalogue *c = open_catalogue();
    struct catalogue_item it = item(1), none = {0}, got;
    struct err e = {0};
    struct bytes b;
    int64_t after = 0;
    assert_int_equal(catalogue_count(c, &e), 0);
    assert_int_equal(catalogue_next(c, &after, &got, &e), 0);
    assert_int_equal(catalogue_get(c, BYTES(it.v1, 20), &got, &e), ERR_NOTFOUND);
    assert_int_equal(catalogue_get(c, BYTES(it.v2, 32), &got, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_get(c, BYTES(it.v2, 31), &got, NULL), ERR_USAGE);
    assert_int_equal(catalogue_get_id(c, 1, &got, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_get_id(c, 0, &got, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_find(c, "nothing", &got, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_find(c, "", &got, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_manifest(c, 1, &b, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_link(c, 1, &b, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_record_get(c, 1, &b, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_record_put(c, 1, CATALOGUE_PARTIAL, 1, BYTES_LIT("x"), 1, NULL),
                     ERR_NOTFOUND);
    assert_int_equal(catalogue_add_traffic(c, 1, 1, 1, NULL), ERR_NOTFOUND);
    assert_int_equal(catalogue_remove(c, 1, NULL), ERR_NOTFOUND);
    b = (struct bytes){0};
    assert_int_equal(catalogue_put(c, &none, b, b, NULL, NULL), ERR_USAGE);
    assert_int_equal(catalogue_count(c, NULL), 0);
    catalogue_free(c);
}

static void halves_of_a_hybrid_become_one(void **state)
{
    (void)state;
    struct catalogue *c = open_catalogue();
    struct catalogue_item both = item(3), v1 = both, v2 = both, got;
    struct bytes none = {0}, b;
    struct err e = {0};
    int64_t id1, id2, id;
    v1.has_v2 = false;
    v1.state = CATALOGUE_LINK;
    v1.have = 0;
    v1.piece_size = v1.size = 0;
    v2.has_v1 = false;
    v2.added = 77;
    v2.path = bytes_str("/second");
    assert_int_equal(catalogue_put(c, &v1, none, BYTES_LIT("link"), &id1, &e), 0);
    assert_int_equal(catalogue_put(c, &v2, BYTES_LIT("manifest"), none, &id2, &e), 0);
    assert_int_not_equal(id1, id2);
    assert_int_equal(catalogue_record_put(c, id2, CATALOGUE_PARTIAL, 9, BYTES_LIT("rec"), 5, &e),
                     0);
    assert_int_equal(catalogue_add_traffic(c, id1, 10, 1, &e), 0);
    assert_int_equal(catalogue_add_traffic(c, id2, 20, 2, &e), 0);
    both.state = CATALOGUE_LINK; /* a link that names both hashes comes by */
    both.path = none;
    assert_int_equal(catalogue_put(c, &both, none, none, &id, &e), 0);
    assert_int_equal(id, id2); /* the one with data stays */
    assert_int_equal(catalogue_count(c, &e), 1);
    assert_int_equal(catalogue_get(c, BYTES(both.v1, 20), &got, &e), 0);
    assert_int_equal(got.id, id2);
    assert_int_equal(got.state, CATALOGUE_PARTIAL);
    assert_int_equal(got.have, 9);
    assert_int_equal(got.added, 77);
    assert_int_equal(got.uploaded, 30);
    assert_int_equal(got.downloaded, 3);
    assert_true(bytes_is(got.path, "/second"));
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_link(c, id, &b, &e), 0);
    assert_true(bytes_is(b, "link"));
    free((void *)(uintptr_t)b.p);
    assert_int_equal(catalogue_record_get(c, id, &b, &e), 0);
    assert_true(bytes_is(b, "rec"));
    free((void *)(uintptr_t)b.p);
    /* The same v1 half with another v2 half is no update. */
    both.v2[0] ^= 1;
    assert_int_equal(catalogue_put(c, &both, none, none, &id, &e), ERR_INVALID);
    catalogue_free(c);
}

static void a_link_takes_no_data_away(void **state)
{
    (void)state;
    struct catalogue *c = open_catalogue();
    struct catalogue_item it = item(4), link = {0}, got;
    struct bytes none = {0}, b;
    struct err e = {0};
    int64_t id;
    assert_int_equal(catalogue_put(c, &it, none, none, &id, &e), 0);
    link.has_v1 = true;
    memcpy(link.v1, it.v1, 20);
    link.name = bytes_str("by another name");
    link.updated = 5;
    assert_int_equal(catalogue_put(c, &link, BYTES_LIT("m"), BYTES_LIT("l"), NULL, &e), 0);
    assert_int_equal(catalogue_get_id(c, id, &got, &e), 0);
    it.updated = 5;
    expect_same(&got, &it);
    assert_true(got.has_manifest);
    catalogue_item_fini(&got);
    /* And a bare link does not make one with a known size forget it. */
    struct catalogue_item known = item(5);
    known.state = CATALOGUE_LINK;
    known.have = 0;
    assert_int_equal(catalogue_put(c, &known, none, none, &id, &e), 0);
    memcpy(link.v1, known.v1, 20);
    assert_int_equal(catalogue_put(c, &link, none, none, NULL, &e), 0);
    assert_int_equal(catalogue_get_id(c, id, &got, &e), 0);
    assert_int_equal(got.size, known.size);
    assert_int_equal(got.piece_size, known.piece_size);
    assert_true(bytes_is(got.name, "by another name"));
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_link(c, id, &b, &e), ERR_NOTFOUND);
    catalogue_free(c);
}

static void records_and_paths(void **state)
{
    (void)state;
    struct catalogue *c = open_catalogue();
    struct catalogue_item it = item(6), got;
    struct bytes none = {0}, b;
    struct err e = {0};
    int64_t id;
    assert_int_equal(catalogue_put(c, &it, none, none, &id, &e), 0);
    assert_int_equal(catalogue_record_put(c, id, CATALOGUE_PARTIAL, 5, BYTES_LIT("a\0b"), 100, &e),
                     0);
    assert_int_equal(catalogue_record_put(c, id, CATALOGUE_COMPLETE, 6, BYTES_LIT("c\0d"), 101, &e),
                     0);
    assert_int_equal(catalogue_get_id(c, id, &got, &e), 0);
    assert_int_equal(got.state, CATALOGUE_COMPLETE);
    assert_int_equal(got.have, 6);
    assert_int_equal(got.updated, 101);
    assert_true(bytes_is(got.path, "/data/item-6"));
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_put(c, &it, none, none, NULL, &e), 0);
    assert_int_equal(catalogue_record_get(c, id, &b, &e), 0);
    assert_int_equal(b.n, 3);
    assert_memory_equal(b.p, "c\0d", 3);
    free((void *)(uintptr_t)b.p);
    it.path = bytes_str("/elsewhere"); /* what is known of the old place is not true there */
    assert_int_equal(catalogue_put(c, &it, none, none, NULL, &e), 0);
    assert_int_equal(catalogue_record_get(c, id, &b, &e), ERR_NOTFOUND);
    err_clear(&e);
    assert_int_equal(catalogue_remove(c, id, &e), 0);
    assert_int_equal(catalogue_count(c, &e), 0);
    int64_t next;
    assert_int_equal(catalogue_put(c, &it, none, none, &next, &e), 0);
    assert_true(next > id); /* never the same number again */
    assert_int_equal(catalogue_record_get(c, next, &b, &e), ERR_NOTFOUND);
    catalogue_free(c);
}

static void found_by_what_users_type(void **state)
{
    (void)state;
    struct catalogue *c = open_catalogue();
    struct bytes none = {0};
    struct catalogue_item got;
    struct err e = {0};
    static const char *const v1[] = {"abcdef1111", "abcdef2222", "abcde00000", "1234567890"};
    static const char *const v2[] = {"99aabb0000", "77cdef2222", "77cdef3333", "abcdef1111"};
    static const char *const name[] = {"film.mkv", "twice", "twice", "abcdef2222"};
    for (int i = 0; i < 4; i++) {
        struct catalogue_item it = item((unsigned)i);
        assert_true(text_unhex(it.v1, 5, bytes_str(v1[i])));
        assert_true(text_unhex(it.v2, 5, bytes_str(v2[i])));
        it.name = bytes_str(name[i]);
        it.has_v2 = i != 2;
        assert_int_equal(catalogue_put(c, &it, none, none, NULL, &e), 0);
    }
    static const struct {
        const char *text;
        int rc, id;
    } cases[] = {
        {"film.mkv", 0, 1},   {"FILM.MKV", ERR_NOTFOUND, 0}, {"film", ERR_NOTFOUND, 0},
        {"twice", ERR_USAGE, 0}, {"abcdef1", ERR_USAGE, 0},  {"abcdef2", 0, 2},
        {"ABCDEF2", 0, 2},    {"abcdef", ERR_USAGE, 0},      {"abcde0", 0, 3},
        {"abcde", ERR_NOTFOUND, 0}, {"99aabb", 0, 1},        {"77cdef", 0, 2},
        {"abcdef2222", 0, 4}, {"abcdefg", ERR_NOTFOUND, 0},  {"77cdef3", ERR_NOTFOUND, 0},
        {"123456", 0, 4},     {"fffffff", ERR_NOTFOUND, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err_clear(&e);
        int rc = catalogue_find(c, cases[i].text, &got, &e);
        if (rc != cases[i].rc)
            fail_msg("%s: %d", cases[i].text, rc);
        if (rc == 0) {
            assert_int_equal(got.id, cases[i].id);
            catalogue_item_fini(&got);
        }
    }
    err_clear(&e);
    assert_int_equal(catalogue_find(c, "abcdef", &got, &e), ERR_USAGE);
    assert_non_null(strstr(e.msg, "film.mkv"));
    assert_non_null(strstr(e.msg, "twice"));
    char whole[65];
    assert_int_equal(catalogue_get_id(c, 1, &got, &e), 0);
    text_hex(whole, BYTES(got.v2, 32));
    catalogue_item_fini(&got);
    assert_int_equal(catalogue_find(c, whole, &got, NULL), 0);
    assert_int_equal(got.id, 1);
    catalogue_item_fini(&got);
    whole[63] = '\0';
    assert_int_equal(catalogue_find(c, whole, &got, NULL), 0);
    catalogue_item_fini(&got);
    catalogue_free(c);
}

/* Of this process's own work: on a busy machine time passes without it. */
static double seconds_worked(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill(unsigned n)
{
    static uint8_t manifest[30000];
    struct catalogue *c = open_catalogue();
    struct err e = {0};
    for (unsigned i = 0; i < n; i++) {
        struct catalogue_item it = item(i);
        struct bytes m = i < 50 ? BYTES(manifest, sizeof manifest) : (struct bytes){0};
        assert_int_equal(catalogue_put(c, &it, m, (struct bytes){0}, NULL, &e), 0);
    }
    catalogue_free(c);
}

static void lists_many_quickly(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    struct catalogue_item got;
    struct err e = {0};
    int64_t after = 0;
    unsigned n = 0;
    fill(MANY);
    double from = seconds_worked();
    struct catalogue *c = open_catalogue();
    while (catalogue_next(c, &after, &got, &e) == 1) {
        struct catalogue_item want = item(n);
        expect_same(&got, &want);
        assert_int_equal(got.has_manifest, n < 50);
        catalogue_item_fini(&got);
        n++;
        if (n == 100) { /* a write in between disturbs nothing */
            assert_int_equal(catalogue_add_traffic(c, 3000, 1, 1, &e), 0);
            assert_int_equal(catalogue_remove(c, 3000, &e), 0);
        }
    }
    double took = seconds_worked() - from;
    print_message("%u items listed in %.0f ms\n", n, took * 1000);
    assert_int_equal(n, MANY - 1);
    assert_true(took < 2);
    from = seconds_worked();
    for (unsigned i = 0; i < MANY - 1; i++) {
        struct catalogue_item want = item(i);
        assert_int_equal(catalogue_get(c, BYTES(want.v2, 20), &got, &e), 0);
        catalogue_item_fini(&got);
    }
    print_message("got one by one in %.0f ms\n", (seconds_worked() - from) * 1000);
    catalogue_free(c);
}

static void notices_what_others_change(void **state)
{
    (void)state;
    struct catalogue *a = open_catalogue(), *b = open_catalogue();
    struct catalogue_item it = item(1);
    struct bytes none = {0};
    struct err e = {0};
    assert_true(catalogue_changed(a));
    assert_false(catalogue_changed(a));
    assert_int_equal(catalogue_put(a, &it, none, none, NULL, &e), 0);
    assert_false(catalogue_changed(a)); /* it was us */
    assert_true(catalogue_changed(b));
    it = item(2);
    assert_int_equal(catalogue_put(b, &it, none, none, NULL, &e), 0);
    assert_true(catalogue_changed(a));
    assert_false(catalogue_changed(a));
    assert_int_equal(catalogue_count(a, &e), 2);
    catalogue_free(a);
    catalogue_free(b);
}

enum { WRITERS = 4, EACH = 40 };

static int write_much(unsigned who)
{
    struct catalogue *c = NULL;
    struct err e = {0};
    struct bytes none = {0};
    if (catalogue_open(&c, scratch_dir, &e) != 0)
        return 1;
    for (unsigned i = 0; i < EACH; i++) {
        struct catalogue_item it = item(1000 * who + i), shared = item(5);
        int64_t id, shared_id;
        if (catalogue_put(c, &it, BYTES_LIT("manifest"), none, &id, &e) != 0 ||
            catalogue_put(c, &shared, none, none, &shared_id, &e) != 0 ||
            catalogue_record_put(c, id, CATALOGUE_PARTIAL, i, BYTES_LIT("record"), 1, &e) != 0 ||
            catalogue_add_traffic(c, shared_id, 3, 1, &e) != 0)
            return 2;
        if (i % 10 == 9) { /* others come and go */
            catalogue_free(c);
            if (catalogue_open(&c, scratch_dir, &e) != 0)
                return 3;
        }
    }
    catalogue_free(c);
    return 0;
}

static void several_programs_write_at_once(void **state)
{
    (void)state;
    pid_t pid[WRITERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(write_much(i + 1));
    }
    for (unsigned i = 0; i < WRITERS; i++)
        assert_int_equal(reap(pid[i]), 0);
    struct catalogue *c = open_catalogue();
    struct catalogue_item it = item(5), got;
    struct err e = {0};
    assert_null(catalogue_notice(c));
    assert_int_equal(catalogue_count(c, &e), WRITERS * EACH + 1);
    assert_int_equal(catalogue_get(c, BYTES(it.v1, 20), &got, &e), 0);
    assert_int_equal(got.uploaded, WRITERS * EACH * 3);
    assert_int_equal(got.downloaded, WRITERS * EACH);
    catalogue_item_fini(&got);
    catalogue_free(c);
}

/* Until somebody has read, and a while longer. */
static int hold_it(int ready, int read_by)
{
    sqlite3 *db = NULL;
    char ch;
    if (sqlite3_open(at(CATALOGUE_FILE), &db) != SQLITE_OK ||
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        write(ready, "r", 1) != 1 || read(read_by, &ch, 1) != 1)
        return 1;
    usleep(300000);
    if (sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
        return 2;
    sqlite3_close(db);
    return 0;
}

static void a_writer_waits_and_a_reader_does_not(void **state)
{
    (void)state;
    struct catalogue_item it = item(1);
    struct bytes none = {0};
    int p[2], q[2];
    char ch;
    catalogue_free(open_catalogue());
    assert_int_equal(pipe(p), 0);
    assert_int_equal(pipe(q), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(hold_it(p[1], q[0]));
    assert_int_equal(read(p[0], &ch, 1), 1);
    struct catalogue *c = open_catalogue();
    assert_int_equal(catalogue_count(c, NULL), 0);
    assert_int_equal(write(q[1], "r", 1), 1);
    assert_int_equal(catalogue_put(c, &it, none, none, NULL, NULL), 0);
    assert_int_equal(reap(pid), 0);
    catalogue_free(c);
    close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

static void where_it_cannot_be(void **state)
{
    (void)state;
    struct catalogue *c = NULL;
    struct err e = {0};
    assert_int_equal(catalogue_open(&c, at("nowhere"), &e), ERR_IO);
    assert_int_equal(e.os, ENOENT);
    assert_false(exists(at("nowhere")));
    err_clear(&e);
    assert_int_equal(mkdir(at(CATALOGUE_FILE), 0777), 0);
    assert_int_equal(catalogue_open(&c, scratch_dir, &e), ERR_IO);
    assert_true(exists(at(CATALOGUE_FILE)));
    assert_null(c);
}

static void secrets_are_for_the_owner(void **state)
{
    (void)state;
    struct stat st;
    mode_t mask = umask(0);
    catalogue_free(open_catalogue());
    umask(mask);
    assert_int_equal(stat(at(CATALOGUE_FILE), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_newer_program_was_here(void **state)
{
    (void)state;
    struct catalogue *c = NULL;
    struct err e = {0};
    sqlite3 *db = NULL;
    catalogue_free(open_catalogue());
    assert_int_equal(sqlite3_open(at(CATALOGUE_FILE), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99; PRAGMA application_id=1882353763",
                                  NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(catalogue_open(&c, scratch_dir, &e), ERR_FAIL);
    assert_non_null(strstr(e.msg, "newer"));
    assert_false(exists(at(CATALOGUE_FILE ".damaged-1")));
}

static void by_their_place_the_latest_first(void **state)
{
    (void)state;
    struct catalogue *c = open_catalogue();
    struct bytes none = {0}, path = BYTES_LIT("/data/\xff");
    struct catalogue_item got;
    int64_t ids[3], before = INT64_MAX;
    for (unsigned i = 0; i < 9; i++) {
        struct catalogue_item it = item(i);
        if (i % 3 == 1)
            it.path = path;
        assert_int_equal(
            catalogue_put(c, &it, none, none, i % 3 == 1 ? &ids[i / 3] : NULL, NULL), 0);
    }
    for (int i = 2; i >= 0; i--) {
        assert_int_equal(catalogue_at(c, path, &before, &got, NULL), 1);
        assert_int_equal(got.id, ids[i]);
        catalogue_item_fini(&got);
    }
    assert_int_equal(catalogue_at(c, path, &before, &got, NULL), 0);
    before = INT64_MAX;
    assert_int_equal(catalogue_at(c, BYTES_LIT("/data"), &before, &got, NULL), 0);
    catalogue_free(c);
}

static void expect_indexed(const char *question, const char *index)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(at(CATALOGUE_FILE), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, question, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_non_null(strstr((const char *)sqlite3_column_text(st, 3), index));
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void one_of_an_earlier_version(void **state)
{
    (void)state;
    struct catalogue *c = open_catalogue();
    struct bytes none = {0};
    struct catalogue_item it = item(1), got;
    int64_t before = INT64_MAX;
    sqlite3 *db = NULL;
    assert_int_equal(catalogue_put(c, &it, none, none, NULL, NULL), 0);
    catalogue_free(c);
    assert_int_equal(sqlite3_open(at(CATALOGUE_FILE), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP INDEX items_path; DROP TABLE keys;"
                                  "PRAGMA user_version=1;"
                                  "PRAGMA application_id=1882353665",
                                  NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    c = open_catalogue();
    assert_null(catalogue_notice(c));
    assert_int_equal(catalogue_at(c, it.path, &before, &got, NULL), 1);
    expect_same(&got, &it);
    catalogue_item_fini(&got);
    catalogue_free(c);
    expect_indexed("EXPLAIN QUERY PLAN SELECT id FROM items WHERE path = x'00'", "items_path");
}

static void a_full_disk(void **state)
{
    (void)state;
    if (mount("tmpfs", scratch_dir, "tmpfs", 0, "size=1m") != 0)
        skip(); /* needs root */
    struct catalogue *c = open_catalogue();
    struct bytes none = {0}, b;
    struct err e = {0};
    static uint8_t manifest[100000];
    unsigned n = 0;
    int rc;
    do {
        struct catalogue_item it = item(n);
        rc = catalogue_put(c, &it, BYTES(manifest, sizeof manifest), none, NULL, &e);
    } while (rc == 0 && ++n < 100);
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(e.os, ENOSPC);
    assert_true(n > 0 && n < 100);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(catalogue_manifest(c, i + 1, &b, NULL), 0);
        assert_int_equal(b.n, sizeof manifest);
        free((void *)(uintptr_t)b.p);
    }
    assert_int_equal(catalogue_count(c, NULL), n);
    catalogue_free(c);
    assert_int_equal(mount("tmpfs", scratch_dir, "tmpfs", MS_REMOUNT, "size=4m"), 0);
    c = open_catalogue();
    assert_null(catalogue_notice(c));
    struct catalogue_item it = item(n);
    assert_int_equal(catalogue_put(c, &it, BYTES(manifest, sizeof manifest), none, NULL, NULL), 0);
    assert_int_equal(catalogue_count(c, NULL), n + 1);
    catalogue_free(c);
    assert_int_equal(umount(scratch_dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(put_and_get),
        SCRATCH_TEST(what_is_not_there),
        SCRATCH_TEST(halves_of_a_hybrid_become_one),
        SCRATCH_TEST(a_link_takes_no_data_away),
        SCRATCH_TEST(records_and_paths),
        SCRATCH_TEST(found_by_what_users_type),
        SCRATCH_TEST(lists_many_quickly),
        SCRATCH_TEST(notices_what_others_change),
        SCRATCH_TEST(several_programs_write_at_once),
        SCRATCH_TEST(a_writer_waits_and_a_reader_does_not),
        SCRATCH_TEST(where_it_cannot_be),
        SCRATCH_TEST(secrets_are_for_the_owner),
        SCRATCH_TEST(a_newer_program_was_here),
        SCRATCH_TEST(by_their_place_the_latest_first),
        SCRATCH_TEST(one_of_an_earlier_version),
        SCRATCH_TEST(a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which files of an item are archives, what is told of them, and which members are taken. */
#include <p2p/base/buf.h>
#include <p2p/base/mem.h>

#include "engine/dig.h"
#include "told.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define FILES 4u

static struct manifest_file files[FILES];
static struct manifest manifest;
static struct buf content[FILES];
static struct err err;

static unsigned reads[FILES];
static int refuse; /* 1 … 5: to read, be told, begin, go on, end */

/* ---- the item ---- */

static la_ssize_t append(struct archive *a, void *arg, const void *p, size_t n)
{
    (void)a;
    return buf_put(arg, p, n) ? (la_ssize_t)n : -1;
}

/* Entries as "NAME", with what they hold; "NAME/"; "NAME -> TARGET"; "NAME = TARGET". */
static void put(struct archive *w, const char *words)
{
    struct archive_entry *n = archive_entry_new();
    char *name = mem_str(words), *link = strstr(name, " -> "), *hard = strstr(name, " = ");
    size_t size = link || hard || name[strlen(name) - 1] == '/' ? 0 : 2 * strlen(name);

    archive_entry_set_perm(n, 0644);
    archive_entry_set_filetype(n, link ? AE_IFLNK : size || hard ? AE_IFREG : AE_IFDIR);
    archive_entry_set_size(n, (la_int64_t)size);
    if (link)
        archive_entry_set_symlink(n, link + 4);
    if (hard)
        archive_entry_set_hardlink(n, hard + 3);
    if (link || hard)
        *(link ? link : hard) = '\0';
    archive_entry_set_pathname(n, name);
    assert_int_equal(archive_write_header(w, n), ARCHIVE_OK);
    if (size) {
        char *twice = mem_fmt("%s%s", name, name);
        assert_int_equal(archive_write_data(w, twice, size), size);
        free(twice);
    }
    archive_entry_free(n);
    free(name);
}

static void archive(uint32_t file, const char *path, int filter, const char *const *entries)
{
    static char names[FILES][40];
    struct archive *w = archive_write_new();

    buf_fini(&content[file]);
    assert_int_equal(archive_write_set_format_pax_restricted(w), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter(w, filter), ARCHIVE_OK);
    assert_int_equal(archive_write_open(w, &content[file], NULL, append, NULL), ARCHIVE_OK);
    for (size_t i = 0; entries[i]; i++)
        put(w, entries[i]);
    assert_int_equal(archive_write_close(w), ARCHIVE_OK);
    archive_write_free(w);
    strcpy(names[file], path);
    files[file] = (struct manifest_file){.path = names[file], .length = buf_len(&content[file])};
    manifest = (struct manifest){.files = files, .n_files = file + 1, .multi = file > 0};
}
#define ARCHIVE(file, path, filter, ...) \
    archive(file, path, filter, (const char *const[]){__VA_ARGS__, NULL})

/* ---- the caller ---- */

static int refused(int what, struct err *e)
{
    return refuse == what ? err_set(e, ERR_IO, "the caller's words") : 0;
}

static int64_t read_it(void *arg, uint32_t file, uint64_t at, struct span to, uint64_t sure,
                       struct err *e)
{
    struct bytes b = buf_bytes(&content[file]);

    (void)arg;
    assert_true(at < b.n && sure <= b.n);
    if (refused(1, e) < 0)
        return ERR_IO;
    reads[file]++;
    if (to.n > b.n - at)
        to.n = b.n - at;
    memcpy(to.p, b.p + at, to.n);
    return (int64_t)to.n;
}

static int tell(void *arg, uint32_t file, const struct inside_entry *n, struct err *e)
{
    (void)arg;
    told_put("%u:%s ", file, n->path);
    return refused(2, e);
}

static int begin(void *arg, const char *name, const char *base, uint64_t size, struct err *e)
{
    (void)arg;
    told_put("[%s as %s, %u:", name, base, (unsigned)size);
    return refused(3, e);
}

static int data(void *arg, struct bytes b, struct err *e)
{
    (void)arg;
    told_put("%.*s", (int)b.n, (const char *)b.p);
    return refused(4, e);
}

static int end(void *arg, struct err *e)
{
    (void)arg;
    told_put("]");
    return refused(5, e);
}

static void drop(void *arg)
{
    (void)arg;
    told_put(" dropped");
}

static int run(bool far, const char *label, size_t n, const char *const *names)
{
    struct dig d = {
        .m = &manifest,
        .label = label,
        .names = (char *const *)(uintptr_t)names,
        .n_names = n,
        .far = far,
        .read = read_it,
        .tell = tell,
        .begin = begin,
        .data = data,
        .end = end,
        .drop = drop,
    };
    told_clear();
    memset(reads, 0, sizeof reads);
    err_clear(&err);
    return dig_run(&d, &err);
}
#define TAKE(...) \
    run(true, "it", sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *), \
        (const char *const[]){__VA_ARGS__})

static int clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILES; i++)
        buf_fini(&content[i]);
    refuse = 0;
    return 0;
}

/* ---- what is tested ---- */

static void archives_by_their_names(void **state)
{
    static const char *const yes[] = {"a.zip", "b/c.TAR", "x.tar.Gz", "x.7z", "q.deb", "d/.x.iso"};
    static const char *const no[] = {"a.zi", ".zip", "zip", "tar.txt", "x.gz", "x.zip/y"};
    struct manifest_file f = {.length = 1};
    struct manifest m = {.files = &f, .n_files = 1};
    struct bits out = {0};
    (void)state;
    for (size_t i = 0; i < 12; i++) {
        f.path = (char *)(uintptr_t)(i < 6 ? yes[i] : no[i - 6]);
        for (unsigned multi = 0; multi < 2; multi++) {
            m.multi = multi;
            dig_archives(&m, NULL, &out);
            assert_int_equal(out.ones, i < 6 || !multi); /* the only file is one anyhow */
            bits_fini(&out);
        }
    }
}

static void no_archives(void **state)
{
    static char path[] = "a.zip";
    struct manifest_file v[] = {{.path = path, .length = 1, .attr = FILE_PAD},
                                {.path = path, .length = 1, .attr = FILE_SYMLINK},
                                {.path = path, .length = 0},
                                {.path = path, .length = 1},
                                {.path = path, .length = 1}};
    struct manifest m = {.files = v, .n_files = 5, .multi = true};
    struct bits wanted = {0}, out = {0};
    (void)state;
    bits_init(&wanted, 5);
    for (size_t i = 0; i < 4; i++)
        bits_set(&wanted, i);
    dig_archives(&m, &wanted, &out);
    assert_int_equal(out.ones, 1);
    assert_true(bits_get(&out, 3));
    bits_fini(&out);
    bits_fini(&wanted);
    m.n_files = 3;
    manifest = m;
    assert_int_equal(run(false, "it", 0, NULL), ERR_NOTFOUND);
    assert_string_equal(err.msg, "it: " DIG_NONE);
    assert_int_equal(run(false, NULL, 0, NULL), ERR_NOTFOUND);
    assert_string_equal(err.msg, DIG_NONE);
}

static void entries(void **state)
{
    (void)state;
    ARCHIVE(0, "a.tar", ARCHIVE_FILTER_NONE, "x", "d/", "d/y");
    ARCHIVE(1, "b.tar.gz", ARCHIVE_FILTER_GZIP, "z");
    assert_int_equal(run(false, "it", 0, NULL), 0);
    assert_string_equal(told_text, "0:x 0:d/ 0:d/y 1:z ");
    /* Afar, what has no directory is not fetched whole for that. */
    assert_int_equal(run(true, "it", 0, NULL), ERR_NOTFOUND);
    assert_non_null(strstr(err.msg, "it: b.tar.gz: a "));
    assert_non_null(strstr(err.msg, "has no directory"));
    assert_string_equal(told_text, "0:x 0:d/ 0:d/y ");
    assert_int_equal(TAKE("b.tar.gz/z"), 0); /* but for a member it is */
    assert_string_equal(told_text, "[b.tar.gz/z as z, 2:zz]");
}

static void members(void **state)
{
    (void)state;
    ARCHIVE(0, "film", ARCHIVE_FILTER_NONE, "x", "./d/y", "/abs");
    assert_int_equal(TAKE("x"), 0);
    assert_string_equal(told_text, "[x as x, 2:xx]");
    assert_int_equal(TAKE("d/y", "/x"), 0); /* as they come */
    assert_string_equal(told_text, "[/x as x, 2:xx][d/y as y, 10:./d/y./d/y]");
    assert_int_equal(TAKE("./abs"), 0);
    assert_string_equal(told_text, "[./abs as abs, 8:/abs/abs]");
    assert_int_equal(TAKE("x", "d/yy"), ERR_NOTFOUND);
    assert_non_null(strstr(err.msg, "it: nothing in it is called 'd/yy'"));
    assert_non_null(strstr(err.msg, "d/y"));
}

static void in_which_archive(void **state)
{
    (void)state;
    ARCHIVE(0, "a.zip", ARCHIVE_FILTER_NONE, "b.zip/x", "y");
    assert_int_equal(TAKE("b.zip/x"), 0);
    ARCHIVE(1, "a.zip/b.zip", ARCHIVE_FILTER_NONE, "x"); /* as a folder may be called */
    ARCHIVE(2, "note.txt", ARCHIVE_FILTER_NONE, "x");
    assert_int_equal(TAKE("a.zip/b.zip/x"), 0);
    assert_string_equal(told_text, "[a.zip/b.zip/x as x, 2:xx]");
    assert_int_equal(reads[0], 0); /* what is in the other is of no interest */
    assert_int_equal(TAKE("a.zip/y"), 0);
    assert_int_equal(TAKE("y"), ERR_NOTFOUND);
    assert_non_null(strstr(err.msg, "it: which archive is 'y' in?"));
    assert_int_equal(TAKE("note.txt/x"), ERR_NOTFOUND);
    assert_int_equal(TAKE("a.zipy"), ERR_NOTFOUND);
    files[1].attr = FILE_PAD; /* one is left: it is meant */
    assert_int_equal(TAKE("y"), 0);
    assert_string_equal(told_text, "[y as y, 2:yy]");
}

static void what_is_no_file(void **state)
{
    (void)state;
    ARCHIVE(0, "a.tar", ARCHIVE_FILTER_NONE, "d/", "d/s -> x", "x");
    assert_int_equal(TAKE("d"), ERR_NOTFOUND);
    assert_string_equal(err.msg, "it: 'd' is a folder: name one of its files");
    assert_int_equal(TAKE("d/s"), ERR_NOTFOUND);
    assert_string_equal(err.msg, "it: 'd/s' is a link to x: name the file itself");
}

static void other_names_of_a_file(void **state)
{
    (void)state;
    ARCHIVE(0, "a.tar", ARCHIVE_FILTER_NONE, "x", "h = x", "z");
    assert_int_equal(TAKE("h", "z"), 0); /* its bytes stand under the first */
    assert_string_equal(told_text, "[z as z, 2:zz][h as h, 2:xx]");
    ARCHIVE(0, "a.tar", ARCHIVE_FILTER_NONE, "x", "h = gone", "z");
    assert_int_equal(TAKE("h"), ERR_NOTFOUND);
}

/* A name with a tab in it is asked for as p2p-ls prints it. */
static void printed_names(void **state)
{
    (void)state;
    ARCHIVE(0, "a.tar", ARCHIVE_FILTER_NONE, "a\tb");
    assert_int_equal(TAKE("a\tb"), 0);
    assert_int_equal(TAKE("a\\x09b"), 0);
    assert_int_equal(TAKE("a b"), ERR_NOTFOUND);
}

static void the_caller_fails(void **state)
{
    static const char *const told[] = {
        "", "", "0:x ", "[x as x, 2:", "[x as x, 2:xx dropped", "[x as x, 2:xx] dropped"};
    static const char *const x[] = {"x"};
    (void)state;
    ARCHIVE(0, "a.tar", ARCHIVE_FILTER_NONE, "x", "y");
    for (refuse = 1; refuse <= 5; refuse++) {
        assert_int_equal(run(false, "it", refuse > 2, x), ERR_IO);
        assert_string_equal(err.msg, "the caller's words"); /* which say what they are of */
        assert_string_equal(told_text, told[refuse]);
    }
}

static void damage(void **state)
{
    (void)state;
    ARCHIVE(0, "a.tar", ARCHIVE_FILTER_NONE, "x");
    ARCHIVE(1, "b.tar", ARCHIVE_FILTER_NONE, "y");
    memset((void *)(uintptr_t)buf_bytes(&content[1]).p, 'x', 512);
    assert_int_equal(run(false, "it", 0, NULL), ERR_INVALID);
    assert_memory_equal(err.msg, "it: b.tar: ", 11);
    assert_string_equal(told_text, "0:x ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archives_by_their_names),
        cmocka_unit_test(no_archives),
        cmocka_unit_test_teardown(entries, clean),
        cmocka_unit_test_teardown(members, clean),
        cmocka_unit_test_teardown(in_which_archive, clean),
        cmocka_unit_test_teardown(what_is_no_file, clean),
        cmocka_unit_test_teardown(other_names_of_a_file, clean),
        cmocka_unit_test_teardown(printed_names, clean),
        cmocka_unit_test_teardown(the_caller_fails, clean),
        cmocka_unit_test_teardown(damage, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

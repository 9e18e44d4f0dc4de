/* Archives of strangers, unpacked: what is refused, and that nothing of it is left. */
#include "scratch.h"
#include "host/unpack.h"

#include <p2p/base/mem.h>

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

struct entry {
    const char *path;
    mode_t type;      /* 0: a regular file */
    const char *text; /* content, or where a link leads */
    int64_t size;     /* 0: as long as the text; more: zeros behind it */
    bool hard;
    unsigned perm; /* 0: 0644 */
};

#define END \
    { \
        .path = NULL \
    }

static void add(struct archive *a, const struct entry *n)
{
    struct archive_entry *e = archive_entry_new();
    size_t len = n->text ? strlen(n->text) : 0;
    int64_t size = n->size ? n->size : n->type || n->hard ? 0 : (int64_t)len;
    char zeros[4096] = {0};

    archive_entry_set_pathname(e, n->path);
    archive_entry_set_filetype(e, n->type ? n->type : AE_IFREG);
    archive_entry_set_perm(e, n->perm ? n->perm : n->type == AE_IFDIR ? 0755 : 0644);
    archive_entry_set_mtime(e, 1000000000, 0);
    archive_entry_set_size(e, size);
    if (n->hard)
        archive_entry_set_hardlink(e, n->text);
    else if (n->type == AE_IFLNK)
        archive_entry_set_symlink(e, n->text);
    assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
    if (!n->type && !n->hard) {
        assert_int_equal(archive_write_data(a, n->text, len), len);
        for (int64_t left = size - (int64_t)len; left > 0; left -= (int64_t)sizeof zeros)
            archive_write_data(a, zeros, left > 4096 ? 4096 : (size_t)left);
    }
    archive_entry_free(e);
}

enum { TAR_GZ, TAR, CPIO, ZIP, SEVEN, KINDS };

/* To SCRATCH/archive; its size. */
static uint64_t make(int kind, const struct entry *v)
{
    struct archive *a = archive_write_new();
    struct stat st;

    setlocale(LC_CTYPE, "C.UTF-8"); /* to write names; they are read without */
    if (kind == TAR_GZ)
        archive_write_add_filter_gzip(a);
    if (kind <= TAR)
        archive_write_set_format_pax(a);
    else if (kind == CPIO)
        archive_write_set_format_cpio_newc(a);
    else if (kind == ZIP)
        archive_write_set_format_zip(a);
    else
        archive_write_set_format_7zip(a);
    assert_int_equal(archive_write_open_filename(a, at("archive")), ARCHIVE_OK);
    for (; v->path; v++)
        add(a, v);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
    setlocale(LC_CTYPE, "C");
    assert_int_equal(stat(at("archive"), &st), 0);
    return (uint64_t)st.st_size;
}

static struct unpack_limits limits;

/* `to` of SCRATCH is made if it is not there; what fails is undone, and must leave it as it was. */
static int unpack_it(uint64_t size, const char *top, bool *inner, struct err *e)
{
    struct beneath *b = NULL;
    struct unpack *u;
    int fd = open(at("archive"), O_RDONLY | O_CLOEXEC), rc;

    (void)mkdir(at("to"), 0755);
    assert_int_equal(beneath_open(&b, at("to"), 0, e), 0);
    u = unpack_new(
        &(struct unpack_spec){
            .what = "A", .in = fd, .size = size, .to = b, .top = top, .limits = limits},
        e);
    assert_non_null(u);
    rc = unpack_run(u, e);
    if (inner)
        *inner = unpack_inner(u);
    if (rc < 0)
        unpack_undo(u);
    unpack_free(u);
    beneath_free(b);
    close(fd);
    return rc;
}

static void is_refused(const struct entry *v, const char *why)
{
    for (int kind = TAR_GZ; kind < KINDS; kind++) {
        struct err e = {0};
        uint64_t size;

        if ((kind >= CPIO && v[1].hard) ||
            (kind >= ZIP && (v[1].type == AE_IFCHR || v[1].type == AE_IFIFO)))
            continue; /* they know no such */
        size = make(kind, v);
        assert_true(unpack_it(size, NULL, NULL, &e) < 0);
        assert_true(e.code == ERR_INVALID || e.code == ERR_LIMIT);
        if (!strstr(e.msg, why))
            fail_msg("'%s' does not say '%s'", e.msg, why);
        assert_int_equal(entries_in(at("to")), 0);
        assert_false(exists(at("out")));
    }
}

static void clear_to(void)
{
    assert_int_equal(nftw(at("to"), scratch_remove_one, 32, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(mkdir(at("to"), 0755), 0);
}

static int begin(void **state)
{
    limits = UNPACK_LIMITS;
    umask(022);
    return scratch_begin(state);
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void all_formats(void **state)
{
    (void)state;
    static const struct entry v[] = {
        {"./d/", AE_IFDIR, NULL, 0, false, 01777},
        {"d/\xc3\xa4", 0, "text", 0, false, 06644},
        {"d//./sub/run", 0, "#!", 0, false, 07755},
        {"d/empty", 0, "", 0, false, 0},
        {"d/holes", 0, "x", 300000, false, 0},
        {"d/sub/link", AE_IFLNK, "../empty", 0, false, 0},
        {"d/sub/dangling", AE_IFLNK, "../none/x", 0, false, 0},
        END,
    };
    for (int kind = TAR_GZ; kind < KINDS; kind++) {
        struct err e = {0};
        struct stat st;
        char text[64];
        bool inner;
        uint64_t size = make(kind, v);

        assert_int_equal(unpack_it(size, "d", &inner, &e), 0);
        assert_true(inner);
        assert_text(at("to/d/\xc3\xa4"), "text");
        assert_text(at("to/d/sub/run"), "#!");
        assert_int_equal(mode_of(at("to/d")), 0755);
        assert_int_equal(mode_of(at("to/d/\xc3\xa4")), 0644);
        assert_int_equal(mode_of(at("to/d/sub/run")), 0755);
        assert_int_equal(stat(at("to/d/holes"), &st), 0);
        assert_int_equal(st.st_size, 300000);
        assert_int_equal(st.st_mtime, 1000000000);
        assert_int_equal(readlink(at("to/d/sub/link"), text, sizeof text), 8);
        assert_int_equal(readlink(at("to/d/sub/dangling"), text, sizeof text), 9);
        assert_int_equal(entries_in(at("to")), 1);
        assert_int_equal(unpack_it(size, "e", &inner, &e), 0); /* over what is there */
        assert_false(inner);
        clear_to();
    }
}

static void names_that_lead_out(void **state)
{
    (void)state;
    is_refused(
        (struct entry[]){{.path = "ok/x", .text = "x"}, {.path = "../out", .text = "x"}, END},
        "leads out of it");
    is_refused(
        (struct entry[]){{.path = "ok", .text = "x"}, {.path = "a/../../out", .text = "x"}, END},
        "leads out of it");
    is_refused(
        (struct entry[]){{.path = "ok", .text = "x"}, {.path = "/tmp/out", .text = "x"}, END},
        "absolute path");
}

static void links_that_lead_out(void **state)
{
    (void)state;
    static const char *const targets[] = {"/etc",     "..",    "../to",
                                          "ok/../..", "up/..", "none/../../x"};

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const struct entry v[] = {
            {.path = "ok/x", .text = "x"},
            {.path = "l", .type = AE_IFLNK, .text = targets[i]},
            {.path = "up", .type = AE_IFLNK, .text = "."},
            END,
        };
        is_refused(v, "leads out");
    }
    is_refused((struct entry[]){{.path = "d", .type = AE_IFLNK, .text = "."},
                                {.path = "d/x", .text = "x"},
                                END},
               "and something else");
    is_refused((struct entry[]){{.path = "x", .text = "x"}, {.path = "x/y", .text = "x"}, END},
               "a file and a folder");
}

static void hard_links(void **state)
{
    (void)state;
    static const struct entry v[] = {
        {.path = "a", .text = "text"},
        {.path = "d/b", .text = "a", .hard = true},
        END,
    };
    struct err e = {0};
    struct stat st;

    put_text(at("out"), "secret");
    assert_int_equal(unpack_it(make(TAR, v), NULL, NULL, &e), 0);
    assert_text(at("to/d/b"), "text");
    assert_int_equal(stat(at("to/a"), &st), 0);
    assert_int_equal(st.st_nlink, 2);
    /* The later one is a file of its own. */
    static const struct entry twice[] = {
        {.path = "a", .text = "text"},
        {.path = "d/b", .text = "a", .hard = true},
        {.path = "d/b", .text = "new"},
        END,
    };
    assert_int_equal(unpack_it(make(TAR, twice), NULL, NULL, &e), 0);
    assert_text(at("to/a"), "text");
    assert_text(at("to/d/b"), "new");
    unlink(at("to/a"));
    unlink(at("to/d/b"));
    rmdir(at("to/d"));
    unlink(at("out"));
    is_refused((struct entry[]){{.path = "x", .text = "x"},
                                {.path = "b", .text = "../out", .hard = true},
                                END},
               "leads out of it");
    is_refused((struct entry[]){{.path = "x", .text = "x"},
                                {.path = "b", .text = "/etc/passwd", .hard = true},
                                END},
               "absolute path");
    is_refused(
        (struct entry[]){{.path = "x", .text = "x"}, {.path = "b", .text = "b", .hard = true}, END},
        "to itself");
    is_refused((struct entry[]){{.path = "x", .text = "x"},
                                {.path = "b", .text = "none", .hard = true},
                                END},
               "no file of the archive");
    is_refused((struct entry[]){{.path = "l", .type = AE_IFLNK, .text = "/etc/passwd"},
                                {.path = "b", .text = "l", .hard = true},
                                END},
               "no file of the archive");
}

static void devices(void **state)
{
    (void)state;
    is_refused((struct entry[]){{.path = "x", .text = "x"}, {.path = "c", .type = AE_IFCHR}, END},
               "device");
    is_refused((struct entry[]){{.path = "x", .text = "x"}, {.path = "f", .type = AE_IFIFO}, END},
               "FIFO");
}

static void bombs(void **state)
{
    (void)state;
    char deep[2 * ARCHIVE_MAX_DEPTH + 8] = "", wide[300];
    static const struct entry big[] = {
        {.path = "x", .text = "x"},
        {.path = "big", .text = "", .size = 3000000},
        END,
    };

    for (int kind = TAR_GZ; kind < KINDS; kind++) {
        struct err e = {0};
        uint64_t size = make(kind, big);

        limits.always = 1000000;
        limits.times = 1;
        if (kind != TAR && kind != CPIO) { /* which are as big as what is in them */
            assert_int_equal(unpack_it(size, NULL, NULL, &e), ERR_LIMIT);
            assert_non_null(strstr(e.msg, "a bomb"));
            assert_int_equal(entries_in(at("to")), 0);
        }
        limits.always = 3000001;
        err_clear(&e);
        assert_int_equal(unpack_it(size, NULL, NULL, &e), 0);
        clear_to();
        limits.most = 1000000;
        assert_int_equal(unpack_it(size, NULL, NULL, &e), ERR_LIMIT);
        limits = UNPACK_LIMITS;
    }
    limits = UNPACK_LIMITS;
    for (unsigned i = 0; i <= ARCHIVE_MAX_DEPTH; i++)
        strcat(deep, "d/");
    is_refused((struct entry[]){{.path = "x", .text = "x"}, {.path = deep, .text = ""}, END},
               "folders deep");
    memset(wide, 'w', sizeof wide);
    wide[256] = '\0';
    is_refused((struct entry[]){{.path = "x", .text = "x"}, {.path = wide, .text = ""}, END},
               "too long");
    limits.entries = 2;
    static const struct entry three[] = {
        {.path = "1", .text = "x"}, {.path = "2", .text = "x"}, {.path = "3", .text = "x"}, END};
    is_refused(three, "more than 2 entries");
    limits.entries = 3;
    limits.names = 4;
    static const struct entry folders[] = {{.path = "1/1", .text = "x"},
                                           {.path = "1/2", .text = "x"},
                                           {.path = "2/3", .text = "x"},
                                           END};
    is_refused(folders, "more than 4 names");
}

/* Cut at any place but in the zeros behind a tar, or changed: an error, or what no sum stands for,
 * and never anything outside. */
static void damaged(void **state)
{
    (void)state;
    static const struct entry v[] = {{.path = "d/one", .text = "some text of some length"},
                                     {.path = "d/two", .text = "x", .size = 3000},
                                     END};
    for (int kind = TAR_GZ; kind < KINDS; kind++) {
        uint8_t all[65536];
        uint64_t size = make(kind, v);
        size_t n = get_file(at("archive"), all, sizeof all);

        assert_int_equal(n, size);
        for (size_t cut = 0; cut < n * 3 / 4; cut += n / 40 + 1) {
            struct err e = {0};

            put_file(at("archive"), all, cut);
            assert_int_equal(unpack_it(cut, NULL, NULL, &e), ERR_INVALID);
            assert_int_equal(entries_in(at("to")), 0);
        }
        for (size_t flip = 0; flip < n; flip += n / 60 + 1) {
            struct err e = {0};

            all[flip] ^= 0x15;
            put_file(at("archive"), all, n);
            all[flip] ^= 0x15;
            if (unpack_it(size, NULL, NULL, &e) == 0)
                clear_to();
            assert_int_equal(entries_in(at("to")), 0);
        }
    }
    struct err e = {0};
    put_text(at("archive"), "this is no archive at all");
    assert_int_equal(unpack_it(25, NULL, NULL, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "no archive"));
    err_clear(&e);
    put_text(at("archive"), "");
    assert_int_equal(unpack_it(0, NULL, NULL, &e), ERR_INVALID);
    assert_non_null(strstr(e.msg, "no archive"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_formats, begin, scratch_end),
        cmocka_unit_test_setup_teardown(names_that_lead_out, begin, scratch_end),
        cmocka_unit_test_setup_teardown(links_that_lead_out, begin, scratch_end),
        cmocka_unit_test_setup_teardown(hard_links, begin, scratch_end),
        cmocka_unit_test_setup_teardown(devices, begin, scratch_end),
        cmocka_unit_test_setup_teardown(bombs, begin, scratch_end),
        cmocka_unit_test_setup_teardown(damaged, begin, scratch_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

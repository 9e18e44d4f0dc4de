/* Taking in what the user shares: what changes is noticed, and a stream leaves nothing behind. */
#include "scratch.h"

#include <p2p/base/mem.h>
#include <p2p/host/intake.h>
#include <sys/time.h>

struct fixture {
    struct walk w;
    struct intake *t;
};

static void look(struct fixture *f, const char *rel, bool follow)
{
    struct walk_options o = {.follow = follow};
    struct err e = {0};
    assert_int_equal(walk_run(&f->w, at(rel), &o, &e), 0);
    assert_int_equal(intake_open(&f->t, at(rel), &f->w, follow, &e), 0);
}

static void look_no_more(struct fixture *f)
{
    intake_free(f->t);
    walk_fini(&f->w);
}

static void make_folder(void)
{
    mkdir(at("d"), 0755);
    mkdir(at("d/sub"), 0755);
    put_text(at("d/a"), "alpha");
    put_text(at("d/sub/b"), "beta");
}

static void unchanged_files_are_read(void **state)
{
    struct fixture f;
    struct err e = {0};
    char got[8] = "";
    (void)state;
    make_folder();
    look(&f, "d", false);
    assert_int_equal(f.w.n, 2);
    int fd = intake_begin(f.t, 1, &e);
    assert_true(fd >= 0);
    intake_ahead(fd, 0, 4);
    assert_int_equal(read(fd, got, 8), 4);
    assert_string_equal(got, "beta");
    assert_int_equal(intake_end(f.t, 1, fd, &e), 0);
    assert_int_equal(intake_sync(f.t, 0, &e), 0);
    look_no_more(&f);
    look(&f, "d/a", false);
    fd = intake_begin(f.t, 0, &e);
    assert_true(fd >= 0);
    assert_int_equal(intake_end(f.t, 0, fd, &e), 0);
    look_no_more(&f);
}

/* What may happen to d/sub/b, each in turn. */
static void grow(void)
{
    put_text(at("d/sub/b"), "beta and more");
}
static void rewrite(void)
{
    put_text(at("d/sub/b"), "BETA");
}
static void replace(void)
{
    put_text(at("d/new"), "beta");
    assert_int_equal(rename(at("d/new"), at("d/sub/b")), 0);
}
static void vanish(void)
{
    assert_int_equal(unlink(at("d/sub/b")), 0);
}
static void turn_into_link(void)
{
    vanish();
    assert_int_equal(symlink("../a", at("d/sub/b")), 0);
}
static void turn_into_fifo(void)
{
    vanish();
    assert_int_equal(mkfifo(at("d/sub/b"), 0644), 0);
}
static void (*const changes[])(void) = {grow, rewrite, replace, vanish, turn_into_link,
                                        turn_into_fifo};

/* The clock of the file system may stand still for a few milliseconds. */
static void make_old(const char *rel)
{
    struct timeval past[2] = {{1000, 0}, {1000, 0}};
    assert_int_equal(utimes(at(rel), past), 0);
}

static void begin_anew(void)
{
    unlink(at("d/sub/b"));
    make_folder();
    make_old("d/sub/b");
}

static void changes_before_reading_are_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct fixture f;
        struct err e = {0};
        char got[4];
        begin_anew();
        look(&f, "d", false);
        assert_int_equal(intake_whole(f.t, 1, (struct span){(uint8_t *)got, 4}, &e), 0);
        assert_memory_equal(got, "beta", 4);
        changes[i]();
        assert_int_equal(intake_whole(f.t, 1, (struct span){(uint8_t *)got, 4}, &e), ERR_IO);
        assert_non_null(strstr(e.msg, "d/sub/b"));
        err_clear(&e);
        assert_int_equal(intake_begin(f.t, 1, &e), ERR_IO);
        assert_non_null(strstr(e.msg, "d/sub/b"));
        look_no_more(&f);
    }
}

static void changes_while_reading_are_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct fixture f;
        struct err e = {0};
        begin_anew();
        look(&f, "d", false);
        int fd = intake_begin(f.t, 1, &e);
        assert_true(fd >= 0);
        changes[i]();
        assert_int_equal(intake_end(f.t, 1, fd, &e), ERR_IO);
        assert_non_null(strstr(e.msg, "changed"));
        look_no_more(&f);
    }
}

static void links_are_followed_if_asked(void **state)
{
    struct fixture f;
    struct err e = {0};
    (void)state;
    make_folder();
    assert_int_equal(symlink("a", at("d/z")), 0);
    look(&f, "d", true);
    assert_int_equal(f.w.n, 3);
    int fd = intake_begin(f.t, 2, &e);
    assert_true(fd >= 0);
    assert_int_equal(intake_end(f.t, 2, fd, &e), 0);
    look_no_more(&f);
}

static void last_links_are_resolved(void **state)
{
    struct err e = {0};
    (void)state;
    make_folder();
    assert_int_equal(symlink("d/sub", at("link")), 0);
    char *real = realpath(at("d/sub"), NULL), *p = intake_resolve(at("link"), &e);
    assert_string_equal(p, real);
    free(p);
    p = intake_resolve(at("link/b"), &e); /* a link on the way stays */
    assert_string_equal(p, at("link/b"));
    free(p);
    p = intake_resolve(at("d/sub/.."), &e);
    assert_true(strlen(p) < strlen(real));
    free(p);
    free(real);
    assert_null(intake_resolve(at("nothing"), &e));
    assert_int_equal(e.os, ENOENT);
}

/* ---- streams ---- */

static int pipe_with(const char *text, size_t n)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    if (fork() == 0) {
        close(ends[0]);
        while (n > 0) {
            ssize_t put = write(ends[1], text, n);
            if (put <= 0)
                break;
            text += put;
            n -= (size_t)put;
        }
        _exit(0);
    }
    close(ends[1]);
    return ends[0];
}

static void a_stream_gets_its_name_when_it_is_told(void **state)
{
    struct intake_stream s;
    struct err e = {0};
    size_t n = 1000000;
    char *text = mem_zero(n);
    (void)state;
    memset(text, 'x', n);
    int in = pipe_with(text, n);
    assert_int_equal(intake_stream(&s, in, BYTES(NULL, 0), at("."), NULL, NULL, &e), 0);
    assert_int_equal(s.size, n);
    assert_int_equal(entries_in(at(".")), 0);
    assert_int_equal(access(s.path, R_OK), 0);
    assert_int_equal(intake_stream_name(&s, at("made/for/it"), &e), 0);
    intake_stream_fini(&s);
    struct stat st;
    assert_int_equal(stat(at("made/for/it"), &st), 0);
    assert_int_equal(st.st_size, n);
    close(in);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    free(text);
}

static void a_stream_without_a_name_is_gone(void **state)
{
    struct intake_stream s;
    struct err e = {0};
    (void)state;
    int in = pipe_with("abc", 3);
    assert_int_equal(intake_stream(&s, in, BYTES(NULL, 0), at("."), NULL, NULL, &e), 0);
    intake_stream_fini(&s);
    intake_stream_fini(&s);
    assert_int_equal(entries_in(at(".")), 0);
    assert_int_equal(intake_stream(&s, in, BYTES(NULL, 0), at("nowhere"), NULL, NULL, &e), ERR_IO);
    close(in);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

static bool stop_at_once(void *arg, uint64_t bytes)
{
    (void)bytes;
    return ++*(int *)arg < 3;
}

static void a_silent_stream_can_be_stopped(void **state)
{
    struct intake_stream s;
    struct err e = {0};
    int ends[2], times = 0;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(intake_stream(&s, ends[0], BYTES(NULL, 0), at("."), stop_at_once, &times, &e),
                     ERR_CANCELED);
    assert_int_equal(times, 3);
    assert_int_equal(entries_in(at(".")), 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(unchanged_files_are_read),
        SCRATCH_TEST(changes_before_reading_are_noticed),
        SCRATCH_TEST(changes_while_reading_are_noticed),
        SCRATCH_TEST(links_are_followed_if_asked),
        SCRATCH_TEST(last_links_are_resolved),
        SCRATCH_TEST(a_stream_gets_its_name_when_it_is_told),
        SCRATCH_TEST(a_stream_without_a_name_is_gone),
        SCRATCH_TEST(a_silent_stream_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

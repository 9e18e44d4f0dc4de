/* What programs print: records, escapes, JSON, failures of stdout, lines on stderr, progress. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/cli/output.h>
#include <p2p/cli/status.h>
#include <p2p/cli/suite.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* An output whose two streams end in pipes. */
struct rig {
    struct output o;
    int out[2], err[2];
};

static void begin(struct rig *r, const struct common_options *c)
{
    output_init(&r->o, "p2p-x", c);
    assert_int_equal(pipe2(r->out, O_NONBLOCK) || pipe2(r->err, O_NONBLOCK), 0);
    r->o.out = r->out[1];
    r->o.err = r->err[1];
    r->o.out_tty = r->o.err_tty = false;
}

static void end(struct rig *r, int status, int want)
{
    assert_int_equal(output_end(&r->o, status), want);
    for (int i = 0; i < 2; i++) {
        close(r->out[i]);
        close(r->err[i]);
    }
}

static void reads(int fd, struct bytes want)
{
    static char got[4096];
    ssize_t n = read(fd, got, sizeof got);

    if (n < 0) {
        assert_int_equal(errno, EAGAIN);
        n = 0;
    }
    assert_int_equal(n, want.n);
    assert_memory_equal(got, want.p ? want.p : (const uint8_t *)"", want.n);
}
#define READS(fd, literal) reads(fd, BYTES_LIT(literal))

static void record(struct output *o)
{
    output_str(o, "plain");
    output_fmt(o, "%d", 7);
    output_field(o, BYTES_LIT("a\tb\nc\x1b\xff\\"));
    output_str(o, NULL);
    output_hex(o, BYTES_LIT("\xab\x01"));
    assert_true(output_line(o));
}

static void records(void **state)
{
    struct rig r;
    (void)state;

    begin(&r, NULL);
    record(&r.o);
    READS(r.out[0], "plain\t7\ta\\x09b\\x0ac\x1b\xff\\\t\tab01\n");
    r.o.nul = true;
    record(&r.o);
    READS(r.out[0], "plain\t7\ta\tb\nc\x1b\xff\\\t\tab01\0");
    r.o.out_tty = true;
    r.o.nul = false;
    record(&r.o);
    READS(r.out[0], "plain\t7\ta\\x09b\\x0ac\\x1b\\xff\\\t\tab01\n");
    READS(r.err[0], "");
    end(&r, 0, 0);
}

static void batches(void **state)
{
    struct rig r;
    (void)state;

    begin(&r, NULL);
    r.o.batch = true;
    output_str(&r.o, "one");
    output_line(&r.o);
    READS(r.out[0], "");
    assert_true(output_flush(&r.o));
    READS(r.out[0], "one\n");
    output_str(&r.o, "two");
    output_line(&r.o);
    assert_int_equal(output_end(&r.o, 3), 3);
    READS(r.out[0], "two\n");
    end(&r, 0, 0);
}

static void json(void **state)
{
    struct common_options c = {.nul = true, .json = true};
    struct rig r;
    struct json *j = json_new_object();
    (void)state;

    begin(&r, &c);
    assert_true(r.o.json);
    json_set_int(j, "a", 1);
    assert_true(output_json(&r.o, j));
    READS(r.out[0], "{\"a\":1}\n");
    end(&r, 0, 0);
}

static void reader_gone(void **state)
{
    struct rig r;
    (void)state;

    begin(&r, NULL);
    signal(SIGPIPE, SIG_IGN);
    close(r.out[0]);
    output_str(&r.o, "lost");
    assert_false(output_line(&r.o));
    assert_false(output_raw(&r.o, BYTES_LIT("lost too")));
    assert_int_equal(output_end(&r.o, 0), STATUS_PIPE);
    READS(r.err[0], "");
    close(r.out[1]);
    close(r.err[0]);
    close(r.err[1]);
}

static void no_space(void **state)
{
    struct rig r;
    int full = open("/dev/full", O_WRONLY);
    (void)state;

    begin(&r, NULL);
    r.o.out = full;
    output_str(&r.o, "lost");
    assert_false(output_line(&r.o));
    assert_int_equal(output_end(&r.o, 0), STATUS_IO);
    READS(r.err[0], "p2p-x: standard output: No space left on device\n");
    r.o.failed = EBADF;
    end(&r, STATUS_INVALID, STATUS_INVALID);
    close(full);
}

static void said(void **state)
{
    struct common_options c = {0};
    struct err e = {0};
    struct rig r;
    (void)state;

    begin(&r, &c);
    output_error(&r.o, "%s: no\nway", "http://u:p@h/x");
    READS(r.err[0], "p2p-x: http://***@h/x: no\\x0away\n");
    output_err(&r.o, &e);
    READS(r.err[0], "");
    err_set(&e, ERR_FAIL, "film: gone");
    output_err(&r.o, &e);
    output_notice(&r.o, "noted %d", 1);
    output_verbose(&r.o, "not wanted");
    READS(r.err[0], "p2p-x: film: gone\np2p-x: noted 1\n");
    r.o.quiet = r.o.verbose = true;
    output_notice(&r.o, "not wanted");
    output_verbose(&r.o, "details");
    output_error(&r.o, "errors always print");
    READS(r.err[0], "p2p-x: details\np2p-x: errors always print\n");
    READS(r.out[0], "");
    end(&r, 1, 1);
}

static void progress_wanted(void **state)
{
    struct common_options c = {.progress = PROGRESS_ALWAYS};
    struct output o;
    (void)state;

    output_init(&o, "p2p-x", &c);
    assert_true(o.progress);
    c.quiet = true;
    output_init(&o, "p2p-x", &c);
    assert_false(o.progress);
    c = (struct common_options){.progress = PROGRESS_NEVER};
    output_init(&o, "p2p-x", &c);
    assert_false(o.progress);
    output_init(&o, "p2p-x", NULL);
    assert_false(o.progress);
}

static const struct progress some = {
    .done = 1, .total = 2, .peers = -1, .left = USEC_NEVER, .name = "n"};

static void progress_on_a_terminal(void **state)
{
    struct rig r;
    (void)state;

    begin(&r, NULL);
    r.o.progress = r.o.err_tty = r.o.out_tty = true;
    assert_true(output_progress(&r.o, &some, 1000 * USEC_SEC));
    READS(r.err[0], "\r\033[K 50%  1 B / 2 B  n");
    assert_false(output_progress(&r.o, &some, 1000 * USEC_SEC + USEC_SEC / 5 - 1));
    READS(r.err[0], "");
    assert_true(output_progress(&r.o, &some, 1000 * USEC_SEC + USEC_SEC / 5));
    READS(r.err[0], "\r\033[K 50%  1 B / 2 B  n");
    output_str(&r.o, "result");
    output_line(&r.o);
    READS(r.err[0], "\r\033[K");
    READS(r.out[0], "result\n");
    assert_true(output_progress(&r.o, &some, 1000 * USEC_SEC + USEC_SEC / 5)); /* back at once */
    READS(r.err[0], "\r\033[K 50%  1 B / 2 B  n");
    output_error(&r.o, "oh");
    READS(r.err[0], "\r\033[Kp2p-x: oh\n");
    output_progress(&r.o, &some, 2000 * USEC_SEC);
    READS(r.err[0], "\r\033[K 50%  1 B / 2 B  n");
    assert_int_equal(output_end(&r.o, 0), 0);
    READS(r.err[0], "\r\033[K");
    end(&r, 0, 0);
}

static void progress_in_a_log(void **state)
{
    struct rig r;
    (void)state;

    begin(&r, NULL);
    assert_false(output_progress(&r.o, &some, 5 * USEC_SEC));
    r.o.progress = true;
    assert_true(output_progress(&r.o, &some, 5 * USEC_SEC));
    assert_false(output_progress(&r.o, &some, 6 * USEC_SEC - 1));
    assert_true(output_progress(&r.o, &some, 6 * USEC_SEC));
    READS(r.err[0], "p2p-x:  50%  1 B / 2 B  n\np2p-x:  50%  1 B / 2 B  n\n");
    end(&r, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),         cmocka_unit_test(batches),
        cmocka_unit_test(json),            cmocka_unit_test(reader_gone),
        cmocka_unit_test(no_space),        cmocka_unit_test(said),
        cmocka_unit_test(progress_wanted), cmocka_unit_test(progress_on_a_terminal),
        cmocka_unit_test(progress_in_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

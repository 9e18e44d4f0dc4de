/* Option tables: every kind of value, what undoes what, layers, and what a mistake is told. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/cli/options.h>
#include <p2p/cli/suite.h>

#include <stdlib.h>

static struct options opt;
static struct get_options get;
static struct err err;

/* Reads a command line of at most 9 words. */
static int read_words(const struct option_table *t, void *values, const char *const *words)
{
    static char copy[10][400];
    static char *argv[11];
    int argc = 0;

    err_clear(&err);
    for (argc = 0; words[argc]; argc++) {
        strcpy(copy[argc], words[argc]);
        argv[argc] = copy[argc];
    }
    argv[argc] = NULL;
    options_init(&opt, t, values);
    return options_argv(&opt, argc, argv, &err);
}
#define READ(...) read_words(&suite_get, &get, (const char *const[]){"p2p-get", __VA_ARGS__, NULL})
#define DONE() options_fini(&opt)

static void refuses(const char *message, const char *const *words)
{
    assert_int_equal(read_words(&suite_get, &get, words), ERR_USAGE);
    assert_string_equal(err.msg, message);
    DONE();
}
#define REFUSES(message, ...) refuses(message, (const char *const[]){"p2p-get", __VA_ARGS__, NULL})

static void presets(void **state)
{
    (void)state;
    assert_int_equal(READ("x"), 0);
    assert_null(get.output);
    assert_true(get.timeout == USEC_NEVER);
    assert_true(get.seed_for == USEC_NEVER);
    assert_true(get.seed_ratio < 0);
    assert_int_equal(get.events_fd, -1);
    assert_int_equal(get.common.progress, PROGRESS_AUTO);
    assert_int_equal(get.net.limit_down, 0);
    assert_int_equal(get.net.port, 0);
    assert_int_equal(get.select.n, 0);
    assert_false(get.common.json);
    assert_int_equal(opt.n_operands, 1);
    DONE();
}

static void values(void **state)
{
    (void)state;
    assert_int_equal(READ("-o", "out", "--limit-down=2Mi", "--timeout", "1h30m", "--port=65535",
                          "--seed-ratio=1.5"),
                     0);
    assert_string_equal(get.output, "out");
    assert_int_equal(get.net.limit_down, 2 << 20);
    assert_true(get.timeout == 90 * USEC_MIN);
    assert_int_equal(get.net.port, 65535);
    assert_true(get.seed_ratio > 1.49 && get.seed_ratio < 1.51);
    DONE();
    assert_int_equal(
        READ("--events-fd=7", "--progress=never", "-qv", "-0", "--peer=h:1", "--peer=[::1]:2"), 0);
    assert_int_equal(get.events_fd, 7);
    assert_int_equal(get.common.progress, PROGRESS_NEVER);
    assert_true(get.common.quiet && get.common.verbose && get.common.nul);
    assert_int_equal(get.peers.n, 2);
    assert_string_equal(get.peers.v[1], "[::1]:2");
    DONE();
}

static void operands(void **state)
{
    (void)state;
    assert_int_equal(READ("a", "-q", "b", "--", "-c", "--json"), 0);
    assert_int_equal(opt.n_operands, 4);
    assert_string_equal(opt.operands[0], "a");
    assert_string_equal(opt.operands[1], "b");
    assert_string_equal(opt.operands[2], "-c");
    assert_string_equal(opt.operands[3], "--json");
    assert_true(get.common.quiet);
    assert_false(get.common.json);
    DONE();
    assert_int_equal(READ("-"), 0);
    assert_string_equal(opt.operands[0], "-");
    DONE();
}

static void the_last_counts(void **state)
{
    (void)state;
    assert_int_equal(READ("-o", "a", "--output=b", "--timeout=1", "--timeout=2"), 0);
    assert_string_equal(get.output, "b");
    assert_true(get.timeout == 2 * USEC_SEC);
    DONE();
}

static void undone(void **state)
{
    (void)state;
    assert_int_equal(READ("--json", "--no-json", "--no-trackers", "--trackers", "--no-web-seeds"),
                     0);
    assert_false(get.common.json);
    assert_false(get.net.no_trackers);
    assert_true(get.net.no_web_seeds);
    DONE();
    REFUSES("--no-help: there is no such option (did you mean --help?)", "--no-help");
}

static void typed(void **state)
{
    struct err e = {0};
    (void)state;
    assert_int_equal(READ("--timeout=1", "--json", "--no-quiet"), 0);
    assert_int_equal(options_set(&opt, "quiet", "yes", OPTION_SECTION, &e), 0);
    assert_int_equal(options_set(&opt, "output", "x", OPTION_SECTION, &e), 0);
    assert_true(options_typed(&opt, "timeout"));
    assert_true(options_typed(&opt, "json"));
    assert_false(options_typed(&opt, "quiet"));
    assert_false(options_typed(&opt, "output"));
    assert_false(options_typed(&opt, "verbose"));
    assert_false(options_typed(&opt, "no-such"));
    DONE();
}

static void abbreviated(void **state)
{
    (void)state;
    assert_int_equal(READ("--limit-d=5", "--seq"), 0);
    assert_int_equal(get.net.limit_down, 5);
    assert_true(get.sequential);
    DONE();
    REFUSES("--limit: could be any of --limit-down, --limit-up", "--limit=5");
}

static void addresses_and_words(void **state)
{
    (void)state;
    assert_int_equal(READ("--bootstrap", "none", "--bootstrap=[::1]:6881"), 0);
    assert_int_equal(get.dht.bootstrap.n, 2);
    assert_string_equal(get.dht.bootstrap.v[0], SUITE_NONE);
    assert_string_equal(get.dht.bootstrap.v[1], "[::1]:6881");
    DONE();
    REFUSES("--bootstrap: 'nones' is not HOST:PORT (try 192.0.2.1:6881 or [2001:db8::1]:6881)",
            "--bootstrap", "nones");
    REFUSES("--peer: 'none' is not HOST:PORT (try 192.0.2.1:6881 or [2001:db8::1]:6881)",
            "--peer=none");
}

static void mistakes(void **state)
{
    (void)state;
    REFUSES("--limit-down: 'x' is not a rate (try 500K or 2Mi)", "--limit-down", "x");
    REFUSES("--seed-for: '-1' is not a duration (try 90s, 10m or 1h30m)", "--seed-for=-1");
    REFUSES("--timeout: '0h' is not a duration above 0 (try 90s, 10m or 1h30m)", "--timeout=0h");
    REFUSES("--port: '65536' is not a port (0 to 65535)", "--port=65536");
    REFUSES("--port: ' 1' is not a port (0 to 65535)", "--port= 1");
    REFUSES("--port: '99999999999999999999' is not a port (0 to 65535)",
            "--port=99999999999999999999");
    REFUSES("--events-fd: '1x' is not a number from 0 to 2147483647", "--events-fd=1x");
    REFUSES("--seed-ratio: 'nan' is not a ratio (try 1 or 1.5)", "--seed-ratio=nan");
    REFUSES("--seed-ratio: '1.2.3' is not a ratio (try 1 or 1.5)", "--seed-ratio=1.2.3");
    REFUSES("--progress: 'maybe' is not auto, always or never", "--progress=maybe");
    REFUSES("--peer: 'host' is not HOST:PORT (try 192.0.2.1:6881 or [2001:db8::1]:6881)",
            "--peer=host");
    REFUSES("--peer: 'host:0' is not HOST:PORT (try 192.0.2.1:6881 or [2001:db8::1]:6881)",
            "--peer=host:0");
    REFUSES("--output: its value is empty", "--output=");
    REFUSES("--output: its value is empty", "-o", "");
    REFUSES("--output: needs a value (PATH)", "-o");
    REFUSES("--output: needs a value (PATH)", "--output");
    REFUSES("--json: takes no value", "--json=1");
    REFUSES("--no-json: takes no value", "--no-json=1");
    REFUSES("-Z: there is no such option", "-Z");
    REFUSES("-Z: there is no such option", "-qZo", "x");
    REFUSES("--sequentail: there is no such option (did you mean --sequential?)", "--sequentail");
    REFUSES("--exlude: there is no such option (did you mean --exclude?)", "--exlude=*.nfo");
    REFUSES("--wholly-unlike: there is no such option", "--wholly-unlike");
}

static void sizes_and_enums(void **state)
{
    struct add_options add;
    (void)state;

    assert_int_equal(
        read_words(&suite_add, &add,
                   (const char *const[]){"p2p-add", "--piece-size=16Ki", "--comment=", NULL}),
        0);
    assert_int_equal(add.piece_size, 16384);
    assert_int_equal(add.format, FORMAT_HYBRID);
    assert_int_equal(add.print, PRINT_LINK);
    assert_string_equal(add.comment, "");
    DONE();
    assert_int_equal(
        read_words(&suite_add, &add,
                   (const char *const[]){"p2p-add", "--format", "v2", "--print=torrent", NULL}),
        0);
    assert_int_equal(add.format, FORMAT_V2);
    assert_int_equal(add.print, PRINT_TORRENT);
    DONE();
    assert_int_equal(
        read_words(&suite_add, &add, (const char *const[]){"p2p-add", "--piece-size=big", NULL}),
        ERR_USAGE);
    assert_string_equal(err.msg, "--piece-size: 'big' is not a size (try 256Ki or 4Mi)");
    DONE();
}

static void stops_at_an_operand(void **state)
{
    struct p2p_options p;
    (void)state;

    assert_int_equal(
        read_words(&suite_p2p, &p, (const char *const[]){"p2p", "get", "-V", "--wild", NULL}), 0);
    assert_false(p.version);
    assert_int_equal(opt.n_operands, 3);
    assert_string_equal(opt.operands[0], "get");
    DONE();
}

static void layers(void **state)
{
    (void)state;
    options_init(&opt, &suite_get, &get);
    assert_int_equal(options_set(&opt, "select", "general", OPTION_GENERAL, NULL), 0);
    assert_int_equal(options_set(&opt, "select", "general2", OPTION_GENERAL, NULL), 0);
    assert_int_equal(get.select.n, 2);
    assert_int_equal(options_set(&opt, "select", "section", OPTION_SECTION, NULL), 0);
    assert_int_equal(get.select.n, 1);
    assert_string_equal(get.select.v[0], "section");
    assert_int_equal(options_set(&opt, "output", "argv", OPTION_ARGV, NULL), 0);
    assert_int_equal(options_set(&opt, "output", "section", OPTION_SECTION, NULL), 0);
    assert_string_equal(get.output, "argv");
    assert_int_equal(options_set(&opt, "json", "yes", OPTION_GENERAL, NULL), 0);
    assert_true(get.common.json);
    assert_int_equal(options_set(&opt, "no-json", NULL, OPTION_ARGV, NULL), 0);
    assert_false(get.common.json);
    assert_int_equal(options_set(&opt, "trackers", "off", OPTION_GENERAL, NULL), 0);
    assert_true(get.net.no_trackers);
    assert_int_equal(options_set(&opt, "json", "perhaps", OPTION_ARGV, NULL), ERR_USAGE);
    assert_int_equal(options_set(&opt, "help", "yes", OPTION_GENERAL, NULL), ERR_USAGE);
    assert_int_equal(options_set(&opt, "output", NULL, OPTION_ARGV, NULL), ERR_USAGE);
    DONE();
}

/* Tables: no name and no letter twice, no undoing name that is another's name. */
static void tables_are_sound(void **state)
{
    (void)state;
    for (size_t p = 0; suite[p]; p++) {
        const struct option_table *t = suite[p];
        char letters[256] = {0};

        for (size_t g = 0; g < t->n_groups; g++)
            for (size_t i = 0; i < t->groups[g].n; i++) {
                const struct option_def *d = &t->groups[g].defs[i];
                bool undo, flag = d->kind == OPTION_FLAG || d->kind == OPTION_ACT;

                assert_ptr_equal(options_find(t, d->name, &undo), d);
                assert_false(undo);
                assert_true(flag == !d->arg);
                assert_true(d->kind != OPTION_ENUM || d->choices);
                assert_false(d->letter && letters[(uint8_t)d->letter]++);
            }
    }
    assert_ptr_equal(suite_find("p2p-ls"), &suite_ls);
    assert_null(suite_find("p2p-nothing"));
}

static void help(void **state)
{
    (void)state;
    for (size_t p = 0; suite[p]; p++) {
        struct buf out = {0};
        options_help(suite[p], &out);
        char *text = buf_take_str(&out);

        assert_memory_equal(text, "Usage: p2p", 10);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            assert_true(strlen(line) <= 80);
            assert_int_not_equal(line[strlen(line) - 1], ' ');
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets),         cmocka_unit_test(values),
        cmocka_unit_test(operands),        cmocka_unit_test(the_last_counts),
        cmocka_unit_test(undone),          cmocka_unit_test(typed),
        cmocka_unit_test(abbreviated),
        cmocka_unit_test(addresses_and_words),
        cmocka_unit_test(mistakes),        cmocka_unit_test(sizes_and_enums),
        cmocka_unit_test(layers),          cmocka_unit_test(stops_at_an_operand),
        cmocka_unit_test(tables_are_sound), cmocka_unit_test(help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

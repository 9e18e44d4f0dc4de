/* The configuration file: sections, precedence, and mistakes told with file and line. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/cli/config.h>
#include <p2p/cli/suite.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct options opt;
static struct get_options get;
static struct err err;

static int apply(const char *text)
{
    err_clear(&err);
    options_init(&opt, &suite_get, &get);
    return config_apply(&opt, bytes_str(text), "conf", &err);
}

static void settings(void **state)
{
    (void)state;
    assert_int_equal(apply("# mine\n\n  limit-up = 500K  \r\njson=yes\n\t# more\nno-trackers = on\n"
                           "select = *.mkv\nselect = *.srt\noutput = a = b"), 0);
    assert_int_equal(get.net.limit_up, 500000);
    assert_true(get.common.json);
    assert_true(get.net.no_trackers);
    assert_int_equal(get.select.n, 2);
    assert_string_equal(get.output, "a = b");
    options_fini(&opt);
}

static void byte_order_mark(void **state)
{
    (void)state;
    assert_int_equal(apply("\xef\xbb\xbfport = 4\r\n"), 0);
    assert_int_equal(get.net.port, 4);
    options_fini(&opt);
}

static void sections(void **state)
{
    (void)state;
    assert_int_equal(apply("port = 1\nuntil-idle = 1h\n[p2p-seed]\nport = 2\nsuper = yes\n"
                           "[ p2p-get ]\nport = 3\n[p2p-ls]\nlong = yes\n"), 0);
    assert_int_equal(get.net.port, 3);
    options_fini(&opt);
}

static void order_does_not_matter(void **state)
{
    char *argv[] = {(char[]){"p2p-get"}, (char[]){"--port=9"}, (char[]){"--no-json"}, NULL};
    (void)state;

    options_init(&opt, &suite_get, &get);
    assert_int_equal(options_argv(&opt, 3, argv, NULL), 0);
    assert_int_equal(
        config_apply(&opt, bytes_str("port = 1\njson = yes\nlimit-up = 7"), "conf", NULL), 0);
    assert_int_equal(get.net.port, 9);
    assert_int_equal(get.net.limit_up, 7);
    assert_false(get.common.json);
    options_fini(&opt);
}

static void refuses(const char *text, const char *message)
{
    assert_int_equal(apply(text), ERR_USAGE);
    assert_string_equal(err.msg, message);
    options_fini(&opt);
}

static void mistakes(void **state)
{
    (void)state;
    refuses("json = yes\nlimit = 3\n", "conf:2: limit: no program has such an option");
    refuses("[p2p-get]\n\nsuper = yes\n", "conf:3: super: that program has no such option");
    refuses("[p2p-seed]\nselect = x\n", "conf:2: select: that program has no such option");
    refuses("[p2p-got]\n", "conf:1: p2p-got: no program has that name");
    refuses("[p2p-get\n", "conf:1: [p2p-get: a section is written [p2p-get]");
    refuses("[", "conf:1: [: a section is written [p2p-get]");
    refuses("json\n", "conf:1: json: is not `option = value'");
    refuses("= 3\n", "conf:1: : no program has such an option");
    refuses("limit-up = much\n", "conf:1: --limit-up: 'much' is not a rate (try 500K or 2Mi)");
    refuses("output =\n", "conf:1: --output: its value is empty");
    refuses("json = perhaps\n", "conf:1: --json: 'perhaps' is not yes or no");
    refuses("help = yes\n", "conf:1: --help: is for the command line only");
    assert_int_equal(config_apply(&opt, BYTES_LIT("a\0b"), "conf", NULL), ERR_USAGE);
}

static void where_it_lies(void **state)
{
    (void)state;
    setenv("HOME", "/h", 1);
    unsetenv("XDG_CONFIG_HOME");
    char *at = config_path();
    assert_string_equal(at, "/h/.config/p2p/config");
    free(at);
    setenv("XDG_CONFIG_HOME", "/x", 1);
    at = config_path();
    assert_string_equal(at, "/x/p2p/config");
    free(at);
    setenv("XDG_CONFIG_HOME", "relative", 1);
    unsetenv("HOME");
    at = config_path(); /* the user table tells */
    assert_non_null(strstr(at, "/.config/p2p/config"));
    free(at);
}

static void write_file(const char *path, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs("port = 5\n", f);
    for (size_t i = 9; i < n; i++)
        fputc('\n', f);
    assert_int_equal(fclose(f), 0);
}

static void from_disk(void **state)
{
    char dir[] = "/tmp/p2p-config-XXXXXX", sub[64], file[96];
    (void)state;

    assert_non_null(mkdtemp(dir));
    snprintf(sub, sizeof sub, "%s/p2p", dir);
    snprintf(file, sizeof file, "%s/config", sub);
    setenv("XDG_CONFIG_HOME", dir, 1);
    options_init(&opt, &suite_get, &get);
    assert_int_equal(config_load(&opt, NULL), 0); /* none there */
    assert_int_equal(mkdir(sub, 0700), 0);
    write_file(file, 0);
    assert_int_equal(config_load(&opt, NULL), 0);
    assert_int_equal(get.net.port, 5);
    write_file(file, CONFIG_MAX_BYTES);
    assert_int_equal(config_load(&opt, NULL), 0);
    write_file(file, CONFIG_MAX_BYTES + 1);
    assert_int_equal(config_load(&opt, NULL), ERR_USAGE);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(config_load(&opt, NULL), ERR_IO);
    options_fini(&opt);
    assert_int_equal(rmdir(file) || rmdir(sub) || rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings),
        cmocka_unit_test(byte_order_mark),
        cmocka_unit_test(sections),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(where_it_lies),
        cmocka_unit_test(from_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

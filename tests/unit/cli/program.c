/* How programs begin and end: in children of this test, with their streams caught in files. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/cli/program.h>
#include <p2p/cli/status.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char out[4096], err[4096];

static void slurp(FILE *f, char *text)
{
    rewind(f);
    text[fread(text, 1, 4095, f)] = 0;
    fclose(f);
}

/* What the child does once started: prints a line, and says what it found. */
static int work(struct program *p, const struct get_options *o)
{
    if (p->options.n_operands == 0)
        return program_usage(p, "nothing to get: name a SOURCE");
    output_str(&p->output, p->options.operands[0]);
    output_fmt(&p->output, "%d", (int)o->net.port);
    output_line(&p->output);
    return STATUS_DONE;
}

/* Runs a program in a child with one standard descriptor closed (-1: none); its exit status. */
static int run(int closed, const char *const *words)
{
    FILE *o = tmpfile(), *e = tmpfile();
    pid_t child = fork();

    if (child == 0) {
        struct get_options get;
        struct program p;
        char *argv[8] = {0};
        int argc = 0, status;

        for (; words[argc]; argc++)
            argv[argc] = strdup(words[argc]);
        dup2(fileno(o), 1);
        dup2(fileno(e), 2);
        if (closed >= 0)
            close(closed);
        if (program_start(&p, &suite_get, &get, argc, argv, &status)) {
            for (int fd = 0; fd < 3; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                    _exit(99);
            status = program_end(&p, work(&p, &get));
        }
        for (int i = 0; i < argc; i++)
            free(argv[i]);
        _exit(status);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    slurp(o, out);
    slurp(e, err);
    return WEXITSTATUS(status);
}
#define RUN(closed, ...) run(closed, (const char *const[]){"p2p-get", __VA_ARGS__, NULL})

static void works(void **state)
{
    (void)state;
    assert_int_equal(RUN(-1, "x", "--port=7"), 0);
    assert_string_equal(out, "x\t7\n");
    assert_string_equal(err, "");
}

static void help_and_version(void **state)
{
    (void)state;
    assert_int_equal(RUN(-1, "--help"), 0);
    assert_memory_equal(out, "Usage: p2p-get ", 15);
    assert_string_equal(err, "");
    assert_int_equal(RUN(-1, "-V"), 0);
    assert_memory_equal(out, "p2p-get ", 8);
    assert_non_null(strstr(out, P2P_VERSION "\n"));
}

static void usage(void **state)
{
    (void)state;
    assert_int_equal(RUN(-1, "--limit-down=x"), 2);
    assert_string_equal(out, "");
    assert_string_equal(err, "p2p-get: --limit-down: 'x' is not a rate (try 500K or 2Mi)\n"
                             "Try 'p2p-get --help'.\n");
    assert_int_equal(RUN(-1, "-q"), 2);
    assert_string_equal(err, "p2p-get: nothing to get: name a SOURCE\nTry 'p2p-get --help'.\n");
}

static void closed_descriptors(void **state)
{
    (void)state;
    assert_int_equal(RUN(0, "x"), 0);
    assert_int_equal(RUN(1, "x"), 5);
    assert_string_equal(err, "p2p-get: standard output: Bad file descriptor\n");
    assert_int_equal(RUN(2, "x"), 0);
}

static void configured(void **state)
{
    char dir[] = "/tmp/p2p-program-XXXXXX", path[100];
    (void)state;

    assert_non_null(mkdtemp(dir));
    setenv("XDG_CONFIG_HOME", dir, 1);
    snprintf(path, sizeof path, "%s/p2p", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/p2p/config", dir);
    FILE *f = fopen(path, "w");
    fputs("port = 9\n", f);
    fclose(f);
    assert_int_equal(RUN(-1, "x"), 0);
    assert_string_equal(out, "x\t9\n");
    assert_int_equal(RUN(-1, "x", "--port=7"), 0);
    assert_string_equal(out, "x\t7\n");
    f = fopen(path, "w");
    fputs("prot = 9\n", f);
    fclose(f);
    assert_int_equal(RUN(-1, "x"), 2);
    assert_non_null(strstr(err, "/p2p/config:1: prot: no program has such an option\n"));
    assert_int_equal(RUN(-1, "--help"), 0); /* whatever the configuration says */
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/p2p", dir);
    assert_int_equal(rmdir(path) || rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works),      cmocka_unit_test(help_and_version),
        cmocka_unit_test(usage),      cmocka_unit_test(closed_descriptors),
        cmocka_unit_test(configured),
    };

    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

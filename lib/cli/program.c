/* The beginning and the end that all programs share. */
#include <p2p/cli/config.h>
#include <p2p/cli/program.h>
#include <p2p/cli/status.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Somebody may start us with a standard descriptor closed. The next file that is opened would take
 * its place, and results or errors would be written into a user's data. What stands in for one is
 * open the wrong way round, so that using it is an error and not silence.
 */
static void hold_standard_descriptors(void)
{
    static const int mode[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", mode[fd]) != fd)
            _exit(STATUS_IO);
}

static void print_help(struct output *o, const struct option_table *t)
{
    struct buf text = {0};

    options_help(t, &text);
    output_raw(o, buf_bytes(&text));
    buf_fini(&text);
}

/* --help and --version are found by name: p2p's values begin with other things than the rest. */
static bool given(const struct option_table *t, const void *values, const char *name)
{
    for (size_t g = 0; g < t->n_groups; g++)
        for (size_t i = 0; i < t->groups[g].n; i++) {
            const struct option_def *d = &t->groups[g].defs[i];

            if (strcmp(d->name, name) == 0)
                return *((const bool *)values + t->groups[g].at + d->at);
        }
    return false;
}

static bool answered(struct output *o, const struct option_table *t, const void *values)
{
    if (given(t, values, "help")) {
        print_help(o, t);
        return true;
    }
    if (given(t, values, "version")) {
        output_fmt(o, "%s %s", t->program, P2P_VERSION);
        output_line(o);
        return true;
    }
    return false;
}

static const struct common_options *common_of(const struct option_table *t, const void *values)
{
    return t == &suite_p2p ? NULL : values;
}

/*
 * Command line first: --help must work whatever the configuration says. Who runs or shows other
 * programs is not in the way when it is wrong.
 */
static int read_all(struct program *p, int argc, char **argv, struct err *e)
{
    int rc = options_argv(&p->options, argc, argv, e);

    if (rc < 0 || given(p->options.table, p->options.values, "help") ||
        given(p->options.table, p->options.values, "version"))
        return rc;
    return p->options.table->stop ? 0 : config_load(&p->options, e);
}

bool program_start(struct program *p, const struct option_table *t, void *values, int argc,
                   char **argv, int *status)
{
    struct err e = {0};

    hold_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    options_init(&p->options, t, values);
    int rc = read_all(p, argc, argv, &e);
    output_init(&p->output, t->program, rc == 0 ? common_of(t, values) : NULL);
    if (rc < 0)
        *status = rc == ERR_USAGE ? program_usage(p, "%s", e.msg) : program_fail(p, &e);
    else if (!answered(&p->output, t, values))
        return true;
    else
        *status = STATUS_DONE;
    *status = program_end(p, *status);
    return false;
}

int program_end(struct program *p, int status)
{
    status = output_end(&p->output, status);
    options_fini(&p->options);
    return status;
}

int program_usage(struct program *p, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    output_error(&p->output, "%s", text);
    dprintf(p->output.err, "Try '%s --help'.\n", p->options.table->program);
    free(text);
    return STATUS_USAGE;
}

int program_fail(struct program *p, const struct err *e)
{
    output_err(&p->output, e);
    return status_of(e->code);
}

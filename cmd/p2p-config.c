/* p2p-config: which options are in force, and where each value is from. */
#include <p2p/base/mem.h>
#include <p2p/base/suggest.h>
#include <p2p/cli/config.h>
#include <p2p/cli/origin.h>
#include <p2p/cli/program.h>
#include <p2p/cli/status.h>
#include <p2p/format/json.h>
#include <p2p/host/home.h>

#include <stdlib.h>

#define PREFIX "p2p-"
#define MAX_PROGRAMS 64u

struct config {
    struct program *p;
    const struct config_options *o;
    char *file;             /* the configuration's; NULL: there is no home to have one */
    struct option_list bad; /* lines that were told: programs share what is before the sections */
};

/* ---- printing ---- */

/* One value on its way out. */
struct shown {
    const char *program, *option, *value;
    enum option_layer layer;
    const char *variable; /* of the environment */
    const char *file;
    unsigned line;
};

static void print_json(struct output *out, const struct shown *s)
{
    static const char *const from[] = {[OPTION_PRESET] = "default",
                                       [OPTION_GENERAL] = "file",
                                       [OPTION_SECTION] = "file",
                                       [OPTION_ARGV] = "command line"};
    struct json *j = json_new_object();

    json_set_str(j, "program", s->program);
    json_set_str(j, "option", s->option);
    json_set_str(j, "value", s->value);
    json_set_str(j, "from", s->variable ? "environment" : from[s->layer]);
    json_set_str(j, "variable", s->variable);
    if (s->line) {
        json_set_str(j, "file", s->file);
        json_set_int(j, "line", s->line);
    }
    output_json(out, j);
}

static void print_line(struct output *out, const struct shown *s)
{
    output_str(out, s->program);
    output_str(out, s->option);
    output_str(out, s->value);
    if (s->variable)
        output_fmt(out, "environment:%s", s->variable);
    else if (s->line)
        output_fmt(out, "%s:%u", s->file, s->line);
    else
        output_str(out, s->layer == OPTION_ARGV ? "command line" : "default");
    output_line(out);
}

/* What is being shown of one program. */
struct view {
    struct config *c;
    const char *program;
    struct home home; /* where it is if no option says so */
};

static void show(void *arg, const struct option_def *d, const struct origin *from)
{
    struct view *v = arg;
    struct shown s = {.program = v->program,
                      .option = d->name,
                      .value = from->text,
                      .layer = from->layer,
                      .file = v->c->file,
                      .line = from->line};

    if (from->layer == OPTION_PRESET && strcmp(d->name, "home") == 0) {
        s.value = v->home.dir ? v->home.dir : "";
        s.variable = v->home.variable;
    } else if (from->layer == OPTION_PRESET && !*from->text) {
        s.value = NULL;
    }
    if (v->c->p->output.json)
        print_json(&v->c->p->output, &s);
    else
        print_line(&v->c->p->output, &s);
}

/* ---- what is in force ---- */

static void tell_bad(void *arg, const char *why)
{
    struct config *c = arg;

    for (size_t i = 0; i < c->bad.n; i++)
        if (strcmp(c->bad.v[i], why) == 0)
            return;
    option_list_add(&c->bad, mem_str(why));
    output_error(&c->p->output, "%s", why);
}

/* Reads all that this program would read, without and then with its words on the command line. */
static int read_program(struct config *c, struct options *o, int argc, char **argv)
{
    struct err e = {0};
    int rc = argc > 0 ? options_argv(o, argc, argv, &e) : 0;

    if (rc < 0)
        return program_usage(c->p, "%s: %s", o->table->program, e.msg);
    rc = config_check(o, tell_bad, c, &e);
    return rc < 0 && e.code ? program_fail(c->p, &e) : status_of(rc);
}

/* Only checks if `quietly`. */
static int show_program(struct config *c, const struct option_table *t, int argc, char **argv,
                        bool quietly)
{
    struct origins origins = {0};
    struct options o;
    struct view v = {.c = c, .program = t->program};
    void *values = mem_zero(t->size);
    int status;

    options_init(&o, t, values);
    origins_watch(&origins, &o);
    status = read_program(c, &o, argc, argv);
    if (status == STATUS_DONE && !quietly) {
        home_find(&v.home, NULL, NULL); /* without one the value stays empty */
        origins_see(&origins, &o, show, &v);
        home_fini(&v.home);
    }
    options_fini(&o);
    origins_fini(&origins);
    free(values);
    return status;
}

/* Nothing is shown of a configuration with which no program would run. */
static int show_all(struct config *c)
{
    int status = STATUS_DONE;

    for (int quietly = 1; quietly >= 0 && status == STATUS_DONE; quietly--)
        for (size_t i = 0; suite[i]; i++)
            status = status_worst(status, show_program(c, suite[i], 0, NULL, quietly));
    return status;
}

static int unknown(struct config *c, const char *word)
{
    const char *names[MAX_PROGRAMS];
    size_t n = 0;

    for (size_t i = 0; suite[i] && n < MAX_PROGRAMS; i++)
        if (suite[i] != &suite_p2p)
            names[n++] = suite[i]->program;
    const char *near = suggest_nearest(word, names, n);
    return near ? program_usage(c->p, "%s: no program has that name (did you mean %s?)", word, near)
                : program_usage(c->p, "%s: no program has that name", word);
}

static int show_one(struct config *c)
{
    char **words = c->p->options.operands;
    char *name = strncmp(words[0], PREFIX, strlen(PREFIX)) == 0 ? mem_str(words[0])
                                                                : mem_fmt(PREFIX "%s", words[0]);
    const struct option_table *t = suite_find(name);
    int status =
        t ? show_program(c, t, (int)c->p->options.n_operands, words, false) : unknown(c, name);

    free(name);
    return status;
}

/* ---- the program ---- */

static int print_file(struct config *c)
{
    struct err e = {0};

    if (c->p->options.n_operands > 0)
        return program_usage(c->p, "--file: takes no operand");
    if (!c->file) {
        err_set(&e, ERR_IO, "no configuration is known: set HOME or XDG_CONFIG_HOME");
        return program_fail(c->p, &e);
    }
    output_str(&c->p->output, c->file);
    output_line(&c->p->output);
    return STATUS_DONE;
}

static int run(struct program *p, struct config_options *o)
{
    struct config c = {.p = p, .o = o, .file = config_path()};
    struct err e = {0};
    int status = STATUS_DONE;

    if (o->file) {
        status = print_file(&c);
    } else {
        int rc = config_check(&p->options, tell_bad, &c, &e);

        output_init(&p->output, suite_config.program, &o->common);
        if (rc < 0 && e.code)
            status = program_fail(p, &e);
        else
            status = p->options.n_operands ? show_one(&c) : show_all(&c);
        status = status_worst(status, status_of(rc));
    }
    option_list_fini(&c.bad);
    free(c.file);
    return status;
}

int main(int argc, char **argv)
{
    struct config_options o;
    struct program p;
    int status;

    if (!program_start(&p, &suite_config, &o, argc, argv, &status))
        return status;
    status = run(&p, &o);
    return program_end(&p, status);
}

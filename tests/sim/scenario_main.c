/*
 * The program of `make sim`: runs scenarios with seeds, each run in a process of its own and as
 * many at a time as there are processors, prints their tables in order and, at the end, how many
 * held. 1 if one did not.
 */
#include "film.h"
#include "report.h"

#include <getopt.h>
#include <p2p/base/mem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCENARIO(name) extern const struct scenario scenario_##name;
#include "scenario_list.h"
#undef SCENARIO
#define SCENARIO(name) &scenario_##name,
static const struct scenario *const ALL[] = {
#include "scenario_list.h"
};
#undef SCENARIO
#define N_ALL (sizeof ALL / sizeof *ALL)

struct options {
    const char *scenario, *svg;
    uint64_t seed, seeds;
    uint32_t size;
    bool big, list;
    unsigned jobs;
};

struct job {
    const struct scenario *s;
    uint64_t seed;
    uint32_t size;
    FILE *out; /* what it prints, until its turn */
    pid_t pid; /* 0: not running */
    bool over, held;
    double began, took;
    long memory; /* KiB at most */
};

static double wall(void)
{
    struct timeval tv;
    gettimeofday(&tv, NULL);
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

/* ---- one run, in a child ---- */

static bool told(const struct scenario *s, struct scenario_run *r, FILE *out)
{
    int code = s->run(r);
    report_print(r->figures, out);
    if (code)
        fprintf(out, "  it was not told to the end (%d)\n", code);
    if (report_count(r->figures) == 0)
        fprintf(out, "  it said no figure\n");
    return code == 0 && report_broken(r->figures) == 0 && report_count(r->figures) > 0;
}

static bool run_one(const struct job *j, const struct options *o)
{
    struct scenario_run r = {.seed = j->seed, .size = j->size, .big = o->big};
    r.figures = report_new();
    r.film = o->svg ? film_new() : NULL;
    bool held = told(j->s, &r, j->out);
    if (r.film && !film_write(r.film, o->svg, j->s->name, j->seed))
        held = false;
    if (r.film)
        film_free(r.film);
    report_free(r.figures);
    return held;
}

/* ---- all of them ---- */

static void start(struct job *j, const struct options *o)
{
    j->out = tmpfile();
    if (!j->out)
        abort();
    j->began = wall();
    fflush(NULL);
    j->pid = fork();
    if (j->pid < 0)
        abort();
    if (j->pid > 0)
        return;
    bool held = run_one(j, o);
    fflush(j->out);
    exit(held ? 0 : 1);
}

static void finish_one(struct job *v, size_t n)
{
    int status;
    struct rusage ru;
    pid_t pid = wait4(-1, &status, 0, &ru);
    for (size_t i = 0; i < n; i++) {
        struct job *j = &v[i];
        if (pid <= 0 || j->pid != pid)
            continue;
        j->pid = 0;
        j->over = true;
        j->took = wall() - j->began;
        j->memory = ru.ru_maxrss;
        j->held = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (WIFSIGNALED(status)) {
            fseek(j->out, 0, SEEK_END);
            fprintf(j->out, "  it ended by signal %d\n", WTERMSIG(status));
        }
    }
}

static void print(struct job *j)
{
    char line[300];
    printf("%s, seed %llu, N %u: %s (%.1f s, %ld MiB)\n", j->s->name, (unsigned long long)j->seed,
           (unsigned)j->size, j->held ? "holds" : "DOES NOT HOLD", j->took, j->memory / 1024);
    rewind(j->out);
    while (fgets(line, sizeof line, j->out))
        fputs(line, stdout);
    fclose(j->out);
    fflush(stdout);
}

static size_t run_all(struct job *v, size_t n, const struct options *o)
{
    size_t next = 0, running = 0, shown = 0, held = 0;
    while (shown < n) {
        for (; next < n && running < o->jobs; running++)
            start(&v[next++], o);
        finish_one(v, n);
        running--;
        for (; shown < n && v[shown].over; shown++) {
            print(&v[shown]);
            held += v[shown].held;
        }
    }
    return held;
}

static bool is_meant(const struct scenario *s, const struct options *o)
{
    if (strcmp(o->scenario, "all") == 0)
        return o->big || !s->no_check;
    return strcmp(o->scenario, s->name) == 0;
}

static uint32_t size_of(const struct scenario *s, const struct options *o)
{
    if (o->size)
        return o->size;
    return o->big && s->long_size ? s->long_size : s->size;
}

static size_t plan(struct job *v, const struct options *o)
{
    size_t n = 0;
    for (size_t i = 0; i < N_ALL; i++)
        for (uint64_t k = 0; is_meant(ALL[i], o) && k < o->seeds; k++)
            v[n++] = (struct job){.s = ALL[i], .seed = o->seed + k, .size = size_of(ALL[i], o)};
    return n;
}

static bool parse(struct options *o, int argc, char **argv)
{
    static const struct option v[] = {
        {"scenario", 1, 0, 's'}, {"seed", 1, 0, 'r'}, {"seeds", 1, 0, 'k'},
        {"size", 1, 0, 'n'},     {"svg", 1, 0, 'v'},  {"jobs", 1, 0, 'j'},
        {"long", 0, 0, 'l'},     {"list", 0, 0, 'h'}, {0, 0, 0, 0}};
    for (int c; (c = getopt_long(argc, argv, "", v, NULL)) != -1;) {
        uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
        switch (c) {
        case 's':
            o->scenario = optarg;
            break;
        case 'r':
            o->seed = number;
            break;
        case 'k':
            o->seeds = number;
            break;
        case 'n':
            o->size = (uint32_t)number;
            break;
        case 'v':
            o->svg = optarg;
            break;
        case 'j':
            o->jobs = (unsigned)number;
            break;
        case 'l':
            o->big = true;
            break;
        case 'h':
            o->list = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && o->seeds > 0 && o->seeds <= 100000 && o->jobs > 0;
}

int main(int argc, char **argv)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct options o = {
        .scenario = "all", .seed = 1, .seeds = 1, .jobs = cpus > 0 ? (unsigned)cpus : 1};
    if (!parse(&o, argc, argv)) {
        fprintf(stderr, "usage: run [--scenario=NAME|all] [--seed=N] [--seeds=N] [--size=N] "
                        "[--svg=FILE] [--jobs=N] [--long] [--list]\n");
        return 2;
    }
    for (size_t i = 0; o.list && i < N_ALL; i++)
        printf("%-16s %s\n", ALL[i]->name, ALL[i]->summary);
    if (o.list)
        return 0;
    struct job *v = mem_array(N_ALL * o.seeds, sizeof *v);
    size_t n = plan(v, &o), held = 0;
    if (n == 0)
        fprintf(stderr, "run: no scenario `%s'\n", o.scenario);
    else
        held = run_all(v, n, &o);
    printf("sim: %zu passed, %zu failed\n", held, n - held);
    free(v);
    return n > 0 && held == n ? 0 : 1;
}

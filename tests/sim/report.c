/* The figures of a run: kept, judged, printed as a table. */
#include "report.h"
#include "film.h"

#include <p2p/base/mem.h>
#include <stdlib.h>
#include <string.h>

enum bound { NO_BOUND, AT_MOST, AT_LEAST, MUST };

struct figure {
    char name[64], unit[16];
    double value, limit;
    enum bound bound;
};
struct scenario_figures {
    struct figure *v;
    size_t n;
};

struct scenario_figures *report_new(void)
{
    return mem_zero(sizeof(struct scenario_figures));
}

void report_free(struct scenario_figures *f)
{
    free(f->v);
    free(f);
}

static void add(struct scenario_run *r, const char *name, double value, const char *unit,
                double limit, enum bound bound)
{
    struct scenario_figures *f = r->figures;
    f->v = mem_grow(f->v, f->n + 1, sizeof *f->v);
    struct figure *g = &f->v[f->n++];
    *g = (struct figure){.value = value, .limit = limit, .bound = isnan(limit) ? NO_BOUND : bound};
    snprintf(g->name, sizeof g->name, "%s", name);
    snprintf(g->unit, sizeof g->unit, "%s", unit);
}

void scenario_figure(struct scenario_run *r, const char *name, double value, const char *unit,
                     double at_most)
{
    add(r, name, value, unit, at_most, AT_MOST);
}

void scenario_figure_least(struct scenario_run *r, const char *name, double value, const char *unit,
                           double at_least)
{
    add(r, name, value, unit, at_least, AT_LEAST);
}

void scenario_must(struct scenario_run *r, const char *name, bool holds)
{
    add(r, name, holds, "", 1, MUST);
}

/* What is not a number breaks every bound. */
static bool holds(const struct figure *g)
{
    switch (g->bound) {
    case AT_MOST:
        return g->value <= g->limit;
    case AT_LEAST:
    case MUST:
        return g->value >= g->limit;
    default:
        return true;
    }
}

size_t report_count(const struct scenario_figures *f)
{
    return f->n;
}

size_t report_broken(const struct scenario_figures *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        n += !holds(&f->v[i]);
    return n;
}

static void number(char out[32], double v)
{
    if (isnan(v))
        snprintf(out, 32, "none");
    else if (v == floor(v) && fabs(v) < 1e15)
        snprintf(out, 32, "%.0f", v);
    else
        snprintf(out, 32, fabs(v) < 100 ? "%.3f" : "%.1f", v);
}

void report_print(const struct scenario_figures *f, FILE *out)
{
    static const char *const sign[] = {"", "<=", ">=", ""};
    for (size_t i = 0; i < f->n; i++) {
        const struct figure *g = &f->v[i];
        char value[32], limit[32] = "";
        number(value, g->value);
        if (g->bound == MUST)
            snprintf(value, sizeof value, "%s", g->value > 0 ? "yes" : "no");
        else if (g->bound != NO_BOUND)
            number(limit, g->limit);
        fprintf(out, "  %-44s %12s %-8s %2s %-10s%s\n", g->name, value, g->unit, sign[g->bound],
                limit, holds(g) ? "" : " BROKEN");
    }
}

void scenario_film(struct scenario_run *r, struct tube *t)
{
    if (r->film)
        film_watch(r->film, t);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double scenario_percentile(double *v, size_t n, double p)
{
    if (n == 0)
        return NAN;
    qsort(v, n, sizeof *v, by_value);
    size_t i = (size_t)ceil(p / 100 * (double)n);
    return v[i > 0 ? i - 1 : 0];
}

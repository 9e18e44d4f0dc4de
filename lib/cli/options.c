/*
 * Options: finding, setting, and reading the command line. Each kind of value is one row of a
 * table; the layers decide who may still set an option, so that the order in which configuration
 * and command line are read does not matter.
 */
#include <p2p/base/addr.h>
#include <p2p/base/mem.h>
#include <p2p/base/units.h>
#include <p2p/cli/options.h>
#include <p2p/base/suggest.h>

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>

/* One option of a table: its definition, its place in the table, and where its value lives. */
struct place {
    const struct option_def *def;
    size_t index;
    void *at;
    bool undo;
};

static size_t count_defs(const struct option_table *t)
{
    size_t n = 0;

    for (size_t g = 0; g < t->n_groups; g++)
        n += t->groups[g].n;
    return n;
}

static struct place place_of(const struct option_table *t, size_t index, void *values)
{
    struct place p = {.index = index};
    size_t g = 0;

    for (; index >= t->groups[g].n; g++)
        index -= t->groups[g].n;
    p.def = &t->groups[g].defs[index];
    if (values)
        p.at = (char *)values + t->groups[g].at + p.def->at;
    return p;
}

/* --- values ------------------------------------------------------------------------------- */

void option_list_add(struct option_list *l, char *owned)
{
    if ((l->n & (l->n - 1)) == 0) /* full: its room is the next power of two */
        l->v = mem_grow(l->v, l->n ? 2 * l->n : 1, sizeof *l->v);
    l->v[l->n++] = owned;
}

void option_list_fini(struct option_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct option_list){0};
}

static bool put_flag(const struct option_def *d, void *at, const char *v)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true", "0", "1"};

    (void)d;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!v || strcmp(v, words[i]) == 0) {
            *(bool *)at = !v || i % 2 == 1;
            return true;
        }
    return false;
}

static bool put_text(const struct option_def *d, void *at, const char *v)
{
    char **s = at;

    (void)d;
    free(*s);
    *s = mem_str(v);
    return true;
}

static bool put_string(const struct option_def *d, void *at, const char *v)
{
    return *v && put_text(d, at, v);
}

static bool put_list(const struct option_def *d, void *at, const char *v)
{
    (void)d;
    if (!*v)
        return false;
    option_list_add(at, mem_str(v));
    return true;
}

static bool put_hostport(const struct option_def *d, void *at, const char *v)
{
    char host[256];
    uint16_t port;

    for (int i = 0; d->choices && d->choices[i]; i++)
        if (strcmp(v, d->choices[i]) == 0)
            return put_list(d, at, v);
    return addr_split(v, host, sizeof host, &port) && *host && port != 0 && put_list(d, at, v);
}

static bool put_size(const struct option_def *d, void *at, const char *v)
{
    (void)d;
    return units_parse_size(v, at);
}

static bool put_rate(const struct option_def *d, void *at, const char *v)
{
    (void)d;
    return units_parse_rate(v, at);
}

static bool put_duration(const struct option_def *d, void *at, const char *v)
{
    (void)d;
    return units_parse_duration(v, at);
}

static bool put_timeout(const struct option_def *d, void *at, const char *v)
{
    return put_duration(d, at, v) && *(usec *)at > 0;
}

static bool whole_number(const char *v, long min, long max, long *out)
{
    char *end;

    if (*v < '0' || *v > '9') /* strtol would take blanks and signs */
        return false;
    errno = 0;
    *out = strtol(v, &end, 10);
    return errno == 0 && !*end && *out >= min && *out <= max;
}

static bool put_port(const struct option_def *d, void *at, const char *v)
{
    long n;

    (void)d;
    if (!whole_number(v, 0, UINT16_MAX, &n))
        return false;
    *(uint16_t *)at = (uint16_t)n;
    return true;
}

static bool put_int(const struct option_def *d, void *at, const char *v)
{
    long n;

    if (!whole_number(v, d->min, d->max, &n))
        return false;
    *(int *)at = (int)n;
    return true;
}

static bool put_ratio(const struct option_def *d, void *at, const char *v)
{
    char *end;
    double r;

    (void)d;
    if (strspn(v, "0123456789.") != strlen(v) || !*v) /* strtod would take names and hex */
        return false;
    r = strtod(v, &end);
    if (*end || !isfinite(r))
        return false;
    *(double *)at = r;
    return true;
}

static bool put_enum(const struct option_def *d, void *at, const char *v)
{
    for (int i = 0; d->choices[i]; i++)
        if (strcmp(v, d->choices[i]) == 0) {
            *(int *)at = i;
            return true;
        }
    return false;
}

static const struct kind {
    bool (*put)(const struct option_def *d, void *at, const char *v);
    const char *isnot; /* "'x' is not …" */
} kinds[] = {
    [OPTION_FLAG] = {put_flag, "yes or no"},
    [OPTION_ACT] = {put_flag, "yes or no"},
    [OPTION_TEXT] = {put_text, ""},
    [OPTION_STRING] = {put_string, "a value"},
    [OPTION_LIST] = {put_list, "a value"},
    [OPTION_HOSTPORT] = {put_hostport, "HOST:PORT (try 192.0.2.1:6881 or [2001:db8::1]:6881)"},
    [OPTION_SIZE] = {put_size, "a size (try 256Ki or 4Mi)"},
    [OPTION_RATE] = {put_rate, "a rate (try 500K or 2Mi)"},
    [OPTION_DURATION] = {put_duration, "a duration (try 90s, 10m or 1h30m)"},
    [OPTION_TIMEOUT] = {put_timeout, "a duration above 0 (try 90s, 10m or 1h30m)"},
    [OPTION_PORT] = {put_port, "a port (0 to 65535)"},
    [OPTION_INT] = {put_int, NULL},
    [OPTION_RATIO] = {put_ratio, "a ratio (try 1 or 1.5)"},
    [OPTION_ENUM] = {put_enum, NULL},
};

static bool is_flag(const struct option_def *d)
{
    return d->kind == OPTION_FLAG || d->kind == OPTION_ACT;
}

static bool is_list(const struct option_def *d)
{
    return d->kind == OPTION_LIST || d->kind == OPTION_HOSTPORT;
}

static bool is_string(const struct option_def *d)
{
    return d->kind == OPTION_TEXT || d->kind == OPTION_STRING;
}

static int bad_value(const struct option_def *d, const char *v, struct err *e)
{
    struct buf why = {0};

    if (!*v)
        return err_set(e, ERR_USAGE, "--%s: its value is empty", d->name);
    if (d->kind == OPTION_INT)
        buf_putf(&why, "a number from %d to %d", d->min, d->max);
    else if (d->kind != OPTION_ENUM)
        buf_put_str(&why, kinds[d->kind].isnot);
    for (int i = 0; d->kind == OPTION_ENUM && d->choices[i]; i++)
        buf_putf(&why, "%s%s", !i ? "" : d->choices[i + 1] ? ", " : " or ", d->choices[i]);
    char *text = buf_take_str(&why);
    int rc = err_set(e, ERR_USAGE, "--%s: '%.100s' is not %s", d->name, v, text);
    free(text);
    return rc;
}

/* --- finding and setting ------------------------------------------------------------------ */

/* The name that undoes a switch: "no-x" of "x", "x" of "no-x". Moved string, NULL if none does. */
static char *undo_name(const struct option_def *d)
{
    if (d->kind != OPTION_FLAG)
        return NULL;
    return strncmp(d->name, "no-", 3) == 0 ? mem_str(d->name + 3) : mem_fmt("no-%s", d->name);
}

static bool undoes(const struct option_def *d, const char *name)
{
    char *undo = undo_name(d);
    bool yes = undo && strcmp(undo, name) == 0;

    free(undo);
    return yes;
}

static bool find(const struct option_table *t, const char *name, void *values, struct place *out)
{
    size_t n = count_defs(t);

    for (int undo = 0; undo < 2; undo++)
        for (size_t i = 0; i < n; i++) {
            struct place p = place_of(t, i, values);

            if (undo ? undoes(p.def, name) : strcmp(p.def->name, name) == 0) {
                p.undo = undo;
                *out = p;
                return true;
            }
        }
    return false;
}

const struct option_def *options_find(const struct option_table *t, const char *name, bool *undo)
{
    struct place p;

    if (!find(t, name, NULL, &p))
        return NULL;
    *undo = p.undo;
    return p.def;
}

bool options_typed(const struct options *o, const char *name)
{
    struct place p;

    return find(o->table, name, o->values, &p) && o->layer[p.index] == OPTION_ARGV &&
           (!is_flag(p.def) || *(const bool *)p.at);
}

static int put(struct options *o, struct place p, const char *value, enum option_layer layer,
               struct err *e)
{
    if (layer < o->layer[p.index])
        return 0;
    if (is_list(p.def) && layer > o->layer[p.index])
        option_list_fini(p.at);
    o->layer[p.index] = (uint8_t)layer;
    if (!value && !is_flag(p.def))
        return err_set(e, ERR_USAGE, "--%s: needs a value (%s)", p.def->name, p.def->arg);
    if (!kinds[p.def->kind].put(p.def, p.at, value))
        return bad_value(p.def, value, e);
    if (p.undo)
        *(bool *)p.at = !*(bool *)p.at;
    if (is_flag(p.def))
        value = *(bool *)p.at ? "yes" : "no";
    if (o->note)
        o->note(o->note_arg, p.index, value, layer, o->line);
    return 0;
}

static int unknown(const struct option_table *t, const char *name, struct err *e)
{
    size_t n = count_defs(t);
    const char **names = mem_array(n, sizeof *names);

    for (size_t i = 0; i < n; i++)
        names[i] = place_of(t, i, NULL).def->name;
    const char *near = suggest_nearest(name, names, n);
    free(names);
    if (near)
        return err_set(e, ERR_USAGE, "--%.100s: there is no such option (did you mean --%s?)", name,
                       near);
    return err_set(e, ERR_USAGE, "--%.100s: there is no such option", name);
}

int options_set(struct options *o, const char *name, const char *value, enum option_layer layer,
                struct err *e)
{
    struct place p;

    if (!find(o->table, name, o->values, &p))
        return unknown(o->table, name, e);
    if (p.def->kind == OPTION_ACT && layer != OPTION_ARGV)
        return err_set(e, ERR_USAGE, "--%s: is for the command line only", name);
    return put(o, p, value, layer, e);
}

static void preset(struct place p)
{
    switch (p.def->kind) {
    case OPTION_DURATION:
    case OPTION_TIMEOUT:
        *(usec *)p.at = USEC_NEVER;
        break;
    case OPTION_INT:
        *(int *)p.at = -1;
        break;
    case OPTION_RATIO:
        *(double *)p.at = -1;
        break;
    case OPTION_ENUM:
        *(int *)p.at = p.def->preset;
        break;
    default:
        break; /* zero it is */
    }
}

void options_init(struct options *o, const struct option_table *t, void *values)
{
    size_t n = count_defs(t);

    *o = (struct options){.table = t, .values = values, .layer = mem_zero(n)};
    memset(values, 0, t->size);
    for (size_t i = 0; i < n; i++)
        preset(place_of(t, i, values));
}

void options_fini(struct options *o)
{
    size_t n = count_defs(o->table);

    for (size_t i = 0; i < n; i++) {
        struct place p = place_of(o->table, i, o->values);

        if (is_list(p.def)) {
            option_list_fini(p.at);
        } else if (is_string(p.def)) {
            free(*(char **)p.at);
            *(char **)p.at = NULL;
        }
    }
    free(o->layer);
    *o = (struct options){0};
}

/* --- the command line --------------------------------------------------------------------- */

/* What getopt returns for the first long option; each takes two: itself and its undoing. */
#define LONG_BASE 256

struct getopt_tables {
    struct option *longs;
    char *shorts;
    char **undo; /* names made for longs */
    size_t n;
};

static void tables_make(struct getopt_tables *g, const struct option_table *t)
{
    size_t n = count_defs(t), at = 0, s = 0;

    *g = (struct getopt_tables){.n = n};
    g->longs = mem_array(2 * n + 1, sizeof *g->longs);
    g->shorts = mem_zero(2 * n + 3);
    g->undo = mem_array(n, sizeof *g->undo);
    if (t->stop)
        g->shorts[s++] = '+';
    g->shorts[s++] = ':';
    for (size_t i = 0; i < n; i++) {
        const struct option_def *d = place_of(t, i, NULL).def;
        int arg = is_flag(d) ? no_argument : required_argument, val = LONG_BASE + 2 * (int)i;

        g->longs[at++] = (struct option){d->name, arg, NULL, val};
        g->undo[i] = undo_name(d);
        if (g->undo[i])
            g->longs[at++] = (struct option){g->undo[i], no_argument, NULL, val + 1};
        if (d->letter) {
            g->shorts[s++] = d->letter;
            if (arg == required_argument)
                g->shorts[s++] = ':';
        }
    }
}

static void tables_free(struct getopt_tables *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->undo[i]);
    free(g->undo);
    free(g->longs);
    free(g->shorts);
}

/* The place of what getopt answered; false for an answer that is no option of ours. */
static bool place_of_answer(const struct options *o, int c, struct place *out)
{
    size_t n = count_defs(o->table);

    if (c >= LONG_BASE) {
        *out = place_of(o->table, (size_t)(c - LONG_BASE) / 2, o->values);
        out->undo = (c - LONG_BASE) % 2;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        *out = place_of(o->table, i, o->values);
        if (c && out->def->letter == c)
            return true;
    }
    return false;
}

static int ambiguous(const struct getopt_tables *g, const char *name, struct err *e)
{
    struct buf list = {0};
    size_t len = strcspn(name, "="), found = 0;

    for (const struct option *l = g->longs; l->name; l++)
        if (strncmp(l->name, name, len) == 0)
            buf_putf(&list, "%s--%s", found++ ? ", " : "", l->name);
    char *text = buf_take_str(&list);
    int rc = found > 1
                 ? err_set(e, ERR_USAGE, "--%.*s: could be any of %.300s", (int)len, name, text)
                 : 0;
    free(text);
    return rc;
}

/* What was wrong about an answer of '?' or ':'. */
static int complain(const struct options *o, const struct getopt_tables *g, int c, const char *word,
                    struct err *e)
{
    struct place p;

    if (place_of_answer(o, optopt, &p)) {
        if (c == ':')
            return err_set(e, ERR_USAGE, "--%s: needs a value (%s)", p.def->name, p.def->arg);
        return err_set(e, ERR_USAGE, "--%s: takes no value",
                       p.undo ? g->undo[p.index] : p.def->name);
    }
    if (optopt)
        return err_set(e, ERR_USAGE, "-%c: there is no such option", optopt);
    if (ambiguous(g, word + 2, e) < 0)
        return ERR_USAGE;
    char *name = mem_strn(word + 2, strcspn(word + 2, "="));
    unknown(o->table, name, e);
    free(name);
    return ERR_USAGE;
}

int options_argv(struct options *o, int argc, char **argv, struct err *e)
{
    struct getopt_tables g;
    int rc = 0, c;

    tables_make(&g, o->table);
    opterr = 0;
    optind = 0; /* GNU: begin anew */
    while (rc == 0 && (c = getopt_long(argc, argv, g.shorts, g.longs, NULL)) != -1) {
        struct place p;

        if (c == '?' || c == ':')
            rc = complain(o, &g, c, argv[optind - 1], e);
        else if (place_of_answer(o, c, &p))
            rc = put(o, p, optarg, OPTION_ARGV, e);
    }
    o->operands = argv + optind;
    o->n_operands = (size_t)(argc - optind);
    tables_free(&g);
    return rc;
}

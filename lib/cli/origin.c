/* Where values are from: all that was set, in its order, and which of it counts. */
#include <p2p/base/mem.h>
#include <p2p/cli/origin.h>

#include <stdlib.h>

#define DEFAULT_WORDS "(default: "

void origins_fini(struct origins *g)
{
    for (size_t i = 0; i < g->n; i++)
        free(g->v[i].text);
    free(g->v);
    *g = (struct origins){0};
}

static void note(void *arg, size_t index, const char *text, enum option_layer layer, unsigned line)
{
    struct origins *g = arg;

    if ((g->n & (g->n - 1)) == 0) /* full: its room is the next power of two */
        g->v = mem_grow(g->v, g->n ? 2 * g->n : 1, sizeof *g->v);
    g->v[g->n++] =
        (struct origin){.index = index, .text = mem_str(text), .layer = layer, .line = line};
}

void origins_watch(struct origins *g, struct options *o)
{
    o->note = note;
    o->note_arg = g;
}

/* "5M" of "... (default: 5M)". Moved string. */
static char *default_text(const struct option_def *d)
{
    const char *at = strstr(d->help, DEFAULT_WORDS);

    if (d->kind == OPTION_FLAG)
        return mem_str("no");
    if (d->kind == OPTION_ENUM && d->preset >= 0)
        return mem_str(d->choices[d->preset]);
    if (!at)
        return mem_str("");
    at += strlen(DEFAULT_WORDS);
    return mem_strn(at, strcspn(at, ")"));
}

static void see_option(
    const struct origins *g, const struct options *o, const struct option_def *d, size_t index,
    void (*see)(void *arg, const struct option_def *d, const struct origin *from), void *arg)
{
    bool list = d->kind == OPTION_LIST || d->kind == OPTION_HOSTPORT;
    const struct origin *last = NULL;

    for (size_t i = 0; i < g->n; i++) {
        const struct origin *from = &g->v[i];

        if (from->index != index || from->layer != (enum option_layer)o->layer[index])
            continue;
        last = from;
        if (list)
            see(arg, d, from);
    }
    if (last && !list)
        see(arg, d, last);
    if (!last) {
        struct origin preset = {.index = index, .text = default_text(d)};

        see(arg, d, &preset);
        free(preset.text);
    }
}

void origins_see(const struct origins *g, const struct options *o,
                 void (*see)(void *arg, const struct option_def *d, const struct origin *from),
                 void *arg)
{
    size_t index = 0;

    for (size_t k = 0; k < o->table->n_groups; k++)
        for (size_t i = 0; i < o->table->groups[k].n; i++, index++)
            if (o->table->groups[k].defs[i].kind != OPTION_ACT)
                see_option(g, o, &o->table->groups[k].defs[i], index, see, arg);
}

/* The memory of items that are kept nowhere else; see windows.h. */
#include "engine/windows.h"

#include <p2p/base/units.h>

static bool needs_one(const struct item *it)
{
    return it->spec.stream || it->spec.inside;
}

static uint64_t sharers(struct engine *g)
{
    uint64_t n = 0;

    for (struct list_node *l = list_first(&g->items); l; l = list_next(&g->items, l)) {
        const struct item *it = LIST_OF(l, struct item, node);

        n += needs_one(it) && !it->dropped;
    }
    return n > 0 ? n : 1;
}

uint64_t windows_part(struct item *it)
{
    struct engine *g = it->g;
    uint64_t all = it->spec.window ? it->spec.window : WINDOWS_ALL;

    if (needs_one(it) && it->window == 0) {
        uint64_t left = all > g->windows ? all - g->windows : 0, part = all / sharers(g);

        it->window = part < left ? part : left > 0 ? left : 1;
        g->windows += it->window;
    }
    return it->window;
}

int windows_settle(struct item *it, struct err *e)
{
    struct engine *g = it->g;
    uint64_t least = (uint64_t)NODE_WINDOW_LEAST * it->m->piece_length;
    uint64_t part = windows_part(it), others = g->windows - part;
    char text[16];

    if (part >= least || it->m->space <= part)
        return 0;
    units_format_size(text, least);
    if (it->spec.window && it->spec.window < least && it->m->space > it->spec.window)
        return err_set(e, ERR_USAGE, "--window: too small for the pieces of %s; it takes %s",
                       item_name(it), text);
    if (others > 0 && others + least > WINDOWS_MOST) {
        it->temporary = true;
        return err_set(e, ERR_USAGE,
                       "%s: its pieces take %s of memory, too much beside the other SOURCEs; get "
                       "it after them",
                       item_name(it), text);
    }
    if (least > WINDOWS_ALL && !it->spec.window)
        engine_warn(g, it, "%s: has big pieces: %s of memory are used", item_name(it), text);
    g->windows += least - part;
    it->window = least;
    return 0;
}

void windows_free(struct item *it)
{
    it->g->windows -= it->window;
    it->window = 0;
}

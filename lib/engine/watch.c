/*
 * Items that are served: their trees are there only while somebody asks, and while they are, the
 * files are looked at now and then. One that changed would be given away as what it no longer is,
 * so the item is surveyed anew.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

#define LOOK_EVERY (10 * USEC_SEC)

struct look {
    struct item *item;
    bool changed;
};

void watch_put_away(struct item *it)
{
    if (it->final.n == 0)
        bits_init(&it->final, it->m->n_files);
    for (uint32_t i = 0; i < it->m->n_files; i++)
        if (tree_flags(it->tree, i) & TREE_FINAL)
            bits_set(&it->final, i);
    tree_free(it->tree);
    it->tree = NULL;
    bits_fini(&it->seen);
}

static bool looks_the_same(const struct item *it, uint32_t i)
{
    const struct record_file *was = &it->files[i];
    struct tree_stat final = {0}, part = {0};

    if (tree_stat(it->tree, i, &final, &part, NULL) < 0)
        return false;
    const struct tree_stat *st = tree_flags(it->tree, i) & TREE_FINAL ? &final : &part;
    return st->regular && st->size == was->size && st->mtime_ns == was->mtime_ns &&
           st->inode == was->inode;
}

void watch_warn(struct item *it)
{
    engine_warn(it->g, it, "%s: its files changed: looked at anew", item_name(it));
}

void watch_changed(struct item *it)
{
    if (it->dropped)
        return;
    /* A partial one is being fetched by another program: it will say so in the catalogue. */
    it->again = it->row_state != CATALOGUE_PARTIAL;
    it->canceled = !it->again;
    if (it->again)
        watch_warn(it);
    item_end(it);
}

bool watch_vouches(struct item *it, uint32_t file)
{
    if (!it->spec.serve || bits_get(&it->seen, file))
        return !it->differs;
    if (it->seen.n == 0)
        bits_init(&it->seen, it->m->n_files);
    bits_set(&it->seen, file);
    it->differs |= it->files[file].present && !looks_the_same(it, file);
    return !it->differs;
}

static void look_work(void *arg)
{
    struct look *l = arg;

    for (uint32_t i = 0; i < l->item->m->n_files && !l->changed; i++)
        l->changed = l->item->files[i].present && !looks_the_same(l->item, i);
}

static void look_done(void *arg)
{
    struct look *l = arg;
    struct item *it = l->item;
    bool differs = l->changed;

    engine_job_done(it->g);
    free(l);
    it->looking = false;
    if (differs)
        watch_changed(it);
    item_job_back(it);
}

static bool is_idle(struct item *it)
{
    struct node_status st;

    return it->jobs == 0 && node_status(it->g->node, it->task, &st, it->g->now) && st.peers == 0;
}

void watch_tick(struct item *it)
{
    if (!it->tree || it->looking)
        return;
    if (is_idle(it)) {
        watch_put_away(it);
        it->look_at = 0; /* at once when it is made again */
        return;
    }
    if (it->g->now < it->look_at)
        return;
    struct look *l = mem_zero(sizeof *l);
    l->item = it;
    it->look_at = it->g->now + LOOK_EVERY;
    it->looking = true;
    it->jobs++;
    engine_work(it->g, look_work, look_done, l);
}

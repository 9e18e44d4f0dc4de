/*
 * Items that nobody talks to. Of what the catalogue can say again nothing is kept: when the node
 * says that somebody asks for one, it is found and surveyed as at the start, and so also noticed if
 * its files have changed meanwhile.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

struct sleeper {
    struct list_node node; /* in engine.sleepers */
    int64_t id;            /* the catalogue's */
    uint64_t uploaded0;
    usec started;
    node_id task;
    bool has_v1, has_v2, dropped;
    uint8_t v1[SHA1_LEN], v2[SHA256_LEN];
    size_t path; /* where in `text` it begins; before it is the name */
    char text[];
};

static struct sleeper *sleeper_at(const struct list_node *l)
{
    return LIST_OF((struct list_node *)(uintptr_t)l, struct sleeper, node);
}

/* ---- to sleep ---- */

/* Those that the caller named are few, and he is told of their end. */
bool dormant_can(const struct item *it)
{
    return it->g->follow && it->spec.serve && !it->spec.source && it->id != 0;
}

static struct sleeper *sleeper_new(const struct item *it)
{
    const char *name = item_name(it), *path = item_path(it);
    size_t n = strlen(name) + 1, k = strlen(path) + 1;
    struct sleeper *s = mem_zero(sizeof *s + n + k);

    s->id = it->id;
    s->uploaded0 = it->uploaded0;
    s->started = it->started;
    s->task = it->task;
    s->has_v1 = it->m->has_v1;
    s->has_v2 = it->m->has_v2;
    memcpy(s->v1, it->m->hash_v1, sizeof s->v1);
    memcpy(s->v2, it->m->hash_v2, sizeof s->v2);
    s->path = n;
    memcpy(s->text, name, n);
    memcpy(s->text + n, path, k);
    return s;
}

bool dormant_begin(struct item *it)
{
    struct engine *g = it->g;

    if (!dormant_can(it) || it->phase != ITEM_RUNNING || it->dropped || it->tree || it->save ||
        it->jobs > 0 || !it->told_complete)
        return false;
    struct sleeper *s = sleeper_new(it);
    if (!node_sleep(g->node, it->task, g->now)) {
        free(s);
        return false;
    }
    if (g->unready == it)
        g->unready = engine_next(g, it);
    list_remove(&g->items, &it->node);
    list_remove(&g->awake, &it->awake);
    map_remove(g->tasks, ID_KEY(it->task));
    item_free(it);
    list_push(&g->sleepers, &s->node);
    map_put(g->asleep, ID_KEY(s->task), s);
    return true;
}

/* ---- and awake, or gone ---- */

static void forget(struct engine *g, struct sleeper *s)
{
    list_remove(&g->sleepers, &s->node);
    map_remove(g->asleep, ID_KEY(s->task));
    free(s);
}

void dormant_wanted(struct engine *g, const struct node_op *op)
{
    struct sleeper *s = map_get(g->asleep, ID_KEY(op->task));

    if (!s || s->dropped)
        return;
    struct item *it = follow_add(g, s->id);
    it->asleep = s->task;
    it->started = s->started;
    forget(g, s);
}

struct sleeper *dormant_of(const struct engine *g, int64_t id)
{
    for (struct list_node *l = list_first(&g->sleepers); l; l = list_next(&g->sleepers, l))
        if (sleeper_at(l)->id == id)
            return sleeper_at(l);
    return NULL;
}

void dormant_drop(struct engine *g, struct sleeper *s, usec patience)
{
    if (s->dropped)
        return;
    s->dropped = true;
    node_stop(g->node, s->task, patience, g->now);
}

void dormant_drop_all(struct engine *g, usec patience)
{
    for (struct list_node *l = list_first(&g->sleepers); l; l = list_next(&g->sleepers, l))
        dormant_drop(g, sleeper_at(l), patience);
}

bool dormant_stopped(struct engine *g, node_id task)
{
    struct sleeper *s = map_get(g->asleep, ID_KEY(task));

    if (!s)
        return false;
    node_remove(g->node, task);
    forget(g, s);
    return true;
}

bool dormant_leaving(const struct engine *g)
{
    for (struct list_node *l = list_first(&g->sleepers); l; l = list_next(&g->sleepers, l))
        if (sleeper_at(l)->dropped)
            return true;
    return false;
}

void dormant_free(struct engine *g)
{
    struct list_node *l;

    while ((l = list_pop(&g->sleepers)) != NULL)
        free(sleeper_at(l));
}

void dormant_view(struct engine *g, struct list_node *l, struct item_view *v)
{
    const struct sleeper *s = sleeper_at(l);
    struct node_status st = {0};

    *v = (struct item_view){
        .name = s->text, .path = s->text + s->path, .has_v1 = s->has_v1, .has_v2 = s->has_v2};
    memcpy(v->v1, s->v1, sizeof v->v1);
    memcpy(v->v2, s->v2, sizeof v->v2);
    node_status(g->node, s->task, &st, g->now);
    status_from_node(&st, &v->status);
    v->status.state = ITEM_SEEDING;
    v->status.uploaded_ever = s->uploaded0 + st.uploaded;
    v->status.started = s->started;
}

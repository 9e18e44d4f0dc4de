/*
 * What an item does as time goes by: it gives up where nobody can help, keeps its record fresh, and
 * sleeps when nobody asks. Only those that are awake are looked at.
 */
#include "engine/outflow.h"

#define REFRESH ((usec)RECORD_OPEN_TIME / 2 * USEC_SEC)

/* Nobody to ask is no reason to wait for ever, unless somebody may come. */
static void alone(struct item *it)
{
    const struct goals *w = &it->spec.goals;
    struct engine *g = it->g;
    struct node_status st;
    struct err e = {0};

    if (it->outflow && outflow_rests(it->outflow))
        return;
    if (g->patient || it->complete || it->dropped || reuse_busy(it) || it->spec.ask_only ||
        w->timeout != USEC_NEVER || w->deadline != USEC_NEVER ||
        (!it->m && w->metadata_timeout != USEC_NEVER))
        return;
    if (!node_status(g->node, it->task, &st, g->now) || !st.sources_exhausted) {
        it->alone_since = 0;
        return;
    }
    if (it->alone_since == 0)
        it->alone_since = g->now;
    if (g->now - it->alone_since < ENGINE_GRACE)
        return;
    const char *why = st.web_error[0] ? st.web_error : st.tracker_error;
    err_set(
        &e, ERR_NOTFOUND,
        "%s: nobody is left to ask%s%s; name a peer with --peer, or wait for one with --timeout",
        it->label, why[0] ? ": " : "", why);
    it->temporary = true;
    item_fail(it, ERR_NOTFOUND, &e);
}

/* The node keeps time once it has the item. */
static void out_of_time(struct item *it)
{
    const struct goals *w = &it->spec.goals;
    usec spent = it->g->now - it->started;
    struct err e = {0};

    if (it->dropped || it->phase >= ITEM_RUNNING)
        return;
    if (w->deadline != USEC_NEVER && spent >= w->deadline)
        err_set(&e, ERR_NOTFOUND, "%s: the deadline passed", it->label);
    else if (it->phase == ITEM_LOADING && w->metadata_timeout != USEC_NEVER &&
             spent >= w->metadata_timeout)
        err_set(&e, ERR_NOTFOUND, "%s: the manifest did not come in time", it->label);
    if (e.code) {
        it->temporary = true;
        item_fail(it, e.code, &e);
    }
}

/* A record says when it was written, so that a crash can be told from a change: see survey.c. */
static void refresh_record(struct item *it)
{
    if (it->stale.ones > 0 && !it->save && it->g->now - it->saved_at >= REFRESH)
        save_start(it, 0, true, true, NULL);
}

void item_wake(struct item *it)
{
    if (!list_linked(&it->awake))
        list_push(&it->g->awake, &it->awake);
}

/* What is served and asked of by nobody waits for item_tree: ten thousand of them are not looked at
 * five times a second. */
static bool rests(struct item *it)
{
    struct node_status st;

    return it->spec.serve && it->phase == ITEM_RUNNING && !it->tree && !it->save &&
           node_status(it->g->node, it->task, &st, it->g->now) && st.uploaded == it->told_up;
}

void item_tick(struct item *it)
{
    if (it->task == 0)
        out_of_time(it);
    if (it->phase != ITEM_RUNNING && it->phase != ITEM_ASKING)
        return;
    if (!it->spec.serve)
        alone(it);
    if (it->phase != ITEM_RUNNING)
        return;
    if (it->spec.serve)
        watch_tick(it);
    if (it->told_complete)
        save_traffic(it);
    else if (it->settled && !it->complete)
        refresh_record(it);
    reuse_tick(it);
    if (rests(it) && !dormant_begin(it) && !dormant_can(it))
        list_remove(&it->g->awake, &it->awake);
}

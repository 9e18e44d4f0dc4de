/*
 * An item's life, phase by phase. Each phase ends in one function here, which begins the next.
 *
 *   item_end.c   how it ends, whichever phase it is in
 *   item_tick.c  what it does as time goes by
 */
#include "engine/member.h"
#include "engine/outflow.h"
#include "engine/windows.h"

#include <p2p/base/mem.h>

#include <stdlib.h>

struct item *item_of(const struct engine *g, node_id task)
{
    return map_get(g->tasks, ID_KEY(task));
}

struct err *item_why(struct item *it)
{
    if (!it->why)
        it->why = mem_zero(sizeof *it->why);
    return it->why;
}

/* ---- steps on a worker ---- */

void item_step(struct item *it, void (*work)(struct db_job *, struct catalogue *),
               void (*done)(struct db_job *))
{
    item_why(it);
    it->step = (struct db_job){.item = it, .work = work, .done = done};
    it->jobs++;
    it->stepping = true;
    db_submit(it->g, &it->step);
}

/* True if the item goes on. */
static bool step_back(struct item *it)
{
    it->jobs--;
    it->stepping = false;
    if (it->code == 0 && !it->dropped) {
        free(it->why); /* of what was tried and did not matter */
        it->why = NULL;
        return true;
    }
    item_end(it);
    return false;
}

/* ---- found, surveyed, hashed, settled ---- */

static void begin_survey(struct item *it);

static node_id give_to_node(struct item *it, struct err *e)
{
    struct engine *g = it->g;
    struct bits hold = {0};
    size_t n_parts;
    struct node_part *parts = ranges_parts(it, &n_parts);
    struct node_task_config c = {
        .link = it->has_link ? &it->link : NULL,
        .manifest = it->own,
        .have = it->spec.ask_only ? NULL : &it->have,
        .priority = it->priority,
        .unstored = it->unstored,
        .parts = parts,
        .n_parts = n_parts,
        .hold = it->own && !it->spec.ask_only ? reuse_holds(it, &hold) : NULL,
        .goals = it->spec.goals,
        .uploaded = it->uploaded0,
        .downloaded = it->downloaded0,
        .sequential = it->spec.sequential,
        .window = windows_part(it),
        .on_demand = it->spec.inside || it->spec.extract,
        .super_seed = it->spec.super_seed,
        .survey = it->spec.ask_only,
        .manifest_only = it->spec.manifest_only,
    };

    if (c.goals.deadline != USEC_NEVER)
        c.goals.deadline -= g->now - it->started;
    it->own = NULL; /* the node's from here on, or gone */
    it->task = node_add(g->node, &c, g->now, e);
    bits_fini(&hold);
    free(parts);
    if (it->task == 0) {
        it->m = NULL;
        return 0;
    }
    map_put(g->tasks, ID_KEY(it->task), it);
    for (size_t i = 0; i < it->spec.n_peers; i++)
        node_add_peer_name(g->node, it->task, it->spec.peers[i], g->now);
    return it->task;
}

/* What it has moved in this run was told to the catalogue before it went to sleep. */
void item_take_task(struct item *it, node_id task)
{
    struct node_status st;

    it->task = task;
    it->asleep = 0;
    map_put(it->g->tasks, ID_KEY(it->task), it);
    if (!node_status(it->g->node, task, &st, it->g->now))
        return;
    it->told_up = st.uploaded;
    it->told_down = st.from_peers + st.from_web;
    it->uploaded0 -= it->uploaded0 > it->told_up ? it->told_up : it->uploaded0;
    it->downloaded0 -= it->downloaded0 > it->told_down ? it->told_down : it->downloaded0;
}

static bool wake(struct item *it, struct err *e)
{
    struct manifest *m = it->own;

    item_take_task(it, it->asleep);
    it->own = NULL;
    if (!node_wake(it->g->node, it->task, m, &it->have, it->priority, it->unstored, it->g->now)) {
        it->m = NULL;
        err_set(e, ERR_FAIL, "%s: is another item than it was", it->label);
        return false;
    }
    if (it->complete)
        settle_finish(it); /* which the node has told once */
    return true;
}

static void ask_peers(struct item *it)
{
    struct err e = {0};

    it->phase = ITEM_ASKING;
    if (give_to_node(it, &e) == 0) {
        it->phase = ITEM_FINDING;
        item_fail(it, e.code, &e);
    }
}

static void ask_trackers(struct item *it)
{
    struct err e = {0};

    it->phase = ITEM_RUNNING;
    if (give_to_node(it, &e) == 0)
        item_fail(it, e.code, &e);
}

static void have_manifest(struct item *it)
{
    engine_tell(it->g, &(struct engine_event){.kind = ENGINE_METADATA, .item = it});
}

/* Piece layers come from peers too: nothing else is wanted of them then. */
static void only_manifest(struct item *it)
{
    it->phase = ITEM_RUNNING;
    if (manifest_layers_missing(it->m, NULL) == 0) {
        it->complete = true;
        settle_finish(it);
        return;
    }
    it->priority = mem_zero(it->m->n_pieces ? it->m->n_pieces : 1);
    if (it->task) {
        node_begin(it->g->node, it->task, NULL, it->priority, NULL, it->g->now);
        return;
    }
    bits_init(&it->have, it->m->n_pieces);
    it->unstored = mem_zero(it->m->n_pieces ? it->m->n_pieces : 1);
    ask_peers(it);
    if (it->task)
        it->phase = ITEM_RUNNING;
}

static void found(struct db_job *j)
{
    struct item *it = j->item;

    if (!step_back(it))
        return;
    if (it->wants_url) {
        find_fetch(it);
        return;
    }
    if (it->spec.ask_only) {
        ask_trackers(it);
        return;
    }
    if (!it->own) {
        struct err e = {0};

        if (it->spec.serve)
            item_fail(it, err_set(&e, ERR_NOTFOUND, "%s: its data is not here", it->label), &e);
        else
            ask_peers(it);
        return;
    }
    it->m = it->own;
    if (!it->spec.source) {
        free(it->label);
        it->label = mem_str(it->m->name);
    }
    have_manifest(it);
    if (it->spec.manifest_only)
        only_manifest(it);
    else if (it->surveyed)
        hash_begin(it);
    else
        begin_survey(it);
}

void item_begin(struct item *it)
{
    it->phase = ITEM_FINDING;
    item_step(it, find_work, found);
}

void item_metadata(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);

    if (!it || it->phase != ITEM_ASKING)
        return;
    it->m = node_manifest(g->node, op->task);
    have_manifest(it);
    if (it->spec.manifest_only)
        only_manifest(it);
    else
        begin_survey(it);
}

static void surveyed(struct db_job *j)
{
    if (step_back(j->item))
        hash_begin(j->item);
}

static void run(struct item *it);

/* Nothing of it is on the disk, nor will be. */
static void begin_stream(struct item *it)
{
    struct err e = {0};
    int rc;

    it->phase = ITEM_SETTLING;
    rc = it->spec.inside ? member_begin(it, &e) : outflow_begin(it, &e);
    if (rc < 0)
        item_fail(it, rc, &e);
    else
        run(it);
}

static void begin_survey(struct item *it)
{
    if (it->spec.stream || it->spec.inside) {
        begin_stream(it);
        return;
    }
    it->phase = ITEM_SURVEYING;
    item_step(it, survey_work, surveyed);
}

/* Ten thousand idle items need little: the tree is made again when somebody asks for a block. */
static void slim_down(struct item *it)
{
    watch_put_away(it);
    free(it->priority);
    it->priority = NULL;
    free(it->unstored);
    it->unstored = NULL;
    bits_fini(&it->have);
    bits_fini(&it->check);
}

static void begin_task(struct item *it)
{
    struct bits mem = {0};
    const struct bits *hold = reuse_holds(it, &mem);
    size_t n_parts;
    struct node_part *parts = ranges_parts(it, &n_parts);

    if (hold)
        node_hold(it->g->node, it->task, hold);
    node_set_parts(it->g->node, it->task, parts, n_parts);
    bits_fini(&mem);
    free(parts);
    node_begin(it->g->node, it->task, &it->have, it->priority, it->unstored, it->g->now);
}

static void run(struct item *it)
{
    struct err e = {0};

    if (it->spec.serve && it->have.ones == 0 && it->m->n_pieces > 0) {
        item_fail(it, err_set(&e, ERR_NOTFOUND, "%s: its data is not at %s", it->label, it->path),
                  &e);
        return;
    }
    it->phase = ITEM_RUNNING;
    if (it->complete && !it->spec.serve && !it->shares) {
        reuse_end(it);
        if (it->member)
            member_run(it);
        else
            settle_finish(it); /* nothing to fetch and nothing to give */
        return;
    }
    if (it->task) {
        begin_task(it);
    } else if (it->asleep ? !wake(it, &e) : give_to_node(it, &e) == 0) {
        if (it->task == 0)
            it->phase = ITEM_SETTLING;
        item_fail(it, e.code, &e);
        return;
    }
    if (it->spec.serve)
        slim_down(it);
    reuse_run(it);
    save_first(it);
    if (it->member)
        member_run(it);
}

static void settled(struct db_job *j)
{
    if (step_back(j->item))
        run(j->item);
}

void item_hashed(struct item *it)
{
    struct err e = {0};
    int rc;

    it->phase = ITEM_SETTLING;
    if (it->dropped) {
        item_end(it);
        return;
    }
    if (it->asleep && it->check.ones > 0)
        watch_warn(it);
    rc = settle_judge(it, &e);
    if (rc < 0) {
        item_fail(it, rc, &e);
        return;
    }
    if (it->spec.serve && it->check.ones == 0 && !it->spec.data)
        run(it); /* as the catalogue has it */
    else
        item_step(it, settle_work, settled);
}

struct tree *item_tree(struct item *it)
{
    struct places p = {.m = it->m, .path = it->path, .where = it->where, .side = it->side};

    if (it->tree || !it->path)
        return it->tree;
    p.wanted = it->all_wanted ? NULL : &it->wanted;
    it->tree = places_tree(it->g->files, &p);
    item_wake(it);
    for (uint32_t i = 0; i < it->final.n; i++)
        if (bits_get(&it->final, i))
            tree_set_flags(it->tree, i, TREE_FINAL, 0);
    return it->tree;
}

/* ---- running ---- */

void item_completed(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);

    if (!it || it->phase != ITEM_RUNNING || it->finished)
        return;
    it->complete = true;
    settle_finish(it);
    if (it->spec.serve)
        dormant_begin(it);
}

/* Last names are given, the record says so, and the program was told. */
void item_finished(struct item *it)
{
    it->told_complete = true;
    if (it->ending || !it->task || it->spec.manifest_only || (!it->shares && !it->spec.serve))
        item_end(it);
}

void item_ended(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);

    if (!it || it->dropped)
        return;
    it->ending = true;
    if (it->spec.ask_only) {
        struct node_status st;

        if (node_status(g->node, it->task, &st, g->now)) {
            it->told_seeds = st.tracker_seeds;
            it->told_peers = st.tracker_peers;
        }
    }
    if (op->code < 0) {
        struct err e = {0};

        err_set(&e, op->code, "%s: %s", it->label, op->text);
        it->temporary = op->code == ERR_NOTFOUND;
        item_fail(it, op->code, &e);
    } else if (!it->complete || it->told_complete) {
        item_end(it);
    }
}

void item_failed(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);
    struct err e = {0};

    if (!it)
        return;
    err_set(&e, op->code, "%s", op->text);
    item_fail(it, op->code, &e);
}

void item_notice(struct engine *g, const struct node_op *op)
{
    engine_tell(g, &(struct engine_event){.kind = ENGINE_NOTICE,
                                          .item = op->task ? item_of(g, op->task) : NULL,
                                          .text = op->text});
}

void item_unreadable(struct item *it, uint64_t offset, const struct err *e)
{
    struct engine *g = it->g;

    if (it->differs) {
        watch_changed(it);
        return;
    }
    if (!it->warned)
        engine_warn(g, it, "%s: cannot be read any more: %s", item_name(it),
                    e->msg[0] ? e->msg : "shorter than it was");
    it->warned = true;
    it->look_at = 0;
    node_lost(g->node, it->task, (uint32_t)(offset / it->m->piece_length), g->now);
}

/*
 * An item that is to end leaves its phase at the next point where one ends, tells its trackers,
 * saves what it has, and is over when the last of its jobs has come back.
 */
#include "engine/engine_int.h"

void item_over(struct item *it)
{
    struct engine *g = it->g;

    it->phase = ITEM_OVER;
    if (it->jobs > 0 || it->save)
        return; /* the last of them calls again */
    if (it->canceled && !it->told_complete && it->code == 0)
        it->code = ERR_CANCELED;
    bool again = it->again && it->code == 0 && !it->canceled && !g->stopping;
    if (g->unready == it)
        g->unready = engine_next(g, it);
    list_remove(&g->items, &it->node);
    list_remove(&g->awake, &it->awake);
    if (!again)
        engine_tell(g, &(struct engine_event){.kind = ENGINE_ENDED,
                                              .item = it,
                                              .code = it->code,
                                              .temporary = it->temporary,
                                              .twin = it->twin,
                                              .text = it->why ? it->why->msg : ""});
    if (it->task) {
        map_remove(g->tasks, ID_KEY(it->task));
        node_remove(g->node, it->task);
    }
    if (again)
        life_again(it);
    item_free(it);
}

void item_job_back(struct item *it)
{
    it->jobs--;
    if (it->phase == ITEM_OVER)
        item_over(it);
}

static usec patience(const struct engine *g)
{
    return g->stopping && g->stop_by > g->now ? g->stop_by - g->now : ENGINE_PATIENCE;
}

static void stop_task(struct item *it)
{
    it->phase = ITEM_STOPPING;
    node_stop(it->g->node, it->task, patience(it->g), it->g->now);
}

static void last_words(struct item *it)
{
    if (it->asleep) { /* and will not wake */
        item_take_task(it, it->asleep);
        stop_task(it);
        return;
    }
    it->phase = ITEM_SAVING;
    save_last(it);
}

void item_end(struct item *it)
{
    it->dropped = true;
    switch (it->phase) {
    case ITEM_LOADING:
        http_cancel(it->req);
        it->req = NULL;
        last_words(it);
        break;
    case ITEM_FINDING:
    case ITEM_SURVEYING:
    case ITEM_SETTLING:
        if (it->jobs == 0) /* else its step is out, and leads here again */
            last_words(it);
        break;
    case ITEM_HASHING:
        if (it->hashing == 0)
            last_words(it);
        break;
    case ITEM_ASKING:
    case ITEM_RUNNING:
        if (it->task == 0) {
            last_words(it);
            break;
        }
        stop_task(it);
        break;
    case ITEM_STOPPING:
    case ITEM_SAVING:
    case ITEM_OVER:
        break;
    }
}

void item_fail(struct item *it, int code, const struct err *why)
{
    if (it->code == 0) {
        it->code = code;
        *item_why(it) = *why;
    }
    item_end(it);
}

void engine_drop(struct engine *g, struct item *it)
{
    g->now = loop_now(g->loop);
    if (it->dropped)
        return;
    if (it->code == 0 && !it->told_complete)
        it->canceled = true;
    item_end(it);
}

void item_stopped(struct engine *g, const struct node_op *op)
{
    struct item *it = item_of(g, op->task);

    if (dormant_stopped(g, op->task))
        return;
    if (it && it->phase == ITEM_STOPPING)
        last_words(it);
}

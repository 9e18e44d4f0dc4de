/*
 * What an item does as time goes by: its part of the node's pulse, its goals, and its rest.
 *
 * A task is "at work" while something may happen to it by itself soon; only those are looked at in
 * every pulse. An idle seed rests until its next announce or until somebody connects; and it may be
 * put to sleep meanwhile (sleep.c).
 */
#include "node/node_int.h"
#include "node/passing.h"

#include <stdlib.h>

void task_woken(struct node *n, struct timer *tm, usec now)
{
    (void)n;
    task_wake(TIMER_OF(tm, struct task, timer), now);
}

void task_wake(struct task *t, usec now)
{
    struct node *n = t->node;
    if (list_linked(&t->working))
        return;
    list_push(&n->working, &t->working);
    timer_set(n, &t->timer, USEC_NEVER);
    node_beat(n, now);
}

static struct goals_facts facts(const struct task *t, usec now)
{
    return (struct goals_facts){
        .started = t->started,
        .now = now,
        .last_arrival = t->last_arrival,
        .last_upload = t->last_upload,
        .completed_at = t->completed_at,
        .has_metadata = t->m != NULL,
        .uploaded = t->uploaded0 + t->uploaded,
        .size = t->m ? t->m->size : 0,
    };
}

static void end(struct task *t, int code, const char *why)
{
    t->ended = true;
    struct node_op *op = node_op(t->node, NODE_ENDED);
    op->task = t->id;
    op->code = code;
    node_op_text(t->node, mem_str(why ? why : ""));
}

static void judge_survey(struct task *t)
{
    bool told = t->tracker_seeds >= 0 || t->tracker_peers >= 0;
    const char *why = announce_error(t);
    if (announce_exhausted(t) && finder_exhausted(t))
        end(t, told ? 0 : ERR_NOTFOUND, told || *why ? why : "nobody answered");
}

/* With nobody there, what trackers and web seeds said is most likely why. */
static void gave_up(struct task *t, const char *why)
{
    const char *tracker = announce_error(t);
    char *text = NULL;
    if (t->n_open == 0 && t->web_error)
        text = mem_fmt("%s (%s)", why, t->web_error);
    else if (t->n_open == 0 && *tracker)
        text = mem_fmt("%s (tracker: %s)", why, tracker);
    end(t, ERR_NOTFOUND, text ? text : why);
    free(text);
}

void task_judge_goals(struct task *t, usec now)
{
    const char *why = NULL;
    if (t->ended || t->stopping || t->halted || t->state == NODE_WAITING_BEGIN || t->rest)
        return;
    if (t->survey) {
        judge_survey(t);
        return;
    }
    struct goals_facts f = facts(t, now);
    switch (goals_judge(&t->goals, &f, &why)) {
    case GOALS_GO_ON:
        break;
    case GOALS_DONE:
        end(t, 0, why);
        break;
    case GOALS_GAVE_UP:
        gave_up(t, why);
        break;
    }
}

static void stopping_pulse(struct task *t, usec now)
{
    if (t->stop_told || (now < t->stop_by && (verify_busy(t) || !announce_idle(t))))
        return;
    t->stop_told = true;
    node_op(t->node, NODE_STOPPED)->task = t->id;
}

usec task_goal(const struct task *t, usec now)
{
    struct goals_facts f = facts(t, now);
    return t->ended || t->rest ? USEC_NEVER : goals_deadline(&t->goals, &f);
}

static void rest_if_idle(struct task *t, usec now)
{
    struct node *n = t->node;
    usec dial = t->rest && t->rest->called ? USEC_NEVER : pool_deadline(t->pool, false);
    bool idle = t->state == NODE_SEEDING && t->conns.count == 0 && !t->stopping &&
                !verify_busy(t) && dial > now;
    if (!idle)
        return;
    usec at = usec_min(usec_min(announce_deadline(t), dial), task_goal(t, now));
    if (at <= now) /* woken at once, it would beat without time going on */
        return;
    list_remove(&n->working, &t->working);
    timer_set(n, &t->timer, at);
}

void task_pulse(struct task *t, usec now)
{
    if (t->picker)
        verify_pulse(t, now);
    announce_run(t, now);
    if (t->stopping) {
        stopping_pulse(t, now);
        return;
    }
    if (t->halted)
        return;
    metadata_pulse(t, now);
    sleep_pulse(t, now);
    if (t->picker && !t->halted) {
        near_pulse(t, now);
        web_run(t, now);
        serve_pulse(t, now);
        stream_pulse(t, now);
    }
    status_turn(t, now);
    task_judge_goals(t, now);
    rest_if_idle(t, now);
}

bool task_sources_exhausted(const struct task *t)
{
    return t->n_open == 0 && t->n_dialing == 0 && t->conns.count == 0 &&
           pool_waiting(t->pool) == 0 && t->resolving == 0 && announce_exhausted(t) &&
           finder_exhausted(t) && web_exhausted(t) && !stream_is_full(t);
}

/*
 * The events of a tube, in one heap of four by time and then by the order of their making. What an
 * event says goes into the tube's trace when it happens.
 */
#include "tube_int.h"

#include <stdlib.h>

static bool before(const struct queue_slot *a, const struct queue_slot *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void put(struct tube *t, struct event *e)
{
    if (t->n_queue == t->cap_queue) {
        t->cap_queue = t->cap_queue ? t->cap_queue * 2 : 1024;
        t->queue = mem_grow(t->queue, t->cap_queue, sizeof *t->queue);
    }
    struct queue_slot s = {.at = e->at, .seq = t->seq++, .e = e};
    size_t i = t->n_queue++;
    for (; i > 0 && before(&s, &t->queue[(i - 1) / 4]); i = (i - 1) / 4)
        t->queue[i] = t->queue[(i - 1) / 4];
    t->queue[i] = s;
}

struct event *queue_peek(const struct tube *t)
{
    return t->n_queue ? t->queue[0].e : NULL;
}

static size_t least_child(const struct tube *t, size_t i, size_t n)
{
    size_t first = 4 * i + 1, best = first;
    for (size_t k = first + 1; k < first + 4 && k < n; k++)
        if (before(&t->queue[k], &t->queue[best]))
            best = k;
    return best;
}

struct event *queue_pop(struct tube *t)
{
    struct event *top = t->queue[0].e;
    struct queue_slot last = t->queue[--t->n_queue];
    size_t i = 0, n = t->n_queue;
    while (4 * i + 1 < n) {
        size_t k = least_child(t, i, n);
        if (!before(&t->queue[k], &last))
            break;
        t->queue[i] = t->queue[k];
        i = k;
    }
    if (n > 0)
        t->queue[i] = last;
    return top;
}

struct event *event_new(struct tube *t, enum event_kind kind, struct host *h)
{
    struct event *e = t->free_events;
    if (e)
        t->free_events = e->next;
    else
        e = mem_alloc(sizeof *e);
    *e = (struct event){.kind = kind, .host = h, .life = h ? h->life : 0};
    return e;
}

struct event *tube_event(struct tube *t, usec at, enum event_kind kind)
{
    struct event *e = event_new(t, kind, NULL);
    event_again(t, e, at);
    return e;
}

struct event *host_event(struct host *h, usec at, enum event_kind kind)
{
    struct event *e = event_new(h->tube, kind, h);
    event_again(h->tube, e, at);
    return e;
}

void event_again(struct tube *t, struct event *e, usec at)
{
    e->at = at < t->now ? t->now : at;
    e->held = true;
    put(t, e);
}

void event_free(struct tube *t, struct event *e)
{
    free(e->data);
    free(e->packet);
    if (e->stream)
        stream_unref(t, e->stream);
    if (e->get)
        origin_unref(t, e->get);
    e->next = t->free_events;
    t->free_events = e;
}

void queue_fini(struct tube *t)
{
    while (t->n_queue > 0)
        event_free(t, queue_pop(t));
    for (struct event *e = t->free_events, *next; e; e = next) {
        next = e->next;
        free(e);
    }
    free(t->queue);
}

/*
 * The event loop over libuv. What libuv does: waiting (epoll) and worker threads. Timers are
 * ours, in one heap, because ours are embedded in their owners, count in microseconds and run in a
 * fixed place of the turn; a single uv_timer wakes the loop for the earliest.
 */
#include <p2p/host/loop.h>

#include <errno.h>
#include <fcntl.h>
#include <p2p/base/mem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#define WAIT_MAX_MS (3600 * 1000)

struct job {
    uv_work_t req;
    struct loop *l;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
    struct job *next; /* while spare */
};

struct loop {
    uv_loop_t uv;
    uv_async_t keep; /* never sent: keeps uv_run waiting when nothing else is open */
    uv_timer_t wake;
    struct heap timers;
    struct list soons, hooks, late;
    struct list dirty;           /* watches that want other things than libuv has been told */
    struct list eager;           /* watches of regular files */
    struct list_node *hook_next; /* where the walk over hooks goes on */
    struct job *spare;
    size_t jobs;
    usec now;
    bool now_known, in_timers, again, stop;
    int workers;
};

struct loop_watch {
    uv_poll_t poll; /* freed when libuv has let go of it */
    struct loop *l;
    struct list_node dirty, eager;
    void (*fn)(void *arg, bool in, bool out);
    void *arg;
    int fd;
    int want, armed; /* UV_READABLE, UV_WRITABLE */
    bool regular, was_blocking;
};

/* ---- life ---- */

/* More threads than cores, because jobs that wait for the disk keep a thread and no core. */
static int fix_workers(void)
{
    const char *set = getenv("UV_THREADPOOL_SIZE");
    int n = set ? atoi(set) : 0;
    if (n < 1 || n > 1024) {
        char text[16];
        n = 2 * (int)uv_available_parallelism();
        n = n < LOOP_WORKERS_MIN ? LOOP_WORKERS_MIN : n > LOOP_WORKERS_MAX ? LOOP_WORKERS_MAX : n;
        snprintf(text, sizeof text, "%d", n);
        setenv("UV_THREADPOOL_SIZE", text, 1);
    }
    return n;
}

static void on_keep(uv_async_t *a)
{
    (void)a;
}

static void on_wake(uv_timer_t *t)
{
    (void)t; /* the turn that follows finds the timers that are due */
}

struct loop *loop_new(struct err *e)
{
    static int workers;
    if (!workers)
        workers = fix_workers();
    signal(SIGPIPE, SIG_IGN);

    struct loop *l = mem_zero(sizeof *l);
    int r = uv_loop_init(&l->uv);
    if (r) {
        free(l);
        err_os(e, -r, "cannot make an event loop");
        return NULL;
    }
    r = uv_async_init(&l->uv, &l->keep, on_keep);
    if (r) {
        uv_loop_close(&l->uv);
        free(l);
        err_os(e, -r, "cannot make an event loop");
        return NULL;
    }
    uv_timer_init(&l->uv, &l->wake);
    heap_init(&l->timers);
    struct list *lists[] = {&l->soons, &l->hooks, &l->late, &l->dirty, &l->eager};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    l->workers = workers;
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (l->jobs)
        uv_run(&l->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->keep, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    uv_loop_close(&l->uv);
    heap_fini(&l->timers);
    while (l->spare) {
        struct job *j = l->spare;
        l->spare = j->next;
        free(j);
    }
    free(l);
}

usec loop_clock(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (usec)ts.tv_sec * USEC_SEC + ts.tv_nsec / 1000;
}

usec loop_now(struct loop *l)
{
    if (!l->now_known) {
        l->now = loop_clock();
        l->now_known = true;
    }
    return l->now;
}

int loop_workers(const struct loop *l)
{
    return l->workers;
}

/* ---- timers, soons, hooks ---- */

void loop_timer_set(struct loop *l, struct loop_timer *t, usec at)
{
    /* One that sets itself to "now" again and again must not hold up the turn. */
    if (l->in_timers && at <= l->now)
        at = l->now + 1;
    heap_set(&l->timers, &t->item, at);
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
    heap_remove(&l->timers, &t->item);
}

bool loop_timer_is_set(const struct loop_timer *t)
{
    return t->item.index != 0;
}

static void run_timers(struct loop *l)
{
    struct heap_item *it;
    l->in_timers = true;
    while ((it = heap_peek(&l->timers)) && it->at <= loop_now(l)) {
        struct loop_timer *t = (struct loop_timer *)(void *)it;
        heap_remove(&l->timers, it);
        t->fn(t->arg);
    }
    l->in_timers = false;
}

void loop_soon(struct loop *l, struct loop_soon *s)
{
    if (!list_linked(&s->node))
        list_push(&l->soons, &s->node);
}

void loop_soon_cancel(struct loop *l, struct loop_soon *s)
{
    if (list_linked(&s->node))
        list_remove(&l->soons, &s->node);
}

/* Runs those that are there; those they put off in their turn wait for the next call of this. */
static bool run_soons(struct loop *l)
{
    size_t n = l->soons.count;
    bool any = n > 0;
    struct list_node *node;
    while (n-- && (node = list_pop(&l->soons))) {
        struct loop_soon *s = LIST_OF(node, struct loop_soon, node);
        s->fn(s->arg);
    }
    return any;
}

void loop_hook_add(struct loop *l, struct loop_hook *h, bool late)
{
    list_push(late ? &l->late : &l->hooks, &h->node);
}

static bool list_has(const struct list *list, const struct list_node *n)
{
    for (struct list_node *i = list_first(list); i; i = list_next(list, i))
        if (i == n)
            return true;
    return false;
}

void loop_hook_remove(struct loop *l, struct loop_hook *h)
{
    if (!list_linked(&h->node))
        return;
    struct list *of = list_has(&l->late, &h->node) ? &l->late : &l->hooks;
    if (l->hook_next == &h->node)
        l->hook_next = list_next(of, &h->node);
    list_remove(of, &h->node);
}

static void run_hooks(struct loop *l, struct list *hooks)
{
    struct list_node *n = list_first(hooks);
    while (n) {
        struct loop_hook *h = LIST_OF(n, struct loop_hook, node);
        l->hook_next = list_next(hooks, n);
        h->fn(h->arg);
        n = l->hook_next;
    }
    l->hook_next = NULL;
}

/* ---- watches ---- */

static void on_poll(uv_poll_t *p, int status, int events)
{
    struct loop_watch *w = p->data;
    if (status < 0) { /* an error is pending: libuv has stopped, the owner is to meet it */
        w->armed = 0;
        if (!list_linked(&w->dirty))
            list_push(&w->l->dirty, &w->dirty);
        events = UV_READABLE | UV_WRITABLE;
    }
    bool in = (w->want & UV_READABLE) && (events & UV_READABLE);
    bool out = (w->want & UV_WRITABLE) && (events & UV_WRITABLE);
    if (in || out)
        w->fn(w->arg, in, out);
}

struct loop_watch *loop_watch(struct loop *l, int fd, void (*fn)(void *arg, bool in, bool out),
                              void *arg, struct err *e)
{
    struct loop_watch *w = mem_zero(sizeof *w);
    int flags = fcntl(fd, F_GETFL);
    int r = uv_poll_init(&l->uv, &w->poll, fd);
    if (r && r != UV_EPERM) {
        free(w);
        err_os(e, -r, "cannot watch descriptor %d", fd);
        return NULL;
    }
    w->l = l;
    w->fd = fd;
    w->fn = fn;
    w->arg = arg;
    w->poll.data = w;
    w->regular = r == UV_EPERM;
    w->was_blocking = flags != -1 && !(flags & O_NONBLOCK);
    return w;
}

/* libuv takes two system calls for a change, so it hears of it once a turn, if it lasts. */
void loop_watch_want(struct loop_watch *w, bool in, bool out)
{
    struct loop *l = w->l;
    w->want = (in ? UV_READABLE : 0) | (out ? UV_WRITABLE : 0);
    if (w->regular) {
        if (w->want && !list_linked(&w->eager))
            list_push(&l->eager, &w->eager);
        else if (!w->want && list_linked(&w->eager))
            list_remove(&l->eager, &w->eager);
    } else if (w->want != w->armed && !list_linked(&w->dirty)) {
        list_push(&l->dirty, &w->dirty);
    }
}

static void on_watch_closed(uv_handle_t *h)
{
    free(h->data);
}

void loop_watch_free(struct loop_watch *w)
{
    if (!w)
        return;
    if (list_linked(&w->dirty))
        list_remove(&w->l->dirty, &w->dirty);
    if (list_linked(&w->eager))
        list_remove(&w->l->eager, &w->eager);
    /* Non-blocking is a mark on the open file, which a terminal or pipe shares with others. */
    if (w->was_blocking)
        fcntl(w->fd, F_SETFL, fcntl(w->fd, F_GETFL) & ~O_NONBLOCK);
    if (w->regular)
        free(w);
    else
        uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

static void apply_wants(struct loop *l)
{
    struct list_node *n;
    while ((n = list_pop(&l->dirty))) {
        struct loop_watch *w = LIST_OF(n, struct loop_watch, dirty);
        if (w->want == w->armed)
            continue;
        if (w->want)
            uv_poll_start(&w->poll, w->want, on_poll);
        else
            uv_poll_stop(&w->poll);
        w->armed = w->want;
    }
}

/* Each regular file that was wanted when the walk began has its call. */
static void run_eager(struct loop *l)
{
    for (size_t n = l->eager.count; n; n--) {
        struct list_node *node = list_pop(&l->eager);
        if (!node)
            return;
        struct loop_watch *w = LIST_OF(node, struct loop_watch, eager);
        list_push(&l->eager, node);
        w->fn(w->arg, w->want & UV_READABLE, w->want & UV_WRITABLE);
    }
}

/* ---- turning ---- */

static void turn(struct loop *l)
{
    run_eager(l);
    run_timers(l);
    run_soons(l);
    run_hooks(l, &l->hooks);
    /* What these bring about, the hooks have not seen: they come again without waiting. */
    l->again = run_soons(l);
    run_hooks(l, &l->late);
    l->again = l->again || l->soons.count || l->eager.count;
    apply_wants(l);
}

static void wait_for_events(struct loop *l)
{
    struct heap_item *it = heap_peek(&l->timers);
    usec left = l->again ? 0 : it ? it->at - loop_now(l) : USEC_NEVER;
    l->now_known = false;
    if (left <= 0) {
        uv_run(&l->uv, UV_RUN_NOWAIT);
        return;
    }
    if (it) {
        uint64_t ms = (uint64_t)(left / 1000 + (left % 1000 != 0));
        /* The repeat: should the clock pass the mark before libuv begins to wait, the timer is
         * spent already, and without it nothing would end the wait. */
        uv_update_time(&l->uv);
        uv_timer_start(&l->wake, on_wake, ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS, 1);
    }
    uv_run(&l->uv, UV_RUN_ONCE);
    uv_timer_stop(&l->wake);
}

void loop_run(struct loop *l)
{
    l->now_known = false;
    for (;;) {
        turn(l);
        if (l->stop)
            break;
        wait_for_events(l);
    }
    l->stop = false;
}

void loop_stop(struct loop *l)
{
    l->stop = true;
}

/* ---- jobs ---- */

static void on_work(uv_work_t *req)
{
    struct job *j = req->data;
    j->work(j->arg);
}

static void on_worked(uv_work_t *req, int status)
{
    struct job *j = req->data;
    struct loop *l = j->l;
    void (*done)(void *) = j->done;
    void *arg = j->arg;
    (void)status; /* nothing here cancels one */
    j->next = l->spare;
    l->spare = j;
    l->jobs--;
    done(arg);
}

void loop_work(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct job *j = l->spare;
    if (j)
        l->spare = j->next;
    else
        j = mem_alloc(sizeof *j);
    *j = (struct job){.l = l, .work = work, .done = done, .arg = arg};
    j->req.data = j;
    l->jobs++;
    uv_queue_work(&l->uv, &j->req, on_work, on_worked); /* fails only without a function */
}

size_t loop_work_pending(const struct loop *l)
{
    return l->jobs;
}

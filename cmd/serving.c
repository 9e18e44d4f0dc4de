/* Programs that stay: lock, background, control socket. */
#include "serving.h"

#include <p2p/base/mem.h>
#include <p2p/host/daemon.h>
#include <p2p/host/notify.h>
#include <p2p/host/term.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ASK_TIME (10 * USEC_SEC)
#define STATE_EVERY (5 * USEC_SEC)

int serving_find(struct serving *s, const char *home, struct err *e)
{
    s->ready_fd = -1;
    return home_find(&s->home, home, e);
}

static int take_lock(struct serving *s, struct err *e)
{
    struct err here = {0};
    int rc = lock_take(&s->lock, s->home.dir, s->lock_name, &here);

    if (rc == ERR_LOCKED)
        return err_set(e, rc, "%s: %s (%s)", s->home.dir, s->taken, here.msg);
    if (rc < 0)
        *e = here;
    return rc;
}

int serving_begin(struct serving *s, bool daemon, int *status, struct err *e)
{
    int rc = handed_take(&s->handed, e);

    if (rc > 0)
        s->sockets = &s->handed;
    if (rc >= 0)
        rc = home_make(&s->home, e);
    if (rc == 0)
        rc = take_lock(s, e);
    if (rc == 0 && daemon)
        rc = daemon_fork(&s->ready_fd, status, e);
    if (rc != 0)
        return rc;
    lock_renew(s->lock);
    s->watchdog = notify_watchdog() / 3; /* a sign that comes late is still in time */
    term_signals();
    return 0;
}

int serving_listen(struct serving *s, struct loop *l,
                   void (*asked)(void *arg, struct bytes request, struct buf *answer), void *arg,
                   struct err *e)
{
    char *run = NULL, *path;
    int rc = home_folder(&s->home, HOME_RUN, &run, e);

    if (rc < 0)
        return rc;
    path = mem_fmt("%s/%s", run, s->socket);
    s->control = control_listen(l, path, asked, arg, e);
    free(path);
    free(run);
    return s->control ? 0 : e->code;
}

void serving_ready(struct serving *s)
{
    output_flush(&s->p->output);
    notify_send("READY=1", NULL);
    if (s->ready_fd >= 0) {
        lock_renew(s->lock);
        daemon_ready(s->ready_fd);
        s->ready_fd = -1;
    }
}

void serving_tick(struct serving *s, usec now, bool stopping)
{
    if (s->watchdog > 0 && now >= s->alive_at) {
        notify_send("WATCHDOG=1", NULL);
        s->alive_at = now + s->watchdog;
    }
    if (stopping && !s->stopping) {
        notify_send("STOPPING=1", NULL);
        s->stopping = true;
    }
}

void serving_state(struct serving *s, usec now, const char *fmt, ...)
{
    char text[200];
    va_list ap;

    if (s->state && now - s->state_at < STATE_EVERY)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (s->state && strcmp(s->state, text) == 0)
        return;
    char *line = mem_fmt("STATUS=%s", text);
    notify_send(line, NULL);
    free(line);
    free(s->state);
    s->state = mem_str(text);
    s->state_at = now;
}

void serving_stop(struct serving *s)
{
    serving_tick(s, 0, true);
    control_free(s->control);
    s->control = NULL;
}

void serving_fini(struct serving *s)
{
    if (s->sockets)
        handed_close(s->sockets);
    free(s->state);
    lock_free(s->lock);
    home_fini(&s->home);
}

/* ---- asking ---- */

static void print_line(struct output *o, char *line)
{
    for (char *at = line, *tab;; at = tab + 1) {
        tab = strchr(at, '\t');
        if (tab)
            *tab = '\0';
        output_str(o, at);
        if (!tab)
            break;
    }
    output_line(o);
}

int serving_ask(struct serving *s, const char *socket, const char *request, struct err *e)
{
    struct output *o = &s->p->output;
    struct buf answer = {0};
    char *run = home_path(&s->home, HOME_RUN), *path = mem_fmt("%s/%s", run, socket);
    int rc = control_ask(path, bytes_str(request), ASK_TIME, &answer, e);
    char *text = buf_take_str(&answer), *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line && rc == 0;
         line = strtok_r(NULL, "\n", &save))
        if (o->json)
            output_raw(o, bytes_str(line)), output_raw(o, BYTES_LIT("\n"));
        else
            print_line(o, line);
    free(text);
    free(path);
    free(run);
    return rc;
}

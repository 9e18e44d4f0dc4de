/* Programs that stay: lock, background, control socket. */
#include "serving.h"

#include <p2p/base/mem.h>
#include <p2p/host/daemon.h>
#include <p2p/host/notify.h>
#include <p2p/host/term.h>

#include <stdlib.h>

#define ASK_TIME (10 * USEC_SEC)

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
    int rc = home_make(&s->home, e);

    if (rc == 0)
        rc = take_lock(s, e);
    if (rc == 0 && daemon)
        rc = daemon_fork(&s->ready_fd, status, e);
    if (rc != 0)
        return rc;
    lock_renew(s->lock);
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

void serving_stop(struct serving *s)
{
    notify_send("STOPPING=1", NULL);
    control_free(s->control);
    s->control = NULL;
}

void serving_fini(struct serving *s)
{
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

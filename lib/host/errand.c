/* Work that waits for the loop; see errand.h. Two bells: one for the loop, one that stays rung once
 * the errand is cancelled. */
#include <p2p/host/errand.h>

#include <p2p/base/mem.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)1 << 20)

struct errand {
    struct errand_calls calls;
    struct loop_watch *watch;
    int bell, end_bell;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    void *question; /* NULL: none is open */
    bool told;      /* the loop has heard of it */
    int answer;
    bool canceled, over, done;
};

static void ring(int bell)
{
    uint64_t one = 1;
    ssize_t rung = write(bell, &one, sizeof one); /* cannot fail on a fresh eventfd */

    (void)rung;
}

/* ---- the thread ---- */

static void *run(void *arg)
{
    struct errand *w = arg;

    w->calls.work(w, w->calls.arg);
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_mutex_unlock(&w->lock);
    ring(w->bell);
    return NULL;
}

int errand_ask(struct errand *w, void *question)
{
    int rc;

    pthread_mutex_lock(&w->lock);
    if (!w->canceled) {
        w->question = question;
        w->told = false;
        ring(w->bell);
    }
    while (w->question && !w->canceled)
        pthread_cond_wait(&w->answered, &w->lock);
    rc = w->canceled ? ERR_CANCELED : w->answer;
    w->question = NULL;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int errand_wait_out(struct errand *w, int fd)
{
    struct pollfd v[] = {{.fd = fd, .events = POLLOUT}, {.fd = w->end_bell, .events = POLLIN}};

    while (poll(v, 2, -1) < 0 && errno == EINTR)
        ;
    return errand_canceled(w) ? ERR_CANCELED : 0;
}

bool errand_canceled(struct errand *w)
{
    bool yes;

    pthread_mutex_lock(&w->lock);
    yes = w->canceled;
    pthread_mutex_unlock(&w->lock);
    return yes;
}

/* ---- the loop ---- */

static void heard(void *arg, bool in, bool out)
{
    struct errand *w = arg;
    void *question = NULL;
    uint64_t n;
    ssize_t got = read(w->bell, &n, sizeof n);
    bool over;

    (void)in;
    (void)out;
    (void)got;
    pthread_mutex_lock(&w->lock);
    if (!w->told && !w->canceled)
        question = w->question;
    w->told = true;
    over = w->over && !w->done;
    w->done |= over;
    pthread_mutex_unlock(&w->lock);
    if (question)
        w->calls.asked(w->calls.arg, question);
    if (over)
        w->calls.done(w->calls.arg);
}

void errand_answer(struct errand *w, int rc)
{
    pthread_mutex_lock(&w->lock);
    w->answer = rc;
    w->question = NULL;
    pthread_cond_signal(&w->answered);
    pthread_mutex_unlock(&w->lock);
}

void errand_cancel(struct errand *w)
{
    pthread_mutex_lock(&w->lock);
    w->canceled = true;
    pthread_cond_signal(&w->answered);
    pthread_mutex_unlock(&w->lock);
    ring(w->end_bell);
}

/* Signals are for the loop's thread. */
static int start(struct errand *w, struct err *e)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&w->thread, &attr, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    w->started = rc == 0;
    return rc ? err_os(e, rc, "a thread") : 0;
}

struct errand *errand_new(struct loop *l, const struct errand_calls *c, struct err *e)
{
    struct errand *w = mem_zero(sizeof *w);

    w->calls = *c;
    w->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->end_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->answered, NULL);
    if (w->bell < 0 || w->end_bell < 0)
        err_os(e, errno, "eventfd");
    else
        w->watch = loop_watch(l, w->bell, heard, w, e);
    if (w->watch && start(w, e) == 0) {
        loop_watch_want(w->watch, true, false);
        return w;
    }
    errand_free(w);
    return NULL;
}

void errand_free(struct errand *w)
{
    if (!w)
        return;
    errand_cancel(w);
    if (w->started)
        pthread_join(w->thread, NULL);
    loop_watch_free(w->watch);
    if (w->bell >= 0)
        close(w->bell);
    if (w->end_bell >= 0)
        close(w->end_bell);
    pthread_cond_destroy(&w->answered);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

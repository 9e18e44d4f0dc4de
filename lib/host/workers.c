/* Threads for programs without an event loop. Two queues, one lock, nothing else is shared. */
#include <p2p/base/mem.h>
#include <p2p/host/workers.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define THREADS_MAX 256
#define JOBS_A_THREAD 4
#define STACK_SIZE ((size_t)1 << 20)

struct queue {
    struct workers_job *first, **last;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t todo, ended;
    struct queue waiting, done;
    size_t out, max, threads;
    bool stop;
    pthread_t thread[THREADS_MAX];
};

static void queue_init(struct queue *q)
{
    q->first = NULL;
    q->last = &q->first;
}

static void queue_push(struct queue *q, struct workers_job *job)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
}

static struct workers_job *queue_pop(struct queue *q)
{
    struct workers_job *job = q->first;
    if (job) {
        q->first = job->next;
        if (!q->first)
            q->last = &q->first;
        job->next = NULL;
    }
    return job;
}

/* Containers and taskset give us fewer cores than the machine has. */
size_t workers_cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? (size_t)n : 1;
}

static void *work(void *arg)
{
    struct workers *w = arg;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        struct workers_job *job = queue_pop(&w->waiting);
        if (!job) {
            pthread_cond_wait(&w->todo, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        job->run(job);
        pthread_mutex_lock(&w->lock);
        queue_push(&w->done, job);
        pthread_cond_signal(&w->ended);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are for the main thread, which knows what to do about them. */
static void start_threads(struct workers *w, size_t want)
{
    sigset_t all, before;
    pthread_attr_t attr;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    while (w->threads < want &&
           pthread_create(&w->thread[w->threads], &attr, work, w) == 0)
        w->threads++;
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct workers *workers_new(size_t threads, size_t max)
{
    struct workers *w = mem_zero(sizeof *w);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->todo, NULL);
    pthread_cond_init(&w->ended, &clock);
    pthread_condattr_destroy(&clock);
    queue_init(&w->waiting);
    queue_init(&w->done);
    if (threads == 0)
        threads = workers_cores();
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    w->max = max ? max : threads * JOBS_A_THREAD;
    start_threads(w, threads);
    return w;
}

void workers_free(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->todo);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->threads; i++)
        pthread_join(w->thread[i], NULL);
    pthread_cond_destroy(&w->todo);
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

size_t workers_threads(const struct workers *w)
{
    return w->threads;
}

size_t workers_out(const struct workers *w)
{
    return w->out;
}

bool workers_submit(struct workers *w, struct workers_job *job)
{
    if (w->out == w->max)
        return false;
    w->out++;
    if (w->threads == 0) { /* the system gave us no thread: slower, but it goes on */
        job->run(job);
        queue_push(&w->done, job);
        return true;
    }
    pthread_mutex_lock(&w->lock);
    queue_push(&w->waiting, job);
    pthread_cond_signal(&w->todo);
    pthread_mutex_unlock(&w->lock);
    return true;
}

static struct timespec from_now(int ms)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += ms / 1000;
    ts.tv_nsec += (ms % 1000) * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_nsec -= 1000000000L;
        ts.tv_sec++;
    }
    return ts;
}

struct workers_job *workers_next(struct workers *w, int ms)
{
    if (w->out == 0)
        return NULL;
    struct timespec until = from_now(ms < 0 ? 0 : ms);
    int rc = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->done.first && rc == 0)
        rc = ms < 0 ? pthread_cond_wait(&w->ended, &w->lock)
                    : pthread_cond_timedwait(&w->ended, &w->lock, &until);
    struct workers_job *job = queue_pop(&w->done);
    pthread_mutex_unlock(&w->lock);
    if (job)
        w->out--;
    return job;
}

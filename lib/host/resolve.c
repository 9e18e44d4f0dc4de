/*
 * The system's resolver on detached threads. libuv's own look-up is not used, because a program
 * that ends joins libuv's threads, and so would wait for a name server that does not answer.
 */
#include <p2p/host/resolve.h>

#include "sock.h"

#include <errno.h>
#include <netdb.h>
#include <p2p/base/mem.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREAD_STACK (256u << 10)
#define RETRY (50 * USEC_MS) /* when all threads are taken */

/* What a thread and the loop share. Freed by the one that lets go last. */
struct lookup {
    atomic_int holders;
    atomic_bool ready; /* what is below is the loop's to read */
    int bell;          /* eventfd: rung when ready */
    int family, fault;
    size_t n;
    struct addr v[RESOLVE_MAX];
    char host[RESOLVE_NAME_MAX + 2]; /* a dot may end it */
};

struct resolve {
    struct loop *l;
    struct loop_timer timer;  /* an answer at once, or another try at a thread */
    struct loop_watch *watch; /* the bell of a look-up under way */
    struct lookup *k;
    uint16_t port;
    void (*done)(void *arg, int code, const struct addr *v, size_t n, const struct err *e);
    void *arg;
    int code; /* set before a look-up was begun; 0 otherwise */
    const char *why;
};

static atomic_int threads;

static void let_go(struct lookup *k)
{
    if (atomic_fetch_sub(&k->holders, 1) > 1)
        return;
    if (k->bell >= 0)
        close(k->bell);
    free(k);
}

static void add(struct lookup *k, const struct addr *a)
{
    if (k->family && a->family != k->family)
        return;
    for (size_t i = 0; i < k->n; i++)
        if (addr_eq(&k->v[i], a))
            return;
    if (k->n < RESOLVE_MAX)
        k->v[k->n++] = *a;
}

static void *look_up(void *arg)
{
    struct lookup *k = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *res = NULL;
    uint64_t one = 1;
    hints.ai_family = k->family == 4 ? AF_INET : k->family == 6 ? AF_INET6 : AF_UNSPEC;
    k->fault = getaddrinfo(k->host, NULL, &hints, &res);
    for (struct addrinfo *i = k->fault ? NULL : res; i; i = i->ai_next) {
        struct addr a;
        if (sock_to_addr(&a, i->ai_addr, i->ai_addrlen))
            add(k, &a);
    }
    if (!k->fault)
        freeaddrinfo(res);
    atomic_fetch_sub(&threads, 1);
    atomic_store(&k->ready, true);
    ssize_t rung = write(k->bell, &one, sizeof one); /* cannot fail on a fresh eventfd */
    (void)rung;
    let_go(k);
    return NULL;
}

static void resolve_free(struct resolve *r)
{
    loop_timer_cancel(r->l, &r->timer);
    loop_watch_free(r->watch);
    let_go(r->k);
    free(r);
}

static void answer(struct resolve *r, int code, const char *why)
{
    struct err e = {0};
    struct lookup *k = r->k;
    if (!code && !k->n) {
        code = ERR_NOTFOUND;
        why = "it has no address of the family wanted";
    }
    if (code)
        err_set(&e, code, "cannot resolve %s: %s", k->host, why);
    for (size_t i = 0; i < k->n; i++)
        k->v[i].port = r->port;
    r->done(r->arg, code, code ? NULL : k->v, code ? 0 : k->n, &e);
    resolve_free(r);
}

static void on_bell(void *arg, bool in, bool out)
{
    struct resolve *r = arg;
    (void)in, (void)out;
    if (!atomic_load(&r->k->ready))
        return;
    int fault = r->k->fault;
    if (fault == EAI_NONAME || fault == EAI_NODATA || fault == EAI_ADDRFAMILY)
        answer(r, ERR_NOTFOUND, gai_strerror(fault));
    else
        answer(r, fault ? ERR_NET : 0, fault ? gai_strerror(fault) : NULL);
}

static bool start_thread(struct lookup *k)
{
    pthread_attr_t attr;
    pthread_t id;
    sigset_t all, was;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &was); /* signals are the loop's */
    atomic_fetch_add(&k->holders, 1);
    atomic_fetch_add(&threads, 1);
    bool ok = pthread_create(&id, &attr, look_up, k) == 0;
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    pthread_attr_destroy(&attr);
    if (!ok) {
        atomic_fetch_sub(&threads, 1);
        atomic_fetch_sub(&k->holders, 1);
    }
    return ok;
}

static void begin(struct resolve *r)
{
    struct lookup *k = r->k;
    if (k->bell < 0)
        k->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (k->bell >= 0 && !r->watch)
        r->watch = loop_watch(r->l, k->bell, on_bell, r, NULL);
    if (!r->watch || atomic_load(&threads) >= RESOLVE_THREADS || !start_thread(k))
        loop_timer_set(r->l, &r->timer, loop_now(r->l) + RETRY);
    else
        loop_watch_want(r->watch, true, false);
}

static void on_timer(void *arg)
{
    struct resolve *r = arg;
    if (r->code || r->k->n)
        answer(r, r->code, r->why);
    else
        begin(r);
}

struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, int family,
                              void (*done)(void *arg, int code, const struct addr *v, size_t n,
                                           const struct err *e),
                              void *arg)
{
    struct addr a;
    struct resolve *r = mem_zero(sizeof *r);
    struct lookup *k = mem_zero(sizeof *k);
    *r = (struct resolve){.l = l, .k = k, .port = port, .done = done, .arg = arg};
    r->timer = (struct loop_timer){.fn = on_timer, .arg = r};
    atomic_init(&k->holders, 1);
    atomic_init(&k->ready, false);
    k->bell = -1;
    k->family = family;
    size_t len = strnlen(host, sizeof k->host);
    memcpy(k->host, host, len < sizeof k->host ? len : sizeof k->host - 1);
    bool written_out = addr_parse_ip(&a, host, 0);
    if (written_out)
        add(k, &a);
    if (!len || len >= sizeof k->host || (written_out && !k->n)) {
        r->code = ERR_NOTFOUND;
        r->why = written_out ? "it is of the other family" : "no host can have that name";
    }
    loop_timer_set(l, &r->timer, loop_now(l));
    return r;
}

void resolve_cancel(struct resolve *r)
{
    if (r)
        resolve_free(r);
}

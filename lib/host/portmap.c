/* Which way is taken, when leases are renewed, and what is told. */
#include "portmap_in.h"

#include <p2p/base/mem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct portmap_ops *const ways[PORTMAP_WAYS] = {
    [PORTMAP_PCP] = &portmap_pcp, [PORTMAP_NATPMP] = &portmap_natpmp, [PORTMAP_IGD] = &portmap_igd};

#define BIT(w) (1u << (w))
#define ALL_WAYS (BIT(PORTMAP_WAYS) - 1)

static void seek(struct portmap *m);

uint16_t portmap_candidate(uint16_t port, unsigned i)
{
    uint32_t mix = (port + i * 40503u) * 2654435761u >> 16;

    return i == 0 ? port : (uint16_t)(1024 + mix % (UINT16_MAX - 1024));
}

/* ---- telling ---- */

static void notice(struct portmap *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void notice(struct portmap *m, const char *fmt, ...)
{
    char text[sizeof m->noticed];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (strcmp(text, m->noticed) == 0)
        return;
    memcpy(m->noticed, text, sizeof text);
    if (m->ev.notice)
        m->ev.notice(m->arg, text);
}

static void tell(struct portmap *m, const struct portmap_at *at)
{
    if (at->external.port == m->told.external.port && at->udp == m->told.udp &&
        addr_same_ip(&at->external, &m->told.external) && at->way == m->told.way)
        return;
    m->told = *at;
    if (m->ev.mapped)
        m->ev.mapped(m->arg, at);
}

static void tell_mapped(struct portmap *m)
{
    const struct portmap_lease *got = &m->lease;
    struct portmap_at at = {.way = (enum portmap_way)m->way, .external = got->ip, .udp = got->udp};
    char gateway[ADDR_TEXT], outside[ADDR_TEXT];
    bool public = got->ip.family != 0 && addr_scope(&got->ip) == ADDR_PUBLIC;

    addr_ip_text(&m->gw.at, gateway);
    addr_ip_text(&got->ip, outside);
    if (!public)
        at.external = (struct addr){0};
    at.external.port = got->tcp ? got->tcp : got->udp;
    notice(m, "the router %s hands on its port %u to us (%s)%s%s%s", gateway, at.external.port,
           ways[m->way]->name, got->ip.family ? "; its own address is " : "",
           got->ip.family ? outside : "",
           public || !got->ip.family ? "" : ": there is a second NAT behind it");
    tell(m, &at);
}

static void lose(struct portmap *m)
{
    struct portmap_at none = {0};

    m->held_by = -1;
    none.way = m->told.way;
    if (m->told.external.port)
        tell(m, &none);
}

/* ---- looking for a way ---- */

static void stop_ways(struct portmap *m, int but)
{
    for (int w = 0; w < PORTMAP_WAYS; w++)
        if (w != but)
            ways[w]->stop(m);
    loop_timer_cancel(m->l, &m->grace);
}

static void rest(struct portmap *m)
{
    stop_ways(m, -1);
    news_close(m);
    lose(m);
    m->way = -1;
    m->state = PORTMAP_WAITING;
    loop_timer_set(m->l, &m->next, loop_now(m->l) + m->retry);
    m->retry = usec_min(m->retry * 2, PORTMAP_RETRY_MAX);
}

static void give_up(struct portmap *m)
{
    char gateway[ADDR_TEXT];

    addr_ip_text(&m->gw.at, gateway);
    notice(m, "the router %s maps no port: PCP: %s; NAT-PMP: %s; UPnP: %s", gateway,
           m->why[PORTMAP_PCP], m->why[PORTMAP_NATPMP], m->why[PORTMAP_IGD]);
    rest(m);
}

/* The best way that is there; a better one that has not answered yet has some time to. */
static void choose(struct portmap *m)
{
    bool pending = false;

    for (int w = 0; w < PORTMAP_WAYS; w++) {
        bool there = m->found & BIT(w);
        if (m->failed & BIT(w))
            continue;
        if (there && (!pending || m->hurry)) {
            m->way = w;
            loop_timer_cancel(m->l, &m->grace);
            ways[w]->map(m);
            return;
        }
        if (there && !loop_timer_is_set(&m->grace))
            loop_timer_set(m->l, &m->grace, loop_now(m->l) + PORTMAP_GRACE);
        pending = true;
    }
    if (!pending)
        give_up(m);
}

static void grace_over(void *arg)
{
    struct portmap *m = arg;

    m->hurry = true;
    if (m->state == PORTMAP_SEEKING && m->way < 0)
        choose(m);
}

/* True if the gateway is another one than before. */
static bool look_at_route(struct portmap *m)
{
    struct gateway g;

    if (m->cfg.gateway.family)
        gateway_facing(&g, &m->cfg.gateway);
    else
        gateway_find(&g);
    bool changed = !gateway_eq(&g, &m->gw);
    m->gw = g;
    return changed;
}

/* Why nothing is to be asked; NULL: there is. */
static const char *needless(const struct portmap *m)
{
    const struct addr *bind = &m->cfg.bind;

    if (!m->gw.at.family)
        return "there is no router to map a port on";
    if (bind->family && !addr_same_ip(bind, &m->gw.local))
        return "our sockets are bound to an address that does not face the router";
    if (!m->cfg.gateway.family && addr_scope(&m->gw.local) != ADDR_PRIVATE)
        return "our address is not a private one: no port is to be mapped";
    return NULL;
}

static void seek(struct portmap *m)
{
    const char *why = needless(m);

    stop_ways(m, -1);
    m->state = PORTMAP_SEEKING;
    m->way = -1;
    m->hurry = false;
    m->found = 0;
    m->failed = ALL_WAYS & ~m->cfg.ways;
    loop_timer_cancel(m->l, &m->next);
    if (why) {
        notice(m, "%s", why);
        rest(m);
        return;
    }
    for (int w = 0; w < PORTMAP_WAYS; w++) {
        snprintf(m->why[w], sizeof m->why[w], "not asked");
        if (m->cfg.ways & BIT(w))
            ways[w]->probe(m);
    }
}

/* ---- what ways say ---- */

void portmap_found(struct portmap *m, enum portmap_way w)
{
    m->found |= BIT(w);
    if (m->state == PORTMAP_SEEKING && m->way < 0)
        choose(m);
}

void portmap_failed(struct portmap *m, enum portmap_way w, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(m->why[w], sizeof m->why[w], fmt, ap);
    va_end(ap);
    m->failed |= BIT(w);
    if (m->state == PORTMAP_HELD && m->way == (int)w) {
        seek(m); /* the mapping may live on meanwhile, and is told to be lost if nothing is found */
        return;
    }
    if (m->way == (int)w)
        m->way = -1;
    if (m->state == PORTMAP_SEEKING && m->way < 0)
        choose(m);
}

static usec renewal(const struct portmap *m)
{
    usec half = (usec)m->lease.lifetime * USEC_SEC / 2;

    if (m->lease.lifetime == 0 || half > PORTMAP_RENEW_MAX)
        return PORTMAP_RENEW_MAX;
    return half < PORTMAP_RENEW_MIN ? PORTMAP_RENEW_MIN : half;
}

void portmap_mapped(struct portmap *m, enum portmap_way w, const struct portmap_lease *got)
{
    m->lease = *got;
    m->way = m->held_by = (int)w;
    m->state = PORTMAP_HELD;
    m->retry = PORTMAP_RETRY;
    stop_ways(m, (int)w);
    news_open(m);
    loop_timer_set(m->l, &m->next, loop_now(m->l) + renewal(m));
    tell_mapped(m);
}

void portmap_unmapped(struct portmap *m, enum portmap_way w)
{
    (void)w;
    if (m->state != PORTMAP_CLOSING)
        return;
    stop_ways(m, -1);
    news_close(m);
    loop_timer_cancel(m->l, &m->patience);
    m->state = PORTMAP_CLOSED;
    m->way = m->held_by = -1;
    if (m->ev.closed)
        m->ev.closed(m->arg);
}

void portmap_forgotten(struct portmap *m)
{
    if (m->state == PORTMAP_HELD)
        ways[m->way]->map(m);
    else if (m->state == PORTMAP_WAITING)
        seek(m);
}

/* ---- time ---- */

static void next_is_due(void *arg)
{
    struct portmap *m = arg;

    if (m->state == PORTMAP_HELD) {
        ways[m->way]->map(m);
    } else {
        look_at_route(m);
        seek(m);
    }
}

/* How long the machine has slept since it began: leases went on meanwhile, our clock did not. */
static usec asleep(void)
{
    struct timespec boot = {0}, run = {0};

    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &run);
    return (boot.tv_sec - run.tv_sec) * USEC_SEC + (boot.tv_nsec - run.tv_nsec) / 1000;
}

static void look(void *arg)
{
    struct portmap *m = arg;
    usec slept = asleep();
    bool woke = slept - m->awake > m->cfg.look;

    m->awake = slept;
    loop_timer_set(m->l, &m->look, loop_now(m->l) + m->cfg.look);
    if (look_at_route(m)) {
        m->retry = PORTMAP_RETRY;
        m->epoch.known = false;
        lose(m);
        seek(m);
    } else if (woke && m->state != PORTMAP_SEEKING) {
        m->retry = PORTMAP_RETRY;
        next_is_due(m);
    }
}

static void out_of_patience(void *arg)
{
    struct portmap *m = arg;

    portmap_unmapped(m, (enum portmap_way)m->way);
}

/* ---- life ---- */

static void begin(void *arg)
{
    struct portmap *m = arg;

    m->next.fn = next_is_due;
    look_at_route(m);
    seek(m);
}

struct portmap *portmap_new(struct loop *l, const struct portmap_config *c,
                            const struct portmap_events *ev, void *arg)
{
    struct portmap *m = mem_zero(sizeof *m);

    *m = (struct portmap){.l = l,
                          .cfg = *c,
                          .ev = *ev,
                          .arg = arg,
                          .way = -1,
                          .held_by = -1,
                          .retry = PORTMAP_RETRY,
                          .awake = asleep(),
                          .pcp = {.fd = -1},
                          .news = {.fd = -1}};
    if (!m->cfg.lease)
        m->cfg.lease = PORTMAP_LEASE;
    if (!m->cfg.look)
        m->cfg.look = PORTMAP_LOOK;
    if (!m->cfg.ways)
        m->cfg.ways = ALL_WAYS;
    if (m->cfg.gateway.family && !m->cfg.igd)
        m->cfg.ways &= ~BIT(PORTMAP_IGD);
    m->grace = (struct loop_timer){.fn = grace_over, .arg = m};
    m->next = (struct loop_timer){.fn = begin, .arg = m};
    m->look = (struct loop_timer){.fn = look, .arg = m};
    m->patience = (struct loop_timer){.fn = out_of_patience, .arg = m};
    loop_timer_set(l, &m->next, loop_now(l));
    loop_timer_set(l, &m->look, loop_now(l) + m->cfg.look);
    return m;
}

bool portmap_close(struct portmap *m, usec patience)
{
    int w = m->way >= 0 ? m->way : m->held_by;

    if (m->state >= PORTMAP_CLOSING)
        return m->state == PORTMAP_CLOSING;
    stop_ways(m, w);
    news_close(m);
    loop_timer_cancel(m->l, &m->next);
    loop_timer_cancel(m->l, &m->look);
    m->state = w < 0 ? PORTMAP_CLOSED : PORTMAP_CLOSING;
    if (w < 0)
        return false;
    m->way = w;
    loop_timer_set(m->l, &m->patience, loop_now(m->l) + patience);
    ways[w]->unmap(m);
    return true;
}

void portmap_free(struct portmap *m)
{
    if (!m)
        return;
    stop_ways(m, -1);
    news_close(m);
    loop_timer_cancel(m->l, &m->next);
    loop_timer_cancel(m->l, &m->look);
    loop_timer_cancel(m->l, &m->patience);
    free(m);
}

/*
 * PCP (RFC 6887). A hello tells that the gateway speaks it; TCP and UDP are then mapped one after
 * the other, so that the second can ask for the external port that the first has got.
 */
#include "portmap_in.h"

#include "sock.h"

#include <errno.h>
#include <p2p/host/entropy.h>
#include <unistd.h>

enum { TCP, UDP };
#define HELLO_BIT (1u << 2)

static void stop(struct portmap *m)
{
    struct pcp_way *p = &m->pcp;

    loop_timer_cancel(m->l, &p->timer);
    loop_watch_free(p->watch);
    p->watch = NULL;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->step = PCP_STILL;
}

static void fail(struct portmap *m, const char *why)
{
    bool dropping = m->pcp.step == PCP_DROP;

    stop(m);
    if (dropping)
        portmap_unmapped(m, PORTMAP_PCP);
    else
        portmap_failed(m, PORTMAP_PCP, "%s", why);
}

/* ---- asking ---- */

/* What is lost is sent again by the timer; what cannot be sent fails by it. */
static void put(struct portmap *m, const uint8_t *b, size_t n)
{
    ssize_t sent = send(m->pcp.fd, b, n, MSG_NOSIGNAL);
    (void)sent;
}

static void send_open(struct portmap *m)
{
    struct pcp_way *p = &m->pcp;
    uint32_t lifetime = p->step == PCP_DROP ? 0 : m->cfg.lease;

    if (p->open & HELLO_BIT) {
        uint8_t b[PCP_HELLO_LEN];
        pcp_put_hello(b, &m->gw.local);
        put(m, b, sizeof b);
    }
    for (int i = TCP; i <= UDP; i++) {
        uint8_t b[PCP_MAP_LEN];
        if (!(p->open & 1u << i))
            continue;
        pcp_put_map(b, &p->map[i], &m->gw.local, lifetime);
        put(m, b, sizeof b);
    }
    loop_timer_set(m->l, &p->timer, loop_now(m->l) + (PORTMAP_ASK << p->asks));
    p->asks++;
}

static void too_late(void *arg)
{
    struct portmap *m = arg;

    if (m->pcp.asks < PORTMAP_ASKS)
        send_open(m);
    else
        fail(m, "no answer");
}

static void ask(struct portmap *m, unsigned open)
{
    m->pcp.open = open;
    m->pcp.asks = 0;
    send_open(m);
}

/* ---- answers ---- */

static void made(struct portmap *m, int i, const struct pcp_answer *a)
{
    struct pcp_way *p = &m->pcp;
    uint32_t lifetime = a->lifetime < m->cfg.lease ? a->lifetime : m->cfg.lease;

    if (lifetime == 0 || a->map.external.port == 0) {
        fail(m, "its mapping ends at once");
        return;
    }
    p->map[i].external = a->map.external;
    *(i == TCP ? &p->got.tcp : &p->got.udp) = a->map.external.port;
    p->got.ip = a->map.external;
    p->got.ip.port = 0;
    if (p->got.lifetime == 0 || lifetime < p->got.lifetime)
        p->got.lifetime = lifetime;
    if (i == TCP && p->map[UDP].port) {
        if (!p->map[UDP].external.port || p->map[UDP].external.port == p->map[UDP].port)
            p->map[UDP].external = a->map.external;
        ask(m, 1u << UDP);
        return;
    }
    p->step = PCP_STILL;
    loop_timer_cancel(m->l, &p->timer);
    portmap_mapped(m, PORTMAP_PCP, &p->got);
}

static void map_answered(struct portmap *m, int i, const struct pcp_answer *a)
{
    struct pcp_way *p = &m->pcp;

    p->open &= ~(1u << i);
    if (p->step == PCP_DROP) {
        if (!p->open)
            fail(m, "");
    } else if (a->result == PCP_CANNOT_PROVIDE_EXTERNAL && !p->any_port) {
        p->any_port = true;
        p->map[i].external = (struct addr){0};
        ask(m, 1u << i);
    } else if (a->result) {
        fail(m, pcp_result_text(a->result));
    } else {
        made(m, i, a);
    }
}

static void answered(struct portmap *m, const struct pcp_answer *a)
{
    struct pcp_way *p = &m->pcp;

    if (a->old) {
        fail(m, "it speaks NAT-PMP only");
        return;
    }
    if (a->result == PCP_UNSUPP_VERSION) {
        fail(m, pcp_result_text(a->result));
        return;
    }
    if (p->step == PCP_HELLO && a->opcode == PCP_ANNOUNCE) { /* any result: it speaks PCP */
        pcp_epoch_step(&m->epoch, a->epoch, loop_now(m->l));
        p->step = PCP_STILL;
        loop_timer_cancel(m->l, &p->timer);
        portmap_found(m, PORTMAP_PCP);
        return;
    }
    for (int i = TCP; i <= UDP; i++)
        if (p->open & 1u << i && pcp_answers(a, &p->map[i])) {
            pcp_epoch_step(&m->epoch, a->epoch, loop_now(m->l));
            map_answered(m, i, a);
            return;
        }
}

static void readable(void *arg, bool in, bool out)
{
    struct portmap *m = arg;
    uint8_t b[PCP_MESSAGE_MAX + 1];
    struct pcp_answer a;

    (void)in, (void)out;
    ssize_t n = recv(m->pcp.fd, b, sizeof b, 0);
    if (n < 0 && errno != EAGAIN && errno != EINTR && m->pcp.step != PCP_STILL)
        fail(m, errno == ECONNREFUSED ? "it does not listen" : "it cannot be reached");
    else if (n > 0 && m->pcp.step != PCP_STILL && pcp_read(&a, BYTES(b, (size_t)n)))
        answered(m, &a);
}

/* ---- beginning ---- */

static bool open_socket(struct portmap *m)
{
    struct pcp_way *p = &m->pcp;
    struct addr to = m->gw.at, from = m->gw.local;
    struct sockaddr_storage ss;

    if (p->fd >= 0)
        return true;
    to.port = PCP_PORT;
    p->fd = sock_bound(&from, SOCK_DGRAM, 0);
    socklen_t len = sock_from_addr(&ss, &to);
    if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&ss, len) < 0)
        return false;
    p->watch = loop_watch(m->l, p->fd, readable, m, NULL);
    if (p->watch)
        loop_watch_want(p->watch, true, false);
    return p->watch;
}

/* Fails by the timer, so that nobody is called from inside his call. */
static void begin(struct portmap *m, enum pcp_step step, unsigned open)
{
    struct pcp_way *p = &m->pcp;
    bool ok = open_socket(m);

    p->timer.fn = too_late;
    p->timer.arg = m;
    p->step = step;
    p->open = open;
    p->asks = PORTMAP_ASKS;
    if (ok)
        ask(m, open);
    else
        loop_timer_set(m->l, &p->timer, loop_now(m->l));
}

static void probe(struct portmap *m)
{
    begin(m, PCP_HELLO, HELLO_BIT);
}

/* The nonces last as long as we do: a renewal must bring those of the mapping. */
static void prepare(struct portmap *m)
{
    struct pcp_way *p = &m->pcp;

    for (int i = TCP; i <= UDP; i++) {
        p->map[i].protocol = i == TCP ? PCP_TCP : PCP_UDP;
        p->map[i].port = i == TCP ? m->cfg.tcp : m->cfg.udp;
        if (!p->have_nonces)
            entropy_fill(p->map[i].nonce, PCP_NONCE_LEN);
        if (!p->map[i].external.port)
            p->map[i].external.port = p->map[i].port;
    }
    p->have_nonces = true;
}

static void map(struct portmap *m)
{
    prepare(m);
    m->pcp.any_port = false;
    m->pcp.got = (struct portmap_lease){0};
    begin(m, PCP_MAKE, m->cfg.tcp ? 1u << TCP : 1u << UDP);
}

static void unmap(struct portmap *m)
{
    unsigned open = 0;

    prepare(m);
    for (int i = TCP; i <= UDP; i++)
        if (m->pcp.map[i].port)
            open |= 1u << i;
    begin(m, PCP_DROP, open);
}

const struct portmap_ops portmap_pcp = {
    .name = "PCP", .probe = probe, .map = map, .unmap = unmap, .stop = stop};

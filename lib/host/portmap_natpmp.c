/*
 * NAT-PMP (RFC 6886) by libnatpmp. The library reads a datagram of any length as if it were whole,
 * and takes any kind of answer for the one that is awaited; so each is looked at before it may.
 * Its repetition goes on for a minute by the wall clock: ours ends it.
 */
#include "portmap_in.h"

#include <errno.h>
#include <sys/socket.h>

#define PATIENCE ((PORTMAP_ASK << PORTMAP_ASKS) - PORTMAP_ASK)
#define DRAIN 16 /* datagrams looked at in a turn */
#define ADDRESS_LEN 12
#define MAPPING_LEN 16
#define REFUSAL_LEN 8

static void stop(struct portmap *m)
{
    struct natpmp_way *p = &m->nat;

    loop_timer_cancel(m->l, &p->again);
    loop_timer_cancel(m->l, &p->late);
    loop_watch_free(p->watch);
    p->watch = NULL;
    if (p->open)
        closenatpmp(&p->lib);
    p->open = false;
    p->step = NATPMP_STILL;
}

static void still(struct portmap *m)
{
    m->nat.step = NATPMP_STILL;
    loop_timer_cancel(m->l, &m->nat.again);
    loop_timer_cancel(m->l, &m->nat.late);
}

static void fail(struct portmap *m, const char *why)
{
    bool dropping = m->nat.step == NATPMP_DROP;

    stop(m);
    if (dropping)
        portmap_unmapped(m, PORTMAP_NATPMP);
    else
        portmap_failed(m, PORTMAP_NATPMP, "%s", why);
}

/* ---- asking ---- */

static void repeat_later(struct portmap *m)
{
    struct timeval tv = {0};
    usec wait = PORTMAP_ASK;

    if (getnatpmprequesttimeout(&m->nat.lib, &tv) == 0)
        wait = tv.tv_sec * USEC_SEC + tv.tv_usec;
    if (wait < 0 || wait > PATIENCE) /* the wall clock was set */
        wait = PORTMAP_ASK;
    loop_timer_set(m->l, &m->nat.again, loop_now(m->l) + wait);
}

static void ask_address(struct portmap *m)
{
    m->nat.asked = NATPMP_RESPTYPE_PUBLICADDRESS;
    sendpublicaddressrequest(&m->nat.lib); /* what could not be sent is repeated */
    repeat_later(m);
    loop_timer_set(m->l, &m->nat.late, loop_now(m->l) + PATIENCE);
}

static uint16_t ours(const struct portmap *m)
{
    return m->nat.asked == NATPMP_RESPTYPE_TCPPORTMAPPING ? m->cfg.tcp : m->cfg.udp;
}

/* The external port is to be that of before, or that of TCP, or our own. */
static uint16_t wish(const struct portmap *m)
{
    const struct natpmp_way *p = &m->nat;
    bool tcp = p->asked == NATPMP_RESPTYPE_TCPPORTMAPPING;
    bool renewing = m->held_by == PORTMAP_NATPMP;

    if (tcp)
        return renewing && m->lease.tcp ? m->lease.tcp : m->cfg.tcp;
    if (p->got.tcp && m->cfg.tcp == m->cfg.udp)
        return p->got.tcp;
    return renewing && m->lease.udp ? m->lease.udp : m->cfg.udp;
}

static void ask_mapping(struct portmap *m, uint8_t type)
{
    struct natpmp_way *p = &m->nat;
    bool drop = p->step == NATPMP_DROP;

    p->asked = type;
    sendnewportmappingrequest(
        &p->lib, type == NATPMP_RESPTYPE_TCPPORTMAPPING ? NATPMP_PROTOCOL_TCP : NATPMP_PROTOCOL_UDP,
        ours(m), drop ? 0 : wish(m), drop ? 0 : m->cfg.lease);
    repeat_later(m);
    loop_timer_set(m->l, &p->late, loop_now(m->l) + PATIENCE);
}

static void ask_first_mapping(struct portmap *m)
{
    ask_mapping(m, m->cfg.tcp ? NATPMP_RESPTYPE_TCPPORTMAPPING : NATPMP_RESPTYPE_UDPPORTMAPPING);
}

/* ---- answers ---- */

static void on_address(struct portmap *m, const natpmpresp_t *r)
{
    struct natpmp_way *p = &m->nat;

    p->got = (struct portmap_lease){.ip = {.family = 4}};
    memcpy(p->got.ip.ip, &r->pnu.publicaddress.addr, 4);
    if (p->step == NATPMP_HELLO) {
        still(m);
        portmap_found(m, PORTMAP_NATPMP);
        return;
    }
    p->step = NATPMP_MAKE;
    ask_first_mapping(m);
}

static void on_mapping(struct portmap *m, const natpmpresp_t *r)
{
    struct natpmp_way *p = &m->nat;
    uint16_t external = r->pnu.newportmapping.mappedpublicport;
    uint32_t lifetime = r->pnu.newportmapping.lifetime;
    bool tcp = p->asked == NATPMP_RESPTYPE_TCPPORTMAPPING;

    if (p->step == NATPMP_MAKE && (external == 0 || lifetime == 0)) {
        fail(m, "its mapping ends at once");
        return;
    }
    *(tcp ? &p->got.tcp : &p->got.udp) = external;
    lifetime = lifetime < m->cfg.lease ? lifetime : m->cfg.lease;
    if (p->got.lifetime == 0 || lifetime < p->got.lifetime)
        p->got.lifetime = lifetime;
    if (tcp && m->cfg.udp) {
        ask_mapping(m, NATPMP_RESPTYPE_UDPPORTMAPPING);
    } else if (p->step == NATPMP_DROP) {
        fail(m, "");
    } else {
        still(m);
        portmap_mapped(m, PORTMAP_NATPMP, &p->got);
    }
}

static const char *text_of(int code)
{
    switch (code) {
    case NATPMP_ERR_NOTAUTHORIZED:
        return "not allowed";
    case NATPMP_ERR_NETWORKFAILURE:
        return "its own network is down";
    case NATPMP_ERR_OUTOFRESOURCES:
        return "it has no room for a mapping";
    case NATPMP_ERR_UNSUPPORTEDVERSION:
        return "it speaks another version";
    case NATPMP_ERR_UNSUPPORTEDOPCODE:
        return "it does not map ports";
    default:
        return "no answer that can be used";
    }
}

static void take(struct portmap *m)
{
    struct natpmp_way *p = &m->nat;
    natpmpresp_t r = {0};
    int rc = readnatpmpresponseorretry(&p->lib, &r);

    if (rc == NATPMP_TRYAGAIN || rc == NATPMP_ERR_WRONGPACKETSOURCE) {
        repeat_later(m);
        return;
    }
    if (rc < 0 && p->step == NATPMP_DROP && p->asked == NATPMP_RESPTYPE_TCPPORTMAPPING &&
        m->cfg.udp) { /* the other one still goes */
        ask_mapping(m, NATPMP_RESPTYPE_UDPPORTMAPPING);
        return;
    }
    if (rc < 0) {
        fail(m, text_of(rc));
        return;
    }
    pcp_epoch_step(&m->epoch, r.epoch, loop_now(m->l));
    if (p->asked == NATPMP_RESPTYPE_PUBLICADDRESS)
        on_address(m, &r);
    else
        on_mapping(m, &r);
}

/* Is this datagram whole, and the answer to what was asked? */
static bool fits(const struct portmap *m, const uint8_t *b, size_t n)
{
    const struct natpmp_way *p = &m->nat;

    if (p->step == NATPMP_STILL || n < REFUSAL_LEN || b[0] != 0 || b[1] != (0x80 | p->asked))
        return false;
    if (get_be16(b + 2) != 0)
        return true;
    if (p->asked == NATPMP_RESPTYPE_PUBLICADDRESS)
        return n == ADDRESS_LEN;
    return n == MAPPING_LEN && get_be16(b + 8) == ours(m);
}

static void readable(void *arg, bool in, bool out)
{
    struct portmap *m = arg;
    uint8_t b[MAPPING_LEN + 1];

    (void)in, (void)out;
    for (int i = 0; i < DRAIN && m->nat.open; i++) {
        ssize_t n = recv(m->nat.lib.s, b, sizeof b, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            if (m->nat.step != NATPMP_STILL)
                fail(m, errno == ECONNREFUSED ? "it does not listen" : "it cannot be reached");
            return;
        }
        if (fits(m, b, (size_t)n))
            take(m);
        else
            recv(m->nat.lib.s, b, sizeof b, MSG_DONTWAIT);
    }
}

static void repeat(void *arg)
{
    take(arg);
}

static void too_late(void *arg)
{
    fail(arg, "no answer");
}

/* ---- beginning ---- */

static bool open_lib(struct portmap *m)
{
    struct natpmp_way *p = &m->nat;
    in_addr_t gateway;

    p->again = (struct loop_timer){.item = p->again.item, .fn = repeat, .arg = m};
    p->late = (struct loop_timer){.item = p->late.item, .fn = too_late, .arg = m};
    if (p->open)
        return true;
    memcpy(&gateway, m->gw.at.ip, 4);
    if (initnatpmp(&p->lib, 1, gateway) < 0)
        return false;
    p->open = true;
    p->watch = loop_watch(m->l, p->lib.s, readable, m, NULL);
    if (p->watch)
        loop_watch_want(p->watch, true, false);
    return p->watch;
}

/* Fails by the timer, so that nobody is called from inside his call. */
static void begin(struct portmap *m, enum natpmp_step step)
{
    bool ok = open_lib(m);

    still(m);
    m->nat.step = step;
    if (!ok)
        loop_timer_set(m->l, &m->nat.late, loop_now(m->l));
    else if (step == NATPMP_DROP)
        ask_first_mapping(m);
    else
        ask_address(m);
}

static void probe(struct portmap *m)
{
    begin(m, NATPMP_HELLO);
}

static void map(struct portmap *m)
{
    begin(m, NATPMP_ADDRESS);
}

static void unmap(struct portmap *m)
{
    begin(m, NATPMP_DROP);
}

const struct portmap_ops portmap_natpmp = {
    .name = "NAT-PMP", .probe = probe, .map = map, .unmap = unmap, .stop = stop};

/*
 * UPnP Internet gateway devices by libminiupnpc, whose every call blocks, reads as much as it is
 * told to, and may print: each errand is run aside, in a process that is killed in time.
 */
#include "portmap_in.h"

#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <p2p/base/text.h>
#include <stdio.h>
#include <stdlib.h>

/* Error codes of AddPortMapping. */
enum { TAKEN = 718, SAME_PORTS_ONLY = 724, PERMANENT_ONLY = 725, OTHER_MECHANISM = 729 };

#define TTL 2 /* UPnP Device Architecture 1.1, section 1.3.2 */

/* What an errand needs, and what it reports. */
struct errand {
    const struct portmap *m;
    struct igd igd;
    bool unsure; /* which ports there are to undo */
};
struct report { /* read back from a process that strangers may have got into */
    uint8_t ok;
    struct igd igd;
    char external[IGD_IP_MAX];
    uint16_t tcp, udp;
    uint32_t lifetime;
    char why[100];
};

/* ---- aside: finding ---- */

/* Where a device has two services, the other one may be the one that is connected. */
static bool use_service(struct UPNPUrls *urls, struct IGDdatas *data, const char *described)
{
    for (int i = 0; i < 2; i++) {
        if (!data->first.servicetype[0] || !urls->controlURL ||
            !igd_url_same_host(urls->controlURL, described))
            return false;
        if (UPNPIGD_IsConnected(urls, data))
            return true;
        FreeUPNPUrls(urls);
        data->first = data->second;
        memset(&data->second, 0, sizeof data->second);
        GetUPNPUrls(urls, data, described, 0);
    }
    return false;
}

static bool describe(struct report *r, const char *described)
{
    struct UPNPUrls urls = {0};
    struct IGDdatas data = {0};
    struct igd *d = &r->igd;
    int rc = UPNP_GetIGDFromUrl(described, &urls, &data, d->lan, (int)sizeof d->lan - 1);
    bool ok = rc == 1 && use_service(&urls, &data, described) &&
              strlen(urls.controlURL) < sizeof d->control &&
              strlen(data.first.servicetype) < sizeof d->service;

    if (ok) {
        strcpy(d->control, urls.controlURL);
        strcpy(d->service, data.first.servicetype);
    }
    FreeUPNPUrls(&urls);
    return ok;
}

static bool is_gateway(const struct portmap *m, const char *url)
{
    struct addr a;

    return igd_url_host(&a, url) && addr_same_ip(&a, &m->gw.at);
}

/* Devices on the gateway, or else others of our network. */
static bool describe_any(const struct portmap *m, struct report *r, const struct UPNPDev *all,
                         bool gateway)
{
    int seen = 0;

    for (const struct UPNPDev *d = all; d && seen < PORTMAP_DEVICES; d = d->pNext) {
        if (!igd_url_allowed(d->descURL, &m->gw) || is_gateway(m, d->descURL) != gateway)
            continue;
        if (describe(r, d->descURL))
            return true;
        seen++;
    }
    return false;
}

static void find(void *task, void *report)
{
    const struct portmap *m = ((struct errand *)task)->m;
    struct report *r = report;
    char local[ADDR_TEXT];
    int fault = 0;

    if (m->cfg.igd) {
        r->ok = describe(r, m->cfg.igd);
        return;
    }
    addr_ip_text(&m->gw.local, local);
    struct UPNPDev *all =
        upnpDiscover(PORTMAP_SSDP_MS, local, NULL, UPNP_LOCAL_PORT_ANY, 0, TTL, &fault);
    r->ok = describe_any(m, r, all, true) || describe_any(m, r, all, false);
    if (!all)
        snprintf(r->why, sizeof r->why, "no device answers");
    else if (!r->ok)
        snprintf(r->why, sizeof r->why, "no device that answers is a gateway of ours");
}

/* ---- aside: mapping ---- */

static const char *const protocol[] = {"TCP", "UDP"};

/* Does the mapping on the device lead to us? Nobody else's is removed. */
static bool is_ours(const struct igd *d, const char *external, const char *proto, uint16_t port)
{
    char client[IGD_IP_MAX] = "", inner[16] = "", text[128] = "", on[8] = "", lease[24] = "";
    char want[8];

    snprintf(want, sizeof want, "%u", port);
    return UPNP_GetSpecificPortMappingEntry(d->control, d->service, external, proto, NULL, client,
                                            inner, text, on, lease) == UPNPCOMMAND_SUCCESS &&
           strcmp(client, d->lan) == 0 && strcmp(inner, want) == 0;
}

static void remove_one(const struct igd *d, uint16_t external, int proto, uint16_t port)
{
    char text[8];

    snprintf(text, sizeof text, "%u", external);
    if (is_ours(d, text, protocol[proto], port))
        UPNP_DeletePortMapping(d->control, d->service, text, protocol[proto], NULL);
}

/* 0 or an error code; *lease becomes 0 where the device knows no leases. */
static int add_one(const struct portmap *m, const struct igd *d, uint16_t external, int proto,
                   uint32_t *lease, bool again)
{
    char outer[8], inner[8], seconds[12];
    uint16_t port = proto == 0 ? m->cfg.tcp : m->cfg.udp;
    int rc;

    snprintf(outer, sizeof outer, "%u", external);
    snprintf(inner, sizeof inner, "%u", port);
    snprintf(seconds, sizeof seconds, "%u", *lease);
    rc = UPNP_AddPortMapping(d->control, d->service, outer, inner, d->lan, m->cfg.name,
                             protocol[proto], NULL, seconds);
    if (rc == PERMANENT_ONLY && *lease) {
        *lease = 0;
        return add_one(m, d, external, proto, lease, again);
    }
    if (rc == TAKEN && !again && is_ours(d, outer, protocol[proto], port)) { /* it cannot renew */
        UPNP_DeletePortMapping(d->control, d->service, outer, protocol[proto], NULL);
        return add_one(m, d, external, proto, lease, true);
    }
    return rc;
}

/* Both at one external port, or none. */
static int add_both(const struct portmap *m, const struct igd *d, uint16_t external,
                    struct report *r)
{
    int rc = 0;

    r->lifetime = m->cfg.lease;
    r->tcp = m->cfg.tcp ? external : 0;
    r->udp = m->cfg.udp ? external : 0;
    if (m->cfg.tcp)
        rc = add_one(m, d, external, 0, &r->lifetime, false);
    if (rc != 0 || !m->cfg.udp)
        return rc;
    rc = add_one(m, d, external, 1, &r->lifetime, false);
    if (rc != 0 && m->cfg.tcp)
        remove_one(d, external, 0, m->cfg.tcp);
    return rc;
}

static uint16_t first_wish(const struct portmap *m)
{
    if (m->held_by == PORTMAP_IGD)
        return m->lease.tcp ? m->lease.tcp : m->lease.udp;
    return m->cfg.tcp ? m->cfg.tcp : m->cfg.udp;
}

static void make(void *task, void *report)
{
    const struct errand *t = task;
    const struct igd *d = &t->igd;
    struct report *r = report;
    char external[IGD_IP_MAX] = "";
    int rc = TAKEN;

    for (unsigned i = 0; i < PORTMAP_PORT_TRIES && (rc == TAKEN || rc == OTHER_MECHANISM); i++)
        rc = add_both(t->m, d, portmap_candidate(first_wish(t->m), i), r);
    r->ok = rc == 0;
    if (rc == SAME_PORTS_ONLY)
        snprintf(r->why, sizeof r->why, "our port is taken on it");
    else if (rc != 0)
        snprintf(r->why, sizeof r->why, "error %d (%.80s)", rc,
                 strupnperror(rc) ? strupnperror(rc) : "not known here");
    if (r->ok && UPNP_GetExternalIPAddress(d->control, d->service, external) == 0)
        memcpy(r->external, external, sizeof external);
}

static void drop(void *task, void *report)
{
    const struct errand *t = task;
    const struct portmap *m = t->m;
    const uint16_t port[2] = {m->cfg.tcp, m->cfg.udp};

    for (unsigned i = 0; i < (t->unsure ? PORTMAP_PORT_TRIES : 1); i++)
        for (int proto = 0; proto < 2; proto++)
            if (port[proto])
                remove_one(&t->igd, portmap_candidate(first_wish(m), i), proto, port[proto]);
    ((struct report *)report)->ok = true;
}

/* ---- on the loop ---- */

static void stop(struct portmap *m)
{
    aside_cancel(m->igd.job);
    m->igd.job = NULL;
    m->igd.making = false;
}

static void start(struct portmap *m, void (*run)(void *, void *), usec patience,
                  void (*done)(void *arg, const void *report))
{
    struct errand t = {
        .m = m, .igd = m->igd.igd, .unsure = m->igd.making || m->held_by != PORTMAP_IGD};
    struct aside_task a = {.run = run,
                           .task = &t,
                           .report_size = sizeof(struct report),
                           .patience = patience,
                           .done = done,
                           .arg = m};

    stop(m);
    m->igd.making = run == make;
    m->igd.job = aside_start(m->l, &a);
}

static void end_of(char *s, size_t size)
{
    s[size - 1] = '\0';
    for (; *s; s++) /* the device's words reach a terminal */
        if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
            *s = '?';
}

static void found(void *arg, const void *report)
{
    struct portmap *m = arg;
    struct report r = {0};

    m->igd.job = NULL;
    if (report)
        memcpy(&r, report, sizeof r);
    end_of(r.why, sizeof r.why);
    if (!r.ok) {
        portmap_failed(m, PORTMAP_IGD, "%s", report && r.why[0] ? r.why : "no gateway in time");
        return;
    }
    end_of(r.igd.control, sizeof r.igd.control);
    end_of(r.igd.service, sizeof r.igd.service);
    end_of(r.igd.lan, sizeof r.igd.lan);
    m->igd.igd = r.igd;
    portmap_found(m, PORTMAP_IGD);
}

static void unmap(struct portmap *m);

static void made(void *arg, const void *report)
{
    struct portmap *m = arg;
    struct portmap_lease got = {0};
    struct report r = {0};

    m->igd.job = NULL;
    if (m->state == PORTMAP_CLOSING) {
        unmap(m);
        return;
    }
    m->igd.making = false;
    if (report)
        memcpy(&r, report, sizeof r);
    end_of(r.why, sizeof r.why);
    end_of(r.external, sizeof r.external);
    if (!r.ok) {
        portmap_failed(m, PORTMAP_IGD, "%s", r.why[0] ? r.why : "no answer in time");
        return;
    }
    got.tcp = r.tcp;
    got.udp = r.udp;
    got.lifetime = r.lifetime;
    if (!is_gateway(m, m->igd.igd.control) || !addr_parse_ip(&got.ip, r.external, 0))
        got.ip = (struct addr){0};
    portmap_mapped(m, PORTMAP_IGD, &got);
}

static void dropped(void *arg, const void *report)
{
    struct portmap *m = arg;

    (void)report;
    m->igd.job = NULL;
    portmap_unmapped(m, PORTMAP_IGD);
}

static void probe(struct portmap *m)
{
    start(m, find, PORTMAP_FIND_TIME, found);
}

static void map(struct portmap *m)
{
    start(m, make, PORTMAP_IGD_TIME, made);
}

/* What is being made is first made: a device could yet do it after it was asked to undo it. */
static void unmap(struct portmap *m)
{
    if (m->igd.job && m->igd.making)
        return;
    start(m, drop, PORTMAP_IGD_TIME, dropped);
}

const struct portmap_ops portmap_igd = {
    .name = "UPnP", .probe = probe, .map = map, .unmap = unmap, .stop = stop};

/* Inside of port mapping: the ways to ask a gateway, and what each keeps. */
#ifndef LIB_HOST_PORTMAP_IN_H
#define LIB_HOST_PORTMAP_IN_H

#include "host/aside.h"
#include "host/gateway.h"
#include "host/pcp.h"

#include <natpmp.h>
#include <p2p/host/portmap.h>

#define IGD_URL_MAX 256
#define IGD_WORD_MAX 128
#define IGD_IP_MAX 48

struct portmap_lease {
    struct addr ip;    /* external; port 0 */
    uint16_t tcp, udp; /* external ports */
    uint32_t lifetime; /* seconds; 0: for good */
};

/*
 * A way: each of these begins something, ends what the way did before, and is answered by one of
 * the calls below, later, not from inside.
 */
struct portmap_ops {
    const char *name;
    void (*probe)(struct portmap *m); /* is it there? → found or failed */
    void (*map)(struct portmap *m);   /* make or renew → mapped or failed */
    void (*unmap)(struct portmap *m); /* → unmapped */
    void (*stop)(struct portmap *m);  /* no answer comes any more */
};
extern const struct portmap_ops portmap_pcp, portmap_natpmp, portmap_igd;

void portmap_found(struct portmap *m, enum portmap_way w);
void portmap_failed(struct portmap *m, enum portmap_way w, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void portmap_mapped(struct portmap *m, enum portmap_way w, const struct portmap_lease *got);
void portmap_unmapped(struct portmap *m, enum portmap_way w);
void portmap_forgotten(struct portmap *m); /* the gateway has lost its memory */

/* ---- what each way keeps ---- */

enum pcp_step { PCP_STILL, PCP_HELLO, PCP_MAKE, PCP_DROP };

struct pcp_way {
    int fd; /* connected to the gateway, so only it is heard; -1: none */
    struct loop_watch *watch;
    struct loop_timer timer;
    enum pcp_step step;
    unsigned asks;
    unsigned open;         /* bits: what is not answered yet */
    bool any_port;         /* the suggested one was refused */
    struct pcp_map map[2]; /* TCP, UDP; port 0: not wanted */
    bool have_nonces;
    struct portmap_lease got;
};

enum natpmp_step { NATPMP_STILL, NATPMP_HELLO, NATPMP_ADDRESS, NATPMP_MAKE, NATPMP_DROP };

struct natpmp_way {
    natpmp_t lib;
    bool open;
    struct loop_watch *watch;
    struct loop_timer again, late; /* the library's repetition; our patience */
    enum natpmp_step step;
    uint8_t asked; /* NATPMP_RESPTYPE_… */
    struct portmap_lease got;
};

/* What is known of an Internet gateway device, found aside. */
struct igd {
    char control[IGD_URL_MAX];
    char service[IGD_WORD_MAX];
    char lan[IGD_IP_MAX]; /* ours, as the device sees it */
};

struct igd_way {
    struct aside *job;
    bool making; /* the job is to map ports */
    struct igd igd; /* control is "": none found */
};

/* Hears the gateway tell the group that its memory is gone (RFC 6887, section 14.1). */
struct news {
    int fd; /* -1: none */
    struct loop_watch *watch;
    usec heard;
};
void news_open(struct portmap *m);
void news_close(struct portmap *m);

enum portmap_state {
    PORTMAP_SEEKING, /* ways are probed, or one is asked for a mapping */
    PORTMAP_HELD,
    PORTMAP_WAITING, /* nothing worked: for the next time */
    PORTMAP_CLOSING,
    PORTMAP_CLOSED,
};

struct portmap {
    struct loop *l;
    struct portmap_config cfg;
    struct portmap_events ev;
    void *arg;
    struct gateway gw;
    enum portmap_state state;
    unsigned found, failed; /* bits of ways, since the search began */
    bool hurry;             /* no better way is waited for */
    int way;                /* asked for a mapping, or holding it; -1: none */
    int held_by;            /* whose lease is in `lease`; -1: none */
    struct portmap_lease lease;
    struct portmap_at told; /* external.port 0: nothing */
    struct loop_timer grace, next, look, patience;
    usec retry;
    usec awake; /* time slept by the machine since it began, as seen last */
    struct pcp_epoch epoch;
    struct pcp_way pcp;
    struct natpmp_way nat;
    struct igd_way igd;
    struct news news;
    char why[PORTMAP_WAYS][100]; /* that a way failed */
    char noticed[500];           /* said last; not said again */
};

/* Candidate `i` for an external port: `port` itself, then others that follow from it. */
uint16_t portmap_candidate(uint16_t port, unsigned i);

/* ---- addresses in URLs of devices (igd_url.c) ---- */

/* The host of http://IPV4[:PORT]/…; false for anything else. */
bool igd_url_host(struct addr *a, const char *url);
/* May a description be fetched from there? */
bool igd_url_allowed(const char *url, const struct gateway *gw);
/* Is the control address of a device on the host that described it? */
bool igd_url_same_host(const char *url, const char *described);

#endif

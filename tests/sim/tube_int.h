/* The inside of the test tube, shared by tube.c (events, hosts), streams.c and ops.c. */
#ifndef P2P_SIM_TUBE_INT_H
#define P2P_SIM_TUBE_INT_H

#include "tube.h"

#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#define SEGMENT 16384u
#define WINDOW (512u << 10) /* bytes in flight in one direction of a stream, unless configured */
#define MAX_ORIGINS 4

enum event_kind {
    EV_TICK,
    EV_CONNECTED,
    EV_ACCEPT,
    EV_SEGMENT,
    EV_CLOSED,
    EV_STORED,
    EV_CHECKED,
    EV_LEAVES,
    EV_DONE,
    EV_HTTP,
    EV_RESOLVED,
    EV_WEB,
    EV_ACK,
    EV_DATAGRAM,
    EV_MULTICAST
};

struct event {
    usec at;
    uint64_t seq;
    enum event_kind kind;
    struct host *host;
    struct stream *stream;
    int side; /* of the stream: the receiver */
    node_id job, task;
    uint32_t piece;
    int err;
    bool v1, v2, leaf;
    uint8_t *data; /* owned */
    size_t n, off;
    uint64_t offset;
    struct web_get *get;
    struct addr from; /* of a datagram */
};

struct stream_end {
    struct host *host;
    node_id conn;
    bool up; /* the node knows it */
    bool want_send, blocked_recv;
    uint64_t in_flight;
    struct event **late; /* segments that came while the node did not read */
    size_t n_late;
    usec last_arrival; /* order is kept */
};
struct stream {
    struct stream_end end[2]; /* 0: who dialled */
    bool open;
};

struct web_get {
    struct host *host;
    node_id job;
    int origin;
    uint64_t at, left, content_at, from, total;
    int status;
    bool paused, over, flip;
};

struct origin {
    char base[200];
    const struct manifest *m;
    const uint8_t *content;
    uint64_t rate;
    usec free_at;
    bool no_ranges;
    uint32_t lies, requests;
};

struct tracked {
    uint8_t hash[20];
    struct addr a;
};

/* A link with a network of its own: a site, or where a single host is at home. */
struct site {
    struct site_config cfg;
    unsigned number;
    struct host **hosts; /* in order of coming */
    uint32_t n_hosts;
};

struct host {
    struct tube *tube;
    struct host_config cfg;
    struct node *node;
    struct site *site;
    struct addr addr, addr6;
    uint32_t index, blocks_sent, turn;
    bool dead;
    usec armed, up_free, down_free;
    uint64_t sent, written;
    struct addr *banned; /* by its node, as it said */
    size_t n_banned;
    struct item **items;
    size_t n_items;
    struct piecehash *hasher;
};

struct tube {
    struct rng rng;
    usec now;
    uint64_t seq, origin_sent;
    unsigned stopped;
    struct event **events;
    size_t n_events, cap_events;
    struct host **hosts;
    uint32_t n_hosts;
    struct site **sites; /* numbered from 1 */
    uint32_t n_sites;
    struct map *by_ip; /* address in compact form, without port → host */
    struct tube_datagrams datagrams;
    void (*observe)(struct tube *t, void *arg);
    void *observe_arg;
    usec observe_every, observe_at;
    struct stream **streams;
    size_t n_streams;
    struct origin origin[MAX_ORIGINS];
    int n_origins;
    struct tracked *tracked;
    size_t n_tracked;
    struct web_get **gets;
    size_t n_gets;
};

struct event *tube_event(struct tube *t, usec at, enum event_kind kind);
void tube_pump(struct host *h);
void op_perform(struct host *h, const struct node_op *op);
void event_handle(struct tube *t, struct event *e);

/* net.c */
struct site *site_new(struct tube *t, const struct site_config *c);
void site_free(struct site *s);
void site_join(struct site *s, struct host *h); /* gives it its addresses */
usec net_distance(const struct host *a, const struct host *b);
struct host *net_find(const struct tube *t, const struct addr *a); /* NULL: nobody is there */
usec net_through(usec *free_at, uint64_t rate, usec from, size_t n);

/* datagrams.c */
void datagram_send(struct host *h, const struct node_op *op);
void multicast_send(struct host *h, const struct node_op *op);
void datagram_event(struct tube *t, struct event *e);
void resolve_ask(struct host *h, const struct node_op *op);
void resolve_event(struct tube *t, struct event *e);

/* streams.c */
void stream_dial(struct host *h, const struct node_op *op);
void stream_close_conn(struct host *h, node_id conn);
void stream_close(struct stream *s, int side); /* this side is gone: the other hears of it later */
void stream_push(struct host *h, node_id conn);
void stream_read_on(struct host *h, node_id conn);
void stream_free(struct stream *s);
void stream_event(struct tube *t, struct event *e);

/* origin.c */
void origin_get(struct host *h, const struct node_op *op);
void origin_event(struct tube *t, struct event *e);
void origin_resume(struct host *h, node_id job);
void origin_cancel(struct host *h, node_id job);
void tracker_answer(struct host *h, const struct node_op *op);

#endif

/*
 * The inside of the test tube, shared by its files.
 *
 *   tube.c      the tube, its time, its trace           queue.c     events by time
 *   host.c      hosts: made, stopped, started, killed   churn.c     hosts that come and go
 *   net.c       sites, addresses, links, partitions     nat.c       address translation
 *   streams.c   ordered bytes between two hosts         datagrams.c datagrams, multicasts, names
 *   ops.c       what a node asks of its host            disk.c      what lies on disks, and hashes
 *   origin.c    web origins                             tracker.c   trackers
 *   content.c   content and manifests to play with
 */
#ifndef P2P_SIM_TUBE_INT_H
#define P2P_SIM_TUBE_INT_H

#include "tube.h"

#include <p2p/base/heap.h>
#include <p2p/base/list.h>
#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#define SEGMENT 16384u /* longest */
#define MAX_PARTS 8u
#define MAX_ORIGINS 8
#define PORT 6881u
#define PHANTOM_MARK 8u /* bytes of each block that are carried of phantom content */
#define RETRY USEC_SEC /* what meets a cut tries again so often */

enum event_kind {
    EV_CONNECTED, /* stream, err: the dialler hears */
    EV_ACCEPT,    /* stream: the dialled hears */
    EV_UPLINK,    /* host: its uplink has room again */
    EV_SEGMENT,   /* stream, side, packet: at link `hop` of their way to that side */
    EV_ACK,       /* stream, side, n, queued: that side hears that they arrived */
    EV_CLOSED,    /* stream, side: that side hears that the other is gone */
    EV_STORED,    /* job … */
    EV_CHECKED,
    EV_LEAVES,
    EV_DONE,
    EV_HTTP,
    EV_RESOLVED,
    EV_WEB_HEAD, /* get */
    EV_WEB_DATA, /* get, n: at link `hop` */
    EV_DATAGRAM, /* data, n: at link `hop`; addr: from whom; from: by whom, NULL: a server */
    EV_MULTICAST,
    EV_CALL /* fn, arg */
};

/* Payload on its way: bytes, or a range of content that is known to be the same everywhere. */
struct part {
    uint32_t n;
    uint32_t at;        /* in packet.bytes, if it is bytes */
    const uint8_t *ref; /* NULL: bytes */
    uint64_t offset;    /* of ref in its content space */
    bool wrong;         /* a liar sent it */
};
struct packet {
    uint32_t n, off; /* in all; taken so far */
    uint32_t n_parts, n_bytes;
    struct part part[MAX_PARTS];
    uint8_t bytes[];
};

struct event {
    usec at;
    enum event_kind kind;
    struct host *host;
    uint32_t life;     /* of the host: it may have been stopped meanwhile */
    uint8_t side, hop; /* side of the stream that it is for */
    bool v1, v2, leaf;
    int err;
    node_id job, task;
    uint32_t piece;
    usec queued;
    size_t n;
    uint8_t *data;         /* owned */
    struct packet *packet; /* owned */
    struct stream *stream; /* counted */
    struct web_get *get;   /* counted */
    struct addr addr;
    struct host *from;
    bool held;          /* it is queued again, or kept by who handled it */
    bool lost;          /* it was, and is on its way again */
    bool judged;        /* whether it is lost */
    uint32_t number;    /* of a segment */
    struct event *next; /* while free; or among the late */
    void (*fn)(struct tube *t, void *arg);
    void *arg;
};

struct queue_slot {
    usec at;
    uint64_t seq;
    struct event *e;
};

/* Bytes pass it one after the other. */
struct link {
    uint64_t rate; /* bytes a second; 0: no limit */
    usec free_at;
};

struct stream_end {
    struct stream *stream;
    struct host *host; /* NULL: gone */
    node_id conn;
    struct addr seen; /* by which the other side knows it */
    size_t place;     /* in host.ends */
    uint32_t life;
    bool up; /* the node knows it */
    bool want_send, reading;
    uint32_t coming; /* segments under way to it */
    uint32_t numbers, expected; /* of the segment sent to it next; of the one that it reads next */
    uint64_t in_flight, window, unacked;
    struct list_node ready; /* in host.ready: it may send */
    uint32_t segment; /* longest that it sends */
    bool avoiding;   /* out of slow start */
    usec reduced_at; /* the window, for the last time */
    struct event *late, *late_last; /* segments that came while the node did not read */
    usec last_arrival; /* before this nothing comes */
};
struct stream {
    struct stream_end end[2]; /* 0: who dialled */
    bool open;
    uint32_t refs; /* events under way */
};

struct web_get {
    struct host *host;
    uint32_t life;
    node_id job;
    int origin, status;
    uint64_t left, content_at, from, total; /* left: not sent yet */
    uint64_t arriving, ready;               /* on the way; here and not taken */
    bool paused, over, flip;
    uint32_t refs; /* events under way */
    struct web_get *next; /* of the host */
};

struct origin {
    char base[200];
    const struct manifest *m;
    const uint8_t *content;
    struct link line;
    uint64_t sent;
    bool no_ranges, dead;
    uint32_t lies, requests;
};

struct tracked {
    uint8_t hash[20];
    struct addr a;
    bool seed;
};

/* A link with a network of its own: a site, or where a single host is at home. */
struct nat;
struct site {
    struct site_config cfg;
    unsigned number;
    struct host **hosts; /* in order of coming */
    uint32_t n_hosts;
    struct link up, down;
    uint64_t in, out;    /* bytes that crossed */
    struct addr outside; /* with NAT: the address of all, IPv4 */
    struct nat *nat;
};

/* Content whose bytes need not be carried about; see tube_phantom. */
struct phantom {
    const struct manifest *m;
    const uint8_t *content;
    struct piecehash_result *piece; /* leaves inside `leaves` */
    uint8_t *leaves;                /* SHA-256 of every block */
    uint32_t *leaf_at;              /* by piece: its first in `leaves` */
};

struct item_state {
    struct item it; /* what the test sees; first */
    const struct phantom *phantom;
    struct bits good; /* of a phantom: blocks of content space that lie on the disk */
    struct magnet link;
    struct node_task_config tc; /* without what is borrowed */
    bool has_link;
    struct bits kept;   /* of an earlier life: pieces verified, */
    struct manifest *m; /* and what it knew */
};

struct host {
    struct tube *tube;
    struct host_config cfg;
    struct node *node; /* NULL: a puppet, or stopped */
    struct site *site;
    struct addr addr, addr6;
    struct addr outside; /* a port mapped for it; family 0: none */
    uint32_t index, blocks_sent, life, island;
    bool dead;
    struct heap_item deadline; /* in tube.deadlines */
    struct link up, down;
    uint64_t sent, received, written;
    usec disk_until; /* it is at work up to then */
    struct addr *banned; /* by its node, as it said */
    size_t n_banned;
    struct item_state **items;
    size_t n_items;
    struct piecehash *hasher;
    struct map *by_conn; /* conn → stream_end */
    struct stream_end **ends;
    size_t n_ends;
    struct list ready;
    bool uplink_awaited;
    struct web_get *gets;
    struct buf dht_memory; /* while stopped */
    struct churner *churner;
    usec absence; /* of a restart */
};

struct tube {
    struct rng rng;
    usec now;
    uint64_t seq, trace, n_handled;
    struct queue_slot *queue;
    size_t n_queue, cap_queue;
    struct event *free_events;
    struct heap deadlines;
    struct host **hosts;
    uint32_t n_hosts, ports;
    struct site **sites; /* numbered from 1 */
    uint32_t n_sites;
    struct map *by_ip; /* address in compact form, without port → place */
    struct tube_datagrams datagrams;
    void (*observe)(struct tube *t, void *arg);
    void *observe_arg;
    usec observe_every, observe_at;
    void (*on_dht)(struct host *h, const struct dht_event *e, void *arg);
    void *on_dht_arg;
    void (*on_start)(struct host *h, void *arg);
    void *on_start_arg;
    struct phantom **phantoms;
    size_t n_phantoms;
    struct origin origin[MAX_ORIGINS];
    int n_origins;
    unsigned stopped, completed;
    bool tracker_dead, tracker_closes;
    struct tracked *tracked;
    size_t n_tracked;
};

/* queue.c */
struct event *tube_event(struct tube *t, usec at, enum event_kind kind);
struct event *host_event(struct host *h, usec at, enum event_kind kind); /* void if it stops */
struct event *event_new(struct tube *t, enum event_kind kind, struct host *h); /* not queued */
void event_again(struct tube *t, struct event *e, usec at);
struct event *queue_peek(const struct tube *t);
struct event *queue_pop(struct tube *t);
void event_free(struct tube *t, struct event *e);
void queue_fini(struct tube *t);

/* tube.c */
void trace_add(struct tube *t, uint64_t v);

/* host.c */
void tube_pump(struct host *h); /* does what its node asks */
void host_free(struct host *h);

/* ops.c */
void op_perform(struct host *h, const struct node_op *op);
void event_handle(struct tube *t, struct event *e);

/* disk.c */
struct item_state *disk_item(struct host *h, node_id task);
void disk_init(struct item_state *s, struct host *h, const struct manifest *m,
               const struct bits *have, const uint8_t *content);
void disk_fini(struct item_state *s);
void disk_store(struct host *h, const struct node_op *op);
void disk_later(struct host *h, const struct node_op *op);
void disk_event(struct tube *t, struct event *e);
void phantom_free(struct phantom *p);

/* net.c */
struct site *site_new(struct tube *t, const struct site_config *c);
void site_free(struct site *s);
void site_join(struct site *s, struct host *h); /* gives it its addresses */
usec net_distance(const struct host *a, const struct host *b);
bool net_cut(const struct host *a, const struct host *b);
bool net_lost(struct host *a, struct host *b);
/*
 * Who gets what h sends from its port to `to`, and by which address it will be seen. NULL: nobody.
 * udp: NATs remember datagrams; of streams they only know the mapped ports.
 */
struct host *net_route(struct host *h, const struct addr *to, bool udp, struct addr *from);
/* Moves on to the next link that takes time, at whose entrance the event is now. True: it has
 * arrived; false: it is queued again, or dropped (*dropped; for datagrams only). */
bool net_hop(struct tube *t, struct event *e, struct host *from, struct host *to, size_t n,
             bool *dropped);
usec net_through(struct link *l, usec from, size_t n); /* when the last of n bytes is through */

/* nat.c */
struct nat *nat_new(enum nat_kind kind, uint64_t seed);
void nat_free(struct nat *n);
uint16_t nat_out(struct nat *n, struct host *h, uint16_t port, const struct addr *to,
                 usec now);
struct host *nat_in(struct nat *n, uint16_t port, const struct addr *from, usec now);
uint16_t nat_map_port(struct nat *n, struct host *h, uint16_t port); /* for ever, for everybody */
struct host *nat_mapped(const struct nat *n, uint16_t port);         /* by nat_map_port */

/* Who gets what a server in the middle of the net sends there. */
struct host *net_route_in(struct tube *t, const struct addr *to, const struct addr *server);
bool net_is_nat(const struct tube *t, const struct addr *a);

/* datagrams.c */
void datagram_op(struct host *h, const struct node_op *op);
void datagram_from_server(struct host *h, const struct addr *server, struct addr seen,
                          struct bytes b);
void multicast_send(struct host *h, const struct node_op *op);
void datagram_event(struct tube *t, struct event *e);
void resolve_ask(struct host *h, const struct node_op *op);
void resolve_event(struct tube *t, struct event *e);

/* streams.c */
void stream_dial(struct host *h, const struct node_op *op);
void stream_close_conn(struct host *h, node_id conn);
void stream_close_all(struct host *h);
void stream_push(struct host *h, node_id conn);
void stream_read_on(struct host *h, node_id conn);
void stream_uplink(struct tube *t, struct event *e);
void stream_event(struct tube *t, struct event *e);
void stream_unref(struct tube *t, struct stream *s);

/* origin.c */
void origin_get(struct host *h, const struct node_op *op);
void origin_event(struct tube *t, struct event *e);
void origin_resume(struct host *h, node_id job);
void origin_cancel(struct host *h, node_id job);
void origin_forget(struct host *h); /* all its transfers end without a word */
void origin_unref(struct tube *t, struct web_get *g);

/* tracker.c */
bool tracker_is_at(const struct addr *a);
struct addr tracker_addr(void);
void tracker_answer(struct host *h, const struct node_op *op);
void tracker_datagram(struct host *h, const struct addr *seen, struct bytes b);

#endif

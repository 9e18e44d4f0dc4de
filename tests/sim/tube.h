/*
 * The test tube: many whole nodes on a simulated internet under virtual time. Disks are memory;
 * trackers and web origins live in it too. Everything follows from the seed: the same calls with
 * the same seed give the same trace (tube_trace).
 *
 * The net. A packet passes its sender's uplink, its site's uplink, a distance, the other site's
 * downlink and the receiver's downlink; links have a rate and a queue. Streams keep order, begin
 * slowly, give way when queues grow or something is lost, and share links fairly enough. Datagrams
 * are lost, dropped when they are longer than an MTU, and turned away by NATs. Behind a NAT a host
 * has a private address; streams from outside reach it by a mapped port only.
 *
 * Two kinds of content. Bytes are carried, stored and hashed as they are; or (tube_phantom) all
 * disks share one copy, of which they know block by block whether it is there and good, and only
 * the first bytes of blocks are carried: for crowds.
 */
#ifndef P2P_SIM_TUBE_H
#define P2P_SIM_TUBE_H

#include <p2p/node/node.h>

struct tube;
struct host;

/* RFC 3489, section 5; see nat.c. */
enum nat_kind { NAT_NONE, NAT_FULL_CONE, NAT_RESTRICTED, NAT_PORT_RESTRICTED, NAT_SYMMETRIC };

/* Somebody who is no node of ours: what comes to its address is given to it (host_say answers). */
typedef void puppet_fn(struct host *h, const struct addr *from, struct bytes b, void *arg);

struct host_config {
    uint64_t up, down; /* bytes a second; 0: unlimited */
    usec delay;        /* one way, to the middle of the net or of its site */
    uint64_t window;   /* bytes in flight in a stream, always; 0: as congestion allows */
    double loss;       /* share of datagrams lost, and of segments of streams that are sent again */
    uint64_t limit_down, limit_up; /* as node_config */
    uint32_t liar;                 /* flips a bit in every n-th block that it sends; 0: honest */
    uint64_t disk; /* bytes a second that it writes; 0: however much */
    uint64_t disk_full_at;         /* bytes after which writes fail; 0: never */
    usec busy;                     /* so long of each second it looks at no clock */
    bool no_trackers, offline;     /* offline: refuses all connections */

    bool udp;              /* sends and receives datagrams; without it no DHT */
    bool dht;              /* runs a node of the DHT, */
    bool dht_read_only;    /* one that only asks (BEP 43) */
    bool no_pex, no_lsd;   /* as node_config; LSD needs a site anyway */
    unsigned prefer_local; /* as node_config */
    bool v6, no_v4;        /* has an IPv6 address too; has no IPv4 address */
    uint32_t mtu;          /* longest IP packet that a datagram may be; 0: 1500 */
    unsigned site;         /* see tube_site; 0: on its own */
    enum nat_kind nat;     /* of a host on its own; for a site see site_config */
    bool mapped;           /* the NAT has a port mapped for it, and its node knows */
    puppet_fn *puppet;     /* instead of a node; with udp only */
    void *puppet_arg;
};

/* What a test wants to know of one item on one host. */
struct item {
    node_id task;
    bool metadata, complete, ended, failed, stopped;
    int code;
    char why[300];
    uint8_t *disk; /* content space, zero where nothing was stored; NULL: phantom */
    uint64_t disk_size;
    uint64_t checkpoints, files_done, pieces;
    uint64_t lent; /* pieces that came to be checked with their blocks */
    usec complete_at;
    bool hold; /* NODE_METADATA is not answered by itself */
};

struct tube *tube_new(uint64_t seed);
void tube_free(struct tube *t);
usec tube_now(const struct tube *t);
struct rng *tube_rng(struct tube *t);

struct host *tube_host(struct tube *t, const struct host_config *c); /* owned by the tube */
struct node *host_node(struct host *h);
struct addr host_addr(const struct host *h); /* where its node listens (IPv4 if it has that) */
struct addr host_addr6(const struct host *h);
/* The address by which the rest of the net knows it. */
struct addr host_public(const struct host *h);
uint32_t host_number(const struct host *h); /* in order of making; "hN.test" is its name */
void host_kill(struct host *h);              /* it and its connections vanish without a word */
/*
 * Stops a host as by a signal that it cannot see, and starts it again: a new node with the disk as
 * it was, the same items (all files wanted) and what its DHT remembered. Items keep their struct,
 * but have a new task number. What else the program would do at its start tube_on_start does.
 */
void host_stop(struct host *h);
void host_start(struct host *h);
bool host_is_up(const struct host *h);
void tube_on_start(struct tube *t, void (*fn)(struct host *h, void *arg), void *arg);
/* Stops all n hosts within `within`, each for `down`: for mass restarts. */
void tube_restart(struct tube *t, struct host *const *v, size_t n, usec within, usec down);
/* From now on the host comes and goes: sessions and absences with these medians, exponential. */
void host_churn(struct host *h, usec up, usec down);
/* Sends a datagram from a puppet's address, or from a node's. */
void host_say(struct host *h, const struct addr *to, struct bytes b);
/* After calls into a host's DHT: it goes on, and its node's operations are done. */
void host_turn(struct host *h);
/* Told of DHT events that nodes pass on (jobs of the caller's own among them). */
void tube_on_dht(struct tube *t, void (*fn)(struct host *h, const struct dht_event *e, void *arg),
                 void *arg);
/* Calls fn at that time. */
void tube_at(struct tube *t, usec at, void (*fn)(struct tube *t, void *arg), void *arg);
/* Adds an item; c->manifest is moved. content: what lies on the disk already, may be NULL. */
struct item *host_add(struct host *h, struct node_task_config *c, const uint8_t *content);
struct item *host_item(struct host *h, node_id task);
bool host_banned(const struct host *h, const struct host *whom); /* has h ever banned it? */
uint64_t host_sent(const struct host *h); /* payload and all, bytes */
uint64_t host_received(const struct host *h);

/*
 * A site: hosts on one link, with addresses side by side, that hear each other's multicasts. Its
 * rates and delay are those between its link and the rest of the net; inside only the hosts' own
 * count. Returns its number for host_config.site. Every host that is on no site has a /16 of its
 * own (and a /32 of IPv6), so that the limits per network are met as in the wild.
 */
struct site_config {
    uint64_t up, down; /* shared by its hosts; 0: unlimited */
    usec delay;        /* one way, to the middle of the net; added to the hosts' */
    enum nat_kind nat; /* all hosts share one IPv4 address */
    bool hairpin;      /* that address works from inside, too */
};
unsigned tube_site(struct tube *t, const struct site_config *c);
struct tube_crossed {
    uint64_t in, out; /* bytes, of streams, datagrams and web origins */
} tube_crossed(const struct tube *t, unsigned site);

/* Partitions: hosts on different islands cannot reach each other; datagrams are lost, streams
 * stand still, dials hang. All begin on island 0, as do trackers and origins. */
void host_island(struct host *h, unsigned island);
void tube_heal(struct tube *t); /* all on island 0 again */

/* What datagrams met: sent, lost on the way, too long, to nobody. */
struct tube_datagrams {
    uint64_t sent, bytes, arrived, lost, too_long, nobody;
};
struct tube_datagrams tube_datagrams(const struct tube *t);

/* A web origin: GETs below this URL prefix are answered from `content` laid out by `m`.
 * no_ranges: whole files only. lies: every n-th request brings a flipped bit. */
void tube_origin(struct tube *t, const char *base, const struct manifest *m, const uint8_t *content,
                 uint64_t rate, bool no_ranges, uint32_t lies);
uint64_t tube_origin_sent(const struct tube *t);
void tube_origin_dead(struct tube *t, bool dead); /* all origins: no answer from now on */
unsigned tube_stopped_announces(const struct tube *t);
unsigned tube_completed_announces(const struct tube *t);
size_t tube_tracker_knows(const struct tube *t); /* how many who have not stopped, of all hashes */
/* http://tracker.test/announce and udp://tracker.test:6969/announce answer for every hash; other
 * host names fail after a while. */
void tube_tracker_dead(struct tube *t, bool dead); /* from now on like those */
/* By HTTP it keeps no connection: each announce has to open one first. */
void tube_tracker_closes(struct tube *t);

/* All hosts that add an item of this manifest have it as phantom content from now on. Both are
 * borrowed until tube_free; pieces must be of whole 16 KiB blocks. */
void tube_phantom(struct tube *t, const struct manifest *m, const uint8_t *content);
/* Does the disk hold all of the content? For both kinds. */
bool item_matches(const struct item *it, const uint8_t *content);

/* A hash over all that has happened so far. */
uint64_t tube_trace(const struct tube *t);
uint64_t tube_events(const struct tube *t); /* how many things happened */

/* Runs until `until(arg)` is true (false result: time `limit` came first). until may be NULL. */
bool tube_run(struct tube *t, usec limit, bool (*until)(void *arg), void *arg);

/* As tube_run, but looks at `until` only so often: for crowds. */
bool tube_run_each(struct tube *t, usec limit, usec every, bool (*until)(void *arg), void *arg);
/* Calls fn so often in virtual time from now on, while the tube runs. One at a time. */
void tube_observe(struct tube *t, usec every, void (*fn)(struct tube *t, void *arg), void *arg);

/* Content and manifests to play with. */
uint8_t *tube_content(struct rng *r, uint64_t n);
struct tube_file {
    const char *path;
    uint64_t length;
};
/* One file (path NULL) or several; format 1: v1, 2: v2, 3: hybrid. *content (content space of
 * random bytes, pads zero) is the caller's. */
struct manifest *tube_manifest(struct rng *r, const char *name, const struct tube_file *v, size_t n,
                               int format, uint32_t piece_length, uint8_t **content);
/* With the trackers, web seeds and nodes that were added to it. */
struct manifest *tube_copy(const struct manifest *m);
/* The same, but private. For one of v1, whose info dictionary ends in what sorts before that. */
struct manifest *tube_private(const struct manifest *m);

#endif

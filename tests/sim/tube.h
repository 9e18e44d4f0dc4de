/*
 * The test tube: many whole nodes on a simulated internet under virtual time. Hosts have rates up
 * and down, a delay and a loss; streams between them keep order, share the rates and arrive late
 * when something was lost. Disks are memory. A tracker and web origins live in it too. Everything
 * follows from the seed.
 */
#ifndef P2P_SIM_TUBE_H
#define P2P_SIM_TUBE_H

#include <p2p/node/node.h>

struct tube;
struct host;

struct host_config {
    uint64_t up, down; /* bytes a second; 0: unlimited */
    usec delay;        /* one way, to the middle of the net */
    uint64_t window;    /* bytes in flight in one stream; 0: 512 KiB */
    double loss;       /* share of segments that are sent twice (they arrive a timeout later) */
    uint64_t limit_down, limit_up; /* as node_config */
    uint32_t liar;                 /* flips a bit in every n-th block that it sends; 0: honest */
    uint64_t disk_full_at;         /* bytes after which writes fail; 0: never */
    bool no_trackers, offline;     /* offline: refuses all connections */

    bool udp;              /* sends and receives datagrams; without it no DHT */
    bool dht;              /* runs a node of the DHT, */
    bool dht_read_only;    /* one that only asks (BEP 43) */
    bool no_pex, no_lsd;   /* as node_config; LSD needs a site anyway */
    unsigned prefer_local; /* as node_config */
    bool v6, no_v4;        /* has an IPv6 address too; has no IPv4 address */
    uint32_t mtu;          /* longest IP packet that a datagram may be; 0: 1500 */
    unsigned site;         /* see tube_site; 0: on its own */
};

/* What a test wants to know of one item on one host. */
struct item {
    node_id task;
    bool metadata, complete, ended, failed, stopped;
    int code;
    char why[300];
    uint8_t *disk; /* content space, zero where nothing was stored */
    uint64_t disk_size;
    uint64_t checkpoints, files_done, pieces;
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
/* Adds an item; c->manifest is moved. content: what lies on the disk already, may be NULL. */
struct item *host_add(struct host *h, struct node_task_config *c, const uint8_t *content);
struct item *host_item(struct host *h, node_id task);
bool host_banned(const struct host *h, const struct host *whom); /* has h ever banned it? */
uint64_t host_sent(const struct host *h); /* payload and all, bytes */

/*
 * A site: hosts on one link, with addresses side by side, that hear each other's multicasts.
 * Returns its number for host_config.site. Every host that is on no site has a /16 of its own (and
 * a /32 of IPv6), so that the limits per network are met as in the wild.
 */
struct site_config {
    usec delay;        /* one way, between its link and the middle of the net; added to the hosts' */
};
unsigned tube_site(struct tube *t, const struct site_config *c);

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
unsigned tube_stopped_announces(const struct tube *t);
/* http://tracker.test/announce answers for every hash; other host names fail after a while. */

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

#endif

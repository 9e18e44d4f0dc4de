/*
 * A whole peer that never saw a socket. Items ("tasks") and connections live in one node; the
 * caller feeds what arrived and the time, and pulls operations to perform. Nothing is called back,
 * so nothing re-enters: two nodes face each other in a unit test, a thousand live in one process
 * under virtual time.
 *
 *      feed  node_connected, node_accepted, node_received, node_closed, node_datagram,
 *            node_stored and the other answers to operations
 *      next  node_next: what to do (dial, close, store a block, fetch a URL …) or what happened
 *      pull  node_send_what: bytes and ranges of content to send on a connection
 *      tick  node_tick, when node_deadline has come
 *
 * The caller performs operations in order; every operation with a `job` is answered exactly once,
 * also when it failed, but need not be after NODE_CANCEL of that job or node_remove of its task.
 * NODE_STORE is always answered, also after node_remove: until then its data is the node's and in
 * use. node_free comes after all of them.
 * `now` never goes backwards. After any call there may be operations: pull until node_next says no.
 */
#ifndef P2P_NODE_NODE_H
#define P2P_NODE_NODE_H

#include <p2p/base/addr.h>
#include <p2p/base/bits.h>
#include <p2p/base/err.h>
#include <p2p/base/rng.h>
#include <p2p/base/usec.h>
#include <p2p/format/magnet.h>
#include <p2p/format/manifest.h>
#include <p2p/format/piecehash.h>
#include <p2p/proto/dht.h>
#include <p2p/swarm/goals.h>
#include <p2p/swarm/waits.h>

#define NODE_MAX_CONNS 200u
#define NODE_MAX_PER_ADDR 4u                /* loopback and the user's own peers are exempt */
#define NODE_MAX_HALF_OPEN 50u              /* dials under way */
#define NODE_MAX_NO_HANDSHAKE 50u           /* accepted without a handshake, */
#define NODE_HANDSHAKE_TIME (10 * USEC_SEC) /* for so long */
#define NODE_DIAL_TIME (15 * USEC_SEC)
#define NODE_IDLE_TIME (150 * USEC_SEC) /* nothing at all received: closed */
#define NODE_KEEPALIVE (100 * USEC_SEC)
#define NODE_MAX_QUEUED 2048u /* requests that a peer may queue; REQQ advertised: */
#define NODE_REQQ 2000u       /* 1 Gbit/s at 100 ms is 763 blocks, and as many wait their turn */
#define NODE_MAX_FAST 16u /* allowed-fast pieces kept of what a peer names */
#define NODE_MAX_UNSTORED (16u << 20) /* bytes waiting for the disk, then sockets are not read; */
#define NODE_MAX_KEPT (8u << 20)      /* of them may be stored, and wait to be judged */
#define NODE_MAX_WAITING_OUT \
    (1u << 20) /* control bytes a peer may let pile up before it is closed */

#define NODE_MAX_BOOTSTRAP 16u   /* hosts; more are not kept */
#define NODE_MAX_NAMED_NODES 32u /* DHT nodes of one manifest or link that are tried */
#define NODE_MAX_PORTS_TOLD 4u   /* PORT messages of one connection that are heeded */
#define NODE_TOLD_NODES_RATE 1u  /* DHT nodes that peers and neighbours name: a second, */
#define NODE_TOLD_NODES_BURST 20u

struct node_config {
    uint8_t peer_id[20];
    const char *client; /* "p2p 0.1.0": told in the extended handshake; borrowed for ever */
    uint16_t port;      /* where we listen; 0: not reachable */
    uint32_t max_conns; /* 0: NODE_MAX_CONNS */
    uint64_t limit_down, limit_up; /* bytes a second, 0: none */
    bool no_trackers, no_web_seeds, no_tcp;
    bool no_dht, no_pex, no_lsd;
    bool udp4, udp6;       /* is there a UDP socket of the family? the DHT runs on those */
    bool dht_read_only;    /* BEP 43: for programs that run for seconds */
    unsigned prefer_local; /* 0: near and far are one; 100: near first in everything */
};

struct node;
typedef uint32_t node_id; /* of a task, a connection or a job; 0 is none; not reused soon */

struct node *node_new(const struct node_config *c, uint64_t seed, usec now);
void node_free(struct node *n);
void node_set_limits(struct node *n, uint64_t down, uint64_t up, usec now);
/* So much of each transfer of a web seed may wait to be read, and be read at once: under a limit
 * the rest is to stay with the server. */
#define NODE_WEB_ROOM (256u << 10) /* without one, both */
size_t node_web_room(const struct node *n);
size_t node_web_portion(const struct node *n);

/* ---- tasks ---- */

struct node_part { /* bytes of content space */
    uint64_t from, end;
};

struct node_task_config {
    const struct magnet
        *link; /* hashes, trackers, peers, web seeds; borrowed during the call; or NULL */
    struct manifest *manifest; /* moved in; or NULL: it is fetched from peers by `link` */
    const struct bits *have;   /* pieces verified and on disk; NULL: none. Only with a manifest */
    const uint8_t *priority; /* per piece 0..7, 0: not wanted; NULL: all 1. Only with a manifest */
    const uint8_t
        *unstored; /* per piece 1: had, but not servable (parts in unselected files); or NULL */
    const struct bits *hold; /* see node_hold; or NULL. Only with a manifest */
    const struct node_part *parts; /* see node_set_parts; or NULL. Only with a manifest */
    size_t n_parts;
    struct goals goals;
    uint64_t uploaded, downloaded; /* from earlier runs: for ratio and trackers */
    uint64_t window; /* bytes that are kept at once (see node_verified); 0: all are */
    bool on_demand;  /* with a window: nothing is wanted but what node_want names */
    bool sequential;
    bool super_seed; /* BEP 16 */
    bool survey;     /* only ask trackers and DHT who has it: NODE_ENDED when all have answered */
    bool manifest_only; /* of the content nothing will be asked for */
    bool trusted;    /* trackers and web seeds were typed by the user: any address is fine */
};
/*
 * Of the pieces that are wanted only these bytes of content space are, which are in order and do
 * not touch. Said before node_begin; in v2 little more is asked for than the blocks that hold them.
 */
void node_set_parts(struct node *n, node_id task, const struct node_part *v, size_t n_parts);
/* With a manifest the task is active at once; without, it fetches metadata, yields NODE_METADATA
 * and waits for node_begin. 0 on error: an item with this hash is here already (ERR_FAIL). */
node_id node_add(struct node *n, const struct node_task_config *c, usec now, struct err *e);
/* Goes on after NODE_METADATA: have, priority and unstored as above. */
void node_begin(struct node *n, node_id task, const struct bits *have, const uint8_t *priority,
                const uint8_t *unstored, usec now);
void node_add_peer(struct node *n, node_id task, const struct addr *a, unsigned pool_source,
                   usec now);
/* "HOST:PORT" that may need a look-up. */
void node_add_peer_name(struct node *n, node_id task, const char *hostport, usec now);
/* Announces `stopped`, closes connections. NODE_STOPPED follows when trackers were told, or after
 * `patience`. Then node_remove. */
void node_stop(struct node *n, node_id task, usec patience, usec now);
void node_remove(struct node *n, node_id task); /* at once; no more about it */
/* Pieces turned out to be lost (their file changed): they are fetched again if wanted. */
void node_lost(struct node *n, node_id task, uint32_t piece, usec now);
/*
 * Puts a complete item to sleep that nobody talks to: it goes on being announced and found, but
 * what the caller can give again (the manifest above all: node_manifest is NULL then) is freed.
 * False: it is at work, or its goals look at the clock. NODE_WANTED tells when somebody asks for
 * it, once; node_wake answers it and may come unasked. Until then callers are kept waiting.
 */
bool node_sleep(struct node *n, node_id task, usec now);
/* The manifest is moved in; the others as in node_begin. False: that is not the item. */
bool node_wake(struct node *n, node_id task, struct manifest *m, const struct bits *have,
               const uint8_t *priority, const uint8_t *unstored, usec now);

/*
 * An item with a window is a stream: of what is wanted, only so much is here at once. Pieces are
 * asked for in their order (some of the rarest in the window first), and none outside of it. The
 * caller reads what is verified, says how far it is, and so moves the window on; what it has read
 * is given to others until its place is needed. Then NODE_FORGET comes, and after the answer,
 * node_forgotten, the place is free.
 */
#define NODE_WINDOW_LEAST 2u /* pieces: one is fetched while the other is read */
size_t node_window_pieces(const struct manifest *m, uint64_t window); /* at once, at most */
/* All wanted content before this offset is verified (of v2 also parts of a piece); UINT64_MAX: all
 * of it. */
uint64_t node_verified(struct node *n, node_id task);
void node_consumed(struct node *n, node_id task, uint64_t offset, usec now); /* all before it */
void node_forgotten(struct node *n, node_id task, uint32_t piece, struct bytes content, usec now);

/*
 * Old content. These pieces the caller looks for elsewhere (it says so before node_begin): nothing
 * of them is asked for until node_found, but the blocks of node_probe. NODE_PROBED says that such a
 * block is stored.
 */
void node_hold(struct node *n, node_id task, const struct bits *pieces);
void node_probe(struct node *n, node_id task, uint32_t piece, uint32_t block, usec now);
/* Asks for the leaf hashes of a held piece: NODE_TOLD_LEAVES. LATER: not now, for all have enough
 * to do, or nobody is there; NEVER: none of those who are there will tell. */
enum node_leaves { NODE_LEAVES_ASKED, NODE_LEAVES_LATER, NODE_LEAVES_NEVER };
enum node_leaves node_want_leaves(struct node *n, node_id task, uint32_t piece, usec now);
void node_alive(struct node *n, node_id task, usec now); /* it goes on, though nothing comes */
bool node_has_peers(const struct node *n, node_id task); /* somebody is connected, */
bool node_is_served(const struct node *n, node_id task); /* and does not choke us */
/*
 * A held piece was looked for. `blocks` NULL: all of it is there, written and good by its hash (v1
 * or v2); else only these blocks are, each good by its leaf hash. `leaves`: the SHA-256 of all
 * blocks, where the manifest has v2; of what was not found it may be anything. What is lacking is
 * asked for from now on.
 */
void node_found(struct node *n, node_id task, uint32_t piece, const struct bits *blocks,
                const uint8_t *leaves, usec now);

/*
 * An item on demand has a window too, and its reader jumps about in it: node_want says where it is,
 * up to where it is sure to read on, and where what it may read ends (offsets of content space).
 * What is here from `at` on is told by node_here, and stays at least until the next node_want;
 * later NODE_FORGET comes for it, as above. It is never complete: node_stop ends it.
 */
#define NODE_DEMAND_TIMES 3u /* so many times its pieces are asked for, all in all; then it fails */
void node_want(struct node *n, node_id task, uint64_t at, uint64_t sure, uint64_t end, usec now);
uint64_t node_here(struct node *n, node_id task, uint64_t at);

/* Borrowed; NULL until known. */
const struct manifest *node_manifest(const struct node *n, node_id task);
const struct bits *node_have(const struct node *n, node_id task);
enum node_state {
    NODE_FETCHING_METADATA,
    NODE_WAITING_BEGIN,
    NODE_DOWNLOADING,
    NODE_SEEDING,
    NODE_HALTED
};

struct node_status {
    enum node_state state;
    uint64_t size, wanted, done;          /* content bytes: all; wanted; wanted and verified */
    uint64_t from_peers, from_web;        /* payload bytes received in this run */
    uint64_t wasted;                      /* received twice, unasked or bad */
    uint64_t uploaded;                    /* payload bytes sent in this run */
    uint64_t from_near, to_near;          /* of from_peers and uploaded: with neighbours */
    uint64_t rate_down, rate_up;          /* bytes a second */
    uint32_t peers, seeds;                /* connected, with handshake; of them complete */
    uint32_t near;                        /* of the peers: neighbours */
    uint32_t known, connecting;           /* candidates; dials under way */
    int64_t tracker_seeds, tracker_peers; /* best answer, in a survey the DHT's too; -1: none */
    uint32_t pieces, pieces_have;
    usec first_byte; /* when the first piece was verified; USEC_NEVER */
    usec started, completed_at;
    usec waited[WAITS]; /* until it was complete */
    bool sources_exhausted; /* no tracker, peer or web seed left that may still bring something */
    const char
        *tracker_error; /* last error of a tracker, "" if none; borrowed until the next call */
    const char *web_error; /* of a web seed, with its host; as the other */
};
bool node_status(struct node *n, node_id task, struct node_status *s, usec now);

/* Of all tasks together, those that are gone too. */
struct node_totals {
    uint64_t uploaded; /* payload bytes sent */
    uint64_t rate_up;
    uint32_t peers; /* connected, with handshake */
};
struct node_totals node_totals(const struct node *n, usec now);

struct node_peer_info {
    struct addr addr;
    char client[48];
    uint64_t rate_down, rate_up;
    bool incoming, seed, choking_us, choked, interested;
};
size_t node_peers(struct node *n, node_id task, struct node_peer_info *out, size_t max, usec now);

/* ---- finding each other ---- */

/*
 * The DHT of the node, for look-ups of the caller's own; NULL: none. Borrowed. After dht_get and
 * the like call node_dht_turn. What it tells of jobs that the node did not begin comes as NODE_DHT,
 * as do DHT_JOINED, DHT_LOST, DHT_EXTERNAL and DHT_NEW_ID.
 */
struct dht *node_dht(struct node *n);
void node_dht_turn(struct node *n, usec now);
/* It will run for longer than dht_read_only was meant for: answers others, announces its items. */
void node_dht_full(struct node *n, usec now);
/* "HOST:PORT" of a node that is there for everybody: resolved and asked when nothing better helps,
 * and again when the network is lost. */
void node_add_bootstrap(struct node *n, const char *hostport, usec now);
/* Of the manifest, of a link, of the user: "HOST:PORT", tried at once. */
void node_add_dht_node(struct node *n, const char *hostport, usec now);
/* Came to a multicast group (LSD). */
void node_multicast(struct node *n, const struct addr *from, struct bytes b, usec now);
/* There is another link for NODE_MULTICAST: who is there is to hear of us soon. */
void node_linked(struct node *n, usec now);
/* A router says what our address is and by which port we are reached (0: no longer). */
void node_mapped(struct node *n, const struct addr *external, usec now);
/* Our public address, by the word of those who are to be believed; false: not known. */
bool node_external(const struct node *n, int family, struct addr *out);

/* ---- connections ---- */

/* Somebody dialled us. 0: refuse, close at once. */
node_id node_accepted(struct node *n, const struct addr *from, usec now);
void node_connected(struct node *n, node_id conn, int err,
                    usec now); /* answer to NODE_DIAL: 0 or negative */
/*
 * Where the next bytes go, in order: a block's own place, places for blocks that may follow, and
 * scratch. 0 spans: do not read now; NODE_RECV tells when to go on. The spans hold until the next
 * call into the node; what came into them is told by node_received.
 */
#define NODE_RECV_SPANS 34
size_t node_recv_where(struct node *n, node_id conn, struct span v[NODE_RECV_SPANS], usec now);
void node_received(struct node *n, node_id conn, size_t bytes, usec now);
void node_closed(struct node *n, node_id conn,
                 usec now); /* by them, or an error; no NODE_CLOSE follows */

struct node_out {
    struct bytes b;  /* bytes to send, if b.p is not NULL */
    uint64_t offset; /* else `length` bytes of the task's content space at `offset` */
    uint32_t length;
    node_id task;
};
/* What to send next, in order; 0: nothing now, NODE_SEND tells when. Holds until the next call. */
size_t node_send_what(struct node *n, node_id conn, struct node_out *v, size_t max, usec now);
void node_sent(struct node *n, node_id conn, size_t bytes, usec now);
/* Content could not be read for sending: the connection cannot be saved and is closed (NODE_CLOSE).
 */
void node_send_failed(struct node *n, node_id conn, const struct err *e, usec now);

/* ---- operations ---- */

enum node_op_kind {
    NODE_NONE,
    /* connections */
    NODE_DIAL,  /* conn, addr, task */
    NODE_CLOSE, /* conn: close it, say no more about it */
    NODE_SEND,  /* conn: node_send_what has something */
    NODE_RECV,  /* conn: reading may go on */
    /* content */
    NODE_STORE, /* job, task, offset, data: write it; with `leaf` also SHA-256 it. → node_stored */
    NODE_CHECK, /* job, task, piece: read the piece, hash it (v1, v2 say which halves). →
                   node_checked */
    NODE_LEAVES, /* job, task, piece: read the piece, SHA-256 of each 16 KiB of it. → node_leaves */
    NODE_FILE_DONE,  /* job, task, file: all of it verified; sync, give it its final name. →
                        node_done */
    NODE_CHECKPOINT, /* job, task: sync what was written, then record have. → node_done */
    NODE_FORGET,     /* task, piece: is to leave the window. → node_forgotten with what it held */
    /* network help */
    NODE_HTTP,    /* job, text (URL), length (most), trusted: fetch a body. → node_http */
    NODE_RESOLVE, /* job, text (host name). → node_resolved */
    NODE_UDP,     /* addr, data: send a datagram */
    NODE_WEB,     /* job, text (URL), offset, length, trusted: fetch that range. → node_web_head,
                     node_web_data, node_web_end */
    NODE_MULTICAST, /* addr, data: to that group, on every link where neighbours may be */
    NODE_CANCEL,  /* job: not needed any more (HTTP, RESOLVE, WEB); no answer */
    /* what happened */
    NODE_METADATA, /* task: node_manifest is here, node_begin is awaited */
    NODE_WANTED,   /* task: it sleeps and is asked for: node_wake, or node_remove */
    NODE_PIECE,    /* task, piece: verified */
    NODE_PROBED,   /* task, piece, offset, length: a block of a held piece is stored */
    NODE_NO_PROBES, /* task: nobody is there who gives single blocks: better to hold nothing more */
    NODE_TOLD_LEAVES, /* task, piece, data, code: as node_want_leaves asked; data is borrowed until
                         node_found */
    NODE_COMPLETE, /* task: all that was wanted is verified and named. To be recorded, unasked */
    NODE_ENDED,    /* task, code, text: its goals say stop. code 0 or ERR_NOTFOUND (gave up) */
    NODE_FAILED,   /* task, code, text: it cannot go on (disk, manifest and data disagree …) */
    NODE_STOPPED,  /* task: trackers were told */
    NODE_NOTICE,   /* task, text: for the user, when verbose */
    NODE_DHT,      /* dht: see node_dht */
    NODE_EXTERNAL, /* addr: what is believed of our public address has changed */
};

struct node_op {
    enum node_op_kind kind;
    node_id task, conn, job;
    struct addr addr;
    uint64_t offset;
    uint64_t length;
    uint32_t piece, file;
    bool leaf, v1, v2;
    bool trusted;      /* the URL was typed by the user */
    bool local;        /* a local address written out in the URL will do (HOSTILE.md, Addresses) */
    struct bytes data; /* borrowed: STORE until node_stored, UDP until the next call */
    /* CHECK: the blocks of the piece, so that they need not be read; borrowed until node_checked */
    const struct bytes *parts;
    uint32_t n_parts; /* 0: they are on the disk alone */
    int code;
    const char *text; /* borrowed until the next node_next */
    const struct dht_event *dht; /* borrowed until the next node_next */
};
bool node_next(struct node *n, struct node_op *op);

/* Answers. `err` is 0 or negative with *why (may be NULL). */
void node_stored(struct node *n, node_id job, int err, const struct err *why,
                 const uint8_t leaf[SHA256_LEN], usec now);
void node_checked(struct node *n, node_id job, int err, const struct err *why,
                  const struct piecehash_result *r, usec now);
void node_leaves(struct node *n, node_id job, int err, const uint8_t *leaves, uint32_t n_leaves,
                 usec now);
void node_done(struct node *n, node_id job, int err, const struct err *why, usec now);
/* The request is not sent on a connection that was kept: one is being opened for it. */
void node_http_opens(struct node *n, node_id job, usec now);
/* It has a connection and is being sent: the server may have it from now on. */
void node_http_sent(struct node *n, node_id job, usec now);
void node_http(struct node *n, node_id job, int err, const struct err *why, int status,
               struct bytes body, usec now);
void node_resolved(struct node *n, node_id job, const struct addr *v, size_t count, usec now);
/* status 206 or 200; `from` and `total` as the server says (total UINT64_MAX: not told). False:
 * cancel it, nothing more will be taken. */
bool node_web_head(struct node *n, node_id job, int status, uint64_t from, uint64_t total,
                   usec now);
/* Takes all of it; false: cancel the transfer (answered already, no node_web_end). *pause: stop
 * reading until NODE_RECV with this job in `job`. */
bool node_web_data(struct node *n, node_id job, struct bytes b, bool *pause, usec now);
void node_web_end(struct node *n, node_id job, int err, const struct err *why, int status,
                  usec now);
void node_datagram(struct node *n, const struct addr *from, struct bytes b, usec now);

usec node_deadline(const struct node *n);
void node_tick(struct node *n, usec now);

#endif

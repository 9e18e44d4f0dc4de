/*
 * The inside of a node, shared by the files of this floor.
 *
 *   node.c      construction, operations queue, jobs, timers
 *   conn.c      one connection's life and its bytes in and out
 *   greet.c     handshakes, attaching a connection to a task   veil.c  encrypted ones
 *   intake.c    where what comes goes
 *   inlet.c     the limit on what comes in, shared by all    flow.c   and on what goes out
 *   slices.c    blocks asked for in parts, under a low limit
 *   message.c   one handler a message, in a table
 *   fetch.c     asking for blocks and taking them         serve.c     answering requests, choking
 *   queue.c     what a peer has asked for, and what of it goes first
 *   spread.c    what a seed leaves to the crowd
 *   metadata.c  the info dictionary, both ways            hashes.c    merkle hashes, both ways
 *   verify.c    stored, checked, whose fault, recorded    blamed.c    evidence and bans
 *   task.c      one item's life                           dial.c      whom to dial when
 *   task_pulse.c  what it does as time goes by: its goals, its rest
 *   announce.c  trackers                                  web.c       web seeds
 *   webmeta.c   the manifest beside a web seed's content
 *   stream.c    items that are read as they come          demand.c    and in any order
 *   alone.c     near seeds, of which one may do
 *   part.c      pieces of which only some bytes are wanted
 *   super.c     super-seeding                             status.c    figures
 *   reuse.c     content that may be here already
 *   hint.c      suggesting pieces, and being suggested some (BEP 6)
 *   finder.c    the DHT: look-ups, announces, joining (finder_join.c)
 *   pex.c       peer exchange (BEP 11)
 *   lsd.c       local service discovery (BEP 14)          self.c      what our own address is
 *   near.c      neighbours first
 *   sleep.c     items that nobody talks to                kept.c      blocks not judged yet
 *
 * Lifetimes: a connection that is closed while its handlers are on the stack goes to node.dead and
 * is freed at the start of the next call from outside. A task removed frees all that is its own.
 */
#ifndef P2P_NODE_NODE_INT_H
#define P2P_NODE_NODE_INT_H

#include "node/give_int.h"
#include "node/idtab.h"
#include "node/intake.h"
#include "node/outq.h"
#include "node/slices.h"

#include <p2p/base/bucket.h>
#include <p2p/base/heap.h>
#include <p2p/base/list.h>
#include <p2p/base/map.h>
#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/node/node.h>
#include <p2p/proto/ext.h>
#include <p2p/proto/tracker.h>
#include <p2p/proto/wire.h>
#include <p2p/swarm/alone.h>
#include <p2p/swarm/blame.h>
#include <p2p/swarm/choker.h>
#include <p2p/swarm/picker.h>
#include <p2p/swarm/pipeline.h>
#include <p2p/swarm/pool.h>
#include <p2p/swarm/rate.h>
#include <p2p/swarm/tiers.h>

#define SCRATCH_LEN (128u << 10)
#define MAX_EARLY_HAVES 65536u /* HAVE messages kept before the number of pieces is known */
#define NO_SENDER UINT32_MAX
/* Leaf hashes computed for an address, a second and at once; for all together four times that. */
#define HASH_RATE 4096u
#define HASH_BURST 16384u
#define MAX_ASKERS 256u /* addresses whose tokens are remembered: more than may be connected */

struct conn;
struct task;
struct web;

struct timer {
    struct heap_item at;
    void (*fire)(struct node *n, struct timer *t, usec now);
};
#define TIMER_OF(t, type, member) ((type *)(void *)((char *)(t)-offsetof(type, member)))

/* A block of payload in memory, from the first byte received until it is stored. */
struct block {
    struct list_node link; /* in the node's free list */
    struct block_ref ref;
    uint32_t len;
    uint32_t sender; /* index in task.senders */
    node_id task;
    uint8_t data[LAYOUT_BLOCK];
};

/* An operation that will be answered. */
struct job {
    node_id id, task;
    void (*drop)(struct node *n, struct job *j); /* frees `arg` when the task goes; may be NULL */
    enum node_op_kind kind;
    void *arg;
    uint32_t piece, file;
    union {
        void (*done)(struct node *, struct job *, int err, const struct err *why, usec now);
        void (*stored)(struct node *, struct job *, int err, const struct err *why,
                       const uint8_t *leaf, usec now);
        void (*checked)(struct node *, struct job *, int err, const struct err *why,
                        const struct piecehash_result *r, usec now);
        void (*leaves)(struct node *, struct job *, int err, const uint8_t *leaves, uint32_t n,
                       usec now);
        void (*http)(struct node *, struct job *, int err, const struct err *why, int status,
                     struct bytes body, usec now);
        void (*resolved)(struct node *, struct job *, const struct addr *v, size_t count, usec now);
    } u;
};

/* Who sent a block: outlives the connection for as long as unverified blocks name it. */
struct sender {
    struct conn *conn; /* NULL once it is gone */
    struct web *web;
    struct addr addr;
    uint32_t blocks; /* received and not yet judged */
    bool used;
};

struct request { /* asked of a peer */
    struct block_ref ref;
    struct slices *of;  /* NULL: it is a whole block, or nobody needs it any more */
    uint32_t from, len; /* in the block */
    usec asked;
    bool coming; /* its header is in */
    bool dead; /* cancelled or dropped by a choke: may still come, is not waited for */
};

struct hash_ask { /* hash request that we sent */
    struct wire_hash_req req;
    usec asked;
    bool late; /* not waited for any more */
};

enum conn_phase { CONN_DIALING, CONN_GREETING, CONN_OPEN, CONN_DEAD };

struct conn {
    node_id id;
    struct node *node;
    struct task *task; /* NULL until an accepted one has named its item */
    struct list_node in_task, in_dead, recv_wait, ask_wait, send_wait;
    struct timer timer;
    struct addr addr;
    bool dial_v2;         /* its address was heard of under the v2 hash only */
    bool says_v2;         /* its handshake did */
    uint16_t listen_port; /* told in the extended handshake, or what we dialled; 0 unknown */
    enum conn_phase phase;
    bool incoming, plain, greeted, v2, fast, extended, said_ext;
    bool am_choking, am_interested, peer_choking, peer_interested, upload_only;
    bool overfull;  /* more control bytes wait than NODE_MAX_WAITING_OUT */
    bool send_woken;   /* while it waits to send: it may come now */
    bool send_first;   /* and before others */
    size_t send_grant; /* content that it may send, */
    size_t recv_share; /* and bytes that it may read, before others that wait, */
    size_t ask_share;  /* and ask for */
    uint64_t due, paid; /* under a limit: bytes asked for; of a message that is coming */
    bool idle_out;  /* the host was told there is nothing to send */
    bool useful;    /* it delivered something good */
    bool told_have; /* BITFIELD, HAVE ALL or HAVE NONE came */
    uint8_t peer_id[20];
    char client[EXT_MAX_CLIENT + 1];

    struct wire *wire;
    struct mse *mse; /* veil.c; while an encrypted handshake is under way */
    struct wire_handshake *held; /* its item sleeps: heard when that is awake, and no more before */
    struct outq out;
    struct block *rx; /* payload under way; NULL while discarding or idle */
    size_t came;      /* bytes, by the last receive */

    bool has_all, early_all; /* a seed; HAVE ALL before the pieces were known */
    struct bits has;         /* unused while has_all */
    struct buf early_bits;
    uint32_t *early_haves;
    uint32_t n_early_haves;

    uint32_t sender; /* index in task.senders; the picker's peer number */
    struct pipeline pipe;
    struct request *req; /* ring in order of asking */
    uint32_t req_head, req_n, req_cap;
    struct list slices; /* blocks that are asked for in parts */
    uint32_t asked_piece; /* of the block asked for last; UINT32_MAX: none */
    usec last_block; /* when one came whole */
    usec last_gave;  /* when payload went to it */
    struct bits fast_in; /* pieces it allows us while choked; n = 0 if none */
    uint32_t fast_out[10];
    uint32_t n_fast_out;

    struct asked *asked; /* ring */
    uint32_t asked_head, asked_n, asked_cap;

    struct ext_handshake ext;
    struct pex *pex;     /* NULL: nothing exchanged yet */
    bool dht;            /* its handshake says that it runs a DHT node */
    uint8_t ports_told;  /* PORT messages that came */
    uint32_t meta_asked; /* metadata requests outstanding */
    usec meta_heard;     /* when it last gave some */
    usec meta_owned;     /* when it was last alone with a candidate; 0: never */
    usec meta_again;     /* it refused: not asked before */
    struct hash_ask hash_ask[8];
    uint32_t n_hash_ask;
    uint32_t rejects; /* since the last block */
    usec layers_again; /* it had no piece layers: not asked before */
    bool no_hashes;    /* it rejected or let time out: not asked again */
    bool gave_leaves;  /* once: if it rejects now, it has too much to do */
    usec leaves_again; /* it rejected: not asked before */

    struct rate down, up; /* payload */
    struct rate fed;      /* what it had of others, as far as it tells a seed */
    usec fed_at, whole_at; /* when it last had some, and told to have all; 0: not yet */
    uint64_t told;        /* bytes in pieces that it said it has, one by one */
    usec hold_until;      /* no requests before: it has just rejected some */
    usec connected_at, last_recv, last_sent, choke_since;
    struct bits shown;     /* pieces revealed to it by super-seeding; n = 0: none yet */
    uint32_t super_credit; /* how many of them it may have that are not passed on */
    unsigned nearness;    /* enum near_class of swarm/near.h */

    uint32_t hint_in[NODE_MAX_FAST]; /* pieces suggested to us, the latest */
    uint32_t n_hint_in;
    struct hint hint_out[MAX_HINTS]; /* and by us, or asked for unsuggested */
    uint32_t hint_at; /* where to look for the next one */
    uint32_t n_hint_out, hints_ignored;
    uint32_t hints_spread, hints_lost; /* pieces given that others had soon, or had not */
    uint32_t gave_piece; /* the piece that the last block given was of, */
    uint32_t gave_bytes; /* and how much of it in a row */
    uint32_t grace_piece; /* it may have the rest of this one although it is choked */
    bool was_interested;  /* once, in something of ours */
    bool owed;            /* it gave little for what it had until we were complete */
    struct mate *mate;    /* while it is open */
};

/* A piece with blocks stored and not yet judged. */
struct open_piece {
    uint32_t piece, n_blocks;
    uint8_t *leaf;   /* n_blocks * 32: what came (v2) */
    uint8_t *want;   /* n_blocks * 32: what must come; NULL: not known */
    bool asked_want; /* a hash request is out */
    bool judging;    /* a check is under way */
    bool all_stored; /* waits for `want` after its root was wrong */
    usec waiting_since;
    struct block **kept; /* by block (kept.c); NULL: none */
    uint32_t n_kept;
    bool unkept; /* it is to be read back */
};

/* Announcing under one info-hash; a hybrid has two. */
struct swarm {
    struct task *task;
    uint8_t hash[20];
    bool v2;
    struct tiers *tiers;
    struct list announces; /* struct announce under way */
    struct seek *seek;     /* finder.c; NULL: not looked for in the DHT */
};

struct metadata_fetch; /* metadata.c */
struct finder;         /* finder.c */
struct seek;
struct pex;            /* pex.c: what a peer has told and was told */
struct parted;
struct lsd;            /* lsd.c */
struct lsd_item;
struct self;           /* self.c */
struct near;           /* near.c: what is known of the neighbours of an item, */
struct mate;           /* and of one peer */
struct layer_fetch;    /* hashes.c */

struct rest { /* what is told of an item that sleeps */
    uint64_t size, left;
    uint32_t pieces, pieces_have;
    bool whole;
    bool called; /* NODE_WANTED was said */
};

struct task {
    node_id id;
    struct node *node;
    enum node_state state;
    struct timer timer;
    struct list_node working; /* linked while it is at work */
    /* What was asked for (copied); hashes of the manifest once known. NULL while it sleeps. */
    struct magnet *link;
    struct manifest *m;
    struct rest *rest; /* NULL: it is awake */
    bool is_private;
    struct swarm swarm[2];
    uint32_t n_swarms;
    usec turn;         /* when it may announce; 0: no turn was taken */
    struct pool *pool; /* may be NULL while it sleeps */
    struct list conns;
    uint32_t n_dialing, n_open;
    uint32_t n_dialled; /* connections that we began */

    struct metadata_fetch *meta;

    struct picker *picker;
    struct bits have;
    uint8_t *priority, *unstored; /* as given, or NULL */
    struct node_part *parts;      /* as given, and pieces of which only they are asked for */
    size_t n_parts;
    struct bits cut;
    usec leaves_at; /* the last time that a peer told leaves of one of them */
    struct bits to_hold;          /* as given, until there is a picker */
    bool told_no_probes;
    struct map *open;             /* piece → open_piece */
    struct blame *blame;
    struct addr *culprits; /* blame's ids are index + 1 */
    uint32_t n_culprits;
    struct sender *senders;
    uint32_t n_senders;
    uint32_t *file_left; /* pieces a file still lacks; UINT32_MAX once done */
    uint32_t file_jobs, store_jobs, check_jobs;
    bool checkpointing, halted, was_complete;
    uint32_t unrecorded; /* pieces verified since the last checkpoint */
    usec last_checkpoint;
    struct layer_fetch *layers; /* piece layers being gathered (hashes.c) */
    uint32_t n_layers, layers_missing;
    uint8_t **uppers;             /* by file: see upper_layer; NULL until one is asked for */

    struct choker choker;
    usec first_at;     /* when somebody last waited for a first copy (queue.c) */
    uint32_t firsts;   /* pieces that came up first where we gave them, */
    usec first_came, last_came; /* and when */
    usec looked_at;             /* whether it may rest */
    uint64_t pace;     /* the most that it sent, bytes a second */
    bool rests;        /* spread.c */
    struct bits begun; /* pieces of which a peer has a part from us, and nobody all */
    uint8_t *on_way;  /* by piece: peers to which a seed has suggested it; NULL: none yet */
    struct web *webs;
    char *web_error; /* of a web seed, the last one; NULL: none */
    uint32_t n_webs;
    uint32_t web_lanes;         /* that bring something; */
    usec web_time, web_counted; /* for so long, up to then, some did */

    struct goals goals;
    bool ended, survey, manifest_only, stop_told;
    bool trusted, super_seed, sequential;
    uint64_t window;       /* bytes; 0: not a stream */
    bool on_demand;        /* the reader says what it wants as it goes */
    struct demand *demand; /* demand.c; NULL: it does not, or nothing is known of its pieces yet */
    struct stream *stream; /* stream.c; NULL: it is none, or nothing is known of its pieces yet */
    uint64_t uploaded0, downloaded0; /* earlier runs */
    uint64_t from_peers, from_web, wasted, uploaded;
    uint64_t wanted_bytes, done_bytes;
    uint64_t have_bytes; /* content bytes verified, wanted or not */
    struct rate *down, *up; /* NULL while it sleeps */
    usec started, first_byte, completed_at, last_arrival, last_upload;
    struct waits waits; /* until it is complete */
    uint64_t fastest; /* fastest peer's rate of late */
    struct alone *alone; /* alone.c; NULL: no near seed was asked so far */
    node_id alone_with;  /* while one is asked alone */
    int64_t tracker_seeds, tracker_peers;
    bool stopping;
    usec stop_by;
    uint32_t resolving; /* names of peers being looked up */
    struct near *near;  /* NULL: none so far */
    struct lsd_item *lsd; /* NULL: not announced to neighbours */
    struct parted *parted; /* pex.c; NULL: none so far */
    uint64_t from_near, to_near;
};

struct op_entry {
    struct node_op op;
    char *text;
};

/* What an address may still ask for of hashes. */
struct asker {
    struct addr addr; /* family 0: a free place */
    struct bucket bucket;
    usec at; /* when it last asked */
};

/* Whose peer exchange was heard of late (pex.c). */
#define MAX_TELLERS 256u
struct teller {
    struct addr addr;
    node_id task;
    unsigned messages;
    usec since;
};

struct node {
    struct node_config cfg;
    struct rng rng;
    usec now;
    struct heap timers;
    struct idtab tasks, conns, jobs;
    struct map *by_hash;  /* 20-byte wire hash → task */
    struct op_entry *ops; /* ring */
    uint32_t ops_head, ops_n, ops_cap;
    char *op_text;    /* of the operation pulled last */
    struct list dead; /* connections to free */
    struct list recv_wait, ask_wait, web_wait, send_wait;
    uint32_t send_asleep; /* of those in send_wait that were not woken */
    struct list free_blocks;
    uint64_t unstored; /* bytes waiting for the disk */
    bool paused_disk;
    usec full_at; /* when reading last began to wait for the disk; 0: never */
    size_t kept; /* bytes, of all tasks */
    struct bucket down, up, words; /* words: of what goes out, what is not content */
    struct timer bucket_timer, pulse;
    uint32_t n_conns, n_open, n_dialing, n_no_handshake;
    struct rate given; /* payload, of all tasks */
    struct list working; /* tasks at work */
    usec turn_at;        /* of seeds that announce */
    struct finder *finder; /* NULL: no DHT */
    struct lsd *lsd;       /* NULL: off */
    struct self *self;
    struct bucket hash_bucket;      /* leaves read for others, all together */
    struct asker askers[MAX_ASKERS];
    struct teller tellers[MAX_TELLERS];
    uint32_t key; /* for trackers */
    struct tracker_udp_cache *udp_cache;
    struct list udp; /* struct announce with a UDP machine */
    struct buf udp_out;
    struct intake intake;
    uint8_t scratch[SCRATCH_LEN];
};

/* node.c */
struct node_op *node_op(struct node *n, enum node_op_kind kind); /* queued; valid until the next */
struct node_op *node_last_op(struct node *n);                    /* the one queued last */
void node_op_text(struct node *n, char *text);                   /* of the one queued last; moved */
void node_notice(struct node *n, struct task *t, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct job *job_new(struct node *n, struct task *t,
                    enum node_op_kind kind); /* queues its operation too */
void job_free(struct node *n, struct job *j);
void job_cancel(struct node *n, struct job *j); /* tells the host; frees it */
void timer_set(struct node *n, struct timer *t, usec at);
void node_beat(struct node *n, usec now); /* there is work for the pulse: at once, if it stood */
struct block *block_new(struct node *n);
void block_free(struct node *n, struct block *b);

/* conn.c */
struct conn *conn_new(struct node *n, const struct addr *a, bool incoming, usec now);
void conn_close(struct conn *c, bool tell_host, const char *why,
                usec now);       /* `why` NULL: ordinary */
void conn_flush(struct conn *c); /* something was queued: the host is told */
void conn_reap(struct node *n);
struct conn *conn_get(struct node *n, node_id id,
                      usec now); /* NULL if it is gone; reaps the dead */
/* Closes the connection that was of no use for longest; false if none is to be spared. */
bool conn_make_room(struct node *n, bool for_near, usec now);
void conn_handle(struct conn *c, usec now); /* the messages that came */
void conn_asks(struct conn *c, usec now);   /* for more, when they were handled */
void conn_heard(struct conn *c, usec now);  /* both */
unsigned conn_count_from(const struct node *n, const struct addr *a);

/* flow.c */
void flow_arm(struct node *n, usec at); /* both limits are looked at then */
size_t flow_may_send(struct conn *c, usec now); /* bytes of content; SIZE_MAX: no limit */
void flow_sent(struct conn *c, uint64_t content, uint64_t words, usec now); /* bytes; the rest */
void flow_wait_send(struct conn *c, usec now);
void flow_wake_senders(struct node *n, usec now);
void flow_late(struct node *n, usec by, usec now); /* it is that so much later than was meant */
void flow_gone(struct conn *c, usec now);

/* greet.c */
void greet_send(struct conn *c, usec now);
bool greet_handshake(struct conn *c, const struct wire_handshake *h, usec now);
void greet_extended(struct conn *c, struct bytes body, usec now);
void greet_pieces_known(struct conn *c,
                        usec now); /* the manifest came: what it told before counts now */

/* message.c */
void message_handle(struct conn *c, const struct wire_msg *m, usec now);

/* fetch.c */
void fetch_more(struct conn *c, usec now); /* asks for blocks if there is room */
void fetch_interest(struct conn *c);
void fetch_all(struct task *t, usec now);
void fetch_choked(struct conn *c, usec now);
void fetch_piece(struct conn *c, const struct wire_msg *m, usec now);
void fetch_piece_done(struct conn *c, const struct wire_msg *m, usec now);
void fetch_reject(struct conn *c, const struct wire_msg *m, usec now);
void fetch_peer_has(struct conn *c, uint32_t piece, usec now);
void fetch_not_had(struct conn *c, uint32_t piece, usec now); /* it will not give what was asked */
void fetch_gone(struct conn *c, usec now); /* the connection ends */
void fetch_tick(struct conn *c, usec now);
bool fetch_peer_has_piece(const struct conn *c, uint32_t piece);
bool fetch_peer_has_all(const struct conn *c);
void fetch_check_seed(struct conn *c, usec now);
/* A block is whole in memory: hands it to the disk, or throws it away. Takes b. */
void fetch_take(struct task *t, struct block *b, usec now);

/* serve.c */
void serve_request(struct conn *c, const struct wire_msg *m, usec now);
void serve_cancel(struct conn *c, const struct wire_msg *m, usec now);
void serve_fill(struct conn *c, size_t may, usec now);
void serve_reject(struct conn *c, uint32_t piece, uint32_t begin, uint32_t length);
void serve_choke(struct conn *c, bool choke, usec now);
void serve_interest(struct conn *c, bool interested, usec now);
void serve_pulse(struct task *t, usec now); /* the choker's rounds, and between them */
void serve_allow_fast(struct conn *c);
void serve_completed(struct conn *c); /* we need nothing more: who owes is remembered */
void serve_have(struct task *t, uint32_t piece, usec now);

/* alone.c */
bool alone_may_ask(struct conn *c, usec now);
void alone_pass(struct conn *c, usec now); /* it cannot be asked now: another may */
bool alone_rests(const struct conn *c); /* it is not asked, as another is */
void alone_dry(struct conn *c, usec now);  /* it has nothing that we could ask for */

/* metadata.c */
void metadata_begin(struct task *t, usec now);
void metadata_end(struct task *t);
void metadata_peer(struct conn *c, usec now); /* it may have metadata for us */
void metadata_message(struct conn *c, struct bytes body, usec now);
void metadata_gone(struct conn *c);
void metadata_pulse(struct task *t, usec now); /* asks again what timed out */

/* webmeta.c */
void webmeta_begin(struct task *t);

/* hashes.c */
void hashes_request(struct conn *c, const struct wire_hash_req *r, usec now);
void hashes_got(struct conn *c, const struct wire_hash_req *r, struct bytes hashes, usec now);
void hashes_rejected(struct conn *c, const struct wire_hash_req *r, usec now);
void hashes_want_leaves(struct conn *c, uint32_t piece,
                        usec now); /* asks c for a piece's leaves if that helps */
void hashes_want_layers(struct conn *c, usec now);
void hashes_tick(struct conn *c, usec now);
bool hashes_may(struct conn *c, uint64_t leaves, usec now); /* its address has tokens: taken */
void hashes_gone(struct conn *c, usec now);
void hashes_layers_init(struct task *t);
void hashes_layers_fini(struct task *t);
void hashes_uppers_free(struct task *t);
/* A piece found good by its v1 hash brings its part of a layer that nobody has sent. */
void hashes_layer_piece(struct task *t, uint32_t piece, const uint8_t root[SHA256_LEN], usec now);
bool hashes_fetchable(const struct task *t,
                      uint32_t piece); /* can it be verified once it is here? */

/* verify.c */
void verify_store(struct task *t, struct block *b, usec now);
void verify_open_free(struct task *t, struct open_piece *o);
struct open_piece *verify_open(struct task *t, uint32_t piece); /* made if need be */
struct open_piece *verify_find(const struct task *t, uint32_t piece);
/* Leaves of the piece from `first` on; of its other blocks none is here, nor asked for. */
void verify_leaves_known(struct task *t, uint32_t piece, uint32_t first, const uint8_t *leaves,
                         uint32_t n, usec now);
void verify_no_leaves(struct task *t, uint32_t piece, usec now);
void verify_judge(struct task *t, struct open_piece *o, usec now);
void verify_good(struct task *t, struct open_piece *o, usec now); /* the verdict; frees it */
void verify_pulse(struct task *t, usec now);
bool verify_busy(const struct task *t); /* something is not recorded yet */
void verify_complete(struct task *t, usec now);
void verify_begin(struct task *t);
void verify_let_go(struct task *t, uint32_t piece); /* had, and no longer */
void verify_recount(struct task *t); /* figures and files after pieces were lost */

/* blamed.c */
uint32_t sender_new(struct task *t, struct conn *c, struct web *w, const struct addr *a);
void sender_left(struct task *t, uint32_t sender);
void sender_unref(struct task *t, uint32_t sender);
void blamed_block(struct task *t, uint32_t sender,
                  usec now); /* it sent a bad block: beyond doubt */
void blamed_piece_failed(struct task *t, struct open_piece *o, const uint8_t *leaves, uint32_t n,
                         usec now);
void blamed_piece_good(struct task *t, uint32_t piece, const uint8_t *leaves, uint32_t n, usec now);
bool blamed_wants_leaves(const struct task *t, uint32_t piece);
void blamed_judged(struct task *t, uint32_t piece); /* senders of the piece's blocks are let go */

/* task.c */
struct task *task_get(const struct node *n, node_id id);
void task_free(struct task *t);
void task_fail(struct task *t, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void task_manifest_here(struct task *t, usec now);
void task_completed(struct task *t, usec now);
void task_tell_lost(struct task *t, uint32_t piece); /* we have it no longer (BEP 54) */
void task_layers_known(struct task *t, uint32_t file, usec now); /* its pieces can be verified */
bool task_complete(const struct task *t); /* all that is wanted is verified */
/* Is the item to be found by its trackers alone (BEP 27)? Unknown before the manifest is here. */
bool task_is_private(const struct task *t);

/* What it has only while it is awake: without a manifest; with one; and none of it. */
void task_get_up(struct task *t, usec now);
void task_set_up(struct task *t, const struct bits *have, const uint8_t *priority,
                 const uint8_t *unstored, usec now);
void task_shed(struct task *t);
void task_hashes(struct task *t);       /* link takes those of the manifest */
struct pool *task_pool(struct task *t); /* made if there is none */

/* task_pulse.c */
void task_pulse(struct task *t, usec now); /* four times a second while it has work */
void task_wake(struct task *t, usec now);  /* it has something to do: beat again */
void task_woken(struct node *n, struct timer *tm, usec now); /* by its timer */
void task_judge_goals(struct task *t, usec now);
usec task_goal(const struct task *t, usec now); /* when its goals look at the clock */
bool task_sources_exhausted(const struct task *t);

/* sleep.c */
/* Of somebody who may be dialled; false: he is none, or known. */
bool sleep_heard(struct task *t, const struct addr *a, unsigned source, bool seed, usec now);
/* Its item sleeps: it is called, and the connection waits. */
bool sleep_holds(struct conn *c, const struct wire_handshake *h, usec now);
void sleep_pulse(struct task *t, usec now);
void sleep_over(struct task *t, usec now); /* who waited is let in, or sent away */

/* dial.c */
void dial_more(struct node *n, usec now);

/* announce.c */
void announce_init(struct task *t, usec now);
void announce_fini(struct task *t);
void announce_run(struct task *t, usec now);
usec announce_deadline(const struct task *t);
bool announce_idle(const struct task *t); /* nothing under way and nothing due any more */
bool announce_exhausted(const struct task *t);
void announce_stop(struct task *t, usec now);
void announce_completed(struct task *t, usec now);
void announce_moved(struct node *n, usec now); /* as finder_moved */
void announce_tick_udp(struct node *n, usec now);
const char *announce_error(const struct task *t);

/* status.c */
void status_turn(struct task *t, usec now); /* what it waits for may be another thing now */

/* web.c */
void web_init(struct task *t, usec now);
void web_fini(struct task *t);
void web_run(struct task *t, usec now);
void web_guilty(struct web *w, usec now); /* w may be NULL */
struct web *web_by_number(struct task *t, uint32_t number);
bool web_exhausted(const struct task *t);
bool web_busy(const struct task *t);           /* a transfer is under way */
usec web_time(const struct task *t, usec now); /* for so long one brought something */
void web_wake(struct node *n, size_t most, usec now); /* so many lanes that wait */

/* finder.c */
void finder_init(struct node *n, usec now);
void finder_fini(struct node *n);
bool finder_datagram(struct node *n, const struct addr *from, struct bytes b, usec now);
void finder_task(struct task *t, usec now);      /* it is here, or its hashes are known now */
void finder_task_gone(struct task *t, usec now); /* it stops, or turned out to be private */
bool finder_exhausted(const struct task *t);     /* it has looked, and nobody is there */
void finder_hurry(struct task *t, usec now);     /* no peers: do not wait for the next turn */
void finder_completed(struct task *t, usec now);
void finder_moved(struct node *n, usec now); /* we are reached by another port */
/* Who was not named by trackers, links or the user is none of ours any more: the item is private.
 * First the candidates; the connections when no handler of one is at work. */
void finder_forget_strangers(struct task *t);
void finder_close_strangers(struct task *t, usec now);

/* finder_join.c */
void finder_port(struct conn *c, uint16_t port, usec now); /* a PORT message came */
void finder_greet(struct conn *c);                         /* says PORT where that is welcome */
/* Somebody near us may run a DHT node there. */
void finder_neighbour(struct node *n, const struct addr *a, usec now);

/* pex.c */
bool pex_on(const struct task *t);
void pex_opened(struct conn *c, usec now); /* it has said which extensions it knows */
void pex_message(struct conn *c, struct bytes body, usec now);
void pex_gone(struct conn *c); /* frees */
void pex_parted(struct conn *c, usec now); /* about to be closed for no fault of its own */
void pex_fini(struct task *t);

/* lsd.c */
void lsd_init(struct node *n, usec now);
void lsd_fini(struct node *n);
void lsd_task(struct task *t, usec now); /* as finder_task */
void lsd_task_gone(struct task *t);

/* self.c */
void self_init(struct node *n);
void self_fini(struct node *n);
/* Somebody says that our address is `a`. `by` NULL: a tracker or router without an address. */
void self_told(struct node *n, const struct addr *by, const struct addr *a, usec now);
void self_agreed(struct node *n, const struct addr *a, usec now); /* the DHT's nodes say so */
void self_met(struct node *n, const struct addr *a); /* it is us who answers there */
bool self_is(const struct node *n, const struct addr *a);
bool self_address(const struct node *n, int family, struct addr *out); /* with our port */
/* The port by which others reach us, as far as is known; 0: they do not. */
uint16_t self_port(const struct node *n, int family);
uint16_t self_port_for(const struct node *n, const struct addr *peer);
void self_task(struct task *t); /* a new one */

/* near.c */
void near_opened(struct conn *c, usec now);
void near_greeted(struct conn *c, usec now); /* its extended handshake is here */
void near_gone(struct conn *c, usec now); /* still in task.conns */
void near_fini(struct task *t);
bool near_by_address(const struct node *n, const struct addr *a); /* and neighbours count */
void near_heard(struct task *t, const struct addr *a, usec now); /* LSD told of it */
void near_pulse(struct task *t, usec now);
unsigned near_strength(const struct conn *c); /* prefer_local if it is a neighbour, else 0 */
void near_has(struct conn *c, uint32_t piece, usec now); /* it has one more */
void near_brought(struct task *t, uint32_t piece, usec now); /* we have one more */
void near_got(struct conn *c, uint32_t bytes);           /* a block came from it */
void near_got_web(struct task *t, uint64_t bytes);
/* Pieces that it, or a web seed, is not asked for: others are to bring them. NULL: none. */
const struct bits *near_hold(const struct conn *c);
const struct bits *near_hold_web(const struct task *t, usec now);
bool near_starves(const struct task *t, usec now); /* web seeds must help out all the same */

#endif

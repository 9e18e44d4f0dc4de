/*
 * A rig: one node under virtual time and, facing it, raw peers that say whatever a test writes.
 * The rig does the host's work in memory (disk, hashing), one millisecond later; it may fail or
 * withhold it. Raw peers come in from outside or wait at an address that the node dials. What the
 * node sends is parsed and counted, and may be answered by a behaviour.
 */
#ifndef P2P_SIM_RAW_H
#define P2P_SIM_RAW_H

#include "tube.h"

#include <p2p/proto/ext.h>
#include <p2p/proto/wire.h>

struct rig;
#define RAW_KINDS 32

struct raw {
    struct rig *rig;
    struct addr addr;
    node_id conn;     /* 0: not connected */
    bool closed;      /* the node closed it (or refused it) */
    bool deaf;        /* does not read what the node sends */
    bool dial_fails;  /* the node's dials get no connection */
    bool begun, veiled; /* its first bytes were no handshake: the answers are no messages */
    struct wire *wire;
    uint8_t *payload; /* of the last PIECE */
    struct buf unread; /* said, and not read by the node yet */
    unsigned got[RAW_KINDS];   /* messages by type; [RAW_HELLO] … below */
    struct wire_msg last[RAW_KINDS];
    struct ext_handshake hello; /* the node's */
    unsigned meta_requests, meta_data, meta_rejects, dials;
    uint64_t bytes_in, piece_bytes;
    /* Called for every message; m->body is borrowed. */
    void (*act)(struct raw *r, const struct wire_msg *m);
    void *arg;
    unsigned lie;     /* raw_serves: every n-th block is wrong */
    unsigned served;
    uint8_t peer_id[20];
};
enum { RAW_HELLO = 24, RAW_KEEPALIVE = 25, RAW_PIECE_WHOLE = 26, RAW_OTHER = 27 };

struct rig_pending;
struct rig {
    struct node *n;
    usec now;
    struct rng rng;
    struct manifest *m;  /* the rig's own copy */
    uint8_t *content;    /* what is true */
    uint8_t *disk;       /* what the node has */
    node_id task;
    bool pumping;
    bool web_by_hand;    /* NODE_WEB waits in `web` until the test answers */
    struct node_op web[8];
    size_t n_web;
    bool hold;           /* operations with a job are not answered */
    unsigned disk_error; /* every n-th disk operation fails, at random; 0: none */
    unsigned ops[NODE_EXTERNAL + 1];
    struct addr named; /* what every host name leads to; family 0: to nothing */
    /* Called for what has neither job nor connection: datagrams, events; NULL: nobody listens. */
    void (*heard)(struct rig *g, const struct node_op *op);
    void *arg;
    uint64_t ticks;
    bool complete, failed, metadata, ended, stopped, auto_begin;
    int code;
    char why[300], notice[300];
    struct raw **raws;
    size_t n_raws;
    struct rig_pending *pending;
    size_t n_pending;
    struct piecehash *hasher;
};

struct rig *rig_new(uint64_t seed, const struct node_config *c); /* c may be NULL */
void rig_free(struct rig *g);
/* Makes content and a manifest of one file (or `n` files). format as tube_manifest. */
void rig_content(struct rig *g, const struct tube_file *v, size_t n, int format, uint32_t piece);
void rig_seed(struct rig *g);
void rig_leech(struct rig *g);               /* by manifest */
void rig_leech_some(struct rig *g, const uint8_t *priority); /* as in node_task_config */
void rig_resume(struct rig *g, const struct bits *have);
void rig_link(struct rig *g, bool v1, bool v2); /* by link, with these of its hashes */
void rig_forget(struct rig *g);              /* the task was removed */
void rig_pump(struct rig *g);                /* does what the node asks, now */
void rig_run(struct rig *g, usec time);      /* virtual time passes */
bool rig_until(struct rig *g, const bool *flag, usec time);

/* A raw peer at 20.0.x.y, numbered by `host`. */
struct raw *raw_new(struct rig *g, unsigned host);
bool raw_comes(struct raw *r);               /* dials the node: false if refused */
void raw_waits(struct raw *r);               /* the node is told of it and may dial it */
void raw_leaves(struct raw *r);
void raw_listens(struct raw *r);             /* no longer deaf: reads what has piled up */
void raw_send(struct raw *r, struct buf *b); /* sends and clears b */
void raw_bytes(struct raw *r, const void *p, size_t n);
void raw_heard(struct raw *r);               /* the rig's: the node reads on */
void raw_simple(struct raw *r, enum wire_type t);
void raw_index(struct raw *r, enum wire_type t, uint32_t index);
void raw_block(struct raw *r, enum wire_type t, uint32_t index, uint32_t begin, uint32_t length);
void raw_piece(struct raw *r, uint32_t index, uint32_t begin, uint32_t length, bool wrong);
void raw_bits(struct raw *r, bool all);      /* BITFIELD of all ones or none */
void raw_handshake(struct raw *r, bool fast, bool extended, bool v2);
void raw_hello(struct raw *r, uint32_t metadata_size); /* extended handshake */
void raw_meta(struct raw *r, enum ext_meta_type t, uint32_t piece, uint32_t total,
              struct bytes data);
/* Comes, shakes hands with fast and extended, and says extended handshake. */
struct raw *raw_friend(struct rig *g, unsigned host);
typedef void raw_behaviour(struct raw *r, const struct wire_msg *m);
struct raw *raw_acting(struct rig *g, unsigned host, raw_behaviour *act);
/* Behaviour: a seed. Answers requests from the rig's content, lying as r->lie says. */
void raw_serves(struct raw *r, const struct wire_msg *m);

#endif

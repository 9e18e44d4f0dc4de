/*
 * KRPC: the datagrams of the DHT (BEP 5, 32, 33, 42, 43, 44, 51), read and written as one value.
 * Reading is strict: canonical bencode, few tokens, lengths that fit; what a message borrows is the
 * datagram's. Writing is canonical, so that reading back gives the same message.
 *
 * Whether a message makes sense now (was this asked, does the token fit) is the owner's to judge.
 */
#ifndef P2P_PROTO_KRPC_H
#define P2P_PROTO_KRPC_H

#include <p2p/base/addr.h>
#include <p2p/base/buf.h>
#include <p2p/base/err.h>

#define KRPC_MAX_IN 2048u    /* longer datagrams are not read */
#define KRPC_MAX_OUT 1024u   /* what we send at most (BEP 32), but for */
#define KRPC_MAX_ITEM 1400u  /* messages that carry an item (BEP 44) */
#define KRPC_MAX_TOKENS 600u /* an item alone may have 500 */
#define KRPC_MAX_TID 32u
#define KRPC_MAX_TOKEN 64u
#define KRPC_MAX_VALUES 50u  /* of one answer; more are not looked at */
#define KRPC_MAX_VALUE 1000u /* bytes of an item (BEP 44) */
#define KRPC_MAX_SALT 64u
#define KRPC_MAX_INTERVAL 21600u /* seconds (BEP 51) */
#define KRPC_ID 20u
#define KRPC_NODE4 26u /* compact node info: id, address, port */
#define KRPC_NODE6 38u
#define KRPC_BLOOM 256u

enum krpc_kind { KRPC_QUERY, KRPC_REPLY, KRPC_ERROR };

enum krpc_method {
    KRPC_PING,
    KRPC_FIND_NODE,
    KRPC_GET_PEERS,
    KRPC_ANNOUNCE_PEER,
    KRPC_GET,
    KRPC_PUT,
    KRPC_SAMPLE,
    KRPC_UNKNOWN, /* a method that we do not know */
};

enum krpc_code { /* of errors: BEP 5, BEP 44 */
                 KRPC_GENERIC = 201,
                 KRPC_SERVER = 202,
                 KRPC_PROTOCOL = 203,
                 KRPC_NO_METHOD = 204,
                 KRPC_TOO_BIG = 205,
                 KRPC_BAD_SIGNATURE = 206,
                 KRPC_SALT_TOO_BIG = 207,
                 KRPC_CAS_MISMATCH = 301,
                 KRPC_SEQ_OLD = 302,
};

#define KRPC_WANT4 1u
#define KRPC_WANT6 2u

/* Slices and pointers with p == NULL (or NULL) are absent. */
struct krpc_msg {
    enum krpc_kind kind;
    enum krpc_method method; /* of a query */
    int fault; /* a query to be refused with this krpc_code; then only tid and id count */
    struct bytes tid, version;
    bool read_only;        /* BEP 43 */
    struct addr ip;        /* BEP 42: where the asker was seen; family 0: not told */
    const uint8_t *id;     /* 20 bytes; in errors and faults perhaps NULL */
    const uint8_t *target; /* 20 bytes: `target` or `info_hash` */
    struct bytes token;
    /* queries */
    unsigned want; /* KRPC_WANT4, KRPC_WANT6; 0: not told */
    bool implied_port, noseed, scrape, seed;
    uint16_t port;
    bool has_port;
    uint16_t pad; /* written only: bytes that make a query longer, see dht.h */
    /* replies */
    struct bytes nodes, nodes6; /* compact, a multiple of KRPC_NODE4, KRPC_NODE6 */
    struct addr values[KRPC_MAX_VALUES];
    size_t n_values;
    const uint8_t *bloom_seeds, *bloom_peers; /* KRPC_BLOOM bytes */
    struct bytes samples;                     /* a multiple of 20 */
    uint32_t interval;                        /* seconds, at most KRPC_MAX_INTERVAL */
    int64_t num;
    /* items, both ways */
    struct bytes value; /* `v` in its bencoded form; can be longer than KRPC_MAX_VALUE */
    const uint8_t *key; /* 32 bytes */
    const uint8_t *sig; /* 64 bytes */
    struct bytes salt;  /* can be longer than KRPC_MAX_SALT */
    int64_t seq, cas;
    bool has_seq, has_cas;
    /* errors */
    int code;
    struct bytes text;
};

/* What could be KRPC among the datagrams of a shared port: not uTP, not a tracker's. */
bool krpc_smells(struct bytes datagram);

/* ERR_INVALID for what deserves no answer. m->fault for what deserves to be refused. */
int krpc_parse(struct krpc_msg *m, struct bytes datagram);
/* Appends the message. */
void krpc_write(struct buf *out, const struct krpc_msg *m);

/* One compact node, appended to (or read from) `at` with the length of its family. */
size_t krpc_put_node(uint8_t *at, const uint8_t id[KRPC_ID], const struct addr *a);
void krpc_get_node(const uint8_t *at, bool v6, const uint8_t **id, struct addr *a);

#endif

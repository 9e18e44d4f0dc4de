/*
 * What is to go out on one connection, in order: messages as bytes and blocks of content as ranges
 * that the host sends from the file itself.
 */
#ifndef P2P_NODE_OUTQ_H
#define P2P_NODE_OUTQ_H

#include <p2p/node/node.h>

struct outq_item {
    uint64_t offset; /* of content; unused for bytes */
    uint32_t left;   /* bytes still to send */
    bool content;
    uint8_t *kept; /* owned: content that the host has no longer; from `offset` on, */
    uint8_t *next; /* and this of it goes next */
};
struct outq {
    struct buf bytes;       /* all messages, in order */
    struct outq_item *v;    /* ring */
    uint32_t head, n, cap;  /* cap is a power of two */
    uint64_t content_left;  /* bytes of content queued */
    size_t noted;           /* bytes of messages that items count already */
};

void outq_fini(struct outq *q);
/* Messages are appended to q->bytes by the wire writers; this notes what was added since. */
void outq_note(struct outq *q);
void outq_content(struct outq *q, uint64_t offset, uint32_t length);
/* What goes next, in order; not more than `may` bytes of content. */
size_t outq_peek(const struct outq *q, node_id task, uint64_t may, struct node_out *v, size_t max);
/* `bytes` went out; returns how many of them were content. */
uint64_t outq_sent(struct outq *q, size_t bytes);
/* The host is about to forget what it has from `offset` on: what is queued of it is copied. An item
 * of the queue never lies half in it. */
void outq_keep(struct outq *q, uint64_t offset, struct bytes content);
bool outq_empty(const struct outq *q);

#endif

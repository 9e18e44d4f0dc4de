/*
 * What is to go out on one connection, in order: messages as bytes and blocks of content as ranges
 * that the host sends from the file itself.
 *
 * What cannot wait for the blocks that are queued (answers that blocks are judged by) goes before
 * the next of them, never inside one. That pushes blocks aside, so it has a bound: what goes
 * between two blocks is taken on up to a size, and while that is going out what comes waits behind
 * a block.
 */
#ifndef P2P_NODE_OUTQ_H
#define P2P_NODE_OUTQ_H

#include <p2p/node/node.h>

#define OUTQ_BATCH (64u << 10) /* bytes between two blocks, and the last message whole */

enum outq_kind { OUTQ_WORDS, OUTQ_SOON, OUTQ_CONTENT };

struct outq_item {
    uint64_t offset; /* of content; unused for bytes */
    uint32_t left;   /* bytes still to send */
    enum outq_kind kind;
    bool fresh;    /* a block's header, or a batch, of which nothing was sent */
    uint8_t *kept; /* owned: content that the host has no longer; from `offset` on, */
    uint8_t *next; /* and this of it goes next */
};
struct outq {
    struct buf bytes;      /* all messages, in order, but for */
    struct buf soon;       /* those that go before blocks */
    struct outq_item *v;   /* ring */
    uint32_t head, n, cap; /* cap is a power of two */
    uint64_t content_left; /* bytes of content queued */
    size_t noted;          /* bytes of messages that items count already */
    size_t soon_noted;     /* and of those that go before blocks; */
    uint32_t soon_end;     /* the last of these is the item before this one; 0: there is none */
};

void outq_fini(struct outq *q);
/* Messages are appended to q->bytes by the wire writers, or to q->soon; this notes what was added
 * since. */
void outq_note(struct outq *q);
/* A block, of which the header is all that was added since. */
void outq_block(struct outq *q, uint64_t offset, uint32_t length);
/* What goes next, in order; not more than `may` bytes of content, nor the header of more. */
size_t outq_peek(const struct outq *q, node_id task, uint64_t may, struct node_out *v, size_t max);
/* `bytes` went out; returns how many of them were content. */
uint64_t outq_sent(struct outq *q, size_t bytes);
/* The host is about to forget what it has from `offset` on: what is queued of it is copied. An item
 * of the queue never lies half in it. */
void outq_keep(struct outq *q, uint64_t offset, struct bytes content);
bool outq_empty(const struct outq *q);
size_t outq_words(const struct outq *q); /* bytes of messages that wait */

#endif

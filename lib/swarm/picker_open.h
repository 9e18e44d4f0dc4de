/*
 * Open pieces: those with a block that is asked for, received or stored. Block state exists for
 * these alone. Pieces with blocks that nobody was asked for ("free") stand in front, so that a
 * search does not meet the others.
 */
#ifndef SWARM_PICKER_OPEN_H
#define SWARM_PICKER_OPEN_H

#include <p2p/swarm/picker.h>

enum block_state { BLOCK_NONE, BLOCK_ASKED, BLOCK_RECEIVED, BLOCK_STORED, BLOCK_STATES };

struct open_block {
    uint32_t peers[PICKER_ENDGAME_COPIES]; /* askers; once received, the first is the sender */
    uint8_t state, copies;
    usec asked_at; /* of the last asker */
};

struct open_piece {
    uint32_t piece, n;
    uint32_t count[BLOCK_STATES]; /* blocks in each state */
    uint32_t padding; /* stored from the start */
    uint32_t hint;    /* no block before it is NONE */
    uint32_t owner;   /* who works on it; PICKER_NO_PEER: nobody does */
    uint8_t speed;    /* of the owner */
    bool shared;      /* blocks may be asked of others than the owner */
    struct open_block b[];
};

struct open_set {
    struct open_piece **v; /* owned; the first n_free have blocks to give */
    uint32_t n, n_free;
    size_t cap;
    uint64_t free_blocks, asked_blocks;
    uint32_t *pos; /* borrowed: place in v by piece, valid for open pieces */
};

void open_init(struct open_set *s, uint32_t *pos);
void open_fini(struct open_set *s);
struct open_piece *open_add(struct open_set *s, const struct picker_shape *shape, uint32_t piece);
void open_remove(struct open_set *s, struct open_piece *o);
void open_set_state(struct open_set *s, struct open_piece *o, uint32_t block, enum block_state to);
/* Nothing of it is asked, received or stored: no reason to be open. */
bool open_is_idle(const struct open_piece *o);
/* Marks up to n free blocks as asked, in order. */
size_t open_take(struct open_set *s, struct open_piece *o, const struct picker_ask *ask,
                 struct block_ref *out, size_t n);
/* Marks this one, which is free. */
void open_take_one(struct open_set *s, struct open_piece *o, uint32_t block,
                   const struct picker_ask *ask);
bool open_asked_of(const struct open_block *b, uint32_t peer);
/* One more asker of a block that is asked for; where there are as many as may be, the first is
 * forgotten (what it sends is taken all the same). */
void open_copy(struct open_piece *o, uint32_t block, const struct picker_ask *ask);
void open_drop(struct open_set *s, struct open_piece *o, uint32_t block, uint32_t peer);
void open_drop_peer(struct open_set *s, struct open_piece *o, uint32_t peer);

#endif

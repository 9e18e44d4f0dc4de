/*
 * Which block to ask whom for.
 *
 * The rules, in order:
 * 1. Only wanted pieces that we lack and the peer has. Of those to be left alone (`avoid`) only
 *    what the peer has begun already.
 * 2. Pieces begun are finished first: the peer's own, and those that nobody works on any more. A
 *    piece of another is joined when little of it is left, when both are slow, when much is begun,
 *    while we have no piece at all, or when no fresh piece is left; so few pieces are open, and
 *    yet most have one sender. A slow peer joins a fast one's piece only if nothing else is left.
 * 3. Among fresh pieces: higher priority first; then, while we have no piece at all, one at random
 *    (so we soon have something to give), later the rarest, ties at random. Among those one that
 *    the peer has suggested (BEP 6) goes first: a seed knows what it is giving to whom, and so two
 *    of a crowd do not have the same piece of it. A suggestion never makes us take what is less
 *    rare. Sequential mode: lowest index first instead, but each fourth time the rarest in a window
 *    ahead: players that all had the same would have nothing to give each other.
 * 4. Endgame: when every missing block that somebody has was asked for, blocks are asked for a
 *    second time (at most ENDGAME_COPIES peers a block, not counting those that were silent for
 *    seconds), those longest outstanding first and few that were asked for this moment; the first
 *    answer cancels the others. One that has enough to do is asked for no such: it would come to
 *    them last anyway, when they are here. A peer that never gave anything leaves the last place to
 *    one that did, and takes nobody's: some unchoke and give nothing.
 * The picker knows nothing of files, hashes or sockets. Peers are small numbers that the owner
 * gives and reuses. Blocks: states none → asked → received → stored; a piece whose blocks are all
 * stored waits for the owner's verdict: picker_have or picker_failed.
 *
 * Cost: pick is about O(blocks returned), not O(pieces); HAVE is O(1). Memory: a few bytes a piece,
 * block state only for open pieces.
 */
#ifndef P2P_SWARM_PICKER_H
#define P2P_SWARM_PICKER_H

#include <p2p/base/bits.h>
#include <p2p/base/rng.h>
#include <p2p/base/usec.h>

#define PICKER_ENDGAME_COPIES 3u
#define PICKER_NO_PEER UINT32_MAX

struct block_ref {
    uint32_t piece, block;
};

struct picker;

/*
 * blocks(ctx, piece): number of 16 KiB blocks; skip(ctx, piece, block): true if the block is
 * padding and counts as had; may be NULL. Both are asked when a piece is opened. A piece that is
 * all padding is never picked: the owner judges it by itself.
 */
struct picker_shape {
    uint32_t n_pieces;
    uint32_t (*blocks)(const void *ctx, uint32_t piece);
    bool (*skip)(const void *ctx, uint32_t piece, uint32_t block);
    const void *ctx;
};

struct picker *picker_new(const struct picker_shape *s, struct rng *r); /* rng is borrowed */
void picker_free(struct picker *p);

/* `window`: so many pieces, from the first that is lacking; 0: not sequential (the default). */
void picker_set_sequential(struct picker *p, uint32_t window);
/* For sequential mode: nothing is asked for from piece `limit` on, until it is moved. What is asked
 * for last before it is as the last of all: others are asked for it too if it does not come. */
void picker_set_limit(struct picker *p, uint32_t limit);
/* 0: not wanted; 1 (the default) to 7: higher first. Open pieces that are unwanted are let go. */
void picker_set_priority(struct picker *p, uint32_t piece, unsigned priority);
/* We have the piece: verified, or from the record. Frees its block state. */
void picker_have(struct picker *p, uint32_t piece);
bool picker_has(const struct picker *p, uint32_t piece);
/* We turned out not to have it (data changed on disk). */
void picker_lost(struct picker *p, uint32_t piece);
uint32_t picker_missing(const struct picker *p);            /* wanted pieces that we lack */
bool picker_wanted(const struct picker *p, uint32_t piece); /* priority > 0 and lacking */
/* Does this peer have anything that we want? O(pieces/64). */
bool picker_interesting(const struct picker *p, const struct bits *peer_has);

/*
 * A held piece is wanted, yet nothing of it is asked for or taken, for its bytes may be had
 * otherwise; only its probes are, and before everything else. To have the piece ends the hold.
 */
void picker_hold(struct picker *p, uint32_t piece, bool hold);
bool picker_holds(const struct picker *p); /* any */
bool picker_is_held(const struct picker *p, uint32_t piece);
void picker_probe(struct picker *p, struct block_ref b); /* until it is stored, or the hold ends */

/* Availability. `all` is for seeds: O(1). */
void picker_peer_have(struct picker *p, uint32_t piece, int delta);
void picker_peer_bits(struct picker *p, const struct bits *has, int delta);
void picker_peer_all(struct picker *p, int delta);
uint32_t picker_availability(const struct picker *p, uint32_t piece);
/* Least availability over all pieces, counting ourselves: whole copies in the swarm. */
uint32_t picker_copies(const struct picker *p);

struct picker_ask {
    uint32_t peer;
    const struct bits *has;  /* what the peer has; NULL: everything (seed) */
    const struct bits *only; /* only of these pieces (allowed fast while choked); NULL: any */
    const struct bits *avoid; /* pieces that others are to bring; NULL: none */
    const uint32_t *hint;     /* pieces that the peer would like to give: first among equals */
    uint32_t n_hint;
    unsigned speed;          /* 0 slow, 1 medium, 2 fast: by the peer's rate */
    bool unproved;           /* nothing ever came of it */
    bool busy;               /* has enough to do: nothing that others were asked for as well */
    bool snubbed;            /* only takes one block at a time, from pieces of its own */
    bool whole_runs;         /* a web seed: prefers long runs of fresh pieces, in order, */
    uint32_t from;           /* from this piece on, and round to it again */
    usec now;
};
/* Chooses up to n blocks and marks them asked of the peer. Returns how many; 0: nothing for it. */
size_t picker_pick(struct picker *p, const struct picker_ask *ask, struct block_ref *out, size_t n);

/* The peer will not deliver (reject, choke, closed, timed out): others may be asked again. */
void picker_drop(struct picker *p, struct block_ref b, uint32_t peer);
/* All blocks asked of this peer are free again; O(open pieces). */
void picker_drop_peer(struct picker *p, uint32_t peer);

enum picker_got {
    PICKER_NEW, /* take it: it is marked received */
    PICKER_DUP, /* somebody was faster: throw it away */
    PICKER_NOT_WANTED,
};
/* A block's payload begins to arrive (PIECE header). It stays "asked" until picker_received. */
bool picker_is_wanted(const struct picker *p, struct block_ref b);
/* The same for data that comes unasked, of a web seed read from end to end: not of a piece that
 * failed and that somebody else is at work on alone. */
bool picker_is_open_to(const struct picker *p, struct block_ref b, uint32_t peer);
/* The payload is in. others[]: peers that were asked as well and get a CANCEL (their marks are
 * removed); *n_others in: room, out: how many. */
enum picker_got picker_received(struct picker *p, struct block_ref b, uint32_t peer,
                                uint32_t *others, size_t *n_others);
/* It is on disk (or was found there: any wanted block may be stored unasked). True when this was
 * the last one: all blocks stored, the piece awaits its verdict. */
bool picker_stored(struct picker *p, struct block_ref b);
/* Writing failed, or this block is known to be bad: wanted again (state none). */
void picker_unstore(struct picker *p, struct block_ref b);
/* Verdict "bad": all blocks are wanted again, of one peer if possible. Senders are forgotten. */
void picker_failed(struct picker *p, uint32_t piece);
/* Who sent the block (the peer of picker_received); PICKER_NO_PEER if none. Until the verdict. */
uint32_t picker_sender(const struct picker *p, struct block_ref b);
bool picker_is_stored(const struct picker *p, struct block_ref b); /* or its piece is had */
/* Peer numbers are reused: forget this one as a sender. */
void picker_forget_sender(struct picker *p, uint32_t peer);
/* Some of its blocks are asked for, received or stored. */
bool picker_is_open(const struct picker *p, uint32_t piece);
bool picker_endgame(const struct picker *p);
uint32_t picker_open_pieces(const struct picker *p);
/* Walks open pieces (for saving or showing): start with UINT32_MAX; UINT32_MAX at the end. */
uint32_t picker_next_open(const struct picker *p, uint32_t piece);

#endif

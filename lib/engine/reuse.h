/*
 * Taking what is here already: from files that the user names and from those of the catalogue, at
 * the place where the new content has it or wherever that has moved to, before anybody is asked.
 *
 * A "way" says where the bytes of a file may be found: in this old file, so many bytes further on.
 * Pieces that match along a way are found, and written (or their blocks shared); pieces next to
 * them are tried along the same way, until it ends ("walking"). Where no way is known, one block is
 * fetched, looked for in the old files by what it holds (base/anchors.h), and so shows the next
 * way. What is left are pieces in which something has changed: if somebody tells their leaf hashes
 * (v2), their unchanged blocks are taken along the ways of their neighbours; where content was put
 * in or taken out, a few blocks tell where the one way ends and the other begins; and the rest is
 * fetched.
 *
 *   reuse.c       what is tried when            reuse_ask.c   what others are asked, and answers
 *   reuse_find.c  which old files to look at    reuse_try.c   reading, hashing, writing (workers)
 *   reuse_walk.c  piece after piece of a way    reuse_twin.c  items that have a file in common
 *   reuse_split.c  what has changed in a piece, where nobody tells hashes of blocks
 *
 * Nothing old is believed: it counts when its hash is that of the manifest, and what is hashed is
 * what is written. Of big items nothing is done for long before they begin to run: pieces that are
 * not looked at yet are held back, and others are fetched meanwhile.
 */
#ifndef LIB_ENGINE_REUSE_H
#define LIB_ENGINE_REUSE_H

#include "engine/content.h"
#include "engine/engine_int.h"

#include <p2p/base/anchors.h>
#include <p2p/host/oldfile.h>

#define REUSE_MOST_OLD 65535u  /* old files of one item */
#define REUSE_MOST_WAYS 65535u /* after so many, content is too mixed up for it to pay */
#define REUSE_BATCH 16u        /* pieces that are tried together, and their bytes: */
#define REUSE_BATCH_BYTES ((uint64_t)8 << 20)
#define REUSE_NONE UINT32_MAX
/* The first way: every file at its own places in the old one that it most likely is. */
#define REUSE_FIRST 1u
#define REUSE_WAYS 4u /* that one piece is tried along, block by block */

struct old {
    char *path;
    uint64_t size;
    uint64_t reused; /* bytes */
};

struct way {
    uint32_t file, old;
    int64_t shift; /* add to the offset in the file */
};

enum reuse_state {
    REUSE_OUT,    /* had, or to be fetched as always */
    REUSE_TWIN,   /* another item of the session is fetching the file */
    REUSE_WAIT,   /* held; nothing is known yet */
    REUSE_TRYING, /* with a worker */
    REUSE_PROBED, /* one of its blocks is fetched or looked for */
    REUSE_SPLIT,  /* some of its blocks are fetched and looked at: reuse_split.c */
    REUSE_MIXED,  /* waits until its leaf hashes may be asked for */
    REUSE_LEAVES, /* they are */
    REUSE_BLOCKS, /* with a worker, block by block */
};

struct reuse_piece {
    uint8_t state;
    uint16_t way;      /* along which it was found: number + 1; 0: none */
    uint16_t hint;     /* a block of it was found along this way; 0: none */
    uint16_t tried[3]; /* the ways that did not lead to it, the latest first */
};

struct walk {
    struct list_node node;
    uint16_t way; /* number + 1 */
    uint32_t at;  /* the next piece */
    int step;     /* 1 or -1 */
    uint32_t misses, batches;
    bool busy;
};

struct likely { /* another old file that a file may be */
    uint32_t file, old, rank;
};

struct reuse {
    struct item *it;
    struct old *olds;
    uint32_t n_olds;
    uint32_t *first; /* of each file: the old one that it most likely is; REUSE_NONE */
    struct likely *more;
    uint32_t n_more, ranks, rank; /* the greatest; the next to be tried, 0 being small files */
    struct way *ways;
    uint32_t n_ways;
    struct reuse_piece *v;
    uint32_t left; /* pieces that are not OUT */
    struct list walks;
    struct anchors *anchors;
    bool indexing, indexed, walked;
    uint32_t n_indexed; /* old files */
    bool running;       /* the node has it */
    bool over;          /* told */
    bool no_probes;     /* nobody is there to ask */
    bool planning;
    uint32_t jobs;
    uint32_t mixed, asked; /* pieces that are MIXED; whose leaves were asked for */
    uint32_t missed;       /* probes in a row that were like nothing */
    usec pause_at;         /* before it runs: begins to run then at the latest */
    usec told_at;          /* when leaf hashes last came, */
    usec heard_at;         /* and a probe, or a worker was at it */
    struct list splits;
    struct twin *twins;
    uint32_t n_twins;
    struct buf warnings; /* of what was named and cannot be read */
    struct list lookups; /* blocks that wait for the anchors */
};

/* ---- reuse.c ---- */
bool reuse_held(const struct reuse *r, uint32_t piece);
uint16_t reuse_way(struct reuse *r, struct way w);  /* number + 1; 0: too many */
void reuse_let_go(struct reuse *r, uint32_t piece); /* to be fetched */
/* `blocks` NULL: all of it. */
void reuse_got(struct reuse *r, uint32_t piece, const struct bits *blocks, const uint8_t *leaves);
bool reuse_begin_job(struct reuse *r, void (*work)(void *arg), void (*done)(void *arg), void *arg);
/* A job is back: false if nothing is to come of it. reuse_job_end follows. */
bool reuse_job_back(struct reuse *r);
void reuse_job_end(struct reuse *r);
/* Content was written that was found along a way: it is counted, and to be recorded. */
void reuse_wrote(struct reuse *r, uint16_t way, uint64_t offset, uint64_t length);
void reuse_probe_missed(struct reuse *r, uint32_t piece);
uint16_t reuse_way_at(const struct reuse *r, uint32_t piece); /* 0: not found, or no piece */
void reuse_failed(struct reuse *r, int code, const struct err *e);

/* ---- reuse_walk.c ---- */
/* From piece `at` on, upwards (1) or downwards (-1). */
void reuse_walk(struct reuse *r, uint16_t way, uint32_t at, int step);
void reuse_walk_first(struct reuse *r); /* each file that has an old one, at its own places */
/* Others that a file may be, once the likeliest were tried. False: there are no more. */
bool reuse_walk_more(struct reuse *r);
void reuse_walk_all(struct reuse *r); /* goes on wherever there is a worker for it */
void reuse_walks_free(struct reuse *r);

/* ---- reuse_find.c: on a worker ---- */
void reuse_find(struct reuse *r, struct catalogue *c);

/* ---- reuse_ask.c ---- */
void reuse_probe(struct reuse *r, uint32_t piece);
void reuse_mixed(struct reuse *r, uint32_t piece);
void reuse_ask_more(struct reuse *r);
void reuse_ask_tick(struct reuse *r);
void reuse_ask_free(struct reuse *r);

uint32_t reuse_probe_block(const struct reuse *r, uint32_t piece);

/* ---- reuse_split.c ---- */
/* Left and right neighbour were found along these ways (0: not). False: it is not worth it. */
bool reuse_split(struct reuse *r, uint32_t piece, uint16_t left, uint16_t right);
void reuse_split_probed(struct reuse *r, uint32_t piece, uint32_t block);
void reuse_splits_drop(struct reuse *r);
void reuse_splits_free(struct reuse *r);

/* ---- reuse_twin.c ---- */
void reuse_twins_begin(struct reuse *r);
bool reuse_twins_wait(const struct reuse *r); /* for any */
void reuse_twins_tick(struct reuse *r);

/* ---- reuse_try.c: on a worker ---- */
struct try_piece {
    uint32_t piece;
    bool hit;
    uint8_t *leaves; /* owned; NULL: the manifest has none */
    uint32_t n_leaves;
    uint8_t root[SHA256_LEN], v1[SHA1_LEN]; /* what it must be, of those known */
    bool has_root, has_v1;
};
struct try_job {
    struct reuse *r;
    struct walk *walk;
    struct way way;
    size_t n;
    struct try_piece v[REUSE_BATCH];
    int code;
    struct err e;
};
void reuse_try(void *job);

/* reuse_walk.c's: on the loop's thread, before one is tried. */
void reuse_take_hash(const struct item *it, struct try_piece *t, uint32_t piece);
/* Content [off, off + n) along a way, or what is in the tree (NULL); false: it is not all there. */
bool reuse_read_along(struct reuse *r, const struct way *w, uint64_t off, uint32_t n, uint8_t *to);
int reuse_write_along(struct reuse *r, const struct way *w, uint64_t off, struct bytes b,
                      struct err *e);
void reuse_judge_bytes(const struct reuse *r, struct try_piece *p, struct bytes b);

struct blocks_job {
    struct reuse *r;
    uint32_t piece;
    size_t n_ways;
    struct way way[REUSE_WAYS];
    uint16_t id[REUSE_WAYS];
    uint8_t *leaves; /* owned: what they must be */
    uint32_t n;      /* blocks */
    uint8_t *along;  /* owned: of each block, the way that it was found along + 1; 0: none */
    int code;
    struct err e;
};
void reuse_try_blocks(void *job);

/* Where a block that came is in the old files. */
struct lookup {
    struct list_node node;
    struct reuse *r;
    uint32_t piece;
    uint64_t offset, length; /* in content space */
    struct way way[2];       /* the likeliest, */
    size_t n_ways;           /* of so many */
};
void reuse_look_up(void *lookup);
void reuse_index(void *reuse);

#endif

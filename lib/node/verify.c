/*
 * From a block in memory to a piece that counts.
 *
 * v2: the leaf hash of each block comes back from the disk job. With the piece's leaves known it is
 * judged at once; else the tree over what came is held against the piece's root when all is there,
 * and if that is wrong the true leaves are asked for, to name the bad block alone.
 * v1: the whole piece is read back and hashed when all its blocks are stored.
 * A hybrid passes both. Progress is recorded in checkpoints: the host syncs, then records. What is
 * complete has none of its own: the host records that without being asked.
 */
#include "node/inlet.h"
#include "node/kept.h"
#include "node/part.h"
#include "node/reuse.h"

#include <p2p/base/num.h>
#include <p2p/format/merkle.h>
#include <stdlib.h>

#define CHECKPOINT_EVERY (5 * USEC_SEC)
#define WAIT_FOR_LEAVES (12 * USEC_SEC)

/* ---- open pieces ---- */

struct open_piece *verify_find(const struct task *t, uint32_t piece)
{
    return map_get(t->open, BYTES(&piece, sizeof piece));
}

struct open_piece *verify_open(struct task *t, uint32_t piece)
{
    struct open_piece *o = verify_find(t, piece);
    if (o)
        return o;
    o = mem_zero(sizeof *o);
    o->piece = piece;
    o->n_blocks = layout_blocks(t->m, piece);
    if (t->m->has_v2)
        o->leaf = mem_zero((size_t)o->n_blocks * SHA256_LEN);
    map_put(t->open, BYTES(&piece, sizeof piece), o);
    return o;
}

void verify_open_free(struct task *t, struct open_piece *o)
{
    if (!o)
        return;
    map_remove(t->open, BYTES(&o->piece, sizeof o->piece));
    kept_drop(t->node, o);
    free(o->leaf);
    free(o->want);
    free(o);
}

/* ---- storing ---- */

/* What waits to be judged lacks blocks that are still to come: it alone must never stop them. */
_Static_assert(NODE_MAX_KEPT <= NODE_MAX_UNSTORED / 2, "reading would never go on");

static void throttle(struct node *n)
{
    size_t held = n->unstored + n->kept;
    if (!n->paused_disk && held >= NODE_MAX_UNSTORED) {
        n->paused_disk = true;
        n->full_at = n->now;
    } else if (n->paused_disk && held <= NODE_MAX_UNSTORED / 2) {
        n->paused_disk = false;
        inlet_turn(n, n->now);
    }
}

static void drop_block(struct node *n, struct job *j)
{
    struct block *b = j->arg;
    n->unstored -= LAYOUT_BLOCK;
    throttle(n);
    free(b);
}

static bool leaf_is_bad(const struct open_piece *o, uint32_t block)
{
    size_t at = (size_t)block * SHA256_LEN;
    return o->want && memcmp(o->leaf + at, o->want + at, SHA256_LEN) != 0;
}

static void bad_block(struct task *t, struct block_ref ref, uint32_t sender, usec now)
{
    t->wasted += layout_block_len(t->m, ref.piece, ref.block);
    picker_unstore(t->picker, ref);
    blamed_block(t, sender, now);
    sender_unref(t, sender);
}

static void block_stored(struct node *n, struct job *j, int err, const struct err *why,
                         const uint8_t *leaf, usec now)
{
    struct block *b = j->arg;
    struct block_ref ref = b->ref;
    struct task *t = task_get(n, j->task);
    uint32_t sender = b->sender;
    n->unstored -= LAYOUT_BLOCK;
    throttle(n);
    t->store_jobs--;
    status_turn(t, now);
    if (err < 0) {
        block_free(n, b);
        picker_unstore(t->picker, ref);
        sender_unref(t, sender);
        task_fail(t, err, "%s", why && why->msg[0] ? why->msg : "cannot write");
        return;
    }
    struct open_piece *o = verify_open(t, ref.piece);
    kept_take(t, o, b);
    if (leaf && o->leaf) {
        memcpy(o->leaf + (size_t)ref.block * SHA256_LEN, leaf, SHA256_LEN);
        if (leaf_is_bad(o, ref.block)) {
            bad_block(t, ref, sender, now);
            return;
        }
    }
    bool all = picker_stored(t->picker, ref);
    reuse_stored(t, ref);
    if (all)
        verify_judge(t, o, now);
}

void verify_store(struct task *t, struct block *b, usec now)
{
    struct node *n = t->node;
    struct job *j = job_new(n, t, NODE_STORE);
    struct node_op *op = node_last_op(n);
    op->offset =
        (uint64_t)b->ref.piece * t->m->piece_length + (uint64_t)b->ref.block * LAYOUT_BLOCK;
    op->length = b->len;
    op->data = BYTES(b->data, b->len);
    op->piece = b->ref.piece;
    op->leaf = t->m->has_v2;
    j->arg = b;
    j->drop = drop_block;
    j->u.stored = block_stored;
    t->store_jobs++;
    n->unstored += LAYOUT_BLOCK; /* what it takes in memory, however short it is */
    throttle(n);
    status_turn(t, now);
}

/* ---- judging ---- */

static void piece_is_bad(struct task *t, struct open_piece *o, usec now)
{
    uint32_t piece = o->piece;
    t->wasted += layout_piece_len(t->m, piece);
    blamed_judged(t, piece);
    picker_failed(t->picker, piece);
    verify_open_free(t, o);
    node_notice(t->node, t, "piece %u does not match its hash: fetched again", (unsigned)piece);
    fetch_all(t, now);
}

/* Who goes for this may be the one that was asked for the piece's leaves: not judged twice. */
static void convict(struct task *t, struct open_piece *o, const uint8_t *leaves, uint32_t n,
                    usec now)
{
    o->all_stored = false;
    o->judging = true;
    blamed_piece_failed(t, o, leaves, n, now);
    piece_is_bad(t, o, now);
}

/* The root over the leaves that came; false for padding, which has none. */
static bool root_of(const struct task *t, const struct open_piece *o, uint8_t root[SHA256_LEN])
{
    uint32_t file, index;
    if (!layout_piece_file(t->m, o->piece, &file, &index))
        return false;
    uint64_t length = t->m->files[file].length, width = t->m->piece_length / MERKLE_BLOCK;
    uint64_t n = merkle_blocks(length) - (uint64_t)index * width;
    if (length <= t->m->piece_length)
        width = num_pow2_ceil(n);
    merkle_root(root, o->leaf, n < width ? n : width, width, 0);
    return true;
}

static bool root_is_right(const struct task *t, const struct open_piece *o, const uint8_t *want)
{
    uint8_t root[SHA256_LEN];
    return !root_of(t, o, root) || memcmp(root, want, SHA256_LEN) == 0;
}

static void with_blame_read(struct node *n, struct job *j, int err, const uint8_t *leaves,
                            uint32_t n_leaves, usec now)
{
    struct task *t = task_get(n, j->task);
    struct open_piece *o = verify_find(t, j->piece);
    t->check_jobs--;
    if (!o)
        return;
    if (err == 0)
        convict(t, o, leaves, n_leaves, now);
    else
        piece_is_bad(t, o, now);
}

static void truth_read(struct node *n, struct job *j, int err, const uint8_t *leaves,
                       uint32_t n_leaves, usec now)
{
    struct task *t = task_get(n, j->task);
    t->check_jobs--;
    if (err == 0)
        blamed_piece_good(t, j->piece, leaves, n_leaves, now);
}

static void read_leaves(struct task *t, uint32_t piece,
                        void (*then)(struct node *, struct job *, int, const uint8_t *, uint32_t,
                                     usec))
{
    struct job *j = job_new(t->node, t, NODE_LEAVES);
    node_last_op(t->node)->piece = piece;
    j->piece = piece;
    j->u.leaves = then;
    t->check_jobs++;
}

/* The root is wrong and nobody is convicted yet: get the true leaves, or blame by comparing. */
static void wrong_root(struct task *t, struct open_piece *o, usec now)
{
    uint32_t piece = o->piece;
    o->all_stored = true;
    if (o->waiting_since == 0)
        o->waiting_since = now;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase == CONN_OPEN && !o->asked_want)
            hashes_want_leaves(c, piece, now);
    }
    if (!o->asked_want)
        convict(t, o, o->leaf, o->n_blocks, now);
}

static void piece_checked(struct node *n, struct job *j, int err, const struct err *why,
                          const struct piecehash_result *r, usec now)
{
    struct task *t = task_get(n, j->task);
    struct open_piece *o = verify_find(t, j->piece);
    t->check_jobs--;
    status_turn(t, now);
    if (!o)
        return;
    o->judging = false;
    if (err < 0) {
        task_fail(t, err, "%s",
                  why && why->msg[0] ? why->msg : "cannot read back what was written");
        return;
    }
    const uint8_t *want = t->m->has_v2 ? piecehash_expected_root(t->m, o->piece) : NULL;
    bool good = memcmp(r->v1, t->m->pieces + (size_t)o->piece * SHA1_LEN, SHA1_LEN) == 0;
    if (good) {
        verify_good(t, o, now);
    } else if (want && !root_is_right(t, o, want)) {
        wrong_root(t, o, now); /* its layer came while the piece was read */
    } else if (want) {
        task_fail(t, ERR_INVALID,
                  "piece %u: the v1 and v2 hashes of the manifest name different content",
                  (unsigned)o->piece);
    } else if (o->leaf) {
        convict(t, o, o->leaf, o->n_blocks, now);
    } else {
        read_leaves(t, o->piece, with_blame_read);
    }
}

void verify_judge(struct task *t, struct open_piece *o, usec now)
{
    const uint8_t *want = t->m->has_v2 ? piecehash_expected_root(t->m, o->piece) : NULL;
    if (o->judging)
        return;
    if (part_cut(t, o->piece)) {
        part_judge(t, o, now);
        return;
    }
    if (want && !root_is_right(t, o, want)) {
        wrong_root(t, o, now);
        return;
    }
    o->all_stored = false;
    if (!t->m->has_v1) {
        verify_good(t, o, now);
        return;
    }
    struct job *j = job_new(t->node, t, NODE_CHECK);
    struct node_op *op = node_last_op(t->node);
    op->piece = j->piece = o->piece;
    op->v1 = true;
    kept_lend(t->node, o, j, op);
    j->u.checked = piece_checked;
    o->judging = true;
    t->check_jobs++;
}

void verify_leaves_known(struct task *t, uint32_t piece, uint32_t first, const uint8_t *leaves,
                         uint32_t n, usec now)
{
    struct open_piece *o = verify_find(t, piece);
    if (!o || o->want)
        return;
    o->want = mem_zero((size_t)o->n_blocks * SHA256_LEN);
    uint32_t most = o->n_blocks - first;
    memcpy(o->want + (size_t)first * SHA256_LEN, leaves,
           (size_t)(n < most ? n : most) * SHA256_LEN);
    static const uint8_t none[SHA256_LEN];
    bool waited = o->all_stored;
    for (uint32_t i = 0; i < o->n_blocks; i++) {
        struct block_ref ref = {piece, i};
        uint32_t sender = picker_sender(t->picker, ref);
        bool here = sender != PICKER_NO_PEER &&
                    memcmp(o->leaf + (size_t)i * SHA256_LEN, none, SHA256_LEN) != 0;
        if (here && leaf_is_bad(o, i)) {
            memset(o->leaf + (size_t)i * SHA256_LEN, 0, SHA256_LEN);
            bad_block(t, ref, sender, now);
        }
    }
    o->all_stored = false;
    reuse_leaves(t, piece, o->want);
    if (waited)
        fetch_all(t, now);
}

void verify_no_leaves(struct task *t, uint32_t piece, usec now)
{
    struct open_piece *o = verify_find(t, piece);
    if (!o || o->want)
        return;
    o->asked_want = false;
    reuse_leaves(t, piece, NULL);
    if (o->all_stored && part_cut(t, piece))
        part_judge(t, o, now);
    else if (o->all_stored)
        wrong_root(t, o, now);
}

/* ---- good pieces, files, checkpoints ---- */

static void file_named(struct node *n, struct job *j, int err, const struct err *why, usec now)
{
    struct task *t = task_get(n, j->task);
    t->file_jobs--;
    if (err < 0)
        task_fail(t, err, "%s", why && why->msg[0] ? why->msg : "cannot give a file its name");
    else
        verify_complete(t, now);
}

static void files_of_piece(struct task *t, uint32_t piece)
{
    struct layout_iter it;
    struct layout_seg seg;
    uint64_t at = (uint64_t)piece * t->m->piece_length;
    layout_iter_init(&it, t->m, at, layout_piece_len(t->m, piece));
    while (layout_iter_next(&it, &seg)) {
        if (seg.pad || seg.length == 0 || --t->file_left[seg.file] > 0)
            continue;
        struct job *j = job_new(t->node, t, NODE_FILE_DONE);
        node_last_op(t->node)->file = j->file = seg.file;
        j->u.done = file_named;
        t->file_jobs++;
    }
}

static uint64_t content_bytes(const struct task *t, uint32_t piece)
{
    struct layout_iter it;
    struct layout_seg seg;
    uint64_t n = 0;
    if (part_cut(t, piece))
        return part_bytes(t, piece);
    layout_iter_init(&it, t->m, (uint64_t)piece * t->m->piece_length,
                     layout_piece_len(t->m, piece));
    while (layout_iter_next(&it, &seg))
        n += seg.pad ? 0 : seg.length;
    return n;
}

void verify_let_go(struct task *t, uint32_t piece)
{
    t->have_bytes -= content_bytes(t, piece);
}

static void senders_were_useful(struct task *t, uint32_t piece)
{
    uint32_t n = layout_blocks(t->m, piece);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = picker_sender(t->picker, (struct block_ref){piece, i});
        if (s < t->n_senders && t->senders[s].conn)
            t->senders[s].conn->useful = true;
    }
}

void verify_good(struct task *t, struct open_piece *o, usec now)
{
    uint32_t piece = o->piece;
    uint8_t root[SHA256_LEN];
    bool cut = part_cut(t, piece); /* nothing is known of its other blocks */
    if (!cut && o->leaf && t->layers_missing && root_of(t, o, root))
        hashes_layer_piece(t, piece, root, now);
    if (t->halted)
        return;
    if (!cut && blamed_wants_leaves(t, piece)) {
        if (o->leaf)
            blamed_piece_good(t, piece, o->leaf, o->n_blocks, now);
        else
            read_leaves(t, piece, truth_read);
    }
    senders_were_useful(t, piece);
    blamed_judged(t, piece);
    verify_open_free(t, o);
    picker_have(t->picker, piece);
    bits_set(&t->have, piece);
    uint64_t bytes = content_bytes(t, piece);
    t->done_bytes += bytes;
    t->have_bytes += bytes;
    t->unrecorded++;
    if (t->first_byte == USEC_NEVER)
        t->first_byte = now;
    struct node_op *op = node_op(t->node, NODE_PIECE);
    op->task = t->id;
    op->piece = piece;
    serve_have(t, piece, now);
    files_of_piece(t, piece);
    verify_complete(t, now);
}

static void checkpointed(struct node *n, struct job *j, int err, const struct err *why, usec now)
{
    struct task *t = task_get(n, j->task);
    t->checkpointing = false;
    t->last_checkpoint = now;
    if (err < 0)
        task_fail(t, err, "%s", why && why->msg[0] ? why->msg : "cannot record progress");
    else
        verify_complete(t, now);
}

static void checkpoint(struct task *t)
{
    struct job *j = job_new(t->node, t, NODE_CHECKPOINT);
    j->u.done = checkpointed;
    t->checkpointing = true;
    t->unrecorded = 0;
}

void verify_complete(struct task *t, usec now)
{
    if (t->was_complete || t->halted || !task_complete(t) || t->file_jobs || t->checkpointing)
        return;
    t->unrecorded = 0; /* who hears of it records it */
    task_completed(t, now);
}

/* Of a piece that nobody works on any more nothing is kept: who rejects all requests, of one piece
 * after the other, would have us keep something of each. */
static bool is_abandoned(const struct task *t, const struct open_piece *o)
{
    return !o->judging && !o->all_stored && !picker_is_open(t->picker, o->piece) &&
           !picker_is_held(t->picker, o->piece);
}

static bool waited_long(const struct task *t, const struct open_piece *o, usec now)
{
    return o->all_stored && !part_cut(t, o->piece) && now - o->waiting_since >= WAIT_FOR_LEAVES;
}

static void look_at_open(struct task *t, usec now)
{
    uint32_t piece[256];
    size_t it = 0, n = 0;
    void *v;
    while (n < sizeof piece / sizeof *piece && map_walk(t->open, &it, NULL, &v)) {
        struct open_piece *o = v;
        if (waited_long(t, o, now) || is_abandoned(t, o))
            piece[n++] = o->piece;
    }
    for (size_t i = 0; i < n; i++) {
        struct open_piece *o = verify_find(t, piece[i]); /* judging one may end another */
        if (o && is_abandoned(t, o)) {
            verify_open_free(t, o);
        } else if (o && waited_long(t, o, now)) {
            convict(t, o, o->leaf, o->n_blocks, now); /* by comparing, nobody else is asked */
        }
    }
}

void verify_pulse(struct task *t, usec now)
{
    bool due = now - t->last_checkpoint >= CHECKPOINT_EVERY || t->stopping;
    if (t->unrecorded > 0 && !t->checkpointing && due && !t->halted)
        checkpoint(t);
    look_at_open(t, now);
    part_pulse(t, now);
}

bool verify_busy(const struct task *t)
{
    return t->store_jobs || t->check_jobs || t->file_jobs || t->checkpointing ||
           (t->unrecorded && !t->halted);
}

void verify_begin(struct task *t)
{
    t->file_left = mem_array(t->m->n_files ? t->m->n_files : 1, sizeof *t->file_left);
    verify_recount(t);
}

void verify_recount(struct task *t)
{
    t->wanted_bytes = t->done_bytes = t->have_bytes = 0;
    for (uint32_t i = 0; i < t->m->n_files; i++) {
        uint32_t first, end;
        layout_file_pieces(t->m, i, &first, &end);
        t->file_left[i] = 0;
        for (uint32_t p = first; p < end; p++)
            t->file_left[i] += !bits_get(&t->have, p);
    }
    for (uint32_t p = 0; p < t->m->n_pieces; p++) {
        bool wanted = !t->priority || t->priority[p] > 0;
        uint64_t n = content_bytes(t, p);
        bool have = bits_get(&t->have, p);
        t->wanted_bytes += wanted ? n : 0;
        t->done_bytes += wanted && have ? n : 0;
        t->have_bytes += have ? n : 0;
    }
}

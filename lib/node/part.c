/* Pieces of which only some bytes are wanted; see part.h. */
#include "node/part.h"

#include <p2p/base/num.h>
#include <p2p/format/merkle.h>
#include <stdlib.h>

#define WAIT_FOR_LEAVES (12 * USEC_SEC) /* without any of any piece */

/* Of the tree of a file, what stands below one of its pieces. */
struct place {
    uint32_t file;
    uint32_t first; /* leaf of the file that the piece begins with */
    uint32_t width; /* leaves, padding counted */
    unsigned top;   /* height of the file's root */
};

static bool place_of(const struct task *t, uint32_t piece, struct place *p)
{
    uint32_t index, per_piece = t->m->piece_length / MERKLE_BLOCK;

    if (!t->m->has_v2 || !layout_piece_file(t->m, piece, &p->file, &index) ||
        !t->m->files[p->file].root)
        return false;
    uint64_t length = t->m->files[p->file].length, blocks = merkle_blocks(length);
    bool small = length <= t->m->piece_length;
    p->first = small ? 0 : index * per_piece;
    p->width = small ? (uint32_t)num_pow2_ceil(blocks) : per_piece;
    p->top = merkle_height(blocks);
    return p->width >= 2;
}

/* ---- which blocks ---- */

static bool wants(const struct task *t, uint64_t from, uint64_t end)
{
    size_t low = 0, high = t->n_parts;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (t->parts[mid].end <= from)
            low = mid + 1;
        else
            high = mid;
    }
    return low < t->n_parts && t->parts[low].from < end;
}

static bool wants_block(const struct task *t, uint32_t piece, uint32_t block)
{
    uint64_t at = (uint64_t)piece * t->m->piece_length + (uint64_t)block * LAYOUT_BLOCK;

    return wants(t, at, at + layout_block_len(t->m, piece, block));
}

bool part_cut(const struct task *t, uint32_t piece)
{
    return t->cut.n > 0 && bits_get(&t->cut, piece);
}

bool part_skips(const struct task *t, uint32_t piece, uint32_t block)
{
    return part_cut(t, piece) && !wants_block(t, piece, block);
}

uint64_t part_bytes(const struct task *t, uint32_t piece)
{
    uint64_t sum = 0;

    for (uint32_t b = 0; b < layout_blocks(t->m, piece); b++)
        sum += wants_block(t, piece, b) ? layout_block_len(t->m, piece, b) : 0;
    return sum;
}

static bool is_worth_cutting(const struct task *t, uint32_t piece)
{
    uint64_t all = 0;
    struct place p;

    if (!place_of(t, piece, &p))
        return false;
    for (uint32_t b = 0; b < layout_blocks(t->m, piece); b++)
        all += layout_block_len(t->m, piece, b);
    uint64_t part = part_bytes(t, piece);
    return part > 0 && part < all;
}

void part_begin(struct task *t, const struct bits *have)
{
    if (t->n_parts == 0 || !t->m->has_v2)
        return;
    bool held = t->to_hold.n > 0; /* what is looked for elsewhere is so as a whole */

    bits_init(&t->cut, t->m->n_pieces);
    for (uint32_t p = 0; p < t->m->n_pieces; p++) {
        bool here = (have && bits_get(have, p)) || (held && bits_get(&t->to_hold, p));

        if (here || (t->priority && t->priority[p] == 0) || !is_worth_cutting(t, p))
            continue;
        bits_set(&t->cut, p);
        if (!t->unstored)
            t->unstored = mem_zero(t->m->n_pieces);
        t->unstored[p] = 1;
    }
}

void node_set_parts(struct node *n, node_id task, const struct node_part *v, size_t n_parts)
{
    struct task *t = task_get(n, task);

    if (!t || t->picker)
        return;
    free(t->parts);
    t->parts = n_parts ? mem_dup(v, n_parts * sizeof *v) : NULL;
    t->n_parts = n_parts;
}

void part_fini(struct task *t)
{
    free(t->parts);
    t->parts = NULL;
    t->n_parts = 0;
    bits_fini(&t->cut);
}

/* ---- their hashes ---- */

/* First and last of the blocks that are wanted. */
static void span_of(const struct task *t, uint32_t piece, uint32_t *first, uint32_t *last)
{
    uint32_t n = layout_blocks(t->m, piece);

    for (*first = 0; *first + 1 < n && !wants_block(t, piece, *first);)
        ++*first;
    for (*last = n - 1; *last > *first && !wants_block(t, piece, *last);)
        --*last;
}

struct wire_hash_req part_req(const struct task *t, uint32_t piece)
{
    struct wire_hash_req r = {.length = 2};
    struct place p = {0};
    uint32_t first, last;

    place_of(t, piece, &p);
    span_of(t, piece, &first, &last);
    while (first / r.length != last / r.length)
        r.length *= 2;
    r.index = p.first + first / r.length * r.length;
    r.proof = p.top - 1;
    memcpy(r.root, t->m->files[p.file].root, SHA256_LEN);
    return r;
}

bool part_is_req(const struct wire_hash_req *r)
{
    return r->base == 0 && r->proof > 0;
}

static bool all_here(const struct task *t, const struct open_piece *o)
{
    for (uint32_t b = 0; b < o->n_blocks; b++)
        if (!picker_is_stored(t->picker, (struct block_ref){o->piece, b}))
            return false;
    return true;
}

void part_got_leaves(struct conn *c, const struct wire_hash_req *r, uint32_t piece,
                     struct bytes hashes, usec now)
{
    struct task *t = c->task;
    struct open_piece *o = verify_find(t, piece);
    struct place p;

    if (!o || o->want || !part_cut(t, piece) || !place_of(t, piece, &p))
        return; /* late: it is proved, or fetched whole */
    if (!merkle_prove(r->root, p.top, 0, r->index, hashes.p, r->length,
                      hashes.p + (size_t)r->length * SHA256_LEN,
                      hashes.n / SHA256_LEN - r->length)) {
        blamed_block(t, c->sender, now);
        verify_no_leaves(t, piece, now);
        return;
    }
    bool waited = o->all_stored;
    c->gave_leaves = true;
    t->leaves_at = now;
    verify_leaves_known(t, piece, r->index - p.first, hashes.p, r->length, now);
    if (waited && all_here(t, o))
        part_judge(t, o, now);
}

/* ---- the verdict ---- */

/* From now on it is fetched like any other. */
static void part_whole(struct task *t, struct open_piece *o, usec now)
{
    uint32_t piece = o->piece, n = o->n_blocks;
    bool wanted = !t->priority || t->priority[piece] > 0;
    uint64_t part = part_bytes(t, piece), all = 0;

    verify_open_free(t, o);
    bits_unset(&t->cut, piece);
    t->unstored[piece] = 0;
    for (uint32_t b = 0; b < n; b++) {
        all += layout_block_len(t->m, piece, b);
        picker_unstore(t->picker, (struct block_ref){piece, b});
    }
    t->wanted_bytes += wanted ? all - part : 0;
    t->wasted += part;
    fetch_all(t, now);
}

void part_judge(struct task *t, struct open_piece *o, usec now)
{
    uint32_t piece = o->piece;

    if (o->want) {
        verify_good(t, o, now);
        return;
    }
    o->all_stored = true;
    if (o->waiting_since == 0)
        o->waiting_since = now;
    bool later = false;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->phase != CONN_OPEN || o->asked_want)
            continue;
        hashes_want_leaves(c, piece, now);
        later |= c->v2 && !c->no_hashes && fetch_peer_has_piece(c, piece);
    }
    if (!o->asked_want && !later)
        part_whole(t, o, now);
}

static bool is_silent(const struct task *t, const struct open_piece *o, usec now)
{
    usec since = t->leaves_at > o->waiting_since ? t->leaves_at : o->waiting_since;

    return now - since >= WAIT_FOR_LEAVES;
}

void part_pulse(struct task *t, usec now)
{
    uint32_t piece[256];
    size_t it = 0, n = 0;
    void *v;

    while (t->cut.ones > 0 && n < sizeof piece / sizeof *piece &&
           map_walk(t->open, &it, NULL, &v)) {
        const struct open_piece *o = v;

        if (o->all_stored && !o->want && part_cut(t, o->piece))
            piece[n++] = o->piece;
    }
    for (size_t i = 0; i < n; i++) {
        struct open_piece *o = verify_find(t, piece[i]);

        if (o && is_silent(t, o, now))
            part_whole(t, o, now);
        else if (o && !o->asked_want)
            part_judge(t, o, now);
    }
}

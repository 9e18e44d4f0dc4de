/*
 * Merkle hashes between peers (BEP 52), both ways.
 *
 * Piece layers are needed before the data of a large file can be verified, when only a link was
 * given: they are fetched in chunks of 512 hashes, each proved against the file's root. Leaf hashes
 * of a piece are asked for beside its blocks where they tell more than its root would (fetch.c), so
 * that every block is judged as it comes. Both are proved on arrival; who sends hashes that do not
 * prove is guilty.
 */
#include "node/part.h"

#include <p2p/base/num.h>
#include <p2p/format/merkle.h>
#include <stdlib.h>

#define CHUNK 512u
#define ASK_TIME (10 * USEC_SEC)
#define MAX_ASKS (sizeof((struct conn *)0)->hash_ask / sizeof(struct hash_ask))
#define LAYER_COST 64u /* of a request that needs no reading, counted in blocks hashed */
#define LAYERS_AGAIN (20 * USEC_SEC) /* who had no layers may have them by then */
#define LEAVES_AGAIN USEC_SEC        /* who told so many that it tells no more will again */

enum ask_state { NEVER_ASKED, ASKED, ASKED_LONG_AGO };

/* A file whose piece layer is being gathered. */
struct layer_fetch {
    uint32_t file, n_pieces, chunk, n_chunks, got;
    uint8_t *hashes; /* n_pieces * 32 */
    uint8_t *state;  /* per chunk: 0 wanted, 1 asked, 2 here */
    struct bits own; /* roots that we computed from data found good by its v1 hash */
};

static void layer_free(struct layer_fetch *l)
{
    free(l->hashes);
    free(l->state);
    bits_fini(&l->own);
}

static unsigned piece_height(const struct manifest *m)
{
    return num_log2(m->piece_length / MERKLE_BLOCK);
}

bool hashes_fetchable(const struct task *t, uint32_t piece)
{
    return t->m->has_v1 || piecehash_expected_root(t->m, piece) != NULL;
}

static void send_ask(struct conn *c, const struct wire_hash_req *r, usec now)
{
    c->hash_ask[c->n_hash_ask++] = (struct hash_ask){.req = *r, .asked = now};
    wire_put_hash_req(&c->out.bytes, WIRE_HASH_REQUEST, r);
    conn_flush(c);
}

static bool same_req(const struct wire_hash_req *a, const struct wire_hash_req *b)
{
    return a->base == b->base && a->index == b->index && a->length == b->length &&
           a->proof == b->proof && memcmp(a->root, b->root, SHA256_LEN) == 0;
}

/* Takes the request that was answered, of two alike the one still waited for. */
static enum ask_state take_ask(struct conn *c, const struct wire_hash_req *r)
{
    uint32_t found = UINT32_MAX;
    for (uint32_t i = 0; i < c->n_hash_ask; i++)
        if (same_req(&c->hash_ask[i].req, r) && (found == UINT32_MAX || !c->hash_ask[i].late))
            found = i;
    if (found == UINT32_MAX)
        return NEVER_ASKED;
    bool late = c->hash_ask[found].late;
    c->hash_ask[found] = c->hash_ask[--c->n_hash_ask];
    return late ? ASKED_LONG_AGO : ASKED;
}

/* ---- leaves of a piece ---- */

/* What to ask for to get the leaves of a piece; false if it has one leaf only or no v2 data. */
static bool leaves_req(const struct task *t, uint32_t piece, struct wire_hash_req *r)
{
    uint32_t file, index;
    if (!layout_piece_file(t->m, piece, &file, &index) || !t->m->files[file].root)
        return false;
    uint64_t blocks = merkle_blocks(t->m->files[file].length);
    uint32_t per_piece = t->m->piece_length / MERKLE_BLOCK;
    bool small = t->m->files[file].length <= t->m->piece_length;
    *r = (struct wire_hash_req){
        .index = small ? 0 : index * per_piece,
        .length = small ? (uint32_t)num_pow2_ceil(blocks) : per_piece,
    };
    memcpy(r->root, t->m->files[file].root, SHA256_LEN);
    return r->length >= 2 && r->length <= WIRE_MAX_HASHES;
}

void hashes_want_leaves(struct conn *c, uint32_t piece, usec now)
{
    struct task *t = c->task;
    struct wire_hash_req r;
    if (!t->m->has_v2 || !c->v2 || c->no_hashes || c->n_hash_ask == MAX_ASKS ||
        c->leaves_again > now)
        return;
    if (!fetch_peer_has_piece(c, piece))
        return;
    if (part_cut(t, piece))
        r = part_req(t, piece);
    else if (!piecehash_expected_root(t->m, piece) || !leaves_req(t, piece, &r))
        return;
    struct open_piece *o = verify_open(t, piece);
    if (o->want || o->asked_want)
        return;
    o->asked_want = true;
    send_ask(c, &r, now);
}

static uint32_t piece_of(const struct task *t, const struct wire_hash_req *r, uint32_t file)
{
    uint32_t first, end;
    layout_file_pieces(t->m, file, &first, &end);
    return first + r->index / (t->m->piece_length / MERKLE_BLOCK);
}

static void got_leaves(struct conn *c, const struct wire_hash_req *r, uint32_t file,
                       struct bytes hashes, usec now)
{
    struct task *t = c->task;
    uint8_t root[SHA256_LEN];
    uint32_t piece = piece_of(t, r, file);
    if (part_is_req(r)) {
        part_got_leaves(c, r, piece, hashes, now);
        return;
    }
    const uint8_t *want = piecehash_expected_root(t->m, piece);
    merkle_root(root, hashes.p, r->length, r->length, 0);
    if (!want || memcmp(root, want, SHA256_LEN) != 0) {
        blamed_block(t, c->sender, now);
        verify_no_leaves(t, piece, now); /* somebody else may tell */
        return;
    }
    c->gave_leaves = true;
    verify_leaves_known(t, piece, 0, hashes.p, r->length, now);
}

/* ---- piece layers ---- */

void hashes_layers_init(struct task *t)
{
    t->layers_missing = manifest_layers_missing(t->m, NULL);
    if (t->layers_missing == 0)
        return;
    t->layers = mem_array(t->layers_missing, sizeof *t->layers);
    for (uint32_t i = 0; i < t->m->n_files; i++) {
        const struct manifest_file *f = &t->m->files[i];
        if (!f->root || f->layer || f->length <= t->m->piece_length)
            continue;
        struct layer_fetch *l = &t->layers[t->n_layers++];
        l->file = i;
        l->n_pieces = (uint32_t)num_ceil_div(f->length, t->m->piece_length);
        uint64_t width = num_pow2_ceil(l->n_pieces);
        l->chunk = width < CHUNK ? (uint32_t)width : CHUNK;
        l->n_chunks = (uint32_t)num_ceil_div(l->n_pieces, l->chunk);
        l->state = mem_zero(l->n_chunks);
    }
}

void hashes_layers_fini(struct task *t)
{
    for (uint32_t i = 0; i < t->n_layers; i++)
        layer_free(&t->layers[i]);
    free(t->layers);
    t->layers = NULL;
    t->n_layers = 0;
}

static struct wire_hash_req layer_req(const struct task *t, const struct layer_fetch *l,
                                      uint32_t chunk)
{
    unsigned base = piece_height(t->m);
    unsigned top = merkle_height(merkle_blocks(t->m->files[l->file].length));
    struct wire_hash_req r = {
        .base = base, .index = chunk * l->chunk, .length = l->chunk, .proof = top - base - 1};
    memcpy(r.root, t->m->files[l->file].root, SHA256_LEN);
    return r;
}

void hashes_want_layers(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (!c->v2 || c->layers_again > now)
        return;
    for (uint32_t i = 0; i < t->n_layers && c->n_hash_ask < MAX_ASKS; i++) {
        struct layer_fetch *l = &t->layers[i];
        for (uint32_t k = 0; k < l->n_chunks && c->n_hash_ask < MAX_ASKS; k++) {
            if (l->state[k] != 0)
                continue;
            struct wire_hash_req r = layer_req(t, l, k);
            l->state[k] = 1;
            send_ask(c, &r, now);
        }
    }
}

static struct layer_fetch *find_layer(const struct task *t, uint32_t file)
{
    for (uint32_t i = 0; i < t->n_layers; i++)
        if (t->layers[i].file == file)
            return &t->layers[i];
    return NULL;
}

static void layer_whole(struct task *t, struct layer_fetch *l, usec now)
{
    struct err e = {0};
    uint32_t file = l->file;
    if (manifest_set_layer(t->m, file, BYTES(l->hashes, (size_t)l->n_pieces * SHA256_LEN), &e) <
        0) {
        /* chunks were proved as they came: only pieces good by their v1 hashes can disagree */
        task_fail(t, ERR_INVALID, "the v1 and v2 hashes of the manifest name different content");
        return;
    }
    layer_free(l);
    *l = t->layers[--t->n_layers];
    t->layers_missing--;
    task_layers_known(t, file, now);
}

void hashes_layer_piece(struct task *t, uint32_t piece, const uint8_t root[SHA256_LEN], usec now)
{
    uint32_t file, index;
    struct layer_fetch *l =
        layout_piece_file(t->m, piece, &file, &index) ? find_layer(t, file) : NULL;
    if (!l)
        return;
    if (!l->hashes)
        l->hashes = mem_zero((size_t)l->n_pieces * SHA256_LEN);
    if (!l->own.n)
        bits_init(&l->own, l->n_pieces);
    if (!bits_set(&l->own, index))
        return;
    memcpy(l->hashes + (size_t)index * SHA256_LEN, root, SHA256_LEN);
    if (bits_full(&l->own))
        layer_whole(t, l, now);
}

static void got_layer(struct conn *c, const struct wire_hash_req *r, uint32_t file,
                      struct bytes hashes, usec now)
{
    struct task *t = c->task;
    struct layer_fetch *l = find_layer(t, file);
    if (!l || r->index % l->chunk != 0 || r->index / l->chunk >= l->n_chunks)
        return;
    uint32_t chunk = r->index / l->chunk;
    if (l->state[chunk] == 2)
        return; /* one was late, and asked of another meanwhile */
    unsigned top = merkle_height(merkle_blocks(t->m->files[file].length));
    size_t n_proof = hashes.n / SHA256_LEN - r->length;
    if (!merkle_prove(r->root, top, r->base, r->index, hashes.p, r->length,
                      hashes.p + (size_t)r->length * SHA256_LEN, n_proof)) {
        l->state[chunk] = 0;
        blamed_block(t, c->sender, now);
        return;
    }
    if (!l->hashes)
        l->hashes = mem_zero((size_t)l->n_pieces * SHA256_LEN);
    uint32_t n = l->n_pieces - r->index < r->length ? l->n_pieces - r->index : r->length;
    memcpy(l->hashes + (size_t)r->index * SHA256_LEN, hashes.p, (size_t)n * SHA256_LEN);
    l->state[chunk] = 2;
    t->last_arrival = now;
    if (++l->got == l->n_chunks)
        layer_whole(t, l, now);
}

/* ---- answers ---- */

void hashes_got(struct conn *c, const struct wire_hash_req *r, struct bytes hashes, usec now)
{
    struct task *t = c->task;
    if (!t->m || !t->picker || take_ask(c, r) == NEVER_ASKED) {
        conn_close(c, true, "sends hashes that were not asked for", now);
        return;
    }
    if (hashes.n / SHA256_LEN < r->length) {
        conn_close(c, true, "sends too few hashes", now);
        return;
    }
    uint32_t file = manifest_find_root(t->m, r->root);
    if (file == UINT32_MAX)
        return;
    if (r->base == 0 && piece_height(t->m) > 0)
        got_leaves(c, r, file, hashes, now);
    else
        got_layer(c, r, file, hashes, now);
    part_pulse(t, now);
    if (c->phase == CONN_OPEN)
        hashes_want_layers(c, now);
}

static void not_coming(struct conn *c, const struct wire_hash_req *r, usec now)
{
    struct task *t = c->task;
    uint32_t file = manifest_find_root(t->m, r->root);
    if (file == UINT32_MAX)
        return;
    if (r->base == 0 && piece_height(t->m) > 0) {
        c->no_hashes = !c->gave_leaves;
        c->leaves_again = now + LEAVES_AGAIN;
        verify_no_leaves(t, piece_of(t, r, file), now);
        return;
    }
    struct layer_fetch *l = find_layer(t, file);
    c->layers_again = now + LAYERS_AGAIN;
    if (l && r->index / l->chunk < l->n_chunks && l->state[r->index / l->chunk] == 1)
        l->state[r->index / l->chunk] = 0;
}

void hashes_rejected(struct conn *c, const struct wire_hash_req *r, usec now)
{
    if (c->task->m && c->task->picker && take_ask(c, r) == ASKED)
        not_coming(c, r, now);
}

/* Behind data that fills its line a peer's answer may come late: that is no offence. */
void hashes_tick(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (!t->m || !t->picker)
        return;
    for (uint32_t i = 0; i < c->n_hash_ask; i++) {
        if (c->hash_ask[i].late || now - c->hash_ask[i].asked < ASK_TIME)
            continue;
        struct wire_hash_req r = c->hash_ask[i].req;
        c->hash_ask[i].late = true;
        not_coming(c, &r, now);
        if (c->phase != CONN_OPEN)
            return; /* that convicted it */
    }
    hashes_want_layers(c, now);
}

void hashes_gone(struct conn *c, usec now)
{
    while (c->n_hash_ask > 0 && c->task->m && c->task->picker) {
        struct hash_ask a = c->hash_ask[--c->n_hash_ask];
        if (!a.late)
            not_coming(c, &a.req, now);
    }
}

/*
 * ---- serving ----
 *
 * Answers go before the blocks that are queued, which are judged by them.
 */

struct leaves_wanted { /* a request that waits for a piece to be read */
    node_id conn;
    uint32_t file;
    struct wire_hash_req r;
};

static void answer(struct conn *c, const struct wire_hash_req *r, const struct buf *hashes)
{
    if (!hashes)
        wire_put_hash_req(&c->out.soon, WIRE_HASH_REJECT, r);
    else
        wire_put_hashes(&c->out.soon, r, buf_bytes(hashes));
    conn_flush(c);
}

/* Uncle hashes that a request for `length` hashes and `proof` layers is answered with (BEP 52). */
static unsigned uncles(uint32_t length, uint32_t proof, unsigned base, unsigned top)
{
    unsigned inside = num_log2(length);
    unsigned most = top > base + inside ? top - base - inside : 0;
    unsigned n = proof + 1 > inside ? proof + 1 - inside : 0;
    return n < most ? n : most;
}

static void drop_leaves_wanted(struct node *n, struct job *j)
{
    (void)n;
    free(j->arg);
}

static void leaves_read(struct node *n, struct job *j, int err, const uint8_t *leaves,
                        uint32_t n_leaves, usec now)
{
    struct leaves_wanted *w = j->arg;
    struct conn *c = idtab_get(&n->conns, w->conn);
    struct task *t = task_get(n, j->task);
    (void)now;
    if (c && t && c->phase == CONN_OPEN && err < 0) {
        answer(c, &w->r, NULL);
    } else if (c && t && c->phase == CONN_OPEN) {
        const struct manifest_file *f = &t->m->files[w->file];
        bool small = f->length <= t->m->piece_length;
        unsigned ph = piece_height(t->m), top = merkle_height(merkle_blocks(f->length));
        unsigned mid = small ? top : ph; /* the piece's own tree ends here */
        unsigned want = uncles(w->r.length, w->r.proof, 0, top);
        unsigned below = mid - num_log2(w->r.length);
        if (want < below)
            below = want;
        struct buf out = {0};
        uint32_t per_piece = small ? UINT32_MAX : t->m->piece_length / MERKLE_BLOCK;
        merkle_extract(&out, leaves, n_leaves, 0, mid, w->r.index % per_piece, w->r.length, below);
        if (want > below) {
            struct buf up = {0};
            merkle_extract(&up, f->layer, f->layer_n, ph, top, w->r.index / per_piece, 1,
                           want - below);
            buf_eat(&up, SHA256_LEN);
            buf_put_bytes(&out, buf_bytes(&up));
            buf_fini(&up);
        }
        answer(c, &w->r, &out);
        buf_fini(&out);
    }
    free(w);
}

/* By address (HOSTILE.md): calling again brings nobody new tokens. */
static struct bucket *tokens(struct conn *c, usec now)
{
    struct asker *k = c->node->askers, *end = k + MAX_ASKERS, *oldest = k;
    for (; k < end && !(k->addr.family && addr_same_ip(&k->addr, &c->addr)); k++)
        if (k->at < oldest->at)
            oldest = k;
    if (k == end) {
        k = oldest;
        k->addr = c->addr;
        bucket_init(&k->bucket, HASH_RATE, HASH_BURST, now);
    }
    k->at = now;
    return &k->bucket;
}

bool hashes_may(struct conn *c, uint64_t leaves, usec now)
{
    struct bucket *own = tokens(c, now);
    if (bucket_avail(own, now) <= 0 || bucket_avail(&c->node->hash_bucket, now) <= 0)
        return false;
    bucket_take(own, leaves, now);
    bucket_take(&c->node->hash_bucket, leaves, now);
    return true;
}

static bool serve_leaves(struct conn *c, const struct wire_hash_req *r, uint32_t file, usec now)
{
    struct task *t = c->task;
    const struct manifest_file *f = &t->m->files[file];
    uint64_t width = num_pow2_ceil(merkle_blocks(f->length));
    uint32_t per_piece = t->m->piece_length / MERKLE_BLOCK;
    bool small = f->length <= t->m->piece_length;
    uint32_t piece = piece_of(t, r, file);
    if (r->length > (small ? width : per_piece) || (uint64_t)r->index + r->length > width)
        return false;
    if (r->index >= merkle_blocks(f->length) || !bits_get(&t->have, piece))
        return false;
    if ((t->unstored && t->unstored[piece]) || (!small && !f->layer))
        return false;
    if (bucket_avail(&c->node->hash_bucket, now) <= 0)
        return false;
    bucket_take(&c->node->hash_bucket, layout_blocks(t->m, piece), now);
    bucket_take(tokens(c, now), LAYER_COST + layout_blocks(t->m, piece), now);
    struct job *j = job_new(c->node, t, NODE_LEAVES);
    struct leaves_wanted *w = mem_zero(sizeof *w);
    *w = (struct leaves_wanted){.conn = c->id, .file = file, .r = *r};
    j->arg = w;
    j->drop = drop_leaves_wanted;
    j->u.leaves = leaves_read;
    node_last_op(c->node)->piece = piece;
    return true;
}

/* The nodes nine layers above a file's piece layer, computed once: without them each chunk asked of
 * a large file costs a walk through all of its layer. */
static const uint8_t *upper_layer(struct task *t, uint32_t file, size_t *n)
{
    const struct manifest_file *f = &t->m->files[file];
    *n = (size_t)num_ceil_div(f->layer_n, CHUNK);
    if (!t->uppers)
        t->uppers = mem_array(t->m->n_files, sizeof *t->uppers);
    if (t->uppers[file])
        return t->uppers[file];
    uint8_t *v = mem_array(*n, SHA256_LEN);
    for (size_t i = 0; i < *n; i++) {
        size_t left = f->layer_n - i * CHUNK;
        merkle_root(v + i * SHA256_LEN, f->layer + i * CHUNK * SHA256_LEN,
                    left < CHUNK ? left : CHUNK, CHUNK, piece_height(t->m));
    }
    return t->uppers[file] = v;
}

void hashes_uppers_free(struct task *t)
{
    for (uint32_t i = 0; t->uppers && i < t->m->n_files; i++)
        free(t->uppers[i]);
    free(t->uppers);
    t->uppers = NULL;
}

static void put_layer(struct buf *out, struct task *t, const struct wire_hash_req *r,
                      uint32_t file, unsigned top)
{
    const struct manifest_file *f = &t->m->files[file];
    unsigned want = uncles(r->length, r->proof, r->base, top);
    unsigned to_upper = num_log2(CHUNK) - (r->length > CHUNK ? 0 : num_log2(r->length));
    if (r->length > CHUNK || want <= to_upper) {
        merkle_extract(out, f->layer, f->layer_n, r->base, top, r->index, r->length, want);
        return;
    }
    size_t n;
    const uint8_t *upper = upper_layer(t, file, &n);
    struct buf up = {0};
    merkle_extract(out, f->layer, f->layer_n, r->base, top, r->index, r->length, to_upper);
    merkle_extract(&up, upper, n, r->base + num_log2(CHUNK), top, r->index / CHUNK, 1,
                   want - to_upper);
    buf_eat(&up, SHA256_LEN);
    buf_put_bytes(out, buf_bytes(&up));
    buf_fini(&up);
}

static bool serve_layer(struct conn *c, const struct wire_hash_req *r, uint32_t file, usec now)
{
    const struct manifest *m = c->task->m;
    const struct manifest_file *f = &m->files[file];
    unsigned top = merkle_height(merkle_blocks(f->length));
    if (!f->layer || r->base != piece_height(m) ||
        (uint64_t)r->index + r->length > (uint64_t)1 << (top - r->base))
        return false;
    struct buf out = {0};
    bucket_take(tokens(c, now), LAYER_COST + (r->length > CHUNK ? f->layer_n / 16 : 0), now);
    put_layer(&out, c->task, r, file, top);
    answer(c, r, &out);
    buf_fini(&out);
    return true;
}

void hashes_request(struct conn *c, const struct wire_hash_req *r, usec now)
{
    struct task *t = c->task;
    if (t->m && !t->m->has_v2) {
        conn_close(c, true, "asks for hashes of an item that has none", now);
        return;
    }
    bool sane = num_is_pow2(r->length) && r->length >= 2 && r->length <= WIRE_MAX_HASHES &&
                r->index % r->length == 0 && t->picker;
    uint32_t file = sane && t->m ? manifest_find_root(t->m, r->root) : UINT32_MAX;
    if (file == UINT32_MAX || bucket_avail(tokens(c, now), now) <= 0 ||
        outq_words(&c->out) > NODE_MAX_WAITING_OUT / 2) {
        answer(c, r, NULL);
        return;
    }
    bool layer = r->base == piece_height(t->m) && t->m->files[file].length > t->m->piece_length;
    bool ok = layer ? serve_layer(c, r, file, now) : r->base == 0 && serve_leaves(c, r, file, now);
    if (!ok)
        answer(c, r, NULL);
}

/* A file of unknown length, hashed as it passes; see flowhash.h. */
#include <p2p/format/flowhash.h>

#include <p2p/base/mem.h>
#include <p2p/base/num.h>
#include <p2p/format/lanes.h>
#include <p2p/format/merkle.h>
#include <stdlib.h>

#define SIZES 3 /* of pieces, side by side: no more than the first 16th is unknown then */

/* Hashes of 20 or 32 bytes in a row. */
struct row {
    uint8_t *p;
    size_t n, cap;
};

/* v1 by one size of pieces. */
struct size {
    uint32_t length;
    uint32_t first; /* piece that is known */
    bool begun;
    struct lanes_sum sum[2]; /* by turns: one may end and the next begin in the same run */
    unsigned open;
    struct row row;
};

struct flowhash {
    bool v1, v2, fixed;
    uint64_t n;     /* bytes */
    uint32_t least; /* pieces are as long as this, or longer */
    struct size size[SIZES];
    size_t n_sizes;
    struct row roots;  /* of whole pieces of `least` */
    struct row leaves; /* of the one under way */
};

static uint8_t *row_add(struct row *r, size_t n, size_t each)
{
    if (r->n + n > r->cap) {
        r->cap = r->cap * 2 + n + 64;
        r->p = mem_grow(r->p, r->cap, each);
    }
    r->n += n;
    return r->p + (r->n - n) * each;
}

/* ---- beginning and end ---- */

static void add_sizes(struct flowhash *h)
{
    while (h->v1 && h->n_sizes < (h->fixed ? 1 : SIZES)) {
        uint32_t length = h->n_sizes ? h->size[h->n_sizes - 1].length * 2 : h->least;

        if (length > AUTHOR_MAX_PIECE)
            return;
        h->size[h->n_sizes++] =
            (struct size){.length = length, .first = (uint32_t)num_ceil_div(h->n, length)};
    }
}

struct flowhash *flowhash_new(enum author_format f, uint32_t piece_length)
{
    struct flowhash *h = mem_zero(sizeof *h);

    h->v1 = f != AUTHOR_V2;
    h->v2 = f != AUTHOR_V1;
    h->fixed = piece_length != 0;
    h->least = piece_length ? piece_length : AUTHOR_MIN_PIECE;
    add_sizes(h);
    return h;
}

void flowhash_free(struct flowhash *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n_sizes; i++)
        free(h->size[i].row.p);
    free(h->roots.p);
    free(h->leaves.p);
    free(h);
}

static size_t leaves_each(const struct flowhash *h)
{
    return h->least / MERKLE_BLOCK;
}

/* ---- it is longer than that ---- */

static void pair_roots(struct flowhash *h)
{
    unsigned height = num_log2(leaves_each(h));

    for (size_t i = 0; i < h->roots.n; i += 2)
        merkle_root(h->roots.p + i / 2 * SHA256_LEN, h->roots.p + i * SHA256_LEN, 2, 2, height);
    h->roots.n /= 2;
}

/* Where two pieces make one without a rest, the least size may go. */
static void grow(struct flowhash *h, uint64_t total)
{
    uint32_t wanted = author_piece_length(total);

    while (!h->fixed && h->least < wanted && h->n % (2 * (uint64_t)h->least) == 0) {
        if (h->v2)
            pair_roots(h);
        if (h->v1) {
            free(h->size[0].row.p);
            memmove(h->size, h->size + 1, --h->n_sizes * sizeof *h->size);
        }
        h->least *= 2;
        add_sizes(h);
    }
}

/* ---- v1 ---- */

struct queue {
    size_t n;
    struct lanes_job jobs[8 * LANES_MAX];
};

static void flush(struct queue *q)
{
    if (q->n > 0)
        lanes_run(DIGEST_SHA1, q->jobs, q->n);
    q->n = 0;
}

/* The next bytes, none of another piece. Rows do not move before the queue is empty. */
static void more_of_piece(struct size *s, struct bytes b, bool begins, bool ends, struct queue *q)
{
    struct lanes_sum *sum = &s->sum[s->open];

    if (begins && !ends)
        lanes_begin(sum, DIGEST_SHA1);
    q->jobs[q->n++] = (struct lanes_job){begins && ends ? NULL : sum, b,
                                         ends ? s->row.p + s->row.n++ * SHA1_LEN : NULL};
    s->open ^= ends;
    s->begun = !ends;
    if (q->n == sizeof q->jobs / sizeof *q->jobs)
        flush(q);
}

static void more_v1(struct size *s, uint64_t at, struct bytes b, struct queue *q)
{
    size_t whole = b.n / s->length + 1;

    row_add(&s->row, whole, SHA1_LEN);
    s->row.n -= whole;
    while (b.n > 0) {
        uint64_t in = at % s->length;
        size_t part = s->length - in < b.n ? (size_t)(s->length - in) : b.n;

        if (s->begun || in == 0)
            more_of_piece(s, BYTES(b.p, part), in == 0, in + part == s->length, q);
        b = BYTES(b.p + part, b.n - part);
        at += part;
    }
}

/* ---- v2 ---- */

static void end_of_piece(struct flowhash *h)
{
    merkle_root(row_add(&h->roots, 1, SHA256_LEN), h->leaves.p, h->leaves.n, leaves_each(h), 0);
    h->leaves.n = 0;
}

static void more_v2(struct flowhash *h, struct bytes b)
{
    struct lanes_job jobs[8 * LANES_MAX];

    while (b.n > 0) {
        size_t room = leaves_each(h) - h->leaves.n, n = 0;
        uint8_t *out = row_add(&h->leaves, room, SHA256_LEN);

        for (; b.n > 0 && n < room && n < sizeof jobs / sizeof *jobs; n++) {
            size_t part = b.n < MERKLE_BLOCK ? b.n : MERKLE_BLOCK;

            jobs[n] = (struct lanes_job){NULL, BYTES(b.p, part), out + n * SHA256_LEN};
            b = BYTES(b.p + part, b.n - part);
        }
        lanes_run(DIGEST_SHA256, jobs, n);
        h->leaves.n -= room - n;
        if (n == room)
            end_of_piece(h);
    }
}

void flowhash_more(struct flowhash *h, struct bytes b)
{
    struct queue q = {0};

    grow(h, h->n + b.n);
    for (size_t i = h->n_sizes; i-- > 0;) /* the long ones first */
        more_v1(&h->size[i], h->n, b, &q);
    flush(&q);
    if (h->v2)
        more_v2(h, b);
    h->n += b.n;
}

void flowhash_end(struct flowhash *h)
{
    struct queue q = {0};

    for (size_t i = 0; i < h->n_sizes; i++) {
        struct size *s = &h->size[i];

        row_add(&s->row, 1, SHA1_LEN);
        s->row.n--;
        if (s->begun)
            more_of_piece(s, BYTES(NULL, 0), false, true, &q);
    }
    flush(&q);
}

/* ---- what is known ---- */

static bool v1_of(const struct flowhash *h, uint32_t length, uint32_t piece, uint8_t *out)
{
    for (size_t i = 0; i < h->n_sizes; i++) {
        const struct size *s = &h->size[i];

        if (s->length == length && piece >= s->first && piece - s->first < s->row.n) {
            memcpy(out, s->row.p + (size_t)(piece - s->first) * SHA1_LEN, SHA1_LEN);
            return true;
        }
    }
    return false;
}

/* The root of a piece that has an end of its own, however many leaves there are. */
static void root_of_leaves(const struct flowhash *h, size_t width, uint8_t *out)
{
    merkle_root(out, h->leaves.p, h->leaves.n, width, 0);
}

static bool v2_of(const struct flowhash *h, uint32_t length, uint32_t piece, uint8_t *out)
{
    size_t each = length / h->least, from = (size_t)piece * each;
    size_t all = h->roots.n + (h->leaves.n > 0), n = all - from < each ? all - from : each;

    if (length < h->least || from >= all)
        return false;
    if (all == 1 && h->leaves.n > 0) {
        /* All of the file: its tree ends with it. */
        size_t width = h->n <= length ? (size_t)num_pow2_ceil(h->leaves.n) : leaves_each(h);
        root_of_leaves(h, width, out);
        return true;
    }
    uint8_t *roots = mem_array(n, SHA256_LEN);
    size_t whole = h->roots.n > from ? h->roots.n - from : 0;
    memcpy(roots, h->roots.p + from * SHA256_LEN, (whole < n ? whole : n) * SHA256_LEN);
    if (whole < n)
        root_of_leaves(h, leaves_each(h), roots + whole * SHA256_LEN);
    merkle_root(out, roots, n, h->n <= length ? (size_t)num_pow2_ceil(n) : each,
                num_log2(leaves_each(h)));
    free(roots);
    return true;
}

bool flowhash_piece(const struct flowhash *h, uint32_t piece_length, uint32_t piece,
                    struct piecehash_result *out)
{
    *out = (struct piecehash_result){0};
    return (!h->v1 || v1_of(h, piece_length, piece, out->v1)) &&
           (!h->v2 || v2_of(h, piece_length, piece, out->root));
}

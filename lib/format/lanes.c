/*
 * Keeps the lanes busy: cuts messages into runs of 64-byte blocks, has as many runs advance
 * together as the kernel is wide, by as many blocks as the shortest has left, and puts the next job
 * into a lane that is done.
 */
#include "format/lanes_int.h"

#include <threads.h>

const uint32_t lanes_k256[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t initial[2][8] = {
    {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
    {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
     0x5be0cd19},
};
static const unsigned words[2] = {SHA1_LEN / 4, SHA256_LEN / 4};

/* ---- which kernel ---- */

/*
 * Nanoseconds for one block in every lane of a kernel (SHA-1, SHA-256, both in one go), measured
 * with GCC 12 on a Xeon of 2023 (Sapphire Rapids), whose features were switched off one by one.
 * Only the ratios matter, and they hold well enough for their relatives: it follows from them that
 * sixteen lanes beat SHA instructions, that these beat eight lanes of AVX2 at SHA-256 but not at
 * SHA-1, and from how many messages on. AVX2 has too few registers to gain by both in one go.
 */
static const struct row {
    const char *name;
    const struct lanes_kernel *const *kernel;
    unsigned ns[3];
} rows[] = {
    {"avx512", &lanes_avx512, {130, 270, 372}},
    {"avx512vl", &lanes_avx512vl, {84, 191, 269}},
    {"avx2", &lanes_avx2, {150, 345, 0}},
    {"plain", &(const struct lanes_kernel *const){&lanes_plain}, {158, 350, 496}},
    {"openssl", &(const struct lanes_kernel *const){&lanes_openssl}, {63, 134, 0}},
};
static const unsigned openssl_fast[2] = {34, 38}; /* with SHA instructions */
#define N_ROWS (sizeof rows / sizeof *rows)

/* By kind and number of messages under way. */
static const struct lanes_kernel *choice[2][LANES_MAX + 1];
static const struct lanes_kernel *choice_both; /* NULL: none is faster than one, then the other */
static once_flag chosen = ONCE_FLAG_INIT;

static bool usable(const struct row *r)
{
    return *r->kernel && (*r->kernel)->here();
}

static unsigned cost(const struct row *r, enum digest_kind k, unsigned n, bool fast)
{
    unsigned width = (*r->kernel)->width;
    unsigned ns = fast && *r->kernel == &lanes_openssl ? openssl_fast[k] : r->ns[k];
    return (n + width - 1) / width * ns;
}

/* `separate`: what LANES_MAX messages cost by one kind after the other. */
static void choose_both(const char *only, unsigned separate)
{
    choice_both = NULL;
    for (const struct row *r = rows; r < rows + N_ROWS; r++)
        if (usable(r) && (!only || strcmp(r->name, only) == 0) && (*r->kernel)->both &&
            LANES_MAX / (*r->kernel)->width * r->ns[2] < separate) {
            separate = LANES_MAX / (*r->kernel)->width * r->ns[2];
            choice_both = *r->kernel;
        }
}

static void choose(const char *only)
{
    bool fast = lanes_openssl_fast();
    unsigned separate = 0;
    for (unsigned k = 0; k < 2; k++)
        for (unsigned n = 1; n <= LANES_MAX; n++) {
            const struct row *best = NULL;
            for (const struct row *r = rows; r < rows + N_ROWS; r++)
                if (usable(r) && (!only || strcmp(r->name, only) == 0) &&
                    (!best || cost(r, k, n, fast) < cost(best, k, n, fast)))
                    best = r;
            if (!best)
                return;
            choice[k][n] = *best->kernel;
            separate += n == LANES_MAX ? cost(best, k, n, fast) : 0;
        }
    choose_both(only, separate);
}

static void choose_first(void)
{
    choose(NULL);
}

static const struct lanes_kernel *kernel_for(enum digest_kind k, unsigned n)
{
    call_once(&chosen, choose_first);
    return choice[k][n];
}

unsigned lanes_width(enum digest_kind k)
{
    return kernel_for(k, LANES_MAX)->width;
}

const char *lanes_kernel_name(size_t i)
{
    for (const struct row *r = rows; r < rows + N_ROWS; r++)
        if (usable(r) && i-- == 0)
            return r->name;
    return NULL;
}

void lanes_only(const char *name)
{
    call_once(&chosen, choose_first);
    choose(name);
}

/* ---- messages ---- */

void lanes_begin(struct lanes_sum *s, enum digest_kind k)
{
    memcpy(s->h, initial[k], sizeof s->h);
    s->n = 0;
}

/* One bit, zeros, and the length in bits at the end of a block: how many blocks are in `part`. */
static size_t pad(struct lanes_sum *s)
{
    size_t fill = s->n % 64, end = fill < 56 ? 64 : 128;
    s->part[fill] = 0x80;
    memset(s->part + fill + 1, 0, end - 8 - fill - 1);
    put_be64(s->part + end - 8, s->n * 8);
    return end / 64;
}

static void put_digest(uint8_t *out, const uint32_t *h, size_t stride, enum digest_kind k)
{
    for (unsigned i = 0; i < words[k]; i++)
        put_be32(out + 4 * i, h[i * stride]);
}

/* ---- lanes ---- */

/* What a lane does next with its job. */
enum phase { PHASE_OPEN, PHASE_BODY, PHASE_REST, PHASE_DONE };

struct lane {
    const struct lanes_job *job;
    struct lanes_sum *sum, *own; /* own: for jobs without */
    struct bytes left;
    enum phase phase;
};

struct batch {
    _Alignas(64) uint32_t h[8 * LANES_MAX];
    const uint8_t *data[LANES_MAX];
    size_t blocks[LANES_MAX];
    struct lane lane[LANES_MAX];
    struct lanes_sum own[LANES_MAX];
    enum digest_kind kind;
    unsigned n; /* lanes at work, the first ones */
};

/* Fills the block that is open from before. */
static size_t open_block(struct lane *l, const uint8_t **data)
{
    size_t fill = l->sum->n % 64;
    if (fill == 0 || fill + l->left.n < 64)
        return 0;
    memcpy(l->sum->part + fill, l->left.p, 64 - fill);
    l->left = BYTES(l->left.p + 64 - fill, l->left.n - (64 - fill));
    l->sum->n += 64 - fill;
    *data = l->sum->part;
    return 1;
}

static size_t body(struct lane *l, const uint8_t **data)
{
    size_t blocks = l->sum->n % 64 ? 0 : l->left.n / 64;
    *data = l->left.p;
    if (blocks == 0)
        return 0;
    l->left = BYTES(l->left.p + blocks * 64, l->left.n - blocks * 64);
    l->sum->n += blocks * 64;
    return blocks;
}

static size_t rest(struct lane *l, const uint8_t **data)
{
    if (l->left.n > 0)
        memcpy(l->sum->part + l->sum->n % 64, l->left.p, l->left.n);
    l->sum->n += l->left.n;
    *data = l->sum->part;
    return l->job->out ? pad(l->sum) : 0;
}

/* The next run of blocks of lane i's job; false: there is none. */
static bool next_run(struct batch *b, unsigned i)
{
    static size_t (*const steps[])(struct lane *, const uint8_t **) = {open_block, body, rest};
    struct lane *l = &b->lane[i];
    for (b->blocks[i] = 0; b->blocks[i] == 0 && l->phase < PHASE_DONE; l->phase++)
        b->blocks[i] = steps[l->phase](l, &b->data[i]);
    return b->blocks[i] > 0;
}

static void take_job(struct batch *b, unsigned i, const struct lanes_job *job)
{
    struct lane *l = &b->lane[i];
    l->job = job;
    l->left = job->b;
    l->phase = PHASE_OPEN;
    l->sum = job->sum ? job->sum : l->own;
    if (!job->sum)
        lanes_begin(l->sum, b->kind);
    for (unsigned r = 0; r < words[b->kind]; r++)
        b->h[r * LANES_MAX + i] = l->sum->h[r];
}

static void end_job(struct batch *b, unsigned i)
{
    const struct lane *l = &b->lane[i];
    if (l->job->out)
        put_digest(l->job->out, b->h + i, LANES_MAX, b->kind);
    else
        for (unsigned r = 0; r < words[b->kind]; r++)
            l->sum->h[r] = b->h[r * LANES_MAX + i];
}

/* The last lane comes to stand in place of lane i, so that those at work are the first ones. */
static void close_lane(struct batch *b, unsigned i)
{
    unsigned last = --b->n;
    if (i == last)
        return;
    struct lane idle = b->lane[i];
    b->lane[i] = b->lane[last];
    b->lane[last] = idle;
    b->data[i] = b->data[last];
    b->blocks[i] = b->blocks[last];
    for (unsigned r = 0; r < words[b->kind]; r++)
        b->h[r * LANES_MAX + i] = b->h[r * LANES_MAX + last];
}

/* The first n lanes by as many blocks; what lies beyond them repeats the first. */
static void step_lanes(enum digest_kind kind, uint32_t *h, const uint8_t **data, unsigned n,
                       size_t blocks)
{
    const struct lanes_kernel *k = kernel_for(kind, n);
    for (unsigned i = n; i % k->width != 0; i++)
        data[i] = data[0];
    for (unsigned i = 0; i < n; i += k->width)
        k->blocks[kind](h + i, data + i, blocks);
}

/* All lanes at work by as many blocks as every one has. */
static void advance(struct batch *b)
{
    size_t step = b->blocks[0];
    for (unsigned i = 1; i < b->n; i++)
        step = b->blocks[i] < step ? b->blocks[i] : step;
    step_lanes(b->kind, b->h, b->data, b->n, step);
    for (unsigned i = 0; i < b->n; i++) {
        b->data[i] += step * 64;
        b->blocks[i] -= step;
    }
}

void lanes_run(enum digest_kind k, const struct lanes_job *jobs, size_t n)
{
    const struct lanes_job *end = jobs + n;
    unsigned width = lanes_width(k);
    struct batch b;
    b.kind = k;
    b.n = 0;
    for (unsigned i = 0; i < width; i++)
        b.lane[i].own = &b.own[i];
    do {
        while (b.n < width && jobs < end) {
            take_job(&b, b.n, jobs++);
            if (next_run(&b, b.n))
                b.n++;
            else
                end_job(&b, b.n);
        }
        if (b.n == 0)
            break;
        advance(&b);
        for (unsigned i = b.n; i-- > 0;)
            if (b.blocks[i] == 0 && !next_run(&b, i)) {
                end_job(&b, i);
                close_lane(&b, i);
            }
    } while (true);
}

/* ---- stretches: of zeros by SHA-1, of the same bytes by both ---- */

struct stretches {
    _Alignas(64) uint32_t h[2][8 * LANES_MAX];
    struct lanes_stretch lane[LANES_MAX]; /* what is left of it */
    unsigned n, kinds;                    /* SHA-1 alone, or both */
};
typedef void stretches_step(struct stretches *s, size_t blocks);

static void stretch_take(struct stretches *s, const struct lanes_stretch *v)
{
    unsigned i = s->n++;
    s->lane[i] = *v;
    for (unsigned k = 0; k < s->kinds; k++) {
        v->sum[k]->n += (uint64_t)v->blocks * 64;
        for (unsigned r = 0; r < words[k]; r++)
            s->h[k][r * LANES_MAX + i] = v->sum[k]->h[r];
    }
}

/* Lane i is done: gives its states back, and the last lane comes to stand in its place. */
static void stretch_close(struct stretches *s, unsigned i)
{
    unsigned last = --s->n;
    for (unsigned k = 0; k < s->kinds; k++)
        for (unsigned r = 0; r < words[k]; r++) {
            s->lane[i].sum[k]->h[r] = s->h[k][r * LANES_MAX + i];
            s->h[k][r * LANES_MAX + i] = s->h[k][r * LANES_MAX + last];
        }
    s->lane[i] = s->lane[last];
}

/* All lanes by as many blocks as the one with the fewest, `width` lanes at a time. */
static void stretch_run(const struct lanes_stretch *v, size_t n, unsigned width, unsigned kinds,
                        stretches_step *step)
{
    const struct lanes_stretch *end = v + n;
    struct stretches s;
    memset(&s, 0, sizeof s);
    s.kinds = kinds;
    do {
        while (s.n < width && v < end)
            stretch_take(&s, v++);
        if (s.n == 0)
            break;
        size_t blocks = s.lane[0].blocks;
        for (unsigned i = 1; i < s.n; i++)
            blocks = s.lane[i].blocks < blocks ? s.lane[i].blocks : blocks;
        if (blocks > 0)
            step(&s, blocks);
        for (unsigned i = s.n; i-- > 0;)
            if ((s.lane[i].blocks -= blocks) == 0)
                stretch_close(&s, i);
    } while (true);
}

static void step_zeros(struct stretches *s, size_t blocks)
{
    const struct lanes_kernel *k = kernel_for(DIGEST_SHA1, s->n);
    for (unsigned i = 0; i < s->n; i += k->width)
        k->zeros(s->h[DIGEST_SHA1] + i, blocks);
}

void lanes_zeros(const struct lanes_stretch *v, size_t n)
{
    stretch_run(v, n, lanes_width(DIGEST_SHA1), 1, step_zeros);
}

static void step_both(struct stretches *s, size_t blocks)
{
    const uint8_t *data[LANES_MAX];
    for (unsigned i = 0; i < s->n; i++) {
        data[i] = s->lane[i].p;
        s->lane[i].p += blocks * 64;
    }
    if (s->n == lanes_both_width())
        choice_both->both(s->h[DIGEST_SHA1], s->h[DIGEST_SHA256], data, blocks);
    else
        for (unsigned k = 0; k < 2; k++)
            step_lanes(k, s->h[k], data, s->n, blocks);
}

unsigned lanes_both_width(void)
{
    call_once(&chosen, choose_first);
    return choice_both ? choice_both->width : 0;
}

void lanes_both(const struct lanes_stretch *v, size_t n)
{
    unsigned width = lanes_both_width();
    stretch_run(v, n, width ? width : LANES_MAX, 2, step_both);
}

/* ---- pairs ---- */

void lanes_pairs(uint8_t *out, const uint8_t *pairs, size_t n)
{
    /* The second block of every message: 64 bytes are 512 bits. */
    static const uint8_t padding[64] = {[0] = 0x80, [62] = 2};
    _Alignas(64) uint32_t h[8 * LANES_MAX];
    const uint8_t *data[LANES_MAX], *none[LANES_MAX];
    for (unsigned i = 0; i < LANES_MAX; i++)
        none[i] = padding;
    while (n > 0) {
        unsigned m = n < LANES_MAX ? (unsigned)n : LANES_MAX;
        const struct lanes_kernel *k = kernel_for(DIGEST_SHA256, m);
        for (unsigned i = 0; i < LANES_MAX; i++)
            data[i] = pairs + (i < m ? i : 0) * 64;
        for (unsigned i = 0; i < 8 * LANES_MAX; i++)
            h[i] = initial[DIGEST_SHA256][i / LANES_MAX];
        for (unsigned i = 0; i < m; i += k->width) {
            k->blocks[DIGEST_SHA256](h + i, data + i, 1);
            k->blocks[DIGEST_SHA256](h + i, none, 1);
        }
        for (unsigned i = 0; i < m; i++)
            put_digest(out + i * SHA256_LEN, h + i, LANES_MAX, DIGEST_SHA256);
        out += m * SHA256_LEN;
        pairs += m * 64;
        n -= m;
    }
}

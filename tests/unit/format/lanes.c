/*
 * Every kernel that this machine can run, and what the table makes of them, against OpenSSL one
 * message at a time (format/digest): every length around every boundary, jobs of one length and of
 * many, messages cut anywhere.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/base/rng.h>
#include <p2p/base/text.h>
#include <p2p/format/lanes.h>

#include <stdlib.h>
#include <threads.h>

#define LEAF 16384u
#define CONTENT (64 * LEAF)
#define MOST 70 /* jobs of a run */

static uint8_t *content;
static const enum digest_kind kinds[] = {DIGEST_SHA1, DIGEST_SHA256};

static size_t digest_len(enum digest_kind k)
{
    return k == DIGEST_SHA1 ? SHA1_LEN : SHA256_LEN;
}

static void reference(enum digest_kind k, uint8_t *out, struct bytes b)
{
    if (k == DIGEST_SHA1)
        digest_sha1(out, b);
    else
        digest_sha256(out, b);
}

static int make_content(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 7);
    content = mem_alloc(CONTENT);
    for (size_t i = 0; i < CONTENT; i++)
        content[i] = (uint8_t)rng_u64(&r);
    return 0;
}

static int drop_content(void **state)
{
    (void)state;
    free(content);
    return 0;
}

/* Runs the test with each kernel alone, then with the choice among all. */
static void with_each(void (*test)(enum digest_kind k))
{
    size_t n = 0;
    for (const char *name; (name = lanes_kernel_name(n)) != NULL; n++) {
        lanes_only(name);
        for (size_t k = 0; k < 2; k++)
            test(kinds[k]);
    }
    assert_in_range(n, 2, 5); /* four lanes and OpenSSL are everywhere */
    lanes_only(NULL);
    for (size_t k = 0; k < 2; k++)
        test(kinds[k]);
}

/* Whole messages, each with a digest and a byte behind it that must stay as it is. */
static void check_whole(enum digest_kind k, const struct bytes *messages, size_t n)
{
    struct lanes_job jobs[MOST];
    uint8_t got[MOST][SHA256_LEN + 1], want[SHA256_LEN];
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++) {
        jobs[i] = (struct lanes_job){NULL, messages[i], got[i]};
        got[i][digest_len(k)] = 0x5a;
    }
    lanes_run(k, jobs, n);
    for (size_t i = 0; i < n; i++) {
        reference(k, want, messages[i]);
        assert_memory_equal(got[i], want, digest_len(k));
        assert_int_equal(got[i][digest_len(k)], 0x5a);
    }
}

/* ---- whole messages ---- */

static void equal_lengths_of(enum digest_kind k)
{
    static const size_t around[] = {LEAF - 64, LEAF - 9, LEAF - 8, LEAF - 1, LEAF, LEAF + 1};
    struct bytes m[MOST] = {0};
    for (size_t len = 0; len <= 260; len++) {
        for (size_t i = 0; i < 17; i++)
            m[i] = BYTES(content + i * 261 + len % 5, len);
        check_whole(k, m, len % 18);
        check_whole(k, m, 17);
    }
    for (size_t a = 0; a < sizeof around / sizeof *around; a++) {
        for (size_t i = 0; i < 33; i++)
            m[i] = BYTES(content + i * LEAF, around[a]);
        check_whole(k, m, 33);
    }
}

static void equal_lengths(void **state)
{
    (void)state;
    with_each(equal_lengths_of);
}

static void every_number_of(enum digest_kind k)
{
    struct bytes m[MOST] = {0};
    for (size_t n = 0; n <= 40; n++) {
        for (size_t i = 0; i < n; i++)
            m[i] = BYTES(content + i * LEAF, 1024);
        check_whole(k, m, n);
    }
}

static void every_number(void **state)
{
    (void)state;
    with_each(every_number_of);
}

/* Neighbours differ by one byte, by a block, by much; there are empty ones between them. */
static void unequal_lengths_of(enum digest_kind k)
{
    struct bytes m[MOST] = {0};
    struct rng r;
    rng_seed(&r, 11);
    for (size_t first = 0; first <= 200; first += 3) {
        for (size_t i = 0; i < MOST; i++)
            m[i] = BYTES(content + 300 * i, first + i);
        check_whole(k, m, MOST);
    }
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < MOST; i++) {
            size_t len = rng_below(&r, 4) == 0 ? rng_below(&r, 3) : rng_below(&r, 5000);
            m[i] = BYTES(content + rng_below(&r, CONTENT - 5000), len);
        }
        m[rng_below(&r, MOST)] = BYTES(content, CONTENT / 4);
        check_whole(k, m, rng_below(&r, MOST + 1));
    }
}

static void unequal_lengths(void **state)
{
    (void)state;
    with_each(unequal_lengths_of);
}

/* Nothing is read behind a message: each ends with its own allocation. */
static void no_further_of(enum digest_kind k)
{
    struct bytes m[19];
    uint8_t *mem[19];
    for (size_t len = 1; len < 200; len += 7) {
        for (size_t i = 0; i < 19; i++) {
            mem[i] = mem_dup(content + i, len + i % 3);
            m[i] = BYTES(mem[i], len + i % 3);
        }
        check_whole(k, m, 19);
        for (size_t i = 0; i < 19; i++)
            free(mem[i]);
    }
}

static void no_further(void **state)
{
    (void)state;
    with_each(no_further_of);
}

/* ---- messages that come bit by bit ---- */

#define PIECES 21

/* Pieces side by side, `bite` bytes of each at a time; from the second on they are shorter. */
static void check_pieces(enum digest_kind k, size_t len, size_t bite)
{
    struct lanes_sum sums[PIECES];
    struct lanes_job jobs[PIECES];
    uint8_t got[PIECES][SHA256_LEN], want[SHA256_LEN];
    struct bytes piece[PIECES];
    for (size_t i = 0; i < PIECES; i++) {
        piece[i] = BYTES(content + i * 9001, i ? len - len % (i + 1) : len);
        lanes_begin(&sums[i], k);
    }
    for (size_t at = 0; at <= len; at += bite) {
        size_t n = 0;
        for (size_t i = 0; i < PIECES; i++) {
            size_t left = piece[i].n > at ? piece[i].n - at : 0;
            /* A piece that ends with a bite ends with it; an empty one ends at once. */
            bool last = left <= bite && (left > 0 || (at == 0 && piece[i].n == 0));
            if (left > 0 || last)
                jobs[n++] = (struct lanes_job){&sums[i], BYTES(piece[i].p + at, last ? left : bite),
                                               last ? got[i] : NULL};
        }
        lanes_run(k, jobs, n);
    }
    for (size_t i = 0; i < PIECES; i++) {
        reference(k, want, piece[i]);
        assert_memory_equal(got[i], want, digest_len(k));
    }
}

static void bites_of(enum digest_kind k)
{
    static const size_t bites[] = {1, 3, 55, 56, 63, 64, 65, 127, 128, 129, 1000, 4096, 20000};
    static const size_t lens[] = {0, 1, 55, 56, 64, 119, 120, 128, 1000, 4096, 20000};
    for (size_t b = 0; b < sizeof bites / sizeof *bites; b++)
        for (size_t l = 0; l < sizeof lens / sizeof *lens; l++)
            if (lens[l] / bites[b] <= 2000)
                check_pieces(k, lens[l], bites[b]);
}

static void bites(void **state)
{
    (void)state;
    with_each(bites_of);
}

/* Every message is cut where it likes, and takes part in the runs it likes. */
static void any_cut_of(enum digest_kind k)
{
    struct rng r;
    struct lanes_sum sums[PIECES];
    size_t at[PIECES] = {0};
    uint8_t got[PIECES][SHA256_LEN], want[SHA256_LEN];
    rng_seed(&r, 5);
    for (size_t i = 0; i < PIECES; i++)
        lanes_begin(&sums[i], k);
    for (int round = 0; round <= 200; round++) {
        struct lanes_job jobs[PIECES];
        size_t n = 0;
        for (size_t i = 0; i < PIECES; i++) {
            bool last = round == 200;
            size_t len = rng_below(&r, 3) ? rng_below(&r, 200) : 0;
            if (!last && rng_below(&r, 4) == 0)
                continue;
            jobs[n++] = (struct lanes_job){&sums[i], BYTES(content + i * 50000 + at[i], len),
                                           last ? got[i] : NULL};
            at[i] += len;
        }
        lanes_run(k, jobs, n);
    }
    for (size_t i = 0; i < PIECES; i++) {
        reference(k, want, BYTES(content + i * 50000, at[i]));
        assert_memory_equal(got[i], want, digest_len(k));
    }
}

static void any_cut(void **state)
{
    (void)state;
    with_each(any_cut_of);
}

/* A sum is a value: two messages may go on from a copy; the kernel may change on the way. */
static void middle(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct lanes_sum a, b;
        uint8_t got[2][SHA256_LEN], want[SHA256_LEN];
        lanes_begin(&a, kinds[k]);
        lanes_only("plain");
        lanes_run(kinds[k], &(struct lanes_job){&a, BYTES(content, 1000), NULL}, 1);
        b = a;
        struct lanes_job jobs[] = {{&a, BYTES(content + 1000, 500), got[0]},
                                   {&b, BYTES(content + 1000, 5000), got[1]}};
        lanes_only("openssl");
        lanes_run(kinds[k], jobs, 2);
        reference(kinds[k], want, BYTES(content, 1500));
        assert_memory_equal(got[0], want, digest_len(kinds[k]));
        reference(kinds[k], want, BYTES(content, 6000));
        assert_memory_equal(got[1], want, digest_len(kinds[k]));
    }
    lanes_only(NULL);
}

/* The length in bits takes more than 32 bits: half a gibibyte and a byte, of zeros. */
static void long_message(void **state)
{
    (void)state;
    size_t chunk = 1u << 20;
    uint8_t *zeros = mem_zero(chunk), got[SHA256_LEN];
    char hex[2 * SHA1_LEN + 1];
    struct lanes_sum s;
    lanes_begin(&s, DIGEST_SHA1);
    for (size_t i = 0; i <= 512; i++)
        lanes_run(DIGEST_SHA1,
                  &(struct lanes_job){&s, BYTES(zeros, i < 512 ? chunk : 1), i < 512 ? NULL : got},
                  1);
    text_hex(hex, BYTES(got, SHA1_LEN));
    /* head -c 536870913 /dev/zero | sha1sum */
    assert_string_equal(hex, "3e1bb536d18494c32e66ef9f479d65bbe0d863de");
    free(zeros);
}

/* Blocks of zeros, of some messages none and of some many, with bytes before and behind. */
static void zeros_of(enum digest_kind k)
{
    static const size_t most = 40;
    uint8_t *space = mem_zero(64 + most * 64 + 10);
    struct lanes_sum sums[MOST];
    struct lanes_stretch z[MOST];
    uint8_t want[SHA1_LEN], got[SHA1_LEN];
    if (k != DIGEST_SHA1) {
        free(space);
        return;
    }
    for (size_t n = 0; n <= MOST; n++) {
        for (size_t i = 0; i < n; i++) {
            lanes_begin(&sums[i], k);
            lanes_run(k, &(struct lanes_job){&sums[i], BYTES(content + i, 64), NULL}, 1);
            z[i] = (struct lanes_stretch){.sum = {&sums[i]}, .blocks = i % 3 ? (i * n) % most : 7};
        }
        lanes_zeros(z, n);
        for (size_t i = 0; i < n; i++) {
            size_t len = 64 + z[i].blocks * 64;
            lanes_run(k, &(struct lanes_job){&sums[i], BYTES(content, 10), got}, 1);
            memset(space, 0, 64 + most * 64 + 10);
            memcpy(space, content + i, 64);
            memcpy(space + len, content, 10);
            digest_sha1(want, BYTES(space, len + 10));
            assert_memory_equal(got, want, SHA1_LEN);
        }
    }
    free(space);
}

static void zeros(void **state)
{
    (void)state;
    with_each(zeros_of);
}

/* ---- both digests of the same bytes ---- */

/* A message, and how much of it comes before, in blocks; what is no whole block comes after. */
struct twofold {
    struct lanes_sum sum[2];
    const uint8_t *p;
    size_t n, before;
};

static void check_both(struct twofold *t, size_t n)
{
    struct lanes_stretch v[MOST] = {0};
    uint8_t got[SHA256_LEN], want[SHA256_LEN];
    for (size_t i = 0; i < n; i++) {
        struct twofold *m = &t[i];
        for (size_t k = 0; k < 2; k++) {
            lanes_begin(&m->sum[k], kinds[k]);
            lanes_run(kinds[k], &(struct lanes_job){&m->sum[k], BYTES(m->p, m->before * 64), NULL},
                      1);
        }
        v[i] = (struct lanes_stretch){.sum = {&m->sum[0], &m->sum[1]},
                                      .p = m->p + m->before * 64,
                                      .blocks = m->n / 64 - m->before};
    }
    lanes_both(v, n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 2; k++) {
            struct bytes rest = BYTES(t[i].p + t[i].n / 64 * 64, t[i].n % 64);
            lanes_run(kinds[k], &(struct lanes_job){&t[i].sum[k], rest, got}, 1);
            reference(kinds[k], want, BYTES(t[i].p, t[i].n));
            assert_memory_equal(got, want, digest_len(kinds[k]));
        }
}

/* Every number of messages, of one length and of many, each at the end of an allocation. */
static void both_of(enum digest_kind k)
{
    struct twofold t[MOST];
    uint8_t *mem[MOST];
    struct rng r;
    if (k != DIGEST_SHA1)
        return;
    rng_seed(&r, 13);
    for (size_t round = 0; round < 2 * MOST; round++) {
        size_t n = round / 2 + 1, most = rng_below(&r, 20);
        for (size_t i = 0; i < n; i++) {
            t[i].n = round % 2 ? most * 64 : rng_below(&r, 30 * 64);
            t[i].before = round % 2 ? 0 : rng_below(&r, (uint32_t)(t[i].n / 64) + 1);
            mem[i] = mem_dup(content + 77 * i, t[i].n + 1);
            t[i].p = mem[i] + 1;
        }
        check_both(t, n);
        for (size_t i = 0; i < n; i++)
            free(mem[i]);
    }
}

static void both(void **state)
{
    struct twofold t[33] = {0};
    (void)state;
    with_each(both_of);
    for (size_t i = 0; i < 33; i++)
        t[i] = (struct twofold){.p = content + i * LEAF, .n = LEAF + i % 2};
    check_both(t, 33);
    check_both(t, 0);
}

/* ---- the rest ---- */

static void pairs_of(enum digest_kind k)
{
    uint8_t got[(MOST + 1) * SHA256_LEN], want[SHA256_LEN], layer[MOST * 64];
    if (k != DIGEST_SHA256)
        return;
    for (size_t n = 0; n <= MOST; n++) {
        got[n * SHA256_LEN] = 0x5a;
        lanes_pairs(got, content + n, n);
        assert_int_equal(got[n * SHA256_LEN], 0x5a);
        memcpy(layer, content + n, n * 64);
        lanes_pairs(layer, layer, n);
        for (size_t i = 0; i < n; i++) {
            digest_sha256(want, BYTES(content + n + 64 * i, 64));
            assert_memory_equal(got + i * SHA256_LEN, want, SHA256_LEN);
            assert_memory_equal(layer + i * SHA256_LEN, want, SHA256_LEN);
        }
    }
}

static void pairs(void **state)
{
    (void)state;
    with_each(pairs_of);
}

static void widths(void **state)
{
    (void)state;
    for (size_t i = 0; lanes_kernel_name(i); i++) {
        lanes_only(lanes_kernel_name(i));
        for (size_t k = 0; k < 2; k++)
            assert_in_range(lanes_width(kinds[k]), 1, LANES_MAX);
    }
    lanes_only("openssl");
    assert_int_equal(lanes_width(DIGEST_SHA1), 1);
    assert_int_equal(lanes_both_width(), 0);
    lanes_only("plain");
    assert_int_equal(lanes_width(DIGEST_SHA256), 4);
    assert_int_equal(lanes_both_width(), 4);
    lanes_only("no such kernel"); /* nothing changes */
    assert_int_equal(lanes_width(DIGEST_SHA256), 4);
    assert_int_equal(lanes_both_width(), 4);
    lanes_only(NULL);
}

static int hash_some(void *arg)
{
    const uint8_t *want = arg;
    int wrong = 0;
    for (int round = 0; round < 20; round++) {
        struct lanes_job jobs[20];
        uint8_t got[20][SHA256_LEN];
        for (size_t i = 0; i < 20; i++)
            jobs[i] = (struct lanes_job){NULL, BYTES(content, LEAF), got[i]};
        lanes_run(DIGEST_SHA256, jobs, 20);
        for (size_t i = 0; i < 20; i++)
            wrong += memcmp(got[i], want, SHA256_LEN) != 0;
    }
    return wrong;
}

static void threads(void **state)
{
    (void)state;
    uint8_t want[SHA256_LEN];
    thrd_t t[4];
    int wrong;
    digest_sha256(want, BYTES(content, LEAF));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(thrd_create(&t[i], hash_some, want), thrd_success);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(thrd_join(t[i], &wrong), thrd_success);
        assert_int_equal(wrong, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads), /* first: nobody has chosen a kernel yet */
        cmocka_unit_test(equal_lengths),   cmocka_unit_test(every_number),
        cmocka_unit_test(unequal_lengths), cmocka_unit_test(no_further),
        cmocka_unit_test(bites),           cmocka_unit_test(any_cut),
        cmocka_unit_test(middle),          cmocka_unit_test(long_message),
        cmocka_unit_test(zeros),           cmocka_unit_test(both),
        cmocka_unit_test(pairs),           cmocka_unit_test(widths),
    };
    return cmocka_run_group_tests(tests, make_content, drop_content);
}

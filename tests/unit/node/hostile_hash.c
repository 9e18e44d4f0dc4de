/* Strangers with merkle hashes: silly questions, wrong answers, late ones, none. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/format/merkle.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define PIECE 65536u
#define PIECES 9u
static const struct tube_file ONE = {NULL, (PIECES - 1) * PIECE + 40000};

static struct rig *rig(uint64_t seed, int format)
{
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &ONE, 1, format, PIECE);
    return g;
}

static void ask(struct raw *r, uint32_t base, uint32_t index, uint32_t length, uint32_t proof)
{
    struct wire_hash_req q = {.base = base, .index = index, .length = length, .proof = proof};
    struct buf b = {0};
    if (r->rig->m->files[0].root)
        memcpy(q.root, r->rig->m->files[0].root, SHA256_LEN);
    wire_put_hash_req(&b, WIRE_HASH_REQUEST, &q);
    raw_send(r, &b);
    rig_run(r->rig, 10 * USEC_MS);
}

/* The leaves and the piece layer, padded to what the tree is. */
static void leaf(const struct rig *g, uint64_t i, uint8_t out[SHA256_LEN])
{
    uint64_t at = i * MERKLE_BLOCK, size = ONE.length;
    memset(out, 0, SHA256_LEN);
    if (at < size)
        digest_sha256(out, BYTES(g->content + at, size - at < MERKLE_BLOCK ? size - at
                                                                           : MERKLE_BLOCK));
}

static void keep_hashes(struct raw *r, const struct wire_msg *m)
{
    if (m->type != WIRE_HASHES)
        return;
    free(r->arg);
    r->arg = mem_dup(m->body.p, m->body.n);
    r->served = (unsigned)(m->body.n / SHA256_LEN);
}

/* What a seed answers proves against the root, for every sane question; the rest is rejected. */
static void questions(void **state)
{
    static const struct {
        uint32_t base, index, length, proof;
        bool fine;
    } v[] = {
        {2, 0, 16, 0, true},          {2, 0, 2, 3, true},
        {2, 8, 8, 3, true},           {2, 0, 512, 0, false},
        {2, 1, 2, 0, false},          {2, 0, 3, 0, false},
        {2, 0, 1, 0, false},          {2, 0, 0, 0, false},
        {2, 16, 16, 0, false},        {2, 0x80000000u, 2, 0, false},
        {2, 0, UINT32_MAX, 0, false}, {2, 0, 16, UINT32_MAX, true},
        {0, 0, 4, 0, true},           {0, 0, 2, 5, true},
        {0, 32, 4, 9, true},          {0, 0, 8, 0, false},
        {0, 36, 4, 0, false},         {0, UINT32_MAX - 3, 4, 0, false},
        {1, 0, 2, 0, false},          {3, 0, 2, 0, false},
        {UINT32_MAX, 0, 2, 0, false},
    };
    (void)state;
    struct rig *g = rig(1, 3);
    rig_seed(g);
    unsigned top = merkle_height(merkle_blocks(ONE.length));
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct raw *r = raw_acting(g, 10 + (unsigned)i, keep_hashes);
        ask(r, v[i].base, v[i].index, v[i].length, v[i].proof);
        assert_int_equal(r->got[WIRE_HASHES], v[i].fine);
        assert_int_equal(r->got[WIRE_HASH_REJECT], !v[i].fine);
        if (v[i].fine && r->served > v[i].length) {
            const uint8_t *h = r->arg;
            unsigned n = r->served - v[i].length;
            bool whole = n == top - v[i].base - (unsigned)__builtin_ctz(v[i].length);
            if (whole)
                assert_true(merkle_prove(g->m->files[0].root, top, v[i].base, v[i].index, h,
                                         v[i].length, h + v[i].length * SHA256_LEN, n));
        }
        if (v[i].fine && v[i].base == 0) {
            uint8_t want[SHA256_LEN];
            leaf(g, v[i].index, want);
            assert_memory_equal(r->arg, want, SHA256_LEN);
        }
        free(r->arg);
        raw_leaves(r);
    }
    rig_free(g);
}

static void proves(struct raw *r, const struct wire_msg *m)
{
    const struct manifest_file *f = &r->rig->m->files[0];
    unsigned top = merkle_height(merkle_blocks(f->length));
    if (m->type == WIRE_HASHES)
        r->served += merkle_prove(f->root, top, m->hash.base, m->hash.index, m->body.p,
                                  m->hash.length, m->body.p + m->hash.length * SHA256_LEN,
                                  m->body.n / SHA256_LEN - m->hash.length);
}

/* Of a file with many pieces, at every width and place. */
static void large_layer(void **state)
{
    static const struct tube_file large = {NULL, 2100 * 16384 + 5};
    (void)state;
    struct rig *g = rig_new(20, NULL);
    rig_content(g, &large, 1, 2, 16384);
    rig_seed(g);
    struct raw *r = raw_acting(g, 1, proves);
    unsigned asked = 0;
    for (uint32_t length = 2; length <= 4096; length *= 2)
        for (uint32_t index = 0; index + length <= 4096; index += length * (1 + 512 / length)) {
            ask(r, 0, index, length, 11);
            asked++;
            rig_run(g, 100 * USEC_MS);
        }
    assert_true(asked > 40);
    assert_int_equal(r->served, asked);
    rig_free(g);
}

static void other_roots(void **state)
{
    (void)state;
    struct rig *g = rig(2, 3);
    rig_seed(g);
    struct raw *r = raw_friend(g, 1);
    struct wire_hash_req q = {.length = 2};
    struct buf b = {0};
    wire_put_hash_req(&b, WIRE_HASH_REQUEST, &q);
    raw_send(r, &b);
    assert_int_equal(r->got[WIRE_HASH_REJECT], 1);
    rig_free(g);
    g = rig(3, 1); /* an item without hashes */
    rig_seed(g);
    r = raw_friend(g, 1);
    ask(r, 0, 0, 2, 0);
    assert_true(r->closed);
    rig_free(g);
    g = rig(4, 3); /* nobody knows yet whether it has some */
    rig_link(g, true, true);
    r = raw_new(g, 1);
    raw_comes(r);
    raw_handshake(r, true, true, true);
    ask(r, 0, 0, 2, 0);
    assert_false(r->closed);
    assert_int_equal(r->got[WIRE_HASH_REJECT], 1);
    rig_free(g);
}

static void blocks_before(struct raw *r, const struct wire_msg *m)
{
    unsigned *n = r->arg;
    if (m->type == WIRE_HASHES || m->type == WIRE_HASH_REJECT)
        n[r->got[WIRE_HASHES] + r->got[WIRE_HASH_REJECT]] = r->got[WIRE_PIECE];
}

/* Blocks that wait on the way out are judged by them. */
static void answers_go_first(void **state)
{
    unsigned n[4] = {9, 9, 9, 9};
    struct node_out v[8];
    (void)state;
    struct rig *g = rig(21, 2);
    rig_seed(g);
    struct raw *r = raw_acting(g, 1, blocks_before);
    r->arg = n;
    raw_simple(r, WIRE_INTERESTED);
    rig_run(g, USEC_SEC);
    r->deaf = true;
    for (uint32_t i = 0; i < 8; i++)
        raw_block(r, WIRE_REQUEST, i, 0, MERKLE_BLOCK);
    assert_true(node_send_what(g->n, r->conn, v, 8, g->now) >= 4);
    ask(r, 2, 0, 16, 0);
    ask(r, 0, 0, 4, 0);
    ask(r, 7, 0, 4, 0);
    raw_listens(r);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->got[WIRE_PIECE], 8);
    assert_int_equal(r->got[WIRE_HASHES], 2);
    assert_int_equal(r->got[WIRE_HASH_REJECT], 1);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(n[i], 0);
    rig_free(g);
}

/* Who does not read them gets no more of them, and has to go in the end. */
static void answers_pile_up(void **state)
{
    (void)state;
    struct rig *g = rig(22, 2);
    rig_seed(g);
    struct raw *r = raw_friend(g, 1);
    r->deaf = true;
    for (unsigned i = 0; i < NODE_MAX_WAITING_OUT / 60 && !r->closed; i++)
        ask(r, i % 2 ? 2 : 7, 0, 16, 0);
    assert_true(r->closed);
    rig_free(g);
}

/* How many of so many questions had hashes computed for them. */
static unsigned flood(struct rig *g, struct raw *r, unsigned n)
{
    unsigned before = g->ops[NODE_LEAVES];
    for (unsigned i = 0; i < n; i++) {
        struct wire_hash_req q = {.length = 4, .index = 4 * (i % 8)};
        struct buf b = {0};
        memcpy(q.root, g->m->files[0].root, SHA256_LEN);
        wire_put_hash_req(&b, WIRE_HASH_REQUEST, &q);
        raw_send(r, &b);
    }
    rig_run(g, 100 * USEC_MS);
    assert_int_equal(r->got[WIRE_HASHES] + r->got[WIRE_HASH_REJECT], n);
    return g->ops[NODE_LEAVES] - before;
}

static void floods(void **state)
{
    (void)state;
    struct rig *g = rig(5, 2);
    rig_seed(g);
    struct raw *r = raw_friend(g, 1);
    unsigned first = flood(g, r, 5000);
    assert_true(first > 10 && first < 300);
    raw_leaves(r); /* calling again changes nothing; others are none the worse for it */
    unsigned again = flood(g, raw_friend(g, 1), 5000);
    assert_true(again < first / 2);
    unsigned other = flood(g, raw_friend(g, 2), 5000);
    assert_true(other > again);
    rig_free(g);
}

/* Were addresses remembered for ever, memory would be what a stranger asks for. */
static void floods_from_everywhere(void **state)
{
    (void)state;
    struct rig *g = rig(7, 2);
    rig_seed(g);
    for (unsigned i = 0; i < 600; i++) {
        struct raw *r = raw_friend(g, 1 + i);
        flood(g, r, 1);
        raw_leaves(r);
    }
    assert_int_equal(flood(g, raw_friend(g, 1000), 1), 1);
    rig_free(g);
}

static void unasked(void **state)
{
    (void)state;
    for (int what = 0; what < 2; what++) {
        struct rig *g = rig(6, 3);
        rig_leech(g);
        struct raw *r = raw_friend(g, 1);
        struct wire_hash_req q = {.length = 2};
        static const uint8_t two[64];
        struct buf b = {0};
        memcpy(q.root, g->m->files[0].root, SHA256_LEN);
        if (what)
            wire_put_hashes(&b, &q, BYTES(two, sizeof two));
        else
            wire_put_hash_req(&b, WIRE_HASH_REJECT, &q);
        raw_send(r, &b);
        assert_int_equal(r->closed, what);
        rig_free(g);
    }
}

/* ---- answers ---- */

enum { TRUE_ONES, WRONG, SHORT, TWICE, LATE, NONE };

struct answers {
    int how;
    struct wire_hash_req late;
};

static void give(struct raw *r, const struct wire_hash_req *q, int how)
{
    struct rig *g = r->rig;
    struct buf body = {0}, b = {0};
    unsigned top = merkle_height(merkle_blocks(ONE.length));
    uint64_t blocks = merkle_blocks(ONE.length);
    uint8_t *leaves = mem_zero(blocks * SHA256_LEN);
    for (uint64_t i = 0; i < blocks; i++)
        leaf(g, i, leaves + i * SHA256_LEN);
    unsigned inside = (unsigned)__builtin_ctz(q->length), most = top - q->base - inside;
    unsigned proof = q->proof + 1 > inside ? q->proof + 1 - inside : 0;
    proof = proof < most ? proof : most;
    if (q->base == 0)
        merkle_extract(&body, leaves, blocks, 0, top, q->index, q->length, proof);
    else
        merkle_extract(&body, g->m->files[0].layer, g->m->files[0].layer_n, q->base, top, q->index,
                       q->length, proof);
    if (how == WRONG)
        ((uint8_t *)(uintptr_t)buf_bytes(&body).p)[5] ^= 1;
    struct bytes all = buf_bytes(&body);
    if (how == SHORT)
        all.n = SHA256_LEN;
    wire_put_hashes(&b, q, all);
    if (how == TWICE)
        wire_put_hashes(&b, q, all);
    buf_fini(&body);
    free(leaves);
    raw_send(r, &b);
}

static void serves_with_hashes(struct raw *r, const struct wire_msg *m)
{
    struct answers *a = r->arg;
    if (m->type != WIRE_HASH_REQUEST)
        raw_serves(r, m);
    else if (a->how == LATE)
        a->late = m->hash;
    else if (a->how != NONE)
        give(r, &m->hash, a->how);
}

static struct raw *seed_acting(struct rig *g, unsigned host,
                               void (*act)(struct raw *, const struct wire_msg *),
                               struct answers *a)
{
    struct raw *r = raw_new(g, host);
    r->act = act;
    r->arg = a;
    raw_comes(r);
    raw_handshake(r, true, true, true);
    raw_hello(r, (uint32_t)g->m->info.n);
    return r;
}

static struct raw *seed_with(struct rig *g, unsigned host, struct answers *a)
{
    return seed_acting(g, host, serves_with_hashes, a);
}

/* A link to a v2 item needs the layers before anything else: from whoever tells the truth. */
static void layers(void **state)
{
    (void)state;
    for (int how = TRUE_ONES; how <= NONE; how++)
        for (int format = 2; format <= 3; format++) {
            struct rig *g = rig(7, format);
            struct answers bad = {.how = how}, good = {.how = TRUE_ONES};
            rig_link(g, format == 3, true);
            struct raw *r = seed_with(g, 1, &bad);
            rig_run(g, USEC_SEC);
            if (how == WRONG || how == SHORT || how == TWICE)
                assert_true(r->closed);
            assert_false(g->complete && format == 2 && how != TRUE_ONES && how != TWICE);
            seed_with(g, 2, &good);
            assert_true(rig_until(g, &g->complete, 40 * USEC_SEC));
            assert_memory_equal(g->disk, g->content, g->m->space);
            rig_free(g);
        }
}

/* Hashes that come after we gave up waiting are no offence. */
static void late_answers(void **state)
{
    (void)state;
    struct rig *g = rig(8, 2);
    struct answers a = {.how = LATE};
    rig_link(g, false, true);
    struct raw *r = seed_with(g, 1, &a);
    rig_run(g, 15 * USEC_SEC);
    assert_false(g->complete);
    assert_true(a.late.length > 0);
    struct wire_hash_req q = a.late;
    a.how = TRUE_ONES;
    give(r, &q, TRUE_ONES);
    assert_false(r->closed);
    assert_true(rig_until(g, &g->complete, 10 * USEC_SEC));
    rig_free(g);
}

/* Leaves cost who tells them a piece read once more: not asked for where one peer gives it all, and
 * nothing has been wrong. */
static void leaves_of_one(void **state)
{
    (void)state;
    struct rig *g = rig(10, 2);
    struct answers a = {.how = TRUE_ONES};
    rig_leech(g);
    struct raw *r = seed_with(g, 1, &a);
    assert_true(rig_until(g, &g->complete, USEC_MIN));
    assert_int_equal(r->got[WIRE_HASH_REQUEST], 0);
    rig_free(g);
}

static void gives_two_blocks(struct raw *r, const struct wire_msg *m)
{
    if (m->type != WIRE_REQUEST || r->got[WIRE_REQUEST] <= 2)
        raw_serves(r, m);
}

/* The rest of a piece comes from another than its beginning: that is to be told apart. */
static void leaves_of_two(void **state)
{
    (void)state;
    struct rig *g = rig(11, 2);
    struct answers a = {.how = TRUE_ONES};
    rig_leech(g);
    struct raw *first = seed_acting(g, 1, gives_two_blocks, NULL);
    rig_run(g, USEC_SEC);
    raw_leaves(first);
    struct raw *second = seed_with(g, 2, &a);
    assert_true(rig_until(g, &g->complete, USEC_MIN));
    assert_int_equal(second->got[WIRE_HASH_REQUEST], 1);
    rig_free(g);
}

/* The leaves are known, so a bad block is named at once and its sender alone goes. */
static void bad_block_named(void **state)
{
    (void)state;
    struct rig *g = rig(9, 2);
    struct answers a = {.how = TRUE_ONES};
    rig_leech(g);
    struct raw *v[3];
    for (unsigned i = 0; i < 3; i++) {
        v[i] = raw_new(g, 1 + i);
        v[i]->act = serves_with_hashes;
        v[i]->arg = &a;
        v[i]->lie = i == 1 ? 2 : 0;
        raw_waits(v[i]);
    }
    assert_true(rig_until(g, &g->complete, USEC_MIN));
    struct node_status s;
    node_status(g->n, g->task, &s, g->now);
    assert_true(s.wasted <= 4 * MERKLE_BLOCK + PIECE);
    assert_int_equal(v[0]->dials, 1);
    assert_int_equal(v[2]->dials, 1);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions),    cmocka_unit_test(large_layer),
        cmocka_unit_test(other_roots),  cmocka_unit_test(answers_go_first),
        cmocka_unit_test(answers_pile_up),
        cmocka_unit_test(floods_from_everywhere),
        cmocka_unit_test(floods),       cmocka_unit_test(unasked),
        cmocka_unit_test(layers),       cmocka_unit_test(late_answers),
        cmocka_unit_test(leaves_of_one), cmocka_unit_test(leaves_of_two),
        cmocka_unit_test(bad_block_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

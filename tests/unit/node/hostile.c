/* A stranger writes bytes into a node: every message at every phase, every limit and past it. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/proto/mse.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define PIECE 65536u
static const struct tube_file ONE = {NULL, 40 * PIECE + 12345};

static struct rig *seeding(uint64_t seed, int format)
{
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &ONE, 1, format, PIECE);
    rig_seed(g);
    return g;
}

static struct rig *leeching(uint64_t seed, int format)
{
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &ONE, 1, format, PIECE);
    rig_leech(g);
    return g;
}

static struct rig *linked(uint64_t seed, int format)
{
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &ONE, 1, format, PIECE);
    rig_link(g, true, true);
    return g;
}

/* ---- every message at every phase ---- */

enum { LEECHES, SEEDS, LINK, SITUATIONS };

static struct rig *situation(int s, uint64_t seed)
{
    return s == LEECHES ? leeching(seed, 3) : s == SEEDS ? seeding(seed, 3) : linked(seed, 3);
}

static void put_any(struct rig *g, struct buf *b, unsigned kind, uint32_t index)
{
    struct wire_hash_req q = {.base = 0, .index = index, .length = 2, .proof = 3};
    static const uint8_t junk[64] = {0x64, 0x65};
    memcpy(q.root, g->m->files[0].root, SHA256_LEN);
    switch (kind) {
    case WIRE_HAVE:
    case WIRE_SUGGEST:
    case WIRE_ALLOWED_FAST:
        wire_put_index(b, kind, index);
        break;
    case WIRE_REQUEST:
    case WIRE_CANCEL:
    case WIRE_REJECT:
        wire_put_block(b, kind, index, 0, 16384);
        break;
    case WIRE_PIECE:
        wire_put_piece(b, index, 0, 64);
        buf_put(b, junk, 64);
        break;
    case WIRE_BITFIELD:
        wire_put_bitfield(b, BYTES(junk, (g->m->n_pieces + 7) / 8));
        break;
    case WIRE_PORT:
        wire_put_port(b, 1);
        break;
    case WIRE_EXTENDED:
        wire_put_extended(b, (uint8_t)(index % 6), BYTES(junk, 2 + index % 9));
        break;
    case WIRE_HASH_REQUEST:
    case WIRE_HASH_REJECT:
        wire_put_hash_req(b, kind, &q);
        break;
    case WIRE_HASHES:
        wire_put_hashes(b, &q, BYTES(junk, 64));
        break;
    default:
        wire_put_simple(b, kind);
        break;
    }
}

static const uint8_t KINDS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20, 21, 22, 23};

/* Nothing is asserted but that the node stays whole and goes on serving others. */
static void any_message_any_time(void **state)
{
    (void)state;
    for (int s = 0; s < SITUATIONS; s++) {
        struct rig *g = situation(s, 1000 + (uint64_t)s);
        for (size_t k = 0; k < sizeof KINDS; k++)
            for (unsigned how = 0; how < 12; how++) {
                struct raw *r = raw_new(g, 10 + (unsigned)(k * 12 + how));
                struct buf b = {0};
                raw_comes(r);
                if (how > 0)
                    raw_handshake(r, how & 1, how & 2, how & 4);
                if (how > 7)
                    raw_bits(r, how & 1);
                if (how > 9)
                    raw_simple(r, how & 1 ? WIRE_UNCHOKE : WIRE_INTERESTED);
                put_any(g, &b, KINDS[k], how % 3 == 2 ? UINT32_MAX : how);
                put_any(g, &b, KINDS[k], how);
                size_t said = buf_len(&b);
                raw_send(r, &b);
                rig_run(g, 20 * USEC_MS);
                if (how == 0) { /* a long one may be an encrypted handshake's number */
                    assert_true(r->closed || said >= MSE_NUMBER);
                    assert_true(r->bytes_in <= MSE_NUMBER + MSE_PAD_MAX);
                }
                raw_leaves(r);
            }
        raw_acting(g, 5, raw_serves);
        if (s != SEEDS) {
            assert_true(rig_until(g, &g->complete, 60 * USEC_SEC));
            assert_memory_equal(g->disk, g->content, g->m->space);
        }
        rig_free(g);
    }
}

static void wrong_item_and_protocol(void **state)
{
    (void)state;
    struct rig *g = seeding(1, 3);
    struct raw *r = raw_new(g, 1);
    raw_comes(r);
    raw_bytes(r, "GET / HTTP/1.1\r\n\r\n", 18);
    assert_true(r->closed);
    r = raw_new(g, 2);
    raw_comes(r);
    struct wire_handshake h = {0};
    struct buf b = {0};
    wire_put_handshake(&b, &h);
    raw_send(r, &b);
    assert_true(r->closed);
    assert_int_equal(r->bytes_in, 0); /* strangers to the item learn nothing */
    rig_free(g);
}

/* ---- limits of requests ---- */

static void queue_of_requests(void **state)
{
    (void)state;
    struct rig *g = seeding(2, 1);
    struct raw *r = raw_friend(g, 1);
    assert_int_equal(r->hello.reqq, 2000);
    raw_simple(r, WIRE_INTERESTED);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->got[WIRE_UNCHOKE], 1);
    r->deaf = true;
    for (unsigned i = 0; i < NODE_MAX_QUEUED + 600; i++)
        raw_block(r, WIRE_REQUEST, i % 40, 0, 16);
    assert_false(r->closed);
    raw_listens(r);
    rig_run(g, 2 * USEC_SEC);
    /* every request has one answer; the queue took what it says, and what went ahead of it */
    unsigned whole = r->got[RAW_PIECE_WHOLE], no = r->got[WIRE_REJECT];
    assert_int_equal(whole + no, NODE_MAX_QUEUED + 600);
    assert_true(no <= 600 && whole >= NODE_MAX_QUEUED);
    rig_free(g);
}

static void block_lengths(void **state)
{
    static const struct {
        uint32_t index, begin, length;
        bool fine;
    } v[] = {
        {0, 0, 1, true},           {0, 0, PIECE, true},      {0, 1, PIECE - 1, true},
        {0, 1, PIECE, false},      {0, 0, 0, false},         {0, PIECE, 1, false},
        {0, UINT32_MAX, 1, false}, {0, UINT32_MAX, UINT32_MAX, false},
        {0, 0, UINT32_MAX, false}, {40, 0, 12345, true},     {40, 0, 12346, false},
        {39, PIECE - 1, 2, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct rig *g = seeding(3, 1);
        struct raw *r = raw_friend(g, 1);
        raw_simple(r, WIRE_INTERESTED);
        raw_block(r, WIRE_REQUEST, v[i].index, v[i].begin, v[i].length);
        rig_run(g, USEC_SEC);
        assert_int_equal(r->got[RAW_PIECE_WHOLE], v[i].fine);
        assert_int_equal(r->got[WIRE_REJECT], !v[i].fine);
        if (v[i].fine)
            assert_memory_equal(r->payload, g->content + v[i].index * (uint64_t)PIECE + v[i].begin,
                                v[i].length);
        rig_free(g);
    }
}

static void largest_block(void **state)
{
    (void)state;
    struct rig *g = rig_new(4, NULL);
    const struct tube_file big = {NULL, 1u << 20};
    rig_content(g, &big, 1, 1, 512u << 10);
    rig_seed(g);
    struct raw *r = raw_friend(g, 1);
    raw_simple(r, WIRE_INTERESTED);
    raw_block(r, WIRE_REQUEST, 0, 0, WIRE_MAX_BLOCK);
    raw_block(r, WIRE_REQUEST, 0, 0, WIRE_MAX_BLOCK + 1);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->got[RAW_PIECE_WHOLE], 1);
    assert_int_equal(r->got[WIRE_REJECT], 1);
    assert_false(r->closed);
    raw_block(r, WIRE_REQUEST, 2, 0, 16);
    assert_true(r->closed); /* there is no such piece */
    rig_free(g);
}

/* Peers that have all but one piece, so that nothing is rare. */
static void crowd(struct rig *g, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct raw *r = raw_friend(g, 50 + i);
        for (uint32_t p = 1; p < g->m->n_pieces; p++)
            raw_index(r, WIRE_HAVE, p);
    }
}

/* What only we have is not given away to whoever knocks. */
static void rare_pieces_are_not_allowed_fast(void **state)
{
    (void)state;
    struct rig *g = seeding(50, 1);
    crowd(g, 3);
    assert_int_equal(raw_friend(g, 1)->got[WIRE_ALLOWED_FAST], 0);
    crowd(g, 1);
    assert_true(raw_friend(g, 2)->got[WIRE_ALLOWED_FAST] > 0);
    rig_free(g);
}

static void requests_while_choked(void **state)
{
    (void)state;
    struct rig *g = seeding(5, 1);
    crowd(g, 4);
    struct raw *fast = raw_friend(g, 1), *plain = raw_new(g, 2);
    unsigned allowed = fast->got[WIRE_ALLOWED_FAST];
    assert_true(allowed > 0 && allowed <= 16);
    for (unsigned i = 0; i < 40; i++)
        raw_block(fast, WIRE_REQUEST, i, 0, 16384);
    rig_run(g, USEC_SEC);
    assert_int_equal(fast->got[WIRE_REJECT] + fast->got[RAW_PIECE_WHOLE], 40);
    assert_int_equal(fast->got[RAW_PIECE_WHOLE], allowed);
    raw_comes(plain);
    raw_handshake(plain, false, false, false);
    raw_block(plain, WIRE_REQUEST, 0, 0, 16384);
    rig_run(g, USEC_SEC);
    assert_false(plain->closed); /* it crossed a CHOKE, as far as we know */
    assert_int_equal(plain->got[RAW_PIECE_WHOLE], 0);
    assert_int_equal(plain->got[WIRE_REJECT], 0);
    rig_free(g);
}

static void cancels(void **state)
{
    (void)state;
    struct rig *g = seeding(6, 1);
    struct raw *r = raw_friend(g, 1);
    raw_simple(r, WIRE_INTERESTED);
    rig_run(g, USEC_SEC);
    r->deaf = true;
    for (unsigned i = 0; i < 200; i++)
        raw_block(r, WIRE_REQUEST, i % 40, (i / 40) * 16, 16384 - 16 * (i / 40));
    for (unsigned i = 0; i < 200; i++)
        raw_block(r, WIRE_CANCEL, i % 40, (i / 40) * 16, 16384 - 16 * (i / 40));
    raw_block(r, WIRE_CANCEL, UINT32_MAX, 5, 7);
    raw_listens(r);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->got[WIRE_REJECT] + r->got[RAW_PIECE_WHOLE], 200);
    assert_true(r->got[WIRE_REJECT] > 150);
    rig_free(g);
}

/* ---- data nobody asked for ---- */

static void unasked_pieces(void **state)
{
    static const struct {
        uint32_t index, begin, length;
    } v[] = {{0, 0, 16384}, {UINT32_MAX, 0, 16384}, {0, 1, 16384}, {0, 0, 1},
             {40, 0, WIRE_MAX_BLOCK}};
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct rig *g = leeching(7, 3);
        struct raw *r = raw_friend(g, 1);
        raw_simple(r, WIRE_HAVE_ALL);
        raw_piece(r, v[i].index, v[i].begin, v[i].length, false);
        assert_true(r->closed);
        assert_int_equal(g->ops[NODE_STORE], 0);
        rig_free(g);
    }
}

static void wrong_length(struct raw *r, const struct wire_msg *m)
{
    if (m->type == WIRE_REQUEST)
        raw_piece(r, m->index, m->begin, m->length - 1, false);
}

static void pieces_of_wrong_length(void **state)
{
    (void)state;
    struct rig *g = leeching(8, 1);
    struct raw *r = raw_friend(g, 1);
    r->act = wrong_length;
    raw_simple(r, WIRE_HAVE_ALL);
    raw_simple(r, WIRE_UNCHOKE);
    rig_run(g, 2 * USEC_SEC);
    assert_true(r->closed);
    assert_int_equal(g->ops[NODE_STORE], 0);
    rig_free(g);
}

/* ---- what it says it has ---- */

static void bitfields(void **state)
{
    static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    static const struct {
        size_t n;
        uint8_t last;
        bool fine;
    } v[] = {{6, 0x80, true}, {6, 0x81, false}, {6, 0xff, false}, {5, 0xff, false},
             {7, 0, false},   {0, 0, false}};
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        for (int link = 0; link < 2; link++) {
            struct rig *g = link ? linked(9, 1) : leeching(9, 1);
            struct raw *r = raw_new(g, 1);
            uint8_t body[8];
            struct buf b = {0};
            memcpy(body, ones, sizeof body);
            if (v[i].n)
                body[v[i].n - 1] = v[i].last;
            raw_comes(r);
            raw_handshake(r, true, true, false);
            wire_put_bitfield(&b, BYTES(body, v[i].n));
            raw_send(r, &b);
            if (link) { /* judged when the number of pieces is known */
                raw_acting(g, 2, raw_serves);
                assert_true(rig_until(g, &g->metadata, 2 * USEC_SEC));
            }
            /* told nothing at all before the number is known: nothing is known of it */
            assert_int_equal(!r->closed, v[i].fine || (link && v[i].n == 0));
            rig_free(g);
        }
}

/* What a peer told before and in a bitfield counts once. */
static void have_before_bitfield(void **state)
{
    (void)state;
    struct rig *g = leeching(10, 1);
    struct raw *r = raw_new(g, 1);
    raw_comes(r);
    raw_handshake(r, true, true, false);
    for (uint32_t i = 0; i < 10; i++)
        raw_index(r, WIRE_HAVE, i);
    raw_bits(r, false);
    raw_simple(r, WIRE_UNCHOKE);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->got[WIRE_INTERESTED], 1);
    assert_true(r->got[WIRE_REQUEST] > 0);
    raw_simple(r, WIRE_HAVE_ALL);
    assert_true(r->closed);
    rig_free(g);
}

static void floods_of_haves(void **state)
{
    (void)state;
    struct rig *g = linked(11, 1);
    struct raw *r = raw_friend(g, 1);
    for (uint32_t i = 0; i < 65536; i++)
        raw_index(r, WIRE_HAVE, i % 41);
    assert_false(r->closed);
    raw_index(r, WIRE_HAVE, 1);
    assert_true(r->closed);
    r = raw_friend(g, 2);
    raw_index(r, WIRE_HAVE, 1u << 21);
    assert_true(r->closed);
    rig_free(g);
}

static void allowed_fast_beyond(void **state)
{
    (void)state;
    struct rig *g = leeching(12, 1);
    struct raw *r = raw_friend(g, 1);
    raw_simple(r, WIRE_HAVE_ALL);
    for (uint32_t i = 0; i < 41; i++) {
        raw_index(r, WIRE_ALLOWED_FAST, i);
        raw_index(r, WIRE_SUGGEST, i);
    }
    raw_index(r, WIRE_ALLOWED_FAST, UINT32_MAX);
    rig_run(g, 5 * USEC_SEC);
    assert_false(r->closed);
    assert_true(r->got[WIRE_REQUEST] > 0);
    assert_true(r->got[WIRE_REQUEST] <= 16 * 4); /* of 16 pieces at most */
    rig_free(g);
}

/* ---- length prefixes ---- */

static void lengths_on_the_wire(void **state)
{
    static const struct {
        uint8_t type;
        uint32_t length; /* the prefix */
        bool fine;
    } v[] = {
        {WIRE_CHOKE, 1, true},       {WIRE_CHOKE, 2, false},
        {WIRE_HAVE, 4, false},       {WIRE_HAVE, 6, false},
        {WIRE_REQUEST, 12, false},   {WIRE_REQUEST, 14, false},
        {WIRE_PIECE, 8, false},      {WIRE_PIECE, 9 + WIRE_MAX_BLOCK + 1, false},
        {WIRE_EXTENDED, 1, false},   {WIRE_EXTENDED, 3 + WIRE_MAX_EXTENDED, false},
        {WIRE_EXTENDED, 2 + WIRE_MAX_EXTENDED, true}, {WIRE_BITFIELD, UINT32_MAX, false},
        {WIRE_HASHES, 48, false},    {WIRE_HASHES, UINT32_MAX, false},
        {200, WIRE_MAX_UNKNOWN, true}, {200, WIRE_MAX_UNKNOWN + 1, false},
        {200, UINT32_MAX, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct rig *g = seeding(13, 3);
        struct raw *r = raw_friend(g, 1);
        uint8_t head[6];
        put_be32(head, v[i].length);
        head[4] = v[i].type;
        head[5] = 9;
        raw_bytes(r, head, v[i].type == WIRE_CHOKE && v[i].fine ? 5 : 6);
        rig_run(g, USEC_SEC);
        assert_int_equal(!r->closed, v[i].fine);
        rig_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_message_any_time),
        cmocka_unit_test(wrong_item_and_protocol),
        cmocka_unit_test(queue_of_requests),
        cmocka_unit_test(block_lengths),
        cmocka_unit_test(largest_block),
        cmocka_unit_test(rare_pieces_are_not_allowed_fast),
        cmocka_unit_test(requests_while_choked),
        cmocka_unit_test(cancels),
        cmocka_unit_test(unasked_pieces),
        cmocka_unit_test(pieces_of_wrong_length),
        cmocka_unit_test(bitfields),
        cmocka_unit_test(have_before_bitfield),
        cmocka_unit_test(floods_of_haves),
        cmocka_unit_test(allowed_fast_beyond),
        cmocka_unit_test(lengths_on_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The peer wire: each message at its limits, one past and far past; any cut; places. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/base/rng.h>
#include <p2p/proto/wire.h>

#include <stdlib.h>

static const struct wire_handshake hello = {
    .reserved = {0, 0, 0, 0, 0, 0x10, 0, 0x15},
    .info_hash = "infohash-infohash-in",
    .peer_id = "-PP0100-abcdefghijkl",
};

/* A parser that is past its handshake. */
static struct wire *talking(void)
{
    struct wire *w = wire_new();
    struct buf b = {0};
    struct wire_msg m;
    wire_put_handshake(&b, &hello);
    wire_feed(w, buf_bytes(&b));
    assert_int_equal(wire_next(w, &m, NULL), 1);
    assert_int_equal(m.type, WIRE_HANDSHAKE);
    assert_int_equal(wire_next(w, &m, NULL), 0);
    buf_fini(&b);
    return w;
}

/* What wire_next says to these bytes. */
static int says(struct wire *w, struct bytes b, struct wire_msg *m)
{
    struct err e = {0};
    wire_feed(w, b);
    int r = wire_next(w, m, &e);
    if (r < 0) {
        assert_int_equal(e.code, ERR_INVALID);
        assert_true(e.msg[0] != 0);
        assert_int_equal(wire_next(w, m, NULL), ERR_INVALID); /* final */
        wire_feed(w, BYTES_LIT("\0\0\0\0"));
        assert_int_equal(wire_next(w, m, NULL), ERR_INVALID);
    }
    return r;
}

/* Judgement over a bare head: length prefix and type, nothing of the body. */
static int judge_head(uint32_t length, uint8_t type, bool pieces_known, uint32_t n_pieces)
{
    struct wire *w = talking();
    struct wire_msg m;
    uint8_t head[5];
    put_be32(head, length);
    head[4] = type;
    if (pieces_known)
        wire_set_pieces(w, n_pieces);
    int r = says(w, BYTES(head, 5), &m);
    wire_free(w);
    return r;
}

static int judge(uint32_t length, uint8_t type)
{
    return judge_head(length, type, false, 0);
}

static void handshake(void **state)
{
    (void)state;
    struct buf b = {0};
    struct wire_msg m;
    wire_put_handshake(&b, &hello);
    struct bytes whole = buf_bytes(&b);
    assert_int_equal(whole.n, WIRE_HANDSHAKE_LEN);
    assert_memory_equal(whole.p, "\x13" "BitTorrent protocol", 20);
    struct wire *w = wire_new();
    assert_int_equal(wire_next(w, &m, NULL), 0);
    for (size_t i = 0; i < WIRE_HANDSHAKE_LEN - 1; i++) {
        wire_feed(w, BYTES(whole.p + i, 1));
        assert_int_equal(wire_next(w, &m, NULL), 0);
    }
    wire_feed(w, BYTES(whole.p + WIRE_HANDSHAKE_LEN - 1, 1));
    assert_int_equal(wire_next(w, &m, NULL), 1);
    assert_int_equal(m.type, WIRE_HANDSHAKE);
    assert_memory_equal(&m.handshake, &hello, sizeof hello);
    assert_int_equal(wire_next(w, &m, NULL), 0);
    wire_free(w);
    buf_fini(&b);
}

static void handshake_of_others(void **state)
{
    (void)state;
    struct buf b = {0};
    struct wire_msg m;
    wire_put_handshake(&b, &hello);
    for (size_t i = 0; i < 20; i++) { /* told at the first byte that differs, however it comes */
        uint8_t bad[20];
        memcpy(bad, buf_bytes(&b).p, 20);
        bad[i] ^= 0x20;
        struct wire *w = wire_new();
        assert_int_equal(says(w, BYTES(bad, i), &m), 0);
        assert_int_equal(says(w, BYTES(bad + i, 1), &m), ERR_INVALID);
        wire_free(w);
    }
    struct wire *w = wire_new();
    assert_int_equal(says(w, BYTES_LIT("GET / HTTP/1.1\r\n"), &m), ERR_INVALID);
    wire_free(w);
    wire_free(NULL);
    buf_fini(&b);
}

static void reserved_bits(void **state)
{
    (void)state;
    struct wire_handshake h = {0};
    wire_reserved(h.reserved, false, false);
    assert_true(WIRE_HAS_EXTENDED(&h) && WIRE_HAS_FAST(&h));
    assert_false(WIRE_HAS_DHT(&h) || WIRE_HAS_V2(&h));
    wire_reserved(h.reserved, true, true);
    assert_memory_equal(h.reserved, "\0\0\0\0\0\x10\0\x15", 8);
}

static void fixed_lengths(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, length;
    } fixed[] = {
        {WIRE_CHOKE, 1},          {WIRE_UNCHOKE, 1},       {WIRE_INTERESTED, 1},
        {WIRE_NOT_INTERESTED, 1}, {WIRE_HAVE, 5},          {WIRE_REQUEST, 13},
        {WIRE_CANCEL, 13},        {WIRE_PORT, 3},          {WIRE_SUGGEST, 5},
        {WIRE_HAVE_ALL, 1},       {WIRE_HAVE_NONE, 1},     {WIRE_REJECT, 13},
        {WIRE_ALLOWED_FAST, 5},   {WIRE_HASH_REQUEST, 49}, {WIRE_HASH_REJECT, 49},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        assert_true(judge(fixed[i].length, fixed[i].type) >= 0);
        assert_int_equal(judge(fixed[i].length + 1u, fixed[i].type), ERR_INVALID);
        assert_int_equal(judge(UINT32_MAX, fixed[i].type), ERR_INVALID);
        if (fixed[i].length > 1)
            assert_int_equal(judge(fixed[i].length - 1u, fixed[i].type), ERR_INVALID);
    }
}

static void ranged_lengths(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        uint32_t min, max;
    } ranged[] = {
        {WIRE_PIECE, 10, 9 + WIRE_MAX_BLOCK},
        {WIRE_EXTENDED, 2, 2 + WIRE_MAX_EXTENDED},
        {WIRE_HASHES, 49 + 32, 49 + 32 * WIRE_MAX_HASHES},
        {WIRE_BITFIELD, 1, 1 + WIRE_MAX_BITFIELD_EARLY},
        {12, 1, WIRE_MAX_UNKNOWN},
        {255, 1, WIRE_MAX_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof ranged / sizeof *ranged; i++) {
        assert_true(judge(ranged[i].min, ranged[i].type) >= 0);
        assert_true(judge(ranged[i].max, ranged[i].type) >= 0);
        assert_int_equal(judge(ranged[i].max + 1, ranged[i].type), ERR_INVALID);
        assert_int_equal(judge(UINT32_MAX, ranged[i].type), ERR_INVALID);
        if (ranged[i].min > 1)
            assert_int_equal(judge(ranged[i].min - 1, ranged[i].type), ERR_INVALID);
    }
}

static void bitfield_of_known_pieces(void **state)
{
    (void)state;
    static const struct {
        uint32_t pieces, bytes;
    } sizes[] = {{1, 1}, {8, 1}, {9, 2}, {1u << 21, 1u << 18}, {UINT32_MAX, 1u << 29}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_true(judge_head(1 + sizes[i].bytes, WIRE_BITFIELD, true, sizes[i].pieces) >= 0);
        assert_int_equal(judge_head(sizes[i].bytes, WIRE_BITFIELD, true, sizes[i].pieces),
                         ERR_INVALID);
        assert_int_equal(judge_head(2 + sizes[i].bytes, WIRE_BITFIELD, true, sizes[i].pieces),
                         ERR_INVALID);
    }
    struct wire *w = talking(); /* known while half of it is here */
    struct wire_msg m;
    assert_int_equal(says(w, BYTES_LIT("\0\0\0\x03\x05\xff"), &m), 0);
    wire_set_pieces(w, 17);
    assert_int_equal(says(w, BYTES_LIT("\xff"), &m), ERR_INVALID);
    wire_free(w);
}

static struct wire_msg one(struct buf *b)
{
    struct wire *w = talking();
    struct wire_msg m;
    assert_int_equal(says(w, buf_bytes(b), &m), 1);
    struct wire_msg after;
    assert_int_equal(wire_next(w, &after, NULL), 0);
    m.body.n = 0; /* it is gone with the parser */
    wire_free(w);
    buf_clear(b);
    return m;
}

static void fields(void **state)
{
    (void)state;
    struct buf b = {0};
    static const enum wire_type simple[] = {WIRE_CHOKE,          WIRE_UNCHOKE,  WIRE_INTERESTED,
                                            WIRE_NOT_INTERESTED, WIRE_HAVE_ALL, WIRE_HAVE_NONE};
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
        wire_put_simple(&b, simple[i]);
        assert_int_equal(one(&b).type, simple[i]);
    }
    static const enum wire_type index[] = {WIRE_HAVE, WIRE_SUGGEST, WIRE_ALLOWED_FAST};
    for (size_t i = 0; i < 3; i++) {
        wire_put_index(&b, index[i], 0xfffffffe);
        struct wire_msg m = one(&b);
        assert_int_equal(m.type, index[i]);
        assert_int_equal(m.index, 0xfffffffe);
    }
    static const enum wire_type block[] = {WIRE_REQUEST, WIRE_CANCEL, WIRE_REJECT};
    for (size_t i = 0; i < 3; i++) {
        wire_put_block(&b, block[i], 1, 0x80000000, UINT32_MAX);
        struct wire_msg m = one(&b);
        assert_int_equal(m.type, block[i]);
        assert_int_equal(m.index, 1);
        assert_int_equal(m.begin, 0x80000000);
        assert_int_equal(m.length, UINT32_MAX);
    }
    wire_put_port(&b, 65535);
    assert_int_equal(one(&b).port, 65535);
    wire_put_keepalive(&b);
    assert_int_equal(one(&b).type, WIRE_KEEPALIVE);
    buf_fini(&b);
}

static void bodies(void **state)
{
    (void)state;
    struct wire *w = talking();
    struct buf b = {0};
    struct wire_msg m;
    wire_put_bitfield(&b, BYTES_LIT("\xf0\x01"));
    assert_memory_equal(buf_bytes(&b).p, "\0\0\0\x03\x05\xf0\x01", 7);
    assert_int_equal(says(w, buf_bytes(&b), &m), 1);
    assert_int_equal(m.type, WIRE_BITFIELD);
    assert_true(bytes_eq(m.body, BYTES_LIT("\xf0\x01")));
    assert_int_equal(wire_next(w, &m, NULL), 0);
    buf_clear(&b);
    wire_put_extended(&b, 3, BYTES_LIT("de"));
    assert_int_equal(says(w, buf_bytes(&b), &m), 1);
    assert_int_equal(m.type, WIRE_EXTENDED);
    assert_int_equal(m.ext_id, 3);
    assert_true(bytes_is(m.body, "de"));
    assert_ptr_equal(m.body.p, buf_bytes(&b).p + 6); /* read where it lies */
    assert_int_equal(wire_next(w, &m, NULL), 0);
    buf_clear(&b);
    wire_put_extended(&b, 0, BYTES(NULL, 0));
    assert_int_equal(says(w, buf_bytes(&b), &m), 1);
    assert_int_equal(m.body.n, 0);
    wire_free(w);
    buf_fini(&b);
}

static const struct wire_hash_req request = {
    .root = "0123456789abcdef0123456789abcde", .base = 3, .index = 512, .length = 4, .proof = 9};

static void hash_requests(void **state)
{
    (void)state;
    struct buf b = {0};
    static const enum wire_type types[] = {WIRE_HASH_REQUEST, WIRE_HASH_REJECT};
    for (size_t i = 0; i < 2; i++) {
        wire_put_hash_req(&b, types[i], &request);
        assert_int_equal(buf_len(&b), 4 + 49);
        struct wire_msg m = one(&b);
        assert_int_equal(m.type, types[i]);
        assert_memory_equal(&m.hash, &request, sizeof request);
    }
    buf_fini(&b);
}

/* How n hashes that answer `length` and `proof` are judged. */
static int judge_hashes(uint32_t length, uint32_t proof, size_t bytes)
{
    struct wire_hash_req r = request;
    struct buf b = {0};
    struct wire_msg m;
    uint8_t *hashes = mem_zero(bytes);
    r.length = length;
    r.proof = proof;
    wire_put_hashes(&b, &r, BYTES(hashes, bytes));
    struct wire *w = talking();
    int result = says(w, buf_bytes(&b), &m);
    if (result > 0) {
        assert_int_equal(m.type, WIRE_HASHES);
        assert_int_equal(m.body.n, bytes);
        assert_memory_equal(&m.hash, &r, sizeof r);
    }
    wire_free(w);
    free(hashes);
    buf_fini(&b);
    return result;
}

static void hashes(void **state)
{
    (void)state;
    assert_int_equal(judge_hashes(2, 0, 2 * 32), 1);
    assert_int_equal(judge_hashes(4, 9, 4 * 32), 1);
    assert_int_equal(judge_hashes(4, 9, 12 * 32), 1);
    assert_int_equal(judge_hashes(4, 9, 13 * 32), 1);
    assert_int_equal(judge_hashes(4, 9, 14 * 32), ERR_INVALID);
    assert_int_equal(judge_hashes(4, 9, 3 * 32), ERR_INVALID);
    assert_int_equal(judge_hashes(4, 9, 5 * 32 + 1), ERR_INVALID);
    assert_int_equal(judge_hashes(UINT32_MAX, UINT32_MAX, 2 * 32), ERR_INVALID);
    assert_int_equal(judge_hashes(8, UINT32_MAX, 20 * 32), 1);
    assert_int_equal(judge_hashes(4096, 4096, WIRE_MAX_HASHES * 32), 1);
    assert_int_equal(judge_hashes(4096, 8192, (WIRE_MAX_HASHES + 1) * 32), ERR_INVALID);
}

static void unknown_is_skipped(void **state)
{
    (void)state;
    struct wire *w = talking();
    struct wire_msg m;
    uint8_t *junk = mem_alloc(WIRE_MAX_UNKNOWN + 4 + 5);
    memset(junk, 0xff, WIRE_MAX_UNKNOWN + 4);
    put_be32(junk, WIRE_MAX_UNKNOWN);
    junk[4] = 77;
    memcpy(junk + WIRE_MAX_UNKNOWN + 4, "\0\0\0\x01\x01", 5);
    size_t at = 0, end = WIRE_MAX_UNKNOWN + 4 + 5, seen = 0;
    while (at < end) {
        size_t n = end - at < 9999 ? end - at : 9999;
        wire_feed(w, BYTES(junk + at, n));
        at += n;
        for (int r; (r = wire_next(w, &m, NULL)) != 0; seen++) {
            assert_int_equal(r, 1);
            assert_int_equal(m.type, seen ? WIRE_UNCHOKE : WIRE_UNKNOWN);
            if (!seen) {
                assert_int_equal(m.index, 77);
                assert_int_equal(m.length, WIRE_MAX_UNKNOWN - 1);
            }
        }
    }
    assert_int_equal(seen, 2);
    assert_int_equal(says(w, BYTES_LIT("\0\0\0\x01\x0a"), &m), 1); /* without a body */
    assert_int_equal(m.type, WIRE_UNKNOWN);
    assert_int_equal(wire_next(w, &m, NULL), 0);
    wire_free(w);
    free(junk);
}

/* ---- places ---- */

static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 8));
}

static void put_whole_piece(struct buf *b, uint32_t index, uint32_t begin, uint32_t length)
{
    wire_put_piece(b, index, begin, length);
    fill(buf_room(b, length), length);
    buf_added(b, length);
}

static void expect(struct wire *w, struct wire_msg *m, enum wire_type type)
{
    struct err e = {0};
    assert_int_equal(wire_next(w, m, &e), 1);
    assert_int_equal(m->type, type);
}

static void piece_fed(void **state)
{
    (void)state;
    static uint8_t place[WIRE_MAX_BLOCK], want[WIRE_MAX_BLOCK];
    struct buf b = {0};
    struct wire_msg m;
    fill(want, sizeof want);
    static const uint32_t lengths[] = {1, 2, 5, 16383, 16384, WIRE_MAX_BLOCK - 1, WIRE_MAX_BLOCK};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint32_t length = lengths[i];
        struct wire *w = talking();
        put_whole_piece(&b, 5, 16384, length);
        wire_put_index(&b, WIRE_HAVE, 9);
        memset(place, 0, sizeof place);
        wire_feed(w, buf_bytes(&b));
        expect(w, &m, WIRE_PIECE);
        assert_int_equal(m.index, 5);
        assert_int_equal(m.begin, 16384);
        assert_int_equal(m.length, length);
        wire_place(w, place);
        assert_int_equal(wire_want(w).n, 0); /* what was fed comes first */
        expect(w, &m, WIRE_PIECE_DONE);
        assert_int_equal(m.index, 5);
        assert_int_equal(m.begin, 16384);
        assert_int_equal(m.length, length);
        assert_memory_equal(place, want, length);
        assert_int_equal(wire_want(w).n, 0);
        expect(w, &m, WIRE_HAVE);
        assert_int_equal(m.index, 9);
        assert_int_equal(wire_next(w, &m, NULL), 0);
        wire_free(w);
        buf_clear(&b);
    }
    buf_fini(&b);
}

static void piece_received_in_place(void **state)
{
    (void)state;
    static uint8_t place[16384], want[16384];
    struct buf b = {0};
    struct wire_msg m;
    struct wire *w = talking();
    fill(want, sizeof want);
    put_whole_piece(&b, 1, 0, 16384);
    struct bytes all = buf_bytes(&b);
    wire_feed(w, BYTES(all.p, 13 + 100));
    expect(w, &m, WIRE_PIECE);
    wire_place(w, place);
    assert_int_equal(wire_next(w, &m, NULL), 0);
    struct span s = wire_want(w);
    assert_ptr_equal(s.p, place + 100);
    assert_int_equal(s.n, 16384 - 100);
    memcpy(s.p, want + 100, 1000);
    wire_placed(w, 1000);
    wire_feed(w, BYTES(NULL, 0));
    assert_int_equal(wire_next(w, &m, NULL), 0);
    s = wire_want(w);
    assert_ptr_equal(s.p, place + 1100);
    memcpy(s.p, want + 1100, s.n);
    wire_placed(w, s.n);
    assert_int_equal(wire_want(w).n, 0);
    wire_feed(w, BYTES_LIT("\0\0\0\x01\x00\0\0"));
    expect(w, &m, WIRE_PIECE_DONE);
    assert_memory_equal(place, want, sizeof want);
    expect(w, &m, WIRE_CHOKE);
    assert_int_equal(wire_next(w, &m, NULL), 0);
    wire_free(w);
    buf_fini(&b);
}

static void piece_without_place(void **state)
{
    (void)state;
    struct buf b = {0};
    struct wire_msg m;
    struct wire *w = talking();
    put_whole_piece(&b, 1, 2, 100);
    put_whole_piece(&b, 3, 4, 100);
    wire_feed(w, BYTES(buf_bytes(&b).p, 50));
    expect(w, &m, WIRE_PIECE); /* wire_place not called at all */
    assert_int_equal(wire_next(w, &m, NULL), 0);
    assert_int_equal(wire_want(w).n, 0);
    wire_feed(w, BYTES(buf_bytes(&b).p + 50, buf_len(&b) - 50));
    expect(w, &m, WIRE_PIECE_DONE);
    assert_int_equal(m.index, 1);
    expect(w, &m, WIRE_PIECE);
    wire_place(w, NULL);
    expect(w, &m, WIRE_PIECE_DONE);
    assert_int_equal(m.index, 3);
    assert_int_equal(m.begin, 4);
    assert_int_equal(wire_next(w, &m, NULL), 0);
    wire_free(w);
    buf_fini(&b);
}

static void place_goes_away(void **state)
{
    (void)state;
    uint8_t place[100] = {0}, nothing[100] = {0};
    struct buf b = {0};
    struct wire_msg m;
    struct wire *w = talking();
    wire_unplace(w); /* nothing to take away */
    put_whole_piece(&b, 1, 2, 100);
    struct bytes all = buf_bytes(&b);
    wire_feed(w, BYTES(all.p, 13 + 10));
    expect(w, &m, WIRE_PIECE);
    wire_place(w, place);
    assert_int_equal(wire_next(w, &m, NULL), 0);
    wire_unplace(w);
    assert_int_equal(wire_want(w).n, 0);
    wire_placed(w, 10); /* a receive that was under way is counted still */
    wire_place(w, place); /* too late to name another */
    assert_int_equal(wire_want(w).n, 0);
    wire_feed(w, BYTES(all.p + 13 + 20, 80));
    expect(w, &m, WIRE_PIECE_DONE);
    assert_memory_equal(place + 10, nothing, 90);
    wire_free(w);
    buf_fini(&b);
}

/* ---- any cut gives the same story ---- */

struct trace {
    struct buf text;
    uint8_t place[WIRE_MAX_BLOCK];
};

static void tell(struct trace *t, struct wire *w, const struct wire_msg *m)
{
    if (m->type == WIRE_PIECE)
        wire_place(w, m->index % 3 ? t->place : NULL);
    buf_putf(&t->text, "%d %u %u %u %u %u %zu:", m->type, m->index, m->begin, m->length, m->port,
             m->ext_id, m->body.n);
    buf_put_bytes(&t->text, m->body);
    if (m->type == WIRE_PIECE_DONE && m->index % 3)
        buf_put(&t->text, t->place, m->length);
    if (m->type == WIRE_HASHES)
        buf_put(&t->text, &m->hash, sizeof m->hash);
}

static void put_story(struct buf *b)
{
    uint8_t some[4096];
    fill(some, sizeof some);
    wire_put_handshake(b, &hello);
    wire_put_bitfield(b, BYTES(some, 300));
    wire_put_extended(b, 0, BYTES(some, 4096));
    wire_put_simple(b, WIRE_UNCHOKE);
    wire_put_keepalive(b);
    for (uint32_t i = 0; i < 6; i++)
        put_whole_piece(b, i, 0, 1 + 3000 * i);
    wire_put_block(b, WIRE_REQUEST, 1, 2, 3);
    buf_put(b, "\0\0\x01\x01\x1e", 5); /* unknown, 256 bytes */
    buf_put(b, some, 256);
    wire_put_hashes(b, &request, BYTES(some, 4 * 32));
    wire_put_hash_req(b, WIRE_HASH_REJECT, &request);
    wire_put_port(b, 6881);
}

/* Plays the story with slices (and receives into the place) chosen by `most`: 0 is all at once. */
static void play(struct trace *t, struct bytes all, size_t most, struct rng *rng)
{
    struct wire *w = wire_new();
    struct wire_msg m;
    uint8_t scratch[64 << 10];
    size_t at = 0;
    while (at < all.n) {
        size_t n = most ? 1 + rng_below(rng, most) : all.n - at;
        if (n > all.n - at)
            n = all.n - at;
        struct span want = wire_want(w);
        size_t placed = want.n < n ? want.n : n;
        if (most > 1 && rng_below(rng, 2))
            placed = 0;
        if (placed) {
            memcpy(want.p, all.p + at, placed);
            wire_placed(w, placed);
        }
        memcpy(scratch, all.p + at + placed, n - placed);
        wire_feed(w, BYTES(scratch, n - placed));
        int r;
        while ((r = wire_next(w, &m, NULL)) > 0)
            tell(t, w, &m);
        assert_int_equal(r, 0);
        memset(scratch, 0xee, n - placed); /* nothing may be borrowed any longer */
        at += n;
    }
    wire_free(w);
}

static void any_cut(void **state)
{
    (void)state;
    struct buf story = {0};
    struct rng rng;
    struct trace *whole = mem_zero(sizeof *whole), *cut = mem_zero(sizeof *cut);
    rng_seed(&rng, 7);
    put_story(&story);
    play(whole, buf_bytes(&story), 0, &rng);
    assert_true(buf_len(&whole->text) > 30000);
    for (size_t i = 0; i < 400; i++) {
        static const size_t most[] = {1, 2, 7, 60, 1500, 20000};
        play(cut, buf_bytes(&story), most[i % 6], &rng);
        assert_true(bytes_eq(buf_bytes(&whole->text), buf_bytes(&cut->text)));
        buf_clear(&cut->text);
    }
    buf_fini(&whole->text);
    buf_fini(&cut->text);
    buf_fini(&story);
    free(whole);
    free(cut);
}

/* A slice that was not looked at is not lost when the next one comes. */
static void fed_twice(void **state)
{
    (void)state;
    struct wire *w = talking();
    struct wire_msg m;
    wire_feed(w, BYTES_LIT("\0\0\0\x01\x00\0\0"));
    wire_feed(w, BYTES_LIT("\0\x01\x01\0\0\0\x05\x04"));
    expect(w, &m, WIRE_CHOKE);
    wire_feed(w, BYTES_LIT("\0\0\0\x09"));
    expect(w, &m, WIRE_UNCHOKE);
    expect(w, &m, WIRE_HAVE);
    assert_int_equal(m.index, 9);
    assert_int_equal(wire_next(w, &m, NULL), 0);
    wire_free(w);
}

static void writers_add_all_or_nothing(void **state)
{
    (void)state;
    struct buf b;
    for (size_t max = 1; max < 68; max++) {
        buf_init(&b, max);
        wire_put_handshake(&b, &hello);
        assert_int_equal(buf_len(&b), 0);
        size_t before = 0;
        wire_put_keepalive(&b);
        wire_put_simple(&b, WIRE_CHOKE);
        wire_put_index(&b, WIRE_HAVE, 1);
        wire_put_block(&b, WIRE_REQUEST, 1, 2, 3);
        wire_put_piece(&b, 1, 2, 3);
        wire_put_port(&b, 1);
        wire_put_bitfield(&b, BYTES_LIT("abc"));
        wire_put_extended(&b, 1, BYTES_LIT("abc"));
        wire_put_hash_req(&b, WIRE_HASH_REQUEST, &request);
        wire_put_hashes(&b, &request, BYTES_LIT("abc"));
        for (struct bytes left = buf_bytes(&b); before < left.n;) { /* only whole messages */
            assert_true(left.n - before >= 4);
            uint32_t n = get_be32(left.p + before);
            bool piece = n == 12 && left.p[before + 4] == WIRE_PIECE;
            before += 4 + (piece ? 9 : n);
            assert_true(before <= left.n);
        }
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake),
        cmocka_unit_test(handshake_of_others),
        cmocka_unit_test(reserved_bits),
        cmocka_unit_test(fixed_lengths),
        cmocka_unit_test(ranged_lengths),
        cmocka_unit_test(bitfield_of_known_pieces),
        cmocka_unit_test(fields),
        cmocka_unit_test(bodies),
        cmocka_unit_test(hash_requests),
        cmocka_unit_test(hashes),
        cmocka_unit_test(unknown_is_skipped),
        cmocka_unit_test(piece_fed),
        cmocka_unit_test(piece_received_in_place),
        cmocka_unit_test(piece_without_place),
        cmocka_unit_test(place_goes_away),
        cmocka_unit_test(any_cut),
        cmocka_unit_test(fed_twice),
        cmocka_unit_test(writers_add_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

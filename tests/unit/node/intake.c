/* Where bytes are received: whole blocks lie where they stay, and whatever else comes is read. */
#include "../../sim/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BLOCK 16384u
#define PIECE (4 * BLOCK)
#define ODD 1000u /* the last block's length */

static const struct tube_file ONE = {NULL, 20 * PIECE + 2 * BLOCK + ODD};

static struct wire_msg asked[256];
static size_t n_asked;

static void note(struct raw *r, const struct wire_msg *m)
{
    (void)r;
    if (m->type == WIRE_REQUEST && n_asked < 256)
        asked[n_asked++] = *m;
}

/* A seed that has been asked for blocks. */
static struct raw *asked_seed(struct rig *g)
{
    n_asked = 0;
    rig_content(g, &ONE, 1, 1, PIECE);
    rig_leech(g);
    struct raw *r = raw_acting(g, 1, note);
    raw_simple(r, WIRE_HAVE_ALL);
    raw_simple(r, WIRE_UNCHOKE);
    rig_run(g, 10 * USEC_MS);
    assert_in_range(n_asked, 1, 64);
    return r;
}

static void put_answer(const struct rig *g, struct buf *b, const struct wire_msg *m)
{
    wire_put_piece(b, m->index, m->begin, m->length);
    buf_put(b, g->content + (uint64_t)m->index * PIECE + m->begin, m->length);
}

/* Of a type that nobody knows. */
static void put_unknown(struct buf *b, uint32_t n)
{
    uint8_t head[5] = {0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 99};
    buf_put(b, head, sizeof head);
    memset(buf_room(b, n), 0, n);
    buf_added(b, n - 1);
}

/* One receive of at most so many bytes. */
static size_t receive(struct raw *r, struct bytes b, size_t most, struct span v[NODE_RECV_SPANS],
                      size_t *n)
{
    struct rig *g = r->rig;
    size_t got = 0;
    *n = node_recv_where(g->n, r->conn, v, g->now);
    if (b.n > most)
        b.n = most;
    for (size_t i = 0; i < *n && got < b.n; i++) {
        size_t part = v[i].n < b.n - got ? v[i].n : b.n - got;
        memcpy(v[i].p, b.p + got, part);
        got += part;
    }
    if (got > 0)
        node_received(g->n, r->conn, got, g->now);
    return got;
}

static bool is_among(const struct span *v, size_t n, const uint8_t *p)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].p == p && v[i].n == BLOCK)
            return true;
    return false;
}

static void whole_blocks_stay_where_they_came(void **state)
{
    (void)state;
    struct rig *g = rig_new(1, NULL);
    struct raw *r = asked_seed(g);
    struct buf b = {0};
    struct span v[NODE_RECV_SPANS];
    struct node_op op;
    size_t n, stored = 0, whole = 0;
    assert_true(n_asked >= 8);
    put_unknown(&b, 124000); /* it is seen to send much at once */
    receive(r, buf_bytes(&b), buf_len(&b), v, &n);
    buf_fini(&b);
    for (size_t i = 0; i < n_asked; i++)
        put_answer(g, &b, &asked[i]);
    size_t got = receive(r, buf_bytes(&b), buf_len(&b), v, &n);
    assert_true(got >= 8 * (size_t)BLOCK);
    while (node_next(g->n, &op)) {
        if (op.kind != NODE_STORE)
            continue;
        stored++;
        whole += is_among(v, n, op.data.p);
        assert_memory_equal(op.data.p, g->content + op.offset, op.length);
    }
    assert_true(stored >= 8);
    assert_int_equal(whole, stored);
    buf_fini(&b);
    rig_free(g);
}

/* As much of it as `most` at a time, at random where that is 0. */
static void deliver(struct raw *r, struct bytes all, size_t most)
{
    struct span v[NODE_RECV_SPANS];
    size_t n;
    while (all.n > 0) {
        size_t chunk = most ? most : 1 + rng_below(&r->rig->rng, 5 * BLOCK);
        size_t got = receive(r, all, chunk, v, &n);
        assert_true(got > 0);
        all = BYTES(all.p + got, all.n - got);
    }
}

static void put_noise(struct rig *g, struct buf *b)
{
    switch (rng_below(&g->rng, 6)) {
    case 0:
        wire_put_keepalive(b);
        break;
    case 1:
        wire_put_index(b, WIRE_HAVE, 3);
        break;
    case 2:
        /* The next header begins near the end of a block laid out. */
        put_unknown(b, BLOCK - 20 + (uint32_t)rng_below(&g->rng, 40));
        break;
    default:
        break;
    }
}

static void fetch(uint64_t seed, bool noise, size_t most)
{
    struct rig *g = rig_new(seed, NULL);
    struct raw *r = asked_seed(g);
    for (unsigned turn = 0; turn < 200 && !g->complete; turn++) {
        struct buf b = {0};
        for (size_t i = 0; i < n_asked; i++) {
            if (noise)
                put_noise(g, &b);
            put_answer(g, &b, &asked[i]);
        }
        n_asked = 0;
        deliver(r, buf_bytes(&b), most);
        buf_fini(&b);
        rig_run(g, 10 * USEC_MS);
    }
    assert_true(g->complete);
    assert_memory_equal(g->disk, g->content, g->m->space);
    rig_free(g);
}

static void comes_in_any_parts(void **state)
{
    (void)state;
    static const size_t most[] = {1 << 20, BLOCK, 13, 13 + BLOCK, 7, 0};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++)
        fetch(i, false, most[i]);
}

/* The blocks laid out are then filled with bytes of several messages. */
static void other_messages_come_between(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        fetch(seed, true, 0);
        fetch(seed, true, 1 << 20);
    }
}

/* What the limit leaves may end within a block that was laid out. */
static void limited(void **state)
{
    (void)state;
    struct node_config c = {.limit_down = 5 * BLOCK / 2};
    struct rig *g = rig_new(1, &c);
    struct raw *r = asked_seed(g);
    struct span v[NODE_RECV_SPANS];
    struct buf b = {0};
    size_t n, room = 0;
    for (size_t i = 0; i < n_asked; i++)
        put_answer(g, &b, &asked[i]);
    size_t got = receive(r, buf_bytes(&b), buf_len(&b), v, &n);
    for (size_t i = 0; i < n; i++)
        room += v[i].n;
    assert_int_equal(got, room);
    assert_in_range(room, 1, 5 * BLOCK / 2);
    buf_fini(&b);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_blocks_stay_where_they_came),
        cmocka_unit_test(comes_in_any_parts),
        cmocka_unit_test(other_messages_come_between),
        cmocka_unit_test(limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

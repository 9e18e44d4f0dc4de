/* Blocks in parts, as they are asked for under a low limit: parts that come in any order, late, or
 * not at all; and what nobody asked for. */
#include "../../sim/raw.h"

#include <p2p/format/layout.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define PIECE 32768u
#define BLOCK 16384u
#define PART 2048u
#define LIMIT 50000u
#define HELD 64

static const struct tube_file ONE = {NULL, 3 * PIECE + 5000};

static struct rig *leeching(int format)
{
    struct node_config c = {.client = "rig 1", .port = 6881, .limit_down = LIMIT};
    struct rig *g = rig_new(3, &c);
    rig_content(g, &ONE, 1, format, PIECE);
    rig_leech(g);
    rig_run(g, USEC_SEC);
    return g;
}

/* What a peer was asked for and has not answered. */
struct held {
    struct wire_msg m[HELD];
    unsigned n, most, longest; /* answers this many requests by itself */
    bool chokes, rejects;      /* and then chokes, or rejects the next one */
    bool fast;
};

static void acts(struct raw *r, const struct wire_msg *m)
{
    struct held *h = r->arg;
    if (m->type == WIRE_HANDSHAKE && !h->fast) {
        raw_bits(r, true);
        raw_simple(r, WIRE_UNCHOKE);
        return;
    }
    if (m->type != WIRE_REQUEST) {
        raw_serves(r, m);
        return;
    }
    h->longest = m->length > h->longest ? m->length : h->longest;
    if (r->served < h->most) {
        raw_serves(r, m);
        if (r->served == h->most && h->chokes)
            raw_simple(r, WIRE_CHOKE);
    } else if (h->rejects) {
        raw_block(r, WIRE_REJECT, m->index, m->begin, m->length);
        h->most = UINT32_MAX;
    } else if (h->n < HELD) {
        h->m[h->n++] = *m;
    }
}

static struct raw *comes(struct rig *g, unsigned host, struct held *h)
{
    struct raw *r = raw_new(g, host);
    r->act = acts;
    r->arg = h;
    raw_comes(r);
    raw_handshake(r, h->fast, true, g->m->has_v2);
    raw_hello(r, (uint32_t)g->m->info.n);
    return r;
}

static void completes(struct rig *g)
{
    assert_true(rig_until(g, &g->complete, 30 * USEC_SEC));
    assert_memory_equal(g->disk, g->content, g->m->space);
    rig_free(g);
}

static void blocks_in_parts(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct held h = {.most = UINT32_MAX, .fast = true};
        struct rig *g = leeching(format);
        comes(g, 1, &h);
        completes(g);
        assert_int_equal(h.longest, PART);
    }
}

/* The node asks for as much as it has room for; the answers come last first. */
static void in_any_order(void **state)
{
    (void)state;
    struct held h = {.fast = true};
    struct rig *g = leeching(1);
    struct raw *r = comes(g, 1, &h);
    for (unsigned i = 0; i < 100 && !g->complete; i++) {
        rig_run(g, 300 * USEC_MS);
        while (h.n > 0) {
            h.n--;
            raw_piece(r, h.m[h.n].index, h.m[h.n].begin, h.m[h.n].length, false);
        }
    }
    completes(g);
}

static void one_is_rejected(void **state)
{
    (void)state;
    struct held h = {.most = 5, .rejects = true, .fast = true};
    struct rig *g = leeching(1);
    struct raw *r = comes(g, 1, &h);
    rig_run(g, USEC_SEC);
    assert_int_equal(h.most, UINT32_MAX);
    assert_false(r->closed);
    completes(g); /* of the same one: the block is asked for again */
}

/* The block that it has begun comes from another one; parts that come late are borne. */
static void choked_in_between(bool fast)
{
    struct held h = {.most = 5, .chokes = true, .fast = fast}, other = {.fast = true};
    struct rig *g = leeching(1);
    struct raw *r = comes(g, 1, &h);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->served, 5);
    struct wire_msg late = h.n > 0 ? h.m[0] : (struct wire_msg){0};
    for (unsigned i = 0; fast && i < h.n; i++)
        raw_block(r, WIRE_REJECT, h.m[i].index, h.m[i].begin, h.m[i].length);
    other.most = UINT32_MAX;
    comes(g, 2, &other);
    rig_run(g, USEC_SEC);
    if (!fast && late.length > 0)
        raw_piece(r, late.index, late.begin, late.length, false);
    assert_false(r->closed);
    completes(g);
}

static void chokes(void **state)
{
    (void)state;
    choked_in_between(true);
    choked_in_between(false);
}

static void leaves_in_between(void **state)
{
    (void)state;
    struct held h = {.most = 5, .fast = true}, other = {.most = UINT32_MAX, .fast = true};
    struct rig *g = leeching(3);
    struct raw *r = comes(g, 1, &h);
    rig_run(g, USEC_SEC);
    raw_leaves(r);
    comes(g, 2, &other);
    completes(g);
}

/* At the end another one is asked, too, and is faster. */
static void taken_back(void **state)
{
    (void)state;
    struct held h = {.most = 5, .fast = true}, other = {.most = UINT32_MAX, .fast = true};
    struct rig *g = leeching(1);
    struct raw *r = comes(g, 1, &h);
    rig_run(g, USEC_SEC);
    assert_in_range(h.n, 2, HELD);
    assert_int_equal(r->got[WIRE_CANCEL], 0);
    comes(g, 2, &other);
    assert_true(rig_until(g, &g->complete, 30 * USEC_SEC));
    assert_true(r->got[WIRE_CANCEL] > 1);
    assert_memory_equal(g->disk, g->content, g->m->space);
    rig_free(g);
}

/* A part was asked for, not the whole block. */
static void too_much(void **state)
{
    (void)state;
    struct held h = {.fast = true};
    struct rig *g = leeching(1);
    struct raw *r = comes(g, 1, &h);
    rig_run(g, 100 * USEC_MS);
    assert_true(h.n > 0);
    raw_piece(r, h.m[0].index, 0, BLOCK, false);
    assert_true(r->closed);
    rig_free(g);
}

/* Words that nobody asked for are read as the limit has it; what was asked for comes all the same,
 * and of a second not much more than the limit is read. */
static void floods(void **state)
{
    (void)state;
    struct held h = {.most = UINT32_MAX, .fast = true};
    struct rig *g = leeching(1);
    struct raw *loud = raw_friend(g, 7);
    rig_run(g, USEC_SEC);
    comes(g, 1, &h);
    static const uint8_t keepalives[512]; /* cut anywhere, they go on as such */
    uint64_t read = 0;
    for (unsigned i = 0; i < 20000 && !g->complete; i++) {
        struct span v[NODE_RECV_SPANS];
        size_t n = node_recv_where(g->n, loud->conn, v, g->now), room = n > 0 ? v[0].n : 0;
        room = room < sizeof keepalives ? room : sizeof keepalives;
        if (room > 0) {
            memcpy(v[0].p, keepalives, room);
            node_received(g->n, loud->conn, room, g->now);
            read += room;
        }
        rig_run(g, USEC_MS);
    }
    assert_true(g->complete);
    assert_true(read > 10000 && read < 5 * (3 * PIECE + 5000));
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_in_parts),   cmocka_unit_test(in_any_order),
        cmocka_unit_test(one_is_rejected),   cmocka_unit_test(chokes),
        cmocka_unit_test(leaves_in_between), cmocka_unit_test(taken_back),
        cmocka_unit_test(too_much),          cmocka_unit_test(floods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

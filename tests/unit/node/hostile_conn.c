/* Connections as strangers make them: too many, half-open, silent, double, to ourselves; and peers
 * and items that go at any moment. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define PIECE 32768u
static const struct tube_file ONE = {NULL, 20 * PIECE + 777};

static struct rig *rig(uint64_t seed, int format)
{
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &ONE, 1, format, PIECE);
    return g;
}

static struct rig *seeding(uint64_t seed, int format)
{
    struct rig *g = rig(seed, format);
    rig_seed(g);
    return g;
}

static struct rig *leeching(uint64_t seed, int format)
{
    struct rig *g = rig(seed, format);
    rig_leech(g);
    return g;
}

/* ---- how many, how long ---- */

static void half_a_handshake(void **state)
{
    (void)state;
    struct rig *g = seeding(1, 3);
    struct raw *r = raw_new(g, 1), *mute = raw_new(g, 2);
    raw_comes(r);
    raw_comes(mute);
    raw_bytes(r, "\x13" "BitTorrent protocol", 20);
    for (int i = 0; i < 8; i++) { /* a byte now and then earns no more time */
        rig_run(g, USEC_SEC);
        raw_bytes(r, "", 1);
    }
    assert_false(r->closed || mute->closed);
    rig_run(g, 3100 * USEC_MS);
    assert_true(r->closed && mute->closed);
    rig_free(g);
}

static void without_handshake(void **state)
{
    (void)state;
    struct rig *g = seeding(2, 1);
    struct raw *first = NULL;
    for (unsigned i = 0; i < NODE_MAX_NO_HANDSHAKE; i++) {
        struct raw *r = raw_new(g, 100 + i);
        assert_true(raw_comes(r));
        first = first ? first : r;
    }
    struct raw *late = raw_new(g, 99);
    assert_false(raw_comes(late));
    raw_handshake(first, true, true, false);
    assert_true(raw_comes(late));
    raw_leaves(late);
    rig_run(g, 11 * USEC_SEC); /* the others are thrown out: there is room again */
    assert_true(raw_comes(late));
    rig_free(g);
}

static void full_house(void **state)
{
    (void)state;
    struct rig *g = seeding(3, 1);
    struct raw *v[NODE_MAX_CONNS];
    for (unsigned i = 0; i < NODE_MAX_CONNS; i++) {
        v[i] = raw_friend(g, 1000 + i);
        assert_false(v[i]->closed);
    }
    struct raw *late = raw_new(g, 99);
    assert_false(raw_comes(late));
    raw_simple(v[0], WIRE_INTERESTED);
    rig_run(g, 61 * USEC_SEC); /* of those that want nothing one makes room */
    assert_true(raw_comes(late));
    unsigned gone = 0;
    for (unsigned i = 0; i < NODE_MAX_CONNS; i++)
        gone += v[i]->closed;
    assert_int_equal(gone, 1);
    assert_false(v[0]->closed);
    rig_free(g);
}

/* A house full of idle strangers does not keep a download from its seed. */
static void full_house_and_a_download(void **state)
{
    (void)state;
    struct rig *g = leeching(4, 1);
    for (unsigned i = 0; i < NODE_MAX_CONNS; i++)
        raw_friend(g, 1000 + i);
    struct raw *good = raw_new(g, 99);
    good->act = raw_serves;
    raw_waits(good);
    assert_true(rig_until(g, &g->complete, 90 * USEC_SEC));
    rig_free(g);
}

static void per_address(void **state)
{
    (void)state;
    struct rig *g = seeding(5, 1);
    for (unsigned i = 0; i < NODE_MAX_PER_ADDR + 2; i++) {
        struct raw *r = raw_new(g, 7);
        assert_int_equal(raw_comes(r), i < NODE_MAX_PER_ADDR);
    }
    for (unsigned i = 0; i < 10; i++) { /* on loopback all share one */
        struct raw *r = raw_new(g, 8);
        r->addr.ip[0] = 127;
        assert_true(raw_comes(r));
    }
    rig_free(g);
}

static void one_address_many_ports(void **state)
{
    (void)state;
    struct rig *g = leeching(6, 1);
    struct raw *r = raw_new(g, 7);
    for (uint16_t port = 7000; port < 7200; port++) {
        struct addr a = r->addr;
        a.port = port;
        node_add_peer(g->n, g->task, &a, POOL_TRACKER, g->now);
    }
    struct node_op op;
    unsigned dials = 0;
    while (node_next(g->n, &op))
        dials += op.kind == NODE_DIAL;
    assert_int_equal(dials, NODE_MAX_PER_ADDR);
    rig_free(g);
}

static void half_open(void **state)
{
    (void)state;
    struct rig *g = leeching(7, 1);
    for (unsigned i = 0; i < 300; i++) {
        struct addr a = {.family = 4, .port = 7000, .ip = {22, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        node_add_peer(g->n, g->task, &a, POOL_TRACKER, g->now);
    }
    struct node_op op;
    node_id dialled[300] = {0};
    unsigned dials = 0;
    while (node_next(g->n, &op))
        if (op.kind == NODE_DIAL)
            dialled[dials++] = op.conn;
    assert_int_equal(dials, NODE_MAX_HALF_OPEN);
    node_connected(g->n, dialled[0], ERR_NET, g->now);
    rig_run(g, 300 * USEC_MS);
    assert_true(g->ops[NODE_DIAL] >= 1);
    rig_run(g, 16 * USEC_SEC); /* who neither connects nor fails is given up */
    assert_true(g->ops[NODE_CLOSE] >= NODE_MAX_HALF_OPEN - 1);
    rig_free(g);
}

static void silence_and_keepalives(void **state)
{
    (void)state;
    struct rig *g = seeding(8, 1);
    struct raw *silent = raw_friend(g, 1), *alive = raw_friend(g, 2);
    for (int i = 0; i < 6; i++) {
        struct buf b = {0};
        rig_run(g, 30 * USEC_SEC);
        wire_put_keepalive(&b);
        raw_send(alive, &b);
    }
    assert_true(silent->closed);
    assert_false(alive->closed);
    assert_true(alive->got[RAW_KEEPALIVE] >= 1 && alive->got[RAW_KEEPALIVE] <= 2);
    rig_free(g);
}

/* ---- ourselves, twins, thieves ---- */

static void to_ourselves(void **state)
{
    (void)state;
    static const struct node_config c = {.client = "rig", .port = 6881};
    struct rig *g = rig_new(9, &c);
    rig_content(g, &ONE, 1, 1, PIECE);
    rig_leech(g);
    struct raw *r = raw_new(g, 1), *mirror = raw_new(g, 2);
    raw_comes(r);
    raw_handshake(r, true, true, false);
    memcpy(mirror->peer_id, r->last[RAW_HELLO].handshake.peer_id, 20); /* what it calls itself */
    raw_waits(mirror);
    assert_int_equal(mirror->dials, 1);
    raw_handshake(mirror, true, true, false);
    assert_true(mirror->closed);
    rig_run(g, 10 * USEC_MIN);
    assert_int_equal(mirror->dials, 1);
    raw_comes(mirror);
    raw_handshake(mirror, true, true, false);
    assert_true(mirror->closed);
    rig_free(g);
}

static void twins(void **state)
{
    (void)state;
    struct rig *g = seeding(10, 1);
    struct raw *a = raw_friend(g, 1), *b = raw_new(g, 1), *thief = raw_new(g, 2);
    memcpy(b->peer_id, a->peer_id, 20);
    memcpy(thief->peer_id, a->peer_id, 20);
    raw_comes(b);
    raw_handshake(b, true, true, false);
    raw_comes(thief);
    raw_handshake(thief, true, true, false);
    assert_true(b->closed && thief->closed);
    assert_false(a->closed);
    rig_free(g);
}

/* ---- those that waste our time ---- */

static void turncoat(struct raw *r, const struct wire_msg *m)
{
    if (m->type != WIRE_REQUEST)
        return;
    raw_simple(r, WIRE_CHOKE);
    raw_simple(r, WIRE_UNCHOKE);
}

static void choking_in_a_loop(void **state)
{
    (void)state;
    for (int fast = 0; fast < 2; fast++) {
        struct rig *g = leeching(11, 1);
        struct raw *r = raw_new(g, 1);
        r->act = turncoat;
        raw_comes(r);
        raw_handshake(r, fast, true, false);
        raw_bits(r, true);
        raw_simple(r, WIRE_UNCHOKE);
        rig_run(g, USEC_MIN);
        assert_true(r->got[WIRE_REQUEST] < 60 * 20);
        rig_free(g);
    }
}

static void rejects(struct raw *r, const struct wire_msg *m)
{
    if (m->type == WIRE_REQUEST)
        raw_block(r, WIRE_REJECT, m->index, m->begin, m->length);
}

static void rejecting_in_a_loop(void **state)
{
    (void)state;
    struct rig *g = leeching(12, 3);
    struct raw *r = raw_acting(g, 1, rejects);
    raw_simple(r, WIRE_HAVE_ALL);
    raw_simple(r, WIRE_UNCHOKE);
    rig_run(g, USEC_MIN);
    assert_false(r->closed);
    assert_true(r->got[WIRE_REQUEST] > 10 && r->got[WIRE_REQUEST] < 60 * 40);
    assert_true(r->got[WIRE_HASH_REQUEST] < 60 * 40);
    /* rejects of what was never asked change nothing */
    for (uint32_t i = 0; i < 100; i++)
        raw_block(r, WIRE_REJECT, i, i * 7, UINT32_MAX);
    assert_false(r->closed);
    rig_free(g);
}

static void swallows(struct raw *r, const struct wire_msg *m)
{
    if (m->type == WIRE_HANDSHAKE) {
        raw_simple(r, WIRE_HAVE_ALL);
        raw_simple(r, WIRE_UNCHOKE);
    }
}

/* Peers that take requests and give nothing stand beside a good one. */
static void snubbers(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct rig *g = leeching(13, format);
        for (unsigned i = 0; i < 5; i++)
            raw_acting(g, 1 + i, swallows);
        raw_acting(g, 9, raw_serves);
        assert_true(rig_until(g, &g->complete, 30 * USEC_SEC));
        assert_memory_equal(g->disk, g->content, g->m->space);
        rig_free(g);
    }
}

/* One request in twenty falls under the table, and there is nobody else to ask. */
static void loses_some(struct raw *r, const struct wire_msg *m)
{
    if (m->type == WIRE_REQUEST && ++r->served % 20 == 0)
        return;
    raw_serves(r, m);
}

static void lost_requests(void **state)
{
    (void)state;
    struct rig *g = leeching(14, 1);
    raw_acting(g, 1, loses_some);
    assert_true(rig_until(g, &g->complete, 5 * USEC_MIN));
    rig_free(g);
}

static void slow_reader(void **state)
{
    (void)state;
    struct rig *g = seeding(15, 3);
    struct raw *r = raw_friend(g, 1);
    raw_simple(r, WIRE_INTERESTED);
    rig_run(g, USEC_SEC);
    r->deaf = true;
    for (unsigned i = 0; i < 200000 && !r->closed; i++)
        raw_block(r, WIRE_REQUEST, i % 20, 0, 0); /* each is worth a REJECT */
    rig_run(g, 2 * USEC_SEC);
    assert_true(r->closed);
    rig_free(g);
}

/* ---- whose fault ---- */

static void one_liar_among_seeds(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++)
        for (unsigned place = 0; place < 3; place++) {
            struct rig *g = leeching(16 + place, format);
            struct raw *v[3];
            for (unsigned i = 0; i < 3; i++) {
                v[i] = raw_new(g, 1 + i);
                v[i]->act = raw_serves;
                v[i]->lie = i == place ? 3 : 0;
            }
            for (unsigned i = 0; i < 3; i++)
                raw_waits(v[i]);
            assert_true(rig_until(g, &g->complete, USEC_MIN));
            assert_memory_equal(g->disk, g->content, g->m->space);
            for (unsigned i = 0; i < 3; i++)
                assert_int_equal(v[i]->dials, 1); /* nobody was closed and dialled again */
            rig_free(g);
        }
}

/* It lies, is asked for hashes, and goes: its going convicts it. */
static void liar_goes_first(void **state)
{
    (void)state;
    for (int format = 2; format <= 3; format++) {
        struct rig *g = leeching(19, format);
        struct raw *r = raw_new(g, 1);
        r->act = swallows;
        raw_comes(r);
        raw_handshake(r, true, true, true);
        rig_run(g, 100 * USEC_MS);
        for (uint32_t b = 0; b < 2; b++)
            raw_piece(r, r->last[WIRE_REQUEST].index, b * 16384, 16384, true);
        rig_run(g, 100 * USEC_MS);
        raw_leaves(r);
        raw_acting(g, 2, raw_serves);
        assert_true(rig_until(g, &g->complete, USEC_MIN));
        rig_free(g);
    }
}

/* ---- going at any moment ---- */

static void peers_leave_at_random(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rig *g = leeching(100 + seed, 1 + (int)(seed % 3));
        struct raw *v[6];
        for (unsigned i = 0; i < 6; i++) {
            v[i] = raw_new(g, 1 + i);
            v[i]->act = raw_serves;
            v[i]->lie = i == 5 ? 4 : 0;
            raw_waits(v[i]);
        }
        for (int i = 0; i < 4000 && !g->complete; i++) {
            rig_run(g, (usec)rng_below(&g->rng, 3 * USEC_MS));
            if (rng_below(&g->rng, 4) == 0)
                raw_leaves(v[rng_below(&g->rng, 6)]);
            if (rng_below(&g->rng, 50) == 0)
                rig_run(g, 11 * USEC_SEC);
        }
        if (!g->complete || memcmp(g->disk, g->content, g->m->space) != 0)
            fail_msg("seed %u", (unsigned)seed);
        rig_free(g);
    }
}

/* The disk fails now and then; each time the item is taken up again with what was verified. */
static void disk_errors(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rig *g = leeching(200 + seed, 1 + (int)(seed % 3));
        struct bits have;
        bits_init(&have, g->m->n_pieces);
        unsigned failures = 0;
        g->disk_error = 15;
        for (int i = 0; i < 200 && !g->complete; i++) {
            struct raw *r = raw_new(g, 1);
            r->act = raw_serves;
            raw_waits(r);
            rig_until(g, &g->failed, 3 * USEC_SEC);
            if (!g->failed)
                continue;
            assert_int_equal(g->code, ERR_IO);
            failures++;
            bits_fini(&have);
            bits_copy(&have, node_have(g->n, g->task));
            for (uint32_t p = 0; p < have.n; p++)
                if (bits_get(&have, p))
                    assert_memory_equal(g->disk + p * PIECE, g->content + p * PIECE,
                                        layout_piece_len(g->m, p));
            raw_leaves(r);
            rig_forget(g);
            g->failed = g->complete = false;
            rig_resume(g, &have);
        }
        assert_true(g->complete && failures > 0);
        assert_memory_equal(g->disk, g->content, g->m->space);
        bits_fini(&have);
        rig_free(g);
    }
}

/* The item goes at any moment, with everything pending; blocks may be answered after that. */
static void removed_at_any_moment(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct rig *g = rig(300 + seed, 1 + (int)(seed % 3));
        if (seed & 1)
            rig_link(g, true, true);
        else
            rig_leech(g);
        for (unsigned i = 0; i < 3; i++) {
            struct raw *r = raw_acting(g, 1 + i, raw_serves);
            r->lie = i;
        }
        rig_run(g, (usec)rng_below(&g->rng, 30 * USEC_MS));
        g->hold = true;
        rig_run(g, (usec)rng_below(&g->rng, 500 * USEC_MS));
        if (seed & 2) {
            node_stop(g->n, g->task, USEC_SEC, g->now);
            rig_run(g, (usec)rng_below(&g->rng, USEC_SEC));
        }
        rig_forget(g);
        g->hold = seed & 4;
        rig_run(g, 20 * USEC_MS);
        g->hold = false;
        memset(g->disk, 0, g->m->space);
        g->complete = g->metadata = false;
        rig_leech(g); /* and comes again */
        raw_acting(g, 9, raw_serves);
        assert_true(rig_until(g, &g->complete, USEC_MIN));
        rig_free(g);
    }
}

static void stopping_waits_for_the_disk(void **state)
{
    (void)state;
    struct rig *g = leeching(400, 1);
    raw_acting(g, 1, raw_serves);
    g->hold = true;
    rig_run(g, 100 * USEC_MS);
    node_stop(g->n, g->task, 5 * USEC_SEC, g->now);
    rig_run(g, USEC_SEC);
    assert_false(g->stopped);
    g->hold = false;
    rig_run(g, USEC_SEC);
    assert_true(g->stopped);
    rig_free(g);
    g = leeching(401, 1); /* but not for ever */
    raw_acting(g, 1, raw_serves);
    g->hold = true;
    rig_run(g, 100 * USEC_MS);
    node_stop(g->n, g->task, 5 * USEC_SEC, g->now);
    rig_run(g, 6 * USEC_SEC);
    assert_true(g->stopped);
    rig_free(g);
}

static void lost_pieces_come_again(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct rig *g = seeding(500, format);
        rig_run(g, USEC_SEC);
        for (uint32_t p = 0; p < 30; p += 3) {
            if (p < g->m->n_pieces)
                memset(g->disk + p * PIECE, 0, layout_piece_len(g->m, p));
            node_lost(g->n, g->task, p, g->now);
            node_lost(g->n, g->task, p, g->now);
        }
        g->complete = false;
        raw_acting(g, 1, raw_serves);
        assert_true(rig_until(g, &g->complete, USEC_MIN));
        assert_memory_equal(g->disk, g->content, g->m->space);
        rig_free(g);
    }
}

struct told {
    unsigned donthaves, upload_only; /* 0 and 1: as told; 2: nothing */
    uint32_t piece;
};

static void listens(struct raw *r, const struct wire_msg *m)
{
    struct told *k = r->arg;
    if (m->type != WIRE_EXTENDED)
        return;
    if (m->ext_id == EXT_DONTHAVE && ext_parse_donthave(&k->piece, m->body) == 0)
        k->donthaves++;
    if (m->ext_id == EXT_UPLOAD_ONLY)
        k->upload_only = m->body.p[0];
}

/* A partial seed (BEP 21) says so when it becomes one and when it no longer is (BEP 54). */
static void what_is_lost_is_told(void **state)
{
    (void)state;
    struct rig *g = rig_new(520, NULL);
    struct told k = {.upload_only = 2};
    rig_content(g, &ONE, 1, 3, PIECE);
    uint8_t *priority = mem_zero(g->m->n_pieces);
    priority[3] = 1;
    rig_leech_some(g, priority);
    free(priority);
    raw_acting(g, 1, listens)->arg = &k;
    raw_acting(g, 2, raw_serves);
    assert_true(rig_until(g, &g->complete, USEC_MIN));
    rig_run(g, USEC_SEC);
    assert_int_equal(k.upload_only, 1);
    assert_int_equal(k.donthaves, 0);
    node_lost(g->n, g->task, 3, g->now);
    rig_run(g, USEC_MS);
    assert_int_equal(k.upload_only, 0);
    assert_int_equal(k.donthaves, 1);
    assert_int_equal(k.piece, 3);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_a_handshake),
        cmocka_unit_test(without_handshake),
        cmocka_unit_test(full_house),
        cmocka_unit_test(full_house_and_a_download),
        cmocka_unit_test(per_address),
        cmocka_unit_test(one_address_many_ports),
        cmocka_unit_test(half_open),
        cmocka_unit_test(silence_and_keepalives),
        cmocka_unit_test(to_ourselves),
        cmocka_unit_test(twins),
        cmocka_unit_test(choking_in_a_loop),
        cmocka_unit_test(rejecting_in_a_loop),
        cmocka_unit_test(snubbers),
        cmocka_unit_test(lost_requests),
        cmocka_unit_test(slow_reader),
        cmocka_unit_test(one_liar_among_seeds),
        cmocka_unit_test(liar_goes_first),
        cmocka_unit_test(peers_leave_at_random),
        cmocka_unit_test(disk_errors),
        cmocka_unit_test(removed_at_any_moment),
        cmocka_unit_test(stopping_waits_for_the_disk),
        cmocka_unit_test(lost_pieces_come_again),
        cmocka_unit_test(what_is_lost_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

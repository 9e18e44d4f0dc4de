/* Strangers with metadata: wrong, changed, unasked, never coming; the honest prevail. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define FILES 300

/* Many names make an info dictionary of several pieces. */
static struct rig *rig_with_names(uint64_t seed, bool link)
{
    static char name[FILES][240];
    struct tube_file v[FILES];
    struct rig *g = rig_new(seed, NULL);
    for (unsigned i = 0; i < FILES; i++) {
        memset(name[i], 'n', sizeof name[i] - 1);
        snprintf(name[i], sizeof name[i], "%03u-%.230s", i, name[i] + 10);
        v[i] = (struct tube_file){name[i], 100 + i};
    }
    rig_content(g, v, FILES, 1, 16384);
    assert_true(g->m->info.n > 4 * EXT_META_BLOCK);
    if (link)
        rig_link(g, true, true);
    else
        rig_seed(g);
    return g;
}

static uint32_t size_of(const struct rig *g)
{
    return (uint32_t)g->m->info.n;
}

static bool asks_piece(const struct wire_msg *m, uint32_t *piece)
{
    struct ext_meta q;
    struct err e = {0};
    if (m->type != WIRE_EXTENDED || m->ext_id != EXT_METADATA ||
        ext_parse_meta(&q, m->body, &e) <= 0 || q.type != EXT_META_REQUEST)
        return false;
    *piece = q.piece;
    return true;
}

static struct bytes true_piece(const struct rig *g, uint32_t piece)
{
    size_t at = (size_t)piece * EXT_META_BLOCK, left = g->m->info.n - at;
    return BYTES(g->m->info.p + at, left < EXT_META_BLOCK ? left : EXT_META_BLOCK);
}

static void give_wrong(struct raw *r, uint32_t piece)
{
    struct bytes b = true_piece(r->rig, piece);
    uint8_t *copy = mem_dup(b.p, b.n);
    copy[b.n / 2] ^= 1;
    raw_meta(r, EXT_META_DATA, piece, size_of(r->rig), BYTES(copy, b.n));
    free(copy);
}

/* ---- behaviours ---- */

static void lies_always(struct raw *r, const struct wire_msg *m)
{
    uint32_t piece;
    if (asks_piece(m, &piece))
        give_wrong(r, piece);
}

static void lies_once(struct raw *r, const struct wire_msg *m)
{
    uint32_t piece;
    if (!asks_piece(m, &piece))
        return;
    if (r->served++ == 0)
        give_wrong(r, piece);
}

static void honest(struct raw *r, const struct wire_msg *m)
{
    uint32_t piece;
    if (asks_piece(m, &piece))
        raw_meta(r, EXT_META_DATA, piece, size_of(r->rig), true_piece(r->rig, piece));
}

static void short_pieces(struct raw *r, const struct wire_msg *m)
{
    uint32_t piece;
    if (asks_piece(m, &piece)) {
        struct bytes b = true_piece(r->rig, piece);
        raw_meta(r, EXT_META_DATA, piece, size_of(r->rig), BYTES(b.p, b.n - 1));
    }
}

static void rejects(struct raw *r, const struct wire_msg *m)
{
    uint32_t piece;
    if (asks_piece(m, &piece))
        raw_meta(r, EXT_META_REJECT, piece, 0, BYTES(NULL, 0));
}

static struct raw *peer(struct rig *g, unsigned host, uint32_t size,
                        void (*act)(struct raw *, const struct wire_msg *))
{
    struct raw *r = raw_new(g, host);
    r->act = act;
    raw_comes(r);
    raw_handshake(r, true, true, false);
    raw_hello(r, size);
    return r;
}

/* ---- tests ---- */

static void sizes(void **state)
{
    static const uint32_t v[] = {0, (32u << 20) + 1, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct rig *g = rig_with_names(1, true);
        struct raw *r = peer(g, 1, v[i], honest);
        rig_run(g, 20 * USEC_SEC);
        assert_int_equal(r->meta_requests, 0);
        assert_false(g->metadata);
        peer(g, 2, size_of(g), honest);
        assert_true(rig_until(g, &g->metadata, USEC_SEC));
        rig_free(g);
    }
}

static void size_at_the_limit(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(2, true);
    struct raw *r = peer(g, 1, 32u << 20, NULL);
    assert_true(r->meta_requests > 0 && r->meta_requests <= 16); /* asked, a few at a time */
    rig_free(g);
}

static void size_changes(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(3, true);
    struct raw *r = peer(g, 1, 20000, NULL), *s = peer(g, 2, 0, NULL);
    raw_hello(r, 0);
    raw_hello(s, size_of(g));
    assert_false(r->closed || s->closed);
    raw_hello(r, 30000);
    assert_true(r->closed);
    rig_free(g);
}

static void wrong_lengths(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(4, true);
    struct raw *r = peer(g, 1, size_of(g), short_pieces);
    rig_run(g, USEC_SEC);
    assert_true(r->closed);
    rig_free(g);
}

static void one_liar_among_three(void **state)
{
    (void)state;
    for (unsigned place = 0; place < 3; place++) {
        struct rig *g = rig_with_names(5 + place, true);
        struct raw *v[3];
        for (unsigned i = 0; i < 3; i++)
            v[i] = peer(g, 1 + i, size_of(g), i == place ? lies_always : honest);
        assert_true(rig_until(g, &g->metadata, 40 * USEC_SEC));
        for (unsigned i = 0; i < 3; i++)
            assert_false(v[i]->closed && i != place);
        rig_free(g);
    }
}

static void only_liars(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(9, true);
    unsigned asked = 0, gone = 0;
    struct raw *v[6];
    for (unsigned i = 0; i < 6; i++)
        v[i] = peer(g, 1 + i, size_of(g), lies_always);
    rig_run(g, 120 * USEC_SEC);
    for (unsigned i = 0; i < 6; i++) {
        asked += v[i]->meta_requests;
        gone += v[i]->closed;
    }
    assert_false(g->metadata || g->failed);
    assert_int_equal(gone, 6);
    assert_true(asked < 6 * 40);
    rig_free(g);
}

/* They poison what the others gave, and when trusted alone say nothing. */
static void poison_and_silence(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(10, true);
    for (unsigned i = 0; i < 5; i++)
        peer(g, 1 + i, size_of(g), lies_once);
    struct raw *good = peer(g, 9, size_of(g), honest);
    assert_true(rig_until(g, &g->metadata, 120 * USEC_SEC));
    assert_false(good->closed);
    rig_free(g);
}

static void silent_sizes(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(11, true);
    for (unsigned i = 0; i < 12; i++)
        peer(g, 1 + i, 100000 + i, NULL);
    struct raw *good = peer(g, 20, size_of(g), honest);
    assert_true(rig_until(g, &g->metadata, 40 * USEC_SEC));
    assert_false(good->closed);
    rig_free(g);
}

static void pushed_unasked(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(12, true);
    struct raw *liar = peer(g, 1, 0, NULL); /* promised nothing */
    for (uint32_t i = 0; i * EXT_META_BLOCK < size_of(g); i++)
        give_wrong(liar, i);
    struct raw *good = peer(g, 2, size_of(g), honest);
    for (uint32_t i = 0; i * EXT_META_BLOCK < size_of(g); i++)
        give_wrong(liar, i);
    assert_true(rig_until(g, &g->metadata, USEC_SEC));
    assert_false(good->closed);
    rig_free(g);
}

static void rejecting_is_asked_seldom(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(13, true);
    struct raw *r = peer(g, 1, size_of(g), rejects);
    rig_run(g, 120 * USEC_SEC);
    assert_true(r->meta_requests > 10);
    assert_true(r->meta_requests < 6 * 16);
    rig_free(g);
}

static void requests(void **state)
{
    (void)state;
    struct rig *g = rig_with_names(14, false);
    struct raw *r = peer(g, 1, 0, NULL);
    raw_meta(r, EXT_META_REQUEST, 0, 0, BYTES(NULL, 0));
    raw_meta(r, EXT_META_REQUEST, (size_of(g) - 1) / EXT_META_BLOCK, 0, BYTES(NULL, 0));
    assert_int_equal(r->meta_data, 2);
    raw_meta(r, EXT_META_REQUEST, (size_of(g) - 1) / EXT_META_BLOCK + 1, 0, BYTES(NULL, 0));
    raw_meta(r, EXT_META_REQUEST, UINT32_MAX, 0, BYTES(NULL, 0));
    assert_int_equal(r->meta_data, 2);
    assert_int_equal(r->meta_rejects, 2);
    r->deaf = true; /* and a slow reader that asks for much */
    for (unsigned i = 0; i < 20000 && !r->closed; i++)
        raw_meta(r, EXT_META_REQUEST, 0, 0, BYTES(NULL, 0));
    assert_true(r->closed);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(size_at_the_limit),
        cmocka_unit_test(size_changes),
        cmocka_unit_test(wrong_lengths),
        cmocka_unit_test(one_liar_among_three),
        cmocka_unit_test(only_liars),
        cmocka_unit_test(poison_and_silence),
        cmocka_unit_test(silent_sizes),
        cmocka_unit_test(pushed_unasked),
        cmocka_unit_test(rejecting_is_asked_seldom),
        cmocka_unit_test(requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
